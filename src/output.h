/* SPDX-License-Identifier: GPL-2.0-or-later */
/* output.h - setup --output: the files of a plan below a directory, to be looked at, carried
 * elsewhere, or kept under version control. */
#ifndef MP_OUTPUT_H
#define MP_OUTPUT_H

#include "core/plan.h"

/* The script that lies beside the files. */
#define MP_OUTPUT_COMMANDS "COMMANDS"

/* Whether DIR is not there or empty. */
bool mp_output_check(const char *dir, GError **error);
/* Makes DIR where it is missing and writes what STEPS would install, under the paths that it
 * would get, and the script that does the rest; COMMAND ("setup --device ...") is for its
 * head. */
bool mp_output_write(
	const char *dir, const GPtrArray *steps, const char *command, GError **error);

#endif
