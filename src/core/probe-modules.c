/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "core/modules.h"

void mp_probe_modules(struct mp_host *host, struct mp_root *root G_GNUC_UNUSED)
{
	struct mp_modules *t = mp_host_alloc(host, sizeof(*t));

	host->modules = t;
	t->kernels = mp_host_array(host);
	t->modprobe = mp_host_array(host);
	t->unreadable = mp_host_array(host);
	t->load = mp_host_array(host);
}
