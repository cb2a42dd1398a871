/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cpio-build.h - archives as initramfs images hold them. */
#ifndef MP_CPIO_BUILD_H
#define MP_CPIO_BUILD_H

#include <glib.h>
#include <string.h>

static inline void cpio_pad(GString *out)
{
	while (out->len % 4)
		g_string_append_c(out, '\0');
}

static inline void cpio_put(
	GString *out, const char *name, unsigned mode, const char *text)
{
	size_t size = text ? strlen(text) : 0;

	cpio_pad(out);
	g_string_append_printf(out,
		"070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", 1u, mode,
		0u, 0u, 1u, 0u, (unsigned)size, 0u, 0u, 0u, 0u,
		(unsigned)strlen(name) + 1, 0u);
	g_string_append_len(out, name, (gssize)strlen(name) + 1);
	cpio_pad(out);
	g_string_append_len(out, text ? text : "", (gssize)size);
	cpio_pad(out);
}

static inline void cpio_end(GString *out)
{
	cpio_put(out, "TRAILER!!!", 0, NULL);
}

#endif
