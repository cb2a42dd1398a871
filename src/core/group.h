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
	unsigned id;         /* sparse: not an index */
	struct mp_fact type; /* "DMA", "DMA-FQ", "identity", "unmanaged", "blocked" */
	struct mp_fact reserved_fact;
	struct mp_fact
		devices_fact; /* the list of members; not set where links were enough */
	const struct mp_reserved *reserved;
	size_t reserved_count;
	GPtrArray *members; /* struct mp_pci * */
	GPtrArray
		*foreign; /* const char *: names in devices/ that are not PCI functions */
};

struct mp_group *mp_host_group(const struct mp_host *host, unsigned id);

/*
 * The list of members when it could not be read and a device of the host may be a member
 * that we don't know of, because its own link could not be read either; NULL: MEMBERS and
 * FOREIGN are all.
 */
const struct mp_fact *mp_group_unread(
	const struct mp_host *host, const struct mp_group *group);

/*
 * Linux' own rule for one member of a group, since 5.19 (iommu_group_claim_dma_owner() in
 * drivers/iommu/iommu.c): VFIO may own the group when each member has no driver, or one
 * that leaves DMA to others (.driver_managed_dma: the VFIO drivers, pci-stub, pcieport).
 * So a bridge is fine with pcieport or without a driver, but not with, say, shpchp. Older
 * kernels (vfio_dev_viable() in drivers/vfio/vfio.c) let a bridge have any driver.
 * Which of the two rules counts says the release of the running kernel; unknown: the new
 * one. False too when the driver is not known: look at member->driver.know.
 */
bool mp_group_member_viable(const struct mp_host *host, const struct mp_pci *member);
/* True for vfio-pci and the drivers derived from it. */
bool mp_driver_is_vfio(const char *driver);

#endif
