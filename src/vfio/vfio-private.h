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

struct mp_vfio;

/* A way to a device file whose function may move data in an address space of its own. */
struct mp_vfio_way {
	const char *name;
	/*
	 * Fills vfio->device. MP_ERROR_NOT_FOUND: this host does not offer the way, another one
	 * may do; any other error is a refusal that holds for all of them. Where it fails, what
	 * it has opened is in VFIO, for close.
	 */
	bool (*open)(struct mp_vfio *vfio, const struct mp_host *host,
		const struct mp_pci *device, GError **error);
	/* Undoes open, however far that came; nothing is mapped any more. */
	void (*close)(struct mp_vfio *vfio);
	/* Fills vfio->ranges and vfio->page_sizes. */
	bool (*learn)(struct mp_vfio *vfio, GError **error);
	/* False: errno tells why. ACCESS: enum mp_vfio_access. */
	bool (*map)(struct mp_vfio *vfio, void *memory, uint64_t iova, uint64_t size,
		unsigned access);
	bool (*unmap)(struct mp_vfio *vfio, uint64_t iova, uint64_t size);
};
extern const struct mp_vfio_way mp_vfio_way_group, mp_vfio_way_cdev;

struct mp_vfio {
	char *address;
	const struct mp_vfio_way *way;
	int container, group; /* by group; -1: not open */
	int iommu;            /* by cdev: /dev/iommu */
	uint32_t ioas;        /* in it; 0: none */
	bool attached;        /* the device to that */
	int device;
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
	bool quiet; /* since mp_vfio_quiet() */
};

/* "0000:01:00.0: cannot ACTION: reason", from errno. False, for return. */
bool mp_vfio_fail(const struct mp_vfio *vfio, const char *action, GError **error);
/* The same with a sentence of one's own. */
bool mp_vfio_refuse(GError **error, enum mp_error code, const char *format, ...)
	G_GNUC_PRINTF(3, 4);

/* --- way.c --- */

/*
 * Opens DEVICE by the first of the ways that WISH allows and the host offers, and learns its
 * ranges.
 */
bool mp_vfio_take_way(struct mp_vfio *vfio, const struct mp_host *host,
	const struct mp_pci *device, enum mp_vfio_wish wish, GError **error);
/* Who has the group of DEVICE open, by the model: "qemu of VM 101 (pid 812)"; NULL: not
 * known. Caller frees. */
char *mp_vfio_holder(const struct mp_host *host, const struct mp_pci *device);
/*
 * Says why the kernel did not give DEVICE when ACTION failed with ERR (positive), in a
 * sentence for each known reason. False, for return.
 */
bool mp_vfio_refused(const struct mp_vfio *vfio, const struct mp_pci *device,
	const char *holder, int err, const char *action, GError **error);
void mp_vfio_add_range(struct mp_vfio *vfio, uint64_t start, uint64_t end);
void mp_vfio_close_fd(int *fd);

/* --- dma.c --- */

/* The BARs' mappings are ended; for the close. */
void mp_vfio_unmap_bars(struct mp_vfio *vfio);
/* Ends all mappings; for the close. */
void mp_vfio_unmap_all(struct mp_vfio *vfio);

#endif
