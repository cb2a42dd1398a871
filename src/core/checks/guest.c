/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tables of the checks inside of a VM, and those about the VM as a whole. */
#include "config.h"

#include "core/checks/common.h"
#include "core/checks/guest.h"
#include "core/checks/remapping.h"
#include "core/pci.h"
#include "core/profile.h"

static void guest_hypervisor(struct mp_check_ctx *ctx)
{
	const struct mp_fact *hypervisor = &mp_platform_or_none(ctx->host)->hypervisor;
	struct mp_finding *f;

	if (mp_fact_is(hypervisor, "yes")) {
		f = mp_check_say(ctx, MP_PASS, "This system runs in a virtual machine");
	} else if (mp_host_is_guest(ctx->host)) {
		f = mp_check_say(ctx, MP_PASS,
			"This system runs in a virtual machine: its IOMMU is emulated");
	} else if (hypervisor->know == MP_ABSENT) {
		f = mp_check_say(ctx, MP_INFO,
			"This system does not look like a virtual machine: on a node, "
			"preflight judges");
	} else {
		f = mp_check_say(
			ctx, MP_UNSURE, "Whether this is a virtual machine is not known");
		mp_finding_remedy(f, "make /proc/cpuinfo readable to this program");
	}
	mp_finding_fact(f, hypervisor);
}

static void guest_device(struct mp_check_ctx *ctx)
{
	struct mp_finding *f;

	if (ctx->wanted->len) {
		f = mp_check_say(ctx, MP_PASS, "%u device%s asked about %s in this guest",
			ctx->wanted->len, MP_PLURAL(ctx->wanted->len),
			ctx->wanted->len == 1 ? "is" : "are");
		mp_finding_fact(f, &ctx->host->devices_fact);
		return;
	}
	if (ctx->host->devices_fact.know == MP_UNKNOWN) {
		f = mp_check_say(
			ctx, MP_UNSURE, "Which devices this guest has could not be read");
		mp_finding_remedy(
			f, "make /sys/bus/pci/devices readable to this program");
	} else {
		f = mp_check_say(ctx, MP_FAIL,
			"No card that was asked about, or that a profile knows, is in this "
			"guest");
		mp_finding_remedy(f,
			"On the node: does the VM's configuration have its hostpci line "
			"(`metis-passthrough vm check VMID`)? It takes effect when the VM is "
			"stopped and started, not by a reboot from inside. Another card is "
			"named by --device or --profile.");
	}
	mp_finding_fact(f, &ctx->host->devices_fact);
}

/* --- guest-viommu --- */

static bool wants_several(const struct mp_check_ctx *ctx)
{
	return ctx->profile->irq_vectors > 1;
}

static void say_remapping(
	struct mp_check_ctx *ctx, const struct mp_remap_sources *sources)
{
	const struct mp_remap_source *proof = NULL;
	struct mp_finding *f;

	for (unsigned i = 0; i < sources->count && !proof; i++)
		if (sources->list[i].state != MP_REMAP_UNKNOWN)
			proof = &sources->list[i]; /* they come strongest first */
	if (!proof) {
		f = mp_check_say(ctx, MP_UNSURE,
			"This guest has an IOMMU; whether it remaps interrupts is not known");
		mp_finding_remedy(
			f, "Run as root: 'journalctl -k -g remapping' may tell.");
		return;
	}
	if (proof->state == MP_REMAP_YES &&
		ctx->profile->irq_delivery == MP_IRQ_DEVICE_PROGRAMMED) {
		f = mp_check_say(ctx, MP_INFO,
			"This guest has an IOMMU that remaps interrupts: the guest's driver "
			"writes remapped messages into the card, and the host's IOMMU takes "
			"them for its own (VT-d: fault reason 0x22)");
	} else if (proof->state == MP_REMAP_YES) {
		f = mp_check_say(ctx, MP_PASS,
			"This guest has an IOMMU, and it remaps interrupts");
	} else {
		f = mp_check_say(ctx, MP_WARN,
			"This guest has an IOMMU that does not remap %s interrupts",
			proof->state == MP_REMAP_PARTLY ? "all" : "any");
		mp_finding_remedy(f,
			"On the node: QEMU's intel-iommu needs intremap=on and "
			"kernel-irqchip=split (Proxmox VE: `qm set VMID --machine "
			"q35,viommu=intel`). In this guest: take intremap=off and nointremap "
			"off the kernel command line.");
	}
	mp_finding_evidence(f, proof->name, "%s", proof->text);
}

static void guest_viommu(struct mp_check_ctx *ctx)
{
	const struct mp_iommu *iommu = mp_iommu_or_none(ctx->host);
	struct mp_remap_sources sources = { 0 };
	struct mp_finding *f;

	if (iommu->units->len) {
		mp_remap_live(ctx->host, &sources);
		say_remapping(ctx, &sources);
		mp_remap_sources_clear(&sources);
		return;
	}
	if (iommu->class_fact.know == MP_UNKNOWN) {
		f = mp_check_say(
			ctx, MP_UNSURE, "Whether this guest has an IOMMU is not known");
		mp_finding_remedy(f, "make /sys/class/iommu readable to this program");
	} else if (wants_several(ctx)) {
		f = mp_check_say(ctx, MP_INFO,
			"This guest has no IOMMU: Linux grants one vector of plain MSI then, and "
			"VFIO inside of it works without isolation only");
	} else {
		f = mp_check_say(ctx, MP_PASS,
			"This guest has no IOMMU, and the card's driver needs none");
	}
	mp_finding_fact(f, &iommu->class_fact);
}

const struct mp_check mp_checks_guest[] = {
	{ "guest-hypervisor", MP_SCOPE_HOST, "this system runs in a virtual machine",
		"What `guest check` says is meant for the inside of a VM that was given a card. On a "
		"node most of it would be misleading, and `preflight` is the verb.\n\n"
		"Decided by the CPU flag 'hypervisor' in /proc/cpuinfo, or by an IOMMU that says it "
		"is emulated (caching mode, VT-d specification). A note only: a hypervisor may hide "
		"itself.",
		guest_hypervisor, .side = MP_SIDE_GUEST },
	{ "guest-device", MP_SCOPE_HOST, "the card is in this guest",
		"A hostpci line that was added to a running VM, or dropped without a word, leaves a "
		"guest without its card.\n\n"
		"Decided by /sys/bus/pci/devices: one of the devices that were named, or one that a "
		"profile with `default: true` knows, must be there. What to do is on the node: look "
		"at the VM's configuration, then stop the VM and start it.",
		guest_device, .side = MP_SIDE_GUEST },
	{ "guest-viommu", MP_SCOPE_HOST,
		"whether the guest has an IOMMU of its own fits the card",
		"Without remapping of interrupts, Linux grants a device with plain MSI one vector "
		"(arch/x86: MSI domains without multi-MSI). With a virtual IOMMU it grants more, but "
		"a card whose driver copies the message into the card's own registers then raises "
		"interrupts in a format that the host's IOMMU takes for its own, and refuses.\n\n"
		"Looks for IOMMU units in /sys/class/iommu and for what the running kernel tells of "
		"remapping, the same sources as interrupt-remapping-active. No IOMMU is nothing bad: one that "
		"does not remap is a warning.",
		guest_viommu, .side = MP_SIDE_GUEST },
	{ NULL },
};

const struct mp_check mp_checks_guest_device[] = {
	{ "guest-parent-port", MP_SCOPE_DEVICE,
		"a PCI Express card sits behind a port of the guest",
		"QEMU shows a PCI Express card as one only behind a root port, or a switch: "
		"elsewhere its link is hidden, and on a conventional bus so is everything beyond "
		"the first 256 bytes of configuration space: error reporting, ACS, ATS. "
		"Drivers that look at the port above find none.\n\n"
		"Decided by the PCI Express capability of the device and of what sysfs has above "
		"it. Proxmox VE: machine q35, and pcie=1 in the hostpci line.",
		mp_check_guest_parent_port, .side = MP_SIDE_GUEST },
	{ "guest-decoding", MP_SCOPE_DEVICE,
		"the device decodes its registers, and may do DMA, where a driver has it",
		"A device answers at its BARs only while bit 1 of the command register is set, and "
		"may read and write memory only while bit 2 (bus master) is. Drivers set both; a "
		"reset clears both, and a driver that was not told of the reset then reads all ones "
		"or waits for ever.\n\n"
		"Reads the command register (PCI specification) of a device that a driver has. "
		"Without a driver both are off, which is right. A driver that is not in use may "
		"leave the bus master off.",
		mp_check_guest_decoding, .side = MP_SIDE_GUEST },
	{ "guest-memory-map", MP_SCOPE_DEVICE,
		"the guest's RAM and the device's BARs are apart and reachable",
		"Where a BAR and RAM overlap, one hides the other. A BAR beyond what the guest's "
		"CPU can address cannot be reached. How much RAM lies above 4 GiB tells whether "
		"buffers of a device that can address 32 bits only are copied.\n\n"
		"Reads 'System RAM' in /proc/iomem (root only: others see zeros), the attribute "
		"resource, and the address sizes in /proc/cpuinfo.",
		mp_check_guest_memory_map, .side = MP_SIDE_GUEST },
	{ "guest-driver", MP_SCOPE_DEVICE, "the card's driver has the device",
		"A guest's driver that is not installed, was built for another kernel, or gave up "
		"while probing leaves the device without one; vfio-pci, or this program's module "
		"metis_dmatest, may have been left in its place.\n\n"
		"Compares the link driver in sysfs with the drivers of the profile.",
		mp_check_guest_driver, .side = MP_SIDE_GUEST },
	{ "guest-driver-version", MP_SCOPE_DEVICE,
		"no combination that the profile warns of is in use",
		"Which versions of driver and firmware work together in a VM is in the profile, from "
		"the vendor's matrix and published sources; nothing of it was measured by this "
		"project.\n\n"
		"Takes the driver's version from /sys/module/NAME/version, or from "
		"--driver-version, and the firmware's from --firmware-version: it cannot be read. A "
		"combination that certainly applies is a warning, one that may apply is unknown. "
		"With the profile's options in force it is a note.",
		mp_check_guest_driver_version, .side = MP_SIDE_GUEST },
	{ "guest-driver-options", MP_SCOPE_DEVICE,
		"the driver has the options that the card needs in a VM",
		"A card that raises interrupts by a message in its own registers loses them in a VM, "
		"unless driver and firmware know how to do without: then the driver has to poll.\n\n"
		"Compares the profile's options for a guest with /sys/module/NAME/parameters, and, "
		"where they differ, with modprobe.d: what is there counts when the module is loaded "
		"again. A driver that can do without them (by its version, where no combination that "
		"the profile warns of may apply) needs none. What to do: `guest apply` writes them "
		"into a file of /etc/modprobe.d; then load the module again, or reboot.",
		mp_check_guest_driver_options, .side = MP_SIDE_GUEST },
	{ "guest-vectors", MP_SCOPE_DEVICE,
		"the driver was granted the interrupt vectors that the card wants",
		"A driver asks for vectors and gets what there is: without remapping of interrupts "
		"one of plain MSI. Drivers then share it; a driver with neither MSI nor MSI-X depends "
		"on a shared line.\n\n"
		"Compares what is enabled in the MSI or MSI-X capability and the entries in "
		"msi_irqs with the number in the profile. Fewer, but some, is a note.",
		mp_check_guest_vectors, .side = MP_SIDE_GUEST },
	{ "guest-selftest", MP_SCOPE_DEVICE,
		"the last self-test in this guest passed on this kernel",
		"`selftest --guest` makes the card move data in this guest and raise interrupts: "
		"whatever else is judged here is circumstantial.\n\n"
		"Reads the report that the last complete run left in "
		"/var/lib/metis-passthrough/selftest of this guest. What to do: run "
		"`metis-passthrough selftest --guest --device BDF` as root.",
		mp_check_guest_selftest, .side = MP_SIDE_GUEST },
	{ NULL },
};
