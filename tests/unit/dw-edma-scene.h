/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dw-edma-scene.h - the engine of a Metis card, and a model of the card behind its BARs.
 */
#ifndef MP_DW_EDMA_SCENE_H
#define MP_DW_EDMA_SCENE_H

#include "unit.h"

#include <string.h>
#include <unistd.h>

#include "core/dw-edma.h"
#include "core/metis-block.h"
#include "edma.h"
#include "fake-vfio.h"
#include "vfio/engine.h"

#define BASE        0x08000000u /* of BAR 2, for the card */
#define MEMORY      (32u << 20)
#define REFERENCE   0x1000u    /* where the area of descriptors is described */
#define AREA        0x1ff0000u /* and where it is */
#define AREA_SIZE   0x7f80u
#define HOST        0x100000000u /* IOVAs */
#define SECOND      G_GINT64_CONSTANT(1000000)
#define TRANSFER_US 30
#define RUN_BUDGET  (1u << 20)

static const struct mp_engine *const engine = &mp_engine_dw_edma;

static struct card {
	struct mp_vfio *vfio;
	struct edma *edma;
	uint8_t *memory;
	bool kicked;
	gint64 kicked_at;
	enum { ALIVE, ZEROS, ONES } dead;
	gint64 ready_at; /* the magic numbers are absent until then */
	bool takes_over; /* the firmware sends messages itself */
	unsigned taken;
	unsigned doorbells;
	bool memory_stuck;   /* nothing that the host writes by the window stays */
	unsigned dead_after; /* accesses to BAR 0; 0: never */
	unsigned accesses;
} card;

/* --- the card --- */

static inline bool card_host_read(void *user, uint64_t address, void *data, size_t size)
{
	return fake_host_read(((struct card *)user)->vfio, address, data, size);
}

static inline void card_host_write(
	void *user, uint64_t address, const void *data, size_t size)
{
	fake_host_write(((struct card *)user)->vfio, address, data, size);
}

static inline bool in_card(uint64_t address, size_t size)
{
	return address >= BASE && address - BASE <= MEMORY &&
	       size <= MEMORY - (address - BASE);
}

static inline bool card_read(void *user, uint64_t address, void *data, size_t size)
{
	if (!in_card(address, size))
		return false;
	memcpy(data, ((struct card *)user)->memory + (address - BASE), size);
	return true;
}

static inline bool card_write(void *user, uint64_t address, const void *data, size_t size)
{
	if (!in_card(address, size))
		return false;
	/* The only place that the host may use. */
	assert_true(address - BASE >= AREA);
	memcpy(((struct card *)user)->memory + (address - BASE), data, size);
	return true;
}

static inline void kick(void *user)
{
	struct card *c = user;

	c->kicked_at = c->kicked ? c->kicked_at : fake_now();
	c->kicked = true;
}

static inline bool signalled(
	void *user, unsigned interrupt G_GNUC_UNUSED, bool aborted G_GNUC_UNUSED)
{
	struct card *c = user;

	c->taken += c->takes_over;
	return c->takes_over;
}

/* A transfer takes its time, so that who does not wait for its end is seen. */
static inline void run(void *user)
{
	struct card *c = user;

	if (c->kicked && fake_now() >= c->kicked_at + TRANSFER_US)
		c->kicked = edma_run(c->edma, RUN_BUDGET);
}

static inline uint32_t bar0_read(void *user, size_t offset)
{
	struct card *c = user;

	c->accesses++;
	if (c->dead == ONES || (c->dead_after && c->accesses > c->dead_after))
		return 0xffffffff;
	return c->dead == ZEROS ? 0 : edma_read(c->edma, (uint32_t)offset);
}

static inline void bar0_write(void *user, size_t offset, uint32_t value)
{
	struct card *c = user;

	c->accesses++;
	c->doorbells +=
		offset == DW_EDMA_READ_DOORBELL || offset == DW_EDMA_WRITE_DOORBELL;
	if (c->dead == ALIVE)
		edma_write(c->edma, (uint32_t)offset, value);
}

static inline bool is_magic(size_t offset)
{
	return offset == METIS_HDRV || offset == METIS_VMSI;
}

static inline uint32_t bar2_read(void *user, size_t offset)
{
	const struct card *c = user;
	uint32_t value;

	if (c->dead == ONES || (c->dead_after && c->accesses > c->dead_after))
		return 0xffffffff;
	if (c->dead == ZEROS || (is_magic(offset) && fake_now() < c->ready_at))
		return 0;
	memcpy(&value, c->memory + offset, sizeof(value));
	return value;
}

static inline void bar2_write(void *user, size_t offset, uint32_t value)
{
	struct card *c = user;

	assert_true(offset >= AREA);
	if (c->dead == ALIVE && !c->memory_stuck)
		memcpy(c->memory + offset, &value, sizeof(value));
}

static inline void put32(size_t offset, uint32_t value)
{
	memcpy(card.memory + offset, &value, sizeof(value));
}

static inline void put64(size_t offset, uint64_t value)
{
	memcpy(card.memory + offset, &value, sizeof(value));
}

static inline struct mp_vfio *new_card(size_t bar0, size_t bar2)
{
	static uint8_t *memory;
	static const struct edma_bus bus = {
		.user = &card,
		.host_read = card_host_read,
		.host_write = card_host_write,
		.card_read = card_read,
		.card_write = card_write,
		.kick = kick,
		.signalled = signalled,
	};
	const struct fake_model model = {
		.bars = { [METIS_BAR_DMA] = { bar0, bar0_read, bar0_write, NULL, NULL },
			[METIS_BAR_MEMORY] = { bar2, bar2_read, bar2_write, NULL,
				NULL } },
		.user = &card,
		.vectors = { [MP_VFIO_MSI] = FAKE_VECTORS },
		.time = run,
	};

	if (!memory)
		memory = g_malloc0(MEMORY);
	card = (struct card){ .memory = memory, .edma = edma_new(&bus) };
	memset(memory, 0, REFERENCE + 0x100);
	put64(METIS_MEMORY_MAP, BASE);
	put32(METIS_HDRV, METIS_HDRV_MAGIC | 0x0100 << 16);
	put32(METIS_LISTS, METIS_LISTS_MAGIC | 0x0100 << 16);
	put32(METIS_LISTS + METIS_REF_OFFSET, REFERENCE);
	put32(METIS_VMSI, METIS_VMSI_MAGIC | 0x0100 << 16);
	put64(REFERENCE + METIS_LISTS_ADDRESS, BASE + AREA);
	put64(REFERENCE + METIS_LISTS_SIZE, AREA_SIZE);
	for (size_t i = AREA; i < MEMORY; i++)
		memory[i] = (uint8_t)(i * 7 ^ i >> 8);
	card.vfio = fake_vfio_new(&model);
	return card.vfio;
}

static inline void free_card(void)
{
	edma_free(card.edma);
	fake_vfio_free(card.vfio);
}

/* --- a test's own --- */

static struct bench {
	void *state;
	uint8_t *host; /* a page at HOST */
	uint8_t *scratch;
	GError *error;
} bench;

static inline int set_up(void **state G_GNUC_UNUSED)
{
	new_card(EDMA_BAR_SIZE, MEMORY);
	bench = (struct bench){ 0 };
	bench.host = g_aligned_alloc0(2, FAKE_PAGE, FAKE_PAGE);
	bench.scratch = bench.host + FAKE_PAGE;
	fake_lend(card.vfio, bench.host, HOST, bench.scratch, FAKE_PAGE);
	return 0;
}

static inline int tear_down(void **state G_GNUC_UNUSED)
{
	if (bench.state)
		engine->quiesce(bench.state);
	g_clear_error(&bench.error);
	g_aligned_free(bench.host);
	free_card();
	return 0;
}

static inline bool init(void)
{
	const struct mp_engine_scratch scratch = { bench.scratch, FAKE_SCRATCH,
		FAKE_PAGE };

	g_clear_error(&bench.error);
	return engine->init(card.vfio, &scratch, &bench.state, &bench.error);
}

static inline void start(void)
{
	if (!init())
		fail_msg("%s", bench.error->message);
}

static inline void quiesce(void)
{
	engine->quiesce(bench.state);
	bench.state = NULL;
}

static inline enum mp_engine_result read_host(size_t size)
{
	g_clear_error(&bench.error);
	return engine->read_host(bench.state, HOST, size, &bench.error);
}

static inline enum mp_engine_result write_host(size_t size)
{
	g_clear_error(&bench.error);
	return engine->write_host(bench.state, HOST, size, &bench.error);
}

static inline bool check_read(size_t size)
{
	g_clear_error(&bench.error);
	return engine->check_read(bench.state, bench.host, size, &bench.error);
}

static inline void assert_says(const char *part)
{
	fake_assert_says(bench.error, part);
	assert_true(g_str_has_prefix(bench.error->message, FAKE_ADDRESS ": "));
}

static inline void set_defects(struct edma_defects defects)
{
	edma_set_defects(card.edma, &defects);
}

static inline void fill(uint8_t seed)
{
	for (size_t i = 0; i < FAKE_PAGE; i++)
		bench.host[i] = (uint8_t)(seed + i * 3 + (i >> 7));
}

/* Both directions, all of a page. */
static inline void assert_works(void)
{
	g_autofree uint8_t *sent = g_malloc(FAKE_PAGE);

	fill((uint8_t)fake_now());
	memcpy(sent, bench.host, FAKE_PAGE);
	if (read_host(FAKE_PAGE) != MP_ENGINE_OK || !check_read(FAKE_PAGE))
		fail_msg("%s", bench.error->message);
	memset(bench.host, 0xee, FAKE_PAGE);
	if (write_host(FAKE_PAGE) != MP_ENGINE_OK)
		fail_msg("%s", bench.error->message);
	assert_memory_equal(bench.host, sent, FAKE_PAGE);
}

/* DATA, where it is pointed at memory: a message is a write of four bytes. */
static inline void assert_message(uint16_t data)
{
	uint32_t value;

	g_clear_error(&bench.error);
	memset(bench.host + 64, 0xff, 4);
	if (!engine->send_message(bench.state, HOST + 64, data, &bench.error))
		fail_msg("%s", bench.error->message);
	memcpy(&value, bench.host + 64, sizeof(value));
	assert_int_equal(value, data);
}

#endif
