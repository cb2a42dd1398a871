/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A shell reader that understands assignments and gives up honestly on all else. */
#include "config.h"

#include <stdbool.h>
#include <string.h>

#include "core/grub-default.h"

#define VALUE_MAX (64u * 1024) /* "A=$A$A" doubles it each time */

struct value {
	char *text; /* NULL: unknown */
	char *why;
};

struct mp_grub_default {
	GHashTable *values; /* name -> struct value */
	char *all_unknown;  /* reason why no variable can be known any more, or NULL */
};

/* A word of a command: its text after quotes and expansions, and what spoils it. */
struct word {
	GString *text;      /* expanded */
	GString *raw;       /* as written */
	const char *spoilt; /* static reason, or NULL */
	bool quoted;        /* any part of it was quoted: then it is no keyword */
	bool no_name;       /* something else than a name stands before any '=' */
	size_t name_end; /* length of the leading NAME if "NAME=" starts it unquoted, or 0 */
};

struct reader {
	struct mp_grub_default *grub;
	const char *name; /* of the file */
	const char *pos;
	unsigned line;
	unsigned depth; /* of if, case, loops, braces */
};

static void value_free(void *data)
{
	struct value *value = data;

	g_free(value->text);
	g_free(value->why);
	g_free(value);
}

struct mp_grub_default *mp_grub_default_new(void)
{
	struct mp_grub_default *grub = g_new0(struct mp_grub_default, 1);

	grub->values = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, value_free);
	return grub;
}

void mp_grub_default_free(struct mp_grub_default *grub)
{
	if (!grub)
		return;
	g_hash_table_unref(grub->values);
	g_free(grub->all_unknown);
	g_free(grub);
}

const char *mp_grub_default_get(
	struct mp_grub_default *grub, const char *variable, const char **why)
{
	const struct value *value = g_hash_table_lookup(grub->values, variable);

	if (grub->all_unknown) {
		*why = grub->all_unknown;
		return NULL;
	}
	if (!value)
		return "";
	if (!value->text)
		*why = value->why;
	return value->text;
}

static void set(
	struct mp_grub_default *grub, const char *name, const char *text, char *why)
{
	struct value *value = g_new(struct value, 1);

	*value = (struct value){ .text = g_strdup(text), .why = why };
	g_hash_table_insert(grub->values, g_strdup(name), value);
}

static char *reason(const struct reader *r, const char *what)
{
	return g_strdup_printf("%s line %u: %s", r->name, r->line, what);
}

static bool is_name_start(char c)
{
	return g_ascii_isalpha(c) || c == '_';
}

static bool is_name(char c)
{
	return g_ascii_isalnum(c) || c == '_';
}

static void take(struct reader *r, struct word *word)
{
	if (*r->pos == '\n')
		r->line++;
	g_string_append_c(word->raw, *r->pos++);
}

/*
 * Skips "$(...)", "$((...))", "(...)" or "`...`", which opens at the current place. Quotes
 * inside are honoured; the depth is bounded by the text, not by the stack.
 */
static void skip_substitution(struct reader *r, struct word *word)
{
	bool ticks = *r->pos == '`';
	unsigned depth = 0;
	char quote = 0;

	word->spoilt = "a command substitution, which only a shell can run";
	if (ticks)
		take(r, word);
	while (*r->pos) {
		char c = *r->pos;

		if (c == '\\' && r->pos[1]) {
			take(r, word);
		} else if (quote) {
			if (c == quote)
				quote = 0;
		} else if (ticks) {
			if (c == '`') {
				take(r, word);
				return;
			}
		} else if (c == '\'' || c == '"') {
			quote = c;
		} else if (c == '(') {
			depth++;
		} else if (c == ')' && --depth == 0) {
			take(r, word);
			return;
		}
		take(r, word);
	}
	word->spoilt = "a command substitution that does not end";
}

static void expand(struct reader *r, struct word *word, const char *name)
{
	const struct value *value = g_hash_table_lookup(r->grub->values, name);

	if (!value)
		return; /* never set: empty, as in a shell */
	if (value->text && strlen(value->text) + word->text->len > VALUE_MAX)
		word->spoilt = "a value that grows without end";
	else if (value->text)
		g_string_append(word->text, value->text);
	else
		word->spoilt = "it uses a variable that is itself unknown";
}

/* At a '$'. */
static void read_dollar(struct reader *r, struct word *word)
{
	const char *start = r->pos + 1;
	bool brace = *start == '{';
	const char *end;

	if (*start == '(') {
		take(r, word);
		skip_substitution(r, word);
		return;
	}
	start += brace;
	for (end = start; is_name(*end); end++)
		;
	if (!is_name_start(*start)) {
		if (brace || (*start && strchr("?!@*#$-0123456789", *start)))
			word->spoilt = "a special expansion";
		else
			g_string_append_c(word->text, '$');
		take(r, word);
		return;
	}
	if (brace && *end != '}') {
		word->spoilt = "an expansion with an operator";
		while (*r->pos && *r->pos != '}' && *r->pos != '\n')
			take(r, word);
		if (*r->pos == '}')
			take(r, word);
		return;
	}
	g_autofree char *name = g_strndup(start, (gsize)(end - start));
	while (r->pos < end + brace)
		take(r, word);
	expand(r, word, name);
}

static void read_double_quotes(struct reader *r, struct word *word)
{
	take(r, word);
	while (*r->pos && *r->pos != '"') {
		if (*r->pos == '$') {
			read_dollar(r, word);
		} else if (*r->pos == '`') {
			skip_substitution(r, word);
		} else if (*r->pos == '\\' && r->pos[1] &&
			   strchr("$`\"\\\n", r->pos[1])) {
			take(r, word);
			if (*r->pos != '\n')
				g_string_append_c(word->text, *r->pos);
			take(r, word);
		} else {
			g_string_append_c(word->text, *r->pos);
			take(r, word);
		}
	}
	if (*r->pos)
		take(r, word);
	else
		word->spoilt = "a quote that does not end";
}

static void read_single_quotes(struct reader *r, struct word *word)
{
	take(r, word);
	while (*r->pos && *r->pos != '\'') {
		g_string_append_c(word->text, *r->pos);
		take(r, word);
	}
	if (*r->pos)
		take(r, word);
	else
		word->spoilt = "a quote that does not end";
}

static bool ends_word(char c)
{
	return !c || strchr(" \t\n;&|<>()", c) != NULL;
}

static void read_word(struct reader *r, struct word *word)
{
	while (!ends_word(*r->pos)) {
		char c = *r->pos;

		if (c == '\'') {
			word->quoted = true;
			read_single_quotes(r, word);
		} else if (c == '"') {
			word->quoted = true;
			read_double_quotes(r, word);
		} else if (c == '$') {
			/* "A$B=C" assigns nothing, even with an empty B. */
			word->no_name = word->no_name || !word->name_end;
			read_dollar(r, word);
		} else if (c == '`') {
			skip_substitution(r, word);
		} else if (c == '\\') {
			word->quoted = true;
			take(r, word);
			if (!*r->pos)
				return;
			if (*r->pos != '\n')
				g_string_append_c(word->text, *r->pos);
			take(r, word);
		} else {
			if (c == '=' && !word->name_end && !word->quoted &&
				!word->no_name && !word->spoilt &&
				is_name_start(word->raw->str[0]))
				word->name_end = word->raw->len;
			word->no_name = word->no_name || (!word->name_end && !is_name(c));
			g_string_append_c(word->text, c);
			take(r, word);
		}
	}
}

static void word_free(void *data)
{
	struct word *word = data;

	g_string_free(word->text, TRUE);
	g_string_free(word->raw, TRUE);
	g_free(word);
}

static struct word *word_new(void)
{
	struct word *word = g_new0(struct word, 1);

	word->text = g_string_new(NULL);
	word->raw = g_string_new(NULL);
	return word;
}

/* Every GRUB_... name in TEXT, which some command that we don't run may change. "$NAME" is
 * but a use of it. */
static void distrust_names(struct reader *r, const char *text, const char *what)
{
	const char *p = text;

	while ((p = strstr(p, "GRUB_"))) {
		const char *end = p;

		while (is_name(*end))
			end++;
		if (p == text || (!is_name(p[-1]) && p[-1] != '$')) {
			g_autofree char *name = g_strndup(p, (gsize)(end - p));

			set(r->grub, name, NULL, reason(r, what));
		}
		p = end;
	}
}

static bool is_one_of(const struct word *word, const char *const *list)
{
	for (; !word->quoted && *list; list++)
		if (!strcmp(word->raw->str, *list))
			return true;
	return false;
}

static void assign(struct reader *r, const struct word *word, bool always)
{
	g_autofree char *name = g_strndup(word->raw->str, word->name_end);

	if (!always)
		set(r->grub, name, NULL, reason(r, "set only under a condition"));
	else if (word->spoilt)
		set(r->grub, name, NULL, reason(r, word->spoilt));
	else
		set(r->grub, name, word->text->str + word->name_end + 1, NULL);
}

static void give_up(struct reader *r, const char *what)
{
	if (!r->grub->all_unknown)
		r->grub->all_unknown = reason(r, what);
}

/* "A=1 B=2", or with "export" before it. False: it is something else. */
static bool assignments(struct reader *r, GPtrArray *words, guint from, bool always)
{
	for (guint i = from; i < words->len; i++)
		if (!((const struct word *)words->pdata[i])->name_end)
			return false;
	for (guint i = from; i < words->len; i++)
		assign(r, words->pdata[i], always);
	return true;
}

/*
 * One simple command. CHAINED: it stands in a pipe or behind && or ||, so whether it runs
 * depends on something.
 */
static void command(struct reader *r, GPtrArray *words, bool chained)
{
	static const char *const leads[] = { "then", "do", "else", "!", NULL };
	static const char *const opens[] = { "if", "case", "for", "while", "until", "{",
		NULL };
	static const char *const closes[] = { "fi", "esac", "done", "}", NULL };
	static const char *const sources[] = { ".", "source", "eval", "exec", "exit",
		"return", NULL };
	static const char *const exports[] = { "export", "readonly", NULL };

	while (words->len && is_one_of(words->pdata[0], leads))
		g_ptr_array_remove_index(words, 0);
	if (!words->len)
		return;
	const struct word *first = words->pdata[0];

	if (is_one_of(first, opens))
		r->depth++;
	else if (is_one_of(first, closes) && r->depth)
		r->depth--;
	if (is_one_of(first, sources)) {
		give_up(r, "another file or command takes over here");
		return;
	}
	if (assignments(r, words, is_one_of(first, exports), r->depth == 0 && !chained))
		return;
	for (guint i = 0; i < words->len; i++)
		distrust_names(r, ((const struct word *)words->pdata[i])->raw->str,
			"a command or condition that only a shell can run");
}

static void skip_comment(struct reader *r)
{
	while (*r->pos && *r->pos != '\n')
		r->pos++;
}

void mp_grub_default_source(
	struct mp_grub_default *grub, const char *name, const char *text)
{
	struct reader reader = { .grub = grub, .name = name, .pos = text, .line = 1 };
	struct reader *r = &reader;
	g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(word_free);
	bool chained = false;

	while (*r->pos) {
		char c = *r->pos;

		if (c == ' ' || c == '\t' || c == '\r') {
			r->pos++;
		} else if (c == '\\' && r->pos[1] == '\n') {
			r->pos += 2;
			r->line++;
		} else if (c == '#') {
			skip_comment(r);
		} else if (c == '\n' || c == ';' || c == '&' || c == '|') {
			bool twice = c != '\n' && r->pos[1] == c;
			bool apart = (c == '|' || c == '&') && !twice; /* in a subshell */

			/* "a &&" goes on in the next line. */
			if (c != '\n' || words->len) {
				command(r, words, chained || apart);
				g_ptr_array_set_size(words, 0);
				chained = c == '|' || (c == '&' && twice);
			}
			r->pos += 1 + twice;
			r->line += c == '\n';
		} else if (c == '(' || (c == '<' && r->pos[1] == '<')) {
			give_up(r, "a subshell, function or here-document");
			r->pos++;
		} else if (c == '<' || c == '>' || c == ')') {
			r->pos++; /* redirection or a pattern of `case`: the words stay */
		} else {
			struct word *word = word_new();

			g_ptr_array_add(words, word);
			read_word(r, word);
		}
	}
	command(r, words, chained);
	if (r->depth)
		give_up(r, "a condition or loop that does not end");
}
