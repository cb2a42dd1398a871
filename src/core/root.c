/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Front of the roots: cleans paths, calls the backend, tells the recorder. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"
#include "core/root-backend.h"

struct mp_root *mp_root_open(const char *path, GError **error)
{
	g_autoptr(mp_root) root = g_new0(struct mp_root, 1);
	struct stat st;

	root->live = !path || !strcmp(path, "/");
	root->name = g_strdup(root->live ? "/" : path);
	if (stat(root->name, &st) < 0) {
		mp_error_set_errno(error, -errno, root->name, "open as a host");
		return NULL;
	}
	if (S_ISDIR(st.st_mode)) {
		if (!mp_root_dir_init(root, root->name, error))
			return NULL;
	} else if (S_ISREG(st.st_mode)) {
		if (!mp_root_snapshot_init(root, root->name, error))
			return NULL;
	} else {
		g_set_error(error, MP_ERROR, MP_ERROR_INPUT,
			"%s: cannot open as a host: neither a directory nor a snapshot file",
			root->name);
		return NULL;
	}
	return g_steal_pointer(&root);
}

void mp_root_free(struct mp_root *root)
{
	if (!root)
		return;
	if (root->backend)
		root->ops->free(root->backend);
	g_free(root->name);
	g_free(root);
}

bool mp_root_is_live(const struct mp_root *root)
{
	return root->live;
}

const char *mp_root_name(const struct mp_root *root)
{
	return root->name;
}

const char *mp_root_header(const struct mp_root *root, const char *key)
{
	return root->ops->header ? root->ops->header(root, key) : NULL;
}

void mp_root_record(struct mp_root *root, mp_root_recorder recorder, void *user)
{
	root->recorder = recorder;
	root->recorder_user = user;
}

bool mp_root_is_recorded(const struct mp_root *root)
{
	return root->recorder != NULL;
}

/* Drops leading slashes; the backends take care of "..", links and the like. */
static const char *relative(const char *path)
{
	while (*path == '/')
		path++;
	return path;
}

static void tell(struct mp_root *root, enum mp_look look, const struct mp_dir *dir,
	const char *name, int err, const char *data, size_t size,
	const struct mp_stat *st)
{
	if (!root->recorder)
		return;
	if (!dir) {
		root->recorder(root->recorder_user, look, name, err, data, size, st);
		return;
	}
	g_autofree char *path = g_strconcat(dir->path, *name ? "/" : NULL, name, NULL);
	root->recorder(root->recorder_user, look, path, err, data, size, st);
}

static int read_at(struct mp_root *root, const struct mp_dir *dir, const char *name,
	size_t max, char **data, size_t *size)
{
	size_t length = 0;
	char *content = NULL;
	int err = root->ops->read(root, dir, name, max, &content, &length);

	tell(root, MP_LOOK_READ, dir, name, err, content, length, NULL);
	if (err < 0)
		return err;
	*data = content;
	if (size)
		*size = length;
	return 0;
}

static int readlink_at(
	struct mp_root *root, const struct mp_dir *dir, const char *name, char **target)
{
	int err = root->ops->readlink(root, dir, name, target);

	tell(root, MP_LOOK_LINK, dir, name, err, err ? NULL : *target,
		err ? 0 : strlen(*target), NULL);
	return err;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int list_at(
	struct mp_root *root, const struct mp_dir *dir, const char *name, char ***names)
{
	g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(g_free);
	int err = root->ops->list(root, dir, name, list);

	g_ptr_array_sort(list, compare_names);
	if (root->recorder) {
		g_autoptr(GString) joined = g_string_new(NULL);

		for (guint i = 0; i < list->len; i++)
			g_string_append_len(
				joined, list->pdata[i], strlen(list->pdata[i]) + 1);
		tell(root, MP_LOOK_LIST, dir, name, err, joined->str, joined->len, NULL);
	}
	if (err < 0)
		return err;
	g_ptr_array_add(list, NULL);
	*names = (char **)g_ptr_array_free(g_steal_pointer(&list), FALSE);
	return 0;
}

int mp_root_read(
	struct mp_root *root, const char *path, size_t max, char **data, size_t *size)
{
	return read_at(root, NULL, relative(path), max, data, size);
}

int mp_root_readlink(struct mp_root *root, const char *path, char **target)
{
	return readlink_at(root, NULL, relative(path), target);
}

int mp_root_list(struct mp_root *root, const char *path, char ***names)
{
	return list_at(root, NULL, relative(path), names);
}

int mp_root_stat(struct mp_root *root, const char *path, struct mp_stat *st)
{
	int err = root->ops->stat(root, relative(path), st);

	tell(root, MP_LOOK_STAT, NULL, relative(path), err, NULL, 0, st);
	return err;
}

int mp_root_open_file(struct mp_root *root, const char *path, int *fd)
{
	return root->ops->open_file ? root->ops->open_file(root, relative(path), fd)
				    : -EOPNOTSUPP;
}

int mp_root_dir(struct mp_root *root, const char *path, struct mp_dir **dir)
{
	struct mp_dir opened = { .root = root, .fd = -1 };
	int err = root->ops->open_dir(root, relative(path), &opened);

	if (err < 0) {
		tell(root, MP_LOOK_LIST, NULL, relative(path), err, NULL, 0, NULL);
		return err;
	}
	*dir = g_new(struct mp_dir, 1);
	**dir = opened;
	(*dir)->path = g_strdup(relative(path));
	tell(root, MP_LOOK_OPEN, NULL, relative(path), 0, NULL, 0, NULL);
	return 0;
}

void mp_dir_free(struct mp_dir *dir)
{
	if (!dir)
		return;
	if (dir->fd >= 0)
		close(dir->fd);
	g_free(dir->path);
	g_free(dir);
}

const char *mp_dir_path(const struct mp_dir *dir)
{
	return dir->path;
}

int mp_dir_read(
	struct mp_dir *dir, const char *name, size_t max, char **data, size_t *size)
{
	return read_at(dir->root, dir, name, max, data, size);
}

int mp_dir_readlink(struct mp_dir *dir, const char *name, char **target)
{
	return readlink_at(dir->root, dir, name, target);
}

int mp_dir_list(struct mp_dir *dir, char ***names)
{
	return list_at(dir->root, dir, "", names);
}

int mp_root_produced(struct mp_root *root, const char *path, mp_root_producer producer,
	void *user, char **data, size_t *size)
{
	size_t length = 0;
	char *content = NULL;
	int err;

	if (!root->live)
		return mp_root_read(root, path, MP_READ_FILE, data, size);
	/* What the producer reads on the way is no part of the record: its product is. */
	mp_root_recorder recorder = root->recorder;
	root->recorder = NULL;
	err = producer(user, &content, &length);
	root->recorder = recorder;
	tell(root, MP_LOOK_READ, NULL, path, err, content, length, NULL);
	if (err < 0)
		return err;
	*data = content;
	if (size)
		*size = length;
	return 0;
}
