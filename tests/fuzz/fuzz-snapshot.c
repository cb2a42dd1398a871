/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parser of snapshot files, and looks at whatever came out of it. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "core/snapshot-tree.h"
#include "fuzz.h"

static void look(const struct mp_snap_tree *tree, const struct mp_snap_node *node)
{
	for (; node; node = node->sibling) {
		if ((node->has & (MP_SNAP_TEXT | MP_SNAP_BLOCK | MP_SNAP_BINARY)) &&
			node->size <= MP_READ_FILE)
			g_free(mp_snap_content(node));
		if (mp_snap_child(tree, node->parent, node->name, node->name_length) !=
			node)
			abort();
		if (node->child)
			look(tree, node->child);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = g_malloc(size + 1);
	g_autoptr(mp_snap_tree) tree = NULL;
	g_autoptr(GError) error = NULL;

	memcpy(copy, data, size);
	copy[size] = '\0';
	tree = mp_snap_parse("fuzz", copy, size, &error);
	if (!tree != !!error)
		abort(); /* a tree, or the reason why not */
	if (tree)
		look(tree, mp_snap_root(tree)->child);
	return 0;
}

MP_FUZZ_MAIN
