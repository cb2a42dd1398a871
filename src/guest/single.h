/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * single.h - one self-test at a time in a VM, and ending it from elsewhere: a lock in /run of
 * the live host.
 */
#ifndef MP_GUEST_SINGLE_H
#define MP_GUEST_SINGLE_H

#include "core/target.h"

/* This process is the one, until it ends. False: another one is (MP_ERROR_BUSY, with its
 * number), or it cannot be told. */
bool mp_single_begin(struct mp_target *target, const char *vmid, GError **error);
/* Sends a SIGTERM to whoever is. False: nobody is. */
bool mp_single_end(const char *vmid);

#endif
