/* SPDX-License-Identifier: GPL-2.0-or-later */
/* device.h - the checks of one device, by file. Only checks/device*.c include this. */
#ifndef MP_CHECKS_DEVICE_H
#define MP_CHECKS_DEVICE_H

#include "core/check.h"
#include "core/group.h"
#include "core/profile.h"
#include "core/settings.h"

/* device-state.c */
void mp_check_device_responds(struct mp_check_ctx *ctx);
void mp_check_device_power_state(struct mp_check_ctx *ctx);
void mp_check_device_link(struct mp_check_ctx *ctx);
void mp_check_device_aer(struct mp_check_ctx *ctx);
void mp_check_device_numa(struct mp_check_ctx *ctx);
/* device-msi.c */
void mp_check_device_bars(struct mp_check_ctx *ctx);
void mp_check_device_msi(struct mp_check_ctx *ctx);
void mp_check_device_msix_page(struct mp_check_ctx *ctx);
/* device-reset.c */
void mp_check_device_reset_method(struct mp_check_ctx *ctx);
void mp_check_device_reset_scope(struct mp_check_ctx *ctx);
void mp_check_device_siblings(struct mp_check_ctx *ctx);
void mp_check_device_multifunction(struct mp_check_ctx *ctx);
/* device-identity.c */
void mp_check_device_present(struct mp_check_ctx *ctx);
void mp_check_device_identity(struct mp_check_ctx *ctx);

/* group-acs.c */
void mp_check_group_acs_path(struct mp_check_ctx *ctx);

/* --- shared --- */

/* True if DEVICE is one of the devices asked about. */
bool mp_check_wanted(const struct mp_check_ctx *ctx, const struct mp_pci *device);
/* Appends "0000:01:00.1 (nvme)", with a comma before all but the first. */
void mp_check_name(GString *out, const struct mp_pci *device);

#endif
