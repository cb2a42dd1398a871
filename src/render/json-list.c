/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "render/json.h"

void mp_json_list(const struct mp_list_report *report G_GNUC_UNUSED, const struct mp_render_style *style G_GNUC_UNUSED, FILE *out)
{
	mp_json_write(mp_json_report(), out);
}
