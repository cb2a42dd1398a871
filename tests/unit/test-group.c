/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Groups and the checks of devices and groups, on models built by hand. */
#include "config.h"

#include <string.h>

#include "unit.h"

#include "core/check.h"
#include "core/platform.h"
#include "core/profile.h"
#include "core/settings.h"
#include "pci-build.h"
#include "sysroot.h"

/* --- running one check --- */

struct judge {
	struct mp_host *host;
	struct mp_profile profile;
	struct mp_config config;
	GPtrArray *wanted, *missing, *findings;
};

static void judge_init(struct judge *j)
{
	*j = (struct judge){ .host = mp_host_new("test", false) };
	j->profile.name = (char *)"generic";
	j->config.source = (char *)"config.yaml";
	j->config.cards = g_ptr_array_new();
	j->config.waivers = g_ptr_array_new();
	j->wanted = g_ptr_array_new();
	j->findings = g_ptr_array_new_with_free_func((GDestroyNotify)mp_finding_free);
}

static void judge_clear(struct judge *j)
{
	g_ptr_array_unref(j->config.cards);
	g_ptr_array_unref(j->config.waivers);
	g_ptr_array_unref(j->wanted);
	g_ptr_array_unref(j->findings);
	mp_host_free(j->host);
}

static struct mp_pci *wanted(struct judge *j, const char *bdf)
{
	struct mp_pci *device = model_device(j->host, bdf);

	g_ptr_array_add(j->wanted, device);
	return device;
}

static const struct mp_finding *say(struct judge *j, const char *id)
{
	struct mp_check_ctx ctx = {
		.host = j->host,
		.profile = &j->profile,
		.config = &j->config,
		.wanted = j->wanted,
		.missing = j->missing,
		.findings = j->findings,
	};

	g_ptr_array_set_size(j->findings, 0);
	mp_checks_run(&ctx, id);
	assert_int_equal(j->findings->len, 1);
	return j->findings->pdata[0];
}

static void expect_at(struct judge *j, const char *id, enum mp_severity severity,
	const char *part, int line)
{
	const struct mp_finding *f = say(j, id);

	if (f->severity != severity || !strstr(f->summary, part))
		fail_msg("line %d: %s is %s, \"%s\"; expected %s, \"%s\"", line, id,
			mp_severity_name(f->severity), f->summary,
			mp_severity_name(severity), part);
	if (severity >= MP_UNSURE && !f->remedy)
		fail_msg("line %d: %s has no remedy", line, id);
}
#define expect(j, id, severity, part) expect_at(j, id, severity, part, __LINE__)

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

/* --- devices --- */

static void resets_are_judged(void **state G_GNUC_UNUSED)
{
	struct judge j;

	judge_init(&j);
	struct mp_pci *card = wanted(&j, "0000:86:00.0");
	struct mp_pci *port = model_device(j.host, "0000:85:00.0");

	card->parent = port;
	expect(&j, "device-reset-method", MP_UNSURE, "not known");
	card->reset_method = mp_fact_absent(j.host, "/test/reset_method");
	card->reset = mp_fact_known(j.host, "/test/reset", "present");
	expect(&j, "device-reset-method", MP_PASS, "does not say how");
	card->reset = mp_fact_absent(j.host, "/test/reset");
	expect(&j, "device-reset-method", MP_WARN, "knows no method");
	card->reset_method = mp_fact_known(j.host, "/test/reset_method", "");
	expect(&j, "device-reset-method", MP_WARN, "switched off");
	card->reset_method = mp_fact_known(j.host, "/test/reset_method", "pm");
	expect(&j, "device-reset-method", MP_WARN, "power states");
	card->reset_method = mp_fact_known(j.host, "/test/reset_method", "flr bus");
	expect(&j, "device-reset-method", MP_PASS, "flr bus");
	expect(&j, "device-reset-scope", MP_PASS, "without touching");
	j.profile.reset = g_ptr_array_new();
	g_ptr_array_add(j.profile.reset, (gpointer) "lr");
	expect(&j, "device-reset-method", MP_WARN, "not by a method");
	g_ptr_array_add(j.profile.reset, (gpointer) "bus");
	expect(&j, "device-reset-method", MP_PASS, "flr bus");
	g_ptr_array_unref(j.profile.reset);
	j.profile.reset = NULL;
	card->reset_method = mp_fact_known(j.host, "/test/reset_method", "bus");
	expect(&j, "device-reset-scope", MP_PASS, "nothing else sits");
	model_device(j.host, "0000:86:00.1");
	expect(&j, "device-reset-scope", MP_WARN, "0000:86:00.1");
	judge_clear(&j);
}

static void dead_devices_do_not_pass(void **state G_GNUC_UNUSED)
{
	static const char *const ids[] = { "device-responds", "device-link", "device-msi",
		"device-msix-shared-page", "device-aer", "device-power-state" };
	struct judge j;

	judge_init(&j);
	struct mp_pci *card = wanted(&j, "0000:86:00.0");

	memset((void *)card->config, 0xff, 4096);
	card->all_ones = true;
	for (size_t i = 0; i < G_N_ELEMENTS(ids); i++) {
		const struct mp_finding *f = say(&j, ids[i]);

		if (f->severity != MP_FAIL && f->severity != MP_UNSURE)
			fail_msg("%s: %s", ids[i], f->summary);
	}
	/* Nothing read at all. */
	card->all_ones = false;
	card->config = NULL;
	card->config_size = 0;
	card->config_fact = mp_fact_unknown(j.host, "/test/config", "Permission denied");
	for (size_t i = 0; i < G_N_ELEMENTS(ids); i++) {
		const struct mp_finding *f = say(&j, ids[i]);

		if (f->severity == MP_PASS || f->severity == MP_INFO)
			fail_msg("%s: %s", ids[i], f->summary);
	}
	judge_clear(&j);
}

static void links_are_compared_with_both_ends(void **state G_GNUC_UNUSED)
{
	struct judge j;

	judge_init(&j);
	struct mp_pci *card = wanted(&j, "0000:86:00.0");
	struct mp_pci *port = model_device(j.host, "0000:85:00.0");

	card->parent = port;
	card->link_width = card->link_width_max = mp_fact_absent(j.host, "/test/link");
	expect(&j, "device-link", MP_SKIP, "no PCI Express link");
	card->link_speed = mp_fact_known(j.host, "/test/speed", "8.0 GT/s PCIe");
	card->link_width = mp_fact_known(j.host, "/test/width", "4");
	card->link_speed_max = mp_fact_known(j.host, "/test/max_speed", "8.0 GT/s PCIe");
	card->link_width_max = mp_fact_known(j.host, "/test/max_width", "4");
	expect(&j, "device-link", MP_PASS, "8.0 GT/s x4");
	card->link_width = mp_fact_known(j.host, "/test/width", "1");
	expect(&j, "device-link", MP_WARN, "x1 where");
	port->link_width_max = mp_fact_known(j.host, "/test/port_width", "1");
	expect(&j, "device-link", MP_INFO, "all that its port gives");
	card->link_speed = mp_fact_known(j.host, "/test/speed", "2.5 GT/s PCIe");
	expect(&j, "device-link", MP_WARN, "2.5 GT/s");
	card->link_width = mp_fact_known(j.host, "/test/width", "0");
	expect(&j, "device-link", MP_FAIL, "down");
	card->link_width = mp_fact_known(j.host, "/test/width", "1");
	card->link_speed = mp_fact_known(j.host, "/test/speed", "Unknown");
	expect(&j, "device-link", MP_UNSURE, "not known");
	judge_clear(&j);
}

static void msix_pages_are_judged(void **state G_GNUC_UNUSED)
{
	struct judge j;

	judge_init(&j);
	struct mp_pci *card = wanted(&j, "0000:86:00.0");

	expect(&j, "device-msix-shared-page", MP_SKIP, "no MSI-X");
	expect(&j, "device-msi", MP_INFO, "no interrupts");
	((uint8_t *)card->config)[0x3d] = 1;
	expect(&j, "device-msi", MP_WARN, "INTx");
	card->msix = (struct mp_msix){ .present = true,
		.vectors = 33,
		.table_offset = 0x2000,
		.pba_offset = 0x3000 };
	expect(&j, "device-msix-shared-page", MP_PASS, "own pages");
	expect(&j, "device-msi", MP_PASS, "33 vectors");
	/* The pending bits right behind the table are fine. */
	card->msix.pba_offset = 0x2000 + 33 * 16;
	expect(&j, "device-msix-shared-page", MP_PASS, "own pages");
	card->msix.pba_offset = 0x3010;
	expect(&j, "device-msix-shared-page", MP_WARN, "PBA shares");
	card->msix.pba_bar = 2;
	card->msix.pba_offset = 0;
	card->msix.table_offset = 0x46800;
	expect(&j, "device-msix-shared-page", MP_WARN, "table shares");
	card->msi_bus = mp_fact_known(j.host, "/test/msi_bus", "0");
	expect(&j, "device-msi", MP_FAIL, "msi_bus=0");
	judge_clear(&j);
}

static void twins_and_functions_are_named(void **state G_GNUC_UNUSED)
{
	struct judge j;

	judge_init(&j);
	struct mp_pci *card = wanted(&j, "0000:86:00.0");

	expect(&j, "device-siblings-same-id", MP_PASS, "No other");
	expect(&j, "device-multifunction", MP_PASS, "no other functions");
	struct mp_pci *second = model_device(j.host, "0000:86:00.1");
	struct mp_group *group = model_group(j.host, 22);
	expect(&j, "device-siblings-same-id", MP_WARN, "0000:86:00.1 (no driver) is");
	j.config.binding = (char *)"address";
	expect(&j, "device-siblings-same-id", MP_INFO, "0000:86:00.1");
	expect(&j, "device-multifunction", MP_INFO, "one of 2");
	model_join(j.host, group, card);
	model_join(j.host, group, second);
	expect(&j, "device-multifunction", MP_WARN, "share its IOMMU group");
	second->vendor_fact = mp_fact_unknown(j.host, "/test/vendor", "test");
	expect(&j, "device-siblings-same-id", MP_UNSURE, "could not be read");
	second->physfn = mp_fact_known(j.host, "/test/physfn", "0000:86:00.0");
	expect(&j, "device-multifunction", MP_PASS, "no other functions");
	judge_clear(&j);
}

static void bars_need_addresses(void **state G_GNUC_UNUSED)
{
	struct judge j;

	judge_init(&j);
	struct mp_pci *card = wanted(&j, "0000:86:00.0");

	expect(&j, "device-bars", MP_UNSURE, "could not be read");
	card->resource = mp_fact_known(j.host, "/test/resource", "test");
	expect(&j, "device-bars", MP_INFO, "no BARs");
	card->bars[0] = (struct mp_bar){ 0xee000000, 0xee000fff, 0x140204 };
	expect(&j, "device-bars", MP_PASS, "every BAR");
	/* A ROM without a place is everyday. */
	card->bars[6] = (struct mp_bar){ 0, 0xffff, 0x20000200 };
	expect(&j, "device-bars", MP_PASS, "every BAR");
	card->bars[2] = (struct mp_bar){ 0, 0x1ffffff, 0x20040200 };
	expect(&j, "device-bars", MP_FAIL, "BAR 2");
	judge_clear(&j);
}

static void errors_are_counted(void **state G_GNUC_UNUSED)
{
	struct judge j;

	judge_init(&j);
	struct mp_pci *card = wanted(&j, "0000:86:00.0");

	expect(&j, "device-aer", MP_SKIP, "not a PCI Express");
	card->pcie.present = true;
	card->pcie.device_status = 0x9;
	expect(&j, "device-aer", MP_PASS, "no PCI Express errors");
	card->aer_fatal =
		mp_fact_known(j.host, "/test/fatal", "DLP 0\nTOTAL_ERR_FATAL 0");
	card->aer_nonfatal =
		mp_fact_known(j.host, "/test/nonfatal", "TOTAL_ERR_NONFATAL 0");
	card->aer_correctable =
		mp_fact_known(j.host, "/test/cor", "RxErr 7\nTOTAL_ERR_COR 7");
	expect(&j, "device-aer", MP_INFO, "7 corrected");
	card->aer_fatal =
		mp_fact_known(j.host, "/test/fatal", "DLP 2\nTOTAL_ERR_FATAL 2");
	expect(&j, "device-aer", MP_WARN, "2 fatal");
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
		cmocka_unit_test(resets_are_judged),
		cmocka_unit_test(dead_devices_do_not_pass),
		cmocka_unit_test(links_are_compared_with_both_ends),
		cmocka_unit_test(msix_pages_are_judged),
		cmocka_unit_test(twins_and_functions_are_named),
		cmocka_unit_test(bars_need_addresses),
		cmocka_unit_test(errors_are_counted),
		cmocka_unit_test(groups_are_sparse_and_odd),
		cmocka_unit_test(links_alone_make_groups),
	};

	return cmocka_run_group_tests_name("group", tests, NULL, NULL);
}
