/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine of NVMe against a model of a controller: which it takes, and how it starts.
 */
#include "config.h"

#include "nvme-scene.h"

static void test_works(void **state G_GNUC_UNUSED)
{
	struct mp_engine_limits limits;

	assert_true(probe(false));
	start();
	engine->limits(bench.state, &limits);
	assert_int_equal(limits.transfer_max, FAKE_PAGE);
	assert_int_equal(limits.read_size, 8);
	assert_false(limits.cannot_read || limits.reads_any || limits.writes_any);
	/* More than the queues hold, so that they wrap and the phase turns. */
	for (unsigned i = 0; i < 3 * ENTRIES; i++)
		assert_works();
}

static void test_not_one(void **state G_GNUC_UNUSED)
{
	static const struct {
		uint32_t low, high;
		const char *says;
	} caps[] = {
		{ ONES, ONES, "does not answer: all its registers read as ones" },
		{ 0, 0, "all its registers read as zeros: its firmware does not run" },
		{ TIMEOUT << 24, 0, "its queues hold one entry" },
		{ 7 | TIMEOUT << 24, 1 << 16, "its smallest page has 8 KiB, not 4" },
		{ 7 | TIMEOUT << 24, 15, "its doorbells lie behind the 16384 bytes of" },
	};
	const struct mp_pci other = { .class_code = 0x010601 };

	for (size_t i = 0; i < G_N_ELEMENTS(caps); i++) {
		bench.low = caps[i].low;
		bench.high = caps[i].high;
		assert_false(probe(false));
		assert_says(caps[i].says);
		assert_false(init());
		assert_says(caps[i].says);
		assert_null(bench.state);
	}
	g_clear_error(&bench.error);
	assert_false(engine->probe(bench.vfio, NULL, &other, false, &bench.error));
	assert_says("is no NVMe controller: its class is 010601, not 010802");
	fake_vfio_free(bench.vfio);
	plug_in(0x1000);
	assert_false(probe(false));
	assert_says("its BAR 0 of 4096 bytes has no doorbells");
	fake_vfio_free(bench.vfio);
	plug_in(0);
	assert_false(probe(false));
	assert_says("BAR 0 is not there");
	assert_int_equal(bench.commands, 0);
}

static void test_in_use(void **state G_GNUC_UNUSED)
{
	bench.used = true;
	assert_false(probe(false));
	assert_says("in use: / is on nvme0n1p2; the test resets the controller. --force");
	assert_true(probe(true));
}

/* Each in the time that the controller itself asks for. */
static void test_never_ready(void **state G_GNUC_UNUSED)
{
	static const struct {
		enum defect defect;
		const char *says;
		gint64 least, most; /* ms */
	} failures[] = {
		{ NEVER_READY,
			"is not ready within the 2000 ms that it asks for (CAP.TO)", 2000,
			2200 },
		{ FATAL_AT_ENABLE,
			"cannot be enabled: it reports a fatal error (CSTS.CFS)", 100,
			200 },
		{ GONE_AT_ENABLE, "does not answer any more: its status reads as ones", 0,
			200 },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(failures); i++) {
		gint64 before = fake_now();

		bench.defect = failures[i].defect;
		assert_false(init());
		assert_says(failures[i].says);
		assert_true(fake_now() - before >= failures[i].least * MS);
		assert_true(fake_now() - before <= failures[i].most * MS);
		/* Half way through there is something to quiesce. */
		assert_non_null(bench.state);
		bench.defect = NONE;
		bench.gone = false;
		engine->quiesce(bench.state);
		bench.state = NULL;
		assert_false(*reg(0x14) & 1);
	}
	/* CAP.TO of 0 is half a second all the same. */
	gint64 before = fake_now();

	bench.low &= 0xffffff;
	bench.defect = NEVER_READY;
	assert_false(init());
	assert_says("within the 500 ms");
	assert_true(fake_now() - before <= 600 * MS);
}

static void test_never_disabled(void **state G_GNUC_UNUSED)
{
	gint64 before;

	start();
	bench.defect = NEVER_DISABLED;
	before = fake_now();
	g_clear_error(&bench.error);
	assert_false(engine->abort(bench.state, &bench.error));
	assert_says("is not disabled within the 2000 ms that it asks for (CAP.TO)");
	assert_true(fake_now() - before < 2200 * MS);
	/* Nothing is given to it then. */
	bench.commands = 0;
	assert_int_equal(write_host(), MP_ENGINE_ERROR);
	assert_says("was not brought back after its last failure");
	g_clear_error(&bench.error);
	assert_false(engine->raise_irq(bench.state, 0, &bench.error));
	assert_says("was not brought back after its last failure");
	assert_int_equal(bench.commands, 0);
	bench.defect = NONE;
	g_clear_error(&bench.error);
	assert_true(engine->abort(bench.state, &bench.error));
	assert_works();
}

static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	TEST(test_works),
	TEST(test_not_one),
	TEST(test_in_use),
	TEST(test_never_ready),
	TEST(test_never_disabled),
#undef TEST
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
