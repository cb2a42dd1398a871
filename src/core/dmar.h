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

#define MP_DMAR_FLAG_INTR_REMAP     0x1
#define MP_DMAR_FLAG_X2APIC_OPT_OUT 0x2
#define MP_DMAR_FLAG_DMA_OPT_IN     0x4

enum mp_dmar_type {
	MP_DMAR_DRHD = 0,
	MP_DMAR_RMRR = 1,
	MP_DMAR_ATSR = 2,
	MP_DMAR_RHSA = 3,
	MP_DMAR_ANDD = 4,
	MP_DMAR_SATC = 5,
	MP_DMAR_SIDP = 6,
};

#define MP_DMAR_PATH_MAX 16

struct mp_dmar_scope {
	uint8_t type; /* 1 endpoint 2 bridge 3 IOAPIC 4 HPET 5 ACPI namespace */
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
	const char *problem; /* NULL, or why the walk ended early */
};

/* Allocated from HOST; NULL only when even the header is not there (*problem says why). */
struct mp_dmar *mp_dmar_parse(
	struct mp_host *host, const uint8_t *data, size_t size, const char **problem);

#endif
