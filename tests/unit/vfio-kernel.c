/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "core/root.h"
#include "vfio-kernel.h"
#include "vfio/iommufd-abi.h"

#define IOAS        5u
#define CONFIG_SIZE 256

struct kernel kernel;
const char *kernel_sysroot;

static bool fails(unsigned long call)
{
	kernel.calls++;
	if ((kernel.fail && kernel.fail == call) ||
		(kernel.fail_at && kernel.fail_at == kernel.calls)) {
		errno = kernel.fail_errno;
		return true;
	}
	return false;
}

static int refuse(int err)
{
	errno = err;
	return -1;
}

static int config_file(void)
{
	static const uint16_t header[] = { 0x1f9d, 0x1100,
		PCI_COMMAND_IO | PCI_COMMAND_MASTER };
	static const uint16_t ones[] = { 0xffff, 0xffff, 0xffff };
	int fd = memfd_create("config", MFD_CLOEXEC);

	assert_int_equal(ftruncate(fd, CONFIG_SIZE), 0);
	assert_int_equal(pwrite(fd, header, sizeof(header), 0), sizeof(header));
	if (kernel.ones)
		assert_int_equal(pwrite(fd, ones, sizeof(ones), 0), sizeof(ones));
	return fd;
}

uint16_t kernel_command(void)
{
	uint16_t value = 0;

	assert_int_equal(pread(kernel.device, &value, 2, PCI_COMMAND), 2);
	return value;
}

/* FD is *SLOT now, and no more what had that number before. */
static int give(int *slot, int fd)
{
	int *const slots[] = { &kernel.device, &kernel.iommu_fd, &kernel.container_fd,
		&kernel.group_fd };

	for (size_t i = 0; i < G_N_ELEMENTS(slots); i++)
		if (*slots[i] == fd)
			*slots[i] = -1;
	return *slot = fd;
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
	const struct {
		const char *path;
		bool offered;
		int *slot;
	} files[] = {
		{ "/dev/vfio/vfio", kernel.container, &kernel.container_fd },
		{ "/dev/vfio/7", kernel.group, &kernel.group_fd },
		{ "/dev/iommu", kernel.iommu, &kernel.iommu_fd },
	};

	if (!g_str_has_prefix(path, "/dev/"))
		return __real_open(path, flags);
	assert_int_equal(flags, O_RDWR | O_CLOEXEC);
	if (fails(0))
		return -1;
	for (size_t i = 0; i < G_N_ELEMENTS(files); i++)
		if (!strcmp(files[i].path, path) && files[i].offered)
			return give(files[i].slot, __real_open("/dev/null", O_RDWR));
	if (!strcmp(path, "/dev/vfio/devices/vfio3") && kernel.file)
		return give(&kernel.device, config_file());
	return refuse(ENOENT);
}

int __real_fstat(int fd, struct stat *status);
int __wrap_fstat(int fd, struct stat *status);
int __wrap_fstat(int fd, struct stat *status)
{
	int got = __real_fstat(fd, status);

	if (got == 0 && fd == kernel.device && status->st_size == CONFIG_SIZE)
		*status = (struct stat){ .st_mode = S_IFCHR,
			.st_rdev = makedev(236, kernel.minor) };
	return got;
}

ssize_t __real_pwrite(int fd, const void *data, size_t size, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *data, size_t size, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *data, size_t size, off_t offset)
{
	return kernel.deaf ? (ssize_t)size : __real_pwrite(fd, data, size, offset);
}

int __wrap_getrlimit(int resource, struct rlimit *limit);
int __wrap_getrlimit(int resource, struct rlimit *limit)
{
	assert_int_equal(resource, RLIMIT_MEMLOCK);
	*limit = (struct rlimit){ kernel.memlock, kernel.memlock };
	return 0;
}

struct mp_root *__real_mp_root_open(const char *path, GError **error);
struct mp_root *__wrap_mp_root_open(const char *path, GError **error);
struct mp_root *__wrap_mp_root_open(const char *path, GError **error)
{
	return __real_mp_root_open(path ? path : kernel_sysroot, error);
}

static int give_ranges(struct mp_abi_ranges *ask)
{
	struct mp_abi_range *out = (struct mp_abi_range *)(uintptr_t)ask->ranges;
	uint32_t room = ask->count;

	ask->count = kernel.ranges;
	ask->alignment = kernel.alignment;
	if (room < kernel.ranges)
		return refuse(EMSGSIZE);
	for (uint32_t i = 0; i < kernel.ranges; i++)
		out[i] = (struct mp_abi_range){ i * 0x10000ull, i * 0x10000ull + 0xfff };
	return 0;
}

static int on_iommu(unsigned long call, void *data)
{
	switch (call) {
	case MP_ABI_IOAS_ALLOC:
		((struct mp_abi_ioas *)data)->id = IOAS;
		kernel.ioas = true;
		return 0;
	case MP_ABI_DESTROY:
		assert_int_equal(((struct mp_abi_destroy *)data)->id, IOAS);
		if (kernel.attached)
			return refuse(EBUSY);
		kernel.ioas = false;
		return 0;
	case MP_ABI_IOAS_RANGES:
		return give_ranges(data);
	case MP_ABI_IOAS_MAP:
		kernel.flags = ((struct mp_abi_map *)data)->flags;
		kernel.mapped++;
		return 0;
	case MP_ABI_IOAS_UNMAP:
		assert_true(kernel.attached);
		kernel.mapped--;
		return 0;
	default:
		return refuse(ENOTTY);
	}
}

static int on_device(unsigned long call, void *data)
{
	struct vfio_region_info *region = data;

	switch (call) {
	case MP_ABI_BIND:
		assert_int_equal(((struct mp_abi_bind *)data)->iommufd, kernel.iommu_fd);
		kernel.bound = true;
		return 0;
	case MP_ABI_ATTACH:
		assert_true(kernel.bound);
		assert_int_equal(((struct mp_abi_attach *)data)->table, IOAS);
		kernel.attached = true;
		return 0;
	case MP_ABI_DETACH:
		assert_int_equal(kernel.mapped, 0);
		kernel.attached = false;
		return 0;
	case VFIO_DEVICE_GET_INFO:
		*(struct vfio_device_info *)data = (struct vfio_device_info){
			.flags = VFIO_DEVICE_FLAGS_PCI |
				 (kernel.resets ? VFIO_DEVICE_FLAGS_RESET : 0u),
			.num_regions = 9,
		};
		return 0;
	case VFIO_DEVICE_GET_REGION_INFO:
		region->size = region->index == VFIO_PCI_CONFIG_REGION_INDEX ? CONFIG_SIZE
									     : kernel.bar;
		return 0;
	case VFIO_DEVICE_GET_IRQ_INFO:
		((struct vfio_irq_info *)data)->flags = VFIO_IRQ_INFO_EVENTFD;
		((struct vfio_irq_info *)data)->count = kernel.irqs;
		return 0;
	case VFIO_DEVICE_SET_IRQS:
		return ((struct vfio_irq_set *)data)->count > kernel.granted
			       ? (int)kernel.granted
			       : 0;
	case VFIO_DEVICE_RESET:
		/* Nothing moves when it comes. */
		g_string_append(kernel.order,
			kernel_command() & PCI_COMMAND_MASTER ? "BAD " : "reset ");
		return 0;
	default:
		return refuse(ENOTTY);
	}
}

static int on_group(unsigned long call, void *data)
{
	switch (call) {
	case VFIO_GROUP_GET_STATUS:
		((struct vfio_group_status *)data)->flags =
			kernel.not_viable ? 0 : VFIO_GROUP_FLAGS_VIABLE;
		return 0;
	case VFIO_GROUP_SET_CONTAINER:
		kernel.joined = true;
		return 0;
	case VFIO_GROUP_GET_DEVICE_FD:
		assert_string_equal(data, BDF);
		assert_true(kernel.attached);
		return give(&kernel.device, config_file());
	default:
		return refuse(ENOTTY);
	}
}

/* As vfio_iommu_type1_get_info(): all of it where there is room, else how much room it takes. */
static int give_info(struct vfio_iommu_type1_info *info)
{
	const struct vfio_iommu_type1_info *answer = kernel.answer;
	uint32_t room = info->argsz;

	info->iova_pgsizes = 0x1000;
	info->flags = VFIO_IOMMU_INFO_PGSIZES;
	if (answer && room >= answer->argsz)
		memcpy(info, answer, answer->argsz);
	else if (answer)
		info->argsz = answer->argsz;
	return 0;
}

static int on_container(unsigned long call, void *data)
{
	switch (call) {
	case VFIO_GET_API_VERSION:
		return VFIO_API_VERSION + kernel.other_version;
	case VFIO_CHECK_EXTENSION:
		return kernel.type1;
	case VFIO_SET_IOMMU:
		assert_true(kernel.joined);
		kernel.attached = true;
		return 0;
	case VFIO_IOMMU_GET_INFO:
		return give_info(data);
	case VFIO_IOMMU_MAP_DMA:
		kernel.flags = ((struct vfio_iommu_type1_dma_map *)data)->flags;
		kernel.mapped++;
		return 0;
	case VFIO_IOMMU_UNMAP_DMA:
		kernel.mapped--;
		return 0;
	default:
		return refuse(ENOTTY);
	}
}

int __wrap_ioctl(int fd, unsigned long call, ...);
int __wrap_ioctl(int fd, unsigned long call, ...)
{
	va_list args;
	void *data;

	va_start(args, call);
	data = va_arg(args, void *);
	va_end(args);
	if (fails(call))
		return -1;
	if (fd == kernel.iommu_fd)
		return on_iommu(call, data);
	if (fd == kernel.group_fd)
		return on_group(call, data);
	if (fd == kernel.container_fd)
		return on_container(call, data);
	assert_int_equal(fd, kernel.device);
	return on_device(call, data);
}
