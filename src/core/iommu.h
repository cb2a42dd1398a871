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
	struct mp_fact cap, ecap; /* hex without 0x; AMD: cap only */
	struct mp_fact features;  /* AMD EFR, hex without 0x */
	struct mp_fact devices_fact;
	GPtrArray *devices; /* const char * BDF */
};

/* Chips of live interrupts, counted from /proc/interrupts. The IOMMU's own interrupts
 * (DMAR-MSI, IOMMU-MSI, AMD-Vi) are never remapped and count nowhere. */
struct mp_irq_chips {
	struct mp_fact fact; /* UNKNOWN when the file could not be read */
	unsigned remapped;   /* lines with an IR- chip or INTEL-IR / AMD-IR */
	unsigned direct;     /* plain PCI-MSI*, IO-APIC, HPET */
	unsigned remapped_msi, direct_msi;
	const char *sample_remapped, *sample_direct; /* "CHIP (who)" each, or NULL */
};

/* Lines of the kernel log about remapping, without their time. UNKNOWN: the log could not
 * be read. ABSENT: not in the log, which proves nothing. */
struct mp_iommu_log {
	struct mp_fact readable;
	bool complete;             /* it goes back to the first line of the boot */
	const char *text;          /* the log as read; NULL when it could not be read */
	struct mp_fact ir_enabled; /* text: the line; ABSENT: not in the log (may have
				      rotated) */
	struct mp_fact
		ir_refused; /* "Failed to enable irq remapping", "Not enabling ..." */
	struct mp_fact x2apic_opt_out;
	struct mp_fact iommu_enabled;  /* "DMAR: IOMMU enabled", "AMD-Vi: ..." */
	struct mp_fact default_domain; /* "Default domain type: ..." */
	struct mp_fact
		rmrr_refused; /* "Device is ineligible...", "Firmware has requested..." */
	struct mp_fact amd_option; /* "AMD-Vi: Unknown option - 'on'" */
};

/* Global status of one Intel unit, from debugfs. */
struct mp_gsts {
	const char *unit;
	uint32_t value;
};

#define MP_GSTS_TES  (1u << 31) /* DMA translation enabled */
#define MP_GSTS_QIES (1u << 26) /* queued invalidation enabled */
#define MP_GSTS_IRES (1u << 25) /* interrupt remapping enabled */
#define MP_GSTS_CFIS (1u << 23) /* compatibility format interrupts pass: must be 0 */

struct mp_iommu {
	struct mp_fact dmar_fact; /* KNOWN "N bytes" / ABSENT / UNKNOWN (not root) */
	struct mp_dmar *dmar;     /* NULL unless parsed */
	struct mp_fact ivrs_fact;
	struct mp_ivrs *ivrs;
	struct mp_fact madt_fact;
	GArray *ioapics; /* uint8_t: ids in the MADT; NULL unless read to its end */
	struct mp_fact class_fact; /* /sys/class/iommu listed: number of units */
	GPtrArray *units;          /* struct mp_iommu_unit */
	struct mp_irq_chips irq;
	struct mp_iommu_log log;
	struct mp_fact gsts; /* debugfs: GSTS of each unit, "dmar0=0xc7000000 ..." */
	GArray *gsts_units;  /* struct mp_gsts */
	struct mp_fact
		ir_table; /* debugfs: "dmar0=on dmar1=off" (interrupt remapping table) */
	struct mp_fact unsafe_interrupts_vfio; /* vfio_iommu_type1 parameter: "Y"/"N" */
	struct mp_fact unsafe_interrupts_iommufd;
};

/* The unit that translates DEVICE as the kernel sees it, or NULL. */
const struct mp_iommu_unit *mp_iommu_unit_of(
	const struct mp_host *host, const struct mp_pci *device);
/* The bits of addresses that the unit in front of DEVICE can translate; 0: not known. *FACT gets
 * what says so, where there is a unit. */
unsigned mp_iommu_address_bits(const struct mp_host *host, const struct mp_pci *device,
	const struct mp_fact **fact);
/* The unit with registers at BASE, or NULL (Intel). */
const struct mp_iommu_unit *mp_iommu_unit_at(const struct mp_host *host, uint64_t base);

/* The extended features of an AMD unit: "EFR" (to 6.6) or "EFR:EFR2" in hex. False:
 * unknown. */
bool mp_iommu_unit_efr(const struct mp_iommu_unit *unit, uint64_t *efr);

/* --- registers; VT-d specification, 11.4.2 and 11.4.3 --- */

#define MP_CAP_CM     (1ull << 7)  /* caching mode: the unit is emulated */
#define MP_CAP_PI     (1ull << 59) /* posted interrupts */
#define MP_ECAP_C     (1ull << 0)
#define MP_ECAP_QI    (1ull << 1)
#define MP_ECAP_DT    (1ull << 2)
#define MP_ECAP_IR    (1ull << 3)
#define MP_ECAP_EIM   (1ull << 4)
#define MP_ECAP_PT    (1ull << 6)
#define MP_ECAP_SC    (1ull << 7)
#define MP_ECAP_NEST  (1ull << 26)
#define MP_ECAP_PRS   (1ull << 29)
#define MP_ECAP_PASID (1ull << 40)
#define MP_ECAP_SMTS  (1ull << 43)

/* Bits of an address the unit can take: MGAW. */
unsigned mp_cap_mgaw(uint64_t cap);
/* Bits of the widest page table the unit can walk (SAGAW: 39, 48, 57); 0: none. */
unsigned mp_cap_sagaw(uint64_t cap);
/* The largest block of multi-message MSI, in messages (MHMV). */
unsigned mp_ecap_mhmv(uint64_t ecap);
/* The names of the bits that are set and of the fields: "CM, PI, SAGAW 48 bits, ...".
 * Caller frees. */
char *mp_cap_describe(uint64_t cap);
char *mp_ecap_describe(uint64_t ecap);
char *mp_efr_describe(uint64_t efr);

/* --- parsers, for the probe, tests and fuzzing; TEXT ends with a NUL --- */

/* Counts the chips in the text of /proc/interrupts. */
void mp_irq_chips_parse(
	struct mp_host *host, const char *text, struct mp_irq_chips *chips);
/* The same text with the columns of all processors added up to one; caller frees. */
char *mp_interrupts_compact(const char *text);
/* GSTS of each unit from debugfs' iommu_regset, into an array of struct mp_gsts. */
GArray *mp_regset_parse(struct mp_host *host, const char *text);
/* "dmar0=on dmar1=off" from debugfs' ir_translation_struct; caller frees. */
char *mp_ir_table_parse(const char *text);
/* Fills LOG (but for `readable`) from the kernel's log. */
void mp_iommu_log_parse(struct mp_host *host, const char *text, struct mp_iommu_log *log);

/* Where the live host's compacted /proc/interrupts is recorded: the whole has megabytes
 * on a large machine. */
#define MP_PATH_INTERRUPTS "metis-passthrough/interrupts"

/* Parts of the probe. */
void mp_probe_irq(struct mp_host *host, struct mp_root *root, struct mp_iommu *iommu);
void mp_probe_iommu_log(
	struct mp_host *host, struct mp_root *root, struct mp_iommu *iommu);
void mp_probe_iommu_debugfs(
	struct mp_host *host, struct mp_root *root, struct mp_iommu *iommu);

#endif
