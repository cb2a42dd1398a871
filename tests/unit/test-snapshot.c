/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Snapshots that are read: what they say, what they do not, and what is wrong with them.
 */
#include "config.h"

#include "snapshot-scene.h"

static int read_error(struct mp_root *root, const char *path)
{
	g_autofree char *data = NULL;

	return mp_root_read(root, path, MP_READ_ATTR, &data, NULL);
}

static char *list(struct mp_root *root, const char *path)
{
	g_auto(GStrv) names = NULL;
	int err = mp_root_list(root, path, &names);

	return err ? g_strdup_printf("error %d", err) : g_strjoinv(" ", names);
}

static const char small[] =
	HEAD "tool: test\nmissing: absent\n"
	     "\n"
	     "# a comment\n"
	     "[/sys/devices/pci0000:00/0000:00:01.0]\n"
	     "vendor = 0x8086\n"
	     "resource :\n"
	     "| one\n"
	     "|\n"
	     "| | three\n"
	     "\\ no feed\n"
	     "empty :\n"
	     "config x 6\n"
	     "| 0: 86 80\n"
	     "| 4: ff\n"
	     "vpd ! read EACCES\n"
	     "driver -> ../../../bus/pci/drivers/pcieport\n"
	     "[/sys/bus/pci/devices]\n"
	     "0000:00:01.0 -> ../../../devices/pci0000:00/0000:00:01.0\n"
	     "[/sys/bus/pci/drivers/pcieport]\n"
	     "bind ! EACCES\n"
	     "[/]\n"
	     "abs -> /sys/bus/pci/devices/0000:00:01.0/vendor\n"
	     "up -> ../../../sys/bus\n"
	     "a -> b\n"
	     "b -> a\n"
	     "odd\\x20name = 1\n"
	     "etc ? dir 0755 0 1700000000\n"
	     "[end 14]\n";

static void contents_come_back(void **state G_GNUC_UNUSED)
{
	g_autoptr(mp_root) root = replay(small);
	g_autofree char *config = NULL;
	size_t size = 0;

	assert_content(root, "sys/bus/pci/devices/0000:00:01.0/vendor", "0x8086\n");
	assert_content(
		root, "/sys/devices/pci0000:00//./0000:00:01.0/vendor", "0x8086\n");
	assert_content(root, "sys/devices/pci0000:00/0000:00:01.0/resource",
		"one\n\n| three\nno feed");
	assert_content(root, "sys/devices/pci0000:00/0000:00:01.0/empty", "");
	assert_content(root, "odd name", "1\n");
	assert_int_equal(mp_root_read(root, "sys/bus/pci/devices/0000:00:01.0/config",
				 MP_READ_ATTR, &config, &size),
		0);
	assert_int_equal(size, 6);
	assert_memory_equal(config, "\x86\x80\0\0\xff\0", 6);
}

static void limits_hold(void **state G_GNUC_UNUSED)
{
	g_autoptr(mp_root) root = replay(small);
	g_autofree char *data = NULL;

	assert_int_equal(mp_root_read(root, "abs", 6, &data, NULL), -EFBIG);
	assert_int_equal(mp_root_read(root, "abs", 7, &data, NULL), 0);
}

static void links_stay_inside(void **state G_GNUC_UNUSED)
{
	g_autoptr(mp_root) root = replay(small);
	g_autofree char *target = NULL, *names = list(root, "up/pci");

	assert_content(root, "abs", "0x8086\n");
	assert_content(
		root, "up/pci/devices/0000:00:01.0/../0000:00:01.0/vendor", "0x8086\n");
	assert_string_equal(names, "devices drivers");
	assert_int_equal(read_error(root, "a"), -ELOOP);
	assert_int_equal(mp_root_readlink(root, "a", &target), 0);
	assert_string_equal(target, "b");
}

static void what_is_not_told(void **state G_GNUC_UNUSED)
{
	g_autoptr(mp_root) root = replay(small);
	g_autofree char *target = NULL;
	struct mp_stat st;

	assert_int_equal(read_error(root, "nothing"), -ENOENT);
	assert_int_equal(read_error(root, "sys/bus"), -EISDIR);
	assert_int_equal(read_error(root, "abs/x"), -ENOTDIR);
	assert_int_equal(
		read_error(root, "sys/bus/pci/devices/0000:00:01.0/vpd"), -EACCES);
	assert_int_equal(read_error(root, "sys/bus/pci/devices/0000:00:01.0/driver/bind"),
		-EACCES);
	assert_int_equal(mp_root_readlink(root, "sys/bus", &target), -EINVAL);
	assert_int_equal(mp_root_stat(root, "etc", &st), 0);
	assert_int_equal(st.type, MP_FILE_DIRECTORY);
	assert_true(st.mtime == 1700000000);
	assert_int_equal(mp_root_stat(root, "abs", &st), 0);
	assert_int_equal(st.type, MP_FILE_REGULAR);
	assert_int_equal(st.size, 7);
}

static void unknown_is_not_absent(void **state G_GNUC_UNUSED)
{
	g_autoptr(mp_root) root = replay(HEAD
		"missing: unknown\n"
		"[/sys/x]\n. /\n| a b\n| link\nb/c = 1\nlink -> /elsewhere\nlink/below = 2\n"
		"[/]\n- gone gone/deep\nhidden ! list EPERM\n[end]\n");
	g_autofree char *names = list(root, "sys/x"), *other = list(root, "sys"),
			*hidden = list(root, "hidden");

	assert_string_equal(names, "a b link");
	assert_string_equal(other, "error -61");
	assert_string_equal(hidden, "error -1");
	assert_int_equal(read_error(root, "sys/x/a"), -ENODATA);
	assert_int_equal(read_error(root, "sys/x/z"), -ENOENT);
	assert_int_equal(read_error(root, "sys/y"), -ENODATA);
	assert_int_equal(read_error(root, "gone"), -ENOENT);
	assert_int_equal(read_error(root, "gone/further"), -ENOENT);
	/* What was read through a link counts under the name that was asked. */
	assert_content(root, "sys/x/link/below", "2\n");
	assert_int_equal(read_error(root, "sys/x/link/other"), -ENODATA);
}

static void directories_open(void **state G_GNUC_UNUSED)
{
	g_autoptr(mp_root) root = replay(small);
	g_autoptr(mp_dir) dir = NULL, none = NULL;
	g_autofree char *data = NULL, *target = NULL;

	assert_int_equal(mp_root_dir(root, "sys/bus/pci/devices/0000:00:01.0", &dir), 0);
	assert_int_equal(mp_dir_read(dir, "vendor", MP_READ_ATTR, &data, NULL), 0);
	assert_string_equal(data, "0x8086\n");
	assert_int_equal(mp_dir_readlink(dir, "driver", &target), 0);
	g_clear_pointer(&data, g_free);
	assert_int_equal(mp_dir_read(dir, "device", MP_READ_ATTR, &data, NULL), -ENOENT);
	assert_int_equal(mp_root_dir(root, "abs", &none), -ENOTDIR);
	assert_int_equal(mp_root_dir(root, "nowhere", &none), -ENOENT);
}

static void faults_are_named(void **state G_GNUC_UNUSED)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{ "", ":1: not a snapshot" },
		{ "metis-passthrough snapshot 2\n", ":1: not a snapshot" },
		{ HEAD, ":2: truncated" },
		{ HEAD "[/a]\nb = 1\n", ":4: truncated" },
		{ HEAD "[/a]\nb :\n| x\n| y", ":5: the file ends inside a block" },
		{ HEAD "[/a]\nb = 1", ":3: the file ends inside a line" },
		{ HEAD "[/a]\nb = 1\n[end 2]\n", ":4: 2 entries were promised, 1 came" },
		{ HEAD "[/a]\n[end]\nb = 1\n", ":4: something after" },
		{ HEAD "[/a]\nb = 1\nb = 2\n[end]\n", ":4: this is told twice" },
		{ HEAD "[/a/../b]\n[end]\n", ":2: not a usable path" },
		{ HEAD "[a]\n[end]\n", ":2: expected [/DIRECTORY]" },
		{ HEAD "[/a]\nb\n[end]\n", ":3: expected 'NAME = TEXT'" },
		{ HEAD "[/a]\nb % 1\n[end]\n", ":3: '%' means nothing" },
		{ HEAD "[/a]\n../b = 1\n[end]\n", ":3: not a usable path" },
		{ HEAD "[/a]\nb\\q = 1\n[end]\n", ":3: not a usable path" },
		{ HEAD "[/a]\nb\\x00 = 1\n[end]\n", ":3: not a usable path" },
		{ HEAD "[/a]\nb\\x2fc = 1\n[end]\n", ":3: not a usable path" },
		{ HEAD "[/a]\n| b\n[end]\n", ":3: a content line outside" },
		{ HEAD "[/a]\nb :\n\\ x\n| y\n[end]\n", ":5: a line after the one" },
		{ HEAD "[/a]\nb :\n|x\n[end]\n", ":4: expected a space" },
		{ HEAD "[/a]\nb x 2\n| 0: 00 00 00\n[end]\n", ":4: expected '| OFFSET" },
		{ HEAD "[/a]\nb x 2\n| 0: 0\n[end]\n", ":4: expected '| OFFSET" },
		{ HEAD "[/a]\nb x 2\n| fffffffff: 00\n[end]\n",
			":4: expected '| OFFSET" },
		{ HEAD "[/a]\nb x 2\n| \n[end]\n", ":4: expected '| OFFSET" },
		{ HEAD "[/a]\nb x 99999999999\n[end]\n", ":3: not a size" },
		{ HEAD "[/a]\nb ? pipe 0 0 0\n[end]\n", ":3: expected '? TYPE" },
		{ HEAD "[/a]\nb ! EWHAT\n[end]\n", ":3: not an error's name" },
		{ HEAD "[/a]\nb ! smell EIO\n[end]\n", ":3: not a look" },
		{ HEAD "[/a]\nb /\n| c/d\n[end]\n", ":4: a name in a listing" },
		{ HEAD "[/a]\nb /\n| .\n[end]\n", ":4: a listing holds '.'" },
		{ HEAD "[/a]\nb -> \n[end]\n", ":3: not a link's target" },
		{ HEAD "missing: maybe\n[/a]\n[end]\n", ":3: missing: must be" },
		{ HEAD "colour: red\n[/a]\n[end]\n", ":2: expected tool, captured" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;

		assert_null(open_text(cases[i].text, strlen(cases[i].text), &error));
		assert_true(g_error_matches(error, MP_ERROR, MP_ERROR_INPUT));
		if (!strstr(error->message, cases[i].message))
			fail_msg("expected '%s', got '%s'", cases[i].message,
				error->message);
	}
}

static void binary_is_refused(void **state G_GNUC_UNUSED)
{
	static const char text[] = HEAD "[/a]\nb = \0\n[end]\n";
	g_autoptr(GError) error = NULL;

	assert_null(open_text(text, sizeof(text) - 1, &error));
	assert_non_null(strstr(error->message, ":3: a NUL byte"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(contents_come_back),
		cmocka_unit_test(limits_hold),
		cmocka_unit_test(links_stay_inside),
		cmocka_unit_test(what_is_not_told),
		cmocka_unit_test(unknown_is_not_absent),
		cmocka_unit_test(directories_open),
		cmocka_unit_test(faults_are_named),
		cmocka_unit_test(binary_is_refused),
	};

	return cmocka_run_group_tests_name("snapshot", tests, NULL, NULL);
}
