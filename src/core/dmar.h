/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dmar.h - the ACPI DMAR table: Intel VT-d as firmware describes it.
 * Source: Intel VT-d specification, chapter 8; Linux drivers/iommu/intel/dmar.c.
 *
 * The parser is bounded by the bytes given and never reads beyond; a structure that makes
 * no sense ends the walk and is told in `problem`, what was read before it stays.
 */
#ifndef MP_DMAR_H
#define MP_DMAR_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct mp_host;
struct mp_pci;

#define MP_DMAR_FLAG_INTR_REMAP     0x1
#define MP_DMAR_FLAG_X2APIC_OPT_OUT 0x2
#define MP_DMAR_FLAG_DMA_OPT_IN     0x4

#define MP_DRHD_INCLUDE_PCI_ALL 0x1

enum mp_dmar_type {
	MP_DMAR_DRHD = 0,
	MP_DMAR_RMRR = 1,
	MP_DMAR_ATSR = 2,
	MP_DMAR_RHSA = 3,
	MP_DMAR_ANDD = 4,
	MP_DMAR_SATC = 5,
	MP_DMAR_SIDP = 6,
};

enum mp_scope_type {
	MP_DMAR_SCOPE_ENDPOINT = 1,
	MP_DMAR_SCOPE_BRIDGE = 2, /* and everything below it */
	MP_DMAR_SCOPE_IOAPIC = 3,
	MP_DMAR_SCOPE_HPET = 4,
	MP_DMAR_SCOPE_NAMESPACE = 5,
};

#define MP_DMAR_PATH_MAX 16

struct mp_dmar_scope {
	uint8_t type; /* enum mp_scope_type */
	uint8_t enumeration_id;
	uint8_t bus; /* start bus number */
	unsigned path_length;
	struct {
		uint8_t device, function;
	} path[MP_DMAR_PATH_MAX];
};

struct mp_dmar_unit { /* one remapping structure of any type */
	enum mp_dmar_type type;
	uint8_t flags; /* DRHD: bit 0 INCLUDE_PCI_ALL */
	uint16_t segment;
	uint64_t base, limit; /* DRHD: register base; RMRR: inclusive range */
	GArray *scopes;       /* struct mp_dmar_scope, or NULL */
};

struct mp_dmar {
	uint8_t revision, address_width; /* bits */
	uint8_t flags;
	bool checksum_ok;
	GPtrArray *units;    /* struct mp_dmar_unit */
	unsigned unknown;    /* structures of types that we don't know: skipped */
	const char *problem; /* NULL, or why the walk ended early */
};

/* Allocated from HOST; NULL only when even the header is not there (*problem says why).
 */
struct mp_dmar *mp_dmar_parse(
	struct mp_host *host, const uint8_t *data, size_t size, const char **problem);

/* The number of structures of TYPE. */
unsigned mp_dmar_count(const struct mp_dmar *dmar, enum mp_dmar_type type);

/* --- which structure speaks of which device (dmar-scope.c) --- */

/*
 * The function that SCOPE points at, found by walking its path through the secondary bus
 * numbers of the bridges that HOST has; NULL: not there, as the kernel's "Device scope
 * device not found".
 */
const struct mp_pci *mp_dmar_scope_target(
	const struct mp_host *host, uint16_t segment, const struct mp_dmar_scope *scope);
/*
 * True if UNIT lists DEVICE, its physical function, or a bridge above it, in its scopes:
 * the rule of the kernel's dmar_pci_device_match() and is_downstream_to_pci_bridge().
 */
bool mp_dmar_unit_names(const struct mp_host *host, const struct mp_dmar_unit *unit,
	const struct mp_pci *device);
/* The DRHD that covers DEVICE: an explicit scope comes before INCLUDE_PCI_ALL. Or NULL.
 */
const struct mp_dmar_unit *mp_dmar_drhd_of(const struct mp_host *host,
	const struct mp_dmar *dmar, const struct mp_pci *device);
/* The DRHD whose scopes hold the I/O APIC with this id, or NULL. */
const struct mp_dmar_unit *mp_dmar_drhd_of_ioapic(const struct mp_dmar *dmar, uint8_t id);

#endif
