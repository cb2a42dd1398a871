/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Profiles, and through them what the strict YAML reader refuses. */
#include "config.h"

#include <glib/gstdio.h>
#include <string.h>

#include "core/error.h"
#include "core/pci.h"
#include "core/profile.h"
#include "core/yaml.h"
#include "unit.h"

#define HEAD "name: x\ntitle: X\ninterrupts: {delivery: config-space}\n"

static struct mp_profile *parse(const char *text, GError **error)
{
	return mp_profile_parse("x.yaml", text, strlen(text), error);
}

static void refused(const char *text, const char *message)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(mp_profile) profile = parse(text, &error);

	assert_null(profile);
	assert_non_null(error);
	if (strcmp(error->message, message) != 0)
		fail_msg("expected: %s\n     got: %s\n     for: %.300s", message,
			error->message, text);
}

static void bad_files_name_line_column_key_and_reason(void **state G_GNUC_UNUSED)
{
	static const char *const cases[][2] = {
		{ "", "x.yaml:1:1: key 'name' is missing" },
		{ "# only a comment\n", "x.yaml:2:1: key 'name' is missing" },
		{ "name: x\n", "x.yaml:2:1: key 'title' is missing" },
		{ "- a\n", "x.yaml:1:1: must be a mapping of keys and values" },
		{ "just text\n", "x.yaml:1:1: must be a mapping of keys and values" },
		{ "name: x\nname: y\n", "x.yaml:2:1: key 'name' is there twice" },
		{ "name: [x]\n", "x.yaml:1:7: name: must be a text, not a list" },
		{ "name: {x: y}\n", "x.yaml:1:7: name: must be a text, not a mapping" },
		{ "name:\n", "x.yaml:1:6: name: has no value, but must be a text" },
		{ "name: null\n", "x.yaml:1:7: name: has no value, but must be a text" },
		{ "name: ''\n", "x.yaml:1:7: name: must not be empty" },
		{ "name: A B\n",
			"x.yaml:1:7: name: 'A B' is not a name of a-z, 0-9, '-' and '_'" },
		{ "[a]: x\n", "x.yaml:1:1: must be a key, not a list" },
		{ HEAD "default: yes\n",
			"x.yaml:4:10: default: must be true or false, not 'yes'" },
		{ HEAD "default: \"true\"\n",
			"x.yaml:4:10: default: must be true or false, not 'true'" },
		{ HEAD "ids: 1f9d:1100\n", "x.yaml:4:6: ids: must be a list" },
		{ HEAD "ids: [1f9d]\n",
			"x.yaml:4:7: ids[0]: '1f9d' is not VENDOR:DEVICE, four "
			"hex digits each" },
		{ HEAD "ids: ['1f9d:1100', '1f9d:11000']\n",
			"x.yaml:4:20: ids[1]: '1f9d:11000' is not VENDOR:DEVICE, four hex digits "
			"each" },
		{ HEAD "ids: [[]]\n", "x.yaml:4:7: ids[0]: must be a text, not a list" },
		{ HEAD "classes: ['01080']\n",
			"x.yaml:4:11: classes[0]: '01080' is not a PCI class of 2, 4 or 6 hex "
			"digits" },
		{ HEAD "modules: [a, b, a]\n",
			"x.yaml:4:17: modules[2]: 'a' is there twice" },
		{ HEAD "engine: warp\n",
			"x.yaml:4:9: engine: 'warp' is not one of: dw-edma, edu, nvme" },
		{ HEAD "reset: {settle_ms: 120001}\n",
			"x.yaml:4:20: reset.settle_ms: 120001 is not between 0 and 120000" },
		{ HEAD "reset: {settle_ms: -1}\n",
			"x.yaml:4:20: reset.settle_ms: must be a number, not '-1'" },
		{ HEAD "reset: {settle_ms: 0x10}\n",
			"x.yaml:4:20: reset.settle_ms: must be a number, not '0x10'" },
		{ HEAD "reset: {settle_ms: 99999999999999999999}\n",
			"x.yaml:4:20: reset.settle_ms: must be a number, not "
			"'99999999999999999999'" },
		{ HEAD "reset: {prefer: [kick]}\n",
			"x.yaml:4:18: reset.prefer[0]: 'kick' is not one of: device_specific, "
			"acpi, flr, af_flr, pm, bus, cxl_bus" },
		{ HEAD "reset: {colour: red}\n",
			"x.yaml:4:9: reset: unknown key 'colour'; known here: prefer, settle_ms" },
		{ HEAD "guest: {driver_min: 1.5.}\n",
			"x.yaml:4:21: guest.driver_min: '1.5.' is not a version such as 1.5.6" },
		{ HEAD "known_bad: [{match: driver<1.5.6}]\n",
			"x.yaml:4:33: known_bad[0]: key 'reason' is missing" },
		{ HEAD "known_bad: [{match: driver~1, reason: r}]\n",
			"x.yaml:4:21: known_bad[0].match: 'driver~1' is not a list of conditions "
			"such as driver<1.5.6 (of driver, firmware, sdk, kernel and < <= = >= "
			">)" },
		{ HEAD "modules: &a [x]\ndrivers: *a\n",
			"x.yaml:4:10: modules: anchors are not allowed" },
		{ HEAD "modules: *a\n", "x.yaml:4:10: modules: aliases are not allowed" },
		{ HEAD "title2: !!str x\n",
			"x.yaml:4:1: unknown key 'title2'; known here: name, title, default, ids, "
			"classes, modules, drivers, engine, state, interrupts, reset, guest, "
			"known_bad" },
		{ HEAD "engine: !!str edu\n",
			"x.yaml:4:9: engine: tags are not allowed" },
		{ HEAD "---\nname: y\n", "x.yaml:4:1: only one document is allowed" },
		{ HEAD "engine: \"e\\0du\"\n",
			"x.yaml:4:9: engine: holds a control character" },
		{ HEAD "engine: \"\\e[2J\"\n",
			"x.yaml:4:9: engine: holds a control character" },
		{ HEAD "engine: [\n", "x.yaml:4:9: engine: must be a text, not a list" },
		{ HEAD "modules: [a\n",
			"x.yaml:5:1: not YAML: did not find expected ',' or ']'" },
		{ HEAD "\tengine: edu\n",
			"x.yaml:4:1: not YAML: found character that cannot start any token" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		refused(cases[i][0], cases[i][1]);
}

static void bytes_that_are_not_utf8_are_refused(void **state G_GNUC_UNUSED)
{
	g_autoptr(GError) error = NULL;

	assert_null(parse("name: x\ntitle: \xff\n", &error));
	assert_true(g_str_has_prefix(error->message, "x.yaml:"));
	assert_non_null(strstr(error->message, "not YAML"));
}

static void size_length_and_depth_have_limits(void **state G_GNUC_UNUSED)
{
	g_autofree char *large = g_strnfill(MP_YAML_MAX + 1, '#');
	g_autofree char *deep = g_strnfill(MP_YAML_MAX - 100, '[');
	g_autofree char *deep_list = g_strconcat("modules: ", deep, NULL);
	g_autofree char *text = g_strnfill(MP_YAML_TEXT_MAX + 1, 'a');
	g_autofree char *long_title = g_strconcat("title: ", text, "\n", NULL);
	g_autoptr(GString) many = g_string_new(HEAD "modules:\n");

	for (unsigned i = 0; i <= MP_YAML_ITEMS; i++)
		g_string_append_printf(many, "- m%u\n", i);
	refused(large, "x.yaml:1:1: file: larger than 64 KiB");
	refused(deep_list, "x.yaml:1:11: modules[0]: must be a text, not a list");
	refused(long_title, "x.yaml:1:8: title: is longer than 4096 bytes");
	refused(many->str, "x.yaml:261:3: modules: has more than 256 entries");
}

static void every_key_arrives(void **state G_GNUC_UNUSED)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(mp_profile) profile = parse("name: x\n"
					      "title: 'A: title'\n"
					      "default: true\n"
					      "ids: ['1F9D:11aa']\n"
					      "classes: ['0108', '010802']\n"
					      "modules: [m]\n"
					      "drivers: [d, e]\n"
					      "engine: edu\n"
					      "interrupts:\n"
					      "  delivery: device-programmed\n"
					      "  vectors: 32\n"
					      "reset:\n"
					      "  prefer: [bus, flr]\n"
					      "  settle_ms: 5000\n"
					      "guest:\n"
					      "  options: ['m a=1']\n"
					      "  driver_min: 1.5.7\n"
					      "known_bad:\n"
					      "  - match: driver>=1 firmware<1.7\n"
					      "    reason: because\n",
		&error);
	const struct mp_profile_class *classes;
	const struct mp_known_bad *bad;

	if (error)
		fail_msg("%s", error->message);
	assert_string_equal(profile->name, "x");
	assert_string_equal(profile->title, "A: title");
	assert_true(profile->by_default);
	assert_int_equal(
		g_array_index(profile->ids, struct mp_profile_id, 0).vendor, 0x1f9d);
	assert_int_equal(
		g_array_index(profile->ids, struct mp_profile_id, 0).device, 0x11aa);
	classes = (const void *)profile->classes->data;
	assert_int_equal(classes[0].code, 0x010800);
	assert_int_equal(classes[0].mask, 0xffff00);
	assert_int_equal(classes[1].code, 0x010802);
	assert_int_equal(classes[1].mask, 0xffffff);
	assert_string_equal(profile->drivers->pdata[1], "e");
	assert_string_equal(profile->engine, "edu");
	assert_int_equal(profile->irq_delivery, MP_IRQ_DEVICE_PROGRAMMED);
	assert_int_equal(profile->irq_vectors, 32);
	assert_string_equal(profile->reset->pdata[0], "bus");
	assert_int_equal(profile->settle_ms, 5000);
	assert_string_equal(profile->guest_options->pdata[0], "m a=1");
	assert_string_equal(profile->guest_driver_min, "1.5.7");
	bad = profile->known_bad->pdata[0];
	assert_string_equal(bad->what, "driver>=1 firmware<1.7");
	assert_string_equal(bad->reason, "because");
}

static struct mp_pci *device(
	struct mp_host *host, uint16_t vendor, uint16_t id, uint32_t class)
{
	struct mp_pci *pci = mp_host_alloc(host, sizeof(*pci));

	pci->vendor = vendor;
	pci->device = id;
	pci->class_code = class;
	g_ptr_array_add(host->devices, pci);
	return pci;
}

static void assert_profile_of(const struct mp_pci *pci, const char *name)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(mp_profile) profile = mp_profile_for_device(pci, &error);

	if (!profile)
		fail_msg("%s", error->message);
	assert_string_equal(profile->name, name);
	assert_true(mp_profile_fits(profile, pci));
}

static void devices_find_their_profile(void **state G_GNUC_UNUSED)
{
	g_autoptr(mp_host) host = mp_host_new("test", false);
	struct mp_pci *metis = device(host, 0x1f9d, 0x1100, 0x120000);
	struct mp_pci *alpha = device(host, 0x1f9d, 0x11aa, 0x120000);
	struct mp_pci *europa = device(host, 0x1f9d, 0x0001, 0x120000);
	struct mp_pci *nvme = device(host, 0x144d, 0xa80a, 0x010802);
	struct mp_pci *edu = device(host, 0x1234, 0x11e8, 0x00ff00);
	struct mp_pci *nic = device(host, 0x8086, 0x1521, 0x020000);
	g_autoptr(GPtrArray) wanted = g_ptr_array_new();

	assert_profile_of(metis, "metis");
	assert_profile_of(alpha, "metis");
	assert_profile_of(europa, "generic"); /* another layout: see metis.yaml */
	assert_profile_of(nvme, "nvme");
	assert_profile_of(edu, "edu");
	assert_profile_of(nic, "generic");

	/* Unasked, only the cards that somebody bought to pass through. */
	assert_true(mp_profile_wanted(host, wanted, NULL));
	assert_int_equal(wanted->len, 2);
	assert_ptr_equal(wanted->pdata[0], metis);
	assert_ptr_equal(wanted->pdata[1], alpha);
}

static void write_profile(const char *dir, const char *file, const char *text)
{
	g_autofree char *path = g_build_filename(dir, file, NULL);

	assert_true(g_file_set_contents(path, text, -1, NULL));
}

static void remove_profile(const char *dir, const char *file)
{
	g_autofree char *path = g_build_filename(dir, file, NULL);

	g_unlink(path);
}

static void installed_profiles_come_first(void **state G_GNUC_UNUSED)
{
	g_autofree char *dir = g_dir_make_tmp("mp-profiles-XXXXXX", NULL);
	g_autoptr(GError) error = NULL;
	g_auto(GStrv) names = NULL;
	g_autofree char *list = NULL;
	g_autoptr(mp_profile) profile = NULL;

	g_setenv("METIS_PASSTHROUGH_PROFILES", dir, TRUE);
	write_profile(dir, "mine.yaml",
		"name: mine\ntitle: M\ninterrupts: {delivery: config-space}\n");
	write_profile(dir, "edu.yaml",
		"name: edu\ntitle: Mine\ninterrupts: {delivery: config-space}\n");
	write_profile(dir, "README", "not a profile");
	names = mp_profile_names();
	list = g_strjoinv(" ", names);
	assert_string_equal(list, "edu generic metis mine nvme");
	profile = mp_profile_load("edu", &error);
	assert_non_null(profile);
	assert_string_equal(profile->title, "Mine");

	/* Called otherwise than its file: refused, not silently another profile. */
	write_profile(dir, "nvme.yaml",
		"name: mine\ntitle: M\ninterrupts: {delivery: config-space}\n");
	assert_null(mp_profile_load("nvme", &error));
	assert_non_null(strstr(error->message, "nvme.yaml:1:1: name: is 'mine'"));
	g_clear_error(&error);

	/* Broken: an error, not the shipped one. */
	write_profile(dir, "nvme.yaml", "nome: nvme\n");
	assert_null(mp_profile_load("nvme", &error));
	assert_non_null(strstr(error->message, "nvme.yaml:1:1: unknown key 'nome'"));
	g_clear_error(&error);

	remove_profile(dir, "mine.yaml");
	remove_profile(dir, "edu.yaml");
	remove_profile(dir, "nvme.yaml");
	remove_profile(dir, "README");
	g_rmdir(dir);
	g_unsetenv("METIS_PASSTHROUGH_PROFILES");
}

static void names_cannot_leave_the_directory(void **state G_GNUC_UNUSED)
{
	static const char *const names[] = { "", ".", "..", "Metis", "a b",
		"metis.yaml" };

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autoptr(GError) error = NULL;

		assert_null(mp_profile_load(names[i], &error));
		assert_true(g_error_matches(error, MP_ERROR, MP_ERROR_USAGE));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_files_name_line_column_key_and_reason),
		cmocka_unit_test(bytes_that_are_not_utf8_are_refused),
		cmocka_unit_test(size_length_and_depth_have_limits),
		cmocka_unit_test(every_key_arrives),
		cmocka_unit_test(devices_find_their_profile),
		cmocka_unit_test(installed_profiles_come_first),
		cmocka_unit_test(names_cannot_leave_the_directory),
	};

	g_unsetenv("METIS_PASSTHROUGH_PROFILES");
	return cmocka_run_group_tests_name("profile", tests, NULL, NULL);
}
