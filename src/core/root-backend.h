/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * root-backend.h - what a kind of root (directory, snapshot) must offer. Only root*.c
 * include this.
 */
#ifndef MP_ROOT_BACKEND_H
#define MP_ROOT_BACKEND_H

#include "core/root.h"

struct mp_dir {
	struct mp_root *root;
	char *path;                /* from the root, without slashes at its ends */
	int fd;                    /* directory backend only, else -1 */
	struct mp_snap_node *node; /* snapshot backend only, else NULL */
};

/*
 * Each call gets DIR (or NULL for the root itself) and a cleaned NAME below it, and answers
 * as the public call in root.h: 0 or a negative errno.
 */
struct mp_root_ops {
	/* Fills dir->fd or dir->node. */
	int (*open_dir)(struct mp_root *root, const char *path, struct mp_dir *dir);
	int (*read)(struct mp_root *root, const struct mp_dir *dir, const char *name,
		size_t max, char **data, size_t *size);
	int (*readlink)(struct mp_root *root, const struct mp_dir *dir, const char *name,
		char **target);
	int (*list)(struct mp_root *root, const struct mp_dir *dir, const char *name,
		GPtrArray *names);
	int (*stat)(struct mp_root *root, const char *path, struct mp_stat *st);
	/* NULL where there is no header. */
	const char *(*header)(const struct mp_root *root, const char *key);
	/* NULL: there are no files behind this root. */
	int (*open_file)(struct mp_root *root, const char *path, int *fd);
	void (*free)(void *backend);
};

struct mp_root {
	const struct mp_root_ops *ops;
	void *backend;
	char *name;
	bool live;
	mp_root_recorder recorder;
	void *recorder_user;
};

/* Each sets root->ops and root->backend. PATH exists and is of the right type. */
bool mp_root_dir_init(struct mp_root *root, const char *path, GError **error);
bool mp_root_snapshot_init(struct mp_root *root, const char *path, GError **error);

#endif
