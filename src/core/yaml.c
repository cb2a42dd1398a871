/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>
#include <yaml.h>

#include "core/error.h"
#include "core/fact.h"
#include "core/yaml.h"

struct reader {
	const char *name;
	yaml_parser_t parser;
	yaml_event_t event; /* the current one; zeroed before the first */
	GString *path;      /* the key that is being read: "known_bad[2].match" */
	GError **error;
};

/* Complains about the current event. Always false, to be returned. */
static bool G_GNUC_PRINTF(2, 3) bad(struct reader *reader, const char *format, ...)
{
	const yaml_mark_t *mark = &reader->event.start_mark;
	g_autofree char *why = NULL;
	va_list args;

	va_start(args, format);
	why = g_strdup_vprintf(format, args);
	va_end(args);
	g_strdelimit(why, "\n", ' '); /* a message is one line, whatever it quotes */
	g_set_error(reader->error, MP_ERROR, MP_ERROR_INPUT, "%s:%zu:%zu: %s%s%s",
		reader->name, mark->line + 1, mark->column + 1, reader->path->str,
		reader->path->len ? ": " : "", why);
	return false;
}

static bool bad_syntax(struct reader *reader)
{
	const yaml_parser_t *parser = &reader->parser;
	const char *problem = parser->problem ? parser->problem : "cannot be parsed";

	/* The reader stage (bytes that are not UTF-8) knows an offset only. */
	if (parser->error == YAML_READER_ERROR)
		g_set_error(reader->error, MP_ERROR, MP_ERROR_INPUT,
			"%s:%zu:%zu: not YAML: %s (at byte %zu)", reader->name,
			parser->mark.line + 1, parser->mark.column + 1, problem,
			parser->problem_offset);
	else
		g_set_error(reader->error, MP_ERROR, MP_ERROR_INPUT,
			"%s:%zu:%zu: not YAML: %s", reader->name,
			parser->problem_mark.line + 1, parser->problem_mark.column + 1,
			problem);
	return false;
}

/* Goes on to the next event. Anchors, aliases and tags would let a file mean more than it
 * shows, so they are refused for every kind of node. */
static bool next(struct reader *reader)
{
	const yaml_char_t *anchor = NULL, *tag = NULL;

	yaml_event_delete(&reader->event);
	memset(&reader->event, 0, sizeof(reader->event));
	if (!yaml_parser_parse(&reader->parser, &reader->event))
		return bad_syntax(reader);
	switch (reader->event.type) {
	case YAML_ALIAS_EVENT:
		return bad(reader, "aliases are not allowed");
	case YAML_SCALAR_EVENT:
		anchor = reader->event.data.scalar.anchor;
		tag = reader->event.data.scalar.tag;
		break;
	case YAML_SEQUENCE_START_EVENT:
		anchor = reader->event.data.sequence_start.anchor;
		tag = reader->event.data.sequence_start.tag;
		break;
	case YAML_MAPPING_START_EVENT:
		anchor = reader->event.data.mapping_start.anchor;
		tag = reader->event.data.mapping_start.tag;
		break;
	default:
		break;
	}
	if (anchor)
		return bad(reader, "anchors are not allowed");
	if (tag)
		return bad(reader, "tags are not allowed");
	return true;
}

/* The current event's text, or NULL after a complaint. WANTED: "a text", "true or false". */
static const char *scalar(struct reader *reader, const char *wanted)
{
	const char *text = (const char *)reader->event.data.scalar.value;
	size_t length = reader->event.data.scalar.length;

	switch (reader->event.type) {
	case YAML_SCALAR_EVENT:
		break;
	case YAML_SEQUENCE_START_EVENT:
		bad(reader, "must be %s, not a list", wanted);
		return NULL;
	case YAML_MAPPING_START_EVENT:
		bad(reader, "must be %s, not a mapping", wanted);
		return NULL;
	default:
		bad(reader, "must be %s", wanted);
		return NULL;
	}
	if (length > MP_YAML_TEXT_MAX) {
		bad(reader, "is longer than %u bytes", MP_YAML_TEXT_MAX);
		return NULL;
	}
	for (size_t i = 0; i < length; i++)
		if (((unsigned char)text[i] < ' ' && text[i] != '\n') ||
			text[i] == 0x7f) {
			bad(reader, "holds a control character");
			return NULL;
		}
	if (reader->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
		(!length || !strcmp(text, "~") || !strcmp(text, "null"))) {
		bad(reader, "has no value, but must be %s", wanted);
		return NULL;
	}
	return text;
}

static bool is_plain(const struct reader *reader)
{
	return reader->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

static int word_index(const char *const *words, const char *text)
{
	for (int i = 0; words[i]; i++)
		if (!strcmp(words[i], text))
			return i;
	return -1;
}

static bool bad_word(struct reader *reader, const char *const *words, const char *text)
{
	g_autofree char *list = g_strjoinv(", ", (char **)words);

	return bad(reader, "'%s' is not one of: %s", text, list);
}

static const char *text_value(struct reader *reader, const struct mp_yaml_field *field)
{
	const char *text = scalar(reader, "a text");

	if (!text)
		return NULL;
	if (!*text) {
		bad(reader, "must not be empty");
		return NULL;
	}
	if (field->words && word_index(field->words, text) < 0) {
		bad_word(reader, field->words, text);
		return NULL;
	}
	return text;
}

static bool read_bool(struct reader *reader, bool *target)
{
	const char *text = scalar(reader, "true or false");

	if (!text)
		return false;
	if (!is_plain(reader) ||
		(strcmp(text, "true") != 0 && strcmp(text, "false") != 0))
		return bad(reader, "must be true or false, not '%s'", text);
	*target = text[0] == 't';
	return true;
}

static bool read_uint(
	struct reader *reader, const struct mp_yaml_field *field, unsigned *target)
{
	const char *text = scalar(reader, "a number");
	uint64_t number;

	if (!text)
		return false;
	if (!is_plain(reader) || !mp_parse_uint(text, 10, &number))
		return bad(reader, "must be a number, not '%s'", text);
	if (number < field->min || number > field->max)
		return bad(reader, "%s is not between %u and %u", text, field->min,
			field->max);
	*target = (unsigned)number;
	return true;
}

static bool read_word(
	struct reader *reader, const struct mp_yaml_field *field, unsigned *target)
{
	const char *text = scalar(reader, "a word");
	int index;

	if (!text)
		return false;
	index = word_index(field->words, text);
	if (index < 0)
		return bad_word(reader, field->words, text);
	*target = (unsigned)index;
	return true;
}

static bool read_take(
	struct reader *reader, const struct mp_yaml_field *field, void *object)
{
	const char *text = text_value(reader, field);
	g_autofree char *why = NULL;

	if (!text)
		return false;
	if (!field->take(object, field->offset, text, &why))
		return bad(reader, "'%s' %s", text, why);
	return true;
}

static bool read_mapping(
	struct reader *reader, const struct mp_yaml_shape *shape, void *object);

static bool read_item(struct reader *reader, const struct mp_yaml_field *field,
	void *object, GPtrArray *array)
{
	const char *text;
	void *item;

	if (field->kind == MP_YAML_TAKES)
		return read_take(reader, field, object);
	if (field->kind == MP_YAML_MAPS) {
		item = g_malloc0(field->shape->size);
		g_ptr_array_add(array, item);
		return read_mapping(reader, field->shape, item);
	}
	text = text_value(reader, field);
	if (!text)
		return false;
	if (g_ptr_array_find_with_equal_func(array, text, g_str_equal, NULL))
		return bad(reader, "'%s' is there twice", text);
	g_ptr_array_add(array, g_strdup(text));
	return true;
}

static bool read_list(
	struct reader *reader, const struct mp_yaml_field *field, void *object)
{
	GPtrArray **array = (GPtrArray **)((char *)object + field->offset);
	size_t length = reader->path->len;

	if (reader->event.type != YAML_SEQUENCE_START_EVENT)
		return bad(reader, "must be a list");
	if (field->kind != MP_YAML_TAKES && !*array)
		*array = g_ptr_array_new_with_free_func(
			field->shape ? field->shape->free_object : g_free);
	for (unsigned i = 0;; i++) {
		g_string_truncate(reader->path, length);
		if (!next(reader))
			return false;
		if (reader->event.type == YAML_SEQUENCE_END_EVENT)
			return true;
		if (i == MP_YAML_ITEMS)
			return bad(reader, "has more than %u entries", MP_YAML_ITEMS);
		g_string_append_printf(reader->path, "[%u]", i);
		if (!read_item(reader, field, object,
			    field->kind == MP_YAML_TAKES ? NULL : *array))
			return false;
	}
}

static bool read_value(
	struct reader *reader, const struct mp_yaml_field *field, void *object)
{
	void *target = (char *)object + field->offset;
	const char *text;

	switch (field->kind) {
	case MP_YAML_TEXT:
		text = text_value(reader, field);
		if (text)
			*(char **)target = g_strdup(text);
		return text != NULL;
	case MP_YAML_BOOL:
		return read_bool(reader, target);
	case MP_YAML_UINT:
		return read_uint(reader, field, target);
	case MP_YAML_WORD:
		return read_word(reader, field, target);
	case MP_YAML_TAKE:
		return read_take(reader, field, object);
	case MP_YAML_MAP:
		return read_mapping(reader, field->shape, object);
	case MP_YAML_TEXTS:
	case MP_YAML_TAKES:
	case MP_YAML_MAPS:
		break;
	}
	return read_list(reader, field, object);
}

/* The row for the key that is the current event, or NULL after a complaint. */
static const struct mp_yaml_field *find_field(
	struct reader *reader, const struct mp_yaml_shape *shape, uint32_t *seen)
{
	const char *key = scalar(reader, "a key");
	g_autoptr(GString) known = NULL;

	if (!key)
		return NULL;
	for (unsigned i = 0; shape->fields[i].key; i++) {
		if (strcmp(shape->fields[i].key, key) != 0)
			continue;
		if (*seen & (1u << i)) {
			bad(reader, "key '%s' is there twice", key);
			return NULL;
		}
		*seen |= 1u << i;
		return &shape->fields[i];
	}
	known = g_string_new(NULL);
	for (unsigned i = 0; shape->fields[i].key; i++)
		g_string_append_printf(
			known, "%s%s", i ? ", " : "", shape->fields[i].key);
	bad(reader, "unknown key '%s'; known here: %s", key, known->str);
	return NULL;
}

/* The event is the start of the mapping; ends on its end. */
static bool read_mapping(
	struct reader *reader, const struct mp_yaml_shape *shape, void *object)
{
	size_t length = reader->path->len;
	uint32_t seen = 0;

	if (reader->event.type != YAML_MAPPING_START_EVENT)
		return bad(reader, "must be a mapping of keys and values");
	for (;;) {
		const struct mp_yaml_field *field;

		if (!next(reader))
			return false;
		if (reader->event.type == YAML_MAPPING_END_EVENT)
			break;
		field = find_field(reader, shape, &seen);
		if (!field)
			return false;
		g_string_append_printf(
			reader->path, "%s%s", length ? "." : "", field->key);
		if (!next(reader) || !read_value(reader, field, object))
			return false;
		g_string_truncate(reader->path, length);
	}
	for (unsigned i = 0; shape->fields[i].key; i++)
		if (shape->fields[i].required && !(seen & (1u << i)))
			return bad(reader, "key '%s' is missing", shape->fields[i].key);
	return true;
}

static bool read_document(
	struct reader *reader, const struct mp_yaml_shape *shape, void *object)
{
	if (!next(reader) || !next(reader))
		return false;
	/* A file of comments only: as if it were an empty mapping. */
	if (reader->event.type == YAML_STREAM_END_EVENT) {
		for (unsigned i = 0; shape->fields[i].key; i++)
			if (shape->fields[i].required)
				return bad(reader, "key '%s' is missing",
					shape->fields[i].key);
		return true;
	}
	if (!next(reader) || !read_mapping(reader, shape, object))
		return false;
	if (!next(reader) || !next(reader))
		return false;
	if (reader->event.type != YAML_STREAM_END_EVENT)
		return bad(reader, "only one document is allowed");
	return true;
}

bool mp_yaml_read(const char *name, const char *data, size_t size,
	const struct mp_yaml_shape *shape, void *object, GError **error)
{
	struct reader reader = { .name = name, .error = error };
	bool good;

	if (size > MP_YAML_MAX) {
		g_set_error(error, MP_ERROR, MP_ERROR_LIMIT,
			"%s:1:1: file: larger than %u KiB", name, MP_YAML_MAX / 1024);
		return false;
	}
	if (!yaml_parser_initialize(&reader.parser)) {
		g_set_error(error, MP_ERROR, MP_ERROR_IO,
			"%s: cannot parse: out of memory", name);
		return false;
	}
	reader.path = g_string_new(NULL);
	yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&reader.parser, (const unsigned char *)data, size);
	good = read_document(&reader, shape, object);
	yaml_event_delete(&reader.event);
	yaml_parser_delete(&reader.parser);
	g_string_free(reader.path, TRUE);
	return good;
}
