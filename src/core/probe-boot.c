/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "core/boot.h"

void mp_probe_boot(struct mp_host *host, struct mp_root *root G_GNUC_UNUSED)
{
	struct mp_boot *t = mp_host_alloc(host, sizeof(*t));

	host->boot = t;
	t->loader_evidence = mp_host_array(host);
}
