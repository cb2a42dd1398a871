/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * By cdev: the function's own file, bound to an address space (IOAS) of /dev/iommu
 * (Documentation/driver-api/vfio.rst, "IOMMUFD and vfio_device"; drivers/vfio/device_cdev.c).
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "core/group.h"
#include "core/pci.h"
#include "vfio/iommufd-abi.h"
#include "vfio/vfio-private.h"

#define IOMMU      "/dev/iommu"
#define PREFIX     "vfio"
/* Reserved regions split the address space; a host has a handful of them. */
#define RANGES     64u
#define RANGES_MAX 65536u

/* "vfio3", which sysfs has also without the file (Linux 6.1); NULL: none. Caller frees. */
static char *name_of(struct mp_root *root, const char *directory)
{
	g_auto(GStrv) names = NULL;
	uint64_t number;

	if (mp_root_list(root, directory, &names) < 0)
		return NULL;
	for (char **name = names; *name; name++)
		if (g_str_has_prefix(*name, PREFIX) &&
			mp_parse_uint(*name + strlen(PREFIX), 10, &number))
			return g_strdup(*name);
	return NULL;
}

/* "236:0" */
static bool parse_number(const char *text, dev_t *number)
{
	g_auto(GStrv) parts = g_strsplit(text, ":", 2);
	uint64_t major_number, minor_number;

	if (!parts[0] || !parts[1] || !mp_parse_uint(parts[0], 10, &major_number) ||
		!mp_parse_uint(parts[1], 10, &minor_number) ||
		major_number > UINT32_MAX || minor_number > UINT32_MAX)
		return false;
	*number = makedev((unsigned)major_number, (unsigned)minor_number);
	return true;
}

/* The function's file and its number, which a file of an earlier function may not have. */
static char *find_file(const struct mp_vfio *vfio, dev_t *number, GError **error)
{
	g_autoptr(mp_root) root = mp_root_open(NULL, error);
	g_autofree char *directory =
		g_strdup_printf("sys/bus/pci/devices/%s/vfio-dev", vfio->address);
	g_autofree char *name = NULL;
	g_autofree char *path = NULL;
	g_autofree char *text = NULL;

	if (!root)
		return NULL;
	name = name_of(root, directory);
	path = g_strdup_printf("%s/%s/dev", directory, name ? name : "");
	if (name && mp_root_read(root, path, MP_READ_ATTR, &text, NULL) >= 0 &&
		parse_number(g_strstrip(text), number))
		return g_strdup_printf("/dev/vfio/devices/%s", name);
	mp_vfio_refuse(error, MP_ERROR_NOT_FOUND,
		"%s: the kernel has no file of its own for it: it is older than 6.6, or built "
		"without CONFIG_VFIO_DEVICE_CDEV",
		vfio->address);
	return NULL;
}

static bool open_device(struct mp_vfio *vfio, GError **error)
{
	dev_t number = 0;
	g_autofree char *path = find_file(vfio, &number, error);
	struct stat status;

	if (!path)
		return false;
	vfio->device = open(path, O_RDWR | O_CLOEXEC);
	if (vfio->device < 0) {
		mp_error_set_errno(error, -errno, path, "open");
		return false;
	}
	if (fstat(vfio->device, &status) == 0 && S_ISCHR(status.st_mode) &&
		status.st_rdev == number)
		return true;
	return mp_vfio_refuse(error, MP_ERROR_IO,
		"%s: is not the file of %s: its number is another one than the kernel's",
		path, vfio->address);
}

static bool open_iommu(struct mp_vfio *vfio, GError **error)
{
	vfio->iommu = open(IOMMU, O_RDWR | O_CLOEXEC);
	if (vfio->iommu >= 0)
		return true;
	if (errno == ENOENT)
		return mp_vfio_refuse(error, MP_ERROR_NOT_FOUND,
			IOMMU
			": is not there; 'modprobe iommufd' makes it, where the kernel "
			"was built with it");
	mp_error_set_errno(error, -errno, IOMMU, "open");
	return false;
}

static bool attach(struct mp_vfio *vfio, const struct mp_host *host,
	const struct mp_pci *device, GError **error)
{
	g_autofree char *holder = mp_vfio_holder(host, device);
	struct mp_abi_bind bind = { .argsz = sizeof(bind), .iommufd = vfio->iommu };
	struct mp_abi_ioas ioas = { .size = sizeof(ioas) };
	struct mp_abi_attach attach = { .argsz = sizeof(attach) };

	if (ioctl(vfio->device, MP_ABI_BIND, &bind) < 0)
		return mp_vfio_refused(
			vfio, device, holder, errno, "bind it to " IOMMU, error);
	if (ioctl(vfio->iommu, MP_ABI_IOAS_ALLOC, &ioas) < 0)
		return mp_vfio_fail(vfio, "make an address space for it", error);
	vfio->ioas = attach.table = ioas.id;
	/* It is ours by now. */
	if (ioctl(vfio->device, MP_ABI_ATTACH, &attach) < 0)
		return mp_vfio_refused(vfio, device, NULL, errno,
			"attach it to an address space", error);
	vfio->attached = true;
	return true;
}

static bool open_way(struct mp_vfio *vfio, const struct mp_host *host,
	const struct mp_pci *device, GError **error)
{
	return open_device(vfio, error) && open_iommu(vfio, error) &&
	       attach(vfio, host, device, error);
}

static void close_way(struct mp_vfio *vfio)
{
	struct mp_abi_detach detach = { .argsz = sizeof(detach) };
	struct mp_abi_destroy destroy = { .size = sizeof(destroy), .id = vfio->ioas };

	/* The kernel does all of this at the last close too, whatever is refused here. */
	if (vfio->attached)
		ioctl(vfio->device, MP_ABI_DETACH, &detach);
	vfio->attached = false;
	mp_vfio_close_fd(&vfio->device);
	if (vfio->ioas)
		ioctl(vfio->iommu, MP_ABI_DESTROY, &destroy);
	vfio->ioas = 0;
	mp_vfio_close_fd(&vfio->iommu);
}

static bool learn(struct mp_vfio *vfio, GError **error)
{
	uint32_t room = RANGES;

	for (;;) {
		g_autofree struct mp_abi_range *found = g_new0(struct mp_abi_range, room);
		struct mp_abi_ranges ask = {
			.size = sizeof(ask),
			.ioas = vfio->ioas,
			.count = room,
			.ranges = (uintptr_t)found,
		};
		int got = ioctl(vfio->iommu, MP_ABI_IOAS_RANGES, &ask);

		if (got < 0 && errno == EMSGSIZE && ask.count > room &&
			ask.count <= RANGES_MAX) {
			room = ask.count;
			continue;
		}
		if (got < 0)
			return mp_vfio_fail(vfio, "ask for the usable IOVAs", error);
		for (uint32_t i = 0; i < MIN(ask.count, room); i++)
			mp_vfio_add_range(vfio, found[i].start, found[i].last);
		/* 1 is "any": the pages are the CPU's then. */
		vfio->page_sizes =
			ask.alignment > 4096 && !(ask.alignment & (ask.alignment - 1))
				? ask.alignment
				: 4096;
		return true;
	}
}

static bool map(
	struct mp_vfio *vfio, void *memory, uint64_t iova, uint64_t size, unsigned access)
{
	struct mp_abi_map map = {
		.size = sizeof(map),
		.flags = MP_ABI_MAP_FIXED |
			 (access & MP_VFIO_READ ? MP_ABI_MAP_READABLE : 0u) |
			 (access & MP_VFIO_WRITE ? MP_ABI_MAP_WRITABLE : 0u),
		.ioas = vfio->ioas,
		.memory = (uintptr_t)memory,
		.length = size,
		.iova = iova,
	};

	return ioctl(vfio->iommu, MP_ABI_IOAS_MAP, &map) == 0;
}

static bool unmap(struct mp_vfio *vfio, uint64_t iova, uint64_t size)
{
	struct mp_abi_unmap unmap = {
		.size = sizeof(unmap),
		.ioas = vfio->ioas,
		.iova = iova,
		.length = size,
	};

	return ioctl(vfio->iommu, MP_ABI_IOAS_UNMAP, &unmap) == 0;
}

const struct mp_vfio_way mp_vfio_way_cdev = {
	.name = "cdev",
	.open = open_way,
	.close = close_way,
	.learn = learn,
	.map = map,
	.unmap = unmap,
};
