/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "core/cpio.h"
#include "core/initramfs-digest.h"
#include "core/modules.h"
#include "core/program.h"
#include "unit.h"
#include "cpio-build.h"
#include "tree.h"

#define RELEASE "6.8.12-4-pve"
#define IMAGE   "boot/initrd.img-" RELEASE

static void put_file(GString *out, const char *name, const char *text)
{
	cpio_put(out, name, S_IFREG | 0644, text);
}

static void put_early(GString *out)
{
	cpio_put(out, "kernel", S_IFDIR | 0755, NULL);
	put_file(
		out, "kernel/x86/microcode/GenuineIntel.bin", "070701 is no header here");
	cpio_end(out);
	while (out->len % 512)
		g_string_append_c(out, '\0');
}

static void put_main(GString *out)
{
	cpio_put(out, ".", S_IFDIR | 0755, NULL);
	put_file(out, "conf/modules", "# list\nvfio_pci ids=1f9d:1100\n");
	put_file(out, "./etc/modprobe.d/vfio.conf",
		"options vfio-pci ids=1f9d:1100\nsoftdep nvme pre: vfio-pci");
	put_file(out, "usr/lib/modprobe.d/vfio.conf", "options vfio-pci ids=dead:beef\n");
	cpio_put(out, "etc/modprobe.d/link.conf", S_IFLNK | 0777, "vfio.conf");
	put_file(out, "scripts/init-top/ours",
		"#!/bin/sh\necho vfio-pci > /sys/x/driver_override\n");
	put_file(out, "scripts/init-top/udev", "#!/bin/sh\n");
	put_file(out,
		"usr/lib/modules/" RELEASE "/kernel/drivers/vfio/pci/vfio-pci.ko.zst",
		"x");
	put_file(out, "usr/lib/modules/" RELEASE "/kernel/drivers/nvme/host/nvme.ko",
		"xyz");
	put_file(out, "usr/lib/modules/" RELEASE "/modules.dep", "xyz");
	cpio_end(out);
}

/* IN through PROGRAM; false when it is not installed. */
static bool compress(const char *program, const GString *in, GString *out)
{
	g_autofree char *path = g_find_program_in_path(program);
	g_autofree char *directory = g_dir_make_tmp("mp-pack-XXXXXX", NULL);
	g_autofree char *file = g_build_filename(directory, "in", NULL);
	/* The kernel reads lz4's legacy format only. */
	const char *full[] = { path, strcmp(program, "lz4") ? "-c" : "-lc", file, NULL };
	GError *error = NULL;
	int status = 0, stdout_fd = -1;
	char buffer[4096];
	ssize_t got;
	GPid pid;

	if (!path) {
		g_rmdir(directory);
		return false;
	}
	assert_true(g_file_set_contents(file, in->str, (gssize)in->len, NULL));
	assert_true(g_spawn_async_with_pipes(NULL, (char **)full, NULL,
		G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &pid, NULL, &stdout_fd, NULL,
		&error));
	while ((got = read(stdout_fd, buffer, sizeof(buffer))) > 0)
		g_string_append_len(out, buffer, got);
	close(stdout_fd);
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	g_remove(file);
	g_rmdir(directory);
	return true;
}

static const struct mp_image *probe(struct tree *tree, const GString *image)
{
	tree_restart(tree);
	if (image)
		sysroot_write(&tree->files, IMAGE, image->str, image->len);
	tree_put(tree, "lib/modules/" RELEASE "/modules.dep", "");
	mp_probe_modules(tree->host, tree->root);
	mp_probe_initramfs(tree->host, tree->root);
	return mp_host_image(tree->host, RELEASE);
}

static void expect_content(const struct mp_image *image)
{
	g_autofree char *ids = NULL;
	const char *file = NULL;

	if (image->fact.know != MP_KNOWN)
		fail_msg("not read: %s", image->fact.why);
	assert_true(image->has_vfio_pci);
	assert_true(mp_image_has_module(image, "nvme"));
	assert_int_equal(g_hash_table_size(image->modules), 2);
	ids = mp_modprobe_option(image->modprobe, "vfio-pci", "ids", &file);
	assert_string_equal(ids, "1f9d:1100");
	assert_string_equal(file, "/" IMAGE ": etc/modprobe.d/vfio.conf");
	assert_int_equal(image->modprobe->len, 2);
	assert_int_equal(image->load->len, 1);
	const struct mp_module_load *load = image->load->pdata[0];

	assert_string_equal(load->module, "vfio_pci");
	assert_string_equal(load->options, "ids=1f9d:1100");
	assert_int_equal(image->scripts->len, 1);
	assert_string_equal(image->scripts->pdata[0], "scripts/init-top/ours");
}

static void images_are_read_in_every_compression(void **state G_GNUC_UNUSED)
{
	static const char *const programs[] = { "gzip", "zstd", "xz", "bzip2", "lzop",
		"lz4" };
	g_autoptr(GString) main_part = g_string_new(NULL);
	struct tree tree;

	put_main(main_part);
	tree_open(&tree);
	for (size_t i = 0; i < G_N_ELEMENTS(programs); i++) {
		g_autoptr(GString) image = g_string_new(NULL);

		put_early(image);
		if (!compress(programs[i], main_part, image))
			continue;
		const struct mp_image *result = probe(&tree, image);

		expect_content(result);
		assert_string_equal(result->fact.text, programs[i]);
	}
	tree_close(&tree);
}

/* Debian 13: modules, compressed one by one, stand in a plain archive before the rest. */
static void modules_in_the_plain_part(void **state G_GNUC_UNUSED)
{
	g_autoptr(GString) image = g_string_new(NULL), rest = g_string_new(NULL);
	const struct mp_image *result;
	struct tree tree;

	put_early(image);
	cpio_put(image, "usr/lib/modules/" RELEASE, S_IFDIR | 0755, NULL);
	put_file(image, "usr/lib/modules/" RELEASE "/kernel/net/e1000e/e1000e.ko.xz",
		"\xfd"
		"7zXZ");
	cpio_end(image);
	while (image->len % 512)
		g_string_append_c(image, '\0');
	put_main(rest);
	assert_true(compress("gzip", rest, image));
	tree_open(&tree);
	result = probe(&tree, image);
	assert_int_equal(result->fact.know, MP_KNOWN);
	assert_string_equal(result->fact.text, "gzip");
	assert_true(mp_image_has_module(result, "e1000e"));
	assert_true(mp_image_has_module(result, "nvme"));
	assert_int_equal(result->modprobe->len, 2);
	tree_close(&tree);
}

static void a_plain_image_and_several_archives(void **state G_GNUC_UNUSED)
{
	g_autoptr(GString) image = g_string_new(NULL);
	struct tree tree;

	put_early(image);
	put_file(image, "etc/modprobe.d/vfio.conf", "options vfio-pci ids=1:2\n");
	cpio_end(image);
	g_string_append_len(image, "\0\0\0\0", 4);
	put_main(image);
	tree_open(&tree);
	expect_content(probe(&tree, image)); /* of one name the last counts */
	tree_close(&tree);
}

static void broken_images_are_unknown(void **state G_GNUC_UNUSED)
{
	g_autoptr(GString) whole = g_string_new(NULL);
	g_autoptr(GString) packed = g_string_new(NULL);
	struct tree tree;

	tree_open(&tree);
	assert_int_equal(probe(&tree, NULL)->fact.know, MP_ABSENT);
	put_main(whole);
	assert_true(compress("gzip", whole, packed));
	g_string_truncate(packed, packed->len / 2);
	assert_int_equal(probe(&tree, packed)->fact.know, MP_UNKNOWN);
	assert_non_null(strstr(probe(&tree, packed)->fact.why, "gzip"));

	g_autoptr(GString) garbage = g_string_new("neither fish nor fowl");
	assert_int_equal(probe(&tree, garbage)->fact.know, MP_UNKNOWN);
	g_autoptr(GString) empty = g_string_new(NULL);
	assert_int_equal(probe(&tree, empty)->fact.know, MP_UNKNOWN);
	g_autoptr(GString) hole = g_string_new(NULL);
	put_early(hole);
	g_string_append(hole, "070701zzzz");
	assert_int_equal(probe(&tree, hole)->fact.know, MP_UNKNOWN);
	tree_close(&tree);
}

static void a_digest_replaces_the_image(void **state G_GNUC_UNUSED)
{
	struct tree tree;
	const struct mp_image *image;

	tree_open(&tree);
	tree_put(&tree, "metis-passthrough/initramfs/" RELEASE,
		"archive zstd\nmodules vfio_pci nvme\nscript scripts/init-top/ours\n"
		"file conf/modules\n\tvfio_pci ids=1f9d:1100\n"
		"file etc/modprobe.d/vfio.conf\n\toptions vfio-pci ids=1f9d:1100\n"
		"\tsoftdep nvme pre: vfio-pci\n");
	expect_content(probe(&tree, NULL));
	tree_put(&tree, "metis-passthrough/initramfs/" RELEASE,
		"archive zstd\nproblem zstd: did not end in time\n");
	image = probe(&tree, NULL);
	assert_int_equal(image->fact.know, MP_UNKNOWN);
	assert_string_equal(image->fact.why, "zstd: did not end in time");
	tree_close(&tree);
}

static bool ignore(void *user G_GNUC_UNUSED, const char *data G_GNUC_UNUSED,
	size_t size G_GNUC_UNUSED)
{
	return true;
}

static void a_program_that_hangs_is_ended(void **state G_GNUC_UNUSED)
{
	static const char *const args[] = { "-d", "-c", NULL };
	int ends[2];

	/* gzip waits for input that never comes. */
	assert_int_equal(pipe(ends), 0);
	struct mp_program_run runs[2] = {
		{ .program = MP_PROGRAM_GZIP,
			.args = args,
			.input = ends[0],
			.sink = ignore },
		{ .program = MP_PROGRAM_GZIP, .args = args, .input = -1, .sink = ignore },
	};

	mp_programs_run(runs, 2, 1);
	assert_string_equal(runs[0].problem, "gzip: did not end in time");
	assert_non_null(strstr(
		runs[1].problem, "gzip: failed: gzip: stdin: unexpected end of file"));
	g_free(runs[0].problem);
	g_free(runs[1].problem);
	close(ends[0]);
	close(ends[1]);
}

static bool is_there(const char *program)
{
	for (const char *const *dir = mp_program_directories; *dir; dir++) {
		g_autofree char *path = g_build_filename(*dir, program, NULL);

		if (access(path, X_OK) == 0)
			return true;
	}
	return false;
}

static void a_program_that_is_not_there_is_not_waited_for(void **state G_GNUC_UNUSED)
{
	static const char *const args[] = { NULL };
	gint64 begun = g_get_monotonic_time();
	enum mp_program missing = 0;

	while (missing < MP_PROGRAMS && is_there(mp_program_name(missing)))
		missing++;
	if (missing == MP_PROGRAMS)
		skip();
	struct mp_program_run run = {
		.program = missing, .args = args, .input = -1, .sink = ignore
	};

	/* Where nothing else ran beside it, it was waited for as long as anything may take. */
	mp_programs_run(&run, 1, 120);
	assert_non_null(strstr(run.problem, "is not installed (package "));
	assert_true(g_get_monotonic_time() - begun < 30 * G_TIME_SPAN_SECOND);
	g_free(run.problem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(images_are_read_in_every_compression),
		cmocka_unit_test(modules_in_the_plain_part),
		cmocka_unit_test(a_plain_image_and_several_archives),
		cmocka_unit_test(broken_images_are_unknown),
		cmocka_unit_test(a_digest_replaces_the_image),
		cmocka_unit_test(a_program_that_hangs_is_ended),
		cmocka_unit_test(a_program_that_is_not_there_is_not_waited_for),
	};

	return cmocka_run_group_tests_name("initramfs", tests, NULL, NULL);
}
