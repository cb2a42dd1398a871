/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "core/host.h"
#include "core/platform.h"
#include "core/vm-map.h"
#include "core/vm.h"
#include "unit.h"

/* The address of the fault that started this project. */
#define FAULT 0x149800000ull

static bool has_ram(bool q35, uint64_t mib, uint64_t address)
{
	struct mp_vm_map map = mp_vm_map_make(q35, mib, 0);
	enum mp_vm_area area = mp_vm_map_classify(&map, address);

	return area == MP_AREA_RAM_LOW || area == MP_AREA_RAM_HIGH;
}

/* The smallest VMs that have RAM there: computed by hand from QEMU's split. */
static void the_forum_address(void **state G_GNUC_UNUSED)
{
	assert_false(has_ram(true, 2048, FAULT));
	assert_false(has_ram(true, 3072, FAULT));
	assert_false(has_ram(true, 3224, FAULT));
	assert_true(has_ram(true, 3225, FAULT));
	assert_true(has_ram(true, 4096, FAULT));
	assert_false(has_ram(false, 4096, FAULT));
	assert_false(has_ram(false, 4248, FAULT));
	assert_true(has_ram(false, 4249, FAULT));
	assert_true(has_ram(false, 8192, FAULT));
}

static void the_split(void **state G_GNUC_UNUSED)
{
	struct mp_vm_map map = mp_vm_map_make(false, 4096, 0);
	g_autofree char *text = mp_vm_map_describe(&map);

	assert_string_equal(text, "0x0-0xbfffffff, 0x100000000-0x13fffffff");
	assert_true(mp_vm_map_ram_end(&map) == 0x140000000);
	map = mp_vm_map_make(true, 2815, 0);
	assert_true(map.low_end == 2815 * MP_MIB);
	assert_true(map.high_end == map.high_start);
	assert_true(mp_vm_map_ram_end(&map) == 2815 * MP_MIB);
	map = mp_vm_map_make(true, 2816, 0);
	assert_true(map.low_end == 0x80000000);
	assert_true(map.high_end == 0x100000000 + 768 * MP_MIB);
	map = mp_vm_map_make(false, 3583, 0);
	assert_true(map.low_end == 3583 * MP_MIB);
	map = mp_vm_map_make(true, UINT64_MAX, UINT64_MAX);
	assert_true(map.dimm_end > map.dimm_start);
}

static void the_areas(void **state G_GNUC_UNUSED)
{
	struct mp_vm_map map = mp_vm_map_make(true, 4096, 1024);

	assert_int_equal(mp_vm_map_classify(&map, 0xa0000), MP_AREA_VGA);
	assert_int_equal(mp_vm_map_classify(&map, 0xfffff), MP_AREA_ROM);
	assert_int_equal(mp_vm_map_classify(&map, 0x100000), MP_AREA_RAM_LOW);
	assert_int_equal(mp_vm_map_classify(&map, 0x80000000), MP_AREA_PCI32);
	assert_int_equal(mp_vm_map_classify(&map, 0xfee00518), MP_AREA_MSI);
	assert_int_equal(mp_vm_map_classify(&map, 0xfed90000), MP_AREA_CHIPS);
	assert_int_equal(mp_vm_map_classify(&map, 0x17fffffff), MP_AREA_RAM_HIGH);
	assert_int_equal(mp_vm_map_classify(&map, 0x180000000), MP_AREA_RAM_DIMM);
	assert_int_equal(mp_vm_map_classify(&map, 0x1c0000000), MP_AREA_PCI64);
	map = mp_vm_map_make(true, 4097, 1024);
	assert_int_equal(mp_vm_map_classify(&map, 0x190000000), MP_AREA_NOTHING);
	/* Kept free for RAM that may come: no BAR is there. */
	assert_int_equal(mp_vm_map_classify(&map, map.dimm_end - 1), MP_AREA_RAM_DIMM);
	assert_int_equal(mp_vm_map_classify(&map, map.pci64_start), MP_AREA_PCI64);
	for (int area = 0; area < MP_AREAS; area++)
		assert_non_null(mp_vm_area_name(area));
}

static void hotplug_moves_ram_up(void **state G_GNUC_UNUSED)
{
	static const char text[] =
		"machine: q35\nmemory: 4096\nnuma: 1\nhotplug: memory\n";
	g_autoptr(mp_host) host = mp_host_new("test", false);
	struct mp_vm *vm = mp_vm_parse(host, "1", "x", text, strlen(text));
	struct mp_vm_map map = mp_vm_map_of(vm);

	assert_true(map.low_end == MP_GIB);
	assert_true(map.dimm_start == 4 * MP_GIB);
	assert_true(map.dimm_end == 7 * MP_GIB);
	vm->hotplug_memory = false;
	map = mp_vm_map_of(vm);
	assert_true(map.low_end == 2 * MP_GIB);
	assert_true(map.high_end == 6 * MP_GIB);
}

/* The table of what QEMU does: sizes around the split of each machine. */
static const struct {
	uint64_t mib, low, high; /* in MiB: below 4 GiB, above */
} q35_sizes[] = {
	{ 16, 16, 0 },
	{ 512, 512, 0 },
	{ 2048, 2048, 0 },
	{ 2815, 2815, 0 },
	{ 2816, 2048, 768 },
	{ 3072, 2048, 1024 },
	{ 3584, 2048, 1536 },
	{ 4096, 2048, 2048 },
	{ 6144, 2048, 4096 },
	{ 8192, 2048, 6144 },
	{ 1048576, 2048, 1046528 },
}, i440fx_sizes[] = {
	{ 16, 16, 0 },
	{ 512, 512, 0 },
	{ 2048, 2048, 0 },
	{ 2816, 2816, 0 },
	{ 3072, 3072, 0 },
	{ 3583, 3583, 0 },
	{ 3584, 3072, 512 },
	{ 4096, 3072, 1024 },
	{ 6144, 3072, 3072 },
	{ 8192, 3072, 5120 },
	{ 1048576, 3072, 1045504 },
};

static void check_size(bool q35, uint64_t mib, uint64_t low, uint64_t high)
{
	struct mp_vm_map map = mp_vm_map_make(q35, mib, 0);
	uint64_t hole = (q35 ? 32 : 2) * MP_GIB;

	assert_true(map.low_end == low * MP_MIB);
	assert_true(map.high_start == 0x100000000);
	assert_true(map.high_end == 0x100000000 + high * MP_MIB);
	assert_true(map.dimm_start == map.dimm_end && map.device_end == map.dimm_end);
	assert_true(map.pci64_start >= map.high_end && map.pci64_start % MP_GIB == 0);
	assert_true(map.pci64_start - map.high_end < MP_GIB);
	assert_true(map.pci64_end == map.pci64_start + hole);
	assert_true(mp_vm_map_ram_end(&map) == (high ? map.high_end : map.low_end));
	assert_int_equal(mp_vm_map_classify(&map, low * MP_MIB - 1), MP_AREA_RAM_LOW);
	assert_int_equal(mp_vm_map_classify(&map, low * MP_MIB), MP_AREA_PCI32);
}

static void each_size(void **state G_GNUC_UNUSED)
{
	for (size_t i = 0; i < G_N_ELEMENTS(q35_sizes); i++)
		check_size(true, q35_sizes[i].mib, q35_sizes[i].low, q35_sizes[i].high);
	for (size_t i = 0; i < G_N_ELEMENTS(i440fx_sizes); i++)
		check_size(false, i440fx_sizes[i].mib, i440fx_sizes[i].low,
			i440fx_sizes[i].high);
}

/* As QEMU 7.2 shows them: info mtree (device-memory), qom-get pci-hole64-start and -end. */
static void amd_moves_above_1_tib(void **state G_GNUC_UNUSED)
{
	struct mp_vm_layout layout = {
		.q35 = true,
		.memory_mib = 1024,
		.max_mib = 4194304,
		.slots = 255,
		.amd = true,
	};
	struct mp_vm_map map = mp_vm_map_lay(&layout);

	assert_true(map.dimm_start == 0x10000000000);
	assert_true(map.device_end == 0x53f80000000);
	assert_true(map.pci64_start == 5770288562176);
	assert_true(map.pci64_end - 1 == 5804648300543);
	assert_int_equal(mp_vm_map_classify(&map, 0x100000000), MP_AREA_NOTHING);
	assert_int_equal(mp_vm_map_classify(&map, 0x10000000000), MP_AREA_NOTHING);
	assert_int_equal(mp_vm_map_classify(&map, map.pci64_start), MP_AREA_PCI64);
	layout.dimm_mib = 512;
	map = mp_vm_map_lay(&layout);
	assert_int_equal(mp_vm_map_classify(&map, 0x10000000000), MP_AREA_RAM_DIMM);

	layout.amd = false;
	map = mp_vm_map_lay(&layout);
	assert_true(map.dimm_start == 0x100000000);
	layout.amd = true;
	layout.max_mib = 524288;
	map = mp_vm_map_lay(&layout);
	assert_true(map.dimm_start == 0x100000000);
	assert_true(map.device_end == 0xc080000000);

	/* Without hotplug: the window for BARs decides, and it is larger on q35. */
	layout = (struct mp_vm_layout){
		.q35 = true, .memory_mib = 990 * 1024, .amd = true
	};
	map = mp_vm_map_lay(&layout);
	assert_true(map.high_start == 0x10000000000);
	assert_true(map.high_end == 0x10000000000 + 988 * MP_GIB);
	layout.q35 = false;
	map = mp_vm_map_lay(&layout);
	assert_true(map.high_start == 0x100000000);
	layout.memory_mib = 1010 * 1024;
	map = mp_vm_map_lay(&layout);
	assert_true(map.high_start == 0x10000000000);
}

/* get_max_mem() of Proxmox VE, and whose CPU it is. */
static void the_host_decides(void **state G_GNUC_UNUSED)
{
	static const struct {
		const char *lines, *bits;
		enum mp_cpu_vendor vendor;
		uint64_t start, end; /* of what is kept free for hotplug, in GiB */
	} cases[] = {
		{ "cpu: host\n", "48", MP_CPU_AMD, 1024, 1024 + 4095 + 255 },
		{ "cpu: host\n", "48", MP_CPU_INTEL, 4, 4 + 4095 + 255 },
		{ "cpu: max\n", "39", MP_CPU_INTEL, 4, 4 + 127 + 255 },
		{ "", "48", MP_CPU_AMD, 4, 4 + 511 + 255 },
		{ "cpu: EPYC,phys-bits=host\n", "48", MP_CPU_AMD, 1024,
			1024 + 4095 + 255 },
		{ "cpu: EPYC,phys-bits=36\n", "48", MP_CPU_AMD, 4, 4 + 31 + 255 },
		{ "cpu: host\nmachine: pc-q35-7.0\n", "48", MP_CPU_AMD, 4,
			4 + 4095 + 255 },
		{ "cpu: host\nmachine: pc-q35-9.2+pve1\n", "48", MP_CPU_AMD, 1024,
			1024 + 4095 + 255 },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(mp_host) host = mp_host_new("test", false);
		g_autofree char *text = g_strconcat("memory: 2048\nnuma: 1\n"
						    "hotplug: memory\n",
			cases[i].lines, NULL);
		struct mp_vm *vm = mp_vm_parse(host, "1", "x", text, strlen(text));
		struct mp_vm_map map;

		host->platform = mp_host_alloc(host, sizeof(*host->platform));
		host->platform->cpu_vendor = cases[i].vendor;
		host->platform->phys_bits = mp_fact_known(host, "test", cases[i].bits);
		map = mp_vm_map_on(host, vm);
		assert_true(map.dimm_start == cases[i].start * MP_GIB);
		assert_true(map.dimm_end == map.dimm_start + MP_GIB);
		if (map.device_end != cases[i].end * MP_GIB)
			fail_msg("%s: 0x%" G_GINT64_MODIFIER "x", cases[i].lines,
				map.device_end);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_forum_address),
		cmocka_unit_test(the_split),
		cmocka_unit_test(the_areas),
		cmocka_unit_test(hotplug_moves_ram_up),
		cmocka_unit_test(each_size),
		cmocka_unit_test(amd_moves_above_1_tib),
		cmocka_unit_test(the_host_decides),
	};

	return cmocka_run_group_tests_name("vm-map", tests, NULL, NULL);
}
