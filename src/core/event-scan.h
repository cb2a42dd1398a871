/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * event-scan.h - finds the few lines of a log that may tell of an event, by words that all
 * such lines hold. Nearly all of a log is something else, so this decides how long a large
 * one takes.
 */
#ifndef MP_EVENT_SCAN_H
#define MP_EVENT_SCAN_H

#include <stdbool.h>
#include <stddef.h>

/* The first place in [AT, END) where one of the words stands whole; END: nowhere. */
const char *mp_event_scan(const char *at, const char *end);
/* How many newlines are in [AT, END). */
size_t mp_event_lines(const char *at, const char *end);
/* For tests: from now on without (or with) the processor's wide registers. */
void mp_event_scan_plain(bool plain);
/* For tests: the words; NULL-ended. */
const char *const *mp_event_scan_words(void);

#endif
