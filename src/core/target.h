/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * target.h - the system that is changed: the live one, or the one in a directory (a disk
 * mounted in a rescue system, an image that is being built). The only place that writes
 * files of a host.
 *
 * Paths are relative to the target's root, as in root.h; parents are looked up inside it
 * (openat2, RESOLVE_IN_ROOT). The last component is never followed: who changes "a" changes
 * the name a, and a link there is a link. Every change is on the disk (fsync of the file and
 * of its directory) when the call returns.
 */
#ifndef MP_TARGET_H
#define MP_TARGET_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/root.h"

struct mp_target;

/* SYSROOT: NULL or "/" is the live system. A snapshot cannot be changed: MP_ERROR_USAGE. */
struct mp_target *mp_target_open(const char *sysroot, GError **error);
void mp_target_free(struct mp_target *target);
typedef struct mp_target mp_target;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(mp_target, mp_target_free)

bool mp_target_is_live(const struct mp_target *target);
/* "/" or the directory, for messages. Owned by TARGET. */
const char *mp_target_name(const struct mp_target *target);
/* The same place, to read and probe. Owned by TARGET. */
struct mp_root *mp_target_root(struct mp_target *target);
/* A descriptor of its root directory, for the programs that run in it. Owned by TARGET. */
int mp_target_fd(const struct mp_target *target);

enum mp_node {
	MP_NODE_ABSENT,
	MP_NODE_FILE,
	MP_NODE_LINK,
	MP_NODE_DIRECTORY,
	MP_NODE_OTHER
};

/* What a path is at one moment. */
struct mp_node_state {
	enum mp_node node;
	uint32_t mode; /* permission bits; 0 for a link */
	uint32_t uid, gid;
	uint64_t size;
	char digest[65]; /* SHA-256 in hex of the content or the link's target; "" else */
	int64_t mtime;   /* nanoseconds since the epoch; no part of what is compared */
};

/* Looks at PATH itself (a link is not followed). Absent is an answer, no failure. */
bool mp_target_look(struct mp_target *target, const char *path,
	struct mp_node_state *state, GError **error);
/* Same node, mode, owner and content. */
bool mp_node_same(const struct mp_node_state *a, const struct mp_node_state *b);

/* Content and metadata that a file is to get. */
struct mp_file_want {
	const char *data;
	size_t size;
	uint32_t mode;
	uint32_t uid, gid;
};
/*
 * Makes or replaces PATH atomically: written as TEMP (a plain name, in the same directory,
 * replaced if it is there), given owner and mode, the extended attributes of the file that
 * it replaces, synced, renamed. After a crash PATH is the old or the new file, never a part;
 * TEMP may be left.
 */
bool mp_target_write(struct mp_target *target, const char *path, const char *temp,
	const struct mp_file_want *want, GError **error);
/* Makes or replaces PATH as a symbolic link to TEXT, in the same manner. */
bool mp_target_link(struct mp_target *target, const char *path, const char *temp,
	const char *text, GError **error);
/* Removes the name PATH. Not there: fine. */
bool mp_target_remove(struct mp_target *target, const char *path, GError **error);
/*
 * Copies FROM to TO with content, mode, owner, times and extended attributes, atomically by
 * TEMP beside TO. By a hard link where SHARE is given and both are on one file system: for
 * files that whoever replaces them replaces by rename.
 */
bool mp_target_copy(struct mp_target *target, const char *from, const char *to,
	const char *temp, bool share, GError **error);
/* Makes the missing directories of PATH (with the last component), mode 0755, each synced;
 * appends those made to MADE (char *, NULL: not wanted), outermost first. */
bool mp_target_make_dirs(
	struct mp_target *target, const char *path, GPtrArray *made, GError **error);
/* Has what others wrote to the file PATH, and its name, on the disk. Not there: fine. */
bool mp_target_settle(struct mp_target *target, const char *path, GError **error);
/* Gives the file FROM a second name TO, a hard link. False where that cannot be: another
 * file system, or one without hard links. */
bool mp_target_share(struct mp_target *target, const char *from, const char *to);
/* Bytes that may still be written where the directory PATH is, as by statvfs(3). */
bool mp_target_room(
	struct mp_target *target, const char *path, uint64_t *bytes, GError **error);
/* Removes an empty directory; not there or not empty: fine. */
bool mp_target_remove_dir(struct mp_target *target, const char *path, GError **error);

/*
 * The lock of all changes: held until TARGET is freed and every program that was started
 * meanwhile has ended (they inherit it). Held by another: MP_ERROR_BUSY, naming who.
 */
bool mp_target_lock(struct mp_target *target, GError **error);
/* The descriptor that holds the lock, for programs to inherit; -1: not locked. Owned by
 * TARGET, close-on-exec. */
int mp_target_lock_fd(const struct mp_target *target);

/*
 * Between the two, a call returns before its directory is synced; mp_target_sync() syncs
 * each directory once. For many changes of which nobody may see a part: files are synced
 * all the same. Calls nest.
 */
void mp_target_hold_syncs(struct mp_target *target);
bool mp_target_sync(struct mp_target *target, GError **error);

/* --- for steps and the journal --- */

/* The directories of PATH (with the last component) that are not there, outermost first;
 * char *, each with a leading slash. Something else in the way is an error. */
bool mp_target_missing_dirs(
	struct mp_target *target, const char *path, GPtrArray *missing, GError **error);
/* Makes the directory PATH, for root alone (0700). There already: fine. */
bool mp_target_make_private_dir(
	struct mp_target *target, const char *path, GError **error);
/* Renames a directory of the store; TO must not be there. */
bool mp_target_rename_dir(
	struct mp_target *target, const char *from, const char *to, GError **error);
/* Removes PATH and what is in it. Not there: fine. */
bool mp_target_remove_tree(struct mp_target *target, const char *path, GError **error);
/* Appends TEXT to the file PATH, after throwing away a last line that did not get its
 * newline; on the disk when it returns where SYNC is given. */
bool mp_target_append(struct mp_target *target, const char *path, const char *text,
	bool sync, GError **error);
/* Sets aside room for SIZE bytes of the file PATH without making it longer, so that a full
 * disk cannot keep an undo from being noted. File systems that cannot: fine. */
void mp_target_reserve(struct mp_target *target, const char *path, size_t size);

#endif
