/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "core/initramfs.h"

void mp_probe_initramfs(struct mp_host *host, struct mp_root *root G_GNUC_UNUSED)
{
	struct mp_initramfs *t = mp_host_alloc(host, sizeof(*t));

	host->initramfs = t;
	t->images = mp_host_array(host);
}
