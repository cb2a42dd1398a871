/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * change.h - plan, show, ask, make the change, tell: what setup and repin have in common.
 */
#ifndef MP_CHANGE_H
#define MP_CHANGE_H

#include "core/target.h"
#include "planning.h"

/* The options as they were given; NULL: not given. */
struct mp_change_options {
	const char *verb; /* "setup": for messages and the journal */
	const struct mp_planning_options *planning;
	const char *sysroot, *format, *color;
	const char *output; /* write the files there instead */
	bool can_output;    /* the verb has that option */
	bool yes, verbose;
	const char *preview; /* "metis-passthrough plan": shows what would be done */
	bool dry_run;        /* show the plan, and nothing else */
};

/* Returns an enum mp_exit, as a verb's run(). */
int mp_change(const struct mp_change_options *options, GError **error);

/* Removes the report of `status --record`, which is about what was set up before. Nothing is
 * lost where that fails: preflight sees by the transactions in it that it is of another
 * state. Not a step, because it lies in /run: undoing would bring back an old judgement. */
void mp_change_forget_record(struct mp_target *target);

#endif
