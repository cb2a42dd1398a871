/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Is there an IOMMU, is it used, how, and how wide is it? */
#include "config.h"

#include <string.h>

#include "core/checks/common.h"
#include "core/group.h"
#include "core/pci.h"
#include "core/profile.h"

static void table_evidence(struct mp_finding *finding, const struct mp_iommu *iommu)
{
	mp_finding_fact(finding, &iommu->dmar_fact);
	if (iommu->dmar) {
		unsigned units = mp_dmar_count(iommu->dmar, MP_DMAR_DRHD);
		unsigned regions = mp_dmar_count(iommu->dmar, MP_DMAR_RMRR);

		mp_finding_evidence(finding, iommu->dmar_fact.source,
			"%u remapping unit%s, %u reserved memory region%s, flags 0x%x",
			units, MP_PLURAL(units), regions, MP_PLURAL(regions),
			iommu->dmar->flags);
	}
	mp_finding_fact(finding, &iommu->ivrs_fact);
	if (iommu->ivrs)
		mp_finding_evidence(finding, iommu->ivrs_fact.source,
			"%u block%s of units, %u memory definition%s",
			iommu->ivrs->ivhd->len, MP_PLURAL(iommu->ivrs->ivhd->len),
			iommu->ivrs->ivmd->len, MP_PLURAL(iommu->ivrs->ivmd->len));
	mp_finding_fact(finding, &iommu->class_fact);
}

static void firmware_iommu_table(struct mp_check_ctx *ctx)
{
	const struct mp_iommu *iommu = mp_iommu_or_none(ctx->host);
	const char *name = iommu->dmar ? "DMAR" : "IVRS";
	const char *problem = iommu->dmar   ? iommu->dmar->problem
			      : iommu->ivrs ? iommu->ivrs->problem
					    : NULL;
	unsigned units = iommu->dmar   ? mp_dmar_count(iommu->dmar, MP_DMAR_DRHD)
			 : iommu->ivrs ? mp_ivrs_units(iommu->ivrs)
				       : 0;
	struct mp_finding *finding;

	if (units && problem) {
		finding = mp_check_say(ctx, MP_WARN,
			"The firmware describes an IOMMU, but its table %s is "
			"malformed: %s",
			name, problem);
		mp_finding_remedy(finding, "update the firmware of this board; what the "
					   "table says beyond that point is not judged "
					   "here");
	} else if (units) {
		finding = mp_check_say(ctx, MP_PASS,
			"The firmware describes an IOMMU: table %s with %u unit%s", name,
			units, MP_PLURAL(units));
	} else if (iommu->dmar || iommu->ivrs) {
		finding = mp_check_say(ctx, MP_FAIL,
			"The firmware's table %s describes no usable IOMMU%s%s", name,
			problem ? ": " : "", problem ? problem : "");
		mp_finding_remedy(finding,
			"%s; update the firmware if that changes nothing",
			mp_firmware_menu(ctx->host));
	} else if (iommu->units->len) {
		finding = mp_check_say(ctx, MP_PASS,
			"The firmware describes an IOMMU: the kernel drives %u unit%s",
			iommu->units->len, MP_PLURAL(iommu->units->len));
	} else if (iommu->dmar_fact.know == MP_ABSENT &&
		   iommu->ivrs_fact.know == MP_ABSENT) {
		finding = mp_check_say(ctx, MP_FAIL,
			"The firmware describes no IOMMU: there is neither a DMAR nor "
			"an IVRS table");
		mp_finding_remedy(finding, "%s", mp_firmware_menu(ctx->host));
	} else {
		finding = mp_check_say(ctx, MP_UNSURE,
			"It is not known whether the firmware describes an IOMMU: its "
			"tables cannot be read");
		mp_finding_remedy(finding, "run this program as root");
	}
	table_evidence(finding, iommu);
}

static bool told_to_use_vtd(const struct mp_host *host)
{
	static const char *const switches[] = { "on", "off", NULL };
	const char *cmdline = mp_running_cmdline(host);
	const char *last =
		cmdline ? mp_cmdline_last(cmdline, "intel_iommu", switches) : NULL;

	return last && !strcmp(last, "on");
}

/* Why no unit is in use, with the remedy. */
static void say_inactive(struct mp_check_ctx *ctx)
{
	const struct mp_iommu *iommu = mp_iommu_or_none(ctx->host);
	const char *off = mp_cmdline_iommu_off(ctx->host);
	const struct mp_fact *why;
	bool unasked, known = mp_kernel_starts_vtd(ctx->host, &unasked, &why);
	struct mp_finding *finding;

	if (off) {
		finding = mp_check_say(ctx, MP_FAIL,
			"No IOMMU is in use: the kernel command line switches it off "
			"(%s)",
			off);
		mp_remedy_remove(finding, ctx->host, off);
	} else if (iommu->dmar && ((known && unasked) || told_to_use_vtd(ctx->host))) {
		finding = mp_check_say(ctx, MP_FAIL,
			"No IOMMU is in use although the firmware offers one and the "
			"kernel would use it: VT-d failed to start");
		mp_finding_remedy(finding, "look for the reason: dmesg | grep -e DMAR -e "
					   "IOMMU; update the firmware");
		mp_finding_fact(finding, why);
	} else if (iommu->dmar) {
		finding = mp_check_say(ctx, MP_FAIL,
			"No IOMMU is in use although the firmware offers one: the "
			"kernel was not told to use VT-d");
		mp_remedy_add(finding, ctx->host, "intel_iommu=on");
		if (known)
			mp_finding_fact(finding, why);
		else
			mp_finding_evidence(finding, "kernel",
				"whether it uses VT-d unasked is not known; most "
				"distributions' kernels do not");
	} else if (iommu->ivrs) {
		finding = mp_check_say(ctx, MP_FAIL,
			"No IOMMU is in use although the firmware offers one: AMD-Vi "
			"failed to start");
		mp_finding_remedy(finding,
			"look for the reason: dmesg | grep AMD-Vi; update the "
			"firmware; no kernel parameter is needed (amd_iommu=on does "
			"not exist)");
	} else if (iommu->dmar_fact.know == MP_ABSENT &&
		   iommu->ivrs_fact.know == MP_ABSENT) {
		finding = mp_check_say(
			ctx, MP_FAIL, "No IOMMU is in use: the firmware offers none");
		mp_finding_remedy(finding, "%s", mp_firmware_menu(ctx->host));
	} else {
		finding = mp_check_say(ctx, MP_FAIL, "No IOMMU is in use");
		mp_finding_remedy(finding, "run this program as root: the firmware's "
					   "tables tell whether a firmware setting or "
					   "a kernel parameter is missing");
	}
	table_evidence(finding, iommu);
	mp_finding_fact(finding, mp_running_cmdline_fact(ctx->host));
	mp_finding_fact(finding, &mp_platform_or_none(ctx->host)->kernel_release);
	mp_finding_fact(finding, &iommu->log.iommu_enabled);
}

static void iommu_active(struct mp_check_ctx *ctx)
{
	const struct mp_iommu *iommu = mp_iommu_or_none(ctx->host);
	const char *cmdline = mp_running_cmdline(ctx->host);
	const char *kind = mp_iommu_has_kind(iommu, MP_IOMMU_INTEL) ? "VT-d"
			   : mp_iommu_has_kind(iommu, MP_IOMMU_AMD) ? "AMD-Vi"
								    : "an IOMMU";
	struct mp_finding *finding;

	if (!iommu->units->len && iommu->class_fact.know == MP_UNKNOWN) {
		finding = mp_check_say(
			ctx, MP_UNSURE, "It is not known whether an IOMMU is in use");
		mp_finding_remedy(
			finding, "make /sys/class/iommu readable to this program");
		mp_finding_fact(finding, &iommu->class_fact);
		return;
	}
	if (!iommu->units->len) {
		say_inactive(ctx);
		return;
	}
	if (mp_host_is_guest(ctx->host))
		finding = mp_check_say(ctx, MP_INFO,
			"The kernel uses %s with %u unit%s, but this host is itself a "
			"VM: its IOMMU is emulated, and what it proves holds inside "
			"this VM only",
			kind, iommu->units->len, MP_PLURAL(iommu->units->len));
	else if (cmdline && mp_cmdline_has(cmdline, "amd_iommu", "on"))
		finding = mp_check_say(ctx, MP_INFO,
			"The kernel uses %s with %u unit%s; amd_iommu=on on its command "
			"line is no option and changes nothing",
			kind, iommu->units->len, MP_PLURAL(iommu->units->len));
	else
		finding = mp_check_say(ctx, MP_PASS, "The kernel uses %s with %u unit%s",
			kind, iommu->units->len, MP_PLURAL(iommu->units->len));
	mp_finding_fact(finding, &iommu->class_fact);
	mp_finding_fact(finding, &ctx->host->groups_fact);
	if (iommu->log.amd_option.know == MP_KNOWN)
		mp_finding_fact(finding, &iommu->log.amd_option);
}

struct domains {
	unsigned identity, translated, other, unknown;
};

static struct domains count_domains(const struct mp_host *host)
{
	struct domains count = { 0 };

	for (guint i = 0; i < host->groups->len; i++) {
		const struct mp_group *group = host->groups->pdata[i];

		if (mp_fact_is(&group->type, "identity"))
			count.identity++;
		else if (group->type.know == MP_KNOWN &&
			 g_str_has_prefix(group->type.text, "DMA"))
			count.translated++;
		else if (group->type.know == MP_KNOWN)
			count.other++;
		else
			count.unknown++;
	}
	return count;
}

/* A wanted card that can still write to host memory when nobody has it open, or NULL. */
static const struct mp_pci *exposed(const struct mp_check_ctx *ctx)
{
	if (!ctx->profile || ctx->profile->irq_delivery != MP_IRQ_DEVICE_PROGRAMMED)
		return NULL;
	for (guint i = 0; i < ctx->wanted->len; i++) {
		const struct mp_pci *device = ctx->wanted->pdata[i];

		if (device->group && mp_fact_is(&device->group->type, "identity"))
			return device;
	}
	return NULL;
}

/* A wanted device whose own default domain could not be read, or NULL. */
static const struct mp_pci *untold(const struct mp_check_ctx *ctx)
{
	for (guint i = 0; i < ctx->wanted->len; i++) {
		const struct mp_pci *device = ctx->wanted->pdata[i];

		if (device->group && device->group->type.know == MP_UNKNOWN)
			return device;
	}
	return NULL;
}

static void iommu_default_domain(struct mp_check_ctx *ctx)
{
	const struct domains count = count_domains(ctx->host);
	const struct mp_pci *card = exposed(ctx), *unread = untold(ctx);
	struct mp_finding *finding;

	if (!ctx->host->groups->len) {
		mp_check_say(ctx, MP_SKIP, "There are no IOMMU groups: see iommu-active");
		return;
	}
	if (card &&
		g_str_has_prefix(
			card->power_state.know == MP_KNOWN ? card->power_state.text : "",
			"D3")) {
		/* A function in D3 issues no request (PCI Bus Power Management 5.4.1). */
		finding = mp_check_say(ctx, MP_INFO,
			"%s is in an identity domain (iommu=pt), but sleeps in %s while no VM "
			"has it open and so reaches no memory",
			card->bdf, card->power_state.text);
		mp_finding_fact(finding, &card->power_state);
	} else if (card) {
		g_autofree char *remove =
			ctx->host->boot && mp_cmdline_has(
						   mp_running_cmdline(ctx->host)
							   ? mp_running_cmdline(ctx->host)
							   : "",
						   "iommu", "pt")
				? mp_loader_how_to_remove(ctx->host, "iommu=pt")
				: NULL;

		finding = mp_check_say(ctx, MP_WARN,
			"%s sits in an identity domain (iommu=pt) while no VM has it "
			"open: messages it still holds from an earlier session reach "
			"the host's memory unchecked",
			card->bdf);
		mp_finding_remedy(finding,
			"%s (costs the host's own devices some throughput); or for this "
			"group alone and until the next boot, while no driver is bound "
			"to its devices: echo DMA-FQ > /sys/kernel/iommu_groups/%u/type; "
			"or never load the card's driver on this host, and cold-boot "
			"after it was",
			remove ? remove
			       : "have DMA translated by default (iommu.passthrough=0)",
			card->group->id);
		mp_finding_fact(finding, &card->power_state);
	} else if (unread || count.unknown == ctx->host->groups->len) {
		finding = mp_check_say(ctx, MP_UNSURE,
			"The default domain of %s is not known",
			unread ? unread->bdf : "the IOMMU groups");
		mp_finding_remedy(
			finding, "read it as root: cat /sys/kernel/iommu_groups/*/type");
	} else if (count.identity) {
		finding = mp_check_say(ctx, MP_INFO,
			"%u of %u IOMMU groups are in an identity domain (iommu=pt): "
			"the host's own devices, and a card that waits for its VM, "
			"reach all memory",
			count.identity, ctx->host->groups->len);
	} else if (count.unknown || count.other) {
		finding = mp_check_say(ctx, MP_INFO,
			"%u of %u IOMMU groups are translated by default; %u are "
			"blocked or unmanaged, %u unknown",
			count.translated, ctx->host->groups->len, count.other,
			count.unknown);
	} else {
		finding = mp_check_say(ctx, MP_PASS,
			"All %u IOMMU groups are translated by default: a card that "
			"waits for its VM reaches no memory",
			ctx->host->groups->len);
	}
	mp_finding_evidence(finding, "/sys/kernel/iommu_groups/*/type",
		"%u identity, %u translated, %u other, %u unknown", count.identity,
		count.translated, count.other, count.unknown);
	mp_finding_fact(finding, mp_running_cmdline_fact(ctx->host));
	mp_finding_fact(finding, &mp_iommu_or_none(ctx->host)->log.default_domain);
}

/* The narrowest unit: its width, or 0 when one cannot be told. */
static unsigned intel_width(const struct mp_iommu *iommu, struct mp_finding *finding)
{
	unsigned narrowest = 64;

	for (guint i = 0; i < iommu->units->len; i++) {
		const struct mp_iommu_unit *unit = iommu->units->pdata[i];
		g_autofree char *text = NULL;
		unsigned width = 0;
		uint64_t cap;

		if (unit->kind != MP_IOMMU_INTEL)
			continue;
		if (mp_fact_uint(&unit->cap, 16, &cap)) {
			width = MIN(mp_cap_mgaw(cap), mp_cap_sagaw(cap));
			text = mp_cap_describe(cap);
		}
		if (finding && text)
			mp_finding_evidence(finding, unit->cap.source, "%s: %s",
				unit->cap.text, text);
		else if (finding)
			mp_finding_fact(finding, &unit->cap);
		narrowest = MIN(narrowest, width);
	}
	return narrowest;
}

static unsigned host_width(const struct mp_iommu *iommu, struct mp_finding *finding)
{
	unsigned width;

	if (mp_iommu_has_kind(iommu, MP_IOMMU_INTEL))
		return intel_width(iommu, finding);
	if (!iommu->ivrs)
		return 0;
	width = iommu->ivrs->ivinfo >> 15 & 0x7f; /* VAsize, AMD specification 5.2.1 */
	if (finding)
		mp_finding_evidence(finding, iommu->ivrs_fact.source,
			"IVinfo 0x%08x: VAsize %u", iommu->ivrs->ivinfo, width);
	return width;
}

static void iommu_address_width(struct mp_check_ctx *ctx)
{
	const struct mp_iommu *iommu = mp_iommu_or_none(ctx->host);
	const struct mp_platform *t = mp_platform_or_none(ctx->host);
	unsigned width = host_width(iommu, NULL);
	uint64_t cpu = 0;
	struct mp_finding *finding;

	if (mp_say_no_units(ctx))
		return;
	if (!width || !mp_fact_uint(&t->phys_bits, 10, &cpu)) {
		finding = mp_check_say(ctx, MP_UNSURE,
			"It is not known whether the IOMMU can address all that the "
			"CPU can");
		mp_finding_remedy(finding, "run this program as root on the live host: "
					   "it needs the capabilities of each unit in "
					   "/sys/class/iommu and the address sizes in "
					   "/proc/cpuinfo");
	} else if (width < cpu) {
		finding = mp_check_say(ctx, MP_WARN,
			"The IOMMU takes addresses of %u bits, the CPU "
			"has %u: a VM that places memory or BARs above %" G_GUINT64_FORMAT
			" GiB cannot map them for the card",
			width, (unsigned)cpu,
			(uint64_t)1 << (width > 30 ? width - 30 : 0));
		mp_finding_remedy(finding,
			"limit the VM's address width (Proxmox VE: qm set VMID --cpu "
			"host,phys-bits=%u), or use SeaBIOS; preflight --vm VMID tells "
			"what that VM needs",
			width);
	} else {
		finding = mp_check_say(ctx, MP_PASS,
			"The IOMMU takes addresses of %u bits, enough for the CPU's %u",
			width, (unsigned)cpu);
	}
	host_width(iommu, finding);
	mp_finding_fact(finding, &t->phys_bits);
}

const struct mp_check mp_checks_iommu[] = {
	{ .id = "firmware-iommu-table",
		.scope = MP_SCOPE_HOST,
		.title = "the firmware describes an IOMMU",
		.explain =
			"The kernel learns about the IOMMU from an ACPI table: DMAR on "
			"Intel, IVRS on AMD. When the feature is off in the firmware "
			"setup, the table is not there, and no kernel parameter can "
			"bring it back.\n\n"
			"Decided by parsing /sys/firmware/acpi/tables/DMAR and IVRS "
			"(root only). A structure that makes no sense (length zero, "
			"beyond its end, overlapping units, wrong checksum) is told, "
			"and what follows it is not judged. Where the tables cannot be "
			"read, units that the kernel built from them count. Sources: "
			"Intel VT-d specification, chapter 8; AMD specification 48882, "
			"chapter 5.",
		.run = firmware_iommu_table },
	{ .id = "iommu-active",
		.scope = MP_SCOPE_HOST,
		.title = "the kernel uses the IOMMU",
		.explain =
			"Without a working IOMMU a card would reach the memory of the "
			"host and of every VM; VFIO refuses to hand it out.\n\n"
			"Decided by the units in /sys/class/iommu (dmarN, ivhdN), "
			"which exist only when the kernel initialised DMA remapping. "
			"If there are none the reason is looked for: no table "
			"(firmware setting), a parameter that switches it off, or a "
			"kernel that wants intel_iommu=on: one that was built without "
			"CONFIG_INTEL_IOMMU_DEFAULT_ON (read from "
			"/boot/config-RELEASE; where that is not readable, Proxmox "
			"kernels from 6.8 on count as built with it). AMD-Vi is used "
			"unasked, and amd_iommu=on is not an option at all: the kernel prints \"Unknown option\". "
			"When the host is itself a VM the IOMMU is emulated (VT-d "
			"says so with CAP.CM).",
		.run = iommu_active },
	{ .id = "iommu-default-domain",
		.scope = MP_SCOPE_HOST,
		.title = "waiting cards cannot reach host memory",
		.explain =
			"Each IOMMU group has a default domain for the time when no "
			"VM uses it. \"DMA\" translates: the card reaches what a host "
			"driver mapped, nothing else. \"identity\" (iommu=pt, or a "
			"kernel built so) lets it reach all memory, for speed. A card "
			"that is bound to vfio-pci but not opened sits in that "
			"default domain.\n\n"
			"For most cards this is harmless: they are reset before and "
			"after use. A card that keeps memory windows or interrupt "
			"messages in registers of its own and survives a reset with "
			"them may write into host memory: then it is a warning, unless "
			"it sleeps in D3, where a function sends no requests. It "
			"also changes what the kernel log can show: with iommu=pt a "
			"write fault (reason 05) is only possible while a VM has the "
			"card.\n\n"
			"Decided by /sys/kernel/iommu_groups/N/type, which shows the "
			"default domain even while VFIO owns the group, the profile of "
			"the card, and its power_state.\n\n"
			"What to do: never load the card's driver on this host, or "
			"remove iommu=pt, which costs the host's own devices some "
			"throughput.",
		.run = iommu_default_domain },
	{ .id = "iommu-address-width",
		.scope = MP_SCOPE_HOST,
		.title = "the IOMMU addresses as much as the CPU",
		.explain = "A VM's physical addresses become the card's DMA addresses. "
			   "When the IOMMU has fewer bits than the CPU (39 against 46 on "
			   "many client parts), a guest firmware that places 64-bit BARs "
			   "near the top of the CPU's range makes QEMU's mapping fail "
			   "(VFIO_MAP_DMA: Invalid argument) or a fault 04 follows.\n\n"
			   "Decided by the smaller of MGAW and the widest page table "
			   "(SAGAW) of every unit's capability register (VT-d "
			   "specification 11.4.2), on AMD by VAsize of the IVRS table, "
			   "against the address sizes in /proc/cpuinfo. "
			   "vm-cpu-address-width judges the configuration of one VM.",
		.run = iommu_address_width },
	{ NULL },
};
