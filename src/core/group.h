/* SPDX-License-Identifier: GPL-2.0-or-later */
/* group.h - an IOMMU group: who is in it, its default domain, its reserved regions. */
#ifndef MP_GROUP_H
#define MP_GROUP_H

#include "core/pci.h"

struct mp_reserved {
	uint64_t start, end; /* inclusive IOVA range */
	const char *type;    /* "msi", "direct", "direct-relaxable", "reserved" */
};

struct mp_group {
	unsigned id;          /* sparse: not an index */
	struct mp_fact type;  /* "DMA", "DMA-FQ", "identity", "unmanaged", "blocked" */
	struct mp_fact reserved_fact;
	const struct mp_reserved *reserved;
	size_t reserved_count;
	GPtrArray *members; /* struct mp_pci * */
	GPtrArray *foreign; /* const char *: names in devices/ that are not PCI functions */
};

struct mp_group *mp_host_group(const struct mp_host *host, unsigned id);

/*
 * Linux' own viability rule, vfio_dev_viable() / vfio_group_viable(): a group may be used
 * by VFIO when each member has no driver, a VFIO driver, pci-stub, or is a PCI bridge
 * (bridges are accepted with pcieport or no driver).
 */
bool mp_group_member_viable(const struct mp_pci *member);

#endif
