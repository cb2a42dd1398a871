/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parser of snapshot files; the format is told in snapshot-tree.h. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "core/error.h"
#include "core/fact.h"
#include "core/snapshot-parse.h"

const char *const mp_snap_header_keys[MP_SNAP_HEADERS] = { "tool", "captured", "missing",
	"scrubbed" };

struct parser {
	struct mp_snap_tree *tree;
	const char *file;
	const char *next, *end; /* what was not looked at yet */
	const char *text;       /* the current line, without its line feed */
	size_t length;
	unsigned line;
	struct mp_snap_node *section;
	uint64_t entries;
	GError **error;
};

static bool G_GNUC_PRINTF(2, 3) bad(struct parser *parser, const char *format, ...)
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

/* False at the end of the file. */
static bool next_line(struct parser *parser)
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

static bool line_too_long(struct parser *parser)
{
	if (parser->length <= MP_SNAPSHOT_MAX_LINE)
		return false;
	bad(parser, "the line is longer than %u bytes", MP_SNAPSHOT_MAX_LINE);
	return true;
}

size_t mp_snap_block_text(const char *line, size_t length, const char **text)
{
	bool feed = line[0] == '|';
	size_t skip = length > 1 ? 2 : length;

	*text = line + skip;
	return length - skip + (feed ? 1 : 0);
}

static int hex_digit(char c)
{
	return g_ascii_xdigit_value(c);
}

bool mp_snap_hex_line(const char *line, size_t length, uint8_t *out, size_t size)
{
	const char *p = line + 2, *end = line + length;
	size_t offset = 0;
	int digits = 0;

	if (length < 2 || line[0] != '|' || line[1] != ' ')
		return false;
	for (; p < end && hex_digit(*p) >= 0 && digits < 8; digits++)
		offset = offset << 4 | (size_t)hex_digit(*p++);
	if (!digits || p == end || *p++ != ':')
		return false;
	for (; p < end; p += 3, offset++) {
		if (end - p < 3 || p[0] != ' ' || hex_digit(p[1]) < 0 ||
			hex_digit(p[2]) < 0 || offset >= size)
			return false;
		if (out)
			out[offset] = (uint8_t)(hex_digit(p[1]) << 4 | hex_digit(p[2]));
	}
	return true;
}

/* Splits off the next word; false when there is none. */
static bool word(const char **p, const char *end, const char **text, size_t *length)
{
	const char *space;

	while (*p < end && **p == ' ')
		(*p)++;
	if (*p == end)
		return false;
	space = memchr(*p, ' ', (size_t)(end - *p));
	*text = *p;
	*length = (size_t)((space ? space : end) - *p);
	*p = space ? space : end;
	return true;
}

/* "\xNN" and nothing else. Returns TEXT itself when there is nothing to do; NULL: wrong. */
static const char *unescape(struct parser *parser, const char *text, size_t *length)
{
	g_autoptr(GString) out = NULL;

	if (!memchr(text, '\\', *length))
		return text;
	out = g_string_sized_new(*length);
	for (size_t i = 0; i < *length; i++) {
		int high, low;

		if (text[i] != '\\') {
			g_string_append_c(out, text[i]);
			continue;
		}
		if (*length - i < 4 || text[i + 1] != 'x')
			return NULL;
		high = hex_digit(text[i + 2]);
		low = hex_digit(text[i + 3]);
		if (high < 0 || low < 0 || (high == 0 && low == 0))
			return NULL;
		g_string_append_c(out, (char)(high << 4 | low));
		i += 3;
	}
	*length = out->len;
	return g_string_chunk_insert_len(
		parser->tree->strings, out->str, (gssize)out->len);
}

/* Walks down PATH from FROM, making what is missing. NULL: error was set. */
static struct mp_snap_node *walk(
	struct parser *parser, struct mp_snap_node *from, const char *path, size_t length)
{
	const char *p = path, *end = path + length;
	unsigned depth = 0;

	while (p < end) {
		const char *slash = memchr(p, '/', (size_t)(end - p));
		size_t part = (size_t)((slash ? slash : end) - p);
		const char *name = unescape(parser, p, &part);

		if (!name || (part == 2 && !memcmp(name, "..", 2)) ||
			memchr(name, '/', part) || ++depth > MP_SNAPSHOT_MAX_DEPTH) {
			bad(parser, "not a usable path");
			return NULL;
		}
		if (part && !(part == 1 && *name == '.'))
			from = mp_snap_add(parser->tree, from, name, part);
		if (!from) {
			bad(parser, "more than %u names", MP_SNAPSHOT_MAX_NODES);
			return NULL;
		}
		if (!slash)
			break;
		p = slash + 1;
	}
	return from;
}

/* "|", "| text" or "\ text"; but a name may start with "\xNN". */
static bool is_block_line(const char *line, const char *end)
{
	return line < end &&
	       (*line == '|' || (*line == '\\' && (line + 1 == end || line[1] == ' ')));
}

static bool starts_block(const struct parser *parser)
{
	return is_block_line(parser->next, parser->end);
}

static bool take_text_block(struct parser *parser, struct mp_snap_node *node)
{
	bool closed = false;

	node->has |= MP_SNAP_BLOCK;
	node->data = parser->next;
	while (starts_block(parser)) {
		const char *text;

		next_line(parser);
		if (line_too_long(parser))
			return false;
		if (closed)
			return bad(parser, "a line after the one without line feed");
		if (parser->length > 1 && parser->text[1] != ' ')
			return bad(parser, "expected a space after the first character");
		if (parser->next > parser->end)
			return bad(parser, "the file ends inside a block");
		closed = *parser->text == '\\';
		node->size +=
			(uint32_t)mp_snap_block_text(parser->text, parser->length, &text);
		node->lines++;
	}
	return true;
}

static bool take_binary(
	struct parser *parser, struct mp_snap_node *node, const char *rest, size_t length)
{
	g_autofree char *number = g_strndup(rest, length);
	uint64_t size;

	if (!mp_parse_uint(number, 10, &size) || size > MP_SNAPSHOT_MAX_BINARY)
		return bad(parser, "not a size: '%s'", number);
	node->has |= MP_SNAP_BINARY;
	node->size = (uint32_t)size;
	node->data = parser->next;
	while (starts_block(parser)) {
		next_line(parser);
		if (line_too_long(parser))
			return false;
		if (parser->next > parser->end)
			return bad(parser, "the file ends inside a block");
		if (!mp_snap_hex_line(parser->text, parser->length, NULL, node->size))
			return bad(parser,
				"expected '| OFFSET: HH HH ...' within %u bytes",
				node->size);
		node->lines++;
	}
	return true;
}

static bool take_names(struct parser *parser, struct mp_snap_node *node)
{
	node->has |= MP_SNAP_LISTED;
	while (starts_block(parser)) {
		const char *p, *end, *name;
		size_t length;

		next_line(parser);
		if (line_too_long(parser))
			return false;
		p = parser->text + 1;
		end = parser->text + parser->length;
		if (*parser->text != '|')
			return bad(parser, "expected '| NAME NAME ...'");
		while (word(&p, end, &name, &length)) {
			struct mp_snap_node *child;

			if (memchr(name, '/', length))
				return bad(parser, "a name in a listing holds a slash");
			child = walk(parser, node, name, length);
			if (!child)
				return false;
			if (child == node)
				return bad(parser, "a listing holds '.'");
			child->has |= MP_SNAP_NAMED;
			mp_snap_exists(child);
		}
	}
	return true;
}

static bool take_stat(
	struct parser *parser, struct mp_snap_node *node, const char *rest, size_t length)
{
	static const char *const types[] = { "other", "file", "dir", "link" };
	g_autofree char *copy = g_strndup(rest, length);
	g_auto(GStrv) words = g_strsplit(copy, " ", 5);
	bool negative;
	uint64_t mode, size, mtime;
	struct mp_stat *st;
	guint type;

	if (g_strv_length(words) != 4)
		return bad(parser, "expected '? TYPE MODE SIZE MTIME'");
	for (type = 0; type < G_N_ELEMENTS(types); type++)
		if (!strcmp(words[0], types[type]))
			break;
	negative = *words[3] == '-';
	if (type == G_N_ELEMENTS(types) || !mp_parse_uint(words[1], 8, &mode) ||
		mode > 07777 || !mp_parse_uint(words[2], 10, &size) ||
		!mp_parse_uint(words[3] + negative, 10, &mtime) || mtime > INT64_MAX)
		return bad(parser, "expected '? TYPE MODE SIZE MTIME', not '? %s'", copy);
	st = g_new(struct mp_stat, 1);
	*st = (struct mp_stat){ (enum mp_file_type)type, (uint32_t)mode, size,
		negative ? -(int64_t)mtime : (int64_t)mtime };
	g_ptr_array_add(parser->tree->stats, st);
	node->st = st;
	node->has |= MP_SNAP_STAT;
	return true;
}

static int errno_by_name(const char *name)
{
	for (int i = 1; i < 256; i++) {
		const char *known = strerrorname_np(i);

		if (known && !strcmp(known, name))
			return i;
	}
	return 0;
}

static bool take_error(
	struct parser *parser, struct mp_snap_node *node, const char *rest, size_t length)
{
	static const char *const looks[MP_SNAP_LOOKS] = { "read", "link", "list",
		"stat" };
	g_autofree char *copy = g_strndup(rest, length);
	const char *space = strchr(copy, ' ');
	int err = errno_by_name(space ? space + 1 : copy);
	guint look = MP_SNAP_LOOKS;

	if (!err)
		return bad(parser, "not an error's name: '%s'", copy);
	if (space) {
		for (look = 0; look < MP_SNAP_LOOKS; look++)
			if (g_str_has_prefix(copy, looks[look]) &&
				copy[strlen(looks[look])] == ' ')
				break;
		if (look == MP_SNAP_LOOKS)
			return bad(parser, "not a look (read, link, list, stat): '%s'",
				copy);
	}
	if (err != ENOENT)
		mp_snap_exists(node);
	for (guint i = 0; i < MP_SNAP_LOOKS; i++)
		if (look == MP_SNAP_LOOKS || i == look)
			node->err[i] = (int16_t)-err;
	return true;
}

static bool take_absent(struct parser *parser)
{
	const char *p = parser->text + 1, *end = parser->text + parser->length, *name;
	size_t length;

	while (word(&p, end, &name, &length)) {
		struct mp_snap_node *node = walk(parser, parser->section, name, length);

		if (!node)
			return false;
		if (node->has || node->err[0])
			return bad(parser, "'%.*s' was told before", (int)length, name);
		for (guint i = 0; i < MP_SNAP_LOOKS; i++)
			node->err[i] = -ENOENT;
	}
	return true;
}

static bool told_twice(
	struct parser *parser, const struct mp_snap_node *node, uint32_t has)
{
	if (!(node->has & has))
		return false;
	bad(parser, "this is told twice of the same name");
	return true;
}

/* "NAME OP REST" */
static bool take_entry(struct parser *parser)
{
	const char *p = parser->text, *end = p + parser->length, *name, *op, *rest;
	size_t name_length, op_length, rest_length;
	struct mp_snap_node *node;

	if (!word(&p, end, &name, &name_length) || !word(&p, end, &op, &op_length))
		return bad(parser, "expected 'NAME = TEXT' or the like");
	rest = p < end ? p + 1 : p;
	rest_length = (size_t)(end - rest);
	node = walk(parser, parser->section, name, name_length);
	if (!node)
		return false;
	if (op_length == 1 && *op == '!')
		return take_error(parser, node, rest, rest_length);
	mp_snap_exists(node);
	if (op_length == 2 && !memcmp(op, "->", 2)) {
		if (told_twice(parser, node, MP_SNAP_LINK))
			return false;
		rest = unescape(parser, rest, &rest_length);
		if (!rest || !rest_length || memchr(rest, '\0', rest_length))
			return bad(parser, "not a link's target");
		node->link = g_string_chunk_insert_len(
			parser->tree->strings, rest, (gssize)rest_length);
		node->has |= MP_SNAP_LINK;
		return true;
	}
	if (op_length != 1 || !strchr("=:x/?", *op))
		return bad(parser, "'%.*s' means nothing (= : x -> / ? ! are known)",
			(int)op_length, op);
	switch (*op) {
	case '=':
		if (told_twice(parser, node, MP_SNAP_FILE))
			return false;
		if (parser->next > parser->end)
			return bad(parser, "the file ends inside a line");
		node->has |= MP_SNAP_TEXT;
		node->data = rest;
		node->size =
			(uint32_t)rest_length + 1; /* with the line feed that is there */
		return true;
	case ':':
		return !told_twice(parser, node, MP_SNAP_FILE) &&
		       take_text_block(parser, node);
	case 'x':
		return !told_twice(parser, node, MP_SNAP_FILE) &&
		       take_binary(parser, node, rest, rest_length);
	case '/':
		return !told_twice(parser, node, MP_SNAP_LISTED) &&
		       take_names(parser, node);
	default:
		return !told_twice(parser, node, MP_SNAP_STAT) &&
		       take_stat(parser, node, rest, rest_length);
	}
}

static bool take_header(struct parser *parser)
{
	const char *colon = memchr(parser->text, ':', parser->length);
	size_t key = colon ? (size_t)(colon - parser->text) : 0;

	for (size_t i = 0; i < MP_SNAP_HEADERS; i++) {
		g_autofree char *value = NULL;

		if (strlen(mp_snap_header_keys[i]) != key ||
			memcmp(mp_snap_header_keys[i], parser->text, key) != 0)
			continue;
		if (parser->tree->header[i])
			return bad(parser, "'%s' is told twice", mp_snap_header_keys[i]);
		value = g_strndup(colon + 1, parser->length - key - 1);
		parser->tree->header[i] =
			g_string_chunk_insert(parser->tree->strings, g_strstrip(value));
		return true;
	}
	return bad(parser,
		"expected tool, captured, missing or scrubbed, or a directory in "
		"brackets");
}

static bool one_of(const char *value, const char *a, const char *b)
{
	return !value || !strcmp(value, a) || !strcmp(value, b);
}

static bool end_header(struct parser *parser)
{
	const char *missing = mp_snap_header(parser->tree, "missing");

	if (!one_of(missing, "unknown", "absent"))
		return bad(parser, "missing: must be unknown or absent");
	if (!one_of(mp_snap_header(parser->tree, "scrubbed"), "yes", "no"))
		return bad(parser, "scrubbed: must be yes or no");
	parser->tree->missing_unknown = !missing || !strcmp(missing, "unknown");
	return true;
}

static bool take_section(struct parser *parser)
{
	if (parser->length < 3 || parser->text[1] != '/' ||
		parser->text[parser->length - 1] != ']')
		return bad(parser, "expected [/DIRECTORY] or [end N]");
	parser->section =
		walk(parser, &parser->tree->root, parser->text + 1, parser->length - 2);
	return parser->section != NULL;
}

/* Sets *DONE at "[end N]". */
static bool take_end(struct parser *parser, bool *done)
{
	g_autofree char *number = NULL;
	uint64_t entries;

	if (parser->length < 5 || strncmp(parser->text, "[end", 4) != 0)
		return true;
	if (parser->length > 5) {
		number = g_strndup(parser->text + 5, parser->length - 6);
		if (parser->text[4] != ' ' || parser->text[parser->length - 1] != ']' ||
			!mp_parse_uint(number, 10, &entries))
			return bad(parser, "expected [end N]");
		if (entries != parser->entries)
			return bad(parser,
				"%" G_GUINT64_FORMAT
				" entries were promised, %" G_GUINT64_FORMAT
				" came (after editing, write [end] without a number)",
				entries, parser->entries);
	}
	*done = true;
	return true;
}

static bool take_line(struct parser *parser, bool *done)
{
	if (!parser->length || *parser->text == '#')
		return true;
	if (line_too_long(parser) || !take_end(parser, done))
		return false;
	if (*done)
		return true;
	if (*parser->text == '[')
		return (parser->section || end_header(parser)) && take_section(parser);
	if (!parser->section)
		return take_header(parser);
	if (is_block_line(parser->text, parser->text + parser->length))
		return bad(parser, "a content line outside of a block");
	if (parser->length && *parser->text == ' ')
		return bad(parser, "a line starts with a space");
	parser->entries++;
	if (*parser->text == '-' && (parser->length == 1 || parser->text[1] == ' '))
		return take_absent(parser);
	return take_entry(parser);
}

static bool parse(struct parser *parser)
{
	bool done = false;

	if (!next_line(parser) || parser->length != strlen(MP_SNAPSHOT_MAGIC) ||
		memcmp(parser->text, MP_SNAPSHOT_MAGIC, parser->length) != 0) {
		parser->line = 1;
		return bad(parser, "not a snapshot: the first line is not '%s'",
			MP_SNAPSHOT_MAGIC);
	}
	while (!done) {
		if (!next_line(parser)) {
			parser->line++;
			return bad(parser, "truncated: there is no [end] line");
		}
		if (!take_line(parser, &done))
			return false;
	}
	while (next_line(parser))
		if (parser->length && *parser->text != '#')
			return bad(parser, "something after the [end] line");
	return true;
}

struct mp_snap_tree *mp_snap_parse(
	const char *name, char *data, size_t size, GError **error)
{
	g_autoptr(mp_snap_tree) tree = mp_snap_tree_new(data);
	struct parser parser = {
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
		bad(&parser, "a NUL byte: not a text file");
		return NULL;
	}
	if (!parse(&parser))
		return NULL;
	return g_steal_pointer(&tree);
}
