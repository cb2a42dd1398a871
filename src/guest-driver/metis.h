/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A Metis card as the engine dw-edma sees it. Untested on hardware. */
#ifndef DMATEST_METIS_H
#define DMATEST_METIS_H

#include "driver.h"

#define METIS_VENDOR	   0x1f9d
#define METIS_EUROPA	   0x0001 /* another card: its DMA block lies elsewhere */
#define METIS_CHANNEL	   3	  /* of each direction */
#define METIS_TRANSFER_MAX 4096
#define METIS_ONES	   0xffffffffu

#define METIS_SAVED 32 /* registers, at most */

struct metis {
	/*
	 * The descriptors' area, which is the host's by contract and idle while no other
	 * driver is bound: the only place in the card that is overwritten.
	 */
	size_t area, area_size; /* in BAR 2 */
	u64 area_address;	/* the same, as the card names it */
	bool dma_vm;		/* the firmware has something to do with messages */

	/* Of a run. */
	u32 saved[METIS_SAVED];
	u32 *contents;	 /* what was in the area */
	bool started;	 /* there is something to restore */
	__le32 *scratch; /* of the host */
	dma_addr_t scratch_bus;
	/* Unknown of the silicon, and found out: does control1 keep CS when it is written? */
	enum { METIS_UNKNOWN, METIS_CLEARED, METIS_KEPT } status;
	bool reads; /* the transfer that was started last */
	ktime_t rung;
};

/* Waits for the firmware, and finds the area. Says why it does not. */
int metis_find(struct dmatest *test, struct metis *card);
void metis_save(struct dmatest *test, const struct metis *card, u32 *words, size_t size);
void metis_restore(struct dmatest *test, const struct metis *card, const u32 *words,
		   size_t size);

/* Why a channel was aborted. Reads only: of a write that was refused the card never hears. */
const char *metis_why_halted(struct dmatest *test, bool read);
/* Whether the window and the memory behind it keep what is written. */
int metis_memory_works(struct dmatest *test, const struct metis *card);
/* That of vector N, as this kernel has put it into the MSI capability. False: no MSI. */
bool metis_message(struct dmatest *test, unsigned int n, u64 *address, u32 *data);

#endif
