/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What both stand-ins of VFIO, fake-vfio.c and selftest-world-vfio.c, answer alike. */
#include "config.h"

#include "vfio/vfio.h"

/* Around the window of interrupts, 39 bits wide. */
static const struct mp_vfio_range ranges[] = { { 0, 0xfedfffff },
	{ 0xfef00000, 0x7fffffffff } };

const struct mp_vfio_range *mp_vfio_ranges(
	const struct mp_vfio *vfio G_GNUC_UNUSED, size_t *count)
{
	*count = G_N_ELEMENTS(ranges);
	return ranges;
}

bool mp_vfio_iova_usable(
	const struct mp_vfio *vfio G_GNUC_UNUSED, uint64_t iova, size_t size)
{
	for (size_t i = 0; i < G_N_ELEMENTS(ranges); i++)
		if (iova >= ranges[i].start && iova + (size - 1) <= ranges[i].end)
			return true;
	return false;
}

uint64_t mp_vfio_page_sizes(const struct mp_vfio *vfio G_GNUC_UNUSED)
{
	return 0x40201000;
}

const char *mp_vfio_irq_name(enum mp_vfio_irq irq)
{
	static const char *const names[] = { "INTx", "MSI", "MSI-X" };

	return names[irq];
}
