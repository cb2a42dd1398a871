// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vendor METHOD ADDRESS WINDOW WORD...: the vendor's driver in the node ("host session"). It is a
 * process, not a kernel driver, by one of two methods:
 *
 *   vfio   through VFIO's type 1: 32 real interrupts of the host, their message as configuration space
 *          shows it. The card sees the window at the bus address WINDOW and no other host memory: with
 *          iommu=pt a driver's addresses are physical, and WINDOW stands for the one it was given. Opening
 *          and closing reset the card, as they do around each VM.
 *   bare   through sysfs, without VFIO: no reset, no interrupts. The card is in the domain of a host that
 *          does not use VFIO (iommu=pt: identity). WINDOW 0: a page of the process, by its physical address.
 *
 * Words are those of vendor.h. Exit 0: all were done.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/vfio.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "vendor.h"

#define SYSFS "/sys/bus/pci/devices/"

static struct {
	const char *address;
	int config; /* sysfs: what the hardware has, also where VFIO shows something else */
	int container, group, device; /* VFIO; -1 without */
	volatile uint32_t *bar[3];
	uint32_t msi;
	int events[VENDOR_VECTORS];
	uint64_t window;
} host = { .container = -1, .group = -1, .device = -1 };

static void die(const char *what)
{
	fprintf(stderr, "vendor: %s: %m\n", what);
	exit(3);
}

static void say(void *user, const char *what, const char *how)
{
	(void)user;
	printf("host: %s %s\n", what, how);
	fflush(stdout);
}

static int open_sysfs(const char *name, int flags)
{
	char path[256];
	int fd;

	snprintf(path, sizeof path, SYSFS "%s/%s", host.address, name);
	fd = open(path, flags | O_CLOEXEC);
	if (fd < 0)
		die(path);
	return fd;
}

static uint32_t config(uint32_t offset, size_t size)
{
	uint32_t value = 0;

	if (pread(host.config, &value, size, offset) != (ssize_t)size)
		die("reading configuration space");
	return value;
}

static uint32_t find_msi(void)
{
	uint32_t offset = config(0x34, 1);

	for (unsigned i = 0; i < 48 && offset >= 0x40;
		i++, offset = config(offset + 1, 1))
		if (config(offset, 1) == 5)
			return offset;
	fprintf(stderr, "vendor: %s: no MSI capability\n", host.address);
	exit(3);
}

/* Through VFIO, which would undo what went past it; else directly. */
static void bus_master(void *user, bool on)
{
	struct vfio_region_info region = { .argsz = sizeof region,
		.index = VFIO_PCI_CONFIG_REGION_INDEX };
	int fd = host.config;
	uint16_t command;

	(void)user;
	if (host.device >= 0) {
		fd = host.device;
		if (ioctl(fd, VFIO_DEVICE_GET_REGION_INFO, &region))
			die("VFIO_DEVICE_GET_REGION_INFO");
	}
	if (pread(fd, &command, 2, (off_t)region.offset + 4) != 2)
		die("reading the command register");
	command = (uint16_t)(on ? command | 4 : command & ~4) | 2;
	if (pwrite(fd, &command, 2, (off_t)region.offset + 4) != 2)
		die("writing the command register");
}

static uint32_t read_bar(void *user, unsigned bar, uint32_t offset)
{
	(void)user;
	return host.bar[bar][offset / 4];
}

static void write_bar(void *user, unsigned bar, uint32_t offset, uint32_t value)
{
	(void)user;
	host.bar[bar][offset / 4] = value;
}

static struct vendor_message enable_msi(void *user)
{
	struct {
		struct vfio_irq_set set;
		int32_t fds[VENDOR_VECTORS];
	} request = { .set = { .argsz = sizeof request,
			      .flags = VFIO_IRQ_SET_DATA_EVENTFD |
				       VFIO_IRQ_SET_ACTION_TRIGGER,
			      .index = VFIO_PCI_MSI_IRQ_INDEX,
			      .count = VENDOR_VECTORS } };
	struct vendor_message message = { 0, 0, 0 };

	(void)user;
	if (host.device < 0)
		return message;
	for (unsigned i = 0; i < VENDOR_VECTORS; i++) {
		host.events[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		if (host.events[i] < 0)
			die("eventfd");
		request.fds[i] = host.events[i];
	}
	if (ioctl(host.device, VFIO_DEVICE_SET_IRQS, &request))
		die("VFIO_DEVICE_SET_IRQS for 32 vectors");
	message.address = config(host.msi + 4, 4) | (uint64_t)config(host.msi + 8, 4)
							    << 32;
	message.data = config(host.msi + 12, 2);
	message.vectors = 1u << (config(host.msi + 2, 2) >> 4 & 7);
	return message;
}

static void disable_msi(void *user)
{
	struct vfio_irq_set set = { .argsz = sizeof set,
		.flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = VFIO_PCI_MSI_IRQ_INDEX };

	(void)user;
	if (host.device >= 0 && ioctl(host.device, VFIO_DEVICE_SET_IRQS, &set))
		die("VFIO_DEVICE_SET_IRQS for none");
}

static bool raised(void *user, unsigned vector)
{
	uint64_t count;

	(void)user;
	return host.device >= 0 &&
	       read(host.events[vector], &count, sizeof count) == sizeof count;
}

static void unmap(uint64_t bus, size_t size)
{
	struct vfio_iommu_type1_dma_unmap request = {
		.argsz = sizeof request, .iova = bus, .size = size
	};

	if (ioctl(host.container, VFIO_IOMMU_UNMAP_DMA, &request))
		die("VFIO_IOMMU_UNMAP_DMA");
}

static void release(void *user)
{
	(void)user;
	if (host.container >= 0)
		unmap(host.window, VENDOR_WINDOW_SIZE);
}

/* All loops that wait come by here: the card's firmware wants the processor too. */
static unsigned seconds(void *user)
{
	struct timespec now;

	(void)user;
	poll(NULL, 0, 1);
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (unsigned)now.tv_sec;
}

static struct vendor_memory memory(uint64_t bus, size_t size)
{
	struct vendor_memory memory = { .bus = bus };
	void *cpu = mmap(NULL, size, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE | MAP_LOCKED, -1, 0);

	if (cpu == MAP_FAILED)
		die("memory");
	memory.cpu = cpu;
	if (host.container >= 0) {
		struct vfio_iommu_type1_dma_map request = {
			.argsz = sizeof request,
			.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
			.vaddr = (uintptr_t)cpu,
			.iova = bus,
			.size = size,
		};

		if (ioctl(host.container, VFIO_IOMMU_MAP_DMA, &request))
			die("VFIO_IOMMU_MAP_DMA");
	}
	return memory;
}

/* A page by its physical address (Documentation/admin-guide/mm/pagemap.rst). */
static struct vendor_memory physical_page(void)
{
	struct vendor_memory page = memory(0, VENDOR_PAGE);
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entry = 0;

	if (fd < 0 ||
		pread(fd, &entry, 8, (off_t)((uintptr_t)page.cpu / VENDOR_PAGE * 8)) != 8)
		die("/proc/self/pagemap");
	close(fd);
	page.bus = (entry & ((1ull << 55) - 1)) * VENDOR_PAGE;
	if (!(entry >> 63) || !page.bus)
		die("/proc/self/pagemap tells no address");
	return page;
}

static void open_vfio(void)
{
	struct vfio_group_status status = { .argsz = sizeof status };
	char link[256], path[300];
	ssize_t length;

	snprintf(path, sizeof path, SYSFS "%s/iommu_group", host.address);
	length = readlink(path, link, sizeof link - 1);
	if (length < 0)
		die(path);
	link[length] = '\0';
	snprintf(path, sizeof path, "/dev/vfio/%s", strrchr(link, '/') + 1);
	host.container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	host.group = open(path, O_RDWR | O_CLOEXEC);
	if (host.container < 0 || host.group < 0)
		die(path);
	if (ioctl(host.group, VFIO_GROUP_GET_STATUS, &status) ||
		!(status.flags & VFIO_GROUP_FLAGS_VIABLE))
		die("the group is not viable");
	if (ioctl(host.group, VFIO_GROUP_SET_CONTAINER, &host.container) ||
		ioctl(host.container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU))
		die("setting up the container");
	host.device = ioctl(host.group, VFIO_GROUP_GET_DEVICE_FD, host.address);
	if (host.device < 0)
		die("VFIO_GROUP_GET_DEVICE_FD");
	for (unsigned bar = 0; bar <= 2; bar += 2) {
		struct vfio_region_info region = { .argsz = sizeof region, .index = bar };
		void *map = MAP_FAILED;

		if (!ioctl(host.device, VFIO_DEVICE_GET_REGION_INFO, &region))
			map = mmap(NULL, region.size, PROT_READ | PROT_WRITE, MAP_SHARED,
				host.device, (off_t)region.offset);
		if (map == MAP_FAILED)
			die("mapping a BAR");
		host.bar[bar] = map;
	}
}

static void *map_resource(const char *name, size_t size)
{
	int fd = open_sysfs(name, O_RDWR);
	void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (map == MAP_FAILED)
		die(name);
	close(fd);
	return map;
}

static void open_bare(void)
{
	/* vfio-pci lets an unused device sleep. */
	int power = open_sysfs("power/control", O_WRONLY);

	if (write(power, "on", 2) != 2)
		die("power/control");
	close(power);
	host.bar[0] = map_resource("resource0", VENDOR_PAGE);
	host.bar[2] = map_resource("resource2", 32u << 20);
}

int main(int argc, char **argv)
{
	static const struct vendor_io io = {
		.read = read_bar,
		.write = write_bar,
		.bus_master = bus_master,
		.enable_msi = enable_msi,
		.disable_msi = disable_msi,
		.raised = raised,
		.release = release,
		.seconds = seconds,
		.say = say,
	};
	struct vendor vendor = { .io = &io };
	const char *window = argc > 3 ? argv[3] : "";
	bool bare = argc > 3 && !strcmp(argv[1], "bare");

	if (argc < 5 || (!bare && strcmp(argv[1], "vfio") != 0) ||
		!vendor_number(&window, '\0', &host.window) ||
		host.window % VENDOR_PAGE) {
		fprintf(stderr, "usage: vendor vfio|bare ADDRESS WINDOW WORD...\n");
		return 2;
	}
	host.address = argv[2];
	host.config = open_sysfs("config", O_RDWR);
	host.msi = find_msi();
	if (bare) {
		open_bare();
		vendor.window = host.window ? (struct vendor_memory){ .bus = host.window }
					    : physical_page();
		vendor.source = physical_page();
		vendor.back = physical_page();
		if (!(config(4, 2) & 2)) { /* memory accesses, to look */
			uint16_t command = (uint16_t)config(4, 2) | 2;

			if (pwrite(host.config, &command, 2, 4) != 2)
				die("writing the command register");
		}
	} else {
		open_vfio();
		vendor.window = memory(host.window, VENDOR_WINDOW_SIZE);
		vendor.source = memory(host.window + 2 * VENDOR_WINDOW_SIZE, VENDOR_PAGE);
		vendor.back = memory(
			host.window + 2 * VENDOR_WINDOW_SIZE + VENDOR_PAGE, VENDOR_PAGE);
	}
	return vendor_run(&vendor, (unsigned)argc - 4, (const char *const *)argv + 4) ? 0
										      : 1;
}
