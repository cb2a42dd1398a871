/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Splits a kernel command line as lib/cmdline.c next_arg() and kernel/params.c do. */
#include "config.h"

#include <string.h>

#include "core/boot.h"

static void param_free(void *data)
{
	struct mp_param *param = data;

	g_free(param->name);
	g_free(param->value);
	g_free(param);
}

/* The kernel's isspace(): Latin-1 no-break space counts too, but not here: text is UTF-8. */
static bool is_space(char c)
{
	return g_ascii_isspace(c);
}

/* One argument from *POS on, which moves behind it. Mirrors next_arg(). */
static struct mp_param *next_param(const char **pos)
{
	const char *start = *pos;
	const char *equals = NULL, *end;
	bool quoted = false, in_quote = false;
	struct mp_param *param;

	if (*start == '"') {
		start++;
		quoted = in_quote = true;
	}
	for (end = start; *end; end++) {
		if (is_space(*end) && !in_quote)
			break;
		if (!equals && *end == '=')
			equals = end;
		if (*end == '"')
			in_quote = !in_quote;
	}
	*pos = end;

	param = g_new0(struct mp_param, 1);
	if (!equals) {
		if (quoted && end > start && end[-1] == '"')
			end--;
		param->name = g_strndup(start, (gsize)(end - start));
		return param;
	}
	param->name = g_strndup(start, (gsize)(equals - start));
	const char *value = equals + 1;
	if (value < end && *value == '"') {
		value++;
		if (end > value && end[-1] == '"')
			end--;
	} else if (quoted && end > value && end[-1] == '"') {
		end--;
	}
	param->value = g_strndup(value, (gsize)(end - value));
	return param;
}

GPtrArray *mp_cmdline_split(const char *cmdline)
{
	GPtrArray *params = g_ptr_array_new_with_free_func(param_free);
	const char *pos = cmdline ? cmdline : "";

	for (;;) {
		while (is_space(*pos))
			pos++;
		if (!*pos)
			return params;
		struct mp_param *param = next_param(&pos);

		if (!param->value && !strcmp(param->name, "--")) {
			param_free(param);
			return params;
		}
		g_ptr_array_add(params, param);
	}
}

bool mp_cmdline_name_is(const char *name, const char *wanted)
{
	for (; *name && *wanted; name++, wanted++) {
		char a = *name == '-' ? '_' : *name;
		char b = *wanted == '-' ? '_' : *wanted;

		if (a != b)
			return false;
	}
	return !*name && !*wanted;
}

char *mp_cmdline_get(const char *cmdline, const char *name)
{
	g_autoptr(GPtrArray) params = mp_cmdline_split(cmdline);

	for (guint i = params->len; i-- > 0;) {
		const struct mp_param *param = params->pdata[i];

		if (mp_cmdline_name_is(param->name, name))
			return g_strdup(param->value ? param->value : "");
	}
	return NULL;
}

const char *mp_cmdline_last(
	const char *cmdline, const char *name, const char *const *words)
{
	g_autoptr(GPtrArray) params = mp_cmdline_split(cmdline);
	const char *found = NULL;

	for (guint i = 0; i < params->len; i++) {
		const struct mp_param *param = params->pdata[i];

		if (!param->value || !mp_cmdline_name_is(param->name, name))
			continue;
		g_auto(GStrv) list = g_strsplit(param->value, ",", -1);
		for (char **item = list; *item; item++)
			for (const char *const *word = words; *word; word++)
				if (!strcmp(*item, *word))
					found = *word;
	}
	return found;
}

bool mp_cmdline_has(const char *cmdline, const char *name, const char *word)
{
	const char *const words[] = { word, NULL };

	return mp_cmdline_last(cmdline, name, words) != NULL;
}
