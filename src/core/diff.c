/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Longest common subsequence of lines, after the common head and tail are cut off: the files
 * are small, and so is what differs.
 */
#include "config.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "core/diff.h"

#define CONTEXT   3
#define CELLS_MAX (16u * 1024 * 1024) /* 4096 lines against as many */

struct line {
	const char *text;
	size_t length; /* without the newline */
	bool newline;
};

/* One line of the answer: ' ' of both, '-' of the old, '+' of the new text. */
struct edit {
	char sign;
	size_t old, new; /* lines before it in each text */
};

static GArray *split(const char *text)
{
	GArray *lines = g_array_new(FALSE, FALSE, sizeof(struct line));

	while (text && *text) {
		const char *end = strchr(text, '\n');
		struct line line = {
			.text = text,
			.length = end ? (size_t)(end - text) : strlen(text),
			.newline = end != NULL,
		};

		g_array_append_val(lines, line);
		text += line.length + (end ? 1 : 0);
	}
	return lines;
}

static const struct line *line_at(const GArray *lines, size_t i)
{
	return &g_array_index(lines, struct line, i);
}

static bool same(const GArray *old, size_t i, const GArray *new, size_t j)
{
	const struct line *a = line_at(old, i), *b = line_at(new, j);

	return a->length == b->length && a->newline == b->newline &&
	       !memcmp(a->text, b->text, a->length);
}

static void add(GArray *edits, char sign, size_t *old, size_t *new)
{
	struct edit edit = { .sign = sign, .old = *old, .new = *new };

	g_array_append_val(edits, edit);
	*old += sign != '+';
	*new += sign != '-';
}

/* The edits of the parts [HEAD, HEAD + ROWS) and [HEAD, HEAD + COLUMNS). */
static void middle(GArray *edits, const GArray *old, const GArray *new, size_t head,
	size_t rows, size_t columns)
{
	/* common[i][j]: length of what old from i on and new from j on have in common. The
	 * shorter side has at most 4096 lines. */
	g_autofree uint16_t *common = g_new0(uint16_t, (rows + 1) * (columns + 1));
	const size_t width = columns + 1;
	size_t i, j, at_old = head, at_new = head;

	for (i = rows; i-- > 0;)
		for (j = columns; j-- > 0;)
			common[i * width + j] =
				same(old, head + i, new, head + j)
					? common[(i + 1) * width + j + 1] + 1
					: MAX(common[(i + 1) * width + j],
						  common[i * width + j + 1]);
	for (i = j = 0; i < rows || j < columns;) {
		if (i < rows && j < columns && same(old, head + i, new, head + j)) {
			add(edits, ' ', &at_old, &at_new);
			i++;
			j++;
		} else if (i < rows &&
			   (j == columns || common[(i + 1) * width + j] >=
						    common[i * width + j + 1])) {
			add(edits, '-', &at_old, &at_new);
			i++;
		} else {
			add(edits, '+', &at_old, &at_new);
			j++;
		}
	}
}

static GArray *compare(const GArray *old, const GArray *new)
{
	GArray *edits = g_array_new(FALSE, FALSE, sizeof(struct edit));
	size_t shorter = MIN(old->len, new->len), head = 0, tail = 0;
	size_t at_old = 0, at_new = 0;

	while (head < shorter && same(old, head, new, head)) {
		add(edits, ' ', &at_old, &at_new);
		head++;
	}
	while (tail < shorter - head &&
		same(old, old->len - 1 - tail, new, new->len - 1 - tail))
		tail++;
	const size_t rows = old->len - head - tail, columns = new->len - head - tail;

	if ((rows + 1) * (columns + 1) > CELLS_MAX) {
		g_array_unref(edits);
		return NULL;
	}
	middle(edits, old, new, head, rows, columns);
	at_old = old->len - tail;
	at_new = new->len - tail;
	while (tail-- > 0)
		add(edits, ' ', &at_old, &at_new);
	return edits;
}

/* A terminal must get no control sequence from a file, nor half a character. */
static void add_escaped(GString *out, const char *text, size_t length)
{
	const char *end = text + length;

	while (text < end) {
		gunichar c = g_utf8_get_char_validated(text, end - text);

		if (c == (gunichar)-1 || c == (gunichar)-2) {
			g_string_append_printf(out, "\\x%02x", (guchar)*text++);
			continue;
		}
		const char *next = g_utf8_next_char(text);

		if (c == '\t' || (c >= 0x20 && c < 0x7f) ||
			(c >= 0xa0 && g_unichar_isprint(c)))
			g_string_append_len(out, text, next - text);
		else if (c < 0x100)
			g_string_append_printf(out, "\\x%02x", c);
		else
			g_string_append_printf(out, "\\u%04x", c);
		text = next;
	}
}

/* "12,3"; "12" where COUNT is 1; of nothing the line before it. */
static void add_range(GString *out, char sign, size_t before, size_t count)
{
	g_string_append_printf(out, "%c%zu", sign, count ? before + 1 : before);
	if (count != 1)
		g_string_append_printf(out, ",%zu", count);
}

static void add_hunk(GString *out, const GArray *edits, size_t from, size_t to,
	const GArray *old, const GArray *new)
{
	const struct edit *first = &g_array_index(edits, struct edit, from);
	size_t olds = 0, news = 0;

	for (size_t i = from; i < to; i++) {
		olds += g_array_index(edits, struct edit, i).sign != '+';
		news += g_array_index(edits, struct edit, i).sign != '-';
	}
	g_string_append(out, "@@ ");
	add_range(out, '-', first->old, olds);
	g_string_append_c(out, ' ');
	add_range(out, '+', first->new, news);
	g_string_append(out, " @@\n");
	for (size_t i = from; i < to; i++) {
		const struct edit *edit = &g_array_index(edits, struct edit, i);
		const struct line *line = edit->sign == '+' ? line_at(new, edit->new)
							    : line_at(old, edit->old);

		g_string_append_c(out, edit->sign);
		add_escaped(out, line->text, line->length);
		g_string_append(
			out, line->newline ? "\n" : "\n\\ No newline at end of file\n");
	}
}

/* Changes that are not more than two contexts apart are one hunk. */
static void add_hunks(
	GString *out, const GArray *edits, const GArray *old, const GArray *new)
{
	for (size_t i = 0; i < edits->len;) {
		size_t last = i, to;

		if (g_array_index(edits, struct edit, i).sign == ' ') {
			i++;
			continue;
		}
		for (to = i; to < edits->len && to - last <= 2 * CONTEXT + 1; to++)
			if (g_array_index(edits, struct edit, to).sign != ' ')
				last = to;
		to = MIN(last + 1 + CONTEXT, edits->len);
		add_hunk(out, edits, i - MIN(i, CONTEXT), to, old, new);
		i = to;
	}
}

static void add_name(GString *out, const char *sign, const char *name, const char *text)
{
	g_string_append(out, sign);
	if (text)
		add_escaped(out, name, strlen(name));
	else
		g_string_append(out, "/dev/null");
	g_string_append_c(out, '\n');
}

char *mp_diff_unified(const char *old_name, const char *old_text, const char *new_name,
	const char *new_text)
{
	g_autoptr(GString) out = g_string_new(NULL);
	g_autoptr(GArray) old = NULL, new = NULL, edits = NULL;

	if (!g_strcmp0(old_text, new_text))
		return NULL;
	add_name(out, "--- ", old_name, old_text);
	add_name(out, "+++ ", new_name, new_text);
	old = split(old_text);
	new = split(new_text);
	edits = compare(old, new);
	if (edits)
		add_hunks(out, edits, old, new);
	else
		g_string_append(out, "(too many lines differ to be shown)\n");
	return g_string_free(g_steal_pointer(&out), FALSE);
}
