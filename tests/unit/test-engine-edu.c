/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The engine of QEMU's edu against a model of it (docs/specs/edu.rst). */
#include "unit.h"

#include <string.h>

#include "fake-vfio.h"
#include "vfio/engine.h"

#define BAR_SIZE 0x100000u
#define HOST     0x2000000u /* IOVAs */
#define BUFFER   0x40000u
#define MS       1000

static const struct mp_engine *const engine = &mp_engine_edu;

static struct {
	struct mp_vfio *vfio;
	uint32_t id, liveness, irq;
	bool inverts, stuck;
	uint64_t from, to, count, command;
	gint64 ends_at;
	uint8_t buffer[FAKE_PAGE];
	unsigned signals;

	void *state;
	uint8_t *host, *scratch;
	GError *error;
} bench;

/* --- the device --- */

static void pass_time(void *user G_GNUC_UNUSED)
{
	if (!(bench.command & 1) || bench.stuck || fake_now() < bench.ends_at)
		return;
	if (bench.command & 2) {
		assert_int_equal(bench.from, BUFFER);
		fake_host_write(bench.vfio, bench.to, bench.buffer, bench.count);
	} else {
		assert_int_equal(bench.to, BUFFER);
		fake_host_read(bench.vfio, bench.from, bench.buffer, bench.count);
	}
	bench.command &= ~UINT64_C(1);
}

static uint32_t read32(void *user G_GNUC_UNUSED, size_t offset)
{
	switch (offset) {
	case 0x00:
		return bench.id;
	case 0x04:
		return bench.inverts ? ~bench.liveness : bench.liveness;
	case 0x24:
		return bench.irq;
	case 0x98:
		return (uint32_t)bench.command;
	default:
		fail_msg("reads 0x%zx", offset);
		return 0;
	}
}

static void write32(void *user G_GNUC_UNUSED, size_t offset, uint32_t value)
{
	if (offset == 0x04) {
		bench.liveness = value;
	} else if (offset == 0x60) {
		bench.irq |= value;
		bench.signals++;
	} else {
		assert_int_equal(offset, 0x64);
		bench.irq &= ~value;
	}
}

static void write64(void *user G_GNUC_UNUSED, size_t offset, uint64_t value)
{
	uint64_t *const registers[] = { &bench.from, &bench.to, &bench.count,
		&bench.command };

	assert_true(offset >= 0x80 && offset <= 0x98);
	/* It takes nothing while it runs. */
	assert_false(bench.command & 1);
	*registers[(offset - 0x80) / 8] = value;
	if (offset != 0x98)
		return;
	assert_true(bench.count && bench.count < FAKE_PAGE);
	bench.ends_at = fake_now() + 100 * MS;
}

/* --- tests --- */

static void plug_in(size_t size)
{
	const struct fake_model model = {
		.bars = { { size, read32, write32, NULL, write64 } },
		.time = pass_time,
	};

	bench.vfio = fake_vfio_new(&model);
	fake_lend(bench.vfio, bench.host, HOST, bench.scratch, FAKE_PAGE);
}

static int set_up(void **state G_GNUC_UNUSED)
{
	memset(&bench, 0, sizeof(bench));
	bench.id = 0x010000ed;
	bench.inverts = true;
	bench.irq = 4;
	bench.host = g_aligned_alloc0(2, FAKE_PAGE, FAKE_PAGE);
	bench.scratch = bench.host + FAKE_PAGE;
	plug_in(BAR_SIZE);
	return 0;
}

static int tear_down(void **state G_GNUC_UNUSED)
{
	if (bench.state)
		engine->quiesce(bench.state);
	g_clear_error(&bench.error);
	fake_vfio_free(bench.vfio);
	g_aligned_free(bench.host);
	return 0;
}

static bool probe(void)
{
	g_clear_error(&bench.error);
	return engine->probe(bench.vfio, NULL, NULL, false, &bench.error);
}

static void start(void)
{
	const struct mp_engine_scratch scratch = { bench.scratch, FAKE_SCRATCH,
		FAKE_PAGE };

	assert_true(probe());
	assert_true(engine->init(bench.vfio, &scratch, &bench.state, &bench.error));
}

static void assert_says(const char *part)
{
	fake_assert_says(bench.error, part);
}

static void test_works(void **state G_GNUC_UNUSED)
{
	uint8_t sent[FAKE_PAGE];
	uint32_t value;

	start();
	assert_int_equal(bench.irq, 0); /* what was left of an interrupt is gone */
	for (size_t i = 0; i < FAKE_PAGE; i++)
		bench.host[i] = sent[i] = (uint8_t)(i * 5 + (i >> 8));
	assert_int_equal(engine->read_host(bench.state, HOST, 4092, NULL), MP_ENGINE_OK);
	memset(bench.host, 0, FAKE_PAGE);
	assert_int_equal(engine->write_host(bench.state, HOST, 4092, NULL), MP_ENGINE_OK);
	assert_memory_equal(bench.host, sent, 4092);
	assert_true(engine->raise_irq(bench.state, 0, NULL));
	assert_int_equal(bench.irq, 1);
	engine->ack_irq(bench.state, 0);
	assert_int_equal(bench.irq, 0);
	assert_true(engine->send_message(bench.state, HOST + 8, 0x12345678, NULL));
	memcpy(&value, bench.host + 8, 4);
	assert_int_equal(value, 0x12345678);
	assert_int_equal(bench.host[12], sent[12]);
}

static void test_not_one(void **state G_GNUC_UNUSED)
{
	bench.id = 0xffffffff;
	assert_false(probe());
	assert_says("is no edu: its BAR 0 begins with 0xffffffff, not 0x....00ed");
	bench.id = 0x010000ed;
	bench.inverts = false;
	assert_false(probe());
	assert_says("does not answer: its liveness register does not invert");
	fake_vfio_free(bench.vfio);
	plug_in(0x80);
	assert_false(probe());
	assert_says("is no edu: its BAR 0 begins with 0x00000000");
	fake_vfio_free(bench.vfio);
	plug_in(0);
	assert_false(probe());
	assert_says("BAR 0 is not there");
}

static void test_stuck(void **state G_GNUC_UNUSED)
{
	gint64 before = fake_now();

	start();
	bench.stuck = true;
	assert_int_equal(engine->read_host(bench.state, HOST, 64, &bench.error),
		MP_ENGINE_TIMEOUT);
	assert_says("its transfer did not end within 20000 ms");
	assert_true(fake_now() - before >= 20000 * MS);
	g_clear_error(&bench.error);
	assert_false(engine->abort(bench.state, &bench.error));
	assert_says("its transfer did not end within 20000 ms");
	assert_true(fake_now() - before < 42000 * MS);
	/* It is slow, and comes back. */
	bench.stuck = false;
	g_clear_error(&bench.error);
	assert_true(engine->abort(bench.state, &bench.error));
	assert_int_equal(engine->write_host(bench.state, HOST, 64, NULL), MP_ENGINE_OK);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(test_works, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_not_one, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_stuck, set_up, tear_down),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
