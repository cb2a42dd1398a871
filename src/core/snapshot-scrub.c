/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What identifies a machine, its network or its people is replaced in a snapshot:
 *
 *   device serial numbers   configuration space (extended capability 3), and the same
 *                           number wherever text holds it     -> 0x0000000000000001, ...2
 *   serial numbers, WWNs    files of such names in sysfs, udev's database, and the same wherever text has it
 *                                                             -> SERIAL-1, ...
 *   MAC addresses           any text, also without colons     -> 02:00:00:00:00:01, ...
 *   IPv4, IPv6 addresses    network, boot, VM and log files   -> 192.0.2.1, 2001:db8::1, ...
 *   UUIDs, LVM ids, FAT ids any text, but GUIDs of UEFI       -> same shape
 *   names of nodes          this host's files, /etc/pve/nodes/NAME, mappings, storages; this
 *                           host's everywhere as a word, where it is long enough not to be
 *                           another word                      -> node1, ...
 *   VM configurations       name, tags, notes, keys, users, passwords, domain -> scrubbed
 *   passwords               "password=", "secret=", "serial=" and the like in any text;
 *                           those of grub.cfg and of wireless networks; mail addresses
 *
 * A value has the same replacement in the whole snapshot; numbers count up in the order of
 * the paths. Lines stay where they are: findings name
 * them. Kept on purpose: ids and names of products, PCI addresses, versions, sizes, names of
 * volume groups, pools, bridges and interfaces, user-made names of mappings and storages.
 */
#include "config.h"

#include <arpa/inet.h>
#include <string.h>

#include "core/fact.h"
#include "core/snapshot-scrub-text.h"

/* --- files of a known kind --- */

/* Fields of /proc/net/route and ipv6_route that are addresses, in hex. */
static void scrub_hex_fields(struct mp_scrubber *s, char **fields, size_t digits)
{
	for (guint i = 0; fields[i]; i++) {
		uint8_t bytes[16];
		char text[INET6_ADDRSTRLEN];
		g_autoptr(GString) out = NULL;
		const char *with;

		/* A mask of IPv4 ("00FFFFFF" in network order) is no address; field 7. */
		if (strlen(fields[i]) != digits || strspn(fields[i], "0") == digits ||
			(digits == 8 && i != 1 && i != 2))
			continue;
		for (size_t j = 0; j < digits / 2; j++) {
			int high = g_ascii_xdigit_value(fields[i][2 * j]);
			int low = g_ascii_xdigit_value(fields[i][2 * j + 1]);

			if (high < 0 || low < 0)
				return;
			bytes[digits == 8 ? 3 - j : j] = (uint8_t)(high << 4 | low);
		}
		inet_ntop(digits == 8 ? AF_INET : AF_INET6, bytes, text, sizeof(text));
		with = digits == 8 ? mp_scrub_ip4(s, text) : mp_scrub_ip6(s, text);
		if (!with)
			continue;
		inet_pton(digits == 8 ? AF_INET : AF_INET6, with, bytes);
		out = g_string_new(NULL);
		for (size_t j = 0; j < digits / 2; j++)
			g_string_append_printf(out, digits == 8 ? "%02X" : "%02x",
				bytes[digits == 8 ? 3 - j : j]);
		g_free(fields[i]);
		fields[i] = g_string_free(g_steal_pointer(&out), FALSE);
	}
}

static char *scrub_routes(struct mp_scrubber *s, const char *text, bool v6)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

	for (char **line = lines; *line; line++) {
		g_auto(GStrv) fields = g_strsplit(*line, v6 ? " " : "\t", -1);

		scrub_hex_fields(s, fields, v6 ? 32 : 8);
		g_free(*line);
		*line = g_strjoinv(v6 ? " " : "\t", fields);
	}
	return g_strjoinv("\n", lines);
}

/* Lines of a VM's configuration that people fill with what they like. */
static char *scrub_vm(const char *text)
{
	static const char *const keys[] = { "name", "description", "tags", "sshkeys",
		"cipassword", "ciuser", "searchdomain" };
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

	for (char **line = lines; *line; line++) {
		const char *colon = strchr(*line, ':');
		bool private = **line == '#';

		for (size_t i = 0; colon && i < G_N_ELEMENTS(keys); i++)
		private = private || (strlen(keys[i]) == (size_t)(colon - *line) &&
					     !strncmp(*line, keys[i], strlen(keys[i])));
		if (!private)
			continue;
		char *with = **line == '#' ? g_strdup("#scrubbed")
					   : g_strdup_printf("%.*s: scrubbed",
						     (int)(colon - *line), *line);

		g_free(*line);
		*line = with;
	}
	return g_strjoinv("\n", lines);
}

/* Device serial number: extended capability 3, walked as drivers/pci/pci.c does. */
static size_t serial_offset(const uint8_t *config, size_t size)
{
	size_t at = 0x100;

	for (unsigned left = (4096 - 0x100) / 8; left && at >= 0x100 && at + 12 <= size;
		left--) {
		uint32_t header = (uint32_t)config[at] | (uint32_t)config[at + 1] << 8 |
				  (uint32_t)config[at + 2] << 16 |
				  (uint32_t)config[at + 3] << 24;

		if (!header || header == 0xffffffff)
			return 0;
		if ((header & 0xffff) == 3)
			return at + 4;
		at = header >> 20 & 0xffc;
	}
	return 0;
}

static void scrub_config(struct mp_scrubber *s, struct mp_shot *shot)
{
	size_t size, at;
	const uint8_t *config = g_bytes_get_data(shot->file, &size);
	uint8_t *copy;
	uint64_t serial = 0;
	char text[17];

	at = serial_offset(config, size);
	if (!at)
		return;
	for (int i = 7; i >= 0; i--)
		serial = serial << 8 | config[at + (size_t)i];
	if (!serial)
		return;
	g_snprintf(text, sizeof(text), "%016" G_GINT64_MODIFIER "x", serial);
	if (!mp_parse_uint(mp_scrub_value(s, MP_SCRUB_KIND_DSN, text), 16, &serial))
		return;
	g_hash_table_replace(s->words, g_strdup_printf("0x%s", text),
		g_strdup_printf("0x%016" G_GINT64_MODIFIER "x", serial));
	copy = g_memdup2(config, size);
	for (size_t i = 0; i < 8; i++)
		copy[at + i] = (uint8_t)(serial >> (8 * i));
	g_bytes_unref(shot->file);
	shot->file = g_bytes_new_take(copy, size);
}

static bool is_serial_file(const char *path)
{
	static const char *const names[] = { "serial", "wwid", "nguid", "eui", "uuid",
		"unique_id", "product_serial", "board_serial", "chassis_serial",
		"product_uuid", "board_asset_tag", "chassis_asset_tag", "subsysnqn",
		"hwaddr" };
	const char *name = strrchr(path, '/');

	if (!name || !g_str_has_prefix(path, "sys/") || strstr(path, "/dm/"))
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		if (!strcmp(name + 1, names[i]))
			return true;
	return false;
}

static char *text_of(const struct mp_shot *shot)
{
	size_t size;
	const char *data = shot->file ? g_bytes_get_data(shot->file, &size) : NULL;

	return data && !memchr(data, '\0', size) ? g_strndup(data, size) : NULL;
}

static void learn_serial(struct mp_scrubber *s, const char *text)
{
	g_autofree char *lower = g_ascii_strdown(text, -1);
	const char repeated[] = { *text, '\0' };

	/* It will be replaced wherever it stands: "None" and "0000000" are no numbers. */
	if (strlen(text) < 6 || strspn(text, repeated) == strlen(text) ||
		!strpbrk(text, "0123456789") ||
		g_hash_table_contains(s->map[MP_SCRUB_KIND_SERIAL], lower))
		return;
	mp_scrub_value(s, MP_SCRUB_KIND_SERIAL, text);
	g_ptr_array_add(s->serials, g_strdup(text));
}

/* udev's database: "E:ID_SERIAL_SHORT=..." and the like. */
static void learn_udev(struct mp_scrubber *s, const char *text)
{
	static const char *const keys[] = { "E:ID_SERIAL", "E:ID_WWN", "E:ID_NAA",
		"E:DM_SERIAL", "E:DM_WWN", "E:ID_SCSI_SERIAL", "E:ID_UUID" };
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

	for (char **line = lines; *line; line++) {
		const char *value = strchr(*line, '=');

		for (size_t i = 0; value && i < G_N_ELEMENTS(keys); i++)
			if (g_str_has_prefix(*line, keys[i]))
				learn_serial(s, value + 1);
	}
}

/* Values that are found by where they stand, before any text is changed. */
static void learn(struct mp_scrubber *s, struct mp_shot *shot)
{
	g_autofree char *text = NULL;
	GMatchInfo *info = NULL;

	if (g_str_has_suffix(shot->path, "/config") &&
		g_str_has_prefix(shot->path, "sys/") && shot->file) {
		scrub_config(s, shot);
		return;
	}
	text = text_of(shot);
	if (!text)
		return;
	if (g_str_has_prefix(shot->path, "run/udev/data/"))
		learn_udev(s, text);
	if (is_serial_file(shot->path)) {
		g_strstrip(text);
		/* A UUID keeps its shape. */
		if (!g_regex_match(s->uuid, text, 0, NULL))
			learn_serial(s, text);
		return;
	}
	g_regex_match(s->mac, text, 0, &info);
	for (; g_match_info_matches(info); g_match_info_next(info, NULL)) {
		g_autofree char *mac = g_match_info_fetch(info, 0);
		const char *with = mp_scrub_mac(s, mac);
		g_auto(GStrv) old = g_strsplit(mac, ":", -1), parts = NULL;
		char *bare;

		if (!with)
			continue;
		parts = g_strsplit(with, ":", -1);
		bare = g_strjoinv("", old);
		g_hash_table_replace(
			s->words, g_ascii_strdown(bare, -1), g_strjoinv("", parts));
		g_free(bare);
	}
	g_match_info_free(info);
}

/* Where an address of the network may stand; elsewhere 10.1.2.7 is a version. */
static bool holds_addresses(const char *path)
{
	static const char *const places[] = { "proc/net/", "proc/cmdline", "etc/network/",
		"etc/hosts", "etc/pve/", "etc/kernel/", "etc/default/grub", "boot/",
		"etc/fstab", "run/udev/data/", "proc/self/mountinfo", "proc/mounts",
		MP_PATH_KLOG, "etc/resolv.conf" };

	for (size_t i = 0; i < G_N_ELEMENTS(places); i++)
		if (g_str_has_prefix(path, places[i]))
			return true;
	return false;
}

/* Names of nodes where they can be told by what stands before them. */
static char *scrub_nodes(struct mp_scrubber *s, const char *path, char *text)
{
	return g_str_has_prefix(path, "etc/pve")
		       ? mp_scrub_apply(s, s->node, mp_scrub_node, text)
		       : text;
}

static bool is_host_file(const char *path)
{
	return !strcmp(path, "etc/hostname") || !strcmp(path, "proc/sys/kernel/hostname");
}

static void scrub_shot(struct mp_scrubber *s, struct mp_shot *shot)
{
	g_autofree char *text = text_of(shot);
	bool vm = strstr(shot->path, "/qemu-server/") &&
		  g_str_has_suffix(shot->path, ".conf");
	char *out;

	s->addresses = holds_addresses(shot->path);
	if (shot->target) {
		shot->target = scrub_nodes(s, shot->path, shot->target);
		out = mp_scrub_text(s, shot->target);
		g_free(shot->target);
		shot->target = out;
	}
	if (!text)
		return;
	text = scrub_nodes(s, shot->path, g_steal_pointer(&text));
	if (s->host && is_host_file(shot->path)) {
		g_free(text);
		text = g_strconcat(
			mp_scrub_value(s, MP_SCRUB_KIND_NODE, s->host), "\n", NULL);
	}
	if (vm) {
		out = scrub_vm(text);
		g_free(text);
		text = out;
	}
	if (!strcmp(shot->path, "proc/net/route") ||
		!strcmp(shot->path, "proc/net/ipv6_route"))
		out = scrub_routes(s, text, strstr(shot->path, "ipv6") != NULL);
	else
		out = mp_scrub_text(s, text);
	g_bytes_unref(shot->file);
	shot->file = g_bytes_new_take(out, strlen(out));
}

/* Paths and names in listings hold names too: interfaces, nodes, ids of disks. */
static char *scrub_path(struct mp_scrubber *s, const char *path)
{
	char *with_slashes = scrub_nodes(s, path, g_strdup(path));
	char *out = mp_scrub_text(s, with_slashes);

	g_free(with_slashes);
	return out;
}

static void scrub_names(struct mp_scrubber *s, struct mp_shot *shot)
{
	g_autoptr(GByteArray) names = g_byte_array_new();
	size_t size;
	const char *p = g_bytes_get_data(shot->names, &size);

	for (const char *end = p + size; p < end; p += strlen(p) + 1) {
		g_autofree char *path = g_strconcat(shot->path, "/", p, NULL);
		g_autofree char *out = scrub_path(s, path);
		const char *name = strrchr(out, '/') + 1;

		g_byte_array_append(names, (const guint8 *)name, (guint)strlen(name) + 1);
	}
	g_bytes_unref(shot->names);
	shot->names = g_byte_array_free_to_bytes(g_steal_pointer(&names));
}

static void scrub_paths(struct mp_scrubber *s)
{
	g_autoptr(GPtrArray) shots =
		g_ptr_array_copy(mp_snapshot_shots(s->snapshot), NULL, NULL);

	s->addresses = false;
	for (guint i = 0; i < shots->len; i++) {
		struct mp_shot *shot = shots->pdata[i];
		g_autofree char *path = NULL;

		if (shot->names)
			scrub_names(s, shot);
		path = scrub_path(s, shot->path);
		/* Two paths can not become one: replacements differ where values do. */
		if (strcmp(path, shot->path) != 0 && !mp_snapshot_find(s->snapshot, path))
			mp_snapshot_rename(s->snapshot, shot, g_steal_pointer(&path));
	}
}

static void learn_host(struct mp_scrubber *s)
{
	/* Words that stand in many places with another meaning. */
	static const char *const common[] = { "proxmox", "localhost", "debian", "server",
		"kernel", "system", "default", "storage", "backup", "bridge", "metis",
		"passthrough" };
	static const char *const files[] = { "proc/sys/kernel/hostname", "etc/hostname" };

	for (size_t i = 0; i < G_N_ELEMENTS(files) && !s->host; i++) {
		struct mp_shot *shot = mp_snapshot_find(s->snapshot, files[i]);
		g_autofree char *text = shot ? text_of(shot) : NULL;

		if (text && *g_strstrip(text) && strcmp(text, "(none)") != 0)
			s->host = g_steal_pointer(&text);
	}
	s->host_anywhere = s->host && strlen(s->host) >= 5;
	for (size_t i = 0; s->host_anywhere && i < G_N_ELEMENTS(common); i++)
		s->host_anywhere = g_ascii_strcasecmp(s->host, common[i]) != 0;
}

/* A model with its serial number holds the serial number. */
static int longest_first(const void *a, const void *b)
{
	size_t x = strlen(*(char *const *)a), y = strlen(*(char *const *)b);

	return x > y ? -1 : x < y ? 1 : strcmp(*(char *const *)a, *(char *const *)b);
}

void mp_snapshot_scrub(struct mp_snapshot *snapshot)
{
	GPtrArray *shots = mp_snapshot_shots(snapshot);
	struct mp_scrubber s = { 0 };

	s.snapshot = snapshot;
	mp_scrub_start(&s);
	learn_host(&s);
	if (s.host)
		mp_scrub_value(&s, MP_SCRUB_KIND_NODE, s.host); /* the first: node1 */
	for (guint i = 0; i < shots->len; i++)
		learn(&s, shots->pdata[i]);
	g_ptr_array_sort(s.serials, longest_first);
	for (guint i = 0; i < shots->len; i++)
		scrub_shot(&s, shots->pdata[i]);
	scrub_paths(&s);
	mp_scrub_finish(&s);
}
