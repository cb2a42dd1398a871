/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * acpi.h - what the ACPI tables have in common, and the little we need of the MADT.
 * Source: ACPI specification 6.5, sections 5.2.6 (header) and 5.2.12 (MADT).
 *
 * All tables are little-endian and unaligned; no reader here looks beyond the size given.
 */
#ifndef MP_ACPI_H
#define MP_ACPI_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define MP_ACPI_HEADER 36u /* bytes of the common header */

struct mp_host;

/* What a table's header says. */
struct mp_acpi_table {
	const uint8_t *data;
	size_t size; /* the part of the table that is really there */
	uint8_t revision;
	bool checksum_ok;
	const char *problem; /* static, or NULL: size and length agree */
};

static inline uint16_t mp_le16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t mp_le32(const uint8_t *p)
{
	return mp_le16(p) | (uint32_t)mp_le16(p + 2) << 16;
}

static inline uint64_t mp_le64(const uint8_t *p)
{
	return mp_le32(p) | (uint64_t)mp_le32(p + 4) << 32;
}

/*
 * Checks the header of a table called SIGNATURE that needs at least MINIMUM bytes before
 * its first structure. False where there is no such table at all: *problem says why.
 */
bool mp_acpi_open(struct mp_acpi_table *table, const uint8_t *data, size_t size,
	const char *signature, size_t minimum, const char **problem);

/*
 * The ids of all I/O APICs in a MADT ("APIC"), as an array of uint8_t that belongs to
 * HOST. NULL when it is no MADT; *problem is set whenever the walk did not reach the end.
 */
GArray *mp_madt_ioapics(
	struct mp_host *host, const uint8_t *data, size_t size, const char **problem);

#endif
