/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "core/template.h"

static const char *find(const char *name)
{
	for (const struct mp_shipped_template *t = mp_shipped_templates; t->name; t++)
		if (!strcmp(t->name, name))
			return t->text;
	g_error("%s: no such template", name);
}

static const char *value_of(const char *const *values, const char *place, size_t length)
{
	for (; values && values[0]; values += 2)
		if (strlen(values[0]) == length && !strncmp(values[0], place, length))
			return values[1];
	return NULL;
}

/* The length of the place at TEXT, which follows an '@', or 0: capital letters and '_'. */
static size_t place_at(const char *text)
{
	size_t length = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_");

	return text[length] == '@' ? length : 0;
}

char *mp_template_fill(const char *name, const char *const *values)
{
	GString *out = g_string_new(NULL);

	for (const char *pos = find(name); *pos;) {
		size_t length = *pos == '@' ? place_at(pos + 1) : 0;
		const char *value;

		if (!length) {
			g_string_append_c(out, *pos++);
			continue;
		}
		value = value_of(values, pos + 1, length);
		if (!value)
			g_error("%s: nothing for @%.*s@", name, (int)length, pos + 1);
		g_string_append(out, value);
		pos += length + 2;
	}
	return g_string_free(out, FALSE);
}

char *mp_template_comment(const char *first, const char *prefix, const char *text)
{
	g_auto(GStrv) words = g_strsplit_set(text, " \n", -1);
	GString *out = g_string_new(NULL);
	gsize column = 0;

	for (char **word = words; *word; word++) {
		if (!**word)
			continue;
		if (column && column + 1 + strlen(*word) > 78) {
			g_string_append_c(out, '\n');
			column = 0;
		}
		if (!column) {
			const char *start = out->len ? prefix : first;

			g_string_append_printf(out, "%s%s", start, *word);
			column = strlen(start) + strlen(*word);
			continue;
		}
		g_string_append_printf(out, " %s", *word);
		column += 1 + strlen(*word);
	}
	g_string_append_c(out, '\n');
	return g_string_free(out, FALSE);
}
