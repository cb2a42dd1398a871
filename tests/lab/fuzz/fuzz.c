// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz ADDRESS SEED OPERATIONS: random accesses to the virtual Metis, in the node, through VFIO: registers, the card's
 * memory, descriptors in the host's memory, interrupts on and off, resets; in any order, with the
 * values that hurt most. The card's DMA reaches one mapped MiB and nothing else of the host.
 *
 * It proves nothing by itself but that it came to its end: QEMU is to survive, under AddressSanitizer.
 */
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define SHARED_SIZE  (1u << 20)
#define SHARED_IOVA  0x149800000u /* above 4 GiB */
#define CARD_BASE    0x08000000u
#define CARD_SIZE    (32u << 20)
#define VECTORS      32
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static uint64_t state;
static uint8_t *registers, *memory, *shared;
static int device, events[VECTORS];
static unsigned long long config;

static void must(int fine, const char *what)
{
	if (fine)
		return;
	perror(what);
	exit(1);
}

/* xorshift64 */
static uint64_t next(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static uint32_t below(uint32_t limit)
{
	return next() % limit;
}

static uint32_t any_size(void)
{
	static const uint32_t sizes[] = { 0, 1, 3, 4, 8, 64, 4095, 4096, 0x10000,
		CARD_SIZE, CARD_SIZE + 4, 0x7fffffff, 0xfffffffc, 0xffffffff };

	return below(8) ? sizes[below(COUNT(sizes))] : (uint32_t)next();
}

static uint64_t any_address(void)
{
	switch (below(10)) {
	case 0:
	case 1:
	case 2:
		return SHARED_IOVA + below(SHARED_SIZE);
	case 3:
		return SHARED_IOVA + SHARED_SIZE - below(32);
	case 4:
	case 5:
		return CARD_BASE + below(CARD_SIZE);
	case 6:
		return CARD_BASE + CARD_SIZE - below(32);
	case 7:
		return CARD_BASE - below(32);
	case 8:
		return 0xfee00000u + below(1u << 20);
	default:
		return next() >> below(64);
	}
}

static uint32_t any_value(void)
{
	switch (below(6)) {
	case 0:
		return 0;
	case 1:
		return ~0u;
	case 2:
		return 1u << below(32);
	case 3:
		return below(16);
	case 4:
		return any_address();
	default:
		return next();
	}
}

/* An access of 1, 2, 4 or 8 bytes, mostly 4 and aligned, which does not leave the BAR. */
static void touch(uint8_t *base, uint32_t size, uint32_t offset, uint64_t value)
{
	static const uint8_t widths[] = { 4, 4, 4, 4, 4, 1, 2, 8 };
	unsigned width = widths[below(COUNT(widths))];
	int writes = below(4) != 0;

	offset = (offset & ~(width - 1)) % size;
	switch (width) {
	case 1:
		writes ? (void)(*(volatile uint8_t *)(base + offset) = value)
		       : (void)*(volatile uint8_t *)(base + offset);
		return;
	case 2:
		writes ? (void)(*(volatile uint16_t *)(base + offset) = value)
		       : (void)*(volatile uint16_t *)(base + offset);
		return;
	case 4:
		writes ? (void)(*(volatile uint32_t *)(base + offset) = value)
		       : (void)*(volatile uint32_t *)(base + offset);
		return;
	default:
		writes ? (void)(*(volatile uint64_t *)(base + offset) = value)
		       : (void)*(volatile uint64_t *)(base + offset);
		return;
	}
}

static void poke(uint32_t offset, uint32_t value)
{
	*(volatile uint32_t *)(registers + offset) = value;
}

/* A job: linked or not, in either direction, rung once or often. */
static void job(void)
{
	unsigned n = below(4), reading = below(2), linked = below(2),
		 rings = below(16) ? 1 : 200;
	uint32_t context = 0x200 + 0x200 * n + 0x100 * reading;
	uint64_t from = any_address(), to = any_address(), list = any_address();

	if (below(8))
		poke(reading ? 0x2c : 0x0c, 1);
	poke(context, linked ? (below(2) ? 0x300 : next()) : (below(2) ? 0x10 : next()));
	poke(context + 0x08, any_size());
	poke(context + 0x0c, from);
	poke(context + 0x10, from >> 32);
	poke(context + 0x14, to);
	poke(context + 0x18, to >> 32);
	poke(context + 0x1c, list);
	poke(context + 0x20, list >> 32);
	while (rings--)
		poke(reading ? 0x30 : 0x10, below(8) ? n : any_value());
}

/* Descriptors in the host's or in the card's memory: elements, links, links to themselves. */
static void descriptors(void)
{
	uint8_t *base = below(2) ? shared : memory + CARD_SIZE - SHARED_SIZE;
	uint32_t offset = below(SHARED_SIZE - 64 * 24) & ~3u;
	uint64_t there = base == shared ? SHARED_IOVA + offset
					: CARD_BASE + CARD_SIZE - SHARED_SIZE + offset;
	uint32_t element[6];
	unsigned i, count = 1 + below(64);
	size_t word;

	for (i = 0; i < count; i++, offset += sizeof(element)) {
		uint64_t from = any_address(), to = below(4) ? any_address() : there;

		element[0] = below(4) ? 1 | (i + 1 == count ? 6 : 0) | (below(2) ? 8 : 0)
				      : next();
		element[1] = any_size();
		element[2] = from;
		element[3] = from >> 32;
		element[4] = to;
		element[5] = to >> 32;
		for (word = 0; word < COUNT(element); word++)
			*(volatile uint32_t *)(base + offset + 4 * word) = element[word];
	}
	poke(0x21c + 0x100 * below(8), there);
}

/* The firmware's window, where it says that it is (docs/virtual-metis.md): target, size, armed or not. */
static void window(void)
{
	uint64_t offset = *(volatile uint32_t *)(memory + 0x2c0) & ~3u,
		 target = any_address();
	uint8_t *area = memory + offset % (CARD_SIZE - 64);

	*(volatile uint32_t *)(area + 8) = target;
	*(volatile uint32_t *)(area + 12) = target >> 32;
	*(volatile uint32_t *)(area + 16) = any_size();
	*(volatile uint32_t *)area = below(4) ? 1 : any_value();
}

static void interrupts(int on)
{
	char buffer[sizeof(struct vfio_irq_set) + sizeof(events)];
	struct vfio_irq_set *set = (struct vfio_irq_set *)buffer;

	memset(buffer, 0, sizeof(buffer));
	set->argsz = sizeof(struct vfio_irq_set);
	set->flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER;
	set->index = VFIO_PCI_MSI_IRQ_INDEX;
	(void)ioctl(device, VFIO_DEVICE_SET_IRQS, set);
	if (!on)
		return;
	set->argsz = sizeof(buffer);
	set->flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
	set->count = 1u << below(6);
	memcpy(set->data, events, sizeof(events));
	(void)ioctl(device, VFIO_DEVICE_SET_IRQS, set);
}

static void command(uint16_t value)
{
	must(pwrite(device, &value, sizeof(value), config + PCI_COMMAND) == sizeof(value),
		"command register");
}

static void operation(void)
{
	unsigned kind = below(1000);

	if (kind < 250)
		job();
	else if (kind < 350)
		descriptors();
	else if (kind < 650)
		touch(registers, 4096, below(4096), any_value());
	else if (kind < 750)
		touch(memory, CARD_SIZE, below(0x2000), next());
	else if (kind < 830)
		touch(memory, CARD_SIZE, next(), next());
	else if (kind < 850)
		window();
	else if (kind < 950)
		touch(registers, 4096, 0x60 + below(0x90), any_value());
	else if (kind < 960)
		command(PCI_COMMAND_MEMORY | (below(4) ? PCI_COMMAND_MASTER : 0));
	else if (kind < 962)
		interrupts(below(4));
	else if (kind < 963)
		(void)ioctl(device, VFIO_DEVICE_RESET);
	else if (kind < 970)
		usleep(below(2000));
	else
		poke(below(2) ? 0x0c : 0x2c, below(2));
}

static int open_group(const char *address)
{
	char path[256], link[256];
	ssize_t size;
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group", address);
	size = readlink(path, link, sizeof(link) - 1);
	must(size > 0, path);
	link[size] = '\0';
	snprintf(path, sizeof(path), "/dev/vfio/%s", strrchr(link, '/') + 1);
	fd = open(path, O_RDWR);
	must(fd >= 0, path);
	return fd;
}

static uint8_t *map_bar(unsigned bar)
{
	struct vfio_region_info region = { .argsz = sizeof(region), .index = bar };
	void *at;

	must(!ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &region), "region");
	at = mmap(NULL, region.size, PROT_READ | PROT_WRITE, MAP_SHARED, device,
		region.offset);
	must(at != MAP_FAILED, "mmap of a BAR");
	return at;
}

int main(int argc, char **argv)
{
	struct vfio_iommu_type1_dma_map map = { .argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.iova = SHARED_IOVA,
		.size = SHARED_SIZE };
	struct vfio_region_info region = { .argsz = sizeof(region),
		.index = VFIO_PCI_CONFIG_REGION_INDEX };
	unsigned long count, i;
	int container, group;

	if (argc != 4) {
		fprintf(stderr, "usage: fuzz ADDRESS SEED OPERATIONS\n");
		return 2;
	}
	state = strtoull(argv[2], NULL, 0) * 2 + 1;
	count = strtoul(argv[3], NULL, 0);

	container = open("/dev/vfio/vfio", O_RDWR);
	must(container >= 0, "/dev/vfio/vfio");
	group = open_group(argv[1]);
	must(!ioctl(group, VFIO_GROUP_SET_CONTAINER, &container), "container");
	must(!ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU), "type 1");
	shared = mmap(NULL, SHARED_SIZE, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(shared != MAP_FAILED, "mmap");
	map.vaddr = (uintptr_t)shared;
	must(!ioctl(container, VFIO_IOMMU_MAP_DMA, &map), "map");
	device = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, argv[1]);
	must(device >= 0, argv[1]);
	must(!ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &region), "config space");
	config = region.offset;
	registers = map_bar(0);
	memory = map_bar(2);
	for (i = 0; i < VECTORS; i++) {
		events[i] = eventfd(0, EFD_NONBLOCK);
		must(events[i] >= 0, "eventfd");
	}
	command(PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	interrupts(1);

	for (i = 0; i < count; i++)
		operation();
	printf("%lu operations, seed %s\n", count, argv[2]);
	return 0;
}
