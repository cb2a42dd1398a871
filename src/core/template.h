/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * template.h - the files that setup writes on a host, as they lie in templates/, compiled
 * in. A template is text with places: "@HEAD@".
 */
#ifndef MP_TEMPLATE_H
#define MP_TEMPLATE_H

#include <glib.h>

/*
 * The template NAME, its path below templates/ ("modprobe.d/ids.conf"), with every @PLACE@
 * that VALUES names filled in: pairs of place (without the @) and text, NULL-ended. The name
 * of a template that is not there, or a place left open, is a mistake of ours: g_error.
 * Caller frees.
 */
char *mp_template_fill(const char *name, const char *const *values);

/* TEXT wrapped at 78 columns, its first line after FIRST, the others after PREFIX. Caller
 * frees. */
char *mp_template_comment(const char *first, const char *prefix, const char *text);

/* The table made from templates/ at build time; ended by a name of NULL. */
struct mp_shipped_template {
	const char *name, *text;
};
extern const struct mp_shipped_template mp_shipped_templates[];

#endif
