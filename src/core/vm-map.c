/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "core/platform.h"
#include "core/vm-map.h"
#include "core/vm.h"

#define FOUR_GIB   (4 * MP_GIB)
#define STATIC_MIB 1024 /* $STATICMEM of PVE::QemuServer::Memory */
#define SLOTS      255  /* of its -m */

/* Addresses of HyperTransport, which AMD's IOMMU does not translate (hw/i386/pc.c). */
#define AMD_HT_START 0xfd00000000
#define ONE_TIB      (1024 * MP_GIB)

/* The size of the window for 64-bit BARs: hw/pci-host/q35.c, i440fx.c. */
#define HOLE64_Q35    (32 * MP_GIB)
#define HOLE64_I440FX (2 * MP_GIB)

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

/* All that lies above the low RAM, from START on. */
static void lay_high(
	struct mp_vm_map *map, const struct mp_vm_layout *layout, uint64_t start)
{
	uint64_t ram = bytes_of(layout->memory_mib);
	uint64_t most = bytes_of(layout->max_mib);

	map->high_start = start;
	map->high_end = start + (ram - map->low_end);
	map->dimm_start = round_up(map->high_end, MP_GIB);
	map->dimm_end = map->dimm_start + bytes_of(layout->dimm_mib);
	map->device_end = map->dimm_start;
	/* pc_get_device_memory_range(): each slot may need to be aligned to a GiB. */
	if (most > ram)
		map->device_end += most - ram + layout->slots * MP_GIB;
	map->device_end = MAX(map->device_end, map->dimm_end);
	map->pci64_start = round_up(map->device_end, MP_GIB);
	map->pci64_end = map->pci64_start + (layout->q35 ? HOLE64_Q35 : HOLE64_I440FX);
}

struct mp_vm_map mp_vm_map_lay(const struct mp_vm_layout *layout)
{
	uint64_t ram = bytes_of(layout->memory_mib);
	struct mp_vm_map map = {
		.q35 = layout->q35,
		.low_end = MIN(ram, low_limit(layout->q35, ram)),
	};

	lay_high(&map, layout, FOUR_GIB);
	if (layout->amd && map.pci64_end > AMD_HT_START)
		lay_high(&map, layout, ONE_TIB);
	return map;
}

struct mp_vm_map mp_vm_map_make(bool q35, uint64_t memory_mib, uint64_t dimm_mib)
{
	const struct mp_vm_layout layout = {
		.q35 = q35,
		.memory_mib = memory_mib,
		.dimm_mib = dimm_mib,
	};

	return mp_vm_map_lay(&layout);
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

/* "host,phys-bits=40": the type, or the value of KEY; caller frees. */
static char *cpu_part(const struct mp_vm *vm, const char *key)
{
	g_auto(GStrv) parts = g_strsplit(vm->cpu ? vm->cpu : "", ",", -1);
	g_autofree char *prefix = g_strconcat(key, "=", NULL);

	for (char **part = parts; *part; part++)
		if (g_str_has_prefix(*part, prefix) ||
			(!strchr(*part, '=') && !strcmp(key, "cputype")))
			return g_strdup(
				strchr(*part, '=') ? strchr(*part, '=') + 1 : *part);
	return NULL;
}

/* get_max_mem() of PVE::QemuServer::Memory: half of what the CPU's addresses reach, 4 TiB at
 * most. */
static uint64_t max_mib_of(const struct mp_host *host, const struct mp_vm *vm)
{
	g_autofree char *given = cpu_part(vm, "phys-bits");
	g_autofree char *type = cpu_part(vm, "cputype");
	uint64_t most = 4ull * 1024 * 1024, of_host = 36, bits = 0;

	if (!host)
		return most;
	if (host->platform)
		mp_fact_uint(&host->platform->phys_bits, 10, &of_host);
	if (!given || !mp_parse_uint(given, 10, &bits))
		bits = given || !g_strcmp0(type, "host") || !g_strcmp0(type, "max")
			       ? of_host
			       : MIN(of_host, 40);
	bits &= ~1ull;
	if (bits < 32 || bits > 64)
		return most;
	return MIN(most, 1ull << (bits - 21));
}

/* With KVM every CPU type is of the host's vendor (host_cpu_instance_init()). A machine type
 * without a version is the newest. */
static bool is_amd(const struct mp_host *host, const struct mp_vm *vm)
{
	const char *type = vm->machine ? vm->machine : "";
	g_autofree char *name = g_strndup(type, strcspn(type, ",+"));
	const char *version = strrchr(name, '-');

	if (!host || !host->platform || host->platform->cpu_vendor != MP_CPU_AMD)
		return false;
	return !version || !g_ascii_isdigit(version[1]) ||
	       mp_version_compare(version + 1, "7.1") >= 0;
}

struct mp_vm_map mp_vm_map_on(const struct mp_host *host, const struct mp_vm *vm)
{
	bool gigabyte_pages = vm->hugepages && !strcmp(vm->hugepages, "1024");
	const char *text = mp_vm_get(vm, "sockets");
	struct mp_vm_layout layout = {
		.q35 = vm->q35,
		.memory_mib = vm->memory_mib,
		.amd = is_amd(host, vm),
	};
	uint64_t sockets = 1;

	if (!vm->hotplug_memory)
		return mp_vm_map_lay(&layout);
	layout.memory_mib = STATIC_MIB;
	layout.slots = SLOTS;
	layout.max_mib = max_mib_of(host, vm);
	if (gigabyte_pages && text && mp_parse_uint(text, 10, &sockets) && sockets &&
		sockets < 64)
		layout.memory_mib *= sockets;
	if (vm->memory_mib > layout.memory_mib)
		layout.dimm_mib =
			dimms_for(vm->memory_mib - layout.memory_mib, gigabyte_pages);
	return mp_vm_map_lay(&layout);
}

struct mp_vm_map mp_vm_map_of(const struct mp_vm *vm)
{
	return mp_vm_map_on(NULL, vm);
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
	if (address >= map->high_start && address < map->high_end)
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
