/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Promises about files, and of a transaction as a whole, on a made-up host: kept, and
 * broken one way at a time.
 */
#include "config.h"

#include "promise-scene.h"

static void test_file(void **state G_GNUC_UNUSED)
{
	static const char path[] = "etc/modprobe.d/x.conf";
	g_autofree char *digest =
		g_compute_checksum_for_string(G_CHECKSUM_SHA256, "ours\n", -1);
	g_autofree char *json = g_strdup_printf(
		"{\"kind\":\"file\",\"path\":\"/%s\",\"sha256\":\"%s\",\"mode\":420}",
		path, digest);
	struct fixture x;

	setup(&x);
	promise(&x, 0, json);
	expect(&x, MP_FAIL, "status-file", "gone");
	tree_put(&x.tree, path, "ours\n");
	expect(&x, MP_PASS, "status-file", "as setup wrote it");
	tree_put(&x.tree, path, "theirs\n");
	expect(&x, MP_FAIL, "status-file", "changed it");
	tree_put(&x.tree, path, "ours\n");
	g_autofree char *full = g_build_filename(x.tree.files.path, path, NULL);

	assert_int_equal(chmod(full, 0600), 0);
	expect(&x, MP_FAIL, "status-file", "0600, were 0644");
	assert_int_equal(truncate(full, 100 * 1024 * 1024), 0);
	expect(&x, MP_FAIL, "status-file", "changed it");
	remove_path(&x, path);
	sysroot_link(&x.tree.files, path, "y.conf");
	tree_put(&x.tree, "etc/modprobe.d/y.conf", "ours\n");
	expect(&x, MP_FAIL, "status-file", "symbolic link");
	remove_path(&x, path);
	sysroot_mkdir(&x.tree.files, path);
	expect(&x, MP_FAIL, "status-file", "changed it");
	teardown(&x);
}

static void test_absent_file(void **state G_GNUC_UNUSED)
{
	struct fixture x;

	setup(&x);
	promise(&x, 0, "{\"kind\":\"file\",\"path\":\"/etc/x\",\"absent\":true}");
	expect(&x, MP_PASS, "status-file", "not there");
	tree_put(&x.tree, "etc/x", "");
	expect(&x, MP_FAIL, "status-file", "made it since");
	remove_path(&x, "etc/x");
	sysroot_link(&x.tree.files, "etc/x", "nowhere");
	expect(&x, MP_FAIL, "status-file", "symbolic link");
	teardown(&x);
}

static void test_link(void **state G_GNUC_UNUSED)
{
	struct fixture x;

	setup(&x);
	promise(&x, 0, "{\"kind\":\"link\",\"path\":\"/etc/x\",\"target\":\"../y\"}");
	expect(&x, MP_FAIL, "status-link", "gone");
	sysroot_link(&x.tree.files, "etc/x", "../z");
	expect(&x, MP_FAIL, "status-link", "somewhere else");
	remove_path(&x, "etc/x");
	sysroot_link(&x.tree.files, "etc/x", "../y");
	expect(&x, MP_PASS, "status-link", "as setup made it");
	remove_path(&x, "etc/x");
	tree_put(&x.tree, "etc/x", "");
	expect(&x, MP_FAIL, "status-link", "no symbolic link");
	teardown(&x);
}

static void put_cmdline(struct fixture *x, const char *running, const char *staged)
{
	g_autofree char *line = g_strdup_printf(
		"BOOT_IMAGE=/boot/vmlinuz-" KERNEL " root=/dev/sda1 %s\n", running);
	g_autofree char *grub = g_strdup_printf(
		"linux /boot/vmlinuz-" KERNEL " root=/dev/sda1 %s\n", staged);

	tree_put(&x->tree, "proc/cmdline", line);
	tree_put(&x->tree, "boot/grub/grub.cfg", grub);
}

static void test_parameter(void **state G_GNUC_UNUSED)
{
	struct fixture x;

	setup(&x);
	promise(&x, 0, "{\"kind\":\"parameter\",\"parameter\":\"intel_iommu=on\"}");
	expect(&x, MP_PASS, "status-parameter", "was given");
	assert_false(x.pending);
	put_cmdline(&x, "quiet", "quiet");
	expect(&x, MP_FAIL, "status-parameter", "was not given");
	put_cmdline(&x, "intel_iommu=onward", "intel_iommu=on");
	expect(&x, MP_FAIL, "status-parameter", "was not given");
	put_cmdline(&x, "intel_iommu=on intel_iommu=off", "intel_iommu=on");
	expect(&x, MP_FAIL, "status-parameter", "takes it back");
	put_cmdline(&x, "intel_iommu=on", "quiet");
	expect(&x, MP_FAIL, "status-parameter", "the next boot's will not be");

	/* Still the boot of the setup. */
	x.tx[0].boot_id = (char *)NOW;
	put_cmdline(&x, "quiet", "intel_iommu=on");
	expect(&x, MP_INFO, "status-parameter", "from the next boot on");
	assert_true(x.pending);
	put_cmdline(&x, "quiet", "quiet");
	expect(&x, MP_FAIL, "status-parameter", "next boot's command line has no");
	assert_false(x.pending);

	x.tx[0].boot_id = NULL;
	put_cmdline(&x, "quiet", "intel_iommu=on");
	expect(&x, MP_UNSURE, "status-parameter", "not known");
	remove_path(&x, "proc/cmdline");
	expect(&x, MP_UNSURE, "status-parameter", "could not be read");
	teardown(&x);
}

static void test_image(void **state G_GNUC_UNUSED)
{
	struct fixture x;

	setup(&x);
	promise(&x, 0,
		"{\"kind\":\"image\",\"address\":\"" CARD "\",\"id\":\"1f9d:1100\"}");
	expect(&x, MP_UNSURE, "status-image", "no initramfs image");
	tree_put(&x.tree, IMAGE,
		"archive zstd\nmodules metis vfio_pci\nfile etc/modprobe.d/vfio.conf\n"
		"\toptions vfio-pci ids=1f9d:1100\n\tsoftdep metis pre: vfio-pci\n");
	expect(&x, MP_PASS, "status-image", "no other driver gets the card");
	/* A kernel that was installed since. */
	tree_put(&x.tree, "lib/modules/6.14.0-2-pve/modules.dep",
		"kernel/vfio-pci.ko:\nupdates/metis.ko:\n");
	tree_put(&x.tree, "lib/modules/6.14.0-2-pve/modules.builtin", "");
	tree_put(&x.tree, "lib/modules/6.14.0-2-pve/modules.alias",
		"alias pci:v00001F9Dd00001100sv*sd*bc*sc*i* metis\n");
	expect(&x, MP_PASS, "status-image", "only initramfs image");
	tree_put(&x.tree, "metis-passthrough/initramfs/6.14.0-2-pve",
		"archive zstd\nmodules metis\n");
	expect(&x, MP_FAIL, "status-image", "update-initramfs -u -k 6.14.0-2-pve");
	tree_put(&x.tree, "metis-passthrough/initramfs/6.14.0-2-pve",
		"archive zstd\nproblem zstd: failed\n");
	expect(&x, MP_UNSURE, "status-image", "zstd: failed");
	teardown(&x);
}

/* Which transactions count, and which of two promises. */
static void test_transactions(void **state G_GNUC_UNUSED)
{
	struct fixture x;

	setup(&x);
	promise(&x, 0, "{\"kind\":\"parameter\",\"parameter\":\"intel_iommu=off\"}");
	promise(&x, 1, "{\"kind\":\"parameter\",\"parameter\":\"intel_iommu=on\"}");
	expect(&x, MP_PASS, "status-parameter", "intel_iommu=on");
	/* What the latest does not speak of any more is no promise. */
	promise(&x, 0, "{\"kind\":\"file\",\"path\":\"/gone\",\"absent\":false}");
	judge(&x);
	assert_int_equal(x.findings->len, 1);
	json_object_array_del_idx(x.tx[0].promises, 1, 1);
	x.tx[1].state = MP_TX_UNDONE;
	expect(&x, MP_FAIL, "status-parameter", "intel_iommu=off");
	x.tx[0].state = MP_TX_UNDONE;
	judge(&x);
	assert_int_equal(x.findings->len, 0);
	x.tx[1].state = MP_TX_OPEN;
	expect(&x, MP_FAIL, "status-transaction", "metis-passthrough rollback");
	x.tx[1].state = MP_TX_UNDOING;
	expect(&x, MP_FAIL, "status-transaction", "roll back was interrupted");
	teardown(&x);
}

/* plan.json is read as if it were hostile: nothing of this may be taken as kept. */
static void test_nonsense(void **state G_GNUC_UNUSED)
{
	static const char *const lines[] = { "{}", "[]", "1", "\"file\"", "{\"kind\":1}",
		"{\"kind\":\"later\",\"path\":\"/x\"}", "{\"kind\":\"file\"}",
		"{\"kind\":\"file\",\"path\":1}", "{\"kind\":\"file\",\"path\":\"/etc\"}",
		"{\"kind\":\"file\",\"path\":\"/x\",\"sha256\":\"\"}",
		"{\"kind\":\"link\",\"path\":\"/x\"}",
		"{\"kind\":\"pin\",\"address\":\"x\"}",
		"{\"kind\":\"group\",\"address\":\"" CARD "\",\"members\":1}",
		"{\"kind\":\"mapping\",\"name\":\"x\"}",
		"{\"kind\":\"vm\",\"vmid\":\"1\"}" };
	struct fixture x;

	setup(&x);
	for (size_t i = 0; i < G_N_ELEMENTS(lines); i++)
		promise(&x, 0, lines[i]);
	json_object_array_add(x.tx[0].promises, NULL);
	judge(&x);
	assert_int_equal(x.findings->len, G_N_ELEMENTS(lines) + 1);
	for (guint i = 0; i < x.findings->len; i++) {
		const struct mp_finding *finding = x.findings->pdata[i];

		assert_int_equal(finding->severity, MP_UNSURE);
		assert_non_null(strstr(finding->summary, "makes no sense"));
	}
	json_object_put(x.tx[1].promises);
	x.tx[1].promises = json_object_new_object();
	judge(&x);
	teardown(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_absent_file),
		cmocka_unit_test(test_link),
		cmocka_unit_test(test_parameter),
		cmocka_unit_test(test_image),
		cmocka_unit_test(test_transactions),
		cmocka_unit_test(test_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
