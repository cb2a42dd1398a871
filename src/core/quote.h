/* SPDX-License-Identifier: GPL-2.0-or-later */
/* quote.h - words of a command line as a person would type them. */
#ifndef MP_QUOTE_H
#define MP_QUOTE_H

#include <glib.h>

struct mp_step;

/* WORD for a POSIX shell: as it is where nothing in it is special. Caller frees. */
char *mp_quote(const char *word);
/* WORDS (NULL-ended), quoted, joined by spaces. Caller frees. */
char *mp_quote_all(const char *const *words);
/* The command line that makes STEP's change, for a person to read or to run by hand; NULL:
 * no program makes it. Caller frees. */
char *mp_step_command(const struct mp_step *step);

#endif
