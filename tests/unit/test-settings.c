/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <glib/gstdio.h>
#include <string.h>

#include "core/check.h"
#include "core/error.h"
#include "core/settings.h"
#include "unit.h"

static struct mp_config *parse(const char *text, GError **error)
{
	return mp_config_parse("c.yaml", text, strlen(text), error);
}

static void every_key_arrives(void **state G_GNUC_UNUSED)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(mp_config) config =
		parse("cards:\n"
		      "  - address: 86:00.0\n"
		      "    id: 1F9D:1100\n"
		      "    subsystem: 1f9d:0001\n"
		      "    serial: '0x00E04C68'\n"
		      "    slot: '3'\n"
		      "    group_members: ['0000:86:00.0', 10000:E1:00.0]\n"
		      "  - address: '0000:87:00.0'\n"
		      "vm: 101\n"
		      "binding: address\n"
		      "hugepages: 1024\n"
		      "viommu: off\n"
		      "selftest: after-boot\n"
		      "selftest_last: require\n"
		      "guest_selftest: run\n"
		      "after_stop: host\n"
		      "services: [metis-app.service, 'feed@1.timer']\n"
		      "waivers:\n"
		      "  - check: 'iommu-*'\n"
		      "    subject: host\n"
		      "    reason: >-\n"
		      "      lab machine,\n"
		      "      known\n",
			&error);
	const struct mp_pin *pin;
	const struct mp_waiver *waiver;

	if (error)
		fail_msg("%s", error->message);
	assert_int_equal(config->cards->len, 2);
	pin = config->cards->pdata[0];
	assert_string_equal(pin->address, "0000:86:00.0");
	assert_string_equal(pin->id, "1f9d:1100");
	assert_string_equal(pin->subsystem, "1f9d:0001");
	assert_string_equal(pin->serial, "0x00e04c68");
	assert_string_equal(pin->slot, "3");
	assert_int_equal(pin->group_members->len, 2);
	assert_string_equal(pin->group_members->pdata[1], "10000:e1:00.0");
	pin = config->cards->pdata[1];
	assert_null(pin->id);
	assert_int_equal(pin->group_members->len, 0);
	assert_string_equal(config->vm, "101");
	assert_string_equal(config->binding, "address");
	assert_string_equal(config->hugepages, "1024");
	assert_string_equal(config->viommu, "off");
	assert_string_equal(config->selftest, "after-boot");
	assert_string_equal(config->selftest_last, "require");
	assert_string_equal(config->guest_selftest, "run");
	assert_string_equal(config->after_stop, "host");
	assert_int_equal(config->services->len, 2);
	assert_string_equal(config->services->pdata[1], "feed@1.timer");
	waiver = config->waivers->pdata[0];
	assert_string_equal(waiver->check, "iommu-*");
	assert_string_equal(waiver->subject, "host");
	assert_string_equal(waiver->reason, "lab machine, known");
}

static void an_empty_file_wants_nothing(void **state G_GNUC_UNUSED)
{
	g_autoptr(mp_config) config = parse("# nothing yet\n", NULL);

	assert_non_null(config);
	assert_int_equal(config->cards->len, 0);
	assert_int_equal(config->waivers->len, 0);
	assert_null(config->vm);
}

static void bad_files_are_refused(void **state G_GNUC_UNUSED)
{
	static const char *const cases[][2] = {
		{ "card: []\n",
			"c.yaml:1:1: unknown key 'card'; known here: cards, vm, binding, "
			"hugepages, viommu, selftest, selftest_last, guest_selftest, after_stop, services, waivers" },
		{ "services: [--now]\n",
			"c.yaml:1:12: services[0]: '--now' is not the name of a service, socket "
			"or timer such as app.service" },
		{ "services: ['-a.service']\n",
			"c.yaml:1:12: services[0]: '-a.service' is not the name of a service, "
			"socket or timer such as app.service" },
		{ "cards: [{}]\n", "c.yaml:1:10: cards[0]: key 'address' is missing" },
		{ "cards: [{address: 86}]\n",
			"c.yaml:1:19: cards[0].address: '86' is not a PCI "
			"address ([DDDD:]BB:DD.F)" },
		{ "cards: [{address: '86:00.0', serial: 12}]\n",
			"c.yaml:1:38: cards[0].serial: '12' is not a serial number in hex such as "
			"0x00e04c6811223344" },
		{ "cards: [{address: '86:00.0', id: '1f9d'}]\n",
			"c.yaml:1:34: cards[0].id: '1f9d' is not two numbers of four hex digits "
			"such as 1f9d:1100" },
		{ "vm: 99\n", "c.yaml:1:5: vm: '99' is not a VMID (100 to 999999999)" },
		{ "hugepages: 3\n",
			"c.yaml:1:12: hugepages: '3' is not one of: 2, 1024, any, off" },
		{ "waivers: [{check: iommu-active}]\n",
			"c.yaml:1:31: waivers[0]: key 'reason' is missing" },
		{ "waivers: [{check: iomu-active, reason: x}]\n",
			"c.yaml:1:19: waivers[0].check: 'iomu-active' matches no check (see "
			"preflight --list-checks)" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;

		assert_null(parse(cases[i][0], &error));
		assert_string_equal(error->message, cases[i][1]);
		assert_int_equal(mp_error_exit(error), MP_EXIT_FAILURE);
	}
}

static void loading_follows_the_root(void **state G_GNUC_UNUSED)
{
	g_autofree char *dir = g_dir_make_tmp("mp-config-XXXXXX", NULL);
	g_autofree char *parent = g_build_filename(dir, "etc/metis-passthrough", NULL);
	g_autofree char *file = g_build_filename(parent, "config.yaml", NULL);
	g_autofree char *etc = g_build_filename(dir, "etc", NULL);
	g_autofree char *large = g_strnfill(70000, '#');
	g_autoptr(mp_root) root = mp_root_open(dir, NULL);
	g_autoptr(GError) error = NULL;
	struct mp_config *config = mp_config_load(root, &error);

	assert_non_null(config);
	assert_null(config->source);
	mp_config_free(config);

	assert_int_equal(g_mkdir_with_parents(parent, 0700), 0);
	assert_true(g_file_set_contents(file, "vm: 200\n", -1, NULL));
	config = mp_config_load(root, &error);
	assert_non_null(config);
	assert_string_equal(config->vm, "200");
	assert_string_equal(config->source, "/etc/metis-passthrough/config.yaml");
	mp_config_free(config);

	assert_true(g_file_set_contents(file, large, -1, NULL));
	assert_null(mp_config_load(root, &error));
	assert_true(g_error_matches(error, MP_ERROR, MP_ERROR_LIMIT));
	g_unlink(file);
	g_rmdir(parent);
	g_rmdir(etc);
	g_rmdir(dir);
}

/* Any text that a configuration can hold comes back as it was. */
static void written_and_read_back(void **state G_GNUC_UNUSED)
{
	static const char *const pieces[] = { "a", " ", "#", ": ", "\"", "\\", "'", "- ",
		"\u00e4", "\u2028", "\302\205", "\ufeff", "0", "~", "null", "{", "]",
		"&x", "*x", "!t", "%", "|", ">", "\\n", "\u4e2d", "true", "\u00a0" };
	g_autoptr(GRand) rand = g_rand_new_with_seed(7);

	for (unsigned round = 0; round < 2000; round++) {
		static const char base[] =
			"cards:\n  - address: 86:00.0\n    id: 1f9d:1100\n    slot: x\n"
			"    group_members: [86:00.0, 86:00.1]\n  - address: 3b:00.0\n"
			"vm: 101\nbinding: ids\nviommu: intel\nselftest: off\nselftest_last: warn\nguest_selftest: run\nafter_stop: host\nservices: [a.service]\nwaivers:\n"
			"  - check: device-link\n    reason: x\n";
		g_autoptr(mp_config) first =
			mp_config_parse("base", base, strlen(base), NULL);
		g_autoptr(mp_config) second = NULL;
		g_autoptr(GString) text = g_string_new("x");
		g_autofree char *written = NULL, *again = NULL;
		GError *error = NULL;

		assert_non_null(first);
		struct mp_waiver *waiver = first->waivers->pdata[0];
		struct mp_pin *pin = first->cards->pdata[0];

		for (int i = g_rand_int_range(rand, 0, 9); i > 0; i--)
			g_string_append(text, pieces[g_rand_int_range(rand, 0,
						      (gint32)G_N_ELEMENTS(pieces))]);
		g_free(waiver->reason);
		waiver->reason = g_strdup(text->str);
		g_free(pin->slot);
		pin->slot = g_strdup(text->str + 1);
		if (!*pin->slot)
			g_clear_pointer(&pin->slot, g_free);
		written = mp_config_write(first);
		second = mp_config_parse("written", written, strlen(written), &error);
		if (!second)
			fail_msg("%s in:\n%s", error->message, written);
		const struct mp_pin *back = mp_config_pin(second, "0000:86:00.0");

		assert_string_equal(
			((struct mp_waiver *)second->waivers->pdata[0])->reason,
			waiver->reason);
		assert_int_equal(g_strcmp0(back->slot, pin->slot), 0);
		assert_int_equal(back->group_members->len, 2);
		assert_null(mp_config_pin(second, "0000:3b:00.0")->id);
		again = mp_config_write(second);
		assert_string_equal(again, written);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_key_arrives),
		cmocka_unit_test(an_empty_file_wants_nothing),
		cmocka_unit_test(bad_files_are_refused),
		cmocka_unit_test(loading_follows_the_root),
		cmocka_unit_test(written_and_read_back),
	};

	return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}
