/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Does the host itself need the device? */
#include "config.h"

#include <string.h>

#include "core/check.h"
#include "core/pci.h"
#include "core/use.h"

#define SHOWN_MAX 8

static enum mp_severity severity_of(const struct mp_use_entry *entry)
{
	if (entry->boots || entry->routes)
		return MP_FAIL;
	switch (entry->kind) {
	case MP_USE_MOUNT:
	case MP_USE_SWAP:
	case MP_USE_STORAGE:
	case MP_USE_DISPLAY:
		return MP_FAIL;
	case MP_USE_NETWORK:
	case MP_USE_OPEN:
	case MP_USE_SRIOV:
		return MP_WARN;
	case MP_USE_VM:
	case MP_USE_KINDS:
		break;
	}
	return MP_INFO;
}

/* What the reader must hear of first. */
static int rank(const struct mp_use_entry *entry)
{
	return entry->boots ? 100 : entry->routes ? 99 : 10 * (int)severity_of(entry);
}

static const struct mp_use_entry *worst_of(const GPtrArray *entries)
{
	const struct mp_use_entry *worst = NULL;

	for (guint i = 0; i < entries->len; i++) {
		const struct mp_use_entry *entry = entries->pdata[i];

		if (!worst || rank(entry) > rank(worst))
			worst = entry;
	}
	return worst;
}

static void say_used(struct mp_check_ctx *ctx, const struct mp_use_entry *worst,
	struct mp_finding **finding)
{
	const char *bdf = ctx->device->bdf, *detail = worst->detail;
	enum mp_severity severity = severity_of(worst);

	if (worst->boots) {
		*finding = mp_check_say(
			ctx, severity, "The host boots from %s: %s", bdf, detail);
		mp_finding_remedy(*finding,
			"leave %s to the host: without it the host stops at once and does not "
			"boot again. Pass another device, or move the system to another disk "
			"first",
			bdf);
		return;
	}
	if (worst->routes) {
		*finding = mp_check_say(ctx, severity,
			"The host's network goes through %s: %s", bdf, detail);
		mp_finding_remedy(*finding,
			"leave %s to the host, or first move the address and the bridge to "
			"another card in /etc/network/interfaces (`ifreload -a`) and check from "
			"a console that the host stays reachable",
			bdf);
		return;
	}
	switch (worst->kind) {
	case MP_USE_MOUNT:
		*finding = mp_check_say(ctx, severity,
			"The host has mounted a disk of %s: %s", bdf, detail);
		mp_finding_remedy(*finding,
			"unmount it and take it out of /etc/fstab and of the Proxmox storages "
			"(Datacenter > Storage), or pass another device");
		return;
	case MP_USE_SWAP:
		*finding = mp_check_say(
			ctx, severity, "The host swaps to a disk of %s: %s", bdf, detail);
		mp_finding_remedy(*finding,
			"run `swapoff` on it and take the line out of /etc/fstab, or pass "
			"another device");
		return;
	case MP_USE_STORAGE:
		*finding = mp_check_say(ctx, severity,
			"A disk of %s is part of storage that is active on the host: %s",
			bdf, detail);
		mp_finding_remedy(*finding,
			"move what is on it (guests may have their disks there), then stop it "
			"(`vgchange -an VG`, `mdadm --stop /dev/mdN`, `zpool export POOL`), or "
			"pass another device");
		return;
	case MP_USE_DISPLAY:
		*finding = mp_check_say(ctx, severity,
			"The host shows its console on %s: %s", bdf, detail);
		mp_finding_remedy(*finding,
			"choose another primary display in the firmware setup, or make sure "
			"that you can reach the host by network or serial console, then bind %s "
			"to vfio-pci at boot and waive this finding",
			bdf);
		return;
	case MP_USE_NETWORK:
		*finding = mp_check_say(ctx, severity,
			"The host has a network interface of %s "
			"in use: %s",
			bdf, detail);
		mp_finding_remedy(*finding,
			"take the interface out of /etc/network/interfaces (bridge-ports, "
			"bond-slaves, addresses) and run `ifreload -a`; guests on its bridge "
			"lose that network");
		return;
	case MP_USE_SRIOV:
		*finding = mp_check_say(ctx, severity,
			"%s is the physical function of virtual functions in use: %s",
			bdf, detail);
		mp_finding_remedy(*finding,
			"pass the virtual functions, or disable them first: echo 0 > "
			"/sys/bus/pci/devices/%s/sriov_numvfs",
			bdf);
		return;
	case MP_USE_OPEN:
		*finding = mp_check_say(ctx, severity,
			"A program of the host has %s open: %s", bdf, detail);
		mp_finding_remedy(*finding,
			"stop that program (and its service) before the VM starts: the host's "
			"driver cannot let go of the device while it is open, and an unbind can "
			"hang until the host is rebooted");
		return;
	case MP_USE_VM:
	case MP_USE_KINDS:
		break;
	}
	*finding = mp_check_say(ctx, severity,
		"The host does not use %s itself; a VM has it: %s", bdf, detail);
}

static void add_entries(struct mp_finding *finding, const GPtrArray *entries)
{
	for (guint i = 0; i < entries->len && i < SHOWN_MAX; i++) {
		const struct mp_use_entry *entry = entries->pdata[i];

		mp_finding_evidence(finding, entry->source, "%s: %s",
			mp_use_kind_name(entry->kind), entry->detail);
	}
	if (entries->len > SHOWN_MAX)
		mp_finding_evidence(finding, "use of the host", "%u more uses",
			entries->len - SHOWN_MAX);
}

/* Nothing was found: is that because there is nothing? */
static struct mp_finding *say_unused(struct mp_check_ctx *ctx)
{
	const struct mp_pci *device = ctx->device;
	const struct mp_fact *unread = mp_use_unread(ctx->host, device);
	const struct mp_fact *open = &ctx->host->use->open_files;
	bool taken = mp_fact_is(&device->driver, "vfio-pci") ||
		     mp_fact_is(&device->driver, "pci-stub") ||
		     device->driver.know == MP_ABSENT;
	struct mp_finding *finding;

	if (unread) {
		finding = mp_check_say(ctx, MP_UNSURE,
			"It is not known whether the host uses %s: %s could not be read",
			device->bdf, unread->source);
		mp_finding_fact(finding, unread);
		mp_finding_remedy(finding, "run this program as root on the host itself");
		return finding;
	}
	if (taken)
		return mp_check_say(
			ctx, MP_PASS, "The host does not use %s", device->bdf);
	if (device->driver.know == MP_UNKNOWN) {
		finding = mp_check_say(ctx, MP_UNSURE,
			"It is not known which driver %s has on the host", device->bdf);
		mp_finding_remedy(finding, "run this program as root on the host itself");
		return finding;
	}
	if (ctx->host->live && open->know != MP_KNOWN) {
		finding = mp_check_say(ctx, MP_UNSURE,
			"It is not known whether programs of the host have %s open",
			device->bdf);
		mp_finding_remedy(finding, "run this program as root");
		return finding;
	}
	return mp_check_say(ctx, MP_INFO,
		open->know == MP_KNOWN
			? "The host has the driver %s on %s, but does not use the device"
			: "The host has the driver %s on %s, but no use of the device was captured",
		device->driver.text, device->bdf);
}

static void device_host_use(struct mp_check_ctx *ctx)
{
	g_autoptr(GPtrArray) entries = mp_use_of(ctx->host, ctx->device);
	struct mp_finding *finding;

	if (!ctx->host->use) {
		finding = mp_check_say(
			ctx, MP_UNSURE, "What the host uses itself was not looked at");
		mp_finding_remedy(
			finding, "run this check on a host or a snapshot of one");
		return;
	}
	if (mp_pci_is_bridge(ctx->device)) {
		mp_check_say(ctx, MP_SKIP,
			"%s is a PCI bridge: it stays with the host and is not passed",
			ctx->device->bdf);
		return;
	}
	if (entries->len)
		say_used(ctx, worst_of(entries), &finding);
	else
		finding = say_unused(ctx);
	/* Open files only make a verdict worse, never a failure. */
	finding->live_only = finding->severity != MP_FAIL;
	add_entries(finding, entries);
	mp_finding_fact(finding, &ctx->device->driver);
	mp_finding_fact(finding, &ctx->host->use->open_files);
}

const struct mp_check mp_checks_device_use[] = {
	{ "device-host-use", MP_SCOPE_DEVICE, "the host itself does not use the device",
		"A device that goes to a VM is gone for the host from that moment. Proxmox VE "
		"takes it from its driver without asking who uses it: a host that boots from "
		"the disk, routes through the card or shows its console on it stops, and may "
		"not come up again.\n\n"
		"Storage is followed from what is in use down to the hardware: mounts "
		"(/proc/self/mountinfo), swap, LVM volume groups, md arrays, dm-crypt, bcache, "
		"btrfs members (by sysfs) and ZFS pools (by udev's record of the labels), and "
		"EFI system partitions that are not mounted (proxmox-boot-tool, /etc/fstab). "
		"Network is followed from the card up through bonds, bridges and VLANs to the "
		"routes. A display counts when a framebuffer lies on the device, a screen is "
		"connected, or it is the boot VGA with its own driver. Open device files are "
		"looked for on the live host only.\n\n"
		"It fails for everything without which the host or its guests break, warns of "
		"network interfaces without a route, virtual functions and open device files, "
		"and is unknown where the evidence that concerns this class of device could "
		"not be read. A driver that is bound but idle is only information: it is "
		"unbound when the VM starts.\n\n"
		"What to do: leave such a device to the host, or first move what is on it. To "
		"pass a boot VGA all the same, waive the finding in the configuration with your "
		"reason.",
		device_host_use },
	{ NULL },
};
