/* SPDX-License-Identifier: GPL-2.0-or-later */
/* snapshot-scene.h - snapshots read back. */
#ifndef MP_SNAPSHOT_SCENE_H
#define MP_SNAPSHOT_SCENE_H

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "core/host.h"
#include "core/root.h"
#include "core/snapshot.h"
#include "unit.h"

#include "sysroot.h"

#define HEAD "metis-passthrough snapshot 1\n"

/* Opens TEXT as a snapshot file; the file is gone when this returns. */
static inline struct mp_root *open_text(const char *text, size_t size, GError **error)
{
	g_autofree char *path = NULL;
	int fd = g_file_open_tmp("snapshot-XXXXXX", &path, NULL);
	struct mp_root *root;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, size), size);
	close(fd);
	root = mp_root_open(path, error);
	g_unlink(path);
	return root;
}

static inline struct mp_root *replay(const char *text)
{
	g_autoptr(GError) error = NULL;
	struct mp_root *root = open_text(text, strlen(text), &error);

	if (error)
		print_message("%s\n", error->message);
	assert_non_null(root);
	return root;
}

static inline void assert_content(
	struct mp_root *root, const char *path, const char *expected)
{
	g_autofree char *data = NULL;
	size_t size = 0;

	assert_int_equal(mp_root_read(root, path, MP_READ_ATTR, &data, &size), 0);
	assert_int_equal(size, strlen(expected));
	assert_string_equal(data, expected);
}

/* The same looks at any root. */
static inline void look(struct mp_root *root)
{
	static const char *const files[] = { "one", "two", "empty", "feed", "binary",
		"terminal", "c1", "link", "gone", "gone/deeper", "look like/[a]",
		"look like/-", "look like/#\xff", "look like/none", "in/-", "bare",
		"one/x" };
	struct mp_stat st;
	struct mp_dir *dir = NULL;
	char **names = NULL;

	for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
		g_autofree char *data = NULL, *target = NULL;

		mp_root_read(root, files[i], MP_READ_ATTR, &data, NULL);
		mp_root_readlink(root, files[i], &target);
	}
	mp_root_list(root, "look like", &names);
	g_strfreev(names);
	mp_root_stat(root, "one", &st);
	if (mp_root_dir(root, "bare", &dir) == 0) {
		g_autofree char *data = NULL;

		mp_dir_read(dir, "nothing", MP_READ_ATTR, &data, NULL);
		mp_dir_free(dir);
	}
}

#endif
