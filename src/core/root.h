/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * root.h - the one way to look at a host: the live one, a directory that holds a copy, or a
 * snapshot file. All reads of the program go through here.
 *
 * Paths are relative to the root, without a leading slash ("sys/bus/pci/devices"); a leading
 * slash is allowed and means the same. Absolute links and ".." in a sysroot stay inside it
 * (openat2, RESOLVE_IN_ROOT). What is read is treated as hostile: every read has a limit,
 * only regular files are read, nothing blocks.
 *
 * The low-level calls return 0 or a negative errno, because a missing attribute is an
 * everyday answer and not an error. -ENODATA means: a snapshot that never looked there.
 * -EFBIG: larger than the limit given. -ELOOP: a loop of links.
 */
#ifndef MP_ROOT_H
#define MP_ROOT_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct mp_root;
struct mp_dir;

/* Limits for mp_root_read() and mp_dir_read(), in bytes. */
#define MP_READ_ATTR (64u * 1024)       /* a sysfs attribute, a small config file */
#define MP_READ_FILE (4u * 1024 * 1024) /* modules.dep, mountinfo, the kernel log */
#define MP_LIST_MAX  (256u * 1024)      /* names in one directory */

enum mp_file_type {
	MP_FILE_OTHER,
	MP_FILE_REGULAR,
	MP_FILE_DIRECTORY,
	MP_FILE_LINK,
};

struct mp_stat {
	enum mp_file_type type;
	uint32_t mode; /* permission bits only */
	uint64_t size;
	int64_t mtime; /* seconds since the epoch */
	/* Which file it is, while it is there; 0 in a snapshot. */
	uint64_t device, inode;
};

/*
 * Opens the host at PATH: NULL or "/" is the live host, a directory is a sysroot, a regular
 * file is a snapshot. The caller owns the result.
 */
struct mp_root *mp_root_open(const char *path, GError **error);
void mp_root_free(struct mp_root *root);
typedef struct mp_root mp_root;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(mp_root, mp_root_free)

/* A text file as it would be, or a symbolic link. */
struct mp_overlay {
	const char *path;
	const char *content; /* NULL: not there; of a link its target */
	uint32_t mode;
	bool link;
};
/*
 * BASE as it would look with FILES on top, which are copied. BASE must live longer; a
 * recorder of it is not told. The caller owns the result.
 */
struct mp_root *mp_root_overlay(
	struct mp_root *base, const struct mp_overlay *files, size_t count);

/* True for the live host only: facts that only a live host can tell depend on it. */
bool mp_root_is_live(const struct mp_root *root);
/* "/" or the path given to mp_root_open(); for messages. Owned by ROOT. */
const char *mp_root_name(const struct mp_root *root);
/* What a snapshot says about itself ("tool", "captured", "scrubbed"); NULL: not a snapshot,
 * or it does not say. Owned by ROOT. */
const char *mp_root_header(const struct mp_root *root, const char *key);

/*
 * Reads a whole regular file of at most MAX bytes; *data gets a buffer with a NUL after
 * *size bytes, the caller frees it with g_free(). With more than MAX bytes: -EFBIG.
 */
int mp_root_read(
	struct mp_root *root, const char *path, size_t max, char **data, size_t *size);
/* The target of the link, uninterpreted. The caller frees it. */
int mp_root_readlink(struct mp_root *root, const char *path, char **target);
/* The names in a directory in byte order, without "." and "..". Free with g_strfreev(). */
int mp_root_list(struct mp_root *root, const char *path, char ***names);
/* Follows links, as stat(2) does. */
int mp_root_stat(struct mp_root *root, const char *path, struct mp_stat *st);

/*
 * A descriptor of a regular file, for what is too large for mp_root_read() and is streamed.
 * Only where there are real files: -EOPNOTSUPP for a snapshot. Not recorded, so the result
 * belongs into mp_root_produced(). The caller closes it.
 */
int mp_root_open_file(struct mp_root *root, const char *path, int *fd);

/*
 * One directory opened for many reads of plain names below it (sysfs device directories).
 * NAME may hold slashes. The caller frees it; ROOT must live longer.
 */
int mp_root_dir(struct mp_root *root, const char *path, struct mp_dir **dir);
void mp_dir_free(struct mp_dir *dir);
typedef struct mp_dir mp_dir;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(mp_dir, mp_dir_free)
const char *mp_dir_path(const struct mp_dir *dir);
int mp_dir_read(
	struct mp_dir *dir, const char *name, size_t max, char **data, size_t *size);
int mp_dir_readlink(struct mp_dir *dir, const char *name, char **target);
int mp_dir_list(struct mp_dir *dir, char ***names);

/*
 * Something that is made rather than read (the kernel's log, the inside of an image, a
 * program's output), under a path of its own below "metis-passthrough/". On the live host
 * PRODUCER makes it (0 or a negative errno, data as for mp_root_read()) and a recorder sees
 * it as a file; elsewhere that file is read.
 */
typedef int (*mp_root_producer)(void *user, char **data, size_t *size);
int mp_root_produced(struct mp_root *root, const char *path, mp_root_producer producer,
	void *user, char **data, size_t *size);

/* The kernel's log ring, a message a line: "[seconds.micros] text". Live: /dev/kmsg. */
#define MP_PATH_KLOG "metis-passthrough/klog"
int mp_root_klog(struct mp_root *root, char **data, size_t *size);

/* --- recording (snapshot) --- */

/*
 * What the recorder of a snapshot is told: every look at the host and its answer. DATA is
 * the file's content, the link's target, or the names separated by NUL; ERR is 0 or a
 * negative errno. The path has no leading slash.
 */
enum mp_look {
	MP_LOOK_READ,
	MP_LOOK_LINK,
	MP_LOOK_LIST,
	MP_LOOK_STAT,
	MP_LOOK_OPEN, /* a directory was opened for many reads; failures come as LIST */
};
typedef void (*mp_root_recorder)(void *user, enum mp_look look, const char *path, int err,
	const char *data, size_t size, const struct mp_stat *st);
/* From now on RECORDER sees every look. NULL ends it. */
void mp_root_record(struct mp_root *root, mp_root_recorder recorder, void *user);
/* True while a recorder looks on: probes then leave out what no snapshot can hold. */
bool mp_root_is_recorded(const struct mp_root *root);

#endif
