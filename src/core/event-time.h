/* SPDX-License-Identifier: GPL-2.0-or-later */
/* event-time.h - when an event happened, as far as its line tells. */
#ifndef MP_EVENT_TIME_H
#define MP_EVENT_TIME_H

#include "core/event.h"

struct mp_event_clock {
	int64_t now;  /* seconds since the epoch; completes dates without a year */
	int64_t boot; /* of the machine that the log is of; -1: unknown */
};

/* False: the line has no time, or one that only counts from an unknown boot. */
bool mp_event_seconds(const struct mp_event *event, const struct mp_event_clock *clock,
	int64_t *seconds);
/* --since: "2026-11-22", "2026-11-22 14:00", ISO, "@seconds", "90s", "10min", "2h", "1d". */
bool mp_since_parse(const char *text, int64_t now, int64_t *seconds);

#endif
