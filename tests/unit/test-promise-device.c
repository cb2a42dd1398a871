/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Promises about a device and its VM, on a made-up host: kept, and broken one way at a
 * time.
 */
#include "config.h"

#include "promise-scene.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_binding_driver),
		cmocka_unit_test(test_binding_since_boot),
		cmocka_unit_test(test_group),
		cmocka_unit_test(test_pin),
		cmocka_unit_test(test_mapping),
		cmocka_unit_test(test_vm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
