/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The system that is changed: finding names in it, looking, the lock. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/error.h"
#include "core/fact.h"
#include "core/journal.h"
#include "core/target-private.h"

/* openat2(2): EAGAIN when something on the machine was renamed while the kernel went up a
 * "..": try again. */
#define RACES_MAX 1000
#define PATH_LOCK MP_PATH_JOURNAL "/lock"

const char *mp_target_relative(const char *path)
{
	while (*path == '/')
		path++;
	return path;
}

void mp_target_fail(GError **error, int err, const char *path, const char *action)
{
	g_autofree char *object = g_strconcat("/", mp_target_relative(path), NULL);

	if (err == -ENOSYS) {
		g_set_error(error, MP_ERROR, MP_ERROR_IO,
			"%s: cannot %s safely: this kernel, or the container around us, does not "
			"allow openat2(2)",
			object, action);
		return;
	}
	mp_error_set_errno(error, err, object, action);
}

struct mp_target *mp_target_open(const char *sysroot, GError **error)
{
	g_autoptr(mp_target) target = g_new0(struct mp_target, 1);
	struct stat st;

	target->fd = target->lock = target->lock_dir = -1;
	target->unsynced = g_array_new(FALSE, FALSE, sizeof(int));
	target->live = !sysroot || !strcmp(sysroot, "/");
	target->name = g_strdup(target->live ? "/" : sysroot);
	if (stat(target->name, &st) == 0 && S_ISREG(st.st_mode)) {
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
			"%s: a snapshot cannot be changed, only a live system or a directory",
			target->name);
		return NULL;
	}
	target->fd = open(target->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (target->fd < 0) {
		mp_error_set_errno(error, -errno, target->name, "open as a host");
		return NULL;
	}
	target->root = mp_root_open(target->name, error);
	return target->root ? g_steal_pointer(&target) : NULL;
}

void mp_target_free(struct mp_target *target)
{
	if (!target)
		return;
	for (guint i = 0; i < target->unsynced->len; i++)
		close(g_array_index(target->unsynced, int, i));
	g_array_free(target->unsynced, TRUE);
	mp_root_free(target->root);
	mp_close_fd(&target->fd);
	mp_close_fd(&target->lock);
	mp_close_fd(&target->lock_dir);
	g_free(target->name);
	g_free(target);
}

bool mp_target_is_live(const struct mp_target *target)
{
	return target->live;
}

const char *mp_target_name(const struct mp_target *target)
{
	return target->name;
}

struct mp_root *mp_target_root(struct mp_target *target)
{
	return target->root;
}

int mp_target_fd(const struct mp_target *target)
{
	return target->fd;
}

int mp_target_lock_fd(const struct mp_target *target)
{
	return target->lock;
}

/* --- names --- */

int mp_target_open_in(struct mp_target *target, const char *path, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)flags,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	unsigned tries = 0;
	long fd;

	path = mp_target_relative(path);
	path = *path ? path : ".";
	if (target->live)
		fd = openat(target->fd, path, flags);
	else
		do
			fd = syscall(SYS_openat2, target->fd, path, &how, sizeof(how));
		while (fd < 0 && errno == EAGAIN && ++tries < RACES_MAX);
	return fd < 0 ? -errno : (int)fd;
}

void mp_place_clear(struct mp_place *place)
{
	mp_close_fd(&place->dir);
	g_free(place->name);
}

int mp_target_find(struct mp_target *target, const char *path, struct mp_place *place)
{
	g_autofree char *parent = NULL;
	const char *slash;

	path = mp_target_relative(path);
	slash = strrchr(path, '/');
	parent = slash ? g_strndup(path, (gsize)(slash - path)) : g_strdup(".");
	place->name = g_strdup(slash ? slash + 1 : path);
	if (!*place->name || !strcmp(place->name, ".") || !strcmp(place->name, ".."))
		return -EINVAL;
	place->dir = mp_target_open_in(
		target, parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);
	return place->dir < 0 ? place->dir : 0;
}

/* --- syncing --- */

int mp_target_sync_dir(struct mp_target *target, int dir)
{
	struct stat st, other;
	int copy;

	if (!target->held)
		return fsync(dir) < 0 ? -errno : 0;
	if (fstat(dir, &st) < 0)
		return -errno;
	for (guint i = 0; i < target->unsynced->len; i++)
		if (fstat(g_array_index(target->unsynced, int, i), &other) == 0 &&
			other.st_ino == st.st_ino && other.st_dev == st.st_dev)
			return 0;
	copy = fcntl(dir, F_DUPFD_CLOEXEC, 0);
	if (copy < 0)
		return -errno;
	g_array_append_val(target->unsynced, copy);
	return 0;
}

void mp_target_hold_syncs(struct mp_target *target)
{
	target->held++;
}

bool mp_target_sync(struct mp_target *target, GError **error)
{
	int err = 0;

	if (--target->held)
		return true;
	for (guint i = 0; i < target->unsynced->len; i++) {
		int dir = g_array_index(target->unsynced, int, i);

		if (fsync(dir) < 0 && !err)
			err = -errno;
		close(dir);
	}
	g_array_set_size(target->unsynced, 0);
	if (!err)
		return true;
	mp_error_set_errno(error, err, target->name, "write its directories to the disk");
	return false;
}

/* --- looking --- */

static int digest_file(int fd, char *hex)
{
	g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
	const size_t room = 256 * 1024;
	g_autofree guchar *piece = g_malloc(room);
	ssize_t got;

	while ((got = read(fd, piece, room)) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		g_checksum_update(sum, piece, got);
	}
	g_strlcpy(hex, g_checksum_get_string(sum), 65);
	return 0;
}

static int look_file(const struct mp_place *place, struct mp_node_state *state)
{
	mp_autofd fd = openat(place->dir, place->name,
		O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ESTALE; /* exchanged under our eyes */
	state->size = (uint64_t)st.st_size;
	return digest_file(fd, state->digest);
}

static int look_link(const struct mp_place *place, struct mp_node_state *state)
{
	char text[4096];
	ssize_t length = readlinkat(place->dir, place->name, text, sizeof(text));
	g_autofree char *hex = NULL;

	if (length < 0)
		return -errno;
	if ((size_t)length == sizeof(text))
		return -ENAMETOOLONG;
	hex = g_compute_checksum_for_data(
		G_CHECKSUM_SHA256, (const guchar *)text, (gsize)length);
	g_strlcpy(state->digest, hex, sizeof(state->digest));
	state->size = (uint64_t)length;
	state->mode = 0;
	return 0;
}

static int look_at(
	struct mp_target *target, const char *path, struct mp_node_state *state)
{
	g_auto(mp_place) place = MP_PLACE_INIT;
	int err = mp_target_find(target, path, &place);
	struct stat st;

	*state = (struct mp_node_state){ .node = MP_NODE_ABSENT };
	if (!err && fstatat(place.dir, place.name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		err = -errno;
	if (err == -ENOENT || err == -ENOTDIR)
		return 0;
	if (err)
		return err;
	state->mode = st.st_mode & 07777;
	state->uid = st.st_uid;
	state->gid = st.st_gid;
	state->mtime = st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
	if (S_ISREG(st.st_mode)) {
		state->node = MP_NODE_FILE;
		return look_file(&place, state);
	}
	if (S_ISLNK(st.st_mode)) {
		state->node = MP_NODE_LINK;
		return look_link(&place, state);
	}
	state->node = S_ISDIR(st.st_mode) ? MP_NODE_DIRECTORY : MP_NODE_OTHER;
	return 0;
}

bool mp_target_look(struct mp_target *target, const char *path,
	struct mp_node_state *state, GError **error)
{
	int err = look_at(target, path, state);

	if (err)
		mp_target_fail(error, err, path, "look at it");
	return !err;
}

bool mp_node_same(const struct mp_node_state *a, const struct mp_node_state *b)
{
	if (a->node != b->node)
		return false;
	if (a->node == MP_NODE_ABSENT)
		return true;
	return a->mode == b->mode && a->uid == b->uid && a->gid == b->gid &&
	       a->size == b->size && !strcmp(a->digest, b->digest);
}

/* --- the lock --- */

/* Who holds it, as far as it wrote that down: "process 123 (metis-passthrough setup)". */
static char *holder(int fd)
{
	char text[128];
	ssize_t got = pread(fd, text, sizeof(text) - 1, 0);
	uint64_t pid;

	text[MAX(got, 0)] = '\0';
	g_auto(GStrv) words = g_strsplit(g_strchomp(text), " ", 2);

	if (!words[0] || !mp_parse_uint(words[0], 10, &pid) || !pid)
		return g_strdup("another process");
	for (char *c = words[1]; c && *c; c++)
		if (!g_ascii_isprint(*c))
			*c = '?';
	if (!words[1] || !*words[1])
		return g_strdup_printf("process %" PRIu64, pid);
	return g_strdup_printf("process %" PRIu64 " (%s)", pid, words[1]);
}

/* For holder() of others; who cannot read it says "another process". */
static void sign(int fd)
{
	const char *name = g_get_prgname();
	g_autofree char *text = g_strdup_printf(
		"%ld %s\n", (long)getpid(), name ? name : "metis-passthrough");

	if (ftruncate(fd, 0) == 0 && pwrite(fd, text, strlen(text), 0) < 0)
		return;
}

bool mp_target_lock(struct mp_target *target, GError **error)
{
	g_auto(mp_place) place = MP_PLACE_INIT;
	mp_autofd fd = -1;
	int err;

	if (!mp_target_make_private_dir(target, MP_PATH_JOURNAL, error))
		return false;
	err = mp_target_find(target, PATH_LOCK, &place);
	if (!err) {
		fd = openat(place.dir, place.name,
			O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
		err = fd < 0 ? -errno : 0;
	}
	if (!err && flock(fd, LOCK_EX | LOCK_NB) < 0)
		err = -errno;
	/* A file that was removed is no lock for whoever makes it anew. Network file systems may
	 * have no locks of directories: there the file has to do. */
	if (!err && flock(place.dir, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
		err = -errno;
	if (err == -EWOULDBLOCK) {
		g_autofree char *who = holder(fd);

		g_set_error(error, MP_ERROR, MP_ERROR_BUSY,
			"%s: %s, or a program that it started, is changing this host; wait until "
			"it has ended",
			target->name, who);
		return false;
	}
	if (err) {
		mp_target_fail(error, err, PATH_LOCK, "lock");
		return false;
	}
	sign(fd);
	target->lock = fd;
	fd = -1;
	target->lock_dir = place.dir;
	place.dir = -1;
	return true;
}
