/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The model of the card, as hostile software sees it: registers and memory are written in any
 * order, between runs and resets, and its DMA reaches its own registers and memory too.
 *
 * The input is records of eight bytes: what, a small number, 16 bits of where, 32 of value.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "../unit/edma-bits.h"
#include "edma.h"
#include "firmware.h"
#include "fuzz.h"

enum { RECORD = 8, RECORDS_MAX = 512, HOST_SIZE = 0x8000 };
#define HOST_BASE 0x149800000u
#define OWN_BAR0  0xe0000000u /* the card, as the bus sees it */
#define OWN_BAR2  0xc0000000u

struct card {
	struct edma *edma;
	struct firmware *firmware;
	uint8_t *memory;
	uint8_t host[HOST_SIZE];
	uint64_t now_ms;
};

static uint8_t *within(
	uint8_t *memory, uint64_t base, uint64_t length, uint64_t address, size_t size)
{
	if (address < base || address - base >= length ||
		size > length - (address - base))
		return NULL;
	return memory + (address - base);
}

static uint8_t *host_place(struct card *card, uint64_t address, size_t size)
{
	uint8_t *place = within(card->host, HOST_BASE, HOST_SIZE, address, size);

	return place ? place
		     : within(card->memory, OWN_BAR2, FIRMWARE_MEMORY_SIZE, address,
			       size);
}

static bool host_read(void *user, uint64_t address, void *data, size_t size)
{
	uint8_t *place = host_place(user, address, size);

	if (place)
		memcpy(data, place, size);
	return place;
}

/* A message may ring a doorbell of the card that sends it, or close its window. */
static void host_write(void *user, uint64_t address, const void *data, size_t size)
{
	struct card *card = user;
	uint8_t *place = host_place(card, address, size);
	uint32_t value;

	if (place)
		memcpy(place, data, size);
	if (place && place >= card->memory && place < card->memory + FIRMWARE_MEMORY_SIZE)
		firmware_written(
			card->firmware, address - OWN_BAR2, (unsigned)size, card->now_ms);
	if (!place && address >> 12 == OWN_BAR0 >> 12 && size >= 4) {
		memcpy(&value, data, 4);
		edma_write(card->edma, address & 0xfff, value);
		edma_run(card->edma, 64);
	}
}

static bool card_read(void *user, uint64_t address, void *data, size_t size)
{
	struct card *card = user;
	uint8_t *place = within(
		card->memory, FIRMWARE_MEMORY_BASE, FIRMWARE_MEMORY_SIZE, address, size);

	if (place)
		memcpy(data, place, size);
	return place;
}

static bool card_write(void *user, uint64_t address, const void *data, size_t size)
{
	struct card *card = user;
	uint8_t *place = within(
		card->memory, FIRMWARE_MEMORY_BASE, FIRMWARE_MEMORY_SIZE, address, size);

	if (!place)
		return false;
	memcpy(place, data, size);
	firmware_written(card->firmware, address - FIRMWARE_MEMORY_BASE, (unsigned)size,
		card->now_ms);
	return true;
}

static void kick(void *user)
{
	(void)user;
}

static bool signalled(void *user, unsigned interrupt, bool aborted)
{
	return firmware_signal(((struct card *)user)->firmware, interrupt, aborted);
}

static void msi(void *user, unsigned vector)
{
	(void)user;
	if (vector >= 32)
		abort();
}

/* Its message may point at the card as well. */
static void message(void *user, uint64_t address, uint32_t data)
{
	host_write(user, address, &data, sizeof(data));
}

static bool msi_message(void *user, uint64_t *address, uint32_t *data)
{
	struct card *card = user;

	*address = OWN_BAR0 | (card->host[0] * 4u);
	*data = card->host[1];
	return card->host[2] & 1;
}

static void own_edma_write(void *user, uint32_t offset, uint32_t value)
{
	edma_write(((struct card *)user)->edma, offset, value);
}

static struct firmware_options options_of(uint32_t bits)
{
	return (struct firmware_options){ .header = bits & 1,
		.descriptors = bits & 2,
		.dma_vm = bits >> 2 & 3,
		.sticky = (bits >> 4 & 3) % 3,
		.window_latched = bits & 0x40,
		.stale_msi = bits & 0x80,
		.beyond_granted = bits & 0x100,
		.wedge_after_flr = bits & 0x200,
		.settle_ms = bits & 0x400 ? 20 : 0,
		.heartbeat_ms = bits & 0x800 ? 0 : 10 };
}

static void perform(struct card *card, const uint8_t *record)
{
	uint32_t small = record[1], where = record[2] | record[3] << 8, value;
	struct edma_defects defects;

	memcpy(&value, record + 4, 4);
	switch (record[0] % 8) {
	case 0: /* a register */
		edma_write(card->edma, where, value);
		edma_read(card->edma, where);
		break;
	case 1: /* the control block and what is behind it */
		memcpy(card->memory + where, &value, 4);
		firmware_written(card->firmware, where, 4, card->now_ms);
		break;
	case 2: /* anything of the memory */
		firmware_written(card->firmware, (uint64_t)value << (small % 40), where,
			card->now_ms);
		break;
	case 3: /* the host's */
		memcpy(card->host + where % (HOST_SIZE - 4), &value, 4);
		break;
	case 4:
		edma_run(card->edma, value % 0x10000);
		break;
	case 5:
		card->now_ms += small;
		if (firmware_run(card->firmware, card->now_ms) <= card->now_ms)
			abort();
		break;
	case 6:
		defects = edma_defects_of(value);
		edma_set_defects(card->edma, &defects);
		break;
	default: /* any but power on, which takes its time */
		if (firmware_reset(card->firmware, 1 + small % 3, card->now_ms))
			edma_reset(card->edma);
		else
			edma_reset_keep_imwr(card->edma);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t memory[FIRMWARE_MEMORY_SIZE];
	struct card card = { .memory = memory };
	struct edma_bus edma_bus = { &card, host_read, host_write, card_read, card_write,
		kick, signalled };
	struct firmware_bus firmware_bus = { .user = &card,
		.host_write = host_write,
		.msi = msi,
		.message = message,
		.msi_message = msi_message,
		.edma_write = own_edma_write };
	struct firmware_options options;

	if (size < 4)
		return 0;
	options = options_of(data[0] | data[1] << 8);
	card.edma = edma_new(&edma_bus);
	card.firmware = firmware_new(memory, &options, &firmware_bus);
	firmware_reset(card.firmware, FIRMWARE_POWER_ON, 0);
	for (size_t at = 4, n = 0; at + RECORD <= size && n < RECORDS_MAX;
		at += RECORD, n++)
		perform(&card, data + at);
	/* Whatever it is at, this ends it. */
	edma_write(card.edma, 0x00c, 0);
	edma_write(card.edma, 0x02c, 0);
	if (edma_run(card.edma, 1000))
		abort();
	edma_free(card.edma);
	firmware_free(card.firmware);
	return 0;
}

MP_FUZZ_MAIN
