/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses, lookups and questions about a PCI function. Pure. */
#include "config.h"

#include <string.h>

#include "core/pci.h"

#define HEADER_BRIDGE  1
#define HEADER_CARDBUS 2

/* Base class 06 (bridge) and the subclasses whose header has bus numbers: PCI-PCI,
 * CardBus, semi-transparent PCI-PCI (PCI Code and ID Assignment Specification). */
#define CLASS_PCI_BRIDGE             0x0604
#define CLASS_CARDBUS_BRIDGE         0x0607
#define CLASS_SEMITRANSPARENT_BRIDGE 0x0609

static const char hex_digits[] = "0123456789abcdef";

const char *mp_pci_format_bdf(
	char address[17], uint32_t domain, uint8_t bus, uint8_t slot, uint8_t function)
{
	char *p = address;

	for (int shift = 28; shift >= 0; shift -= 4)
		if (shift < 16 || domain >> shift)
			*p++ = hex_digits[(domain >> shift) & 0xf];
	*p++ = ':';
	*p++ = hex_digits[bus >> 4];
	*p++ = hex_digits[bus & 0xf];
	*p++ = ':';
	*p++ = hex_digits[(slot >> 4) & 0xf];
	*p++ = hex_digits[slot & 0xf];
	*p++ = '.';
	*p++ = hex_digits[function & 0xf];
	*p = '\0';
	return address;
}

/* Reads 1..MAX hex digits that END follows; moves *TEXT behind END. */
static bool take_hex(const char **text, unsigned max, char end, uint32_t *value)
{
	const char *p = *text;
	uint32_t number = 0;
	unsigned digits = 0;

	for (; g_ascii_isxdigit(*p); p++) {
		if (++digits > max)
			return false;
		number = number << 4 | (uint32_t)g_ascii_xdigit_value(*p);
	}
	if (!digits || *p != end)
		return false;
	*text = end ? p + 1 : p;
	*value = number;
	return true;
}

bool mp_pci_parse_bdf(const char *text, uint32_t *domain, uint8_t *bus, uint8_t *slot,
	uint8_t *function)
{
	const char *colon = text ? strchr(text, ':') : NULL;
	uint32_t d = 0, b, s, f;

	if (!colon)
		return false;
	if (strchr(colon + 1, ':') && !take_hex(&text, 8, ':', &d))
		return false;
	if (!take_hex(&text, 2, ':', &b) || !take_hex(&text, 2, '.', &s) ||
		!take_hex(&text, 1, '\0', &f) || s > 0x1f || f > 7)
		return false;
	*domain = d;
	*bus = (uint8_t)b;
	*slot = (uint8_t)s;
	*function = (uint8_t)f;
	return true;
}

struct mp_pci *mp_host_device(const struct mp_host *host, const char *bdf)
{
	uint8_t bus, slot, function;
	uint32_t domain;
	char address[17];

	if (!mp_pci_parse_bdf(bdf, &domain, &bus, &slot, &function))
		return NULL;
	mp_pci_format_bdf(address, domain, bus, slot, function);
	return g_hash_table_lookup(host->by_bdf, address);
}

int mp_pci_compare(const struct mp_pci *a, const struct mp_pci *b)
{
	uint64_t x = (uint64_t)a->domain << 16 | (uint64_t)a->bus << 8 |
		     (uint64_t)(a->slot << 3 | a->function);
	uint64_t y = (uint64_t)b->domain << 16 | (uint64_t)b->bus << 8 |
		     (uint64_t)(b->slot << 3 | b->function);

	return x < y ? -1 : x > y;
}

const struct mp_cap *mp_pci_cap(const struct mp_pci *device, uint16_t id, bool extended)
{
	for (size_t i = 0; i < device->caps_count; i++)
		if (device->caps[i].id == id && device->caps[i].extended == extended)
			return &device->caps[i];
	return NULL;
}

uint16_t mp_pci_config16(const struct mp_pci *device, unsigned offset)
{
	if (!device->config || (size_t)offset + 2 > device->config_size)
		return 0xffff;
	return (uint16_t)(device->config[offset] | device->config[offset + 1] << 8);
}

uint32_t mp_pci_config32(const struct mp_pci *device, unsigned offset)
{
	if (!device->config || (size_t)offset + 4 > device->config_size)
		return 0xffffffff;
	return mp_pci_config16(device, offset) |
	       (uint32_t)mp_pci_config16(device, offset + 2) << 16;
}

bool mp_pci_path_unknown(const struct mp_pci *device)
{
	/* 256 buses: ends a walk through parents that loop. */
	for (unsigned depth = 0; device->parent && depth < 256; depth++)
		device = device->parent;
	return device->place_unknown;
}

bool mp_pci_id_unknown(const struct mp_pci *device)
{
	return device->vendor == 0xffff ||
	       (device->device == 0xffff && device->device_fact.know != MP_KNOWN);
}

bool mp_pci_is_bridge(const struct mp_pci *device)
{
	uint32_t class_code = device->class_code >> 8;

	if (device->config_size >= 64 && !device->all_ones)
		return device->header_type == HEADER_BRIDGE ||
		       device->header_type == HEADER_CARDBUS;
	return class_code == CLASS_PCI_BRIDGE || class_code == CLASS_CARDBUS_BRIDGE ||
	       class_code == CLASS_SEMITRANSPARENT_BRIDGE;
}

const char *mp_pci_id(const struct mp_pci *device, char buffer[10])
{
	for (int i = 0; i < 4; i++) {
		buffer[i] = hex_digits[(device->vendor >> (12 - 4 * i)) & 0xf];
		buffer[5 + i] = hex_digits[(device->device >> (12 - 4 * i)) & 0xf];
	}
	buffer[4] = ':';
	buffer[9] = '\0';
	return buffer;
}

char *mp_pci_describe(const struct mp_pci *device)
{
	char id[10];

	mp_pci_id(device, id);
	if (!device->vendor_name)
		return g_strdup_printf("[%s]", id);
	if (!device->device_name)
		return g_strdup_printf("%s [%s]", device->vendor_name, id);
	return g_strdup_printf(
		"%s %s [%s]", device->vendor_name, device->device_name, id);
}
