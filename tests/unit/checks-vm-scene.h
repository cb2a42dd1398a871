/* SPDX-License-Identifier: GPL-2.0-or-later */
/* checks-vm-scene.h - a host with a card and a VM, built by hand. */
#ifndef MP_CHECKS_VM_SCENE_H
#define MP_CHECKS_VM_SCENE_H

#include <string.h>

#include "core/check.h"
#include "core/group.h"
#include "core/iommu.h"
#include "core/memory.h"
#include "core/modules.h"
#include "core/pci.h"
#include "core/platform.h"
#include "core/profile.h"
#include "core/settings.h"
#include "core/use.h"
#include "core/vm.h"
#include "unit.h"

struct world {
	struct mp_host *host;
	struct mp_profile *profile;
	struct mp_config config;
	GPtrArray *wanted, *findings;
	struct mp_pci *card, *other;
	struct mp_vm *vm;
};

static inline struct mp_fact known(struct world *w, const char *text)
{
	return mp_fact_known(w->host, "test", text);
}

static inline struct mp_pci *add_device(
	struct world *w, const char *bdf, unsigned bus, unsigned group)
{
	struct mp_pci *device = mp_host_alloc(w->host, sizeof(*device));
	struct mp_group *members = mp_host_alloc(w->host, sizeof(*members));

	members->id = group;
	*device = (struct mp_pci){
		.bdf = mp_host_str(w->host, bdf),
		.bus = (uint8_t)bus,
		.vendor = 0x1f9d,
		.device = 0x1100,
		.subvendor = 0x1f9d,
		.subdevice = 0x0001,
		.class_code = 0x120000,
		.group = members,
		.pcie.present = true,
		.driver = known(w, "vfio-pci"),
	};
	g_ptr_array_add(w->host->devices, device);
	g_hash_table_insert(w->host->by_bdf, (void *)device->bdf, device);
	return device;
}

static inline void add_unit(struct world *w, enum mp_iommu_kind kind, const char *cap)
{
	struct mp_iommu_unit *unit = mp_host_alloc(w->host, sizeof(*unit));

	unit->name = "unit";
	unit->kind = kind;
	unit->devices = mp_host_array(w->host);
	unit->cap = known(w, cap);
	unit->features = known(w, "84");
	g_ptr_array_add(unit->devices, (void *)w->card->bdf);
	g_ptr_array_set_size(w->host->iommu->units, 0);
	g_ptr_array_add(w->host->iommu->units, unit);
}

static inline void world_init(struct world *w)
{
	struct mp_host *host = mp_host_new("test", true);

	*w = (struct world){ .host = host };
	w->config.waivers = g_ptr_array_new();
	w->config.cards = g_ptr_array_new();
	w->wanted = g_ptr_array_new();
	w->findings = g_ptr_array_new_with_free_func((GDestroyNotify)mp_finding_free);
	w->profile = mp_profile_load("metis", NULL);
	assert_non_null(w->profile);
	host->platform = mp_host_alloc(host, sizeof(*host->platform));
	host->platform->qemu_server = known(w, "9.2.6");
	host->platform->phys_bits = known(w, "46");
	host->memory = mp_host_alloc(host, sizeof(*host->memory));
	host->memory->total = 64ull << 30;
	host->memory->available = 32ull << 30;
	host->use = mp_host_alloc(host, sizeof(*host->use));
	host->use->entries = mp_host_array(host);
	host->use->unreadable = mp_host_array(host);
	host->use->open_files = known(w, "looked");
	host->modules = mp_host_alloc(host, sizeof(*host->modules));
	host->modules->proc_modules = known(w, "read");
	host->modules->loaded =
		mp_host_own(host, g_hash_table_new(g_str_hash, g_str_equal),
			(GDestroyNotify)g_hash_table_unref);
	host->guests = mp_host_alloc(host, sizeof(*host->guests));
	host->guests->vms = mp_host_array(host);
	host->guests->mappings = mp_host_array(host);
	host->guests->reservations = mp_host_array(host);
	host->guests->storages = mp_host_array(host);
	host->guests->pve = host->guests->vms_fact = known(w, "yes");
	host->guests->mappings_fact = host->guests->storages_fact = known(w, "read");
	host->guests->reservations_fact = known(w, "read");
	host->guests->node = known(w, "pve1");
	host->iommu = mp_host_alloc(host, sizeof(*host->iommu));
	host->iommu->units = mp_host_array(host);
	w->card = add_device(w, "0000:86:00.0", 0x86, 22);
	w->other = add_device(w, "0000:87:00.0", 0x87, 23);
	/* MGAW 48 bits, SAGAW with 48 bits: a server. */
	add_unit(w, MP_IOMMU_INTEL, "8d2078c106f0466");
	g_ptr_array_add(w->wanted, w->card);
}

static inline void world_clear(struct world *w)
{
	g_ptr_array_unref(w->config.waivers);
	g_ptr_array_unref(w->config.cards);
	g_ptr_array_unref(w->wanted);
	g_ptr_array_unref(w->findings);
	mp_profile_free(w->profile);
	mp_host_free(w->host);
}

/* The first finding that check ID makes. */
static inline const struct mp_finding *run(struct world *w, const char *id)
{
	struct mp_check_ctx ctx = {
		.host = w->host,
		.profile = w->profile,
		.config = &w->config,
		.wanted = w->wanted,
		.vm = w->vm,
		.findings = w->findings,
	};

	g_ptr_array_set_size(w->findings, 0);
	mp_checks_run(&ctx, id);
	assert_true(w->findings->len > 0);
	const struct mp_finding *finding = w->findings->pdata[0];
	if (finding->severity > MP_INFO && !finding->remedy)
		fail_msg("%s: %s: no remedy", id, finding->summary);
	return finding;
}

static inline void expect_finding(
	struct world *w, const char *id, enum mp_severity severity, const char *part)
{
	const struct mp_finding *finding = run(w, id);

	if (finding->severity != severity || !strstr(finding->summary, part))
		fail_msg("%s: expected %s with '%s', got %s: %s", id,
			mp_severity_name(severity), part,
			mp_severity_name(finding->severity), finding->summary);
}

#endif
