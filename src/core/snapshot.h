/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * snapshot.h - capturing a host into one text file (the format: snapshot-tree.h). What is
 * captured is what the probes look at, no more: a recorder sees each look and its answer.
 */
#ifndef MP_SNAPSHOT_H
#define MP_SNAPSHOT_H

#include <glib.h>

#include "core/root.h"

struct mp_host;
struct mp_snapshot;

/* Everything that was seen of one path. Only snapshot*.c and tests look inside. */
struct mp_shot {
	char *path;    /* without slashes at its ends */
	GBytes *file;  /* content, or NULL */
	char *target;  /* of the link, or NULL */
	GBytes *names; /* of the directory, each with its NUL; or NULL: not listed */
	bool has_stat, opened;
	struct mp_stat st;
	int err[4]; /* of enum mp_look READ, LINK, LIST, STAT; 0: none */
};

struct mp_snapshot *mp_snapshot_new(void);
void mp_snapshot_free(struct mp_snapshot *snapshot);
typedef struct mp_snapshot mp_snapshot;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(mp_snapshot, mp_snapshot_free)

/* Records the looks at ROOT until mp_root_record(root, NULL, NULL). */
void mp_snapshot_record(struct mp_snapshot *snapshot, struct mp_root *root);
/* All that was seen, struct mp_shot sorted by path. Owned by SNAPSHOT. */
GPtrArray *mp_snapshot_shots(struct mp_snapshot *snapshot);
/* The entry of PATH, or NULL. */
struct mp_shot *mp_snapshot_find(struct mp_snapshot *snapshot, const char *path);
/* Gives SHOT another path, which it takes over. */
void mp_snapshot_rename(struct mp_snapshot *snapshot, struct mp_shot *shot, char *path);

/*
 * Leaves out of long files what says nothing about this host's devices: entries of the PCI
 * id database, lines of the kernel log, arguments of processes. What a probe makes of them stays the same.
 */
void mp_snapshot_reduce(struct mp_snapshot *snapshot, const struct mp_host *host);

/*
 * Replaces what identifies a machine, its network or its people (snapshot-scrub.c lists it),
 * the same value always by the same replacement. Findings stay the same but for the names.
 */
void mp_snapshot_scrub(struct mp_snapshot *snapshot);

struct mp_snapshot_header {
	const char *tool;     /* "metis-passthrough 1.0" */
	const char *captured; /* "2026-11-22T08:00:00Z" */
	bool scrubbed;
};

/* The file's text. */
GString *mp_snapshot_text(
	struct mp_snapshot *snapshot, const struct mp_snapshot_header *header);

/* Looks that were refused or failed, but for "not there" and the like: "/PATH: reason". */
GPtrArray *mp_snapshot_failures(struct mp_snapshot *snapshot, unsigned *looks);

#endif
