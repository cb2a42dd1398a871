/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Snapshots that are written: they answer as the host did, and keep no secret. */
#include "config.h"

#include "snapshot-scene.h"

/* --- recording and writing --- */

static char *written(struct mp_snapshot *snapshot)
{
	struct mp_snapshot_header header = { "test", "2026-01-01T00:00:00Z", false };

	return g_string_free(mp_snapshot_text(snapshot, &header), FALSE);
}

static const char nasty[] = "\x1b[2Jnot text\n";

static void fill(struct sysroot *s)
{
	sysroot_init(s);
	sysroot_text(s, "one", "line\n");
	sysroot_text(s, "two", "a\n\nb");
	sysroot_text(s, "empty", "");
	sysroot_text(s, "feed", "\n");
	sysroot_text(s, "look like/[a]", "| x\n\\ y\n[end]\n");
	sysroot_text(s, "look like/-", "- z\n");
	sysroot_text(s, "look like/#\xff",
		"\tGr\xc3\xbc\xc3\x9f"
		"e\n");
	sysroot_write(s, "binary", "\0\1\2", 3);
	sysroot_text(s, "terminal", nasty);
	sysroot_text(s, "c1",
		"\xc2\x9b"
		"2J\n");
	sysroot_link(s, "link", "to  a\\b\nc");
	sysroot_link(s, "in", "look like");
	sysroot_mkdir(s, "bare");
}

static char *capture(struct mp_root *root)
{
	g_autoptr(mp_snapshot) snapshot = mp_snapshot_new();

	mp_snapshot_record(snapshot, root);
	look(root);
	mp_root_record(root, NULL, NULL);
	return written(snapshot);
}

struct answers {
	GString *text;
};

static void write_down(void *user, enum mp_look what, const char *path, int err,
	const char *data, size_t size, const struct mp_stat *st)
{
	struct answers *answers = user;

	g_string_append_printf(answers->text, "%d %s %d %zu ", what, path, err, size);
	if (!err && data)
		g_string_append_len(answers->text, data, (gssize)size);
	if (!err && st)
		g_string_append_printf(answers->text, "%d %o %" G_GINT64_FORMAT, st->type,
			st->mode, st->mtime);
	g_string_append_c(answers->text, '\n');
}

static char *answers_of(struct mp_root *root)
{
	struct answers answers = { g_string_new(NULL) };

	mp_root_record(root, write_down, &answers);
	look(root);
	mp_root_record(root, NULL, NULL);
	return g_string_free(answers.text, FALSE);
}

static void a_snapshot_answers_as_the_host(void **state G_GNUC_UNUSED)
{
	struct sysroot s;
	g_autofree char *text = NULL, *again = NULL, *there = NULL, *here = NULL;
	g_autoptr(mp_root) live = NULL, copy = NULL;

	fill(&s);
	live = mp_root_open(s.path, NULL);
	text = capture(live);
	there = answers_of(live);
	sysroot_remove_tree(s.path);
	g_free(s.path);
	copy = replay(text);
	here = answers_of(copy);
	assert_string_equal(here, there);
	again = capture(copy);
	assert_string_equal(again, text);
}

static void the_file_is_text(void **state G_GNUC_UNUSED)
{
	struct sysroot s;
	g_autofree char *text = NULL;
	g_autoptr(mp_root) live = NULL;

	fill(&s);
	live = mp_root_open(s.path, NULL);
	text = capture(live);
	sysroot_remove_tree(s.path);
	g_free(s.path);
	assert_true(g_utf8_validate(text, -1, NULL));
	assert_null(strchr(text, '\x1b'));
	assert_null(strstr(text, "\xc2\x9b"));
	assert_non_null(strstr(text, "\n[/]\n"));
	assert_non_null(strstr(text, "\none = line\n"));
	assert_non_null(strstr(text, "\ntwo :\n| a\n|\n\\ b\n"));
	assert_non_null(strstr(text, "\n[/look\\x20like]\n. /\n"));
	assert_non_null(strstr(text, "\n\\x2d = - z\n"));
	assert_non_null(strstr(text, "\nbinary x 3\n| 000: 00 01 02\n"));
	/* What the listing lacks need not be told; what nothing tells is. */
	assert_null(strstr(text, "none"));
	assert_non_null(strstr(text, "\n- gone\n"));
	assert_null(strstr(text, "deeper"));
}

static void failures_are_told(void **state G_GNUC_UNUSED)
{
	g_autoptr(mp_root) root = replay(
		HEAD "missing: absent\n[/]\n"
		     "a ! read EACCES\nb ! read ENOENT\nc ! read EIO\nd = 1\n[end]\n");
	g_autoptr(mp_snapshot) snapshot = mp_snapshot_new();
	g_autoptr(GPtrArray) failures = NULL;
	g_autofree char *text = NULL;
	unsigned looks;

	mp_snapshot_record(snapshot, root);
	for (const char *name = "a\0b\0c\0d\0"; *name; name += 2) {
		g_autofree char *data = NULL;

		mp_root_read(root, name, MP_READ_ATTR, &data, NULL);
	}
	mp_root_record(root, NULL, NULL);
	failures = mp_snapshot_failures(snapshot, &looks);
	assert_int_equal(looks, 4);
	assert_int_equal(failures->len, 2);
	assert_string_equal(failures->pdata[0], "/a: Permission denied");
	assert_string_equal(failures->pdata[1], "/c: Input/output error");
	text = written(snapshot);
	assert_non_null(strstr(text, "\na ! read EACCES\nc ! read EIO\nd = 1\n- b\n"));
}

/* --- scrubbing --- */

/* A config space with a device serial number: extended capabilities AER, then serial. */
static void write_config(struct sysroot *s, const char *path, uint64_t serial)
{
	uint8_t config[4096] = { 0x9d, 0x1f, 0, 0x11 };

	memcpy(config + 0x100, "\x01\x00\x02\x15", 4);
	memcpy(config + 0x150, "\x03\x00\x01\x00", 4);
	for (int i = 0; i < 8; i++)
		config[0x154 + i] = (uint8_t)(serial >> (8 * i));
	sysroot_write(s, path, config, sizeof(config));
}

static const char *const secrets[] = { "bc:24:11:5e:c7:e7", "BC:24:11:5E:C7:E7",
	"bc24115ec7e7", "10.20.30.40", "2a02:8388:17:2::42",
	"2a0283880017000200000000000000", "281E140A",
	"9f8b6c1e-3d52-4a7e-9d0b-1b2c3d4e5f60", "hunter2", "S4EWNX0M123456", "babbage",
	"mainframe7", "AB12-CD34", "0025388b91d0b3d5", "Ada Lovelace",
	"ZyXwVuTsRqPoNmLkJiHgFeDcBa9876543210", "grub.pbkdf2.sha512.10000.5A17",
	"tr0ub4dor", "ada@lovelace.example", "abCdEf-ghIj", "0x5002538e90b5c7f2" };

static void plant_secrets(struct sysroot *s)
{
	sysroot_init(s);
	sysroot_text(s, "etc/hostname", "mainframe7\n");
	sysroot_text(s, "proc/sys/kernel/hostname", "mainframe7\n");
	sysroot_link(s, "etc/pve/qemu-server", "nodes/mainframe7/qemu-server");
	sysroot_text(s, "etc/pve/nodes/mainframe7/qemu-server/101.conf",
		"#Call Ada Lovelace before a stop\nname: babbage\nnet0: virtio=BC:24:11:5E:C7:E7\n"
		"ciuser: babbage\ncipassword: hunter2\nipconfig0: ip=10.20.30.40/24\n"
		"smbios1: uuid=9f8b6c1e-3d52-4a7e-9d0b-1b2c3d4e5f60\nmemory: 4096\n");
	sysroot_text(s, "etc/pve/mapping/pci.cfg",
		"metis\n\tmap id=1f9d:1100,node=mainframe7,path=0000:86:00.0\n"
		"\tmap id=1f9d:1100,node=babbage,path=0000:86:00.0\n");
	sysroot_text(s, "boot/grub/grub.cfg",
		"password_pbkdf2 root grub.pbkdf2.sha512.10000.5A17\nlinux /vmlinuz quiet\n");
	sysroot_text(s, "etc/network/interfaces",
		"# ask ada@lovelace.example\niface w inet dhcp\n\twpa-psk tr0ub4dor\n");
	sysroot_text(s, "proc/cmdline",
		"root=UUID=9f8b6c1e-3d52-4a7e-9d0b-1b2c3d4e5f60 "
		"ip=10.20.30.40::0.0.0.0 rootpassword=hunter2 quiet iommu.passthrough=1\n");
	sysroot_text(s, "etc/kernel/proxmox-boot-uuids", "AB12-CD34\n");
	sysroot_text(s, "proc/net/route",
		"Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n"
		"vmbr0\t00000000\t281E140A\t0003\t0\t0\t0\t00000000\n");
	sysroot_text(s, "proc/net/ipv6_route",
		"2a028388001700020000000000000042 80 00000000000000000000000000000000 00 "
		"00000000000000000000000000000000 00000100 00000001 00000000 00000001 vmbr0\n");
	sysroot_text(s, "sys/class/net/enxbc24115ec7e7/address", "bc:24:11:5e:c7:e7\n");
	sysroot_text(s, "sys/class/nvme/nvme0/serial", "S4EWNX0M123456      \n");
	sysroot_text(s, "run/udev/data/b259:3",
		"S:disk/by-id/nvme-Disk_S4EWNX0M123456\n"
		"E:ID_SERIAL=Disk_S4EWNX0M123456\nE:ID_SERIAL_SHORT=S4EWNX0M123456\n"
		"E:ID_WWN=0x5002538e90b5c7f2\nE:ID_FS_TYPE=LVM2_member\n"
		"E:ID_FS_UUID=abCdEf-ghIj-KlMn-OpQr-StUv-WxYz-aBcDeF\n");
	sysroot_text(s, "sys/block/dm-0/dm/uuid",
		"LVM-ZyXwVuTsRqPoNmLkJiHgFeDcBa9876543210ZyXwVuTsRqPoNmLkJiHgFeDcBa98\n");
	sysroot_text(s, "sys/class/dmi/id/bios_version", "10.1.2.7\n");
	sysroot_text(s, "metis-passthrough/klog",
		"[ 1.0] nvme nvme0: nvme-Samsung_S4EWNX0M123456 at 2a02:8388:17:2::42\n"
		"[ 2.0] mainframe7 pci 0000:86:00.0: [1f9d:1100]\n");
	sysroot_text(
		s, "etc/metis-passthrough/config.yaml", "serial: 0x0025388b91d0b3d5\n");
	write_config(s, "sys/bus/pci/devices/0000:86:00.0/config", 0x0025388b91d0b3d5);
	write_config(s, "sys/bus/pci/devices/0000:87:00.0/config", 0x0025388b91d0b3d6);
}

static char *scrubbed(struct sysroot *s)
{
	static const char *const files[] = { "etc/hostname", "proc/sys/kernel/hostname",
		"etc/pve/nodes/mainframe7/qemu-server/101.conf",
		"etc/pve/mapping/pci.cfg", "proc/cmdline",
		"etc/kernel/proxmox-boot-uuids", "proc/net/route", "proc/net/ipv6_route",
		"sys/class/net/enxbc24115ec7e7/address", "sys/class/nvme/nvme0/serial",
		"run/udev/data/b259:3", "sys/block/dm-0/dm/uuid",
		"sys/class/dmi/id/bios_version", "metis-passthrough/klog",
		"boot/grub/grub.cfg", "etc/network/interfaces",
		"etc/metis-passthrough/config.yaml",
		"sys/bus/pci/devices/0000:86:00.0/config",
		"sys/bus/pci/devices/0000:87:00.0/config" };
	g_autoptr(mp_root) root = mp_root_open(s->path, NULL);
	g_autoptr(mp_snapshot) snapshot = mp_snapshot_new();
	g_auto(GStrv) nets = NULL, nodes = NULL;
	g_autofree char *target = NULL;

	mp_snapshot_record(snapshot, root);
	for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
		g_autofree char *data = NULL;

		assert_int_equal(
			mp_root_read(root, files[i], MP_READ_ATTR, &data, NULL), 0);
	}
	mp_root_list(root, "sys/class/net", &nets);
	mp_root_list(root, "etc/pve/nodes", &nodes);
	mp_root_readlink(root, "etc/pve/qemu-server", &target);
	mp_root_record(root, NULL, NULL);
	mp_snapshot_scrub(snapshot);
	return written(snapshot);
}

static void secrets_are_gone(void **state G_GNUC_UNUSED)
{
	struct sysroot s;
	g_autofree char *text = NULL, *lower = NULL;

	plant_secrets(&s);
	text = scrubbed(&s);
	sysroot_remove_tree(s.path);
	g_free(s.path);
	lower = g_ascii_strdown(text, -1);
	for (size_t i = 0; i < G_N_ELEMENTS(secrets); i++) {
		g_autofree char *secret = g_ascii_strdown(secrets[i], -1);

		if (strstr(lower, secret))
			fail_msg("'%s' is still in:\n%s", secrets[i], text);
	}
	/* As bytes of a configuration space: d5 b3 d0 91 8b 38 25 00. */
	assert_null(strstr(text, "d5 b3 d0 91"));
	assert_null(strstr(text, "d6 b3 d0 91"));
}

static void replacements_agree(void **state G_GNUC_UNUSED)
{
	struct sysroot s;
	g_autofree char *text = NULL, *target = NULL;
	g_autoptr(mp_root) root = NULL;

	plant_secrets(&s);
	text = scrubbed(&s);
	sysroot_remove_tree(s.path);
	g_free(s.path);
	root = replay(text);
	assert_content(root, "etc/hostname", "node1\n");
	assert_content(root, "etc/pve/nodes/node1/qemu-server/101.conf",
		"#scrubbed\nname: scrubbed\nnet0: virtio=02:00:00:00:00:01\nciuser: scrubbed\n"
		"cipassword: scrubbed\nipconfig0: ip=192.0.2.1/24\n"
		"smbios1: uuid=00000000-0000-4000-8000-000000000001\nmemory: 4096\n");
	assert_int_equal(mp_root_readlink(root, "etc/pve/qemu-server", &target), 0);
	assert_string_equal(target, "nodes/node1/qemu-server");
	assert_content(root, "etc/pve/mapping/pci.cfg",
		"metis\n\tmap id=1f9d:1100,node=node1,path=0000:86:00.0\n"
		"\tmap id=1f9d:1100,node=node2,path=0000:86:00.0\n");
	assert_content(root, "proc/cmdline",
		"root=UUID=00000000-0000-4000-8000-000000000001 ip=192.0.2.1::0.0.0.0 "
		"rootpassword=scrubbed quiet iommu.passthrough=1\n");
	assert_content(root, "proc/net/route",
		"Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n"
		"vmbr0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\n");
	assert_content(
		root, "sys/class/net/enx020000000001/address", "02:00:00:00:00:01\n");
	assert_content(root, "sys/class/dmi/id/bios_version", "10.1.2.7\n");
	/* The pin of the configuration still fits the card; the other card has another one. */
	assert_content(root, "etc/metis-passthrough/config.yaml",
		"serial: 0x0000000000000001\n");
	assert_non_null(strstr(text, "| 150: 03 00 01 00 01 00 00 00 00"));
	assert_non_null(strstr(text, "| 150: 03 00 01 00 02 00 00 00 00"));
}

static void long_files_are_reduced(void **state G_GNUC_UNUSED)
{
	static const char arguments[] = "/usr/bin/kvm\0-name\0babbage\0-id\0"
					"101\0-vnc\0secret";
	static const char kept[] = "/usr/bin/kvm\0-id\0"
				   "101";
	struct sysroot s;
	g_autofree char *data = NULL, *log = NULL, *text = NULL, *again = NULL;
	g_autoptr(mp_root) root = NULL, copy = NULL;
	g_autoptr(mp_snapshot) snapshot = mp_snapshot_new();
	g_autoptr(mp_host) host = mp_host_new("test", false);
	size_t size = 0;

	sysroot_init(&s);
	sysroot_write(&s, "proc/812/cmdline", arguments, sizeof(arguments));
	sysroot_text(&s, "metis-passthrough/klog",
		"[    0.000000] Linux version 7.0\n[    1.000000] EXT4-fs (dm-1): mounted\n"
		"[    1.100000] usb 1-1: SerialNumber: dma 4711\n"
		"[    1.200000] DMAR: IOMMU enabled\n");
	root = mp_root_open(s.path, NULL);
	mp_snapshot_record(snapshot, root);
	mp_root_read(root, "proc/812/cmdline", MP_READ_ATTR, &data, NULL);
	mp_root_klog(root, &log, NULL);
	mp_root_record(root, NULL, NULL);
	sysroot_remove_tree(s.path);
	g_free(s.path);
	mp_snapshot_reduce(snapshot, host);
	text = written(snapshot);
	mp_snapshot_reduce(snapshot, host);
	again = written(snapshot);
	assert_string_equal(again, text);
	copy = replay(text);
	g_clear_pointer(&data, g_free);
	assert_int_equal(mp_root_read(copy, "proc/812/cmdline", 100, &data, &size), 0);
	assert_int_equal(size, sizeof(kept));
	assert_memory_equal(data, kept, sizeof(kept));
	assert_content(copy, "metis-passthrough/klog",
		"[    0.000000] Linux version 7.0\n[    1.200000] DMAR: IOMMU enabled\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_snapshot_answers_as_the_host),
		cmocka_unit_test(the_file_is_text),
		cmocka_unit_test(failures_are_told),
		cmocka_unit_test(long_files_are_reduced),
		cmocka_unit_test(secrets_are_gone),
		cmocka_unit_test(replacements_agree),
	};

	return cmocka_run_group_tests_name("snapshot-write", tests, NULL, NULL);
}
