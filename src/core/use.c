/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "core/pci.h"
#include "core/use.h"

static const char *const kind_names[] = {
	[MP_USE_MOUNT] = "mount",
	[MP_USE_SWAP] = "swap",
	[MP_USE_STORAGE] = "storage",
	[MP_USE_NETWORK] = "network",
	[MP_USE_DISPLAY] = "display",
	[MP_USE_OPEN] = "open",
	[MP_USE_VM] = "vm",
	[MP_USE_SRIOV] = "sriov",
};
G_STATIC_ASSERT(G_N_ELEMENTS(kind_names) == MP_USE_KINDS);

const char *mp_use_kind_name(enum mp_use_kind kind)
{
	return kind_names[kind];
}

GPtrArray *mp_use_of(const struct mp_host *host, const struct mp_pci *device)
{
	GPtrArray *found = g_ptr_array_new();

	for (guint i = 0; host->use && i < host->use->entries->len; i++) {
		struct mp_use_entry *entry = host->use->entries->pdata[i];

		if (!strcmp(entry->bdf, device->bdf))
			g_ptr_array_add(found, entry);
	}
	return found;
}
