/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest.h - run functions of the checks inside of a VM; the tables are in guest.c. */
#ifndef MP_CHECKS_GUEST_H
#define MP_CHECKS_GUEST_H

#include "core/check.h"

/* guest-driver.c */
void mp_check_guest_driver(struct mp_check_ctx *ctx);
void mp_check_guest_driver_version(struct mp_check_ctx *ctx);
void mp_check_guest_driver_options(struct mp_check_ctx *ctx);
/* guest-device.c */
void mp_check_guest_parent_port(struct mp_check_ctx *ctx);
void mp_check_guest_decoding(struct mp_check_ctx *ctx);
void mp_check_guest_memory_map(struct mp_check_ctx *ctx);
void mp_check_guest_vectors(struct mp_check_ctx *ctx);
void mp_check_guest_selftest(struct mp_check_ctx *ctx);

/* True if a driver other than vfio-pci has DEVICE. */
bool mp_guest_is_driven(const struct mp_pci *device);
/* True if all of the profile's options for the guest are in force. */
bool mp_guest_options_set(const struct mp_check_ctx *ctx);

#endif
