/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files of Proxmox VE around a VM: resource mappings (mapping/pci.cfg), reservations of
 * running VMs (pci-id-reservations), storages (storage.cfg). The section files follow
 * PVE::SectionConfig: a header, properties that begin with white space, an empty line.
 */
#include "config.h"

#include <string.h>

#include "core/vm-keys.h"
#include "core/vm.h"

#define SECTIONS_MAX 4096
#define WHITE        " \t\r\v\f"

struct mp_mapping *mp_host_mapping(const struct mp_host *host, const char *name)
{
	if (!host->guests)
		return NULL;
	for (guint i = 0; i < host->guests->mappings->len; i++) {
		struct mp_mapping *mapping = host->guests->mappings->pdata[i];

		if (!strcmp(mapping->name, name))
			return mapping;
	}
	return NULL;
}

struct mp_storage *mp_host_storage(const struct mp_host *host, const char *name)
{
	if (!host->guests || !host->guests->storages)
		return NULL;
	for (guint i = 0; i < host->guests->storages->len; i++) {
		struct mp_storage *storage = host->guests->storages->pdata[i];

		if (!strcmp(storage->name, name))
			return storage;
	}
	return NULL;
}

/* The next line of *DATA without its end and trailing white space; NULL at the end. */
static char *next_line(const char **data, const char *end)
{
	const char *newline;
	char *line;
	size_t size;

	if (*data >= end)
		return NULL;
	newline = memchr(*data, '\n', (size_t)(end - *data));
	size = (size_t)((newline ? newline : end) - *data);
	line = mp_clean_text(*data, size);
	*data += size + 1;
	/* mp_clean_text spells a carriage return; PVE drops it as white space. */
	while (g_str_has_suffix(line, "\\x0d"))
		line[strlen(line) - 4] = '\0';
	return g_strchomp(line);
}

static bool is_vendor_device(const char *text)
{
	for (int i = 0; i < 9; i++)
		if (i == 4 ? text[i] != ':' : !g_ascii_isxdigit(text[i]))
			return false;
	return !text[9];
}

static bool is_mapped_path(const char *text)
{
	for (;;) {
		text = mp_vm_address_end(text, true);
		if (!text || !*text)
			return text;
		if (*text++ != ';')
			return false;
	}
}

/* pve-node: a host name label */
static bool is_node(const char *text)
{
	size_t length = strlen(text);

	if (!length || text[0] == '-' || text[length - 1] == '-')
		return false;
	for (; *text; text++)
		if (!g_ascii_isalnum(*text) && *text != '-')
			return false;
	return true;
}

/* $map_fmt */
static const struct mp_prop_key map_props[] = {
	{ "node", .required = true, .valid = is_node, .expected = "a node name" },
	{ "id", .required = true, .valid = is_vendor_device,
		.expected = "VVVV:DDDD in hex" },
	{ "subsystem-id", .valid = is_vendor_device, .expected = "VVVV:DDDD in hex" },
	{ "path", .required = true, .valid = is_mapped_path,
		.expected = "a full address with domain in lower case" },
	{ "iommugroup", MP_PROP_INTEGER, .max = UINT32_MAX },
	{ "description" },
	{ NULL },
};

static void fail(
	struct mp_host *host, struct mp_mapping *mapping, unsigned line, const char *why)
{
	if (!mapping->problem)
		mapping->problem = mp_host_strf(host, "line %u: %s", line, why);
}

static void take_map(struct mp_host *host, struct mp_mapping *mapping, unsigned line,
	const char *value)
{
	g_autofree char *why = NULL;
	g_autoptr(GHashTable) props = mp_prop_parse(map_props, NULL, value, &why);
	struct mp_mapping_entry *entry;

	if (!props) {
		fail(host, mapping, line, why);
		return;
	}
	entry = mp_host_alloc(host, sizeof(*entry));
	*entry = (struct mp_mapping_entry){
		.id = mp_host_str(host, g_hash_table_lookup(props, "id")),
		.node = mp_host_str(host, g_hash_table_lookup(props, "node")),
		.path = mp_host_str(host, g_hash_table_lookup(props, "path")),
		.iommugroup = mp_host_str(host, g_hash_table_lookup(props, "iommugroup")),
		.subsystem_id =
			mp_host_str(host, g_hash_table_lookup(props, "subsystem-id")),
		.description =
			mp_host_str(host, g_hash_table_lookup(props, "description")),
		.raw = mp_host_str(host, value),
		.line = line,
	};
	g_ptr_array_add(mapping->entries, entry);
}

static void take_property(
	struct mp_host *host, struct mp_mapping *mapping, unsigned line, char *text)
{
	char *key = text + strspn(text, WHITE);
	char *value = key + strcspn(key, WHITE);
	bool flag;

	if (*value)
		*value++ = '\0';
	value += strspn(value, WHITE);
	if (!strcmp(key, "map")) {
		take_map(host, mapping, line, value);
		return;
	}
	if (!strcmp(key, "mdev") || !strcmp(key, "live-migration-capable")) {
		if (*value && !mp_prop_parse_bool(value, &flag))
			fail(host, mapping, line, "not a boolean");
		else if (!strcmp(key, "mdev"))
			mapping->mdev = !*value || flag;
		return;
	}
	if (strcmp(key, "description") != 0) {
		g_autofree char *why = g_strdup_printf("unknown property '%s'", key);

		fail(host, mapping, line, why);
	}
}

static struct mp_mapping *start_mapping(
	struct mp_host *host, struct mp_guests *guests, unsigned line, const char *name)
{
	struct mp_mapping *mapping = mp_host_alloc(host, sizeof(*mapping));

	mapping->name = mp_host_str(host, name);
	mapping->line = line;
	mapping->entries = mp_host_array(host);
	if (strpbrk(name, WHITE))
		mapping->problem = mp_host_strf(host,
			"line %u: a section starts with the bare id of the mapping",
			line);
	else if (!mp_vm_is_config_id(name))
		mapping->problem = mp_host_strf(
			host, "line %u: '%s' is no id of a mapping", line, name);
	g_ptr_array_add(guests->mappings, mapping);
	return mapping;
}

void mp_mappings_parse(
	struct mp_host *host, struct mp_guests *guests, const char *data, size_t size)
{
	const char *end = data + size;
	struct mp_mapping *current = NULL;
	unsigned line = 0;
	char *text;

	for (; (text = next_line(&data, end)); g_free(text)) {
		line++;
		if (!*text) {
			current = NULL;
			continue;
		}
		if (current && strchr(WHITE, *text)) {
			take_property(host, current, line, text);
			continue;
		}
		if (current) {
			fail(host, current, line,
				"a property must begin with white space");
			continue;
		}
		if (*text == '#' || strchr(WHITE, *text))
			continue;
		if (guests->mappings->len >= SECTIONS_MAX) {
			g_free(text);
			break;
		}
		current = start_mapping(host, guests, line, text);
	}
	for (guint i = 0; i < guests->mappings->len; i++) {
		struct mp_mapping *mapping = guests->mappings->pdata[i];

		if (!mapping->problem && !mapping->entries->len)
			fail(host, mapping, mapping->line,
				"the section has no 'map' line");
	}
}

/* /^($PCIRE)\s(\d+)\s(time|pid)\:(\d+)$/ */
static struct mp_reservation *reservation(struct mp_host *host, char *text)
{
	const char *after = mp_vm_address_end(text, false);
	g_auto(GStrv) words = NULL;
	struct mp_reservation *entry;
	uint64_t vmid, number;
	const char *value;

	if (!after || *after != ' ')
		return NULL;
	words = g_strsplit(text, " ", 4);
	if (g_strv_length(words) != 3 || !mp_parse_uint(words[1], 10, &vmid))
		return NULL;
	bool by_pid = g_str_has_prefix(words[2], "pid:");
	if (!by_pid && !g_str_has_prefix(words[2], "time:"))
		return NULL;
	value = strchr(words[2], ':') + 1;
	if (!mp_parse_uint(value, 10, &number))
		return NULL;
	entry = mp_host_alloc(host, sizeof(*entry));
	entry->bdf = mp_host_str(host, words[0]);
	entry->vmid = mp_host_str(host, words[1]);
	entry->pid = by_pid ? number : 0;
	entry->until = by_pid ? 0 : number;
	return entry;
}

void mp_reservations_parse(
	struct mp_host *host, struct mp_guests *guests, const char *data, size_t size)
{
	const char *end = data + size;
	char *text;

	for (; (text = next_line(&data, end)); g_free(text)) {
		struct mp_reservation *entry = reservation(host, text);

		if (entry && guests->reservations->len < SECTIONS_MAX)
			g_ptr_array_add(guests->reservations, entry);
	}
}

static struct mp_storage *add_storage(struct mp_host *host, struct mp_guests *guests,
	const char *type, const char *name)
{
	struct mp_storage *storage = mp_host_alloc(host, sizeof(*storage));

	storage->name = mp_host_str(host, name);
	storage->type = mp_host_str(host, type);
	storage->files = mp_host_array(host);
	g_ptr_array_add(guests->storages, storage);
	return storage;
}

/* One section's lines, collected: `path` and `content-dirs` may come in any order. */
struct storage_section {
	struct mp_storage *storage;
	char *path, *snippets;
};

static void end_storage(struct mp_host *host, struct storage_section *section)
{
	if (section->storage && section->path && *section->path == '/')
		section->storage->snippets = mp_host_strf(host, "%s/%s", section->path,
			section->snippets ? section->snippets : "snippets");
	g_clear_pointer(&section->path, g_free);
	g_clear_pointer(&section->snippets, g_free);
	section->storage = NULL;
}

static void storage_property(struct storage_section *section, char *text)
{
	char *key = text + strspn(text, WHITE);
	char *value = key + strcspn(key, WHITE);

	if (*value)
		*value++ = '\0';
	value += strspn(value, WHITE);
	if (!strcmp(key, "path")) {
		g_free(section->path);
		section->path = g_strdup(value);
		return;
	}
	if (strcmp(key, "content-dirs") != 0)
		return;
	g_auto(GStrv) parts = g_strsplit(value, ",", -1);
	for (char **part = parts; *part; part++)
		if (g_str_has_prefix(*part, "snippets=")) {
			g_free(section->snippets);
			section->snippets = g_strdup(*part + strlen("snippets="));
		}
}

/* "dir: local" */
static void start_storage(struct mp_host *host, struct mp_guests *guests,
	struct storage_section *section, char *text)
{
	char *colon = strchr(text, ':');
	const char *name;

	if (!colon || guests->storages->len >= SECTIONS_MAX)
		return;
	*colon = '\0';
	name = colon + 1 + strspn(colon + 1, WHITE);
	if (!*name || strpbrk(name, WHITE) || strpbrk(text, WHITE))
		return;
	section->storage = add_storage(host, guests, text, name);
}

void mp_storages_parse(
	struct mp_host *host, struct mp_guests *guests, const char *data, size_t size)
{
	const char *end = data + size;
	struct storage_section section = { 0 };
	bool local = false;
	char *text;

	for (; (text = next_line(&data, end)); g_free(text)) {
		if (!*text)
			end_storage(host, &section);
		else if (strchr(WHITE, *text))
			storage_property(&section, text);
		else if (!section.storage && *text != '#')
			start_storage(host, guests, &section, text);
	}
	end_storage(host, &section);
	for (guint i = 0; i < guests->storages->len && !local; i++) {
		const struct mp_storage *storage = guests->storages->pdata[i];

		local = !strcmp(storage->name, "local");
	}
	/* PVE::Storage::Plugin parse_config adds it where the file does not. */
	if (!local)
		add_storage(host, guests, "dir", "local")->snippets =
			mp_host_str(host, "/var/lib/vz/snippets");
}
