/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Cuts pci.ids down to the devices of one host before libpci parses it: the whole list
 * has some 40,000 entries, of which a host needs a few dozen.
 *
 * Only what libpci accepts gets through, so a broken list cannot make it give up: lines
 * of the documented shape, shorter than libpci's limit (names.h: MAX_LINE 1024), ids in
 * rising order (as the list has them), which also keeps duplicates out.
 */
#include "config.h"

#include <string.h>

#include "core/pci-config.h"

#define LINE_MAX_LENGTH 1000

struct select {
	GHashTable *vendors,
		*devices; /* wanted, as numbers: vendor; vendor << 16 | device */
	GString *out;
	bool classes;   /* inside the classes at the end of the list */
	bool inside;    /* below a wanted vendor or a class */
	int64_t vendor; /* of the block, or the class */
	int64_t last_top, last_device;
};

/* N hex digits and white space: the id, or -1. */
static int64_t leading_id(const char *p, const char *end, int n)
{
	int64_t id = 0;

	if (end - p < n + 2)
		return -1;
	for (int i = 0; i < n; i++) {
		int digit = g_ascii_xdigit_value(p[i]);

		if (digit < 0)
			return -1;
		id = id << 4 | digit;
	}
	return p[n] == ' ' || p[n] == '\t' ? id : -1;
}

/* The name after the id must hold something but white space. */
static bool has_name(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t' || *p == '\r'))
		p++;
	return p < end && !memchr(p, '\0', (size_t)(end - p));
}

static void take_line(struct select *s, const char *line, const char *end)
{
	g_string_append_len(s->out, line, end - line);
	g_string_append_c(s->out, '\n');
}

static void top_line(struct select *s, const char *line, const char *end)
{
	bool class_line = end - line > 2 && line[0] == 'C' && line[1] == ' ';
	int64_t id = class_line ? leading_id(line + 2, end, 2) : leading_id(line, end, 4);

	s->inside = false;
	if (class_line && !s->classes) {
		s->classes = true;
		s->last_top = -1;
	}
	if (class_line != s->classes || id <= s->last_top || !has_name(line + 4, end))
		return;
	s->last_top = id;
	s->last_device = -1;
	s->vendor = id;
	s->inside = class_line ||
		    g_hash_table_contains(s->vendors, GUINT_TO_POINTER((guint)id + 1));
	if (s->inside)
		take_line(s, line, end);
}

static void nested_line(struct select *s, const char *line, const char *end)
{
	int digits = s->classes ? 2 : 4;
	int64_t id = leading_id(line + 1, end, digits);

	if (id <= s->last_device || !has_name(line + 1 + digits, end))
		return;
	if (!s->classes && !g_hash_table_contains(s->devices,
				   GUINT_TO_POINTER((guint)(s->vendor << 16 | id))))
		return;
	s->last_device = id;
	take_line(s, line, end);
}

char *mp_pci_ids_select(
	const struct mp_host *host, const char *data, size_t size, size_t *out_size)
{
	g_autoptr(GHashTable) vendors = g_hash_table_new(NULL, NULL);
	g_autoptr(GHashTable) devices = g_hash_table_new(NULL, NULL);
	struct select s = { .vendors = vendors, .devices = devices, .last_top = -1 };
	const char *end = data + size;

	for (guint i = 0; i < host->devices->len; i++) {
		const struct mp_pci *device = host->devices->pdata[i];
		guint key = (guint)device->vendor << 16 | device->device;

		g_hash_table_add(vendors, GUINT_TO_POINTER((guint)device->vendor + 1));
		g_hash_table_add(devices, GUINT_TO_POINTER(key));
	}
	s.out = g_string_sized_new(16 * 1024);
	for (const char *line = data; line < end;) {
		const char *stop = memchr(line, '\n', (size_t)(end - line));
		const char *next = stop ? stop + 1 : end;

		stop = stop ? stop : end;
		/* Comments stand inside blocks too and end none. */
		if (stop - line < LINE_MAX_LENGTH && stop > line && *line != '#') {
			if (*line != '\t')
				top_line(&s, line, stop);
			else if (s.inside && line[1] != '\t')
				nested_line(&s, line, stop);
		}
		line = next;
	}
	*out_size = s.out->len;
	return g_string_free(s.out, FALSE);
}
