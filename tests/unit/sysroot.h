/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sysroot.h - a small host made of files in a temporary directory, for probes. */
#ifndef MP_SYSROOT_H
#define MP_SYSROOT_H

#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "core/host.h"
#include "core/root.h"

struct sysroot {
	char *path;
};

static inline void sysroot_init(struct sysroot *s)
{
	s->path = g_dir_make_tmp("metis-test-XXXXXX", NULL);
	assert_non_null(s->path);
}

static inline void sysroot_write(
	struct sysroot *s, const char *path, const void *data, size_t size)
{
	g_autofree char *full = g_build_filename(s->path, path, NULL);
	g_autofree char *dir = g_path_get_dirname(full);

	assert_int_equal(g_mkdir_with_parents(dir, 0755), 0);
	assert_true(g_file_set_contents(full, data, (gssize)size, NULL));
}

static inline void sysroot_text(struct sysroot *s, const char *path, const char *text)
{
	sysroot_write(s, path, text, strlen(text));
}

static inline void sysroot_mkdir(struct sysroot *s, const char *path)
{
	g_autofree char *full = g_build_filename(s->path, path, NULL);

	assert_int_equal(g_mkdir_with_parents(full, 0755), 0);
}

static inline void sysroot_link(struct sysroot *s, const char *path, const char *target)
{
	g_autofree char *full = g_build_filename(s->path, path, NULL);
	g_autofree char *dir = g_path_get_dirname(full);

	assert_int_equal(g_mkdir_with_parents(dir, 0755), 0);
	assert_int_equal(symlink(target, full), 0);
}

static inline void sysroot_remove_tree(const char *path)
{
	g_autoptr(GDir) dir = g_file_test(path, G_FILE_TEST_IS_SYMLINK)
				      ? NULL
				      : g_dir_open(path, 0, NULL);
	const char *name;

	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *child = g_build_filename(path, name, NULL);

		sysroot_remove_tree(child);
	}
	g_remove(path);
}

static inline void sysroot_clear(struct sysroot *s)
{
	sysroot_remove_tree(s->path);
	g_clear_pointer(&s->path, g_free);
}

/* Runs PROBE on it; the caller frees the host. */
static inline struct mp_host *sysroot_probe(
	struct sysroot *s, void (*probe)(struct mp_host *, struct mp_root *))
{
	g_autoptr(mp_root) root = mp_root_open(s->path, NULL);
	struct mp_host *host = mp_host_new(s->path, false);

	assert_non_null(root);
	probe(host, root);
	return host;
}

#endif
