/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opening and closing: group, container, device, and a sentence for each refusal. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/group.h"
#include "core/pci.h"
#include "core/use.h"
#include "vfio/vfio-private.h"

/* For mp_vfio_panic(), which may only read plain variables and call pwrite(). */
static volatile int panic_fd = -1;
static volatile off_t panic_offset;
static volatile uint16_t panic_command;

bool mp_vfio_fail(const struct mp_vfio *vfio, const char *action, GError **error)
{
	mp_error_set_errno(error, -errno, vfio->address, action);
	return false;
}

static bool G_GNUC_PRINTF(3, 4)
	refuse(GError **error, enum mp_error code, const char *format, ...)
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
		return refuse(error, MP_ERROR_IO, "%s: its driver could not be read (%s)",
			bdf, device->driver.why);
	if (device->driver.know != MP_KNOWN || !mp_driver_is_vfio(device->driver.text))
		return refuse(error, MP_ERROR_BUSY,
			"%s: is with %s, not with vfio-pci; 'metis-passthrough bind %s' "
			"hands it over",
			bdf,
			device->driver.know == MP_KNOWN ? device->driver.text
							: "no driver",
			bdf);
	if (!device->group)
		return refuse(error, MP_ERROR_NOT_FOUND,
			"%s: is in no IOMMU group, so there is no VFIO for it; "
			"'metis-passthrough preflight --device %s' tells why",
			bdf, bdf);
	for (guint i = 0; i < device->group->members->len; i++) {
		const struct mp_pci *member = device->group->members->pdata[i];

		if (mp_group_member_viable(host, member))
			continue;
		return refuse(error, MP_ERROR_BUSY,
			"%s: its IOMMU group %u is not viable: %s in it is with %s; "
			"'metis-passthrough bind --group %s' takes the whole group",
			bdf, device->group->id, member->bdf,
			member->driver.know == MP_KNOWN ? member->driver.text
							: "an unknown driver",
			bdf);
	}
	return true;
}

static bool open_container(struct mp_vfio *vfio, GError **error)
{
	vfio->container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	if (vfio->container < 0 && errno == ENOENT)
		return refuse(error, MP_ERROR_NOT_FOUND,
			"/dev/vfio/vfio: is not there; 'modprobe vfio-pci' makes it");
	if (vfio->container < 0) {
		mp_error_set_errno(error, -errno, "/dev/vfio/vfio", "open");
		return false;
	}
	if (ioctl(vfio->container, VFIO_GET_API_VERSION) != VFIO_API_VERSION)
		return refuse(error, MP_ERROR_IO,
			"/dev/vfio/vfio: speaks another version of VFIO than this program");
	if (ioctl(vfio->container, VFIO_CHECK_EXTENSION, VFIO_TYPE1v2_IOMMU) != 1)
		return refuse(error, MP_ERROR_NOT_FOUND,
			"/dev/vfio/vfio: has no type 1 IOMMU; 'modprobe vfio_iommu_type1'");
	return true;
}

/* Who has the group open, by the model: "VM 101", "qemu (pid 812)"; NULL: not known. */
static char *holder_of(const struct mp_host *host, const struct mp_pci *device)
{
	for (guint i = 0; host->use && i < device->group->members->len; i++) {
		g_autoptr(GPtrArray) uses =
			mp_use_of(host, device->group->members->pdata[i]);

		for (guint u = 0; u < uses->len; u++) {
			const struct mp_use_entry *use = uses->pdata[u];

			if (use->kind == MP_USE_VM || use->kind == MP_USE_OPEN)
				return g_strdup(use->detail);
		}
	}
	return NULL;
}

static bool open_group(struct mp_vfio *vfio, const struct mp_host *host,
	const struct mp_pci *device, GError **error)
{
	g_autofree char *path = g_strdup_printf("/dev/vfio/%u", device->group->id);
	struct vfio_group_status status = { .argsz = sizeof(status) };

	vfio->group = open(path, O_RDWR | O_CLOEXEC);
	if (vfio->group < 0 && errno == EBUSY) {
		g_autofree char *holder = holder_of(host, device);

		return refuse(error, MP_ERROR_BUSY, "%s: in use: %s", vfio->address,
			holder ? holder : "another process has its group open");
	}
	if (vfio->group < 0) {
		mp_error_set_errno(error, -errno, path, "open");
		return false;
	}
	if (ioctl(vfio->group, VFIO_GROUP_GET_STATUS, &status) < 0)
		return mp_vfio_fail(vfio, "ask for the state of its group", error);
	if (!(status.flags & VFIO_GROUP_FLAGS_VIABLE))
		return refuse(error, MP_ERROR_BUSY,
			"%s: the kernel calls its IOMMU group %u not viable: a member is with "
			"a driver of the host",
			vfio->address, device->group->id);
	if (ioctl(vfio->group, VFIO_GROUP_SET_CONTAINER, &vfio->container) < 0)
		return mp_vfio_fail(vfio, "join its group to a container", error);
	return true;
}

/*
 * vfio_iommu_type1_attach_group() gives EPERM without interrupt remapping and, up to 6.5, for
 * RMRRs; since then iommu_device_claim_dma_owner() gives EINVAL for a region that has to be
 * mapped one to one.
 */
static bool attach(struct mp_vfio *vfio, const struct mp_pci *device, GError **error)
{
	if (ioctl(vfio->container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) == 0)
		return true;
	if (errno == EPERM || errno == EINVAL) {
		for (size_t i = 0; i < device->group->reserved_count; i++)
			if (!strcmp(device->group->reserved[i].type, "direct"))
				return refuse(error, MP_ERROR_DENIED,
					"%s: the firmware wants memory of the host mapped for it "
					"(RMRR or IVMD), so the kernel refuses it to VFIO; see "
					"'metis-passthrough explain device-reserved-regions'",
					vfio->address);
	}
	if (errno == EPERM)
		return refuse(error, MP_ERROR_DENIED,
			"%s: the kernel refuses it to VFIO, which it does without interrupt "
			"remapping; see 'metis-passthrough explain interrupt-remapping-active'",
			vfio->address);
	return mp_vfio_fail(vfio, "attach its group to the IOMMU", error);
}

static bool open_device(struct mp_vfio *vfio, GError **error)
{
	vfio->device = ioctl(vfio->group, VFIO_GROUP_GET_DEVICE_FD, vfio->address);
	if (vfio->device < 0)
		return mp_vfio_fail(vfio, "open it", error);
	vfio->info.argsz = sizeof(vfio->info);
	if (ioctl(vfio->device, VFIO_DEVICE_GET_INFO, &vfio->info) < 0)
		return mp_vfio_fail(vfio, "ask what it has", error);
	if (!(vfio->info.flags & VFIO_DEVICE_FLAGS_PCI) ||
		vfio->info.num_regions <= VFIO_PCI_CONFIG_REGION_INDEX)
		return refuse(error, MP_ERROR_IO, "%s: VFIO does not show it as PCI",
			vfio->address);
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
		return refuse(error, MP_ERROR_IO,
			"%s: does not answer: its configuration space reads as all ones (it "
			"fell off the bus, or is in D3cold); only a reset of the slot or a "
			"power cycle brings it back",
			vfio->address);
	command = (command | PCI_COMMAND_MEMORY) & ~(uint32_t)PCI_COMMAND_MASTER;
	if (!mp_vfio_config_write(vfio, PCI_COMMAND, 2, command, error))
		return false;
	panic_offset = (off_t)vfio->config.offset + PCI_COMMAND;
	panic_command = (uint16_t)command;
	panic_fd = vfio->device;
	return true;
}

struct mp_vfio *mp_vfio_open(
	const struct mp_host *host, const struct mp_pci *device, GError **error)
{
	g_autoptr(mp_vfio) vfio = NULL;

	if (!may_open(host, device, error))
		return NULL;
	vfio = g_new0(struct mp_vfio, 1);
	vfio->address = g_strdup(device->bdf);
	vfio->container = vfio->group = vfio->device = -1;
	vfio->ranges = g_array_new(FALSE, FALSE, sizeof(struct mp_vfio_range));
	vfio->mappings = g_array_new(FALSE, FALSE, sizeof(struct mp_vfio_mapping));
	vfio->saved = g_array_new(FALSE, FALSE, sizeof(struct mp_vfio_saved));
	if (!open_container(vfio, error) || !open_group(vfio, host, device, error) ||
		!attach(vfio, device, error) || !open_device(vfio, error) ||
		!mp_vfio_learn_dma(vfio, error) || !prepare_command(vfio, error))
		return NULL;
	return g_steal_pointer(&vfio);
}

static void restore_config(struct mp_vfio *vfio)
{
	for (guint i = vfio->saved->len; i-- > 0;) {
		const struct mp_vfio_saved *saved =
			&g_array_index(vfio->saved, struct mp_vfio_saved, i);
		uint32_t value = saved->value;

		if (saved->offset == PCI_COMMAND)
			value &= ~(uint32_t)PCI_COMMAND_MASTER;
		if (pwrite(vfio->device, &value, saved->width,
			    (off_t)vfio->config.offset + saved->offset) < 0)
			continue; /* the kernel restores all of it at the last close */
	}
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void mp_vfio_close(struct mp_vfio *vfio)
{
	if (!vfio)
		return;
	if (vfio->device >= 0) {
		mp_vfio_bus_master(vfio, false, NULL);
		mp_vfio_irq_disable(vfio, NULL);
		if (mp_vfio_can_reset(vfio))
			mp_vfio_reset(vfio, NULL);
		restore_config(vfio);
		panic_fd = -1;
	}
	for (unsigned i = 0; i < MP_VFIO_BARS; i++)
		if (vfio->bars[i].memory)
			munmap(vfio->bars[i].memory, vfio->bars[i].size);
	if (vfio->mappings)
		mp_vfio_unmap_all(vfio);
	/* In this order: the kernel detaches the group when its last device is closed. */
	close_fd(&vfio->device);
	close_fd(&vfio->group);
	close_fd(&vfio->container);
	g_clear_pointer(&vfio->ranges, g_array_unref);
	g_clear_pointer(&vfio->mappings, g_array_unref);
	g_clear_pointer(&vfio->saved, g_array_unref);
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

	if (panic_fd >= 0 &&
		pwrite(panic_fd, &command, sizeof(command), panic_offset) < 0)
		return; /* nothing can be done about it in a signal handler */
}
