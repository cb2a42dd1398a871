/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The checks of interrupt remapping, on hosts built by hand. */
#include "config.h"

#include "iommu-scene.h"

static void what_remapping_needs(void **state)
{
	struct world *w = *state;

	set_ioapics(w, 8, 11);
	expect(w, "interrupt-remapping-supported", MP_FAIL);
	assert_non_null(
		strstr(ask(w, "interrupt-remapping-supported")->summary, "I/O APIC 11"));
	set_ioapics(w, 8, 10);
	((struct mp_iommu_unit *)w->host->iommu->units->pdata[2])->ecap =
		known(w, "f020d7");
	expect(w, "interrupt-remapping-supported", MP_FAIL);
	assert_non_null(
		strstr(ask(w, "interrupt-remapping-supported")->summary, "dmar2"));
	((struct mp_iommu_unit *)w->host->iommu->units->pdata[2])->ecap = absent(w);
	set_chips(w, 0, 0);
	expect(w, "interrupt-remapping-supported", MP_UNSURE);
	set_chips(w, 20, 0); /* what is done can be done */
	expect(w, "interrupt-remapping-supported", MP_PASS);
	set_dmar(w, "valid-no-interrupt-remapping");
	expect(w, "interrupt-remapping-supported", MP_FAIL);
}

static void a_broken_chipset(void **state)
{
	struct world *w = *state;
	struct mp_pci *ioh = add_device(w, "0000:00:00.0", 0);

	ioh->vendor = 0x8086;
	ioh->device = 0x3405;
	ioh->revision = 0x20;
	expect(w, "interrupt-remapping-supported", MP_PASS);
	ioh->revision = 0x22;
	expect(w, "interrupt-remapping-supported", MP_FAIL);
}

static void live_evidence_decides(void **state)
{
	struct world *w = *state;
	struct mp_iommu *t = w->host->iommu;

	set_chips(w, 0, 20);
	set_gsts(w, 0xc4000000, 0xc4000000);
	set_cmdline(w, "quiet intremap=off");
	expect(w, "interrupt-remapping-active", MP_FAIL);
	assert_non_null(
		strstr(ask(w, "interrupt-remapping-active")->summary, "intremap=off"));
	expect(w, "interrupt-remapping-sources-agree", MP_WARN); /* firmware could */
	set_chips(w, 19, 1);
	expect(w, "interrupt-remapping-active", MP_WARN);

	/* Remapped chips, but a unit that lets raw messages pass. */
	set_chips(w, 20, 0);
	set_gsts(w, 0xc7000000, 0xc7800000);
	expect(w, "interrupt-remapping-active", MP_WARN);
	expect(w, "interrupt-remapping-sources-agree", MP_FAIL);

	/* Without chips the registers, without them the log. */
	set_chips(w, 0, 0);
	set_gsts(w, 0xc7000000, 0xc7000000);
	expect(w, "interrupt-remapping-active", MP_PASS);
	t->gsts = absent(w);
	t->gsts_units = NULL;
	expect(w, "interrupt-remapping-active", MP_UNSURE);
	t->log.readable = known(w, "complete");
	expect(w, "interrupt-remapping-active", MP_UNSURE); /* no line proves nothing */
	t->log.ir_enabled = known(w, "DMAR-IR: Enabled IRQ remapping in x2apic mode");
	expect(w, "interrupt-remapping-active", MP_PASS);
	t->log.ir_enabled = absent(w);
	t->log.ir_refused = known(w, "Not enabling interrupt remapping");
	expect(w, "interrupt-remapping-active", MP_FAIL);
}

static void one_source_is_no_comparison(void **state)
{
	struct world *w = *state;

	set_chips(w, 20, 0);
	expect(w, "interrupt-remapping-sources-agree", MP_UNSURE);
	set_dmar(w, "valid-qemu");
	expect(w, "interrupt-remapping-sources-agree", MP_PASS);
	set_chips(w, 0, 20);
	set_dmar(w, "valid-no-interrupt-remapping");
	expect(w, "interrupt-remapping-sources-agree", MP_INFO);

	/* An I/O APIC in a scope is no word for "on"; one in none is a word for "off". */
	set_dmar(w, "valid-qemu");
	w->host->iommu->dmar->flags = 0;
	set_ioapics(w, 0, 0);
	expect(w, "interrupt-remapping-sources-agree", MP_INFO);
	w->host->iommu->dmar->flags = MP_DMAR_FLAG_INTR_REMAP;
	set_chips(w, 20, 0);
	expect(w, "interrupt-remapping-sources-agree", MP_PASS);
	set_ioapics(w, 77, 77);
	expect(w, "interrupt-remapping-sources-agree", MP_WARN);
}

static void four_sources_at_least(void **state)
{
	const struct mp_finding *f = ask(*state, "interrupt-remapping-sources-agree");

	assert_true(f->evidence->len >= 4);
}

static void x2apic(void **state)
{
	struct world *w = *state;

	set_dmar(w, "valid-x2apic-opt-out");
	expect(w, "x2apic-opt-out", MP_WARN);
	set_cmdline(w, "intremap=no_x2apic_optout");
	expect(w, "x2apic-opt-out", MP_INFO);
	w->host->iommu->dmar = NULL;
	w->host->iommu->dmar_fact = mp_fact_unknown(w->host, "test", "Permission denied");
	expect(w, "x2apic-opt-out", MP_UNSURE);
	set_cmdline(w, "quiet");
	w->host->iommu->log.x2apic_opt_out = known(w, "x2apic is disabled");
	expect(w, "x2apic-opt-out", MP_WARN);
}

static void amd(void **state)
{
	struct world *w = *state;
	struct mp_iommu *t = w->host->iommu;

	t->dmar = NULL;
	t->gsts = absent(w);
	t->gsts_units = NULL;
	g_ptr_array_set_size(t->units, 0);
	set_ivrs(w, "valid-am5-unity-range");
	set_ioapics(w, 32, 33);
	add_unit(w, "ivhd0", NULL);
	w->host->platform->cpu_vendor = MP_CPU_AMD;
	expect(w, "firmware-iommu-table", MP_PASS);
	expect(w, "interrupt-remapping-supported", MP_PASS);
	expect(w, "interrupt-remapping-active", MP_PASS);
	expect(w, "interrupt-remapping-sources-agree", MP_PASS);
	expect(w, "x2apic-opt-out", MP_PASS);
	expect(w, "posted-interrupts", MP_PASS);
	expect(w, "iommu-address-width", MP_PASS);
	expect(w, "iommu-active", MP_PASS);
	set_cmdline(w, "amd_iommu=on");
	expect(w, "iommu-active", MP_INFO);
	((struct mp_iommu_unit *)t->units->pdata[0])->features = known(w, "0");
	expect(w, "x2apic-opt-out", MP_INFO);
	expect(w, "posted-interrupts", MP_INFO);
	/* Since 6.7 the second register comes behind a colon. */
	((struct mp_iommu_unit *)t->units->pdata[0])->features = known(w, "84:10");
	expect(w, "x2apic-opt-out", MP_PASS);
	expect(w, "posted-interrupts", MP_PASS);
	((struct mp_iommu_unit *)t->units->pdata[0])->features = known(w, "x:10");
	expect(w, "posted-interrupts", MP_UNSURE);
	set_ioapics(w, 32, 34);
	expect(w, "interrupt-remapping-supported", MP_FAIL);
	set_ivrs(w, "valid-empty");
	expect(w, "firmware-iommu-table", MP_FAIL);
}

int main(void)
{
#define on(world, test) cmocka_unit_test_setup_teardown(test, world, done)
	const struct CMUnitTest tests[] = {
		on(server, what_remapping_needs),
		on(server, a_broken_chipset),
		on(server, live_evidence_decides),
		on(blank, one_source_is_no_comparison),
		on(server, four_sources_at_least),
		on(server, x2apic),
		on(server, amd),
	};

	return cmocka_run_group_tests_name("checks-remapping", tests, NULL, NULL);
}
