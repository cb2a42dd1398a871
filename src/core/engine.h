/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * engine.h - runs steps as one change: all of them, or none. Whoever calls has opened and
 * locked the target. Nothing here prints; what happens is told to a listener.
 */
#ifndef MP_ENGINE_H
#define MP_ENGINE_H

#include "core/journal.h"

enum mp_engine_event {
	MP_EVENT_RECOVER, /* an interrupted transaction is being undone; step NULL, text: id */
	MP_EVENT_BEGIN,  /* a step starts */
	MP_EVENT_LINE,   /* it says something: text; NULL: alive */
	MP_EVENT_DONE,   /* it is applied and verified */
	MP_EVENT_FAILED, /* it is not: text; everything is undone from here on */
	MP_EVENT_UNDO,   /* a step is being undone */
	MP_EVENT_UNDONE,
};

/* False after MP_EVENT_LINE or MP_EVENT_DONE: the user wants to stop (SIGINT). */
typedef bool (*mp_engine_listener)(void *user, enum mp_engine_event event,
	const struct mp_step *step, const char *text);

/*
 * Applies STEPS (taken over). On success *id gets the transaction's id (caller frees).
 * On failure everything that was done is undone, and ERROR is
 *   MP_ERROR_UNDONE   a step failed or the listener said stop; the host is as it was (exit 4)
 *   MP_ERROR_STUCK    undoing failed too: the message says what a person has to do (exit 5)
 *   any other         nothing was changed: preparing failed (exit 3)
 */
bool mp_engine_apply(struct mp_target *target, const char *title, GPtrArray *steps,
	json_object *promises, mp_engine_listener listener, void *user, char **id,
	GError **error);

/*
 * Undoes transaction ID. Before the first change every step is asked whether something was
 * changed since by others; then nothing is undone, ERROR is MP_ERROR_CHANGED and *diff gets
 * what they changed. FORCE (NULL-ended paths, or NULL): undo these all the same; what is
 * there is kept in the transaction's directory as "N.theirs".
 */
bool mp_engine_undo(struct mp_target *target, const char *id, const char *const *force,
	mp_engine_listener listener, void *user, char **diff, GError **error);

/*
 * Undoes what an earlier run left unfinished, and throws away what it was preparing. True
 * also where there was nothing. *found: the number of such transactions.
 */
bool mp_engine_recover(struct mp_target *target, mp_engine_listener listener, void *user,
	unsigned *found, GError **error);

#endif
