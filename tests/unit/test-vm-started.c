/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The memory map that a VM last started with, and when an address is judged by it. */
#include "config.h"

#include "unit.h"

#include <string.h>

#include "core/vm-started.h"
#include "tree.h"

#define NOTE "run/metis-passthrough/map-101"
#define CONF "etc/pve/nodes/n/qemu-server/101.conf"

/* A node with VM 101 of that configuration. */
static struct mp_vm *node_with(struct tree *tree, const char *configuration)
{
	tree_restart(tree);
	tree_put(tree, "etc/hostname", "n");
	tree_put(tree, "etc/pve/.version", "{}");
	tree_put(tree, CONF, configuration);
	mp_probe_guests(tree->host, tree->root);
	mp_probe_started(tree->host, tree->root);
	return mp_vm_find(tree->host, "101", NULL);
}

static void note(struct tree *tree, const struct mp_vm *vm)
{
	g_autoptr(mp_target) target = mp_target_open(tree->files.path, NULL);
	struct mp_vm_map map = mp_vm_map_on(tree->host, vm);

	assert_non_null(target);
	assert_true(mp_vm_started_save(target, "101", &map, NULL));
}

static uint64_t had_end(const struct tree *tree, const struct mp_vm *vm)
{
	struct mp_vm_map map = mp_vm_map_had(tree->host, vm);

	return mp_vm_map_ram_end(&map);
}

static void a_stopped_vm_had_what_it_started_with(void **state G_GNUC_UNUSED)
{
	struct tree tree;
	struct mp_vm *vm;
	g_autofree char *change = NULL;

	tree_open(&tree);
	vm = node_with(&tree, "memory: 8192\nmachine: q35\n");
	assert_non_null(vm);
	assert_int_equal(vm->started.know, MP_ABSENT);
	note(&tree, vm);
	vm = node_with(&tree, "memory: 8192\nmachine: q35\n");
	assert_int_equal(vm->started.know, MP_KNOWN);
	struct mp_vm_map wanted = mp_vm_map_on(tree.host, vm);
	struct mp_vm_map got = mp_vm_map_had(tree.host, vm);

	assert_int_equal(got.q35, wanted.q35);
	assert_int_equal(got.low_end, wanted.low_end);
	assert_int_equal(got.high_start, wanted.high_start);
	assert_int_equal(got.high_end, wanted.high_end);
	assert_int_equal(got.dimm_start, wanted.dimm_start);
	assert_int_equal(got.dimm_end, wanted.dimm_end);
	assert_int_equal(got.device_end, wanted.device_end);
	assert_int_equal(got.pci64_start, wanted.pci64_start);
	assert_int_equal(got.pci64_end, wanted.pci64_end);
	assert_null(mp_vm_map_change(tree.host, vm));
	/* It has stopped, and was given less. */
	vm = node_with(&tree, "memory: 2048\nmachine: q35\n");
	assert_int_equal(had_end(&tree, vm), 10 * MP_GIB);
	change = mp_vm_map_change(tree.host, vm);
	assert_string_equal(change,
		"VM 101 last started with RAM at 0x0-0x7fffffff, 0x100000000-0x27fffffff; "
		"by its configuration of now it is at 0x0-0x7fffffff: addresses are "
		"judged by the first");
	/* What may have grown since it started. */
	vm = node_with(&tree, "memory: 2048\nhotplug: memory\nnuma: 1\nmachine: q35\n");
	assert_true(vm->hotplug_memory);
	assert_int_not_equal(had_end(&tree, vm), 10 * MP_GIB);
	assert_null(mp_vm_map_change(tree.host, vm));
	tree_close(&tree);
}

static void a_running_vm_has_what_its_configuration_says(void **state G_GNUC_UNUSED)
{
	struct tree tree;
	struct mp_vm *vm;

	tree_open(&tree);
	vm = node_with(&tree, "memory: 8192\nmachine: q35\n");
	note(&tree, vm);
	vm = node_with(&tree, "memory: 2048\nmachine: q35\n");
	assert_int_equal(vm->started.know, MP_KNOWN);
	vm->running_fact = mp_fact_known(tree.host, "x", "4711");
	assert_int_equal(had_end(&tree, vm), 2 * MP_GIB);
	/* Nor is it known to have stopped. */
	vm->running_fact = mp_fact_unknown(tree.host, "x", "y");
	assert_int_equal(had_end(&tree, vm), 2 * MP_GIB);
	assert_null(mp_vm_map_change(tree.host, vm));
	tree_close(&tree);
}

static void what_is_no_note_says_nothing(void **state G_GNUC_UNUSED)
{
	static const char good[] =
		"metis-passthrough map 1\nq35 0x0 0x80000000\nhigh 0x100000000 0x280000000\n"
		"dimm 0x280000000 0x280000000\ndevice 0x280000000 0x280000000\n"
		"pci64 0x280000000 0xa80000000\n";
	static const struct {
		const char *from, *to;
	} spoilt[] = {
		{ "map 1", "map 2" },
		{ "q35 0x0", "q36 0x0" },
		{ "q35 0x0", "q35 0x1000" },
		{ "0x0 0x80000000", "0x0 0x180000000" },
		{ "high 0x100000000", "high 0x90000000" },
		{ "high 0x100000000 0x280000000", "high 0x280000000 0x100000000" },
		{ "dimm 0x280000000 0x280000000", "dimm 0x280000000 0x380000000" },
		{ "pci64 0x280000000", "pci64 280000000" },
		{ "pci64 0x280000000", "pci64 0x28000000x" },
		{ "pci64 0x280000000", "pci64 0x28000000000000000" },
		{ "0xa80000000\n", "0xa80000000" },
		{ "0xa80000000\n", "0xa80000000\nmore 0x0 0x0\n" },
		{ "device 0x280000000 0x280000000\n", "" },
	};
	struct tree tree;
	struct mp_vm *vm;

	tree_open(&tree);
	tree_put(&tree, NOTE, good);
	vm = node_with(&tree, "memory: 8192\nmachine: q35\n");
	assert_int_equal(vm->started.know, MP_KNOWN);
	for (size_t i = 0; i < G_N_ELEMENTS(spoilt); i++) {
		g_auto(GStrv) parts = g_strsplit(good, spoilt[i].from, 2);
		g_autofree char *text = g_strjoinv(spoilt[i].to, parts);

		assert_non_null(parts[1]);
		tree_put(&tree, NOTE, text);
		vm = node_with(&tree, "memory: 2048\nmachine: q35\n");
		if (vm->started.know != MP_UNKNOWN)
			fail_msg("taken: %s", text);
		assert_int_equal(had_end(&tree, vm), 2 * MP_GIB);
	}
	tree_close(&tree);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stopped_vm_had_what_it_started_with),
		cmocka_unit_test(a_running_vm_has_what_its_configuration_says),
		cmocka_unit_test(what_is_no_note_says_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
