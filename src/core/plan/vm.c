/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "core/plan.h"

void mp_plan_vm(
	struct mp_plan *plan G_GNUC_UNUSED, const struct mp_wish *wish G_GNUC_UNUSED)
{
}
