/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which devices of this host the hostpci lines of a VM mean: PVE::QemuServer::PCI
 * parse_hostpci(), PVE::SysFSTools::lspci(), PVE::Mapping::PCI find_on_current_node(). */
#include "config.h"

#include <string.h>

#include "core/pci.h"
#include "core/vm-keys.h"
#include "core/vm.h"

static void add_once(GPtrArray *array, void *item)
{
	if (!g_ptr_array_find(array, item, NULL))
		g_ptr_array_add(array, item);
}

/* ADDRESS without a function stands for all functions, without a domain for domain 0000.
 * Names are compared as strings, as PVE does. */
static void resolve_address(
	struct mp_host *host, struct mp_hostpci *entry, const char *address)
{
	const char *colon = strchr(address, ':');
	bool domain = colon && strchr(colon + 1, ':');
	bool function = strchr(address, '.') != NULL;
	g_autofree char *full =
		g_strconcat(domain ? "" : "0000:", address, function ? "" : ".", NULL);
	bool found = false;

	for (guint i = 0; i < host->devices->len; i++) {
		struct mp_pci *device = host->devices->pdata[i];

		if (function ? strcmp(device->bdf, full) != 0
			     : !g_str_has_prefix(device->bdf, full))
			continue;
		add_once(entry->devices, device);
		found = true;
	}
	if (!found)
		g_ptr_array_add(entry->missing, (void *)mp_host_str(host, address));
}

static void resolve_mapping(struct mp_host *host, struct mp_hostpci *entry)
{
	const struct mp_mapping *mapping = mp_host_mapping(host, entry->mapping);

	if (!mapping || mapping->problem || host->guests->node.know != MP_KNOWN)
		return;
	for (guint i = 0; i < mapping->entries->len; i++) {
		const struct mp_mapping_entry *map = mapping->entries->pdata[i];

		if (!map->path || g_strcmp0(map->node, host->guests->node.text) != 0)
			continue;
		g_auto(GStrv) paths = g_strsplit(map->path, ";", -1);
		for (char **path = paths; *path; path++)
			if (**path)
				resolve_address(host, entry, *path);
	}
}

void mp_vm_resolve(struct mp_host *host, struct mp_vm *vm)
{
	for (guint i = 0; i < vm->hostpci->len; i++) {
		struct mp_hostpci *entry = vm->hostpci->pdata[i];

		g_ptr_array_set_size(entry->devices, 0);
		g_ptr_array_set_size(entry->missing, 0);
		for (guint h = 0; h < entry->hosts->len; h++)
			resolve_address(host, entry, entry->hosts->pdata[h]);
		if (entry->mapping && host->guests)
			resolve_mapping(host, entry);
	}
	if (vm->next != vm)
		mp_vm_resolve(host, vm->next);
}
