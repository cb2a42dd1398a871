/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "core/iommu.h"

void mp_probe_iommu(struct mp_host *host, struct mp_root *root G_GNUC_UNUSED)
{
	struct mp_iommu *t = mp_host_alloc(host, sizeof(*t));

	host->iommu = t;
	t->units = mp_host_array(host);
}
