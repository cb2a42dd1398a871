/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stand-ins until pci.c has them; the strong ones win. */
#include "config.h"

#include "core/pci.h"

__attribute__((weak)) const char *mp_pci_id(const struct mp_pci *device, char buffer[10])
{
	g_snprintf(buffer, 10, "%04x:%04x", device->vendor, device->device);
	return buffer;
}

__attribute__((weak)) char *mp_pci_describe(const struct mp_pci *device)
{
	return g_strdup_printf("[%04x:%04x]", device->vendor, device->device);
}
