/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Promises about Proxmox: resource mappings and options of VMs. */
#include "config.h"

#include <string.h>

#include "core/promise/judge.h"
#include "core/vm.h"

/* Proxmox keeps a property string as it was given, or sorts it: the parts count. The default
 * key of a part may be left out ("0000:86:00.0" is "host=0000:86:00.0"). */
static bool same_part(const char *a, const char *b)
{
	const char *bare_a = strchr(a, '='), *bare_b = strchr(b, '=');

	if (!strcmp(a, b))
		return true;
	if (!bare_a == !bare_b)
		return false;
	return !strcmp(bare_a ? bare_a + 1 : a, bare_b ? bare_b + 1 : b);
}

static bool holds_all(char **parts, char **of)
{
	for (; *of; of++) {
		char **part = parts;

		while (*part && !same_part(*part, *of))
			part++;
		if (!*part)
			return false;
	}
	return true;
}

static bool same_properties(const char *a, const char *b)
{
	g_auto(GStrv) parts_a = g_strsplit(a, ",", -1);
	g_auto(GStrv) parts_b = g_strsplit(b, ",", -1);

	return g_strv_length(parts_a) == g_strv_length(parts_b) &&
	       holds_all(parts_a, parts_b) && holds_all(parts_b, parts_a);
}

/* True, and a finding, where the cluster's files are not there to be read. */
static bool say_no_cluster(struct mp_judge *judge, const struct mp_fact *what)
{
	const struct mp_guests *guests = judge->host->guests;
	struct mp_finding *finding;

	if (guests->pve.know == MP_KNOWN && what->know != MP_UNKNOWN)
		return false;
	finding = mp_judge_say(judge, MP_UNSURE,
		guests->pve.know == MP_KNOWN
			? "Proxmox's configuration could not be read"
			: "Proxmox's cluster file system is not there (/etc/pve)");
	mp_finding_fact(finding, guests->pve.know == MP_KNOWN ? what : &guests->pve);
	mp_finding_remedy(finding, "systemctl status pve-cluster");
	return true;
}

/* --- mapping --- */

static char *entry_text(const struct mp_mapping_entry *entry)
{
	const char *const keys[] = { "id", "iommugroup", "node", "path", "subsystem-id",
		"description" };
	const char *const values[] = { entry->id, entry->iommugroup, entry->node,
		entry->path, entry->subsystem_id, entry->description };
	GString *text = g_string_new(NULL);

	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
		if (values[i])
			g_string_append_printf(text, "%s%s=%s", text->len ? "," : "",
				keys[i], values[i]);
	return g_string_free(text, FALSE);
}

void mp_judge_mapping(struct mp_judge *judge)
{
	const char *name = mp_judge_text(judge, "name");
	const char *node = mp_judge_text(judge, "node");
	const char *map = mp_judge_text(judge, "map");
	const struct mp_mapping *mapping;
	g_autoptr(GString) others = g_string_new(NULL);
	struct mp_finding *finding;

	if (!node || !map) {
		mp_judge_say_malformed(judge, "it has no node or no map");
		return;
	}
	if (say_no_cluster(judge, &judge->host->guests->mappings_fact))
		return;
	mapping = mp_host_mapping(judge->host, name);
	for (guint i = 0; mapping && !mapping->problem && i < mapping->entries->len;
		i++) {
		const struct mp_mapping_entry *entry = mapping->entries->pdata[i];
		g_autofree char *text = entry_text(entry);

		if (g_strcmp0(entry->node, node) != 0)
			continue;
		if (same_properties(text, map)) {
			finding = mp_judge_say(
				judge, MP_PASS, "It names the card on node %s", node);
			mp_finding_evidence(
				finding, "/etc/pve/mapping/pci.cfg", "map %s", text);
			return;
		}
		g_string_append_printf(others, "%smap %s", others->len ? "; " : "", text);
	}
	if (mapping && mapping->problem)
		finding = mp_judge_say(
			judge, MP_FAIL, "Proxmox ignores it: %s", mapping->problem);
	else
		finding = mp_judge_say(judge, MP_FAIL,
			!mapping      ? "There is no such resource mapping any more"
			: others->len ? "It says something else for this node now"
				      : "It has no entry for this node any more");
	mp_finding_evidence(finding, "/etc/pve/mapping/pci.cfg", "%s",
		others->len ? others->str : "no such entry");
	mp_finding_evidence(finding, "promised", "map %s", map);
	mp_finding_remedy(finding, "metis-passthrough setup --mapping %s", name);
}

/* --- vm --- */

static const char *pending_value(const struct mp_vm *vm, const char *key)
{
	const char *value = NULL;

	for (guint i = 0; i < vm->pending->len; i++) {
		const struct mp_vm_line *line = vm->pending->pdata[i];

		if (!line->problem && !strcmp(line->key, key))
			value = line->value;
	}
	return value;
}

static bool same_value(const char *promised, const char *present)
{
	if (!promised || !present)
		return !promised && !present;
	return same_properties(promised, present);
}

void mp_judge_vm(struct mp_judge *judge)
{
	const char *vmid = mp_judge_text(judge, "vmid");
	const char *key = mp_judge_text(judge, "key");
	const char *promised = mp_judge_text(judge, "value");
	const char *present, *pending;
	struct mp_finding *finding;
	const struct mp_vm *vm;

	if (!key) {
		mp_judge_say_malformed(judge, "it has no key");
		return;
	}
	if (say_no_cluster(judge, &judge->host->guests->vms_fact))
		return;
	vm = mp_host_vm(judge->host, vmid);
	if (!vm) {
		finding = mp_judge_say(
			judge, MP_FAIL, "There is no VM %s on this node", vmid);
		mp_finding_remedy(finding,
			"was it migrated or removed? metis-passthrough rollback, then setup anew");
		return;
	}
	if (vm->fact.know != MP_KNOWN) {
		finding = mp_judge_say(
			judge, MP_UNSURE, "Its configuration could not be read");
		mp_finding_fact(finding, &vm->fact);
		return;
	}
	present = mp_vm_get(vm, key);
	pending = pending_value(vm, key);
	if (same_value(promised, present) &&
		(!pending || same_value(promised, pending))) {
		finding = mp_judge_say(judge, MP_PASS, "%s is as promised", key);
	} else if (promised && pending && same_value(promised, pending)) {
		finding = mp_judge_say(judge, MP_INFO,
			"%s counts from the VM's next start on (it is pending)", key);
	} else {
		finding = mp_judge_say(judge, MP_FAIL, "%s is %s, was %s", key,
			pending   ? pending
			: present ? present
				  : "not set",
			promised ? promised : "not set");
		if (promised)
			mp_finding_remedy(
				finding, "qm set %s --%s '%s'", vmid, key, promised);
		else
			mp_finding_remedy(finding, "qm set %s --delete %s", vmid, key);
	}
	mp_finding_evidence(
		finding, vm->source, "%s: %s", key, present ? present : "(not set)");
	if (pending)
		mp_finding_evidence(finding, vm->source, "pending: %s: %s", key, pending);
}
