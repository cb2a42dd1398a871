/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A VM configuration as PVE::QemuServer::parse_vm_config reads it (qemu-server 8 and 9):
 * what PVE would drop, with why, and what stays in effect. PVE drops with no more than a
 * warning in its log, so a typo in a hostpci line is a VM that starts without its card.
 */
#include "config.h"

#include <string.h>

#include "core/platform.h"
#include "core/vm-keys.h"
#include "core/vm.h"

#define LINES_MAX 10000 /* far beyond any real file; bounds the model of a hostile one */

/* \s of Perl */
#define WHITE " \t\r\n\v\f"

enum section { MAIN, PENDING, OTHER, LOST };

struct parser {
	struct mp_host *host;
	struct mp_vm *vm;
	const char *version; /* of qemu-server, or NULL */
	enum section section;
	unsigned line;
	bool pending_seen, noted_comment;
	GHashTable *seen; /* keys of the main section -> line */
	GHashTable *snapshots;
};

static void problem(struct parser *p, const char *text)
{
	g_ptr_array_add(p->vm->problems,
		(void *)mp_host_strf(p->host, "line %u: %s", p->line, text));
}

static void note(struct parser *p, const char *text)
{
	g_ptr_array_add(p->vm->notes,
		(void *)mp_host_strf(p->host, "line %u: %s", p->line, text));
}

/* /^\[([a-z][a-z0-9_\-]+)\]\s*$/i */
static bool is_snapshot_name(const char *name)
{
	return mp_vm_is_config_id(name);
}

/* "[NAME]" with nothing but white space after it; NAME holds no "]". Else NULL. */
static char *section_name(const char *text)
{
	const char *end;

	if (*text != '[')
		return NULL;
	end = strchr(text, ']');
	if (!end || end[1])
		return NULL;
	return g_strndup(text + 1, (gsize)(end - text - 1));
}

static void enter_section(struct parser *p, const char *name)
{
	g_autofree char *text = NULL;

	if (!g_ascii_strcasecmp(name, "PENDING")) {
		p->section = PENDING;
		if (p->pending_seen) {
			problem(p, "a second [PENDING] section replaces the first one");
			g_ptr_array_set_size(p->vm->pending, 0);
		}
		p->pending_seen = true;
		return;
	}
	if (!g_ascii_strcasecmp(name, "special:cloudinit") ||
		!g_ascii_strcasecmp(name, "special:fleecing")) {
		p->section = OTHER;
		return;
	}
	if (is_snapshot_name(name)) {
		p->section = OTHER;
		if (!g_hash_table_add(p->snapshots, g_strdup(name))) {
			text = g_strdup_printf(
				"a second section [%s] replaces the first one", name);
			problem(p, text);
		}
		return;
	}
	p->section = LOST;
	text = g_strdup_printf(
		"unknown section [%s]: PVE skips all of it, and the next change "
		"of the VM deletes it",
		name);
	problem(p, text);
}

/* Length of the key by /^[a-z][a-z_\-]*\d*:/, 0 where the line has none. */
static size_t key_length(const char *text)
{
	size_t length = 0;

	if (!g_ascii_islower(*text))
		return 0;
	while (g_ascii_islower(text[length]) || text[length] == '_' ||
		text[length] == '-')
		length++;
	while (g_ascii_isdigit(text[length]))
		length++;
	return text[length] == ':' ? length : 0;
}

static void add_line(struct parser *p, GPtrArray *lines, const char *key,
	const char *value, const char *why)
{
	struct mp_vm_line *line = mp_host_alloc(p->host, sizeof(*line));

	*line = (struct mp_vm_line){
		.key = mp_host_str(p->host, key),
		.value = mp_host_str(p->host, value),
		.line = p->line,
		.problem = mp_host_str(p->host, why),
	};
	g_ptr_array_add(lines, line);
}

/* Two lines for one setting: PVE says nothing and takes the last that is valid. */
static void note_duplicate(struct parser *p, const char *key)
{
	g_autofree char *text = NULL;
	unsigned first = GPOINTER_TO_UINT(g_hash_table_lookup(p->seen, key));

	if (first) {
		text = g_strdup_printf(
			"'%s' was given in line %u already: this line wins", key, first);
		note(p, text);
	}
	g_hash_table_replace(p->seen, g_strdup(key), GUINT_TO_POINTER(p->line));
}

static void setting(struct parser *p, char *text)
{
	GPtrArray *lines = p->section == PENDING ? p->vm->pending : p->vm->lines;
	size_t length = key_length(text);
	const char *value = text + length + 1;
	g_autofree char *why = NULL;

	if (!length) {
		add_line(p, lines, "", text, "not of the form 'key: value'");
		return;
	}
	text[length] = '\0';
	value += strspn(value, WHITE);
	if (!strcmp(text, "delete")) {
		if (p->section == MAIN)
			add_line(p, lines, text, value,
				"'delete' is only allowed in [PENDING]");
		else
			add_line(p, lines, text, value, NULL);
		return;
	}
	if (!*value)
		why = g_strdup("no value");
	else if (strchr(value, '\r'))
		why = g_strdup("a carriage return inside the value");
	else
		why = mp_vm_key_problem(text, value, p->version);
	g_autofree char *clean = mp_clean_text(value, strlen(value));
	if (p->section == MAIN && !why)
		note_duplicate(p, text);
	add_line(p, lines, text, clean, why);
}

static void take_line(struct parser *p, const char *data, size_t size)
{
	g_autofree char *text = NULL;
	g_autofree char *name = NULL;

	while (size && strchr(WHITE, data[size - 1]) && data[size - 1])
		size--;
	if (!size)
		return;
	if (memchr(data, '\0', size)) {
		if (p->section == MAIN)
			add_line(p, p->vm->lines, "", "(binary)", "holds a NUL byte");
		return;
	}
	text = g_strndup(data, size);
	name = section_name(text);
	if (name) {
		g_autofree char *clean = mp_clean_text(name, strlen(name));

		enter_section(p, clean);
		return;
	}
	if (p->section == LOST || p->section == OTHER)
		return;
	if (*text == '#') {
		if (p->section == MAIN && p->line > 1 && !p->noted_comment &&
			p->vm->lines->len) {
			note(p, "a line with '#' is not a comment but part of the VM's notes: "
				"PVE moves it to the top and encodes it at the next change");
			p->noted_comment = true;
		}
		return;
	}
	setting(p, text);
}

static void parse_hostpci(struct parser *p, const struct mp_vm_line *line)
{
	struct mp_hostpci *entry = mp_host_alloc(p->host, sizeof(*entry));
	g_autoptr(GHashTable) props = NULL;
	g_autofree char *why = NULL;
	const char *hosts;
	uint64_t index;

	if (!mp_parse_uint(line->key + strlen("hostpci"), 10, &index) || index > UINT_MAX)
		return;
	*entry = (struct mp_hostpci){
		.index = (unsigned)index,
		.line = line->line,
		.raw = line->value,
		.problem = line->problem,
		.hosts = mp_host_array(p->host),
		.devices = mp_host_array(p->host),
		.missing = mp_host_array(p->host),
		.rombar = true,
	};
	g_ptr_array_add(p->vm->hostpci, entry);
	if (line->problem)
		return;
	props = mp_prop_parse(mp_vm_hostpci_props, p->version, line->value, &why);
	if (!props)
		return;
	entry->mapping = mp_host_str(p->host, g_hash_table_lookup(props, "mapping"));
	entry->mdev = mp_host_str(p->host, g_hash_table_lookup(props, "mdev"));
	entry->driver = mp_host_str(p->host, g_hash_table_lookup(props, "driver"));
	entry->pcie = mp_prop_bool(props, "pcie", false);
	entry->rombar = mp_prop_bool(props, "rombar", true);
	entry->x_vga = mp_prop_bool(props, "x-vga", false);
	entry->legacy_igd = mp_prop_bool(props, "legacy-igd", false);
	hosts = g_hash_table_lookup(props, "host");
	if (!hosts)
		return;
	g_auto(GStrv) list = g_strsplit(hosts, ";", -1);
	for (char **host = list; *host; host++)
		g_ptr_array_add(entry->hosts, (void *)mp_host_str(p->host, *host));
}

static bool flag_of(const struct mp_vm *vm, const char *key)
{
	const char *value = mp_vm_get(vm, key);
	bool flag = false;

	return value && mp_prop_parse_bool(value, &flag) && flag;
}

static void take_machine(struct parser *p)
{
	g_autofree char *why = NULL;
	g_autoptr(GHashTable) props = NULL;
	const char *type, *bits;
	uint64_t number;

	if (!p->vm->machine)
		return;
	props = mp_prop_parse(mp_vm_machine_props, p->version, p->vm->machine, &why);
	if (!props)
		return;
	type = g_hash_table_lookup(props, "type");
	p->vm->q35 = type && strstr(type, "q35");
	p->vm->viommu = mp_host_str(p->host, g_hash_table_lookup(props, "viommu"));
	bits = g_hash_table_lookup(props, "aw-bits");
	if (bits && mp_parse_uint(bits, 10, &number))
		p->vm->aw_bits = (unsigned)number;
}

static void take_values(struct parser *p)
{
	struct mp_vm *vm = p->vm;
	g_autofree char *why = NULL;
	g_autoptr(GHashTable) props = NULL;
	const char *value;

	vm->machine = mp_vm_get(vm, "machine");
	take_machine(p);
	vm->memory_mib = 512;
	value = mp_vm_get(vm, "memory");
	if (value)
		props = mp_prop_parse(mp_vm_memory_props, p->version, value, &why);
	if (props)
		mp_parse_uint(g_hash_table_lookup(props, "current"), 10, &vm->memory_mib);
	value = mp_vm_get(vm, "balloon");
	vm->balloon_set = value && mp_parse_uint(value, 10, &vm->balloon_mib);
	vm->numa = flag_of(vm, "numa");
	vm->onboot = flag_of(vm, "onboot");
	vm->is_template = flag_of(vm, "template");
	vm->hugepages = mp_vm_get(vm, "hugepages");
	vm->cpu = mp_vm_get(vm, "cpu");
	vm->args = mp_vm_get(vm, "args");
	vm->hookscript = mp_vm_get(vm, "hookscript");
	vm->bios = mp_vm_get(vm, "bios");
	vm->hotplug = mp_vm_get(vm, "hotplug");
	if (vm->hotplug)
		mp_vm_hotplug(vm->hotplug, &vm->hotplug_memory);
	vm->agent = mp_vm_get(vm, "agent");
	if (!vm->agent)
		return;
	g_autoptr(GHashTable) agent =
		mp_prop_parse(mp_vm_agent_props, p->version, vm->agent, &why);
	vm->agent_enabled = agent && mp_prop_bool(agent, "enabled", false);
}

/* PVE::GuestHelpers parse_pending_delete(): "key1,!key2", by split_list; "!": by force. */
static bool deletes(const char *list, const char *key)
{
	g_auto(GStrv) keys = g_strsplit_set(list, " \t,;", -1);

	for (char **word = keys; *word; word++)
		if (!strcmp(**word == '!' ? *word + 1 : *word, key))
			return true;
	return false;
}

/* A key that [PENDING] sets or deletes. */
static bool is_pending(const struct mp_vm *vm, const char *key)
{
	for (guint i = 0; i < vm->pending->len; i++) {
		const struct mp_vm_line *line = vm->pending->pdata[i];

		if (line->problem)
			continue;
		if (!strcmp(line->key, key))
			return true;
		if (!strcmp(line->key, "delete") && deletes(line->value, key))
			return true;
	}
	return false;
}

/* PVE::QemuServer vmconfig_apply_pending(), as the next start does it. */
static struct mp_vm *with_pending(struct mp_host *host, struct mp_vm *vm)
{
	g_autoptr(GString) text = g_string_new(NULL);
	bool pending = false;

	for (guint i = 0; i < vm->pending->len; i++) {
		const struct mp_vm_line *line = vm->pending->pdata[i];

		/* A device that is not given counts, too: see take_dropped(). */
		pending = pending || !line->problem ||
			  g_str_has_prefix(line->key, "hostpci");
	}
	if (!pending)
		return vm;
	for (guint i = 0; i < vm->lines->len; i++) {
		const struct mp_vm_line *line = vm->lines->pdata[i];

		if (!line->problem && !is_pending(vm, line->key))
			g_string_append_printf(text, "%s: %s\n", line->key, line->value);
	}
	for (guint i = 0; i < vm->pending->len; i++) {
		const struct mp_vm_line *line = vm->pending->pdata[i];

		if (!line->problem && strcmp(line->key, "delete") != 0)
			g_string_append_printf(text, "%s: %s\n", line->key, line->value);
	}
	return mp_vm_parse(host, vm->id, vm->source, text->str, text->len);
}

/* What PVE drops is dropped at the next start too, and a line that waits can be wrong. */
static void take_dropped(struct parser *p)
{
	const struct mp_vm *vm = p->vm;

	if (vm->next == vm)
		return;
	for (guint i = 0; i < vm->hostpci->len; i++)
		if (((const struct mp_hostpci *)vm->hostpci->pdata[i])->problem)
			g_ptr_array_add(vm->next->hostpci, vm->hostpci->pdata[i]);
	p->vm = vm->next;
	for (guint i = 0; i < vm->pending->len; i++) {
		const struct mp_vm_line *line = vm->pending->pdata[i];

		if (line->problem && g_str_has_prefix(line->key, "hostpci"))
			parse_hostpci(p, line);
	}
}

struct mp_vm *mp_vm_parse(struct mp_host *host, const char *id, const char *source,
	const char *data, size_t size)
{
	struct mp_vm *vm = mp_host_alloc(host, sizeof(*vm));
	g_autoptr(GHashTable) seen =
		g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GHashTable) snapshots =
		g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	struct parser p = {
		.host = host,
		.vm = vm,
		.seen = seen,
		.snapshots = snapshots,
	};
	const char *end = data + size;

	if (host->platform && host->platform->qemu_server.know == MP_KNOWN)
		p.version = host->platform->qemu_server.text;
	vm->id = mp_host_str(host, id);
	vm->source = mp_host_str(host, source);
	vm->fact = mp_fact_known(host, source, "read");
	vm->lines = mp_host_array(host);
	vm->pending = mp_host_array(host);
	vm->problems = mp_host_array(host);
	vm->notes = mp_host_array(host);
	vm->hostpci = mp_host_array(host);
	while (data < end) {
		const char *newline = memchr(data, '\n', (size_t)(end - data));
		const char *stop = newline ? newline : end;

		p.line++;
		if (p.line > LINES_MAX) {
			problem(&p, "too many lines: the rest was not read");
			break;
		}
		take_line(&p, data, (size_t)(stop - data));
		data = stop + 1;
	}
	for (guint i = 0; i < vm->lines->len; i++) {
		const struct mp_vm_line *line = vm->lines->pdata[i];

		if (!g_str_has_prefix(line->key, "hostpci"))
			continue;
		/* Of several valid lines for one index the last is in effect. */
		if (line->problem || mp_vm_get(vm, line->key) == line->value)
			parse_hostpci(&p, line);
	}
	take_values(&p);
	vm->next = with_pending(host, vm);
	take_dropped(&p);
	return vm;
}
