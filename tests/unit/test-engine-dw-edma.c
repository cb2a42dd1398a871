/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine of a Metis card against the model of its DMA block that the lab's virtual
 * card has too: what it says of cards that are dead, old or others.
 */
#include "config.h"

#include "dw-edma-scene.h"

static bool probe(void)
{
	g_clear_error(&bench.error);
	return engine->probe(card.vfio, NULL, NULL, false, &bench.error);
}

static void assert_refuses(const char *part)
{
	gint64 before = fake_now();

	if (probe())
		fail_msg("taken, where '%s' was expected", part);
	assert_says(part);
	assert_true(fake_now() - before < 20 * SECOND);
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

/* Who presses Ctrl-C does not wait for it. */
static void test_interrupted_wait(void **state G_GNUC_UNUSED)
{
	gint64 start = fake_now();

	card.ready_at = start + 60 * SECOND;
	mp_vfio_panic();
	assert_refuses("the wait for its firmware was interrupted");
	assert_true(fake_now() - start < SECOND);
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

static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	TEST(test_works),
	TEST(test_dead),
	TEST(test_endless_capabilities),
	TEST(test_firmware_starts),
	TEST(test_interrupted_wait),
	TEST(test_wrong_magic),
	TEST(test_hostile_block),
	TEST(test_other_devices),
	TEST(test_other_block),
	TEST(test_old_firmware),
	TEST(test_small_area),
#undef TEST
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
