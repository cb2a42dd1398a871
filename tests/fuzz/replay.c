/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"

#define SECONDS_EACH 20 /* far beyond what any seed needs: only a hang gets there */

static void add(GPtrArray *files, const char *path)
{
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	const char *name;

	if (!dir) {
		g_ptr_array_add(files, g_strdup(path));
		return;
	}
	while ((name = g_dir_read_name(dir)))
		g_ptr_array_add(files, g_build_filename(path, name, NULL));
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* "/build/tests/fuzz/fuzz-dmar" -> "$TOP_SRCDIR/tests/fuzz/corpus/dmar" */
static char *default_corpus(const char *program)
{
	g_autofree char *name = g_path_get_basename(program);
	const char *top = g_getenv("TOP_SRCDIR");
	const char *target = g_str_has_prefix(name, "lt-") ? name + 3 : name;

	target += g_str_has_prefix(target, "fuzz-") ? strlen("fuzz-") : 0;
	return g_build_filename(top ? top : ".", "tests/fuzz/corpus", target, NULL);
}

int mp_fuzz_replay(int argc, char **argv, mp_fuzz_target target)
{
	g_autoptr(GPtrArray) files = g_ptr_array_new_with_free_func(g_free);
	g_autofree char *corpus = default_corpus(argv[0]);
	unsigned failed = 0;

	if (argc < 2)
		add(files, corpus);
	for (int i = 1; i < argc; i++)
		add(files, argv[i]);
	g_ptr_array_sort(files, by_name);
	printf("1..%u\n", files->len + 1);
	for (guint i = 0; i < files->len; i++) {
		const char *path = files->pdata[i];
		g_autofree char *data = NULL;
		g_autofree char *exact = NULL;
		gsize size = 0;

		if (!g_file_get_contents(path, &data, &size, NULL)) {
			printf("not ok %u - %s cannot be read\n", i + 1, path);
			failed++;
			continue;
		}
		/* The end of the block is the end of the input: a sanitizer sees one byte
		 * more. */
		exact = g_malloc(size ? size : 1);
		memcpy(exact, data, size);
		printf("# %s\n", path);
		fflush(stdout);
		alarm(SECONDS_EACH);
		target((const uint8_t *)exact, size);
		alarm(0);
		printf("ok %u - %s\n", i + 1,
			strrchr(path, '/') ? strrchr(path, '/') + 1 : path);
	}
	/* The empty input costs nothing and breaks many a parser. */
	target((const uint8_t *)"", 0);
	printf("ok %u - nothing at all\n", files->len + 1);
	return failed || !files->len ? EXIT_FAILURE : EXIT_SUCCESS;
}
