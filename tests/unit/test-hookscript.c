/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The note that names the hookscript a VM had before ours; and volumes. */
#include "config.h"

#include <string.h>

#include "core/hookscript.h"
#include "unit.h"

#include "sysroot.h"

#define NOTE "etc/metis-passthrough/hookscripts/101"

static void notes(void **state G_GNUC_UNUSED)
{
	static const struct {
		const char *text, *path, *why;
	} cases[] = {
		{ "/a/b\n", "/a/b", NULL },
		{ "/a/b", "/a/b", NULL },
		{ "# x\n#/c\n/a/b c..d\n", "/a/b c..d", NULL },
		{ "", NULL, "names no script" },
		{ "\n", NULL, "no absolute path" },
		{ "# only\n", NULL, "names no script" },
		{ "/a\n/b\n", NULL, "more than one" },
		{ "\n/a\n", NULL, "more than one" },
		{ "/a\n\n", NULL, "more than one" },
		{ "a/b\n", NULL, "no absolute path" },
		{ " /a/b\n", NULL, "no absolute path" },
		{ "local:snippets/x\n", NULL, "no absolute path" },
		{ "/a/../b\n", NULL, "'..'" },
		{ "/a/..\n", NULL, "'..'" },
		{ "/a\033[2Jb\n", NULL, "no text" },
		{ "/a\377\n", NULL, "no text" },
		{ "/a\r\n", NULL, "no text" },
	};
	g_autoptr(GError) error = NULL;

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) problem = NULL;
		g_autofree char *path = mp_hook_note_parse(
			cases[i].text, strlen(cases[i].text), &problem);

		if (g_strcmp0(path, cases[i].path) != 0 ||
			(cases[i].why && !strstr(problem->message, cases[i].why)))
			fail_msg("'%s': %s, %s", cases[i].text, path,
				problem ? problem->message : "no error");
	}
	assert_null(mp_hook_note_parse("/a\0b\n", 5, &error));
	assert_non_null(strstr(error->message, "no text"));
}

static void facts(void **state G_GNUC_UNUSED)
{
	g_autoptr(mp_host) host = mp_host_new("test", false);
	g_autoptr(mp_root) root = NULL;
	g_autofree char *text = NULL;
	g_autofree char *large = g_strnfill(8192, '#');
	struct mp_vm vm = { .id = "101" };
	struct sysroot s;

	sysroot_init(&s);
	root = mp_root_open(s.path, NULL);
	assert_non_null(root);
	mp_hook_note_read(host, root, &vm, &text);
	assert_int_equal(vm.earlier_hookscript.know, MP_ABSENT);
	assert_string_equal(vm.earlier_hookscript.source, "/" NOTE);
	sysroot_text(&s, NOTE, "# x\n/a/b\n");
	mp_hook_note_read(host, root, &vm, &text);
	assert_int_equal(vm.earlier_hookscript.know, MP_KNOWN);
	assert_string_equal(vm.earlier_hookscript.text, "/a/b");
	assert_string_equal(text, "# x\n/a/b\n");
	assert_null(vm.earlier_problem);
	sysroot_text(&s, NOTE, "a/b\n");
	mp_hook_note_read(host, root, &vm, NULL);
	assert_int_equal(vm.earlier_hookscript.know, MP_UNKNOWN);
	assert_string_equal(vm.earlier_problem, "it names no absolute path");
	vm.earlier_problem = NULL;
	sysroot_text(&s, NOTE, large);
	mp_hook_note_read(host, root, &vm, NULL);
	assert_int_equal(vm.earlier_hookscript.know, MP_UNKNOWN);
	assert_null(vm.earlier_problem);
	sysroot_clear(&s);
}

static void volumes(void **state G_GNUC_UNUSED)
{
	static const char config[] = "dir: a\n\tpath /srv/a\n\ndir: ab\n\tpath /srv/ab\n";
	g_autoptr(mp_host) host = mp_host_new("test", false);
	struct mp_guests *guests = mp_host_alloc(host, sizeof(*guests));
	g_autofree char *storage = NULL;
	g_autofree char *none = NULL;
	const char *name = NULL;

	assert_string_equal(mp_volume_snippet("local:snippets/x", &storage), "x");
	assert_string_equal(storage, "local");
	assert_null(mp_volume_snippet("local:iso/x", &none));
	assert_null(mp_volume_snippet("/root/x", &none));
	host->guests = guests;
	guests->storages = mp_host_array(host);
	mp_storages_parse(host, guests, config, strlen(config));
	assert_string_equal(
		mp_host_storage_of(host, "/srv/ab/snippets/x", &name)->name, "ab");
	assert_string_equal(name, "x");
	assert_null(mp_host_storage_of(host, "/srv/ab/snippets/x/y", &name));
	assert_null(mp_host_storage_of(host, "/srv/a", &name));
	assert_null(mp_host_storage_of(host, "", &name));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(notes),
		cmocka_unit_test(facts),
		cmocka_unit_test(volumes),
	};

	return cmocka_run_group_tests_name("hookscript", tests, NULL, NULL);
}
