/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "core/vm.h"

void mp_probe_guests(struct mp_host *host, struct mp_root *root G_GNUC_UNUSED)
{
	struct mp_guests *t = mp_host_alloc(host, sizeof(*t));

	host->guests = t;
	t->vms = mp_host_array(host);
	t->mappings = mp_host_array(host);
	t->reservations = mp_host_array(host);
}
