/* SPDX-License-Identifier: GPL-2.0-or-later */
/* target-private.h - what target*.c share. */
#ifndef MP_TARGET_PRIVATE_H
#define MP_TARGET_PRIVATE_H

#include <unistd.h>

#include "core/target.h"

struct mp_target {
	struct mp_root *root;
	char *name;
	int fd;
	int lock;
	int lock_dir; /* the same of the directory, for when somebody removes the file */
	bool live;
	unsigned held;    /* depth of mp_target_hold_syncs() */
	GArray *unsynced; /* int: directories to be synced */
};

/* A name in a directory that was looked up. */
struct mp_place {
	int dir;
	char *name;
};
void mp_place_clear(struct mp_place *place);
typedef struct mp_place mp_place;
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(mp_place, mp_place_clear)
#define MP_PLACE_INIT                                                                    \
	{                                                                                \
		.dir = -1                                                                \
	}

/* A descriptor or a negative errno; every link on the way stays in the target. */
int mp_target_open_in(struct mp_target *target, const char *path, int flags);
/* Looks up the directory of PATH. 0 or a negative errno. */
int mp_target_find(struct mp_target *target, const char *path, struct mp_place *place);
/* Syncs the directory DIR, or remembers it. 0 or a negative errno. */
int mp_target_sync_dir(struct mp_target *target, int dir);

/* Sets ERROR: "/etc/x: cannot write: reason". PATH with or without a leading slash. */
void mp_target_fail(GError **error, int err, const char *path, const char *action);
/* PATH without its leading slashes. */
const char *mp_target_relative(const char *path);

static inline void mp_close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
#define mp_autofd __attribute__((cleanup(mp_close_fd))) int

#endif
