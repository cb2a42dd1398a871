/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory of a function, mapped from sysfs. The kernel refuses it (EINVAL) where a driver
 * holds the region and CONFIG_IO_STRICT_DEVMEM is set without iomem=relaxed, and (EPERM)
 * under lockdown: drivers/pci/pci-sysfs.c pci_mmap_resource().
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/card.h"
#include "core/pci.h"

#define IORESOURCE_MEM 0x200 /* linux/ioport.h */
#define PCI_COMMAND    0x04
#define DECODES_MEMORY 0x02
/* More than any control block needs; a BAR may be gigabytes. */
#define MAP_MAX        (64u << 20)

struct mp_card_live {
	struct mp_card_io io;
	struct {
		volatile uint32_t *words;
		size_t size;
	} bars[MP_BARS];
};

static bool place(const struct mp_card_live *live, unsigned bar, uint64_t offset)
{
	return bar < MP_BARS && live->bars[bar].words && offset % 4 == 0 &&
	       offset < live->bars[bar].size;
}

static bool read_word(void *user, unsigned bar, uint64_t offset, uint32_t *value)
{
	struct mp_card_live *live = user;

	if (!place(live, bar, offset))
		return false;
	*value = GUINT32_FROM_LE(live->bars[bar].words[offset / 4]);
	return true;
}

static bool write_word(void *user, unsigned bar, uint64_t offset, uint32_t value)
{
	struct mp_card_live *live = user;

	if (!place(live, bar, offset))
		return false;
	live->bars[bar].words[offset / 4] = GUINT32_TO_LE(value);
	return true;
}

static bool refuse(const struct mp_pci *device, GError **error, const char *why)
{
	g_set_error(error, MP_ERROR, MP_ERROR_IO, "%s: cannot be looked into: %s",
		device->bdf, why);
	return false;
}

/* By the model and not by another look: who has just changed it probes again. */
static bool may_be_read(const struct mp_pci *device, GError **error)
{
	if (device->all_ones)
		return refuse(device, error,
			"it does not answer (configuration space is all ones)");
	if (device->config_size < 64)
		return refuse(device, error, "its configuration space could not be read");
	if (!(mp_pci_config16(device, PCI_COMMAND) & DECODES_MEMORY))
		return refuse(
			device, error, "its memory is switched off (COMMAND.MSE is 0)");
	if (device->pm.present && device->pm.state != 0)
		return refuse(device, error,
			"it sleeps (not in D0), and would have to be woken up");
	return true;
}

static bool map(struct mp_card_live *live, const struct mp_pci *device, unsigned n,
	bool writable, GError **error)
{
	const struct mp_bar *bar = &device->bars[n];
	g_autofree char *path = g_strdup_printf("/%s/resource%u", device->dir, n);
	size_t size;
	void *memory;
	int fd;

	if (!(bar->flags & IORESOURCE_MEM) || bar->end <= bar->start)
		return refuse(device, error, "a BAR of it has no address");
	size = (size_t)MIN(bar->end - bar->start + 1, MAP_MAX);
	fd = open(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_SYNC);
	if (fd < 0) {
		mp_error_set_errno(error, -errno, path, "open");
		return false;
	}
	memory = mmap(
		NULL, size, PROT_READ | (writable ? PROT_WRITE : 0), MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		mp_error_set_errno(error, -errno, path, "map");
	close(fd);
	if (memory == MAP_FAILED)
		return false;
	live->bars[n].words = memory;
	live->bars[n].size = size;
	return true;
}

static struct mp_card_live *map_all(const struct mp_pci *device,
	const struct mp_card_kind *kind, bool writable, GError **error)
{
	g_autoptr(mp_card_live) live = g_new0(struct mp_card_live, 1);

	live->io = (struct mp_card_io){ live, read_word, writable ? write_word : NULL };
	for (unsigned n = 0; n < MP_BARS; n++)
		if (kind->bars & 1u << n && !map(live, device, n, writable, error))
			return NULL;
	return g_steal_pointer(&live);
}

struct mp_card_live *mp_card_live_open(const struct mp_pci *device,
	const struct mp_card_kind *kind, bool writable, GError **error)
{
	if (!may_be_read(device, error))
		return NULL;
	return map_all(device, kind, writable, error);
}

struct mp_card_live *mp_card_live_open_awake(
	const struct mp_pci *device, const struct mp_card_kind *kind, GError **error)
{
	return map_all(device, kind, true, error);
}

void mp_card_live_close(struct mp_card_live *live)
{
	if (!live)
		return;
	for (unsigned n = 0; n < MP_BARS; n++)
		if (live->bars[n].words)
			munmap((void *)(uintptr_t)live->bars[n].words,
				live->bars[n].size);
	g_free(live);
}

const struct mp_card_io *mp_card_live_io(struct mp_card_live *live)
{
	return &live->io;
}
