/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of checks, and what one of them means. */
#include "config.h"

#include <libsmartcols.h>
#include <string.h>

#include "render/page.h"
#include "render/text.h"

static void add_row(struct libscols_table *table, const struct mp_check *check)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);

	if (!line)
		g_error("out of memory");
	scols_line_set_data(line, 0, check->id);
	scols_line_set_data(line, 1, mp_check_topic(check->id));
	scols_line_set_data(line, 2, mp_check_scope_name(check->scope));
	scols_line_set_data(line, 3, check->title);
}

void mp_text_checks(const struct mp_render_style *style, FILE *out)
{
	struct libscols_table *table = scols_new_table();
	size_t n;
	const struct mp_check *const *all = mp_checks_all(&n);

	if (!table)
		g_error("out of memory");
	scols_table_new_column(table, "ID", 0, 0);
	scols_table_new_column(table, "TOPIC", 0, 0);
	scols_table_new_column(table, "SCOPE", 0, 0);
	scols_table_new_column(table, "TRUE WHEN IT PASSES", 0, style->width ? SCOLS_FL_WRAP : 0);
	scols_table_set_stream(table, out);
	/* The width is decided in one place for all output, not by libsmartcols. */
	scols_table_set_termforce(table, style->width ? SCOLS_TERMFORCE_ALWAYS :
							SCOLS_TERMFORCE_NEVER);
	scols_table_set_termwidth(table, style->width);
	for (size_t i = 0; i < n; i++)
		add_row(table, all[i]);
	scols_print_table(table);
	scols_unref_table(table);
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
