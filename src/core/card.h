/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * card.h - what is inside a card and no PCI register shows: does its firmware run, may its
 * DMA reach memory that nobody gave it, where do its own interrupt messages go. Only a
 * profile that names a kind of state (`state: metis`) has any of it.
 *
 * Reading never opens VFIO, which would reset the card: the memory of the function is mapped
 * from sysfs (resourceN) and read in 32-bit words, while the function is in D0 with memory
 * decoding on. A snapshot keeps the words that were read, so it can be judged elsewhere.
 *
 * UNTESTED ON HARDWARE: the layout is the vendor's published driver's; see card-metis.c.
 */
#ifndef MP_CARD_H
#define MP_CARD_H

#include "core/error.h"
#include "core/host.h"

struct mp_profile;

/* --- access to the memory of a function --- */

struct mp_card_io {
	void *user;
	/* One 32-bit word; OFFSET is a multiple of 4. False: outside of the BAR, or not to be
	 * had (WHY of the state then says so). */
	bool (*read32)(void *user, unsigned bar, uint64_t offset, uint32_t *value);
	bool (*write32)(void *user, unsigned bar, uint64_t offset, uint32_t value);
};

/* --- what was read --- */

enum mp_card_life {
	MP_CARD_UNREAD, /* could not be looked at; `why` tells */
	MP_CARD_ASLEEP, /* in D3, or neither decoding nor bus master: it can do nothing now */
	MP_CARD_ZEROS,    /* all zeros: the firmware does not run */
	MP_CARD_ONES,     /* all ones: link down, D3, or decoding off */
	MP_CARD_STARTING, /* it answers, but its magic numbers are not there (yet) */
	MP_CARD_RUNNING,
};

/* Where an interrupt message that the card keeps in registers of its own would go. */
enum mp_card_message {
	MP_MESSAGE_NONE,  /* address zero */
	MP_MESSAGE_OWN,   /* the host's message for this function, as it is now */
	MP_MESSAGE_STALE, /* remappable format, but no message that the host gave it now */
	MP_MESSAGE_RAW, /* compatibility format: a guest's, or a host's without remapping */
	MP_MESSAGE_MEMORY, /* no interrupt address at all: a write into memory */
};

struct mp_card_target {
	const char *name; /* "write channels, done" */
	uint64_t address;
	uint16_t data[4]; /* of channel 0 to 3 */
	enum mp_card_message message;
	unsigned handle; /* index of the remapping table's entry, for OWN and STALE */
	unsigned bar;    /* where ADDRESS is: its low half, the high one behind it */
	uint64_t offset;
};

struct mp_card_channel {
	const char *name; /* "read 3" */
	bool enabled;
	unsigned status; /* 0 idle, 1 running, 2 aborted, 3 done */
};

enum mp_card_yes { MP_CARD_UNKNOWN, MP_CARD_NO, MP_CARD_YES };

struct mp_card {
	const struct mp_pci *device;
	const char *kind; /* "metis" */
	enum mp_card_life life;
	const char *why;    /* for UNREAD, ASLEEP and STARTING */
	const char *source; /* "/sys/bus/pci/devices/0000:01:00.0/resource2" */

	/* Firmware; UNKNOWN unless RUNNING. */
	unsigned firmware_major, firmware_minor; /* of the control block, not the SDK's */
	enum mp_card_yes dma_vm; /* it owns completion messages when in a VM */

	/* The window through which it writes into host memory. */
	enum mp_card_yes window; /* armed */
	uint64_t window_target;  /* bus address */
	uint64_t window_size;

	struct mp_card_target targets[4];
	unsigned targets_count;
	struct mp_card_channel channels[8];
	unsigned channels_count;

	bool msi_enabled; /* of the function, when the words were read */
	uint64_t msi_address;
	uint16_t msi_data;
};

const char *mp_card_life_name(enum mp_card_life life);          /* "running" */
const char *mp_card_message_name(enum mp_card_message message); /* "stale" */
/* The index of the remapping table that a message of remappable format names (VT-d 5.1.2.2). */
unsigned mp_card_handle(uint64_t address);
/* True if the card, left alone, may write where nobody expects it: a window that is armed, a
 * channel that runs, a target that is neither NONE nor OWN. */
bool mp_card_is_armed(const struct mp_card *card);

/* --- kinds --- */

struct mp_card_kind {
	const char *name; /* as in profiles */
	unsigned bars;    /* bit mask of those that are read */
	/* Reads all; fills LIFE and what follows. Messages are classified by msi_* of CARD. */
	void (*read)(
		struct mp_host *host, const struct mp_card_io *io, struct mp_card *card);
	/*
	 * Stops every activity of its own: window off, engines off, messages cleared; in this
	 * order. Bus mastering is the caller's. Nothing is written to a card that is not
	 * RUNNING or STARTING. False and an error: a word could not be written.
	 */
	bool (*quiesce)(
		const struct mp_card_io *io, const struct mp_card *card, GError **error);
};
extern const struct mp_card_kind mp_card_kind_metis;
/* NULL: there is no such kind. */
const struct mp_card_kind *mp_card_kind_find(const char *name);
/* "metis", NULL ended. */
extern const char *const mp_card_kinds[];

/* --- the host's cards --- */

struct mp_cards {
	GPtrArray *all; /* struct mp_card */
};
/* NULL: its profile names no state. */
const struct mp_card *mp_host_card(
	const struct mp_host *host, const struct mp_pci *device);

/* --- the live card, to be changed --- */

struct mp_card_live;
/*
 * Maps the memory of DEVICE (of KIND) for reading and writing. Refused where the function is
 * not in D0, does not decode memory, or is all ones. The caller closes.
 */
struct mp_card_live *mp_card_live_open(const struct mp_pci *device,
	const struct mp_card_kind *kind, bool writable, GError **error);
/* The same for one that was just woken up and made to decode: without these refusals. */
struct mp_card_live *mp_card_live_open_awake(
	const struct mp_pci *device, const struct mp_card_kind *kind, GError **error);
void mp_card_live_close(struct mp_card_live *live);
typedef struct mp_card_live mp_card_live;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(mp_card_live, mp_card_live_close)
const struct mp_card_io *mp_card_live_io(struct mp_card_live *live);

#endif
