/* SPDX-License-Identifier: GPL-2.0-or-later */
/* edma-bits.h - defects of the virtual DMA block by bits, for those who choose them at random. */
#ifndef MP_EDMA_BITS_H
#define MP_EDMA_BITS_H

#include "edma.h"

#define EDMA_BIT_STUCK     0x20u
#define EDMA_BIT_POWER_OFF 0x1000u

static inline struct edma_defects edma_defects_of(uint32_t bits)
{
	return (struct edma_defects){ .drop_irq = bits & 1,
		.wrong_irq = bits & 2,
		.wrong_data = bits & 4,
		.truncated = bits & 8,
		.overrun = bits & 0x10,
		.stuck = bits & EDMA_BIT_STUCK,
		.deaf = bits & 0x40,
		.wrong_status = bits & 0x80,
		.lying = bits & 0x100,
		.status_kept = bits & 0x200,
		.status_quiet = bits & 0x400,
		.mask_ignored = bits & 0x800,
		.power_off = bits & EDMA_BIT_POWER_OFF,
		.soft_reset_all = bits & 0x2000 };
}

#endif
