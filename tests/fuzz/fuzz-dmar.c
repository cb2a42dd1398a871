/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "core/acpi.h"
#include "core/dmar.h"
#include "core/host.h"
#include "core/pci.h"
#include "fuzz.h"

/* Bridges whose paths and parents go round in a circle. */
static void add_bridge(
	struct mp_host *host, const char *bdf, uint8_t bus, uint8_t slot, uint8_t below)
{
	struct mp_pci *device = mp_host_alloc(host, sizeof(*device));

	device->bdf = mp_host_str(host, bdf);
	device->bus = bus;
	device->slot = slot;
	device->secondary_bus = below;
	device->parent = device;
	g_ptr_array_add(host->devices, device);
	g_hash_table_insert(host->by_bdf, (void *)device->bdf, device);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autoptr(mp_host) host = mp_host_new("fuzz", false);
	const char *problem = NULL;
	struct mp_dmar *dmar = mp_dmar_parse(host, data, size, &problem);

	mp_madt_ioapics(host, data, size, &problem);
	if (!dmar)
		return 0;
	add_bridge(host, "0000:00:1c.0", 0, 0x1c, 0x85);
	add_bridge(host, "0000:85:00.0", 0x85, 0, 0x85);
	for (guint i = 0; i < host->devices->len; i++)
		mp_dmar_drhd_of(host, dmar, host->devices->pdata[i]);
	for (unsigned id = 0; id < 256; id++)
		mp_dmar_drhd_of_ioapic(dmar, (uint8_t)id);
	return 0;
}

MP_FUZZ_MAIN
