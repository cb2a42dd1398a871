/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Another root with some files on top: how a host would look with them. Paths are compared
 * as they are written, so a file that is reached through a link shows what is below.
 */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "core/root-backend.h"

struct overlay {
	struct mp_root *base;
	GHashTable *files; /* path -> struct file */
};

struct file {
	char *content; /* NULL: hidden */
	size_t size;
	uint32_t mode;
	bool link;
};

static void file_free(void *data)
{
	struct file *file = data;

	g_free(file->content);
	g_free(file);
}

/* "etc//x/./y/" -> "etc/x/y". With UP, ".." takes a name back, as where nothing is a link;
 * else it stays and matches no file. */
static char *clean_path(const char *directory, const char *name, bool up)
{
	g_autofree char *joined =
		g_strconcat(directory ? directory : "", "/", name, NULL);
	g_auto(GStrv) parts = g_strsplit(joined, "/", -1);
	GString *path = g_string_new(NULL);

	for (char **part = parts; *part; part++) {
		const char *last = strrchr(path->str, '/');

		if (up && !strcmp(*part, ".."))
			g_string_truncate(path, last ? (gsize)(last - path->str) : 0);
		else if (**part && strcmp(*part, ".") != 0)
			g_string_append_printf(path, "%s%s", path->len ? "/" : "", *part);
	}
	return g_string_free(path, FALSE);
}

static char *clean(const char *directory, const char *name)
{
	return clean_path(directory, name, false);
}

static char *path_of(const struct mp_dir *dir, const char *name)
{
	return clean(dir ? dir->path : NULL, name);
}

/* Where a link of the overlay at PATH leads, else PATH; ours lead to files. Caller frees. */
static char *followed(const struct overlay *overlay, const char *path)
{
	const struct file *file = g_hash_table_lookup(overlay->files, path);

	if (!file || !file->link || !file->content)
		return g_strdup(path);
	if (*file->content == '/')
		return clean_path(NULL, file->content, true);
	g_autofree char *directory = g_path_get_dirname(path);

	return clean_path(directory, file->content, true);
}

/* What of PATH is below DIRECTORY, or NULL. */
static const char *below(const char *path, const char *directory)
{
	size_t length = strlen(directory);

	if (!length)
		return path;
	return !strncmp(path, directory, length) && path[length] == '/'
		       ? path + length + 1
		       : NULL;
}

/* True if a file of the overlay makes PATH a directory. */
static bool implied(const struct overlay *overlay, const char *path)
{
	GHashTableIter iter;
	void *key, *value;

	g_hash_table_iter_init(&iter, overlay->files);
	while (g_hash_table_iter_next(&iter, &key, &value))
		if (((const struct file *)value)->content && below(key, path))
			return true;
	return false;
}

static int overlay_open_dir(struct mp_root *root, const char *path, struct mp_dir *dir)
{
	struct overlay *overlay = root->backend;
	struct mp_dir opened = { .root = overlay->base, .fd = -1 };
	g_autofree char *wanted = clean(NULL, path);
	int err = overlay->base->ops->open_dir(overlay->base, wanted, &opened);

	dir->fd = -1;
	if (opened.fd >= 0)
		close(opened.fd);
	return err == -ENOENT && implied(overlay, wanted) ? 0 : err;
}

static int overlay_read(struct mp_root *root, const struct mp_dir *dir, const char *name,
	size_t max, char **data, size_t *size)
{
	struct overlay *overlay = root->backend;
	g_autofree char *asked = path_of(dir, name);
	g_autofree char *path = followed(overlay, asked);
	const struct file *file = g_hash_table_lookup(overlay->files, path);

	if (file && file->link && file->content)
		return -ELOOP;
	if (!file)
		return overlay->base->ops->read(
			overlay->base, NULL, path, max, data, size);
	if (!file->content)
		return -ENOENT;
	if (file->size > max)
		return -EFBIG;
	*data = g_memdup2(file->content, file->size + 1);
	*size = file->size;
	return 0;
}

static int overlay_readlink(
	struct mp_root *root, const struct mp_dir *dir, const char *name, char **target)
{
	struct overlay *overlay = root->backend;
	g_autofree char *path = path_of(dir, name);
	const struct file *file = g_hash_table_lookup(overlay->files, path);

	if (file && file->link && file->content) {
		*target = g_strdup(file->content);
		return 0;
	}
	if (file)
		return file->content ? -EINVAL : -ENOENT;
	return overlay->base->ops->readlink(overlay->base, NULL, path, target);
}

static bool has_name(const GPtrArray *names, const char *name, size_t length, guint *at)
{
	for (guint i = 0; i < names->len; i++)
		if (strlen(names->pdata[i]) == length &&
			!strncmp(names->pdata[i], name, length)) {
			*at = i;
			return true;
		}
	return false;
}

static int overlay_list(struct mp_root *root, const struct mp_dir *dir, const char *name,
	GPtrArray *names)
{
	struct overlay *overlay = root->backend;
	g_autofree char *path = path_of(dir, name);
	int err = overlay->base->ops->list(overlay->base, NULL, path, names);
	GHashTableIter iter;
	void *key, *value;

	if (err < 0 && !(err == -ENOENT && implied(overlay, path)))
		return err;
	g_hash_table_iter_init(&iter, overlay->files);
	while (g_hash_table_iter_next(&iter, &key, &value)) {
		const struct file *file = value;
		const char *rest = below(key, path);
		size_t length = rest ? strcspn(rest, "/") : 0;
		guint at;

		if (!rest)
			continue;
		bool there = has_name(names, rest, length, &at);

		if (file->content && !there)
			g_ptr_array_add(names, g_strndup(rest, length));
		else if (!file->content && there && !rest[length])
			g_ptr_array_remove_index_fast(names, at);
	}
	return 0;
}

static int overlay_stat(struct mp_root *root, const char *path, struct mp_stat *st)
{
	struct overlay *overlay = root->backend;
	g_autofree char *asked = clean(NULL, path);
	g_autofree char *wanted = followed(overlay, asked);
	const struct file *file = g_hash_table_lookup(overlay->files, wanted);
	int err;

	if (file && !file->content)
		return -ENOENT;
	if (file && file->link)
		return -ELOOP;
	if (file) {
		*st = (struct mp_stat){
			.type = MP_FILE_REGULAR, .mode = file->mode, .size = file->size
		};
		return 0;
	}
	err = overlay->base->ops->stat(overlay->base, wanted, st);
	if (err == -ENOENT && implied(overlay, wanted)) {
		*st = (struct mp_stat){ .type = MP_FILE_DIRECTORY, .mode = 0755 };
		return 0;
	}
	return err;
}

static const char *overlay_header(const struct mp_root *root, const char *key)
{
	const struct overlay *overlay = root->backend;

	return mp_root_header(overlay->base, key);
}

/* A file of the overlay has no descriptor. */
static int overlay_open_file(struct mp_root *root, const char *path, int *fd)
{
	struct overlay *overlay = root->backend;
	g_autofree char *wanted = clean(NULL, path);

	if (g_hash_table_contains(overlay->files, wanted))
		return -EOPNOTSUPP;
	return mp_root_open_file(overlay->base, wanted, fd);
}

static void overlay_free(void *backend)
{
	struct overlay *overlay = backend;

	g_hash_table_unref(overlay->files);
	g_free(overlay);
}

static const struct mp_root_ops overlay_ops = {
	.open_dir = overlay_open_dir,
	.read = overlay_read,
	.readlink = overlay_readlink,
	.list = overlay_list,
	.stat = overlay_stat,
	.header = overlay_header,
	.open_file = overlay_open_file,
	.free = overlay_free,
};

struct mp_root *mp_root_overlay(
	struct mp_root *base, const struct mp_overlay *files, size_t count)
{
	struct mp_root *root = g_new0(struct mp_root, 1);
	struct overlay *overlay = g_new(struct overlay, 1);

	overlay->base = base;
	overlay->files =
		g_hash_table_new_full(g_str_hash, g_str_equal, g_free, file_free);
	for (size_t i = 0; i < count; i++) {
		struct file *file = g_new(struct file, 1);

		*file = (struct file){
			.content = g_strdup(files[i].content),
			.size = files[i].content ? strlen(files[i].content) : 0,
			.mode = files[i].mode,
			.link = files[i].link,
		};
		g_hash_table_replace(overlay->files, clean(NULL, files[i].path), file);
	}
	*root = (struct mp_root){
		.ops = &overlay_ops,
		.backend = overlay,
		.name = g_strdup(base->name),
		.live = base->live,
	};
	return root;
}
