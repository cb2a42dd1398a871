/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "core/pci.h"
#include "core/use.h"

static const char *const kind_names[] = {
	[MP_USE_MOUNT] = "mount",
	[MP_USE_SWAP] = "swap",
	[MP_USE_STORAGE] = "storage",
	[MP_USE_NETWORK] = "network",
	[MP_USE_DISPLAY] = "display",
	[MP_USE_OPEN] = "open",
	[MP_USE_VM] = "vm",
	[MP_USE_SRIOV] = "sriov",
};
G_STATIC_ASSERT(G_N_ELEMENTS(kind_names) == MP_USE_KINDS);

const char *mp_use_kind_name(enum mp_use_kind kind)
{
	return kind_names[kind];
}

GPtrArray *mp_use_of(const struct mp_host *host, const struct mp_pci *device)
{
	GPtrArray *found = g_ptr_array_new();

	for (guint i = 0; host->use && i < host->use->entries->len; i++) {
		struct mp_use_entry *entry = host->use->entries->pdata[i];

		if (!strcmp(entry->bdf, device->bdf))
			g_ptr_array_add(found, entry);
	}
	return found;
}

/* --- what could not be looked at --- */

/* What is evidence about which kind of device. */
enum topic { STORAGE, NETWORK, DISPLAY, TOPICS };

static enum topic topic_of(const struct mp_fact *fact)
{
	const char *source = fact->source ? fact->source : "";

	if (g_str_has_prefix(source, "/sys/class/net") ||
		g_str_has_prefix(source, "/proc/net") ||
		g_str_has_prefix(source, "/etc/network"))
		return NETWORK;
	if (g_str_has_prefix(source, "/sys/class/drm") ||
		g_str_has_prefix(source, "/sys/class/graphics"))
		return DISPLAY;
	return STORAGE;
}

/* Could a device of this class carry storage, network or a display at all? Only what
 * cannot is left out; base classes of the PCI Code and ID Assignment Specification. */
static bool concerns(const struct mp_pci *device, enum topic topic)
{
	switch (device->class_code >> 16) {
	case 0x01: /* mass storage */
		return topic == STORAGE;
	case 0x02: /* network */
		return topic == NETWORK;
	case 0x03: /* display */
		return topic == DISPLAY;
	case 0x04: /* multimedia */
	case 0x0b: /* processor */
	case 0x11: /* signal processing */
	case 0x12: /* processing accelerator */
	case 0x40: /* co-processor */
		return false;
	default: /* serial buses such as USB, bridges, the unclassified */
		return true;
	}
}

const struct mp_fact *mp_use_unread(
	const struct mp_host *host, const struct mp_pci *device)
{
	for (guint i = 0; host->use && i < host->use->unreadable->len; i++) {
		const struct mp_fact *fact = host->use->unreadable->pdata[i];

		if (concerns(device, topic_of(fact)))
			return fact;
	}
	return NULL;
}
