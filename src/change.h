/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * change.h - plan, show, ask, make the change, tell: what setup and repin have in common.
 */
#ifndef MP_CHANGE_H
#define MP_CHANGE_H

#include "planning.h"

/* The options as they were given; NULL: not given. */
struct mp_change_options {
	const char *verb; /* "setup": for messages and the journal */
	const struct mp_planning_options *planning;
	const char *sysroot, *format, *color;
	const char *output; /* write the files there instead */
	bool yes, verbose;
};

/* Returns an enum mp_exit, as a verb's run(). */
int mp_change(const struct mp_change_options *options, GError **error);

#endif
