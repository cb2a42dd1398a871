/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diff.h - unified diffs of small text files, for people. */
#ifndef MP_DIFF_H
#define MP_DIFF_H

#include <glib.h>

/*
 * What `diff -u` says, with three lines of context: NULL where both are equal. OLD or NEW
 * NULL: the file is not there ("/dev/null"). Bytes that are not text are shown escaped. More
 * than some thousand lines: a sentence instead. Caller frees.
 */
char *mp_diff_unified(const char *old_name, const char *old_text, const char *new_name,
	const char *new_text);

#endif
