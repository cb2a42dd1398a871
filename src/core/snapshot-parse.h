/* SPDX-License-Identifier: GPL-2.0-or-later */
/* snapshot-parse.h - what the tree and its parser share; nobody else includes this. */
#ifndef MP_SNAPSHOT_PARSE_H
#define MP_SNAPSHOT_PARSE_H

#include "core/snapshot-tree.h"

#define MP_SNAP_HEADERS 4
extern const char *const mp_snap_header_keys[MP_SNAP_HEADERS];

struct mp_snap_tree {
	struct mp_snap_node root;
	char *data;            /* the file */
	GStringChunk *strings; /* what had to be unescaped */
	GPtrArray *blocks;     /* nodes, many to a block */
	struct mp_snap_node **slots;
	uint32_t slots_mask, count, seed;
	GPtrArray *stats; /* struct mp_stat */
	const char *header[MP_SNAP_HEADERS];
	bool missing_unknown;
};

struct mp_snap_tree *mp_snap_tree_new(char *data);
/* Finds or makes a child; NULL: too many. NAME must live as long as the tree. */
struct mp_snap_node *mp_snap_add(struct mp_snap_tree *tree, struct mp_snap_node *parent,
	const char *name, size_t length);
/* Marks NODE and what is above it as being there. */
void mp_snap_exists(struct mp_snap_node *node);

/* Text of a "| text" line (with its line feed) or "\ text" line (without). */
size_t mp_snap_block_text(const char *line, size_t length, const char **text);
/* Decodes a "| OFFSET: HH HH" line into OUT of SIZE bytes (NULL: only look). False: it is
 * malformed or goes beyond SIZE. */
bool mp_snap_hex_line(const char *line, size_t length, uint8_t *out, size_t size);

#endif
