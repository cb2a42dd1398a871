/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "core/pci.h"

struct mp_pci *mp_host_device(const struct mp_host *host, const char *bdf)
{
	return g_hash_table_lookup(host->by_bdf, bdf);
}

bool mp_pci_parse_bdf(const char *text G_GNUC_UNUSED, uint32_t *domain G_GNUC_UNUSED, uint8_t *bus G_GNUC_UNUSED, uint8_t *slot G_GNUC_UNUSED, uint8_t *function G_GNUC_UNUSED)
{
	return false;
}
