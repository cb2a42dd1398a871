/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Plans for every device of every captured host, and what holds of any plan. */
#include "config.h"

#include "plan-scene.h"

/* --- every captured host --- */

/* All that holds of any plan. */
static void assert_sane(const struct mp_plan *plan, const char *name)
{
	guint files = 0, changed = 0;

	for (guint i = 0; i < plan->steps->len; i++) {
		const struct mp_step *step = plan->steps->pdata[i];

		assert_non_null(step->want);
		assert_true(*step->what && *step->why);
		/* Files first: programs read them. */
		if ((!strcmp(step->ops->kind, "file") ||
			    !strcmp(step->ops->kind, "link")) &&
			files++ != i)
			fail_msg("%s: a file after a program", name);
	}
	for (guint i = 0; i < plan->files->len; i++) {
		const struct mp_plan_file *file = plan->files->pdata[i];

		changed += file->changed;
		assert_true(*file->path == '/');
		for (guint j = 0; j < i; j++)
			assert_string_not_equal(file->path,
				((const struct mp_plan_file *)plan->files->pdata[j])
					->path);
	}
	assert_int_equal(files, changed);
	for (guint i = 0; i < plan->obstacles->len; i++) {
		const struct mp_plan_remark *remark = plan->obstacles->pdata[i];

		assert_true(*remark->subject && *remark->text);
	}
}

/* What was planned is planned no more once it is done. */
static void assert_idempotent(struct scene *x, const char *bdf, const char *name)
{
	bool possible = !x->plan->obstacles->len;
	const struct mp_plan *second;

	scene_apply(x);
	second = scene_plan(x, bdf);
	for (guint i = 0; i < second->files->len; i++) {
		const struct mp_plan_file *file = second->files->pdata[i];

		if (file->changed)
			fail_msg("%s, %s: %s is written again:\n%s---\n%s", name, bdf,
				file->path, file->now ? file->now : "(absent)",
				file->content ? file->content : "(absent)");
	}
	if (!possible)
		return;
	assert_possible(second);
	if (second->steps->len)
		fail_msg("%s, %s: %s again: %s", name, bdf,
			((const struct mp_step *)second->steps->pdata[0])->what,
			((const struct mp_step *)second->steps->pdata[0])->why);
}

static void show_plan(const struct mp_plan *plan, const char *name, const char *bdf)
{
	print_message("%s %s: %u obstacles, %u steps\n", name, bdf, plan->obstacles->len,
		plan->steps->len);
	show(plan->obstacles);
	print_message("  --\n");
	show(plan->notes);
	for (guint i = 0; i < plan->steps->len; i++)
		print_message("  %u %s: %s\n", i,
			((const struct mp_step *)plan->steps->pdata[i])->what,
			((const struct mp_step *)plan->steps->pdata[i])->why);
}

static guint plan_host(const char *name, guint *devices)
{
	g_autofree char *host = g_strndup(name, strlen(name) - strlen(".snap"));
	g_autoptr(mp_root) base = scene_snapshot(host);
	g_autoptr(GPtrArray) addresses = g_ptr_array_new_with_free_func(g_free);
	guint possible = 0;
	struct scene x;

	scene_open(&x, base);
	scene_load(&x);
	for (guint i = 0; i < x.host->devices->len; i++)
		g_ptr_array_add(addresses,
			g_strdup(
				((const struct mp_pci *)x.host->devices->pdata[i])->bdf));
	scene_close(&x);
	for (guint i = 0; i < addresses->len; i++) {
		const struct mp_plan *plan;

		scene_open(&x, base);
		plan = scene_plan(&x, addresses->pdata[i]);
		if (g_getenv("PLAN_SHOW"))
			show_plan(plan, host, addresses->pdata[i]);
		assert_sane(plan, name);
		possible += !plan->obstacles->len;
		assert_idempotent(&x, addresses->pdata[i], name);
		scene_close(&x);
	}
	*devices += addresses->len;
	return possible;
}

static void every_host_and_device(void **state G_GNUC_UNUSED)
{
	g_autofree char *directory = scene_hosts();
	g_autoptr(GDir) dir = g_dir_open(directory, 0, NULL);
	guint hosts = 0, devices = 0, possible = 0;
	const char *name;

	assert_non_null(dir);
	while ((name = g_dir_read_name(dir))) {
		if (!g_str_has_suffix(name, ".snap"))
			continue;
		possible += plan_host(name, &devices);
		hosts++;
	}
	print_message("%u hosts, %u devices, %u plans without obstacles\n", hosts,
		devices, possible);
	assert_true(hosts > 20 && devices > 100 && possible > 20);
}

/* --- a whole plan --- */

static const struct mp_plan_taken *taken_of(const struct mp_plan *plan, const char *bdf)
{
	for (guint i = 0; i < plan->taken->len; i++) {
		const struct mp_plan_taken *taken = plan->taken->pdata[i];

		if (!strcmp(taken->device->bdf, bdf))
			return taken;
	}
	return NULL;
}

static guint promises_of(const struct mp_plan *plan, const char *kind)
{
	guint count = 0;

	for (size_t i = 0; i < json_object_array_length(plan->promises); i++) {
		json_object *promise = json_object_array_get_idx(plan->promises, i);

		count += !g_strcmp0(mp_step_text_or_null(promise, "kind"), kind);
	}
	return count;
}

static void a_fresh_node(void **state G_GNUC_UNUSED)
{
	g_autoptr(mp_root) base = scene_snapshot("host-driver");
	const struct mp_plan_taken *taken;
	const struct mp_plan *plan;
	const struct mp_step *step;
	json_object *outputs;
	struct scene x;
	guint at, proof;

	scene_open(&x, base);
	plan = scene_plan(&x, CARD);
	assert_possible(plan);
	assert_string_equal(plan->binding, "ids");
	assert_true(plan->reboot);
	step = step_of(plan, "update-initramfs", &at);
	assert_non_null(step);
	assert_true(step->slow && step->reboot);
	assert_true(json_object_object_get_ex(step->want, "outputs", &outputs));
	assert_int_equal(json_object_array_length(outputs), 2);
	assert_string_equal(json_object_get_string(json_object_array_get_idx(outputs, 0)),
		"/boot/initrd.img-6.17.13-2-pve");
	assert_non_null(step_of(plan, "images", &proof));
	assert_int_equal(proof, at + 1);
	assert_false(runs(plan, "update-grub"));
	/* Nobody listens in a directory. */
	assert_false(runs(plan, "udevadm") || runs(plan, "systemctl"));
	assert_true(changes(plan, "/etc/modprobe.d/metis-passthrough.conf"));
	assert_true(changes(plan, "/etc/metis-passthrough/config.yaml"));

	taken = taken_of(plan, CARD);
	assert_non_null(taken);
	assert_true(taken->wanted);
	assert_int_equal(taken->now, MP_BIND_HOST);
	assert_int_equal(taken->then, MP_BIND_VFIO);
	assert_int_equal(plan->taken->len, 1);
	assert_int_equal(promises_of(plan, "pin"), 1);
	assert_int_equal(promises_of(plan, "group"), 1);
	assert_int_equal(promises_of(plan, "file"), plan->files->len);
	assert_int_equal(promises_of(plan, "parameter"), 0);
	scene_close(&x);
}

static void nothing_is_wanted(void **state G_GNUC_UNUSED)
{
	g_autoptr(mp_root) base = scene_snapshot("host-driver");
	const struct mp_plan *plan;
	struct scene x;

	scene_open(&x, base);
	plan = scene_plan(&x, NULL);
	assert_says(plan->obstacles, "no device to pass through is named");
	scene_close(&x);
}

/* --- images --- */

static void images_that_lag_behind(void **state G_GNUC_UNUSED)
{
	static const char path[] = "/metis-passthrough/initramfs/7.0.0-3-pve";
	g_autoptr(mp_root) base = scene_snapshot("host-driver");
	const struct mp_plan *plan;
	struct scene x;

	scene_open(&x, base);
	scene_plan(&x, CARD);
	scene_apply(&x);
	assert_int_equal(scene_plan(&x, CARD)->steps->len, 0);

	/* A kernel came, or somebody restored an image: the files are right all the same. */
	scene_put(&x, path, "archive zstd\nmodules metis nvme\n");
	plan = scene_plan(&x, CARD);
	assert_possible(plan);
	assert_true(runs(plan, "update-initramfs") && runs(plan, "images"));
	assert_int_equal(plan->steps->len, 2);
	assert_non_null(strstr(((const struct mp_step *)plan->steps->pdata[0])->why,
		"7.0.0-3-pve does not give " CARD " to vfio-pci"));

	/* What cannot be read is no proof. */
	scene_put(&x, path, "archive zstd\nproblem it ends in the middle\n");
	plan = scene_plan(&x, CARD);
	assert_possible(plan);
	assert_true(runs(plan, "update-initramfs"));
	assert_says(plan->notes, "it ends in the middle");
	scene_close(&x);
}

/* --- paths that are not as they should be --- */

static void what_stands_at_the_path(void **state G_GNUC_UNUSED)
{
	static const char path[] = "/etc/modprobe.d/metis-passthrough.conf";
	g_autoptr(mp_root) base = scene_snapshot("host-driver");
	const struct mp_plan *plan;
	struct scene x;

	scene_open(&x, base);
	scene_plan(&x, CARD);
	scene_apply(&x);
	g_array_index(x.edits, struct mp_overlay, x.edits->len - 1).mode = 0644;
	for (guint i = 0; i < x.edits->len; i++)
		if (!strcmp(g_array_index(x.edits, struct mp_overlay, i).path, path))
			g_array_index(x.edits, struct mp_overlay, i).mode = 0600;
	plan = scene_plan(&x, CARD);
	assert_true(changes(plan, path));
	assert_string_equal(file_of(plan, path)->now, file_of(plan, path)->content);
	/* By mode alone the content need not be packed again, but the file feeds the images. */
	assert_true(runs(plan, "file"));
	scene_close(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fresh_node),
		cmocka_unit_test(nothing_is_wanted),
		cmocka_unit_test(images_that_lag_behind),
		cmocka_unit_test(what_stands_at_the_path),
		cmocka_unit_test(every_host_and_device),
	};

	return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
