/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "core/group.h"

void mp_probe_groups(struct mp_host *host G_GNUC_UNUSED, struct mp_root *root G_GNUC_UNUSED)
{
}
