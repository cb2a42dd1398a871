/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "core/platform.h"

void mp_probe_platform(struct mp_host *host, struct mp_root *root G_GNUC_UNUSED)
{
	struct mp_platform *t = mp_host_alloc(host, sizeof(*t));

	host->platform = t;
}
