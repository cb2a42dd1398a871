/* SPDX-License-Identifier: GPL-2.0-or-later */
/* BARs and configuration space of an open function. */
#include "config.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vfio/vfio-private.h"

/* For mp_vfio_gone(), which may only read plain variables, and call mmap(). */
static volatile struct {
	void *memory;
	size_t size;
} mapped[MP_VFIO_BARS];
static volatile size_t page_size;

bool mp_vfio_gone(void *address)
{
	size_t page = page_size;

	for (unsigned i = 0; i < MP_VFIO_BARS; i++) {
		uintptr_t offset = (uintptr_t)address - (uintptr_t)mapped[i].memory;
		void *at;

		if (!mapped[i].memory || offset >= mapped[i].size)
			continue;
		at = (uint8_t *)mapped[i].memory + offset / page * page;
		if (mmap(at, page, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
			return false;
		memset(at, 0xff, page);
		return true;
	}
	return false;
}

void mp_vfio_unmap_bars(struct mp_vfio *vfio)
{
	for (unsigned i = 0; i < MP_VFIO_BARS; i++) {
		mapped[i].memory = NULL;
		if (vfio->bars[i].memory)
			munmap(vfio->bars[i].memory, vfio->bars[i].size);
		vfio->bars[i].memory = NULL;
	}
}

struct mp_mmio *mp_vfio_bar(struct mp_vfio *vfio, unsigned n, GError **error)
{
	struct vfio_region_info region = { .argsz = sizeof(region), .index = n };

	g_assert(n < MP_VFIO_BARS);
	if (vfio->bars[n].memory)
		return &vfio->bars[n];
	if (ioctl(vfio->device, VFIO_DEVICE_GET_REGION_INFO, &region) < 0) {
		mp_vfio_fail(vfio, "find its BARs", error);
		return NULL;
	}
	if (!region.size || !(region.flags & VFIO_REGION_INFO_FLAG_MMAP)) {
		g_set_error(error, MP_ERROR, MP_ERROR_NOT_FOUND, "%s: BAR %u %s",
			vfio->address, n,
			region.size
				? "may not be mapped (smaller than a page, I/O ports, or "
				  "shared with an MSI-X table)"
				: "is not there, or has no address");
		return NULL;
	}
	void *memory = mmap(NULL, region.size, PROT_READ | PROT_WRITE, MAP_SHARED,
		vfio->device, (off_t)region.offset);

	if (memory == MAP_FAILED) {
		mp_vfio_fail(vfio, "map its BAR", error);
		return NULL;
	}
	vfio->bars[n] = (struct mp_mmio){ memory, region.size };
	page_size = (size_t)sysconf(_SC_PAGESIZE);
	mapped[n].size = region.size;
	mapped[n].memory = memory;
	return &vfio->bars[n];
}

size_t mp_mmio_size(const struct mp_mmio *bar)
{
	return bar->size;
}

static volatile void *place(const struct mp_mmio *bar, size_t offset, size_t width)
{
	g_assert(!(offset % width) && offset < bar->size && bar->size - offset >= width);
	return (volatile uint8_t *)bar->memory + offset;
}

uint32_t mp_mmio_read32(const struct mp_mmio *bar, size_t offset)
{
	volatile uint32_t *at = place(bar, offset, sizeof(*at));

	return GUINT32_FROM_LE(*at);
}

void mp_mmio_write32(struct mp_mmio *bar, size_t offset, uint32_t value)
{
	volatile uint32_t *at = place(bar, offset, sizeof(*at));

	*at = GUINT32_TO_LE(value);
}

uint64_t mp_mmio_read64(const struct mp_mmio *bar, size_t offset)
{
	volatile uint64_t *at = place(bar, offset, sizeof(*at));

	return GUINT64_FROM_LE(*at);
}

void mp_mmio_write64(struct mp_mmio *bar, size_t offset, uint64_t value)
{
	volatile uint64_t *at = place(bar, offset, sizeof(*at));

	*at = GUINT64_TO_LE(value);
}

static bool in_config(
	const struct mp_vfio *vfio, unsigned offset, unsigned width, GError **error)
{
	if ((width == 1 || width == 2 || width == 4) &&
		offset + width <= vfio->config.size)
		return true;
	g_set_error(error, MP_ERROR, MP_ERROR_IO,
		"%s: its configuration space has no %u bytes at 0x%x", vfio->address,
		width, offset);
	return false;
}

bool mp_vfio_config_read(struct mp_vfio *vfio, unsigned offset, unsigned width,
	uint32_t *value, GError **error)
{
	ssize_t got;

	if (!in_config(vfio, offset, width, error))
		return false;
	*value = 0; /* little endian, as every machine with an x86 IOMMU */
	got = pread(vfio->device, value, width, (off_t)(vfio->config.offset + offset));
	if (got == (ssize_t)width)
		return true;
	errno = got < 0 ? errno : EIO;
	return mp_vfio_fail(vfio, "read its configuration space", error);
}

static void save(struct mp_vfio *vfio, unsigned offset, unsigned width, uint32_t value)
{
	const struct mp_vfio_saved saved = { offset, width, value };

	for (guint i = 0; i < vfio->saved->len; i++) {
		const struct mp_vfio_saved *known =
			&g_array_index(vfio->saved, struct mp_vfio_saved, i);

		if (known->offset == offset && known->width == width)
			return;
	}
	g_array_append_val(vfio->saved, saved);
}

bool mp_vfio_config_write(struct mp_vfio *vfio, unsigned offset, unsigned width,
	uint32_t value, GError **error)
{
	uint32_t before;
	ssize_t put;

	if (!mp_vfio_config_read(vfio, offset, width, &before, error))
		return false;
	save(vfio, offset, width, before);
	put = pwrite(vfio->device, &value, width, (off_t)(vfio->config.offset + offset));
	if (put == (ssize_t)width)
		return true;
	errno = put < 0 ? errno : EIO;
	return mp_vfio_fail(vfio, "write its configuration space", error);
}

bool mp_vfio_bus_master(struct mp_vfio *vfio, bool on, GError **error)
{
	uint32_t command;

	if (!mp_vfio_config_read(vfio, PCI_COMMAND, 2, &command, error))
		return false;
	command = on ? command | PCI_COMMAND_MASTER
		     : command & ~(uint32_t)PCI_COMMAND_MASTER;
	return mp_vfio_config_write(vfio, PCI_COMMAND, 2, command, error);
}
