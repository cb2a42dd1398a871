/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A directory as a host. Names are resolved by openat2(RESOLVE_IN_ROOT), so absolute links
 * and ".." of a copied tree stay in it. Plain names below an open directory take the short
 * way (openat with O_NOFOLLOW), because a PCI device has dozens of attributes.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/error.h"
#include "core/root-backend.h"

#define ROOT_FD(root) GPOINTER_TO_INT((root)->backend)

/* O_NONBLOCK: a FIFO planted in a sysroot must not hang us. */
#define READ_FLAGS (O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)

/* openat2(2): EAGAIN when something, somewhere on the machine, was renamed or mounted while
 * the kernel went up a ".."; the caller shall try again. */
#define RACES_MAX 1000

static int open_in_root(struct mp_root *root, const char *path, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)flags,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	unsigned tries = 0;
	long fd;

	path = *path ? path : ".";
	if (root->live)
		fd = openat(ROOT_FD(root), path, flags);
	else
		do
			fd = syscall(SYS_openat2, ROOT_FD(root), path, &how, sizeof(how));
		while (fd < 0 && errno == EAGAIN && ++tries < RACES_MAX);
	return fd < 0 ? -errno : (int)fd;
}

static char *join(const struct mp_dir *dir, const char *name)
{
	if (!dir)
		return g_strdup(name);
	return g_strconcat(dir->path, *name ? "/" : NULL, name, NULL);
}

static int refused(const struct stat *st)
{
	return S_ISDIR(st->st_mode) ? -EISDIR : -EINVAL;
}

/* The file may have been exchanged between a look at its type and the opening. */
static int only_regular(struct mp_root *root, int fd)
{
	struct stat st;
	int err;

	if (fd < 0 || root->live)
		return fd;
	err = fstat(fd, &st) < 0 ? -errno : S_ISREG(st.st_mode) ? 0 : refused(&st);
	if (!err)
		return fd;
	close(fd);
	return err;
}

/* In a sysroot only regular files are opened: opening a device node can have effects. */
static int open_file(struct mp_root *root, const struct mp_dir *dir, const char *name)
{
	bool plain = dir && !strchr(name, '/') && strcmp(name, "..") != 0;
	g_autofree char *path = NULL;
	struct stat st;
	int probe, err;

	if (plain) {
		if (!root->live) {
			if (fstatat(dir->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
				return -errno;
			if (!S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode))
				return refused(&st);
		}
		int fd = openat(dir->fd, name, READ_FLAGS | O_NOFOLLOW);
		if (fd >= 0)
			return only_regular(root, fd);
		if (errno != ELOOP)
			return -errno;
	}
	path = join(dir, name);
	if (root->live)
		return open_in_root(root, path, READ_FLAGS);
	probe = open_in_root(root, path, O_PATH | O_CLOEXEC);
	if (probe < 0)
		return probe;
	err = fstat(probe, &st) < 0 ? -errno : S_ISREG(st.st_mode) ? 0 : refused(&st);
	close(probe);
	if (err)
		return err;
	return only_regular(root, open_in_root(root, path, READ_FLAGS));
}

/* One read() that is not disturbed by signals; -1 also when there is more than MAX. */
static ssize_t read_some(int fd, char *to, size_t room, size_t total, size_t max)
{
	ssize_t got;

	do
		got = read(fd, to, room);
	while (got < 0 && errno == EINTR);
	if (got > 0 && total + (size_t)got > max) {
		errno = EFBIG;
		return -1;
	}
	return got;
}

/*
 * Reads until the end, at most MAX bytes. sysfs and procfs sizes say nothing, but what is
 * less than a page of an attribute is all of it (kernfs_fop_read_iter(), seq_read_iter() of
 * one record), so that nobody has to ask twice.
 */
static int read_all(int fd, bool attribute, size_t max, char **data, size_t *size)
{
	char first[4096]; /* a page; nearly all files end here */
	size_t total = 0, room = 64 * 1024;
	char *large;
	ssize_t got;

	while (total < sizeof(first)) {
		got = read_some(fd, first + total, sizeof(first) - total, total, max);
		if (got < 0)
			return -errno;
		if (got == 0 ||
			(attribute && total == 0 && (size_t)got < sizeof(first))) {
			total += (size_t)got;
			*data = g_malloc(total + 1);
			memcpy(*data, first, total);
			(*data)[total] = '\0';
			*size = total;
			return 0;
		}
		total += (size_t)got;
	}
	large = g_malloc(room);
	memcpy(large, first, total);
	for (;;) {
		if (total + 1 == room)
			large = g_realloc(large, room *= 2);
		got = read_some(fd, large + total, room - total - 1, total, max);
		if (got <= 0)
			break;
		total += (size_t)got;
	}
	if (got < 0) {
		int err = -errno;

		g_free(large);
		return err;
	}
	large = g_realloc(large, total + 1);
	large[total] = '\0';
	*data = large;
	*size = total;
	return 0;
}

/* Of a device or a group; debugfs and cgroups, also below sys, may give a file in pieces. */
static bool is_attribute(const struct mp_dir *dir, const char *name)
{
	const char *path = dir ? dir->path : name;

	return g_str_has_prefix(path, "sys/bus/") ||
	       g_str_has_prefix(path, "sys/kernel/iommu_groups/");
}

static int dir_read(struct mp_root *root, const struct mp_dir *dir, const char *name,
	size_t max, char **data, size_t *size)
{
	int fd = open_file(root, dir, name);
	int err;

	if (fd < 0)
		return fd;
	err = read_all(fd, is_attribute(dir, name), max, data, size);
	close(fd);
	return err;
}

static int dir_readlink(
	struct mp_root *root, const struct mp_dir *dir, const char *name, char **target)
{
	char buffer[4096];
	ssize_t length;

	if (dir && !strchr(name, '/')) {
		length = readlinkat(dir->fd, name, buffer, sizeof(buffer));
	} else {
		g_autofree char *path = join(dir, name);
		int fd = open_in_root(root, path, O_PATH | O_NOFOLLOW | O_CLOEXEC);

		if (fd < 0)
			return fd;
		length = readlinkat(fd, "", buffer, sizeof(buffer));
		if (length < 0 && errno == ENOENT)
			errno = EINVAL; /* readlinkat("") of something that is no link */
		int err = errno;
		close(fd);
		errno = err;
	}
	if (length < 0)
		return -errno;
	if ((size_t)length == sizeof(buffer))
		return -ENAMETOOLONG;
	*target = g_strndup(buffer, (gsize)length);
	return 0;
}

static int dir_list(struct mp_root *root, const struct mp_dir *dir, const char *name,
	GPtrArray *names)
{
	g_autofree char *path = join(dir, name);
	int fd =
		open_in_root(root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);
	struct dirent *entry;
	DIR *stream;
	int err = 0;

	if (fd < 0)
		return fd;
	stream = fdopendir(fd);
	if (!stream) {
		err = -errno;
		close(fd);
		return err;
	}
	while (errno = 0, (entry = readdir(stream))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (names->len >= MP_LIST_MAX) {
			errno = EFBIG;
			break;
		}
		g_ptr_array_add(names, g_strdup(entry->d_name));
	}
	err = -errno;
	closedir(stream);
	return err;
}

static int dir_stat(struct mp_root *root, const char *path, struct mp_stat *out)
{
	int fd = open_in_root(root, path, O_PATH | O_CLOEXEC);
	struct stat st;
	int err;

	if (fd < 0)
		return fd;
	err = fstat(fd, &st) < 0 ? -errno : 0;
	close(fd);
	if (err)
		return err;
	*out = (struct mp_stat){
		.type = S_ISREG(st.st_mode)   ? MP_FILE_REGULAR
			: S_ISDIR(st.st_mode) ? MP_FILE_DIRECTORY
					      : MP_FILE_OTHER,
		.mode = st.st_mode & 07777,
		.size = (uint64_t)st.st_size,
		.mtime = st.st_mtime,
		.device = st.st_dev,
		.inode = st.st_ino,
	};
	return 0;
}

static int dir_open(struct mp_root *root, const char *path, struct mp_dir *dir)
{
	dir->fd =
		open_in_root(root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);
	return dir->fd < 0 ? dir->fd : 0;
}

static int dir_open_file(struct mp_root *root, const char *path, int *fd)
{
	struct stat st;
	int err = 0;

	*fd = open_file(root, NULL, path);
	if (*fd < 0)
		return *fd;
	if (fstat(*fd, &st) < 0)
		err = -errno;
	else if (!S_ISREG(st.st_mode))
		err = S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	if (err < 0)
		close(*fd);
	return err;
}

static void dir_free(void *backend)
{
	close(GPOINTER_TO_INT(backend));
}

static const struct mp_root_ops dir_ops = {
	.open_dir = dir_open,
	.read = dir_read,
	.readlink = dir_readlink,
	.list = dir_list,
	.stat = dir_stat,
	.open_file = dir_open_file,
	.free = dir_free,
};

/* Without openat2 (Linux before 5.6, or a container's filter) a link of the copied tree
 * could lead us out of it, to files of the machine that we run on. */
static bool openat2_works(struct mp_root *root, GError **error)
{
	int fd = open_in_root(root, "", O_PATH | O_CLOEXEC);

	if (fd >= 0) {
		close(fd);
		return true;
	}
	if (fd != -ENOSYS && fd != -EPERM)
		mp_error_set_errno(error, fd, root->name, "open as a host");
	else
		g_set_error(error, MP_ERROR, MP_ERROR_IO,
			"%s: cannot look into a directory safely: this kernel, or the container "
			"around us, does not allow openat2(2); a snapshot file works",
			root->name);
	return false;
}

bool mp_root_dir_init(struct mp_root *root, const char *path, GError **error)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0) {
		mp_error_set_errno(error, -errno, path, "open as a host");
		return false;
	}
	root->ops = &dir_ops;
	root->backend = GINT_TO_POINTER(fd);
	return root->live || openat2_works(root, error);
}
