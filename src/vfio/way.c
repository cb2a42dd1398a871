/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which way into VFIO is taken, and why the kernel refuses one. */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "core/group.h"
#include "core/pci.h"
#include "core/use.h"
#include "vfio/vfio-private.h"

static const char *const wishes[] = {
	[MP_VFIO_ANY_WAY] = "auto",
	[MP_VFIO_BY_GROUP] = "group",
	[MP_VFIO_BY_CDEV] = "cdev",
};

/* In this order: the group is what VMs of Proxmox VE take, so it proves more about them. */
static const struct {
	enum mp_vfio_wish wish;
	const struct mp_vfio_way *way;
} ways[] = {
	{ MP_VFIO_BY_GROUP, &mp_vfio_way_group },
	{ MP_VFIO_BY_CDEV, &mp_vfio_way_cdev },
};

bool mp_vfio_parse_wish(const char *text, enum mp_vfio_wish *wish)
{
	for (size_t i = 0; i < G_N_ELEMENTS(wishes); i++) {
		if (strcmp(wishes[i], text) != 0)
			continue;
		*wish = (enum mp_vfio_wish)i;
		return true;
	}
	return false;
}

const char *mp_vfio_way_name(const struct mp_vfio *vfio)
{
	return vfio->way->name;
}

bool mp_vfio_take_way(struct mp_vfio *vfio, const struct mp_host *host,
	const struct mp_pci *device, enum mp_vfio_wish wish, GError **error)
{
	g_autoptr(GString) absent = g_string_new(NULL);

	for (size_t i = 0; i < G_N_ELEMENTS(ways); i++) {
		g_autoptr(GError) problem = NULL;

		if (wish != MP_VFIO_ANY_WAY && wish != ways[i].wish)
			continue;
		vfio->way = ways[i].way;
		if (vfio->way->open(vfio, host, device, &problem))
			return vfio->way->learn(vfio, error);
		vfio->way->close(vfio);
		if (wish != MP_VFIO_ANY_WAY ||
			!g_error_matches(problem, MP_ERROR, MP_ERROR_NOT_FOUND)) {
			g_propagate_error(error, g_steal_pointer(&problem));
			return false;
		}
		g_string_append_printf(absent, "%sby %s: %s", absent->len ? "; " : "",
			vfio->way->name, problem->message);
	}
	return mp_vfio_refuse(error, MP_ERROR_NOT_FOUND,
		"%s: this host offers no way into VFIO: %s", vfio->address, absent->str);
}

char *mp_vfio_holder(const struct mp_host *host, const struct mp_pci *device)
{
	for (guint i = 0; host->use && i < device->group->members->len; i++) {
		g_autoptr(GPtrArray) uses =
			mp_use_of(host, device->group->members->pdata[i]);

		for (guint u = 0; u < uses->len; u++) {
			const struct mp_use_entry *use = uses->pdata[u];

			if (use->kind == MP_USE_VM || use->kind == MP_USE_OPEN)
				return g_strdup(use->detail);
		}
	}
	return NULL;
}

static bool must_stay_mapped(const struct mp_pci *device)
{
	for (size_t i = 0; i < device->group->reserved_count; i++)
		if (!strcmp(device->group->reserved[i].type, "direct"))
			return true;
	return false;
}

/*
 * Both ways end in the same places of the kernel:
 * - no interrupt remapping: EPERM, of vfio_iommu_type1_attach_group() or, without a line in
 *   the log, of iommufd_device_bind();
 * - memory that firmware wants mapped one to one: EPERM of the former up to 6.5, EINVAL of
 *   __iommu_device_set_domain() since then;
 * - somebody else's: EBUSY of vfio_device_block_group() or __iommu_take_dma_ownership(),
 *   EPERM of iommu_device_claim_dma_owner(), EINVAL of vfio_df_open() (a second one by cdev).
 */
bool mp_vfio_refused(const struct mp_vfio *vfio, const struct mp_pci *device,
	const char *holder, int err, const char *action, GError **error)
{
	bool known = err == EPERM || err == EINVAL || err == EBUSY;

	if (known && holder)
		return mp_vfio_refuse(
			error, MP_ERROR_BUSY, "%s: in use: %s", vfio->address, holder);
	if (err == EBUSY)
		return mp_vfio_refuse(error, MP_ERROR_BUSY,
			"%s: in use: another process has its group open, or a driver of the "
			"host has a member of its IOMMU group %u",
			vfio->address, device->group->id);
	if (known && must_stay_mapped(device))
		return mp_vfio_refuse(error, MP_ERROR_DENIED,
			"%s: the firmware wants memory of the host mapped for it (RMRR or "
			"IVMD), so the kernel refuses it to VFIO; see 'metis-passthrough "
			"explain device-reserved-regions'",
			vfio->address);
	if (err == EPERM)
		return mp_vfio_refuse(error, MP_ERROR_DENIED,
			"%s: the kernel refuses it to VFIO, which it does without interrupt "
			"remapping; see 'metis-passthrough explain interrupt-remapping-active'",
			vfio->address);
	errno = err;
	return mp_vfio_fail(vfio, action, error);
}

void mp_vfio_add_range(struct mp_vfio *vfio, uint64_t start, uint64_t end)
{
	const struct mp_vfio_range range = { start, end };

	if (start <= end)
		g_array_append_val(vfio->ranges, range);
}

void mp_vfio_close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}
