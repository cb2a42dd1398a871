/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of checks, and what one of them means. */
#include "config.h"

#include <string.h>

#include "render/page.h"
#include "render/text.h"

#define SCOPE_WIDTH 6 /* "device" */

void mp_text_checks(const struct mp_render_style *style, FILE *out)
{
	struct mp_page page = mp_page_new(style);
	size_t n;
	const struct mp_check *const *all = mp_checks_all(&n);
	const char *topic = NULL;
	int width = 0;

	for (size_t i = 0; i < n; i++)
		width = MAX(width, (int)strlen(all[i]->id));
	for (size_t i = 0; i < n; i++) {
		const char *its = mp_check_topic(all[i]->id);
		g_autofree char *label = g_strdup_printf("%-*s  %-*s", width, all[i]->id,
			SCOPE_WIDTH, mp_check_scope_name(all[i]->scope));

		if (g_strcmp0(topic, its) != 0) {
			mp_page_gap(&page);
			mp_page_line(&page, MP_BOLD, "%s", its);
		}
		topic = its;
		mp_page_para(&page, 2, MP_PLAIN, label,
			(unsigned)(2 + width + 2 + SCOPE_WIDTH + 2), all[i]->title);
	}
	mp_page_write(&page, out);
}

void mp_text_explain(
	const struct mp_check *check, const struct mp_render_style *style, FILE *out)
{
	struct mp_page page = mp_page_new(style);
	g_autofree char *about = g_strdup_printf("Topic %s; one finding for each %s%s.",
		mp_check_topic(check->id), mp_check_scope_name(check->scope),
		check->live_only ? "; only a live host can answer" : "");

	mp_page_para(&page, 0, MP_BOLD, check->id, 0, "");
	mp_page_para(&page, 0, MP_PLAIN, "", 0, check->title);
	mp_page_gap(&page);
	mp_page_para(&page, 0, MP_PLAIN, "", 0, check->explain);
	mp_page_gap(&page);
	mp_page_para(&page, 0, MP_FAINT, "", 0, about);
	mp_page_write(&page, out);
}
