/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "core/acpi.h"
#include "core/host.h"
#include "core/ivrs.h"
#include "core/pci.h"

#define FIRST_BLOCK 48u

/* Device entries of an IVHD: AMD specification 48882, tables 95 to 98. */
enum {
	ENTRY_PAD = 0x00,
	ENTRY_ALL = 0x01,
	ENTRY_SELECT = 0x02,
	ENTRY_RANGE = 0x03,
	ENTRY_RANGE_END = 0x04,
	ENTRY_ALIAS_SELECT = 0x42,
	ENTRY_ALIAS_RANGE = 0x43,
	ENTRY_EXT_SELECT = 0x46,
	ENTRY_EXT_RANGE = 0x47,
	ENTRY_SPECIAL = 0x48,
	ENTRY_ACPI_HID = 0xf0,
};

#define SOUTHBRIDGE_IOAPIC 0x00a0 /* 00:14.0, IOAPIC_SB_DEVID of the kernel */

/* The top two bits give the size; F0h carries a name. 0: it does not fit or is unknown.
 */
static size_t entry_length(const uint8_t *p, size_t left)
{
	size_t length = 0;

	if (*p < 0x80)
		length = (size_t)4 << (*p >> 6);
	else if (*p == ENTRY_ACPI_HID && left >= 22)
		length = 22u + p[21];
	return length <= left ? length : 0;
}

static void add_range(struct mp_ivhd *ivhd, uint16_t first, uint16_t last)
{
	struct mp_ivrs_range range = { .first = first, .last = last };

	g_array_append_val(ivhd->ranges, range);
}

static void add_alias(struct mp_ivhd *ivhd, uint16_t first, uint16_t last, uint16_t alias)
{
	struct mp_ivrs_range range = {
		.first = first, .last = last, .aliased = true, .alias = alias
	};

	g_array_append_val(ivhd->ranges, range);
}

struct open_range {
	bool open, aliased;
	uint16_t first, alias;
};

static const char *take_entry(
	struct mp_ivhd *ivhd, const uint8_t *p, struct open_range *range)
{
	uint16_t id = mp_le16(p + 1);

	if (range->open && *p != ENTRY_RANGE_END && *p != ENTRY_PAD)
		return "a range of devices has a start and no end";
	switch (*p) {
	case ENTRY_ALL:
		add_range(ivhd, 0, 0xffff);
		return NULL;
	case ENTRY_SELECT:
	case ENTRY_EXT_SELECT:
		add_range(ivhd, id, id);
		return NULL;
	case ENTRY_ALIAS_SELECT:
		add_alias(ivhd, id, id, mp_le16(p + 5));
		return NULL;
	case ENTRY_RANGE:
	case ENTRY_EXT_RANGE:
		*range = (struct open_range){ .open = true, .first = id };
		return NULL;
	case ENTRY_ALIAS_RANGE:
		*range = (struct open_range){ .open = true,
			.first = id,
			.aliased = true,
			.alias = mp_le16(p + 5) };
		return NULL;
	case ENTRY_RANGE_END:
		if (!range->open)
			return "a range of devices has an end and no start";
		if (id < range->first)
			return "a range of devices ends before it starts";
		if (range->aliased)
			add_alias(ivhd, range->first, id, range->alias);
		else
			add_range(ivhd, range->first, id);
		range->open = false;
		return NULL;
	case ENTRY_SPECIAL: {
		struct mp_ivrs_special special = {
			.handle = p[4], .device_id = mp_le16(p + 5), .variety = p[7]
		};

		g_array_append_val(ivhd->specials, special);
		return NULL;
	}
	default: /* padding, names of the ACPI namespace, later additions */
		return NULL;
	}
}

static const char *take_entries(struct mp_ivhd *ivhd, const uint8_t *p, size_t left)
{
	struct open_range range = { .open = false };

	while (left) {
		size_t length = entry_length(p, left);
		const char *problem;

		if (!length)
			return "a device entry is unknown or runs out of its block";
		problem = take_entry(ivhd, p, &range);
		if (problem)
			return problem;
		ivhd->entries++;
		p += length;
		left -= length;
	}
	return range.open ? "a range of devices has a start and no end" : NULL;
}

static GArray *owned_array(struct mp_host *host, guint size)
{
	return mp_host_own(
		host, g_array_new(FALSE, TRUE, size), (GDestroyNotify)g_array_unref);
}

static const char *take_ivhd(
	struct mp_host *host, struct mp_ivrs *ivrs, const uint8_t *p, size_t length)
{
	size_t header = p[0] == 0x10 ? 24 : 40;
	struct mp_ivhd ivhd = { .type = p[0], .flags = p[1] };
	const char *problem;

	if (length < header)
		return "a unit's block is shorter than its type needs";
	ivhd.device_id = mp_le16(p + 4);
	ivhd.base = mp_le64(p + 8);
	ivhd.segment = mp_le16(p + 16);
	if (header == 40)
		ivhd.efr = mp_le64(p + 24);
	if (!ivhd.base)
		return "a unit has its registers at address 0";
	for (guint i = 0; i < ivrs->ivhd->len; i++) {
		const struct mp_ivhd *other =
			&g_array_index(ivrs->ivhd, struct mp_ivhd, i);

		if (other->type == ivhd.type && other->base == ivhd.base)
			return "two units overlap: both claim the same registers";
	}
	ivhd.ranges = owned_array(host, sizeof(struct mp_ivrs_range));
	ivhd.specials = owned_array(host, sizeof(struct mp_ivrs_special));
	problem = take_entries(&ivhd, p + header, length - header);
	g_array_append_val(ivrs->ivhd, ivhd);
	return problem;
}

static const char *take_ivmd(struct mp_ivrs *ivrs, const uint8_t *p, size_t length)
{
	struct mp_ivmd ivmd = { .type = p[0], .flags = p[1] };

	if (length < 32)
		return "a memory definition is shorter than its type needs";
	ivmd.device_id = mp_le16(p + 4);
	ivmd.aux = mp_le16(p + 6);
	ivmd.segment = mp_le16(p + 8);
	ivmd.start = mp_le64(p + 16);
	ivmd.length = mp_le64(p + 24);
	if (ivmd.length && ivmd.start > UINT64_MAX - (ivmd.length - 1))
		return "a memory definition runs beyond the address space";
	if (ivmd.type == 0x22 && ivmd.aux < ivmd.device_id)
		return "a memory definition's range of devices ends before it starts";
	g_array_append_val(ivrs->ivmd, ivmd);
	return NULL;
}

static const char *take_block(
	struct mp_host *host, struct mp_ivrs *ivrs, const uint8_t *p, size_t length)
{
	switch (p[0]) {
	case 0x10:
	case 0x11:
	case 0x40:
		return take_ivhd(host, ivrs, p, length);
	case 0x20:
	case 0x21:
	case 0x22:
		return take_ivmd(ivrs, p, length);
	default:
		ivrs->unknown++;
		return NULL;
	}
}

static void walk(
	struct mp_host *host, struct mp_ivrs *ivrs, const uint8_t *data, size_t size)
{
	for (size_t at = FIRST_BLOCK; at < size && !ivrs->problem;) {
		size_t left = size - at, length;

		if (left < 4) {
			ivrs->problem = "stray bytes at the end of the table";
			return;
		}
		length = mp_le16(data + at + 2);
		if (length < 4) {
			ivrs->problem = "a block of length zero";
			return;
		}
		if (length > left) {
			ivrs->problem = "a block runs out of the table";
			return;
		}
		ivrs->problem = take_block(host, ivrs, data + at, length);
		at += length;
	}
}

struct mp_ivrs *mp_ivrs_parse(
	struct mp_host *host, const uint8_t *data, size_t size, const char **problem)
{
	struct mp_acpi_table table;
	struct mp_ivrs *ivrs;

	if (!mp_acpi_open(&table, data, size, "IVRS", FIRST_BLOCK, problem))
		return NULL;
	ivrs = mp_host_alloc(host, sizeof(*ivrs));
	ivrs->ivhd = owned_array(host, sizeof(struct mp_ivhd));
	ivrs->ivmd = owned_array(host, sizeof(struct mp_ivmd));
	ivrs->revision = table.revision;
	ivrs->checksum_ok = table.checksum_ok;
	ivrs->ivinfo = mp_le32(data + 36);
	walk(host, ivrs, data, table.size);
	if (table.problem)
		ivrs->problem = table.problem;
	else if (!ivrs->problem && !table.checksum_ok)
		ivrs->problem = "the checksum is wrong";
	*problem = ivrs->problem;
	return ivrs;
}

uint8_t mp_ivrs_type(const struct mp_ivrs *ivrs)
{
	const struct mp_ivhd *first;
	uint8_t type;

	if (!ivrs->ivhd->len)
		return 0;
	first = &g_array_index(ivrs->ivhd, struct mp_ivhd, 0);
	type = first->type;
	for (guint i = 1; i < ivrs->ivhd->len; i++) {
		const struct mp_ivhd *ivhd =
			&g_array_index(ivrs->ivhd, struct mp_ivhd, i);

		if (ivhd->device_id == first->device_id)
			type = ivhd->type;
	}
	return type;
}

unsigned mp_ivrs_units(const struct mp_ivrs *ivrs)
{
	uint8_t type = mp_ivrs_type(ivrs);
	unsigned units = 0;

	for (guint i = 0; i < ivrs->ivhd->len; i++)
		units += g_array_index(ivrs->ivhd, struct mp_ivhd, i).type == type;
	return units;
}

static uint16_t device_id(const struct mp_pci *device)
{
	return (uint16_t)(device->bus << 8 | (device->slot & 0x1f) << 3 |
			  (device->function & 7));
}

const struct mp_ivhd *mp_ivrs_ivhd_of(
	const struct mp_ivrs *ivrs, const struct mp_pci *device)
{
	uint8_t type = mp_ivrs_type(ivrs);
	uint16_t id = device_id(device);

	for (guint i = 0; i < ivrs->ivhd->len; i++) {
		const struct mp_ivhd *ivhd =
			&g_array_index(ivrs->ivhd, struct mp_ivhd, i);

		if (ivhd->type != type || ivhd->segment != device->domain)
			continue;
		for (guint r = 0; r < ivhd->ranges->len; r++) {
			const struct mp_ivrs_range *range =
				&g_array_index(ivhd->ranges, struct mp_ivrs_range, r);

			if (id >= range->first && id <= range->last)
				return ivhd;
		}
	}
	return NULL;
}

bool mp_ivmd_names(const struct mp_ivmd *ivmd, const struct mp_pci *device)
{
	uint16_t id = device_id(device);

	if (ivmd->segment != device->domain)
		return false;
	if (ivmd->type == 0x20)
		return true;
	if (ivmd->type == 0x21)
		return id == ivmd->device_id;
	return id >= ivmd->device_id && id <= ivmd->aux;
}

static const struct mp_ivrs_special *find_special(const struct mp_ivrs *ivrs,
	bool (*fits)(const struct mp_ivrs_special *, unsigned), unsigned what)
{
	uint8_t type = mp_ivrs_type(ivrs);

	for (guint i = 0; i < ivrs->ivhd->len; i++) {
		const struct mp_ivhd *ivhd =
			&g_array_index(ivrs->ivhd, struct mp_ivhd, i);

		if (ivhd->type != type)
			continue;
		for (guint s = 0; s < ivhd->specials->len; s++) {
			const struct mp_ivrs_special *special =
				&g_array_index(ivhd->specials, struct mp_ivrs_special, s);

			if (special->variety == 1 && fits(special, what))
				return special;
		}
	}
	return NULL;
}

static bool has_handle(const struct mp_ivrs_special *special, unsigned what)
{
	return special->handle == what;
}

static bool has_device(const struct mp_ivrs_special *special, unsigned what)
{
	return special->device_id == what;
}

bool mp_ivrs_has_ioapic(const struct mp_ivrs *ivrs, uint8_t id)
{
	return find_special(ivrs, has_handle, id) != NULL;
}

bool mp_ivrs_has_southbridge_ioapic(const struct mp_ivrs *ivrs)
{
	return find_special(ivrs, has_device, SOUTHBRIDGE_IOAPIC) != NULL;
}
