/* SPDX-License-Identifier: GPL-2.0-or-later */
/* journal-private.h - what journal.c and journal-read.c share. */
#ifndef MP_JOURNAL_PRIVATE_H
#define MP_JOURNAL_PRIVATE_H

#include "core/journal.h"

#define MP_JOURNAL_SCHEMA 1

/* "0001", "12345": a number above 0, of four digits at least and not longer than needed. */
bool mp_journal_is_id(const char *name, uint64_t *number);
/* Moves the state of TX by one line of its log; an event that cannot be is an error. */
bool mp_journal_follow(struct mp_tx *tx, const char *line, GError **error);

#endif
