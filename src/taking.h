/* SPDX-License-Identifier: GPL-2.0-or-later */
/* taking.h - may a device be taken from the driver that it has? For verbs that hand it over. */
#ifndef MP_TAKING_H
#define MP_TAKING_H

#include "core/error.h"
#include "core/host.h"

/* MP_ERROR_CHANGED, which is exit 1: the host, as it is, forbids it. Returns false. */
bool mp_taking_refuse(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* Whether FORCE (addresses, or NULL) names DEVICE. */
bool mp_taking_forced(
	const struct mp_host *host, const struct mp_pci *device, char **force);
/* Nobody may lose a device that is in use; what cannot be told counts as used. */
bool mp_may_take(const struct mp_host *host, const struct mp_pci *device, char **force,
	GError **error);

#endif
