/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Directories of the target, and the files of the journal. */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"
#include "core/target-private.h"

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK)
#define DEPTH_MAX 8 /* of a tree to be removed: the store has one level */
#define LOG_MAX   (1024 * 1024)

/* Calls EACH for each leading part of PATH and PATH itself, the outermost first. */
static int for_each_part(struct mp_target *target, const char *path,
	int (*each)(struct mp_target *target, const char *part, void *user), void *user)
{
	g_auto(GStrv) names = g_strsplit(mp_target_relative(path), "/", -1);
	g_autoptr(GString) part = g_string_new(NULL);
	int err = 0;

	for (char **name = names; !err && *name; name++) {
		if (!**name)
			return -EINVAL;
		g_string_append_printf(part, "%s%s", part->len ? "/" : "", *name);
		err = each(target, part->str, user);
	}
	return err;
}

static int add_missing(struct mp_target *target, const char *part, void *user)
{
	mp_autofd fd = mp_target_open_in(target, part, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		return 0;
	if (fd != -ENOENT)
		return fd;
	/* A link that leads nowhere is not missing: no directory can be made in its place. */
	g_auto(mp_place) place = MP_PLACE_INIT;

	if (mp_target_find(target, part, &place) == 0 &&
		faccessat(place.dir, place.name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return -ENOTDIR;
	g_ptr_array_add(user, g_strconcat("/", part, NULL));
	return 0;
}

bool mp_target_missing_dirs(
	struct mp_target *target, const char *path, GPtrArray *missing, GError **error)
{
	int err = for_each_part(target, path, add_missing, missing);

	if (err)
		mp_target_fail(error, err, path, "use as a directory");
	return !err;
}

static int make_dir(struct mp_target *target, const char *path, uint32_t mode, bool *made)
{
	g_auto(mp_place) place = MP_PLACE_INIT;
	mp_autofd there =
		mp_target_open_in(target, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int err;

	*made = false;
	if (there >= 0 || there != -ENOENT)
		return MIN(there, 0);
	err = mp_target_find(target, path, &place);
	if (err)
		return err;
	if (mkdirat(place.dir, place.name, (mode_t)mode) < 0)
		return -errno;
	*made = true;
	/* The umask took something away, or the directory around gave its group. */
	if (fchmodat(place.dir, place.name, (mode_t)mode, 0) < 0)
		return -errno;
	return mp_target_sync_dir(target, place.dir);
}

static int make_missing(struct mp_target *target, const char *part, void *user)
{
	bool made;
	int err = make_dir(target, part, 0755, &made);

	if (made && user)
		g_ptr_array_add(user, g_strconcat("/", part, NULL));
	return err;
}

bool mp_target_make_dirs(
	struct mp_target *target, const char *path, GPtrArray *made, GError **error)
{
	int err = for_each_part(target, path, make_missing, made);

	if (err)
		mp_target_fail(error, err, path, "make the directory");
	return !err;
}

bool mp_target_make_private_dir(
	struct mp_target *target, const char *path, GError **error)
{
	g_autofree char *parent = g_path_get_dirname(mp_target_relative(path));
	bool made;
	int err;

	if (strcmp(parent, ".") != 0 && !mp_target_make_dirs(target, parent, NULL, error))
		return false;
	err = make_dir(target, path, 0700, &made);
	if (err)
		mp_target_fail(error, err, path, "make the directory");
	return !err;
}

bool mp_target_remove_dir(struct mp_target *target, const char *path, GError **error)
{
	g_auto(mp_place) place = MP_PLACE_INIT;
	int err = mp_target_find(target, path, &place);

	if (err == -ENOENT || err == -ENOTDIR)
		return true;
	if (!err && faccessat(place.dir, place.name, F_OK, AT_SYMLINK_NOFOLLOW) == 0 &&
		unlinkat(place.dir, place.name, AT_REMOVEDIR) < 0)
		err = -errno;
	if (err == -ENOTEMPTY || err == -EEXIST || err == -ENOTDIR)
		return true;
	if (!err || err == -ENOENT)
		err = mp_target_sync_dir(target, place.dir);
	if (err)
		mp_target_fail(error, err, path, "remove the directory");
	return !err;
}

bool mp_target_rename_dir(
	struct mp_target *target, const char *from, const char *to, GError **error)
{
	g_auto(mp_place) old = MP_PLACE_INIT, new = MP_PLACE_INIT;
	int err = mp_target_find(target, from, &old);

	if (!err)
		err = mp_target_find(target, to, &new);
	/* An empty directory would be replaced; the journal never has one. */
	if (!err && renameat(old.dir, old.name, new.dir, new.name) < 0)
		err = -errno;
	if (!err)
		err = mp_target_sync_dir(target, new.dir);
	if (err)
		mp_target_fail(error, err, from, "rename");
	return !err;
}

static int remove_tree(int dir, const char *name, unsigned depth)
{
	struct dirent *entry;
	DIR *stream;
	int err = 0;
	int fd;

	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR)
		return -errno;
	if (depth > DEPTH_MAX)
		return -ELOOP;
	fd = openat(dir, name, DIR_FLAGS | O_NOFOLLOW);
	stream = fd < 0 ? NULL : fdopendir(fd);
	if (!stream) {
		err = -errno;
		mp_close_fd(&fd);
		return err;
	}
	while (!err && (entry = readdir(stream)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			err = remove_tree(fd, entry->d_name, depth + 1);
	closedir(stream);
	if (!err && unlinkat(dir, name, AT_REMOVEDIR) < 0)
		err = -errno;
	return err;
}

bool mp_target_remove_tree(struct mp_target *target, const char *path, GError **error)
{
	g_auto(mp_place) place = MP_PLACE_INIT;
	int err = mp_target_find(target, path, &place);

	if (err == -ENOENT || err == -ENOTDIR)
		return true;
	if (!err)
		err = remove_tree(place.dir, place.name, 0);
	if (!err)
		err = mp_target_sync_dir(target, place.dir);
	if (err)
		mp_target_fail(error, err, path, "remove");
	return !err;
}

/* The length of the file, and of it up to the end of its last whole line. */
static int whole_lines(int fd, off_t *all, off_t *length)
{
	struct stat st;
	char piece[256];

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size > LOG_MAX)
		return -EFBIG;
	*all = st.st_size;
	for (off_t end = st.st_size; end > 0;) {
		size_t size = (size_t)MIN(end, (off_t)sizeof(piece));
		ssize_t got = pread(fd, piece, size, end - (off_t)size);

		if (got != (ssize_t)size)
			return got < 0 ? -errno : -EIO;
		char *newline = memrchr(piece, '\n', size);

		if (newline) {
			*length = end - (off_t)size + (newline - piece) + 1;
			return 0;
		}
		end -= (off_t)size;
	}
	*length = 0;
	return 0;
}

static int write_at(int fd, const char *text, size_t size, off_t at)
{
	while (size) {
		ssize_t put = pwrite(fd, text, size, at);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -errno;
		text += put;
		size -= (size_t)put;
		at += put;
	}
	return 0;
}

static int append(struct mp_target *target, const char *path, const char *text, bool sync)
{
	g_auto(mp_place) place = MP_PLACE_INIT;
	int err = mp_target_find(target, path, &place);
	off_t all, length, end;

	if (err)
		return err;
	mp_autofd fd = openat(
		place.dir, place.name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	err = whole_lines(fd, &all, &length);
	if (err)
		return err;
	end = length + (off_t)strlen(text);
	err = write_at(fd, text, strlen(text), length);
	/* Of a longer line that had no end something may be left. Only then: truncation gives
	 * back what mp_target_reserve() has set aside. */
	if (!err && all > end && ftruncate(fd, end) < 0)
		err = -errno;
	if (!err && sync && fdatasync(fd) < 0)
		err = -errno;
	/* The caller will believe that it is not there. */
	if (err && ftruncate(fd, length) < 0)
		return err;
	return err;
}

bool mp_target_append(struct mp_target *target, const char *path, const char *text,
	bool sync, GError **error)
{
	int err = append(target, path, text, sync);

	if (err)
		mp_target_fail(error, err, path, "write");
	return !err;
}

void mp_target_reserve(struct mp_target *target, const char *path, size_t size)
{
	g_auto(mp_place) place = MP_PLACE_INIT;

	if (mp_target_find(target, path, &place) < 0)
		return;
	mp_autofd fd = openat(
		place.dir, place.name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0 && fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)size) < 0)
		return; /* ZFS: nothing can be set aside */
}
