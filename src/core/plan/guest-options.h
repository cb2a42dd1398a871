/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest-options.h - what the parts of `guest apply` share. Only plan/guest-*.c include this. */
#ifndef MP_PLAN_GUEST_OPTIONS_H
#define MP_PLAN_GUEST_OPTIONS_H

#include "core/guest-options.h"
#include "core/plan.h"

/* What the profile of the device INDEX of WISH wants; NULL: nothing, or an earlier device of the
 * same profile tells already. Caller frees. */
struct mp_guest_need *mp_plan_guest_need(const struct mp_wish *wish, guint index);
/* "metis dma_poll=1", of what a file says; caller frees. */
char *mp_plan_guest_said(const struct mp_guest_option *option, const char *value);
/* MP_FEEDS_* of a file with the options of MODULES (char *). Adds notes and obstacles. */
unsigned mp_plan_guest_feeds(
	struct mp_plan *plan, const struct mp_wish *wish, const GPtrArray *modules);
/* The options of NEED are right; an image that loads the module without them is made again. */
void mp_plan_guest_images(struct mp_plan *plan, const struct mp_wish *wish,
	const struct mp_guest_need *need);

#endif
