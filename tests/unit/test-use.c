/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "core/pci.h"
#include "core/use.h"
#include "core/vm.h"
#include "unit.h"
#include "sysroot.h"

#define NVME0 "0000:01:00.0"
#define NVME1 "0000:02:00.0"
#define NIC   "0000:03:00.0"
#define CARD  "0000:86:00.0"

static struct mp_pci *add_device(struct mp_host *host, const char *bdf)
{
	struct mp_pci *device = mp_host_alloc(host, sizeof(*device));

	device->bdf = mp_host_str(host, bdf);
	g_ptr_array_add(host->devices, device);
	g_hash_table_insert(host->by_bdf, (char *)device->bdf, device);
	return device;
}

/* A block device below the PCI function BDF, NUMBER is MAJOR:MINOR. */
static void put_block(struct sysroot *s, const char *bdf, const char *disk,
	const char *part, const char *number)
{
	const char *name = part ? part : disk;
	g_autofree char *tail =
		part ? g_strdup_printf("%s/%s", disk, part) : g_strdup(disk);
	g_autofree char *target = g_strdup_printf(
		"../../devices/pci0000:00/0000:00:01.0/%s/nvme/nvme0/%s", bdf, tail);
	g_autofree char *link = g_strdup_printf("sys/class/block/%s", name);
	g_autofree char *by_number = g_strdup_printf("sys/dev/block/%s", number);
	g_autofree char *dir = g_strdup_printf(
		"sys/devices/pci0000:00/0000:00:01.0/%s/nvme/nvme0/%s", bdf, tail);
	g_autofree char *dev = g_strdup_printf("%s/dev", dir);

	sysroot_link(s, link, target);
	sysroot_link(s, by_number, target);
	sysroot_text(s, dev, number);
}

/* A device of the mapper or of md that rests on SLAVES (separated by spaces). */
static void put_virtual(
	struct sysroot *s, const char *name, const char *number, const char *slaves)
{
	g_autofree char *target = g_strdup_printf("../../devices/virtual/block/%s", name);
	g_autofree char *link = g_strdup_printf("sys/class/block/%s", name);
	g_autofree char *by_number = g_strdup_printf("sys/dev/block/%s", number);
	g_auto(GStrv) list = g_strsplit(slaves, " ", -1);

	sysroot_link(s, link, target);
	sysroot_link(s, by_number, target);
	for (char **slave = list; *slave; slave++) {
		g_autofree char *path = g_strdup_printf(
			"sys/devices/virtual/block/%s/slaves/%s", name, *slave);

		if (**slave)
			sysroot_link(s, path, "../x");
	}
}

static void put_mapper(
	struct sysroot *s, const char *name, const char *dm_name, const char *uuid)
{
	g_autofree char *a =
		g_strdup_printf("sys/devices/virtual/block/%s/dm/name", name);
	g_autofree char *b =
		g_strdup_printf("sys/devices/virtual/block/%s/dm/uuid", name);

	sysroot_text(s, a, dm_name);
	sysroot_text(s, b, uuid);
}

static const struct mp_use_entry *find(const struct mp_host *host, const char *bdf,
	enum mp_use_kind kind, const char *part)
{
	for (guint i = 0; i < host->use->entries->len; i++) {
		const struct mp_use_entry *entry = host->use->entries->pdata[i];

		if (!strcmp(entry->bdf, bdf) && entry->kind == kind &&
			strstr(entry->detail, part))
			return entry;
	}
	return NULL;
}

static unsigned count(const struct mp_host *host, const char *bdf)
{
	struct mp_pci device = { .bdf = bdf };
	g_autoptr(GPtrArray) found = mp_use_of(host, &device);

	return found->len;
}

static bool boots(const struct mp_host *host, const char *bdf)
{
	for (guint i = 0; i < host->use->entries->len; i++) {
		const struct mp_use_entry *entry = host->use->entries->pdata[i];

		if (!strcmp(entry->bdf, bdf) && entry->boots)
			return true;
	}
	return false;
}

static bool routes(const struct mp_host *host, const char *bdf)
{
	for (guint i = 0; i < host->use->entries->len; i++) {
		const struct mp_use_entry *entry = host->use->entries->pdata[i];

		if (!strcmp(entry->bdf, bdf) && entry->routes)
			return true;
	}
	return false;
}

static void plain_root(void **state G_GNUC_UNUSED)
{
	struct sysroot s;
	g_autoptr(mp_host) host = NULL;

	sysroot_init(&s);
	put_block(&s, NVME0, "nvme0n1", NULL, "259:0");
	put_block(&s, NVME0, "nvme0n1", "nvme0n1p2", "259:2");
	put_block(&s, NVME1, "nvme1n1", NULL, "259:5");
	sysroot_text(&s, "proc/self/mountinfo",
		"25 1 259:2 / / rw shared:1 master:2 - ext4 /dev/root rw\n"
		"26 25 259:5 / /mnt/my\\040disk rw - xfs /dev/nvme1n1 rw\n"
		"27 25 0:21 / /proc rw - proc proc rw\n"
		"28 25 7:0 / /snap rw - squashfs /dev/loop0 ro\nbroken line\n");
	host = sysroot_probe(&s, mp_probe_use);
	assert_int_equal(host->use->unreadable->len, 0);
	assert_int_equal(host->use->entries->len, 2);
	assert_true(boots(host, NVME0));
	assert_string_equal(
		find(host, NVME0, MP_USE_MOUNT, "")->detail, "/dev/nvme0n1p2 -> /");
	assert_false(boots(host, NVME1));
	assert_non_null(find(host, NVME1, MP_USE_MOUNT, "/mnt/my disk"));
	sysroot_clear(&s);
}

static void lvm_root_and_guest_disks(void **state G_GNUC_UNUSED)
{
	struct sysroot s;
	g_autoptr(mp_host) host = NULL;

	sysroot_init(&s);
	put_block(&s, NVME0, "nvme0n1", "nvme0n1p3", "259:3");
	put_block(&s, NVME1, "nvme1n1", NULL, "259:5");
	put_virtual(&s, "dm-0", "253:0", "nvme0n1p3");
	put_mapper(&s, "dm-0", "pve-root\n", "LVM-abc\n");
	put_virtual(&s, "dm-1", "253:1", "nvme0n1p3");
	put_mapper(&s, "dm-1", "pve-swap\n", "LVM-def\n");
	put_virtual(&s, "dm-2", "253:2", "nvme1n1");
	put_mapper(&s, "dm-2", "fast-vm--100--disk--0\n", "LVM-ghi\n");
	sysroot_text(&s, "proc/self/mountinfo",
		"25 1 253:0 / / rw - ext4 /dev/mapper/pve-root rw\n");
	sysroot_text(&s, "proc/swaps",
		"Filename Type Size Used Priority\n/dev/dm-1 partition 8 0 -2\n"
		"/swapfile file 8 0 -3\n");
	host = sysroot_probe(&s, mp_probe_use);
	assert_true(boots(host, NVME0));
	assert_string_equal(find(host, NVME0, MP_USE_MOUNT, "")->detail,
		"/dev/nvme0n1p3 -> LVM pve/root -> /");
	assert_string_equal(find(host, NVME0, MP_USE_SWAP, "")->detail,
		"/dev/nvme0n1p3 -> LVM pve/swap -> swap");
	assert_false(find(host, NVME0, MP_USE_SWAP, "")->boots);
	/* In use though nothing of it is mounted: by VMs. Once for the group. */
	assert_string_equal(find(host, NVME1, MP_USE_STORAGE, "")->detail,
		"/dev/nvme1n1 -> LVM volume group fast");
	assert_int_equal(count(host, NVME1), 1);
	assert_int_equal(count(host, NVME0), 3);
	sysroot_clear(&s);
}

static void crypt_on_raid(void **state G_GNUC_UNUSED)
{
	struct sysroot s;
	g_autoptr(mp_host) host = NULL;

	sysroot_init(&s);
	put_block(&s, NVME0, "nvme0n1", "nvme0n1p1", "259:1");
	put_block(&s, NVME1, "nvme1n1", "nvme1n1p1", "259:6");
	put_virtual(&s, "md0", "9:0", "nvme0n1p1 nvme1n1p1");
	sysroot_link(
		&s, "sys/class/block/md0p1", "../../devices/virtual/block/md0/md0p1");
	sysroot_mkdir(&s, "sys/devices/virtual/block/md0/md0p1");
	put_virtual(&s, "dm-0", "253:0", "md0p1");
	put_mapper(&s, "dm-0", "luks-x\n", "CRYPT-LUKS2-abc\n");
	sysroot_text(&s, "proc/self/mountinfo",
		"25 1 253:0 / /boot/efi rw - ext4 /dev/mapper/luks-x rw\n");
	host = sysroot_probe(&s, mp_probe_use);
	assert_true(boots(host, NVME0));
	assert_true(boots(host, NVME1));
	assert_string_equal(find(host, NVME1, MP_USE_MOUNT, "")->detail,
		"/dev/nvme1n1p1 -> md RAID md0 -> /dev/md0p1 -> dm-crypt luks-x -> /boot/efi");
	assert_non_null(find(host, NVME0, MP_USE_STORAGE, "md RAID md0"));
	sysroot_clear(&s);
}

static void put_zfs(struct sysroot *s)
{
	put_block(s, NVME0, "nvme0n1", "nvme0n1p3", "259:3");
	put_block(s, NVME1, "nvme1n1", "nvme1n1p3", "259:8");
	put_block(s, CARD, "nvme2n1", "nvme2n1p1", "259:9");
	sysroot_text(s, "proc/spl/kstat/zfs/rpool/state", "ONLINE\n");
	sysroot_text(s, "proc/spl/kstat/zfs/arcstats", "1\n");
	sysroot_text(s, "proc/self/mountinfo",
		"25 1 0:30 / / rw - zfs rpool/ROOT/pve-1 rw\n"
		"26 25 0:31 / /rpool rw - zfs rpool rw\n");
}

static void zfs_root_by_udev(void **state G_GNUC_UNUSED)
{
	struct sysroot s;
	g_autoptr(mp_host) host = NULL;

	sysroot_init(&s);
	put_zfs(&s);
	sysroot_text(&s, "run/udev/data/b259:3",
		"S:disk/by-id/x\nE:ID_FS_TYPE=zfs_member\nE:ID_FS_LABEL=rpool\n");
	sysroot_text(&s, "run/udev/data/b259:8",
		"E:ID_FS_LABEL=rpool\nE:ID_FS_TYPE=zfs_member\n");
	/* A pool that is not imported is no use. */
	sysroot_text(&s, "run/udev/data/b259:9",
		"E:ID_FS_TYPE=zfs_member\nE:ID_FS_LABEL=old\n");
	host = sysroot_probe(&s, mp_probe_use);
	assert_true(boots(host, NVME0));
	assert_true(boots(host, NVME1));
	assert_string_equal(find(host, NVME1, MP_USE_STORAGE, "")->detail,
		"/dev/nvme1n1p3 -> ZFS pool rpool -> /");
	assert_int_equal(count(host, CARD), 0);
	assert_int_equal(host->use->unreadable->len, 0);
	sysroot_clear(&s);
}

/* No evidence of the members: that must be told, not taken for "no use". */
static void zfs_without_udev_is_unknown(void **state G_GNUC_UNUSED)
{
	struct sysroot s;
	g_autoptr(mp_host) host = NULL;

	sysroot_init(&s);
	put_zfs(&s);
	host = sysroot_probe(&s, mp_probe_use);
	assert_int_equal(host->use->unreadable->len, 1);
	assert_non_null(strstr(
		((struct mp_fact *)host->use->unreadable->pdata[0])->why, "rpool"));
	sysroot_clear(&s);
}

static void btrfs_on_two(void **state G_GNUC_UNUSED)
{
	struct sysroot s;
	g_autoptr(mp_host) host = NULL;

	sysroot_init(&s);
	put_block(&s, NVME0, "nvme0n1", "nvme0n1p3", "259:3");
	put_block(&s, NVME1, "nvme1n1", NULL, "259:5");
	sysroot_mkdir(&s, "sys/fs/btrfs/features");
	sysroot_link(&s, "sys/fs/btrfs/abc/devices/nvme0n1p3", "../x");
	sysroot_link(&s, "sys/fs/btrfs/abc/devices/nvme1n1", "../x");
	sysroot_text(&s, "proc/self/mountinfo",
		"25 1 0:30 /@rootfs / rw - btrfs /dev/nvme0n1p3 rw\n");
	host = sysroot_probe(&s, mp_probe_use);
	assert_true(boots(host, NVME0));
	assert_true(boots(host, NVME1));
	sysroot_clear(&s);
}

static void nvme_multipath_finds_controllers(void **state G_GNUC_UNUSED)
{
	struct sysroot s;
	g_autoptr(mp_host) host = NULL;

	sysroot_init(&s);
	sysroot_link(&s, "sys/class/block/nvme0n1p2",
		"../../devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1/nvme0n1p2");
	sysroot_link(&s, "sys/dev/block/259:2",
		"../../devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1/nvme0n1p2");
	sysroot_link(&s, "sys/class/nvme-subsystem/nvme-subsys0/nvme0",
		"../../../pci0000:00/" NVME0 "/nvme/nvme0");
	sysroot_link(&s, "sys/class/nvme-subsystem/nvme-subsys0/nvme3",
		"../../../pci0000:00/" NVME1 "/nvme/nvme3");
	sysroot_link(&s, "sys/class/nvme-subsystem/nvme-subsys0/subsystem",
		"../../pci0000:00/" CARD "/x");
	sysroot_text(&s, "proc/self/mountinfo",
		"25 1 259:2 / / rw - ext4 /dev/nvme0n1p2 rw\n");
	host = sysroot_probe(&s, mp_probe_use);
	assert_true(boots(host, NVME0));
	assert_true(boots(host, NVME1));
	assert_int_equal(count(host, CARD), 0);
	sysroot_clear(&s);
}

/* The controller of a VMD domain carries its disks; a bridge is nobody's to pass. */
static void vmd_counts_with_its_disk(void **state G_GNUC_UNUSED)
{
	struct sysroot s;
	g_autoptr(mp_host) host = NULL;
	g_autoptr(mp_root) root = NULL;
	static const char target[] = "../../devices/pci0000:00/0000:00:0e.0/pci10000:e0/"
				     "10000:e0:06.0/10000:e1:00.0/nvme/nvme0/nvme0n1";

	sysroot_init(&s);
	sysroot_link(&s, "sys/class/block/nvme0n1", target);
	sysroot_link(&s, "sys/dev/block/259:0", target);
	sysroot_text(
		&s, "proc/self/mountinfo", "25 1 259:0 / / rw - ext4 /dev/nvme0n1 rw\n");
	host = mp_host_new("test", false);
	add_device(host, "0000:00:0e.0")->class_code = 0x010400;
	add_device(host, "10000:e0:06.0")->header_type = 1;
	((struct mp_pci *)host->devices->pdata[1])->class_code = 0x060400;
	add_device(host, "10000:e1:00.0");
	root = mp_root_open(s.path, NULL);
	mp_probe_use(host, root);
	assert_true(boots(host, "0000:00:0e.0"));
	assert_true(boots(host, "10000:e1:00.0"));
	assert_int_equal(count(host, "10000:e0:06.0"), 0);
	sysroot_clear(&s);
}

static void unmounted_esp_counts(void **state G_GNUC_UNUSED)
{
	struct sysroot s;
	g_autoptr(mp_host) host = NULL;

	sysroot_init(&s);
	put_block(&s, NVME0, "nvme0n1", "nvme0n1p2", "259:2");
	put_block(&s, NVME1, "nvme1n1", "nvme1n1p2", "259:7");
	sysroot_text(&s, "run/udev/data/b259:2", "E:ID_FS_UUID=ABCD-1234\n");
	sysroot_text(&s, "run/udev/data/b259:7", "E:ID_PART_ENTRY_UUID=0f-1\n");
	sysroot_text(&s, "etc/kernel/proxmox-boot-uuids", "abcd-1234\nFFFF-0000\n\n");
	sysroot_text(&s, "etc/fstab",
		"# c\n\nPARTUUID=0f-1\t/boot/efi  vfat  noauto 0 1\n"
		"PARTUUID=0f-1 /srv vfat noauto 0 1\nUUID=gone / ext4\n/dev/x\n");
	sysroot_text(&s, "proc/self/mountinfo", "");
	host = sysroot_probe(&s, mp_probe_use);
	assert_non_null(find(host, NVME0, MP_USE_STORAGE, "proxmox-boot-tool"));
	assert_true(boots(host, NVME0));
	assert_non_null(find(host, NVME1, MP_USE_STORAGE, "/boot/efi in /etc/fstab"));
	assert_int_equal(count(host, NVME1), 1);
	sysroot_clear(&s);
}

static void loops_end(void **state G_GNUC_UNUSED)
{
	struct sysroot s;
	g_autoptr(mp_host) host = NULL;

	sysroot_init(&s);
	put_virtual(&s, "dm-0", "253:0", "dm-1 dm-0");
	put_mapper(&s, "dm-0", "a\n", "LVM-a\n");
	put_virtual(&s, "dm-1", "253:1", "dm-0");
	put_mapper(&s, "dm-1", "b\n", "LVM-b\n");
	sysroot_text(&s, "proc/self/mountinfo",
		"25 1 253:0 / / rw - ext4 /dev/mapper/a rw\n25 1 ../..:0 / / rw - x y z\n");
	host = sysroot_probe(&s, mp_probe_use);
	assert_int_equal(host->use->entries->len, 0);
	sysroot_clear(&s);
}

static void missing_mounts_are_unknown(void **state G_GNUC_UNUSED)
{
	struct sysroot s;
	g_autoptr(mp_host) host = NULL;

	sysroot_init(&s);
	sysroot_mkdir(&s, "sys");
	host = sysroot_probe(&s, mp_probe_use);
	assert_int_equal(host->use->entries->len, 0);
	assert_int_equal(host->use->unreadable->len, 1);
	assert_int_equal(
		((struct mp_fact *)host->use->unreadable->pdata[0])->know, MP_UNKNOWN);
	assert_int_equal(host->use->open_files.know, MP_UNKNOWN);
	sysroot_clear(&s);
}

/* A network interface; BDF NULL: virtual. */
static void put_net(
	struct sysroot *s, const char *bdf, const char *name, const char *flags)
{
	g_autofree char *dir =
		bdf ? g_strdup_printf("devices/pci0000:00/%s/net/%s", bdf, name)
		    : g_strdup_printf("devices/virtual/net/%s", name);
	g_autofree char *link = g_strdup_printf("sys/class/net/%s", name);
	g_autofree char *target = g_strdup_printf("../../%s", dir);
	g_autofree char *attribute = g_strdup_printf("sys/%s/flags", dir);

	sysroot_link(s, link, target);
	sysroot_text(s, attribute, flags);
}

#define NET(bdf, name) "sys/devices/pci0000:00/" bdf "/net/" name

static void network_uses(void **state G_GNUC_UNUSED)
{
	struct sysroot s;
	g_autoptr(mp_host) host = NULL;

	sysroot_init(&s);
	sysroot_text(&s, "proc/self/mountinfo", "");
	sysroot_text(&s, "proc/net/route",
		"Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\n"
		"vmbr0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
		"vmbr0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
		"bond0.7\t000AA8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n");
	sysroot_text(&s, "proc/net/ipv6_route",
		"fe800000000000000000000000000000 40 00000000000000000000000000000000 00 "
		"00000000000000000000000000000000 00000100 00000001 00000000 00000001   eth5\n"
		"20010db8000000000000000000000000 40 00000000000000000000000000000000 00 "
		"00000000000000000000000000000000 00000100 00000001 00000000 00000001   eth6\n");
	sysroot_text(&s, "etc/network/interfaces",
		"auto lo\niface lo inet loopback\niface eth7 inet manual\n"
		"iface eth8 inet static\n\taddress 10.0.0.1/24\n"
		"auto vmbr9\niface vmbr9 inet manual\n\tbridge-ports eth9\n");
	put_net(&s, NULL, "lo", "0x9\n");
	put_net(&s, NULL, "vmbr0", "0x1003\n");
	/* eth0 -> vmbr0 (default route) */
	put_net(&s, NIC, "eth0", "0x1103\n");
	sysroot_link(&s, NET(NIC, "eth0") "/upper_vmbr0", "../../virtual/net/vmbr0");
	sysroot_link(&s, NET(NIC, "eth0") "/master", "../../virtual/net/vmbr0");
	/* eth1 -> bond0 -> bond0.7 */
	put_net(&s, "0000:03:00.1", "eth1", "0x1803\n");
	sysroot_link(&s, NET("0000:03:00.1", "eth1") "/upper_bond0", "../bond0");
	put_net(&s, NULL, "bond0", "0x1003\n");
	sysroot_link(&s, "sys/devices/virtual/net/bond0/upper_bond0.7", "../bond0.7");
	/* A loop of uppers ends. */
	sysroot_link(&s, "sys/devices/virtual/net/bond0/upper_bond0", "../bond0");
	put_net(&s, NULL, "bond0.7", "0x1003\n");
	/* eth2 -> vmbr1, for guests only */
	put_net(&s, "0000:04:00.0", "eth2", "0x1003\n");
	sysroot_link(
		&s, NET("0000:04:00.0", "eth2") "/master", "../../virtual/net/vmbr1");
	sysroot_link(&s, NET("0000:04:00.0", "eth2") "/upper_vmbr1", "../vmbr1");
	sysroot_mkdir(&s, NET("0000:04:00.0", "eth2") "/brport");
	put_net(&s, NULL, "vmbr1", "0x1003\n");
	/* eth3 -> vmbr0, known by its master alone */
	put_net(&s, "0000:04:00.1", "eth3", "0x1003\n");
	sysroot_link(
		&s, NET("0000:04:00.1", "eth3") "/master", "../../virtual/net/vmbr0");
	put_net(&s, "0000:05:00.0", "eth5", "0x1003\n"); /* up, link-local only */
	put_net(&s, "0000:06:00.0", "eth6", "0x1003\n"); /* IPv6 route */
	put_net(&s, "0000:07:00.0", "eth7", "0x1002\n"); /* down, "manual" */
	put_net(&s, "0000:08:00.0", "eth8", "0x1002\n"); /* down, address wanted */
	put_net(&s, "0000:09:00.0", "eth9", "0x1002\n"); /* down, port of a bridge */
	host = sysroot_probe(&s, mp_probe_use);
	assert_true(routes(host, NIC));
	assert_string_equal(find(host, NIC, MP_USE_NETWORK, "")->detail,
		"eth0 -> vmbr0 has the default route of the host");
	assert_string_equal(find(host, "0000:03:00.1", MP_USE_NETWORK, "")->detail,
		"eth1 -> bond0 -> bond0.7 has a route of the host");
	assert_false(routes(host, "0000:04:00.0"));
	assert_non_null(find(host, "0000:04:00.0", MP_USE_NETWORK, "is in bridge vmbr1"));
	assert_true(routes(host, "0000:04:00.1"));
	assert_false(routes(host, "0000:05:00.0"));
	assert_non_null(find(host, "0000:05:00.0", MP_USE_NETWORK, "is up"));
	assert_true(routes(host, "0000:06:00.0"));
	assert_int_equal(count(host, "0000:07:00.0"), 0);
	assert_non_null(find(host, "0000:08:00.0", MP_USE_NETWORK, "an address"));
	assert_non_null(find(host, "0000:09:00.0", MP_USE_NETWORK, "a bridge"));
	assert_int_equal(host->use->unreadable->len, 0);
	sysroot_clear(&s);
}

static void displays(void **state G_GNUC_UNUSED)
{
	struct sysroot s;
	g_autoptr(mp_host) host = mp_host_new("test", false);
	g_autoptr(mp_root) root = NULL;
	struct mp_pci *vga, *passed;

	sysroot_init(&s);
	sysroot_text(&s, "proc/self/mountinfo", "");
	sysroot_link(&s, "sys/class/graphics/fb0",
		"../../devices/pci0000:00/0000:0a:00.0/graphics/fb0");
	sysroot_link(
		&s, "sys/class/graphics/fbcon", "../../devices/virtual/graphics/fbcon");
	sysroot_link(&s, "sys/class/drm/card1-DP-1",
		"../../devices/pci0000:00/0000:0b:00.0/drm/card1/card1-DP-1");
	sysroot_text(&s,
		"sys/devices/pci0000:00/0000:0b:00.0/drm/card1/card1-DP-1/status",
		"connected\n");
	sysroot_link(&s, "sys/class/drm/card2-DP-1",
		"../../devices/pci0000:00/0000:0c:00.0/drm/card2/card2-DP-1");
	sysroot_text(&s,
		"sys/devices/pci0000:00/0000:0c:00.0/drm/card2/card2-DP-1/status",
		"disconnected\n");
	sysroot_text(&s, "proc/iomem",
		"00000000-00000000 : System RAM\n00000000-00000000 : PCI Bus 0000:00\n"
		"  00000000-00000000 : PCI Bus 0000:0d\n    00000000-00000000 : 0000:0d:00.0\n"
		"      00000000-00000000 : BOOTFB\n    00000000-00000000 : 0000:0d:00.1\n"
		"  00000000-00000000 : BOOTFB\n");
	vga = add_device(host, "0000:0e:00.0");
	vga->boot_vga = mp_fact_known(host, "x", "1");
	vga->driver = mp_fact_known(host, "x", "ast");
	passed = add_device(host, "0000:0f:00.0");
	passed->boot_vga = mp_fact_known(host, "x", "1");
	passed->driver = mp_fact_known(host, "x", "vfio-pci");
	root = mp_root_open(s.path, NULL);
	mp_probe_use(host, root);
	assert_non_null(find(host, "0000:0a:00.0", MP_USE_DISPLAY, "fb0"));
	assert_non_null(find(host, "0000:0b:00.0", MP_USE_DISPLAY, "DP-1"));
	assert_int_equal(count(host, "0000:0c:00.0"), 0);
	assert_int_equal(count(host, "0000:0d:00.0"), 1);
	assert_int_equal(count(host, "0000:0d:00.1"), 0);
	assert_int_equal(count(host, "0000:0e:00.0"), 1);
	assert_int_equal(count(host, "0000:0f:00.0"), 0);
	assert_int_equal(host->use->entries->len, 4);
	sysroot_clear(&s);
}

static void running_vm_holds_its_device(void **state G_GNUC_UNUSED)
{
	static const char text[] = "0000:86:00.0 101 pid:7\n0000:87:00.0 101 pid:8\n"
				   "0000:88:00.0 102 time:99999999999\n";
	struct sysroot s;
	g_autoptr(mp_host) host = mp_host_new("test", false);
	g_autoptr(mp_root) root = NULL;
	struct mp_guests *guests = mp_host_alloc(host, sizeof(*guests));
	struct mp_vm *vm = mp_vm_parse(host, "101", "x", "", 0);

	sysroot_init(&s);
	sysroot_text(&s, "proc/self/mountinfo", "");
	guests->vms = mp_host_array(host);
	guests->reservations = mp_host_array(host);
	host->guests = guests;
	vm->running = true;
	vm->pid = 7;
	g_ptr_array_add(guests->vms, vm);
	mp_reservations_parse(host, guests, text, strlen(text));
	add_device(host, NIC)->sriov_numvfs = mp_fact_known(host, "x", "4");
	root = mp_root_open(s.path, NULL);
	mp_probe_use(host, root);
	assert_non_null(find(host, CARD, MP_USE_VM, "VM 101"));
	assert_int_equal(
		count(host, "0000:87:00.0"), 0); /* left behind by an older start */
	assert_int_equal(count(host, "0000:88:00.0"), 0); /* what time is it there? */
	assert_non_null(find(host, NIC, MP_USE_SRIOV, "4 virtual"));
	sysroot_clear(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_root),
		cmocka_unit_test(lvm_root_and_guest_disks),
		cmocka_unit_test(crypt_on_raid),
		cmocka_unit_test(zfs_root_by_udev),
		cmocka_unit_test(zfs_without_udev_is_unknown),
		cmocka_unit_test(btrfs_on_two),
		cmocka_unit_test(nvme_multipath_finds_controllers),
		cmocka_unit_test(vmd_counts_with_its_disk),
		cmocka_unit_test(unmounted_esp_counts),
		cmocka_unit_test(loops_end),
		cmocka_unit_test(missing_mounts_are_unknown),
		cmocka_unit_test(network_uses),
		cmocka_unit_test(displays),
		cmocka_unit_test(running_vm_holds_its_device),
	};

	return cmocka_run_group_tests_name("use", tests, NULL, NULL);
}
