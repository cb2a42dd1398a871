/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "core/acpi.h"
#include "core/dmar.h"
#include "core/host.h"

#define FIRST_STRUCTURE 48u
#define SCOPE_HEADER    6u

/* Bytes before the device scopes, by type. VT-d specification, sections 8.3 to 8.9. */
static const struct {
	uint16_t fixed;
	bool scopes;
} layout[] = {
	[MP_DMAR_DRHD] = { 16, true },
	[MP_DMAR_RMRR] = { 24, true },
	[MP_DMAR_ATSR] = { 8, true },
	[MP_DMAR_RHSA] = { 20, false },
	[MP_DMAR_ANDD] = { 8, false },
	[MP_DMAR_SATC] = { 8, true },
	[MP_DMAR_SIDP] = { 8, true },
};

/* Takes one scope from the LEFT bytes at P; its length, or 0 and *problem. */
static size_t take_scope(
	const uint8_t *p, size_t left, struct mp_dmar_scope *scope, const char **problem)
{
	uint8_t length = left < SCOPE_HEADER ? 0 : p[1];

	if (length < SCOPE_HEADER) {
		*problem = "a device scope is shorter than its header";
		return 0;
	}
	if (length > left) {
		*problem = "a device scope runs out of its structure";
		return 0;
	}
	if ((length - SCOPE_HEADER) % 2) {
		*problem = "a device scope has half a path entry";
		return 0;
	}
	*scope = (struct mp_dmar_scope){
		.type = p[0],
		.enumeration_id = p[4],
		.bus = p[5],
		.path_length = (length - SCOPE_HEADER) / 2,
	};
	/* Real machines need one or two hops; 16 nested bridges are no machine. */
	if (scope->path_length > MP_DMAR_PATH_MAX) {
		*problem = "a device scope has a path of more than 16 hops";
		return 0;
	}
	for (unsigned i = 0; i < scope->path_length; i++) {
		scope->path[i].device = p[SCOPE_HEADER + 2 * i];
		scope->path[i].function = p[SCOPE_HEADER + 2 * i + 1];
	}
	if (!scope->path_length) {
		*problem = "a device scope has no path";
		return 0;
	}
	return length;
}

static void take_scopes(struct mp_host *host, struct mp_dmar_unit *unit, const uint8_t *p,
	size_t left, const char **problem)
{
	unit->scopes =
		mp_host_own(host, g_array_new(FALSE, FALSE, sizeof(struct mp_dmar_scope)),
			(GDestroyNotify)g_array_unref);
	while (left) {
		struct mp_dmar_scope scope;
		size_t length = take_scope(p, left, &scope, problem);

		if (!length)
			return;
		g_array_append_val(unit->scopes, scope);
		p += length;
		left -= length;
	}
}

/* What makes no sense although every length is right. */
static const char *sanity(const struct mp_dmar *dmar, const struct mp_dmar_unit *unit)
{
	if (unit->type == MP_DMAR_RMRR && unit->limit < unit->base)
		return "a reserved memory region ends before it starts";
	if (unit->type != MP_DMAR_DRHD)
		return NULL;
	if (!unit->base)
		return "a remapping unit has its registers at address 0";
	for (guint i = 0; i < dmar->units->len; i++) {
		const struct mp_dmar_unit *other = dmar->units->pdata[i];

		if (other->type == MP_DMAR_DRHD && other->base == unit->base)
			return "two remapping units overlap: both claim the same "
			       "registers";
	}
	return NULL;
}

static struct mp_dmar_unit *take_unit(struct mp_host *host, uint16_t type,
	const uint8_t *p, size_t length, const char **problem)
{
	struct mp_dmar_unit *unit = mp_host_alloc(host, sizeof(*unit));

	unit->type = type;
	switch (unit->type) {
	case MP_DMAR_DRHD:
		unit->flags = p[4];
		unit->segment = mp_le16(p + 6);
		unit->base = mp_le64(p + 8);
		break;
	case MP_DMAR_RMRR:
		unit->segment = mp_le16(p + 6);
		unit->base = mp_le64(p + 8);
		unit->limit = mp_le64(p + 16);
		break;
	case MP_DMAR_ATSR:
	case MP_DMAR_SATC:
	case MP_DMAR_SIDP:
		unit->flags = p[4];
		unit->segment = mp_le16(p + 6);
		break;
	case MP_DMAR_RHSA:
		unit->base = mp_le64(p + 8);
		break;
	case MP_DMAR_ANDD:
		break;
	}
	if (layout[type].scopes)
		take_scopes(host, unit, p + layout[type].fixed,
			length - layout[type].fixed, problem);
	return unit;
}

/* Takes the structure at P of at most LEFT bytes; its length, or 0 at the end of the
 * walk. */
static size_t take_structure(
	struct mp_host *host, struct mp_dmar *dmar, const uint8_t *p, size_t left)
{
	struct mp_dmar_unit *unit;
	const char *wrong;
	uint16_t type, length;

	if (left < 4) {
		dmar->problem = "stray bytes at the end of the table";
		return 0;
	}
	type = mp_le16(p);
	length = mp_le16(p + 2);
	if (length < 4) {
		dmar->problem = "a remapping structure of length zero";
		return 0;
	}
	if (length > left) {
		dmar->problem = "a remapping structure runs out of the table";
		return 0;
	}
	if (type >= G_N_ELEMENTS(layout)) {
		dmar->unknown++; /* a later specification's: the kernel skips it too */
		return length;
	}
	if (length < layout[type].fixed) {
		dmar->problem = "a remapping structure is shorter than its type needs";
		return 0;
	}
	unit = take_unit(host, type, p, length, &dmar->problem);
	wrong = sanity(dmar, unit);
	if (wrong)
		dmar->problem = wrong;
	else
		g_ptr_array_add(dmar->units, unit);
	return dmar->problem ? 0 : length;
}

struct mp_dmar *mp_dmar_parse(
	struct mp_host *host, const uint8_t *data, size_t size, const char **problem)
{
	struct mp_acpi_table table;
	struct mp_dmar *dmar;
	size_t at = FIRST_STRUCTURE;

	if (!mp_acpi_open(&table, data, size, "DMAR", FIRST_STRUCTURE, problem))
		return NULL;
	dmar = mp_host_alloc(host, sizeof(*dmar));
	dmar->units = mp_host_array(host);
	dmar->revision = table.revision;
	dmar->checksum_ok = table.checksum_ok;
	dmar->address_width = (uint8_t)(data[36] + 1);
	dmar->flags = data[37];
	while (at < table.size) {
		size_t length = take_structure(host, dmar, data + at, table.size - at);

		if (!length)
			break;
		at += length;
	}
	if (table.problem)
		dmar->problem = table.problem; /* the cause of whatever else looked odd */
	else if (!dmar->problem && !table.checksum_ok)
		dmar->problem = "the checksum is wrong";
	*problem = dmar->problem;
	return dmar;
}

unsigned mp_dmar_count(const struct mp_dmar *dmar, enum mp_dmar_type type)
{
	unsigned count = 0;

	for (guint i = 0; i < dmar->units->len; i++)
		count += ((const struct mp_dmar_unit *)dmar->units->pdata[i])->type ==
			 type;
	return count;
}
