/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "unit.h"

#include "core/iommu.h"
#include "core/pci.h"
#include "seeds.h"
#include "sysroot.h"

static const char remapped[] =
	"            CPU0       CPU1       CPU2\n"
	"   0:          9          0          0  IR-IO-APIC    2-edge      timer\n"
	"   8:          0          0          0  IR-IO-APIC    8-edge      rtc0\n"
	"  24:          0          0          0  DMAR-MSI    0-edge      dmar0\n"
	"  25:          0          0          1  PCI-MSI-0000:00:00.2    0-edge      "
	"AMD-Vi\n"
	"  26:          0          0          0 IOMMU-MSI  368-edge      AMD-Vi0-Evt\n"
	" 121:          1  4294967295          7  IR-PCI-MSI-0000:00:1f.2    0-edge      "
	"ahci[0000:00:1f.2]\n"
	" 122:          0          0          0  IR-PCI-MSIX-0000:03:00.0   1-edge      "
	"nvme0q1\n"
	" 130:          0          0          0  VMD-PCI-MSIX-10000:e1:00.0   1-edge     "
	" nvme1q1\n"
	" NMI:          3          4          5   Non-maskable interrupts\n"
	" ERR:          0\n";

static void remapped_chips_are_counted(void **state G_GNUC_UNUSED)
{
	g_autoptr(mp_host) host = mp_host_new("test", false);
	struct mp_irq_chips chips = { .remapped = 0 };

	mp_irq_chips_parse(host, remapped, &chips);
	assert_int_equal(chips.fact.know, MP_KNOWN);
	assert_int_equal(chips.remapped, 4);
	assert_int_equal(chips.remapped_msi, 2);
	assert_int_equal(chips.direct, 0);
	assert_null(chips.sample_direct);
	assert_string_equal(
		chips.sample_remapped, "IR-PCI-MSI-0000:00:1f.2 (ahci[0000:00:1f.2])");
}

static void plain_chips_are_counted(void **state G_GNUC_UNUSED)
{
	g_autoptr(mp_host) host = mp_host_new("test", false);
	struct mp_irq_chips chips = { .remapped = 0 }, none = { .remapped = 0 };

	mp_irq_chips_parse(host,
		"           CPU0\n"
		"  1:         9   IO-APIC   1-edge      i8042\n"
		" 25:         9   PCI-MSI 4096-edge      AMD-Vi\n"
		" 27:         9   PCI-MSI 512000-edge      ahci, eth0\n"
		" 28:         9   IR-PCI-MSI 512001-edge      xhci_hcd\n",
		&chips);
	assert_int_equal(chips.remapped, 1);
	assert_int_equal(chips.direct, 2);
	assert_int_equal(chips.direct_msi, 1);
	assert_string_equal(chips.sample_direct, "PCI-MSI (ahci, eth0)");
	mp_irq_chips_parse(host, "           CPU0\n NMI: 0 Non-maskable\n:\n", &none);
	assert_int_equal(none.fact.know, MP_UNKNOWN);
}

static void compacting_keeps_the_chips(void **state G_GNUC_UNUSED)
{
	g_autoptr(mp_host) host = mp_host_new("test", false);
	g_autofree char *compact = mp_interrupts_compact(remapped);
	struct mp_irq_chips chips = { .remapped = 0 };

	assert_non_null(
		strstr(compact, " 121: 4294967303  IR-PCI-MSI-0000:00:1f.2    0-edge"));
	mp_irq_chips_parse(host, compact, &chips);
	assert_int_equal(chips.remapped, 4);
	assert_int_equal(chips.direct, 0);
}

static void registers_of_debugfs_are_read(void **state G_GNUC_UNUSED)
{
	static const char regset[] = "IOMMU: dmar0 Register Base Address: fed90000\n"
				     "Name\t\t\tOffset\t\tContents\n"
				     "GCMD            \t0x18\t\t0x0000000000000000\n"
				     "GSTS            \t0x1c\t\t0x00000000c7000000\n\n"
				     "IOMMU: dmar1 Register Base Address: fed91000\n"
				     "GSTS            \t0x1c\t\t0x0000000084800000\n"
				     "GSTSX           \t0x1c\t\t0x0000000000000001\n"
				     "GSTS            \t0x1c\t\tgarbage\n";
	g_autoptr(mp_host) host = mp_host_new("test", false);
	GArray *units = mp_regset_parse(host, regset);
	g_autofree char *table =
		mp_ir_table_parse("Remapped Interrupt supported on IOMMU: dmar0\n IR "
				  "table address:100200000\n"
				  " Entry SrcID   DstID    Vct IRTE_high\t\tIRTE_low\n\n"
				  "Remapped Interrupt supported on IOMMU: "
				  "dmar1\nInterrupt Remapping is not enabled\n\n"
				  "****\n\nPosted Interrupt supported on IOMMU: dmar1\n "
				  "IR table address:1\n");

	assert_int_equal(units->len, 2);
	assert_int_equal(g_array_index(units, struct mp_gsts, 0).value, 0xc7000000);
	assert_string_equal(g_array_index(units, struct mp_gsts, 1).unit, "dmar1");
	assert_true(g_array_index(units, struct mp_gsts, 1).value & MP_GSTS_CFIS);
	assert_string_equal(table, "dmar0=on dmar1=off");
}

static void log_lines_are_found(void **state G_GNUC_UNUSED)
{
	g_autoptr(mp_host) host = mp_host_new("test", false);
	struct mp_iommu_log log;

	mp_iommu_log_parse(host,
		"[    0.000000] Linux version 6.17.2-1-pve (build@proxmox)\n"
		"[    0.157375] DMAR-IR: x2apic is disabled because BIOS sets x2apic opt "
		"out bit.\n"
		"[    0.160443] DMAR-IR: Enabled IRQ remapping in xapic mode\n"
		"[    0.160444] x2apic: IRQ remapping doesn't support X2APIC mode\n"
		"[    0.414474] iommu: Default domain type: Translated\n",
		&log);
	assert_true(log.complete);
	assert_true(mp_fact_is(
		&log.ir_enabled, "DMAR-IR: Enabled IRQ remapping in xapic mode"));
	assert_int_equal(log.x2apic_opt_out.know, MP_KNOWN);
	assert_int_equal(log.ir_refused.know, MP_ABSENT);
	assert_true(mp_fact_is(
		&log.default_domain, "iommu: Default domain type: Translated"));

	mp_iommu_log_parse(host,
		"AMD-Vi: [Firmware Bug]: No southbridge IOAPIC found\n"
		"[    0.03] AMD-Vi: Disabling interrupt remapping\n"
		"[   12.51] vfio-pci 0000:01:00.0: Firmware has requested this device "
		"have a 1:1 IOMMU mapping, rejecting configuring\n",
		&log);
	assert_false(log.complete);
	assert_true(mp_fact_is(&log.ir_refused, "AMD-Vi: Disabling interrupt remapping"));
	assert_int_equal(log.ir_enabled.know, MP_ABSENT);
	assert_int_equal(log.rmrr_refused.know, MP_KNOWN);
}

static void registers_have_a_meaning(void **state G_GNUC_UNUSED)
{
	/* The values of a desktop: graphics unit and the rest. */
	g_autofree char *cap = mp_cap_describe(0x00d2008c40660462);
	g_autofree char *ecap = mp_ecap_describe(0x0000000000f050da);
	g_autofree char *efr = mp_efr_describe(0x84);

	assert_string_equal(cap, "2M pages, 1G pages, PSI, MGAW 39 bits, SAGAW 48 bits");
	assert_string_equal(ecap, "QI, IR, EIM, PT, SC, MHMV 32768");
	assert_string_equal(efr, "XT, GA");
	assert_int_equal(mp_cap_sagaw(0x8d2078c106f0466), 48);
}

static void an_intel_host_is_probed(void **state G_GNUC_UNUSED)
{
	g_autofree uint8_t *dmar = NULL;
	struct mp_pci nic = { .bdf = "0000:00:02.0" }, other = { .bdf = "0000:00:03.0" };
	struct sysroot s;
	gsize size;

	sysroot_init(&s);
	dmar = seed_read("dmar", "valid-qemu", &size);
	sysroot_write(&s, "sys/firmware/acpi/tables/DMAR", dmar, size);
	sysroot_text(
		&s, "sys/devices/virtual/iommu/dmar0/intel-iommu/address", "fed90000\n");
	sysroot_text(&s, "sys/devices/virtual/iommu/dmar0/intel-iommu/cap",
		"d2008c222f0686\n");
	sysroot_text(&s, "sys/devices/virtual/iommu/dmar0/intel-iommu/ecap", "f00f5a\n");
	sysroot_mkdir(&s, "sys/devices/virtual/iommu/dmar0/devices/0000:00:02.0");
	sysroot_link(&s, "sys/class/iommu/dmar0", "../../devices/virtual/iommu/dmar0");
	sysroot_text(&s, "proc/interrupts", remapped);
	g_autoptr(mp_host) host = sysroot_probe(&s, mp_probe_iommu);
	const struct mp_iommu *t = host->iommu;

	assert_true(mp_fact_is(&t->dmar_fact, "80 bytes"));
	assert_non_null(t->dmar);
	assert_int_equal(t->ivrs_fact.know, MP_ABSENT);
	assert_null(t->ioapics);
	assert_int_equal(t->units->len, 1);
	assert_ptr_equal(mp_iommu_unit_at(host, 0xfed90000), t->units->pdata[0]);
	assert_ptr_equal(mp_iommu_unit_of(host, &nic), t->units->pdata[0]);
	assert_null(mp_iommu_unit_of(host, &other));
	assert_int_equal(t->irq.remapped, 4);
	assert_int_equal(t->log.readable.know, MP_UNKNOWN);
	assert_int_equal(t->log.ir_enabled.know, MP_UNKNOWN);
	assert_int_equal(t->gsts.know, MP_ABSENT);
	sysroot_clear(&s);
}

static void nothing_to_see_is_unknown(void **state G_GNUC_UNUSED)
{
	struct sysroot s;

	sysroot_init(&s);
	sysroot_mkdir(&s, "sys/class");
	g_autoptr(mp_host) host = sysroot_probe(&s, mp_probe_iommu);

	assert_int_equal(host->iommu->dmar_fact.know, MP_UNKNOWN);
	assert_int_equal(host->iommu->ivrs_fact.know, MP_UNKNOWN);
	assert_int_equal(host->iommu->irq.fact.know, MP_UNKNOWN);
	assert_int_equal(host->iommu->class_fact.know, MP_ABSENT);
	sysroot_clear(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(remapped_chips_are_counted),
		cmocka_unit_test(plain_chips_are_counted),
		cmocka_unit_test(compacting_keeps_the_chips),
		cmocka_unit_test(registers_of_debugfs_are_read),
		cmocka_unit_test(log_lines_are_found),
		cmocka_unit_test(registers_have_a_meaning),
		cmocka_unit_test(an_intel_host_is_probed),
		cmocka_unit_test(nothing_to_see_is_unknown),
	};

	return cmocka_run_group_tests_name("iommu", tests, NULL, NULL);
}
