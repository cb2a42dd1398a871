/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "core/fact.h"
#include "core/vm-map.h"
#include "core/vm.h"

#define FOUR_GIB   (4 * MP_GIB)
#define STATIC_MIB 1024 /* $STATICMEM of PVE::QemuServer::Memory */

static uint64_t round_up(uint64_t value, uint64_t to)
{
	return (value + to - 1) / to * to;
}

/* Bounds hostile numbers: far above any machine, far below an overflow. */
static uint64_t bytes_of(uint64_t mib)
{
	return MIN(mib, 1ull << 32) * MP_MIB;
}

/* The most RAM that goes below 4 GiB. Both machines leave more room for 32-bit BARs as soon
 * as RAM must be split anyway, to have both parts begin at a whole GiB. */
static uint64_t low_limit(bool q35, uint64_t ram)
{
	if (q35)
		return ram >= 0xb0000000 ? 0x80000000 : 0xb0000000;
	return ram >= 0xe0000000 ? 0xc0000000 : 0xe0000000;
}

struct mp_vm_map mp_vm_map_make(bool q35, uint64_t memory_mib, uint64_t dimm_mib)
{
	uint64_t ram = bytes_of(memory_mib);
	uint64_t low = MIN(ram, low_limit(q35, ram));
	struct mp_vm_map map = {
		.q35 = q35,
		.low_end = low,
		.high_start = FOUR_GIB,
		.high_end = FOUR_GIB + (ram - low),
	};

	map.dimm_start = round_up(map.high_end, MP_GIB);
	map.dimm_end = map.dimm_start + bytes_of(dimm_mib);
	map.pci64_start = round_up(map.dimm_end, MP_GIB);
	return map;
}

/* foreach_dimm(): 32 of 512 MiB (1 GiB with hugepages of 1 GiB), 32 of twice that, ... */
static uint64_t dimms_for(uint64_t rest, bool gigabyte_pages)
{
	uint64_t total = 0, size = gigabyte_pages ? 1024 : 512;

	for (int round = 0; round < 8; round++, size *= 2)
		for (int i = 0; i < 32; i++) {
			if (total >= rest)
				return total;
			total += size;
		}
	return total;
}

struct mp_vm_map mp_vm_map_of(const struct mp_vm *vm)
{
	bool gigabyte_pages = vm->hugepages && !strcmp(vm->hugepages, "1024");
	uint64_t fixed = STATIC_MIB, sockets = 1;
	const char *text = mp_vm_get(vm, "sockets");

	if (!vm->hotplug_memory)
		return mp_vm_map_make(vm->q35, vm->memory_mib, 0);
	if (gigabyte_pages && text && mp_parse_uint(text, 10, &sockets) && sockets &&
		sockets < 64)
		fixed *= sockets;
	if (vm->memory_mib <= fixed)
		return mp_vm_map_make(vm->q35, fixed, 0);
	return mp_vm_map_make(
		vm->q35, fixed, dimms_for(vm->memory_mib - fixed, gigabyte_pages));
}

uint64_t mp_vm_map_ram_end(const struct mp_vm_map *map)
{
	if (map->dimm_end > map->dimm_start)
		return map->dimm_end;
	return map->high_end > map->high_start ? map->high_end : map->low_end;
}

/* What the machine has below 4 GiB besides RAM; the first that fits. */
static const struct {
	uint64_t start, end;
	enum mp_vm_area area;
} fixed_areas[] = {
	{ 0xa0000, 0xbffff, MP_AREA_VGA },
	{ 0xc0000, 0xfffff, MP_AREA_ROM },
	{ 0xfec00000, 0xfedfffff, MP_AREA_CHIPS },
	{ 0xfee00000, 0xfeefffff, MP_AREA_MSI },
	{ 0xffc00000, 0xffffffff, MP_AREA_FLASH },
};

enum mp_vm_area mp_vm_map_classify(const struct mp_vm_map *map, uint64_t address)
{
	for (size_t i = 0; i < G_N_ELEMENTS(fixed_areas); i++)
		if (address >= fixed_areas[i].start && address <= fixed_areas[i].end)
			return fixed_areas[i].area;
	if (address < map->low_end)
		return MP_AREA_RAM_LOW;
	if (address < FOUR_GIB)
		return MP_AREA_PCI32;
	if (address < map->high_end)
		return MP_AREA_RAM_HIGH;
	if (address >= map->dimm_start && address < map->dimm_end)
		return MP_AREA_RAM_DIMM;
	return address >= map->pci64_start ? MP_AREA_PCI64 : MP_AREA_NOTHING;
}

static const char *const area_names[] = {
	[MP_AREA_RAM_LOW] = "RAM below 4 GiB",
	[MP_AREA_RAM_HIGH] = "RAM above 4 GiB",
	[MP_AREA_RAM_DIMM] = "hot-plugged RAM",
	[MP_AREA_VGA] = "VGA memory",
	[MP_AREA_ROM] = "read-only firmware area",
	[MP_AREA_PCI32] = "32-bit PCI window",
	[MP_AREA_CHIPS] = "chipset registers",
	[MP_AREA_MSI] = "interrupt window",
	[MP_AREA_FLASH] = "firmware flash",
	[MP_AREA_PCI64] = "above all RAM (64-bit PCI window)",
	[MP_AREA_NOTHING] = "gap without memory",
};
G_STATIC_ASSERT(G_N_ELEMENTS(area_names) == MP_AREAS);

const char *mp_vm_area_name(enum mp_vm_area area)
{
	return area_names[area];
}

static void append_range(GString *text, uint64_t start, uint64_t end)
{
	if (end > start)
		g_string_append_printf(text,
			"%s0x%" G_GINT64_MODIFIER "x-0x%" G_GINT64_MODIFIER "x",
			text->len ? ", " : "", start, end - 1);
}

char *mp_vm_map_describe(const struct mp_vm_map *map)
{
	GString *text = g_string_new(NULL);

	append_range(text, 0, map->low_end);
	append_range(text, map->high_start, map->high_end);
	append_range(text, map->dimm_start, map->dimm_end);
	return g_string_free(text, FALSE);
}
