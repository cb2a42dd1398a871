/* SPDX-License-Identifier: GPL-2.0-or-later */
/* generating.h - `vm generate`: from its options to what a VM needs to get a card. */
#ifndef MP_GENERATING_H
#define MP_GENERATING_H

#include "planning.h"

/* The options as they were given; NULL: not given. */
struct mp_generating_options {
	const struct mp_choose_options *choose;
	const char *to, *vmid, *mapping, *patch;
	const char *guest_driver, *guest_firmware;
	const char *sysroot, *format, *color;
};

/* Returns an enum mp_exit, as a verb's run(). */
int mp_generate(const struct mp_generating_options *options, GError **error);

#endif
