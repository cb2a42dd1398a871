/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The PCI functions of the host: sys/bus/pci/devices, and names for them. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "core/hang.h"
#include "core/pci-config.h"
#include "core/probe-pci.h"

#define PATH_IDS "usr/share/misc/pci.ids"

static int compare_devices(const void *a, const void *b)
{
	return mp_pci_compare(*(struct mp_pci *const *)a, *(struct mp_pci *const *)b);
}

/* A device called NAME in sysfs, or NULL if the kernel would not spell an address so. */
static struct mp_pci *new_device(struct mp_host *host, const char *name)
{
	uint8_t bus, slot, function;
	struct mp_pci *device;
	uint32_t domain;
	char bdf[17];

	if (!mp_pci_parse_bdf(name, &domain, &bus, &slot, &function) ||
		strcmp(mp_pci_format_bdf(bdf, domain, bus, slot, function), name) != 0)
		return NULL;
	device = mp_host_alloc(host, sizeof(*device));
	device->bdf = mp_host_str(host, bdf);
	device->dir = mp_host_strf(host, MP_PATH_PCI_DEVICES "/%s", bdf);
	device->domain = domain;
	device->bus = bus;
	device->slot = slot;
	device->function = function;
	device->vendor = device->device = device->subvendor = device->subdevice = 0xffff;
	return device;
}

/* Every fact that opening the directory would have given, as unknown. */
static void unreadable(struct mp_host *host, struct mp_pci *device, int err)
{
	const char *source = mp_host_strf(host, "/%s", device->dir);
	struct mp_fact fact = mp_fact_errno(host, source, err);

	if (fact.know != MP_UNKNOWN)
		fact = mp_fact_unknown(host, source, "disappeared while it was read");
	device->vendor_fact = device->device_fact = device->class_fact = fact;
	device->driver = device->group_fact = device->reset_method = device->reset = fact;
	device->config_fact = device->resource = fact;
}

/*
 * Reading driver_override takes the lock of the device (driver_override_show() in
 * drivers/pci/pci-sysfs.c; no longer since "PCI: use generic driver_override
 * infrastructure", Linux 7.1 and backported to 7.0), which a driver's probe or remove keeps
 * for as long as it takes. After an unbind that hangs, the read would as well, and beyond
 * any signal.
 */
#define LOCK_MILLISECONDS 3000

static void look_at_override(void *user, const char *name)
{
	g_autofree char *path =
		g_strdup_printf(MP_PATH_PCI_DEVICES "/%s/driver_override", name);
	g_autofree char *data = NULL;

	(void)mp_root_read(user, path, MP_READ_ATTR, &data, NULL);
}

static void probe_device(struct mp_host *host, struct mp_root *root, const char *name,
	unsigned topics, struct mp_libpci *libpci, const char *why, GHashTable *hanging)
{
	struct mp_pci *device = new_device(host, name);
	g_autoptr(mp_dir) dir = NULL;
	int err;

	if (!device)
		return;
	if (hanging && g_hash_table_contains(hanging, name))
		device->driver_override = mp_fact_unknown(host,
			mp_host_strf(host, "/%s/driver_override", device->dir),
			"the kernel does not answer: a driver's bind or unbind hangs");
	err = mp_root_dir(root, device->dir, &dir);
	/* Unplugged since the directory was listed. */
	if (err == -ENOENT && mp_root_is_live(root))
		return;
	if (err < 0)
		unreadable(host, device, err);
	else if (topics & MP_TOPIC_DETAILS)
		mp_probe_pci_details(host, root, device, dir, libpci, why);
	else
		mp_probe_pci_basics(host, device, dir);
	g_hash_table_insert(host->by_bdf, (gpointer)device->bdf, device);
	g_ptr_array_add(host->devices, device);
}

/*
 * The name list is read through the root, so that a copied host is named by what it had
 * itself, and libpci is given only the part that is needed.
 */
static void probe_names(struct mp_host *host, struct mp_root *root)
{
	g_autoptr(mp_libpci) libpci = NULL;
	g_autofree char *data = NULL, *part = NULL;
	const char *why;
	size_t size = 0, part_size = 0;

	if (!host->devices->len ||
		mp_root_read(root, PATH_IDS, MP_READ_FILE, &data, &size) < 0)
		return;
	part = mp_pci_ids_select(host, data, size, &part_size);
	libpci = mp_libpci_new(host, part, part_size, &why);
	for (guint i = 0; libpci && i < host->devices->len; i++)
		mp_libpci_name(libpci, host, host->devices->pdata[i]);
}

void mp_probe_pci(struct mp_host *host, struct mp_root *root, unsigned topics)
{
	g_autoptr(mp_libpci) libpci = NULL;
	g_autoptr(GHashTable) hanging = NULL;
	g_auto(GStrv) names = NULL;
	const char *why = NULL;
	int err = mp_root_list(root, MP_PATH_PCI_DEVICES, &names);

	if (err < 0) {
		host->devices_fact = mp_fact_errno(host, "/" MP_PATH_PCI_DEVICES, err);
		return;
	}
	host->devices_fact = mp_fact_known(host, "/" MP_PATH_PCI_DEVICES, "");
	if (topics & MP_TOPIC_DETAILS)
		libpci = mp_libpci_new(host, NULL, 0, &why);
	if (topics & MP_TOPIC_DETAILS && mp_root_is_live(root))
		hanging = mp_hang_find((const char *const *)names, look_at_override, root,
			LOCK_MILLISECONDS);
	for (char **name = names; *name; name++)
		probe_device(host, root, *name, topics, libpci, why, hanging);
	g_ptr_array_sort(host->devices, compare_devices);
	host->devices_fact.text = mp_host_strf(
		host, "%u device%s", host->devices->len, MP_PLURAL(host->devices->len));
	mp_probe_pci_tree(host, root, topics);
	if (topics & MP_TOPIC_DETAILS)
		mp_probe_pci_slots(host, root);
	if (topics & MP_TOPIC_NAMES)
		probe_names(host, root);
}
