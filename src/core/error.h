/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * error.h - the one error domain, and how an error becomes an exit code.
 *
 * Every fallible function takes GError **error last, leaves it alone on success and sets it
 * on failure. A message names the object, the action and the reason:
 *   "0000:01:00.0: cannot read config: Permission denied".
 */
#ifndef MP_ERROR_H
#define MP_ERROR_H

#include <glib.h>

#define MP_ERROR (mp_error_quark())

enum mp_error {
	MP_ERROR_USAGE, /* the words of the command are off */
	MP_ERROR_INPUT, /* a file of the user's is malformed (profile, config, snapshot) */
	MP_ERROR_NOT_FOUND,    /* it does not exist */
	MP_ERROR_DENIED,       /* it exists, we may not read it */
	MP_ERROR_LIMIT,        /* larger than we are willing to read */
	MP_ERROR_NOT_CAPTURED, /* the snapshot does not say */
	MP_ERROR_LIVE_ONLY,    /* only the live host can tell */
	MP_ERROR_IO,           /* any other failure of the machine */
	MP_ERROR_BUSY,    /* another run of this program is at work, or a VM holds it */
	MP_ERROR_CHANGED, /* somebody else changed since what we would have to undo */
	MP_ERROR_UNDONE,  /* a change failed, all of it was undone */
	MP_ERROR_STUCK,   /* a change failed, and so did undoing it */
};

/* The exit codes of the program: an interface, documented in the manual, tested. */
enum mp_exit {
	MP_EXIT_OK = 0,          /* ready, or done */
	MP_EXIT_FINDING = 1,     /* a blocking finding, a failed self-test, drift */
	MP_EXIT_USAGE = 2,       /* bad usage */
	MP_EXIT_FAILURE = 3,     /* the tool could not do its work */
	MP_EXIT_ROLLED_BACK = 4, /* a change failed and was undone */
	MP_EXIT_STUCK = 5,       /* a change failed and undoing it needs a person */
};

GQuark mp_error_quark(void);

/* The exit code that fits ERROR; errors of other domains count as operational. */
enum mp_exit mp_error_exit(const GError *error);

/* Sets ERROR from a negative errno: "OBJECT: cannot ACTION: reason". */
void mp_error_set_errno(
	GError **error, int negative_errno, const char *object, const char *action);

#endif
