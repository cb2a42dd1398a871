/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Resource mappings: what PVE::Mapping::PCI::assert_valid() will say at the VM's start. */
#include "config.h"

#include <string.h>

#include "core/checks/vm-common.h"
#include "core/group.h"
#include "core/pci.h"

static const struct mp_pci *device_at(const struct mp_host *host, const char *path)
{
	g_autofree char *full = g_strconcat(path, strchr(path, '.') ? "" : ".0", NULL);

	for (guint i = 0; i < host->devices->len; i++) {
		const struct mp_pci *device = host->devices->pdata[i];

		if (!strcmp(device->bdf, full))
			return device;
	}
	return NULL;
}

static char *id_of(const struct mp_pci *device)
{
	return g_strdup_printf("%04x:%04x", device->vendor, device->device);
}

/* NULL: not readable. A device without a subsystem has "0000:0000", which counts. */
static char *subsystem_of(const struct mp_pci *device)
{
	if (device->subvendor == 0xffff || device->subdevice == 0xffff)
		return NULL;
	return g_strdup_printf("%04x:%04x", device->subvendor, device->subdevice);
}

static void append_property(GString *text, const char *key, const char *value)
{
	if (value)
		g_string_append_printf(text, "%s%s=%s", text->len ? "," : "", key, value);
}

/* One --map: as it is, or with what this host's hardware says. */
static char *map_value(const struct mp_mapping_entry *entry, const struct mp_pci *device)
{
	GString *text = g_string_new(NULL);
	g_autofree char *id = device ? id_of(device) : g_strdup(entry->id);
	g_autofree char *subsystem =
		device ? subsystem_of(device) : g_strdup(entry->subsystem_id);
	g_autofree char *group = NULL;

	if (device && device->group)
		group = g_strdup_printf("%u", device->group->id);
	else if (!device)
		group = g_strdup(entry->iommugroup);
	append_property(text, "node", entry->node);
	append_property(text, "path", entry->path);
	append_property(text, "id", id);
	append_property(text, "iommugroup", group);
	append_property(text, "subsystem-id", subsystem);
	append_property(text, "description", entry->description);
	return g_string_free(text, FALSE);
}

/* `pvesh set` replaces the whole list, so the other nodes' entries are repeated. */
static char *how_to_correct(
	const struct mp_check_ctx *ctx, const struct mp_mapping *mapping)
{
	GString *text = g_string_new(NULL);

	g_string_printf(text, "run: pvesh set /cluster/mapping/pci/%s", mapping->name);
	for (guint i = 0; i < mapping->entries->len; i++) {
		const struct mp_mapping_entry *entry = mapping->entries->pdata[i];
		const struct mp_pci *device = NULL;
		g_autofree char *first =
			g_strndup(entry->path, strcspn(entry->path, ";"));

		if (!strcmp(entry->node, ctx->host->guests->node.text))
			device = device_at(ctx->host, first);
		g_autofree char *value = map_value(entry, device);
		g_autofree char *quoted = g_shell_quote(value);
		g_string_append_printf(text, " --map %s", quoted);
	}
	return g_string_free(text, FALSE);
}

struct judge {
	struct mp_check_ctx *ctx;
	struct mp_points *points;
	const struct mp_mapping *mapping;
	const struct mp_mapping_entry *entry;
	const char *path;
};

static void mismatch(
	const struct judge *j, const char *property, const char *is, const char *should)
{
	char *how = how_to_correct(j->ctx, j->mapping);

	if (is && should)
		mp_points_add(j->points, MP_FAIL, how,
			"VM %s does not start: mapping %s has %s=%s for %s, the hardware has %s%s",
			j->ctx->vm->id, j->mapping->name, property, is, j->path, should,
			!g_ascii_strcasecmp(is, should)
				? " (compared as text: lower case counts)"
				: "");
	else if (should)
		mp_points_add(j->points, MP_FAIL, how,
			"VM %s does not start: mapping %s lacks %s=%s for %s, which Proxmox VE "
			"requires when the hardware has it",
			j->ctx->vm->id, j->mapping->name, property, should, j->path);
	else
		mp_points_add(j->points, MP_FAIL, how,
			"VM %s does not start: mapping %s has %s=%s for %s, which the hardware "
			"does not have",
			j->ctx->vm->id, j->mapping->name, property, is, j->path);
}

static void judge_path(const struct judge *j, bool first)
{
	const struct mp_pci *device = device_at(j->ctx->host, j->path);
	g_autofree char *id = NULL;
	g_autofree char *subsystem = NULL;
	g_autofree char *group = NULL;

	if (!device) {
		mp_points_add(j->points, MP_FAIL,
			g_strdup_printf(
				"look for its new address (metis-passthrough list --id "
				"%s) and correct the mapping under Datacenter > Resource "
				"Mappings",
				j->entry->id),
			"VM %s does not start: mapping %s names %s, and there is no such device "
			"on this host",
			j->ctx->vm->id, j->mapping->name, j->path);
		return;
	}
	id = id_of(device);
	if (strcmp(id, j->entry->id) != 0)
		mismatch(j, "id", j->entry->id, id);
	subsystem = subsystem_of(device);
	if (!subsystem)
		mp_points_add(j->points, MP_UNSURE,
			g_strdup_printf(
				"run: pvesh get /cluster/mapping/pci --check-node %s",
				j->entry->node),
			"The subsystem id of %s could not be read, so mapping %s cannot be "
			"compared",
			j->path, j->mapping->name);
	else if (g_strcmp0(subsystem, j->entry->subsystem_id) != 0)
		mismatch(j, "subsystem-id", j->entry->subsystem_id, subsystem);
	if (!first)
		return;
	if (device->group)
		group = g_strdup_printf("%u", device->group->id);
	if (g_strcmp0(group, j->entry->iommugroup) != 0)
		mismatch(j, "iommugroup", j->entry->iommugroup, group);
}

static void judge_mapping(
	struct mp_check_ctx *ctx, struct mp_points *points, const struct mp_hostpci *line)
{
	const struct mp_guests *guests = ctx->host->guests;
	const struct mp_mapping *mapping = mp_host_mapping(ctx->host, line->mapping);
	unsigned here = 0;

	if (!mapping) {
		mp_points_add(points, MP_FAIL,
			g_strdup_printf(
				"create it under Datacenter > Resource Mappings, or run: "
				"pvesh create /cluster/mapping/pci --id %s --map "
				"node=%s,path=...,id=...,iommugroup=...,subsystem-id=...",
				line->mapping, guests->node.text),
			"VM %s does not start: there is no mapping '%s'", ctx->vm->id,
			line->mapping);
		return;
	}
	if (mapping->problem) {
		mp_points_add(points, MP_FAIL,
			g_strdup(
				"write it again by pvesh or under Datacenter > Resource Mappings, "
				"never by hand"),
			"VM %s does not start: Proxmox VE drops the whole mapping '%s' (%s)",
			ctx->vm->id, mapping->name, mapping->problem);
		return;
	}
	for (guint i = 0; i < mapping->entries->len; i++) {
		struct judge j = { .ctx = ctx, .points = points, .mapping = mapping };
		bool first = true;

		j.entry = mapping->entries->pdata[i];
		if (strcmp(j.entry->node, guests->node.text) != 0)
			continue;
		here++;
		g_auto(GStrv) paths = g_strsplit(j.entry->path, ";", -1);
		for (char **path = paths; *path; path++, first = false) {
			j.path = *path;
			judge_path(&j, first);
		}
	}
	if (!here)
		mp_points_add(points, MP_FAIL,
			g_strdup(
				"add a device of this node under Datacenter > Resource Mappings"),
			"VM %s does not start here: mapping '%s' has nothing for node %s",
			ctx->vm->id, mapping->name, guests->node.text);
}

void mp_check_vm_mapping(struct mp_check_ctx *ctx)
{
	const struct mp_guests *guests = ctx->host->guests;
	const struct mp_vm *vm = ctx->vm;
	g_autofree char *fine = NULL;
	struct mp_points points;
	struct mp_finding *finding;
	unsigned mapped = 0;

	for (guint i = 0; i < vm->hostpci->len; i++)
		mapped += ((const struct mp_hostpci *)vm->hostpci->pdata[i])->mapping !=
			  NULL;
	if (!mapped) {
		mp_check_say(ctx, MP_SKIP, "VM %s uses no resource mapping", vm->id);
		return;
	}
	if (!guests || guests->mappings_fact.know == MP_UNKNOWN ||
		guests->pve.know != MP_KNOWN || guests->node.know != MP_KNOWN) {
		finding = mp_check_say(ctx, MP_UNSURE,
			"It is not known whether the mapping of VM %s fits: the mappings of "
			"Proxmox VE cannot be read here",
			vm->id);
		if (guests)
			mp_finding_fact(finding, &guests->mappings_fact);
		mp_finding_remedy(
			finding, "run this check as root on the Proxmox VE node");
		return;
	}
	mp_points_init(&points);
	for (guint i = 0; i < vm->hostpci->len; i++) {
		const struct mp_hostpci *line = vm->hostpci->pdata[i];

		if (line->mapping)
			judge_mapping(ctx, &points, line);
	}
	fine = g_strdup_printf(
		"The mapping that VM %s uses describes this host's hardware", vm->id);
	finding = mp_points_say(&points, ctx, MP_PASS, fine);
	mp_finding_fact(finding, &guests->mappings_fact);
	for (guint i = 0; i < vm->hostpci->len; i++) {
		const struct mp_hostpci *line = vm->hostpci->pdata[i];

		if (line->mapping)
			mp_finding_evidence(finding, vm->source, "hostpci%u: %s",
				line->index, line->raw);
	}
}
