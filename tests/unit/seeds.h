/* SPDX-License-Identifier: GPL-2.0-or-later */
/* seeds.h - the seeds of the fuzz targets, as inputs for unit tests. */
#ifndef MP_SEEDS_H
#define MP_SEEDS_H

#include <glib.h>

static inline char *seed_path(const char *target, const char *name)
{
	const char *top = g_getenv("TOP_SRCDIR");

	return g_build_filename(top ? top : ".", "tests/fuzz/corpus", target, name, NULL);
}

/* The bytes of a seed; fails the test when there is no such file. Caller frees. */
static inline uint8_t *seed_read(const char *target, const char *name, gsize *size)
{
	g_autofree char *path = seed_path(target, name);
	char *data = NULL;

	if (!g_file_get_contents(path, &data, size, NULL))
		fail_msg("cannot read %s", path);
	return (uint8_t *)data;
}

#endif
