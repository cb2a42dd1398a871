/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "core/modules.h"
#include "core/pci.h"
#include "unit.h"
#include "tree.h"

static struct mp_pci metis = {
	.bdf = "0000:86:00.0",
	.vendor = 0x1f9d,
	.device = 0x1100,
	.subvendor = 0x1f9d,
	.subdevice = 0x0001,
	.class_code = 0x120000,
	.modalias = { .know = MP_KNOWN,
		.text = "pci:v00001F9Dd00001100sv00001F9Dsd00000001bc12sc00i00" },
};

static void ids_are_read_as_the_driver_does(void **state G_GNUC_UNUSED)
{
	static const char *const taking[] = { "1f9d:1100", "8086:1,1f9d:1100",
		"0x1f9d:0x1100", "1F9D:1100:1f9d", "1f9d:1100:ffffffff:1",
		"1f9d:1100:1f9d:0001:120000:ff0000",
		"ffffffff:ffffffff:ffffffff:ffffffff:120000:ffff00", ",,1f9d:1100,",
		"1f9d:1100 x" };
	static const char *const leaving[] = { "", "1f9d", "1f9d:", "1f9d:1101",
		"1f9d1100", "1f9d:1100:1f9e", "1f9d:1100:1f9d:2",
		"1f9d:1100:1f9d:1:010000:ff0000", "x,1f9d-1100", " 1f9d:1100x1f9d:1100" };

	for (size_t i = 0; i < G_N_ELEMENTS(taking); i++)
		if (!mp_vfio_ids_take(taking[i], &metis))
			fail_msg("not taken: %s", taking[i]);
	for (size_t i = 0; i < G_N_ELEMENTS(leaving); i++)
		if (mp_vfio_ids_take(leaving[i], &metis))
			fail_msg("taken: %s", leaving[i]);
	/* The kernel refuses a parameter of 1024 characters and more. */
	g_autofree char *filler = g_strnfill(1020, ',');
	g_autofree char *long_ids = g_strconcat("1f9d:1100", filler, NULL);

	assert_false(mp_vfio_ids_take(long_ids, &metis));
}

static const struct mp_modprobe_line *line_of(
	const GPtrArray *lines, enum mp_modprobe_kind kind, const char *module)
{
	for (guint i = 0; i < lines->len; i++) {
		const struct mp_modprobe_line *line = lines->pdata[i];

		if (line->kind == kind && !strcmp(line->module, module))
			return line;
	}
	return NULL;
}

static void modprobe_d_has_precedence_and_order(void **state G_GNUC_UNUSED)
{
	struct tree tree;
	const char *file = NULL;

	tree_open(&tree);
	tree_put(&tree, "etc/modprobe.d/vfio.conf",
		"options vfio-pci ids=1f9d:1100 \\\n disable_vga=1\nsoftdep metis pre: vfio-pci\n"
		"# options vfio-pci ids=1:2\nblacklist metis\ninstall foo /bin/false\nnonsense\n"
		"alias pci:v1f9d* metis\n");
	tree_put(&tree, "usr/lib/modprobe.d/vfio.conf",
		"options vfio-pci ids=dead:beef\n");
	tree_put(&tree, "usr/lib/modprobe.d/a.conf", "options vfio_pci ids=aaaa:0001\n");
	tree_put(&tree, "etc/modprobe.d/z.conf.dpkg-old",
		"options vfio-pci ids=dead:beef\n");
	tree_put(&tree, "proc/cmdline", "modprobe.blacklist=axl,nouveau quiet\n");
	mp_probe_modules(tree.host, tree.root);

	const GPtrArray *lines = tree.host->modules->modprobe;
	g_autofree char *ids = mp_modprobe_option(lines, "vfio-pci", "ids", &file);

	assert_string_equal(ids, "1f9d:1100");
	assert_string_equal(file, "/etc/modprobe.d/vfio.conf");
	assert_true(mp_modprobe_vfio_takes(tree.host, &metis, &file));
	assert_string_equal(
		line_of(lines, MP_MODPROBE_SOFTDEP, "metis")->value, "pre: vfio-pci");
	assert_non_null(line_of(lines, MP_MODPROBE_BLACKLIST, "metis"));
	assert_string_equal(
		line_of(lines, MP_MODPROBE_BLACKLIST, "axl")->file, "/proc/cmdline");
	assert_string_equal(
		line_of(lines, MP_MODPROBE_INSTALL, "foo")->value, "/bin/false");
	assert_string_equal(
		line_of(lines, MP_MODPROBE_ALIAS, "metis")->value, "pci:v1f9d*");
	for (guint i = 0; i < lines->len; i++) {
		const struct mp_modprobe_line *line = lines->pdata[i];

		/* Nothing of the machine that runs the test. */
		if (!g_str_has_prefix(line->file, "/etc/modprobe.d/vfio.conf") &&
			strcmp(line->file, "/usr/lib/modprobe.d/a.conf") != 0 &&
			strcmp(line->file, "/proc/cmdline") != 0)
			fail_msg("from %s: %s", line->file, line->module);
	}
	assert_int_equal(lines->len, 8);
	tree_close(&tree);
}

static void a_later_ids_replaces_an_earlier(void **state G_GNUC_UNUSED)
{
	struct tree tree;

	tree_open(&tree);
	tree_put(&tree, "etc/modprobe.d/a.conf", "options vfio-pci ids=1f9d:1100\n");
	tree_put(&tree, "etc/modprobe.d/b.conf", "options vfio-pci ids=8086:1234\n");
	mp_probe_modules(tree.host, tree.root);
	assert_false(mp_modprobe_vfio_takes(tree.host, &metis, NULL));
	tree_close(&tree);

	tree_open(&tree);
	tree_put(&tree, "etc/modprobe.d/b.conf", "options vfio-pci ids=8086:1234\n");
	tree_put(&tree, "proc/cmdline", "vfio-pci.ids=1f9d:1100\n");
	mp_probe_modules(tree.host, tree.root);
	assert_true(mp_modprobe_vfio_takes(tree.host, &metis, NULL));
	tree_close(&tree);
}

static void a_huge_file_is_refused(void **state G_GNUC_UNUSED)
{
	struct tree tree;
	g_autofree char *path = NULL;

	tree_open(&tree);
	tree_put(&tree, "etc/modprobe.d/huge.conf", "options vfio-pci ids=1f9d:1100\n");
	path = g_build_filename(tree.files.path, "etc/modprobe.d/huge.conf", NULL);
	assert_int_equal(truncate(path, 100 * 1024 * 1024), 0);
	mp_probe_modules(tree.host, tree.root);
	assert_int_equal(tree.host->modules->modprobe->len, 0);
	assert_int_equal(tree.host->modules->unreadable->len, 1);
	const struct mp_fact *fact = tree.host->modules->unreadable->pdata[0];

	assert_string_equal(fact->source, "/etc/modprobe.d/huge.conf");
	assert_int_equal(fact->know, MP_UNKNOWN);
	tree_close(&tree);
}

static void a_hostile_list_takes_no_time(void **state G_GNUC_UNUSED)
{
	g_autoptr(GString) text = g_string_new(NULL);
	struct tree tree;

	for (unsigned i = 0; text->len < 1000 * 1000; i++)
		g_string_append_printf(text, "m%x\n", i);
	tree_open(&tree);
	tree_put(&tree, "etc/modules", text->str);
	mp_probe_modules(tree.host, tree.root);
	assert_in_range(tree.host->modules->load->len, 1000, 10000);
	tree_close(&tree);
}

static void every_installed_kernel_is_known(void **state G_GNUC_UNUSED)
{
	struct tree tree;

	tree_open(&tree);
	tree_put(&tree, "proc/sys/kernel/osrelease", "6.8.12-4-pve\n");
	tree_put(&tree, "proc/modules",
		"vfio_pci 16384 0 - Live 0x0\nkvm 1 0 - Live 0x0\n");
	tree_put(&tree, "usr/lib/modules/6.14.0-2-pve/modules.dep",
		"kernel/drivers/vfio/pci/vfio-pci.ko.zst: kernel/drivers/vfio/vfio.ko.zst\n"
		"updates/dkms/metis.ko:\n");
	tree_put(&tree, "usr/lib/modules/6.14.0-2-pve/modules.builtin",
		"kernel/drivers/iommu/iommufd/iommufd.ko\n");
	tree_put(&tree, "usr/lib/modules/6.14.0-2-pve/modules.alias",
		"# x\nalias pci:v00001F9Dd00001100sv*sd*bc*sc*i* metis\n"
		"alias pci:v*d*sv*sd*bc12sc00i* generic-accel\n"
		"alias pci:v00001F9Dd00001101sv*sd*bc*sc*i* other\n");
	tree_put(&tree, "usr/lib/modules/6.8.12-4-pve/modules.dep",
		"kernel/vfio-pci.ko:\n");
	tree_put(&tree, "usr/lib/modules/6.5.0-gone/kernel/x.ko", "");
	tree_put(&tree, "boot/config-6.14.0-2-pve",
		"#\n# CONFIG_INTEL_IOMMU_DEFAULT_ON is not set\nCONFIG_IOMMU_DEFAULT_PASSTHROUGH=y\n");
	sysroot_link(&tree.files, "lib", "/usr/lib"); /* merged, as an absolute link */
	g_ptr_array_add(tree.host->devices, &metis);
	mp_probe_modules(tree.host, tree.root);

	assert_int_equal(tree.host->modules->kernels->len, 2);
	const struct mp_kernel *old = tree.host->modules->kernels->pdata[0];
	const struct mp_kernel *new = mp_host_newest_kernel(tree.host);

	assert_string_equal(old->release, "6.8.12-4-pve");
	assert_ptr_equal(mp_host_kernel(tree.host), old);
	assert_string_equal(new->release, "6.14.0-2-pve");
	assert_int_equal(mp_module_where(new, "vfio-pci"), MP_MODULE_LOADABLE);
	assert_int_equal(mp_module_where(new, "iommufd"), MP_MODULE_BUILTIN);
	assert_int_equal(mp_module_where(new, "vfio_virqfd"), MP_MODULE_MISSING);
	assert_int_equal(mp_module_where(old, "vfio_virqfd"), MP_MODULE_UNKNOWN);
	assert_string_equal(new->intel_iommu_default_on.text, "n");
	assert_string_equal(new->iommu_default_passthrough.text, "y");
	assert_int_equal(old->intel_iommu_default_on.know, MP_UNKNOWN);
	assert_true(mp_module_loaded(tree.host, "vfio-pci"));
	assert_false(mp_module_loaded(tree.host, "vfio"));
	const GPtrArray *wanting = mp_module_wanting(new, &metis);

	assert_int_equal(wanting->len, 2);
	assert_string_equal(wanting->pdata[0], "metis");
	assert_string_equal(wanting->pdata[1], "generic_accel");
	assert_null(mp_module_wanting(old, &metis));
	tree_close(&tree);
}

/* A kernel that cannot be looked at is there all the same, and a list that was cut is not
 * all. */
static void a_kernel_is_not_overlooked(void **state G_GNUC_UNUSED)
{
	struct tree tree;

	tree_open(&tree);
	tree_put(&tree, "lib/modules/6.14.0-2-pve/modules.dep", "kernel/vfio-pci.ko:\n");
	sysroot_link(&tree.files, "lib/modules/6.8.12-4-pve/modules.dep", "modules.dep");
	mp_probe_modules(tree.host, tree.root);
	assert_int_equal(tree.host->modules->kernels->len, 2);
	const struct mp_kernel *unread = tree.host->modules->kernels->pdata[0];

	assert_string_equal(unread->release, "6.8.12-4-pve");
	assert_int_equal(unread->modules_dep.know, MP_UNKNOWN);
	for (unsigned i = 0; i < 63; i++) {
		g_autofree char *path =
			g_strdup_printf("lib/modules/6.%u/modules.dep", i);

		tree_put(&tree, path, "");
	}
	tree_restart(&tree);
	mp_probe_modules(tree.host, tree.root);
	assert_int_equal(tree.host->modules->kernels_fact.know, MP_UNKNOWN);
	assert_int_equal(tree.host->modules->kernels->len, 0);
	tree_close(&tree);
}

static void loads_and_overrides(void **state G_GNUC_UNUSED)
{
	struct tree tree;

	tree_open(&tree);
	tree_put(&tree, "etc/modules", "# x\nvfio\nvfio-pci ids=1f9d:1100\n");
	tree_put(&tree, "etc/modules-load.d/x.conf", "vfio\nvfio_virqfd\n");
	tree_put(&tree, "etc/initramfs-tools/modules", "vfio_pci ids=1f9d:1100\n");
	tree_put(&tree, "etc/driverctl.d/0000:86:00.0", "vfio-pci\n");
	tree_put(&tree, "etc/udev/rules.d/90-vfio.rules",
		"# ATTR{driver_override}=\"no\"\n"
		"ACTION==\"add\", SUBSYSTEM==\"pci\", KERNEL==\"0000:86:00.*\", \\\n"
		"  ATTR{vendor}==\"0x1f9d\" , ATTR{device}==\"0x1100\", ATTR{driver_override}=\"vfio-pci\"\n"
		"KERNEL!=\"0000:86:00.0\", ATTR{driver_override}=\"vfio-pci\"\n"
		"ENV{X}==\"1\", KERNEL==\"0000:86:00.0\", ATTR{driver_override}=\"vfio-pci\"\n"
		"ATTR{driver_override}=\"vfio-pci\"\nKERNEL==\"broken, ATTR{driver_override}=\"vfio-pci\"\n");
	mp_probe_modules(tree.host, tree.root);

	const struct mp_modules *modules = tree.host->modules;
	const struct mp_module_load *load = modules->load->pdata[1];

	assert_int_equal(modules->load->len, 3);
	assert_string_equal(load->module, "vfio_pci");
	assert_null(load->options); /* systemd takes names only */
	load = modules->initramfs_load->pdata[0];
	assert_string_equal(load->options, "ids=1f9d:1100");
	assert_int_equal(modules->overrides->len, 2);
	const struct mp_override_rule *rule = modules->overrides->pdata[0];

	assert_string_equal(rule->address, "0000:86:00.0");
	rule = modules->overrides->pdata[1];
	assert_string_equal(rule->address, "0000:86:00.*");
	assert_int_equal(rule->device, 0x1100);
	assert_string_equal(rule->driver, "vfio-pci");
	tree_close(&tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_are_read_as_the_driver_does),
		cmocka_unit_test(modprobe_d_has_precedence_and_order),
		cmocka_unit_test(a_later_ids_replaces_an_earlier),
		cmocka_unit_test(a_huge_file_is_refused),
		cmocka_unit_test(a_hostile_list_takes_no_time),
		cmocka_unit_test(every_installed_kernel_is_known),
		cmocka_unit_test(a_kernel_is_not_overlooked),
		cmocka_unit_test(loads_and_overrides),
	};

	return cmocka_run_group_tests_name("modules", tests, NULL, NULL);
}
