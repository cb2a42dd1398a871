/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ask.h - the question before a change of the host. */
#ifndef MP_ASK_H
#define MP_ASK_H

#include <glib.h>
#include <stdbool.h>

/* Whether there is somebody to ask. Fails with MP_ERROR_USAGE, naming the ways to go on:
 * WITHOUT is what --yes would do ("make the change"), INSTEAD what needs no answer ("see it
 * with 'metis-passthrough plan'"), or NULL. */
bool mp_ask_possible(const char *without, const char *instead, GError **error);
/* Asks QUESTION; only "y" and "yes" are a yes. An end of input or a signal is a no. */
bool mp_ask(const char *question);

#endif
