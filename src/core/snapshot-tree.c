/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tree behind a snapshot: nodes found by (parent, name) in one hash table. */
#include "config.h"

#include <string.h>

#include "core/snapshot-parse.h"

#define NODES_A_BLOCK 4096u

struct mp_snap_tree *mp_snap_tree_new(char *data)
{
	struct mp_snap_tree *tree = g_new0(struct mp_snap_tree, 1);

	tree->data = data;
	tree->strings = g_string_chunk_new(4096);
	tree->blocks = g_ptr_array_new_with_free_func(g_free);
	tree->stats = g_ptr_array_new_with_free_func(g_free);
	tree->missing_unknown = true;
	/* A file made to collide must not know where its names go. */
	tree->seed = g_random_int();
	tree->slots_mask = 1023;
	tree->slots = g_new0(struct mp_snap_node *, tree->slots_mask + 1);
	tree->root.has = MP_SNAP_EXISTS;
	return tree;
}

void mp_snap_free(struct mp_snap_tree *tree)
{
	if (!tree)
		return;
	g_free(tree->data);
	g_string_chunk_free(tree->strings);
	g_ptr_array_unref(tree->blocks);
	g_ptr_array_unref(tree->stats);
	g_free(tree->slots);
	g_free(tree);
}

struct mp_snap_node *mp_snap_root(struct mp_snap_tree *tree)
{
	return &tree->root;
}

bool mp_snap_missing_is_unknown(const struct mp_snap_tree *tree)
{
	return tree->missing_unknown;
}

const char *mp_snap_header(const struct mp_snap_tree *tree, const char *key)
{
	for (size_t i = 0; i < MP_SNAP_HEADERS; i++)
		if (!strcmp(mp_snap_header_keys[i], key))
			return tree->header[i];
	return NULL;
}

static uint32_t hash_of(const struct mp_snap_tree *tree,
	const struct mp_snap_node *parent, const char *name, size_t length)
{
	uint64_t h = tree->seed ^ ((uint64_t)parent->hash * 0x9e3779b97f4a7c15u);

	for (size_t i = 0; i < length; i++)
		h = (h ^ (unsigned char)name[i]) * 0x100000001b3u;
	h ^= h >> 32;
	return (uint32_t)(h * 0x9e3779b1u) ^ (uint32_t)(h >> 16);
}

static struct mp_snap_node **slot_of(const struct mp_snap_tree *tree,
	const struct mp_snap_node *parent, const char *name, size_t length, uint32_t hash)
{
	for (uint32_t i = hash & tree->slots_mask;; i = (i + 1) & tree->slots_mask) {
		struct mp_snap_node *node = tree->slots[i];

		if (!node || (node->hash == hash && node->parent == parent &&
				     node->name_length == length &&
				     !memcmp(node->name, name, length)))
			return &tree->slots[i];
	}
}

struct mp_snap_node *mp_snap_child(const struct mp_snap_tree *tree,
	const struct mp_snap_node *parent, const char *name, size_t length)
{
	return *slot_of(tree, parent, name, length, hash_of(tree, parent, name, length));
}

static void grow(struct mp_snap_tree *tree)
{
	g_autofree struct mp_snap_node **old = tree->slots;
	uint32_t old_mask = tree->slots_mask;

	tree->slots_mask = old_mask * 2 + 1;
	tree->slots = g_new0(struct mp_snap_node *, (size_t)tree->slots_mask + 1);
	for (uint32_t i = 0; i <= old_mask; i++) {
		uint32_t to;

		if (!old[i])
			continue;
		for (to = old[i]->hash & tree->slots_mask; tree->slots[to];)
			to = (to + 1) & tree->slots_mask;
		tree->slots[to] = old[i];
	}
}

struct mp_snap_node *mp_snap_add(struct mp_snap_tree *tree, struct mp_snap_node *parent,
	const char *name, size_t length)
{
	uint32_t hash = hash_of(tree, parent, name, length);
	struct mp_snap_node **slot = slot_of(tree, parent, name, length, hash);
	struct mp_snap_node *node = *slot;

	if (node)
		return node;
	if (tree->count >= MP_SNAPSHOT_MAX_NODES)
		return NULL;
	if (tree->count % NODES_A_BLOCK == 0)
		g_ptr_array_add(tree->blocks, g_new0(struct mp_snap_node, NODES_A_BLOCK));
	node = (struct mp_snap_node *)g_ptr_array_index(
		       tree->blocks, tree->blocks->len - 1) +
	       tree->count % NODES_A_BLOCK;
	node->parent = parent;
	node->sibling = parent->child;
	parent->child = node;
	node->name = name;
	node->name_length = (uint32_t)length;
	node->hash = hash;
	*slot = node;
	if (++tree->count > tree->slots_mask / 2)
		grow(tree);
	return node;
}

void mp_snap_exists(struct mp_snap_node *node)
{
	for (; node && !(node->has & MP_SNAP_EXISTS); node = node->parent)
		node->has |= MP_SNAP_EXISTS;
}

static void content_of_block(const struct mp_snap_node *node, char *to)
{
	const char *line = node->data;

	for (uint32_t i = 0; i < node->lines; i++) {
		const char *end = strchr(line, '\n');
		size_t length;

		length = mp_snap_block_text(line, (size_t)(end - line), &line);
		memcpy(to, line, length);
		to += length;
		line = end + 1;
	}
}

char *mp_snap_content(const struct mp_snap_node *node)
{
	char *content = g_malloc0((gsize)node->size + 1);

	if (node->has & MP_SNAP_TEXT) {
		memcpy(content, node->data, node->size);
	} else if (node->has & MP_SNAP_BLOCK) {
		content_of_block(node, content);
	} else if (node->has & MP_SNAP_BINARY) {
		const char *line = node->data;

		for (uint32_t i = 0; i < node->lines; i++) {
			const char *end = strchr(line, '\n');

			mp_snap_hex_line(line, (size_t)(end - line), (uint8_t *)content,
				node->size);
			line = end + 1;
		}
	}
	return content;
}
