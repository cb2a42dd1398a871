/* SPDX-License-Identifier: GPL-2.0-or-later */
/* IOMMU groups: the unit of isolation, and so of giving away. */
#include "config.h"

#include <string.h>

#include "core/checks/device.h"
#include "core/use.h"

/* Where somebody may be in the group that we don't know of: unknown. Else NULL. */
static struct mp_finding *say_unread_members(
	struct mp_check_ctx *ctx, const struct mp_group *group)
{
	const struct mp_fact *unread = mp_group_unread(ctx->host, group);
	struct mp_finding *finding;

	if (!unread)
		return NULL;
	finding = mp_check_say(ctx, MP_UNSURE,
		"It is not known who else is in group %u: its list of members could not be "
		"read",
		group->id);
	mp_finding_fact(finding, unread);
	mp_finding_remedy(finding, "As root on the live host: ls %s", unread->source);
	return finding;
}

/* --- group-exists --- */

static void group_exists(struct mp_check_ctx *ctx)
{
	const struct mp_pci *device = ctx->device;
	const struct mp_host *host = ctx->host;
	struct mp_finding *finding;

	if (device->group) {
		finding = mp_check_say(ctx, MP_PASS, "%s is in IOMMU group %u",
			device->bdf, device->group->id);
		mp_finding_fact(finding, &device->group_fact);
		mp_finding_fact(finding, &device->group->type);
		return;
	}
	if (device->group_fact.know == MP_UNKNOWN ||
		host->groups_fact.know == MP_UNKNOWN) {
		finding = mp_check_say(
			ctx, MP_UNSURE, "%s: its IOMMU group is not known", device->bdf);
		mp_finding_remedy(finding, "Run on the live host, or capture it again.");
	} else if (!host->groups->len) {
		finding = mp_check_say(ctx, MP_FAIL,
			"%s is in no IOMMU group: no IOMMU is in use on this host",
			device->bdf);
		mp_finding_remedy(finding,
			"Switch on VT-d (Intel) or IOMMU/AMD-Vi in the firmware; on "
			"Intel the "
			"kernel may also need 'intel_iommu=on'. iommu-active and "
			"firmware-iommu-table tell which of the two is missing.");
	} else {
		finding = mp_check_say(ctx, MP_FAIL,
			"%s is in no IOMMU group, though the host has %u: no IOMMU "
			"covers it",
			device->bdf, host->groups->len);
		mp_finding_remedy(finding, "Move the card to a slot that an IOMMU covers "
					   "(see iommu-covers-device), "
					   "or take it out from below a device that "
					   "hides it, such as VMD: switch "
					   "VMD off for that slot in the firmware.");
	}
	mp_finding_fact(finding, &device->group_fact);
	mp_finding_fact(finding, &host->groups_fact);
}

/* --- group-viable --- */

struct viability {
	GString *blocking; /* members with a host driver that nobody asked about */
	GString *own;      /* wanted ones that the host still drives */
	GString *unknown;
};

static void judge_member(
	const struct mp_check_ctx *ctx, const struct mp_pci *member, struct viability *v)
{
	if (member->driver.know == MP_UNKNOWN)
		mp_check_name(v->unknown, member);
	else if (!mp_group_member_viable(ctx->host, member))
		mp_check_name(
			mp_check_wanted(ctx, member) ? v->own : v->blocking, member);
}

/* The members that the host boots from, stores on, routes or displays by. */
static bool needed(
	const struct mp_check_ctx *ctx, const struct mp_group *group, GString *names)
{
	for (guint i = 0; i < group->members->len; i++) {
		const struct mp_pci *member = group->members->pdata[i];
		g_autoptr(GPtrArray) entries = mp_use_of(ctx->host, member);

		for (guint e = 0; e < entries->len; e++) {
			const struct mp_use_entry *use = entries->pdata[e];

			if (use->kind == MP_USE_OPEN || use->kind == MP_USE_VM ||
				use->kind == MP_USE_SRIOV)
				continue;
			g_string_append_printf(names, "%s%s (%s)", names->len ? ", " : "",
				member->bdf, use->detail);
			break;
		}
	}
	return names->len > 0;
}

static struct mp_finding *say_viability(
	struct mp_check_ctx *ctx, const struct mp_group *group, const struct viability *v)
{
	g_autoptr(GString) needs = g_string_new(NULL);
	struct mp_finding *finding;

	if (v->blocking->len) {
		finding = mp_check_say(ctx, MP_FAIL,
			"Group %u is not viable: the host drives %s", group->id,
			v->blocking->str);
		if (needed(ctx, group, needs))
			mp_finding_remedy(finding,
				"Move the card to a slot with a group of its own. Don't "
				"take the others from the host: it needs %s.",
				needs->str);
		else
			mp_finding_remedy(finding,
				"Take them from the host too (bind to vfio-pci or to no "
				"driver), if the host can do without (device-host-use "
				"tells, with --device for each); else move the card to a "
				"slot with a group of its own. A bridge is fine with "
				"pcieport or no driver; one with another driver (shpchp) "
				"must be unbound from it.");
		return finding;
	}
	if (v->unknown->len || group->foreign->len) {
		finding = mp_check_say(ctx, MP_UNSURE,
			"Group %u: the drivers of some members are not known", group->id);
		if (v->unknown->len)
			mp_finding_evidence(finding, "members", "%s", v->unknown->str);
		mp_finding_remedy(finding,
			"Look at /sys/kernel/iommu_groups/%u/devices/*/driver on the "
			"live host.",
			group->id);
		return finding;
	}
	finding = say_unread_members(ctx, group);
	if (finding)
		return finding;
	if (v->own->len)
		return mp_check_say(ctx, MP_INFO,
			"Group %u becomes viable when %s %s handed to vfio-pci, which "
			"Proxmox does "
			"when the VM starts",
			group->id, v->own->str, strchr(v->own->str, ',') ? "are" : "is");
	return mp_check_say(ctx, MP_PASS, "Group %u is viable for VFIO", group->id);
}

static void group_viable(struct mp_check_ctx *ctx)
{
	const struct mp_group *group = ctx->device->group;
	struct viability v;

	if (!group) {
		mp_check_say(ctx, MP_SKIP, "%s is in no known group (see group-exists)",
			ctx->device->bdf);
		return;
	}
	v = (struct viability){ g_string_new(NULL), g_string_new(NULL),
		g_string_new(NULL) };
	for (guint i = 0; i < group->members->len; i++)
		judge_member(ctx, group->members->pdata[i], &v);
	struct mp_finding *finding = say_viability(ctx, group, &v);
	for (guint i = 0; i < group->members->len; i++)
		mp_finding_fact(
			finding, &((struct mp_pci *)group->members->pdata[i])->driver);
	for (guint i = 0; i < group->foreign->len; i++)
		mp_finding_evidence(finding, "member that is no PCI device", "%s",
			(char *)group->foreign->pdata[i]);
	g_string_free(v.blocking, TRUE);
	g_string_free(v.own, TRUE);
	g_string_free(v.unknown, TRUE);
}

/* --- group-isolated --- */

static void isolated_remedy(const struct mp_check_ctx *ctx, struct mp_finding *finding,
	const struct mp_group *group)
{
	g_autoptr(GString) needs = g_string_new(NULL);

	needed(ctx, group, needs);
	mp_finding_remedy(finding,
		"Devices of one group can reach each other past the IOMMU, so group %u goes to one "
		"VM as a whole or not at all. Move the card to another slot (one below a CPU's root "
		"port is best), or switch on 'ACS' or 'PCIe ARI' in the firmware if there is such a "
		"setting. %s%s. pcie_acs_override only hides the problem.",
		group->id,
		needs->len ? "Don't give the others along: the host needs "
			   : "Or give the others along",
		needs->str);
}

static void group_isolated(struct mp_check_ctx *ctx)
{
	const struct mp_group *group = ctx->device->group;
	g_autoptr(GString) used = g_string_new(NULL), idle = g_string_new(NULL);
	struct mp_finding *finding;
	guint bridges = 0;

	if (!group) {
		mp_check_say(ctx, MP_SKIP, "%s is in no known group (see group-exists)",
			ctx->device->bdf);
		return;
	}
	for (guint i = 0; i < group->members->len; i++) {
		const struct mp_pci *member = group->members->pdata[i];

		if (mp_pci_is_bridge(member))
			bridges++;
		else if (!mp_check_wanted(ctx, member))
			mp_check_name(
				member->driver.know == MP_UNKNOWN ||
						mp_group_member_viable(ctx->host, member)
					? idle
					: used,
				member);
	}
	if (used->len) {
		finding = mp_check_say(ctx, MP_FAIL,
			"Group %u also holds devices that the host uses: %s%s%s",
			group->id, used->str, idle->len ? "; and " : "", idle->str);
		isolated_remedy(ctx, finding, group);
	} else if (idle->len || group->foreign->len) {
		finding = mp_check_say(ctx, MP_WARN,
			"Group %u also holds devices that were not asked about: %s%s",
			group->id,
			idle->len ? idle->str : (char *)group->foreign->pdata[0],
			idle->len && group->foreign->len ? " and others" : "");
		isolated_remedy(ctx, finding, group);
	} else if (!(finding = say_unread_members(ctx, group))) {
		finding = mp_check_say(ctx, MP_PASS, "%s %s group %u%s",
			ctx->wanted->len > 1 ? "Only what was asked about is in"
					     : ctx->device->bdf,
			ctx->wanted->len > 1 ? "IOMMU" : "is alone in IOMMU", group->id,
			bridges ? ", but for bridges" : "");
	}
	g_autofree char *source =
		g_strdup_printf("/sys/kernel/iommu_groups/%u/devices", group->id);
	bool linked = group->devices_fact.source && group->devices_fact.know != MP_KNOWN;

	for (guint i = 0; i < group->members->len; i++) {
		const struct mp_pci *member = group->members->pdata[i];

		mp_finding_evidence(finding, linked ? member->group_fact.source : source,
			"%s", member->bdf);
	}
	for (guint i = 0; i < group->foreign->len; i++)
		mp_finding_evidence(
			finding, source, "%s", (char *)group->foreign->pdata[i]);
}

/* --- group-unchanged --- */

static const struct mp_pin *pin_of(const struct mp_check_ctx *ctx)
{
	for (guint i = 0; i < ctx->config->cards->len; i++) {
		const struct mp_pin *pin = ctx->config->cards->pdata[i];

		if (pin->address &&
			mp_host_device(ctx->host, pin->address) == ctx->device)
			return pin;
	}
	return NULL;
}

static bool pin_has(const struct mp_check_ctx *ctx, const struct mp_pin *pin,
	const struct mp_pci *member)
{
	for (guint i = 0; i < pin->group_members->len; i++)
		if (mp_host_device(ctx->host, pin->group_members->pdata[i]) == member)
			return true;
	return false;
}

static void group_unchanged(struct mp_check_ctx *ctx)
{
	const struct mp_group *group = ctx->device->group;
	const struct mp_pin *pin = pin_of(ctx);
	g_autoptr(GString) joined = g_string_new(NULL), left = g_string_new(NULL);
	struct mp_finding *finding;

	if (!pin || !pin->group_members || !pin->group_members->len) {
		mp_check_say(ctx, MP_SKIP,
			"The configuration does not say who was in the group of %s",
			ctx->device->bdf);
		return;
	}
	if (!group) {
		finding = mp_check_say(ctx,
			ctx->device->group_fact.know == MP_UNKNOWN ? MP_UNSURE : MP_FAIL,
			"%s had an IOMMU group when it was set up; now none is known",
			ctx->device->bdf);
		mp_finding_fact(finding, &ctx->device->group_fact);
		mp_finding_remedy(finding, "See group-exists.");
		return;
	}
	for (guint i = 0; i < group->members->len; i++)
		if (!pin_has(ctx, pin, group->members->pdata[i]))
			mp_check_name(joined, group->members->pdata[i]);
	for (guint i = 0; i < pin->group_members->len; i++) {
		const char *address = pin->group_members->pdata[i];
		const struct mp_pci *member = mp_host_device(ctx->host, address);

		if (!member || member->group != group)
			g_string_append_printf(
				left, "%s%s", left->len ? ", " : "", address);
	}
	if (joined->len) {
		finding = mp_check_say(ctx, MP_FAIL,
			"Since it was set up, the group of %s was joined by %s",
			ctx->device->bdf, joined->str);
		mp_finding_remedy(finding,
			"Do not start the VM before you know why: a new kernel, a "
			"changed firmware "
			"setting or a new card can change groups. Start the former "
			"kernel, undo "
			"the change, or set the card up again with the new group.");
	} else if (left->len) {
		finding = mp_check_say(ctx, MP_WARN,
			"Since it was set up, the group of %s lost %s", ctx->device->bdf,
			left->str);
		mp_finding_remedy(finding,
			"Harmless by itself; check that nothing was unplugged by mistake "
			"and set "
			"the card up again, so that the record is right.");
	} else if (!(finding = say_unread_members(ctx, group))) {
		finding = mp_check_say(ctx, MP_PASS,
			"The group of %s is as it was set up", ctx->device->bdf);
	}
	for (guint i = 0; i < pin->group_members->len; i++)
		mp_finding_evidence(finding,
			ctx->config->source ? ctx->config->source : "configuration", "%s",
			(char *)pin->group_members->pdata[i]);
	mp_finding_fact(finding, &ctx->device->group_fact);
}

const struct mp_check mp_checks_group[] = {
	{
		"group-exists",
		MP_SCOPE_DEVICE,
		"the device is in an IOMMU group",
		"VFIO gives away IOMMU groups, not devices: a device without a group "
		"cannot be "
		"passed through at all. The kernel makes groups when it puts an IOMMU to "
		"use, "
		"so no group means that no IOMMU is in use, or that none covers this "
		"device.\n\n"
		"Decided by the link iommu_group in the device's sysfs directory and by "
		"the "
		"lists below /sys/kernel/iommu_groups. Groups of VFIO's no-IOMMU mode do "
		"not "
		"count as protection: that mode is not something this program sets up.",
		group_exists,
	},
	{
		"group-viable",
		MP_SCOPE_DEVICE,
		"the kernel will hand the group to VFIO",
		"When QEMU opens the group, the kernel refuses it while a host driver "
		"may do DMA "
		"in it; QEMU then says 'group N is not viable' or fails with 'Device or "
		"resource "
		"busy'.\n\n"
		"The rule is the kernel's own since 5.19 (iommu_group_claim_dma_owner() "
		"in "
		"drivers/iommu/iommu.c, .driver_managed_dma in the drivers): every "
		"member has "
		"no driver, a VFIO driver, pci-stub, or pcieport. So bridges are fine as "
		"they "
		"are and must not be bound to vfio-pci. Older kernels accept a bridge "
		"with any "
		"driver; newer ones do not, shpchp being the usual case. The release of "
		"the running "
		"kernel says which rule counts."
		"\n\n"
		"A device that was asked about and still has its host driver is no "
		"failure: "
		"Proxmox binds it to vfio-pci at VM start. Whether the host can spare it "
		"is "
		"device-host-use's question.",
		group_viable,
	},
	{
		"group-isolated",
		MP_SCOPE_DEVICE,
		"the group holds nothing else but bridges",
		"Members of one group can send data to each other without the IOMMU "
		"seeing it, "
		"so a VM that owns one of them can reach all of them. Everything in the "
		"group "
		"that is not a bridge must go to the same VM or stay unused.\n\n"
		"A device with a host driver in the group blocks; one without, or with a "
		"VFIO "
		"driver, is a warning, because it must not be used by anybody else while "
		"the VM "
		"runs. Bridges belong there: the IOMMU cannot tell what is behind a port "
		"that "
		"does not enforce isolation (see group-acs-path).",
		group_isolated,
	},
	{
		"group-acs-path",
		MP_SCOPE_DEVICE,
		"every port up to the root enforces isolation",
		"A switch or root port may pass data from one device below it straight "
		"to "
		"another. Access Control Services (PCI Express Base Specification, 6.12) "
		"stop "
		"that: source validation, request and completion redirect, and upstream "
		"forwarding must be on.\n\n"
		"Decided as the kernel does (pci_acs_path_enabled() and "
		"pci_acs_enabled() in "
		"drivers/pci/pci.c): root and downstream ports on the path, and "
		"functions of a "
		"multifunction device, must have each of the four that they are able to "
		"control switched on; a port without the capability does not isolate. "
		"For some "
		"chips the kernel knows that they isolate all the same (quirks, many "
		"Intel root "
		"ports among them), so the group is the judge: missing ACS with a device "
		"that "
		"is alone in its group is information, not a fault, unless "
		"pcie_acs_override "
		"made up the groups.",
		mp_check_group_acs_path,
	},
	{
		"group-unchanged",
		MP_SCOPE_DEVICE,
		"the group is as it was when the card was set up",
		"A new kernel, a firmware update or another card can merge groups, and "
		"the disk "
		"that the host boots from may then sit in the group that a VM gets.\n\n"
		"Compares the members with the list that the configuration keeps for the "
		"card "
		"(group_members). Whoever joined blocks; whoever left is a warning. "
		"Without "
		"such a list there is nothing to compare.",
		group_unchanged,
	},
	{ NULL },
};
