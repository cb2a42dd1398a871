/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Block devices and what they rest on, from sysfs: `slaves` (device mapper, md, bcache),
 * the disk of a partition, the controllers of a multipath NVMe name space, the cache set
 * of a bcache.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "core/use-block.h"

#define CLASS      "sys/class/block"
#define UDEV       "run/udev/data"
#define DEPTH_MAX  16
#define BLOCKS_MAX 16384

static char *read_trimmed(struct use_probe *probe, const char *path)
{
	char *data = NULL;

	if (mp_root_read(probe->root, path, MP_READ_ATTR, &data, NULL) < 0)
		return NULL;
	return g_strstrip(data);
}

/* "pve-vm--100--disk--0" -> "pve" and "vm-100-disk-0": a dash of a name is doubled. */
static void split_lvm_name(const char *name, GString *group, GString *volume)
{
	GString *to = group;

	for (const char *c = name; *c; c++) {
		if (*c == '-' && c[1] == '-')
			c++;
		else if (*c == '-' && to == group) {
			to = volume;
			continue;
		}
		g_string_append_c(to, *c);
	}
}

static void name_mapper(struct blocks *blocks, struct block *block)
{
	struct use_probe *probe = blocks->probe;
	struct mp_host *host = probe->host;
	g_autofree char *name_path = g_strdup_printf(CLASS "/%s/dm/name", block->name);
	g_autofree char *uuid_path = g_strdup_printf(CLASS "/%s/dm/uuid", block->name);
	g_autofree char *name = read_trimmed(probe, name_path);
	g_autofree char *uuid = read_trimmed(probe, uuid_path);

	if (!name)
		return;
	block->label = block->group = mp_host_strf(host, "device mapper %s", name);
	g_hash_table_insert(blocks->dm_names, g_strdup(name), block);
	if (!uuid)
		return;
	if (g_str_has_prefix(uuid, "LVM-")) {
		g_autoptr(GString) group = g_string_new(NULL);
		g_autoptr(GString) volume = g_string_new(NULL);

		split_lvm_name(name, group, volume);
		block->label = mp_host_strf(host, "LVM %s/%s", group->str, volume->str);
		block->group = mp_host_strf(host, "LVM volume group %s", group->str);
	} else if (g_str_has_prefix(uuid, "CRYPT-")) {
		block->label = block->group = mp_host_strf(host, "dm-crypt %s", name);
	} else if (g_str_has_prefix(uuid, "mpath-")) {
		block->label = block->group = mp_host_strf(host, "multipath %s", name);
	}
}

static bool is_numbered(const char *name, const char *prefix)
{
	size_t length = strlen(prefix);

	return g_str_has_prefix(name, prefix) && name[length] &&
	       name[length + strspn(name + length, "0123456789")] == '\0';
}

/* ".../virtual/block/NAME": not a partition of it */
static bool is_whole_virtual(const char *target, const char *name)
{
	g_autofree char *end = g_strdup_printf("/virtual/block/%s", name);

	return g_str_has_suffix(target, end);
}

static void load_one(struct blocks *blocks, const char *name)
{
	struct mp_host *host = blocks->probe->host;
	g_autofree char *path = g_strdup_printf(CLASS "/%s", name);
	g_autofree char *target = NULL;
	struct block *block;

	if (mp_root_readlink(blocks->probe->root, path, &target) < 0)
		return;
	block = mp_host_alloc(host, sizeof(*block));
	block->name = mp_host_str(host, name);
	block->target = mp_host_str(host, target);
	block->label = mp_host_strf(host, "/dev/%s", name);
	if (is_numbered(name, "dm-"))
		name_mapper(blocks, block);
	else if (g_str_has_prefix(name, "md") && is_whole_virtual(target, name))
		block->label = block->group = mp_host_strf(host, "md RAID %s", name);
	else if (is_numbered(name, "bcache"))
		block->label = block->group = mp_host_str(host, name);
	g_ptr_array_add(blocks->all, block);
	g_hash_table_insert(blocks->by_name, (char *)block->name, block);
}

bool use_blocks_load(struct use_probe *probe, struct blocks *blocks)
{
	g_auto(GStrv) names = NULL;
	int err = mp_root_list(probe->root, CLASS, &names);

	*blocks = (struct blocks){
		.probe = probe,
		.all = g_ptr_array_new(),
		.by_name = g_hash_table_new(g_str_hash, g_str_equal),
		.dm_names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
	};
	if (err < 0) {
		if (err != -ENOENT)
			use_unreadable(probe, CLASS, err);
		return false;
	}
	for (char **name = names; *name; name++) {
		if (blocks->all->len >= BLOCKS_MAX) {
			use_unreadable_why(
				probe, CLASS, "too many block devices to look at all");
			break;
		}
		load_one(blocks, *name);
	}
	return true;
}

void use_blocks_clear(struct blocks *blocks)
{
	g_ptr_array_unref(blocks->all);
	g_hash_table_unref(blocks->by_name);
	g_hash_table_unref(blocks->dm_names);
}

struct block *use_block_by_path(const struct blocks *blocks, const char *path)
{
	g_autofree char *name = NULL;

	if (g_str_has_prefix(path, "/dev/mapper/"))
		return g_hash_table_lookup(
			blocks->dm_names, path + strlen("/dev/mapper/"));
	if (!g_str_has_prefix(path, "/dev/"))
		return NULL;
	/* sysfs spells the '/' of /dev/cciss/c0d0 as '!'. */
	name = g_strdelimit(g_strdup(path + strlen("/dev/")), "/", '!');
	return g_hash_table_lookup(blocks->by_name, name);
}

struct block *use_block_by_number(const struct blocks *blocks, const char *number)
{
	g_autofree char *path = g_strdup_printf("sys/dev/block/%s", number);
	g_autofree char *target = NULL;
	const char *slash;

	if (mp_root_readlink(blocks->probe->root, path, &target) < 0)
		return NULL;
	slash = strrchr(target, '/');
	return g_hash_table_lookup(blocks->by_name, slash ? slash + 1 : target);
}

static void take_udev_line(struct use_probe *probe, struct block *block, const char *line)
{
	const struct {
		const char *key;
		const char **to;
	} wanted[] = {
		{ "E:ID_FS_TYPE=", &block->fs_type },
		{ "E:ID_FS_LABEL=", &block->fs_label },
		{ "E:ID_FS_UUID=", &block->fs_uuid },
		{ "E:ID_PART_ENTRY_UUID=", &block->part_uuid },
		{ "E:ID_PART_ENTRY_NAME=", &block->part_label },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(wanted); i++)
		if (g_str_has_prefix(line, wanted[i].key))
			*wanted[i].to =
				mp_host_str(probe->host, line + strlen(wanted[i].key));
}

void use_blocks_load_udev(struct blocks *blocks)
{
	struct use_probe *probe = blocks->probe;
	int failed = 0;

	if (blocks->udev_loaded)
		return;
	blocks->udev_loaded = true;
	for (guint i = 0; i < blocks->all->len; i++) {
		struct block *block = blocks->all->pdata[i];
		g_autofree char *number_path =
			g_strdup_printf(CLASS "/%s/dev", block->name);
		g_autofree char *number = read_trimmed(probe, number_path);
		g_autofree char *path = NULL;
		g_autofree char *data = NULL;
		int err;

		if (!number || !use_is_name(number))
			continue;
		path = g_strdup_printf(UDEV "/b%s", number);
		err = mp_root_read(probe->root, path, MP_READ_ATTR, &data, NULL);
		if (err < 0) {
			failed = err == -ENOENT ? failed : err;
			continue;
		}
		g_auto(GStrv) lines = g_strsplit(data, "\n", -1);
		for (char **line = lines; *line; line++)
			take_udev_line(probe, block, *line);
	}
	if (failed)
		use_unreadable(probe, UDEV, failed);
}

struct block *use_block_by_tag(struct blocks *blocks, const char *tag)
{
	static const struct {
		const char *prefix;
		size_t offset;
	} tags[] = {
		{ "UUID=", G_STRUCT_OFFSET(struct block, fs_uuid) },
		{ "LABEL=", G_STRUCT_OFFSET(struct block, fs_label) },
		{ "PARTUUID=", G_STRUCT_OFFSET(struct block, part_uuid) },
		{ "PARTLABEL=", G_STRUCT_OFFSET(struct block, part_label) },
	};

	for (size_t t = 0; t < G_N_ELEMENTS(tags); t++) {
		const char *value = tag + strlen(tags[t].prefix);

		if (!g_str_has_prefix(tag, tags[t].prefix))
			continue;
		use_blocks_load_udev(blocks);
		for (guint i = 0; i < blocks->all->len; i++) {
			struct block *block = blocks->all->pdata[i];
			const char *has =
				G_STRUCT_MEMBER(const char *, block, tags[t].offset);

			if (has && !g_ascii_strcasecmp(has, value))
				return block;
		}
		return NULL;
	}
	return use_block_by_path(blocks, tag);
}

struct walk {
	struct blocks *blocks;
	const struct use_what *what;
	GHashTable *visited; /* names */
	bool brief;
	unsigned found;
};

static void walk(struct walk *w, struct block *block, const char *chain, unsigned depth);

static void walk_name(struct walk *w, const char *name, const char *chain, unsigned depth)
{
	struct block *block = g_hash_table_lookup(w->blocks->by_name, name);

	if (block)
		walk(w, block, chain, depth + 1);
}

static bool walk_slaves(
	struct walk *w, const struct block *block, const char *chain, unsigned depth)
{
	g_autofree char *path = g_strdup_printf(CLASS "/%s/slaves", block->name);
	g_auto(GStrv) names = NULL;
	int err = mp_root_list(w->blocks->probe->root, path, &names);

	if (err < 0) {
		if (err != -ENOENT)
			use_unreadable(w->blocks->probe, path, err);
		return false;
	}
	for (char **name = names; *name; name++)
		walk_name(w, *name, chain, depth);
	return *names != NULL;
}

/* Links that lead to hardware: the controllers of a multipath NVMe name space, the members
 * of a bcache set. */
static void follow_links(
	struct walk *w, const char *dir, const char *prefix, const struct use_what *what)
{
	struct use_probe *probe = w->blocks->probe;
	g_auto(GStrv) names = NULL;

	if (mp_root_list(probe->root, dir, &names) < 0)
		return;
	for (char **name = names; *name; name++) {
		g_autofree char *path = g_strdup_printf("%s/%s", dir, *name);
		g_autofree char *target = NULL;

		if (!is_numbered(*name, prefix))
			continue;
		if (mp_root_readlink(probe->root, path, &target) == 0 &&
			use_add_path(probe, target, what))
			w->found++;
	}
}

/* ".../virtual/nvme-subsystem/nvme-subsys0/nvme0n1/nvme0n1p1" -> "nvme-subsys0" */
static char *nvme_subsystem(const char *target)
{
	static const char marker[] = "/nvme-subsystem/";
	const char *at = strstr(target, marker);

	if (!at)
		return NULL;
	at += strlen(marker);
	return g_strndup(at, strcspn(at, "/"));
}

/* ".../block/md0/md0p1": the directory above is the disk that the partition is of. */
static char *disk_of(const struct block *block)
{
	g_auto(GStrv) parts = g_strsplit(block->target, "/", -1);
	guint count = g_strv_length(parts);

	if (count < 3 || strcmp(parts[count - 1], block->name) != 0)
		return NULL;
	return g_strdup(parts[count - 2]);
}

static void walk(struct walk *w, struct block *block, const char *chain, unsigned depth)
{
	g_autofree char *longer = g_strdup_printf("%s -> %s", block->label, chain);
	const char *up = w->brief ? chain : longer;
	struct use_what what = *w->what;

	if (depth > DEPTH_MAX || !g_hash_table_add(w->visited, (char *)block->name))
		return;
	what.detail = longer;
	if (use_add_path(w->blocks->probe, block->target, &what)) {
		w->found++;
		return;
	}
	if (walk_slaves(w, block, up, depth)) {
		g_autofree char *caches =
			g_strdup_printf(CLASS "/%s/bcache/cache", block->name);

		if (is_numbered(block->name, "bcache"))
			follow_links(w, caches, "cache", &what);
		return;
	}
	g_autofree char *subsystem = nvme_subsystem(block->target);
	if (subsystem && use_is_name(subsystem)) {
		g_autofree char *dir =
			g_strdup_printf("sys/class/nvme-subsystem/%s", subsystem);

		follow_links(w, dir, "nvme", &what);
		return;
	}
	g_autofree char *disk = disk_of(block);
	if (disk)
		walk_name(w, disk, up, depth);
}

unsigned use_block_add(struct blocks *blocks, struct block *block,
	const struct use_what *what, bool brief)
{
	g_autoptr(GHashTable) visited = g_hash_table_new(g_str_hash, g_str_equal);
	struct walk w = {
		.blocks = blocks,
		.what = what,
		.visited = visited,
		.brief = brief,
	};

	walk(&w, block, what->detail, 0);
	return w.found;
}
