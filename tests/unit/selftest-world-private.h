/* SPDX-License-Identifier: GPL-2.0-or-later */
/* selftest-world-private.h - what the files of the self-test's world share. */
#ifndef MP_SELFTEST_WORLD_PRIVATE_H
#define MP_SELFTEST_WORLD_PRIVATE_H

#include "selftest-world.h"
#include "vfio/engine.h"

/* --- selftest-world-vfio.c --- */

extern struct mp_vfio world_device;
unsigned world_live_mappings(void);
void world_close_triggers(void);
/* As the kernel does when vector N comes. */
bool world_signal(unsigned n);

/* --- selftest-world-device.c --- */

extern const struct mp_engine world_engine;

#endif
