/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The resource mapping: one entry for each card of this node. What PVE::Mapping::PCI
 * assert_valid() compares at each start of a VM is taken from the hardware: id, path, group
 * and subsystem, each of which has to be there where the hardware has it.
 */
#include "config.h"

#include <string.h>

#include "core/group.h"
#include "core/plan/guest.h"
#include "core/vm-keys.h"

struct mapping_plan {
	struct mp_plan *plan;
	const struct mp_wish *wish;
	const char *subject;
	const char *node;
	const struct mp_mapping *mapping; /* as it is, or NULL */
	GPtrArray *cards;
	GPtrArray *replaced; /* struct mp_mapping_entry *: become a card's */
	bool created;        /* an earlier step makes the mapping */
};

/* What the hardware says of CARD; false, with an obstacle, where it cannot be told. */
static bool read_card(
	const struct mapping_plan *m, const struct mp_plan_card *card, char **group)
{
	const struct mp_pci *device = card->device;

	if (mp_pci_id_unknown(device) || device->subvendor == 0xffff) {
		mp_plan_add_obstacle(m->plan, device->bdf,
			"run this as root on the node itself",
			"the ids of %s could not be read, and a mapping must name them",
			device->bdf);
		return false;
	}
	if (!device->group) {
		bool off = device->group_fact.know == MP_ABSENT;

		mp_plan_add_obstacle(m->plan, device->bdf,
			off ? "set the host up without --mapping first, reboot, then run "
			      "this again with it"
			    : "run this as root on the node itself",
			off ? "%s is in no IOMMU group yet, and a mapping must name its group"
			    : "the IOMMU group of %s could not be read, and a mapping must "
			      "name it",
			device->bdf);
		return false;
	}
	*group = g_strdup_printf("%u", device->group->id);
	return true;
}

static bool is_right(const struct mp_mapping_entry *entry,
	const struct mp_plan_card *card, const char *group)
{
	const struct mp_pci *device = card->device;
	g_autofree char *subsystem =
		g_strdup_printf("%04x:%04x", device->subvendor, device->subdevice);
	char id[10];

	return !g_strcmp0(entry->id, mp_pci_id(device, id)) &&
	       !g_strcmp0(entry->iommugroup, group) &&
	       !g_strcmp0(entry->subsystem_id, subsystem);
}

/* In the order in which Proxmox VE's own interface writes them. */
static char *map_of(const struct mapping_plan *m, const struct mp_plan_card *card,
	const char *group, const char *description)
{
	const struct mp_pci *device = card->device;
	char id[10];

	return g_strdup_printf(
		"%s%s%sid=%s,iommugroup=%s,node=%s,path=%s,subsystem-id=%04x:%04x",
		description ? "description=" : "", description ? description : "",
		description ? "," : "", mp_pci_id(device, id), group, m->node, card->path,
		device->subvendor, device->subdevice);
}

static const struct mp_mapping_entry *entry_at(
	const struct mapping_plan *m, const char *path)
{
	for (guint i = 0; m->mapping && i < m->mapping->entries->len; i++) {
		const struct mp_mapping_entry *entry = m->mapping->entries->pdata[i];

		if (!strcmp(entry->node, m->node) && !strcmp(entry->path, path))
			return entry;
	}
	return NULL;
}

/* The device of this host that ENTRY means, by its first path; NULL: there is none. */
static const struct mp_pci *device_of(
	const struct mapping_plan *m, const struct mp_mapping_entry *entry)
{
	g_autofree char *first = g_strndup(entry->path, strcspn(entry->path, ";"));
	g_autofree char *full = g_strconcat(first, strchr(first, '.') ? "" : ".0", NULL);

	return mp_host_device(m->wish->host, full);
}

/* An entry of this node for such a card at an address where there is none any more. */
static const struct mp_mapping_entry *moved_entry(
	const struct mapping_plan *m, const struct mp_plan_card *card)
{
	char id[10];

	mp_pci_id(card->device, id);
	for (guint i = 0; m->mapping && i < m->mapping->entries->len; i++) {
		const struct mp_mapping_entry *entry = m->mapping->entries->pdata[i];

		if (!strcmp(entry->node, m->node) && !g_ascii_strcasecmp(entry->id, id) &&
			!device_of(m, entry) &&
			!g_ptr_array_find(m->replaced, entry, NULL))
			return entry;
	}
	return NULL;
}

static void promise(const struct mapping_plan *m, const char *map)
{
	json_object *object = json_object_new_object();

	json_object_object_add(object, "name", json_object_new_string(m->wish->mapping));
	json_object_object_add(object, "node", json_object_new_string(m->node));
	json_object_object_add(object, "map", json_object_new_string(map));
	mp_plan_promise(m->plan, "mapping", object);
}

static void plan_card(struct mapping_plan *m, const struct mp_plan_card *card)
{
	const struct mp_mapping_entry *entry, *moved = NULL;
	g_autofree char *group = NULL;
	g_autofree char *map = NULL;
	g_autofree char *why = NULL;

	if (!read_card(m, card, &group))
		return;
	entry = entry_at(m, card->path);
	if (entry && is_right(entry, card, group)) {
		promise(m, entry->raw);
		return;
	}
	if (!entry)
		moved = moved_entry(m, card);
	if (moved)
		g_ptr_array_add(m->replaced, (gpointer)moved);
	if (entry)
		moved = entry;
	map = map_of(m, card, group, moved ? moved->description : NULL);
	why = entry   ? g_strdup_printf("the entry for %s does not fit the hardware, and "
					  "Proxmox VE refuses to start a VM with it",
				card->path)
	      : moved ? g_strdup_printf("the card that was at %s is at %s now",
				moved->path, card->path)
		      : g_strdup_printf(
				"VMs name the card by '%s', on each node that has "
				"one, and not by an address of this node",
				m->wish->mapping);
	g_ptr_array_add(
		m->plan->steps, mp_step_mapping_new(m->wish->mapping, m->node, card->path,
					map, moved && moved != entry ? moved->path : NULL,
					!m->mapping && !m->created, why));
	m->created = true;
	promise(m, map);
}

/* Of several entries of a node Proxmox VE checks each, and one that is wrong is enough for
 * it to refuse the VM's start. */
static void judge_others(const struct mapping_plan *m)
{
	for (guint i = 0; m->mapping && i < m->mapping->entries->len; i++) {
		const struct mp_mapping_entry *entry = m->mapping->entries->pdata[i];

		if (strcmp(entry->node, m->node) != 0 || device_of(m, entry) ||
			g_ptr_array_find(m->replaced, entry, NULL))
			continue;
		mp_plan_add_obstacle(m->plan, m->subject,
			"take it out under Datacenter > Resource Mappings",
			"the mapping has %s for this node too, where there is no device: "
			"Proxmox VE would not start a VM with it",
			entry->path);
	}
}

static bool may_be(const struct mapping_plan *m)
{
	if (!mp_vm_is_config_id(m->wish->mapping)) {
		mp_plan_add_obstacle(m->plan, m->subject,
			"choose another: a letter, then letters, digits, '-' and '_', two "
			"characters at least",
			"'%s' is no name for a resource mapping", m->wish->mapping);
		return false;
	}
	if (!mp_plan_has_pve(m->plan, m->wish, m->subject))
		return false;
	if (m->wish->host->guests->mappings_fact.know == MP_UNKNOWN) {
		mp_plan_add_obstacle(m->plan, m->subject,
			"run this as root on the node itself",
			"the mappings of Proxmox VE could not be read: %s",
			m->wish->host->guests->mappings_fact.why);
		return false;
	}
	if (m->mapping && m->mapping->problem) {
		mp_plan_add_obstacle(m->plan, m->subject,
			"delete it under Datacenter > Resource Mappings, or choose another "
			"name",
			"Proxmox VE ignores this mapping as it is (%s)",
			m->mapping->problem);
		return false;
	}
	if (m->mapping && m->mapping->mdev) {
		mp_plan_add_obstacle(m->plan, m->subject, "choose another name",
			"this mapping is for mediated devices, not for whole cards");
		return false;
	}
	return true;
}

void mp_plan_mapping(struct mp_plan *plan, const struct mp_wish *wish)
{
	g_autoptr(GPtrArray) cards = NULL;
	g_autoptr(GPtrArray) replaced = NULL;
	g_autofree char *subject = NULL;
	struct mapping_plan m = { .plan = plan, .wish = wish };

	if (!wish->mapping)
		return;
	subject = g_strdup_printf("mapping %s", wish->mapping);
	m.subject = subject;
	m.mapping = mp_host_mapping(wish->host, wish->mapping);
	if (!may_be(&m))
		return;
	m.node = wish->host->guests->node.text;
	cards = mp_plan_cards(wish);
	replaced = g_ptr_array_new();
	m.cards = cards;
	m.replaced = replaced;
	for (guint i = 0; i < cards->len; i++)
		plan_card(&m, cards->pdata[i]);
	judge_others(&m);
}
