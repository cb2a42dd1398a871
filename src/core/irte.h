/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * irte.h - entries of Intel's interrupt remapping tables that are in use, as debugfs shows
 * them (drivers/iommu/intel/debugfs.c, ir_translation_struct_show()): who may send the
 * message with which handle. Posted entries are listed there too.
 */
#ifndef MP_IRTE_H
#define MP_IRTE_H

#include "core/host.h"

struct mp_pci;

struct mp_irte {
	const char *unit; /* "dmar3" */
	unsigned handle;
	uint8_t bus, slot, function; /* source id; the segment is not told */
	bool posted;
	unsigned vector; /* of remapped ones */
};

struct mp_irtes {
	/* KNOWN: number of entries. ABSENT: no such file (AMD, or a kernel without
	 * CONFIG_INTEL_IOMMU_DEBUGFS). UNKNOWN: not readable. */
	struct mp_fact table;
	GPtrArray *all; /* struct mp_irte */
};

/* All memory belongs to HOST. Never NULL. */
const struct mp_irtes *mp_irtes_read(struct mp_host *host, struct mp_root *root);
/* For the above, tests and fuzzing. */
void mp_irtes_parse(struct mp_host *host, const char *text, struct mp_irtes *irtes);
bool mp_irte_is_of(const struct mp_irte *irte, const struct mp_pci *device);

#endif
