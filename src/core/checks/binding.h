/* SPDX-License-Identifier: GPL-2.0-or-later */
/* binding.h - run functions of the binding checks; the table is in binding.c. */
#ifndef MP_CHECKS_BINDING_H
#define MP_CHECKS_BINDING_H

#include "core/check.h"

/* binding-host.c */
void mp_check_vfio_modules(struct mp_check_ctx *ctx);
void mp_check_vfio_virqfd_stale(struct mp_check_ctx *ctx);
/* binding-now.c */
void mp_check_binding_effective(struct mp_check_ctx *ctx);
void mp_check_host_driver_taint(struct mp_check_ctx *ctx);
/* binding-next.c */
void mp_check_binding_config(struct mp_check_ctx *ctx);
void mp_check_binding_early(struct mp_check_ctx *ctx);
void mp_check_initramfs_binding(struct mp_check_ctx *ctx);

/* How to keep the host's driver away from the device at boot; right beside a second card
 * with the same id too. Caller frees. */
char *mp_check_how_to_bind(const struct mp_check_ctx *ctx);

#endif
