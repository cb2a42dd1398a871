/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "core/fact.h"
#include "core/host.h"
#include "unit.h"

static void numbers_are_strict(void **state G_GNUC_UNUSED)
{
	uint64_t value = 7;

	assert_true(mp_parse_uint("ffffffffffffffff", 16, &value));
	assert_true(value == UINT64_MAX);
	assert_true(mp_parse_uint("0x10", 0, &value));
	assert_int_equal(value, 16);
	assert_false(mp_parse_uint("10000000000000000", 16, &value));
	assert_false(mp_parse_uint("-1", 10, &value));
	assert_false(mp_parse_uint(" 1", 10, &value));
	assert_false(mp_parse_uint("1 ", 10, &value));
	assert_false(mp_parse_uint("", 10, &value));
	assert_false(mp_parse_uint(NULL, 10, &value));
}

static void text_is_cleaned(void **state G_GNUC_UNUSED)
{
	g_autofree char *bad = mp_clean_text("a\xff\x1b[2J\0z", 8);
	g_autofree char *turned = mp_clean_text("a\xe2\x80\xaez", 5);
	g_autofree char *good = mp_clean_text("Gr\xc3\xbc\xc3\x9f\tx\n", 9);

	assert_string_equal(turned, "a\\xe2\\x80\\xaez");
	assert_string_equal(bad, "a\\xff\\x1b[2J\\x00z");
	assert_string_equal(good, "Gr\xc3\xbc\xc3\x9f\tx\n");
}

static void errno_tells_absent_from_unknown(void **state G_GNUC_UNUSED)
{
	g_autoptr(mp_host) host = mp_host_new("test", false);

	assert_int_equal(mp_fact_errno(host, "/x", -ENOENT).know, MP_ABSENT);
	assert_int_equal(mp_fact_errno(host, "/x", -EACCES).know, MP_UNKNOWN);
	assert_int_equal(mp_fact_errno(host, "/x", -ENODATA).know, MP_UNKNOWN);
	assert_string_equal(
		mp_fact_errno(host, "/x", -ENODATA).why, "not in this snapshot");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_strict),
		cmocka_unit_test(text_is_cleaned),
		cmocka_unit_test(errno_tells_absent_from_unknown),
	};

	return cmocka_run_group_tests_name("fact", tests, NULL, NULL);
}
