/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * page.h - a page of text for people: wrapped with hanging indents, colored, and made of
 * characters that the terminal knows. Collected in memory, written once.
 */
#ifndef MP_PAGE_H
#define MP_PAGE_H

#include <glib.h>
#include <stdio.h>

#include "render/render.h"

enum mp_hue { MP_PLAIN, MP_BOLD, MP_FAINT, MP_RED, MP_YELLOW, MP_BLUE, MP_GREEN };

struct mp_page {
	GString *text;
	const struct mp_render_style *style; /* borrowed */
};

struct mp_page mp_page_new(const struct mp_render_style *style);
/* Writes the page to OUT without trailing spaces and ends it. */
void mp_page_write(struct mp_page *page, FILE *out);

void mp_page_gap(struct mp_page *page); /* one empty line, never two, none at the start */
/* LABEL at column START in HUE, then TEXT wrapped between column INDENT and the width. A
 * line of TEXT that starts with a space is a command or a table: kept as it is. */
void mp_page_para(struct mp_page *page, unsigned start, enum mp_hue hue,
	const char *label, unsigned indent, const char *text);
void mp_page_line(struct mp_page *page, enum mp_hue hue, const char *format, ...)
	G_GNUC_PRINTF(3, 4);

/* Columns that TEXT takes on a terminal. */
unsigned mp_text_columns(const char *text);

#endif
