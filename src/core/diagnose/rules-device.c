/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Explanations for what goes wrong before any transfer: resets, limits, refusals. */
#include "config.h"

#include "core/diagnose.h"

/* Most of these say themselves what they are: the event is the explanation. */
#define SURE(clue)                                                                       \
	.topic = MP_RULE_DEVICE, .triggers = { clue, MP_CLUES }, .needs = MP_CLUES,      \
	.base = 6

const struct mp_rule mp_rules_device[] = {
	{
		.id = "reset-failed",
		SURE(MP_CLUE_RESET_FAILED),
		.title = "The device did not come back from a reset",
		.brief = "a device that does not come back from its reset",
		.why = "The kernel asks its configuration space for up to a minute, then gives "
		       "up: it is dead until it loses power.",
		/* Without power no reset comes back: then that is the cause. */
		.weights = { { MP_CLUE_HEADER, 1, 0 }, { MP_CLUE_D3COLD, -1, 0 } },
		.experiment = "'lspci -xxx' shows all ff; 'cat /sys/bus/pci/devices/BDF/"
			      "reset_method' shows what was tried first.",
		.mitigation = "Cold power cycle. Then try another method (echo bus > "
			      ".../reset_method), and keep the device out of D3cold.",
	},
	{
		.id = "half-reset",
		.topic = MP_RULE_DEVICE,
		.triggers = { MP_CLUE_HEADER, MP_CLUE_PENDING, MP_CLUE_LINK, MP_CLUES },
		.needs = MP_CLUES,
		.base = 2,
		.title = "The reset reached the PCIe core and not what runs behind it",
		.brief = "a card that is only half alive",
		.why = "Cards with firmware of their own can look well on PCIe and still be "
		       "stuck; of Metis it is reported after suspend and after a failed flash.",
		.weights = { { MP_CLUE_HEADER, 3, 0 }, { MP_CLUE_NO_RESET, 2, -1 },
			{ MP_CLUE_LINK, 1, 0 } },
		.experiment = "Cold power cycle, then the same start.",
		.mitigation =
			"A stronger reset method (bus), no suspend of such hosts; flash "
			"again where the header reads zero.",
	},
	{
		.id = "d3cold",
		SURE(MP_CLUE_D3COLD),
		.title = "The device does not wake up from D3cold",
		.brief = "a device that does not wake up",
		.why = "Its power was cut while nobody used it, and its link did not come back.",
		.weights = { { MP_CLUE_RESET_FAILED, 1, 0 } },
		.experiment =
			"'echo 0 > /sys/bus/pci/devices/BDF/d3cold_allowed' for the device "
			"and the port above it, after a power cycle.",
		.mitigation = "The same, at each boot (udev), or 'disable_idle_d3=1' for "
			      "vfio-pci.",
	},
	{
		.id = "bar-reserved",
		SURE(MP_CLUE_BAR),
		.title = "Somebody else holds a BAR of the device",
		.brief = "a BAR that somebody else holds",
		.why = "Mostly the boot framebuffer (simplefb, efifb) of a graphics card.",
		.experiment = "'cat /proc/iomem' names the holder.",
		.mitigation = "Boot on another display, or 'initcall_blacklist="
			      "sysfb_init'; for other drivers bind vfio-pci earlier.",
	},
	{
		.id = "memlock",
		SURE(MP_CLUE_MEMLOCK),
		.title = "The VM may not lock as much memory as it has",
		.brief = "the limit of locked memory",
		.why = "VFIO pins all RAM of the VM and counts it against RLIMIT_MEMLOCK, once "
		       "for each container.",
		.experiment = "'grep -i locked /proc/PID/limits' of the QEMU process.",
		.mitigation = "Raise the limit (systemd: LimitMEMLOCK=infinity; libvirt: "
			      "<hard_limit>). As root on Proxmox it is unlimited.",
	},
	{
		.id = "dma-entry-limit",
		SURE(MP_CLUE_MAP_LIMIT),
		.title = "More mappings than VFIO allows a container",
		.brief = "the limit of mappings",
		.why = "vfio_iommu_type1 takes 65535 by default; guests with a virtual IOMMU in "
		       "strict mode need more.",
		.weights = { { MP_CLUE_VIOMMU, 1, 0 } },
		.experiment =
			"'cat /sys/module/vfio_iommu_type1/parameters/dma_entry_limit'",
		.mitigation = "Raise it by modprobe.d, or iommu=pt in the guest.",
	},
	{
		.id = "map-refused",
		SURE(MP_CLUE_MAP_REFUSED),
		.title = "VFIO refuses an address range",
		.brief = "an address range that cannot be mapped",
		.why = "It is reserved (reserved_regions of the group), beyond the IOMMU's "
		       "width, or a BAR of another device. For a BAR of another passed-through "
		       "device QEMU only warns: transfers between the two do not work.",
		.experiment =
			"Compare the address with the group's reserved_regions and with "
			"MGAW.",
		.mitigation = "Fewer physical bits for the guest; else none is needed.",
	},
	{
		.id = "group-not-viable",
		SURE(MP_CLUE_NOT_VIABLE),
		.title = "Another device of the IOMMU group has a host driver",
		.brief = "a group that is shared with the host",
		.why = "A group is given as a whole, because its members are not isolated from "
		       "each other.",
		.experiment = "'metis-passthrough list --group N' shows who.",
		.mitigation =
			"Give all of them to vfio-pci if the host can do without them; "
			"else another slot.",
	},
	{
		.id = "no-interrupt-remapping",
		SURE(MP_CLUE_NO_REMAPPING),
		.title = "The host has no interrupt remapping, so VFIO refuses",
		.brief = "a host without interrupt remapping",
		.why = "Without it a device can send any interrupt to any processor.",
		.experiment = "'metis-passthrough preflight' names what switched it off.",
		.mitigation =
			"Switch VT-d (with x2APIC) on in the firmware; take intremap=off "
			"off the command line.",
	},
	{
		.id = "one-to-one",
		SURE(MP_CLUE_ONE_TO_ONE),
		.title =
			"Firmware demands a fixed mapping for the device (RMRR, IVMD), so VFIO "
			"refuses",
		.brief = "memory that firmware reserved for the device",
		.why = "Someone (management controller, firmware) may do DMA there at any time.",
		.experiment =
			"'cat /sys/kernel/iommu_groups/N/reserved_regions': lines with "
			"'direct'.",
		.mitigation =
			"A BIOS update or setting (HP: conrep; AM5 boards: newer AGESA); "
			"another slot.",
	},
	{
		.id = "attach-failed",
		SURE(MP_CLUE_ATTACH),
		.title = "QEMU could not attach the group to its container",
		.brief = "a group that could not be attached",
		.why = "The kernel's log says why: interrupt remapping, RMRR, or another owner.",
		.weights = { { MP_CLUE_NO_REMAPPING, -4, 0 },
			{ MP_CLUE_ONE_TO_ONE, -4, 0 } },
		.experiment = "Read the kernel's log of the same second.",
		.mitigation = "'metis-passthrough preflight --vm VMID'",
	},
	{
		.id = "link-errors",
		.topic = MP_RULE_DEVICE,
		.triggers = { MP_CLUE_AER, MP_CLUES },
		.needs = MP_CLUES,
		.base = 2,
		.title = "The PCIe link or the device reports errors",
		.brief = "a bad link, slot or power supply",
		.why = "A read that the IOMMU blocks comes back as an unsupported request: then "
		       "it only mirrors the fault. Else cable, riser, slot or power. The driver "
		       "of Metis masks these errors in the card, so silence proves nothing.",
		.weights = { { MP_CLUE_READ, 1, 0 } },
		.experiment = "Do errors and faults come in the same second?",
		.mitigation =
			"Reseat the card, another slot or riser; 'pcie_aspm=off' as a test.",
	},
	{
		.id = "release-blocked",
		SURE(MP_CLUE_RELEASE),
		.title = "Somebody unbinds the device while a VM has it",
		.brief = "an unbind while a VM has the device",
		.why = "vfio-pci asks the VM to let go and waits.",
		.experiment = "Who wrote to .../driver/unbind, or removed the device?",
		.mitigation = "Stop the VM first.",
	},
	{ .id = NULL },
};

const struct mp_rule *const mp_rules[] = { mp_rules_card, mp_rules_dma, mp_rules_device,
	NULL };
