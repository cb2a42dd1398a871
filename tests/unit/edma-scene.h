/* SPDX-License-Identifier: GPL-2.0-or-later */
/* edma-scene.h - a virtual DMA block between a small host and a small card. */
#ifndef MP_EDMA_SCENE_H
#define MP_EDMA_SCENE_H

#include <stdlib.h>
#include <string.h>

#include "edma.h"
#include "unit.h"

enum {
	WR_ENGINE_EN = 0x00c,
	WR_DOORBELL = 0x010,
	WR_INT_STATUS = 0x04c,
	WR_INT_MASK = 0x054,
	WR_INT_CLEAR = 0x058,
	WR_ERR_STATUS = 0x05c,
	WR_DONE_IMWR = 0x060,
	WR_ABORT_IMWR = 0x068,
	WR_IMWR_DATA = 0x070,
	WR_LL_ERR_EN = 0x090,
	WR_PWR_EN = 0x128,
	WR_CHANNEL = 0x200,
	RD_ENGINE_EN = 0x02c,
	RD_DOORBELL = 0x030,
	RD_INT_STATUS = 0x0a0,
	RD_INT_MASK = 0x0a8,
	RD_INT_CLEAR = 0x0ac,
	RD_ERR_STATUS = 0x0b4,
	RD_ERR_STATUS_HIGH = 0x0b8,
	RD_LL_ERR_EN = 0x0c4,
	RD_DONE_IMWR = 0x0cc,
	RD_ABORT_IMWR = 0x0d4,
	RD_IMWR_DATA = 0x0dc,
	RD_CHANNEL = 0x300,
	CHANNEL_STRIDE = 0x200,
	/* of a channel */
	CONTROL1 = 0x00,
	SIZE = 0x08,
	SAR = 0x0c,
	DAR = 0x14,
	LLP = 0x1c,
	/* control1 */
	CB = 1 << 0,
	TCB = 1 << 1,
	IS_LINK = 1 << 2,
	LIE = 1 << 3,
	RIE = 1 << 4,
	CS = 3 << 5,
	RUNNING = 1 << 5,
	HALTED = 2 << 5,
	STOPPED = 3 << 5,
	CCS = 1 << 8,
	LLE = 1 << 9,
};
#define STOP 0x80000000u

/* The host's memory lies above 4 GiB, so that a lost high word is seen; the card's where
 * Metis' lies. What the card says to addresses of messages is kept apart. */
#define HOST_BASE 0x149800000u
#define HOST_SIZE 0x10000u
#define CARD_BASE 0x08000000u
#define CARD_SIZE 0x10000u
#define MESSAGES  0xfee00000u

struct scene {
	struct edma *edma;
	uint8_t host[HOST_SIZE], card[CARD_SIZE];
	unsigned kicks, reads, rejected,
		lost;   /* lost: written to where there is nothing */
	size_t longest; /* access */
	bool crossed;   /* a page, in one access */
	unsigned messages, signals;
	uint64_t message_address;
	uint32_t message_data;
	unsigned interrupt;
	bool aborted;
	bool owner; /* the firmware takes messages over */
	/* Called at each access to the host, to do to the block what it likes. */
	void (*meddle)(struct scene *scene);
};

static inline uint8_t *scene_place(
	uint8_t *memory, uint64_t base, uint64_t length, uint64_t address, size_t size)
{
	if (address < base || address - base > length || size > length - (address - base))
		return NULL;
	return memory + (address - base);
}

static inline void scene_note(struct scene *scene, uint64_t address, size_t size)
{
	if (size > scene->longest)
		scene->longest = size;
	scene->crossed |= address % 4096 + size > 4096;
	if (scene->meddle)
		scene->meddle(scene);
}

static inline bool scene_host_read(void *user, uint64_t address, void *data, size_t size)
{
	struct scene *scene = user;
	uint8_t *from = scene_place(scene->host, HOST_BASE, HOST_SIZE, address, size);

	scene->reads++;
	scene_note(scene, address, size);
	if (!from) {
		scene->rejected++;
		return false;
	}
	memcpy(data, from, size);
	return true;
}

static inline void scene_host_write(
	void *user, uint64_t address, const void *data, size_t size)
{
	struct scene *scene = user;
	uint8_t *to = scene_place(scene->host, HOST_BASE, HOST_SIZE, address, size);
	const uint8_t *bytes = data;

	scene_note(scene, address, size);
	if (to) {
		memcpy(to, data, size);
	} else if ((address & ~(uint64_t)0xfffff) == MESSAGES) {
		assert_int_equal(size, 4);
		scene->messages++;
		scene->message_address = address;
		scene->message_data = bytes[0] | bytes[1] << 8 | bytes[2] << 16 |
				      (uint32_t)bytes[3] << 24;
	} else {
		scene->lost++;
	}
}

static inline bool scene_card_read(void *user, uint64_t address, void *data, size_t size)
{
	struct scene *scene = user;
	uint8_t *from = scene_place(scene->card, CARD_BASE, CARD_SIZE, address, size);

	if (from)
		memcpy(data, from, size);
	return from;
}

static inline bool scene_card_write(
	void *user, uint64_t address, const void *data, size_t size)
{
	struct scene *scene = user;
	uint8_t *to = scene_place(scene->card, CARD_BASE, CARD_SIZE, address, size);

	if (to)
		memcpy(to, data, size);
	return to;
}

static inline void scene_kick(void *user)
{
	((struct scene *)user)->kicks++;
}

static inline bool scene_signalled(void *user, unsigned interrupt, bool aborted)
{
	struct scene *scene = user;

	scene->signals++;
	scene->interrupt = interrupt;
	scene->aborted = aborted;
	return scene->owner;
}

static inline int scene_setup(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));
	struct edma_bus bus = { .user = scene,
		.host_read = scene_host_read,
		.host_write = scene_host_write,
		.card_read = scene_card_read,
		.card_write = scene_card_write,
		.kick = scene_kick,
		.signalled = scene_signalled };

	assert_non_null(scene);
	scene->edma = edma_new(&bus);
	assert_non_null(scene->edma);
	for (unsigned i = 0; i < HOST_SIZE; i++)
		scene->host[i] = (uint8_t)(i * 31 + (i >> 8));
	*state = scene;
	return 0;
}

static inline int scene_teardown(void **state)
{
	struct scene *scene = *state;

	edma_free(scene->edma);
	free(scene);
	return 0;
}

static inline void put(struct scene *scene, uint32_t offset, uint32_t value)
{
	edma_write(scene->edma, offset, value);
}

static inline uint32_t get(struct scene *scene, uint32_t offset)
{
	return edma_read(scene->edma, offset);
}

static inline void put64(struct scene *scene, uint32_t offset, uint64_t value)
{
	put(scene, offset, (uint32_t)value);
	put(scene, offset + 4, (uint32_t)(value >> 32));
}

/* The order of facts: enable, size, control1, addresses, doorbell. */
static inline void start(struct scene *scene, bool write, unsigned number,
	uint32_t control, uint64_t from, uint64_t to, uint32_t size)
{
	uint32_t channel = (write ? WR_CHANNEL : RD_CHANNEL) + number * CHANNEL_STRIDE;

	put(scene, write ? WR_ENGINE_EN : RD_ENGINE_EN, 1);
	put(scene, channel + SIZE, size);
	put(scene, channel + CONTROL1, control);
	put64(scene, channel + SAR, from);
	put64(scene, channel + DAR, to);
	put(scene, write ? WR_DOORBELL : RD_DOORBELL, number);
}

/* Until nothing runs, in small portions; a hang is a failure. */
static inline void run(struct scene *scene)
{
	unsigned rounds = 0;

	while (edma_run(scene->edma, 1000))
		assert_true(++rounds < 10000);
}

static inline uint32_t state_of(struct scene *scene, bool write, unsigned number)
{
	uint32_t base = write ? WR_CHANNEL : RD_CHANNEL;

	return get(scene, base + number * CHANNEL_STRIDE + CONTROL1) & CS;
}

#endif
