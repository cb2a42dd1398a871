/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "vfio/selftest.h"
#include "vfio/series.h"

static struct mp_series series;

static void test_few(void **state G_GNUC_UNUSED)
{
	static const uint64_t values[] = { 30, 10, 50, 20, 40 };
	struct mp_figures figures;

	mp_series_clear(&series);
	figures = mp_series_figures(&series);
	assert_int_equal(figures.count, 0);
	for (size_t i = 0; i < G_N_ELEMENTS(values); i++)
		mp_series_add(&series, values[i]);
	figures = mp_series_figures(&series);
	assert_int_equal(figures.count, 5);
	assert_int_equal(figures.min, 10);
	assert_int_equal(figures.median, 30);
	assert_int_equal(figures.max, 50);
	mp_series_clear(&series);
	mp_series_add(&series, 7);
	figures = mp_series_figures(&series);
	assert_int_equal(figures.count, 1);
	assert_int_equal(figures.min + figures.median + figures.max, 21);
}

/* Rising values: who kept the first ones, or the last, would be far from the middle. */
static void test_many(void **state G_GNUC_UNUSED)
{
	const uint64_t count = 1000000;
	struct mp_figures figures;

	mp_series_clear(&series);
	for (uint64_t i = 0; i < count; i++)
		mp_series_add(&series, i);
	figures = mp_series_figures(&series);
	assert_int_equal(figures.count, count);
	assert_int_equal(figures.min, 0);
	assert_int_equal(figures.max, count - 1);
	assert_in_range(figures.median, count / 2 - count / 20, count / 2 + count / 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_few),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests_name("series", tests, NULL, NULL);
}
