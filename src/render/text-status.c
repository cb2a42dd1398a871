/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `status` for people: the answer first, then what is not as it was set up. */
#include "config.h"

#include <string.h>

#include "core/journal.h"
#include "core/platform.h"
#include "render/page.h"
#include "render/text.h"

#define INDENT 4
#define LABEL  10 /* of what stands behind "Seen" and "Do" */

struct section {
	enum mp_severity severity;
	const char *title;
	enum mp_hue hue;
	const char *mark, *ascii_mark;
};

static const struct section sections[] = {
	{ MP_FAIL, "DRIFT", MP_RED, "✗", "x" },
	{ MP_WARN, "WARNINGS", MP_YELLOW, "!", "!" },
	{ MP_UNSURE, "UNKNOWN", MP_BLUE, "?", "?" },
	{ MP_INFO, "NOT YET", MP_YELLOW, "·", "-" },
	{ MP_PASS, "KEPT", MP_GREEN, "✓", "+" },
};

/* --- the answer --- */

static const struct mp_finding *first_of(
	const struct mp_status_report *report, enum mp_severity severity)
{
	for (guint i = 0; i < report->findings->len; i++) {
		const struct mp_finding *finding = report->findings->pdata[i];

		if (finding->severity == severity)
			return finding;
	}
	return NULL;
}

/* Promises: all findings but those that only tell of a self-test. */
static unsigned total(const struct mp_status_report *report)
{
	unsigned count = 0;

	for (guint i = 0; i < report->findings->len; i++) {
		const struct mp_finding *finding = report->findings->pdata[i];

		count += strcmp(finding->id, MP_STATUS_SELFTEST) != 0 ||
			 finding->severity == MP_FAIL || finding->severity == MP_UNSURE;
	}
	return count;
}

static void put_drift(struct mp_page *page, const struct mp_status_report *report)
{
	const struct mp_finding *first = first_of(report, MP_FAIL);
	unsigned n = report->counts[MP_FAIL];
	g_autofree char *text = NULL;

	if (!strcmp(first->id, "status-transaction") ||
		!strcmp(first->id, MP_STATUS_SELFTEST))
		text = g_strdup_printf("%s: %s", first->subject, first->summary);
	else
		text = g_strdup_printf("%u of %u promises %s not kept: %s: %s", n,
			total(report), n == 1 ? "is" : "are", first->subject,
			first->summary);
	mp_page_para(page, 0, MP_RED, "DRIFT:", INDENT, text);
}

static void put_answer(struct mp_page *page, const struct mp_status_report *report)
{
	unsigned n = report->counts[MP_INFO];
	g_autofree char *text = NULL;

	switch (report->verdict) {
	case MP_STATUS_NOTHING:
		mp_page_para(page, 0, MP_PLAIN, "status:", INDENT,
			"nothing is set up by this program");
		return;
	case MP_STATUS_DRIFT:
		put_drift(page, report);
		return;
	case MP_STATUS_UNKNOWN:
		n = report->counts[MP_UNSURE];
		if (!n) {
			mp_page_para(page, 0, MP_BLUE, "UNKNOWN:", INDENT,
				"what is set up promised nothing that could be checked");
			return;
		}
		text = g_strdup_printf("%u of %u promises could not be checked: %s: %s",
			n, total(report), first_of(report, MP_UNSURE)->subject,
			first_of(report, MP_UNSURE)->summary);
		mp_page_para(page, 0, MP_BLUE, "UNKNOWN:", INDENT, text);
		return;
	case MP_STATUS_PENDING:
		text = g_strdup_printf(
			"reboot pending: %u of %u promises count%s from the next boot on",
			n, total(report), n == 1 ? "s" : "");
		mp_page_para(page, 0, MP_YELLOW, "not yet:", INDENT, text);
		return;
	case MP_STATUS_KEPT:
		break;
	}
	text = n ? g_strdup_printf(
			   "%u of %u promises kept, %u from the VM's next start on",
			   total(report) - n, total(report), n)
		 : g_strdup_printf("all %u promises kept", total(report));
	mp_page_para(page, 0, MP_GREEN, "status:", INDENT, text);
}

/* --- what was looked at --- */

static void put_subjects(struct mp_page *page, const struct mp_status_report *report)
{
	const struct mp_platform *platform = report->host->platform;
	g_autoptr(GString) text = g_string_new(NULL);

	mp_page_gap(page);
	if (platform && platform->hostname.know == MP_KNOWN)
		g_string_append(text, platform->hostname.text);
	if (platform && platform->kernel_release.know == MP_KNOWN)
		g_string_append_printf(text, "%sLinux %s", text->len ? ", " : "",
			platform->kernel_release.text);
	if (!report->host->live)
		g_string_append_printf(
			text, "%s%s", text->len ? ", " : "", report->host->origin);
	mp_page_para(page, 0, MP_FAINT, "Host", LABEL, text->str);
	for (guint i = 0; i < report->transactions->len; i++) {
		const struct mp_tx *tx = report->transactions->pdata[i];
		g_autofree char *date = mp_text_time(tx->created);
		g_autofree char *line = g_strdup_printf("%s, %s: %s (%s)", tx->id, date,
			tx->title ? tx->title : "-", mp_tx_state_name(tx->state));

		mp_page_para(page, 0, MP_FAINT, i ? "" : "Set up", LABEL, line);
	}
}

/* --- findings --- */

static void put_finding(struct mp_page *page, const struct mp_finding *finding,
	const struct section *section)
{
	const char *mark = page->style->unicode ? section->mark : section->ascii_mark;
	g_autofree char *label = g_strdup_printf("%s %s", mark, finding->id);
	const char *seen = "Seen";

	mp_page_gap(page);
	mp_page_para(page, 0, section->hue, label, 0, finding->subject);
	mp_page_para(page, INDENT, MP_PLAIN, "", INDENT, finding->summary);
	for (guint i = 0; i < finding->evidence->len; i++) {
		const struct mp_evidence *evidence = finding->evidence->pdata[i];
		g_autofree char *text =
			g_strdup_printf("%s: %s", evidence->source, evidence->value);

		mp_page_para(page, INDENT, MP_FAINT, seen, LABEL, text);
		seen = "";
	}
	if (finding->remedy)
		mp_page_para(page, INDENT, MP_BOLD, "Do", LABEL, finding->remedy);
}

static void put_brief(struct mp_page *page, const struct mp_finding *finding,
	const struct section *section)
{
	const char *mark = page->style->unicode ? section->mark : section->ascii_mark;
	g_autofree char *label = g_strdup_printf("%s %s:", mark, finding->subject);

	mp_page_para(page, 0, section->hue, label, INDENT, finding->summary);
}

static void put_section(struct mp_page *page, const struct mp_status_report *report,
	const struct section *section)
{
	unsigned n = report->counts[section->severity];
	bool brief = section->severity <= MP_INFO && !page->style->verbose;

	if (!n)
		return;
	mp_page_gap(page);
	mp_page_line(page, section->hue, "%s (%u)", section->title, n);
	for (guint i = 0; i < report->findings->len; i++) {
		const struct mp_finding *finding = report->findings->pdata[i];

		if (finding->severity != section->severity)
			continue;
		if (brief)
			put_brief(page, finding, section);
		else
			put_finding(page, finding, section);
	}
}

void mp_text_status(const struct mp_status_report *report,
	const struct mp_render_style *style, FILE *out)
{
	struct mp_page page = mp_page_new(style);

	put_answer(&page, report);
	if (report->verdict != MP_STATUS_NOTHING) {
		put_subjects(&page, report);
		for (size_t i = 0; i < G_N_ELEMENTS(sections); i++)
			put_section(&page, report, &sections[i]);
	}
	mp_page_write(&page, out);
}
