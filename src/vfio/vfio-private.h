/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vfio-private.h - what the files of src/vfio share about an open function. */
#ifndef MP_VFIO_PRIVATE_H
#define MP_VFIO_PRIVATE_H

#include <linux/vfio.h>

#include "vfio/vfio.h"

#define MP_VFIO_BARS 6

struct mp_vfio_saved {
	unsigned offset, width;
	uint32_t value;
};

struct mp_vfio_mapping {
	uint64_t iova, size;
};

struct mp_mmio {
	void *memory; /* NULL: not mapped yet */
	size_t size;
};

struct mp_vfio {
	char *address;
	int container, group, device; /* -1: not open */
	struct vfio_device_info info;
	struct vfio_region_info config;
	struct mp_mmio bars[MP_VFIO_BARS];
	struct vfio_irq_info irqs[3]; /* by enum mp_vfio_irq */
	int *irq_fds;                 /* of the enabled vectors, or NULL */
	unsigned irq_enabled;
	enum mp_vfio_irq irq_kind;
	GArray *ranges;   /* struct mp_vfio_range */
	GArray *mappings; /* struct mp_vfio_mapping: what is mapped now */
	GArray *saved;    /* struct mp_vfio_saved, the first write first */
	uint64_t page_sizes;
};

/* "0000:01:00.0: cannot ACTION: reason", from errno. False, for return. */
bool mp_vfio_fail(const struct mp_vfio *vfio, const char *action, GError **error);
/* Fills ranges and page_sizes from the container. */
bool mp_vfio_learn_dma(struct mp_vfio *vfio, GError **error);
/* Ends all mappings; for the close. */
void mp_vfio_unmap_all(struct mp_vfio *vfio);

#endif
