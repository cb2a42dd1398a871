/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "core/fact.h"
#include "core/host.h"

bool mp_parse_uint(const char *text, int base, uint64_t *value)
{
	char *end;
	guint64 number;

	if (!text || !g_ascii_isxdigit(*text))
		return false;
	errno = 0;
	number = g_ascii_strtoull(text, &end, (guint)base);
	if (errno || *end)
		return false;
	*value = number;
	return true;
}

char *mp_clean_text(const char *data, size_t size)
{
	GString *out = g_string_sized_new(size);
	const char *p = data, *end = data + size;

	while (p < end) {
		gunichar c = g_utf8_get_char_validated(p, end - p);
		bool valid = c != (gunichar)-1 && c != (gunichar)-2 && c != 0;
		/* Format: U+202E and its like turn the rest of a line around. */
		bool steers = valid && (g_unichar_iscntrl(c) ||
					       g_unichar_type(c) == G_UNICODE_FORMAT);

		if (!valid || (steers && c != '\t' && c != '\n')) {
			g_string_append_printf(out, "\\x%02x", (unsigned char)*p);
			p++;
			continue;
		}
		const char *next = g_utf8_next_char(p);
		g_string_append_len(out, p, next - p);
		p = next;
	}
	return g_string_free(out, FALSE);
}

struct mp_fact mp_fact_known(struct mp_host *host, const char *source, const char *text)
{
	return (struct mp_fact){
		.know = MP_KNOWN,
		.text = mp_host_str(host, text),
		.source = mp_host_str(host, source),
	};
}

struct mp_fact mp_fact_absent(struct mp_host *host, const char *source)
{
	return (struct mp_fact){ .know = MP_ABSENT, .source = mp_host_str(host, source) };
}

struct mp_fact mp_fact_unknown(struct mp_host *host, const char *source, const char *why)
{
	return (struct mp_fact){
		.know = MP_UNKNOWN,
		.source = mp_host_str(host, source),
		.why = mp_host_str(host, why),
	};
}

struct mp_fact mp_fact_errno(struct mp_host *host, const char *source, int negative_errno)
{
	switch (-negative_errno) {
	case ENOENT:
	case ENOTDIR:
	case ENODEV:
	case ENXIO:
		return mp_fact_absent(host, source);
	case ENODATA:
		return mp_fact_unknown(host, source, "not in this snapshot");
	case EFBIG:
		return mp_fact_unknown(host, source, "larger than expected");
	default:
		return mp_fact_unknown(host, source, g_strerror(-negative_errno));
	}
}

/* Takes DATA over. */
static struct mp_fact from_content(
	struct mp_host *host, const char *source, int err, char *data, size_t size)
{
	g_autofree char *owned = data;
	g_autofree char *clean = NULL;

	if (err < 0)
		return mp_fact_errno(host, source, err);
	clean = mp_clean_text(owned, size);
	return mp_fact_known(host, source, g_strstrip(clean));
}

struct mp_fact mp_fact_read(struct mp_host *host, struct mp_root *root, const char *path)
{
	const char *source = mp_host_strf(host, "/%s", path + (*path == '/'));
	char *data = NULL;
	size_t size = 0;
	int err = mp_root_read(root, path, MP_READ_ATTR, &data, &size);

	return from_content(host, source, err, data, size);
}

struct mp_fact mp_fact_read_dir(
	struct mp_host *host, struct mp_dir *dir, const char *name)
{
	const char *source = mp_host_strf(host, "/%s/%s", mp_dir_path(dir), name);
	char *data = NULL;
	size_t size = 0;
	int err = mp_dir_read(dir, name, MP_READ_ATTR, &data, &size);

	return from_content(host, source, err, data, size);
}

struct mp_fact mp_fact_link(struct mp_host *host, struct mp_dir *dir, const char *name)
{
	const char *source = mp_host_strf(host, "/%s/%s", mp_dir_path(dir), name);
	g_autofree char *target = NULL;
	int err = mp_dir_readlink(dir, name, &target);

	if (err < 0)
		return mp_fact_errno(host, source, err);
	const char *slash = strrchr(target, '/');
	const char *last = slash ? slash + 1 : target;
	g_autofree char *clean = mp_clean_text(last, strlen(last));

	return mp_fact_known(host, source, clean);
}

bool mp_fact_uint(const struct mp_fact *fact, int base, uint64_t *value)
{
	return fact->know == MP_KNOWN && mp_parse_uint(fact->text, base, value);
}

bool mp_fact_int(const struct mp_fact *fact, int64_t *value)
{
	const char *text = fact->text;
	uint64_t number;

	if (fact->know != MP_KNOWN)
		return false;
	if (!mp_parse_uint(text + (*text == '-'), 10, &number) || number > INT64_MAX)
		return false;
	*value = *text == '-' ? -(int64_t)number : (int64_t)number;
	return true;
}

bool mp_fact_is(const struct mp_fact *fact, const char *text)
{
	return fact->know == MP_KNOWN && !strcmp(fact->text, text);
}
