/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The checks of a device: its resets, link, BARs and errors, on models built by hand. */
#include "config.h"

#include "group-scene.h"

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

/* The kernel says "unknown" of what no driver has enabled yet. */
static void power_that_the_kernel_did_not_look_at_is_read_from_the_device(
	void **state G_GNUC_UNUSED)
{
	struct judge j;

	judge_init(&j);
	struct mp_pci *card = wanted(&j, "0000:86:00.0");

	card->power_state = mp_fact_known(j.host, "/test/power_state", "unknown");
	card->pm.present = true;
	card->pm.state = 0;
	expect(&j, "device-power-state", MP_PASS, "full power (D0)");
	card->pm.state = 3;
	expect(&j, "device-power-state", MP_PASS, "sleeps in D3hot");
	card->pm.present = false;
	expect(&j, "device-power-state", MP_PASS, "full power (D0)");
	/* Whether it has the capability is not known. */
	card->config_size = 64;
	expect(&j, "device-power-state", MP_UNSURE, "not known");
	card->config_size = 4096;
	card->all_ones = true;
	expect(&j, "device-power-state", MP_UNSURE, "not known");
	card->all_ones = false;
	card->config_fact = mp_fact_unknown(j.host, "/test/config", "Permission denied");
	expect(&j, "device-power-state", MP_UNSURE, "not known");
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(resets_are_judged),
		cmocka_unit_test(dead_devices_do_not_pass),
		cmocka_unit_test(
			power_that_the_kernel_did_not_look_at_is_read_from_the_device),
		cmocka_unit_test(links_are_compared_with_both_ends),
		cmocka_unit_test(msix_pages_are_judged),
		cmocka_unit_test(twins_and_functions_are_named),
		cmocka_unit_test(bars_need_addresses),
		cmocka_unit_test(errors_are_counted),
	};

	return cmocka_run_group_tests_name("checks-device", tests, NULL, NULL);
}
