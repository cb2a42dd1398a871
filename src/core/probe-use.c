/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "core/use.h"

void mp_probe_use(struct mp_host *host, struct mp_root *root G_GNUC_UNUSED)
{
	struct mp_use *t = mp_host_alloc(host, sizeof(*t));

	host->use = t;
	t->entries = mp_host_array(host);
	t->unreadable = mp_host_array(host);
}
