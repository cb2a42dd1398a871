// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * edma.c - the registers of the virtual card's DMA block.
 *
 * Names and offsets of the registers are those of Linux, drivers/dma/dw-edma/dw-edma-v0-regs.h
 * (6.x), which agrees with what the vendor's driver 1.4.16 uses. How linked lists go on is
 * read from what dw-edma-v0-core.c relies on. What follows from general knowledge of Synopsys'
 * DesignWare controller, and was not read in a document, is marked [S]; what is inferred [I];
 * what nobody without a card can know [U]. docs/virtual-metis.md has the list.
 */
#include "edma-private.h"

#include <stdlib.h>
#include <string.h>

const struct side edma_sides[2] = {
	{ /* read: from the host */
		.engine_en = 0x02c,
		.doorbell = 0x030,
		.arb_weight = 0x038,
		.int_status = 0x0a0,
		.int_mask = 0x0a8,
		.int_clear = 0x0ac,
		.err_status = 0x0b4,
		.linked_list_err_en = 0x0c4,
		.done_imwr = 0x0cc,
		.abort_imwr = 0x0d4,
		.imwr_data = 0x0dc,
		.pwr_en = 0x168 },
	{ /* write: to the host */
		.engine_en = 0x00c,
		.doorbell = 0x010,
		.arb_weight = 0x018,
		.int_status = 0x04c,
		.int_mask = 0x054,
		.int_clear = 0x058,
		.err_status = 0x05c,
		.linked_list_err_en = 0x090,
		.done_imwr = 0x060,
		.abort_imwr = 0x068,
		.imwr_data = 0x070,
		.pwr_en = 0x128 },
};

/* --- registers --- */

static void doorbell(struct edma *edma, unsigned which, uint32_t value)
{
	unsigned number = value & DOORBELL_CHANNEL;
	unsigned n = (which == WRITE ? EDMA_CHANNELS : 0) + number;

	if (number >= EDMA_CHANNELS)
		return;
	if (value & DOORBELL_STOP)
		edma_channel_stop(edma, n);
	else
		edma_channel_start(edma, n);
}

static void clear_imwr(struct edma *edma, unsigned which)
{
	const struct side *side = &edma_sides[which];

	set64(reg(edma, side->done_imwr), 0);
	set64(reg(edma, side->abort_imwr), 0);
	memset(reg(edma, side->imwr_data), 0, 4 * sizeof(uint32_t));
}

/* [U] what of the registers the soft reset leaves: here all but the channels' state. */
static void enable(struct edma *edma, unsigned which, uint32_t value)
{
	uint32_t *engine = reg(edma, edma_sides[which].engine_en);
	bool on = value & ENGINE_EN, was = *engine & ENGINE_EN;

	*engine = value & ENGINE_EN;
	if (on) {
		edma->just_enabled[which] |= !was;
		return;
	}
	for (unsigned number = 0; number < EDMA_CHANNELS; number++) {
		unsigned n = (which == WRITE ? EDMA_CHANNELS : 0) + number;

		edma_channel_halt(edma, n, 0);
		if (edma->defects.soft_reset_all)
			memset(context(edma, n), 0, CONTEXT * sizeof(uint32_t));
	}
	if (edma->defects.soft_reset_all)
		clear_imwr(edma, which);
}

/* [S] An error goes with the abort that it has caused. */
static void clear_interrupts(struct edma *edma, unsigned which, uint32_t value)
{
	uint32_t errors = value >> 16 & 0xff;
	uint32_t *status = reg(edma, edma_sides[which].err_status);

	value &= SIDE_CHANNELS;
	*reg(edma, edma_sides[which].int_status) &= ~value;
	status[0] &= ~(errors | errors << 16);
	if (which == READ)
		status[1] &= ~(errors * 0x01010101u);
}

static bool within(uint32_t offset, uint32_t base, unsigned words)
{
	return offset >= base && offset < base + 4 * words;
}

/* What can be written, and only keeps what was. */
static uint32_t writable(uint32_t offset)
{
	if (offset == CTRL_DATA_ARB_PRIOR)
		return ~0u;
	for (unsigned which = READ; which <= WRITE; which++) {
		const struct side *side = &edma_sides[which];

		if (offset == side->int_mask || offset == side->linked_list_err_en)
			return SIDE_CHANNELS;
		if (within(offset, side->pwr_en, EDMA_CHANNELS))
			return PWR_EN;
		if (within(offset, side->done_imwr, 2) ||
			within(offset, side->abort_imwr, 2) ||
			within(offset, side->imwr_data, 4) ||
			within(offset, side->arb_weight, 2))
			return ~0u;
	}
	return 0;
}

static void write_context(struct edma *edma, unsigned n, unsigned word, uint32_t value)
{
	uint32_t *words = context(edma, n);

	/* [U] what writing does to a channel that runs: here nothing. */
	if (edma->channels[n].running)
		return;
	/* [I] The vendor's driver waits for a state after it has written control1, so the
	 * last one's is not to be seen any more. */
	if (word == CONTROL1)
		value = (value & ~(uint32_t)CS) |
			(edma->defects.status_kept ? words[CONTROL1] & CS : 0);
	words[word] = value;
}

void edma_write(struct edma *edma, uint32_t offset, uint32_t value)
{
	uint32_t mask;

	if (offset % 4 || offset >= EDMA_BAR_SIZE)
		return;
	for (unsigned which = READ; which <= WRITE; which++) {
		if (offset == edma_sides[which].engine_en)
			enable(edma, which, value);
		else if (offset == edma_sides[which].doorbell)
			doorbell(edma, which, value);
		else if (offset == edma_sides[which].int_clear)
			clear_interrupts(edma, which, value);
	}
	for (unsigned n = 0; n < CHANNELS; n++) {
		uint32_t base = (uint32_t)(context(edma, n) - edma->regs) * 4;

		if (within(offset, base, CONTEXT))
			write_context(edma, n, (offset - base) / 4, value);
	}
	mask = writable(offset);
	*reg(edma, offset) = (*reg(edma, offset) & ~mask) | (value & mask);
}

uint32_t edma_read(struct edma *edma, uint32_t offset)
{
	if (offset % 4 || offset >= EDMA_BAR_SIZE)
		return 0;
	return *reg(edma, offset);
}

/* --- life --- */

void edma_reset_keep_imwr(struct edma *edma)
{
	uint32_t imwr[2][8]; /* both addresses, data */

	for (unsigned which = READ; which <= WRITE; which++)
		memcpy(imwr[which], reg(edma, edma_sides[which].done_imwr),
			sizeof(imwr[0]));
	edma_reset(edma);
	for (unsigned which = READ; which <= WRITE; which++)
		memcpy(reg(edma, edma_sides[which].done_imwr), imwr[which],
			sizeof(imwr[0]));
}

void edma_reset(struct edma *edma)
{
	memset(edma->regs, 0, sizeof(edma->regs));
	*reg(edma, CTRL) = EDMA_CHANNELS | EDMA_CHANNELS << 16;
	for (unsigned n = 0; n < CHANNELS; n++) {
		edma->channels[n] = (struct channel){ .job = edma->channels[n].job + 1 };
		/* [U] whether channels have power from the start. */
		*reg(edma, edma_sides[side_of(n)].pwr_en + 4 * number_of(n)) =
			edma->defects.power_off ? 0 : PWR_EN;
	}
	edma->just_enabled[READ] = edma->just_enabled[WRITE] = false;
}

void edma_set_defects(struct edma *edma, const struct edma_defects *defects)
{
	edma->defects = *defects;
}

struct edma *edma_new(const struct edma_bus *bus)
{
	struct edma *edma = calloc(1, sizeof(*edma));

	if (!edma)
		return NULL;
	edma->bus = *bus;
	edma_reset(edma);
	return edma;
}

void edma_free(struct edma *edma)
{
	free(edma);
}
