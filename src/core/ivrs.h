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
struct mp_pci;

/* Bits of the EFR (MMIO offset 30h), which `features` in sysfs shows and types 11h and
 * 40h carry. */
#define MP_EFR_PREFETCH (1ull << 0)
#define MP_EFR_PPR      (1ull << 1)
#define MP_EFR_XT       (1ull << 2) /* x2APIC destinations */
#define MP_EFR_NX       (1ull << 3)
#define MP_EFR_GT       (1ull << 4)
#define MP_EFR_IA       (1ull << 6)
#define MP_EFR_GA       (1ull << 7) /* guest virtual APIC: AVIC can post interrupts */
#define MP_EFR_HE       (1ull << 8)
#define MP_EFR_PC       (1ull << 9)

/* Flags of an IVMD. */
#define MP_IVMD_UNITY     0x01
#define MP_IVMD_IR        0x02
#define MP_IVMD_IW        0x04
#define MP_IVMD_EXCLUSION 0x08

/* Device ids are bus << 8 | slot << 3 | function. */
struct mp_ivrs_range {
	uint16_t first, last;
	bool aliased; /* requests come under the id below */
	uint16_t alias;
};

struct mp_ivrs_special {
	uint8_t variety; /* 1 I/O APIC, 2 HPET */
	uint8_t handle;  /* the I/O APIC's id, the HPET's number */
	uint16_t device_id;
};

struct mp_ivhd {
	uint8_t type; /* 0x10, 0x11, 0x40 */
	uint8_t flags;
	uint16_t device_id, segment;
	uint64_t base;
	uint64_t efr; /* 0 for type 0x10 */
	unsigned entries;
	GArray *ranges;   /* struct mp_ivrs_range */
	GArray *specials; /* struct mp_ivrs_special */
};

struct mp_ivmd {
	uint8_t type;  /* 0x20 all, 0x21 one, 0x22 range */
	uint8_t flags; /* bit 0 unity map, 1 IR, 2 IW, 3 exclusion */
	uint16_t device_id, aux, segment;
	uint64_t start, length;
};

struct mp_ivrs {
	uint8_t revision;
	uint32_t ivinfo;
	bool checksum_ok;
	GArray *ivhd;     /* struct mp_ivhd */
	GArray *ivmd;     /* struct mp_ivmd */
	unsigned unknown; /* blocks of types that we don't know: skipped */
	const char *problem;
};

struct mp_ivrs *mp_ivrs_parse(
	struct mp_host *host, const uint8_t *data, size_t size, const char **problem);

/*
 * The type of the blocks that Linux reads: firmware repeats each unit for older systems,
 * and Linux takes the type in which the first unit comes last (despite its name,
 * get_highest_supported_ivhd_type). 0: no block at all.
 */
uint8_t mp_ivrs_type(const struct mp_ivrs *ivrs);
/* The number of units: blocks of that type. */
unsigned mp_ivrs_units(const struct mp_ivrs *ivrs);
/* The unit that covers DEVICE, or NULL. */
const struct mp_ivhd *mp_ivrs_ivhd_of(
	const struct mp_ivrs *ivrs, const struct mp_pci *device);
/* True if IVMD reserves memory for DEVICE. */
bool mp_ivmd_names(const struct mp_ivmd *ivmd, const struct mp_pci *device);
/* True if some unit names an I/O APIC with this id. */
bool mp_ivrs_has_ioapic(const struct mp_ivrs *ivrs, uint8_t id);
/* True if some unit names the I/O APIC of the south bridge (00:14.0), without which Linux
 * leaves interrupt remapping off. */
bool mp_ivrs_has_southbridge_ioapic(const struct mp_ivrs *ivrs);

#endif
