/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vfio-pci's `ids=` as vfio_pci_fill_ids() and pci_match_one_device() of Linux read it. */
#include "config.h"

#include <string.h>

#include "core/modules.h"
#include "core/pci.h"

#define PCI_ANY_ID 0xffffffffu
#define IDS_MAX                                                                          \
	1023 /* `static char ids[1024]`: a longer parameter is refused as a whole */

enum { VENDOR, DEVICE, SUBVENDOR, SUBDEVICE, CLASS, CLASS_MASK, FIELDS };

/* "%x" of the kernel's sscanf: an optional 0x, then hex digits, wrapping at 32 bits. */
static bool read_hex(const char **pos, uint32_t *value)
{
	const char *p = *pos;

	if (p[0] == '0' && (p[1] == 'x' || p[1] == 'X') && g_ascii_isxdigit(p[2]))
		p += 2;
	if (!g_ascii_isxdigit(*p))
		return false;
	for (*value = 0; g_ascii_isxdigit(*p); p++)
		*value = *value << 4 | (uint32_t)g_ascii_xdigit_value(*p);
	*pos = p;
	return true;
}

static bool entry_takes(const char *entry, const struct mp_pci *device)
{
	uint32_t f[FIELDS] = {
		[SUBVENDOR] = PCI_ANY_ID,
		[SUBDEVICE] = PCI_ANY_ID,
	};
	int fields = 0;

	while (fields < FIELDS && read_hex(&entry, &f[fields])) {
		fields++;
		if (*entry != ':')
			break;
		entry++;
	}
	return fields >= 2 && (f[VENDOR] == PCI_ANY_ID || f[VENDOR] == device->vendor) &&
	       (f[DEVICE] == PCI_ANY_ID || f[DEVICE] == device->device) &&
	       (f[SUBVENDOR] == PCI_ANY_ID || f[SUBVENDOR] == device->subvendor) &&
	       (f[SUBDEVICE] == PCI_ANY_ID || f[SUBDEVICE] == device->subdevice) &&
	       !((f[CLASS] ^ device->class_code) & f[CLASS_MASK]);
}

bool mp_vfio_ids_take(const char *ids, const struct mp_pci *device)
{
	if (strlen(ids) > IDS_MAX)
		return false;
	g_auto(GStrv) list = g_strsplit(ids, ",", -1);

	for (char **entry = list; *entry; entry++)
		if (entry_takes(*entry, device))
			return true;
	return false;
}

bool mp_modprobe_vfio_takes(
	const struct mp_host *host, const struct mp_pci *device, const char **file)
{
	g_autofree char *ids =
		mp_modprobe_option(host->modules->modprobe, "vfio_pci", "ids", file);

	return ids && mp_vfio_ids_take(ids, device);
}
