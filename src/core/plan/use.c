/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the host needs itself is not taken from it: disks, networks, displays, what programs
 * or VMs have open, of the wanted devices and of everybody in their IOMMU groups, because
 * VFIO owns a group as a whole or not at all. What could not be read counts as in use.
 */
#include "config.h"

#include <string.h>

#include "core/boot.h"
#include "core/check.h"
#include "core/group.h"
#include "core/iommu.h"
#include "core/pci.h"
#include "core/plan.h"
#include "core/use.h"

/* An obstacle about DEVICE, or, where it is forced, a note. */
static void G_GNUC_PRINTF(5, 6) forbid(struct mp_plan *plan, const struct mp_wish *wish,
	const struct mp_pci *device, const char *remedy, const char *format, ...)
{
	g_autofree char *text = NULL;
	va_list args;

	va_start(args, format);
	text = g_strdup_vprintf(format, args);
	va_end(args);
	if (mp_wish_forces(wish, device))
		mp_plan_add_note(plan, device->bdf, "forced: %s", text);
	else
		mp_plan_add_obstacle(plan, device->bdf, remedy, "%s", text);
}

/* --- use by the host --- */

static const char *remedy_for(const struct mp_use_entry *entry)
{
	if (entry->boots)
		return "leave it to the host, which does not boot without it";
	if (entry->routes)
		return "move the address and the bridge to another card in "
		       "/etc/network/interfaces first, and check from a console that the "
		       "host stays reachable";
	switch (entry->kind) {
	case MP_USE_MOUNT:
		return "unmount it, and take it out of /etc/fstab and of the Proxmox "
		       "storages";
	case MP_USE_SWAP:
		return "run swapoff on it and take the line out of /etc/fstab";
	case MP_USE_STORAGE:
		return "move what is on it, then stop it (vgchange -an, mdadm --stop, "
		       "zpool export)";
	case MP_USE_NETWORK:
		return "take the interface out of /etc/network/interfaces and run "
		       "ifreload -a";
	case MP_USE_DISPLAY:
		return "choose another primary display in the firmware setup, or make sure "
		       "that the host can be reached without one and force it";
	case MP_USE_OPEN:
		return "stop that program and its service first";
	case MP_USE_SRIOV:
		return "pass the virtual functions, or switch them off first "
		       "(sriov_numvfs)";
	case MP_USE_VM:
	case MP_USE_KINDS:
		break;
	}
	return "shut that VM down first";
}

static bool is_of_vm(const struct mp_use_entry *entry, const char *vm)
{
	g_autofree char *name = vm ? g_strdup_printf("VM %s", vm) : NULL;
	const char *at = name ? strstr(entry->detail, name) : NULL;

	return at && !g_ascii_isdigit(at[strlen(name)]);
}

/* A VM that has what it was given already is no reason to stop: files change nothing before
 * the next boot. */
static bool is_as_wanted(const struct mp_plan *plan, const struct mp_wish *wish,
	const struct mp_pci *device, const struct mp_use_entry *entry)
{
	if (entry->kind != MP_USE_VM)
		return false;
	if (is_of_vm(entry, wish->vm))
		return true;
	for (guint i = 0; !wish->vm && i < plan->taken->len; i++) {
		const struct mp_plan_taken *taken = plan->taken->pdata[i];

		if (taken->device == device)
			return taken->now == MP_BIND_VFIO;
	}
	return false;
}

/* True if one was found. */
static bool judge_entries(struct mp_plan *plan, const struct mp_wish *wish,
	const struct mp_pci *device, const char *in_group)
{
	g_autoptr(GPtrArray) entries = mp_use_of(wish->host, device);
	bool found = false;

	for (guint i = 0; i < entries->len; i++) {
		const struct mp_use_entry *entry = entries->pdata[i];

		if (is_as_wanted(plan, wish, device, entry)) {
			mp_plan_add_note(plan, device->bdf,
				"a VM has %s now (%s): nothing changes for it before the "
				"host is rebooted",
				device->bdf, entry->detail);
			continue;
		}
		found = true;
		forbid(plan, wish, device, remedy_for(entry), "%s%s is in use (%s): %s",
			device->bdf, in_group, mp_use_kind_name(entry->kind),
			entry->detail);
	}
	return found;
}

/* Nothing was found; was everything looked at? */
static void judge_unread(struct mp_plan *plan, const struct mp_wish *wish,
	const struct mp_pci *device, const char *in_group)
{
	static const char remedy[] = "run this as root on the host itself";
	const struct mp_use *use = wish->host->use;
	const struct mp_fact *unread = mp_use_unread(wish->host, device);
	/* A framebuffer of the firmware shows its console without a driver. */
	bool shows = device->class_code >> 16 == 0x03;

	if (mp_fact_is(&device->driver, "vfio-pci"))
		return;
	if (!use)
		forbid(plan, wish, device, remedy,
			"what the host uses itself was not looked at, so nobody knows about "
			"%s%s",
			device->bdf, in_group);
	else if (unread && (shows || device->driver.know != MP_ABSENT))
		forbid(plan, wish, device, remedy,
			"whether the host uses %s%s is not known: %s could not be read",
			device->bdf, in_group, unread->source);
	else if (device->driver.know == MP_UNKNOWN)
		forbid(plan, wish, device, remedy,
			"which driver %s%s has on the host could not be read",
			device->bdf, in_group);
	else if (wish->host->live && device->driver.know == MP_KNOWN &&
		 use->open_files.know != MP_KNOWN)
		forbid(plan, wish, device, remedy,
			"whether a program has %s%s open is not known: %s", device->bdf,
			in_group,
			use->open_files.why ? use->open_files.why
					    : "it was not looked at");
}

static void judge_use(struct mp_plan *plan, const struct mp_wish *wish,
	const struct mp_pci *device, const char *in_group)
{
	if (!judge_entries(plan, wish, device, in_group))
		judge_unread(plan, wish, device, in_group);
}

/* --- the group --- */

static void list_option(GString *command, const struct mp_wish *wish)
{
	g_string_append(command, "metis-passthrough plan");
	for (guint i = 0; i < wish->devices->len; i++)
		g_string_append_printf(command, " -d %s",
			((const struct mp_pci *)wish->devices->pdata[i])->bdf);
}

/* The command with every member that has to come along. */
static char *whole_group(const struct mp_wish *wish, const struct mp_group *group)
{
	GString *command = g_string_new("to give the whole group away: ");

	list_option(command, wish);
	for (guint i = 0; i < group->members->len; i++) {
		const struct mp_pci *member = group->members->pdata[i];

		if (!mp_wish_has(wish, member) && !mp_pci_is_bridge(member))
			g_string_append_printf(command, " -d %s", member->bdf);
	}
	g_string_append(
		command, "; else move the card to a slot with a group of its own");
	return g_string_free(command, FALSE);
}

/* Who would keep VFIO from owning the group after the next boot. */
static bool stays_with_host(const struct mp_plan *plan, const struct mp_wish *wish,
	const struct mp_pci *member)
{
	const struct mp_fact *by;
	const struct mp_kernel *next;

	if (!wish->host->modules || !wish->host->boot)
		return !mp_group_member_viable(wish->host, member);
	next = mp_host_next_kernel(wish->host, &by);
	switch (mp_plan_outcome(wish, plan->then, next, member, NULL)) {
	case MP_BIND_VFIO:
		return false;
	case MP_BIND_NOBODY:
		/* No module wants it, and yet it may have a driver that is built in. */
	case MP_BIND_UNKNOWN:
		return !mp_group_member_viable(wish->host, member);
	case MP_BIND_RACE:
	case MP_BIND_HOST:
		break;
	}
	/* HOST also says: nothing but a driver would be in the way, and there may be none. */
	return true;
}

static void judge_member(struct mp_plan *plan, const struct mp_wish *wish,
	const struct mp_group *group, const struct mp_pci *member)
{
	g_autofree char *in_group =
		g_strdup_printf(", which shares IOMMU group %u,", group->id);
	g_autofree char *remedy = NULL;
	g_autofree char *what = NULL;

	if (mp_pci_is_bridge(member)) {
		if (!mp_group_member_viable(wish->host, member))
			mp_plan_add_note(plan, member->bdf,
				"the bridge %s in group %u has the driver %s, which VFIO does "
				"not accept beside it; `metis-passthrough preflight` "
				"(group-viable) tells what to do",
				member->bdf, group->id,
				member->driver.know == MP_KNOWN ? member->driver.text
								: "(not known)");
		return;
	}
	if (judge_entries(plan, wish, member, in_group))
		return;
	if (!stays_with_host(plan, wish, member))
		return;
	what = mp_pci_describe(member);
	remedy = whole_group(wish, group);
	forbid(plan, wish, member, remedy,
		"%s (%s%s%s) is in IOMMU group %u too and would have a host driver; VFIO "
		"takes the group as a whole or not at all",
		member->bdf, what, member->driver.know == MP_KNOWN ? ", driver " : "",
		member->driver.know == MP_KNOWN ? member->driver.text : "", group->id);
}

static void judge_group(struct mp_plan *plan, const struct mp_wish *wish,
	const struct mp_pci *device, const struct mp_group *group)
{
	const struct mp_fact *unread = mp_group_unread(wish->host, group);

	if (unread)
		forbid(plan, wish, device, "run this as root on the host itself",
			"who else is in IOMMU group %u is not known: %s could not be read",
			group->id, unread->source);
	for (guint i = 0; i < group->foreign->len; i++)
		mp_plan_add_note(plan, device->bdf,
			"%s is in IOMMU group %u too and is no PCI function",
			(const char *)group->foreign->pdata[i], group->id);
	for (guint i = 0; i < group->members->len; i++) {
		const struct mp_pci *member = group->members->pdata[i];

		if (!mp_wish_has(wish, member))
			judge_member(plan, wish, group, member);
	}
}

/* Why is it in none? The command line's own topic deals with "switched off". */
static void judge_no_group(
	struct mp_plan *plan, const struct mp_wish *wish, const struct mp_pci *device)
{
	const struct mp_host *host = wish->host;
	const struct mp_iommu *iommu = host->iommu;
	bool units = iommu && iommu->units && iommu->units->len;

	if (device->group_fact.know == MP_UNKNOWN || host->groups_fact.know == MP_UNKNOWN)
		forbid(plan, wish, device, "run this as root on the host itself",
			"the IOMMU group of %s is not known", device->bdf);
	else if (host->groups->len)
		forbid(plan, wish, device,
			"move the card to a slot that an IOMMU covers; `metis-passthrough "
			"preflight` (iommu-covers-device) tells more",
			"%s is in no IOMMU group, though others are: no IOMMU covers it",
			device->bdf);
	else if (!units && iommu && iommu->dmar_fact.know == MP_ABSENT &&
		 iommu->ivrs_fact.know == MP_ABSENT)
		mp_plan_add_obstacle(plan, "host",
			"switch on VT-d (Intel) or IOMMU/AMD-Vi in the firmware setup, if "
			"the machine has it; `metis-passthrough explain "
			"firmware-iommu-table` tells where",
			"this machine's firmware describes no IOMMU (neither a DMAR nor an "
			"IVRS table), so no device can be passed through");
	else
		mp_plan_add_note(plan, device->bdf,
			"%s is in no IOMMU group yet, since no IOMMU is in use; look at "
			"`metis-passthrough preflight` again after the reboot",
			device->bdf);
}

/* --- the rest --- */

/* One check of preflight that a set-up cannot mend, and that would surprise later. */
static void note_finding(struct mp_plan *plan, const struct mp_wish *wish, const char *id)
{
	g_autoptr(GPtrArray) findings =
		g_ptr_array_new_with_free_func((GDestroyNotify)mp_finding_free);
	struct mp_check_ctx ctx = {
		.host = wish->host,
		.profile = wish->profiles->pdata[0],
		.config = wish->config,
		.wanted = wish->devices,
		.findings = findings,
	};

	mp_checks_run(&ctx, id);
	for (guint i = 0; i < findings->len; i++) {
		const struct mp_finding *finding = findings->pdata[i];

		if (finding->severity == MP_FAIL && !finding->waiver)
			mp_plan_add_note(plan, finding->subject,
				"%s; a set-up does not mend that: see `metis-passthrough "
				"preflight` (%s)",
				finding->summary, id);
	}
}

void mp_plan_use(struct mp_plan *plan, const struct mp_wish *wish)
{
	for (guint i = 0; i < wish->devices->len; i++) {
		const struct mp_pci *device = wish->devices->pdata[i];

		if (mp_pci_is_bridge(device)) {
			mp_plan_add_obstacle(plan, device->bdf,
				"name the device behind it (`metis-passthrough list`)",
				"%s is a PCI bridge: it stays with the host",
				device->bdf);
			continue;
		}
		if (mp_pci_id_unknown(device)) {
			mp_plan_add_obstacle(plan, device->bdf,
				"run this as root on the host itself",
				"which device %s is could not be read", device->bdf);
			continue;
		}
		judge_use(plan, wish, device, "");
		if (device->group)
			judge_group(plan, wish, device, device->group);
		else
			judge_no_group(plan, wish, device);
	}
	if (!wish->devices->len)
		return;
	note_finding(plan, wish, "interrupt-remapping-active");
	note_finding(plan, wish, "device-reserved-regions");
}
