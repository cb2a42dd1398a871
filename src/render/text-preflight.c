/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The preflight report for people: the answer first, then what blocks, then the rest. */
#include "config.h"

#include <string.h>

#include "core/group.h"
#include "core/platform.h"
#include "render/page.h"
#include "render/text.h"

#define INDENT 4  /* of what belongs to a finding */
#define LABEL  10 /* of what stands behind "Seen" and "Do" */

struct section {
	enum mp_severity severity;
	const char *title;
	enum mp_hue hue;
	const char *mark, *ascii_mark;
};

/* In the order of the report. Passes and skips are counted below them. */
static const struct section sections[] = {
	{ MP_FAIL, "BLOCKING", MP_RED, "✗", "x" },
	{ MP_WARN, "WARNINGS", MP_YELLOW, "!", "!" },
	{ MP_UNSURE, "UNKNOWN", MP_BLUE, "?", "?" },
	{ MP_INFO, "NOTES", MP_PLAIN, "·", "-" },
};
static const struct section waived_section = { MP_INFO, "WAIVED", MP_PLAIN, "~", "~" };
static const struct section passed_section = { MP_PASS, "PASSED", MP_GREEN, "✓", "+" };
static const struct section skipped_section = { MP_SKIP, "DOES NOT APPLY", MP_FAINT, "-",
	"-" };

static bool is_waived(const struct mp_finding *finding)
{
	return finding->waiver && finding->severity > MP_INFO;
}

/* Whether the finding is told in SECTION. */
static bool belongs(const struct mp_finding *finding, const struct section *section)
{
	if (section == &waived_section)
		return is_waived(finding);
	return finding->severity == section->severity && !is_waived(finding);
}

static guint count(
	const struct mp_preflight_report *report, const struct section *section)
{
	guint n = 0;

	for (guint i = 0; i < report->findings->len; i++)
		n += belongs(report->findings->pdata[i], section);
	return n;
}

static const struct mp_finding *first_of(
	const struct mp_preflight_report *report, const struct section *section)
{
	for (guint i = 0; i < report->findings->len; i++)
		if (belongs(report->findings->pdata[i], section))
			return report->findings->pdata[i];
	return NULL;
}

/* --- the answer --- */

static void add_count(GString *text, guint n, const char *one, const char *many)
{
	if (n)
		g_string_append_printf(
			text, "%s%u %s", text->len ? ", " : "", n, n == 1 ? one : many);
}

static char *counts(const struct mp_preflight_report *report)
{
	GString *text = g_string_new(NULL);
	guint blocking = count(report, &sections[0]);

	if (blocking)
		add_count(text, blocking, "blocking", "blocking");
	else
		add_count(text, count(report, &passed_section), "passed", "passed");
	add_count(text, count(report, &sections[1]), "warning", "warnings");
	add_count(text, count(report, &sections[2]), "unknown", "unknown");
	add_count(text, count(report, &waived_section), "waived", "waived");
	if (!text->len)
		g_string_append(text, "no check had a verdict");
	return g_string_free(text, FALSE);
}

static char *what_was_judged(const struct mp_preflight_report *report)
{
	const struct mp_pci *device =
		report->wanted->len ? report->wanted->pdata[0] : NULL;
	g_autofree char *name = device ? mp_pci_describe(device) : NULL;

	if (!device)
		return g_strdup("this host");
	if (report->wanted->len > 1)
		return g_strdup_printf("%u devices", report->wanted->len);
	return g_strdup_printf("%s %s", device->bdf, name);
}

/* What stands behind a finding's mark, as part of a longer line. */
static char *clause(const struct mp_finding *finding)
{
	char *text = g_strdup(finding->summary);

	if (g_str_has_suffix(text, "."))
		text[strlen(text) - 1] = '\0';
	return text;
}

/* The warning nearest to the user's card: the table of checks goes from the platform to
 * the card, so it is the last one. */
static const struct mp_finding *nearest_warning(const struct mp_preflight_report *report)
{
	for (guint i = report->findings->len; i-- > 0;)
		if (belongs(report->findings->pdata[i], &sections[1]))
			return report->findings->pdata[i];
	return NULL;
}

static char *about_vm(const struct mp_preflight_report *report,
	const struct mp_finding *warning, guint unknown)
{
	if (warning)
		return clause(warning);
	if (unknown)
		return g_strdup_printf(
			"nothing found that keeps VM %s from its start, but not all could be "
			"looked at",
			report->vm);
	return g_strdup_printf("nothing in its configuration keeps VM %s from %s",
		report->vm,
		report->wanted->len ? "its card" : "its start; it is given no card");
}

static char *answer(const struct mp_preflight_report *report)
{
	const struct mp_finding *blocking = first_of(report, &sections[0]);
	const struct mp_finding *warning = nearest_warning(report);
	g_autofree char *subject = what_was_judged(report);
	guint unknown = count(report, &sections[2]);

	if (blocking)
		return clause(blocking);
	if (report->exit_code != MP_EXIT_OK)
		return g_strdup("with --strict, warnings and unknowns block too");
	if (report->vm_alone)
		return about_vm(report, warning, unknown);
	if (report->only)
		return g_strdup_printf(
			"nothing blocks %s among the checks '%s', the only ones run",
			subject, report->only);
	if (warning)
		return clause(warning);
	if (unknown)
		return g_strdup_printf(
			"nothing found that blocks %s, but not all could be looked at",
			subject);
	if (report->in_guest)
		return g_strdup_printf(
			"%s is as its driver needs it, as far as a guest can see",
			subject);
	if (!report->wanted->len)
		return g_strdup(
			"nothing blocks on this host; no device was judged, name one with "
			"--device");
	return g_strdup_printf("%s can be passed through", subject);
}

/* "READY" alone is a promise: it is made only where nothing was left open. */
static void put_answer(struct mp_page *page, const struct mp_preflight_report *report)
{
	bool open = count(report, &sections[1]) || count(report, &sections[2]);
	bool ready = report->exit_code == MP_EXIT_OK;
	const char *label = !ready ? "NOT READY:" : open ? "READY, BUT:" : "READY:";
	g_autofree char *sentence = answer(report);
	g_autofree char *numbers = counts(report);
	g_autofree char *text = g_strdup_printf("%s (%s)", sentence, numbers);

	mp_page_para(page, 0,
		!ready ? MP_RED
		: open ? MP_YELLOW
		       : MP_GREEN,
		label, INDENT, text);
}

/* --- what was looked at --- */

static void add_fact(GString *text, const char *prefix, const struct mp_fact *fact)
{
	if (fact->know == MP_KNOWN)
		g_string_append_printf(
			text, "%s%s%s", text->len ? ", " : "", prefix, fact->text);
}

static void put_host(struct mp_page *page, const struct mp_preflight_report *report)
{
	const struct mp_host *host = report->host;
	g_autoptr(GString) text = g_string_new(NULL);

	if (host->platform) {
		add_fact(text, "", &host->platform->hostname);
		add_fact(text, "Proxmox VE ", &host->platform->pve_manager);
		if (host->platform->pve_manager.know != MP_KNOWN)
			add_fact(text, "", &host->platform->os_name);
		add_fact(text, "Linux ", &host->platform->kernel_release);
		add_fact(text, "", &host->platform->cpu_model);
	}
	if (!host->live)
		g_string_append_printf(
			text, "%sas captured in %s", text->len ? ", " : "", host->origin);
	if (!text->len)
		g_string_append(text, "live");
	mp_page_para(
		page, 0, MP_FAINT, report->in_guest ? "Guest" : "Host", LABEL, text->str);
}

static void put_device(struct mp_page *page, const struct mp_pci *device)
{
	g_autofree char *name = mp_pci_describe(device);
	g_autoptr(GString) text = g_string_new(device->bdf);

	g_string_append_printf(text, " %s", name);
	if (device->group)
		g_string_append_printf(text, ", IOMMU group %u", device->group->id);
	else
		g_string_append(text, ", in no IOMMU group");
	if (device->driver.know == MP_KNOWN)
		g_string_append_printf(text, ", driver %s", device->driver.text);
	mp_page_para(page, 0, MP_FAINT, "Device", LABEL, text->str);
}

static void put_subjects(struct mp_page *page, const struct mp_preflight_report *report)
{
	mp_page_gap(page);
	put_host(page, report);
	for (guint i = 0; i < report->wanted->len; i++)
		put_device(page, report->wanted->pdata[i]);
	if (report->wanted->len)
		mp_page_para(page, 0, MP_FAINT, "Profile", LABEL, report->profile);
	if (report->vm)
		mp_page_para(page, 0, MP_FAINT, "VM", LABEL, report->vm);
}

/* --- findings --- */

static void put_evidence(struct mp_page *page, const struct mp_finding *finding)
{
	const char *label = "Seen";

	for (guint i = 0; i < finding->evidence->len; i++) {
		const struct mp_evidence *evidence = finding->evidence->pdata[i];
		g_autofree char *text =
			g_strdup_printf("%s: %s", evidence->source, evidence->value);

		mp_page_para(page, INDENT, MP_FAINT, label, LABEL, text);
		label = "";
	}
}

static bool same_evidence(const struct mp_finding *a, const struct mp_finding *b)
{
	if (a->evidence->len != b->evidence->len)
		return false;
	for (guint i = 0; i < a->evidence->len; i++) {
		const struct mp_evidence *x = a->evidence->pdata[i];
		const struct mp_evidence *y = b->evidence->pdata[i];

		if (strcmp(x->source, y->source) != 0 || strcmp(x->value, y->value) != 0)
			return false;
	}
	return true;
}

/* The next finding of the section after INDEX, if it is of the same check. */
static const struct mp_finding *sibling(const struct mp_preflight_report *report,
	guint index, const struct section *section)
{
	const struct mp_finding *finding = report->findings->pdata[index];

	for (guint i = index + 1; i < report->findings->len; i++) {
		const struct mp_finding *other = report->findings->pdata[i];

		if (strcmp(other->id, finding->id) != 0)
			return NULL;
		if (belongs(other, section))
			return other;
	}
	return NULL;
}

/* A finding that needs no attention: one paragraph. */
static void put_brief(struct mp_page *page, const struct mp_finding *finding,
	const struct section *section)
{
	const char *mark = page->style->unicode ? section->mark : section->ascii_mark;
	g_autofree char *label = g_strdup_printf("%s %s:", mark, finding->id);

	mp_page_para(page, 0, section->hue, label, INDENT, finding->summary);
	if (finding->remedy)
		mp_page_para(page, INDENT, MP_BOLD, "Do", LABEL, finding->remedy);
}

static void put_heading(struct mp_page *page, const struct mp_finding *finding,
	const struct section *section)
{
	const char *mark = page->style->unicode ? section->mark : section->ascii_mark;
	g_autofree char *label = g_strdup_printf("%s %s", mark, finding->id);

	mp_page_gap(page);
	mp_page_para(page, 0, section->hue, label, 0, finding->subject);
}

/* A check's findings about several devices share one heading, and evidence and remedy
 * where they are the same: a card with four endpoints has one problem, not four. */
static void put_finding(struct mp_page *page, const struct mp_preflight_report *report,
	guint index, const struct section *section, const char **heading)
{
	const struct mp_finding *finding = report->findings->pdata[index];
	const struct mp_finding *other = sibling(report, index, section);

	if (!*heading || strcmp(*heading, finding->id) != 0)
		put_heading(page, finding, section);
	else
		mp_page_para(page, 2, MP_PLAIN, "", 2, finding->subject);
	*heading = finding->id;
	mp_page_para(page, INDENT, MP_PLAIN, "", INDENT, finding->summary);
	if (is_waived(finding)) {
		g_autofree char *text = g_strdup_printf("%s (it would be: %s)",
			finding->waiver, mp_severity_name(finding->severity));

		mp_page_para(page, INDENT, MP_FAINT, "Waived", LABEL, text);
	}
	if (!other || !same_evidence(finding, other))
		put_evidence(page, finding);
	if (finding->remedy && !(other && g_strcmp0(finding->remedy, other->remedy) == 0))
		mp_page_para(page, INDENT, MP_BOLD, "Do", LABEL, finding->remedy);
}

/* Notes are told in brief unless their evidence was asked for. */
static bool is_brief(const struct mp_page *page, const struct section *section)
{
	return section->severity <= MP_INFO && section != &waived_section &&
	       !page->style->verbose;
}

static void put_section(struct mp_page *page, const struct mp_preflight_report *report,
	const struct section *section)
{
	guint n = count(report, section);
	const char *heading = NULL;

	if (!n)
		return;
	mp_page_gap(page);
	mp_page_line(page, section->hue, "%s (%u)", section->title, n);
	for (guint i = 0; i < report->findings->len; i++) {
		if (!belongs(report->findings->pdata[i], section))
			continue;
		if (is_brief(page, section))
			put_brief(page, report->findings->pdata[i], section);
		else
			put_finding(page, report, i, section, &heading);
	}
}

/* "platform 12, device 14": the section in one line. */
static void put_tally(struct mp_page *page, const struct mp_preflight_report *report,
	const struct section *section)
{
	g_autoptr(GString) text = g_string_new(NULL);
	g_autofree char *label = NULL;
	guint n = count(report, section);
	const char *topic = NULL;
	guint in_topic = 0;

	if (!n)
		return;
	for (guint i = 0; i <= report->findings->len; i++) {
		const struct mp_finding *finding =
			i < report->findings->len ? report->findings->pdata[i] : NULL;
		const char *its = finding ? mp_check_topic(finding->id) : NULL;

		if (in_topic && g_strcmp0(topic, its) != 0) {
			g_string_append_printf(
				text, "%s%s %u", text->len ? ", " : "", topic, in_topic);
			in_topic = 0;
		}
		if (!finding)
			break;
		topic = its;
		in_topic += belongs(finding, section);
	}
	label = g_strdup_printf("%s (%u):", section->title, n);
	mp_page_para(page, 0, section->hue, label, INDENT, text->str);
}

static void put_next_step(struct mp_page *page, const struct mp_preflight_report *report)
{
	const struct mp_finding *finding = NULL;

	for (size_t i = 0; !finding && i < G_N_ELEMENTS(sections) - 1; i++)
		finding = first_of(report, &sections[i]);
	mp_page_gap(page);
	if (finding) {
		g_autofree char *command =
			g_strdup_printf("metis-passthrough explain %s", finding->id);

		mp_page_para(page, 0, MP_BOLD, "Next:", 6, command);
	}
	if (!page->style->verbose)
		mp_page_para(page, finding ? 6 : 0, MP_BOLD, finding ? "" : "Next:", 6,
			"add --verbose for the evidence of what passed");
}

void mp_text_preflight(const struct mp_preflight_report *report,
	const struct mp_render_style *style, FILE *out)
{
	struct mp_page page = mp_page_new(style);

	put_answer(&page, report);
	put_subjects(&page, report);
	for (size_t i = 0; i < G_N_ELEMENTS(sections); i++)
		put_section(&page, report, &sections[i]);
	put_section(&page, report, &waived_section);
	if (style->verbose) {
		put_section(&page, report, &passed_section);
		put_section(&page, report, &skipped_section);
	} else {
		mp_page_gap(&page);
		put_tally(&page, report, &passed_section);
		put_tally(&page, report, &skipped_section);
	}
	put_next_step(&page, report);
	mp_page_write(&page, out);
}
