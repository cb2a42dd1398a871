/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "core/quote.h"
#include "core/step.h"

/* Nothing of these is special to a POSIX shell in the middle of a word (2.2 Quoting). */
#define SAFE G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "%+,-./:=@_"

char *mp_quote(const char *word)
{
	if (*word && strspn(word, SAFE) == strlen(word))
		return g_strdup(word);
	return g_shell_quote(word);
}

char *mp_quote_all(const char *const *words)
{
	GString *line = g_string_new(NULL);

	for (; *words; words++) {
		g_autofree char *word = mp_quote(*words);

		g_string_append_printf(line, "%s%s", line->len ? " " : "", word);
	}
	return g_string_free(line, FALSE);
}

static void add(GPtrArray *words, json_object *text)
{
	if (json_object_is_type(text, json_type_string))
		g_ptr_array_add(words, (char *)json_object_get_string(text));
}

/* want {program, args [text]} */
static void add_program(GPtrArray *words, json_object *want)
{
	json_object *args = json_object_object_get(want, "args");

	add(words, json_object_object_get(want, "program"));
	if (!json_object_is_type(args, json_type_array))
		return;
	for (size_t i = 0; i < json_object_array_length(args); i++)
		add(words, json_object_array_get_idx(args, i));
}

char *mp_step_command(const struct mp_step *step)
{
	g_autoptr(GPtrArray) words = g_ptr_array_new();

	if (!strcmp(step->ops->kind, "program"))
		add_program(words, step->want);
	if (!words->len)
		return NULL;
	g_ptr_array_add(words, NULL);
	return mp_quote_all((const char *const *)words->pdata);
}
