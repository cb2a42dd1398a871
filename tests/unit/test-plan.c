/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Plans for every captured host, and for small made-up ones. */
#include "config.h"

#include <string.h>

#include "core/boot.h"
#include "core/pci.h"
#include "core/plan.h"
#include "unit.h"
#include "sysroot.h"

/* --- a wish, and a plan of it --- */

struct scene {
	struct mp_root *root; /* borrowed */
	struct mp_host *host;
	struct mp_config *config;
	GPtrArray *devices, *profiles;
	struct mp_wish wish;
};

static void scene_open(struct scene *x, struct mp_root *root)
{
	GError *error = NULL;

	*x = (struct scene){ .root = root, .devices = g_ptr_array_new() };
	x->profiles = g_ptr_array_new_with_free_func((GDestroyNotify)mp_profile_free);
	x->host = mp_host_load(root, MP_TOPIC_ALL, &error);
	assert_null(error);
	x->config = mp_config_load(root, &error);
	assert_null(error);
	x->wish = (struct mp_wish){
		.host = x->host,
		.root = root,
		.config = x->config,
		.devices = x->devices,
		.profiles = x->profiles,
		.binding = "auto",
	};
}

static void scene_close(struct scene *x)
{
	g_ptr_array_unref(x->devices);
	g_ptr_array_unref(x->profiles);
	mp_config_free(x->config);
	mp_host_free(x->host);
}

static void want_device(struct scene *x, struct mp_pci *device)
{
	struct mp_profile *profile = mp_profile_for_device(device, NULL);

	assert_non_null(profile);
	g_ptr_array_add(x->devices, device);
	g_ptr_array_add(x->profiles, profile);
}

static void want(struct scene *x, const char *bdf)
{
	struct mp_pci *device = mp_host_device(x->host, bdf);

	assert_non_null(device);
	want_device(x, device);
}

static const struct mp_plan_file *file_of(const struct mp_plan *plan, const char *path)
{
	for (guint i = 0; i < plan->files->len; i++) {
		const struct mp_plan_file *file = plan->files->pdata[i];

		if (!strcmp(file->path, path))
			return file;
	}
	return NULL;
}

static bool says(const GPtrArray *remarks, const char *part)
{
	for (guint i = 0; i < remarks->len; i++) {
		const struct mp_plan_remark *remark = remarks->pdata[i];

		if (strstr(remark->text, part) ||
			(remark->remedy && strstr(remark->remedy, part)))
			return true;
	}
	return false;
}

static void show(const GPtrArray *remarks)
{
	for (guint i = 0; i < remarks->len; i++) {
		const struct mp_plan_remark *remark = remarks->pdata[i];

		print_message("  %s: %s [%s]\n", remark->subject, remark->text,
			remark->remedy ? remark->remedy : "");
	}
}

#define assert_says(remarks, part)                                                       \
	do {                                                                             \
		if (!says(remarks, part)) {                                              \
			show(remarks);                                                   \
			fail_msg("nothing says '%s'", part);                             \
		}                                                                        \
	} while (0)

#define assert_silent(remarks, part)                                                     \
	do {                                                                             \
		if (says(remarks, part)) {                                               \
			show(remarks);                                                   \
			fail_msg("something says '%s'", part);                           \
		}                                                                        \
	} while (0)

static void assert_no_remarks(const GPtrArray *remarks)
{
	if (remarks->len) {
		show(remarks);
		fail_msg("there are remarks");
	}
}

/* The number of steps of KIND; of programs those of PROGRAM. */
static guint steps_of(const struct mp_plan *plan, const char *kind, const char *program)
{
	guint count = 0;

	for (guint i = 0; i < plan->steps->len; i++) {
		const struct mp_step *step = plan->steps->pdata[i];
		const char *name = mp_step_text_or_null(step->want, "program");

		count += !strcmp(step->ops->kind, kind) &&
			 (!program || !g_strcmp0(name, program));
	}
	return count;
}

/* The root with the plan's files on top: the host after the set-up. */
static struct mp_root *after(struct mp_root *root, const struct mp_plan *plan)
{
	g_autoptr(GArray) files = g_array_new(FALSE, FALSE, sizeof(struct mp_overlay));

	for (guint i = 0; i < plan->files->len; i++) {
		const struct mp_plan_file *file = plan->files->pdata[i];
		struct mp_overlay entry = { file->path, file->content, file->mode };

		g_array_append_val(files, entry);
	}
	return mp_root_overlay(root, (void *)files->data, files->len);
}

/* --- every captured host --- */

static char *hosts_directory(void)
{
	const char *top = g_getenv("TOP_SRCDIR");

	return g_build_filename(top ? top : ".", "tests/hosts", NULL);
}

static guint changed_files(const struct mp_plan *plan)
{
	guint count = 0;

	for (guint i = 0; i < plan->files->len; i++)
		count += ((const struct mp_plan_file *)plan->files->pdata[i])->changed;
	return count;
}

/* All that holds of any plan. */
static void assert_sane(const struct mp_plan *plan, const char *name)
{
	guint files = 0;

	for (guint i = 0; i < plan->steps->len; i++) {
		const struct mp_step *step = plan->steps->pdata[i];

		assert_non_null(step->want);
		assert_true(*step->what && *step->why);
		/* Files first: programs read them. */
		if (!strcmp(step->ops->kind, "file")) {
			if (files != i)
				fail_msg("%s: a file after a program", name);
			files++;
		}
	}
	assert_int_equal(files, changed_files(plan));
	for (guint i = 0; i < plan->files->len; i++) {
		const struct mp_plan_file *file = plan->files->pdata[i];

		assert_true(*file->path == '/');
		for (guint j = 0; j < i; j++)
			assert_string_not_equal(file->path,
				((const struct mp_plan_file *)plan->files->pdata[j])
					->path);
	}
	for (guint i = 0; i < plan->obstacles->len; i++) {
		const struct mp_plan_remark *remark = plan->obstacles->pdata[i];

		assert_true(*remark->subject && *remark->text);
	}
}

/* The second plan writes nothing, and nothing new stands in its way. */
static void assert_idempotent(struct mp_root *root, const struct mp_plan *plan,
	const char *bdf, const char *name)
{
	g_autoptr(mp_root) changed = after(root, plan);
	g_autoptr(mp_plan) second = NULL;
	struct scene x;

	scene_open(&x, changed);
	want(&x, bdf);
	second = mp_plan_make(&x.wish);
	for (guint i = 0; i < second->files->len; i++) {
		const struct mp_plan_file *file = second->files->pdata[i];

		if (file->changed)
			fail_msg("%s, %s: %s is written again:\n%s---\n%s", name, bdf,
				file->path, file->now ? file->now : "(absent)",
				file->content ? file->content : "(absent)");
	}
	if (!plan->obstacles->len && second->obstacles->len) {
		show(second->obstacles);
		fail_msg("%s, %s: a plan without obstacles gets some", name, bdf);
	}
	scene_close(&x);
}

static void every_host_and_device(void **state G_GNUC_UNUSED)
{
	g_autofree char *directory = hosts_directory();
	g_autoptr(GDir) dir = g_dir_open(directory, 0, NULL);
	guint hosts = 0, devices = 0, possible = 0;
	const char *name;

	assert_non_null(dir);
	while ((name = g_dir_read_name(dir))) {
		g_autofree char *path = g_build_filename(directory, name, NULL);
		g_autoptr(mp_root) root = NULL;
		struct scene x;

		if (!g_str_has_suffix(name, ".snap"))
			continue;
		root = mp_root_open(path, NULL);
		assert_non_null(root);
		scene_open(&x, root);
		for (guint i = 0; i < x.host->devices->len; i++) {
			struct mp_pci *device = x.host->devices->pdata[i];
			g_autoptr(mp_plan) plan = NULL;

			g_ptr_array_set_size(x.devices, 0);
			g_ptr_array_set_size(x.profiles, 0);
			want_device(&x, device);
			plan = mp_plan_make(&x.wish);
			assert_sane(plan, name);
			assert_idempotent(root, plan, device->bdf, name);
			devices++;
			possible += !plan->obstacles->len;
			if (g_getenv("PLAN_SHOW")) {
				print_message("%s %s: %u obstacles, %u steps\n", name,
					device->bdf, plan->obstacles->len,
					plan->steps->len);
				show(plan->obstacles);
				print_message("  --\n");
				show(plan->notes);
			}
		}
		scene_close(&x);
		hosts++;
	}
	print_message("%u hosts, %u devices, %u plans without obstacles\n", hosts,
		devices, possible);
	assert_true(hosts > 20 && devices > 100 && possible > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_host_and_device),
	};

	return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
