/* SPDX-License-Identifier: GPL-2.0-or-later */
/* edma-private.h - what the files of the DMA block share. */
#ifndef VIRTUAL_METIS_EDMA_PRIVATE_H
#define VIRTUAL_METIS_EDMA_PRIVATE_H

#include "edma.h"

#define SIDE_CHANNELS 0x000f000fu /* b3:0 done, b19:16 abort: four of eight channels */
#define PAGE          4096u
#define ELEMENT_SIZE  24u /* struct dw_edma_v0_lli */
#define ELEMENT_COST  64u /* of edma_run()'s budget */
#define CHANNELS      (2 * EDMA_CHANNELS)

enum {
	CTRL_DATA_ARB_PRIOR = 0x000,
	CTRL = 0x008,
	CHANNEL_BASE = 0x200,
	CHANNEL_STRIDE = 0x200,
	READ_CONTEXT = 0x100, /* from the write channel's to the read channel's */
	DOORBELL_CHANNEL = 0x7,
	PWR_EN = 0x1,
	ENGINE_EN = 0x1,
};
#define DOORBELL_STOP 0x80000000u /* b31 [V: the vendor's driver] */

/* ch_control1, and the first word of an element of a list */
enum {
	CB = 1 << 0,  /* cycle bit: the element is the block's if it is like CCS */
	TCB = 1 << 1, /* toggles CCS, in a link */
	LLP = 1 << 2, /* a link: words 2 and 3 are where the list goes on */
	LIE = 1 << 3, /* tells the card */
	RIE = 1 << 4, /* tells the host, by a message */
	CS = 3 << 5,
	CS_RUNNING = 1 << 5,
	CS_HALTED = 2 << 5,
	CS_STOPPED = 3 << 5,
	CCS = 1 << 8,
	LLE = 1 << 9,
	OF_ELEMENT = CB | TCB | LLP | LIE | RIE,
};

/* struct dw_edma_v0_ch_regs, in words */
enum { CONTROL1, CONTROL2, SIZE, SAR, SAR_HIGH, DAR, DAR_HIGH, LIST, LIST_HIGH, CONTEXT };

/* One direction. The high word of an address is in the next register. */
struct side {
	uint32_t engine_en, doorbell, int_status, int_mask, int_clear, err_status,
		linked_list_err_en, done_imwr, abort_imwr, imwr_data, pwr_en, arb_weight;
};

extern const struct side edma_sides[2];
enum { READ, WRITE };

/* What is wrong, as bits of err_status: b7:0 the card's memory, b23:16 an element of a list
 * [S]; a read that the host rejected is in rd_err_status_high b7:0, unsupported request [S]. */
enum error { ERROR_CARD = 0, ERROR_LIST = 16, ERROR_HOST = 32 };

struct channel {
	bool running;
	bool loaded; /* the registers hold what is to be moved; false: the next element does */
	bool spoilt; /* a defect has had this transfer */
	bool stuck;
	unsigned
		job; /* counts the starts: whoever was away sees whether it is still his */
};

struct edma {
	struct edma_bus bus;
	struct edma_defects defects;
	uint32_t regs[EDMA_BAR_SIZE / 4];
	struct channel
		channels[CHANNELS]; /* numbered as interrupts: reading ones first */
	bool just_enabled[2];
	bool busy;
	unsigned next; /* channel whose turn it is */
	uint8_t buffer[PAGE];
};

static inline unsigned side_of(unsigned n)
{
	return n < EDMA_CHANNELS ? READ : WRITE;
}

/* The channel's number within its direction. */
static inline unsigned number_of(unsigned n)
{
	return n % EDMA_CHANNELS;
}

static inline uint32_t *reg(struct edma *edma, uint32_t offset)
{
	return &edma->regs[offset / 4];
}

static inline uint32_t *context(struct edma *edma, unsigned n)
{
	return reg(edma, CHANNEL_BASE + number_of(n) * CHANNEL_STRIDE +
				 (side_of(n) == READ ? READ_CONTEXT : 0));
}

static inline uint64_t get64(const uint32_t *words)
{
	return words[0] | (uint64_t)words[1] << 32;
}

static inline void set64(uint32_t *words, uint64_t value)
{
	words[0] = (uint32_t)value;
	words[1] = (uint32_t)(value >> 32);
}

static inline uint32_t le32(const uint8_t *bytes)
{
	return bytes[0] | bytes[1] << 8 | bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

/* Whoever called out of the block asks this before going on: registers may have been written
 * meanwhile, by the host or by a message that hit the card itself. */
static inline bool still(const struct edma *edma, unsigned n, unsigned job)
{
	return edma->channels[n].running && edma->channels[n].job == job;
}

/* Doorbells, with and without b31. */
void edma_channel_start(struct edma *edma, unsigned n);
void edma_channel_stop(struct edma *edma, unsigned n);
/* Ends the channel's job with STATE in control1; nobody is told. */
void edma_channel_halt(struct edma *edma, unsigned n, uint32_t state);

#endif
