/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tree.h - a sysroot with its root and an empty host open, for tests of several probes. */
#ifndef MP_TREE_H
#define MP_TREE_H

#include "sysroot.h"

struct tree {
	struct sysroot files;
	struct mp_root *root;
	struct mp_host *host;
};

static inline void tree_open(struct tree *tree)
{
	sysroot_init(&tree->files);
	tree->root = mp_root_open(tree->files.path, NULL);
	assert_non_null(tree->root);
	tree->host = mp_host_new(tree->files.path, false);
}

/* Forgets what was probed. */
static inline void tree_restart(struct tree *tree)
{
	mp_host_free(tree->host);
	tree->host = mp_host_new(tree->files.path, false);
}

static inline void tree_put(struct tree *tree, const char *path, const char *text)
{
	sysroot_text(&tree->files, path, text);
}

static inline void tree_close(struct tree *tree)
{
	mp_host_free(tree->host);
	mp_root_free(tree->root);
	sysroot_clear(&tree->files);
}

#endif
