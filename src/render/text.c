/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "render/render.h"

static void preflight(const struct mp_preflight_report *report, const struct mp_render_style *style G_GNUC_UNUSED, FILE *out)
{
	for (guint i = 0; i < report->findings->len; i++) {
		const struct mp_finding *f = report->findings->pdata[i];

		fprintf(out, "%-7s %s %s: %s\n", mp_severity_name(f->severity), f->id, f->subject, f->summary);
	}
}

const struct mp_render_ops mp_render_text = { .name = "text", .preflight = preflight };
