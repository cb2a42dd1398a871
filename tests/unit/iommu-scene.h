/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * iommu-scene.h - a host built by hand, for the checks of platform, IOMMU and interrupt
 * remapping.
 */
#ifndef MP_IOMMU_SCENE_H
#define MP_IOMMU_SCENE_H

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

static inline struct mp_fact known(struct world *w, const char *text)
{
	return mp_fact_known(w->host, "test", text);
}

static inline struct mp_fact absent(struct world *w)
{
	return mp_fact_absent(w->host, "test");
}

static inline struct mp_pci *add_device(struct world *w, const char *bdf, uint8_t bus)
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

static inline struct mp_iommu_unit *add_unit(
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

static inline void set_dmar(struct world *w, const char *seed)
{
	const char *problem = NULL;
	gsize size;
	g_autofree uint8_t *data = seed_read("dmar", seed, &size);

	w->host->iommu->dmar = mp_dmar_parse(w->host, data, size, &problem);
	w->host->iommu->dmar_fact = known(w, "a table");
	w->host->iommu->ivrs_fact = absent(w);
}

static inline void set_ivrs(struct world *w, const char *seed)
{
	const char *problem = NULL;
	gsize size;
	g_autofree uint8_t *data = seed_read("ivrs", seed, &size);

	w->host->iommu->ivrs = mp_ivrs_parse(w->host, data, size, &problem);
	w->host->iommu->ivrs_fact = known(w, "a table");
	w->host->iommu->dmar_fact = absent(w);
}

static inline void set_ioapics(struct world *w, uint8_t first, uint8_t last)
{
	w->host->iommu->ioapics = mp_host_own(
		w->host, g_array_new(FALSE, FALSE, 1), (GDestroyNotify)g_array_unref);
	w->host->iommu->madt_fact = known(w, "a table");
	for (uint8_t id = first; id <= last; id++)
		g_array_append_val(w->host->iommu->ioapics, id);
}

static inline void set_gsts(struct world *w, uint32_t first, uint32_t second)
{
	struct mp_gsts units[] = { { "dmar0", first }, { "dmar1", second } };

	w->host->iommu->gsts_units =
		mp_host_own(w->host, g_array_new(FALSE, FALSE, sizeof(struct mp_gsts)),
			(GDestroyNotify)g_array_unref);
	g_array_append_vals(w->host->iommu->gsts_units, units, 2);
	w->host->iommu->gsts = known(w, "dmar0 dmar1");
}

static inline void set_chips(struct world *w, unsigned remapped, unsigned direct)
{
	struct mp_irq_chips *irq = &w->host->iommu->irq;

	irq->fact = known(w, "chips");
	irq->remapped = irq->remapped_msi = remapped;
	irq->direct = irq->direct_msi = direct;
	irq->sample_remapped = "IR-PCI-MSI (ahci)";
	irq->sample_direct = "PCI-MSI (ahci)";
}

static inline void set_cmdline(struct world *w, const char *text)
{
	w->host->boot->cmdline = known(w, text);
}

/* Nothing is known about it but one card. */
static inline int blank(void **state)
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
static inline int server(void **state)
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

static inline int done(void **state)
{
	struct world *w = *state;

	g_ptr_array_unref(w->wanted);
	g_ptr_array_unref(w->findings);
	g_ptr_array_unref(w->config.waivers);
	mp_host_free(w->host);
	g_free(w);
	return 0;
}

static inline const struct mp_finding *ask(struct world *w, const char *id)
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

#endif
