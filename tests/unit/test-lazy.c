/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "core/lazy.h"

#define SOME_SYMBOLS(X) X(strlen) X(atoi)
MP_LAZY(some, SOME_SYMBOLS)
MP_LAZY(never, SOME_SYMBOLS)

static void functions_come_in_the_order_of_their_names(void **state)
{
	(void)state;
	assert_null(mp_lazy_load("libc.so.6", some_names, (void **)&some));
	assert_int_equal(some.strlen("four"), 4);
	assert_int_equal(some.atoi("17"), 17);
	/* Filled: nothing is looked for any more. */
	assert_null(
		mp_lazy_load("libnothing-of-this-name.so.1", some_names, (void **)&some));
}

static void missing_library_is_named(void **state)
{
	const char *why;

	(void)state;
	why = mp_lazy_load("libnothing-of-this-name.so.1", never_names, (void **)&never);
	assert_non_null(why);
	assert_non_null(strstr(why, "libnothing-of-this-name.so.1"));
	assert_null(never.strlen);
}

static void library_without_a_function_stays_unloaded(void **state)
{
	static const char *const names[] = { "strlen", "mp_no_such_function", NULL };
	void *slots[2] = { NULL, NULL };
	const char *why = mp_lazy_load("libc.so.6", names, slots);

	(void)state;
	assert_non_null(why);
	assert_non_null(strstr(why, "mp_no_such_function"));
	/* The first is the sign that all are there. */
	assert_null(slots[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(functions_come_in_the_order_of_their_names),
		cmocka_unit_test(missing_library_is_named),
		cmocka_unit_test(library_without_a_function_stays_unloaded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
