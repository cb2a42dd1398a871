/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who gets the cards at boot: the files of both ways, on a small host, and their proof. */
#include "config.h"

#include <string.h>
#include <sys/stat.h>

#include "core/early-bind.h"
#include "core/initramfs-digest.h"
#include "core/pci.h"
#include "core/plan.h"
#include "core/profile.h"
#include "core/settings.h"
#include "core/step.h"
#include "unit.h"

#define assert_no_error(e)                                                               \
	do {                                                                             \
		if (e)                                                                   \
			fail_msg("%s", (e)->message);                                    \
	} while (0)
#include "cpio-build.h"
#include "sysroot.h"

#define OLD       "6.8.12-4-pve"
#define NEW       "6.14.0-2-pve"
#define IMAGE     "boot/initrd.img-" NEW
#define OLD_IMAGE "boot/initrd.img-" OLD
#define CARD      "0000:86:00.0"
#define TWIN      "0000:87:00.0"
#define MODPROBE  "/etc/modprobe.d/metis-passthrough.conf"
#define LOAD      "/etc/modules-load.d/metis-passthrough.conf"
#define HOOK      "/etc/initramfs-tools/hooks/metis-passthrough"
#define SCRIPT    "/etc/initramfs-tools/scripts/init-top/metis-passthrough"
#define TABLE     "/etc/metis-passthrough/early-bind.conf"
#define RULES     "/etc/udev/rules.d/10-metis-passthrough.rules"

struct fixture {
	struct sysroot files;
	struct mp_root *root;
	struct mp_host *host;
	struct mp_config *config;
	GPtrArray *devices, *profiles;
	struct mp_plan *plan;
};

static void put(struct fixture *x, const char *path, const char *text)
{
	sysroot_text(&x->files, path, text);
}

static void executable(struct fixture *x, const char *path)
{
	g_autofree char *full = g_build_filename(x->files.path, path, NULL);

	put(x, path, "");
	assert_int_equal(chmod(full, 0755), 0);
}

/* SUBSYSTEM: the device of it. SERIAL 0: no configuration space beyond 256 bytes. */
static void drop(struct fixture *x, const char *path)
{
	g_autofree char *full = g_build_filename(x->files.path, path, NULL);

	assert_int_equal(g_remove(full), 0);
}

static void put_device(
	struct fixture *x, const char *bdf, const char *subsystem, uint64_t serial)
{
	g_autofree char *dir = g_strdup_printf("sys/bus/pci/devices/%s/", bdf);
	g_autofree char *modalias = g_strdup_printf(
		"pci:v00001F9Dd00001100sv00001F9Dsd0000%sbc12sc00i00\n", subsystem + 2);
	const struct {
		const char *name, *text;
	} attributes[] = { { "vendor", "0x1f9d" }, { "device", "0x1100" },
		{ "subsystem_vendor", "0x1f9d" }, { "subsystem_device", subsystem },
		{ "class", "0x120000" }, { "irq", "0" }, { "resource", "" },
		{ "driver_override", "(null)" }, { "modalias", modalias } };
	uint8_t config[4096] = { 0x9d, 0x1f, 0x00,
		0x11, [0x06] = 0x10, [0x34] = 0x40, [0x40] = 0x10, [0x41] = 0x00,
		[0x42] = 0x02, [0x100] = 0x03, [0x102] = 0x01 };
	g_autofree char *path = g_strconcat(dir, "config", NULL);

	for (size_t i = 0; i < G_N_ELEMENTS(attributes); i++) {
		g_autofree char *file = g_strconcat(dir, attributes[i].name, NULL);

		put(x, file, attributes[i].text);
	}
	for (int i = 0; i < 8; i++)
		config[0x104 + i] = (uint8_t)(serial >> 8 * i);
	sysroot_write(&x->files, path, config, serial ? sizeof(config) : 256);
}

static void put_kernel(struct fixture *x, const char *release, const char *module)
{
	g_autofree char *dep = g_strdup_printf("lib/modules/%s/modules.dep", release);
	g_autofree char *builtin =
		g_strdup_printf("lib/modules/%s/modules.builtin", release);
	g_autofree char *alias = g_strdup_printf("lib/modules/%s/modules.alias", release);
	g_autofree char *deps = g_strdup_printf(
		"kernel/vfio.ko:\nkernel/vfio-pci.ko: kernel/vfio.ko\nupdates/%s.ko:\n",
		module);
	g_autofree char *aliases = g_strdup_printf(
		"alias pci:v00001F9Dd00001100sv*sd*bc*sc*i* %s\n", module);

	put(x, dep, deps);
	put(x, builtin, "");
	put(x, alias, aliases);
}

static int open_host(void **state)
{
	struct fixture *x = g_new0(struct fixture, 1);

	sysroot_init(&x->files);
	put(x, "proc/sys/kernel/osrelease", NEW "\n");
	put(x, "proc/cmdline", "root=/dev/sda1 ro quiet\n");
	put(x, "proc/modules", "");
	put(x, "boot/grub/grub.cfg", "linux /boot/vmlinuz-" NEW " root=/dev/sda1 ro\n");
	put(x, "etc/default/grub", "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\n");
	put_kernel(x, OLD, "metis_old");
	put_kernel(x, NEW, "metis");
	put(x, OLD_IMAGE, "its content is not known");
	put(x, IMAGE, "its content is not known");
	put_device(x, CARD, "0x0001", 0);
	executable(x, "usr/sbin/update-initramfs");
	executable(x, MP_PATH_EARLY_PROGRAM);
	*state = x;
	return 0;
}

static void forget(struct fixture *x)
{
	g_clear_pointer(&x->plan, mp_plan_free);
	g_clear_pointer(&x->host, mp_host_free);
	g_clear_pointer(&x->config, mp_config_free);
	g_clear_pointer(&x->root, mp_root_free);
	g_clear_pointer(&x->devices, g_ptr_array_unref);
	g_clear_pointer(&x->profiles, g_ptr_array_unref);
}

static int close_host(void **state)
{
	struct fixture *x = *state;

	forget(x);
	sysroot_clear(&x->files);
	g_free(x);
	return 0;
}

static void load(struct fixture *x)
{
	GError *error = NULL;

	forget(x);
	x->root = mp_root_open(x->files.path, NULL);
	x->host = mp_host_load(x->root, MP_TOPIC_ALL, &error);
	assert_no_error(error);
	x->config = mp_config_load(x->root, NULL);
	x->devices = g_ptr_array_new();
	x->profiles = g_ptr_array_new_with_free_func((GDestroyNotify)mp_profile_free);
}

static void want(struct fixture *x, const char *bdf)
{
	struct mp_pci *device = mp_host_device(x->host, bdf);

	assert_non_null(device);
	g_ptr_array_add(x->devices, device);
	g_ptr_array_add(x->profiles, mp_profile_for_device(device, NULL));
}

static void plan_more(struct fixture *x, const char *binding, const char *second)
{
	load(x);
	want(x, CARD);
	if (second)
		want(x, second);
	struct mp_wish wish = {
		.host = x->host,
		.root = x->root,
		.config = x->config,
		.devices = x->devices,
		.profiles = x->profiles,
		.binding = binding,
	};

	x->plan = mp_plan_make(&wish);
}

static void plan(struct fixture *x, const char *binding)
{
	plan_more(x, binding, NULL);
}

static const struct mp_plan_file *find(const struct fixture *x, const char *path)
{
	for (guint i = 0; i < x->plan->files->len; i++) {
		const struct mp_plan_file *file = x->plan->files->pdata[i];

		if (!strcmp(file->path, path))
			return file;
	}
	return NULL;
}

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

/* Puts the files of the plan in place. */
static void carry_out(struct fixture *x)
{
	for (guint i = 0; i < x->plan->files->len; i++) {
		const struct mp_plan_file *file = x->plan->files->pdata[i];
		g_autofree char *full = g_build_filename(x->files.path, file->path, NULL);

		/* The link of the unit is no file. */
		if (S_ISLNK(file->mode) || strstr(file->path, ".wants/"))
			continue;
		if (!file->content) {
			g_remove(full);
			continue;
		}
		put(x, file->path, file->content);
		assert_int_equal(chmod(full, file->mode), 0);
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

/* --- images --- */

struct content {
	const char *order, *table;
	bool no_program, no_vfio, no_script, plain_script, no_host, other_program;
};

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
		TEST(an_image_is_believed_when_all_of_it_is_there),
		TEST(a_list_of_modules_is_too_late_in_an_image),
		TEST(the_rule_needs_its_table_and_its_program),
		TEST(images_are_proved),
		TEST(a_step_for_another_card_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
