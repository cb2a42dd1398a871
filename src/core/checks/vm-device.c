/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The VM and its devices: hostpci lines, other VMs that want the same, mappings. */
#include "config.h"

#include <string.h>

#include "core/checks/vm-common.h"
#include "core/group.h"
#include "core/pci.h"
#include "core/use.h"

static bool is_express(const struct mp_pci *device)
{
	return device->pcie.present;
}

/* Another function of the same card in the same group, that this line leaves out. */
static const struct mp_pci *left_out_sibling(
	const struct mp_check_ctx *ctx, const struct mp_hostpci *entry)
{
	g_autoptr(GPtrArray) all = mp_vm_devices(ctx->vm);

	for (guint i = 0; i < entry->devices->len; i++) {
		const struct mp_pci *device = entry->devices->pdata[i];

		for (guint d = 0; d < ctx->host->devices->len; d++) {
			const struct mp_pci *other = ctx->host->devices->pdata[d];

			if (other->domain == device->domain &&
				other->bus == device->bus &&
				other->slot == device->slot && other->group &&
				other->group == device->group &&
				!mp_pci_is_bridge(other) &&
				!g_ptr_array_find(all, other, NULL))
				return other;
		}
	}
	return NULL;
}

static bool one_card(const GPtrArray *devices)
{
	const struct mp_pci *first = devices->len ? devices->pdata[0] : NULL;

	for (guint i = 1; i < devices->len; i++) {
		const struct mp_pci *device = devices->pdata[i];

		if (device->domain != first->domain || device->bus != first->bus ||
			device->slot != first->slot)
			return false;
	}
	return true;
}

static void judge_device(const struct mp_check_ctx *ctx, struct mp_points *points,
	const struct mp_hostpci *entry, const struct mp_pci *device)
{
	if (mp_pci_is_bridge(device))
		mp_points_add(points, MP_FAIL,
			g_strdup_printf("name the functions that you mean in hostpci%u",
				entry->index),
			"hostpci%u of VM %s means %s, which is a PCI bridge and cannot be passed",
			entry->index, ctx->vm->id, device->bdf);
	if (device->all_ones)
		mp_points_add(points, MP_FAIL,
			g_strdup("see device-responds: reset or power-cycle the card"),
			"hostpci%u of VM %s means %s, which does not answer",
			entry->index, ctx->vm->id, device->bdf);
}

/* Integrated graphics in the old way: parse_hostpci_devices() of PVE::QemuServer::PCI. */
static void judge_igd(const struct mp_check_ctx *ctx, struct mp_points *points,
	const struct mp_hostpci *entry, const char *key)
{
	const struct mp_pci *first =
		entry->devices->len ? entry->devices->pdata[0] : NULL;
	const char *vga = mp_vm_get(ctx->vm, "vga");
	bool none = vga && (!strcmp(vga, "none") || g_str_has_prefix(vga, "none,") ||
				   strstr(vga, "type=none"));

	if (!entry->legacy_igd)
		return;
	if (ctx->vm->q35)
		mp_points_add(points, MP_FAIL,
			g_strdup("leave legacy-igd out, or use the i440fx machine"),
			"VM %s does not start: legacy-igd of %s needs the i440fx machine",
			ctx->vm->id, key);
	if (first && (first->domain || first->bus || first->slot != 2 || first->function))
		mp_points_add(points, MP_FAIL,
			g_strdup_printf("leave legacy-igd out of %s", key),
			"VM %s does not start: legacy-igd of %s is for 0000:00:02.0 only, and "
			"this is %s",
			ctx->vm->id, key, first->bdf);
	if (!none)
		mp_points_add(points, MP_FAIL, mp_vm_how_to_set(ctx, "vga", "none"),
			"VM %s does not start: legacy-igd of %s needs vga: none",
			ctx->vm->id, key);
}

/* What PVE would say of one line at the start of the VM, and what it would not say. */
static void judge_entry(const struct mp_check_ctx *ctx, struct mp_points *points,
	const struct mp_hostpci *entry, GHashTable *taken)
{
	const struct mp_vm *vm = ctx->vm;
	g_autofree char *key = g_strdup_printf("hostpci%u", entry->index);
	const struct mp_pci *sibling;
	bool express = false;

	if (entry->problem) {
		mp_points_add(points, MP_FAIL,
			g_strdup_printf("correct line %u of %s (see vm-config-valid)",
				entry->line, vm->source),
			"VM %s starts without what %s asks for, because Proxmox VE drops the "
			"line: %s",
			vm->id, key, entry->problem);
		return;
	}
	if (!entry->hosts->len == !entry->mapping) {
		mp_points_add(points, MP_FAIL,
			mp_vm_how_to_set(ctx, key, "0000:BB:DD.F,pcie=1"),
			"VM %s does not start: %s must have %s", vm->id, key,
			entry->mapping ? "either host= or mapping=, not both"
				       : "host= or mapping=");
		return;
	}
	for (guint i = 0; i < entry->missing->len; i++)
		mp_points_add(points, MP_FAIL,
			mp_vm_how_to_set(ctx, key, "ADDRESS,pcie=1"),
			"VM %s does not start: %s names %s, and there is no such device on this "
			"host (addresses can move when cards or firmware settings change)",
			vm->id, key, (const char *)entry->missing->pdata[i]);
	for (guint i = 0; i < entry->devices->len; i++) {
		const struct mp_pci *device = entry->devices->pdata[i];

		judge_device(ctx, points, entry, device);
		express = express || is_express(device);
		if (!entry->mapping && !g_hash_table_add(taken, (void *)device->bdf))
			mp_points_add(points, MP_FAIL, mp_vm_how_to_delete(ctx, key),
				"VM %s does not start: %s is assigned more than once",
				vm->id, device->bdf);
	}
	judge_igd(ctx, points, entry, key);
	if (entry->mdev && !entry->mapping && entry->devices->len > 1)
		mp_points_add(points, MP_FAIL,
			g_strdup_printf("name one function in %s", key),
			"VM %s does not start: mdev of %s cannot be of several functions",
			vm->id, key);
	if (!entry->mapping && !one_card(entry->devices))
		mp_points_add(points, MP_WARN, g_strdup("use one hostpciN for each card"),
			"%s of VM %s joins different cards into one multifunction device",
			key, vm->id);
	if (express && !entry->pcie && vm->q35) {
		g_autofree char *value = g_strdup_printf("%s,pcie=1", entry->raw);

		mp_points_add(points, MP_WARN, mp_vm_how_to_set(ctx, key, value),
			"%s of VM %s lacks pcie=1: the guest sees a plain PCI card without its "
			"PCI Express capabilities",
			key, vm->id);
	}
	sibling = entry->mdev ? NULL : left_out_sibling(ctx, entry);
	if (sibling)
		mp_points_add(points, MP_WARN,
			g_strdup_printf(
				"pass the whole card: leave the function out of the "
				"address in %s",
				key),
			"%s of VM %s leaves out %s, another function of the same card and IOMMU "
			"group",
			key, vm->id, sibling->bdf);
	if (!g_strcmp0(entry->driver, "keep"))
		mp_points_add(points, MP_WARN,
			g_strdup("see to the binding yourself, or drop driver=keep"),
			"%s of VM %s has driver=keep: Proxmox VE neither binds nor resets the "
			"device",
			key, vm->id);
}

/* What was not read is not called conventional PCI; as the plan has it. */
static bool may_be_express(const struct mp_pci *device)
{
	return is_express(device) || device->config_size < 256;
}

/* The first from N on that no line of the VM has. */
static unsigned free_line(const struct mp_vm *vm, unsigned n)
{
	for (guint i = 0; i < vm->hostpci->len; i++) {
		const struct mp_hostpci *line = vm->hostpci->pdata[i];

		if (line->index == n)
			return free_line(vm, n + 1);
	}
	return n;
}

static void judge_wanted(const struct mp_check_ctx *ctx, struct mp_points *points)
{
	g_autoptr(GPtrArray) devices = mp_vm_devices(ctx->vm);
	unsigned n = 0;

	for (guint i = 0; i < ctx->wanted->len; i++) {
		const struct mp_pci *device = ctx->wanted->pdata[i];
		g_autofree char *value = NULL, *key = NULL;

		if (g_ptr_array_find(devices, device, NULL))
			continue;
		n = free_line(ctx->vm, n);
		key = g_strdup_printf("hostpci%u", n++);
		value = g_strdup_printf("%s%s", device->bdf,
			ctx->vm->q35 && may_be_express(device) ? ",pcie=1" : "");
		mp_points_add(points, MP_FAIL, mp_vm_how_to_set(ctx, key, value),
			"VM %s does not get %s: no hostpci line in effect names it",
			ctx->vm->id, device->bdf);
	}
}

void mp_check_vm_hostpci(struct mp_check_ctx *ctx)
{
	const struct mp_vm *vm = ctx->vm;
	g_autoptr(GHashTable) taken = g_hash_table_new(g_str_hash, g_str_equal);
	g_autoptr(GPtrArray) devices = mp_vm_devices(vm);
	g_autofree char *fine = NULL;
	struct mp_points points;
	struct mp_finding *finding;

	if (!vm->hostpci->len && !ctx->wanted->len) {
		mp_check_say(ctx, MP_SKIP,
			"VM %s has no hostpci line, and no device was asked about",
			vm->id);
		return;
	}
	if (vm->hostpci->len && ctx->host->devices_fact.source &&
		ctx->host->devices_fact.know == MP_UNKNOWN) {
		mp_vm_say_no_device(ctx);
		return;
	}
	mp_points_init(&points);
	for (guint i = 0; i < vm->hostpci->len; i++)
		judge_entry(ctx, &points, vm->hostpci->pdata[i], taken);
	judge_wanted(ctx, &points);
	fine = g_strdup_printf("The hostpci lines of VM %s name %u device%s of this host",
		vm->id, devices->len, devices->len == 1 ? "" : "s");
	if (!devices->len && !points.texts->len)
		mp_points_add(&points, MP_UNSURE, g_strdup("see vm-mapping"),
			"It is not known which device VM %s gets: its mapping does not lead to "
			"one here",
			vm->id);
	finding = mp_points_say(&points, ctx, MP_PASS, fine);
	for (guint i = 0; i < vm->hostpci->len; i++) {
		const struct mp_hostpci *entry = vm->hostpci->pdata[i];

		mp_finding_evidence(
			finding, vm->source, "hostpci%u: %s", entry->index, entry->raw);
	}
}

/* --- the same device in another VM --- */

static bool has_device(const struct mp_vm *vm, const struct mp_pci *device)
{
	for (guint i = 0; i < vm->hostpci->len; i++) {
		const struct mp_hostpci *entry = vm->hostpci->pdata[i];

		if (!entry->problem && !entry->mdev &&
			g_ptr_array_find(entry->devices, device, NULL))
			return true;
	}
	return false;
}

/* With a mapping of several devices PVE takes a free one: no conflict by itself. */
static bool has_choice(const struct mp_vm *vm, const struct mp_pci *device)
{
	for (guint i = 0; i < vm->hostpci->len; i++) {
		const struct mp_hostpci *entry = vm->hostpci->pdata[i];

		if (entry->mapping && entry->devices->len > 1 &&
			g_ptr_array_find(entry->devices, device, NULL))
			return true;
	}
	return false;
}

static void judge_other(struct mp_check_ctx *ctx, struct mp_points *points,
	const struct mp_vm *other, const struct mp_pci *device)
{
	bool choice = has_choice(ctx->vm, device) || has_choice(other, device);

	if (choice)
		mp_points_add(points, MP_INFO, NULL,
			"%s is one of several that VM %s and VM %s may get by mapping",
			device->bdf, ctx->vm->id, other->id);
	else if (other->running)
		mp_points_add(points, MP_FAIL,
			g_strdup_printf("run: qm shutdown %s, before VM %s starts",
				other->id, ctx->vm->id),
			"VM %s runs and has %s, which VM %s wants too", other->id,
			device->bdf, ctx->vm->id);
	else if (other->running_fact.know == MP_UNKNOWN)
		mp_points_add(points, MP_UNSURE,
			g_strdup_printf("run: qm status %s", other->id),
			"VM %s has %s too, and it is not known whether it runs",
			other->id, device->bdf);
	else if (other->onboot)
		mp_points_add(points, MP_WARN,
			g_strdup_printf(
				"run: qm set %s --onboot 0, or take the device out of "
				"one of them",
				other->id),
			"VM %s has %s too and starts with the host: whichever of the two starts "
			"first gets it",
			other->id, device->bdf);
	else if (!other->is_template)
		mp_points_add(points, MP_INFO, NULL,
			"VM %s has %s too; it does not run now", other->id, device->bdf);
}

/* Reservations and open VFIO groups: also of VMs that are not Proxmox VE's. */
static void judge_holders(
	struct mp_check_ctx *ctx, struct mp_points *points, const struct mp_pci *device)
{
	g_autoptr(GPtrArray) entries = mp_use_of(ctx->host, device);
	g_autofree char *own = g_strdup_printf("VM %s", ctx->vm->id);

	for (guint i = 0; i < entries->len; i++) {
		const struct mp_use_entry *entry = entries->pdata[i];
		const char *named;

		if (entry->kind != MP_USE_VM)
			continue;
		named = strstr(entry->detail, own);
		if (named && !g_ascii_isdigit(named[strlen(own)]))
			continue;
		mp_points_add(points, MP_FAIL, g_strdup("stop that VM first"),
			"%s is in use: %s", device->bdf, entry->detail);
	}
}

void mp_check_vm_device_conflict(struct mp_check_ctx *ctx)
{
	const struct mp_guests *guests = ctx->host->guests;
	const struct mp_vm *vm = ctx->vm;
	g_autoptr(GPtrArray) devices = mp_vm_devices(vm);
	g_autofree char *fine = NULL;
	struct mp_points points;
	struct mp_finding *finding;

	if (!devices->len) {
		mp_vm_say_no_device(ctx);
		return;
	}
	mp_points_init(&points);
	for (guint d = 0; d < devices->len; d++) {
		judge_holders(ctx, &points, devices->pdata[d]);
		for (guint i = 0; guests && i < guests->vms->len; i++) {
			const struct mp_vm *other = guests->vms->pdata[i];

			if (strcmp(other->id, vm->id) != 0 &&
				has_device(other, devices->pdata[d]))
				judge_other(ctx, &points, other, devices->pdata[d]);
		}
	}
	for (guint i = 0; guests && i < guests->vms->len; i++) {
		const struct mp_vm *other = guests->vms->pdata[i];

		if (other->fact.know == MP_UNKNOWN)
			mp_points_add(&points, MP_UNSURE,
				g_strdup("run this program as root"),
				"The configuration of VM %s could not be read (%s)",
				other->id, other->fact.why);
	}
	if (!guests || guests->vms_fact.know == MP_UNKNOWN)
		mp_points_add(&points, MP_UNSURE, g_strdup("run this program as root"),
			"It is not known whether another VM has a device of VM %s: the list of "
			"VMs could not be read",
			vm->id);
	if (guests && guests->reservations_fact.know == MP_UNKNOWN)
		mp_points_add(&points, MP_UNSURE, g_strdup("run this program as root"),
			"It is not known whether a running VM has reserved a device of VM %s: "
			"the reservations could not be read",
			vm->id);
	fine = g_strdup_printf("No other VM of this host has a device of VM %s", vm->id);
	finding = mp_points_say(&points, ctx, MP_PASS, fine);
	/* Who holds a group open is seen on the live host only. */
	finding->live_only = finding->severity != MP_FAIL;
	for (guint d = 0; d < devices->len; d++)
		mp_finding_evidence(finding, vm->source, "%s",
			((const struct mp_pci *)devices->pdata[d])->bdf);
	if (guests) {
		mp_finding_fact(finding, &guests->vms_fact);
		mp_finding_fact(finding, &guests->reservations_fact);
	}
}
