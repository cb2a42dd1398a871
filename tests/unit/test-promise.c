/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Each kind of promise on a made-up host: kept, and broken one way at a time. */
#include "config.h"

#include <string.h>
#include <sys/stat.h>

#include "unit.h"

#include "core/journal.h"
#include "core/promise.h"
#include "core/setup.h"
#include "tree.h"

#define KERNEL "6.8.12-4-pve"
#define CARD   "0000:86:00.0"
#define SYS    "sys/bus/pci/devices/"
#define NOW    "11111111-1111-1111-1111-111111111111"
#define BEFORE "00000000-0000-0000-0000-000000000000"
#define IMAGE  "metis-passthrough/initramfs/" KERNEL

struct fixture {
	struct tree tree;
	struct mp_tx tx[2];
	GPtrArray *all, *findings;
	struct mp_host *host;
	bool pending;
};

static void put_device(struct fixture *x, const char *bdf, const char *driver)
{
	g_autofree char *vendor = g_strdup_printf(SYS "%s/vendor", bdf);
	g_autofree char *device = g_strdup_printf(SYS "%s/device", bdf);
	g_autofree char *subvendor = g_strdup_printf(SYS "%s/subsystem_vendor", bdf);
	g_autofree char *subdevice = g_strdup_printf(SYS "%s/subsystem_device", bdf);
	g_autofree char *class = g_strdup_printf(SYS "%s/class", bdf);
	g_autofree char *modalias = g_strdup_printf(SYS "%s/modalias", bdf);
	g_autofree char *link = g_strdup_printf(SYS "%s/driver", bdf);
	g_autofree char *target = g_strdup_printf("../../../bus/pci/drivers/%s", driver);
	g_autofree char *group = g_strdup_printf(SYS "%s/iommu_group", bdf);
	g_autofree char *member =
		g_strdup_printf("sys/kernel/iommu_groups/22/devices/%s", bdf);

	tree_put(&x->tree, vendor, "0x1f9d\n");
	tree_put(&x->tree, device, "0x1100\n");
	tree_put(&x->tree, subvendor, "0x1f9d\n");
	tree_put(&x->tree, subdevice, "0x0001\n");
	tree_put(&x->tree, class, "0x120000\n");
	tree_put(&x->tree, modalias,
		"pci:v00001F9Dd00001100sv00001F9Dsd00000001bc12sc00i00\n");
	if (*driver)
		sysroot_link(&x->tree.files, link, target);
	sysroot_link(&x->tree.files, group, "../../../../kernel/iommu_groups/22");
	sysroot_link(&x->tree.files, member, "../../../../bus/pci/devices/0000");
}

static void setup(struct fixture *x)
{
	*x = (struct fixture){ .all = g_ptr_array_new() };
	tree_open(&x->tree);
	for (size_t i = 0; i < G_N_ELEMENTS(x->tx); i++) {
		x->tx[i] = (struct mp_tx){
			.id = (char *)(i ? "0002" : "0001"),
			.title = (char *)"setup " CARD,
			.boot_id = (char *)BEFORE,
			.state = MP_TX_APPLIED,
			.promises = json_object_new_array(),
		};
		g_ptr_array_add(x->all, &x->tx[i]);
	}
	tree_put(&x->tree, "proc/sys/kernel/random/boot_id", NOW "\n");
	tree_put(&x->tree, "proc/sys/kernel/osrelease", KERNEL "\n");
	tree_put(&x->tree, "proc/modules", "vfio_pci 1 0 - Live 0x0\n");
	tree_put(&x->tree, "proc/cmdline",
		"BOOT_IMAGE=/boot/vmlinuz-" KERNEL
		" root=/dev/sda1 ro intel_iommu=on,sm_on\n");
	tree_put(&x->tree, "etc/default/grub", "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\n");
	tree_put(&x->tree, "boot/grub/grub.cfg",
		"linux /boot/vmlinuz-" KERNEL " root=/dev/sda1 ro intel_iommu=on\n");
	tree_put(&x->tree, "lib/modules/" KERNEL "/modules.dep",
		"kernel/vfio-pci.ko:\nupdates/metis.ko:\n");
	tree_put(&x->tree, "lib/modules/" KERNEL "/modules.builtin", "");
	tree_put(&x->tree, "lib/modules/" KERNEL "/modules.alias",
		"alias pci:v00001F9Dd00001100sv*sd*bc*sc*i* metis\n");
	tree_put(&x->tree, "metis-passthrough/klog",
		"[    0.000000] Linux version 6.8\n[    1.000000] usb: 1\n");
	put_device(x, CARD, "vfio-pci");
}

static void forget(struct fixture *x)
{
	g_clear_pointer(&x->findings, g_ptr_array_unref);
	g_clear_pointer(&x->host, mp_host_free);
}

static void teardown(struct fixture *x)
{
	forget(x);
	for (size_t i = 0; i < G_N_ELEMENTS(x->tx); i++)
		json_object_put(x->tx[i].promises);
	g_ptr_array_unref(x->all);
	tree_close(&x->tree);
}

static void promise(struct fixture *x, unsigned tx, const char *json)
{
	json_object *object = json_tokener_parse(json);

	assert_non_null(object);
	json_object_array_add(x->tx[tx].promises, object);
}

static void judge(struct fixture *x)
{
	forget(x);
	x->host = mp_host_load(x->tree.root, MP_TOPIC_ALL, NULL);
	assert_non_null(x->host);
	x->findings = mp_promises_judge(x->host, x->tree.root, x->all, &x->pending);
}

/* The only finding has this severity, and PART in its summary, evidence or remedy. */
static void expect(
	struct fixture *x, enum mp_severity severity, const char *id, const char *part)
{
	const struct mp_finding *finding;
	g_autoptr(GString) text = g_string_new(NULL);

	judge(x);
	assert_int_equal(x->findings->len, 1);
	finding = x->findings->pdata[0];
	assert_string_equal(finding->id, id);
	g_string_append_printf(text, "%s\n%s\n", finding->summary,
		finding->remedy ? finding->remedy : "");
	for (guint i = 0; i < finding->evidence->len; i++)
		g_string_append_printf(text, "%s\n",
			((const struct mp_evidence *)finding->evidence->pdata[i])->value);
	if (finding->severity != severity || !strstr(text->str, part))
		fail_msg("%s: %s, expected %s with '%s' in:\n%s", id,
			mp_severity_name(finding->severity), mp_severity_name(severity),
			part, text->str);
	/* Whoever reads a difference wants to know what to do. */
	assert_true(finding->severity != MP_FAIL || finding->remedy ||
		    strstr(finding->summary, "see status-pin"));
}

static void remove_path(struct fixture *x, const char *path)
{
	g_autofree char *full = g_build_filename(x->tree.files.path, path, NULL);

	sysroot_remove_tree(full);
}

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

#define BINDING "{\"kind\":\"binding\",\"address\":\"" CARD "\",\"id\":\"1f9d:1100\"}"
#define START   "[    0.000000] Linux version 6.8\n"
#define EARLY                                                                            \
	"[    1.100000] metis-passthrough: " CARD ": driver_override set to vfio-pci "   \
	"(driver was: "

static void put_log(struct fixture *x, const char *text)
{
	tree_put(&x->tree, "metis-passthrough/klog", text);
}

static void test_binding_driver(void **state G_GNUC_UNUSED)
{
	struct fixture x;

	setup(&x);
	promise(&x, 0, BINDING);
	expect(&x, MP_PASS, "status-binding", "no other driver");
	remove_path(&x, SYS CARD "/driver");
	expect(&x, MP_FAIL, "status-binding", "no driver has");
	sysroot_link(&x.tree.files, SYS CARD "/driver", "../drivers/axl");
	expect(&x, MP_FAIL, "status-binding", "axl has");
	x.tx[0].boot_id = (char *)NOW;
	expect(&x, MP_INFO, "status-binding", "from the next boot on (axl has");
	assert_true(x.pending);
	x.tx[0].boot_id = (char *)BEFORE;
	tree_put(&x.tree, SYS CARD "/device", "0x1101\n");
	expect(&x, MP_FAIL, "status-binding", "Another device (1f9d:1101)");
	remove_path(&x, SYS CARD);
	expect(&x, MP_FAIL, "status-binding", "no device at this address");
	teardown(&x);
}

static void test_binding_since_boot(void **state G_GNUC_UNUSED)
{
	struct fixture x;

	setup(&x);
	promise(&x, 0, BINDING);
	/* A line of the other driver counts, loaded or not. */
	put_log(&x, START "[    1.0] axl " CARD ": enabling device\n");
	expect(&x, MP_FAIL, "status-binding", "axl " CARD ": enabling device");
	put_log(&x, START "[    1.0] igb " CARD " eth0: up\n");
	expect(&x, MP_FAIL, "status-binding", "igb " CARD " eth0");
	put_log(&x, START "[    1.0] metis metis0: pci function " CARD "\n");
	expect(&x, MP_FAIL, "status-binding", "pci function");
	/* These are none. */
	put_log(&x, START "[    0.5] pci " CARD ": [1f9d:1100] type 00\n"
			  "[    0.6] pci " CARD ": Adding to iommu group 22\n"
			  "[    1.0] vfio-pci " CARD ": enabling device\n"
			  "[    1.0] axl 1" CARD ": elsewhere\n"
			  "[    1.0] axl " CARD "1: elsewhere\n"
			  "[    2.0] DMAR: fault of " CARD ": x\n");
	expect(&x, MP_PASS, "status-binding", "none of metis");

	/* Loaded: only the log can tell. */
	tree_put(&x.tree, "proc/modules", "metis 1 0 - Live 0x0\n");
	expect(&x, MP_UNSURE, "status-binding", "nothing in the kernel's log tells");
	put_log(&x, START "[    1.0] vfio_pci: add [1f9d:1100[ffffffff:ffffffff]] class "
			  "0x000000/00000000\n");
	expect(&x, MP_PASS, "status-binding", "vfio_pci: add");
	put_log(&x, START "[    1.0] vfio_pci: add [1f9d:1101[ffffffff:ffffffff]]\n");
	expect(&x, MP_UNSURE, "status-binding", "metis is loaded");
	/* The start is lost. */
	put_log(&x, "[    9.0] vfio_pci: add [1f9d:1100[ffffffff:ffffffff]]\n");
	expect(&x, MP_UNSURE, "status-binding", "does not go back");
	put_log(&x, EARLY "none)\n");
	expect(&x, MP_PASS, "status-binding", "driver was: none");
	put_log(&x, EARLY "axl)\n");
	expect(&x, MP_FAIL, "status-binding", "driver was: axl");
	put_log(&x,
		"[    1.1] metis-passthrough: " CARD ": has the driver axl already: left "
		"alone\n");
	expect(&x, MP_FAIL, "status-binding", "has the driver axl");
	put_log(&x, EARLY "none) or so\n");
	expect(&x, MP_FAIL, "status-binding", "or so");
	remove_path(&x, "metis-passthrough/klog");
	expect(&x, MP_UNSURE, "status-binding", "could not be read");
	/* The verdict of just after the boot stands in for a log that is gone. */
	tree_put(&x.tree, MP_PATH_STATUS,
		"{\"boot_id\":\"" NOW "\",\"verdict\":\"kept\",\"transactions\":[],"
		"\"findings\":[{\"id\":\"status-binding\",\"severity\":\"pass\",\"subject\":\"" CARD
		"\",\"summary\":\"x\"}]}");
	expect(&x, MP_PASS, "status-binding", "after the boot");
	tree_put(&x.tree, "proc/sys/kernel/random/boot_id", BEFORE "1\n");
	expect(&x, MP_UNSURE, "status-binding", "could not be read");
	/* A built-in driver is loaded, and nobody lists it. */
	tree_put(&x.tree, "proc/modules", "");
	tree_put(&x.tree, "lib/modules/" KERNEL "/modules.builtin", "drivers/metis.ko\n");
	expect(&x, MP_UNSURE, "status-binding", "metis is built in");
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

static void test_group(void **state G_GNUC_UNUSED)
{
	struct fixture x;

	setup(&x);
	promise(&x, 0,
		"{\"kind\":\"group\",\"address\":\"" CARD "\",\"members\":[\"" CARD
		"\"]}");
	expect(&x, MP_PASS, "status-group", "had at the setup");
	put_device(&x, "0000:87:00.0", "nvme");
	expect(&x, MP_FAIL, "status-group", "0000:87:00.0 (nvme) joined");
	promise(&x, 1,
		"{\"kind\":\"group\",\"address\":\"" CARD "\",\"members\":[\"" CARD
		"\",\"0000:87:00.0\",\"0000:88:00.0\"]}");
	expect(&x, MP_FAIL, "status-group", "0000:88:00.0 left");
	remove_path(&x, SYS CARD "/iommu_group");
	remove_path(&x, "sys/kernel/iommu_groups/22/devices/" CARD);
	expect(&x, MP_FAIL, "status-group", "in no IOMMU group");
	json_object_array_del_idx(x.tx[1].promises, 0, 1);
	promise(&x, 1, "{\"kind\":\"group\",\"address\":\"" CARD "\"}");
	expect(&x, MP_UNSURE, "status-group", "makes no sense");
	teardown(&x);
}

static void test_pin(void **state G_GNUC_UNUSED)
{
	struct fixture x;

	setup(&x);
	promise(&x, 0,
		"{\"kind\":\"pin\",\"address\":\"" CARD "\",\"id\":\"1f9d:1100\","
		"\"subsystem\":\"1f9d:0001\",\"serial\":null,\"slot\":null}");
	expect(&x, MP_PASS, "status-pin", "is the card");
	tree_put(&x.tree, SYS CARD "/subsystem_device", "0x0002\n");
	expect(&x, MP_FAIL, "status-pin", "is not here");
	put_device(&x, "0000:87:00.0", "vfio-pci");
	expect(&x, MP_FAIL, "status-pin", "at 0000:87:00.0 now");
	expect(&x, MP_FAIL, "status-pin", "metis-passthrough repin");
	remove_path(&x, SYS CARD);
	expect(&x, MP_FAIL, "status-pin", "at 0000:87:00.0 now");
	teardown(&x);
}

#define MAP "id=1f9d:1100,iommugroup=22,node=n1,path=" CARD ",subsystem-id=1f9d:0001"

static void put_proxmox(struct fixture *x)
{
	tree_put(&x->tree, "proc/sys/kernel/hostname", "n1\n");
	tree_put(&x->tree, "etc/pve/.version", "{}\n");
	sysroot_mkdir(&x->tree.files, "etc/pve/nodes/n1/qemu-server");
	sysroot_link(&x->tree.files, "etc/pve/local", "nodes/n1");
	sysroot_link(&x->tree.files, "etc/pve/qemu-server", "nodes/n1/qemu-server");
}

static void test_mapping(void **state G_GNUC_UNUSED)
{
	struct fixture x;

	setup(&x);
	promise(&x, 0,
		"{\"kind\":\"mapping\",\"name\":\"metis\",\"node\":\"n1\",\"map\":\"" MAP
		"\"}");
	expect(&x, MP_UNSURE, "status-mapping", "/etc/pve");
	put_proxmox(&x);
	expect(&x, MP_FAIL, "status-mapping", "no such resource mapping");
	tree_put(&x.tree, "etc/pve/mapping/pci.cfg",
		"metis\n\tmap path=" CARD ",subsystem-id=1f9d:0001,id=1f9d:1100,node=n1,"
		"iommugroup=22\n\n");
	expect(&x, MP_PASS, "status-mapping", "names the card");
	tree_put(&x.tree, "etc/pve/mapping/pci.cfg",
		"metis\n\tmap id=1f9d:1100,iommugroup=23,node=n1,path=" CARD
		",subsystem-id=1f9d:0001\n\n");
	expect(&x, MP_FAIL, "status-mapping", "something else");
	tree_put(&x.tree, "etc/pve/mapping/pci.cfg",
		"metis\n\tmap id=1f9d:1100,iommugroup=22,node=n2,path=" CARD
		",subsystem-id=1f9d:0001\n\n");
	expect(&x, MP_FAIL, "status-mapping", "no entry for this node");
	teardown(&x);
}

static void test_vm(void **state G_GNUC_UNUSED)
{
	static const char path[] = "etc/pve/nodes/n1/qemu-server/101.conf";
	struct fixture x;

	setup(&x);
	promise(&x, 0,
		"{\"kind\":\"vm\",\"vmid\":\"101\",\"key\":\"hostpci0\","
		"\"value\":\"" CARD ",pcie=1\"}");
	put_proxmox(&x);
	expect(&x, MP_FAIL, "status-vm", "no VM 101");
	tree_put(&x.tree, path, "hostpci0: pcie=1,host=" CARD "\nmachine: q35\n");
	expect(&x, MP_PASS, "status-vm", "as promised");
	tree_put(&x.tree, path, "hostpci0: " CARD "\nmachine: q35\n");
	expect(&x, MP_FAIL, "status-vm", "qm set 101 --hostpci0");
	tree_put(&x.tree, path, "machine: q35\n");
	expect(&x, MP_FAIL, "status-vm", "is not set, was");
	tree_put(&x.tree, path, "machine: q35\n\n[PENDING]\nhostpci0: " CARD ",pcie=1\n");
	expect(&x, MP_INFO, "status-vm", "next start");
	assert_false(x.pending);
	tree_put(&x.tree, path,
		"hostpci0: " CARD ",pcie=1\n\n[PENDING]\nhostpci0: " CARD "\n");
	expect(&x, MP_FAIL, "status-vm", "is " CARD ", was");
	promise(&x, 1,
		"{\"kind\":\"vm\",\"vmid\":\"101\",\"key\":\"hostpci0\",\"value\":null}");
	tree_put(&x.tree, path, "machine: q35\n");
	expect(&x, MP_PASS, "status-vm", "as promised");
	tree_put(&x.tree, path, "hostpci0: " CARD "\n");
	expect(&x, MP_FAIL, "status-vm", "--delete hostpci0");
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
		cmocka_unit_test(test_binding_driver),
		cmocka_unit_test(test_binding_since_boot),
		cmocka_unit_test(test_image),
		cmocka_unit_test(test_group),
		cmocka_unit_test(test_pin),
		cmocka_unit_test(test_mapping),
		cmocka_unit_test(test_vm),
		cmocka_unit_test(test_transactions),
		cmocka_unit_test(test_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
