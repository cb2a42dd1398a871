/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A snapshot file as a host. A look is answered in this order:
 *
 *  1. as it was recorded, by the path as it is asked, without following any link: a probe
 *     that reads sys/bus/pci/devices/BDF/vendor gets what was read under that name;
 *  2. with the links of the file followed, as a directory would;
 *  3. from what the rest of the file implies: what is missing from a listing is not there,
 *     what has entries below it is a directory;
 *  4. otherwise as the header's `missing` says: not there, or not known (-ENODATA).
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "core/root-backend.h"
#include "core/snapshot-tree.h"

#define LINKS_MAX      40 /* as the kernel's MAXSYMLINKS */
#define DEPTH_MAX      128
#define PATH_BYTES_MAX (64u * 1024)

static bool all_absent(const struct mp_snap_node *node)
{
	for (int i = 0; i < MP_SNAP_LOOKS; i++)
		if (node->err[i] != -ENOENT)
			return false;
	return true;
}

static bool is_directory(const struct mp_snap_node *node)
{
	if (node->has & MP_SNAP_LISTED)
		return true;
	if (node->has & MP_SNAP_STAT)
		return node->st->type == MP_FILE_DIRECTORY;
	return (node->has & MP_SNAP_EXISTS) && (node->child || !node->parent) &&
	       !(node->has & MP_SNAP_FILE);
}

static bool answers(const struct mp_snap_node *node, enum mp_look look)
{
	static const uint32_t has[MP_SNAP_LOOKS] = {
		[MP_LOOK_READ] = MP_SNAP_FILE,
		[MP_LOOK_LINK] = MP_SNAP_LINK,
		[MP_LOOK_LIST] = MP_SNAP_LISTED,
		[MP_LOOK_STAT] = MP_SNAP_STAT,
	};

	return node->err[look] || (node->has & has[look]);
}

/* Goes one name down. 0 (*node NULL: nothing is known of it) or the errno for sure. */
static int step(const struct mp_snap_tree *tree, const struct mp_snap_node *parent,
	const char *name, size_t length, struct mp_snap_node **node)
{
	*node = NULL;
	if (!parent)
		return 0;
	*node = mp_snap_child(tree, parent, name, length);
	if (*node)
		return 0;
	if (parent->has & MP_SNAP_LISTED)
		return -ENOENT;
	if ((parent->has & MP_SNAP_FILE) && !parent->child)
		return -ENOTDIR;
	return all_absent(parent) ? -ENOENT : 0;
}

/* The node with just this name, whatever is a link on the way. */
static int find_as_told(const struct mp_snap_tree *tree, struct mp_snap_node *from,
	const char *path, struct mp_snap_node **node)
{
	*node = from;
	while (*path) {
		size_t length = strcspn(path, "/");

		if (length == 2 && !memcmp(path, "..", 2)) {
			*node = NULL;
			return 0;
		}
		if (length && !(length == 1 && *path == '.')) {
			int err = step(tree, *node, path, length, node);

			if (err || !*node)
				return err;
		}
		path += length + (path[length] == '/');
	}
	return 0;
}

/* The node where the links lead; a name that is not told counts as a plain directory, so
 * that ".." behind it works. */
static int find_by_links(struct mp_snap_tree *tree, const char *path, bool follow_last,
	struct mp_snap_node **node)
{
	g_autofree char *pending = g_strdup(path);
	struct mp_snap_node *stack[DEPTH_MAX] = { mp_snap_root(tree) };
	const char *p = pending;
	unsigned depth = 0, links = 0;

	while (*p) {
		size_t length = strcspn(p, "/");
		const char *rest = p + length + strspn(p + length, "/");
		struct mp_snap_node *next;
		int err;

		if (!length || (length == 1 && *p == '.')) {
			p = rest;
			continue;
		}
		if (length == 2 && !memcmp(p, "..", 2)) {
			depth -= depth > 0;
			p = rest;
			continue;
		}
		err = step(tree, stack[depth], p, length, &next);
		if (err)
			return err;
		if (next && next->link && (*rest || follow_last)) {
			char *longer = g_strconcat(next->link, "/", rest, NULL);

			if (*next->link == '/')
				depth = 0;
			g_free(pending);
			p = pending = longer;
			if (++links > LINKS_MAX)
				return -ELOOP;
			if (strlen(pending) > PATH_BYTES_MAX)
				return -ENAMETOOLONG;
			continue;
		}
		if (next && all_absent(next))
			return -ENOENT;
		if (++depth == DEPTH_MAX)
			return -ENAMETOOLONG;
		stack[depth] = next;
		p = rest;
	}
	*node = stack[depth];
	return 0;
}

static int find(struct mp_root *root, const struct mp_dir *dir, const char *name,
	enum mp_look look, struct mp_snap_node **node)
{
	struct mp_snap_tree *tree = root->backend;
	g_autofree char *joined = dir ? g_strconcat(dir->path, "/", name, NULL) : NULL;
	int err = find_as_told(tree, dir ? dir->node : mp_snap_root(tree), name, node);

	if (err || (*node && answers(*node, look)))
		return err;
	return find_by_links(tree, joined ? joined : name, look != MP_LOOK_LINK, node);
}

static int missing(const struct mp_root *root)
{
	return mp_snap_missing_is_unknown(root->backend) ? -ENODATA : -ENOENT;
}

static int snapshot_read(struct mp_root *root, const struct mp_dir *dir, const char *name,
	size_t max, char **data, size_t *size)
{
	struct mp_snap_node *node = NULL;
	int err = find(root, dir, name, MP_LOOK_READ, &node);

	if (err || !node)
		return err ? err : missing(root);
	if (!(node->has & MP_SNAP_FILE))
		return node->err[MP_LOOK_READ] ? node->err[MP_LOOK_READ]
		       : is_directory(node)    ? -EISDIR
					       : missing(root);
	if (node->size > max)
		return -EFBIG;
	*data = mp_snap_content(node);
	*size = node->size;
	return 0;
}

static int snapshot_readlink(
	struct mp_root *root, const struct mp_dir *dir, const char *name, char **target)
{
	struct mp_snap_node *node = NULL;
	int err = find(root, dir, name, MP_LOOK_LINK, &node);

	if (err || !node)
		return err ? err : missing(root);
	if (node->has & MP_SNAP_LINK) {
		*target = g_strdup(node->link);
		return 0;
	}
	if (node->err[MP_LOOK_LINK])
		return node->err[MP_LOOK_LINK];
	if (mp_snap_missing_is_unknown(root->backend) || !(node->has & MP_SNAP_EXISTS))
		return missing(root);
	return -EINVAL;
}

static int snapshot_list(struct mp_root *root, const struct mp_dir *dir, const char *name,
	GPtrArray *names)
{
	struct mp_snap_node *node = NULL;
	int err = find(root, dir, name, MP_LOOK_LIST, &node);
	uint32_t wanted;

	if (err || !node)
		return err ? err : missing(root);
	if (!(node->has & MP_SNAP_LISTED)) {
		if (node->err[MP_LOOK_LIST])
			return node->err[MP_LOOK_LIST];
		if (node->has & MP_SNAP_FILE)
			return -ENOTDIR;
		if (!is_directory(node) || mp_snap_missing_is_unknown(root->backend))
			return missing(root);
	}
	wanted = node->has & MP_SNAP_LISTED ? MP_SNAP_NAMED : MP_SNAP_EXISTS;
	for (const struct mp_snap_node *child = node->child; child;
		child = child->sibling) {
		if (!(child->has & wanted))
			continue;
		if (names->len >= MP_LIST_MAX)
			return -EFBIG;
		g_ptr_array_add(names, g_strndup(child->name, child->name_length));
	}
	return 0;
}

static int snapshot_stat(struct mp_root *root, const char *path, struct mp_stat *st)
{
	struct mp_snap_node *node = NULL;
	int err = find(root, NULL, path, MP_LOOK_STAT, &node);

	if (err || !node)
		return err ? err : missing(root);
	if (node->has & MP_SNAP_STAT)
		*st = *node->st;
	else if (node->err[MP_LOOK_STAT])
		return node->err[MP_LOOK_STAT];
	else if (node->has & MP_SNAP_FILE)
		*st = (struct mp_stat){
			.type = MP_FILE_REGULAR, .mode = 0644, .size = node->size
		};
	else if (is_directory(node))
		*st = (struct mp_stat){ .type = MP_FILE_DIRECTORY, .mode = 0755 };
	else
		return missing(root);
	return 0;
}

static int snapshot_open_dir(struct mp_root *root, const char *path, struct mp_dir *dir)
{
	struct mp_snap_tree *tree = root->backend;
	struct mp_snap_node *node = NULL;
	int err = find_as_told(tree, mp_snap_root(tree), path, &node);

	if (err)
		return err;
	if (node && is_directory(node)) {
		dir->node = node;
		return 0;
	}
	if (node && node->err[MP_LOOK_LIST])
		return node->err[MP_LOOK_LIST];
	err = find_by_links(tree, path, true, &node);
	if (err || !node)
		return err ? err : missing(root);
	if (node->err[MP_LOOK_LIST])
		return node->err[MP_LOOK_LIST];
	if (node->has & MP_SNAP_FILE)
		return -ENOTDIR;
	if (!is_directory(node))
		return missing(root);
	dir->node = node;
	return 0;
}

static const char *snapshot_header(const struct mp_root *root, const char *key)
{
	return mp_snap_header(root->backend, key);
}

static void snapshot_free(void *backend)
{
	mp_snap_free(backend);
}

static const struct mp_root_ops snapshot_ops = {
	.open_dir = snapshot_open_dir,
	.read = snapshot_read,
	.readlink = snapshot_readlink,
	.list = snapshot_list,
	.stat = snapshot_stat,
	.header = snapshot_header,
	.free = snapshot_free,
};

/* The size is known from fstat(); a file that grows meanwhile is cut and fails to parse. */
static char *load(const char *path, size_t *size, GError **error)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	g_autofree char *data = NULL;
	off_t length;
	size_t have = 0;
	ssize_t got = 1;

	if (fd < 0) {
		mp_error_set_errno(error, -errno, path, "open as a snapshot");
		return NULL;
	}
	length = lseek(fd, 0, SEEK_END);
	if (length > (off_t)MP_SNAPSHOT_MAX_SIZE) {
		close(fd);
		mp_error_set_errno(error, -EFBIG, path, "read as a snapshot");
		return NULL;
	}
	length = length < 0 ? 0 : length;
	data = g_malloc((gsize)length + 1);
	while (have < (size_t)length && got > 0) {
		got = pread(fd, data + have, (size_t)length - have, (off_t)have);
		if (got > 0)
			have += (size_t)got;
	}
	if (got < 0)
		mp_error_set_errno(error, -errno, path, "read as a snapshot");
	close(fd);
	if (got < 0)
		return NULL;
	data[have] = '\0';
	*size = have;
	return g_steal_pointer(&data);
}

bool mp_root_snapshot_init(struct mp_root *root, const char *path, GError **error)
{
	size_t size = 0;
	char *data = load(path, &size, error);

	if (!data)
		return false;
	root->backend = mp_snap_parse(path, data, size, error);
	root->ops = &snapshot_ops;
	return root->backend != NULL;
}
