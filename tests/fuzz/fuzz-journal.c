/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A transaction from disk: "plan.json", a line "====", "log". The first line of the log is
 * made to fit the plan, so that what follows is reached. Either all is read and makes sense,
 * or there is an error that names the file.
 */
#include "config.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/journal.h"
#include "fuzz.h"

#define SEPARATOR "\n====\n"

static char *tree;
static struct mp_root *root;

static void remove_all(void)
{
	static const char *const paths[] = { MP_PATH_JOURNAL "/0001/plan.json",
		MP_PATH_JOURNAL "/0001/log", MP_PATH_JOURNAL "/0001", MP_PATH_JOURNAL,
		"var/lib", "var", "" };

	for (size_t i = 0; i < G_N_ELEMENTS(paths); i++) {
		g_autofree char *path = g_build_filename(tree, paths[i], NULL);

		g_remove(path);
	}
	mp_root_free(root);
	g_free(tree);
}

static void start(void)
{
	const char *place = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : g_get_tmp_dir();
	g_autofree char *pattern = g_build_filename(place, "metis-fuzz-XXXXXX", NULL);

	tree = g_strdup(g_mkdtemp(pattern));
	g_autofree char *store = g_build_filename(tree, MP_PATH_JOURNAL, "0001", NULL);

	if (g_mkdir_with_parents(store, 0700) < 0)
		abort();
	root = mp_root_open(tree, NULL);
	atexit(remove_all);
}

static void write_file(const char *name, const char *data, size_t size)
{
	g_autofree char *path =
		g_build_filename(tree, MP_PATH_JOURNAL, "0001", name, NULL);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size || close(fd) < 0)
		abort();
}

static void check(const struct mp_tx *tx)
{
	if (strcmp(tx->id, "0001") != 0 || !tx->title || !tx->tool ||
		tx->progress->len != tx->steps->len)
		abort();
	for (guint i = 0; i < tx->steps->len; i++) {
		const struct mp_step *step = tx->steps->pdata[i];
		enum mp_step_progress at =
			g_array_index(tx->progress, enum mp_step_progress, i);

		if (!step->ops || !step->what || !step->want || !step->before ||
			at > MP_STEP_UNDONE)
			abort();
		if (tx->state == MP_TX_APPLIED && at != MP_STEP_DONE)
			abort();
		if (tx->state == MP_TX_UNDONE && at != MP_STEP_UNDONE &&
			at != MP_STEP_UNTOUCHED)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	const char *cut = memmem(text, size, SEPARATOR, strlen(SEPARATOR));
	size_t plan = cut ? (size_t)(cut - text) : size;
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) all = NULL;
	g_autofree char *digest =
		g_compute_checksum_for_data(G_CHECKSUM_SHA256, data, plan);
	g_autoptr(GString) log = g_string_new(NULL);

	if (!tree)
		start();
	g_string_append_printf(log, "plan %s\n", digest);
	if (cut)
		g_string_append_len(log, cut + strlen(SEPARATOR),
			(gssize)(size - plan - strlen(SEPARATOR)));
	write_file("plan.json", text, plan);
	write_file("log", log->str, log->len);
	all = mp_journal_load(root, &error);
	if (!all == !error || (all && all->len != 1))
		abort();
	if (all)
		check(all->pdata[0]);
	if (error && (!g_str_has_prefix(error->message, "/" MP_PATH_JOURNAL "/0001/") ||
			     strchr(error->message, '\n')))
		abort();
	return 0;
}

MP_FUZZ_MAIN
