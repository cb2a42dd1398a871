/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The checks of platform and IOMMU, on hosts built by hand. */
#include "config.h"

#include "iommu-scene.h"

static const char *const ids[] = { "cpu-virtualization", "firmware-iommu-table",
	"iommu-active", "iommu-covers-device", "iommu-default-domain",
	"iommu-address-width", "interrupt-remapping-supported",
	"interrupt-remapping-active", "interrupt-remapping-sources-agree",
	"x2apic-opt-out", "posted-interrupts", "unsafe-interrupts-off",
	"acs-override-absent", "relax-rmrr-absent", "kernel-lockdown",
	"device-reserved-regions", "device-dma-alias" };

static void a_good_server_passes_all(void **state)
{
	for (size_t i = 0; i < G_N_ELEMENTS(ids); i++)
		expect(*state, ids[i], MP_PASS);
}

static void nothing_known_passes_nothing(void **state)
{
	struct world *w = *state;

	w->card->vendor = 0xffff;
	for (size_t i = 0; i < G_N_ELEMENTS(ids); i++) {
		const struct mp_finding *f = ask(w, ids[i]);

		if (f->severity != MP_UNSURE && f->severity != MP_SKIP)
			fail_msg("%s: %s", ids[i], f->summary);
	}
	/* Not even the topics were probed. */
	w->host->iommu = NULL;
	w->host->platform = NULL;
	w->host->boot = NULL;
	for (size_t i = 0; i < G_N_ELEMENTS(ids); i++)
		assert_true(ask(w, ids[i])->severity == MP_UNSURE ||
			    ask(w, ids[i])->severity == MP_SKIP);
}

static void cpu(void **state)
{
	struct world *w = *state;

	w->host->platform->kvm_module = absent(w);
	expect(w, "cpu-virtualization", MP_WARN);
	w->host->platform->cpu_virt = absent(w);
	expect(w, "cpu-virtualization", MP_FAIL);
	w->host->platform->lockdown = known(w, "integrity");
	expect(w, "kernel-lockdown", MP_INFO);
	w->host->platform->lockdown = known(w, "confidentiality");
	expect(w, "kernel-lockdown", MP_WARN);
}

static void no_table_is_a_firmware_setting(void **state)
{
	struct world *w = *state;
	struct mp_iommu *t = w->host->iommu;

	t->dmar = NULL;
	t->dmar_fact = t->ivrs_fact = absent(w);
	g_ptr_array_set_size(t->units, 0);
	t->class_fact = known(w, "no unit");
	t->gsts = absent(w);
	t->gsts_units = NULL;
	set_chips(w, 0, 20);
	expect(w, "firmware-iommu-table", MP_FAIL);
	expect(w, "iommu-active", MP_FAIL);
	assert_non_null(strstr(ask(w, "iommu-active")->remedy, "VT-d"));
	expect(w, "interrupt-remapping-active", MP_SKIP); /* the same cause */
	expect(w, "interrupt-remapping-supported", MP_SKIP);
	expect(w, "x2apic-opt-out", MP_SKIP);
	t->dmar_fact = mp_fact_unknown(w->host, "test", "Permission denied");
	expect(w, "firmware-iommu-table", MP_UNSURE);
}

static void a_kernel_that_does_not_use_it(void **state)
{
	struct world *w = *state;

	g_ptr_array_set_size(w->host->iommu->units, 0);
	w->host->iommu->class_fact = known(w, "no unit");
	w->host->platform->kernel_release = known(w, "6.5.13-1-pve");
	expect(w, "iommu-active", MP_FAIL);
	assert_non_null(strstr(ask(w, "iommu-active")->remedy, "intel_iommu=on"));
	set_cmdline(w, "quiet intel_iommu=off");
	assert_non_null(strstr(ask(w, "iommu-active")->summary, "intel_iommu=off"));
	/* The last one counts, and a longer name is another parameter. */
	set_cmdline(w, "intel_iommu=off intel_iommu=on xintel_iommu=off");
	assert_null(strstr(ask(w, "iommu-active")->summary, "switches it off"));
	assert_non_null(strstr(ask(w, "iommu-active")->summary, "failed to start"));
	/* The kernel's configuration comes before the rule of its release. */
	struct mp_kernel kernel = { .release = "6.5.13-1-pve", .running = true };
	struct mp_modules modules = { .kernels = g_ptr_array_new() };
	g_ptr_array_add(modules.kernels, &kernel);
	w->host->modules = &modules;
	set_cmdline(w, "quiet");
	assert_non_null(strstr(ask(w, "iommu-active")->summary, "not told"));
	w->host->platform->kernel_release = known(w, "6.14.8-2-pve");
	kernel.release = "6.14.8-2-pve";
	assert_non_null(strstr(ask(w, "iommu-active")->summary, "failed to start"));
	kernel.intel_iommu_default_on = known(w, "n");
	assert_non_null(strstr(ask(w, "iommu-active")->summary, "not told"));
	kernel.intel_iommu_default_on = known(w, "y");
	w->host->platform->kernel_release = known(w, "6.1.0-18-amd64");
	assert_non_null(strstr(ask(w, "iommu-active")->summary, "failed to start"));
	g_ptr_array_free(modules.kernels, TRUE);
	w->host->modules = NULL;
	expect(w, "iommu-covers-device", MP_SKIP);
	expect(w, "iommu-address-width", MP_SKIP);
}

static void a_broken_table_is_told(void **state)
{
	struct world *w = *state;

	set_dmar(w, "cut-before-last-structure");
	expect(w, "firmware-iommu-table", MP_WARN);
	set_dmar(w, "structure-of-length-zero");
	expect(w, "firmware-iommu-table", MP_FAIL);
}

static void inside_a_vm(void **state)
{
	struct world *w = *state;

	((struct mp_iommu_unit *)w->host->iommu->units->pdata[0])->cap =
		known(w, "8d2078c106f04e6");
	expect(w, "iommu-active", MP_INFO);
	assert_non_null(strstr(ask(w, "iommu-active")->summary, "itself a VM"));
}

static void domains(void **state)
{
	struct world *w = *state;

	w->group->type = known(w, "identity");
	expect(w, "iommu-default-domain", MP_INFO);
	w->profile.irq_delivery = MP_IRQ_DEVICE_PROGRAMMED;
	expect(w, "iommu-default-domain", MP_WARN);
	w->card->power_state = known(w, "D3hot"); /* asleep: it reaches nothing */
	expect(w, "iommu-default-domain", MP_INFO);
	w->card->power_state = known(w, "D0");
	expect(w, "iommu-default-domain", MP_WARN);
	w->group->type = mp_fact_unknown(w->host, "test", "no");
	expect(w, "iommu-default-domain", MP_UNSURE);
}

static void narrow_units_are_seen(void **state)
{
	struct world *w = *state;

	((struct mp_iommu_unit *)w->host->iommu->units->pdata[1])->cap =
		known(w, "d2008c20660462");
	expect(w, "iommu-address-width", MP_WARN);
	((struct mp_iommu_unit *)w->host->iommu->units->pdata[1])->cap = absent(w);
	expect(w, "iommu-address-width", MP_UNSURE);
}

static void switches(void **state)
{
	struct world *w = *state;
	struct mp_modprobe_line line = { .kind = MP_MODPROBE_OPTIONS,
		.module = "vfio_iommu_type1",
		.value = "allow_unsafe_interrupts=1",
		.file = "/etc/modprobe.d/x.conf" };
	struct mp_modules modules = { .modprobe = g_ptr_array_new() };

	w->host->iommu->unsafe_interrupts_vfio = known(w, "Y");
	expect(w, "unsafe-interrupts-off", MP_FAIL);
	w->host->iommu->unsafe_interrupts_vfio = absent(w);
	expect(w, "unsafe-interrupts-off", MP_PASS);
	g_ptr_array_add(modules.modprobe, &line);
	w->host->modules = &modules;
	expect(w, "unsafe-interrupts-off", MP_FAIL);
	line.value = "allow_unsafe_interrupts=0";
	expect(w, "unsafe-interrupts-off", MP_PASS);
	set_cmdline(w, "vfio_iommu_type1.allow_unsafe_interrupts=Y");
	expect(w, "unsafe-interrupts-off", MP_FAIL);
	w->host->modules = NULL;
	g_ptr_array_unref(modules.modprobe);

	set_cmdline(w, "pcie_acs_override=downstream,multifunction");
	expect(w, "acs-override-absent", MP_FAIL);
	set_cmdline(w, "not_pcie_acs_override=downstream");
	expect(w, "acs-override-absent", MP_PASS);
	w->host->boot->staged = known(w, "pcie_acs_override=downstream");
	expect(w, "acs-override-absent", MP_WARN);

	set_cmdline(w, "intel_iommu=on,relax_rmrr");
	set_dmar(w, "valid-xeon-two-sockets"); /* its second region names the card */
	expect(w, "relax-rmrr-absent", MP_FAIL);
	set_dmar(w, "valid-qemu");
	expect(w, "relax-rmrr-absent", MP_WARN);
}

static void units_of_devices(void **state)
{
	struct world *w = *state;
	struct mp_iommu_unit *first = w->host->iommu->units->pdata[0];
	struct mp_iommu_unit *second = w->host->iommu->units->pdata[1];

	g_ptr_array_set_size(second->devices, 0);
	expect(w, "iommu-covers-device", MP_FAIL);
	second->devices_fact = mp_fact_unknown(w->host, "test", "no");
	expect(w, "iommu-covers-device", MP_UNSURE);
	g_ptr_array_add(first->devices, (char *)w->card->bdf);
	expect(w, "iommu-covers-device", MP_WARN); /* the table says the second unit */
}

static void regions(void **state)
{
	struct world *w = *state;
	struct mp_reserved region = { 0x7f000000, 0x7f0fffff, "direct" };

	set_dmar(w, "valid-xeon-two-sockets");
	/* The seed's second region names the card, this kernel shows no trace of it. */
	expect(w, "device-reserved-regions", MP_WARN);
	set_dmar(w, "valid-qemu");
	expect(w, "device-reserved-regions", MP_PASS);
	w->group->reserved = &region;
	w->group->reserved_count = 1;
	expect(w, "device-reserved-regions", MP_FAIL);
	region.type = "direct-relaxable";
	expect(w, "device-reserved-regions", MP_PASS);
	region.type = "direct";
	w->host->platform->cpu_vendor = MP_CPU_AMD;
	w->host->platform->kernel_release = known(w, "6.5.13-1-pve");
	expect(w, "device-reserved-regions", MP_WARN);
	w->group->reserved_count = 0;
	w->group->reserved_fact = mp_fact_unknown(w->host, "test", "no");
	expect(w, "device-reserved-regions", MP_UNSURE);
	w->host->iommu->dmar = NULL;
	set_ivrs(w, "valid-am5-unity-range"); /* buses 0 to 15, the card is on 0x86 */
	expect(w, "device-reserved-regions", MP_UNSURE);
	w->card->bus = 1;
	expect(w, "device-reserved-regions", MP_WARN);
}

static void aliases(void **state)
{
	struct world *w = *state;

	w->port->pcie.type = 7;
	expect(w, "device-dma-alias", MP_WARN);
	assert_non_null(strstr(ask(w, "device-dma-alias")->summary, "0000:86:00.0)"));
	w->port->pcie.present = false;
	expect(w, "device-dma-alias", MP_WARN);
	w->port->config_size = 64;
	expect(w, "device-dma-alias", MP_UNSURE);
	w->port->config_size = 4096;
	w->port->pcie.present = true;
	w->port->pcie.type = 6;
	w->card->vendor = 0x1b4b;
	w->card->device = 0x9230;
	expect(w, "device-dma-alias", MP_WARN);
	w->card->function = 1;
	expect(w, "device-dma-alias", MP_PASS);
	w->card->function = 0;
	w->card->vendor = 0x14a4; /* Lite-On too, but of no such chip */
	w->card->device = 0x0122;
	expect(w, "device-dma-alias", MP_PASS);
	w->card->vendor = 0x1c28;
	expect(w, "device-dma-alias", MP_WARN);
	w->card->vendor = 0x9005; /* which number, only the subsystem tells */
	w->card->device = 0x0285;
	w->card->slot = 0xe;
	expect(w, "device-dma-alias", MP_PASS);
	w->card->subvendor = 0x9005;
	w->card->subdevice = 0x02bb;
	expect(w, "device-dma-alias", MP_WARN);
	assert_non_null(strstr(ask(w, "device-dma-alias")->summary, ":01.0: it"));
	w->card->subvendor = 0;
	w->port->pcie.type = 7;
	w->port->vendor = 0x1a03; /* a management chip's bridge */
	w->port->device = 0x1150;
	expect(w, "device-dma-alias", MP_PASS);
	w->port->pcie.type = 6;
	w->port->parent = w->port; /* a circle ends */
	expect(w, "device-dma-alias", MP_PASS);
}

int main(void)
{
#define on(world, test) cmocka_unit_test_setup_teardown(test, world, done)
	const struct CMUnitTest tests[] = {
		on(blank, nothing_known_passes_nothing),
		on(server, a_good_server_passes_all),
		on(server, cpu),
		on(server, no_table_is_a_firmware_setting),
		on(server, a_kernel_that_does_not_use_it),
		on(server, a_broken_table_is_told),
		on(server, inside_a_vm),
		on(server, domains),
		on(server, narrow_units_are_seen),
		on(server, switches),
		on(server, units_of_devices),
		on(server, regions),
		on(server, aliases),
	};

	return cmocka_run_group_tests_name("checks-iommu", tests, NULL, NULL);
}
