/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a PCI function sits: the bridge above it and the physical slot. */
#include "config.h"

#include <string.h>

#include "core/probe-pci.h"

#define PATH_SLOTS "sys/bus/pci/slots"

/*
 * In the target of the link sys/bus/pci/devices/BDF, the directory above the device is
 * the bridge, or the root bus ("pci0000:00"):
 * "../../../devices/pci0000:00/0000:00:01.0/BDF".
 */
static struct mp_pci *parent_in_path(
	const struct mp_host *host, const char *target, bool *unknown)
{
	const char *last = strrchr(target, '/');
	const char *above = last ? memrchr(target, '/', (size_t)(last - target)) : NULL;

	*unknown = true;
	if (!above)
		return NULL;
	g_autofree char *name = g_strndup(above + 1, (gsize)(last - above - 1));

	*unknown = !g_str_has_prefix(name, "pci");
	return g_hash_table_lookup(host->by_bdf, name);
}

/* Links may lie in a copied host. The links made so far form no cycle, so this ends. */
static bool is_above(const struct mp_pci *device, const struct mp_pci *maybe_below)
{
	for (; maybe_below; maybe_below = maybe_below->parent)
		if (maybe_below == device)
			return true;
	return false;
}

static void set_parent(struct mp_host *host, struct mp_pci *device, struct mp_pci *parent)
{
	if (!parent || is_above(device, parent))
		return;
	device->parent = parent;
	if (!parent->children)
		parent->children = mp_host_array(host);
	g_ptr_array_add(parent->children, device);
}

static gpointer bus_key(uint32_t domain, uint8_t bus)
{
	return GSIZE_TO_POINTER((gsize)domain << 8 | bus);
}

/* Bridges by the bus right behind them, for hosts whose links were not captured. */
static GHashTable *bridges_by_bus(
	struct mp_host *host, struct mp_root *root, unsigned topics)
{
	GHashTable *table = g_hash_table_new(NULL, NULL);

	for (guint i = 0; i < host->devices->len; i++) {
		struct mp_pci *device = host->devices->pdata[i];

		if (!mp_pci_is_bridge(device))
			continue;
		if (!(topics & MP_TOPIC_DETAILS) && !device->config) {
			g_autofree char *path = g_strconcat(device->dir, "/config", NULL);
			size_t size = 0;
			char *data = NULL;

			if (mp_root_read(root, path, 4096, &data, &size) < 0)
				continue;
			device->config = mp_host_own(host, data, g_free);
			device->config_size = size;
			mp_pci_parse_header(device);
		}
		/* 0 is never behind a bridge: not configured, or not readable. */
		if (device->secondary_bus > device->bus)
			g_hash_table_insert(table,
				bus_key(device->domain, device->secondary_bus), device);
	}
	return table;
}

void mp_probe_pci_tree(struct mp_host *host, struct mp_root *root, unsigned topics)
{
	g_autoptr(GHashTable) bridges = NULL;
	g_autoptr(mp_dir) dir = NULL;

	if (mp_root_dir(root, MP_PATH_PCI_DEVICES, &dir) < 0)
		return;
	for (guint i = 0; i < host->devices->len; i++) {
		struct mp_pci *device = host->devices->pdata[i];
		g_autofree char *target = NULL;

		if (mp_dir_readlink(dir, device->bdf, &target) == 0) {
			set_parent(host, device,
				parent_in_path(host, target, &device->place_unknown));
			continue;
		}
		if (!bridges)
			bridges = bridges_by_bus(host, root, topics);
		set_parent(host, device,
			g_hash_table_lookup(
				bridges, bus_key(device->domain, device->bus)));
		/* Bus 0 of a domain is behind no bridge. */
		device->place_unknown = device->bus != 0;
	}
}

/* --- physical slots --- */

#define WHOLE_BUS 0xff

static gpointer slot_key(uint32_t domain, uint8_t bus, uint8_t slot)
{
	return GSIZE_TO_POINTER((gsize)domain << 16 | (gsize)bus << 8 | slot);
}

/* "0000:86:00", or "0000:86" for a slot that is the whole bus (slot.c:
 * address_read_file()). */
static bool parse_slot(const char *address, gpointer *key)
{
	g_autofree char *device = g_strconcat(address, ".0", NULL);
	g_autofree char *whole = g_strconcat(address, ":00.0", NULL);
	uint8_t bus, slot, function;
	uint32_t domain;

	/* Three parts first: with two, "0000:86.0" is no address either. */
	if (strchr(address, ':') != strrchr(address, ':')) {
		if (!mp_pci_parse_bdf(device, &domain, &bus, &slot, &function))
			return false;
		*key = slot_key(domain, bus, slot);
		return true;
	}
	if (!mp_pci_parse_bdf(whole, &domain, &bus, &slot, &function))
		return false;
	*key = slot_key(domain, bus, WHOLE_BUS);
	return true;
}

void mp_probe_pci_slots(struct mp_host *host, struct mp_root *root)
{
	g_autoptr(GHashTable) slots = g_hash_table_new_full(NULL, NULL, NULL, g_free);
	g_auto(GStrv) names = NULL;
	int err = mp_root_list(root, PATH_SLOTS, &names);
	struct mp_fact none = err < 0 ? mp_fact_errno(host, "/" PATH_SLOTS, err)
				      : mp_fact_absent(host, "/" PATH_SLOTS);

	for (char **name = names; name && *name; name++) {
		g_autofree char *path =
			g_strconcat(PATH_SLOTS "/", *name, "/address", NULL);
		struct mp_fact address = mp_fact_read(host, root, path);
		gpointer key;

		if (address.know == MP_KNOWN && parse_slot(address.text, &key))
			g_hash_table_replace(slots, key, g_strdup(*name));
	}
	for (guint i = 0; i < host->devices->len; i++) {
		struct mp_pci *device = host->devices->pdata[i];
		const char *name = g_hash_table_lookup(
			slots, slot_key(device->domain, device->bus, device->slot));

		if (!name)
			name = g_hash_table_lookup(
				slots, slot_key(device->domain, device->bus, WHOLE_BUS));
		device->slot_name = none;
		if (!name)
			continue;
		g_autofree char *clean = mp_clean_text(name, strlen(name));
		g_autofree char *source =
			g_strconcat("/" PATH_SLOTS "/", clean, "/address", NULL);
		device->slot_name = mp_fact_known(host, source, clean);
	}
}
