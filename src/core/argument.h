/* SPDX-License-Identifier: GPL-2.0-or-later */
/* argument.h - a file that the user named, on the machine where the program runs. */
#ifndef MP_ARGUMENT_H
#define MP_ARGUMENT_H

#include <glib.h>

/*
 * The content of FILE, "-" is standard input, at most MAX bytes and a NUL behind them. WHAT:
 * what it is read as, "a VM configuration", for messages. Waits for no named pipe that
 * nobody writes to, but takes what a shell hands over. NULL: error is set. Caller frees.
 */
char *mp_argument_read(
	const char *file, const char *what, gsize max, gsize *size, GError **error);

#endif
