/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "core/group.h"
#include "core/platform.h"

/*
 * Names as in sysfs: the .name of each struct pci_driver with .driver_managed_dma below
 * drivers/vfio/pci (most are KBUILD_MODNAME, so with underscores).
 */
static const char *const vfio_drivers[] = {
	"vfio-pci",             /* vfio_pci.c */
	"mlx5_vfio_pci",        /* mlx5/main.c */
	"hisi_acc_vfio_pci",    /* hisilicon/hisi_acc_vfio_pci.c */
	"pds-vfio-pci",         /* pds/pci_drv.c: PDS_VFIO_DRV_NAME */
	"virtio_vfio_pci",      /* virtio/main.c */
	"nvgrace_gpu_vfio_pci", /* nvgrace-gpu/main.c */
	"qat_vfio_pci",         /* qat/main.c */
	"xe-vfio-pci",          /* xe/main.c */
};

/* drivers/pci: the other two with .driver_managed_dma. */
static const char *const harmless_drivers[] = {
	"pci-stub", /* pci-stub.c: does nothing */
	"pcieport", /* pcie/portdrv.c: neither DMA nor MMIO, commit c7d469849747 */
};

static bool listed(const char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(names[i], name))
			return true;
	return false;
}

bool mp_driver_is_vfio(const char *driver)
{
	return driver && listed(vfio_drivers, G_N_ELEMENTS(vfio_drivers), driver);
}

/* drivers/vfio/vfio.c, vfio_dev_driver_allowed(): no look at the driver of what is no plain
 * function. */
static bool bridges_keep_drivers(const struct mp_host *host)
{
	return host->platform && host->platform->kernel_release.know == MP_KNOWN &&
	       mp_version_compare(host->platform->kernel_release.text, "5.19") < 0;
}

bool mp_group_member_viable(const struct mp_host *host, const struct mp_pci *member)
{
	switch (member->driver.know) {
	case MP_ABSENT:
		return true;
	case MP_KNOWN:
		return mp_driver_is_vfio(member->driver.text) ||
		       (mp_pci_is_bridge(member) && bridges_keep_drivers(host)) ||
		       listed(harmless_drivers, G_N_ELEMENTS(harmless_drivers),
			       member->driver.text);
	case MP_UNKNOWN:
		break;
	}
	return false;
}

struct mp_group *mp_host_group(const struct mp_host *host, unsigned id)
{
	guint low = 0, high = host->groups->len;

	while (low < high) {
		guint middle = low + (high - low) / 2;
		struct mp_group *group = host->groups->pdata[middle];

		if (group->id == id)
			return group;
		if (group->id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

const struct mp_fact *mp_group_unread(
	const struct mp_host *host, const struct mp_group *group)
{
	/* No source: nobody looked, the devices' links were enough. */
	if (!group->devices_fact.source || group->devices_fact.know == MP_KNOWN)
		return NULL;
	for (guint i = 0; i < host->devices->len; i++) {
		const struct mp_pci *device = host->devices->pdata[i];

		if (!device->group && device->group_fact.know == MP_UNKNOWN)
			return &group->devices_fact;
	}
	return NULL;
}
