/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * event-log.h - the events of a log, alike ones summed up: as much memory as there are
 * sorts of events, of which only so many are kept.
 */
#ifndef MP_EVENT_LOG_H
#define MP_EVENT_LOG_H

#include "core/event.h"

#define MP_EVENT_SUMS      1024 /* different sorts kept */
#define MP_EVENT_ADDRESSES 16   /* different addresses kept of a sort */

struct mp_event_address {
	uint64_t address, count;
};

/* Events of one kind, device, direction, reason, index, number and detail. */
struct mp_event_sum {
	struct mp_event event; /* the first one; its text and stamp are this struct's */
	uint64_t count;        /* of SUPPRESSED: how many were not logged */
	uint64_t last_line;
	char first_stamp[40], last_stamp[40]; /* "": the log has no times */
	struct mp_event_address addresses[MP_EVENT_ADDRESSES];
	unsigned n_addresses;
	bool more_addresses;      /* than there is room for */
	uint64_t lowest, highest; /* address */
	char *text; /* the first one's line, valid UTF-8, at most 512 bytes */
};

struct mp_event_log {
	GPtrArray *sums;  /* struct mp_event_sum, in the order of their first event */
	uint64_t events;  /* all of them */
	uint64_t dropped; /* events of sorts beyond MP_EVENT_SUMS */
	char *cmdline;    /* the kernel's, where the log holds it */
	/* Private. */
	uint16_t *slots;
};

struct mp_event_log *mp_event_log_new(void);
void mp_event_log_free(struct mp_event_log *log);
typedef struct mp_event_log mp_event_log;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(mp_event_log, mp_event_log_free)

/* A mp_event_sink; USER is the log. */
void mp_event_log_add(void *user, const struct mp_event *event);
/* How many events of KIND. */
uint64_t mp_event_log_count(const struct mp_event_log *log, enum mp_event_kind kind);

#endif
