/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "core/error.h"
#include "core/root-backend.h"

bool mp_root_snapshot_init(struct mp_root *root G_GNUC_UNUSED, const char *path, GError **error)
{
	g_set_error(error, MP_ERROR, MP_ERROR_INPUT, "%s: snapshots are not read yet", path);
	return false;
}
