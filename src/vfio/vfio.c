/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opening and closing: what is in the way, what the function has, how it is left quiet. */
#include "config.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/group.h"
#include "core/pci.h"
#include "vfio/vfio-private.h"

/* For mp_vfio_panic(), which may only read plain variables and call pwrite(). */
static volatile int panic_fd = -1;
static volatile off_t panic_offset;
static volatile uint16_t panic_command;
static volatile sig_atomic_t panicked;

bool mp_vfio_fail(const struct mp_vfio *vfio, const char *action, GError **error)
{
	mp_error_set_errno(error, -errno, vfio->address, action);
	return false;
}

bool mp_vfio_refuse(GError **error, enum mp_error code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	g_autofree char *text = g_strdup_vprintf(format, args);
	va_end(args);
	g_set_error_literal(error, MP_ERROR, (int)code, text);
	return false;
}

/* What the model knows to be in the way, before anything is touched. */
static bool may_open(
	const struct mp_host *host, const struct mp_pci *device, GError **error)
{
	const char *bdf = device->bdf;

	if (device->driver.know == MP_UNKNOWN)
		return mp_vfio_refuse(error, MP_ERROR_IO,
			"%s: its driver could not be read (%s)", bdf, device->driver.why);
	if (device->driver.know != MP_KNOWN || !mp_driver_is_vfio(device->driver.text))
		return mp_vfio_refuse(error, MP_ERROR_BUSY,
			"%s: is with %s, not with vfio-pci; 'metis-passthrough bind %s' "
			"hands it over",
			bdf,
			device->driver.know == MP_KNOWN ? device->driver.text
							: "no driver",
			bdf);
	/* It would try to reset the function for a minute, and give it a configuration space of
	 * ones at the close, should it have come back until then. */
	if (device->all_ones)
		return mp_vfio_refuse(error, MP_ERROR_IO,
			"%s: does not answer: its configuration space reads as all ones (its "
			"link is down, or it is in D3cold); only a reset of the slot or a power "
			"cycle brings it back",
			bdf);
	if (!device->group)
		return mp_vfio_refuse(error, MP_ERROR_NOT_FOUND,
			"%s: is in no IOMMU group, so there is no VFIO for it; "
			"'metis-passthrough preflight --device %s' tells why",
			bdf, bdf);
	for (guint i = 0; i < device->group->members->len; i++) {
		const struct mp_pci *member = device->group->members->pdata[i];

		if (mp_group_member_viable(host, member))
			continue;
		return mp_vfio_refuse(error, MP_ERROR_BUSY,
			"%s: its IOMMU group %u is not viable: %s in it is with %s; "
			"'metis-passthrough bind --group %s' takes the whole group",
			bdf, device->group->id, member->bdf,
			member->driver.know == MP_KNOWN ? member->driver.text
							: "an unknown driver",
			bdf);
	}
	return true;
}

static bool learn_device(struct mp_vfio *vfio, GError **error)
{
	vfio->info.argsz = sizeof(vfio->info);
	if (ioctl(vfio->device, VFIO_DEVICE_GET_INFO, &vfio->info) < 0)
		return mp_vfio_fail(vfio, "ask what it has", error);
	if (!(vfio->info.flags & VFIO_DEVICE_FLAGS_PCI) ||
		vfio->info.num_regions <= VFIO_PCI_CONFIG_REGION_INDEX)
		return mp_vfio_refuse(error, MP_ERROR_IO,
			"%s: VFIO does not show it as PCI", vfio->address);
	vfio->config.argsz = sizeof(vfio->config);
	vfio->config.index = VFIO_PCI_CONFIG_REGION_INDEX;
	if (ioctl(vfio->device, VFIO_DEVICE_GET_REGION_INFO, &vfio->config) < 0)
		return mp_vfio_fail(vfio, "find its configuration space", error);
	for (unsigned i = 0; i < G_N_ELEMENTS(vfio->irqs); i++) {
		struct vfio_irq_info *irq = &vfio->irqs[i];

		/* enum mp_vfio_irq has the order of VFIO_PCI_INTX_IRQ_INDEX and on. */
		*irq = (struct vfio_irq_info){ .argsz = sizeof(*irq), .index = i };
		if (ioctl(vfio->device, VFIO_DEVICE_GET_IRQ_INFO, irq) < 0)
			irq->count = 0;
	}
	return true;
}

/* Memory decoding on, bus mastering off: nothing moves before it is asked to. */
static bool prepare_command(struct mp_vfio *vfio, GError **error)
{
	uint32_t command;

	if (!mp_vfio_config_read(vfio, PCI_COMMAND, 2, &command, error))
		return false;
	if (command == 0xffff)
		return mp_vfio_refuse(error, MP_ERROR_IO,
			"%s: does not answer: its configuration space reads as all ones (it "
			"fell off the bus, or is in D3cold); only a reset of the slot or a "
			"power cycle brings it back",
			vfio->address);
	command = (command | PCI_COMMAND_MEMORY) & ~(uint32_t)PCI_COMMAND_MASTER;
	if (!mp_vfio_config_write(vfio, PCI_COMMAND, 2, command, error))
		return false;
	panic_offset = (off_t)vfio->config.offset + PCI_COMMAND;
	panic_command = (uint16_t)command;
	panicked = 0;
	panic_fd = vfio->device;
	return true;
}

struct mp_vfio *mp_vfio_open(const struct mp_host *host, const struct mp_pci *device,
	enum mp_vfio_wish wish, GError **error)
{
	g_autoptr(mp_vfio) vfio = NULL;

	if (!may_open(host, device, error))
		return NULL;
	vfio = g_new0(struct mp_vfio, 1);
	vfio->address = g_strdup(device->bdf);
	vfio->container = vfio->group = vfio->iommu = vfio->device = -1;
	vfio->ranges = g_array_new(FALSE, FALSE, sizeof(struct mp_vfio_range));
	vfio->mappings = g_array_new(FALSE, FALSE, sizeof(struct mp_vfio_mapping));
	vfio->saved = g_array_new(FALSE, FALSE, sizeof(struct mp_vfio_saved));
	if (!mp_vfio_take_way(vfio, host, device, wish, error) ||
		!learn_device(vfio, error) || !prepare_command(vfio, error))
		return NULL;
	return g_steal_pointer(&vfio);
}

/* Bus mastering never comes back: whoever had it on has left the function to us. */
static uint32_t left_value(const struct mp_vfio_saved *saved)
{
	return saved->offset == PCI_COMMAND ? saved->value & ~(uint32_t)PCI_COMMAND_MASTER
					    : saved->value;
}

static bool restore_config(struct mp_vfio *vfio, GError **error)
{
	for (guint i = vfio->saved->len; i-- > 0;) {
		const struct mp_vfio_saved *saved =
			&g_array_index(vfio->saved, struct mp_vfio_saved, i);
		uint32_t value = left_value(saved);
		ssize_t put = pwrite(vfio->device, &value, saved->width,
			(off_t)vfio->config.offset + saved->offset);

		if (put == (ssize_t)saved->width)
			continue;
		errno = put < 0 ? errno : EIO;
		return mp_vfio_fail(vfio, "restore its configuration space", error);
	}
	return true;
}

/* What was written is not what is: a function that fell off the bus takes any write. */
static bool is_restored(struct mp_vfio *vfio, GError **error)
{
	for (guint i = 0; i < vfio->saved->len; i++) {
		const struct mp_vfio_saved *saved =
			&g_array_index(vfio->saved, struct mp_vfio_saved, i);
		uint32_t value;

		if (!mp_vfio_config_read(
			    vfio, saved->offset, saved->width, &value, error))
			return false;
		if (value == left_value(saved))
			continue;
		return mp_vfio_refuse(error, MP_ERROR_IO,
			"%s: its register 0x%02x is 0x%x after the test, and was 0x%x; "
			"%s",
			vfio->address, saved->offset, value, left_value(saved),
			saved->offset == PCI_COMMAND && value & PCI_COMMAND_MASTER
				? "bus mastering could not be turned off"
				: "it could not be restored");
	}
	return true;
}

/* All of it is tried, whatever fails; the first failure is told. */
bool mp_vfio_quiet(struct mp_vfio *vfio, GError **error)
{
	GError *problems[5] = { NULL };
	size_t n = 0;

	vfio->quiet = true;
	if (!mp_vfio_bus_master(vfio, false, &problems[n]))
		n++;
	if (!mp_vfio_irq_disable(vfio, &problems[n]))
		n++;
	if (mp_vfio_can_reset(vfio) && !mp_vfio_reset(vfio, &problems[n]))
		n++;
	if (!restore_config(vfio, &problems[n]))
		n++;
	if (!is_restored(vfio, &problems[n]))
		n++;
	if (!n)
		return true;
	g_propagate_error(error, problems[0]);
	while (--n)
		g_error_free(problems[n]);
	return false;
}

void mp_vfio_close(struct mp_vfio *vfio)
{
	if (!vfio)
		return;
	if (vfio->device >= 0 && !vfio->quiet)
		mp_vfio_quiet(vfio, NULL);
	panic_fd = -1;
	mp_vfio_unmap_bars(vfio);
	mp_vfio_unmap_all(vfio);
	vfio->way->close(vfio);
	g_array_unref(vfio->ranges);
	g_array_unref(vfio->mappings);
	g_array_unref(vfio->saved);
	g_free(vfio->irq_fds);
	g_free(vfio->address);
	g_free(vfio);
}

const char *mp_vfio_address(const struct mp_vfio *vfio)
{
	return vfio->address;
}

bool mp_vfio_can_reset(const struct mp_vfio *vfio)
{
	return (vfio->info.flags & VFIO_DEVICE_FLAGS_RESET) != 0;
}

bool mp_vfio_reset(struct mp_vfio *vfio, GError **error)
{
	if (ioctl(vfio->device, VFIO_DEVICE_RESET) == 0)
		return true;
	return mp_vfio_fail(vfio, "reset it", error);
}

void mp_vfio_panic(void)
{
	uint16_t command = panic_command;

	panicked = 1;
	if (panic_fd >= 0 &&
		pwrite(panic_fd, &command, sizeof(command), panic_offset) < 0)
		return; /* nothing can be done about it in a signal handler */
}

bool mp_vfio_panicked(void)
{
	return panicked;
}
