/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parser of snapshot files: lines, sections, header and end; the format is told in
 * snapshot-tree.h. */
#include "config.h"

#include <string.h>

#include "core/error.h"
#include "core/fact.h"
#include "core/snapshot-parser.h"

const char *const mp_snap_header_keys[MP_SNAP_HEADERS] = { "tool", "captured", "missing",
	"scrubbed" };

bool mp_snap_bad(struct mp_snap_parser *parser, const char *format, ...)
{
	g_autofree char *what = NULL;
	va_list args;

	va_start(args, format);
	what = g_strdup_vprintf(format, args);
	va_end(args);
	g_set_error(parser->error, MP_ERROR, MP_ERROR_INPUT, "%s:%u: %s", parser->file,
		parser->line, what);
	return false;
}

bool mp_snap_next_line(struct mp_snap_parser *parser)
{
	const char *feed;

	if (parser->next >= parser->end)
		return false;
	parser->text = parser->next;
	feed = memchr(parser->next, '\n', (size_t)(parser->end - parser->next));
	if (!feed)
		feed = parser->end;
	parser->length = (size_t)(feed - parser->next);
	parser->next = feed + 1;
	parser->line++;
	return true;
}

bool mp_snap_line_too_long(struct mp_snap_parser *parser)
{
	if (parser->length <= MP_SNAPSHOT_MAX_LINE)
		return false;
	mp_snap_bad(parser, "the line is longer than %u bytes", MP_SNAPSHOT_MAX_LINE);
	return true;
}

static bool take_header(struct mp_snap_parser *parser)
{
	const char *colon = memchr(parser->text, ':', parser->length);
	size_t key = colon ? (size_t)(colon - parser->text) : 0;

	for (size_t i = 0; i < MP_SNAP_HEADERS; i++) {
		g_autofree char *value = NULL;

		if (strlen(mp_snap_header_keys[i]) != key ||
			memcmp(mp_snap_header_keys[i], parser->text, key) != 0)
			continue;
		if (parser->tree->header[i])
			return mp_snap_bad(
				parser, "'%s' is told twice", mp_snap_header_keys[i]);
		value = g_strndup(colon + 1, parser->length - key - 1);
		parser->tree->header[i] =
			g_string_chunk_insert(parser->tree->strings, g_strstrip(value));
		return true;
	}
	return mp_snap_bad(parser,
		"expected tool, captured, missing or scrubbed, or a directory in "
		"brackets");
}

static bool one_of(const char *value, const char *a, const char *b)
{
	return !value || !strcmp(value, a) || !strcmp(value, b);
}

static bool end_header(struct mp_snap_parser *parser)
{
	const char *missing = mp_snap_header(parser->tree, "missing");

	if (!one_of(missing, "unknown", "absent"))
		return mp_snap_bad(parser, "missing: must be unknown or absent");
	if (!one_of(mp_snap_header(parser->tree, "scrubbed"), "yes", "no"))
		return mp_snap_bad(parser, "scrubbed: must be yes or no");
	parser->tree->missing_unknown = !missing || !strcmp(missing, "unknown");
	return true;
}

static bool take_section(struct mp_snap_parser *parser)
{
	if (parser->length < 3 || parser->text[1] != '/' ||
		parser->text[parser->length - 1] != ']')
		return mp_snap_bad(parser, "expected [/DIRECTORY] or [end N]");
	parser->section = mp_snap_walk(
		parser, &parser->tree->root, parser->text + 1, parser->length - 2);
	return parser->section != NULL;
}

/* Sets *DONE at "[end N]". */
static bool take_end(struct mp_snap_parser *parser, bool *done)
{
	g_autofree char *number = NULL;
	uint64_t entries;

	if (parser->length < 5 || strncmp(parser->text, "[end", 4) != 0)
		return true;
	if (parser->length > 5) {
		number = g_strndup(parser->text + 5, parser->length - 6);
		if (parser->text[4] != ' ' || parser->text[parser->length - 1] != ']' ||
			!mp_parse_uint(number, 10, &entries))
			return mp_snap_bad(parser, "expected [end N]");
		if (entries != parser->entries)
			return mp_snap_bad(parser,
				"%" G_GUINT64_FORMAT
				" entries were promised, %" G_GUINT64_FORMAT
				" came (after editing, write [end] without a number)",
				entries, parser->entries);
	}
	*done = true;
	return true;
}

static bool take_line(struct mp_snap_parser *parser, bool *done)
{
	if (!parser->length || *parser->text == '#')
		return true;
	if (mp_snap_line_too_long(parser) || !take_end(parser, done))
		return false;
	if (*done)
		return true;
	if (*parser->text == '[')
		return (parser->section || end_header(parser)) && take_section(parser);
	if (!parser->section)
		return take_header(parser);
	if (mp_snap_is_block_line(parser->text, parser->text + parser->length))
		return mp_snap_bad(parser, "a content line outside of a block");
	if (parser->length && *parser->text == ' ')
		return mp_snap_bad(parser, "a line starts with a space");
	parser->entries++;
	if (*parser->text == '-' && (parser->length == 1 || parser->text[1] == ' '))
		return mp_snap_take_absent(parser);
	return mp_snap_take_entry(parser);
}

static bool parse(struct mp_snap_parser *parser)
{
	bool done = false;

	if (!mp_snap_next_line(parser) || parser->length != strlen(MP_SNAPSHOT_MAGIC) ||
		memcmp(parser->text, MP_SNAPSHOT_MAGIC, parser->length) != 0) {
		parser->line = 1;
		return mp_snap_bad(parser, "not a snapshot: the first line is not '%s'",
			MP_SNAPSHOT_MAGIC);
	}
	while (!done) {
		if (!mp_snap_next_line(parser)) {
			parser->line++;
			return mp_snap_bad(parser, "truncated: there is no [end] line");
		}
		if (!take_line(parser, &done))
			return false;
	}
	while (mp_snap_next_line(parser))
		if (parser->length && *parser->text != '#')
			return mp_snap_bad(parser, "something after the [end] line");
	return true;
}

struct mp_snap_tree *mp_snap_parse(
	const char *name, char *data, size_t size, GError **error)
{
	g_autoptr(mp_snap_tree) tree = mp_snap_tree_new(data);
	struct mp_snap_parser parser = {
		.tree = tree,
		.file = name,
		.next = data,
		.end = data + size,
		.error = error,
	};
	const char *nul = memchr(data, '\0', size);

	if (size > MP_SNAPSHOT_MAX_SIZE) {
		g_set_error(error, MP_ERROR, MP_ERROR_LIMIT, "%s: larger than %u bytes",
			name, MP_SNAPSHOT_MAX_SIZE);
		return NULL;
	}
	if (nul) {
		parser.line = 1;
		for (const char *p = data; (p = memchr(p, '\n', (size_t)(nul - p))); p++)
			parser.line++;
		mp_snap_bad(&parser, "a NUL byte: not a text file");
		return NULL;
	}
	if (!parse(&parser))
		return NULL;
	return g_steal_pointer(&tree);
}
