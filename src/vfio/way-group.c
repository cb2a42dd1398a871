/* SPDX-License-Identifier: GPL-2.0-or-later */
/* By group: the IOMMU group in a type1v2 container (include/uapi/linux/vfio.h). */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>

#include "core/group.h"
#include "core/pci.h"
#include "vfio/vfio-private.h"

#define CONTAINER "/dev/vfio/vfio"
#define INFO_MAX  (64u * 1024) /* of the kernel's answer with all ranges */

static bool open_container(struct mp_vfio *vfio, GError **error)
{
	vfio->container = open(CONTAINER, O_RDWR | O_CLOEXEC);
	if (vfio->container < 0 && errno == ENOENT)
		return mp_vfio_refuse(error, MP_ERROR_NOT_FOUND,
			CONTAINER ": is not there; 'modprobe vfio-pci' makes it");
	if (vfio->container < 0) {
		mp_error_set_errno(error, -errno, CONTAINER, "open");
		return false;
	}
	if (ioctl(vfio->container, VFIO_GET_API_VERSION) != VFIO_API_VERSION)
		return mp_vfio_refuse(error, MP_ERROR_IO,
			CONTAINER ": speaks another version of VFIO than this program");
	if (ioctl(vfio->container, VFIO_CHECK_EXTENSION, VFIO_TYPE1v2_IOMMU) != 1)
		return mp_vfio_refuse(error, MP_ERROR_NOT_FOUND,
			CONTAINER ": has no type 1 IOMMU; 'modprobe vfio_iommu_type1'");
	return true;
}

static bool open_group(struct mp_vfio *vfio, const struct mp_host *host,
	const struct mp_pci *device, GError **error)
{
	g_autofree char *path = g_strdup_printf("/dev/vfio/%u", device->group->id);
	struct vfio_group_status status = { .argsz = sizeof(status) };

	vfio->group = open(path, O_RDWR | O_CLOEXEC);
	if (vfio->group < 0 && errno == EBUSY) {
		g_autofree char *holder = mp_vfio_holder(host, device);

		return mp_vfio_refuse(error, MP_ERROR_BUSY, "%s: in use: %s",
			vfio->address,
			holder ? holder : "another process has its group open");
	}
	if (vfio->group < 0) {
		mp_error_set_errno(error, -errno, path, "open");
		return false;
	}
	if (ioctl(vfio->group, VFIO_GROUP_GET_STATUS, &status) < 0)
		return mp_vfio_fail(vfio, "ask for the state of its group", error);
	if (!(status.flags & VFIO_GROUP_FLAGS_VIABLE))
		return mp_vfio_refuse(error, MP_ERROR_BUSY,
			"%s: the kernel calls its IOMMU group %u not viable: a member is with "
			"a driver of the host",
			vfio->address, device->group->id);
	if (ioctl(vfio->group, VFIO_GROUP_SET_CONTAINER, &vfio->container) < 0)
		return mp_vfio_fail(vfio, "join its group to a container", error);
	return true;
}

static bool open_way(struct mp_vfio *vfio, const struct mp_host *host,
	const struct mp_pci *device, GError **error)
{
	if (!open_container(vfio, error) || !open_group(vfio, host, device, error))
		return false;
	/* The group is ours by now, so nobody else holds it. */
	if (ioctl(vfio->container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) < 0)
		return mp_vfio_refused(vfio, device, NULL, errno,
			"attach its group to the IOMMU", error);
	vfio->device = ioctl(vfio->group, VFIO_GROUP_GET_DEVICE_FD, vfio->address);
	return vfio->device >= 0 || mp_vfio_fail(vfio, "open it", error);
}

static void close_way(struct mp_vfio *vfio)
{
	/* In this order: the kernel detaches the group when its last device is closed. */
	mp_vfio_close_fd(&vfio->device);
	mp_vfio_close_fd(&vfio->group);
	mp_vfio_close_fd(&vfio->container);
}

/*
 * Where the capability ID begins in the chain, which is the kernel's answer and so not trusted;
 * 0: nowhere. Up to Linux 6.5 one of 12 bytes moves those behind it off the places that their
 * numbers want, so nothing is read there but by memcpy().
 */
static size_t find_capability(
	const struct vfio_iommu_type1_info *info, size_t size, unsigned id)
{
	size_t at = info->flags & VFIO_IOMMU_INFO_CAPS ? info->cap_offset : 0;

	for (unsigned hops = 0; at && hops < 32; hops++) {
		struct vfio_info_cap_header header;

		if (at + sizeof(header) > size)
			return 0;
		memcpy(&header, (const char *)info + at, sizeof(header));
		if (header.id == id)
			return at;
		at = header.next;
	}
	return 0;
}

static void take_ranges(
	struct mp_vfio *vfio, const struct vfio_iommu_type1_info *info, size_t size)
{
	size_t at = find_capability(info, size, VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE);
	struct vfio_iommu_type1_info_cap_iova_range cap;
	struct vfio_iova_range range;

	if (!at || at + sizeof(cap) > size)
		return;
	memcpy(&cap, (const char *)info + at, sizeof(cap));
	at += sizeof(cap);
	for (uint32_t i = 0; i < cap.nr_iovas && at + sizeof(range) <= size; i++) {
		memcpy(&range, (const char *)info + at, sizeof(range));
		mp_vfio_add_range(vfio, range.start, range.end);
		at += sizeof(range);
	}
}

static bool learn(struct mp_vfio *vfio, GError **error)
{
	struct vfio_iommu_type1_info first = { .argsz = sizeof(first) };

	if (ioctl(vfio->container, VFIO_IOMMU_GET_INFO, &first) < 0)
		return mp_vfio_fail(vfio, "ask for the usable IOVAs", error);
	size_t size = CLAMP(first.argsz, sizeof(first), INFO_MAX);
	g_autofree struct vfio_iommu_type1_info *info = g_malloc0(size);

	info->argsz = (uint32_t)size;
	if (ioctl(vfio->container, VFIO_IOMMU_GET_INFO, info) < 0)
		return mp_vfio_fail(vfio, "ask for the usable IOVAs", error);
	vfio->page_sizes = info->flags & VFIO_IOMMU_INFO_PGSIZES ? info->iova_pgsizes : 0;
	if (!vfio->page_sizes)
		vfio->page_sizes = 4096;
	take_ranges(vfio, info, size);
	return true;
}

static bool map(
	struct mp_vfio *vfio, void *memory, uint64_t iova, uint64_t size, unsigned access)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = (access & MP_VFIO_READ ? VFIO_DMA_MAP_FLAG_READ : 0u) |
			 (access & MP_VFIO_WRITE ? VFIO_DMA_MAP_FLAG_WRITE : 0u),
		.vaddr = (uintptr_t)memory,
		.iova = iova,
		.size = size,
	};

	return ioctl(vfio->container, VFIO_IOMMU_MAP_DMA, &map) == 0;
}

static bool unmap(struct mp_vfio *vfio, uint64_t iova, uint64_t size)
{
	struct vfio_iommu_type1_dma_unmap map = {
		.argsz = sizeof(map),
		.iova = iova,
		.size = size,
	};

	return ioctl(vfio->container, VFIO_IOMMU_UNMAP_DMA, &map) == 0;
}

const struct mp_vfio_way mp_vfio_way_group = {
	.name = "group",
	.open = open_way,
	.close = close_way,
	.learn = learn,
	.map = map,
	.unmap = unmap,
};
