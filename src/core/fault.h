/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fault.h - IOMMU faults in the kernel's log: Intel DMA remapping and interrupt remapping,
 * AMD-Vi, in the wordings of all kernels since 3.x. The lines are hostile input.
 *
 * event.h parses the same lines, and more, for `diagnose`. The self-test keeps this one: it
 * asks of each single line of the live kernel, as it comes, whether it is the fault that it
 * provoked (klog.h), where event.h gives an event of two lines only once the second has come
 * or the log has ended; and it shows the line itself as evidence, which event.h lends no
 * longer than its sink runs. To make one of both takes a test in the lab on each IOMMU.
 *
 * Sources of the forms: drivers/iommu/intel/dmar.c (dmar_fault_do_one()),
 * drivers/iommu/amd/iommu.c (iommu_print_event()).
 */
#ifndef MP_FAULT_H
#define MP_FAULT_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

enum mp_fault_kind {
	MP_FAULT_DMA,        /* a transfer was blocked */
	MP_FAULT_INTERRUPT,  /* an interrupt message was blocked */
	MP_FAULT_SUPPRESSED, /* "N callbacks suppressed": count faults were not logged */
	MP_FAULT_OTHER,      /* an AMD event of another kind */
};

enum mp_fault_unit { MP_FAULT_INTEL, MP_FAULT_AMD };

struct mp_fault {
	enum mp_fault_kind kind;
	enum mp_fault_unit unit;
	char event[40]; /* AMD: "IO_PAGE_FAULT"; Intel: "" */
	bool has_source;
	bool has_domain; /* the line named the PCI segment */
	uint32_t domain;
	uint8_t bus, slot, function;
	bool write;
	bool has_address;
	uint64_t address;
	bool has_index; /* interrupts: IRTE index */
	uint32_t index;
	bool has_reason;
	uint32_t reason; /* Intel: as in the fault record; AMD: flags */
	bool has_pasid;
	uint32_t pasid;
	uint64_t suppressed;
	const char *line; /* where it stands; into the text parsed */
	size_t line_length;
};

/* Parses one line (without its end). False: no fault. */
bool mp_fault_parse(const char *line, size_t length, struct mp_fault *fault);
/* All faults of TEXT in order (struct mp_fault; borrow from TEXT). Old kernels' two-line form
 * is one fault. Free with g_array_unref(). */
GArray *mp_faults_parse(const char *text, size_t size);
/* True if the line's source can be the function at DOMAIN:bus:slot.function. */
bool mp_fault_is_of(const struct mp_fault *fault, uint32_t domain, uint8_t bus,
	uint8_t slot, uint8_t function);
/* "PTE Write access is not set", by the number; NULL: not a known one. */
const char *mp_fault_reason_text(uint32_t intel_reason);

#endif
