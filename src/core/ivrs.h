/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ivrs.h - the ACPI IVRS table: AMD-Vi as firmware describes it.
 * Source: AMD I/O Virtualization Technology specification, chapter 5; Linux
 * drivers/iommu/amd/init.c. Bounded as dmar.h.
 */
#ifndef MP_IVRS_H
#define MP_IVRS_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct mp_host;

struct mp_ivhd {
	uint8_t type; /* 0x10, 0x11, 0x40 */
	uint8_t flags;
	uint16_t device_id, segment;
	uint64_t base;
	uint64_t efr; /* 0 for type 0x10 */
	unsigned entries;
};

struct mp_ivmd {
	uint8_t type; /* 0x20 all, 0x21 one, 0x22 range */
	uint8_t flags; /* bit 0 unity map, 1 IR, 2 IW, 3 exclusion */
	uint16_t device_id, aux;
	uint64_t start, length;
};

struct mp_ivrs {
	uint8_t revision;
	uint32_t ivinfo;
	bool checksum_ok;
	GArray *ivhd; /* struct mp_ivhd */
	GArray *ivmd; /* struct mp_ivmd */
	const char *problem;
};

struct mp_ivrs *mp_ivrs_parse(
	struct mp_host *host, const uint8_t *data, size_t size, const char **problem);

#endif
