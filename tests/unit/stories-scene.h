/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stories-scene.h - the model of the card, the vendor's driver of the scenarios, and a host that
 * knows nothing but an IOMMU: pages, and a table of interrupts. What it blocks is what its
 * kernel would log.
 */
#ifndef MP_STORIES_SCENE_H
#define MP_STORIES_SCENE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edma.h"
#include "firmware.h"
#include "unit.h"
#include "vendor/vendor.h"

#define HOST_WINDOW  0x149800000u /* of a session on the host */
#define GUEST_WINDOW 0x102000000u
#define BUFFERS      0x100000000u
#define COMPATIBLE   "0xfee00000:0x21:1" /* what a guest without vIOMMU puts into its MSI */

enum { HANDLE = 0x20, WORDS_MAX = 16 };

struct fault {
	unsigned reason; /* of VT-d; 0: none yet */
	uint64_t where;  /* address, or index of an interrupt */
	unsigned count;
};

struct scene {
	struct edma *edma;
	struct firmware *firmware;
	struct firmware_options options;
	uint8_t *memory;
	uint8_t window[VENDOR_PAGE], buffers[2 * VENDOR_PAGE];
	uint64_t mapped; /* the window's address in the device's table; the others stay */
	bool master, enabled;
	unsigned handle, vectors; /* the function's MSI, as the host has written it */
	unsigned raised[VENDOR_VECTORS];
	struct fault dma, interrupt;
	uint64_t now_ms;
	unsigned done, wrong;
	struct vendor_io io;
};

/* --- the host --- */

static inline uint8_t *page_at(struct scene *scene, uint64_t address, size_t size)
{
	if (address >= scene->mapped && address + size <= scene->mapped + VENDOR_PAGE)
		return scene->window + (address - scene->mapped);
	if (address >= BUFFERS && address + size <= BUFFERS + sizeof(scene->buffers))
		return scene->buffers + (address - BUFFERS);
	return NULL;
}

static inline void block(struct fault *fault, unsigned reason, uint64_t where)
{
	*fault = (struct fault){ reason, where, fault->count + 1 };
}

/* VT-d specification, interrupt remapping: bit 4 the format, 19:5 and 2 the handle, 3 whether
 * the data counts. */
static inline void deliver(struct scene *scene, uint64_t address, uint32_t data)
{
	unsigned index = (address >> 5 & 0x7fff) | (address >> 2 & 1) << 15;

	if (!(address & 0x10)) {
		block(&scene->interrupt, 0x25, 0);
		return;
	}
	index += address & 8 ? data : 0;
	if (!scene->enabled || index < scene->handle ||
		index >= scene->handle + scene->vectors)
		block(&scene->interrupt, 0x22, index);
	else
		scene->raised[index - scene->handle]++;
}

static inline void host_write(void *user, uint64_t address, const void *data, size_t size)
{
	struct scene *scene = user;
	uint8_t *place = page_at(scene, address, size);
	const uint8_t *bytes = data;

	if (!scene->master)
		return;
	if (address >> 20 == 0xfee)
		deliver(scene, address, bytes[0] | bytes[1] << 8);
	else if (place)
		memcpy(place, data, size);
	else
		block(&scene->dma, 0x05, address);
}

static inline bool host_read(void *user, uint64_t address, void *data, size_t size)
{
	struct scene *scene = user;
	const uint8_t *place = page_at(scene, address, size);

	if (!scene->master)
		return false;
	if (place)
		memcpy(data, place, size);
	else
		block(&scene->dma, 0x06, address);
	return place;
}

static inline bool msi_message(void *user, uint64_t *address, uint32_t *data)
{
	struct scene *scene = user;

	*address = 0xfee00018 | scene->handle << 5;
	*data = 0;
	return scene->enabled;
}

static inline unsigned msi_granted(void *user)
{
	return ((struct scene *)user)->vectors;
}

static inline void msi(void *user, unsigned vector)
{
	struct scene *scene = user;

	deliver(scene, 0xfee00018 | scene->handle << 5, vector);
}

static inline void message(void *user, uint64_t address, uint32_t data)
{
	deliver(user, address, data);
}

/* --- the card --- */

static inline uint8_t *card_at(struct scene *scene, uint64_t address, size_t size)
{
	uint64_t offset = address - FIRMWARE_MEMORY_BASE;

	if (offset >= FIRMWARE_MEMORY_SIZE || size > FIRMWARE_MEMORY_SIZE - offset)
		return NULL;
	return scene->memory + offset;
}

static inline bool card_read(void *user, uint64_t address, void *data, size_t size)
{
	const uint8_t *place = card_at(user, address, size);

	if (place)
		memcpy(data, place, size);
	return place;
}

static inline bool card_write(void *user, uint64_t address, const void *data, size_t size)
{
	uint8_t *place = card_at(user, address, size);

	if (place)
		memcpy(place, data, size);
	return place;
}

static inline void kick(void *user)
{
	(void)user; /* the clock runs it */
}

static inline bool signalled(void *user, unsigned interrupt, bool aborted)
{
	return firmware_signal(((struct scene *)user)->firmware, interrupt, aborted);
}

static inline void own_edma_write(void *user, uint32_t offset, uint32_t value)
{
	edma_write(((struct scene *)user)->edma, offset, value);
}

static inline void pass(struct scene *scene, unsigned ms)
{
	for (uint64_t end = scene->now_ms + ms; scene->now_ms < end;
		scene->now_ms += 50) {
		firmware_run(scene->firmware, scene->now_ms);
		while (edma_run(scene->edma, 1 << 16))
			;
	}
}

/* As VFIO does at each open and close. */
static inline void reset(struct scene *scene)
{
	scene->master = false;
	if (firmware_reset(scene->firmware, FIRMWARE_RESET_FLR, scene->now_ms))
		edma_reset(scene->edma);
	else
		edma_reset_keep_imwr(scene->edma);
	pass(scene, 2000);
}

/* --- the driver --- */

static inline uint32_t read_bar(void *user, unsigned bar, uint32_t offset)
{
	struct scene *scene = user;
	uint32_t value;

	if (bar == 0)
		return edma_read(scene->edma, offset);
	memcpy(&value, scene->memory + offset, 4);
	return value;
}

static inline void write_bar(void *user, unsigned bar, uint32_t offset, uint32_t value)
{
	struct scene *scene = user;

	if (bar == 0) {
		edma_write(scene->edma, offset, value);
		return;
	}
	memcpy(scene->memory + offset, &value, 4);
	firmware_written(scene->firmware, offset, 4, scene->now_ms);
}

static inline void bus_master(void *user, bool on)
{
	((struct scene *)user)->master = on;
}

static inline struct vendor_message enable_msi(void *user)
{
	struct scene *scene = user;
	struct vendor_message found = { .vectors = scene->vectors };

	scene->enabled = true;
	msi_message(scene, &found.address, &found.data);
	return found;
}

static inline void disable_msi(void *user)
{
	((struct scene *)user)->enabled = false;
}

static inline bool raised(void *user, unsigned vector)
{
	struct scene *scene = user;
	bool was = scene->raised[vector];

	scene->raised[vector] = 0;
	return was;
}

static inline void release(void *user)
{
	((struct scene *)user)->mapped = 0;
}

static inline unsigned seconds(void *user)
{
	struct scene *scene = user;

	pass(scene, 50);
	return (unsigned)(scene->now_ms / 1000);
}

static inline void say(void *user, const char *what, const char *how)
{
	struct scene *scene = user;

	if (strcmp(what, "to-card") && strcmp(what, "to-host"))
		return;
	if (!strcmp(how, "done"))
		scene->done++;
	else
		scene->wrong++;
}

/* A session: a driver with its WINDOW mapped does WORDS. */
static inline void play(struct scene *scene, uint64_t window, const char *words)
{
	char text[200], *rest = NULL;
	const char *list[WORDS_MAX];
	unsigned count = 0;
	struct vendor vendor = { .io = &scene->io,
		.window = { window, scene->window },
		.source = { BUFFERS, scene->buffers },
		.back = { BUFFERS + VENDOR_PAGE, scene->buffers + VENDOR_PAGE } };

	scene->mapped = window;
	scene->done = scene->wrong = 0;
	memset(scene->raised, 0, sizeof(scene->raised));
	assert_true(strlen(words) < sizeof(text));
	strcpy(text, words);
	for (char *word = strtok_r(text, " ", &rest); word;
		word = strtok_r(NULL, " ", &rest))
		list[count++] = word;
	assert_true(count <= WORDS_MAX && vendor_run(&vendor, count, list));
}

/* --- */

static inline void insert_card(struct scene *scene)
{
	struct firmware_bus bus = { .user = scene,
		.host_write = host_write,
		.msi = msi,
		.message = message,
		.msi_message = msi_message,
		.msi_granted = msi_granted,
		.edma_write = own_edma_write };

	scene->firmware = firmware_new(scene->memory, &scene->options, &bus);
	assert_non_null(scene->firmware);
	firmware_reset(scene->firmware, FIRMWARE_POWER_ON, 0);
	pass(scene, 2000);
}

/* On the host: 32 vectors from HANDLE on. Leaves by WORDS. */
static inline void host_session(struct scene *scene, const char *leave)
{
	char words[100];

	scene->handle = HANDLE;
	scene->vectors = 32;
	snprintf(words, sizeof(words), "driver=1.4.16 start irq job %s", leave);
	play(scene, HOST_WINDOW, words);
	assert_int_equal(scene->done, 2);
	assert_int_equal(scene->dma.count + scene->interrupt.count, 0);
}

/* For a guest: the host has given VECTORS from another handle on. */
static inline void open_for_guest(struct scene *scene, unsigned handle, unsigned vectors)
{
	reset(scene);
	scene->mapped = GUEST_WINDOW;
	scene->handle = handle;
	scene->vectors = vectors;
}

static inline int setup(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));
	struct edma_bus bus = { scene, host_read, host_write, card_read, card_write, kick,
		signalled };

	assert_non_null(scene);
	scene->memory = calloc(1, FIRMWARE_MEMORY_SIZE);
	assert_non_null(scene->memory);
	scene->edma = edma_new(&bus);
	assert_non_null(scene->edma);
	scene->io = (struct vendor_io){ .user = scene,
		.read = read_bar,
		.write = write_bar,
		.bus_master = bus_master,
		.enable_msi = enable_msi,
		.disable_msi = disable_msi,
		.raised = raised,
		.release = release,
		.seconds = seconds,
		.say = say };
	assert_true(firmware_preset("1.6.0", &scene->options));
	*state = scene;
	return 0;
}

static inline int teardown(void **state)
{
	struct scene *scene = *state;

	firmware_free(scene->firmware);
	edma_free(scene->edma);
	free(scene->memory);
	free(scene);
	return 0;
}

#endif
