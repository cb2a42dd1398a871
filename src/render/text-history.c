/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `history` for people: a line a transaction, the oldest first. */
#include "config.h"

#include <libsmartcols.h>
#include <string.h>

#include "core/journal.h"
#include "render/page.h"
#include "render/text.h"

enum column { COL_ID, COL_DATE, COL_TITLE, COL_STATE, COL_STEPS, COLS };

static const struct {
	const char *header;
	double width;
	int flags;
} infos[] = {
	[COL_ID] = { "ID", 4, 0 },
	[COL_DATE] = { "DATE", 16, 0 },
	[COL_TITLE] = { "CHANGE", 0.5, SCOLS_FL_TRUNC },
	[COL_STATE] = { "STATE", 11, 0 },
	[COL_STEPS] = { "STEPS", 5, SCOLS_FL_RIGHT },
};
G_STATIC_ASSERT(G_N_ELEMENTS(infos) == COLS);

char *mp_text_time(int64_t seconds)
{
	g_autoptr(GDateTime) time = g_date_time_new_from_unix_local(seconds);

	return time ? g_date_time_format(time, "%Y-%m-%d %H:%M") : g_strdup("-");
}

static const char *color_of(const struct mp_tx *tx)
{
	switch (tx->state) {
	case MP_TX_OPEN:
	case MP_TX_UNDOING:
		return "red";
	case MP_TX_APPLIED:
		return "green";
	case MP_TX_UNDONE:
		break;
	}
	return "darkgray";
}

static void add_line(struct libscols_table *table, const struct mp_tx *tx)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);
	g_autofree char *date = mp_text_time(tx->created);
	g_autofree char *steps = g_strdup_printf("%u", tx->steps->len);
	const char *title = tx->title ? tx->title : "-";
	g_autofree char *clean = mp_clean_text(title, strlen(title));

	if (!line)
		return;
	scols_line_set_data(line, COL_ID, tx->id);
	scols_line_set_data(line, COL_DATE, date);
	scols_line_set_data(line, COL_TITLE, clean);
	scols_line_set_data(line, COL_STATE, mp_tx_state_name(tx->state));
	scols_line_set_data(line, COL_STEPS, steps);
	scols_line_set_color(line, color_of(tx));
}

static struct libscols_table *new_table(const struct mp_render_style *style, FILE *out)
{
	struct libscols_table *table = scols_new_table();

	if (!table)
		return NULL;
	scols_table_set_stream(table, out);
	scols_table_enable_ascii(table, !style->unicode);
	scols_table_enable_colors(table, style->color);
	scols_table_set_termforce(
		table, style->width ? SCOLS_TERMFORCE_ALWAYS : SCOLS_TERMFORCE_NEVER);
	scols_table_set_termwidth(table, style->width);
	for (size_t i = 0; i < COLS; i++)
		scols_table_new_column(
			table, infos[i].header, infos[i].width, infos[i].flags);
	return table;
}

void mp_text_history(const struct mp_history_report *report,
	const struct mp_render_style *style, FILE *out)
{
	struct libscols_table *table;

	if (!report->transactions->len) {
		fprintf(out, "nothing was changed by this program\n");
		return;
	}
	table = new_table(style, out);
	if (!table)
		return;
	for (guint i = 0; i < report->transactions->len; i++)
		add_line(table, report->transactions->pdata[i]);
	scols_print_table(table);
	scols_unref_table(table);
}
