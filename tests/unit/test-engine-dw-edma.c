/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine of a Metis card against the model of its DMA block that the lab's virtual card
 * has too: what it says of cards that are dead, hang or lie, and that it leaves nothing behind.
 */
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
#define SCRATCH     0x1000000u
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

static bool card_host_read(void *user, uint64_t address, void *data, size_t size)
{
	return fake_host_read(((struct card *)user)->vfio, address, data, size);
}

static void card_host_write(void *user, uint64_t address, const void *data, size_t size)
{
	fake_host_write(((struct card *)user)->vfio, address, data, size);
}

static bool in_card(uint64_t address, size_t size)
{
	return address >= BASE && address - BASE <= MEMORY &&
	       size <= MEMORY - (address - BASE);
}

static bool card_read(void *user, uint64_t address, void *data, size_t size)
{
	if (!in_card(address, size))
		return false;
	memcpy(data, ((struct card *)user)->memory + (address - BASE), size);
	return true;
}

static bool card_write(void *user, uint64_t address, const void *data, size_t size)
{
	if (!in_card(address, size))
		return false;
	/* The only place that the host may use. */
	assert_true(address - BASE >= AREA);
	memcpy(((struct card *)user)->memory + (address - BASE), data, size);
	return true;
}

static void kick(void *user)
{
	struct card *c = user;

	c->kicked_at = c->kicked ? c->kicked_at : fake_now();
	c->kicked = true;
}

static bool signalled(
	void *user, unsigned interrupt G_GNUC_UNUSED, bool aborted G_GNUC_UNUSED)
{
	struct card *c = user;

	c->taken += c->takes_over;
	return c->takes_over;
}

/* A transfer takes its time, so that who does not wait for its end is seen. */
static void run(void *user)
{
	struct card *c = user;

	if (c->kicked && fake_now() >= c->kicked_at + TRANSFER_US)
		c->kicked = edma_run(c->edma, RUN_BUDGET);
}

static uint32_t bar0_read(void *user, size_t offset)
{
	struct card *c = user;

	c->accesses++;
	if (c->dead == ONES || (c->dead_after && c->accesses > c->dead_after))
		return 0xffffffff;
	return c->dead == ZEROS ? 0 : edma_read(c->edma, (uint32_t)offset);
}

static void bar0_write(void *user, size_t offset, uint32_t value)
{
	struct card *c = user;

	c->accesses++;
	c->doorbells +=
		offset == DW_EDMA_READ_DOORBELL || offset == DW_EDMA_WRITE_DOORBELL;
	if (c->dead == ALIVE)
		edma_write(c->edma, (uint32_t)offset, value);
}

static bool is_magic(size_t offset)
{
	return offset == METIS_HDRV || offset == METIS_VMSI;
}

static uint32_t bar2_read(void *user, size_t offset)
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

static void bar2_write(void *user, size_t offset, uint32_t value)
{
	struct card *c = user;

	assert_true(offset >= AREA);
	if (c->dead == ALIVE && !c->memory_stuck)
		memcpy(c->memory + offset, &value, sizeof(value));
}

static void put32(size_t offset, uint32_t value)
{
	memcpy(card.memory + offset, &value, sizeof(value));
}

static void put64(size_t offset, uint64_t value)
{
	memcpy(card.memory + offset, &value, sizeof(value));
}

static struct mp_vfio *new_card(size_t bar0, size_t bar2)
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

static void free_card(void)
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

static int set_up(void **state G_GNUC_UNUSED)
{
	new_card(EDMA_BAR_SIZE, MEMORY);
	bench = (struct bench){ 0 };
	bench.host = g_aligned_alloc0(2, FAKE_PAGE, FAKE_PAGE);
	bench.scratch = bench.host + FAKE_PAGE;
	mp_vfio_bus_master(card.vfio, true, NULL);
	mp_vfio_map(card.vfio, bench.host, HOST, FAKE_PAGE, MP_VFIO_READ | MP_VFIO_WRITE,
		NULL);
	mp_vfio_map(card.vfio, bench.scratch, SCRATCH, FAKE_PAGE,
		MP_VFIO_READ | MP_VFIO_WRITE, NULL);
	return 0;
}

static int tear_down(void **state G_GNUC_UNUSED)
{
	if (bench.state)
		engine->quiesce(bench.state);
	g_clear_error(&bench.error);
	g_aligned_free(bench.host);
	free_card();
	return 0;
}

static bool probe(void)
{
	g_clear_error(&bench.error);
	return engine->probe(card.vfio, NULL, NULL, false, &bench.error);
}

static bool init(void)
{
	const struct mp_engine_scratch scratch = { bench.scratch, SCRATCH, FAKE_PAGE };

	g_clear_error(&bench.error);
	return engine->init(card.vfio, &scratch, &bench.state, &bench.error);
}

static void start(void)
{
	if (!init())
		fail_msg("%s", bench.error->message);
}

static void quiesce(void)
{
	engine->quiesce(bench.state);
	bench.state = NULL;
}

static enum mp_engine_result read_host(size_t size)
{
	g_clear_error(&bench.error);
	return engine->read_host(bench.state, HOST, size, &bench.error);
}

static enum mp_engine_result write_host(size_t size)
{
	g_clear_error(&bench.error);
	return engine->write_host(bench.state, HOST, size, &bench.error);
}

static bool check_read(size_t size)
{
	g_clear_error(&bench.error);
	return engine->check_read(bench.state, bench.host, size, &bench.error);
}

static void assert_says(const char *part)
{
	assert_non_null(bench.error);
	if (!strstr(bench.error->message, part))
		fail_msg("'%s' lacks '%s'", bench.error->message, part);
	assert_true(g_str_has_prefix(bench.error->message, FAKE_ADDRESS ": "));
}

static void assert_refuses(const char *part)
{
	gint64 before = fake_now();

	if (probe())
		fail_msg("taken, where '%s' was expected", part);
	assert_says(part);
	assert_true(fake_now() - before < 20 * SECOND);
}

static void set_defects(struct edma_defects defects)
{
	edma_set_defects(card.edma, &defects);
}

static void fill(uint8_t seed)
{
	for (size_t i = 0; i < FAKE_PAGE; i++)
		bench.host[i] = (uint8_t)(seed + i * 3 + (i >> 7));
}

/* Both directions, all of a page. */
static void assert_works(void)
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

static void assert_works_after_abort(void)
{
	g_clear_error(&bench.error);
	if (!engine->abort(bench.state, &bench.error))
		fail_msg("%s", bench.error->message);
	assert_works();
}

/* DATA, where it is pointed at memory: a message is a write of four bytes. */
static void assert_message(uint16_t data)
{
	uint32_t value;

	g_clear_error(&bench.error);
	memset(bench.host + 64, 0xff, 4);
	if (!engine->send_message(bench.state, HOST + 64, data, &bench.error))
		fail_msg("%s", bench.error->message);
	memcpy(&value, bench.host + 64, sizeof(value));
	assert_int_equal(value, data);
}

static void test_works(void **state G_GNUC_UNUSED)
{
	struct mp_engine_limits limits;

	assert_true(probe());
	start();
	engine->limits(bench.state, &limits);
	assert_int_equal(limits.transfer_max, 4096);
	assert_int_equal(limits.transfer_align, 4);
	assert_int_equal(limits.address_bits, 64);
	assert_true(limits.programmed_irq && limits.reads_any && limits.writes_any);
	for (unsigned i = 0; i < 3; i++)
		assert_works();
	fill(9);
	assert_int_equal(read_host(4), MP_ENGINE_OK);
	assert_true(check_read(4));
}

/* --- cards that cannot be tested --- */

static void test_dead(void **state G_GNUC_UNUSED)
{
	card.dead = ZEROS;
	assert_refuses("all its registers read as zeros: its firmware does not run");
	card.dead = ONES;
	assert_refuses("all its registers read as ones, although its configuration space "
		       "answers: its inside hangs");
	fake_vfio_set_config(card.vfio, 0x04, 2, 0);
	assert_refuses("read as ones, because its memory decoding is off");
	fake_vfio_set_config(card.vfio, 0x34, 1, 0x40);
	fake_vfio_set_config(card.vfio, 0x40, 2, 0x5005); /* another one in front */
	fake_vfio_set_config(card.vfio, 0x50, 2, 0x0001);
	fake_vfio_set_config(card.vfio, 0x54, 2, 0x3);
	assert_refuses("read as ones, because it sleeps (power state D3)");
	fake_vfio_set_config(card.vfio, 0x08, 4, 0xffffffff);
	assert_refuses("and its configuration space too: its link is down");
}

/* A list of capabilities that has no end is no reason to search for ever. */
static void test_endless_capabilities(void **state G_GNUC_UNUSED)
{
	card.dead = ONES;
	fake_vfio_set_config(card.vfio, 0x34, 1, 0x40);
	fake_vfio_set_config(card.vfio, 0x40, 2, 0x4005);
	assert_refuses("although its configuration space answers");
}

static void test_firmware_starts(void **state G_GNUC_UNUSED)
{
	gint64 start = fake_now();

	card.ready_at = start + 5 * SECOND;
	assert_true(probe());
	assert_true(fake_now() - start >= 5 * SECOND);
	assert_true(fake_now() - start < 6 * SECOND);
}

static void test_wrong_magic(void **state G_GNUC_UNUSED)
{
	put32(METIS_HDRV, 0xbac2);
	assert_refuses("is none that is known: BAR 2 shows 0xbac2 at 0x2b8 and 0xb5b5 at "
		       "0x2e8, where 0xbac1 and 0xb5b5 have to be");
	put32(METIS_HDRV, METIS_HDRV_MAGIC);
	put32(METIS_VMSI, 0);
	assert_refuses("0xbac1 at 0x2b8 and 0x0000 at 0x2e8");
}

/* What it says of itself is not followed anywhere. */
static void test_hostile_block(void **state G_GNUC_UNUSED)
{
	static const uint64_t nowhere[] = { 0, 0x7fc, 0x1002, MEMORY, MEMORY - 8,
		UINT64_MAX - 3, UINT64_C(1) << 32 };
	static const struct {
		uint64_t address, size;
	} areas[] = { { BASE - 4, 0x1000 }, { BASE, 0x1000 }, { BASE + 0x700, 0x1000 },
		{ BASE + AREA, MEMORY }, { BASE + AREA, 3 }, { BASE + AREA + 2, 0x1000 },
		{ BASE + MEMORY, 4 }, { BASE + AREA, UINT64_MAX }, { UINT64_MAX - 3, 4 },
		{ 0, 0x1000 } };

	for (size_t i = 0; i < G_N_ELEMENTS(nowhere); i++) {
		put64(METIS_LISTS + METIS_REF_OFFSET, nowhere[i]);
		assert_refuses("describes the place for DMA lists at 0x");
	}
	put64(METIS_LISTS + METIS_REF_OFFSET, REFERENCE);
	for (size_t i = 0; i < G_N_ELEMENTS(areas); i++) {
		put64(REFERENCE + METIS_LISTS_ADDRESS, areas[i].address);
		put64(REFERENCE + METIS_LISTS_SIZE, areas[i].size);
		assert_refuses(
			"which is not in BAR 2 (from 0x8000000 on, 0x2000000 bytes)");
	}
}

static void test_other_devices(void **state G_GNUC_UNUSED)
{
	static const struct {
		size_t bar0, bar2;
		const char *says;
	} devices[] = {
		{ 0, MEMORY, "BAR 0 is not there" },
		{ EDMA_BAR_SIZE, 0, "BAR 2 is not there" },
		{ 0x200, MEMORY,
			"BAR 0 of 512 and BAR 2 of 33554432 bytes are too small" },
		{ EDMA_BAR_SIZE, 0x400, "BAR 2 of 1024 bytes are too small" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(devices); i++) {
		free_card();
		new_card(devices[i].bar0, devices[i].bar2);
		assert_refuses(devices[i].says);
	}
	/* Old firmware, and no room where it should be. */
	free_card();
	new_card(EDMA_BAR_SIZE, MEMORY / 2);
	put32(METIS_LISTS, 0);
	assert_refuses("names no place for DMA lists, and BAR 2 of 16777216 bytes is too "
		       "small");
}

static uint32_t few_channels(void *user G_GNUC_UNUSED, size_t offset G_GNUC_UNUSED)
{
	return 2 | 4 << 16;
}

static void test_other_block(void **state G_GNUC_UNUSED)
{
	const struct fake_model model = {
		.bars = { [METIS_BAR_DMA] = { EDMA_BAR_SIZE, few_channels, NULL, NULL,
				  NULL },
			[METIS_BAR_MEMORY] = { MEMORY, bar2_read, NULL, NULL, NULL } },
		.user = &card,
	};

	fake_vfio_free(card.vfio);
	card.vfio = fake_vfio_new(&model);
	assert_refuses("says 0x00040002 at 0x8 of BAR 0, where four write and four read "
		       "channels have to be");
}

/* --- transfers --- */

static void test_old_firmware(void **state G_GNUC_UNUSED)
{
	g_autofree uint8_t *before = g_malloc(MEMORY);

	put32(METIS_LISTS, 0);
	memcpy(before, card.memory, MEMORY);
	start();
	assert_works();
	/* Where it has to be by agreement, and nowhere else. */
	assert_memory_equal(card.memory + METIS_FIXED_OFFSET, bench.host, FAKE_PAGE);
	assert_memory_equal(card.memory, before, METIS_FIXED_OFFSET);
	quiesce();
	assert_memory_equal(card.memory, before, MEMORY);
}

static void test_small_area(void **state G_GNUC_UNUSED)
{
	struct mp_engine_limits limits;

	put64(REFERENCE + METIS_LISTS_SIZE, 0x107);
	start();
	engine->limits(bench.state, &limits);
	assert_int_equal(limits.transfer_max, 0x104);
	assert_int_equal(read_host(0x104), MP_ENGINE_OK);
}

static void test_wrong_data(void **state G_GNUC_UNUSED)
{
	start();
	fill(1);
	set_defects((struct edma_defects){ .wrong_data = true });
	assert_int_equal(read_host(64), MP_ENGINE_OK);
	assert_false(check_read(64));
	assert_says("byte 0 in its memory is 0x00, not 0x01");
	set_defects((struct edma_defects){ .truncated = true });
	fill(2);
	assert_int_equal(read_host(64), MP_ENGINE_OK);
	assert_false(check_read(64));
	assert_says("byte 60 in its memory");
	set_defects((struct edma_defects){ .lying = true });
	fill(3);
	assert_int_equal(read_host(64), MP_ENGINE_OK);
	assert_false(check_read(64));
}

/* Reads tell that they were refused, writes do not. */
static void test_refused(void **state G_GNUC_UNUSED)
{
	start();
	mp_vfio_unmap(card.vfio, HOST, FAKE_PAGE, NULL);
	assert_int_equal(read_host(64), MP_ENGINE_ERROR);
	assert_says(
		"its read channel 3 was aborted: the host answered Unsupported Request "
		"(interrupt status 0x00080000, error status 0x00000000 0x00000008)");
	assert_int_equal(write_host(64), MP_ENGINE_OK);
	mp_vfio_map(card.vfio, bench.host, HOST, FAKE_PAGE, MP_VFIO_READ, NULL);
	fill(1);
	assert_int_equal(read_host(64), MP_ENGINE_OK);
	fill(2);
	assert_int_equal(write_host(64), MP_ENGINE_OK);
	assert_int_equal(bench.host[0], 2);
	mp_vfio_unmap(card.vfio, HOST, FAKE_PAGE, NULL);
	mp_vfio_map(card.vfio, bench.host, HOST, FAKE_PAGE, MP_VFIO_READ | MP_VFIO_WRITE,
		NULL);
	assert_works_after_abort();
}

static void test_wrong_status(void **state G_GNUC_UNUSED)
{
	start();
	set_defects((struct edma_defects){ .wrong_status = true });
	assert_int_equal(read_host(64), MP_ENGINE_ERROR);
	assert_says("its read channel 3 was aborted: it does not say why");
	assert_int_equal(write_host(64), MP_ENGINE_ERROR);
	assert_says("its write channel 3 was aborted: it does not say why");
	set_defects((struct edma_defects){ 0 });
	assert_works_after_abort();
}

static void test_stuck(void **state G_GNUC_UNUSED)
{
	gint64 before;
	struct mp_engine_limits limits;

	start();
	engine->limits(bench.state, &limits);
	set_defects((struct edma_defects){ .stuck = true });
	before = fake_now();
	assert_int_equal(read_host(64), MP_ENGINE_TIMEOUT);
	assert_says("its read channel 3 did not end within 5000 ms");
	assert_true(fake_now() - before >= limits.timeout_ms * 1000);
	assert_true(fake_now() - before < limits.timeout_ms * 1100);
	set_defects((struct edma_defects){ 0 });
	assert_works_after_abort();
}

/* The first doorbell after each enable is lost. */
static void test_deaf(void **state G_GNUC_UNUSED)
{
	unsigned before;

	set_defects((struct edma_defects){ .deaf = true });
	start();
	before = card.doorbells;
	assert_works();
	assert_int_equal(card.doorbells - before, 4);
	assert_works();
	assert_int_equal(card.doorbells - before, 6);
}

/* Nothing that is rung is heard. */
static void test_silent(void **state G_GNUC_UNUSED)
{
	start();
	edma_write(card.edma, DW_EDMA_READ_ENGINE_EN, 0);
	assert_int_equal(read_host(64), MP_ENGINE_TIMEOUT);
	assert_says(
		"its read channel 3 did not start within 5000 ms, though its doorbell "
		"was rung ");
	assert_works_after_abort();
}

static void test_falls_off(void **state G_GNUC_UNUSED)
{
	start();
	set_defects((struct edma_defects){ .stuck = true });
	card.dead_after = card.accesses + 20;
	assert_int_equal(read_host(64), MP_ENGINE_ERROR);
	assert_says("does not answer any more: its registers read as ones");
	g_clear_error(&bench.error);
	assert_false(engine->abort(bench.state, &bench.error));
	assert_says("does not answer any more: its registers read as ones");
}

/* A channel that even switching its engine off does not stop. */
static uint32_t always_running(void *user, size_t offset)
{
	uint32_t value = bar0_read(user, offset);

	return offset == DW_EDMA_READ_CHANNEL(3) ? DW_EDMA_CS_RUNNING << 5 : value;
}

static void test_unstoppable(void **state G_GNUC_UNUSED)
{
	const struct fake_model model = {
		.bars = { [METIS_BAR_DMA] = { EDMA_BAR_SIZE, always_running, bar0_write,
				  NULL, NULL },
			[METIS_BAR_MEMORY] = { MEMORY, bar2_read, bar2_write, NULL,
				NULL } },
		.user = &card,
	};

	fake_vfio_free(card.vfio);
	card.vfio = fake_vfio_new(&model);
	assert_false(init());
	assert_says(
		"its read channel 3 goes on 1000 ms after its engine was switched off");
	/* Half way through, and there is something to put back. */
	assert_non_null(bench.state);
}

static void test_memory_stuck(void **state G_GNUC_UNUSED)
{
	card.memory_stuck = true;
	assert_false(init());
	assert_says(
		"its memory does not keep what is written: 0x5a5aa5a5 at 0x1ff0000 of "
		"BAR 2 became 0x");
}

/* What nobody knows of the silicon: either way it has to work. */
static void test_unknowns(void **state G_GNUC_UNUSED)
{
	static const struct edma_defects unknowns[] = {
		{ .status_kept = true },
		{ .status_kept = true, .status_quiet = true },
		{ .mask_ignored = true },
		{ .power_off = true },
		{ .soft_reset_all = true },
		{ .soft_reset_all = true,
			.status_kept = true,
			.power_off = true,
			.deaf = true },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(unknowns); i++) {
		set_defects(unknowns[i]);
		edma_reset(card.edma);
		start();
		for (unsigned n = 0; n < 3; n++)
			assert_works();
		assert_message(0x1234);
		assert_works_after_abort();
		assert_message(0x4321);
		quiesce();
	}
}

/* --- messages --- */

static void test_vectors(void **state G_GNUC_UNUSED)
{
	const int *fds;
	uint64_t count;

	start();
	mp_vfio_irq_enable(card.vfio, MP_VFIO_MSI, FAKE_VECTORS, &fds, NULL);
	for (unsigned n = 0; n < FAKE_VECTORS; n++) {
		assert_true(engine->send_message(
			bench.state, FAKE_MESSAGE, FAKE_DATA + n, &bench.error));
		for (unsigned i = 0; i < FAKE_VECTORS; i++) {
			ssize_t got = read(fds[i], &count, sizeof(count));

			assert_int_equal(got, i == n ? (ssize_t)sizeof(count) : -1);
			assert_true(i != n || count == 1);
		}
	}
}

static void test_plain_message(void **state G_GNUC_UNUSED)
{
	start();
	memset(bench.host, 0xee, FAKE_PAGE);
	assert_message(0xbeef);
	/* Four bytes, and nothing around them. */
	for (size_t i = 0; i < FAKE_PAGE; i++)
		assert_true(i / 4 == 16 || bench.host[i] == 0xee);
	assert_false(
		engine->send_message(bench.state, FAKE_MESSAGE, 0x10000, &bench.error));
	assert_says(
		"cannot write 0x10000 to 0xfee00218 as a message: its DMA block has 16 "
		"bits");
	g_clear_error(&bench.error);
	assert_false(
		engine->send_message(bench.state, FAKE_MESSAGE + 2, 1, &bench.error));
	g_clear_error(&bench.error);
	set_defects((struct edma_defects){ .drop_irq = true });
	memset(bench.host, 0xee, FAKE_PAGE);
	assert_true(engine->send_message(bench.state, HOST + 64, 0xbeef, &bench.error));
	assert_int_equal(bench.host[64], 0xee);
}

/* One that is aborted sends nothing to where somebody else's message went. */
static void test_abort_message(void **state G_GNUC_UNUSED)
{
	edma_write(card.edma, DW_EDMA_WRITE_ABORT_IMWR_LOW, (uint32_t)HOST + 128);
	edma_write(card.edma, DW_EDMA_WRITE_ABORT_IMWR_HI, HOST >> 32);
	edma_write(card.edma, DW_EDMA_WRITE_IMWR_DATA(3), 0xbadbad);
	start();
	set_defects((struct edma_defects){ .wrong_status = true });
	assert_false(engine->send_message(bench.state, HOST + 64, 0x1111, &bench.error));
	assert_says("its write channel 3 was aborted");
	assert_int_equal(bench.host[64], 0x11);
	for (size_t i = 128; i < FAKE_PAGE; i++)
		assert_int_equal(bench.host[i], 0);
}

/* Firmware that offers DMA in a VM may send messages of its own instead; it is asked. */
static void test_taken_over(void **state G_GNUC_UNUSED)
{
	struct mp_engine_limits limits;

	put32(METIS_DMA_VM, METIS_DMA_VM_YES);
	start();
	engine->limits(bench.state, &limits);
	assert_true(limits.programmed_irq);
	quiesce();
	card.takes_over = true;
	start();
	engine->limits(bench.state, &limits);
	assert_false(limits.programmed_irq);
	assert_int_equal(card.taken, 1);
	assert_works();
}

/* --- nothing is left behind --- */

static uint32_t pattern(uint32_t reg)
{
	return reg * 0x01010101u ^ 0x5a3c0000u;
}

static void test_restores(void **state G_GNUC_UNUSED)
{
	static const uint32_t registers[] = { DW_EDMA_WRITE_DONE_IMWR_LOW,
		DW_EDMA_WRITE_DONE_IMWR_HI, DW_EDMA_WRITE_ABORT_IMWR_LOW,
		DW_EDMA_WRITE_ABORT_IMWR_HI, DW_EDMA_WRITE_IMWR_DATA(0),
		DW_EDMA_WRITE_IMWR_DATA(3), DW_EDMA_READ_DONE_IMWR_LOW,
		DW_EDMA_READ_DONE_IMWR_HI, DW_EDMA_READ_ABORT_IMWR_LOW,
		DW_EDMA_READ_ABORT_IMWR_HI, DW_EDMA_READ_IMWR_DATA(0),
		DW_EDMA_READ_IMWR_DATA(3), DW_EDMA_READ_CHANNEL(3) + DW_EDMA_SIZE,
		DW_EDMA_READ_CHANNEL(3) + DW_EDMA_SAR_LOW,
		DW_EDMA_READ_CHANNEL(3) + DW_EDMA_DAR_HI,
		DW_EDMA_WRITE_CHANNEL(3) + DW_EDMA_SAR_HI,
		DW_EDMA_WRITE_CHANNEL(3) + DW_EDMA_DAR_LOW };
	uint32_t before[EDMA_BAR_SIZE / 4];
	g_autofree uint8_t *memory = g_malloc(MEMORY);

	for (size_t i = 0; i < G_N_ELEMENTS(registers); i++)
		edma_write(card.edma, registers[i], pattern(registers[i]));
	edma_write(card.edma, DW_EDMA_READ_INT_MASK, 0x00ff00ff);
	edma_write(card.edma, DW_EDMA_WRITE_INT_MASK, 0x000f000f);
	edma_write(card.edma, DW_EDMA_READ_ENGINE_EN, 1);
	edma_write(card.edma, DW_EDMA_WRITE_ENGINE_EN, 1);
	for (uint32_t i = 0; i < EDMA_BAR_SIZE; i += 4)
		before[i / 4] = edma_read(card.edma, i);
	memcpy(memory, card.memory, MEMORY);
	start();
	assert_works();
	assert_message(0x7777);
	mp_vfio_unmap(card.vfio, HOST, FAKE_PAGE, NULL);
	assert_int_equal(read_host(64), MP_ENGINE_ERROR);
	quiesce();
	assert_memory_equal(card.memory, memory, MEMORY);
	for (uint32_t i = 0; i < EDMA_BAR_SIZE; i += 4) {
		uint32_t now = edma_read(card.edma, i);

		/* But for the engines, which are left off. */
		if (i == DW_EDMA_READ_ENGINE_EN || i == DW_EDMA_WRITE_ENGINE_EN)
			assert_int_equal(now, 0);
		else if (now != before[i / 4])
			fail_msg("register 0x%x was 0x%x and is 0x%x", i, before[i / 4],
				now);
	}
}

static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	TEST(test_works),
	TEST(test_dead),
	TEST(test_endless_capabilities),
	TEST(test_firmware_starts),
	TEST(test_wrong_magic),
	TEST(test_hostile_block),
	TEST(test_other_devices),
	TEST(test_other_block),
	TEST(test_old_firmware),
	TEST(test_small_area),
	TEST(test_wrong_data),
	TEST(test_refused),
	TEST(test_wrong_status),
	TEST(test_stuck),
	TEST(test_deaf),
	TEST(test_silent),
	TEST(test_falls_off),
	TEST(test_unstoppable),
	TEST(test_memory_stuck),
	TEST(test_unknowns),
	TEST(test_vectors),
	TEST(test_plain_message),
	TEST(test_abort_message),
	TEST(test_taken_over),
	TEST(test_restores),
#undef TEST
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
