/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The virtual machine itself: chipset, RAM, virtual IOMMU, address width. */
#include "config.h"

#include <string.h>

#include "core/checks/vm-common.h"
#include "core/iommu.h"
#include "core/memory.h"
#include "core/pci.h"
#include "core/platform.h"
#include "core/profile.h"
#include "core/vm-map.h"
#include "core/vm-prop.h"

static const char *machine_text(const struct mp_vm *vm)
{
	return vm->machine ? vm->machine : "(not set: pc, the i440fx chipset)";
}

/* The machine setting with its type replaced by q35 and, with VIOMMU NULL, without a
 * vIOMMU; caller frees. */
static char *q35_with(const char *viommu)
{
	return viommu ? g_strdup_printf("q35,viommu=%s", viommu) : g_strdup("q35");
}

static bool wants_express(const struct mp_vm *vm)
{
	for (guint i = 0; i < vm->hostpci->len; i++) {
		const struct mp_hostpci *entry = vm->hostpci->pdata[i];

		if (!entry->problem && entry->pcie)
			return true;
	}
	return false;
}

static bool has_express_device(const struct mp_check_ctx *ctx)
{
	g_autoptr(GPtrArray) devices = mp_vm_devices(ctx->vm);

	for (guint i = 0; i < devices->len; i++)
		if (((const struct mp_pci *)devices->pdata[i])->pcie.present)
			return true;
	for (guint i = 0; i < ctx->wanted->len; i++)
		if (((const struct mp_pci *)ctx->wanted->pdata[i])->pcie.present)
			return true;
	return false;
}

static void judge_aw_bits(struct mp_check_ctx *ctx, struct mp_points *points)
{
	const struct mp_vm *vm = ctx->vm;

	if (!vm->aw_bits)
		return;
	if (!vm->viommu)
		mp_points_add(points, MP_FAIL, mp_vm_how_to_set(ctx, "machine", "q35"),
			"VM %s does not start: aw-bits without a vIOMMU is refused",
			vm->id);
	else if (!strcmp(vm->viommu, "intel") && vm->aw_bits != 39 && vm->aw_bits != 48)
		mp_points_add(points, MP_FAIL,
			mp_vm_how_to_set(ctx, "machine", "q35,viommu=intel,aw-bits=48"),
			"VM %s does not start: an Intel vIOMMU has 39 or 48 address bits, not %u",
			vm->id, vm->aw_bits);
}

void mp_check_vm_machine(struct mp_check_ctx *ctx)
{
	const struct mp_vm *vm = ctx->vm;
	g_autofree char *fine = NULL;
	const char *kvm = mp_vm_get(vm, "kvm");
	bool accelerated = true;
	struct mp_points points;
	struct mp_finding *finding;

	mp_points_init(&points);
	if (!vm->q35) {
		if (wants_express(vm))
			mp_points_add(&points, MP_FAIL,
				mp_vm_how_to_set(ctx, "machine", "q35"),
				"VM %s does not start: pcie=1 needs the q35 machine, and it has %s",
				vm->id, machine_text(vm));
		if (!g_strcmp0(vm->viommu, "intel")) {
			g_autofree char *value = q35_with("intel");

			mp_points_add(&points, MP_FAIL,
				mp_vm_how_to_set(ctx, "machine", value),
				"VM %s does not start: an Intel vIOMMU needs the q35 machine",
				vm->id);
		}
		if (has_express_device(ctx))
			mp_points_add(&points, MP_WARN,
				mp_vm_how_to_set(ctx, "machine", "q35"),
				"VM %s has no PCI Express bus for a PCI Express card: the guest sees "
				"a plain PCI card without its extended configuration space",
				vm->id);
	}
	judge_aw_bits(ctx, &points);
	if (kvm && mp_prop_parse_bool(kvm, &accelerated) && !accelerated)
		mp_points_add(&points, MP_WARN, mp_vm_how_to_delete(ctx, "kvm"),
			"VM %s runs without KVM (kvm: 0): its CPUs are emulated, and each "
			"interrupt of the card goes through QEMU",
			vm->id);
	fine = g_strdup_printf("VM %s has the machine %s, which fits its devices", vm->id,
		machine_text(vm));
	finding = mp_points_say(&points, ctx, MP_PASS, fine);
	mp_finding_evidence(finding, vm->source, "machine: %s", machine_text(vm));
}

/* --- memory --- */

static void judge_hugepages(struct mp_check_ctx *ctx, struct mp_points *points)
{
	const struct mp_vm *vm = ctx->vm;

	if (!vm->hugepages)
		return;
	if (strcmp(vm->hugepages, "any") != 0 && strcmp(vm->hugepages, "2") != 0 &&
		strcmp(vm->hugepages, "1024") != 0)
		mp_points_add(points, MP_FAIL, mp_vm_how_to_set(ctx, "hugepages", "1024"),
			"VM %s does not start: hugepages is any, 2 or 1024 (MiB), not %s",
			vm->id, vm->hugepages);
	if (!vm->numa)
		mp_points_add(points, MP_FAIL, mp_vm_how_to_set(ctx, "numa", "1"),
			"VM %s does not start: hugepages need NUMA to be enabled",
			vm->id);
}

static void judge_hotplug(struct mp_check_ctx *ctx, struct mp_points *points)
{
	const struct mp_vm *vm = ctx->vm;

	if (!vm->hotplug_memory)
		return;
	if (!vm->numa)
		mp_points_add(points, MP_FAIL, mp_vm_how_to_set(ctx, "numa", "1"),
			"VM %s does not start: memory hotplug needs NUMA to be enabled",
			vm->id);
	else
		mp_points_add(points, MP_WARN,
			mp_vm_how_to_set(ctx, "hotplug", "network,disk,usb"),
			"VM %s has memory hotplug: RAM that is taken out is unmapped under the "
			"card, and DMA to it faults",
			vm->id);
}

static void judge_balloon(struct mp_check_ctx *ctx, struct mp_points *points)
{
	const struct mp_vm *vm = ctx->vm;

	if (!vm->hostpci->len || (vm->balloon_set && !vm->balloon_mib))
		return;
	if (vm->balloon_set && vm->balloon_mib < vm->memory_mib)
		mp_points_add(points, MP_WARN, mp_vm_how_to_set(ctx, "balloon", "0"),
			"VM %s counts on a balloon (%" G_GUINT64_FORMAT
			" of %" G_GUINT64_FORMAT
			" MiB), but a passed device pins all of its RAM: nothing comes back",
			vm->id, vm->balloon_mib, vm->memory_mib);
	else
		mp_points_add(points, MP_INFO, mp_vm_how_to_set(ctx, "balloon", "0"),
			"VM %s has a balloon device, which is of no use with a passed device",
			vm->id);
}

static void judge_host_memory(struct mp_check_ctx *ctx, struct mp_points *points)
{
	const struct mp_vm *vm = ctx->vm;
	const struct mp_memory *memory = ctx->host->memory;
	uint64_t wanted = MIN(vm->memory_mib, 1ull << 32) * MP_MIB;
	bool huge = vm->hugepages != NULL;

	if (!vm->hostpci->len)
		return;
	if (!memory || !memory->total) {
		mp_points_add(points, MP_UNSURE, g_strdup("make /proc/meminfo readable"),
			"It is not known whether the host has the memory that VM %s pins",
			vm->id);
		return;
	}
	if (wanted > memory->total)
		mp_points_add(points, MP_FAIL, mp_vm_how_to_set(ctx, "memory", "LESS"),
			"VM %s does not start: it pins %" G_GUINT64_FORMAT
			" MiB of RAM and the "
			"host has %" G_GUINT64_FORMAT " MiB",
			vm->id, vm->memory_mib, memory->total / MP_MIB);
	else if (!ctx->vm_file->running && !huge && memory->available &&
		 wanted > memory->available)
		mp_points_add(points, MP_WARN,
			g_strdup("stop other guests or give the VM less memory"),
			"VM %s pins %" G_GUINT64_FORMAT
			" MiB of RAM when it starts and the host "
			"has %" G_GUINT64_FORMAT " MiB available now",
			vm->id, vm->memory_mib, memory->available / MP_MIB);
}

void mp_check_vm_memory(struct mp_check_ctx *ctx)
{
	const struct mp_vm *vm = ctx->vm;
	struct mp_vm_map map = mp_vm_map_on(ctx->host, vm);
	g_autofree char *ranges = mp_vm_map_describe(&map);
	g_autofree char *fine = NULL;
	struct mp_points points;
	struct mp_finding *finding;

	mp_points_init(&points);
	judge_hugepages(ctx, &points);
	judge_hotplug(ctx, &points);
	judge_host_memory(ctx, &points);
	judge_balloon(ctx, &points);
	fine = g_strdup_printf("The memory settings of VM %s (%" G_GUINT64_FORMAT
			       " MiB) suit a passed device",
		vm->id, vm->memory_mib);
	finding = mp_points_say(&points, ctx, MP_PASS, fine);
	mp_finding_evidence(finding, vm->source,
		"memory: %" G_GUINT64_FORMAT ", balloon: %s, "
		"numa: %d, hugepages: %s",
		vm->memory_mib,
		mp_vm_get(vm, "balloon") ? mp_vm_get(vm, "balloon") : "(not set)",
		vm->numa, vm->hugepages ? vm->hugepages : "(not set)");
	/* What a DMA fault's address means depends on it. */
	mp_finding_evidence(finding, map.q35 ? "QEMU q35" : "QEMU i440fx",
		"the guest has RAM at %s; DMA to another address faults", ranges);
	if (ctx->host->memory)
		mp_finding_evidence(finding, "/proc/meminfo",
			"%" G_GUINT64_FORMAT " MiB, available %" G_GUINT64_FORMAT " MiB",
			ctx->host->memory->total / MP_MIB,
			ctx->host->memory->available / MP_MIB);
}

/* --- virtual IOMMU --- */

void mp_check_vm_viommu(struct mp_check_ctx *ctx)
{
	const struct mp_vm *vm = ctx->vm;
	const struct mp_profile *profile = ctx->profile;
	bool programmed = mp_profile_is_specific(profile) &&
			  profile->irq_delivery == MP_IRQ_DEVICE_PROGRAMMED;
	bool remaps = mp_vm_remaps_interrupts(vm);
	struct mp_finding *finding;

	if (!vm->viommu && !remaps) {
		finding = mp_check_say(ctx, MP_PASS,
			"VM %s has no virtual IOMMU, and passing a device needs none",
			vm->id);
	} else if (remaps && programmed) {
		g_autofree char *how = mp_vm_how_to_set(ctx, "machine", "q35");

		finding = mp_check_say(ctx, MP_WARN,
			"VM %s has an Intel vIOMMU, which such a card must not see: its driver "
			"writes handles of the guest's table into the card and the host refuses "
			"them (fault reason 0x22)",
			vm->id);
		mp_finding_remedy(finding,
			"%s; keep the vIOMMU only for a driver and firmware that leave "
			"interrupts to the firmware (profile %s)",
			how, profile->name);
	} else if (programmed) {
		g_autofree char *how = mp_vm_how_to_set(ctx, "machine", "q35");

		finding = mp_check_say(ctx, MP_WARN,
			"VM %s has a virtio vIOMMU: it does not remap interrupts, so the card's "
			"own messages are blocked as without it, and any address that bypasses "
			"the guest's DMA API faults",
			vm->id);
		mp_finding_remedy(finding, "%s", how);
	} else {
		finding = mp_check_say(ctx, MP_INFO,
			"VM %s has a virtual IOMMU (%s): only needed to pass devices on inside "
			"the guest or for user-space drivers there, and DMA mappings cost more",
			vm->id, vm->viommu ? vm->viommu : "intel-iommu in args");
		mp_finding_remedy(finding,
			"nothing to do if the guest needs it: boot it with iommu=pt to keep the "
			"number of mappings low");
	}
	mp_finding_evidence(finding, vm->source, "machine: %s", machine_text(vm));
	if (programmed)
		mp_finding_evidence(
			finding, profile->name, "interrupts: delivery device-programmed");
}

/* --- address width --- */

#define DEFAULT_PHYS_BITS 40 /* QEMU's for named CPU models */

/* What the guest believes: bits, or 0 where only the host's CPU could tell. */
static uint64_t guest_bits(const struct mp_check_ctx *ctx, const char **how)
{
	static const struct mp_prop_key keys[] = {
		{ "cputype", .is_default = true },
		{ "phys-bits" },
		{ "guest-phys-bits" },
		{ "flags" },
		{ "hidden" },
		{ "hv-vendor-id" },
		{ "reported-model" },
		{ NULL },
	};
	g_autofree char *problem = NULL;
	g_autoptr(GHashTable) props = NULL;
	const char *type, *bits;
	uint64_t number = 0;

	*how = "default of QEMU";
	if (!ctx->vm->cpu)
		return DEFAULT_PHYS_BITS;
	props = mp_prop_parse(keys, NULL, ctx->vm->cpu, &problem);
	if (!props)
		return DEFAULT_PHYS_BITS;
	type = g_hash_table_lookup(props, "cputype");
	bits = g_hash_table_lookup(props, "guest-phys-bits");
	if (!bits)
		bits = g_hash_table_lookup(props, "phys-bits");
	if (bits && mp_parse_uint(bits, 10, &number)) {
		*how = "set in the VM";
		return number;
	}
	if (!bits && type && strcmp(type, "host") != 0 && strcmp(type, "max") != 0)
		return DEFAULT_PHYS_BITS;
	*how = "taken from the host's CPU";
	if (ctx->host->platform)
		mp_fact_uint(&ctx->host->platform->phys_bits, 10, &number);
	return number;
}

void mp_check_vm_cpu_address_width(struct mp_check_ctx *ctx)
{
	const struct mp_vm *vm = ctx->vm;
	g_autoptr(GPtrArray) devices = mp_vm_devices(vm);
	struct mp_vm_map map = mp_vm_map_on(ctx->host, vm);
	uint64_t top = mp_vm_map_ram_end(&map);
	const struct mp_fact *fact = NULL, *used = NULL;
	bool ovmf = !g_strcmp0(vm->bios, "ovmf");
	const char *how;
	uint64_t bits = guest_bits(ctx, &how);
	unsigned width = 0;
	struct mp_finding *finding;

	for (guint i = 0; i < ctx->wanted->len; i++)
		if (!g_ptr_array_find(devices, ctx->wanted->pdata[i], NULL))
			g_ptr_array_add(devices, ctx->wanted->pdata[i]);
	if (!devices->len) {
		mp_vm_say_no_device(ctx);
		return;
	}
	for (guint i = 0; i < devices->len; i++) {
		unsigned one = mp_iommu_address_bits(ctx->host, devices->pdata[i], &fact);

		if (one && (!width || one < width)) {
			width = one;
			used = fact;
		}
	}
	if (!width || !bits) {
		finding = mp_check_say(ctx, MP_UNSURE,
			"It is not known whether the addresses of VM %s fit the IOMMU: %s",
			vm->id,
			width ? "the address width of the CPU could not be read"
			      : "no IOMMU is active in front of its devices, or its registers could "
				"not be read");
		mp_finding_remedy(finding, "see iommu-active and iommu-address-width");
	} else if (width < 64 && top > 1ull << width) {
		finding = mp_check_say(ctx, MP_FAIL,
			"VM %s does not start with its card: its RAM ends at 0x%" G_GINT64_MODIFIER
			"x and the IOMMU translates %u bits",
			vm->id, top, width);
		mp_finding_remedy(
			finding, "give the VM less memory, or switch memory hotplug off");
	} else if (bits > width) {
		g_autofree char *type =
			vm->cpu ? g_strndup(vm->cpu, strcspn(vm->cpu, ","))
				: g_strdup("x86-64-v2-AES");
		g_autofree char *value = g_strdup_printf("%s,phys-bits=%u", type, width);
		g_autofree char *set = mp_vm_how_to_set(ctx, "cpu", value);

		finding = mp_check_say(ctx, ovmf ? MP_WARN : MP_INFO,
			"The guest of VM %s may place BARs beyond what the IOMMU translates (%" G_GUINT64_FORMAT
			" address bits against %u): DMA between devices then "
			"fails, to RAM it works",
			vm->id, bits, width);
		mp_finding_remedy(finding, "%s", set);
	} else {
		finding = mp_check_say(ctx, MP_PASS,
			"All addresses of VM %s (%" G_GUINT64_FORMAT
			" bits) fit the IOMMU (%u bits)",
			vm->id, bits, width);
	}
	mp_finding_evidence(finding, vm->source,
		"cpu: %s; address bits of the guest: %" G_GUINT64_FORMAT
		" (%s); bios: %s",
		vm->cpu ? vm->cpu : "(default)", bits, how,
		vm->bios ? vm->bios : "seabios");
	mp_finding_evidence(finding, map.q35 ? "QEMU q35" : "QEMU i440fx",
		"RAM ends at 0x%" G_GINT64_MODIFIER "x", top);
	if (used)
		mp_finding_fact(finding, used);
}
