/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interrupts as eventfds. */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "vfio/vfio-private.h"

G_STATIC_ASSERT((int)MP_VFIO_INTX == VFIO_PCI_INTX_IRQ_INDEX);
G_STATIC_ASSERT((int)MP_VFIO_MSI == VFIO_PCI_MSI_IRQ_INDEX);
G_STATIC_ASSERT((int)MP_VFIO_MSIX == VFIO_PCI_MSIX_IRQ_INDEX);

const char *mp_vfio_irq_name(enum mp_vfio_irq irq)
{
	static const char *const names[] = {
		[MP_VFIO_INTX] = "INTx",
		[MP_VFIO_MSI] = "MSI",
		[MP_VFIO_MSIX] = "MSI-X",
	};

	return names[irq];
}

unsigned mp_vfio_irq_count(const struct mp_vfio *vfio, enum mp_vfio_irq irq)
{
	return vfio->irqs[irq].flags & VFIO_IRQ_INFO_EVENTFD ? vfio->irqs[irq].count : 0;
}

static void close_fds(struct mp_vfio *vfio)
{
	for (unsigned i = 0; i < vfio->irq_enabled; i++)
		close(vfio->irq_fds[i]);
	g_clear_pointer(&vfio->irq_fds, g_free);
	vfio->irq_enabled = 0;
}

static bool make_fds(struct mp_vfio *vfio, unsigned count, GError **error)
{
	vfio->irq_fds = g_new(int, count);
	for (vfio->irq_enabled = 0; vfio->irq_enabled < count; vfio->irq_enabled++) {
		int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

		if (fd < 0) {
			mp_vfio_fail(vfio, "make an eventfd", error);
			close_fds(vfio);
			return false;
		}
		vfio->irq_fds[vfio->irq_enabled] = fd;
	}
	return true;
}

bool mp_vfio_irq_enable(struct mp_vfio *vfio, enum mp_vfio_irq irq, unsigned count,
	const int **fds, GError **error)
{
	size_t size = sizeof(struct vfio_irq_set) + count * sizeof(int);
	g_autofree struct vfio_irq_set *set = g_malloc0(size);

	if (!count || count > mp_vfio_irq_count(vfio, irq)) {
		g_set_error(error, MP_ERROR, MP_ERROR_NOT_FOUND,
			"%s: cannot enable %u %s vector%s: it has %u", vfio->address,
			count, mp_vfio_irq_name(irq), MP_PLURAL(count),
			mp_vfio_irq_count(vfio, irq));
		return false;
	}
	if ((vfio->irq_enabled && !mp_vfio_irq_disable(vfio, error)) ||
		!make_fds(vfio, count, error))
		return false;
	set->argsz = (uint32_t)size;
	set->flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
	set->index = irq;
	set->count = count;
	memcpy(set->data, vfio->irq_fds, count * sizeof(int));

	int got = ioctl(vfio->device, VFIO_DEVICE_SET_IRQS, set);

	if (got == 0) {
		vfio->irq_kind = irq;
		*fds = vfio->irq_fds;
		return true;
	}
	/* vfio_msi_enable(): a positive number is how many there would have been. */
	if (got > 0)
		g_set_error(error, MP_ERROR, MP_ERROR_LIMIT,
			"%s: cannot enable %u %s vectors: the host grants %d",
			vfio->address, count, mp_vfio_irq_name(irq), got);
	else
		mp_vfio_fail(vfio, "enable its interrupts", error);
	close_fds(vfio);
	return false;
}

bool mp_vfio_irq_disable(struct mp_vfio *vfio, GError **error)
{
	struct vfio_irq_set set = {
		.argsz = sizeof(set),
		.flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = vfio->irq_kind,
	};

	if (!vfio->irq_enabled)
		return true;
	if (ioctl(vfio->device, VFIO_DEVICE_SET_IRQS, &set) < 0)
		return mp_vfio_fail(vfio, "disable its interrupts", error);
	close_fds(vfio);
	return true;
}

bool mp_vfio_irq_unmask_intx(struct mp_vfio *vfio, GError **error)
{
	struct vfio_irq_set set = {
		.argsz = sizeof(set),
		.flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_UNMASK,
		.index = VFIO_PCI_INTX_IRQ_INDEX,
		.count = 1,
	};

	if (ioctl(vfio->device, VFIO_DEVICE_SET_IRQS, &set) == 0)
		return true;
	return mp_vfio_fail(vfio, "unmask its INTx", error);
}

bool mp_vfio_irq_loopback(struct mp_vfio *vfio, unsigned n, GError **error)
{
	struct vfio_irq_set set = {
		.argsz = sizeof(set),
		.flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = vfio->irq_kind,
		.start = n,
		.count = 1,
	};

	if (ioctl(vfio->device, VFIO_DEVICE_SET_IRQS, &set) == 0)
		return true;
	return mp_vfio_fail(vfio, "signal a vector by hand", error);
}
