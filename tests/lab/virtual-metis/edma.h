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
	/* INTERRUPT (0 to 3 RD channels, 4 to 7 WR channels) is about to be signalled by a message
	 * (IMWR). True: the firmware has sent one of its own, so none is written. NULL: nobody
	 * listens. */
	bool (*signalled)(void *user, unsigned interrupt, bool aborted);
};

/* What a test wants otherwise, all off at first. It outlives a reset. */
struct edma_defects {
	/* Defects. */
	bool drop_irq;     /* done and abort messages are not sent */
	bool wrong_irq;    /* each message carries the data of the neighbouring channel */
	bool wrong_data;   /* one bit of each transfer flips */
	bool truncated;    /* the last four bytes of each transfer do not arrive */
	bool overrun;      /* four bytes arrive behind each transfer */
	bool stuck;        /* a started channel stays "running" for ever */
	bool deaf;         /* the first doorbell after each enable is not heard */
	bool wrong_status; /* data arrives, the channel says "aborted" */
	bool lying;        /* nothing arrives, the channel says "done" */
	/* What is not known of the silicon, the other way than the model does it by itself. */
	bool status_kept;  /* the state in control1 is not cleared by writing control1 */
	bool status_quiet; /* int_status shows only what LIE or RIE asks for */
	bool mask_ignored; /* int_mask does not hold back messages */
	bool power_off; /* after a reset, channels are without power until pwr_en is 1 */
	bool soft_reset_all; /* engine_en = 0 clears the channels' registers, and IMWR */
};

struct edma; /* opaque */

/* The caller frees. BUS is copied. NULL: out of memory. */
struct edma *edma_new(const struct edma_bus *bus);
void edma_free(struct edma *edma);
void edma_set_defects(struct edma *edma, const struct edma_defects *defects);
/* Power-on state. */
void edma_reset(struct edma *edma);
/* The same, but for the addresses and data of the messages: a reset that does not reach them. */
void edma_reset_keep_imwr(struct edma *edma);

/* OFFSET into BAR 0, a multiple of 4, below EDMA_BAR_SIZE; others read as zero and ignore
 * writes. */
uint32_t edma_read(struct edma *edma, uint32_t offset);
void edma_write(struct edma *edma, uint32_t offset, uint32_t value);

/*
 * Moves at most BUDGET bytes (or descriptors, which count 64 each) for the channels that run.
 * True: some still run; call again, but let others in between: a hostile list of descriptors
 * runs for ever, until its channel is stopped. May be called while it runs (a message that
 * hits the card itself), as may edma_write() and the resets; edma_free() may not.
 */
bool edma_run(struct edma *edma, size_t budget);

#endif
