/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "unit.h"

#include "core/host.h"
#include "core/ivrs.h"
#include "core/pci.h"
#include "seeds.h"

static struct mp_ivrs *load(struct mp_host *host, const char *name, const char **problem)
{
	gsize size;
	g_autofree uint8_t *data = seed_read("ivrs", name, &size);

	return mp_ivrs_parse(host, data, size, problem);
}

static void valid_tables_are_read_to_their_end_and_others_are_told(
	void **state G_GNUC_UNUSED)
{
	g_autofree char *path = seed_path("ivrs", NULL);
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	unsigned valid = 0, broken = 0;
	const char *name;

	assert_non_null(dir);
	while ((name = g_dir_read_name(dir))) {
		g_autoptr(mp_host) host = mp_host_new("test", false);
		const char *problem = NULL;
		struct mp_ivrs *ivrs = load(host, name, &problem);

		if (g_str_has_prefix(name, "valid-")) {
			valid++;
			if (!ivrs || problem)
				fail_msg("%s: %s", name, problem ? problem : "no table");
			assert_true(ivrs->checksum_ok);
			continue;
		}
		broken++;
		if (!problem)
			fail_msg("%s: nobody saw what is wrong", name);
	}
	assert_true(valid >= 5);
	assert_true(broken >= 18);
}

static void linux_reads_the_last_type_of_the_first_unit(void **state G_GNUC_UNUSED)
{
	g_autoptr(mp_host) host = mp_host_new("test", false);
	struct mp_pci card = { .bus = 1 };
	const char *problem = NULL;
	struct mp_ivrs *ivrs = load(host, "valid-am5-unity-range", &problem);

	assert_non_null(ivrs);
	assert_int_equal(ivrs->ivhd->len, 3);
	assert_int_equal(mp_ivrs_type(ivrs), 0x40);
	assert_int_equal(mp_ivrs_units(ivrs), 1); /* the same one, three times */
	assert_non_null(mp_ivrs_ivhd_of(ivrs, &card));
	assert_int_equal(mp_ivrs_ivhd_of(ivrs, &card)->type, 0x40);
	assert_true(mp_ivrs_ivhd_of(ivrs, &card)->efr & MP_EFR_GA);
	assert_true(mp_ivrs_has_ioapic(ivrs, 32));
	assert_true(mp_ivrs_has_ioapic(ivrs, 33));
	assert_false(mp_ivrs_has_ioapic(ivrs, 0)); /* the HPET's number is none */
	assert_true(mp_ivrs_has_southbridge_ioapic(ivrs));
	card.domain = 1;
	assert_null(mp_ivrs_ivhd_of(ivrs, &card));
}

static void units_cover_what_they_list(void **state G_GNUC_UNUSED)
{
	g_autoptr(mp_host) host = mp_host_new("test", false);
	struct mp_pci device = { .bus = 0x3f, .slot = 0x1f, .function = 7 };
	const char *problem = NULL;
	struct mp_ivrs *ivrs = load(host, "valid-two-units", &problem);

	assert_true(mp_ivrs_ivhd_of(ivrs, &device)->base == 0xfd200000);
	device = (struct mp_pci){ .bus = 0x40, .slot = 2 };
	assert_true(mp_ivrs_ivhd_of(ivrs, &device)->base == 0xfd300000);
	device = (struct mp_pci){ .bus = 0x42, .slot = 2 };
	assert_true(mp_ivrs_ivhd_of(ivrs, &device)->base == 0xfd300000);
	device = (struct mp_pci){ .bus = 0x50 };
	assert_null(mp_ivrs_ivhd_of(ivrs, &device));
}

static void memory_is_reserved_for_whom_it_names(void **state G_GNUC_UNUSED)
{
	struct mp_pci low = { .bus = 0x0f, .slot = 0x1f, .function = 7 },
		      high = { .bus = 0x10 };
	struct mp_ivmd range = { .type = 0x22, .device_id = 0, .aux = 0x0fff };
	struct mp_ivmd one = { .type = 0x21, .device_id = 0x1000 };
	struct mp_ivmd all = { .type = 0x20 };

	assert_true(mp_ivmd_names(&range, &low));
	assert_false(mp_ivmd_names(&range, &high));
	assert_true(mp_ivmd_names(&one, &high));
	assert_false(mp_ivmd_names(&one, &low));
	assert_true(mp_ivmd_names(&all, &low));
	high.domain = 2;
	assert_false(mp_ivmd_names(&all, &high));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(valid_tables_are_read_to_their_end_and_others_are_told),
		cmocka_unit_test(linux_reads_the_last_type_of_the_first_unit),
		cmocka_unit_test(units_cover_what_they_list),
		cmocka_unit_test(memory_is_reserved_for_whom_it_names),
	};

	return cmocka_run_group_tests_name("ivrs", tests, NULL, NULL);
}
