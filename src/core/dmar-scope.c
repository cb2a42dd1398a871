/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which structure of the DMAR table speaks of which device. */
#include "config.h"

#include "core/dmar.h"
#include "core/pci.h"

/* More levels than bus numbers exist: ends a walk through a model whose parents loop. */
#define MAX_DEPTH 256

static const struct mp_pci *device_at(const struct mp_host *host, uint16_t segment,
	uint8_t bus, uint8_t slot, uint8_t function)
{
	char bdf[sizeof("ffff:ff:ff.ff")];

	g_snprintf(bdf, sizeof(bdf), "%04x:%02x:%02x.%x", segment, bus, slot, function);
	return mp_host_device(host, bdf);
}

const struct mp_pci *mp_dmar_scope_target(
	const struct mp_host *host, uint16_t segment, const struct mp_dmar_scope *scope)
{
	const struct mp_pci *device = NULL;
	uint8_t bus = scope->bus;

	for (unsigned i = 0; i < scope->path_length; i++) {
		if (device &&
			!device->secondary_bus) /* no bridge, or one nobody set up */
			return NULL;
		if (device)
			bus = device->secondary_bus;
		device = device_at(host, segment, bus, scope->path[i].device,
			scope->path[i].function);
		if (!device)
			return NULL;
	}
	return device;
}

/* Requests of a virtual function are translated under its physical function. */
static const struct mp_pci *physical(
	const struct mp_host *host, const struct mp_pci *device)
{
	const struct mp_pci *pf = NULL;

	if (device->physfn.know == MP_KNOWN)
		pf = mp_host_device(host, device->physfn.text);
	return pf ? pf : device;
}

bool mp_dmar_unit_names(const struct mp_host *host, const struct mp_dmar_unit *unit,
	const struct mp_pci *device)
{
	if (!unit->scopes || unit->segment != device->domain)
		return false;
	for (guint i = 0; i < unit->scopes->len; i++) {
		const struct mp_dmar_scope *scope =
			&g_array_index(unit->scopes, struct mp_dmar_scope, i);
		const struct mp_pci *target, *up = physical(host, device);

		if (scope->type != MP_DMAR_SCOPE_ENDPOINT &&
			scope->type != MP_DMAR_SCOPE_BRIDGE)
			continue;
		target = mp_dmar_scope_target(host, unit->segment, scope);
		for (unsigned depth = 0; target && up && depth < MAX_DEPTH; depth++) {
			if (up == target)
				return true;
			up = up->parent;
		}
	}
	return false;
}

const struct mp_dmar_unit *mp_dmar_drhd_of(const struct mp_host *host,
	const struct mp_dmar *dmar, const struct mp_pci *device)
{
	const struct mp_dmar_unit *rest = NULL;

	/*
	 * Linux puts units with explicit scopes at the head of its list and the one for
	 * the rest at the end (dmar_register_drhd_unit), so the last explicit one wins.
	 */
	for (guint i = dmar->units->len; i-- > 0;) {
		const struct mp_dmar_unit *unit = dmar->units->pdata[i];

		if (unit->type != MP_DMAR_DRHD || unit->segment != device->domain)
			continue;
		if (unit->flags & MP_DRHD_INCLUDE_PCI_ALL)
			rest = unit;
		else if (mp_dmar_unit_names(host, unit, device))
			return unit;
	}
	return rest;
}

const struct mp_dmar_unit *mp_dmar_drhd_of_ioapic(const struct mp_dmar *dmar, uint8_t id)
{
	for (guint i = 0; i < dmar->units->len; i++) {
		const struct mp_dmar_unit *unit = dmar->units->pdata[i];

		if (unit->type != MP_DMAR_DRHD || !unit->scopes)
			continue;
		for (guint s = 0; s < unit->scopes->len; s++) {
			const struct mp_dmar_scope *scope =
				&g_array_index(unit->scopes, struct mp_dmar_scope, s);

			if (scope->type == MP_DMAR_SCOPE_IOAPIC &&
				scope->enumeration_id == id)
				return unit;
		}
	}
	return NULL;
}
