/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which PCI devices carry the host's file systems, swap, pools and volume groups. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "core/use-block.h"

#define MOUNTINFO  "proc/self/mountinfo"
#define SWAPS      "proc/swaps"
#define BTRFS      "sys/fs/btrfs"
#define ZFS        "proc/spl/kstat/zfs"
#define FSTAB      "etc/fstab"
/* The ESPs that proxmox-boot-tool keeps in step; they are not mounted. */
#define BOOT_UUIDS "etc/kernel/proxmox-boot-uuids"

struct pool {
	bool boots, found;
	char *mount; /* one of its mount points, or NULL */
};

struct storage {
	struct blocks blocks;
	GHashTable *pools;  /* ZFS: name -> struct pool */
	GHashTable *mounts; /* mount points seen */
};

static void pool_free(void *data)
{
	struct pool *pool = data;

	g_free(pool->mount);
	g_free(pool);
}

/* Without what is mounted there the host does not come up again. */
static bool is_boot_mount(const char *mount)
{
	return !strcmp(mount, "/") || !strcmp(mount, "/usr") || !strcmp(mount, "/efi") ||
	       !strcmp(mount, "/boot") || g_str_has_prefix(mount, "/boot/");
}

/* Octal escapes of the kernel's seq_file: "\040" is a space. */
static void unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from; to++) {
		if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' &&
			from[2] >= '0' && from[2] <= '7' && from[3] >= '0' &&
			from[3] <= '7') {
			*to = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 |
				     (from[3] - '0'));
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
}

static struct pool *pool_by_name(struct storage *s, const char *name)
{
	struct pool *pool = g_hash_table_lookup(s->pools, name);

	if (!pool) {
		pool = g_new0(struct pool, 1);
		g_hash_table_insert(s->pools, g_strdup(name), pool);
	}
	return pool;
}

static void take_zfs_mount(struct storage *s, const char *dataset, const char *mount)
{
	g_autofree char *name = g_strndup(dataset, strcspn(dataset, "/"));
	struct pool *pool = pool_by_name(s, name);

	if (pool->mount && (pool->boots || !is_boot_mount(mount)))
		return;
	g_free(pool->mount);
	pool->mount = g_strdup(mount);
	pool->boots = is_boot_mount(mount);
}

/* A btrfs may be on several devices; the mount names one. */
static void take_btrfs_mount(
	struct storage *s, const struct block *named, const struct use_what *what)
{
	struct use_probe *probe = s->blocks.probe;
	g_auto(GStrv) uuids = NULL;

	if (mp_root_list(probe->root, BTRFS, &uuids) < 0)
		return;
	for (char **uuid = uuids; *uuid; uuid++) {
		g_autofree char *path = g_strdup_printf(BTRFS "/%s/devices", *uuid);
		g_auto(GStrv) names = NULL;

		if (mp_root_list(probe->root, path, &names) < 0 ||
			!g_strv_contains((const char *const *)names, named->name))
			continue;
		for (char **name = names; *name; name++) {
			struct block *block =
				g_hash_table_lookup(s->blocks.by_name, *name);

			if (block && block != named)
				use_block_add(&s->blocks, block, what, false);
		}
	}
}

static void take_mount(struct storage *s, const char *number, const char *mount,
	const char *type, const char *source)
{
	struct use_what what = {
		.kind = MP_USE_MOUNT,
		.boots = is_boot_mount(mount),
		.detail = mount,
		.source = "/" MOUNTINFO,
	};
	struct block *block;

	if (!strcmp(type, "zfs")) {
		take_zfs_mount(s, source, mount);
		return;
	}
	/* Number 0:N is of no device: btrfs, bcachefs, network and memory file systems. */
	if (!g_str_has_prefix(number, "0:")) {
		block = use_block_by_number(&s->blocks, number);
		if (block)
			use_block_add(&s->blocks, block, &what, false);
		return;
	}
	g_auto(GStrv) sources = g_strsplit(source, ":/dev/", -1);
	for (char **part = sources; *part; part++) {
		g_autofree char *path =
			g_strconcat(part == sources ? "" : "/dev/", *part, NULL);

		block = use_block_by_path(&s->blocks, path);
		if (!block)
			continue;
		use_block_add(&s->blocks, block, &what, false);
		if (!strcmp(type, "btrfs"))
			take_btrfs_mount(s, block, &what);
	}
}

/* proc(5): ID PARENT MAJOR:MINOR ROOT MOUNT OPTIONS [TAGS...] - TYPE SOURCE OPTIONS */
static void take_mount_line(struct storage *s, const char *line)
{
	g_auto(GStrv) words = g_strsplit(line, " ", -1);
	guint count = g_strv_length(words), dash = 6;

	while (dash < count && strcmp(words[dash], "-") != 0)
		dash++;
	if (dash + 2 >= count)
		return;
	unescape(words[4]);
	unescape(words[dash + 2]);
	g_hash_table_add(s->mounts, g_strdup(words[4]));
	take_mount(s, words[2], words[4], words[dash + 1], words[dash + 2]);
}

/* A host without REQUIRED is a copy of which nothing can be said. */
static void each_line(struct storage *s, const char *path, bool required,
	void (*take)(struct storage *, const char *))
{
	struct use_probe *probe = s->blocks.probe;
	g_autofree char *data = NULL;
	int err = mp_root_read(probe->root, path, MP_READ_FILE, &data, NULL);

	if (err == -ENOENT && required)
		use_unreadable_why(probe, path, "not there");
	else if (err < 0 && err != -ENOENT)
		use_unreadable(probe, path, err);
	if (err < 0)
		return;
	g_auto(GStrv) lines = g_strsplit(data, "\n", -1);
	for (char **line = lines; *line; line++)
		take(s, *line);
}

/* Filename Type Size Used Priority; a swap file is covered by the mount that it is on. */
static void take_swap_line(struct storage *s, const char *line)
{
	g_autofree char *path = g_strndup(line, strcspn(line, " \t"));
	struct block *block;

	unescape(path);
	block = use_block_by_path(&s->blocks, path);
	if (block)
		use_block_add(&s->blocks, block,
			&(struct use_what){ .kind = MP_USE_SWAP,
				.detail = "swap",
				.source = "/" SWAPS },
			false);
}

/* Volume groups, arrays and mappings that are active, mounted or not: their volumes may be
 * the disks of VMs. */
static void take_groups(struct storage *s)
{
	for (guint i = 0; i < s->blocks.all->len; i++) {
		struct block *block = s->blocks.all->pdata[i];

		if (!block->group)
			continue;
		use_block_add(&s->blocks, block,
			&(struct use_what){ .kind = MP_USE_STORAGE,
				.detail = block->group,
				.source = "/sys/class/block" },
			true);
	}
}

/* sysfs knows nothing of ZFS: the pools are those of its kstat, the members those that
 * udev has seen a label on. */
static void take_pools(struct storage *s)
{
	struct use_probe *probe = s->blocks.probe;
	g_auto(GStrv) names = NULL;
	GHashTableIter iter;
	void *name, *value;

	if (mp_root_list(probe->root, ZFS, &names) == 0)
		for (char **entry = names; *entry; entry++) {
			g_autofree char *state = g_strdup_printf(ZFS "/%s/state", *entry);
			struct mp_stat st;

			/* Other entries of the directory are statistics of the module. */
			if (mp_root_stat(probe->root, state, &st) == 0)
				pool_by_name(s, *entry);
		}
	if (!g_hash_table_size(s->pools))
		return;
	use_blocks_load_udev(&s->blocks);
	for (guint i = 0; i < s->blocks.all->len; i++) {
		struct block *block = s->blocks.all->pdata[i];
		struct pool *pool;

		if (g_strcmp0(block->fs_type, "zfs_member") != 0 || !block->fs_label)
			continue;
		pool = g_hash_table_lookup(s->pools, block->fs_label);
		if (!pool)
			continue;
		pool->found = true;
		g_autofree char *detail = g_strdup_printf("ZFS pool %s%s%s",
			block->fs_label, pool->mount ? " -> " : "",
			pool->mount ? pool->mount : "");
		use_block_add(&s->blocks, block,
			&(struct use_what){ .kind = MP_USE_STORAGE,
				.boots = pool->boots,
				.detail = detail,
				.source = "/run/udev/data" },
			false);
	}
	g_hash_table_iter_init(&iter, s->pools);
	while (g_hash_table_iter_next(&iter, &name, &value)) {
		const struct pool *pool = value;
		g_autofree char *why = NULL;

		if (pool->found)
			continue;
		why = g_strdup_printf("does not tell which disks ZFS pool %s is on",
			(const char *)name);
		use_unreadable_why(probe, "run/udev/data", why);
	}
}

/* One file system UUID a line. */
static void take_boot_uuid(struct storage *s, const char *line)
{
	g_autofree char *tag = g_strstrip(g_strconcat("UUID=", line, NULL));
	struct block *block;

	if (!strcmp(tag, "UUID=") || *line == '#')
		return;
	block = use_block_by_tag(&s->blocks, tag);
	if (!block) {
		/* The tool keeps UUIDs of disks that are gone; one unknown is no alarm. */
		return;
	}
	use_block_add(&s->blocks, block,
		&(struct use_what){ .kind = MP_USE_STORAGE,
			.boots = true,
			.detail = "EFI system partition of proxmox-boot-tool",
			.source = "/" BOOT_UUIDS },
		false);
}

/* The next word of *TEXT; NULL at its end. */
static char *next_word(const char **text)
{
	const char *start = *text + strspn(*text, " \t");
	size_t length = strcspn(start, " \t");

	*text = start + length;
	return length ? g_strndup(start, length) : NULL;
}

/* What the host mounts at boot, but not at the moment (an automounted ESP). */
static void take_fstab_line(struct storage *s, const char *line)
{
	g_autofree char *device = next_word(&line);
	g_autofree char *mount = device ? next_word(&line) : NULL;
	g_autofree char *detail = NULL;
	struct block *block;

	if (!mount || *device == '#' || !is_boot_mount(mount) ||
		g_hash_table_contains(s->mounts, mount))
		return;
	block = use_block_by_tag(&s->blocks, device);
	if (!block)
		return;
	detail = g_strdup_printf("%s in /etc/fstab, not mounted now", mount);
	use_block_add(&s->blocks, block,
		&(struct use_what){ .kind = MP_USE_STORAGE,
			.boots = true,
			.detail = detail,
			.source = "/" FSTAB },
		false);
}

void use_probe_block(struct use_probe *probe)
{
	g_autoptr(GHashTable) pools =
		g_hash_table_new_full(g_str_hash, g_str_equal, g_free, pool_free);
	g_autoptr(GHashTable) mounts =
		g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	struct storage s = { .pools = pools, .mounts = mounts };

	use_blocks_load(probe, &s.blocks);
	each_line(&s, MOUNTINFO, true, take_mount_line);
	each_line(&s, SWAPS, false, take_swap_line);
	take_groups(&s);
	take_pools(&s);
	each_line(&s, BOOT_UUIDS, false, take_boot_uuid);
	each_line(&s, FSTAB, false, take_fstab_line);
	use_blocks_clear(&s.blocks);
}
