/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The checks about boot, binding and memory, each on a small sysroot. */
#include "config.h"

#include <string.h>

#include "core/boot.h"
#include "core/check.h"
#include "core/iommu.h"
#include "core/memory.h"
#include "core/modules.h"
#include "core/pci.h"
#include "core/profile.h"
#include "core/settings.h"
#include "core/vm.h"
#include "unit.h"
#include "tree.h"

#define OLD "6.8.12-4-pve"
#define NEW "6.14.0-2-pve"

struct fixture {
	struct tree tree;
	struct mp_pci card, twin;
	struct mp_profile *profile;
	struct mp_config *config;
	GPtrArray *wanted, *findings;
	struct mp_vm *vm;
};

static struct mp_fact known(const char *text)
{
	return (struct mp_fact){ .know = MP_KNOWN, .text = text, .source = "test" };
}

static struct mp_fact absent(void)
{
	return (struct mp_fact){ .know = MP_ABSENT, .source = "test" };
}

static void setup(struct fixture *x, const char *profile)
{
	*x = (struct fixture){ .wanted = g_ptr_array_new() };
	tree_open(&x->tree);
	x->findings = g_ptr_array_new_with_free_func((GDestroyNotify)mp_finding_free);
	x->profile = mp_profile_load(profile, NULL);
	x->config = mp_config_load(x->tree.root, NULL);
	assert_non_null(x->profile);
	assert_non_null(x->config);
	x->card = (struct mp_pci){
		.bdf = "0000:86:00.0",
		.vendor = 0x1f9d,
		.device = 0x1100,
		.subvendor = 0x1f9d,
		.subdevice = 0x0001,
		.class_code = 0x120000,
		.driver = absent(),
		.driver_module = absent(),
		.driver_override = absent(),
		.modalias =
			known("pci:v00001F9Dd00001100sv00001F9Dsd00000001bc12sc00i00"),
	};
	x->twin = x->card;
	x->twin.bdf = "0000:87:00.0"; /* there once it has a bus number */
	g_ptr_array_add(x->wanted, &x->card);
	tree_put(&x->tree, "proc/sys/kernel/osrelease", NEW "\n");
	tree_put(&x->tree, "proc/cpuinfo",
		"vendor_id\t: GenuineIntel\nflags\t\t: vmx\n\n");
	tree_put(&x->tree, "proc/modules", "kvm 1 0 - Live 0x0\n");
	tree_put(&x->tree, "proc/cmdline",
		"BOOT_IMAGE=/boot/vmlinuz-" NEW " root=/dev/sda1 ro quiet\n");
	tree_put(&x->tree, "boot/grub/grub.cfg",
		"linux /boot/vmlinuz-" NEW " root=/dev/sda1 ro quiet\n");
	tree_put(&x->tree, "etc/default/grub",
		"GRUB_CMDLINE_LINUX=\"\"\nGRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\n");
	tree_put(&x->tree, "lib/modules/" NEW "/modules.dep",
		"kernel/vfio.ko:\nkernel/vfio_iommu_type1.ko:\nkernel/vfio-pci.ko:\n"
		"updates/metis.ko:\n");
	tree_put(&x->tree, "lib/modules/" NEW "/modules.builtin", "");
	tree_put(&x->tree, "lib/modules/" NEW "/modules.alias",
		"alias pci:v00001F9Dd00001100sv*sd*bc*sc*i* metis\n");
	tree_put(&x->tree, "boot/config-" NEW, "\nCONFIG_INTEL_IOMMU_DEFAULT_ON=y\n");
	tree_put(&x->tree, "metis-passthrough/klog",
		"[    0.000000] Linux version 6.14\n[    1.000000] usb: axl\n");
}

static void teardown(struct fixture *x)
{
	g_ptr_array_unref(x->findings);
	g_ptr_array_unref(x->wanted);
	mp_profile_free(x->profile);
	mp_config_free(x->config);
	tree_close(&x->tree);
}

static const struct mp_finding *run(struct fixture *x, const char *id)
{
	struct mp_host *host;

	tree_restart(&x->tree);
	host = x->tree.host;
	g_ptr_array_add(host->devices, &x->card);
	if (x->twin.domain == 0 && x->twin.bus)
		g_ptr_array_add(host->devices, &x->twin);
	mp_probe_platform(host, x->tree.root);
	mp_probe_iommu(host, x->tree.root);
	mp_probe_boot(host, x->tree.root);
	mp_probe_modules(host, x->tree.root);
	mp_probe_initramfs(host, x->tree.root);
	mp_probe_memory(host, x->tree.root);
	g_ptr_array_set_size(x->findings, 0);

	struct mp_check_ctx ctx = {
		.host = host,
		.profile = x->profile,
		.config = x->config,
		.wanted = x->wanted,
		.vm = x->vm,
		.findings = x->findings,
	};

	mp_checks_run(&ctx, id);
	assert_int_equal(x->findings->len, 1);
	return x->findings->pdata[0];
}

/* The verdict and a part of what it says. */
static void expect(
	struct fixture *x, const char *id, enum mp_severity severity, const char *part)
{
	const struct mp_finding *f = run(x, id);

	if (f->severity != severity || !strstr(f->summary, part))
		fail_msg("%s: %s: %s (wanted %s: %s)", id, mp_severity_name(f->severity),
			f->summary, mp_severity_name(severity), part);
	if ((severity == MP_UNSURE || severity >= MP_WARN) && (!f->remedy || !*f->remedy))
		fail_msg("%s: no remedy for: %s", id, f->summary);
}

static void expect_remedy(struct fixture *x, const char *part)
{
	const struct mp_finding *f = x->findings->pdata[0];

	if (!f->remedy || !strstr(f->remedy, part))
		fail_msg("%s: remedy without '%s': %s", f->id, part, f->remedy);
}

#define CONF "etc/modprobe.d/vfio.conf"

static void config_of_the_binding(void **state G_GNUC_UNUSED)
{
	struct fixture x;

	setup(&x, "metis");
	expect(&x, "binding-config", MP_WARN, "metis takes the card");
	expect_remedy(&x,
		"printf '%s\\n' 'options vfio-pci ids=1f9d:1100' 'softdep metis pre: vfio-pci' > /etc");
	expect(&x, "binding-early", MP_SKIP, "");
	expect(&x, "initramfs-binding", MP_SKIP, "");

	tree_put(&x.tree, CONF, "options vfio-pci ids=1f9d:1100\n");
	expect(&x, "binding-config", MP_PASS, "gives the device to vfio-pci");
	expect(&x, "binding-early", MP_WARN, "nothing makes it come before metis");
	tree_put(&x.tree, "etc/modules-load.d/vfio.conf", "vfio-pci\n");
	expect(&x, "binding-early", MP_WARN, "whichever is loaded first");
	tree_put(&x.tree, CONF,
		"options vfio-pci ids=1f9d:1100\nsoftdep metis pre: vfio-pci\n");
	expect(&x, "binding-early", MP_PASS, "before any driver");
	tree_put(&x.tree, CONF,
		"options vfio-pci ids=1f9d:1100\nsoftdep metis post: vfio-pci\n");
	expect(&x, "binding-early", MP_WARN, "");

	tree_put(&x.tree, CONF, "blacklist metis\n");
	expect(&x, "binding-config", MP_PASS, "kept away");
	expect(&x, "binding-early", MP_PASS, "");
	tree_put(&x.tree, CONF, "install metis /bin/false\n");
	expect(&x, "binding-config", MP_PASS, "kept away");

	/* Of two ids= the last counts. */
	tree_put(&x.tree, CONF,
		"options vfio-pci ids=1f9d:1100\nsoftdep metis pre: vfio-pci\n");
	tree_put(&x.tree, "etc/modprobe.d/zz.conf", "options vfio-pci ids=8086:1\n");
	expect(&x, "binding-config", MP_WARN, "the last one replaces");
	teardown(&x);
}

/* Proxmox's pins and GRUB's default decide which kernel's modules count. */
static void config_for_the_next_kernel(void **state G_GNUC_UNUSED)
{
	static const char *const files[] = { "modules.dep", "modules.builtin",
		"modules.alias" };
	struct fixture x;

	setup(&x, "metis");
	for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
		g_autofree char *path =
			g_strdup_printf("lib/modules/5.15.0-1-pve/%s", files[i]);

		tree_put(&x.tree, path, i ? "" : "kernel/vfio-pci.ko:\n");
	}
	expect(&x, "binding-config", MP_WARN, "metis takes the card");
	tree_put(&x.tree, "etc/kernel/proxmox-boot-pin", "5.15.0-1-pve\n");
	expect(&x, "binding-config", MP_PASS, "No module of the host wants");
	tree_put(&x.tree, "etc/kernel/next-boot-pin", NEW "\n");
	expect(&x, "binding-config", MP_WARN, "metis takes the card");
	tree_put(&x.tree, "etc/kernel/next-boot-pin", "4.4.0-1-pve\n"); /* gone */
	expect(&x, "binding-config", MP_WARN, "metis takes the card");
	tree_put(&x.tree, "etc/kernel/next-boot-pin", "\n"); /* that is no pin */
	expect(&x, "binding-config", MP_WARN, "metis takes the card");

	tree_put(&x.tree, "etc/default/grub.d/pin.cfg",
		"GRUB_DEFAULT=\"gnulinux-advanced-1>gnulinux-5.15.0-1-pve-advanced-1\"\n");
	expect(&x, "binding-config", MP_PASS, "No module of the host wants");
	tree_put(&x.tree, "etc/default/grub.d/pin.cfg", "GRUB_DEFAULT=saved\n");
	expect(&x, "binding-config", MP_WARN, "metis takes the card");
	teardown(&x);
}

static void config_of_a_generic_device(void **state G_GNUC_UNUSED)
{
	struct fixture x;

	setup(&x, "generic");
	expect(&x, "binding-config", MP_INFO, "metis takes the device");
	tree_put(&x.tree, "lib/modules/" NEW "/modules.alias", "");
	expect(&x, "binding-config", MP_PASS, "No module of the host wants");
	g_autofree char *alias = g_build_filename(
		x.tree.files.path, "lib/modules/" NEW "/modules.alias", NULL);
	g_remove(alias);
	expect(&x, "binding-config", MP_UNSURE, "not known");
	teardown(&x);
}

static void ids_that_take_the_hosts_own_card(void **state G_GNUC_UNUSED)
{
	struct fixture x;

	setup(&x, "metis");
	x.twin.bus = 0x87;
	tree_put(&x.tree, CONF,
		"options vfio-pci ids=1f9d:1100\nsoftdep metis pre: vfio-pci\n");
	expect(&x, "binding-config", MP_FAIL, "0000:87:00.0");
	expect_remedy(&x, "driverctl set-override 0000:86:00.0");
	tree_put(&x.tree, CONF, "options vfio-pci ids=dead:beef\n");
	expect(&x, "binding-config", MP_WARN, "metis takes the card");
	expect_remedy(&x, "driverctl set-override 0000:86:00.0");
	x.card.driver = known("axl");
	expect(&x, "host-driver-taint", MP_FAIL, "axl has the card");
	expect_remedy(&x, "driverctl set-override 0000:86:00.0");
	/* Without the twin by id, but not so that other ids are lost. */
	x.twin.bus = 0;
	expect(&x, "host-driver-taint", MP_FAIL, "axl has the card");
	expect_remedy(&x, "make it ids=dead:beef,1f9d:1100");
	x.twin.bus = 0x87;
	x.card.driver = absent();
	tree_put(&x.tree, "etc/driverctl.d/0000:86:00.0", "vfio-pci\n");
	expect(&x, "binding-config", MP_PASS, "");
	expect(&x, "binding-early", MP_PASS, "");
	teardown(&x);
}

static void a_built_in_driver_reads_no_file(void **state G_GNUC_UNUSED)
{
	struct fixture x;

	setup(&x, "metis");
	tree_put(&x.tree, "lib/modules/" NEW "/modules.dep", "updates/metis.ko:\n");
	tree_put(&x.tree, "lib/modules/" NEW "/modules.builtin",
		"kernel/vfio.ko\nkernel/vfio_iommu_type1.ko\nkernel/vfio-pci.ko\n");
	tree_put(&x.tree, CONF, "options vfio-pci ids=1f9d:1100\n");
	expect(&x, "binding-config", MP_FAIL, "built into kernel " NEW);
	expect_remedy(&x, "vfio-pci.ids=1f9d:1100");
	expect_remedy(&x, "update-grub");
	expect(&x, "vfio-modules", MP_PASS, "");
	tree_put(&x.tree, "boot/grub/grub.cfg",
		"linux /boot/vmlinuz root=/dev/sda1 vfio_pci.ids=1f9d:1100\n");
	expect(&x, "binding-config", MP_PASS, "");
	expect(&x, "binding-early", MP_PASS, "");
	teardown(&x);
}

static void what_cannot_be_read_never_passes(void **state G_GNUC_UNUSED)
{
	struct fixture x;
	g_autofree char *path = NULL;

	setup(&x, "metis");
	tree_put(&x.tree, CONF,
		"options vfio-pci ids=1f9d:1100\nsoftdep metis pre: vfio-pci\n");
	tree_put(&x.tree, "etc/modprobe.d/zz.conf", "");
	path = g_build_filename(x.tree.files.path, "etc/modprobe.d/zz.conf", NULL);
	assert_int_equal(truncate(path, 100 * 1024 * 1024), 0);
	expect(&x, "binding-config", MP_UNSURE, "not all of it could");
	expect(&x, "binding-early", MP_UNSURE, "");
	expect(&x, "vfio-virqfd-stale", MP_UNSURE, "");
	teardown(&x);
}

#define IMAGE_OF(release) "metis-passthrough/initramfs/" release

static void images_are_judged_by_what_is_in_them(void **state G_GNUC_UNUSED)
{
	struct fixture x;

	setup(&x, "metis");
	tree_put(&x.tree, CONF,
		"options vfio-pci ids=1f9d:1100\nsoftdep metis pre: vfio-pci\n");
	expect(&x, "initramfs-binding", MP_UNSURE, "");
	/* The driver is not inside: the image needs nothing. */
	tree_put(&x.tree, IMAGE_OF(NEW), "archive zstd\nmodules ext4\n");
	expect(&x, "initramfs-binding", MP_PASS, "");
	tree_put(&x.tree, IMAGE_OF(NEW), "archive zstd\nmodules ext4 metis\n");
	expect(&x, "initramfs-binding", MP_WARN, "has the host's driver");
	expect_remedy(&x, "update-initramfs -u -k all");
	tree_put(&x.tree, IMAGE_OF(NEW),
		"archive zstd\nmodules metis vfio_pci\nfile etc/modprobe.d/vfio.conf\n"
		"\toptions vfio-pci ids=1f9d:1100\n\tsoftdep metis pre: vfio-pci\n");
	expect(&x, "initramfs-binding", MP_PASS, "");
	/* The options alone, without the module, help nobody. */
	tree_put(&x.tree, IMAGE_OF(NEW),
		"archive zstd\nmodules metis\nfile etc/modprobe.d/vfio.conf\n"
		"\toptions vfio-pci ids=1f9d:1100\n\tsoftdep metis pre: vfio-pci\n");
	expect(&x, "initramfs-binding", MP_WARN, "");
	tree_put(&x.tree, IMAGE_OF(NEW),
		"archive zstd\nmodules vfio_pci\nfile conf/modules\n\tvfio_pci\n"
		"file etc/modprobe.d/vfio.conf\n\toptions vfio-pci ids=8086:1\n");
	expect(&x, "initramfs-binding", MP_WARN, "older options");
	tree_put(&x.tree, IMAGE_OF(NEW),
		"archive zstd\nproblem zstd: did not end in time\n");
	expect(&x, "initramfs-binding", MP_UNSURE, "did not end in time");

	/* Every kernel counts. */
	tree_put(&x.tree, IMAGE_OF(NEW), "archive zstd\nmodules ext4\n");
	tree_put(&x.tree, "lib/modules/" OLD "/modules.dep",
		"kernel/vfio-pci.ko:\nupdates/metis.ko:\n");
	tree_put(&x.tree, "lib/modules/" OLD "/modules.builtin", "");
	tree_put(&x.tree, IMAGE_OF(OLD), "archive zstd\nmodules metis\n");
	expect(&x, "initramfs-binding", MP_WARN, OLD);
	teardown(&x);
}

static void the_driver_now(void **state G_GNUC_UNUSED)
{
	struct fixture x;

	setup(&x, "metis");
	expect(&x, "binding-effective", MP_INFO, "No driver");
	x.card.driver_override =
		(struct mp_fact){ .know = MP_UNKNOWN, .why = "an unbind hangs" };
	expect(&x, "binding-effective", MP_UNSURE, "an unbind hangs");
	x.card.driver_override = absent();
	x.card.driver = known("vfio-pci");
	expect(&x, "binding-effective", MP_PASS, "vfio-pci");
	x.card.driver = known("axl");
	expect(&x, "binding-effective", MP_WARN, "axl drives the card");
	tree_put(&x.tree, CONF,
		"options vfio-pci ids=1f9d:1100\nsoftdep metis pre: vfio-pci\n");
	expect(&x, "binding-effective", MP_WARN, "although the configuration");
	x.card.driver_override = known("none");
	expect(&x, "binding-effective", MP_FAIL, "driver_override");
	x.card.driver_override = absent();
	x.card.driver = (struct mp_fact){ .source = "test", .why = "Permission denied" };
	expect(&x, "binding-effective", MP_UNSURE, "");
	teardown(&x);
}

static void traces_of_the_hosts_driver(void **state G_GNUC_UNUSED)
{
	struct fixture x;

	setup(&x, "metis");
	expect(&x, "host-driver-taint", MP_PASS, "not loaded");
	tree_put(&x.tree, "metis-passthrough/klog",
		"[    0.000000] Linux version 6.14\n[    9.000000] axl 0000:87:00.0: x\n"
		"[    9.100000] vfio-pci 0000:86:00.0: axl\n");
	expect(&x, "host-driver-taint", MP_PASS, "");
	tree_put(&x.tree, "metis-passthrough/klog",
		"[    0.000000] Linux version 6.14\n[    9.000000] axl 0000:86:00.0: MSI registered\n");
	expect(&x, "host-driver-taint", MP_WARN, "had the card");
	tree_put(&x.tree, "metis-passthrough/klog", "[  900.000000] the ring wrapped\n");
	expect(&x, "host-driver-taint", MP_UNSURE, "does not go back");
	tree_put(&x.tree, "proc/modules", "metis 1 0 - Live 0x0\n");
	expect(&x, "host-driver-taint", MP_WARN, "module metis is loaded");
	x.card.driver = known("axl");
	expect(&x, "host-driver-taint", MP_FAIL, "axl has the card");
	teardown(&x);

	setup(&x, "generic");
	expect(&x, "host-driver-taint", MP_SKIP, "");
	teardown(&x);
}

static void modules_of_every_kernel(void **state G_GNUC_UNUSED)
{
	struct fixture x;

	setup(&x, "metis");
	expect(&x, "vfio-modules", MP_PASS, "Every installed kernel");
	tree_put(&x.tree, "etc/modules", "vfio\nvfio_virqfd\n");
	expect(&x, "vfio-virqfd-stale", MP_WARN, NEW);
	tree_put(&x.tree, "etc/modules", "vfio\n");
	expect(&x, "vfio-virqfd-stale", MP_PASS, "");
	tree_put(&x.tree, CONF, "install vfio-pci /bin/false\n");
	expect(&x, "vfio-modules", MP_FAIL, "forbids");
	tree_put(&x.tree, CONF, "");
	tree_put(&x.tree, "lib/modules/" OLD "/modules.dep", "kernel/vfio.ko:\n");
	expect(&x, "vfio-modules", MP_UNSURE, OLD); /* no modules.builtin */
	tree_put(&x.tree, "lib/modules/" OLD "/modules.builtin", "");
	expect(&x, "vfio-modules", MP_WARN, OLD);
	tree_put(&x.tree, "proc/sys/kernel/osrelease", OLD "\n");
	expect(&x, "vfio-modules", MP_FAIL, OLD);
	teardown(&x);
}

static void the_command_line(void **state G_GNUC_UNUSED)
{
	struct fixture x;

	setup(&x, "metis");
	expect(&x, "bootloader-known", MP_PASS, "GRUB");
	expect(&x, "cmdline-running", MP_PASS, "");
	expect(&x, "cmdline-staged", MP_PASS, "");
	tree_put(&x.tree, "boot/config-" NEW,
		"# CONFIG_INTEL_IOMMU_DEFAULT_ON is not set\n");
	expect(&x, "cmdline-running", MP_FAIL, "intel_iommu=on is missing");
	expect_remedy(&x, "grub.d/metis-passthrough.cfg; update-grub");
	tree_put(&x.tree, "proc/cmdline",
		"BOOT_IMAGE=/boot/vmlinuz root=/dev/sda1 intel_iommu=on,sm_on iommu=pt\n");
	expect(&x, "cmdline-running", MP_PASS, "");
	expect(&x, "cmdline-staged", MP_WARN, "without intel_iommu=on,sm_on iommu=pt");
	tree_put(&x.tree, "proc/cmdline",
		"BOOT_IMAGE=/boot/vmlinuz root=/dev/sda1 intel_iommu=on intel_iommu=off\n");
	expect(&x, "cmdline-running", MP_FAIL, "intel_iommu=off switches VT-d off");
	tree_put(&x.tree, "proc/cmdline",
		"BOOT_IMAGE=/boot/vmlinuz root=/dev/sda1 intel_iommu=on amd_iommu=on\n");
	expect(&x, "cmdline-running", MP_INFO, "amd_iommu=on is no option");
	tree_put(&x.tree, "proc/cmdline",
		"BOOT_IMAGE=/boot/vmlinuz root=/dev/sda1 intel_iommu=on vfio-iommu-type1.allow_unsafe_interrupts=1\n");
	expect(&x, "cmdline-running", MP_WARN, "forge interrupts");

	/* A file that GRUB never reads. */
	tree_put(&x.tree, "proc/cmdline",
		"BOOT_IMAGE=/boot/vmlinuz root=/dev/sda1 ro quiet\n");
	tree_put(&x.tree, "etc/kernel/cmdline", "root=ZFS=x intel_iommu=on\n");
	expect(&x, "cmdline-staged", MP_WARN, "never reads");
	expect_remedy(&x, "/etc/default/grub.d");
	tree_put(&x.tree, "etc/default/grub",
		"GRUB_CMDLINE_LINUX=\"\"\nGRUB_CMDLINE_LINUX_DEFAULT=\"quiet iommu=pt\"\n");
	expect(&x, "cmdline-staged", MP_WARN, "the installed menu does not");
	tree_put(&x.tree, "proc/cmdline", "root=/dev/sda1\n");
	expect(&x, "bootloader-known", MP_UNSURE, "left no mark");
	expect(&x, "cmdline-staged", MP_UNSURE, "");
	teardown(&x);
}

static void memory_for_a_vm(void **state G_GNUC_UNUSED)
{
	struct fixture x;
	struct mp_vm vm = {
		.id = "101", .source = "/etc/pve/101.conf", .memory_mib = 8192
	};

	vm.next = &vm; /* nothing is pending */
	setup(&x, "generic");
	expect(&x, "memory-headroom", MP_UNSURE, "");
	expect(&x, "memlock", MP_UNSURE, "");
	expect(&x, "hugepages", MP_SKIP, "");
	tree_put(&x.tree, "proc/meminfo",
		"MemTotal:       16777216 kB\nMemFree: 1 kB\nMemAvailable:   12582912 kB\n");
	tree_put(&x.tree, "proc/self/limits",
		"Limit Soft Hard Units\nMax locked memory         8388608              8388608     bytes\n");
	expect(&x, "memory-headroom", MP_PASS, "");
	expect(&x, "memlock", MP_INFO, "");
	x.vm = &vm;
	expect(&x, "memory-headroom", MP_PASS, "8.0 GiB of VM 101");
	expect(&x, "memlock", MP_WARN, "8.0 MiB");
	expect(&x, "hugepages", MP_SKIP, "uses no");
	vm.memory_mib = 12000;
	expect(&x, "memory-headroom", MP_WARN, "");
	vm.memory_mib = 20000;
	expect(&x, "memory-headroom", MP_FAIL, "");
	vm.running = true;
	vm.running_fact = known("running");
	expect(&x, "memory-headroom", MP_PASS, "runs");
	vm.running = false;

	vm.memory_mib = 4096;
	vm.hugepages = "1024";
	tree_put(&x.tree, "sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "0\n");
	tree_put(&x.tree, "sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages",
		"0\n");
	expect(&x, "hugepages", MP_FAIL, "1024 MiB");
	tree_put(&x.tree, "sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages",
		"4\n");
	tree_put(&x.tree, "sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages",
		"3\n");
	expect(&x, "hugepages", MP_WARN, "wants 4 huge pages of 1024 MiB and 3 are free");
	expect_remedy(&x, "hugepagesz=1024M hugepages=4");
	tree_put(&x.tree, "sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages",
		"4\n");
	expect(&x, "hugepages", MP_PASS, "");
	vm.hugepages = "any";
	expect(&x, "hugepages", MP_PASS, "1024 MiB");
	tree_put(&x.tree, "proc/self/limits",
		"Max locked memory         unlimited    unlimited bytes\n");
	expect(&x, "memlock", MP_PASS, "");
	teardown(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(config_of_the_binding),
		cmocka_unit_test(config_for_the_next_kernel),
		cmocka_unit_test(config_of_a_generic_device),
		cmocka_unit_test(ids_that_take_the_hosts_own_card),
		cmocka_unit_test(a_built_in_driver_reads_no_file),
		cmocka_unit_test(what_cannot_be_read_never_passes),
		cmocka_unit_test(images_are_judged_by_what_is_in_them),
		cmocka_unit_test(the_driver_now),
		cmocka_unit_test(traces_of_the_hosts_driver),
		cmocka_unit_test(modules_of_every_kernel),
		cmocka_unit_test(the_command_line),
		cmocka_unit_test(memory_for_a_vm),
	};

	return cmocka_run_group_tests_name("binding", tests, NULL, NULL);
}
