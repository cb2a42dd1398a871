/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * iommu.h - the IOMMU as firmware describes it (ACPI DMAR, IVRS), as the kernel drives it
 * (/sys/class/iommu, debugfs) and as interrupts show it (/proc/interrupts, kernel log).
 */
#ifndef MP_IOMMU_H
#define MP_IOMMU_H

#include "core/dmar.h"
#include "core/host.h"
#include "core/ivrs.h"

enum mp_iommu_kind { MP_IOMMU_INTEL, MP_IOMMU_AMD, MP_IOMMU_OTHER };

/* One unit as the kernel shows it in /sys/class/iommu. */
struct mp_iommu_unit {
	const char *name; /* "dmar0", "ivhd0" */
	enum mp_iommu_kind kind;
	struct mp_fact address, version;
	struct mp_fact cap, ecap;     /* Intel: hex without 0x */
	struct mp_fact features;      /* AMD EFR */
	GPtrArray *devices;           /* const char * BDF */
};

/* Chips of live interrupts, counted from /proc/interrupts. */
struct mp_irq_chips {
	struct mp_fact fact; /* UNKNOWN when the file could not be read */
	unsigned remapped;   /* lines with an IR- chip or INTEL-IR / AMD-IR */
	unsigned direct;     /* plain PCI-MSI*, IO-APIC, DMAR excluded */
	unsigned remapped_msi, direct_msi;
	const char *sample_remapped, *sample_direct; /* one chip name each, or NULL */
};

/* Lines of the kernel log about remapping. UNKNOWN: the log could not be read. */
struct mp_iommu_log {
	struct mp_fact readable;
	struct mp_fact ir_enabled;  /* text: the line; ABSENT: not in the log (may have rotated) */
	struct mp_fact ir_refused;  /* "Failed to enable irq remapping", "Not enabling ..." */
	struct mp_fact x2apic_opt_out;
	struct mp_fact iommu_enabled; /* "DMAR: IOMMU enabled", "AMD-Vi: ..." */
	struct mp_fact default_domain; /* "Default domain type: ..." */
	struct mp_fact rmrr_refused; /* "Device is ineligible...", "Firmware has requested..." */
};

struct mp_iommu {
	struct mp_fact dmar_fact; /* KNOWN "N bytes" / ABSENT / UNKNOWN (not root) */
	struct mp_dmar *dmar;     /* NULL unless parsed */
	struct mp_fact ivrs_fact;
	struct mp_ivrs *ivrs;
	struct mp_fact class_fact; /* /sys/class/iommu listed: number of units */
	GPtrArray *units;          /* struct mp_iommu_unit */
	struct mp_irq_chips irq;
	struct mp_iommu_log log;
	struct mp_fact gsts;       /* debugfs: GSTS of each unit, "dmar0=0xc7000000 ..." */
	struct mp_fact unsafe_interrupts_vfio;   /* vfio_iommu_type1 parameter: "Y"/"N" */
	struct mp_fact unsafe_interrupts_iommufd;
};

/* The unit that translates DEVICE as the kernel sees it, or NULL. */
const struct mp_iommu_unit *mp_iommu_unit_of(
	const struct mp_host *host, const struct mp_pci *device);

#endif
