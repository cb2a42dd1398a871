/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every case of the self-test passes on a device that does what it says, and fails on one that
 * lies. Below the runner there is no VFIO, but the world of selftest-world.h.
 */
#include <signal.h>
#include <string.h>

#include "core/finding.h"
#include "selftest-world.h"

static void test_honest(void **state G_GNUC_UNUSED)
{
	g_autoptr(GPtrArray) results = world_run(NULL, 2, true, NULL);
	size_t count;

	mp_cases_all(&count);
	assert_int_equal(results->len, 2 * count);
	for (guint i = 0; i < results->len; i++) {
		const struct mp_case_result *result = results->pdata[i];

		if (result->verdict != MP_CASE_PASS)
			fail_msg("%s: %s", result->name, result->summary);
		assert_int_equal(result->round, i < count ? 1 : 2);
	}
}

static void test_data(void **state G_GNUC_UNUSED)
{
	world_assert_fails(WRITES_NOTHING, "dma-*",
		"dma-read dma-write dma-patterns dma-iova-low dma-iova-above-4g "
		"dma-iova-forum dma-iova-top dma-scattered ");
	world_assert_fails(FLIPS_A_BIT, "dma-*",
		"dma-read dma-write dma-patterns dma-iova-low dma-iova-above-4g "
		"dma-iova-forum dma-iova-top dma-scattered ");
	world_assert_fails(WRITES_TOO_MUCH, "dma-write", "dma-write ");
	world_assert_fails(WRITES_TOO_MUCH, "dma-patterns", "dma-patterns ");
	world_assert_fails(WRAPS_IN_PAGES, "dma-scattered", "dma-scattered ");
}

static void test_addresses(void **state G_GNUC_UNUSED)
{
	g_autoptr(GPtrArray) results = NULL;

	/* An engine that says 64 and has a device of 32 bits. */
	world.bits = 32;
	world_assert_fails(
		HONEST, "dma-iova-*", "dma-iova-above-4g dma-iova-forum dma-iova-top ");
	/* One that says that it does not know: found out, and skipped. */
	world.unsure = true;
	results = world_run("dma-iova-*", 1, true, NULL);
	assert_int_equal(results->len, 4);
	for (guint i = 0; i < 4; i++) {
		const struct mp_case_result *result = results->pdata[i];

		assert_int_equal(
			result->verdict, i == 1 || i == 2 ? MP_CASE_SKIP : MP_CASE_PASS);
		if (i == 1)
			assert_string_equal(result->summary,
				"the device emits 32 address bits, and IOVA 0x100000fff "
				"needs more");
		if (i == 3)
			assert_non_null(strstr(result->summary, "0xfffff000"));
	}
	world.bits = 64;
	world_assert_fails(HONEST, "dma-iova-*", "");
	world.unsure = false;
}

static void test_interrupts(void **state G_GNUC_UNUSED)
{
	world_assert_fails(RAISES_NOTHING, "irq-*", "irq-intx irq-msi irq-msix ");
	world_assert_fails(RAISES_ANOTHER, "irq-msi*", "irq-msi irq-msix ");
	world_assert_fails(RAISES_TWO, "irq-*", "irq-intx irq-msi irq-msix ");
	world_assert_says(BALKS_AT_VECTORS, "irq-msi", MP_CASE_FAIL,
		"the device did not take up its work with interrupts on: it balks");
	world_assert_fails(LOSES_LOOPBACK, "irq-*", "irq-loopback ");
	world_assert_fails(SENDS_ANOTHER_MESSAGE, "irq-*", "irq-message ");
	world_assert_fails(SENDS_NO_MESSAGE, "irq-*", "irq-message ");
}

static void assert_evidence(enum lie lie, const char *glob, const char *value)
{
	g_autoptr(GPtrArray) results = NULL;
	const struct mp_evidence *last;

	world.lie = lie;
	results = world_run(glob, 1, true, NULL);
	world.lie = HONEST;
	assert_int_equal(world_only(results)->verdict, MP_CASE_FAIL);
	last = world_only(results)
		       ->evidence->pdata[world_only(results)->evidence->len - 1];
	assert_string_equal(last->value, value);
}

/* A message that does not arrive is pointed at memory, to see whose fault it is. */
static void test_message_to_memory(void **state G_GNUC_UNUSED)
{
	assert_evidence(SENDS_ANOTHER_MESSAGE, "irq-message",
		"arrives, so the device sends what it is told to");
	assert_evidence(SENDS_NO_MESSAGE, "irq-message",
		"does not arrive either: the device sends nothing");
}

static void test_isolation(void **state G_GNUC_UNUSED)
{
	world_assert_says(IGNORES_UNMAPPING, "isolation-write-unmapped", MP_CASE_FAIL,
		"was not refused: memory changed");
	world_assert_says(IGNORES_READ_ONLY, "isolation-write-readonly", MP_CASE_FAIL,
		"was not refused: memory changed");
	world_assert_says(IGNORES_UNMAPPING, "isolation-read-unmapped", MP_CASE_FAIL,
		"the device holds what is in memory");
	world_assert_says(IS_NOT_LOGGED, "isolation-write-unmapped", MP_CASE_FAIL,
		"was not refused, or not logged");
	world_assert_says(IS_NOT_LOGGED, "isolation-write-readonly", MP_CASE_FAIL,
		"was not refused, or not logged");
	world_assert_says(IS_NOT_LOGGED, "isolation-read-unmapped", MP_CASE_FAIL,
		"was not refused, or not logged");
	world_assert_says(IS_LOGGED_AS_ANOTHER, "isolation-write-unmapped", MP_CASE_FAIL,
		"not logged");
	world_assert_says(IS_LOGGED_ELSEWHERE, "isolation-write-unmapped", MP_CASE_FAIL,
		"other fault");
	world_assert_says(IS_SUPPRESSED, "isolation-write-unmapped", MP_CASE_FAIL,
		"callbacks suppressed");
	world_assert_says(IS_OVERWRITTEN, "isolation-read-unmapped", MP_CASE_FAIL,
		"were overwritten");
	world_assert_says(WRITES_NOTHING, "isolation-write-unmapped", MP_CASE_FAIL,
		"nothing was written at all");
	world_assert_says(IGNORES_BUS_MASTER, "isolation-teardown", MP_CASE_FAIL,
		"went on without bus mastering");
	world_assert_says(WRITES_UNASKED, "quiet", MP_CASE_FAIL, "unasked");
}

static void test_no_isolation(void **state G_GNUC_UNUSED)
{
	g_autoptr(GPtrArray) results = world_run("isolation-*", 1, false, NULL);

	assert_int_equal(results->len, 0);
}

/* A device that does not come back ends the run; what it was is told. */
static void test_dead(void **state G_GNUC_UNUSED)
{
	g_autoptr(GPtrArray) results = NULL;

	world.lie = HANGS;
	results = world_run(NULL, 3, true, NULL);
	world.lie = HONEST;
	assert_int_equal(world_only(results)->verdict, MP_CASE_FAIL);
	assert_non_null(strstr(world_only(results)->summary, "did not end in time"));
}

/* Random data is sometimes what the memory held before: one byte in 256. */
static void test_coincidence(void **state G_GNUC_UNUSED)
{
	g_autoptr(GPtrArray) results = world_run("dma-patterns", 1500, true, NULL);

	assert_int_equal(results->len, 1500);
	for (guint i = 0; i < results->len; i++) {
		const struct mp_case_result *result = results->pdata[i];

		assert_int_equal(result->verdict, MP_CASE_PASS);
	}
}

static void test_signal(void **state G_GNUC_UNUSED)
{
	g_autoptr(GPtrArray) results = NULL;
	g_autoptr(GError) error = NULL;

	world.raise_signal = SIGTERM;
	results = world_run(NULL, 1, true, &error);
	world.raise_signal = 0;
	assert_int_equal(results->len, 0);
	assert_string_equal(error->message, "interrupted; the device was quieted");
	/* The case did not go on with what it had before it. */
	g_clear_error(&error);
	g_clear_pointer(&results, g_ptr_array_unref);
	world.raise_signal = SIGTERM;
	results = world_run("dma-patterns", 1, true, &error);
	world.raise_signal = 0;
	assert_string_equal(error->message, "interrupted; the device was quieted");
	assert_int_equal(world.reads, 1);
}

/* A device that does not become quiet is told of, whatever else was found. */
static void test_loud(void **state G_GNUC_UNUSED)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) results = NULL;

	world.loud = true;
	results = world_run("dma-read", 1, true, &error);
	assert_int_equal(results->len, 1);
	assert_string_equal(error->message, "0000:01:00.0: is not quiet");
	g_clear_error(&error);
	g_clear_pointer(&results, g_ptr_array_unref);
	world.raise_signal = SIGTERM;
	results = world_run("dma-read", 1, true, &error);
	assert_string_equal(error->message, "0000:01:00.0: is not quiet");
	world.raise_signal = 0;
	world.loud = false;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_honest),
		cmocka_unit_test(test_data),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_interrupts),
		cmocka_unit_test(test_message_to_memory),
		cmocka_unit_test(test_isolation),
		cmocka_unit_test(test_no_isolation),
		cmocka_unit_test(test_dead),
		cmocka_unit_test(test_coincidence),
		cmocka_unit_test(test_signal),
		cmocka_unit_test(test_loud),
	};

	return cmocka_run_group_tests(tests, world_set_up, world_tear_down);
}
