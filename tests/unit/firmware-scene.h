/* SPDX-License-Identifier: GPL-2.0-or-later */
/* firmware-scene.h - the virtual card's firmware, and a host that notes what it does. */
#ifndef MP_FIRMWARE_SCENE_H
#define MP_FIRMWARE_SCENE_H

#include <stdlib.h>
#include <string.h>

#include "firmware.h"
#include "unit.h"

/* Offsets in BAR 2 as the vendor's driver has them. */
enum {
	HEADER = 0x000,
	COMMAND = 0x0b0,
	BLOCK_VERSION = 0x200,
	MEMORY_MAP = 0x208,
	DMA_VM = 0x218,
	REF_DATASTREAM = 0x240,
	REF_WINDOW = 0x2b8,
	REF_DESCRIPTORS = 0x2d0,
	REF_VMSI = 0x2e8,
	CTRL = 0,
	TARGET = 8,
	SIZE = 16,
	WINDOW_BYTES = 2 << 20,
	RD0 = 4, /* numbers of events */
	WR0 = 8,
	MESSAGE = 12,
};
#define FIRST_TARGET  0x149800000u
#define SECOND_TARGET 0x200000000u

struct scene {
	uint8_t *memory;
	struct firmware_options options;
	struct firmware *firmware;
	uint32_t window;
	unsigned flags, vectors, messages;
	uint64_t flag_address, message_address;
	uint32_t message_data;
	unsigned vector;
	/* The MSI capability. */
	bool enabled;
	uint64_t address;
	uint32_t data;
	unsigned granted;
	uint32_t edma[0x400];
};

static inline void host_write(void *user, uint64_t address, const void *data, size_t size)
{
	struct scene *scene = user;

	assert_int_equal(size, 4);
	assert_memory_equal(data, "\1\0\0\0", 4);
	scene->flags++;
	scene->flag_address = address;
}

static inline void msi(void *user, unsigned vector)
{
	struct scene *scene = user;

	assert_true(vector < scene->granted);
	scene->vectors++;
	scene->vector = vector;
}

static inline void message(void *user, uint64_t address, uint32_t data)
{
	struct scene *scene = user;

	scene->messages++;
	scene->message_address = address;
	scene->message_data = data;
}

static inline bool msi_message(void *user, uint64_t *address, uint32_t *data)
{
	struct scene *scene = user;

	*address = scene->address;
	*data = scene->data;
	return scene->enabled;
}

static inline unsigned msi_granted(void *user)
{
	return ((struct scene *)user)->granted;
}

static inline void edma_write(void *user, uint32_t offset, uint32_t value)
{
	struct scene *scene = user;

	assert_true(offset % 4 == 0 && offset < sizeof(scene->edma));
	scene->edma[offset / 4] = value;
}

static inline int setup(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));

	assert_non_null(scene);
	scene->memory = calloc(1, FIRMWARE_MEMORY_SIZE);
	assert_non_null(scene->memory);
	scene->enabled = true;
	scene->address = 0xfee00418;
	scene->granted = 32;
	*state = scene;
	return 0;
}

static inline int teardown(void **state)
{
	struct scene *scene = *state;

	firmware_free(scene->firmware);
	free(scene->memory);
	free(scene);
	return 0;
}

static inline uint64_t get(const struct scene *scene, uint64_t offset, unsigned size)
{
	uint64_t value = 0;

	assert_true(offset + size <= FIRMWARE_MEMORY_SIZE);
	for (unsigned i = 0; i < size; i++)
		value |= (uint64_t)scene->memory[offset + i] << (8 * i);
	return value;
}

static inline void put32(
	struct scene *scene, uint64_t offset, uint32_t value, uint64_t now)
{
	for (unsigned i = 0; i < 4; i++)
		scene->memory[offset + i] = (uint8_t)(value >> (8 * i));
	firmware_written(scene->firmware, offset, 4, now);
}

static inline uint32_t area(const struct scene *scene, uint32_t reference, unsigned magic)
{
	assert_int_equal(get(scene, reference, 2), magic);
	return (uint32_t)get(scene, reference + 8, 8);
}

/* A card with the scene's OPTIONS, just switched on, ready at 0. */
static inline void power_on(struct scene *scene)
{
	struct firmware_bus bus = { .user = scene,
		.host_write = host_write,
		.msi = msi,
		.message = message,
		.msi_message = msi_message,
		.msi_granted = msi_granted,
		.edma_write = edma_write };

	scene->firmware = firmware_new(scene->memory, &scene->options, &bus);
	assert_non_null(scene->firmware);
	assert_true(firmware_reset(scene->firmware, FIRMWARE_POWER_ON, 0));
	if (!scene->options.settle_ms && !scene->options.dead)
		scene->window = area(scene, REF_WINDOW, 0xbac1);
}

/* In the driver's order; the last of it NOW. */
static inline void arm(struct scene *scene, uint64_t target, uint64_t now)
{
	uint64_t before = now / 2;

	put32(scene, scene->window + TARGET, (uint32_t)target, before);
	put32(scene, scene->window + TARGET + 4, target >> 32, before);
	put32(scene, scene->window + 4, 0, before);
	put32(scene, scene->window + SIZE, WINDOW_BYTES, before);
	put32(scene, scene->window + CTRL, 1, now);
}

static inline void disarm(struct scene *scene, uint64_t now)
{
	put32(scene, scene->window + CTRL, 0, now);
}

/* An event that is not the eDMA's. */
static inline void command(struct scene *scene)
{
	put32(scene, COMMAND, 1, 0);
	assert_int_equal(get(scene, COMMAND, 4), 0);
}

#endif
