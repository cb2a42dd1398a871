/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "core/fact.h"
#include "render/page.h"

/* Prose in longer lines is hard to read, however wide the terminal is. */
#define WIDEST 120

static const char *const sgr[] = {
	[MP_PLAIN] = NULL,
	[MP_BOLD] = "1",
	[MP_FAINT] = "2",
	[MP_RED] = "1;31",
	[MP_YELLOW] = "1;33",
	[MP_BLUE] = "1;34",
	[MP_GREEN] = "1;32",
};

struct mp_page mp_page_new(const struct mp_render_style *style)
{
	return (struct mp_page){ .text = g_string_new(NULL), .style = style };
}

static void put(struct mp_page *page, enum mp_hue hue, const char *text)
{
	if (!page->style->color || !sgr[hue] || !*text) {
		g_string_append(page->text, text);
		return;
	}
	g_string_append_printf(page->text, "\033[%sm%s\033[0m", sgr[hue], text);
}

unsigned mp_text_columns(const char *text)
{
	unsigned columns = 0;

	for (; *text; text = g_utf8_next_char(text)) {
		gunichar c = g_utf8_get_char(text);

		if (!g_unichar_iszerowidth(c))
			columns += g_unichar_iswide(c) ? 2 : 1;
	}
	return columns;
}

static void spaces(struct mp_page *page, unsigned n)
{
	g_string_append_printf(page->text, "%*s", (int)n, "");
}

/* One line of the paragraph; *column is where the cursor is. */
static void wrap(
	struct mp_page *page, unsigned indent, const char *line, unsigned *column)
{
	g_auto(GStrv) words = g_strsplit(line, " ", 0);
	unsigned width = MIN(page->style->width, WIDEST);
	bool first = true;

	for (char **word = words; *word; word++) {
		unsigned columns = mp_text_columns(*word);

		if (!columns)
			continue;
		if (!first && width && *column + 1 + columns > width) {
			g_string_append_c(page->text, '\n');
			spaces(page, indent);
			*column = indent;
			first = true;
		}
		if (!first) {
			g_string_append_c(page->text, ' ');
			(*column)++;
		}
		g_string_append(page->text, *word);
		*column += columns;
		first = false;
	}
}

void mp_page_para(struct mp_page *page, unsigned start, enum mp_hue hue,
	const char *label, unsigned indent, const char *text)
{
	/* Findings quote the host, and a host may hold any byte. */
	g_autofree char *clean = mp_clean_text(text, strlen(text));
	g_auto(GStrv) lines = g_strsplit(g_strchomp(clean), "\n", 0);
	unsigned column = start + mp_text_columns(label);

	spaces(page, start);
	put(page, hue, label);
	for (char **line = lines; *line; line++) {
		if (column < indent) {
			spaces(page, indent - column);
			column = indent;
		} else if (line == lines && *label) {
			g_string_append_c(page->text, ' ');
			column++;
		}
		if (**line == ' ' || **line == '\t')
			g_string_append(page->text, *line);
		else
			wrap(page, indent, *line, &column);
		g_string_append_c(page->text, '\n');
		column = 0;
	}
	if (!*lines)
		g_string_append_c(page->text, '\n');
}

void mp_page_line(struct mp_page *page, enum mp_hue hue, const char *format, ...)
{
	g_autofree char *text = NULL;
	va_list args;

	va_start(args, format);
	text = g_strdup_vprintf(format, args);
	va_end(args);
	put(page, hue, text);
	g_string_append_c(page->text, '\n');
}

void mp_page_gap(struct mp_page *page)
{
	if (page->text->len && !g_str_has_suffix(page->text->str, "\n\n"))
		g_string_append_c(page->text, '\n');
}

static void drop_trailing_spaces(GString *text)
{
	size_t to = 0, keep = 0;

	for (size_t from = 0; from < text->len; from++) {
		char c = text->str[from];

		if (c == '\n')
			to = keep;
		text->str[to++] = c;
		if (c != ' ')
			keep = to;
	}
	g_string_truncate(text, keep);
}

void mp_page_write(struct mp_page *page, FILE *out)
{
	g_autofree char *ascii = NULL;

	drop_trailing_spaces(page->text);
	if (!page->style->unicode)
		ascii = g_str_to_ascii(page->text->str, "C");
	fputs(ascii ? ascii : page->text->str, out);
	g_string_free(page->text, TRUE);
	page->text = NULL;
}
