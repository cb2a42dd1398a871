/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cmd.h"

const struct mp_render_ops *mp_cmd_format(const char *format, GError **error)
{
	const struct mp_render_ops *ops = mp_render_find(format ? format : "text");

	if (!ops)
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
			"there is no format '%s' (there are: %s)", format,
			mp_render_names());
	else if (ops->prepare && !ops->prepare(error))
		return NULL;
	return ops;
}

static unsigned terminal_width(void)
{
	const char *columns = g_getenv("COLUMNS");
	struct winsize size;
	uint64_t number;

	/* Narrower than 40 nothing fits any more: lines may then be cut by the terminal. */
	if (columns && mp_parse_uint(columns, 10, &number) && number && number <= 1000)
		return MAX((unsigned)number, 40);
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col)
		return MAX(size.ws_col, 40);
	return isatty(STDOUT_FILENO) ? 80 : 0;
}

bool mp_cmd_style(const char *color, struct mp_render_style *style, GError **error)
{
	const char *no_color = g_getenv("NO_COLOR");

	style->unicode = !strcmp(nl_langinfo(CODESET), "UTF-8");
	style->width = terminal_width();
	if (!color || !strcmp(color, "auto")) {
		/* NO_COLOR counts only while the user made no explicit choice. */
		style->color =
			isatty(STDOUT_FILENO) && (color || !no_color || !*no_color);
	} else if (!strcmp(color, "always")) {
		style->color = true;
	} else if (!strcmp(color, "never")) {
		style->color = false;
	} else {
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
			"--color takes auto, always or never, not '%s'", color);
		return false;
	}
	return true;
}

bool mp_cmd_parse_id(const char *text, uint16_t *vendor, uint16_t *device)
{
	g_auto(GStrv) parts = g_strsplit(text, ":", 3);
	uint64_t v, d;

	if (g_strv_length(parts) != 2 || !mp_parse_uint(parts[0], 16, &v) ||
		!mp_parse_uint(parts[1], 16, &d) || v > 0xffff || d > 0xffff)
		return false;
	*vendor = (uint16_t)v;
	*device = (uint16_t)d;
	return true;
}

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	return MIN(MIN(a, b), c);
}

/* Levenshtein's distance; both texts are at most 64 bytes. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[65], columns = (unsigned)strlen(b);

	for (unsigned j = 0; j <= columns; j++)
		row[j] = j;
	for (unsigned i = 1; a[i - 1]; i++) {
		unsigned diagonal = row[0];

		row[0] = i;
		for (unsigned j = 1; j <= columns; j++) {
			unsigned above = row[j];

			row[j] = min3(above + 1, row[j - 1] + 1,
				diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
		}
	}
	return row[columns];
}

const char *mp_cmd_nearest(const char *text, const char *const *names)
{
	const char *nearest = NULL;
	unsigned least = 3 + (unsigned)strlen(text) / 4; /* farther off is no slip */

	if (strlen(text) > 64)
		return NULL;
	for (; *names; names++) {
		unsigned d = strlen(*names) <= 64 ? distance(text, *names) : least;

		if (d < least) {
			least = d;
			nearest = *names;
		}
	}
	return nearest;
}

int mp_cmd_find_action(
	const char *verb, const char *const *names, const char *text, GError **error)
{
	g_autofree char *all = g_strjoinv(", ", (char **)names);
	const char *nearest = mp_cmd_nearest(text, names);

	for (int i = 0; names[i]; i++)
		if (!strcmp(names[i], text))
			return i;
	g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
		"there is no '%s %s'%s%s%s (there are: %s)", verb, text,
		nearest ? "; did you mean '" : "", nearest ? nearest : "",
		nearest ? "'?" : "", all);
	return -1;
}

bool mp_cmd_check_version(const char *option, const char *text, GError **error)
{
	if (!text || (g_ascii_isdigit(*text) && !text[strspn(text, "0123456789.")]))
		return true;
	g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
		"--%s %s: not a version such as 1.5.6", option, text);
	return false;
}
