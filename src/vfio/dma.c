/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the device may see of our memory. */
#include "config.h"

#include <errno.h>
#include <sys/ioctl.h>

#include "vfio/vfio-private.h"

#define INFO_MAX (64u * 1024) /* of the kernel's answer with all ranges */

/* The chain of capabilities, as the kernel's answer is: not trusted. */
static const struct vfio_info_cap_header *find_capability(
	const struct vfio_iommu_type1_info *info, size_t size, unsigned id)
{
	size_t at = info->flags & VFIO_IOMMU_INFO_CAPS ? info->cap_offset : 0;

	for (unsigned hops = 0; at && hops < 32; hops++) {
		const struct vfio_info_cap_header *header;

		if (at + sizeof(*header) > size)
			return NULL;
		header = (const void *)((const char *)info + at);
		if (header->id == id)
			return header;
		at = header->next;
	}
	return NULL;
}

static void take_ranges(
	struct mp_vfio *vfio, const struct vfio_iommu_type1_info *info, size_t size)
{
	const struct vfio_info_cap_header *header =
		find_capability(info, size, VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE);
	const struct vfio_iommu_type1_info_cap_iova_range *cap = (const void *)header;
	size_t at = header ? (size_t)((const char *)header - (const char *)info) : 0;

	for (uint32_t i = 0; header && i < cap->nr_iovas; i++) {
		const struct mp_vfio_range range = { cap->iova_ranges[i].start,
			cap->iova_ranges[i].end };

		if (at + sizeof(*cap) + (i + 1) * sizeof(cap->iova_ranges[0]) > size)
			return;
		if (range.start <= range.end)
			g_array_append_val(vfio->ranges, range);
	}
}

bool mp_vfio_learn_dma(struct mp_vfio *vfio, GError **error)
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

const struct mp_vfio_range *mp_vfio_ranges(const struct mp_vfio *vfio, size_t *count)
{
	*count = vfio->ranges->len;
	return (const struct mp_vfio_range *)(const void *)vfio->ranges->data;
}

bool mp_vfio_iova_usable(const struct mp_vfio *vfio, uint64_t iova, size_t size)
{
	if (!size || iova + (size - 1) < iova)
		return false;
	for (guint i = 0; i < vfio->ranges->len; i++) {
		const struct mp_vfio_range *range =
			&g_array_index(vfio->ranges, struct mp_vfio_range, i);

		if (iova >= range->start && iova + (size - 1) <= range->end)
			return true;
	}
	return !vfio->ranges->len;
}

uint64_t mp_vfio_page_sizes(const struct mp_vfio *vfio)
{
	return vfio->page_sizes;
}

bool mp_vfio_map(struct mp_vfio *vfio, void *memory, uint64_t iova, size_t size,
	unsigned access, GError **error)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = (access & MP_VFIO_READ ? VFIO_DMA_MAP_FLAG_READ : 0u) |
			 (access & MP_VFIO_WRITE ? VFIO_DMA_MAP_FLAG_WRITE : 0u),
		.vaddr = (uintptr_t)memory,
		.iova = iova,
		.size = size,
	};
	const struct mp_vfio_mapping mapping = { iova, size };

	if (ioctl(vfio->container, VFIO_IOMMU_MAP_DMA, &map) == 0) {
		g_array_append_val(vfio->mappings, mapping);
		return true;
	}
	if (errno == ENOMEM) {
		g_set_error(error, MP_ERROR, MP_ERROR_LIMIT,
			"%s: cannot map %zu bytes at IOVA 0x%" G_GINT64_MODIFIER
			"x: the limit of locked memory is reached (ulimit -l)",
			vfio->address, size, iova);
		return false;
	}
	g_set_error(error, MP_ERROR, MP_ERROR_IO,
		"%s: cannot map %zu bytes at IOVA 0x%" G_GINT64_MODIFIER "x: %s",
		vfio->address, size, iova, g_strerror(errno));
	return false;
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

bool mp_vfio_unmap(struct mp_vfio *vfio, uint64_t iova, size_t size, GError **error)
{
	if (!unmap(vfio, iova, size))
		return mp_vfio_fail(vfio, "unmap memory", error);
	for (guint i = 0; i < vfio->mappings->len; i++) {
		const struct mp_vfio_mapping *mapping =
			&g_array_index(vfio->mappings, struct mp_vfio_mapping, i);

		if (mapping->iova == iova && mapping->size == size) {
			g_array_remove_index_fast(vfio->mappings, i);
			break;
		}
	}
	return true;
}

void mp_vfio_unmap_all(struct mp_vfio *vfio)
{
	for (guint i = 0; i < vfio->mappings->len; i++) {
		const struct mp_vfio_mapping *mapping =
			&g_array_index(vfio->mappings, struct mp_vfio_mapping, i);

		unmap(vfio, mapping->iova, mapping->size);
	}
	g_array_set_size(vfio->mappings, 0);
}
