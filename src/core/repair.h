/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * repair.h - an experiment: while a VM runs, the host's own interrupt message is put in the
 * place of the one that the guest's driver has copied into the card, where VFIO could not
 * translate it.
 *
 * How it would work, and how sure each part is ([V] read in source or measured in the lab, [S]
 * by specification, [I] our inference, [U] not known):
 *
 * - A guest's driver writes the message of its (virtual) MSI capability into registers of the
 *   DMA engine. The host blocks it: reason 0x25 for a plain guest's, 0x22 for one whose entry
 *   is not there. [V] in the lab, on the virtual card; [I] of a card.
 * - The message in the real capability is the kernel's: VFIO asked for a vector, and its entry
 *   in the remapping table is there as long as the guest has MSI on. [V]
 * - Written with SHV (bit 3 of the address) clear, the entry is told by the address alone and
 *   the data are ignored (VT-d 5.1.2.2). [S]; [V] of QEMU's VT-d. So it does no harm that the
 *   driver rewrites the data with its own vector before every job, as it does with one vector
 *   [V]; the address it writes only when it is loaded and when the link came back [V].
 * - Each completion then raises the one vector of the VM, and the driver's handler looks at
 *   all channels whichever it was. [V] of the driver's source; that a Metis sends what these
 *   registers say, in one write of four bytes, is [I], as all about its silicon.
 * - With several vectors the data tell which; not supported here. On AMD the data are the
 *   index: it cannot work there. [V]
 * - What the firmware does at that is not known [U]. One that owns the messages (DMA in a VM)
 *   is left alone.
 *
 * Nothing undoes it, and nothing needs to: the guest's driver writes its own message when it
 * is loaded again, a reset clears the registers, and the message means nothing once the VM
 * has stopped (then the hook clears it). Until one of these it has to be done again only if
 * the host gives another message, as when the guest switches MSI off and on.
 *
 * It races with the driver: the registers are read, compared and written, and the driver may
 * write in between. Then its message is there, as before: nothing worse.
 *
 * UNTESTED ON HARDWARE.
 */
#ifndef MP_REPAIR_H
#define MP_REPAIR_H

#include "core/card.h"
#include "core/error.h"
#include "core/host.h"
#include "core/irte.h"
#include "core/profile.h"

/* One thing that has to be so. Unknown is not yes. */
struct mp_repair_condition {
	const char *id; /* API */
	enum mp_card_yes holds;
	const char *text;   /* a sentence: how it is, on this host */
	const char *remedy; /* a sentence; NULL where it holds */
};

struct mp_repair_write {
	const char *name; /* "write channels, done" */
	unsigned bar;
	uint64_t offset; /* of the low half; the high one is four bytes behind */
	uint64_t from, to;
};

struct mp_repair {
	const struct mp_pci *device;
	GPtrArray *conditions; /* struct mp_repair_condition */
	bool ready;            /* all of them hold */
	uint64_t message;      /* what the card has to send; 0: there is none */
	struct mp_repair_write writes[4];
	unsigned n_writes; /* 0 and ready: it is done already */
};

/* Pure. PROFILE is the device's, IRTES may be NULL. All memory belongs to HOST. */
const struct mp_repair *mp_repair_plan(struct mp_host *host, const struct mp_pci *device,
	const struct mp_profile *profile, const struct mp_irtes *irtes);

/* False where this host or this card rules it out whatever the VM does (no Intel IOMMU, no
 * card of that sort): then nobody shall be told to try it. */
bool mp_repair_can_be(const struct mp_host *host, const struct mp_pci *device,
	const struct mp_profile *profile);

/*
 * Writes what the plan says, all or nothing: before each write the register must hold what the
 * plan saw, after it what was written; else what was written is put back.
 */
bool mp_repair_apply(
	const struct mp_repair *repair, const struct mp_card_io *io, GError **error);
/* Puts back what apply() wrote, as far as it is there still. */
void mp_repair_undo(const struct mp_repair *repair, const struct mp_card_io *io);
/* True if MSI of AFTER still is what the plan was made for. */
bool mp_repair_still_holds(const struct mp_repair *repair, const struct mp_pci *after);

#endif
