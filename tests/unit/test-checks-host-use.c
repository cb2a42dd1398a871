/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The checks of the host's use of a device, and of a card without a VM, on hosts built
 * by hand.
 */
#include "config.h"

#include "checks-vm-scene.h"

static void host_use(void **state G_GNUC_UNUSED)
{
	struct mp_use_entry entry = {
		.bdf = "0000:86:00.0", .source = "/x", .detail = "chain"
	};
	struct mp_fact unread;
	struct world w;

	world_init(&w);
	w.card->class_code = 0x010802;
	expect_finding(&w, "device-host-use", MP_PASS, "does not use");
	w.card->driver = known(&w, "nvme");
	expect_finding(&w, "device-host-use", MP_INFO, "driver nvme");
	w.host->use->open_files = mp_fact_unknown(w.host, "/proc", "not root");
	expect_finding(&w, "device-host-use", MP_UNSURE, "open");
	w.host->use->open_files = known(&w, "looked");
	/* Evidence that could not be read: unknown for a disk, nothing for an accelerator. */
	unread = mp_fact_unknown(w.host, "/run/udev/data", "denied");
	g_ptr_array_add(w.host->use->unreadable, &unread);
	expect_finding(&w, "device-host-use", MP_UNSURE, "/run/udev/data");
	w.card->class_code = 0x120000;
	expect_finding(&w, "device-host-use", MP_INFO, "driver nvme");
	w.card->class_code = 0x020000;
	expect_finding(&w, "device-host-use", MP_INFO, "driver nvme");

	g_ptr_array_add(w.host->use->entries, &entry);
	entry.kind = MP_USE_VM;
	expect_finding(&w, "device-host-use", MP_INFO, "a VM has it");
	entry.kind = MP_USE_OPEN;
	expect_finding(&w, "device-host-use", MP_WARN, "open");
	entry.kind = MP_USE_NETWORK;
	expect_finding(&w, "device-host-use", MP_WARN, "network interface");
	entry.kind = MP_USE_SRIOV;
	expect_finding(&w, "device-host-use", MP_WARN, "physical function");
	entry.kind = MP_USE_DISPLAY;
	expect_finding(&w, "device-host-use", MP_FAIL, "console");
	entry.kind = MP_USE_STORAGE;
	expect_finding(&w, "device-host-use", MP_FAIL, "active on the host");
	entry.kind = MP_USE_SWAP;
	expect_finding(&w, "device-host-use", MP_FAIL, "swaps");
	entry.kind = MP_USE_MOUNT;
	expect_finding(&w, "device-host-use", MP_FAIL, "mounted");
	entry.boots = true;
	expect_finding(&w, "device-host-use", MP_FAIL, "boots from");
	entry = (struct mp_use_entry){ .bdf = "0000:86:00.0",
		.kind = MP_USE_NETWORK,
		.routes = true,
		.source = "/x",
		.detail = "eth0" };
	expect_finding(&w, "device-host-use", MP_FAIL, "network goes through");
	w.card->class_code = 0x060400;
	expect_finding(&w, "device-host-use", MP_SKIP, "bridge");
	w.card->class_code = 0x020000;
	entry.bdf = "0000:87:00.0";
	expect_finding(&w, "device-host-use", MP_INFO, "driver nvme");
	world_clear(&w);
}

static void card_without_vm(void **state G_GNUC_UNUSED)
{
	struct world w;
	struct mp_profile *generic = mp_profile_load("generic", NULL), *metis;

	world_init(&w);
	expect_finding(&w, "card-interrupt-delivery", MP_WARN, "in a VM");
	w.profile->irq_delivery = MP_IRQ_CONFIG_SPACE;
	expect_finding(&w, "card-interrupt-delivery", MP_PASS, "VFIO virtualises");
	metis = w.profile;
	w.profile = generic;
	expect_finding(&w, "card-interrupt-delivery", MP_SKIP, "No profile");
	expect_finding(&w, "card-host-driver-loaded", MP_SKIP, "names no driver");
	w.profile = metis;
	mp_profile_free(generic);
	world_clear(&w);
}

static void host_driver(void **state G_GNUC_UNUSED)
{
	struct world w;

	world_init(&w);
	expect_finding(&w, "card-host-driver-loaded", MP_PASS, "not loaded");
	g_hash_table_add(w.host->modules->loaded, (void *)"metis");
	expect_finding(&w, "card-host-driver-loaded", MP_WARN, "takes it again");
	/* An override keeps the module away, but does not tell what it did before. */
	w.card->driver_override = known(&w, "vfio-pci");
	expect_finding(&w, "card-host-driver-loaded", MP_WARN, "since power-on");
	w.profile->irq_delivery = MP_IRQ_CONFIG_SPACE;
	expect_finding(&w, "card-host-driver-loaded", MP_PASS, "driver_override keeps");
	w.card->driver_override = known(&w, "nvme");
	expect_finding(&w, "card-host-driver-loaded", MP_WARN, "takes it again");
	w.profile->irq_delivery = MP_IRQ_DEVICE_PROGRAMMED;
	w.card->driver = known(&w, "axl");
	expect_finding(&w, "card-host-driver-loaded", MP_FAIL, "own driver axl");
	w.profile->irq_delivery = MP_IRQ_CONFIG_SPACE;
	expect_finding(&w, "card-host-driver-loaded", MP_WARN, "own driver axl");
	w.card->driver = known(&w, "vfio-pci");
	w.host->modules->proc_modules = mp_fact_unknown(w.host, "/proc/modules", "x");
	expect_finding(&w, "card-host-driver-loaded", MP_UNSURE, "not known");
	world_clear(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(host_use),
		cmocka_unit_test(card_without_vm),
		cmocka_unit_test(host_driver),
	};

	return cmocka_run_group_tests_name("checks-host-use", tests, NULL, NULL);
}
