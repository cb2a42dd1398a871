/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `diagnose` for people: the verdict, what happened, what explains it, what would decide. */
#include "config.h"

#include <string.h>

#include "core/diagnose.h"
#include "core/pci.h"
#include "core/platform.h"
#include "core/vm-started.h"
#include "core/vm.h"
#include "render/page.h"
#include "render/text.h"

#define INDENT 4
#define LABEL  10
#define SHOWN  6 /* explanations, unless --verbose */

static const enum mp_hue hues[] = { MP_FAINT, MP_YELLOW, MP_RED };

/* --- events --- */

/* "reason 0x05", "flags 0x0020", "entry 0x28": the numbers of the line. */
static char *numbers(const struct mp_event *event)
{
	GString *text = g_string_new(NULL);

	if (mp_event_is_fault(event->kind) && event->has_reason)
		g_string_append_printf(text, "reason 0x%02x", event->reason);
	if (event->has_flags)
		g_string_append_printf(
			text, "%sflags 0x%04x", text->len ? ", " : "", event->flags);
	/* With 0x25 and 0x20 the line has an index, and it means nothing. */
	if (event->kind == MP_EVENT_INTERRUPT && event->has_index &&
		event->reason != 0x25 && event->reason != 0x20)
		g_string_append_printf(
			text, "%sentry 0x%x", text->len ? ", " : "", event->index);
	if (event->has_pasid)
		g_string_append_printf(
			text, "%sPASID 0x%x", text->len ? ", " : "", event->pasid);
	if (event->has_stream)
		g_string_append_printf(
			text, "%sstream 0x%x", text->len ? ", " : "", event->stream);
	if (event->unsure)
		g_string_append(text, ", the reason may be another fault's");
	return g_string_free(text, FALSE);
}

static void append_addresses(GString *text, const struct mp_event_sum *sum)
{
	unsigned shown = MIN(sum->n_addresses, 4);

	for (unsigned i = 0; i < shown; i++)
		g_string_append_printf(text, "%s0x%" G_GINT64_MODIFIER "x", i ? ", " : "",
			sum->addresses[i].address);
	if (sum->n_addresses > shown || sum->more_addresses)
		g_string_append_printf(text,
			" and others, 0x%" G_GINT64_MODIFIER "x to 0x%" G_GINT64_MODIFIER
			"x",
			sum->lowest, sum->highest);
}

static char *problem_text(const struct mp_problem *problem)
{
	const struct mp_event_sum *sum = problem->sum;
	g_autofree char *values = numbers(&sum->event);
	GString *text = g_string_new(NULL);

	if (problem->who)
		g_string_append_printf(text, "%s: ", problem->who);
	g_string_append(text, problem->meaning);
	if (*values)
		g_string_append_printf(text, " (%s)", values);
	if (sum->n_addresses && mp_event_is_fault(sum->event.kind)) {
		g_string_append(text, " at ");
		append_addresses(text, sum);
	}
	if (problem->place)
		g_string_append_printf(text, ", %s", problem->place);
	g_string_append_printf(text, "; line %" G_GUINT64_FORMAT, sum->event.line);
	if (sum->count > 1 && sum->last_line != sum->event.line)
		g_string_append_printf(text, " to %" G_GUINT64_FORMAT, sum->last_line);
	if (*sum->first_stamp)
		g_string_append_printf(text, ", %s", sum->first_stamp);
	if (strcmp(sum->first_stamp, sum->last_stamp) != 0)
		g_string_append_printf(text, " to %s", sum->last_stamp);
	return g_string_free(text, FALSE);
}

static void put_problems(struct mp_page *page, const struct mp_diagnosis *diagnosis)
{
	unsigned shown = page->style->verbose ? G_MAXUINT : 12;

	mp_page_gap(page);
	mp_page_line(page, MP_BOLD, "WHAT HAPPENED");
	for (guint i = 0; i < diagnosis->problems->len && i < shown; i++) {
		const struct mp_problem *problem = diagnosis->problems->pdata[i];
		g_autofree char *text = problem_text(problem);
		g_autofree char *label =
			g_strdup_printf("%" G_GUINT64_FORMAT "x", problem->sum->count);

		mp_page_para(page, INDENT, problem->subject ? MP_BOLD : MP_PLAIN, label,
			LABEL, text);
	}
	if (diagnosis->problems->len > shown)
		mp_page_line(page, MP_FAINT, "    and %u more (--verbose shows them)",
			diagnosis->problems->len - shown);
}

/* --- explanations --- */

static void put_texts(struct mp_page *page, const char *label, const GPtrArray *texts)
{
	g_autoptr(GString) all = g_string_new(NULL);

	for (guint i = 0; i < texts->len; i++)
		g_string_append_printf(
			all, "%s%s", i ? "; " : "", (const char *)texts->pdata[i]);
	if (all->len)
		mp_page_para(page, INDENT, MP_FAINT, label, INDENT + LABEL, all->str);
}

static void put_hypothesis(
	struct mp_page *page, const struct mp_hypothesis *hypothesis, unsigned number)
{
	const struct mp_rule *rule = hypothesis->rule;
	g_autofree char *label = g_strdup_printf("%u. %s", number, rule->id);
	g_autofree char *head =
		g_strdup_printf("(%s%s)", mp_likelihood_name(hypothesis->likelihood),
			rule->inference ? "; inference, not measured on a card" : "");

	mp_page_gap(page);
	mp_page_para(page, 0, hues[hypothesis->likelihood], label, INDENT, head);
	mp_page_para(page, INDENT, MP_PLAIN, "", INDENT, rule->title);
	mp_page_para(page, INDENT, MP_FAINT, "Why", INDENT + LABEL, rule->why);
	put_texts(page, "For", hypothesis->pro);
	put_texts(page, "Against", hypothesis->contra);
	mp_page_para(page, INDENT, MP_FAINT, "Test", INDENT + LABEL, rule->experiment);
	mp_page_para(page, INDENT, MP_FAINT, "Do", INDENT + LABEL, rule->mitigation);
}

static void put_hypotheses(struct mp_page *page, const struct mp_diagnosis *diagnosis)
{
	g_autoptr(GString) unlikely = g_string_new(NULL);
	unsigned shown = 0;

	if (!diagnosis->hypotheses->len)
		return;
	mp_page_gap(page);
	mp_page_line(page, MP_BOLD, "WHAT WOULD EXPLAIN IT");
	for (guint i = 0; i < diagnosis->hypotheses->len; i++) {
		const struct mp_hypothesis *hypothesis = diagnosis->hypotheses->pdata[i];

		if (page->style->verbose ||
			(hypothesis->likelihood != MP_UNLIKELY && shown < SHOWN))
			put_hypothesis(page, hypothesis, ++shown);
		else
			g_string_append_printf(unlikely, "%s%s (%s)",
				unlikely->len ? ", " : "", hypothesis->rule->id,
				mp_likelihood_name(hypothesis->likelihood));
	}
	if (!shown)
		mp_page_line(page, MP_PLAIN, "    nothing, as far as is known here");
	if (!unlikely->len)
		return;
	mp_page_gap(page);
	mp_page_para(page, 0, MP_FAINT, "Not shown:", INDENT, unlikely->str);
}

static void put_missing(struct mp_page *page, const struct mp_diagnosis *diagnosis)
{
	if (!diagnosis->missing->len)
		return;
	mp_page_gap(page);
	mp_page_line(page, MP_BOLD, "WHAT WOULD DECIDE");
	for (guint i = 0; i < diagnosis->missing->len; i++) {
		const struct mp_missing *missing = diagnosis->missing->pdata[i];
		g_autofree char *text = g_strdup_printf(
			"%s: it weighs %s", missing->learn, missing->decides);

		mp_page_para(page, INDENT, MP_PLAIN, "-", INDENT + 2, text);
	}
}

static void put_attempts(struct mp_page *page, const struct mp_diagnosis *diagnosis)
{
	if (!diagnosis->attempts->len)
		return;
	mp_page_gap(page);
	mp_page_line(page, MP_BOLD, "WHAT WAS TRIED");
	for (guint i = 0; i < diagnosis->attempts->len; i++) {
		const struct mp_attempt *attempt = diagnosis->attempts->pdata[i];
		g_autofree char *text =
			g_strdup_printf("(%s) %s", attempt->where, attempt->verdict);
		g_autofree char *label =
			g_strdup_printf("%s", mp_tried_name(attempt->tried));

		mp_page_para(page, INDENT, MP_BOLD, label, INDENT + 2, text);
	}
}

/* --- head --- */

static void put_head(struct mp_page *page, const struct mp_diagnose_report *report)
{
	const struct mp_diagnosis *diagnosis = report->diagnosis;
	const struct mp_platform *platform =
		diagnosis->host ? diagnosis->host->platform : NULL;
	g_autofree char *log = NULL;

	mp_page_gap(page);
	log = g_strdup_printf("%s, %" G_GUINT64_FORMAT " event%s%s", report->source,
		diagnosis->log->events, MP_PLURAL(diagnosis->log->events),
		report->of_host
			? ""
			: "; of a machine that we don't know (--sysroot / if it is "
			  "this one)");
	mp_page_para(page, 0, MP_FAINT, "Log", LABEL, log);
	if (platform && platform->hostname.know == MP_KNOWN) {
		g_autofree char *host =
			g_strdup_printf("%s, Linux %s", platform->hostname.text,
				platform->kernel_release.know == MP_KNOWN
					? platform->kernel_release.text
					: "?");

		mp_page_para(page, 0, MP_FAINT, "Host", LABEL, host);
	}
	if (diagnosis->device) {
		const struct mp_pci *device = diagnosis->device;
		g_autofree char *what = mp_pci_describe(device);
		g_autofree char *text = g_strdup_printf("%s %s, driver %s", device->bdf,
			what,
			device->driver.know == MP_KNOWN ? device->driver.text : "none");

		mp_page_para(page, 0, MP_FAINT, "Device", LABEL, text);
	} else if (diagnosis->subject) {
		mp_page_para(page, 0, MP_FAINT, "Device", LABEL, diagnosis->subject);
	}
	if (diagnosis->vm) {
		struct mp_vm_map map = mp_vm_map_had(diagnosis->host, diagnosis->vm);
		g_autofree char *ram = mp_vm_map_describe(&map);
		g_autofree char *text = g_strdup_printf("%s%s, RAM at %s",
			diagnosis->vm->id,
			diagnosis->vm_guessed ? " (its configuration has the device)"
					      : "",
			ram);

		mp_page_para(page, 0, MP_FAINT, "VM", LABEL, text);
	}
}

void mp_text_diagnose(const struct mp_diagnose_report *report,
	const struct mp_render_style *style, FILE *out)
{
	const struct mp_diagnosis *diagnosis = report->diagnosis;
	struct mp_page page = mp_page_new(style);
	bool found = mp_diagnosis_found(diagnosis);

	mp_page_para(&page, 0, found ? MP_RED : MP_GREEN,
		found ? "FAULTS:" : "diagnose:", INDENT, diagnosis->verdict);
	put_head(&page, report);
	if (found)
		put_problems(&page, diagnosis);
	for (guint i = 0; i < diagnosis->notes->len; i++)
		mp_page_para(&page, INDENT, MP_FAINT, "Note:", LABEL,
			diagnosis->notes->pdata[i]);
	put_hypotheses(&page, diagnosis);
	put_missing(&page, diagnosis);
	put_attempts(&page, diagnosis);
	mp_page_write(&page, out);
}

void mp_text_event(
	const struct mp_event *event, const struct mp_render_style *style, FILE *out)
{
	struct mp_page page = mp_page_new(style);
	g_autofree char *meaning = mp_event_meaning(event);
	g_autofree char *values = numbers(event);
	g_autoptr(GString) text = g_string_new(NULL);

	if (event->has_device)
		g_string_append_printf(
			text, "%02x:%02x.%x: ", event->bus, event->slot, event->function);
	g_string_append(text, meaning);
	if (*values)
		g_string_append_printf(text, " (%s)", values);
	if (event->has_address)
		g_string_append_printf(
			text, " at 0x%" G_GINT64_MODIFIER "x", event->address);
	mp_page_para(&page, 0, mp_event_is_trouble(event->kind) ? MP_RED : MP_FAINT,
		mp_event_name(event->kind), INDENT, text->str);
	mp_page_write(&page, out);
}
