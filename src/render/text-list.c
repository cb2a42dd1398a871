/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "render/text.h"

void mp_text_list(const struct mp_list_report *report G_GNUC_UNUSED, const struct mp_render_style *style G_GNUC_UNUSED, FILE *out G_GNUC_UNUSED)
{
}
