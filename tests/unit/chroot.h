/* SPDX-License-Identifier: GPL-2.0-or-later */
/* chroot.h - a sysroot in which shell scripts can run: busybox and its names. */
#ifndef MP_CHROOT_H
#define MP_CHROOT_H

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "sysroot.h"

#define BUSYBOX "/usr/bin/busybox"

/* False where this machine cannot do that (not root, no static busybox). */
static inline bool chroot_possible(void)
{
	return getuid() == 0 && g_file_test(BUSYBOX, G_FILE_TEST_IS_EXECUTABLE);
}

/* Call it in a test that needs one. */
#define need_chroot()                                                                    \
	do {                                                                             \
		if (!chroot_possible())                                                  \
			skip();                                                          \
	} while (0)

static inline void chroot_init(struct sysroot *s)
{
	static const char *const names[] = { "sh", "cat", "cp", "ls", "ln", "mv", "rm",
		"sleep", "sync", "env", "seq", "head", "kill", "readlink", "touch" };
	g_autofree char *data = NULL, *busybox = NULL, *null = NULL;
	gsize size;

	sysroot_init(s);
	assert_true(g_file_get_contents(BUSYBOX, &data, &size, NULL));
	sysroot_write(s, "bin/busybox", data, size);
	busybox = g_build_filename(s->path, "bin/busybox", NULL);
	assert_int_equal(chmod(busybox, 0755), 0);
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree char *name = g_build_filename("bin", names[i], NULL);

		sysroot_link(s, name, "busybox");
	}
	sysroot_mkdir(s, "dev");
	null = g_build_filename(s->path, "dev/null", NULL);
	/* A plain file, where devices cannot be made, serves too. */
	if (mknod(null, S_IFCHR | 0666, makedev(1, 3)) < 0)
		sysroot_text(s, "dev/null", "");
}

/* A program of the tree: a shell script. */
static inline void chroot_script(struct sysroot *s, const char *path, const char *text)
{
	g_autofree char *all = g_strconcat("#!/bin/sh\n", text, "\n", NULL);
	g_autofree char *full = g_build_filename(s->path, path, NULL);

	sysroot_text(s, path, all);
	assert_int_equal(chmod(full, 0755), 0);
}

static inline char *chroot_read(struct sysroot *s, const char *path)
{
	g_autofree char *full = g_build_filename(s->path, path, NULL);
	char *data = NULL;

	return g_file_get_contents(full, &data, NULL, NULL) ? data : NULL;
}

#endif
