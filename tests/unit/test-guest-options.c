/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options of a driver inside of a VM: which are needed, how they are written, what is planned
 * with several profiles, and what was promised of them. */
#include "config.h"

#include "core/guest-options.h"
#include "core/pci.h"
#include "core/plan.h"
#include "core/settings.h"
#include "promise-scene.h"

#define OPTIONS                                                                          \
	"{\"kind\":\"guest-options\",\"path\":\"" MP_FILE_GUEST                          \
	"\",\"options\":[\"metis dma_poll=1\"]}"

static struct mp_profile *parse_profile(const char *text)
{
	g_autoptr(GError) error = NULL;
	struct mp_profile *profile = mp_profile_parse("test", text, strlen(text), &error);

	if (!profile)
		fail_msg("%s", error->message);
	return profile;
}

static void needs(void **state G_GNUC_UNUSED)
{
	static const struct {
		const char *driver, *firmware;
		bool without, by_version;
		const char *why;
	} cases[] = {
		{ NULL, NULL, false, true, "work with any version" },
		{ NULL, "1.8.0", false, true, "work with any version" },
		{ "1.4.4", NULL, false, false, "know nothing of DMA in a VM" },
		{ "1.5.6", "1.7.0", false, false, "which was not named" },
		{ "1.5.7", NULL, false, false, "depends on the card's firmware" },
		{ "1.5.7", "1.6.0", false, false, "firmware before 1.7.0" },
		{ "1.5.7", "1.7.0", true, false, NULL },
		{ "1.5.7", "1.8.0", false, false, "makes driver 1.6.2 mandatory" },
		{ "1.6.2", "1.8.0", true, false, NULL },
		{ "1.10.0", "1.8.0", true, false, NULL },
	};
	g_autoptr(mp_profile) metis = mp_profile_load("metis", NULL);

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		const struct mp_versions versions = { .driver = cases[i].driver,
			.firmware = cases[i].firmware };
		g_autoptr(mp_guest_need) need = mp_guest_need_new(metis, &versions);
		g_autofree char *why = mp_guest_need_why(need);

		if (need->without != cases[i].without ||
			need->by_version != cases[i].by_version ||
			(cases[i].why && !strstr(why, cases[i].why)))
			fail_msg("driver %s, firmware %s: without %d, by version %d, %s",
				cases[i].driver, cases[i].firmware, need->without,
				need->by_version, why);
	}
}

static void texts(void **state G_GNUC_UNUSED)
{
	g_autoptr(mp_profile) profile = parse_profile(
		"name: x\ntitle: x\nids: [\"1234:5678\"]\ninterrupts:\n  delivery: config-space\nguest:\n  options:\n"
		"    - a-b one=1  two=x,y\n    - a-b three\n    - c four=4\n");
	const struct mp_versions versions = { NULL };
	g_autoptr(mp_guest_need) need = mp_guest_need_new(profile, &versions);
	static const bool skip[] = { true, false, false, true };
	g_autofree char *all = mp_guest_need_text(need, "why\nand why", NULL);
	g_autofree char *some = mp_guest_need_text(need, "why", skip);

	assert_int_equal(need->options->len, 4);
	assert_false(need->by_version);
	assert_string_equal(all,
		"# Inside the guest: module options for a card of profile x in a VM.\n"
		"# why\n# and why\noptions a-b one=1 two=x,y three\noptions c four=4\n");
	assert_string_equal(some,
		"# Inside the guest: module options for a card of profile x in a VM.\n"
		"# why\noptions a-b two=x,y three\n");
}

static void values(void **state G_GNUC_UNUSED)
{
	assert_true(mp_guest_value_is("1", "1"));
	assert_true(mp_guest_value_is("1", "Y"));
	assert_true(mp_guest_value_is("0", "n"));
	assert_true(mp_guest_value_is("", ""));
	assert_false(mp_guest_value_is("1", "11"));
	assert_false(mp_guest_value_is("1", "N"));
	assert_false(mp_guest_value_is("1", ""));
	assert_false(mp_guest_value_is("10", "Y"));
	assert_false(mp_guest_value_is("1", "yes"));
}

/* --- plans: of the captured guest with two cards, the second of another profile --- */

struct world {
	struct mp_root *root;
	struct mp_host *host;
	struct mp_config config;
	struct mp_versions versions;
	struct mp_wish wish;
	struct mp_plan *plan;
};

static void world_open(struct world *w)
{
	const char *top = g_getenv("TOP_SRCDIR");
	g_autofree char *path =
		g_strdup_printf("%s/tests/hosts/guest-troubles.snap", top ? top : ".");

	*w = (struct world){ 0 };
	w->root = mp_root_open(path, NULL);
	assert_non_null(w->root);
	w->host = mp_host_load(w->root, MP_TOPIC_ALL, NULL);
	assert_non_null(w->host);
	w->config.cards = g_ptr_array_new();
	w->config.waivers = g_ptr_array_new();
	w->wish = (struct mp_wish){
		.host = w->host,
		.root = w->root,
		.config = &w->config,
		.devices = g_ptr_array_new(),
		.profiles =
			g_ptr_array_new_with_free_func((GDestroyNotify)mp_profile_free),
		.binding = "auto",
		.guest = &w->versions,
	};
}

/* PROFILE is taken over. */
static void want(struct world *w, const char *bdf, struct mp_profile *profile)
{
	struct mp_pci *device = mp_host_device(w->host, bdf);

	assert_non_null(device);
	g_ptr_array_add(w->wish.devices, device);
	g_ptr_array_add(w->wish.profiles, profile);
}

static void plan(struct world *w)
{
	mp_plan_free(w->plan);
	w->plan = mp_plan_make_guest(&w->wish);
}

static void world_close(struct world *w)
{
	mp_plan_free(w->plan);
	g_ptr_array_unref(w->wish.devices);
	g_ptr_array_unref(w->wish.profiles);
	g_ptr_array_unref(w->config.cards);
	g_ptr_array_unref(w->config.waivers);
	mp_host_free(w->host);
	mp_root_free(w->root);
}

static void two_profiles_share_the_file(void **state G_GNUC_UNUSED)
{
	const struct mp_plan_file *file;
	struct world w;

	world_open(&w);
	want(&w, "0000:00:06.0", mp_profile_load("metis", NULL));
	want(&w, "0000:00:07.0",
		parse_profile(
			"name: other\ntitle: x\nids: [\"1f9d:1100\"]\ninterrupts:\n  delivery: config-space\nguest:\n"
			"  options:\n    - other speed=2\n"));
	plan(&w);
	assert_int_equal(w.plan->obstacles->len, 0);
	assert_int_equal(w.plan->files->len, 1);
	file = w.plan->files->pdata[0];
	assert_string_equal(file->path, MP_FILE_GUEST);
	assert_non_null(strstr(file->content, "\noptions metis dma_poll=1\n"));
	assert_non_null(strstr(file->content, "\noptions other speed=2\n"));
	assert_true(file->reboot);
	assert_non_null(strstr(json_object_to_json_string(w.plan->promises),
		"\"metis dma_poll=1\", \"other speed=2\""));
	/* One that can do without leaves the other's. */
	w.versions = (struct mp_versions){ .driver = "1.6.2", .firmware = "1.8.0" };
	plan(&w);
	file = w.plan->files->pdata[0];
	assert_null(strstr(file->content, "dma_poll"));
	assert_non_null(strstr(file->content, "\noptions other speed=2\n"));
	world_close(&w);
}

/* A profile whose options do not depend on a version asks for none. */
static void unknown_version(void **state G_GNUC_UNUSED)
{
	struct world w;

	world_open(&w);
	want(&w, "0000:00:07.0",
		parse_profile(
			"name: other\ntitle: x\nids: [\"1f9d:1100\"]\ninterrupts:\n  delivery: config-space\nguest:\n"
			"  options:\n    - other speed=2\n"));
	plan(&w);
	assert_int_equal(w.plan->obstacles->len, 0);
	assert_int_equal(w.plan->steps->len, 1);
	g_ptr_array_set_size(w.wish.devices, 0);
	g_ptr_array_set_size(w.wish.profiles, 0);
	want(&w, "0000:00:07.0", mp_profile_load("metis", NULL));
	plan(&w);
	assert_int_equal(w.plan->obstacles->len, 1);
	assert_int_equal(w.plan->steps->len, 0);
	assert_non_null(
		strstr(((struct mp_plan_remark *)w.plan->obstacles->pdata[0])->remedy,
			"--driver-version"));
	/* The other card's driver tells. */
	g_ptr_array_set_size(w.wish.devices, 0);
	g_ptr_array_set_size(w.wish.profiles, 0);
	want(&w, "0000:00:07.0", mp_profile_load("metis", NULL));
	want(&w, "0000:00:06.0", mp_profile_load("metis", NULL));
	plan(&w);
	assert_int_equal(w.plan->obstacles->len, 0);
	world_close(&w);
}

/* --- promises --- */

static void put_files(struct fixture *x)
{
	tree_put(&x->tree, "proc/modules", "metis 1 0 - Live 0x0\n");
	tree_put(&x->tree, IMAGE, "archive zstd\nmodules ahci\n");
	tree_put(&x->tree, "etc/modprobe.d/metis-passthrough-guest.conf",
		"options metis dma_poll=1\n");
	tree_put(&x->tree, "sys/module/metis/parameters/dma_poll", "Y\n");
}

static void put_guest(struct fixture *x)
{
	remove_path(x, SYS CARD "/driver");
	sysroot_link(&x->tree.files, SYS CARD "/driver", "../../drivers/axl");
	sysroot_link(&x->tree.files, "sys/bus/pci/drivers/axl/module",
		"../../../../module/metis");
	tree_put(&x->tree, "proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu hypervisor\n");
	put_files(x);
}

static void promises(void **state G_GNUC_UNUSED)
{
	struct fixture x;

	setup(&x);
	put_guest(&x);
	promise(&x, 0, OPTIONS);
	expect(&x, MP_PASS, "status-guest-options", "gets the options");
	assert_false(x.pending);
	tree_put(&x.tree, "etc/modprobe.d/zz.conf", "options metis dma_poll=0\n");
	expect(&x, MP_FAIL, "status-guest-options", "Another file says otherwise");
	remove_path(&x, "etc/modprobe.d/zz.conf");
	remove_path(&x, "etc/modprobe.d/metis-passthrough-guest.conf");
	expect(&x, MP_FAIL, "status-guest-options", "Nothing gives");
	put_files(&x);

	/* In an image without them, with them, and in one that cannot be read. */
	tree_put(&x.tree, IMAGE, "archive zstd\nmodules ahci metis\n");
	expect(&x, MP_FAIL, "status-guest-options", "update-initramfs -u -k " KERNEL);
	tree_put(&x.tree, IMAGE,
		"archive zstd\nmodules metis\nfile etc/modprobe.d/x.conf\n"
		"\toptions metis dma_poll=1\n");
	expect(&x, MP_PASS, "status-guest-options", "gets the options");
	tree_put(&x.tree, IMAGE, "archive zstd\nproblem zstd: failed\n");
	expect(&x, MP_UNSURE, "status-guest-options", "zstd: failed");
	put_files(&x);

	/* The driver that runs: in the boot of the change, in a later one, not known. */
	tree_put(&x.tree, "sys/module/metis/parameters/dma_poll", "N\n");
	expect(&x, MP_FAIL, "status-guest-options", "modprobe -r metis");
	x.tx[0].boot_id = (char *)NOW;
	expect(&x, MP_INFO, "status-guest-options", "from the next boot on");
	assert_true(x.pending);
	x.tx[0].boot_id = NULL;
	expect(&x, MP_UNSURE, "status-guest-options", "not known");
	tree_put(&x.tree, "proc/modules", "ahci 1 0 - Live 0x0\n");
	expect(&x, MP_PASS, "status-guest-options", "gets the options");
	tree_put(&x.tree, "proc/modules", "metis 1 0 - Live 0x0\n");
	/* A parameter that sysfs does not show: a boot later it was loaded with it. */
	remove_path(&x, "sys/module/metis/parameters/dma_poll");
	tree_put(&x.tree, "sys/module/metis/parameters/other", "1\n");
	expect(&x, MP_UNSURE, "status-guest-options", "is not shown");
	x.tx[0].boot_id = (char *)NOW;
	expect(&x, MP_INFO, "status-guest-options", "is not shown");
	x.tx[0].boot_id = (char *)BEFORE;
	expect(&x, MP_PASS, "status-guest-options", "gets the options");
	teardown(&x);
}

/* A node's setup in the same system speaks of other things; a later word about the same
 * file counts. */
static void promises_stay(void **state G_GNUC_UNUSED)
{
	struct fixture x;

	setup(&x);
	put_guest(&x);
	promise(&x, 0, OPTIONS);
	promise(&x, 1, "{\"kind\":\"file\",\"path\":\"/none\",\"absent\":true}");
	judge(&x);
	assert_int_equal(x.findings->len, 2);
	json_object_array_del_idx(x.tx[1].promises, 0, 1);
	json_object_array_add(
		x.tx[1].promises, json_object_array_get_idx(x.tx[0].promises, 0));
	json_object_get(json_object_array_get_idx(x.tx[0].promises, 0));
	json_object_array_del_idx(x.tx[0].promises, 0, 1);
	promise(&x, 0, "{\"kind\":\"file\",\"path\":\"/none\",\"absent\":true}");
	judge(&x);
	assert_int_equal(x.findings->len, 2);
	json_object_array_del_idx(x.tx[0].promises, 0, 1);
	json_object_array_del_idx(x.tx[1].promises, 0, 1);
	promise(&x, 0, OPTIONS);
	promise(&x, 1,
		"{\"kind\":\"guest-options\",\"path\":\"" MP_FILE_GUEST
		"\",\"options\":[]}");
	expect(&x, MP_PASS, "status-guest-options", "No options were wanted");
	teardown(&x);
}

static void nonsense(void **state G_GNUC_UNUSED)
{
	static const char *const lists[] = { "null", "{}", "\"metis dma_poll=1\"", "[1]",
		"[null]", "[\"\"]", "[\"metis\"]", "[\"metis a=1 b=2\"]",
		"[\"metis dma_poll=1\", 2]" };

	for (size_t i = 0; i < G_N_ELEMENTS(lists); i++) {
		g_autofree char *text = g_strdup_printf(
			"{\"kind\":\"guest-options\",\"path\":\"/x\",\"options\":%s}",
			lists[i]);
		struct fixture x;

		setup(&x);
		put_guest(&x);
		promise(&x, 0, text);
		expect(&x, MP_UNSURE, "status-guest-options", "makes no sense");
		teardown(&x);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(needs),
		cmocka_unit_test(texts),
		cmocka_unit_test(values),
		cmocka_unit_test(two_profiles_share_the_file),
		cmocka_unit_test(unknown_version),
		cmocka_unit_test(promises),
		cmocka_unit_test(promises_stay),
		cmocka_unit_test(nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
