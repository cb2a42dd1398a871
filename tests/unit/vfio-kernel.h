/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vfio-kernel.h - the part of a kernel that src/vfio opens a device by, in a few lines, for
 * unit tests. Its calls are those of --wrap; its files are real (memory or /dev/null), so that
 * a leak of them can be counted.
 */
#ifndef MP_VFIO_KERNEL_H
#define MP_VFIO_KERNEL_H

#include <glib.h>
#include <linux/vfio.h>
#include <stdbool.h>
#include <stdint.h>

#define BDF   "0000:01:00.0"
#define GROUP 7

struct kernel {
	bool container, type1, group, iommu, file; /* what this host offers */
	bool resets;
	bool other_version, not_viable; /* what it says of itself, and of the group */
	bool ones;                      /* configuration space of a card that is gone */
	uint64_t bar;                   /* size of each, none of which may be mapped */
	unsigned irqs, granted; /* of each kind, and how many of them it has left */
	unsigned long fail;     /* this call fails with fail_errno; 0: none */
	int fail_errno;
	unsigned fail_at, calls; /* or the call of this number, from 1 on */
	bool deaf;               /* writes to configuration space are lost */
	unsigned minor;          /* of the device's file */
	uint64_t memlock;        /* the limit of locked memory of this process */
	uint32_t ranges;
	uint64_t alignment;
	const struct vfio_iommu_type1_info
		*answer; /* by group, with all capabilities; or NULL */
	unsigned flags;  /* of the last mapping */
	/* State. */
	int device, iommu_fd, container_fd, group_fd;
	bool bound, joined, attached, ioas;
	unsigned mapped;
	GString *order; /* of what was done */
};
extern struct kernel kernel;

/* What root of a host mp_root_open(NULL) gives. */
extern const char *kernel_sysroot;

/* The device's command register, as it is. */
uint16_t kernel_command(void);

#endif
