/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * progress.h - what the engine does, told on standard error: on a terminal one line a step,
 * kept up to date while it runs; elsewhere one line a step when it is done.
 */
#ifndef MP_PROGRESS_H
#define MP_PROGRESS_H

#include "core/engine.h"

struct mp_progress {
	unsigned total; /* steps to come, for "[2/7]"; 0: not known */

	/* Private. */
	unsigned number;
	bool terminal, unicode, told_stop;
	bool open;       /* the cursor stands in the line of a running step */
	int64_t started; /* of that step, microseconds */
	char *said;      /* the last line of its program */
	const struct mp_step *step;
};

void mp_progress_init(struct mp_progress *progress, unsigned total);
void mp_progress_clear(struct mp_progress *progress);
/* An mp_engine_listener; USER is the progress. Says stop after mp_interrupted(). */
bool mp_progress_listen(void *user, enum mp_engine_event event,
	const struct mp_step *step, const char *text);

#endif
