/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "core/boot.h"
#include "core/grub-default.h"
#include "unit.h"
#include "tree.h"

static void parameters_are_exact_tokens(void **state G_GNUC_UNUSED)
{
	static const char line[] = "BOOT_IMAGE=/vmlinuz quiet intel_iommu=on iommu=pt "
				   "nointel_iommu=off dyndbg=\"file a +p; file b +p\" "
				   "\"spaced=a b\" intel-iommu=sp_off -- iommu=off";
	g_autofree char *iommu = mp_cmdline_get(line, "iommu");
	g_autofree char *intel = mp_cmdline_get(line, "intel_iommu");
	g_autofree char *quiet = mp_cmdline_get(line, "quiet");
	g_autofree char *dyndbg = mp_cmdline_get(line, "dyndbg");
	g_autofree char *spaced = mp_cmdline_get(line, "spaced");

	assert_string_equal(iommu, "pt"); /* what follows "--" is init's */
	assert_string_equal(intel, "sp_off");
	assert_string_equal(quiet, "");
	assert_string_equal(dyndbg, "file a +p; file b +p");
	assert_string_equal(spaced, "a b");
	assert_null(mp_cmdline_get(line, "iomm"));
	assert_true(mp_cmdline_has(line, "intel_iommu", "on"));
	assert_true(mp_cmdline_has(line, "intel_iommu", "sp_off"));
	assert_false(mp_cmdline_has(line, "intel_iommu", "off"));
	assert_false(mp_cmdline_has(line, "iommu", "off"));
	assert_false(mp_cmdline_has(NULL, "iommu", "off"));
}

static void the_last_switch_counts(void **state G_GNUC_UNUSED)
{
	static const char *const words[] = { "on", "off", NULL };

	assert_string_equal(mp_cmdline_last("intel_iommu=off,sm_on intel_iommu=on",
				    "intel_iommu", words),
		"on");
	assert_string_equal(mp_cmdline_last("a=on,off", "a", words), "off");
	assert_null(mp_cmdline_last("a=sm_on", "a", words));
}

static const char *grub(struct mp_grub_default *g, const char *text, const char **why)
{
	*why = NULL;
	mp_grub_default_source(g, "grub", text);
	return mp_grub_default_get(g, "GRUB_CMDLINE_LINUX_DEFAULT", why);
}

static void grub_defaults_append(void **state G_GNUC_UNUSED)
{
	g_autoptr(mp_grub_default) g = mp_grub_default_new();
	const char *why;

	assert_string_equal(
		grub(g,
			"# a comment with GRUB_CMDLINE_LINUX_DEFAULT=`no`\n"
			"GRUB_DISTRIBUTOR=`lsb_release -i -s 2> /dev/null || echo Debian`\n"
			"GRUB_DISTRIBUTOR=$( . /etc/os-release; echo \"${NAME:-x)}\" )\n"
			"GRUB_CMDLINE_LINUX_DEFAULT=\"quiet \\\n a=\\\"b\\\"\"\n",
			&why),
		"quiet  a=\"b\"");
	assert_string_equal(
		grub(g, "GRUB_CMDLINE_LINUX_DEFAULT=\"$GRUB_CMDLINE_LINUX_DEFAULT iommu=pt\"",
			&why),
		"quiet  a=\"b\" iommu=pt");
	assert_string_equal(
		grub(g, "X='$no';export GRUB_CMDLINE_LINUX_DEFAULT=${X}$UNSET\\ y # end",
			&why),
		"$no y");
	assert_string_equal(mp_grub_default_get(g, "GRUB_CMDLINE_LINUX", &why), "");
}

static void grub_defaults_admit_ignorance(void **state G_GNUC_UNUSED)
{
	static const char *const texts[] = {
		"GRUB_CMDLINE_LINUX_DEFAULT=\"a $(cat /x)\"",
		"GRUB_CMDLINE_LINUX_DEFAULT=`x`",
		"X=`x`; GRUB_CMDLINE_LINUX_DEFAULT=\"$X\"",
		"if [ -e /x ]; then GRUB_CMDLINE_LINUX_DEFAULT=a; fi",
		"if a\nthen if b; then :; fi\nGRUB_CMDLINE_LINUX_DEFAULT=a\nfi",
		"[ -e /x ] && GRUB_CMDLINE_LINUX_DEFAULT=a",
		"[ -e /x ] ||\n\nGRUB_CMDLINE_LINUX_DEFAULT=a",
		"GRUB_CMDLINE_LINUX_DEFAULT=a | cat",
		"GRUB_CMDLINE_LINUX_DEFAULT=a true",
		"GRUB_CMDLINE_LINUX_DEFAULT+=\" a\"",
		"GRUB_CMDLINE_LINUX_DEFAULT$X=a",
		"GRUB_CMDLINE_LINUX_DEFAULT=${X:-a}",
		": ${GRUB_CMDLINE_LINUX_DEFAULT:=a}",
		"GRUB_CMDLINE_LINUX_DEFAULT=\"a",
		"unset GRUB_CMDLINE_LINUX_DEFAULT",
		". /etc/other",
		"f() {\nGRUB_CMDLINE_LINUX_DEFAULT=a\n}",
		"cat <<E\nGRUB_CMDLINE_LINUX_DEFAULT=a\nE",
		"while :; do\n",
	};

	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autoptr(mp_grub_default) g = mp_grub_default_new();
		const char *why;

		if (grub(g, texts[i], &why))
			fail_msg("known: %s", texts[i]);
		assert_non_null(why);
		assert_non_null(strstr(why, "line "));
	}
}

static void grub_defaults_are_bounded(void **state G_GNUC_UNUSED)
{
	g_autoptr(mp_grub_default) g = mp_grub_default_new();
	g_autoptr(GString) text = g_string_new("GRUB_CMDLINE_LINUX_DEFAULT=x\n");
	const char *why;

	for (int i = 0; i < 64; i++)
		g_string_append(text,
			"GRUB_CMDLINE_LINUX_DEFAULT=$GRUB_CMDLINE_LINUX_DEFAULT"
			"$GRUB_CMDLINE_LINUX_DEFAULT\n");
	assert_null(grub(g, text->str, &why));
	assert_non_null(why);
}

static void grub_defaults_forgive_what_is_apart(void **state G_GNUC_UNUSED)
{
	g_autoptr(mp_grub_default) g = mp_grub_default_new();
	const char *why;

	assert_string_equal(
		grub(g,
			"GRUB_CMDLINE_LINUX_DEFAULT=a\n"
			"if [ -n \"$GRUB_CMDLINE_LINUX_DEFAULT\" ]; then GRUB_TIMEOUT=1; fi\n"
			"case x in\n  x) GRUB_TIMEOUT=3;;\nesac\n"
			"GRUB_CMDLINE_LINUX_DEFAULT=b",
			&why),
		"b");
}

#define LOADER_INFO                                                                      \
	"sys/firmware/efi/efivars/LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"
#define GRUB_CFG                                                                               \
	"menuentry 'Proxmox' {\n\tlinux\t/boot/vmlinuz root=/dev/pve/root ro quiet iommu=pt\n" \
	"}\nmenuentry x {\n linux /boot/vmlinuz root=/dev/pve/root single\n}\n"

static void put_efi_text(struct tree *tree, const char *name, const char *text)
{
	char data[256] = { 6, 0, 0, 0 };
	size_t size = 4;

	for (const char *p = text; *p; p++, size += 2)
		data[size] = *p;
	sysroot_write(&tree->files, name, data, size + 2);
}

static struct mp_boot *probe(struct tree *tree)
{
	tree_restart(tree);
	mp_probe_boot(tree->host, tree->root);
	return tree->host->boot;
}

static void plain_grub_is_known_by_its_mark(void **state G_GNUC_UNUSED)
{
	struct tree tree;
	const struct mp_boot *boot;

	tree_open(&tree);
	tree_put(&tree, "proc/cmdline",
		"BOOT_IMAGE=/boot/vmlinuz root=/dev/pve/root ro quiet\n");
	tree_put(&tree, "boot/grub/grub.cfg", GRUB_CFG);
	tree_put(&tree, "etc/default/grub",
		"GRUB_CMDLINE_LINUX=\"\"\nGRUB_CMDLINE_LINUX_DEFAULT=quiet\n");
	tree_put(&tree, "etc/default/grub.d/b.cfg",
		"GRUB_CMDLINE_LINUX_DEFAULT=\"$GRUB_CMDLINE_LINUX_DEFAULT b\"");
	tree_put(&tree, "etc/default/grub.d/a.cfg",
		"GRUB_CMDLINE_LINUX_DEFAULT=\"$GRUB_CMDLINE_LINUX_DEFAULT a\"");
	tree_put(&tree, "etc/default/grub.d/c.txt", "GRUB_CMDLINE_LINUX_DEFAULT=no");
	/* Proves nothing: the installer writes it with GRUB too. */
	tree_put(&tree, "etc/kernel/cmdline",
		"root=ZFS=rpool/ROOT/pve-1 intel_iommu=on\n");
	boot = probe(&tree);
	assert_int_equal(boot->loader, MP_LOADER_GRUB);
	assert_string_equal(boot->grub_default.text, "quiet a b");
	assert_string_equal(boot->staged.text, "root=/dev/pve/root ro quiet iommu=pt");
	assert_string_equal(boot->staged.source, "/boot/grub/grub.cfg");
	tree_close(&tree);
}

static void the_boot_tool_is_told_from_grub(void **state G_GNUC_UNUSED)
{
	struct tree tree;
	const struct mp_boot *boot;

	tree_open(&tree);
	tree_put(&tree, "etc/kernel/proxmox-boot-uuids", "ABCD-1234\n");
	tree_put(&tree, "etc/kernel/cmdline",
		"root=ZFS=rpool/ROOT/pve-1 quiet\nsecond line\n");
	tree_put(&tree, "sys/firmware/efi/runtime", "0x0\n");
	tree_put(&tree, "proc/cmdline",
		"initrd=\\EFI\\proxmox\\6.8.12-4-pve\\initrd.img "
		"root=ZFS=rpool/ROOT/pve-1\n");
	boot = probe(&tree);
	assert_int_equal(boot->loader, MP_LOADER_PBT_SYSTEMD_BOOT);
	assert_string_equal(boot->staged.text, "root=ZFS=rpool/ROOT/pve-1 quiet");

	tree_put(&tree, "etc/kernel/cmdline", "quiet\n");
	assert_int_equal(probe(&tree)->staged.know, MP_UNKNOWN);

	/* No mark at all: both stay possible, and staged is unknown. */
	tree_put(&tree, "proc/cmdline", "root=ZFS=rpool/ROOT/pve-1\n");
	boot = probe(&tree);
	assert_int_equal(boot->loader, MP_LOADER_PBT_BOTH);
	assert_int_equal(boot->staged.know, MP_UNKNOWN);
	put_efi_text(&tree, LOADER_INFO, "systemd-boot 257.7");
	boot = probe(&tree);
	assert_int_equal(boot->loader, MP_LOADER_PBT_SYSTEMD_BOOT);
	assert_string_equal(boot->loader_info.text, "systemd-boot 257.7");

	/* GRUB on the ESP, with the ESP's root as the kernel's place. */
	put_efi_text(&tree, LOADER_INFO, "GRUB 2.12");
	tree_put(&tree, "proc/cmdline",
		"BOOT_IMAGE=/vmlinuz-6.8.12-4-pve root=ZFS=rpool/ROOT/pve-1\n");
	tree_put(&tree, "etc/default/grub",
		"GRUB_CMDLINE_LINUX='a'\nGRUB_CMDLINE_LINUX_DEFAULT='b'\n");
	boot = probe(&tree);
	assert_int_equal(boot->loader, MP_LOADER_PBT_GRUB);
	assert_string_equal(boot->staged.text, "root=ZFS=rpool/ROOT/pve-1 ro a b");

	/* Disagreement is unknown: GRUB read the kernel from the root file system. */
	tree_put(&tree, "proc/cmdline", "BOOT_IMAGE=/ROOT/pve-1@/boot/vmlinuz root=x\n");
	assert_int_equal(probe(&tree)->loader, MP_LOADER_UNKNOWN);
	put_efi_text(&tree, LOADER_INFO, "systemd-boot 257.7");
	assert_int_equal(probe(&tree)->loader, MP_LOADER_UNKNOWN);
	tree_close(&tree);
}

static void other_ways_to_boot(void **state G_GNUC_UNUSED)
{
	struct tree tree;
	const struct mp_boot *boot;

	tree_open(&tree);
	assert_int_equal(probe(&tree)->loader, MP_LOADER_UNKNOWN); /* no command line */
	tree_put(&tree, "proc/cmdline", "console=ttyS0\n");
	boot = probe(&tree);
	assert_int_equal(boot->loader, MP_LOADER_OTHER);
	assert_int_equal(boot->staged.know, MP_UNKNOWN);
	tree_put(&tree, "boot/grub/grub.cfg", GRUB_CFG);
	assert_int_equal(probe(&tree)->loader, MP_LOADER_UNKNOWN); /* GRUB left no mark */

	tree_put(&tree, "proc/cmdline", "initrd=\\x\\initrd root=x\n");
	tree_put(&tree, "boot/efi/loader/entries/a.conf",
		"title a\noptions root=x\noptions quiet\n");
	boot = probe(&tree);
	assert_int_equal(boot->loader, MP_LOADER_SYSTEMD_BOOT);
	assert_string_equal(boot->staged.text, "root=x quiet");
	tree_put(&tree, "boot/efi/loader/entries/b.conf", "options root=x\n");
	assert_int_equal(probe(&tree)->staged.know, MP_UNKNOWN);
	put_efi_text(&tree,
		"sys/firmware/efi/efivars/StubInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f",
		"systemd-stub 257");
	assert_int_equal(probe(&tree)->loader, MP_LOADER_OTHER);
	tree_close(&tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parameters_are_exact_tokens),
		cmocka_unit_test(the_last_switch_counts),
		cmocka_unit_test(grub_defaults_append),
		cmocka_unit_test(grub_defaults_admit_ignorance),
		cmocka_unit_test(grub_defaults_are_bounded),
		cmocka_unit_test(grub_defaults_forgive_what_is_apart),
		cmocka_unit_test(plain_grub_is_known_by_its_mark),
		cmocka_unit_test(the_boot_tool_is_told_from_grub),
		cmocka_unit_test(other_ways_to_boot),
	};

	return cmocka_run_group_tests_name("boot", tests, NULL, NULL);
}
