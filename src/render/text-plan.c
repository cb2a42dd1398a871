/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The plan for people: the answer first, then each change with its reason. */
#include "config.h"

#include <string.h>

#include "core/diff.h"
#include "core/pci.h"
#include "core/plan.h"
#include "core/platform.h"
#include "core/quote.h"
#include "render/page.h"
#include "render/text.h"

#define INDENT 4  /* of what belongs to a file, a command or an obstacle */
#define LABEL  10 /* of what stands behind "Host" and "Do" */

static bool is_kind(const struct mp_step *step, const char *kind)
{
	return !strcmp(step->ops->kind, kind);
}

/* --- the answer --- */

static guint changed_files(const struct mp_plan *plan)
{
	guint n = 0;

	for (guint i = 0; i < plan->files->len; i++)
		n += ((const struct mp_plan_file *)plan->files->pdata[i])->changed;
	return n;
}

static void add_count(GString *text, guint n, const char *noun)
{
	if (n)
		g_string_append_printf(
			text, "%s%u %s%s", text->len ? ", " : "", n, noun, MP_PLURAL(n));
}

/* "5 files, 2 programs" */
static char *count_changes(const struct mp_plan *plan)
{
	static const struct {
		const char *kind, *noun;
	} kinds[] = {
		{ "link", "link" },
		{ "program", "program" },
		{ "mapping", "resource mapping" },
		{ "vm", "VM" },
	};
	GString *text = g_string_new(NULL);
	guint files = 0;

	for (guint i = 0; i < plan->steps->len; i++)
		files += is_kind(plan->steps->pdata[i], "file");
	add_count(text, files, "file");
	for (size_t k = 0; k < G_N_ELEMENTS(kinds); k++) {
		guint n = 0;

		for (guint i = 0; i < plan->steps->len; i++)
			n += is_kind(plan->steps->pdata[i], kinds[k].kind);
		add_count(text, n, kinds[k].noun);
	}
	return g_string_free(text, FALSE);
}

static char *subject(const struct mp_plan_report *report)
{
	const GPtrArray *devices = report->wish->devices;
	const struct mp_pci *first = devices->len ? devices->pdata[0] : NULL;

	if (devices->len == 1)
		return g_strdup(first->bdf);
	return g_strdup_printf("all %u devices", devices->len);
}

/* An obstacle in one line. Its subject is told where the sentence doesn't. */
static char *forbidden(const struct mp_plan *plan)
{
	const struct mp_plan_remark *first = plan->obstacles->pdata[0];
	g_autofree char *more =
		plan->obstacles->len > 1
			? g_strdup_printf(" (and %u more)", plan->obstacles->len - 1)
			: NULL;
	bool named = strstr(first->text, first->subject) != NULL;
	g_autofree char *text = g_strdup(first->text);

	if (g_str_has_suffix(text, "."))
		text[strlen(text) - 1] = '\0';
	return g_strdup_printf("%s%s%s%s", named ? "" : first->subject, named ? "" : ": ",
		text, more ? more : "");
}

static void put_answer(struct mp_page *page, const struct mp_plan_report *report)
{
	const struct mp_plan *plan = report->plan;
	g_autofree char *what = NULL, *text = NULL;

	if (plan->obstacles->len) {
		text = forbidden(plan);
		mp_page_para(page, 0, MP_RED, "cannot plan:", INDENT, text);
		return;
	}
	if (!plan->steps->len) {
		what = subject(report);
		text = g_strdup_printf("%s %s set up as wanted%s", what,
			report->wish->devices->len == 1 ? "is" : "are",
			!report->reboot_due   ? ""
			: report->wish->guest ? ", but the driver that runs was loaded "
						"before that"
					      : ", but that takes effect after a reboot, "
						"which is still due");
		mp_page_para(page, 0, report->reboot_due ? MP_YELLOW : MP_GREEN,
			"nothing to do:", INDENT, text);
		return;
	}
	what = count_changes(plan);
	text = g_strdup_printf("%s; takes effect %s%s", *what ? what : "a check",
		!plan->reboot
			? report->wish->guest ? "when the module is loaded" : "at once"
		: report->wish->guest ? "when the module is loaded again"
				      : "after a reboot",
		g_strcmp0(plan->binding, "none") == 0
			? "; other files bind the card already"
			: "");
	mp_page_para(page, 0, MP_BOLD, "plan:", INDENT, text);
}

/* --- what it is about --- */

static void add_fact(GString *text, const char *prefix, const struct mp_fact *fact)
{
	if (fact->know == MP_KNOWN)
		g_string_append_printf(
			text, "%s%s%s", text->len ? ", " : "", prefix, fact->text);
}

static void put_host(struct mp_page *page, const struct mp_host *host)
{
	g_autoptr(GString) text = g_string_new(NULL);

	if (host->platform) {
		add_fact(text, "", &host->platform->hostname);
		add_fact(text, "Proxmox VE ", &host->platform->pve_manager);
		if (host->platform->pve_manager.know != MP_KNOWN)
			add_fact(text, "", &host->platform->os_name);
		add_fact(text, "Linux ", &host->platform->kernel_release);
	}
	if (!host->live)
		g_string_append_printf(
			text, "%sin %s", text->len ? ", " : "", host->origin);
	if (!text->len)
		g_string_append(text, "live");
	mp_page_para(page, 0, MP_FAINT, "Host", LABEL, text->str);
}

static void put_subjects(struct mp_page *page, const struct mp_plan_report *report)
{
	static const char *const bindings[][2] = {
		{ "ids", "by id: vfio-pci takes every device of the id, in each image" },
		{ "address",
			"by address: a device is confirmed by its identity, then taken" },
	};
	const struct mp_wish *wish = report->wish;
	const char *binding = report->plan->binding;

	mp_page_gap(page);
	put_host(page, wish->host);
	for (guint i = 0; i < wish->devices->len; i++) {
		const struct mp_pci *device = wish->devices->pdata[i];
		g_autofree char *name = mp_pci_describe(device);
		g_autofree char *text = g_strdup_printf("%s %s", device->bdf, name);

		mp_page_para(page, 0, MP_FAINT, "Device", LABEL, text);
	}
	mp_page_para(page, 0, MP_FAINT, "Profile", LABEL, report->profiles);
	for (size_t i = 0; binding && i < G_N_ELEMENTS(bindings); i++)
		if (!strcmp(binding, bindings[i][0]))
			mp_page_para(page, 0, MP_FAINT, "Binding", LABEL, bindings[i][1]);
	if (wish->vm)
		mp_page_para(page, 0, MP_FAINT, "VM", LABEL, wish->vm);
	if (wish->mapping)
		mp_page_para(page, 0, MP_FAINT, "Mapping", LABEL, wish->mapping);
}

/* --- files --- */

/* As `diff -u` writes it: not wrapped, as nobody could tell then what the file holds. */
static void put_diff(struct mp_page *page, const struct mp_plan_file *file)
{
	g_autofree char *diff =
		mp_diff_unified(file->path, file->now, file->path, file->content);
	g_auto(GStrv) lines = diff ? g_strsplit(g_strchomp(diff), "\n", 0) : NULL;

	for (char **line = lines; line && *line; line++) {
		bool name =
			g_str_has_prefix(*line, "---") || g_str_has_prefix(*line, "+++");
		enum mp_hue hue = name            ? MP_FAINT
				  : **line == '+' ? MP_GREEN
				  : **line == '-' ? MP_RED
				  : **line == '@' ? MP_BLUE
						  : MP_PLAIN;

		mp_page_line(page, hue, "%*s%s", INDENT, "", *line);
	}
}

static char *what_becomes(const struct mp_plan_file *file)
{
	if (!file->content)
		return g_strdup("is removed");
	if (file->link)
		return g_strdup_printf(
			"%s link to %s", file->now ? "becomes a" : "new,", file->content);
	if (!file->now)
		return g_strdup_printf("new, mode %04o", (unsigned)file->mode);
	if (!strcmp(file->now, file->content))
		return g_strdup_printf("gets mode %04o", (unsigned)file->mode);
	return g_strdup("changed");
}

static void put_file(struct mp_page *page, const struct mp_plan_file *file)
{
	g_autofree char *text = what_becomes(file);

	mp_page_para(page, INDENT, MP_BOLD, file->path, 2 * INDENT, text);
	mp_page_para(page, 2 * INDENT, MP_PLAIN, "", 2 * INDENT, file->why);
}

static void put_files(struct mp_page *page, const struct mp_plan *plan)
{
	if (!changed_files(plan))
		return;
	mp_page_gap(page);
	mp_page_line(page, MP_BOLD, "FILES");
	for (guint i = 0; i < plan->files->len; i++) {
		const struct mp_plan_file *file = plan->files->pdata[i];

		if (file->changed)
			put_file(page, file);
	}
}

/* After everything that is said of the plan, because they are longer than that. A link has
 * none, and neither has a file of which only the mode changes. */
static void put_diffs(struct mp_page *page, const struct mp_plan *plan)
{
	guint n = 0;

	for (guint i = 0; i < plan->files->len; i++) {
		const struct mp_plan_file *file = plan->files->pdata[i];

		if (!file->changed || file->link ||
			g_strcmp0(file->now, file->content) == 0)
			continue;
		mp_page_gap(page);
		if (!n++) {
			mp_page_line(page, MP_BOLD, "DIFFERENCES, of each file");
			mp_page_gap(page);
		}
		put_diff(page, file);
	}
}

/* --- everything else that is done --- */

static void put_step(struct mp_page *page, const struct mp_step *step)
{
	g_autofree char *command = mp_step_command(step);

	mp_page_line(page, MP_BOLD, "%*s%s", INDENT, "", command ? command : step->what);
	mp_page_para(page, 2 * INDENT, MP_PLAIN, "", 2 * INDENT, step->why);
}

static void put_commands(struct mp_page *page, const struct mp_plan *plan)
{
	guint n = 0;

	for (guint i = 0; i < plan->steps->len; i++) {
		const struct mp_step *step = plan->steps->pdata[i];

		if (is_kind(step, "file") || is_kind(step, "link"))
			continue;
		if (!n++) {
			mp_page_gap(page);
			mp_page_line(page, MP_BOLD, "THEN, in this order");
		}
		put_step(page, step);
	}
}

/* --- who gets what --- */

static const char *outcome_name(enum mp_bind_outcome outcome)
{
	switch (outcome) {
	case MP_BIND_VFIO:
		return "vfio-pci";
	case MP_BIND_NOBODY:
		return "no driver";
	case MP_BIND_RACE:
		return "whoever is first";
	case MP_BIND_HOST:
		return "host driver";
	case MP_BIND_UNKNOWN:
		break;
	}
	return "not known";
}

/* "0000:86:00.0  host driver -> vfio-pci  Axelera AI Metis AIPU (rev 02) [1f9d:1100]" */
static void put_taken_line(
	struct mp_page *page, const struct mp_plan_taken *taken, unsigned columns[3])
{
	g_autofree char *name = mp_pci_describe(taken->device);
	g_autofree char *start = g_strdup_printf("%-*s  %-*s -> %-*s ", (int)columns[0],
		taken->device->bdf, (int)columns[1], outcome_name(taken->now),
		(int)columns[2], outcome_name(taken->then));
	g_autofree char *text = g_strdup_printf(
		"%s%s", name, taken->wanted ? "" : " (nobody asked for this one)");

	mp_page_para(page, INDENT, taken->wanted ? MP_PLAIN : MP_YELLOW, start,
		2 * INDENT + columns[0], text);
}

static void put_taken(struct mp_page *page, const struct mp_plan *plan)
{
	unsigned columns[3] = { 0 };

	if (!plan->taken->len)
		return;
	for (guint i = 0; i < plan->taken->len; i++) {
		const struct mp_plan_taken *taken = plan->taken->pdata[i];

		columns[0] = MAX(columns[0], mp_text_columns(taken->device->bdf));
		columns[1] = MAX(columns[1], mp_text_columns(outcome_name(taken->now)));
		columns[2] = MAX(columns[2], mp_text_columns(outcome_name(taken->then)));
	}
	mp_page_gap(page);
	mp_page_line(page, MP_BOLD,
		"DRIVERS AT THE NEXT BOOT, as things are -> with the plan");
	for (guint i = 0; i < plan->taken->len; i++)
		put_taken_line(page, plan->taken->pdata[i], columns);
}

/* --- remarks --- */

static void put_remark(struct mp_page *page, const struct mp_plan_remark *remark,
	enum mp_hue hue, const char *mark)
{
	bool named = strstr(remark->text, remark->subject) != NULL;
	g_autofree char *label =
		named ? g_strdup(mark) : g_strdup_printf("%s %s:", mark, remark->subject);

	mp_page_para(page, 0, hue, label, named ? 2 : INDENT, remark->text);
	if (remark->remedy)
		mp_page_para(page, INDENT, MP_BOLD, "Do", LABEL, remark->remedy);
}

static void put_remarks(struct mp_page *page, const char *title, const GPtrArray *remarks,
	enum mp_hue hue, const char *mark)
{
	if (!remarks->len)
		return;
	mp_page_gap(page);
	mp_page_line(
		page, hue == MP_PLAIN ? MP_BOLD : hue, "%s (%u)", title, remarks->len);
	for (guint i = 0; i < remarks->len; i++)
		put_remark(page, remarks->pdata[i], hue, mark);
}

/* What waits for the reboot, by name: the rest counts at once. */
static void put_reboot(struct mp_page *page, const struct mp_plan_report *report)
{
	const struct mp_plan *plan = report->plan;
	g_autoptr(GString) text = g_string_new(NULL);
	guint n = 0;

	for (guint i = 0; i < plan->files->len; i++) {
		const struct mp_plan_file *file = plan->files->pdata[i];

		if (!file->changed || !file->reboot)
			continue;
		g_string_append_printf(text, "%s%s", n++ ? ", " : "", file->path);
	}
	if (!plan->reboot || !plan->steps->len)
		return;
	mp_page_gap(page);
	if (!n)
		g_string_append(text, "what the programs make");
	g_string_append(text, n > 1 ? " have" : " has");
	g_string_prepend(text,
		report->wish->guest ? "needed, or the card's module unloaded and loaded: "
				    : "needed: ");
	g_string_append(text, " no effect before it");
	mp_page_para(page, 0, MP_BOLD, "Reboot", LABEL, text->str);
}

/* What else is there to be told of a system that is not running. */
static void put_after(struct mp_page *page, const struct mp_plan_report *report,
	const char *label, bool reboot)
{
	const char *where = report->where ? report->where : "";
	const char *how =
		report->wish->guest ? "load the module again or reboot" : "reboot";
	g_autofree char *status = g_strdup_printf("metis-passthrough status%s", where);
	g_autofree char *then = *label ? g_strdup_printf("%s, then: %s", how, status)
				       : g_strdup_printf("then %s, and: %s", how, status);
	g_autofree char *now =
		*label ? g_strdup(status) : g_strdup_printf("then: %s", status);

	mp_page_para(
		page, *label ? 0 : LABEL, MP_BOLD, label, LABEL, reboot ? then : now);
}

static void put_way_back(struct mp_page *page, const struct mp_plan_report *report)
{
	g_autofree char *text =
		g_strdup_printf("the way back: metis-passthrough rollback%s%s%s",
			report->transaction ? " " : "",
			report->transaction ? report->transaction : "",
			report->where ? report->where : "");

	mp_page_para(page, LABEL, MP_PLAIN, "", LABEL, text);
}

static void put_next(struct mp_page *page, const struct mp_plan_report *report)
{
	const struct mp_plan *plan = report->plan;

	if (plan->obstacles->len)
		return;
	if (!plan->steps->len) {
		mp_page_gap(page);
		put_after(page, report, "Next", report->reboot_due);
		return;
	}
	if (!report->next)
		return;
	mp_page_gap(page);
	mp_page_para(page, 0, MP_BOLD, "Next", LABEL, report->next);
	put_after(page, report, "", plan->reboot);
	put_way_back(page, report);
}

/* After the plan was shown and everything in it was done. */
static void put_done(struct mp_page *page, const struct mp_plan_report *report)
{
	g_autofree char *what = count_changes(report->plan);
	g_autofree char *text =
		g_strdup_printf("%s; kept as transaction %s", what, report->transaction);

	mp_page_gap(page);
	mp_page_para(page, 0, MP_GREEN, "done:", INDENT, text);
	put_after(page, report, "Next", report->plan->reboot);
	put_way_back(page, report);
}

static void put_unchanged(struct mp_page *page, const struct mp_plan *plan)
{
	if (!page->style->verbose || changed_files(plan) == plan->files->len)
		return;
	mp_page_gap(page);
	mp_page_line(page, MP_BOLD, "RIGHT ALREADY");
	for (guint i = 0; i < plan->files->len; i++) {
		const struct mp_plan_file *file = plan->files->pdata[i];

		if (file->changed)
			continue;
		mp_page_para(page, INDENT, MP_PLAIN, file->path, 2 * INDENT,
			file->content ? "" : "(absent)");
		mp_page_para(page, 2 * INDENT, MP_PLAIN, "", 2 * INDENT, file->why);
	}
}

void mp_text_plan(const struct mp_plan_report *report,
	const struct mp_render_style *style, FILE *out)
{
	const struct mp_plan *plan = report->plan;
	struct mp_page page = mp_page_new(style);
	bool forbidden_plan = plan->obstacles->len > 0;

	if (report->outcome == MP_PLAN_DONE) {
		put_done(&page, report);
		mp_page_write(&page, out);
		return;
	}
	put_answer(&page, report);
	put_subjects(&page, report);
	put_remarks(
		&page, "OBSTACLES", plan->obstacles, MP_RED, style->unicode ? "✗" : "x");
	if (!forbidden_plan) {
		put_files(&page, plan);
		put_commands(&page, plan);
		put_unchanged(&page, plan);
	}
	put_taken(&page, plan);
	put_remarks(&page, "NOTES", plan->notes, MP_PLAIN, style->unicode ? "·" : "-");
	if (report->interrupted) {
		g_autofree char *text = g_strdup_printf(
			"transaction %s was interrupted: %s undoes it first, and its plan "
			"may then differ from this one",
			report->interrupted,
			report->wish->guest ? "guest apply" : "setup");

		mp_page_gap(&page);
		mp_page_para(&page, 0, MP_YELLOW, "Beware", LABEL, text);
	}
	if (!forbidden_plan) {
		put_reboot(&page, report);
		put_diffs(&page, plan);
	}
	put_next(&page, report);
	mp_page_write(&page, out);
}
