/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "core/host.h"
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_forum_address),
		cmocka_unit_test(the_split),
		cmocka_unit_test(the_areas),
		cmocka_unit_test(hotplug_moves_ram_up),
	};

	return cmocka_run_group_tests_name("vm-map", tests, NULL, NULL);
}
