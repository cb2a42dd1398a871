/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine of NVMe against a model of a controller: what its commands end with, and
 * that it leaves nothing behind.
 */
#include "config.h"

#include <unistd.h>

#include "nvme-scene.h"

static void test_commands(void **state G_GNUC_UNUSED)
{
	static const struct {
		enum defect defect;
		enum mp_engine_result result;
		const char *says;
	} failures[] = {
		{ FATAL_AT_COMMAND, MP_ENGINE_ERROR,
			"stopped with a fatal error (CSTS.CFS)" },
		{ GONE_AT_COMMAND, MP_ENGINE_ERROR,
			"does not answer any more: its status reads as ones" },
		{ MUTE, MP_ENGINE_TIMEOUT,
			"its command did not complete within 10000 ms" },
		{ WRONG_PHASE, MP_ENGINE_TIMEOUT,
			"its command did not complete within 10000 ms" },
		{ WRONG_ID, MP_ENGINE_ERROR, "completed command " },
		{ FAILS, MP_ENGINE_ERROR, "its command failed with status 0/0x06" },
	};

	start();
	for (size_t i = 0; i < G_N_ELEMENTS(failures); i++) {
		gint64 before = fake_now();

		bench.defect = failures[i].defect;
		assert_int_equal(write_host(), failures[i].result);
		assert_says(failures[i].says);
		assert_true(fake_now() - before < 11000 * MS);
		bench.defect = NONE;
		bench.gone = false;
		g_clear_error(&bench.error);
		assert_true(engine->abort(bench.state, &bench.error));
		assert_works();
	}
}

static void test_identities(void **state G_GNUC_UNUSED)
{
	static const struct {
		enum defect defect;
		const char *says;
	} failures[] = {
		{ WRONG_VENDOR, "names vendor 1234 and subsystem vendor 1f9d, its "
				"configuration space 1f9d and 1f9d" },
		{ WRONG_SUBVENDOR, "names vendor 1f9d and subsystem vendor 1234" },
		{ NO_TEXT,
			"has byte 0x09 at offset 63, where serial number and model are "
			"text" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(failures); i++) {
		bench.defect = failures[i].defect;
		assert_false(init());
		assert_says(failures[i].says);
		assert_true(
			g_str_has_prefix(bench.error->message, "the first Identify: "));
		engine->quiesce(bench.state);
		bench.state = NULL;
		bench.defect = NONE;
		start();
		bench.defect = failures[i].defect;
		assert_int_equal(write_host(), MP_ENGINE_OK);
		assert_false(check_written(FAKE_PAGE));
		assert_says(failures[i].says);
		engine->quiesce(bench.state);
		bench.state = NULL;
	}
	bench.defect = CHANGES;
	start();
	assert_int_equal(write_host(), MP_ENGINE_OK);
	assert_false(check_written(FAKE_PAGE));
	assert_says("differs from its first Identify at offset 100: 0x");
	assert_false(check_written(64));
	assert_says("64 bytes cannot be what it wrote");
}

static void test_clock(void **state G_GNUC_UNUSED)
{
	struct mp_engine_limits limits;

	bench.defect = NO_CLOCK;
	start();
	engine->limits(bench.state, &limits);
	assert_true(limits.cannot_read);
	assert_int_equal(read_host(), MP_ENGINE_ERROR);
	assert_says("has no clock (ONCS)");
	engine->quiesce(bench.state);
	bench.defect = CLOCK_IS_DEAF;
	start();
	memset(bench.host, 0x77, 8);
	assert_int_equal(read_host(), MP_ENGINE_OK);
	assert_false(check_read());
	assert_says("its clock was set to 0x777777777777 and shows 0x");
	bench.defect = CLOCK_FAILS;
	assert_int_equal(read_host(), MP_ENGINE_ERROR);
	assert_says("its command failed with status 1/0x02");
	/* Memory that it may not read. */
	bench.defect = NONE;
	mp_vfio_unmap(bench.vfio, HOST, FAKE_PAGE, NULL);
	assert_int_equal(read_host(), MP_ENGINE_ERROR);
	assert_says("its command failed with status 0/0x04");
	assert_int_equal(write_host(), MP_ENGINE_OK);
}

static void test_interrupt(void **state G_GNUC_UNUSED)
{
	start();
	g_clear_error(&bench.error);
	assert_true(engine->raise_irq(bench.state, 0, &bench.error));
	engine->ack_irq(bench.state, 0);
	assert_false(engine->raise_irq(bench.state, 1, &bench.error));
	assert_says("cannot raise vector 1: its admin queue has vector 0");
	assert_works();
}

static bool signalled(int fd)
{
	uint64_t count = 0;

	return read(fd, &count, sizeof(count)) == sizeof(count) && count == 1;
}

/* QEMU 7.2's controller, which no driver of the host's had before us. */
static void test_vectors_first(void **state G_GNUC_UNUSED)
{
	const int *fds;

	bench.defect = DEAF_TO_LATE_VECTORS;
	start();
	assert_true(mp_vfio_irq_enable(bench.vfio, MP_VFIO_MSIX, 2, &fds, NULL));
	assert_true(engine->raise_irq(bench.state, 0, &bench.error));
	assert_false(signalled(fds[0]));
	assert_true(engine->irqs_on(bench.state, &bench.error));
	for (unsigned i = 0; i < 3 * ENTRIES; i++) {
		assert_true(engine->raise_irq(bench.state, 0, &bench.error));
		engine->ack_irq(bench.state, 0);
		assert_true(signalled(fds[0]));
	}
	assert_works();
	/* One that does not come back says so, and is given nothing more. */
	bench.defect = NEVER_READY;
	assert_false(engine->irqs_on(bench.state, &bench.error));
	assert_says("is not ready within the 2000 ms that it asks for (CAP.TO)");
	g_clear_error(&bench.error);
	assert_false(engine->raise_irq(bench.state, 0, &bench.error));
	assert_says("was not brought back after its last failure");
	mp_vfio_irq_disable(bench.vfio, NULL);
}

static void test_restores(void **state G_GNUC_UNUSED)
{
	static const size_t registers[] = { 0x24, 0x28, 0x2c, 0x30, 0x34 };

	for (size_t i = 0; i < G_N_ELEMENTS(registers); i++)
		*reg(registers[i]) = 0x01010000u * (uint32_t)(i + 1) | 7;
	*reg(0x14) = 0x00460001;
	*reg(0x1c) = READY;
	start();
	assert_works();
	engine->quiesce(bench.state);
	bench.state = NULL;
	for (size_t i = 0; i < G_N_ELEMENTS(registers); i++)
		assert_int_equal(*reg(registers[i]), 0x01010000u * (uint32_t)(i + 1) | 7);
	/* But for this: it stays off. */
	assert_int_equal(*reg(0x14), 0x00460000);
	assert_int_equal(*reg(0x1c), 0);
}

static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	TEST(test_commands),
	TEST(test_identities),
	TEST(test_clock),
	TEST(test_interrupt),
	TEST(test_vectors_first),
	TEST(test_restores),
#undef TEST
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
