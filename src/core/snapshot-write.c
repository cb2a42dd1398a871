/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The writer of snapshot files; the format is told in snapshot-tree.h. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "core/snapshot-tree.h"
#include "core/snapshot.h"

#define WRAP 96 /* columns of a line of names */

struct writer {
	GString *out;
	struct mp_snapshot *snapshot;
	GHashTable *listings; /* path -> set of names, for directories that were listed */
	const char *section;  /* directory of the last entry, not NUL-terminated */
	size_t section_length;
	GString *absent; /* names of this section that are not there */
	uint64_t entries;
};

static void escape(GString *out, const char *text, size_t size, bool spaces)
{
	for (size_t i = 0; i < size;) {
		gunichar c = g_utf8_get_char_validated(text + i, (gssize)(size - i));
		bool valid = c < 0x80000000u && c > 0;
		size_t length =
			valid ? (size_t)(g_utf8_next_char(text + i) - (text + i)) : 1;

		if (!valid || g_unichar_iscntrl(c) || c == '\\' ||
			(spaces && g_unichar_isspace(c)))
			for (size_t j = 0; j < length; j++)
				g_string_append_printf(
					out, "\\x%02x", (unsigned char)text[i + j]);
		else
			g_string_append_len(out, text + i, (gssize)length);
		i += length;
	}
}

/* A name must not look like another kind of line. */
static void append_name(GString *out, const char *name, size_t size)
{
	if (!size) {
		g_string_append_c(out, '.');
		return;
	}
	if (strchr("[#|", *name) || (*name == '-' && size == 1)) {
		g_string_append_printf(out, "\\x%02x", (unsigned char)*name);
		name++;
		size--;
	}
	escape(out, name, size, true);
}

static void append_wrapped(GString *out, const char *prefix, const GString *names)
{
	const char *p = names->str, *end = p + names->len;

	while (p < end) {
		const char *stop = end - p > WRAP ? g_strrstr_len(p, WRAP, " ") : end;

		if (!stop || stop == p)
			stop = memchr(p + 1, ' ', (size_t)(end - p - 1));
		if (!stop)
			stop = end;
		g_string_append(out, prefix);
		g_string_append_len(out, p, stop - p);
		g_string_append_c(out, '\n');
		p = stop + (stop < end);
	}
}

/* Names that are missing from the section are told in one go at its end. */
static void end_section(struct writer *writer)
{
	size_t before = writer->out->len;

	append_wrapped(writer->out, "- ", writer->absent);
	for (size_t i = before; i < writer->out->len; i++)
		writer->entries += writer->out->str[i] == '\n';
	g_string_truncate(writer->absent, 0);
}

static void start_section(struct writer *writer, const char *path, size_t length)
{
	if (writer->section && writer->section_length == length &&
		!memcmp(writer->section, path, length))
		return;
	end_section(writer);
	writer->section = path;
	writer->section_length = length;
	g_string_append(writer->out, "\n[/");
	escape(writer->out, path, length, true);
	g_string_append(writer->out, "]\n");
}

/* Opens an entry's line: "NAME OP". */
static void start_entry(
	struct writer *writer, const char *path, const char *name, const char *op)
{
	start_section(writer, path, name > path ? (size_t)(name - path - 1) : 0);
	append_name(writer->out, name, strlen(name));
	g_string_append_printf(writer->out, " %s", op);
	writer->entries++;
}

static bool is_text(const char *data, size_t size)
{
	const char *line = data, *end = data + size, *bad;

	for (const char *p = data; p < end; p++) {
		if (((unsigned char)*p < 0x20 && *p != '\t' && *p != '\n') || *p == 0x7f)
			return false;
		if (*p != '\n')
			continue;
		if (p - line > (ptrdiff_t)MP_SNAPSHOT_MAX_LINE - 2)
			return false;
		line = p + 1;
	}
	if (end - line > (ptrdiff_t)MP_SNAPSHOT_MAX_LINE - 2 ||
		!g_utf8_validate_len(data, size, &bad))
		return false;
	/* U+0080 to U+009F are control characters too, for some terminals. */
	for (const char *p = data; (p = memchr(p, 0xc2, (size_t)(end - p))); p++)
		if (p + 1 < end && (unsigned char)p[1] < 0xa0)
			return false;
	return true;
}

static void append_binary(GString *out, const char *data, size_t size)
{
	g_string_append_printf(out, " %zu\n", size);
	for (size_t row = 0; row < size; row += 16) {
		size_t length = MIN(16, size - row);
		bool zero = true;

		for (size_t i = 0; i < length && zero; i++)
			zero = !data[row + i];
		if (zero)
			continue;
		g_string_append_printf(out, "| %03zx:", row);
		for (size_t i = 0; i < length; i++)
			g_string_append_printf(
				out, " %02x", (unsigned char)data[row + i]);
		g_string_append_c(out, '\n');
	}
}

static void append_block(GString *out, const char *data, size_t size)
{
	const char *p = data, *end = data + size;

	g_string_append_c(out, '\n');
	while (p < end) {
		const char *feed = memchr(p, '\n', (size_t)(end - p));
		size_t length = (size_t)((feed ? feed : end) - p);

		g_string_append(out, !feed ? "\\ " : length ? "| " : "|");
		g_string_append_len(out, p, (gssize)length);
		g_string_append_c(out, '\n');
		p += length + 1;
	}
}

static void write_file(
	struct writer *writer, const struct mp_shot *shot, const char *name)
{
	size_t size;
	const char *data = g_bytes_get_data(shot->file, &size);

	if (size > MP_SNAPSHOT_MAX_BINARY) {
		start_entry(writer, shot->path, name, "! read EFBIG\n");
		return;
	}
	if (size && !is_text(data, size)) {
		start_entry(writer, shot->path, name, "x");
		append_binary(writer->out, data, size);
		return;
	}
	/* One line with something in it. */
	if (size > 1 && memchr(data, '\n', size) == data + size - 1) {
		start_entry(writer, shot->path, name, "= ");
		g_string_append_len(writer->out, data, (gssize)size);
		return;
	}
	start_entry(writer, shot->path, name, ":");
	append_block(writer->out, data, size);
}

static void write_names(struct writer *writer, const struct mp_shot *shot)
{
	g_autoptr(GString) names = g_string_new(NULL);
	size_t size;
	const char *p = g_bytes_get_data(shot->names, &size), *end = p + size;

	for (; p < end; p += strlen(p) + 1) {
		g_string_append(names, names->len ? " " : "");
		append_name(names, p, strlen(p));
	}
	start_section(writer, shot->path, strlen(shot->path));
	g_string_append(writer->out, ". /\n");
	append_wrapped(writer->out, "| ", names);
	writer->entries++;
}

static bool all_absent(const struct mp_shot *shot)
{
	bool any = false;

	if (shot->file || shot->target || shot->names || shot->has_stat || shot->opened)
		return false;
	for (guint i = 0; i < G_N_ELEMENTS(shot->err); i++) {
		if (shot->err[i] && shot->err[i] != -ENOENT)
			return false;
		any = any || shot->err[i];
	}
	return any;
}

/* True when a listing on the way, or a parent that is not there, tells that already. */
static bool absence_is_clear(struct writer *writer, const char *path)
{
	g_autoptr(GString) above = g_string_new(NULL);

	for (const char *p = path;;) {
		size_t length = strcspn(p, "/");
		g_autofree char *name = g_strndup(p, length);
		GHashTable *names = g_hash_table_lookup(writer->listings, above->str);
		const struct mp_shot *shot;

		if (names && !g_hash_table_contains(names, name))
			return true;
		if (!p[length])
			return false;
		p += length + 1;
		g_string_truncate(above, 0);
		g_string_append_len(above, path, p - path - 1);
		shot = mp_snapshot_find(writer->snapshot, above->str);
		if (shot && all_absent(shot))
			return true;
	}
}

static void write_errors(
	struct writer *writer, const struct mp_shot *shot, const char *name)
{
	static const char *const looks[] = { "read", "link", "list", "stat" };
	const bool answered[] = { shot->file != NULL, shot->target != NULL,
		shot->names != NULL, shot->has_stat };

	if (all_absent(shot)) {
		if (absence_is_clear(writer, shot->path))
			return;
		start_section(writer, shot->path,
			name > shot->path ? (size_t)(name - shot->path - 1) : 0);
		g_string_append(writer->absent, writer->absent->len ? " " : "");
		append_name(writer->absent, name, strlen(name));
		return;
	}
	for (guint i = 0; i < G_N_ELEMENTS(looks); i++) {
		const char *text = strerrorname_np(-shot->err[i]);

		if (!shot->err[i] || answered[i])
			continue;
		start_entry(writer, shot->path, name, "! ");
		g_string_append_printf(
			writer->out, "%s %s\n", looks[i], text ? text : "EIO");
	}
}

/* What is told of a path in the section of its directory. */
static void write_shot(struct writer *writer, const struct mp_shot *shot)
{
	static const char *const types[] = { "other", "file", "dir", "link" };
	const char *slash = strrchr(shot->path, '/');
	const char *name = slash ? slash + 1 : shot->path;
	const struct mp_stat *st = &shot->st;

	if (shot->file)
		write_file(writer, shot, name);
	if (shot->target) {
		start_entry(writer, shot->path, name, "-> ");
		escape(writer->out, shot->target, strlen(shot->target), false);
		g_string_append_c(writer->out, '\n');
	}
	if (shot->has_stat) {
		start_entry(writer, shot->path, name, "? ");
		g_string_append_printf(writer->out,
			"%s 0%o %" G_GUINT64_FORMAT " %" G_GINT64_FORMAT "\n",
			types[st->type], st->mode, st->size, st->mtime);
	} else if (shot->opened && !shot->names) {
		/* Without this a directory with nothing known in it would be forgotten. */
		start_entry(writer, shot->path, name, "? dir 0 0 0\n");
	}
	write_errors(writer, shot, name);
}

static GHashTable *listings_of(GPtrArray *shots)
{
	GHashTable *listings = g_hash_table_new_full(
		g_str_hash, g_str_equal, NULL, (GDestroyNotify)g_hash_table_unref);

	for (guint i = 0; i < shots->len; i++) {
		const struct mp_shot *shot = shots->pdata[i];
		GHashTable *names;
		size_t size;
		const char *p, *end;

		if (!shot->names)
			continue;
		names = g_hash_table_new(g_str_hash, g_str_equal);
		p = g_bytes_get_data(shot->names, &size);
		for (end = p + size; p < end; p += strlen(p) + 1)
			g_hash_table_add(names, (gpointer)p);
		g_hash_table_insert(listings, shot->path, names);
	}
	return listings;
}

/* A shot in the section of its directory, or its listing in its own. */
struct item {
	const struct mp_shot *shot;
	const char *name; /* NULL: the listing */
	size_t section;   /* bytes of shot->path */
};

static int compare_items(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	int order = memcmp(x->shot->path, y->shot->path, MIN(x->section, y->section));

	if (!order && x->section != y->section)
		order = x->section < y->section ? -1 : 1;
	return order ? order : g_strcmp0(x->name, y->name);
}

static GArray *items_of(GPtrArray *shots)
{
	GArray *items = g_array_new(FALSE, FALSE, sizeof(struct item));

	for (guint i = 0; i < shots->len; i++) {
		const struct mp_shot *shot = shots->pdata[i];
		const char *slash = strrchr(shot->path, '/');
		struct item item = { shot, slash ? slash + 1 : shot->path,
			slash ? (size_t)(slash - shot->path) : 0 };

		g_array_append_val(items, item);
		item = (struct item){ shot, NULL, strlen(shot->path) };
		if (shot->names)
			g_array_append_val(items, item);
	}
	g_array_sort(items, compare_items);
	return items;
}

GString *mp_snapshot_text(
	struct mp_snapshot *snapshot, const struct mp_snapshot_header *header)
{
	GPtrArray *shots = mp_snapshot_shots(snapshot);
	g_autoptr(GArray) items = items_of(shots);
	g_autoptr(GHashTable) listings = listings_of(shots);
	g_autoptr(GString) absent = g_string_new(NULL);
	struct writer writer = {
		.out = g_string_new(MP_SNAPSHOT_MAGIC "\n"),
		.snapshot = snapshot,
		.listings = listings,
		.absent = absent,
	};

	g_string_append_printf(writer.out,
		"tool: %s\ncaptured: %s\nmissing: unknown\nscrubbed: %s\n", header->tool,
		header->captured, header->scrubbed ? "yes" : "no");
	for (guint i = 0; i < items->len; i++) {
		const struct item *item = &g_array_index(items, struct item, i);

		if (item->name)
			write_shot(&writer, item->shot);
		else
			write_names(&writer, item->shot);
	}
	end_section(&writer);
	g_string_append_printf(
		writer.out, "\n[end %" G_GUINT64_FORMAT "]\n", writer.entries);
	return writer.out;
}
