/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What follows from the host, the VM and the card's profile. */
#include "config.h"

#include <string.h>

#include "core/boot.h"
#include "core/diagnose.h"
#include "core/group.h"
#include "core/iommu.h"
#include "core/modules.h"
#include "core/profile.h"
#include "core/repair.h"
#include "core/vm-started.h"
#include "core/vm.h"

/* --- the card --- */

static void from_profile(struct mp_diagnosis *diagnosis, const struct mp_profile *profile)
{
	bool edma = profile->engine && !strcmp(profile->engine, "dw-edma");

	if (!mp_profile_is_specific(profile)) {
		/* Of a card without a profile nothing is known. */
		mp_clue_set(diagnosis, MP_CLUE_EDMA, false,
			"the card is no Metis (profile %s)", profile->name);
		return;
	}
	mp_clue_set(diagnosis, MP_CLUE_PROGRAMS,
		profile->irq_delivery == MP_IRQ_DEVICE_PROGRAMMED,
		profile->irq_delivery == MP_IRQ_DEVICE_PROGRAMMED
			? "its driver copies the message into the card (profile %s)"
			: "it signals by configuration space only (profile %s)",
		profile->name);
	mp_clue_set(diagnosis, MP_CLUE_EDMA, edma,
		edma ? "the card has a status window of its own (profile %s)"
		     : "the card has no such window (profile %s)",
		profile->name);
}

static bool log_is_complete(const struct mp_host *host)
{
	return host->iommu && host->iommu->log.complete;
}

/* The host's own driver: bound now, loaded now, or spoke since the boot. */
static void from_driver(struct mp_diagnosis *diagnosis, const struct mp_profile *profile)
{
	const struct mp_host *host = diagnosis->host;
	const struct mp_pci *device = diagnosis->device;

	for (guint i = 0; i < profile->drivers->len; i++)
		if (mp_fact_is(&device->driver, profile->drivers->pdata[i])) {
			mp_clue_set(diagnosis, MP_CLUE_HOST_DRIVER, true,
				"%s is bound to it on the host", device->driver.text);
			return;
		}
	for (guint i = 0; host->modules && i < profile->modules->len; i++)
		if (mp_module_loaded(host, profile->modules->pdata[i])) {
			mp_clue_set(diagnosis, MP_CLUE_HOST_DRIVER, true,
				"module %s is loaded on the host",
				(const char *)profile->modules->pdata[i]);
			return;
		}
	if (profile->modules->len && host->modules &&
		host->modules->proc_modules.know == MP_KNOWN && log_is_complete(host) &&
		!strstr(host->iommu->log.text, ", init OK"))
		mp_clue_set(diagnosis, MP_CLUE_HOST_DRIVER, false,
			"module %s is not loaded and did not speak since this boot",
			(const char *)profile->modules->pdata[0]);
}

/* --- the device --- */

/* PCI_EXP_TYPE_* of include/uapi/linux/pci_regs.h: between PCIe and conventional PCI */
enum { EXP_PCI_BRIDGE = 7, EXP_PCIE_BRIDGE = 8 };

/* Requests from behind conventional PCI carry the bridge's name, or its own with function 0. */
static void from_bridges(struct mp_diagnosis *diagnosis)
{
	const struct mp_pci *bridge = diagnosis->device->parent;

	if (mp_pci_path_unknown(diagnosis->device))
		return;
	for (; bridge; bridge = bridge->parent) {
		if (bridge->config_size <= 64)
			return; /* its capabilities were not read */
		if (!bridge->pcie.present || bridge->pcie.type == EXP_PCI_BRIDGE ||
			bridge->pcie.type == EXP_PCIE_BRIDGE) {
			mp_clue_set(diagnosis, MP_CLUE_BRIDGE, true,
				"%s above it leads to conventional PCI", bridge->bdf);
			return;
		}
	}
	mp_clue_set(diagnosis, MP_CLUE_BRIDGE, false, "nothing but PCIe is above it");
}

static void from_reset(struct mp_diagnosis *diagnosis)
{
	const struct mp_fact *fact = &diagnosis->device->reset_method;

	if (!fact->source || fact->know == MP_UNKNOWN)
		return;
	if (fact->know == MP_KNOWN && *fact->text)
		mp_clue_set(diagnosis, MP_CLUE_NO_RESET, false, "it can be reset (%s)",
			fact->text);
	else
		mp_clue_set(diagnosis, MP_CLUE_NO_RESET, true, "it has no reset method");
}

static void from_command_line(struct mp_diagnosis *diagnosis, const char *cmdline)
{
	bool pt = mp_cmdline_has(cmdline, "iommu", "pt") ||
		  mp_cmdline_has(cmdline, "iommu.passthrough", "1");

	mp_clue_set(diagnosis, MP_CLUE_PASSTHROUGH, pt,
		"iommu=pt is %son the kernel's "
		"command line",
		pt ? "" : "not ");
}

/* Intel: bit 4 of the address marks the remappable format; handle in 19:5 and 2. */
static bool handle_of(const struct mp_msi *msi, uint32_t *handle)
{
	if (!msi->present || !msi->enabled || !(msi->address & 0x10))
		return false;
	*handle = (uint32_t)((msi->address >> 5) & 0x7fff) | (uint32_t)(msi->address & 4)
								     << 13;
	/* SHV: data is added. */
	if (msi->address & 8)
		*handle += msi->data;
	return true;
}

static void from_handle(struct mp_diagnosis *diagnosis, const struct mp_event *event)
{
	const struct mp_msi *msi = &diagnosis->device->msi;
	uint32_t handle;
	int64_t d;

	if (event->unit != MP_UNIT_INTEL || !event->has_reason || event->reason == 0x25 ||
		event->reason == 0x20 || !event->has_index || !handle_of(msi, &handle))
		return;
	d = (int64_t)event->index - handle;
	/* As many as the guest has switched on: vfio_msi_enable() is asked for no others. */
	mp_clue_set(diagnosis, MP_CLUE_ONE_VECTOR, msi->vectors_enabled == 1,
		"the host gave the card %u vector%s", msi->vectors_enabled,
		MP_PLURAL(msi->vectors_enabled));
	g_ptr_array_add(diagnosis->notes,
		g_strdup_printf(
			"The card's real message now stands for entry 0x%x (%u "
			"vector%s); the blocked one was 0x%x, a difference of %" G_GINT64_FORMAT,
			handle, msi->vectors_enabled, MP_PLURAL(msi->vectors_enabled),
			event->index, d));
	mp_clue_set(diagnosis, MP_CLUE_SLOT, d >= 0 && d < msi->vectors_enabled,
		"the entry is%s one that the card was granted",
		d >= 0 && d < msi->vectors_enabled ? "" : " not");
	mp_clue_set(diagnosis, MP_CLUE_VECTOR,
		msi->vectors_enabled == 1 && ((d >= 4 && d <= 11) || d == 12 || d == 24),
		"the difference to the card's real entry is %" G_GINT64_FORMAT, d);
	mp_clue_set(diagnosis, MP_CLUE_MIXED, d >= 0x20 && d <= 0xef,
		"the difference to the card's real entry is %" G_GINT64_FORMAT "%s", d,
		d >= 0x20 && d <= 0xef ? ", which could be a guest's vector" : "");
}

/* --- the VM --- */

static bool has_device(const struct mp_vm *vm, const struct mp_pci *device)
{
	for (guint i = 0; i < vm->hostpci->len; i++) {
		const struct mp_hostpci *line = vm->hostpci->pdata[i];

		for (guint k = 0; line->devices && k < line->devices->len; k++)
			if (line->devices->pdata[k] == device)
				return true;
	}
	return false;
}

/* The VM whose configuration has the device: the one that runs, else the only one. */
static void guess_vm(struct mp_diagnosis *diagnosis)
{
	const struct mp_guests *guests = diagnosis->host->guests;
	const struct mp_vm *only = NULL;
	unsigned n = 0;

	for (guint i = 0; guests && i < guests->vms->len; i++) {
		const struct mp_vm *vm = guests->vms->pdata[i];

		if (vm->fact.know != MP_KNOWN || !has_device(vm, diagnosis->device))
			continue;
		n++;
		only = vm;
		if (vm->running) {
			n = 1;
			break;
		}
	}
	diagnosis->vm = n == 1 ? only : NULL;
	diagnosis->vm_guessed = diagnosis->vm != NULL;
}

static bool has_viommu(const struct mp_vm *vm)
{
	return vm->viommu || (vm->args && strstr(vm->args, "-iommu"));
}

static void from_vm(struct mp_diagnosis *diagnosis)
{
	const struct mp_vm *vm = diagnosis->vm;

	mp_clue_set(diagnosis, MP_CLUE_VIOMMU, has_viommu(vm),
		"VM %s has %s virtual IOMMU", vm->id, has_viommu(vm) ? "a" : "no");
	mp_clue_set(diagnosis, MP_CLUE_HOTPLUG, vm->hotplug_memory,
		"memory hotplug of VM %s is %s", vm->id,
		vm->hotplug_memory ? "on" : "off");
}

static void from_map(struct mp_diagnosis *diagnosis, const struct mp_event *subject)
{
	struct mp_vm_map map = mp_vm_map_had(diagnosis->host, diagnosis->vm);
	unsigned areas[MP_AREAS] = { 0 }, n = 0, ram;

	for (guint i = 0; i < diagnosis->log->sums->len; i++) {
		const struct mp_event_sum *sum = diagnosis->log->sums->pdata[i];

		if (sum->event.kind != MP_EVENT_DMA ||
			!mp_event_is_of(&sum->event, subject))
			continue;
		for (unsigned k = 0; k < sum->n_addresses; k++, n++)
			areas[mp_vm_map_classify(&map, sum->addresses[k].address)]++;
	}
	if (!n)
		return;
	g_autofree char *all = mp_vm_map_describe(&map);

	ram = areas[MP_AREA_RAM_LOW] + areas[MP_AREA_RAM_HIGH] + areas[MP_AREA_RAM_DIMM];
	mp_clue_set(diagnosis, MP_CLUE_IN_RAM, ram == n, "%s of VM %s (%s)",
		ram == n ? "the address is RAM" : "the address is not RAM",
		diagnosis->vm->id, all);
	mp_clue_set(diagnosis, MP_CLUE_OUTSIDE,
		areas[MP_AREA_NOTHING] + areas[MP_AREA_PCI64] > 0,
		areas[MP_AREA_NOTHING] + areas[MP_AREA_PCI64]
			? "VM %s has no memory there (%s)"
			: "VM %s has something there (%s)",
		diagnosis->vm->id, all);
	mp_clue_set(diagnosis, MP_CLUE_IN_WINDOW, areas[MP_AREA_MSI] > 0,
		"%s in the interrupt window", areas[MP_AREA_MSI] ? "it is" : "it is not");
	mp_clue_set(diagnosis, MP_CLUE_IN_ROM,
		areas[MP_AREA_ROM] + areas[MP_AREA_FLASH] > 0, "%s in ROM or flash",
		areas[MP_AREA_ROM] + areas[MP_AREA_FLASH] ? "it is" : "it is not");
}

static void from_device(struct mp_diagnosis *diagnosis, const struct mp_event *subject,
	const struct mp_profile *profile)
{
	if (profile && diagnosis->clues[MP_CLUE_HOST_DRIVER].know == MP_UNKNOWN)
		from_driver(diagnosis, profile);
	from_bridges(diagnosis);
	from_reset(diagnosis);
	for (guint i = 0; i < diagnosis->log->sums->len; i++) {
		const struct mp_event_sum *sum = diagnosis->log->sums->pdata[i];

		if (sum->event.kind == MP_EVENT_INTERRUPT &&
			mp_event_is_of(&sum->event, subject))
			from_handle(diagnosis, &sum->event);
	}
	if (!diagnosis->vm)
		guess_vm(diagnosis);
}

/* Named only where neither host nor card nor VM, as far as they are known, rule it out. */
static void note_repair(struct mp_diagnosis *diagnosis, const struct mp_profile *profile)
{
	const struct mp_clue *clues = diagnosis->clues;

	if (clues[MP_CLUE_INTR_ABSENT].know != MP_KNOWN &&
		clues[MP_CLUE_INTR_COMPAT].know != MP_KNOWN)
		return;
	if (clues[MP_CLUE_VIOMMU].know == MP_KNOWN ||
		clues[MP_CLUE_ONE_VECTOR].know == MP_ABSENT ||
		clues[MP_CLUE_DMA_VM].know == MP_KNOWN ||
		!mp_repair_can_be(diagnosis->host, diagnosis->device, profile))
		return;
	g_ptr_array_add(diagnosis->notes,
		g_strdup_printf(
			"An experiment, never tried on hardware: while the VM runs, "
			"'metis-passthrough inspect --repair-msi --dry-run --device %s' tells "
			"whether the host's own message can be put into the card",
			diagnosis->device->bdf));
}

void mp_clues_from_host(struct mp_diagnosis *diagnosis, const struct mp_event *subject,
	const struct mp_profile *named)
{
	const struct mp_host *host = diagnosis->host;
	g_autoptr(mp_profile) found = NULL;

	if (!named && diagnosis->device)
		named = found = mp_profile_for_device(diagnosis->device, NULL);
	if (named)
		from_profile(diagnosis, named);
	if (diagnosis->device)
		from_device(diagnosis, subject, named);
	if (diagnosis->log->cmdline)
		from_command_line(diagnosis, diagnosis->log->cmdline);
	else if (host && host->boot && host->boot->cmdline.know == MP_KNOWN)
		from_command_line(diagnosis, host->boot->cmdline.text);
	if (diagnosis->vm) {
		char *change = mp_vm_map_change(host, diagnosis->vm);

		if (change)
			g_ptr_array_add(diagnosis->notes, change);
		from_vm(diagnosis);
		from_map(diagnosis, subject);
	}
	if (diagnosis->device)
		mp_clues_from_card(diagnosis, subject);
	if (diagnosis->device && named)
		note_repair(diagnosis, named);
}
