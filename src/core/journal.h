/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * journal.h - what was changed, kept on disk so that every kill can be recovered from:
 *
 *   /var/lib/metis-passthrough/            0700
 *     lock                                 mp_target_lock()
 *     NNNN/                                one transaction; NNNN counts up, "0001"
 *       plan.json                          title, time, tool, kernel, boot id, steps, promises
 *       N.old, N.old.M                     what step N has to put back
 *       N.theirs                           what an undo by force has replaced
 *       log                                one line an event, appended: "plan SHA256" of
 *                                          plan.json, "begin N", "done N", "applied",
 *                                          "undo N", "undone N", "undone"; N from 1
 *     .new-NNNN/                           being prepared: nothing of the host was changed
 *
 * A transaction whose log has neither "applied" nor "undone", or has "undo" without
 * "undone", is interrupted. A last line of the log without its newline does not count.
 */
#ifndef MP_JOURNAL_H
#define MP_JOURNAL_H

#include "core/step.h"

#define MP_PATH_JOURNAL "var/lib/metis-passthrough"

enum mp_tx_state {
	MP_TX_OPEN,    /* begun and neither finished nor undone: interrupted */
	MP_TX_APPLIED, /* in force */
	MP_TX_UNDOING, /* a roll back was begun and did not end: interrupted */
	MP_TX_UNDONE,
};

struct mp_tx {
	char *id;               /* "0001" */
	char *title;            /* "setup 0000:86:00.0" */
	int64_t created;        /* seconds since the epoch */
	char *tool;             /* version of this program */
	char *kernel, *boot_id; /* of the host then; NULL: not known */
	enum mp_tx_state state;
	GPtrArray *steps; /* struct mp_step, owned */
	json_object
		*promises; /* what status compares with the host; owned, may be NULL */

	/* By the log, one for each step. */
	GArray *progress; /* enum mp_step_progress */
	char *path;       /* its directory, a path of the target */
};

enum mp_step_progress {
	MP_STEP_UNTOUCHED,
	MP_STEP_BEGUN, /* apply() may have done anything between nothing and all */
	MP_STEP_DONE,
	MP_STEP_UNDOING,
	MP_STEP_UNDONE,
};

void mp_tx_free(struct mp_tx *tx);
typedef struct mp_tx mp_tx;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(mp_tx, mp_tx_free)
/* "in force", "undone", "interrupted" */
const char *mp_tx_state_name(enum mp_tx_state state);

/* All transactions of ROOT, the oldest first (struct mp_tx, owned by the array). None: an
 * empty array. Reads only, needs no lock; a damaged one is an error that names it. */
GPtrArray *mp_journal_load(struct mp_root *root, GError **error);
/*
 * Who is at work on ROOT now, "process 123 (metis-passthrough setup)", as far as that can be
 * seen without touching the lock, which would make a run that begins meanwhile believe that
 * it is taken. NULL: nobody. Caller frees.
 */
char *mp_journal_at_work(struct mp_root *root);
/* The last that is in force, or NULL. Borrowed from ALL. */
struct mp_tx *mp_journal_latest(GPtrArray *all);

/* --- for the engine; the target is locked --- */

/* Prepares all STEPS (taken over, also on failure) as a new transaction; on failure nothing
 * is left and nothing of the host was changed. PROMISES is taken over, may be NULL. */
struct mp_tx *mp_journal_begin(struct mp_target *target, const char *title,
	GPtrArray *steps, json_object *promises, const struct mp_step_ctx *ctx,
	GError **error);
/*
 * Appends one event and follows it in TX; STEP counts from 0 and is left out where negative.
 * On the disk when it returns, but for "done N" and "undone N": a lost one is read as begun
 * or undoing, with which undo() does the same more carefully, and the next event brings it
 * to the disk.
 */
bool mp_journal_log(struct mp_target *target, struct mp_tx *tx, const char *event,
	int step, GError **error);
/* Frees the room of what TX, which is undone, needs no more. */
void mp_journal_forget_saved(struct mp_target *target, const struct mp_tx *tx);
/* Throws away what was being prepared by a run that ended. */
bool mp_journal_sweep(struct mp_target *target, GError **error);

#endif
