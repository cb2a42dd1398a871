/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a snapshot tells of one name: its content, what is in it, what it is, or an error. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "core/fact.h"
#include "core/snapshot-parser.h"

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
static const char *unescape(
	struct mp_snap_parser *parser, const char *text, size_t *length)
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

struct mp_snap_node *mp_snap_walk(struct mp_snap_parser *parser,
	struct mp_snap_node *from, const char *path, size_t length)
{
	const char *p = path, *end = path + length;
	unsigned depth = 0;

	while (p < end) {
		const char *slash = memchr(p, '/', (size_t)(end - p));
		size_t part = (size_t)((slash ? slash : end) - p);
		const char *name = unescape(parser, p, &part);

		if (!name || (part == 2 && !memcmp(name, "..", 2)) ||
			memchr(name, '/', part) || ++depth > MP_SNAPSHOT_MAX_DEPTH) {
			mp_snap_bad(parser, "not a usable path");
			return NULL;
		}
		if (part && !(part == 1 && *name == '.'))
			from = mp_snap_add(parser->tree, from, name, part);
		if (!from) {
			mp_snap_bad(parser, "more than %u names", MP_SNAPSHOT_MAX_NODES);
			return NULL;
		}
		if (!slash)
			break;
		p = slash + 1;
	}
	return from;
}

bool mp_snap_is_block_line(const char *line, const char *end)
{
	return line < end &&
	       (*line == '|' || (*line == '\\' && (line + 1 == end || line[1] == ' ')));
}

static bool starts_block(const struct mp_snap_parser *parser)
{
	return mp_snap_is_block_line(parser->next, parser->end);
}

static bool take_text_block(struct mp_snap_parser *parser, struct mp_snap_node *node)
{
	bool closed = false;

	node->has |= MP_SNAP_BLOCK;
	node->data = parser->next;
	while (starts_block(parser)) {
		const char *text;

		mp_snap_next_line(parser);
		if (mp_snap_line_too_long(parser))
			return false;
		if (closed)
			return mp_snap_bad(
				parser, "a line after the one without line feed");
		if (parser->length > 1 && parser->text[1] != ' ')
			return mp_snap_bad(
				parser, "expected a space after the first character");
		if (parser->next > parser->end)
			return mp_snap_bad(parser, "the file ends inside a block");
		closed = *parser->text == '\\';
		node->size +=
			(uint32_t)mp_snap_block_text(parser->text, parser->length, &text);
		node->lines++;
	}
	return true;
}

static bool take_binary(struct mp_snap_parser *parser, struct mp_snap_node *node,
	const char *rest, size_t length)
{
	g_autofree char *number = g_strndup(rest, length);
	uint64_t size;

	if (!mp_parse_uint(number, 10, &size) || size > MP_SNAPSHOT_MAX_BINARY)
		return mp_snap_bad(parser, "not a size: '%s'", number);
	node->has |= MP_SNAP_BINARY;
	node->size = (uint32_t)size;
	node->data = parser->next;
	while (starts_block(parser)) {
		mp_snap_next_line(parser);
		if (mp_snap_line_too_long(parser))
			return false;
		if (parser->next > parser->end)
			return mp_snap_bad(parser, "the file ends inside a block");
		if (!mp_snap_hex_line(parser->text, parser->length, NULL, node->size))
			return mp_snap_bad(parser,
				"expected '| OFFSET: HH HH ...' within %u bytes",
				node->size);
		node->lines++;
	}
	return true;
}

static bool take_names(struct mp_snap_parser *parser, struct mp_snap_node *node)
{
	node->has |= MP_SNAP_LISTED;
	while (starts_block(parser)) {
		const char *p, *end, *name;
		size_t length;

		mp_snap_next_line(parser);
		if (mp_snap_line_too_long(parser))
			return false;
		p = parser->text + 1;
		end = parser->text + parser->length;
		if (*parser->text != '|')
			return mp_snap_bad(parser, "expected '| NAME NAME ...'");
		while (word(&p, end, &name, &length)) {
			struct mp_snap_node *child;

			if (memchr(name, '/', length))
				return mp_snap_bad(
					parser, "a name in a listing holds a slash");
			child = mp_snap_walk(parser, node, name, length);
			if (!child)
				return false;
			if (child == node)
				return mp_snap_bad(parser, "a listing holds '.'");
			child->has |= MP_SNAP_NAMED;
			mp_snap_exists(child);
		}
	}
	return true;
}

static bool take_stat(struct mp_snap_parser *parser, struct mp_snap_node *node,
	const char *rest, size_t length)
{
	static const char *const types[] = { "other", "file", "dir", "link" };
	g_autofree char *copy = g_strndup(rest, length);
	g_auto(GStrv) words = g_strsplit(copy, " ", 5);
	bool negative;
	uint64_t mode, size, mtime;
	struct mp_stat *st;
	guint type;

	if (g_strv_length(words) != 4)
		return mp_snap_bad(parser, "expected '? TYPE MODE SIZE MTIME'");
	for (type = 0; type < G_N_ELEMENTS(types); type++)
		if (!strcmp(words[0], types[type]))
			break;
	negative = *words[3] == '-';
	if (type == G_N_ELEMENTS(types) || !mp_parse_uint(words[1], 8, &mode) ||
		mode > 07777 || !mp_parse_uint(words[2], 10, &size) ||
		!mp_parse_uint(words[3] + negative, 10, &mtime) || mtime > INT64_MAX)
		return mp_snap_bad(
			parser, "expected '? TYPE MODE SIZE MTIME', not '? %s'", copy);
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

static bool take_error(struct mp_snap_parser *parser, struct mp_snap_node *node,
	const char *rest, size_t length)
{
	static const char *const looks[MP_SNAP_LOOKS] = { "read", "link", "list",
		"stat" };
	g_autofree char *copy = g_strndup(rest, length);
	const char *space = strchr(copy, ' ');
	int err = errno_by_name(space ? space + 1 : copy);
	guint look = MP_SNAP_LOOKS;

	if (!err)
		return mp_snap_bad(parser, "not an error's name: '%s'", copy);
	if (space) {
		for (look = 0; look < MP_SNAP_LOOKS; look++)
			if (g_str_has_prefix(copy, looks[look]) &&
				copy[strlen(looks[look])] == ' ')
				break;
		if (look == MP_SNAP_LOOKS)
			return mp_snap_bad(parser,
				"not a look (read, link, list, stat): '%s'", copy);
	}
	if (err != ENOENT)
		mp_snap_exists(node);
	for (guint i = 0; i < MP_SNAP_LOOKS; i++)
		if (look == MP_SNAP_LOOKS || i == look)
			node->err[i] = (int16_t)-err;
	return true;
}

bool mp_snap_take_absent(struct mp_snap_parser *parser)
{
	const char *p = parser->text + 1, *end = parser->text + parser->length, *name;
	size_t length;

	while (word(&p, end, &name, &length)) {
		struct mp_snap_node *node =
			mp_snap_walk(parser, parser->section, name, length);

		if (!node)
			return false;
		if (node->has || node->err[0])
			return mp_snap_bad(
				parser, "'%.*s' was told before", (int)length, name);
		for (guint i = 0; i < MP_SNAP_LOOKS; i++)
			node->err[i] = -ENOENT;
	}
	return true;
}

static bool told_twice(
	struct mp_snap_parser *parser, const struct mp_snap_node *node, uint32_t has)
{
	if (!(node->has & has))
		return false;
	mp_snap_bad(parser, "this is told twice of the same name");
	return true;
}

bool mp_snap_take_entry(struct mp_snap_parser *parser)
{
	const char *p = parser->text, *end = p + parser->length, *name, *op, *rest;
	size_t name_length, op_length, rest_length;
	struct mp_snap_node *node;

	if (!word(&p, end, &name, &name_length) || !word(&p, end, &op, &op_length))
		return mp_snap_bad(parser, "expected 'NAME = TEXT' or the like");
	rest = p < end ? p + 1 : p;
	rest_length = (size_t)(end - rest);
	node = mp_snap_walk(parser, parser->section, name, name_length);
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
			return mp_snap_bad(parser, "not a link's target");
		node->link = g_string_chunk_insert_len(
			parser->tree->strings, rest, (gssize)rest_length);
		node->has |= MP_SNAP_LINK;
		return true;
	}
	if (op_length != 1 || !strchr("=:x/?", *op))
		return mp_snap_bad(parser,
			"'%.*s' means nothing (= : x -> / ? ! are known)", (int)op_length,
			op);
	switch (*op) {
	case '=':
		if (told_twice(parser, node, MP_SNAP_FILE))
			return false;
		if (parser->next > parser->end)
			return mp_snap_bad(parser, "the file ends inside a line");
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
