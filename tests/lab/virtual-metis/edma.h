/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * edma.h - the DMA block of the virtual card: Synopsys DesignWare eDMA, version 0, unrolled
 * registers, four write and four read channels. It knows registers and descriptors only: how
 * bytes get to the host or to the card's memory is its user's business. So it runs inside
 * QEMU as well as in a unit test, under sanitizers.
 *
 * Directions as the block names them: a write channel moves from the card to the host, a read
 * channel from the host to the card. Little endian, accesses of four bytes.
 *
 * libc only: it is compiled into QEMU.
 */
#ifndef VIRTUAL_METIS_EDMA_H
#define VIRTUAL_METIS_EDMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EDMA_BAR_SIZE 4096u
#define EDMA_CHANNELS 4u /* of each direction */

/* What the block may do to the world. */
struct edma_bus {
	void *user;
	/* The host's memory, over PCIe. A rejected read comes back as false; of a posted write
	 * nobody ever hears. */
	bool (*host_read)(void *user, uint64_t address, void *data, size_t size);
	void (*host_write)(void *user, uint64_t address, const void *data, size_t size);
	/* The card's own memory, by its own addresses. False: there is none. */
	bool (*card_read)(void *user, uint64_t address, void *data, size_t size);
	bool (*card_write)(void *user, uint64_t address, const void *data, size_t size);
	/* A channel has been started: call edma_run() soon, not from in here. */
	void (*kick)(void *user);
	/* INTERRUPT (0 to 3 RD channels, 4 to 7 WR channels) has been signalled by a message
	 * (IMWR): for the firmware, if it owns it. NULL: nobody listens. */
	void (*signalled)(void *user, unsigned interrupt, bool aborted);
};

/* Defects that a test wants, all off at first. They outlive a reset. */
struct edma_defects {
	bool drop_irq;     /* done and abort messages are not sent */
	bool wrong_data;   /* one bit of each transfer flips */
	bool stuck;        /* a started channel stays "running" for ever */
	bool deaf;         /* the first doorbell after each enable is not heard */
	bool wrong_status; /* data arrives, the channel says "aborted" */
	bool lying;        /* nothing arrives, the channel says "done" */
};

struct edma; /* opaque */

/* The caller frees. BUS is copied. NULL: out of memory. */
struct edma *edma_new(const struct edma_bus *bus);
void edma_free(struct edma *edma);
void edma_set_defects(struct edma *edma, const struct edma_defects *defects);
/* Power-on state. */
void edma_reset(struct edma *edma);

/* OFFSET into BAR 0, a multiple of 4, below EDMA_BAR_SIZE; others read as zero and ignore
 * writes. */
uint32_t edma_read(struct edma *edma, uint32_t offset);
void edma_write(struct edma *edma, uint32_t offset, uint32_t value);

/*
 * Moves at most BUDGET bytes (or descriptors, which count 64 each) for the channels that run.
 * True: some still run; call again. So a hostile list of descriptors costs time, never a
 * hang.
 */
bool edma_run(struct edma *edma, size_t budget);

#endif
