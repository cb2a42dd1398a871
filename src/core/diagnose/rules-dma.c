/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Explanations for blocked transfers and messages of any device. */
#include "config.h"

#include "core/diagnose.h"

#define TRANSFERS MP_CLUE_WRITE, MP_CLUE_READ, MP_CLUES

const struct mp_rule mp_rules_dma[] = {
	{
		.id = "not-in-vm-map",
		.topic = MP_RULE_DMA,
		.title =
			"The address was given by the guest, but the VM's map did not have it at "
			"that moment",
		.brief = "an address that the VM's map lacks",
		.why = "VFIO maps the guest's RAM, all of it, while the VM runs. With a virtual "
		       "IOMMU it maps only what the guest maps; unplugged memory is unmapped; "
		       "before start and after stop nothing is mapped.",
		.triggers = { TRANSFERS },
		.needs = MP_CLUES,
		.base = 1,
		.weights = { { MP_CLUE_VIOMMU, 4, -1 }, { MP_CLUE_HOTPLUG, 2, 0 },
			{ MP_CLUE_IN_RAM, 2, 0 }, { MP_CLUE_OUTSIDE, -2, 0 },
			{ MP_CLUE_WINDOW_USED, 3, 0 } },
		.experiment =
			"Compare the fault's time with the VM's start and stop; in QEMU's "
			"monitor 'info mtree -f' shows what the device sees.",
		.mitigation =
			"No virtual IOMMU (or iommu=pt in the guest), no memory hotplug, no "
			"balloon.",
	},
	{
		.id = "outside-vm",
		.topic = MP_RULE_DMA,
		.title =
			"The address is nothing that this VM has: it comes from an earlier "
			"session, from the host, or from a bug of driver or firmware",
		.brief = "an address from outside the VM",
		.why = "RAM of a VM lies where QEMU puts it; an address elsewhere cannot have "
		       "been allocated in this guest.",
		.triggers = { TRANSFERS },
		.needs = MP_CLUES,
		.base = 0,
		.weights = { { MP_CLUE_OUTSIDE, 4, -6 }, { MP_CLUE_HOST_DRIVER, 1, 0 },
			{ MP_CLUE_VIOMMU, -1, 0 } },
		.experiment =
			"Start the VM after a cold power cycle with the host's driver never "
			"bound.",
		.mitigation =
			"Reset the device before each start; keep the host's driver off it.",
	},
	{
		.id = "stale-buffer",
		.topic = MP_RULE_DMA,
		.title = "A transfer goes on although its buffer is unmapped",
		.brief = "a transfer into a buffer that is gone",
		.why = "A driver or a program that gave up after a timeout frees the buffer while "
		       "the engine still uses it.",
		.triggers = { TRANSFERS },
		.needs = MP_CLUES,
		.base = 1,
		.weights = { { MP_CLUE_READ, 1, 0 }, { MP_CLUE_TIMEOUTS, 1, 0 },
			{ MP_CLUE_ALIGNED, -1, 1 }, { MP_CLUE_LOW, 1, 0 } },
		.experiment =
			"Look which comes first, the driver's timeout or the fault.",
		.mitigation = "Solve what makes the transfers time out.",
	},
	{
		.id = "read-only-page",
		.topic = MP_RULE_DMA,
		.title = "The page is mapped, but devices may not write there",
		.brief = "a write to a read-only page",
		.why = "QEMU maps ROM and flash read-only. VT-d reports a write to such a page "
		       "and one to a hole with the same reason: only the page table or the "
		       "address tells them apart.",
		.triggers = { MP_CLUE_WRITE, MP_CLUE_READ_ONLY, MP_CLUES },
		.needs = MP_CLUES,
		.base = -2,
		.weights = { { MP_CLUE_READ_ONLY, 9, -4 }, { MP_CLUE_IN_ROM, 6, -1 },
			{ MP_CLUE_IN_RAM, -3, 0 } },
		.experiment =
			"A kernel with CONFIG_DMAR_DEBUG prints the page table with the "
			"fault: level 1 with bit 0 set and bit 1 clear is read-only.",
		.mitigation =
			"Find out in the guest why the driver uses such an address.",
	},
	{
		.id = "interrupt-window",
		.topic = MP_RULE_INTERRUPT,
		.title =
			"Ordinary data went to 0xfee00000 to 0xfeefffff, where every write is an "
			"interrupt",
		.brief = "data written into the interrupt window",
		.why = "That range is never memory for a device. Reason 0x20 or 0x87 means that "
		       "what arrived there was no message.",
		.triggers = { MP_CLUE_INTR_GARBAGE, MP_CLUE_IN_WINDOW, MP_CLUES },
		.needs = MP_CLUES,
		.base = 4,
		.weights = { { MP_CLUE_PROGRAMS, 1, 0 } },
		.experiment = "Look in the guest which buffer has such an address.",
		.mitigation =
			"A guest must not hand out addresses of that range: update its "
			"kernel or driver.",
	},
	{
		.id = "foreign-entry",
		.topic = MP_RULE_INTERRUPT,
		.title =
			"The entry exists and belongs to another device: the request carried "
			"another name than the one the entry was made for",
		.brief = "an interrupt entry of another device",
		.why = "Bridges to conventional PCI and some functions send under another "
		       "address than their own; and a replayed foreign message looks the same. "
		       "Take it more seriously than 0x22: with luck it would hit.",
		.triggers = { MP_CLUE_INTR_FOREIGN, MP_CLUES },
		.needs = MP_CLUES,
		.base = 2,
		.weights = { { MP_CLUE_BRIDGE, 3, -1 }, { MP_CLUE_BEHIND, 2, 0 },
			{ MP_CLUE_PROGRAMS, -1, 1 } },
		.experiment =
			"As root: 'cat /sys/kernel/debug/iommu/intel/ir_translation_struct' "
			"shows who owns the index.",
		.mitigation = "Another slot, without a conventional bridge above it.",
	},
	{
		.id = "torn-down",
		.topic = MP_RULE_INTERRUPT,
		.title =
			"The message is the right one and came while its vector was being taken "
			"down",
		.brief = "an interrupt during tear-down",
		.why = "The index lies within what the card was granted.",
		.triggers = { MP_CLUE_INTR_ABSENT, MP_CLUES },
		.needs = MP_CLUES,
		.base = -1,
		.weights = { { MP_CLUE_SLOT, 5, -4 } },
		.experiment = "Does it come once, at stop or reset, or all the time?",
		.mitigation = "None is needed if it stays at once a stop.",
	},
	{
		.id = "no-domain",
		.topic = MP_RULE_DMA,
		.title =
			"The device had no page tables at all: it is detached, being reset, or "
			"its requests carry another name",
		.brief = "a device that is attached to nothing",
		.why = "Between release and the next start VFIO leaves a device without a "
		       "domain; kernels since 6.19 do so during a reset too. Some functions "
		       "(Marvell SATA: .1 for .0) send under names that Linux does not know.",
		.triggers = { MP_CLUE_NO_DOMAIN, MP_CLUES },
		.needs = MP_CLUES,
		.base = 3,
		.weights = { { MP_CLUE_BEHIND, 3, 0 }, { MP_CLUE_BRIDGE, 1, 0 },
			{ MP_CLUE_PENDING, 1, 0 } },
		.experiment =
			"Compare its time with start, stop and reset of the VM; 'list' "
			"shows whether a function has that address.",
		.mitigation =
			"A device that still works when it is released has to be quiesced "
			"and reset. For unknown names: another slot or card.",
	},
	{
		.id = "too-wide",
		.topic = MP_RULE_DMA,
		.title = "The address has more bits than the IOMMU was set up for",
		.brief = "an address beyond the IOMMU's width",
		.why = "A guest with more physical bits than the host's IOMMU places 64-bit BARs "
		       "beyond what it can map.",
		.triggers = { MP_CLUE_TOO_WIDE, MP_CLUES },
		.needs = MP_CLUES,
		.base = 5,
		.weights = { { MP_CLUE_MAP_REFUSED, 1, 0 } },
		.experiment = "Compare the address with MGAW ('preflight --verbose').",
		.mitigation =
			"Fewer physical bits for the guest ('cpu: host,phys-bits=39' or the "
			"like).",
	},
	{
		.id = "broken-tables",
		.topic = MP_RULE_DMA,
		.title = "The IOMMU's own tables make no sense to it",
		.brief = "broken IOMMU tables",
		.why = "Such reasons are not a device's doing: a bug of kernel or firmware, or a "
		       "kdump kernel that took the tables over.",
		.triggers = { MP_CLUE_TABLES, MP_CLUE_INTR_TABLE, MP_CLUE_IOMMU,
			MP_CLUES },
		.needs = MP_CLUES,
		.base = 3,
		.weights = { { MP_CLUE_IOMMU, -1, 0 } },
		.experiment = "Another kernel; a newer BIOS.",
		.mitigation =
			"Report it with the whole log to the kernel's or board's vendor.",
	},
	{
		.id = "chip-requester",
		.topic = MP_RULE_INTERRUPT,
		.title = "The requester is an I/O APIC or HPET, not a PCI card",
		.brief = "an interrupt of the I/O APIC",
		.why = "Firmware names these by addresses that belong to no function. At boot or "
		       "wake-up they may send an old message once: harmless.",
		.triggers = { MP_CLUE_CHIP, MP_CLUES },
		.needs = MP_CLUES,
		.base = 6,
		.weights = { { MP_CLUE_CHIP, 1, 0 } },
		.experiment = "Does it come at boot or wake-up only?",
		.mitigation = "None; a BIOS update if it floods the log.",
	},
	{ .id = NULL },
};
