/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files and links of the target, each made, replaced or removed in one piece. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "core/error.h"
#include "core/target-private.h"

#define PIECE (256 * 1024)

/* A file or link that is being made under its temporary name. */
struct making {
	struct mp_place place;
	const char *temp;
	bool there; /* the temporary name */
};

static void making_clear(struct making *making)
{
	if (making->there)
		unlinkat(making->place.dir, making->temp, 0);
	mp_place_clear(&making->place);
}
typedef struct making mp_making;
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(mp_making, making_clear)

/* Removes a name where there is one: a read-only file system would refuse that also where
 * there is none. */
static int remove_name(int dir, const char *name)
{
	if (faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
		return 0;
	return unlinkat(dir, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

static int begin(struct mp_target *target, const char *path, const char *temp,
	struct making *making)
{
	int err = mp_target_find(target, path, &making->place);

	making->temp = temp;
	if (err)
		return err;
	return remove_name(making->place.dir, temp);
}

/* The temporary name becomes the real one, whatever was there. */
static int end(struct mp_target *target, struct making *making)
{
	int dir = making->place.dir;

	if (renameat(dir, making->temp, dir, making->place.name) < 0)
		return -errno;
	/* rename(2) does nothing where both names are one file already. */
	making->there = faccessat(dir, making->temp, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	return mp_target_sync_dir(target, dir);
}

static int create(struct making *making)
{
	int fd = openat(making->place.dir, making->temp,
		O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	making->there = fd >= 0;
	return fd < 0 ? -errno : fd;
}

static int write_all(int fd, const char *data, size_t size)
{
	while (size) {
		ssize_t put = write(fd, data, size);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -errno;
		data += put;
		size -= (size_t)put;
	}
	return 0;
}

static int copy_content(int from, int to)
{
	g_autofree char *piece = g_malloc(PIECE);
	ssize_t got;

	while ((got = read(from, piece, PIECE)) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		int err = got < 0 ? -errno : write_all(to, piece, (size_t)got);
		if (err)
			return err;
	}
	return 0;
}

/*
 * ACLs, capabilities, security labels. ENOTSUP: a file system without them, on either side;
 * a label that only the security module may set is set by it, by its own rules.
 */
static int copy_attributes(int from, int to)
{
	g_autofree char *names = g_malloc(XATTR_LIST_MAX);
	g_autofree char *value = g_malloc(XATTR_SIZE_MAX);
	ssize_t length = flistxattr(from, names, XATTR_LIST_MAX);

	if (length < 0)
		return errno == ENOTSUP ? 0 : -errno;
	for (char *name = names; name < names + length; name += strlen(name) + 1) {
		ssize_t size = fgetxattr(from, name, value, XATTR_SIZE_MAX);

		if (size < 0 && errno == ENODATA)
			continue;
		if (size < 0 || fsetxattr(to, name, value, (size_t)size, 0) < 0) {
			if (errno != ENOTSUP)
				return -errno;
		}
	}
	return 0;
}

/* chown(2) takes file capabilities away, so it comes before the attributes; an ACL changes
 * the mode, so that comes after them. */
static int dress(int fd, uint32_t uid, uint32_t gid, uint32_t mode, int like)
{
	int err = fchown(fd, uid, gid) < 0 ? -errno : 0;

	if (!err && like >= 0)
		err = copy_attributes(like, fd);
	if (!err && fchmod(fd, mode) < 0)
		err = -errno;
	return err;
}

static int open_old(const struct mp_place *place)
{
	return openat(place->dir, place->name,
		O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

static int write_file(struct mp_target *target, const char *path, const char *temp,
	const struct mp_file_want *want)
{
	g_auto(mp_making) making = { .place = MP_PLACE_INIT };
	int err = begin(target, path, temp, &making);
	mp_autofd fd = err ? err : create(&making);

	if (fd < 0)
		return fd;
	mp_autofd old = open_old(&making.place);

	err = write_all(fd, want->data, want->size);
	if (!err)
		err = dress(fd, want->uid, want->gid, want->mode, old);
	if (!err && fsync(fd) < 0)
		err = -errno;
	return err ? err : end(target, &making);
}

bool mp_target_write(struct mp_target *target, const char *path, const char *temp,
	const struct mp_file_want *want, GError **error)
{
	int err = write_file(target, path, temp, want);

	if (err)
		mp_target_fail(error, err, path, "write");
	return !err;
}

static int make_link(
	struct mp_target *target, const char *path, const char *temp, const char *text)
{
	g_auto(mp_making) making = { .place = MP_PLACE_INIT };
	int err = begin(target, path, temp, &making);

	if (err)
		return err;
	if (symlinkat(text, making.place.dir, temp) < 0)
		return -errno;
	making.there = true;
	/* A directory with the set-group-ID bit would give it its own group. */
	if (fchownat(making.place.dir, temp, 0, 0, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return end(target, &making);
}

bool mp_target_link(struct mp_target *target, const char *path, const char *temp,
	const char *text, GError **error)
{
	int err = make_link(target, path, temp, text);

	if (err)
		mp_target_fail(error, err, path, "make the link");
	return !err;
}

bool mp_target_remove(struct mp_target *target, const char *path, GError **error)
{
	g_auto(mp_place) place = MP_PLACE_INIT;
	int err = mp_target_find(target, path, &place);

	if (err == -ENOENT || err == -ENOTDIR)
		return true;
	if (!err)
		err = remove_name(place.dir, place.name);
	/* Also where it is gone: whoever removed it may have been killed before this. */
	if (!err)
		err = mp_target_sync_dir(target, place.dir);
	if (err)
		mp_target_fail(error, err, path, "remove");
	return !err;
}

static int copy_link(
	const struct mp_place *from, const struct stat *st, struct making *making)
{
	const struct timespec times[] = { st->st_atim, st->st_mtim };
	int dir = making->place.dir;
	char text[4096];
	ssize_t length = readlinkat(from->dir, from->name, text, sizeof(text) - 1);

	if (length < 0)
		return -errno;
	if ((size_t)length == sizeof(text) - 1)
		return -ENAMETOOLONG;
	text[length] = '\0';
	if (symlinkat(text, dir, making->temp) < 0)
		return -errno;
	making->there = true;
	if (fchownat(dir, making->temp, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) <
			0 ||
		utimensat(dir, making->temp, times, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return 0;
}

static int copy_file(const struct mp_place *from, struct making *making)
{
	mp_autofd old = open_old(from);
	struct stat st;

	if (old < 0 || fstat(old, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	mp_autofd fd = create(making);

	if (fd < 0)
		return fd;
	const struct timespec times[] = { st.st_atim, st.st_mtim };
	int err = copy_content(old, fd);

	if (!err)
		err = dress(fd, st.st_uid, st.st_gid, st.st_mode & 07777, old);
	if (!err && (futimens(fd, times) < 0 || fsync(fd) < 0))
		err = -errno;
	return err;
}

static int copy_node(struct mp_target *target, const char *from, const char *to,
	const char *temp, bool share)
{
	g_auto(mp_making) making = { .place = MP_PLACE_INIT };
	g_auto(mp_place) source = MP_PLACE_INIT;
	int err = mp_target_find(target, from, &source);
	struct stat st;

	if (!err && fstatat(source.dir, source.name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		err = -errno;
	if (!err)
		err = begin(target, to, temp, &making);
	if (err)
		return err;
	/* Not on one file system, or it has no hard links (any more): a copy then. */
	if (share && linkat(source.dir, source.name, making.place.dir, temp, 0) == 0)
		making.there = true;
	else if (S_ISLNK(st.st_mode))
		err = copy_link(&source, &st, &making);
	else
		err = copy_file(&source, &making);
	return err ? err : end(target, &making);
}

bool mp_target_copy(struct mp_target *target, const char *from, const char *to,
	const char *temp, bool share, GError **error)
{
	int err = copy_node(target, from, to, temp, share);
	g_autofree char *action = NULL;

	if (!err)
		return true;
	action = g_strdup_printf("copy to /%s", mp_target_relative(to));
	mp_target_fail(error, err, from, action);
	return false;
}

bool mp_target_share(struct mp_target *target, const char *from, const char *to)
{
	g_auto(mp_place) source = MP_PLACE_INIT;
	g_auto(mp_place) place = MP_PLACE_INIT;

	return mp_target_find(target, from, &source) == 0 &&
	       mp_target_find(target, to, &place) == 0 &&
	       linkat(source.dir, source.name, place.dir, place.name, 0) == 0 &&
	       mp_target_sync_dir(target, place.dir) == 0;
}

static int settle(struct mp_target *target, const char *path)
{
	g_auto(mp_place) place = MP_PLACE_INIT;
	int err = mp_target_find(target, path, &place);

	if (err)
		return err;
	mp_autofd fd = open_old(&place);

	/* ELOOP: a link, which is all in its directory. */
	if (fd < 0 ? errno != ELOOP : fsync(fd) < 0)
		return -errno;
	return mp_target_sync_dir(target, place.dir);
}

bool mp_target_settle(struct mp_target *target, const char *path, GError **error)
{
	int err = settle(target, path);

	if (!err || err == -ENOENT || err == -ENOTDIR)
		return true;
	mp_target_fail(error, err, path, "write to the disk");
	return false;
}

bool mp_target_room(
	struct mp_target *target, const char *path, uint64_t *bytes, GError **error)
{
	mp_autofd fd =
		mp_target_open_in(target, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct statvfs st;
	int err = fd < 0 ? fd : 0;

	if (!err && fstatvfs(fd, &st) < 0)
		err = -errno;
	if (err) {
		mp_target_fail(error, err, path, "find out how much room it has");
		return false;
	}
	*bytes = (uint64_t)st.f_bavail * st.f_frsize;
	return true;
}
