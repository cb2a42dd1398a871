/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Explanations for blocked interrupt messages, and those that need a card that keeps
 * addresses of its own. What such a card does was read from its vendor's driver and follows
 * from the specifications of VT-d and VFIO; nobody measured it, so each row says so.
 */
#include "config.h"

#include "core/diagnose.h"

#define INTERRUPTS                                                                       \
	MP_CLUE_INTR_ABSENT, MP_CLUE_INTR_COMPAT, MP_CLUE_INTR_FOREIGN,                  \
		MP_CLUE_INTR_AMD, MP_CLUES
#define HANDLES MP_CLUE_INTR_ABSENT, MP_CLUE_INTR_FOREIGN, MP_CLUES

#define POLL                                                                                   \
	"In the guest, let the driver poll ('options metis dma_poll=1'; the parameter can be " \
	"written while it runs). If transfers then work, blocked interrupts were their only "  \
	"problem."

const struct mp_rule mp_rules_card[] = {
	{
		.id = "untranslated-message",
		.topic = MP_RULE_INTERRUPT,
		.title =
			"The card sends an interrupt message from a register of its own, and "
			"VFIO translates only the one in configuration space",
		.brief = "an interrupt message that VFIO could not translate",
		.why = "A guest programs a copy of the MSI capability; the kernel writes its own "
		       "message into the real one. What a driver or firmware copies elsewhere "
		       "in the card stays what the guest (or an earlier session) wrote there, "
		       "and interrupt remapping blocks it. The same class is known of "
		       "ath11k wireless cards; the kernel has no answer to it.",
		.triggers = { INTERRUPTS },
		.needs = MP_CLUES,
		.base = 2,
		/* A vector counted from the host's own message was translated, at least. */
		.weights = { { MP_CLUE_PROGRAMS, 4, -3 }, { MP_CLUE_TIMEOUTS, 2, 0 },
			{ MP_CLUE_CHIP, -9, 0 }, { MP_CLUE_BRIDGE, -2, 0 },
			{ MP_CLUE_LEFT, 1, 0 }, { MP_CLUE_RAW, 1, 0 },
			{ MP_CLUE_VECTOR, -2, 0 }, { MP_CLUE_SLOT, -3, 0 } },
		.experiment = POLL,
		.mitigation =
			"Driver and firmware that know DMA in a VM (Metis: driver 1.5.7 "
			"with firmware 1.7.0 or later); until then polling "
			"(metis dma_poll=1).",
	},
	{
		.id = "guest-message",
		.topic = MP_RULE_INTERRUPT,
		.title =
			"The message in the card is the guest's own, in compatibility format",
		.brief = "the guest's raw interrupt message in the card",
		.why = "A guest without interrupt remapping writes 0xfee00000 and a vector. The "
		       "host's remapping blocks that format (0x25); the index in the line means "
		       "nothing then.",
		.triggers = { MP_CLUE_INTR_COMPAT, MP_CLUES },
		.needs = MP_CLUES,
		.base = 4,
		.weights = { { MP_CLUE_PROGRAMS, 2, -2 }, { MP_CLUE_VIOMMU, -3, 1 },
			{ MP_CLUE_ONE_VECTOR, 1, -1 }, { MP_CLUE_CHIP, -9, 0 },
			{ MP_CLUE_RAW, 4, -2 } },
		.experiment = POLL,
		.mitigation =
			"As for untranslated-message. A virtual IOMMU only turns 0x25 into "
			"0x22.",
	},
	{
		.id = "version-skew",
		.topic = MP_RULE_INTERRUPT,
		.title =
			"Firmware manages DMA in the VM, and an older driver overwrites half of "
			"its message",
		.brief = "a driver too old for DMA in a VM",
		.why = "Drivers before 1.5.6 know nothing of the firmware's DMA-in-VM mode and "
		       "rewrite the message's data before each job: the host's address with a "
		       "guest's vector is an index that nobody allocated.",
		.inference = true,
		.triggers = { HANDLES },
		.needs = MP_CLUE_EDMA,
		.base = 1,
		.weights = { { MP_CLUE_OLD_DRIVER, 3, -4 }, { MP_CLUE_MIXED, 3, -2 },
			{ MP_CLUE_VIOMMU, 0, 1 }, { MP_CLUE_DMA_VM, 2, -6 },
			{ MP_CLUE_LEFT, -3, 0 }, { MP_CLUE_VECTOR, -3, 0 } },
		.experiment =
			"Read the firmware's flag (BAR 2 + 0x218 = 0xc1a0c1a0 where it "
			"manages DMA in a VM), then repeat with driver 1.5.7 or later.",
		.mitigation =
			"Driver and firmware of the same SDK, 1.7.0 or later, in the guest.",
	},
	{
		.id = "guest-iommu-handle",
		.topic = MP_RULE_INTERRUPT,
		.title =
			"The guest has a virtual IOMMU with interrupt remapping, and the card "
			"holds a handle that means something only there",
		.brief = "a handle of the guest's virtual IOMMU",
		.why = "With remapping in the guest its messages are in remappable format, with "
		       "an index into the guest's table. The host looks it up in its own.",
		.inference = true,
		.triggers = { HANDLES },
		.needs = MP_CLUE_PROGRAMS,
		.base = 1,
		.weights = { { MP_CLUE_VIOMMU, 5, -7 }, { MP_CLUE_ONE_VECTOR, -4, 3 },
			{ MP_CLUE_BLOCK, 1, -1 }, { MP_CLUE_INTR_COMPAT, -2, 0 },
			{ MP_CLUE_LEFT, 2, -2 } },
		.experiment =
			"Take 'viommu=' off the VM's machine line and start it anew: "
			"reason 0x22 has to become 0x25.",
		.mitigation =
			"No virtual IOMMU, unless the firmware manages DMA in the VM.",
	},
	{
		.id = "firmware-vector",
		.topic = MP_RULE_INTERRUPT,
		.title =
			"Firmware or driver counts vectors from the card's message although only "
			"one was granted",
		.brief = "a vector number beyond those that VFIO allocated",
		.why = "A plain guest grants one vector. Whoever raises vector 4 to 11 "
		       "(transfers), 12 or 24 (messages) of 32 hits entries behind it that are "
		       "not present.",
		.inference = true,
		.triggers = { HANDLES },
		.needs = MP_CLUE_EDMA,
		.base = 1,
		.weights = { { MP_CLUE_VECTOR, 4, -3 }, { MP_CLUE_ONE_VECTOR, 2, -3 },
			{ MP_CLUE_COMMANDS, 2, 0 }, { MP_CLUE_VIOMMU, 0, 1 },
			{ MP_CLUE_LEFT, -3, 0 } },
		.experiment =
			"Let the card work without any transfer (a command that only asks "
			"the firmware) and look for new interrupt faults.",
		.mitigation =
			"Never load the host's driver; cold power cycle; newer firmware.",
	},
	{
		.id = "kept-message",
		.topic = MP_RULE_INTERRUPT,
		.title =
			"The firmware goes on with the message of an earlier session, whose "
			"vectors are freed",
		.brief = "an old interrupt message that the firmware kept",
		.why = "Firmware that reads the MSI capability once and keeps what it read is a "
		       "known kind of bug of this bridge. A block of 32 vectors begins at a "
		       "multiple of 32, so the index tells the vector's number: 0 to 3, 12 and 24 "
		       "are raised by the firmware alone, never by a transfer.",
		.inference = true,
		.triggers = { HANDLES },
		.needs = MP_CLUE_EDMA,
		.base = 1,
		.weights = { { MP_CLUE_EVENT, 3, -1 }, { MP_CLUE_HOST_DRIVER, 2, -1 },
			{ MP_CLUE_COMMANDS, 1, 0 }, { MP_CLUE_NO_RESET, 1, 0 },
			{ MP_CLUE_VIOMMU, 0, 1 }, { MP_CLUE_VECTOR, -4, 1 },
			{ MP_CLUE_SLOT, -4, 0 }, { MP_CLUE_LEFT, -3, 0 } },
		.experiment =
			"Reset the card by its bus (or power-cycle it) and start the VM again: the "
			"faults have to stay away, until another session went before.",
		.mitigation =
			"Never load the host's driver; a reset of the bus before each start (the "
			"hook); newer firmware.",
	},
	{
		.id = "stale-host-message",
		.topic = MP_RULE_INTERRUPT,
		.title =
			"The card still holds the message of the host's own driver, whose "
			"vectors are freed",
		.brief = "an interrupt message left by the host's driver",
		.why = "The host's driver wrote remappable messages into the engine's registers; "
		       "none of its releases clears them. After it is unbound the entries are "
		       "not present any more, or belong to somebody else (0x26).",
		.inference = true,
		.triggers = { HANDLES },
		.needs = MP_CLUE_PROGRAMS,
		.base = 1,
		.weights = { { MP_CLUE_HOST_DRIVER, 4, -3 }, { MP_CLUE_BLOCK, 1, -1 },
			{ MP_CLUE_VIOMMU, 0, 1 }, { MP_CLUE_OLD_DRIVER, -1, 1 },
			{ MP_CLUE_LEFT, 8, -3 } },
		.experiment =
			"Cold power cycle, host driver never loaded, start the VM: do the "
			"faults stay away?",
		.mitigation =
			"Keep the host's driver off the card (metis-passthrough setup); "
			"reset and power-cycle after it had it.",
	},
	{
		.id = "stale-window",
		.topic = MP_RULE_DMA,
		.title =
			"The card's status window points where the VM has no memory: set up by "
			"the host's driver, or by an earlier start of the VM",
		.brief = "a stale DMA window in the card",
		.why = "The firmware writes its status into a window of 2 MiB that the driver "
		       "points at; the first page of an aligned 2 MiB is exactly that. No "
		       "release of the driver clears the window's target when it goes.",
		.inference = true,
		.triggers = { MP_CLUE_WRITE, MP_CLUES },
		.needs = MP_CLUE_EDMA,
		.base = 1,
		.weights = { { MP_CLUE_ALIGNED, 3, -4 }, { MP_CLUE_HOST_DRIVER, 2, -1 },
			{ MP_CLUE_PASSTHROUGH, 1, -1 }, { MP_CLUE_OUTSIDE, 2, 0 },
			{ MP_CLUE_IN_RAM, -1, 0 }, { MP_CLUE_NO_RESET, 1, 0 },
			{ MP_CLUE_LOW, -1, 1 }, { MP_CLUE_WINDOW, 6, -3 },
			{ MP_CLUE_WINDOW_USED, -6, 0 } },
		.experiment =
			"Cold power cycle with the host's driver never bound, then start "
			"the VM: the fault has to be gone. Bind the host's driver once, "
			"unbind it, start again: it has to come back at another address.",
		.mitigation =
			"Keep the host's driver off the card, clear the window and reset "
			"before each start (the hook), else power-cycle. While such a "
			"window points into a VM's memory it corrupts that silently.",
	},
	{
		.id = "latched-window",
		.topic = MP_RULE_DMA,
		.title =
			"The firmware took the window's old target and did not notice the new "
			"one",
		.brief = "a DMA window that was not taken over anew",
		.why = "After a VM was killed the window is still switched on; a driver that "
		       "writes 1 over 1 may give no edge to latch the new target on.",
		.inference = true,
		.triggers = { MP_CLUE_WRITE, MP_CLUES },
		.needs = MP_CLUE_EDMA,
		.base = 0,
		.weights = { { MP_CLUE_ALIGNED, 2, -4 }, { MP_CLUE_HOST_DRIVER, 0, 1 },
			{ MP_CLUE_PENDING, 1, 0 }, { MP_CLUE_NO_RESET, 1, 0 },
			{ MP_CLUE_WINDOW, -3, 3 } },
		.experiment =
			"Shut the VM down in order, start it: if that is clean and a start "
			"after 'qm stop' is not, this is it.",
		.mitigation =
			"Clear the window before a start and after a stop (the hook).",
	},
	{ .id = NULL },
};
