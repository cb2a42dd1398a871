/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages that the device writes itself: what passes, what is passed over, and every way in
 * which a refusal may not have been one. */
#include <string.h>

#include "core/finding.h"
#include "selftest-world.h"

#define FREED  "isolation-message-freed"
#define COMPAT "isolation-message-compat"

static void assert_evidence(const char *glob, const char *source, const char *value)
{
	g_autoptr(GPtrArray) results = world_run(glob, 1, true, NULL);
	const struct mp_case_result *result = world_only(results);

	for (guint i = 0; i < result->evidence->len; i++) {
		const struct mp_evidence *evidence = result->evidence->pdata[i];

		if (!strcmp(evidence->source, source) && strstr(evidence->value, value))
			return;
	}
	fail_msg("%s: no evidence of %s with '%s'", result->name, source, value);
}

static void test_passes(void **state G_GNUC_UNUSED)
{
	world_assert_says(HONEST, "irq-message", MP_CASE_PASS, "4 vectors");
	/* The last of four vectors from entry 0x20 on. */
	world_assert_says(HONEST, FREED, MP_CASE_PASS, "reason 0x22 and index 0x23,");
	assert_evidence(FREED, "message sent", "address 0xfee00418, data 0x3");
	assert_evidence(FREED, "kernel log", "Request device [01:00.0] fault index 0x23");
	world_assert_says(HONEST, COMPAT, MP_CASE_PASS, "with reason 0x25");
	assert_evidence(COMPAT, "message sent", "address 0xfee00000, data 0xef");
	assert_evidence(COMPAT, "kernel log", "reason 0x25");
}

/* Silence proves nothing about a device that sends no messages. */
static void test_control(void **state G_GNUC_UNUSED)
{
	world_assert_says(
		SENDS_ANOTHER_MESSAGE, "irq-message", MP_CASE_FAIL, "did not arrive");
	world_assert_says(SENDS_ANOTHER_MESSAGE, FREED, MP_CASE_FAIL, "did not arrive");
	world_assert_says(SENDS_ANOTHER_MESSAGE, COMPAT, MP_CASE_FAIL, "did not arrive");
	world.messages = 0;
	world_assert_says(HONEST, FREED, MP_CASE_PASS, "");
	assert_int_equal(world.messages, 1);
}

static void test_freed(void **state G_GNUC_UNUSED)
{
	world_assert_says(KEEPS_VECTORS, FREED, MP_CASE_FAIL,
		"arrived all the same, though MSI is off");
	world_assert_says(GAVE_ENTRY_AWAY, FREED, MP_CASE_PASS,
		"reason 0x26: entry 0x23 had been given to another device");
	world_assert_says(BLOCKS_FOR_ANOTHER, FREED, MP_CASE_FAIL, "1 other fault");
	world_assert_says(NAMES_ANOTHER_INDEX, FREED, MP_CASE_FAIL, "1 other fault");
	world_assert_says(
		IS_NOT_LOGGED, FREED, MP_CASE_FAIL, "not refused, or not logged");
	world_assert_says(
		IS_LOGGED_AS_ANOTHER, FREED, MP_CASE_FAIL, "not refused, or not logged");
	world_assert_says(IS_SUPPRESSED, FREED, MP_CASE_FAIL, "callbacks suppressed");
	world_assert_says(IS_OVERWRITTEN, FREED, MP_CASE_FAIL, "were overwritten");
}

static void test_compat(void **state G_GNUC_UNUSED)
{
	world_assert_says(
		LETS_COMPAT_THROUGH, COMPAT, MP_CASE_FAIL, "arrived as vector 0xef");
	world_assert_says(
		DELIVERS_COMPAT, COMPAT, MP_CASE_FAIL, "as a vector of the device");
	world_assert_says(BLOCKS_FOR_ANOTHER, COMPAT, MP_CASE_FAIL, "1 other fault");
	world_assert_says(
		IS_NOT_LOGGED, COMPAT, MP_CASE_FAIL, "not refused, or not logged");
	world_assert_says(
		IS_LOGGED_AS_ANOTHER, COMPAT, MP_CASE_FAIL, "not refused, or not logged");
	world_assert_says(IS_SUPPRESSED, COMPAT, MP_CASE_FAIL, "callbacks suppressed");
	world_assert_says(IS_OVERWRITTEN, COMPAT, MP_CASE_FAIL, "were overwritten");
}

/* In a VM it may be QEMU that lets it through; what arrives as the device's is no doubt. */
static void test_guest(void **state G_GNUC_UNUSED)
{
	world.guest = true;
	world_assert_says(HONEST, COMPAT, MP_CASE_PASS, "reason 0x25");
	world_assert_says(LETS_COMPAT_THROUGH, COMPAT, MP_CASE_SKIP, "was let through");
	world_assert_says(IS_NOT_LOGGED, COMPAT, MP_CASE_SKIP, "not logged as refused");
	world_assert_says(
		DELIVERS_COMPAT, COMPAT, MP_CASE_FAIL, "as a vector of the device");
	world_assert_says(BLOCKS_FOR_ANOTHER, COMPAT, MP_CASE_FAIL, "1 other fault");
	world_assert_says(
		IS_NOT_LOGGED, FREED, MP_CASE_FAIL, "not refused, or not logged");
}

static void test_kernel(void **state G_GNUC_UNUSED)
{
	world.kernel = "5.2.21";
	world_assert_says(HONEST, COMPAT, MP_CASE_SKIP, "before Linux 5.3");
	world.kernel = NULL;
	world_assert_says(HONEST, COMPAT, MP_CASE_SKIP, "is not known");
}

/* QEMU's edu: blocked and logged, but as nobody's. Only an engine that says so may. */
static void test_anonymous(void **state G_GNUC_UNUSED)
{
	world_assert_says(
		IS_LOGGED_AS_NOBODY, FREED, MP_CASE_FAIL, "not refused, or not logged");
	world_assert_says(
		IS_LOGGED_AS_NOBODY, COMPAT, MP_CASE_FAIL, "not refused, or not logged");
	world.anonymous = true;
	world_assert_says(HONEST, FREED, MP_CASE_PASS, "the log does not tell");
	assert_evidence(FREED, "kernel log", "Request device [ff:1f.7] fault index 0x23");
	world_assert_says(HONEST, COMPAT, MP_CASE_PASS, "the log does not tell");
	world_assert_says(
		NAMES_ANOTHER_INDEX, FREED, MP_CASE_FAIL, "not refused, or not logged");
	world_assert_says(
		BLOCKS_FOR_ANOTHER, COMPAT, MP_CASE_FAIL, "not refused, or not logged");
}

static void test_plain(void **state G_GNUC_UNUSED)
{
	world.plain = true;
	world_assert_says(HONEST, FREED, MP_CASE_FAIL, "are not remapped");
	world_assert_says(HONEST, COMPAT, MP_CASE_FAIL, "are not remapped");
}

static void test_amd(void **state G_GNUC_UNUSED)
{
	world.amd = true;
	world_assert_says(HONEST, "irq-message", MP_CASE_PASS, "4 vectors");
	world_assert_says(
		HONEST, FREED, MP_CASE_PASS, "an IO_PAGE_FAULT of an interrupt");
	world_assert_says(HONEST, COMPAT, MP_CASE_PASS, "the kernel logged it");
	world_assert_says(
		IS_NOT_LOGGED, FREED, MP_CASE_FAIL, "not refused, or not logged");
	world_assert_says(IS_LOGGED_AS_ANOTHER, COMPAT, MP_CASE_FAIL, "not logged");
	world_assert_says(
		HONEST, "isolation-write-unmapped", MP_CASE_PASS, "logged the fault");
}

#define TEST(f) cmocka_unit_test_setup(f, world_reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_passes),
		TEST(test_control),
		TEST(test_freed),
		TEST(test_compat),
		TEST(test_guest),
		TEST(test_kernel),
		TEST(test_anonymous),
		TEST(test_plain),
		TEST(test_amd),
	};

	return cmocka_run_group_tests_name(
		"case-message", tests, world_set_up, world_tear_down);
}
