/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Groups, and the checks of them and of who is in them, on models built by hand. */
#include "config.h"

#include "group-scene.h"

/* --- viability --- */

static void viability_is_the_kernels_rule(void **state G_GNUC_UNUSED)
{
	static const struct {
		const char *driver;
		bool viable;
	} rows[] = {
		{ "vfio-pci", true },
		{ "mlx5_vfio_pci", true },
		{ "nvgrace_gpu_vfio_pci", true },
		{ "xe-vfio-pci", true },
		{ "pci-stub", true },
		{ "pcieport", true },
		{ "shpchp", false },
		{ "nvme", false },
		{ "vfio-pci2", false },
		{ "vfio", false },
		{ "", false },
	};
	g_autoptr(mp_host) host = mp_host_new("test", false);
	struct mp_pci *device = model_device(host, "0000:86:00.0");

	assert_true(mp_group_member_viable(host, device));
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		model_driver(host, device, rows[i].driver);
		if (mp_group_member_viable(host, device) != rows[i].viable)
			fail_msg("'%s' is judged wrongly", rows[i].driver);
	}
	/* Before 5.19 only plain functions were looked at. */
	static struct mp_platform platform;
	host->platform = &platform;
	platform.kernel_release = mp_fact_known(host, "test", "5.15.158-2-pve");
	model_driver(host, device, "shpchp");
	assert_false(mp_group_member_viable(host, device));
	device->header_type = 1;
	device->config_size = 64;
	device->class_code = 0x060400;
	assert_true(mp_group_member_viable(host, device));
	platform.kernel_release = mp_fact_known(host, "test", "6.1.0-18-amd64");
	assert_false(mp_group_member_viable(host, device));
	device->driver = mp_fact_unknown(host, "/test/driver", "test");
	assert_false(mp_group_member_viable(host, device));
	assert_false(mp_driver_is_vfio("pci-stub"));
	assert_true(mp_driver_is_vfio("vfio-pci"));
	assert_false(mp_driver_is_vfio(NULL));
}

static void group_checks_tell_bridges_from_neighbours(void **state G_GNUC_UNUSED)
{
	struct judge j;

	judge_init(&j);
	struct mp_pci *card = wanted(&j, "0000:86:00.0");
	struct mp_pci *port = model_device(j.host, "0000:85:00.0");
	struct mp_pci *nic = model_device(j.host, "0000:87:00.0");
	struct mp_group *group = model_group(j.host, 22);

	expect(&j, "group-viable", MP_SKIP, "no known group");
	expect(&j, "group-isolated", MP_SKIP, "no known group");
	model_join(j.host, group, card);
	expect(&j, "group-exists", MP_PASS, "group 22");
	expect(&j, "group-viable", MP_PASS, "viable");
	expect(&j, "group-isolated", MP_PASS, "alone");
	model_port(port, 4, card);
	model_driver(j.host, port, "pcieport");
	model_join(j.host, group, port);
	expect(&j, "group-viable", MP_PASS, "viable");
	expect(&j, "group-isolated", MP_PASS, "but for bridges");
	/* The card's own host driver goes away at VM start. */
	model_driver(j.host, card, "axl");
	expect(&j, "group-viable", MP_INFO, "0000:86:00.0 (axl)");
	/* An idle neighbour, then one the host uses. */
	model_join(j.host, group, nic);
	expect(&j, "group-isolated", MP_WARN, "0000:87:00.0 (no driver)");
	expect(&j, "group-viable", MP_INFO, "axl");
	model_driver(j.host, nic, "igb");
	expect(&j, "group-isolated", MP_FAIL, "0000:87:00.0 (igb)");
	expect(&j, "group-viable", MP_FAIL, "0000:87:00.0 (igb)");
	nic->driver = mp_fact_unknown(j.host, "/test/driver", "test");
	expect(&j, "group-viable", MP_UNSURE, "not known");
	expect(&j, "group-isolated", MP_WARN, "driver unknown");
	/* A bridge is not excused by being one (Linux 5.19 on). */
	model_driver(j.host, nic, "vfio-pci");
	model_driver(j.host, port, "shpchp");
	expect(&j, "group-viable", MP_FAIL, "shpchp");
	judge_clear(&j);
}

static void missing_groups_are_explained(void **state G_GNUC_UNUSED)
{
	struct judge j;

	judge_init(&j);
	struct mp_pci *card = wanted(&j, "0000:86:00.0");

	j.host->groups_fact = mp_fact_absent(j.host, "/sys/kernel/iommu_groups");
	expect(&j, "group-exists", MP_FAIL, "no IOMMU is in use");
	card->group_fact =
		mp_fact_unknown(j.host, "/test/iommu_group", "not in this snapshot");
	expect(&j, "group-exists", MP_UNSURE, "not known");
	card->group_fact = mp_fact_absent(j.host, "/test/iommu_group");
	model_group(j.host, 1);
	expect(&j, "group-exists", MP_FAIL, "no IOMMU covers it");
	judge_clear(&j);
}

/* --- ACS --- */

static void acs_is_walked_as_the_kernel_does(void **state G_GNUC_UNUSED)
{
	struct judge j;

	judge_init(&j);
	struct mp_pci *card = wanted(&j, "0000:04:00.0");
	struct mp_pci *down = model_device(j.host, "0000:03:00.0");
	struct mp_pci *up = model_device(j.host, "0000:02:00.0");
	struct mp_pci *root = model_device(j.host, "0000:00:01.0");
	struct mp_pci *nic = model_device(j.host, "0000:05:00.0");
	struct mp_group *group = model_group(j.host, 9);

	expect(&j, "group-acs-path", MP_PASS, "root bus");
	card->pcie.present = true;
	model_port(down, 6, card);
	model_port(up, 5, down);
	model_port(root, 4, up);
	up->acs.present = false; /* an upstream port of one function needs none */
	model_join(j.host, group, card);
	expect(&j, "group-acs-path", MP_PASS, "every port");
	/* What a port cannot control counts as on (pci_acs_flags_enabled()). */
	root->acs = (struct mp_acs){ .present = true, .cap = 0x0d, .control = 0x0d };
	expect(&j, "group-acs-path", MP_PASS, "every port");
	root->acs.control = 0x09;
	expect(&j, "group-acs-path", MP_INFO, "0000:00:01.0, but the kernel knows");
	model_join(j.host, group, nic);
	expect(&j, "group-acs-path", MP_WARN, "0000:00:01.0, which is why");
	root->acs.control = 0x0d;
	expect(&j, "group-acs-path", MP_PASS, "every port");
	/* Not seen is not absent: unprivileged, or without extended space. */
	root->acs.present = false;
	root->config_size = 256;
	expect(&j, "group-acs-path", MP_UNSURE, "0000:00:01.0");
	root->config_size = 64;
	expect(&j, "group-acs-path", MP_UNSURE, "0000:00:01.0");
	root->config_size = 4096;
	expect(&j, "group-acs-path", MP_WARN, "0000:00:01.0");
	root->acs.present = true;
	/* Functions of one device can talk inside of it. */
	card->multifunction = true;
	expect(&j, "group-acs-path", MP_WARN, "0000:04:00.0");
	card->acs = (struct mp_acs){ .present = true };
	expect(&j, "group-acs-path", MP_PASS, "every port");
	/* A conventional bridge does not isolate. */
	down->pcie.present = false;
	expect(&j, "group-acs-path", MP_WARN, "0000:03:00.0");
	judge_clear(&j);
}

/* --- pins --- */

static void identity_follows_the_card(void **state G_GNUC_UNUSED)
{
	g_autoptr(GPtrArray) members = g_ptr_array_new(), missing = g_ptr_array_new();
	struct mp_pin pin = {
		.address = (char *)"0000:86:00.0",
		.id = (char *)"1f9d:1100",
		.subsystem = (char *)"1f9d:0001",
		.serial = (char *)"0xa0",
		.group_members = members,
	};
	struct judge j;

	judge_init(&j);
	g_ptr_array_add(missing, (gpointer) "99:00.0 (--device)");
	expect(&j, "device-present", MP_UNSURE, "could not be listed");
	j.host->devices_fact = mp_fact_known(j.host, "/test/devices", "0 devices");
	expect(&j, "device-present", MP_SKIP, "No device");
	j.missing = missing;
	expect(&j, "device-present", MP_FAIL, "99:00.0 (--device)");
	j.missing = NULL;
	struct mp_pci *card = wanted(&j, "0000:86:00.0");
	struct mp_pci *twin = model_device(j.host, "0000:87:00.0");

	expect(&j, "device-present", MP_PASS, "0000:86:00.0");
	expect(&j, "device-identity", MP_INFO, "not pinned");
	card->serial = 0xa0;
	g_ptr_array_add(j.config.cards, &pin);
	expect(&j, "device-identity", MP_PASS, "is the card");
	expect(&j, "group-unchanged", MP_SKIP, "does not say");
	/* Another card came to the address; ours is at the twin's now. */
	card->serial = 0xb0;
	twin->serial = 0xa0;
	expect(&j, "device-identity", MP_FAIL, "is at 0000:87:00.0 now");
	g_ptr_array_set_size(j.wanted, 0);
	g_ptr_array_add(j.wanted, twin);
	expect(&j, "device-identity", MP_FAIL, "set up at 0000:86:00.0");
	/* The address is empty. */
	g_hash_table_remove(j.host->by_bdf, card->bdf);
	g_ptr_array_remove(j.host->devices, card);
	expect(&j, "device-present", MP_FAIL, "serial number is at 0000:87:00.0 now");
	twin->serial = 0xc0;
	expect(&j, "device-present", MP_FAIL, "no such card");
	judge_clear(&j);
}

static void serial_that_cannot_be_read_is_unknown(void **state G_GNUC_UNUSED)
{
	struct mp_pin pin = { .address = (char *)"86:00.0", .serial = (char *)"0xa0" };
	struct judge j;

	judge_init(&j);
	struct mp_pci *card = wanted(&j, "0000:86:00.0");

	pin.group_members = g_ptr_array_new();
	g_ptr_array_add(j.config.cards, &pin);
	card->config_size = 64;
	expect(&j, "device-identity", MP_UNSURE, "not all");
	card->config_size = 4096;
	expect(&j, "device-identity", MP_FAIL, "serial number is none");
	g_ptr_array_unref(pin.group_members);
	judge_clear(&j);
}

static void changed_groups_are_named(void **state G_GNUC_UNUSED)
{
	g_autoptr(GPtrArray) members = g_ptr_array_new();
	struct mp_pin pin = { .address = (char *)"0000:86:00.0",
		.group_members = members };
	struct judge j;

	judge_init(&j);
	struct mp_pci *card = wanted(&j, "0000:86:00.0");
	struct mp_pci *disk = model_device(j.host, "0000:88:00.0");
	struct mp_group *group = model_group(j.host, 22);

	model_driver(j.host, disk, "nvme");
	g_ptr_array_add(j.config.cards, &pin);
	g_ptr_array_add(members, (gpointer) "86:00.0");
	expect(&j, "group-unchanged", MP_FAIL, "now none");
	model_join(j.host, group, card);
	expect(&j, "group-unchanged", MP_PASS, "as it was");
	model_join(j.host, group, disk);
	expect(&j, "group-unchanged", MP_FAIL, "joined by 0000:88:00.0 (nvme)");
	g_ptr_array_add(members, (gpointer) "0000:88:00.0");
	g_ptr_array_add(members, (gpointer) "0000:99:00.0");
	expect(&j, "group-unchanged", MP_WARN, "lost 0000:99:00.0");
	judge_clear(&j);
}

/* --- the probe of groups --- */

static struct mp_host *probe(struct sysroot *s, unsigned topics)
{
	g_autoptr(mp_root) root = mp_root_open(s->path, NULL);
	struct mp_host *host = mp_host_new(s->path, false);

	assert_non_null(root);
	mp_probe_pci(host, root, topics);
	mp_probe_groups(host, root, topics);
	return host;
}

#define GROUPS "sys/kernel/iommu_groups/"

static void groups_are_sparse_and_odd(void **state G_GNUC_UNUSED)
{
	struct sysroot s;

	sysroot_init(&s);
	sysroot_text(&s, "sys/bus/pci/devices/0000:86:00.0/vendor", "0x1f9d\n");
	sysroot_text(&s, "sys/bus/pci/devices/0000:87:00.0/vendor", "0x1f9d\n");
	sysroot_text(&s, GROUPS "12345/type", "DMA-FQ\n");
	sysroot_text(&s, GROUPS "12345/reserved_regions",
		"0x00000000fee00000 0x00000000feefffff msi\n"
		"0x000000fd00000000 0x000000ffffffffff reserved\n");
	sysroot_mkdir(&s, GROUPS "12345/devices/0000:86:00.0");
	sysroot_mkdir(&s, GROUPS "12345/devices/INTC1009:00");
	sysroot_text(&s, GROUPS "3/reserved_regions", "0x0 nonsense\n");
	sysroot_mkdir(&s, GROUPS "3/devices/0000:87:00.0");
	sysroot_mkdir(&s, GROUPS "nonsense/devices");
	sysroot_mkdir(&s, GROUPS "007/devices");
	sysroot_mkdir(&s, GROUPS "99999999999999999999/devices");
	for (int i = 0; i < 2; i++) {
		g_autoptr(mp_host) host = probe(&s, i ? MP_TOPIC_ALL : MP_TOPIC_PCI);
		struct mp_group *group = mp_host_group(host, 12345);

		assert_int_equal(host->groups->len, 2);
		assert_non_null(mp_host_group(host, 3));
		assert_null(mp_host_group(host, 7));
		assert_int_equal(group->members->len, 1);
		assert_ptr_equal(mp_host_device(host, "86:00.0")->group, group);
		assert_string_equal(group->foreign->pdata[0], "INTC1009:00");
		if (!i)
			continue;
		assert_true(mp_fact_is(&group->type, "DMA-FQ"));
		assert_int_equal(group->reserved_count, 2);
		assert_true(group->reserved[1].end == 0xffffffffff);
		assert_string_equal(group->reserved[1].type, "reserved");
		assert_int_equal(mp_host_group(host, 3)->reserved_fact.know, MP_UNKNOWN);
	}
	sysroot_clear(&s);
}

static void links_alone_make_groups(void **state G_GNUC_UNUSED)
{
	struct sysroot s;

	sysroot_init(&s);
	sysroot_text(&s, "sys/bus/pci/devices/0000:86:00.0/vendor", "0x1f9d\n");
	sysroot_link(&s, "sys/bus/pci/devices/0000:86:00.0/iommu_group",
		"../../../../kernel/iommu_groups/22");
	sysroot_text(&s, "sys/bus/pci/devices/0000:87:00.0/vendor", "0x1f9d\n");
	sysroot_link(
		&s, "sys/bus/pci/devices/0000:87:00.0/iommu_group", "somewhere/else");
	for (int i = 0; i < 2; i++) {
		g_autoptr(mp_host) host = probe(&s, i ? MP_TOPIC_ALL : MP_TOPIC_PCI);

		assert_int_equal(mp_host_device(host, "86:00.0")->group->id, 22);
		assert_null(mp_host_device(host, "87:00.0")->group);
		assert_int_equal(
			mp_host_device(host, "87:00.0")->group_fact.know, MP_UNKNOWN);
	}
	sysroot_clear(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(viability_is_the_kernels_rule),
		cmocka_unit_test(group_checks_tell_bridges_from_neighbours),
		cmocka_unit_test(missing_groups_are_explained),
		cmocka_unit_test(acs_is_walked_as_the_kernel_does),
		cmocka_unit_test(identity_follows_the_card),
		cmocka_unit_test(serial_that_cannot_be_read_is_unknown),
		cmocka_unit_test(changed_groups_are_named),
		cmocka_unit_test(groups_are_sparse_and_odd),
		cmocka_unit_test(links_alone_make_groups),
	};

	return cmocka_run_group_tests_name("group", tests, NULL, NULL);
}
