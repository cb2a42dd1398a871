/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "core/plan.h"

void mp_plan_cmdline(
	struct mp_plan *plan G_GNUC_UNUSED, const struct mp_wish *wish G_GNUC_UNUSED)
{
}

void mp_plan_cmdline_prove(
	struct mp_plan *plan G_GNUC_UNUSED, const struct mp_wish *wish G_GNUC_UNUSED)
{
}
