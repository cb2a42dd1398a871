/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * metis-card.h - what a Metis card shows in its BARs: the DMA block in BAR 0, and in BAR 2 the
 * window to its memory. Untested on hardware.
 */
#ifndef MP_METIS_CARD_H
#define MP_METIS_CARD_H

#include "core/metis-block.h"
#include "vfio/vfio.h"

struct mp_metis {
	struct mp_mmio *dma, *memory; /* BAR 0 and BAR 2, of VFIO */
	/*
	 * The descriptors' area, which belongs to the host by contract and is idle while no
	 * driver is bound: the only place in the card that may be overwritten.
	 */
	size_t area, area_size; /* in BAR 2 */
	uint64_t area_address;  /* the same, as the card names it */
	bool area_fixed;        /* not told by the firmware: it is an old one */
	bool dma_vm;            /* the firmware owns the message of a finished transfer */
};

/*
 * Waits until the firmware has started (it was reset by the open), at most the time that
 * it is given, and fills CARD. False: all zeros, all ones, no firmware that is known, with
 * what that means.
 */
bool mp_metis_open(struct mp_vfio *vfio, struct mp_metis *card, GError **error);
/* [OFFSET, OFFSET + SIZE) of the area, whole words. */
void mp_metis_save(
	const struct mp_metis *card, size_t offset, uint32_t *words, size_t size);
void mp_metis_restore(
	const struct mp_metis *card, size_t offset, const uint32_t *words, size_t size);

#endif
