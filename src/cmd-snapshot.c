/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "cmd.h"

static int run(int argc G_GNUC_UNUSED, char **argv G_GNUC_UNUSED, GError **error)
{
	g_set_error(error, MP_ERROR, MP_ERROR_IO, "not written yet");
	return 0;
}

const struct mp_cmd mp_cmd_snapshot = { .name = "snapshot", .summary = "capture this host into one text file", .args = "", .max_args = 1, .run = run };
