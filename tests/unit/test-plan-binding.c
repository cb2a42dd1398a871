/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who gets the cards at boot: the files of both ways, on a small host. */
#include "config.h"

#include "binding-scene.h"

static void expect_text(const struct fixture *x, const char *path, const char *part)
{
	const struct mp_plan_file *file = find(x, path);

	if (!file || !file->content || !strstr(file->content, part))
		fail_msg("%s: lacks %s in: %s", path, part,
			file && file->content ? file->content : "(nothing)");
}

/* Not there, and nothing is done about it. */
static void expect_nothing(const struct fixture *x, const char *path)
{
	const struct mp_plan_file *file = find(x, path);

	if (file && (file->content || file->changed))
		fail_msg("%s: %s", path, file->content ? file->content : "removed");
}

static bool says(const GPtrArray *remarks, const char *subject, const char *part)
{
	for (guint i = 0; i < remarks->len; i++) {
		const struct mp_plan_remark *remark = remarks->pdata[i];

		if (!strcmp(remark->subject, subject) && strstr(remark->text, part))
			return true;
	}
	return false;
}

static void expect_says(const GPtrArray *remarks, const char *subject, const char *part)
{
	if (says(remarks, subject, part))
		return;
	for (guint i = 0; i < remarks->len; i++) {
		const struct mp_plan_remark *remark = remarks->pdata[i];

		print_message("%s: %s\n", remark->subject, remark->text);
	}
	fail_msg("nothing says %s: %s", subject, part);
}

static void expect_no_obstacle(const struct fixture *x)
{
	for (guint i = 0; i < x->plan->obstacles->len; i++) {
		const struct mp_plan_remark *remark = x->plan->obstacles->pdata[i];

		fail_msg("%s: %s", remark->subject, remark->text);
	}
}

static void expect_outcome(struct fixture *x, const char *bdf, enum mp_bind_outcome now,
	enum mp_bind_outcome then)
{
	for (guint i = 0; i < x->plan->taken->len; i++) {
		const struct mp_plan_taken *taken = x->plan->taken->pdata[i];

		if (strcmp(taken->device->bdf, bdf) != 0)
			continue;
		assert_int_equal(taken->now, now);
		assert_int_equal(taken->then, then);
		return;
	}
	fail_msg("nothing is said of %s", bdf);
}

/* --- ids --- */

static void by_id_where_that_is_enough(void **state)
{
	struct fixture *x = *state;

	plan(x, "auto");
	expect_no_obstacle(x);
	assert_string_equal(x->plan->binding, "ids");
	expect_text(x, MODPROBE, "\noptions vfio-pci ids=1f9d:1100:1f9d:0001\n");
	/* The modules of all kernels; never a blacklist. */
	expect_text(x, MODPROBE, "\nsoftdep metis pre: vfio-pci\n");
	expect_text(x, MODPROBE, "\nsoftdep metis_old pre: vfio-pci\n");
	assert_null(strstr(find(x, MODPROBE)->content, "\nblacklist"));
	expect_text(x, LOAD, "\nvfio-pci\n");
	expect_text(x, HOOK, "\nforce_load vfio-pci\n");
	assert_true(g_str_has_prefix(find(x, HOOK)->content, "#!/bin/sh\n# "));
	assert_int_equal(find(x, HOOK)->mode, 0755);
	expect_nothing(x, TABLE);
	expect_nothing(x, SCRIPT);
	expect_nothing(x, RULES);
	expect_outcome(x, CARD, MP_BIND_HOST, MP_BIND_VFIO);
}

static void once_is_enough(void **state)
{
	static const char *const ways[] = { "auto", "ids", "address" };
	struct fixture *x = *state;

	for (size_t i = 0; i < G_N_ELEMENTS(ways); i++) {
		plan(x, ways[i]);
		carry_out(x);
		plan(x, ways[i]);
		expect_no_obstacle(x);
		for (guint k = 0; k < x->plan->files->len; k++) {
			const struct mp_plan_file *file = x->plan->files->pdata[k];

			if (file->changed && !strstr(file->path, ".wants/"))
				fail_msg("%s: %s changes again", ways[i], file->path);
		}
	}
}

static void a_list_names_each_id_once(void **state)
{
	struct fixture *x = *state;

	put_device(x, TWIN, "0x0001", 0);
	put_device(x, "0000:88:00.0", "0x0002", 0);
	plan_more(x, "auto", TWIN);
	assert_string_equal(x->plan->binding, "ids");
	/* 0000:88:00.0 has another subsystem and stays with the host. */
	expect_text(x, MODPROBE, " ids=1f9d:1100:1f9d:0001\n");
	plan_more(x, "auto", "0000:88:00.0");
	assert_string_equal(x->plan->binding, "address");
}

/* --- address --- */

static void by_address_where_an_id_takes_too_much(void **state)
{
	struct fixture *x = *state;

	put_device(x, TWIN, "0x0001", 0);
	plan(x, "auto");
	expect_no_obstacle(x);
	assert_string_equal(x->plan->binding, "address");
	expect_says(x->plan->notes, CARD, TWIN " has the same id");
	expect_nothing(x, MODPROBE);
	expect_text(x, LOAD, "\nvfio-pci\n");
	expect_text(x, TABLE, "\n" CARD " 1f9d:1100 1f9d:0001 -\n");
	assert_null(strstr(find(x, TABLE)->content, TWIN));
	expect_text(x, HOOK, "\ncopy_exec \"$program\"\n");
	expect_text(x, SCRIPT,
		"\n[ ! -x " MP_PATH_EARLY_PROGRAM " ] || " MP_PATH_EARLY_PROGRAM "\n");
	assert_int_equal(find(x, SCRIPT)->mode, 0755);
	expect_text(x, RULES,
		"\nACTION==\"add\", SUBSYSTEM==\"pci\", KERNEL==\"" CARD "\", ");
	expect_text(x, RULES, ", ATTR{subsystem_device}==\"0x0001\", PROGRAM==\"");
	/* An assignment, so that it is no line without effect. */
	expect_text(x, RULES, ", ENV{METIS_PASSTHROUGH}=\"");
	expect_outcome(x, CARD, MP_BIND_HOST, MP_BIND_VFIO);
	plan(x, "ids");
	expect_says(x->plan->obstacles, CARD, TWIN " has the same id");
}

static void a_serial_number_is_part_of_the_line(void **state)
{
	struct fixture *x = *state;

	put_device(x, CARD, "0x0001", 0x0123456789abcdef);
	plan(x, "address");
	expect_no_obstacle(x);
	expect_text(x, TABLE, "\n" CARD " 1f9d:1100 1f9d:0001 0x0123456789abcdef\n");
}

static void by_address_where_others_gave_ids(void **state)
{
	static const struct {
		const char *path, *text, *part;
	} cases[] = {
		{ "etc/modprobe.d/vfio.conf", "options vfio-pci ids=8086:1533\n",
			"/etc/modprobe.d/vfio.conf gives" },
		{ "proc/cmdline", "root=/dev/sda1 vfio-pci.ids=8086:1533\n",
			"the kernel command line gives" },
		{ "etc/initramfs-tools/modules", "vfio-pci ids=8086:1533\n",
			"/etc/initramfs-tools/modules gives" },
		{ "lib/modules/" OLD "/modules.builtin", "kernel/vfio-pci.ko\n",
			"built into kernel " OLD },
	};
	struct fixture *x = *state;

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *full =
			g_build_filename(x->files.path, cases[i].path, NULL);
		g_autofree char *before = NULL;

		g_file_get_contents(full, &before, NULL, NULL);
		put(x, cases[i].path, cases[i].text);
		plan(x, "auto");
		assert_string_equal(x->plan->binding, "address");
		expect_says(x->plan->notes, "host", cases[i].part);
		plan(x, "ids");
		expect_says(x->plan->obstacles, "host", cases[i].part);
		g_remove(full);
		if (before)
			put(x, cases[i].path, before);
	}
	plan(x, "auto");
	assert_string_equal(x->plan->binding, "ids");
}

static void changing_the_way_takes_the_other_files_away(void **state)
{
	struct fixture *x = *state;

	plan(x, "ids");
	carry_out(x);
	plan(x, "address");
	assert_null(find(x, MODPROBE)->content);
	assert_true(find(x, MODPROBE)->changed);
	carry_out(x);
	plan(x, "ids");
	expect_text(x, MODPROBE, "options vfio-pci ids=");
	assert_null(find(x, TABLE)->content);
	assert_null(find(x, SCRIPT)->content);
	assert_null(find(x, RULES)->content);
	assert_null(strstr(find(x, HOOK)->content, "copy_exec"));
}

/* --- what stands in the way --- */

static void what_others_did_is_left_alone(void **state)
{
	struct fixture *x = *state;

	drop(x, IMAGE);
	drop(x, OLD_IMAGE);
	put(x, "etc/modprobe.d/vfio.conf",
		"options vfio-pci ids=1f9d:1100\nsoftdep metis pre: vfio-pci\n"
		"softdep metis_old pre: vfio-pci\n");
	plan(x, "auto");
	expect_no_obstacle(x);
	assert_string_equal(x->plan->binding, "none");
	expect_says(x->plan->notes, CARD, "/etc/modprobe.d/vfio.conf, which is not ours");
	expect_nothing(x, MODPROBE);
	expect_nothing(x, LOAD);
	expect_nothing(x, HOOK);
	/* In one kernel only: not enough, and two lists would be one too many. */
	put(x, "etc/modprobe.d/vfio.conf",
		"options vfio-pci ids=1f9d:1100\nsoftdep metis pre: vfio-pci\n");
	plan(x, "auto");
	assert_string_equal(x->plan->binding, "address");
}

static void obstacles(void **state)
{
	struct fixture *x = *state;
	g_autofree char *program =
		g_build_filename(x->files.path, MP_PATH_EARLY_PROGRAM, NULL);
	g_autofree char *update =
		g_build_filename(x->files.path, "usr/sbin/update-initramfs", NULL);

	g_remove(program);
	plan(x, "ids");
	expect_no_obstacle(x);
	plan(x, "address");
	expect_says(x->plan->obstacles, "host", MP_PATH_EARLY_PROGRAM ", which binds");
	executable(x, MP_PATH_EARLY_PROGRAM);

	g_remove(update);
	plan(x, "ids");
	expect_says(x->plan->obstacles, "host", "nothing makes initramfs images");
	executable(x, "usr/bin/dracut");
	plan(x, "ids");
	expect_says(x->plan->obstacles, "host", "dracut makes the initramfs images");
	executable(x, "usr/sbin/update-initramfs");

	put(x, "etc/modprobe.d/no.conf", "blacklist vfio-pci\n");
	plan(x, "ids");
	expect_says(x->plan->obstacles, "host", "/etc/modprobe.d/no.conf keeps vfio-pci");
	put(x, "etc/modprobe.d/no.conf", "");

	put(x, "etc/driverctl.d/" CARD, "uio_pci_generic\n");
	plan(x, "address");
	expect_says(x->plan->obstacles, CARD, "gives it to uio_pci_generic");
	put(x, "etc/driverctl.d/" CARD, "");

	put(x, "lib/modules/" OLD "/modules.dep", "updates/metis_old.ko:\n");
	plan(x, "ids");
	expect_says(x->plan->obstacles, "host", "kernel " OLD " has no vfio-pci");
}

static void a_driver_that_is_built_in_cannot_be_outrun(void **state)
{
	static const char *const ways[] = { "ids", "address" };
	struct fixture *x = *state;

	put(x, "lib/modules/" NEW "/modules.builtin", "kernel/metis.ko\n");
	for (size_t i = 0; i < G_N_ELEMENTS(ways); i++) {
		plan(x, ways[i]);
		expect_says(x->plan->obstacles, CARD,
			"its driver metis is built into kernel " NEW);
	}
}

static void promises(void **state)
{
	struct fixture *x = *state;
	unsigned found = 0;

	plan(x, "ids");
	for (size_t i = 0; i < json_object_array_length(x->plan->promises); i++) {
		json_object *promise = json_object_array_get_idx(x->plan->promises, i);
		const char *kind = mp_step_text(promise, "kind", NULL);

		if (strcmp(kind, "binding") != 0 && strcmp(kind, "image") != 0)
			continue;
		assert_string_equal(mp_step_text(promise, "address", NULL), CARD);
		assert_string_equal(mp_step_text(promise, "id", NULL), "1f9d:1100");
		found++;
	}
	assert_int_equal(found, 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_host, close_host)
	const struct CMUnitTest tests[] = {
		TEST(by_id_where_that_is_enough),
		TEST(once_is_enough),
		TEST(a_list_names_each_id_once),
		TEST(by_address_where_an_id_takes_too_much),
		TEST(a_serial_number_is_part_of_the_line),
		TEST(by_address_where_others_gave_ids),
		TEST(changing_the_way_takes_the_other_files_away),
		TEST(what_others_did_is_left_alone),
		TEST(obstacles),
		TEST(a_driver_that_is_built_in_cannot_be_outrun),
		TEST(promises),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
