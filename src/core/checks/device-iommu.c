/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One device and the IOMMU: its unit, memory that firmware keeps, and its requester id.
 */
#include "config.h"

#include <string.h>

#include "core/checks/common.h"
#include "core/group.h"
#include "core/pci.h"

/* --- iommu-covers-device --- */

/* The unit that the firmware's table gives to DEVICE: its registers, or 0. */
static uint64_t firmware_base(const struct mp_host *host, const struct mp_pci *device)
{
	const struct mp_iommu *iommu = mp_iommu_or_none(host);
	const struct mp_dmar_unit *drhd =
		iommu->dmar ? mp_dmar_drhd_of(host, iommu->dmar, device) : NULL;
	const struct mp_ivhd *ivhd =
		iommu->ivrs ? mp_ivrs_ivhd_of(iommu->ivrs, device) : NULL;

	return drhd ? drhd->base : ivhd ? ivhd->base : 0;
}

static void say_covered(struct mp_check_ctx *ctx, const struct mp_iommu_unit *unit)
{
	uint64_t firmware = firmware_base(ctx->host, ctx->device), kernel = 0;
	struct mp_finding *finding;

	/* Domains beyond 16 bits (VMD) are software's: no firmware table speaks of them.
	 */
	if (unit->kind == MP_IOMMU_INTEL && firmware && ctx->device->domain <= 0xffff &&
		mp_fact_uint(&unit->address, 16, &kernel) && kernel != firmware) {
		finding = mp_check_say(ctx, MP_WARN,
			"The kernel translates %s with %s, the firmware's table gives "
			"it to another unit",
			ctx->device->bdf, unit->name);
		mp_finding_remedy(finding, "trust the kernel; update the firmware, "
					   "because its scopes name bridges by bus "
					   "numbers that changed, or they are wrong");
	} else {
		finding = mp_check_say(ctx, MP_PASS, "%s translates the DMA of %s",
			unit->name, ctx->device->bdf);
	}
	mp_finding_fact(finding, &unit->devices_fact);
	mp_finding_fact(finding, &unit->address);
	if (firmware)
		mp_finding_evidence(finding,
			mp_iommu_or_none(ctx->host)->dmar ? "ACPI DMAR table"
							  : "ACPI IVRS table",
			"unit at 0x%" G_GINT64_MODIFIER "x", firmware);
}

static void iommu_covers_device(struct mp_check_ctx *ctx)
{
	const struct mp_iommu *iommu = mp_iommu_or_none(ctx->host);
	const struct mp_iommu_unit *unit = mp_iommu_unit_of(ctx->host, ctx->device);
	struct mp_finding *finding;
	unsigned unreadable = 0;

	if (unit) {
		say_covered(ctx, unit);
		return;
	}
	for (guint i = 0; i < iommu->units->len; i++)
		unreadable += ((const struct mp_iommu_unit *)iommu->units->pdata[i])
				      ->devices_fact.know != MP_KNOWN;
	if (!iommu->units->len && iommu->class_fact.know != MP_UNKNOWN) {
		finding = mp_check_say(ctx, MP_SKIP,
			"No IOMMU is in use that could cover %s: see iommu-active",
			ctx->device->bdf);
	} else if (!iommu->units->len || unreadable) {
		finding = mp_check_say(ctx, MP_UNSURE,
			"It is not known which IOMMU unit translates the DMA of %s",
			ctx->device->bdf);
		mp_finding_remedy(finding, "run: ls /sys/class/iommu/*/devices");
	} else {
		finding = mp_check_say(ctx, MP_FAIL,
			"No IOMMU unit translates the DMA of %s", ctx->device->bdf);
		mp_finding_remedy(finding, "move the card to another slot, or update the "
					   "firmware: its table must list the root "
					   "port above the card (drivers ignore a unit "
					   "whose scope they cannot resolve: dmesg | "
					   "grep -e DMAR -e AMD-Vi)");
	}
	mp_finding_fact(finding, &iommu->class_fact);
	if (firmware_base(ctx->host, ctx->device))
		mp_finding_evidence(finding, "ACPI table",
			"unit at 0x%" G_GINT64_MODIFIER "x",
			firmware_base(ctx->host, ctx->device));
}

/* --- device-reserved-regions --- */

/* Adds the regions of the firmware's tables that name DEVICE as evidence, counts them. */
static unsigned firmware_regions(const struct mp_host *host, const struct mp_pci *device,
	struct mp_finding *finding)
{
	const struct mp_iommu *iommu = mp_iommu_or_none(host);
	unsigned count = 0;

	for (guint i = 0; iommu->dmar && i < iommu->dmar->units->len; i++) {
		const struct mp_dmar_unit *unit = iommu->dmar->units->pdata[i];

		if (unit->type != MP_DMAR_RMRR || !mp_dmar_unit_names(host, unit, device))
			continue;
		count++;
		if (finding)
			mp_finding_evidence(finding, "ACPI DMAR table",
				"reserved memory 0x%" G_GINT64_MODIFIER
				"x-0x%" G_GINT64_MODIFIER "x names %s",
				unit->base, unit->limit, device->bdf);
	}
	for (guint i = 0; iommu->ivrs && i < iommu->ivrs->ivmd->len; i++) {
		const struct mp_ivmd *ivmd =
			&g_array_index(iommu->ivrs->ivmd, struct mp_ivmd, i);

		/* Linux maps exclusion ranges one to one as well (init_unity_map_range).
		 */
		if (!(ivmd->flags & (MP_IVMD_UNITY | MP_IVMD_EXCLUSION)) ||
			!mp_ivmd_names(ivmd, device))
			continue;
		count++;
		if (finding)
			mp_finding_evidence(finding, "ACPI IVRS table",
				"memory 0x%" G_GINT64_MODIFIER "x-0x%" G_GINT64_MODIFIER
				"x is one to one for devices %04x-%04x, flags 0x%x",
				ivmd->start, ivmd->start + ivmd->length - 1,
				ivmd->device_id,
				ivmd->type == 0x22 ? ivmd->aux : ivmd->device_id,
				ivmd->flags);
	}
	return count;
}

static unsigned group_regions(const struct mp_group *group, const char *type)
{
	unsigned count = 0;

	for (size_t i = 0; group && i < group->reserved_count; i++)
		count += !strcmp(group->reserved[i].type, type);
	return count;
}

static const char region_remedy[] =
	"turn off in the firmware setup what uses that memory (management controller's "
	"shared memory, RAID option ROM, pre-boot DMA protection, USB legacy support), "
	"update the firmware, or use a slot that the region does not name. Don't use "
	"relax_rmrr: the device would go on writing there";

static void say_direct(struct mp_check_ctx *ctx, unsigned count)
{
	const struct mp_platform *t = mp_platform_or_none(ctx->host);
	bool known, refuses = mp_kernel_at_least(ctx->host, "6.6", &known);
	struct mp_finding *finding;

	/* Before 6.6 only Intel refused (device_is_rmrr_locked); since commit a48ce36e2786
	 * the core does, for all (require_direct in __iommu_device_set_domain()), because
	 * iommu_group_claim_dma_owner() attaches the blocking domain. [U] Whether a stable
	 * kernel before 6.6 got it was not looked at. */
	if (known && !refuses && t->cpu_vendor == MP_CPU_AMD) {
		finding = mp_check_say(ctx, MP_WARN,
			"Firmware keeps %u memory region%s one to one for %s: kernels "
			"from 6.6 on will refuse to give it to a VM",
			count, MP_PLURAL(count), ctx->device->bdf);
	} else {
		finding = mp_check_say(ctx, MP_FAIL,
			"%s cannot be given to a VM: firmware keeps %u memory region%s "
			"one to one for it, and the kernel refuses to break that",
			ctx->device->bdf, count, MP_PLURAL(count));
	}
	mp_finding_remedy(finding, "%s", region_remedy);
	firmware_regions(ctx->host, ctx->device, finding);
	mp_finding_fact(finding, &ctx->device->group->reserved_fact);
	mp_finding_fact(finding, &mp_iommu_or_none(ctx->host)->log.rmrr_refused);
}

static void device_reserved_regions(struct mp_check_ctx *ctx)
{
	const struct mp_group *group = ctx->device->group;
	const struct mp_iommu *iommu = mp_iommu_or_none(ctx->host);
	unsigned direct = group_regions(group, "direct");
	unsigned relaxable = group_regions(group, "direct-relaxable");
	unsigned firmware = firmware_regions(ctx->host, ctx->device, NULL);
	bool readable = group && group->reserved_fact.know == MP_KNOWN;
	struct mp_finding *finding;

	if (direct) {
		say_direct(ctx, direct);
		return;
	}
	if (readable && relaxable) {
		finding = mp_check_say(ctx, MP_PASS,
			"Firmware's memory regions for %s may be given up by the kernel "
			"(%u relaxable)",
			ctx->device->bdf, relaxable);
	} else if (readable && firmware) {
		finding = mp_check_say(ctx, MP_WARN,
			"Firmware reserves memory for %s, but the kernel does not keep "
			"it: it was told to ignore that, or the region counts as unused",
			ctx->device->bdf);
		mp_finding_remedy(finding, "%s", region_remedy);
		mp_finding_fact(finding, mp_running_cmdline_fact(ctx->host));
	} else if (readable) {
		finding = mp_check_say(ctx, MP_PASS,
			"No firmware memory is reserved for %s", ctx->device->bdf);
	} else if (firmware) {
		finding = mp_check_say(ctx, MP_WARN,
			"Firmware reserves memory for %s: once the IOMMU is in use, the "
			"kernel will probably refuse to give it to a VM",
			ctx->device->bdf);
		mp_finding_remedy(finding, "%s", region_remedy);
	} else if (!group && !iommu->units->len && iommu->class_fact.know != MP_UNKNOWN) {
		finding = mp_check_say(ctx, MP_SKIP,
			"%s is in no IOMMU group, so the kernel shows no reserved "
			"regions: see iommu-active",
			ctx->device->bdf);
	} else {
		finding = mp_check_say(ctx, MP_UNSURE,
			"It is not known whether firmware reserves memory for %s",
			ctx->device->bdf);
		mp_finding_remedy(finding,
			"run: cat /sys/bus/pci/devices/%s/iommu_group/reserved_regions",
			ctx->device->bdf);
	}
	firmware_regions(ctx->host, ctx->device, finding);
	if (group)
		mp_finding_fact(finding, &group->reserved_fact);
	mp_finding_fact(finding, &iommu->dmar_fact);
	mp_finding_fact(finding, &iommu->ivrs_fact);
}

/* --- device-dma-alias --- */

/*
 * Functions whose requests come under another number of the same bus. drivers/pci/quirks.c
 * (compared with Linux 7.0): quirk_dma_func0_alias(), quirk_dma_func1_alias() and
 * fixed_dma_alias_tbl; most of these bugs are kernel bugzilla 42679.
 */
#define SAME_SLOT 0xff
static const struct {
	uint16_t vendor, device, subvendor, subdevice; /* subvendor 0: any subsystem */
	uint8_t slot, function;
} phantom[] = {
	{ 0x1180, 0xe832, 0, 0, SAME_SLOT, 0 }, /* Ricoh */
	{ 0x1180, 0xe476, 0, 0, SAME_SLOT, 0 },
	{ 0x6766, 0x3d40, 0, 0, SAME_SLOT, 0 }, /* Glenfly */
	{ 0x6766, 0x3d41, 0, 0, SAME_SLOT, 0 },
	{ 0x1b4b, 0x9120, 0, 0, SAME_SLOT, 1 }, /* Marvell SATA */
	{ 0x1b4b, 0x9123, 0, 0, SAME_SLOT, 1 }, { 0x1b4b, 0x9125, 0, 0, SAME_SLOT, 1 },
	{ 0x1b4b, 0x9128, 0, 0, SAME_SLOT, 1 }, { 0x1b4b, 0x9130, 0, 0, SAME_SLOT, 1 },
	{ 0x1b4b, 0x9170, 0, 0, SAME_SLOT, 1 }, { 0x1b4b, 0x9172, 0, 0, SAME_SLOT, 1 },
	{ 0x1b4b, 0x917a, 0, 0, SAME_SLOT, 1 }, { 0x1b4b, 0x9182, 0, 0, SAME_SLOT, 1 },
	{ 0x1b4b, 0x9183, 0, 0, SAME_SLOT, 1 }, { 0x1b4b, 0x91a0, 0, 0, SAME_SLOT, 1 },
	{ 0x1b4b, 0x9215, 0, 0, SAME_SLOT, 1 }, { 0x1b4b, 0x9220, 0, 0, SAME_SLOT, 1 },
	{ 0x1b4b, 0x9230, 0, 0, SAME_SLOT, 1 }, { 0x1b4b, 0x9235, 0, 0, SAME_SLOT, 1 },
	{ 0x1103, 0x0642, 0, 0, SAME_SLOT, 1 }, /* HighPoint */
	{ 0x1103, 0x0645, 0, 0, SAME_SLOT, 1 },
	{ 0x197b, 0x2392, 0, 0, SAME_SLOT, 1 },   /* JMicron JMB388 */
	{ 0x1c28, 0x0122, 0, 0, SAME_SLOT, 1 },   /* Lite-On, Plextor M6e */
	{ 0x9005, 0x0285, 0x9005, 0x02bb, 1, 0 }, /* Adaptec 3405 */
	{ 0x9005, 0x0285, 0x9005, 0x02bc, 1, 0 }, /* Adaptec 3805 */
};

/* Bridges to conventional PCI without a PCIe capability, which number requests as those
 * with one do: quirk_use_pcie_bridge_dma_alias(). */
static const struct {
	uint16_t vendor, device;
} express_like[] = {
	{ 0x1b21, 0x1080 }, /* ASMedia */
	{ 0x10e3, 0x8113 }, /* Tundra */
	{ 0x1283, 0x8892 }, /* ITE */
	{ 0x1283, 0x8893 },
	{ 0x8086, 0x244e },
};

/* PCI_EXP_TYPE_* of include/uapi/linux/pci_regs.h */
enum { EXP_PCI_BRIDGE = 7, EXP_PCIE_BRIDGE = 8 };

/* Sets SLOT and FUNCTION to what requests of DEVICE claim to be; false: itself. */
static bool phantom_number(const struct mp_pci *device, uint8_t *slot, uint8_t *function)
{
	for (size_t i = 0; i < G_N_ELEMENTS(phantom); i++) {
		if (phantom[i].vendor != device->vendor ||
			phantom[i].device != device->device)
			continue;
		if (phantom[i].subvendor &&
			(phantom[i].subvendor != device->subvendor ||
				phantom[i].subdevice != device->subdevice))
			continue;
		*slot = phantom[i].slot == SAME_SLOT ? device->slot : phantom[i].slot;
		*function = phantom[i].function;
		return *slot != device->slot || *function != device->function;
	}
	return false;
}

/* The mode in which the kernel takes such a bridge for one from PCIe: the port above is
 * PCIe, and no such bridge itself. */
static bool is_express_like(const struct mp_pci *bridge)
{
	const struct mp_pci *above = bridge->parent;

	if (bridge->pcie.present || !above || !above->pcie.present ||
		above->pcie.type == EXP_PCI_BRIDGE)
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(express_like); i++)
		if (express_like[i].vendor == bridge->vendor &&
			express_like[i].device == bridge->device)
			return true;
	return false;
}

/* A bridge of a management chip that passes requester ids on as they are:
 * quirk_aspeed_pci_bridge_no_alias(), in Linux 7.0. */
static bool keeps_numbers(const struct mp_pci *bridge)
{
	return bridge->vendor == 0x1a03 && bridge->device == 0x1150;
}

/* The bridge under whose number requests of DEVICE arrive, the rule of the kernel's
 * pci_for_each_dma_alias(); *unknown: a bridge on the way shows no capabilities. */
static const struct mp_pci *alias_bridge(
	const struct mp_pci *device, bool *secondary, const struct mp_pci **unknown)
{
	const struct mp_pci *found = NULL;

	*unknown = NULL;
	*secondary = false;
	/* 256 buses: ends a walk through parents that loop. */
	for (unsigned depth = 0; device->parent && depth < 256; depth++) {
		const struct mp_pci *bridge = device = device->parent;

		/* Capabilities lie beyond the first 64 bytes, which need root. */
		if (bridge->config_size <= 64 || bridge->all_ones) {
			*unknown = bridge;
			return found;
		}
		if (bridge->pcie.present && bridge->pcie.type != EXP_PCI_BRIDGE &&
			bridge->pcie.type != EXP_PCIE_BRIDGE)
			continue;
		if (bridge->pcie.present && keeps_numbers(bridge))
			continue;
		found = bridge;
		*secondary = bridge->pcie.present ? bridge->pcie.type == EXP_PCI_BRIDGE
						  : is_express_like(bridge);
	}
	return found;
}

static void say_behind_bridge(
	struct mp_check_ctx *ctx, const struct mp_pci *bridge, bool secondary)
{
	const struct mp_pci *device = ctx->device;
	g_autofree char *alias = secondary
					 ? g_strdup_printf("%04x:%02x:00.0",
						   device->domain, bridge->secondary_bus)
					 : g_strdup(bridge->bdf);
	struct mp_finding *finding;

	finding = mp_check_say(ctx, MP_WARN,
		"DMA and interrupts of %s arrive under the number of the bridge %s (as "
		"%s): the IOMMU cannot tell it from other devices below that bridge",
		device->bdf, bridge->bdf, alias);
	mp_finding_remedy(finding,
		"use a slot that is PCIe all the way to the processor, or give "
		"everything below %s to the same VM",
		bridge->bdf);
	mp_finding_evidence(finding, "drivers/pci/search.c",
		bridge->pcie.present
			? "%s is a bridge between PCIe and conventional PCI (type %u)"
			: "%s is a bridge of conventional PCI",
		bridge->bdf, bridge->pcie.type);
	if (device->group)
		mp_finding_evidence(finding, "IOMMU group", "%u, members: %u",
			device->group->id,
			device->group->members ? device->group->members->len : 0);
}

static void device_dma_alias(struct mp_check_ctx *ctx)
{
	const struct mp_pci *device = ctx->device, *unknown = NULL, *bridge;
	uint8_t slot, function;
	bool secondary, phantom_number_used = phantom_number(device, &slot, &function);
	struct mp_finding *finding;

	if (device->vendor == 0xffff) {
		finding = mp_check_say(ctx, MP_UNSURE,
			"It is not known under which number requests of %s arrive: its "
			"ids cannot be read",
			device->bdf);
		mp_finding_remedy(finding, "see device-responds");
		mp_finding_fact(finding, &device->vendor_fact);
		return;
	}
	bridge = alias_bridge(device, &secondary, &unknown);
	if (bridge) {
		say_behind_bridge(ctx, bridge, secondary);
	} else if (phantom_number_used) {
		finding = mp_check_say(ctx, MP_WARN,
			"%s sends its DMA as %04x:%02x:%02x.%d: it works only because the "
			"kernel knows this chip",
			device->bdf, device->domain, device->bus, slot, function);
		mp_finding_remedy(finding,
			"keep the kernel current, and read faults of %04x:%02x:%02x.%d "
			"in the log as faults of this card",
			device->domain, device->bus, slot, function);
		mp_finding_evidence(finding, "drivers/pci/quirks.c", "%04x:%04x",
			device->vendor, device->device);
	} else if (unknown) {
		finding = mp_check_say(ctx, MP_UNSURE,
			"It is not known under which number requests of %s arrive: the "
			"bridge %s above it cannot be read",
			device->bdf, unknown->bdf);
		mp_finding_remedy(finding, "run this program as root: capabilities of "
					   "bridges are readable by root only");
		mp_finding_fact(finding, &unknown->config_fact);
	} else if (mp_pci_path_unknown(device)) {
		finding = mp_check_say(ctx, MP_UNSURE,
			"It is not known under which number requests of %s arrive: what "
			"is above it cannot be told",
			device->bdf);
		mp_finding_remedy(
			finding, "run on the live host: lspci -PP -s %s", device->bdf);
	} else {
		finding = mp_check_say(ctx, MP_PASS,
			"DMA of %s arrives under its own number: PCIe all the way, and "
			"no known quirk",
			device->bdf);
		mp_finding_fact(finding, &device->vendor_fact);
		mp_finding_fact(finding, &device->device_fact);
		if (device->parent)
			mp_finding_fact(finding, &device->parent->config_fact);
	}
}

const struct mp_check mp_checks_device_iommu[] = {
	{ .id = "iommu-covers-device",
		.scope = MP_SCOPE_DEVICE,
		.title = "an IOMMU unit translates the device's DMA",
		.explain = "A machine has several remapping units; each serves the "
			   "devices that firmware lists for it, one of them all the "
			   "rest. A device that no unit serves cannot be given to a "
			   "VM.\n\n"
			   "Decided by /sys/class/iommu/*/devices, which is what the "
			   "kernel does. The firmware's table is resolved as well "
			   "(explicit scopes before INCLUDE_PCI_ALL, paths by the "
			   "secondary bus numbers of bridges), and a difference is a "
			   "warning: bus numbers may have changed since the firmware "
			   "wrote the table. Source: dmar_find_matched_drhd_unit() in "
			   "drivers/iommu/intel/dmar.c.",
		.run = iommu_covers_device },
	{ .id = "device-reserved-regions",
		.scope = MP_SCOPE_DEVICE,
		.title = "no firmware memory is tied to the device",
		.explain = "Firmware may demand that a memory region stays mapped one to "
			   "one for a device (Intel: RMRR, AMD: IVMD). A VM's memory map "
			   "has no room for that promise, so Linux refuses the device: "
			   "since 6.6 for all IOMMUs (\"Firmware has requested this "
			   "device have a 1:1 IOMMU mapping, rejecting...\"), before "
			   "that on Intel only (\"Device is ineligible for IOMMU domain "
			   "attach due to platform RMRR requirement\"). Some AM5 boards "
			   "declare such a range for all devices on buses 0 to 15.\n\n"
			   "Decided by the lines of the group's reserved_regions: "
			   "\"direct\" blocks, \"direct-relaxable\" (USB and graphics) "
			   "does not, \"msi\" and \"reserved\" are normal. RMRR and "
			   "IVMD entries that name the device are shown, and warn where "
			   "the kernel shows nothing yet.",
		.run = device_reserved_regions },
	{ .id = "device-dma-alias",
		.scope = MP_SCOPE_DEVICE,
		.title = "the device's requests carry its own number",
		.explain = "The IOMMU tells devices apart by the requester id in each "
			   "request. Devices behind a bridge from PCIe to conventional "
			   "PCI all send under the bridge's number, and some chips "
			   "(Marvell SATA controllers, for example) send under a "
			   "function that does not exist. Then isolation, interrupt "
			   "remapping and the log's fault lines speak of another device "
			   "than the one you gave to the VM.\n\n"
			   "Decided by the PCIe type of every bridge above the device "
			   "(the rule of pci_for_each_dma_alias() in "
			   "drivers/pci/search.c) and by the list of known chips in "
			   "drivers/pci/quirks.c.",
		.run = device_dma_alias },
	{ NULL },
};
