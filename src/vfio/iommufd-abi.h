/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * iommufd-abi.h - the few calls of /dev/iommu and of VFIO's device files that we make: what
 * include/uapi/linux/iommufd.h and vfio.h have from Linux 6.6 on. Said again here, because
 * the headers of Debian 12 (6.1) lack them. Only what that first version had, so that every
 * kernel takes it: later ones made the structures longer, and look at the given size.
 */
#ifndef MP_IOMMUFD_ABI_H
#define MP_IOMMUFD_ABI_H

#include <linux/ioctl.h>
#include <linux/vfio.h>
#include <stdint.h>

/* --- on a device file, /dev/vfio/devices/vfioN --- */

struct mp_abi_bind {
	uint32_t argsz;
	uint32_t flags;
	int32_t iommufd;
	uint32_t device; /* out */
};

struct mp_abi_attach {
	uint32_t argsz;
	uint32_t flags;
	uint32_t table; /* in: an IOAS; out: what it became */
};

struct mp_abi_detach {
	uint32_t argsz;
	uint32_t flags;
};

#define MP_ABI_BIND   _IO(VFIO_TYPE, VFIO_BASE + 18)
#define MP_ABI_ATTACH _IO(VFIO_TYPE, VFIO_BASE + 19)
#define MP_ABI_DETACH _IO(VFIO_TYPE, VFIO_BASE + 20)

/* --- on /dev/iommu --- */

struct mp_abi_destroy {
	uint32_t size;
	uint32_t id;
};

struct mp_abi_ioas {
	uint32_t size;
	uint32_t flags;
	uint32_t id; /* out */
};

struct mp_abi_range {
	uint64_t start, last; /* inclusive */
};

struct mp_abi_ranges {
	uint32_t size;
	uint32_t ioas;
	uint32_t
		count; /* in: room; out: how many there are, more than room with EMSGSIZE */
	uint32_t reserved;
	uint64_t ranges;    /* address of struct mp_abi_range[] */
	uint64_t alignment; /* out: of addresses and sizes that are mapped */
};

#define MP_ABI_MAP_FIXED    (1u << 0)
#define MP_ABI_MAP_WRITABLE (1u << 1)
#define MP_ABI_MAP_READABLE (1u << 2)

struct mp_abi_map {
	uint32_t size;
	uint32_t flags;
	uint32_t ioas;
	uint32_t reserved;
	uint64_t memory;
	uint64_t length;
	uint64_t iova;
};

struct mp_abi_unmap {
	uint32_t size;
	uint32_t ioas;
	uint64_t iova;
	uint64_t length; /* out: what was unmapped */
};

#define MP_ABI_IOMMUFD_TYPE ';'
#define MP_ABI_DESTROY      _IO(MP_ABI_IOMMUFD_TYPE, 0x80)
#define MP_ABI_IOAS_ALLOC   _IO(MP_ABI_IOMMUFD_TYPE, 0x81)
#define MP_ABI_IOAS_RANGES  _IO(MP_ABI_IOMMUFD_TYPE, 0x84)
#define MP_ABI_IOAS_MAP     _IO(MP_ABI_IOMMUFD_TYPE, 0x85)
#define MP_ABI_IOAS_UNMAP   _IO(MP_ABI_IOMMUFD_TYPE, 0x86)

_Static_assert(sizeof(struct mp_abi_bind) == 16, "VFIO_DEVICE_BIND_IOMMUFD");
_Static_assert(sizeof(struct mp_abi_attach) == 12, "VFIO_DEVICE_ATTACH_IOMMUFD_PT");
_Static_assert(sizeof(struct mp_abi_detach) == 8, "VFIO_DEVICE_DETACH_IOMMUFD_PT");
_Static_assert(sizeof(struct mp_abi_destroy) == 8, "IOMMU_DESTROY");
_Static_assert(sizeof(struct mp_abi_ioas) == 12, "IOMMU_IOAS_ALLOC");
_Static_assert(sizeof(struct mp_abi_range) == 16, "struct iommu_iova_range");
_Static_assert(sizeof(struct mp_abi_ranges) == 32, "IOMMU_IOAS_IOVA_RANGES");
_Static_assert(sizeof(struct mp_abi_map) == 40, "IOMMU_IOAS_MAP");
_Static_assert(sizeof(struct mp_abi_unmap) == 24, "IOMMU_IOAS_UNMAP");

#ifdef VFIO_DEVICE_BIND_IOMMUFD
_Static_assert(MP_ABI_BIND == VFIO_DEVICE_BIND_IOMMUFD, "as the system's header");
_Static_assert(MP_ABI_ATTACH == VFIO_DEVICE_ATTACH_IOMMUFD_PT, "as the system's header");
_Static_assert(MP_ABI_DETACH == VFIO_DEVICE_DETACH_IOMMUFD_PT, "as the system's header");
#endif

#endif
