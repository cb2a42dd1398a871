/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <unistd.h>

#include "core/hang.h"
#include "unit.h"

/* Names that begin with 'h' never answer. */
static void look(void *user G_GNUC_UNUSED, const char *name)
{
	while (*name == 'h')
		pause();
}

static void what_hangs_is_found(void **state G_GNUC_UNUSED)
{
	const char *names[] = { "a", "h1", "b", "c", "h2", NULL };
	g_autoptr(GHashTable) hanging = mp_hang_find(names, look, NULL, 300);

	assert_int_equal(g_hash_table_size(hanging), 2);
	assert_true(g_hash_table_contains(hanging, "h1"));
	assert_true(g_hash_table_contains(hanging, "h2"));
}

static void nothing_hangs(void **state G_GNUC_UNUSED)
{
	const char *names[] = { "a", "b", NULL }, *none[] = { NULL };
	g_autoptr(GHashTable) hanging = mp_hang_find(names, look, NULL, 60000);
	g_autoptr(GHashTable) empty = mp_hang_find(none, look, NULL, 60000);

	assert_int_equal(g_hash_table_size(hanging), 0);
	assert_int_equal(g_hash_table_size(empty), 0);
}

static void after_a_few_the_rest_is_not_tried(void **state G_GNUC_UNUSED)
{
	const char *names[] = { "h1", "h2", "h3", "h4", "a", "h5", NULL };
	g_autoptr(GHashTable) hanging = mp_hang_find(names, look, NULL, 50);

	assert_int_equal(g_hash_table_size(hanging), 6);
}

static void dies(void *user G_GNUC_UNUSED, const char *name)
{
	if (*name == 'x')
		_exit(1);
}

static void a_child_that_ends_early_accuses_nobody(void **state G_GNUC_UNUSED)
{
	const char *names[] = { "a", "x", "b", NULL };
	g_autoptr(GHashTable) hanging = mp_hang_find(names, dies, NULL, 60000);

	assert_int_equal(g_hash_table_size(hanging), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_hangs_is_found),
		cmocka_unit_test(nothing_hangs),
		cmocka_unit_test(after_a_few_the_rest_is_not_tried),
		cmocka_unit_test(a_child_that_ends_early_accuses_nobody),
	};

	return cmocka_run_group_tests_name("hang", tests, NULL, NULL);
}
