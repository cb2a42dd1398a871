/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who gets the cards at boot: what an image and a root are found to do. */
#include "config.h"

#include "binding-scene.h"

static void put_image(struct fixture *x, const struct content *content)
{
	g_autoptr(GString) image = g_string_new(NULL);
	const struct mp_plan_file *script = find(x, SCRIPT);

	cpio_put(image, "etc/metis-passthrough/early-bind.conf", S_IFREG | 0644,
		content->table ? content->table : find(x, TABLE)->content);
	if (!content->no_script)
		cpio_put(image, "scripts/init-top/metis-passthrough",
			content->plain_script ? S_IFREG | 0644 : S_IFREG | 0755,
			script->content);
	cpio_put(image, "scripts/init-top/ORDER", S_IFREG | 0644, content->order);
	cpio_put(image, "scripts/init-top/udev", S_IFREG | 0755, "#!/bin/sh\n");
	if (content->other_program)
		cpio_put(image, "opt/metis-passthrough/early-bind", S_IFREG | 0755, "x");
	else if (!content->no_program)
		cpio_put(image, &MP_PATH_EARLY_PROGRAM[1], S_IFREG | 0755, "x");
	if (!content->no_vfio)
		cpio_put(image, "usr/lib/modules/" NEW "/kernel/vfio-pci.ko",
			S_IFREG | 0644, "x");
	if (!content->no_host)
		cpio_put(image, "usr/lib/modules/" NEW "/updates/metis.ko",
			S_IFREG | 0644, "x");
	cpio_end(image);
	sysroot_write(&x->files, IMAGE, image->str, image->len);
}

static enum mp_bind_outcome in_image(struct fixture *x)
{
	const struct mp_kernel *kernel = x->host->modules->kernels->pdata[1];
	const struct mp_image *image = mp_host_image(x->host, NEW);
	enum mp_bind_outcome outcome;
	struct mp_bind bind;

	assert_string_equal(kernel->release, NEW);
	if (image->fact.know != MP_KNOWN)
		fail_msg("%s", image->fact.why);
	mp_bind_simulate_image(x->host, kernel, image, mp_host_device(x->host, CARD),
		x->profiles->pdata[0], &bind);
	outcome = bind.outcome;
	mp_bind_clear(&bind);
	return outcome;
}

#define LINE(name) "/scripts/init-top/" name " \"$@\"\n[ -e /conf/param.conf ] && :\n"
#define OURS       LINE("metis-passthrough")
#define GOOD       LINE("keymap") OURS LINE("udev")

static void an_image_is_believed_when_all_of_it_is_there(void **state)
{
	static const struct {
		const char *what;
		struct content content;
		enum mp_bind_outcome outcome;
	} cases[] = {
		{ "all there", { .order = GOOD }, MP_BIND_VFIO },
		{ "no udev", { .order = OURS }, MP_BIND_VFIO },
		{ "udev first", { .order = LINE("udev") OURS }, MP_BIND_HOST },
		{ "not in ORDER", { .order = LINE("udev") }, MP_BIND_HOST },
		{ "only in a comment", { .order = "# " OURS LINE("udev") },
			MP_BIND_HOST },
		{ "no program", { .order = GOOD, .no_program = true }, MP_BIND_HOST },
		{ "program elsewhere", { .order = GOOD, .other_program = true },
			MP_BIND_HOST },
		{ "no script", { .order = GOOD, .no_script = true }, MP_BIND_HOST },
		{ "script not executable", { .order = GOOD, .plain_script = true },
			MP_BIND_HOST },
		{ "another address",
			{ .order = GOOD, .table = TWIN " 1f9d:1100 1f9d:0001 -\n" },
			MP_BIND_HOST },
		{ "another id", { .order = GOOD, .table = CARD " 1f9d:1101 - -\n" },
			MP_BIND_HOST },
		{ "another subsystem",
			{ .order = GOOD, .table = CARD " 1f9d:1100 1f9d:0002 -\n" },
			MP_BIND_HOST },
		{ "a comment", { .order = GOOD, .table = "#" CARD " 1f9d:1100 - -\n" },
			MP_BIND_HOST },
		{ "garbage", { .order = GOOD, .table = CARD " 1f9d:1100 -\n" },
			MP_BIND_HOST },
		{ "a serial number that was not read",
			{ .order = GOOD, .table = CARD " 1f9d:1100 - 0x1\n" },
			MP_BIND_UNKNOWN },
		{ "vfio-pci follows in the root", { .order = GOOD, .no_vfio = true },
			MP_BIND_NOBODY },
	};
	struct fixture *x = *state;

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		enum mp_bind_outcome outcome;

		plan(x, "address");
		put_image(x, &cases[i].content);
		load(x);
		want(x, CARD);
		outcome = in_image(x);
		if (outcome != cases[i].outcome)
			fail_msg("%s: %d", cases[i].what, (int)outcome);
	}
}

/* load_modules of an image's /init comes after udev has loaded what it finds. */
static void a_list_of_modules_is_too_late_in_an_image(void **state)
{
	struct fixture *x = *state;
	g_autoptr(GString) image = g_string_new(NULL);

	cpio_put(image, "conf/modules", S_IFREG | 0644, "vfio-pci\n");
	cpio_put(image, "etc/modprobe.d/vfio.conf", S_IFREG | 0644,
		"options vfio-pci ids=1f9d:1100\n");
	cpio_put(image, "usr/lib/modules/" NEW "/vfio-pci.ko", S_IFREG | 0644, "x");
	cpio_put(image, "usr/lib/modules/" NEW "/metis.ko", S_IFREG | 0644, "x");
	cpio_end(image);
	sysroot_write(&x->files, IMAGE, image->str, image->len);
	load(x);
	want(x, CARD);
	assert_int_equal(in_image(x), MP_BIND_HOST);
}

/* --- the root --- */

static enum mp_bind_outcome in_root(struct fixture *x)
{
	enum mp_bind_outcome outcome;
	struct mp_bind bind;

	load(x);
	want(x, CARD);
	mp_bind_simulate(x->host, x->host->modules->kernels->pdata[1],
		mp_host_device(x->host, CARD), x->profiles->pdata[0], &bind);
	outcome = bind.outcome;
	mp_bind_clear(&bind);
	return outcome;
}

static void the_rule_needs_its_table_and_its_program(void **state)
{
	struct fixture *x = *state;
	g_autofree char *program =
		g_build_filename(x->files.path, MP_PATH_EARLY_PROGRAM, NULL);

	plan(x, "address");
	carry_out(x);
	g_autofree char *rule = g_strdup(find(x, RULES)->content);
	g_autofree char *table = g_strdup(find(x, TABLE)->content);

	assert_int_equal(in_root(x), MP_BIND_VFIO);
	put(x, TABLE, TWIN " 1f9d:1100 - -\n");
	assert_int_equal(in_root(x), MP_BIND_HOST);
	put(x, TABLE, table);
	g_remove(program);
	assert_int_equal(in_root(x), MP_BIND_HOST);
	executable(x, MP_PATH_EARLY_PROGRAM);
	put(x, RULES, "# gone\n");
	assert_int_equal(in_root(x), MP_BIND_HOST);
	put(x, RULES, rule);
	put(x, LOAD, "# gone\n");
	assert_int_equal(in_root(x), MP_BIND_NOBODY);
	put(x, LOAD, "vfio-pci\n");
	assert_int_equal(in_root(x), MP_BIND_VFIO);
	/* The card was exchanged. */
	put_device(x, CARD, "0x0002", 0);
	assert_int_equal(in_root(x), MP_BIND_HOST);
}

/* --- the step that proves it --- */

static void expect_proof(struct fixture *x, const char *complaint)
{
	g_autoptr(mp_target) target = mp_target_open(x->files.path, NULL);
	struct mp_step_ctx ctx = { .target = target };
	GError *error = NULL;
	struct mp_step *step;
	bool good;

	load(x);
	want(x, CARD);
	assert_non_null(target);
	step = mp_step_images_new(x->devices, "for the test");
	good = step->ops->prepare(step, &ctx, &error) &&
	       step->ops->apply(step, &ctx, &error) &&
	       step->ops->verify(step, &ctx, &error);
	if (!complaint) {
		assert_no_error(error);
		assert_true(good);
	} else {
		assert_false(good);
		if (!strstr(error->message, complaint))
			fail_msg("lacks %s: %s", complaint, error->message);
		g_clear_error(&error);
	}
	assert_true(step->ops->undo(step, &ctx, true, &error));
	mp_step_free(step);
}

static void images_are_proved(void **state)
{
	static const struct content good = { .order = GOOD },
				    late = { .order = LINE("udev") OURS },
				    empty = { .order = GOOD, .no_vfio = true };
	struct fixture *x = *state;
	g_autofree char *old = g_build_filename(x->files.path, "lib/modules", OLD, NULL);

	plan(x, "address");
	carry_out(x);
	put_image(x, &good);
	drop(x, OLD_IMAGE);
	expect_proof(x, "/boot/initrd.img-" OLD ": cannot count on it for " CARD
			": it could not be read: there is no such file");
	sysroot_remove_tree(old);
	expect_proof(x, NULL);
	plan(x, "address");
	put_image(x, &empty);
	expect_proof(x, NULL);
	plan(x, "address");
	put_image(x, &late);
	expect_proof(x, "/" IMAGE ": cannot count on it for " CARD
			": its ORDER starts udev before");
	put(x, IMAGE, "no image");
	expect_proof(
		x, "/" IMAGE ": cannot count on it for " CARD ": it could not be read: ");
	put_device(x, CARD, "0x0002", 0);
	put(x, "sys/bus/pci/devices/" CARD "/device", "0x1101");
	load(x);
	expect_proof(x, "/" IMAGE);
}

static void a_step_for_another_card_is_refused(void **state)
{
	struct fixture *x = *state;
	g_autoptr(mp_target) target = mp_target_open(x->files.path, NULL);
	struct mp_step_ctx ctx = { .target = target };
	g_autoptr(GError) error = NULL;
	struct mp_step *step;

	load(x);
	want(x, CARD);
	step = mp_step_images_new(x->devices, "for the test");
	put(x, "sys/bus/pci/devices/" CARD "/device", "0x1101");
	assert_false(step->ops->verify(step, &ctx, &error));
	assert_non_null(
		strstr(error->message, CARD ": cannot find the device 1f9d:1100"));
	mp_step_free(step);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_host, close_host)
	const struct CMUnitTest tests[] = {
		TEST(an_image_is_believed_when_all_of_it_is_there),
		TEST(a_list_of_modules_is_too_late_in_an_image),
		TEST(the_rule_needs_its_table_and_its_program),
		TEST(images_are_proved),
		TEST(a_step_for_another_card_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
