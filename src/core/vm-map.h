/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vm-map.h - where a QEMU x86 machine puts the guest's RAM. A DMA address that a fault shows
 * means something only against this map.
 *
 * Source: QEMU hw/i386/pc_q35.c pc_q35_init(), pc_piix.c pc_init1(), pc.c; memory hotplug as
 * PVE::QemuServer::Memory sets it up (1 GiB at start, the rest as DIMMs).
 */
#ifndef MP_VM_MAP_H
#define MP_VM_MAP_H

#include <stdbool.h>
#include <stdint.h>

#define MP_GIB ((uint64_t)1 << 30)
#define MP_MIB ((uint64_t)1 << 20)

struct mp_host;
struct mp_vm;

struct mp_vm_map {
	bool q35;
	uint64_t low_end;              /* RAM below 4 GiB ends here (exclusive) */
	uint64_t high_start, high_end; /* RAM above 4 GiB; equal: none */
	uint64_t dimm_start, dimm_end; /* hot-plugged RAM; equal: none */
	uint64_t
		device_end; /* what is kept free for it, from dimm_start; equal: nothing */
	/* Where 64-bit BARs go by SeaBIOS, as far as QEMU counts on it. OVMF may put them near
	 * the top of the CPU's addresses instead. */
	uint64_t pci64_start, pci64_end;
};

/* What the map follows from. */
struct mp_vm_layout {
	bool q35;
	uint64_t memory_mib; /* there from the start */
	uint64_t dimm_mib;   /* plugged in */
	uint64_t max_mib;    /* of maxmem=, that of the start included; 0: no hotplug */
	unsigned slots;      /* of slots= */
	bool amd;            /* AMD's CPU, and a machine of QEMU 7.1 or later */
};

enum mp_vm_area {
	MP_AREA_RAM_LOW,
	MP_AREA_RAM_HIGH,
	MP_AREA_RAM_DIMM,
	MP_AREA_VGA,   /* 0xa0000 */
	MP_AREA_ROM,   /* 0xc0000: read-only for devices */
	MP_AREA_PCI32, /* from the top of low RAM */
	MP_AREA_CHIPS, /* IOAPIC, HPET, vIOMMU registers */
	MP_AREA_MSI,   /* 0xfee00000: interrupts, never memory */
	MP_AREA_FLASH,
	MP_AREA_PCI64,
	MP_AREA_NOTHING, /* a gap */
	MP_AREAS
};

struct mp_vm_map mp_vm_map_lay(const struct mp_vm_layout *layout);
/* MEMORY_MIB of RAM that is there from the start, DIMM_MIB plugged in later. */
struct mp_vm_map mp_vm_map_make(bool q35, uint64_t memory_mib, uint64_t dimm_mib);
/* The map of a configuration on HOST: its CPU decides how much may be plugged in, and whether
 * RAM above 4 GiB moves above 1 TiB. HOST NULL: Intel, no limit of the CPU's. */
struct mp_vm_map mp_vm_map_on(const struct mp_host *host, const struct mp_vm *vm);
/* That with HOST NULL. */
struct mp_vm_map mp_vm_map_of(const struct mp_vm *vm);
/* The first address above all RAM. */
uint64_t mp_vm_map_ram_end(const struct mp_vm_map *map);
enum mp_vm_area mp_vm_map_classify(const struct mp_vm_map *map, uint64_t address);
/* "RAM above 4 GiB" */
const char *mp_vm_area_name(enum mp_vm_area area);
/* "0x0-0xbfffffff, 0x100000000-0x13fffffff"; caller frees. */
char *mp_vm_map_describe(const struct mp_vm_map *map);

#endif
