/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Texts of the scrubber: what is replaced by its shape. */
#include "config.h"

#include <arpa/inet.h>
#include <string.h>

#include "core/fact.h"
#include "core/snapshot-scrub-text.h"

const char *mp_scrub_value(
	struct mp_scrubber *s, enum mp_scrub_kind kind, const char *value)
{
	g_autofree char *key = g_ascii_strdown(value, -1);
	GHashTable *map = s->map[kind];
	const char *known = g_hash_table_lookup(map, key);
	unsigned n = g_hash_table_size(map) + 1;
	char *made;

	if (known)
		return known;
	switch (kind) {
	case MP_SCRUB_KIND_DSN:
		made = g_strdup_printf("%016x", n);
		break;
	case MP_SCRUB_KIND_SERIAL:
		made = g_strdup_printf("SERIAL-%u", n);
		break;
	case MP_SCRUB_KIND_MAC:
		made = g_strdup_printf("02:00:00:%02x:%02x:%02x", n >> 16 & 0xff,
			n >> 8 & 0xff, n & 0xff);
		break;
	case MP_SCRUB_KIND_IP4:
		/* TEST-NET-1, and beyond it the benchmark network (RFC 5737, RFC 2544). */
		made = n < 255 ? g_strdup_printf("192.0.2.%u", n)
			       : g_strdup_printf("198.18.%u.%u", n >> 8 & 0xff, n & 0xff);
		break;
	case MP_SCRUB_KIND_IP6:
		made = g_strdup_printf("2001:db8::%x", n);
		break;
	case MP_SCRUB_KIND_UUID:
		made = g_strdup_printf("00000000-0000-4000-8000-%012x", n);
		break;
	case MP_SCRUB_KIND_LVM:
		made = g_strdup_printf("LVM-%064u", n);
		break;
	case MP_SCRUB_KIND_PV:
		made = g_strdup_printf("%06u-0000-0000-0000-0000-0000-000000", n);
		break;
	case MP_SCRUB_KIND_NODE:
		made = g_strdup_printf("node%u", n);
		break;
	default:
		made = g_strdup_printf("%04X-%04X", n >> 16 & 0xffff, n & 0xffff);
		break;
	}
	g_hash_table_insert(map, g_steal_pointer(&key), made);
	return made;
}

/* --- texts --- */

struct eval {
	struct mp_scrubber *scrubber;
	mp_scrub_replacer replace;
};

static gboolean evaluate(const GMatchInfo *info, GString *out, gpointer user)
{
	const struct eval *eval = user;
	g_autofree char *match = g_match_info_fetch(info, 0);
	const char *with = eval->replace(eval->scrubber, match);

	g_string_append(out, with ? with : match);
	return FALSE;
}

char *mp_scrub_apply(
	struct mp_scrubber *s, GRegex *regex, mp_scrub_replacer replace, char *text)
{
	struct eval eval = { s, replace };
	char *out;

	if (!g_regex_match(regex, text, 0, NULL))
		return text;
	out = g_regex_replace_eval(regex, text, -1, 0, 0, evaluate, &eval, NULL);
	if (!out) /* the limits of the regex engine: rather nothing than a secret */
		out = g_strdup("scrubbed\n");
	g_free(text);
	return out;
}

const char *mp_scrub_mac(struct mp_scrubber *s, const char *match)
{
	if (!strcmp(match, "00:00:00:00:00:00") ||
		!g_ascii_strcasecmp(match, "ff:ff:ff:ff:ff:ff"))
		return NULL;
	return mp_scrub_value(s, MP_SCRUB_KIND_MAC, match);
}

/* Twelve hex digits that are a known MAC address, as in enx525400123456. */
static const char *new_bare(struct mp_scrubber *s, const char *match)
{
	g_autofree char *lower = g_ascii_strdown(match, -1);

	return g_hash_table_lookup(s->words, lower);
}

const char *mp_scrub_ip4(struct mp_scrubber *s, const char *match)
{
	struct in_addr address;

	if (inet_pton(AF_INET, match, &address) != 1 || !address.s_addr ||
		g_str_has_prefix(match, "127.") || g_str_has_prefix(match, "255."))
		return NULL;
	return mp_scrub_value(s, MP_SCRUB_KIND_IP4, match);
}

const char *mp_scrub_ip6(struct mp_scrubber *s, const char *match)
{
	struct in6_addr address;

	if (inet_pton(AF_INET6, match, &address) != 1 ||
		IN6_IS_ADDR_UNSPECIFIED(&address) || IN6_IS_ADDR_LOOPBACK(&address) ||
		IN6_IS_ADDR_MULTICAST(&address))
		return NULL;
	return mp_scrub_value(s, MP_SCRUB_KIND_IP6, match);
}

static const char *new_uuid(struct mp_scrubber *s, const char *match)
{
	/* GUIDs of the UEFI specification: the same on every machine. */
	static const char *const fixed[] = { "8be4df61-93ca-11d2-aa0d-00e098032b8c",
		"d719b2cb-3d3a-4596-a3bc-dad00e67656f",
		"605dab50-e046-4300-abb6-3dd810dd8b23" };

	for (size_t i = 0; i < G_N_ELEMENTS(fixed); i++)
		if (!g_ascii_strcasecmp(match, fixed[i]))
			return NULL;
	return mp_scrub_value(s, MP_SCRUB_KIND_UUID, match);
}

static const char *new_lvm(struct mp_scrubber *s, const char *match)
{
	return mp_scrub_value(s, MP_SCRUB_KIND_LVM, match);
}

static const char *new_pv(struct mp_scrubber *s, const char *match)
{
	return mp_scrub_value(s, MP_SCRUB_KIND_PV, match);
}

static const char *new_fat(struct mp_scrubber *s, const char *match)
{
	return mp_scrub_value(s, MP_SCRUB_KIND_FAT, match);
}

static const char *new_mail(
	struct mp_scrubber *s G_GNUC_UNUSED, const char *match G_GNUC_UNUSED)
{
	return "scrubbed@example.org";
}

static const char *new_word(struct mp_scrubber *s, const char *match)
{
	g_autofree char *lower = g_ascii_strdown(match, -1);

	if (s->host_anywhere && !strcmp(match, s->host))
		return mp_scrub_value(s, MP_SCRUB_KIND_NODE, s->host);
	return g_hash_table_lookup(s->words, lower);
}

/* "node=NAME", "nodes/NAME", "nodes NAME,NAME" */
const char *mp_scrub_node(struct mp_scrubber *s, const char *match)
{
	size_t prefix = strcspn(match, "=/ ") + 1;
	g_auto(GStrv) names = g_strsplit(match + prefix, ",", -1);
	g_autofree char *out = NULL, *joined = NULL;

	for (char **name = names; *name; name++) {
		const char *with = mp_scrub_value(s, MP_SCRUB_KIND_NODE, *name);

		g_free(*name);
		*name = g_strdup(with);
	}
	joined = g_strjoinv(",", names);
	out = g_strdup_printf("%.*s%s", (int)prefix, match, joined);
	return g_string_chunk_insert(s->strings, out);
}

static char *scrub_serials(struct mp_scrubber *s, char *text)
{
	g_autoptr(GString) out = g_string_new(text);

	for (guint i = 0; i < s->serials->len; i++)
		g_string_replace(out, s->serials->pdata[i],
			mp_scrub_value(s, MP_SCRUB_KIND_SERIAL, s->serials->pdata[i]), 0);
	g_free(text);
	return g_string_free(g_steal_pointer(&out), FALSE);
}

char *mp_scrub_text(struct mp_scrubber *s, const char *text)
{
	char *out = g_strdup(text);

	out = scrub_serials(s, out);
	out = mp_scrub_apply(s, s->uuid, new_uuid, out);
	out = mp_scrub_apply(s, s->lvm, new_lvm, out);
	out = mp_scrub_apply(s, s->pv, new_pv, out);
	out = mp_scrub_apply(s, s->mac, mp_scrub_mac, out);
	out = mp_scrub_apply(s, s->bare, new_bare, out);
	out = mp_scrub_apply(s, s->word, new_word, out);
	if (s->addresses) {
		out = mp_scrub_apply(s, s->fat, new_fat, out);
		out = mp_scrub_apply(s, s->ip6, mp_scrub_ip6, out);
		out = mp_scrub_apply(s, s->ip4, mp_scrub_ip4, out);
	}
	out = mp_scrub_apply(s, s->mail, new_mail, out);
	if (g_regex_match(s->secret, out, 0, NULL)) {
		char *masked =
			g_regex_replace(s->secret, out, -1, 0, "\\1scrubbed", 0, NULL);

		g_free(out);
		out = masked ? masked : g_strdup("scrubbed\n");
	}
	return out;
}

static GRegex *regex(const char *pattern)
{
	GError *error = NULL;
	GRegex *made = g_regex_new(
		pattern, G_REGEX_RAW | G_REGEX_CASELESS | G_REGEX_OPTIMIZE, 0, &error);

	if (error)
		g_error("%s", error->message); /* a constant of ours */
	return made;
}

#define HEX "[0-9a-f]"

void mp_scrub_start(struct mp_scrubber *s)
{
	for (int i = 0; i < MP_SCRUB_KINDS; i++)
		s->map[i] =
			g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	s->words = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	s->mac = regex("(?<![0-9a-z:])" HEX "{2}(?::" HEX "{2}){5}(?![0-9a-z:])");
	s->bare = regex("(?<![0-9a-f])" HEX "{12}(?![0-9a-f])");
	s->ip4 = regex("(?<![0-9a-z.])\\d{1,3}(?:\\.\\d{1,3}){3}(?![0-9a-z.-])");
	s->ip6 = regex("(?<![0-9a-z:.])" HEX "{0,4}(?::" HEX "{0,4}){2,7}(?![0-9a-z:.])");
	s->uuid = regex(
		"(?<![0-9a-f])" HEX "{8}(?:-" HEX "{4}){3}-" HEX "{12}(?![0-9a-f])");
	s->lvm = regex("LVM-[0-9a-z]{64}");
	s->pv = regex(
		"(?<![0-9a-z-])[0-9a-z]{6}(?:-[0-9a-z]{4}){5}-[0-9a-z]{6}(?![0-9a-z-])");
	s->fat = regex("(?<![0-9a-f-])" HEX "{4}-" HEX "{4}(?![0-9a-f-])");
	s->secret = regex(
		"((?:passw(?:or)?d|passphrase|(?<!by)pass|secret|psk|api_?key|token|serial)=|"
		"\\bpassword(?:_pbkdf2)?[ \\t]+\\S+[ \\t]+|" /* grub.cfg */
		"\\bwpa-(?:psk|password|private-key-passwd)[ \\t]+)[^\\s,;\"']+"); /* interfaces */
	s->mail = regex("[0-9a-z._%+-]+@[0-9a-z-]+(?:\\.[0-9a-z-]+)*\\.[a-z]{2,}");
	s->word = regex("[0-9a-z][0-9a-z_.:-]*[0-9a-z]");
	s->node = regex("\\b(?:(?:node=|nodes/)[a-z][a-z0-9-]*|nodes [a-z][a-z0-9,-]*)");
	s->serials = g_ptr_array_new_with_free_func(g_free);
	s->strings = g_string_chunk_new(256);
}

void mp_scrub_finish(struct mp_scrubber *s)
{
	GRegex *all[] = { s->mac, s->bare, s->ip4, s->ip6, s->uuid, s->lvm, s->pv, s->fat,
		s->mail, s->secret, s->word, s->node };

	for (size_t i = 0; i < G_N_ELEMENTS(all); i++)
		g_regex_unref(all[i]);
	for (int i = 0; i < MP_SCRUB_KINDS; i++)
		g_hash_table_unref(s->map[i]);
	g_hash_table_unref(s->words);
	g_ptr_array_unref(s->serials);
	g_string_chunk_free(s->strings);
	g_free(s->host);
}
