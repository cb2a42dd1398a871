/* SPDX-License-Identifier: GPL-2.0-or-later */
/* use-block.h - the block devices of a host and what lies below each. Only probe-use-*.c. */
#ifndef MP_USE_BLOCK_H
#define MP_USE_BLOCK_H

#include "core/use-probe.h"

struct block {
	const char *name;   /* as in /sys/class/block */
	const char *target; /* of that link: its place in the device tree */
	const char *label;  /* for people: "/dev/sda1", "LVM pve/root" */
	const char
		*group; /* what it is a part of: "LVM volume group pve"; NULL: nothing */
	/* From udev's database, when it was loaded; NULL: not there. */
	const char *fs_type, *fs_label, *fs_uuid, *part_uuid, *part_label;
};

struct blocks {
	struct use_probe *probe;
	GPtrArray *all;       /* struct block */
	GHashTable *by_name;  /* name -> struct block */
	GHashTable *dm_names; /* /dev/mapper name -> struct block */
	bool udev_loaded;
};

/* False: there is no list of block devices (told in probe->use->unreadable). */
bool use_blocks_load(struct use_probe *probe, struct blocks *blocks);
void use_blocks_clear(struct blocks *blocks);
/* "/dev/sda1", "/dev/mapper/pve-root" -> the device, or NULL. */
struct block *use_block_by_path(const struct blocks *blocks, const char *path);
/* MAJOR:MINOR as text -> the device, or NULL. */
struct block *use_block_by_number(const struct blocks *blocks, const char *number);
/* "UUID=...", "PARTUUID=...", "LABEL=...", "PARTLABEL=..." or a path. */
struct block *use_block_by_tag(struct blocks *blocks, const char *tag);
/* Reads what udev found out about each device; once. */
void use_blocks_load_udev(struct blocks *blocks);
/*
 * Adds WHAT to every PCI function that BLOCK rests on. The detail is the chain from the
 * hardware up to WHAT's own detail; SHORT leaves out what is between. Returns how many
 * devices at the bottom have been found.
 */
unsigned use_block_add(struct blocks *blocks, struct block *block,
	const struct use_what *what, bool brief);

#endif
