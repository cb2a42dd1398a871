// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * edma-channel.c - the channels of the DMA block at work: doorbells, transfers, lists, messages.
 * Where it is from, and what the tags mean: edma.c.
 */
#include "edma-private.h"

#include <string.h>

/* --- what the host hears of --- */

static void send(struct edma *edma, unsigned n, bool aborted)
{
	const struct side *side = &edma_sides[side_of(n)];
	unsigned of = edma->defects.wrong_irq ? number_of(n) ^ 1 : number_of(n);
	uint32_t pair = *reg(edma, side->imwr_data + of / 2 * 4);
	uint32_t data = of % 2 ? pair >> 16 : pair & 0xffff;
	uint64_t address = get64(reg(edma, aborted ? side->abort_imwr : side->done_imwr));
	const uint8_t bytes[] = { data & 0xff, data >> 8 & 0xff, 0, 0 };

	if (edma->defects.drop_irq)
		return;
	if (edma->bus.signalled && edma->bus.signalled(edma->bus.user, n, aborted))
		return;
	/* Wherever it points, be it zero: nothing in the block knows of interrupts. */
	edma->bus.host_write(
		edma->bus.user, address & ~(uint64_t)3, bytes, sizeof(bytes));
}

/* LOCAL and REMOTE: who wants to be told. */
static void interrupt(
	struct edma *edma, unsigned n, bool aborted, bool local, bool remote)
{
	const struct side *side = &edma_sides[side_of(n)];
	uint32_t bit = 1u << (number_of(n) + (aborted ? 16 : 0));
	bool masked = *reg(edma, side->int_mask) & bit;

	/* [U] whether a job that nobody wants to be told of shows in int_status. */
	if (local || remote || !edma->defects.status_quiet)
		*reg(edma, side->int_status) |= bit;
	/* [U] whether the mask is for messages too; Linux clears it before it starts. */
	if (remote && (!masked || edma->defects.mask_ignored))
		send(edma, n, aborted);
}

void edma_channel_halt(struct edma *edma, unsigned n, uint32_t state)
{
	uint32_t *words = context(edma, n);

	edma->channels[n].running = false;
	words[CONTROL1] = (words[CONTROL1] & ~(uint32_t)CS) | state;
}

/* [S] In a list the register linked_list_err_en says who is told, else control1 does. */
static void tell_abort(struct edma *edma, unsigned n)
{
	uint32_t control = context(edma, n)[CONTROL1];
	uint32_t enabled = *reg(edma, edma_sides[side_of(n)].linked_list_err_en);
	unsigned number = number_of(n);

	if (control & LLE)
		interrupt(edma, n, true, enabled & 1u << (16 + number),
			enabled & 1u << number);
	else
		interrupt(edma, n, true, control & LIE, control & RIE);
}

static void fail(struct edma *edma, unsigned n, enum error error)
{
	uint32_t *status = reg(edma, edma_sides[side_of(n)].err_status + error / 32 * 4);

	*status |= 1u << (error % 32 + number_of(n));
	edma_channel_halt(edma, n, CS_HALTED);
	tell_abort(edma, n);
}

/* --- lists --- */

/* Reads the element that the channel is at; its words in ELEMENT. False: there is no memory. */
static bool read_element(struct edma *edma, unsigned n, uint32_t *element)
{
	uint8_t bytes[ELEMENT_SIZE];

	if (!edma->bus.card_read(
		    edma->bus.user, get64(&context(edma, n)[LIST]), bytes, sizeof(bytes)))
		return false;
	for (unsigned i = 0; i < ELEMENT_SIZE / 4; i++)
		element[i] = le32(bytes + 4 * i);
	return true;
}

/* The block owns elements whose cycle bit is like its own state's. */
static bool is_mine(const uint32_t *words, uint32_t control)
{
	return !(words[CONTROL1] & CCS) == !(control & CB);
}

static void fetch(struct edma *edma, unsigned n)
{
	uint32_t *words = context(edma, n);
	uint32_t element[ELEMENT_SIZE / 4];
	unsigned job = edma->channels[n].job;
	bool there = read_element(edma, n, element);

	if (!still(edma, n, job))
		return;
	if (!there) {
		fail(edma, n, ERROR_LIST);
		return;
	}
	/* The list ends here, or goes on here at the next doorbell: that is how
	 * dw_edma_v0_core_start() starts its second chunk. */
	if (!is_mine(words, element[0])) {
		edma_channel_halt(edma, n, CS_STOPPED);
		return;
	}
	if (element[0] & LLP) {
		words[LIST] = element[2];
		words[LIST_HIGH] = element[3];
		if (element[0] & TCB)
			words[CONTROL1] ^= CCS;
		return;
	}
	words[CONTROL1] =
		(words[CONTROL1] & ~(uint32_t)OF_ELEMENT) | (element[0] & OF_ELEMENT);
	memcpy(&words[SIZE], &element[1], ELEMENT_SIZE - 4);
	edma->channels[n].loaded = true;
	edma->channels[n].spoilt = false;
}

/* --- moving --- */

/* An element has been worked off. */
static void next_element(struct edma *edma, unsigned n)
{
	uint32_t *words = context(edma, n);
	uint32_t control = words[CONTROL1];
	uint32_t element[ELEMENT_SIZE / 4];
	unsigned job = edma->channels[n].job;
	bool there;

	edma->channels[n].loaded = false;
	set64(&words[LIST], get64(&words[LIST]) + ELEMENT_SIZE);
	/* The block reads ahead [S], so whoever is told of the last element finds the channel
	 * stopped. */
	there = read_element(edma, n, element);
	if (!still(edma, n, job))
		return;
	if (there && !is_mine(words, element[0]))
		edma_channel_halt(edma, n, CS_STOPPED);
	if (control & (LIE | RIE))
		interrupt(edma, n, false, control & LIE, control & RIE);
}

static void complete(struct edma *edma, unsigned n)
{
	uint32_t control = context(edma, n)[CONTROL1];

	if (edma->defects.wrong_status) {
		edma_channel_halt(edma, n, CS_HALTED);
		tell_abort(edma, n);
	} else if (control & LLE) {
		next_element(edma, n);
	} else {
		edma_channel_halt(edma, n, CS_STOPPED);
		interrupt(edma, n, false, control & LIE, control & RIE);
	}
}

static bool copy_in(struct edma *edma, unsigned n, uint64_t from, size_t size)
{
	if (side_of(n) == READ)
		return edma->bus.host_read(edma->bus.user, from, edma->buffer, size);
	return edma->bus.card_read(edma->bus.user, from, edma->buffer, size);
}

/* A write to the host is posted: whether it arrives, nobody tells. */
static bool copy_out(
	struct edma *edma, unsigned n, uint64_t to, const void *data, size_t size)
{
	if (side_of(n) == READ)
		return edma->bus.card_write(edma->bus.user, to, data, size);
	edma->bus.host_write(edma->bus.user, to, data, size);
	return true;
}

static size_t up_to_page(uint64_t address)
{
	return PAGE - address % PAGE;
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* One piece, at most BUDGET bytes; no request crosses a page (PCI Express Base 2.2.7). True:
 * it has been moved, and the channel is still at the same job. */
static bool move_piece(struct edma *edma, unsigned n, size_t size)
{
	const struct edma_defects *defects = &edma->defects;
	struct channel *channel = &edma->channels[n];
	uint32_t *words = context(edma, n);
	uint64_t from = get64(&words[SAR]), to = get64(&words[DAR]);
	unsigned job = channel->job;
	bool arrived = copy_in(edma, n, from, size);
	size_t kept = size;

	if (!still(edma, n, job))
		return false;
	if (!arrived) {
		fail(edma, n, side_of(n) == READ ? ERROR_HOST : ERROR_CARD);
		return false;
	}
	if (defects->wrong_data && !channel->spoilt)
		edma->buffer[0] ^= 1;
	channel->spoilt = true;
	if (defects->truncated)
		kept = smaller(size, words[SIZE] > 4 ? words[SIZE] - 4 : 0);
	arrived = !kept || copy_out(edma, n, to, edma->buffer, kept);
	if (!still(edma, n, job))
		return false;
	if (!arrived) {
		fail(edma, n, ERROR_CARD);
		return false;
	}
	/* [S] The registers show how far it has come. */
	set64(&words[SAR], from + size);
	set64(&words[DAR], to + size);
	words[SIZE] -= (uint32_t)size;
	if (words[SIZE] || !defects->overrun)
		return true;
	copy_out(edma, n, to + size, "\x5a\x5a\x5a\x5a", 4);
	return still(edma, n, job);
}

/* Returns what it cost. */
static size_t step(struct edma *edma, unsigned n, size_t budget)
{
	uint32_t *words = context(edma, n);
	size_t size = smaller(words[SIZE], budget);

	if (!edma->channels[n].loaded) {
		fetch(edma, n);
		return ELEMENT_COST;
	}
	size = smaller(size, up_to_page(get64(&words[SAR])));
	size = smaller(size, up_to_page(get64(&words[DAR])));
	if (edma->defects.lying)
		words[SIZE] = 0;
	else if (size && !move_piece(edma, n, size)) /* [U] zero bytes: done at once */
		return size;
	if (!words[SIZE])
		complete(edma, n);
	return size ? size : 1;
}

bool edma_run(struct edma *edma, size_t budget)
{
	unsigned idle = 0;
	bool more = false;

	if (edma->busy)
		return true;
	edma->busy = true;
	while (budget && idle < CHANNELS) {
		unsigned n = edma->next;

		edma->next = (n + 1) % CHANNELS;
		idle++;
		if (!edma->channels[n].running || edma->channels[n].stuck)
			continue;
		idle = 0;
		budget -= smaller(step(edma, n, budget), budget);
	}
	edma->busy = false;
	for (unsigned n = 0; n < CHANNELS; n++)
		more |= edma->channels[n].running && !edma->channels[n].stuck;
	return more;
}

/* --- doorbells --- */

void edma_channel_start(struct edma *edma, unsigned n)
{
	const struct side *side = &edma_sides[side_of(n)];
	struct channel *channel = &edma->channels[n];
	uint32_t *words = context(edma, n);
	bool deaf = edma->defects.deaf && edma->just_enabled[side_of(n)];

	/* [I] Nothing happens without power or engine, or to a channel that runs. */
	if (!(*reg(edma, side->engine_en) & ENGINE_EN) || channel->running ||
		!(*reg(edma, side->pwr_en + 4 * number_of(n)) & PWR_EN))
		return;
	edma->just_enabled[side_of(n)] = false;
	if (deaf)
		return;
	*channel = (struct channel){ .running = true,
		.loaded = !(words[CONTROL1] & LLE),
		.stuck = edma->defects.stuck,
		.job = channel->job + 1 };
	words[CONTROL1] = (words[CONTROL1] & ~(uint32_t)CS) | CS_RUNNING;
	edma->bus.kick(edma->bus.user);
}

/* [S] A channel stopped by the doorbell says so as one that aborts does. */
void edma_channel_stop(struct edma *edma, unsigned n)
{
	if (!edma->channels[n].running)
		return;
	edma_channel_halt(edma, n, CS_STOPPED);
	tell_abort(edma, n);
}
