/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `selftest` for people: the answer first, then what failed, what was skipped, the figures. */
#include "config.h"

#include <string.h>

#include "core/pci.h"
#include "core/platform.h"
#include "render/page.h"
#include "render/text.h"
#include "vfio/selftest.h"

#define INDENT 4
#define LABEL  10 /* of what stands behind "Seen" and "Do" */

struct section {
	enum mp_case_verdict verdict;
	const char *title;
	enum mp_hue hue;
	const char *mark, *ascii_mark;
};

static const struct section sections[] = {
	{ MP_CASE_FAIL, "FAILED", MP_RED, "✗", "x" },
	{ MP_CASE_SKIP, "SKIPPED", MP_FAINT, "-", "-" },
	{ MP_CASE_PASS, "PASSED", MP_GREEN, "✓", "+" },
};

const char *mp_selftest_verdict_name(const struct mp_selftest_report *report)
{
	if (report->failed)
		return "failed";
	return report->interrupted ? "interrupted" : "passed";
}

/* --- the answer --- */

static const struct mp_case_result *first_failure(const struct mp_selftest_report *report)
{
	for (guint i = 0; i < report->results->len; i++) {
		const struct mp_case_result *result = report->results->pdata[i];

		if (result->verdict == MP_CASE_FAIL)
			return result;
	}
	return NULL;
}

static char *tail(const struct mp_selftest_report *report)
{
	g_autoptr(GString) text = g_string_new(NULL);

	g_string_append_printf(text, "on %s (%s)", report->device->bdf, report->engine);
	if (report->vm)
		g_string_append_printf(text, " in VM %s", report->vm);
	if (report->options->rounds > 1)
		g_string_append_printf(text, " in %u rounds", report->options->rounds);
	if (report->skipped)
		g_string_append_printf(text, ", %u skipped", report->skipped);
	return g_string_free(g_steal_pointer(&text), FALSE);
}

static void put_answer(struct mp_page *page, const struct mp_selftest_report *report)
{
	const struct mp_case_result *failure = first_failure(report);
	unsigned run = report->passed + report->failed;
	g_autofree char *where = tail(report);
	g_autofree char *text = NULL;

	if (failure) {
		text = g_strdup_printf("%u of %u case%s failed %s%s: %s: %s",
			report->failed, run, MP_PLURAL(run), where,
			report->interrupted ? ", then it was stopped" : "", failure->name,
			failure->summary);
		mp_page_para(page, 0, MP_RED, "FAILED:", INDENT, text);
		return;
	}
	if (report->interrupted) {
		text = g_strdup_printf(
			"stopped %s after %u passed case%s %s; the device is quiet",
			report->late ? "because its time was over" : "by a signal",
			report->passed, MP_PLURAL(report->passed), where);
		mp_page_para(page, 0, MP_YELLOW, "selftest:", INDENT, text);
		return;
	}
	text = g_strdup_printf("all %u case%s passed %s", report->passed,
		MP_PLURAL(report->passed), where);
	mp_page_para(page, 0, MP_GREEN, "selftest:", INDENT, text);
}

/* What it is called by --way, and what it is. */
static const char *way_text(const char *way)
{
	if (g_strcmp0(way, "module") == 0)
		return "module: the kernel module metis_dmatest";
	return g_strcmp0(way, "cdev") == 0 ? "cdev: a file of its own, by /dev/iommu"
					   : "group: its IOMMU group, by /dev/vfio/vfio";
}

static void put_subjects(struct mp_page *page, const struct mp_selftest_report *report)
{
	const struct mp_platform *platform = report->host->platform;
	g_autofree char *what = mp_pci_describe(report->device);
	g_autofree char *device = g_strdup_printf("%s %s", report->device->bdf, what);
	g_autofree char *took = NULL;
	g_autoptr(GString) host = g_string_new(NULL);

	mp_page_gap(page);
	if (platform && platform->hostname.know == MP_KNOWN)
		g_string_append(host, platform->hostname.text);
	if (platform && platform->kernel_release.know == MP_KNOWN)
		g_string_append_printf(host, "%sLinux %s", host->len ? ", " : "",
			platform->kernel_release.text);
	if (platform && platform->bios_version.know == MP_KNOWN)
		g_string_append_printf(host, "%sBIOS %s", host->len ? ", " : "",
			platform->bios_version.text);
	mp_page_para(
		page, 0, MP_FAINT, report->guest ? "Guest" : "Host", LABEL, host->str);
	mp_page_para(page, 0, MP_FAINT, "Device", LABEL, device);
	took = g_strdup_printf("%u s", report->seconds);
	mp_page_para(page, 0, MP_FAINT, "Took", LABEL, took);
	mp_page_para(page, 0, MP_FAINT, "Way in", LABEL, way_text(report->way));
}

/* --- figures --- */

static void add_time(GString *text, uint64_t ns)
{
	if (ns < 10000)
		g_string_append_printf(text, "%.1f us", (double)ns / 1e3);
	else if (ns < 10000000)
		g_string_append_printf(text, "%.0f us", (double)ns / 1e3);
	else
		g_string_append_printf(text, "%.0f ms", (double)ns / 1e6);
}

static void add_rate(GString *text, uint64_t rate)
{
	if (rate < 10000)
		g_string_append_printf(text, "%" G_GUINT64_FORMAT " B/s", rate);
	else if (rate < 10000000)
		g_string_append_printf(text, "%.1f kB/s", (double)rate / 1e3);
	else
		g_string_append_printf(text, "%.1f MB/s", (double)rate / 1e6);
}

static void add_figures(
	GString *text, const struct mp_figures *figures, void (*add)(GString *, uint64_t))
{
	g_string_append(text, "; ");
	add(text, figures->median);
	if (figures->count < 2)
		return;
	g_string_append(text, " (");
	add(text, figures->min);
	g_string_append(text, " to ");
	add(text, figures->max);
	g_string_append_printf(text, ", %u times)", figures->count);
}

static char *summary(const struct mp_case_result *result)
{
	GString *text = g_string_new(result->summary);

	if (result->latency_ns.count)
		add_figures(text, &result->latency_ns, add_time);
	if (result->bytes_per_second.count)
		add_figures(text, &result->bytes_per_second, add_rate);
	return g_string_free(text, FALSE);
}

/* --- cases --- */

static void put_evidence(struct mp_page *page, const struct mp_case_result *result)
{
	const char *seen = "Seen";

	for (guint i = 0; result->evidence && i < result->evidence->len; i++) {
		const struct mp_evidence *evidence = result->evidence->pdata[i];
		g_autofree char *text =
			g_strdup_printf("%s: %s", evidence->source, evidence->value);

		mp_page_para(page, INDENT, MP_FAINT, seen, LABEL, text);
		seen = "";
	}
	if (result->remedy)
		mp_page_para(page, INDENT, MP_BOLD, "Do", LABEL, result->remedy);
}

static void put_result(struct mp_page *page, const struct mp_selftest_report *report,
	const struct mp_case_result *result, const struct section *section)
{
	const char *mark = page->style->unicode ? section->mark : section->ascii_mark;
	g_autofree char *round = report->options->rounds > 1
					 ? g_strdup_printf(" (round %u)", result->round)
					 : NULL;
	g_autofree char *label =
		g_strdup_printf("%s %s%s:", mark, result->name, round ? round : "");
	g_autofree char *text = summary(result);

	mp_page_para(page, 0, section->hue, label, INDENT, text);
	if (section->verdict == MP_CASE_FAIL || page->style->verbose)
		put_evidence(page, result);
}

static void put_section(struct mp_page *page, const struct mp_selftest_report *report,
	const struct section *section, unsigned n)
{
	if (!n)
		return;
	mp_page_gap(page);
	mp_page_line(page, section->hue, "%s (%u)", section->title, n);
	for (guint i = 0; i < report->results->len; i++) {
		const struct mp_case_result *result = report->results->pdata[i];

		if (result->verdict == section->verdict)
			put_result(page, report, result, section);
	}
}

void mp_text_selftest(const struct mp_selftest_report *report,
	const struct mp_render_style *style, FILE *out)
{
	const unsigned counts[] = {
		[MP_CASE_PASS] = report->passed,
		[MP_CASE_FAIL] = report->failed,
		[MP_CASE_SKIP] = report->skipped,
	};
	struct mp_page page = mp_page_new(style);

	put_answer(&page, report);
	put_subjects(&page, report);
	for (size_t i = 0; i < G_N_ELEMENTS(sections); i++)
		put_section(&page, report, &sections[i], counts[sections[i].verdict]);
	mp_page_write(&page, out);
}

void mp_text_cases(const struct mp_case *const *all, size_t n,
	const struct mp_render_style *style, FILE *out)
{
	struct mp_page page = mp_page_new(style);
	int width = 0;

	for (size_t i = 0; i < n; i++)
		width = MAX(width, (int)strlen(all[i]->name));
	for (size_t i = 0; i < n; i++) {
		g_autofree char *label = g_strdup_printf("%-*s ", width, all[i]->name);

		mp_page_para(
			&page, 0, MP_PLAIN, label, (unsigned)(width + 2), all[i]->title);
	}
	mp_page_write(&page, out);
}
