/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "core/pci.h"
#include "core/use.h"
#include "taking.h"

bool mp_taking_refuse(GError **error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	g_autofree char *text = g_strdup_vprintf(format, args);
	va_end(args);
	g_set_error_literal(error, MP_ERROR, MP_ERROR_CHANGED, text);
	return false;
}

bool mp_taking_forced(
	const struct mp_host *host, const struct mp_pci *device, char **force)
{
	for (char **bdf = force; bdf && *bdf; bdf++)
		if (mp_host_device(host, *bdf) == device)
			return true;
	return false;
}

bool mp_may_take(const struct mp_host *host, const struct mp_pci *device, char **force,
	GError **error)
{
	g_autoptr(GPtrArray) uses = mp_use_of(host, device);
	const struct mp_fact *fact;

	if (mp_pci_is_bridge(device))
		return mp_taking_refuse(error,
			"%s: is a bridge; VFIO cannot own one, and a group does not need it to",
			device->bdf);
	if (mp_taking_forced(host, device, force))
		return true;
	if (uses->len) {
		const struct mp_use_entry *use = uses->pdata[0];

		return mp_taking_refuse(error,
			"%s: in use: %s; '--force %s' takes it all the same", device->bdf,
			use->detail, device->bdf);
	}
	fact = mp_use_unread(host, device);
	if (fact)
		return mp_taking_refuse(error,
			"%s: whether the host uses it cannot be told (%s: %s); '--force %s' "
			"takes it all the same",
			device->bdf, fact->source, fact->why, device->bdf);
	return true;
}
