/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The checks of platform, IOMMU and interrupt remapping, on hosts built by hand. */
#include "config.h"

#include <string.h>

#include "unit.h"

#include "core/boot.h"
#include "core/check.h"
#include "core/group.h"
#include "core/iommu.h"
#include "core/modules.h"
#include "core/pci.h"
#include "core/platform.h"
#include "core/profile.h"
#include "core/settings.h"
#include "seeds.h"

struct world {
	struct mp_host *host;
	struct mp_profile profile;
	struct mp_config config;
	GPtrArray *wanted, *findings;
	struct mp_pci *port, *card;
	struct mp_group *group;
};

static struct mp_fact known(struct world *w, const char *text)
{
	return mp_fact_known(w->host, "test", text);
}

static struct mp_fact absent(struct world *w)
{
	return mp_fact_absent(w->host, "test");
}

static struct mp_pci *add_device(struct world *w, const char *bdf, uint8_t bus)
{
	struct mp_pci *device = mp_host_alloc(w->host, sizeof(*device));

	device->bdf = mp_host_str(w->host, bdf);
	device->bus = bus;
	device->vendor = 0x1f9d;
	device->device = 0x1100;
	device->config_size = 4096;
	device->config_fact = known(w, "4096 bytes");
	g_ptr_array_add(w->host->devices, device);
	g_hash_table_insert(w->host->by_bdf, (void *)device->bdf, device);
	return device;
}

static struct mp_iommu_unit *add_unit(
	struct world *w, const char *name, const char *address)
{
	struct mp_iommu_unit *unit = mp_host_alloc(w->host, sizeof(*unit));

	unit->name = name;
	unit->kind = name[0] == 'd' ? MP_IOMMU_INTEL : MP_IOMMU_AMD;
	unit->devices = mp_host_array(w->host);
	unit->devices_fact = known(w, "1 devices");
	if (unit->kind == MP_IOMMU_INTEL) {
		unit->address = known(w, address);
		unit->cap = known(w, "8d2078c106f0466");
		unit->ecap = known(w, "f020df");
	} else {
		unit->features = known(w, "84");
	}
	g_ptr_array_add(w->host->iommu->units, unit);
	w->host->iommu->class_fact = known(w, "some units");
	return unit;
}

static void set_dmar(struct world *w, const char *seed)
{
	const char *problem = NULL;
	gsize size;
	g_autofree uint8_t *data = seed_read("dmar", seed, &size);

	w->host->iommu->dmar = mp_dmar_parse(w->host, data, size, &problem);
	w->host->iommu->dmar_fact = known(w, "a table");
	w->host->iommu->ivrs_fact = absent(w);
}

static void set_ivrs(struct world *w, const char *seed)
{
	const char *problem = NULL;
	gsize size;
	g_autofree uint8_t *data = seed_read("ivrs", seed, &size);

	w->host->iommu->ivrs = mp_ivrs_parse(w->host, data, size, &problem);
	w->host->iommu->ivrs_fact = known(w, "a table");
	w->host->iommu->dmar_fact = absent(w);
}

static void set_ioapics(struct world *w, uint8_t first, uint8_t last)
{
	w->host->iommu->ioapics = mp_host_own(
		w->host, g_array_new(FALSE, FALSE, 1), (GDestroyNotify)g_array_unref);
	w->host->iommu->madt_fact = known(w, "a table");
	for (uint8_t id = first; id <= last; id++)
		g_array_append_val(w->host->iommu->ioapics, id);
}

static void set_gsts(struct world *w, uint32_t first, uint32_t second)
{
	struct mp_gsts units[] = { { "dmar0", first }, { "dmar1", second } };

	w->host->iommu->gsts_units =
		mp_host_own(w->host, g_array_new(FALSE, FALSE, sizeof(struct mp_gsts)),
			(GDestroyNotify)g_array_unref);
	g_array_append_vals(w->host->iommu->gsts_units, units, 2);
	w->host->iommu->gsts = known(w, "dmar0 dmar1");
}

static void set_chips(struct world *w, unsigned remapped, unsigned direct)
{
	struct mp_irq_chips *irq = &w->host->iommu->irq;

	irq->fact = known(w, "chips");
	irq->remapped = irq->remapped_msi = remapped;
	irq->direct = irq->direct_msi = direct;
	irq->sample_remapped = "IR-PCI-MSI (ahci)";
	irq->sample_direct = "PCI-MSI (ahci)";
}

static void set_cmdline(struct world *w, const char *text)
{
	w->host->boot->cmdline = known(w, text);
}

/* Nothing is known about it but one card. */
static int blank(void **state)
{
	struct world *w = g_new0(struct world, 1);

	w->host = mp_host_new("test", false);
	w->host->iommu = mp_host_alloc(w->host, sizeof(*w->host->iommu));
	w->host->iommu->units = mp_host_array(w->host);
	w->host->platform = mp_host_alloc(w->host, sizeof(*w->host->platform));
	w->host->boot = mp_host_alloc(w->host, sizeof(*w->host->boot));
	w->wanted = g_ptr_array_new();
	w->findings = g_ptr_array_new_with_free_func((GDestroyNotify)mp_finding_free);
	w->config.waivers = g_ptr_array_new();
	w->port = add_device(w, "0000:85:00.0", 0x85);
	w->port->pcie.present = true;
	w->port->pcie.type = 4;
	w->port->secondary_bus = w->port->subordinate_bus = 0x86;
	w->port->header_type = 1;
	w->card = add_device(w, "0000:86:00.0", 0x86);
	w->card->parent = w->port;
	g_ptr_array_add(w->wanted, w->card);
	*state = w;
	return 0;
}

/* A two-socket Xeon with VT-d and interrupt remapping in use. */
static int server(void **state)
{
	struct world *w;
	struct mp_platform *t;

	blank(state);
	w = *state;
	t = w->host->platform;
	set_dmar(w, "valid-xeon-two-sockets");
	/* The region that names the card: tests that want it read the table again. */
	g_ptr_array_remove_index(w->host->iommu->dmar->units, 4);
	set_ioapics(w, 8, 10);
	add_unit(w, "dmar0", "d37fc000");
	g_ptr_array_add(add_unit(w, "dmar1", "e0ffc000")->devices, (char *)w->card->bdf);
	add_unit(w, "dmar2", "9d7fc000");
	set_chips(w, 20, 0);
	set_gsts(w, 0xc7000000, 0xc7000000);
	w->host->iommu->unsafe_interrupts_vfio = known(w, "N");
	w->host->iommu->unsafe_interrupts_iommufd = absent(w);
	set_cmdline(w, "root=/dev/sda1 ro quiet");
	t->cpu_vendor = MP_CPU_INTEL;
	t->cpu_virt = known(w, "vmx");
	t->kvm_module = known(w, "kvm_intel");
	t->apicv = known(w, "Y");
	t->hypervisor = absent(w);
	t->phys_bits = known(w, "46");
	t->lockdown = known(w, "none");
	t->kernel_release = known(w, "6.17.2-1-pve");
	w->group = mp_host_alloc(w->host, sizeof(*w->group));
	w->group->id = 22;
	w->group->type = known(w, "DMA-FQ");
	w->group->reserved_fact = known(w, "regions");
	w->group->members = mp_host_array(w->host);
	w->card->group = w->group;
	g_ptr_array_add(w->host->groups, w->group);
	return 0;
}

static int done(void **state)
{
	struct world *w = *state;

	g_ptr_array_unref(w->wanted);
	g_ptr_array_unref(w->findings);
	g_ptr_array_unref(w->config.waivers);
	mp_host_free(w->host);
	g_free(w);
	return 0;
}

static const struct mp_finding *ask(struct world *w, const char *id)
{
	struct mp_check_ctx ctx = {
		.host = w->host,
		.profile = &w->profile,
		.config = &w->config,
		.wanted = w->wanted,
		.findings = w->findings,
	};

	g_ptr_array_set_size(w->findings, 0);
	mp_checks_run(&ctx, id);
	assert_int_equal(w->findings->len, 1);
	return w->findings->pdata[0];
}

#define expect(w, id, wanted)                                                            \
	do {                                                                             \
		const struct mp_finding *f_ = ask(w, id);                                \
		if (f_->severity != (wanted))                                            \
			fail_msg("%s: %s instead of %s: %s", id,                         \
				mp_severity_name(f_->severity),                          \
				mp_severity_name(wanted), f_->summary);                  \
		if (f_->severity >= MP_UNSURE && !f_->remedy)                            \
			fail_msg("%s: no remedy: %s", id, f_->summary);                  \
	} while (0)

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
		on(server, what_remapping_needs),
		on(server, a_broken_chipset),
		on(server, live_evidence_decides),
		on(blank, one_source_is_no_comparison),
		on(server, four_sources_at_least),
		on(server, x2apic),
		on(server, amd),
		on(server, switches),
		on(server, units_of_devices),
		on(server, regions),
		on(server, aliases),
	};

	return cmocka_run_group_tests_name("checks-iommu", tests, NULL, NULL);
}
