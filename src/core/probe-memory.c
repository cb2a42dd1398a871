/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "core/memory.h"

void mp_probe_memory(struct mp_host *host, struct mp_root *root G_GNUC_UNUSED)
{
	struct mp_memory *t = mp_host_alloc(host, sizeof(*t));

	host->memory = t;
	t->hugepools = mp_host_array(host);
}
