/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The engine of a Metis card, whose transfers fail, hang or lie. */
#include "config.h"

#include "dw-edma-scene.h"

static void assert_works_after_abort(void)
{
	g_clear_error(&bench.error);
	if (!engine->abort(bench.state, &bench.error))
		fail_msg("%s", bench.error->message);
	assert_works();
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

static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
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
#undef TEST
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
