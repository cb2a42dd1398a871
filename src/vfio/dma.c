/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the device may see of our memory. */
#include "config.h"

#include <errno.h>
#include <sys/resource.h>

#include "vfio/vfio-private.h"

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

/*
 * Two things that the kernel does not tell apart. The limit is one of processes without
 * CAP_IPC_LOCK, by either way (vfio_lock_acct(), iopt_alloc_pages()); whether we have that where
 * the kernel looks, we do not know in a user namespace.
 */
static char *why_no_memory(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_MEMLOCK, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
		return g_strdup("the host has not enough memory");
	return g_strdup_printf(
		"the host has not enough memory, or the limit of locked memory (%" G_GUINT64_FORMAT
		" KiB), which a process without CAP_IPC_LOCK has, is reached; 'ulimit -l "
		"unlimited' lifts it",
		(uint64_t)limit.rlim_cur / 1024);
}

bool mp_vfio_map(struct mp_vfio *vfio, void *memory, uint64_t iova, size_t size,
	unsigned access, GError **error)
{
	const struct mp_vfio_mapping mapping = { iova, size };
	g_autofree char *why = NULL;
	int err;

	if (vfio->way->map(vfio, memory, iova, size, access)) {
		g_array_append_val(vfio->mappings, mapping);
		return true;
	}
	err = errno;
	why = err == ENOMEM ? why_no_memory() : g_strdup(g_strerror(err));
	return mp_vfio_refuse(error, err == ENOMEM ? MP_ERROR_LIMIT : MP_ERROR_IO,
		"%s: cannot map %zu bytes at IOVA 0x%" G_GINT64_MODIFIER "x: %s",
		vfio->address, size, iova, why);
}

bool mp_vfio_unmap(struct mp_vfio *vfio, uint64_t iova, size_t size, GError **error)
{
	if (!vfio->way->unmap(vfio, iova, size))
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

		vfio->way->unmap(vfio, mapping->iova, mapping->size);
	}
	g_array_set_size(vfio->mappings, 0);
}
