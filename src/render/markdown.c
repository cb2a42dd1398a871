/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Format "markdown": a diagnosis to paste into a ticket or a forum. */
#include "config.h"

#include <string.h>

#include "core/diagnose.h"
#include "core/pci.h"
#include "core/platform.h"
#include "core/vm-started.h"
#include "core/vm.h"
#include "render/render.h"

/* Text that may hold anything, without what would format it. */
static void put(GString *page, const char *text)
{
	for (; *text; text++) {
		if (strchr("\\`*_[]<>|#", *text))
			g_string_append_c(page, '\\');
		g_string_append_c(page, *text == '\n' ? ' ' : *text);
	}
}

static void put_item(GString *page, const char *label, const char *text)
{
	g_string_append_printf(page, "- **%s:** ", label);
	put(page, text);
	g_string_append_c(page, '\n');
}

static void put_fact(GString *page, const char *label, const struct mp_fact *fact)
{
	if (fact->know == MP_KNOWN)
		put_item(page, label, fact->text);
}

static void put_head(GString *page, const struct mp_diagnose_report *report)
{
	const struct mp_diagnosis *diagnosis = report->diagnosis;
	const struct mp_platform *platform =
		report->of_host && diagnosis->host ? diagnosis->host->platform : NULL;

	g_string_append(page, "## ");
	put(page, diagnosis->verdict);
	g_string_append(page, "\n\n");
	put_item(page, "Log", report->source);
	if (platform) {
		put_fact(page, "Kernel", &platform->kernel_release);
		put_fact(page, "Proxmox VE", &platform->pve_manager);
		put_fact(page, "CPU", &platform->cpu_model);
		put_fact(page, "Board", &platform->board);
		put_fact(page, "BIOS", &platform->bios_version);
	}
	if (diagnosis->device) {
		g_autofree char *what = mp_pci_describe(diagnosis->device);
		g_autofree char *text =
			g_strdup_printf("%s %s", diagnosis->device->bdf, what);

		put_item(page, "Device", text);
	} else if (diagnosis->subject) {
		put_item(page, "Device", diagnosis->subject);
	}
	if (diagnosis->vm) {
		struct mp_vm_map map = mp_vm_map_had(diagnosis->host, diagnosis->vm);
		g_autofree char *ram = mp_vm_map_describe(&map);
		g_autofree char *text =
			g_strdup_printf("%s, RAM at %s", diagnosis->vm->id, ram);

		put_item(page, "VM", text);
	}
	put_item(page, "Made by", "metis-passthrough " PACKAGE_VERSION);
}

static void put_problems(GString *page, const struct mp_diagnosis *diagnosis)
{
	if (!diagnosis->problems->len)
		return;
	g_string_append(page,
		"\n### What happened\n\n| count | device | what | address |\n"
		"|---|---|---|---|\n");
	for (guint i = 0; i < diagnosis->problems->len; i++) {
		const struct mp_problem *problem = diagnosis->problems->pdata[i];
		const struct mp_event_sum *sum = problem->sum;

		g_string_append_printf(page, "| %" G_GUINT64_FORMAT " | ", sum->count);
		put(page, problem->who ? problem->who : "");
		g_string_append(page, " | ");
		put(page, problem->meaning);
		g_string_append(page, " | ");
		if (sum->n_addresses)
			g_string_append_printf(page, "0x%" G_GINT64_MODIFIER "x%s%s",
				sum->lowest, sum->highest > sum->lowest ? "…" : "",
				problem->place ? ", " : "");
		put(page, problem->place ? problem->place : "");
		g_string_append(page, " |\n");
	}
	/* Log lines in a block of code that they cannot end. */
	g_string_append(page, "\n~~~~\n");
	for (guint i = 0; i < diagnosis->problems->len && i < 20; i++) {
		const struct mp_problem *problem = diagnosis->problems->pdata[i];
		g_autofree char *line = g_strdup(problem->sum->text);

		g_strdelimit(line, "\n", ' ');
		g_string_append_printf(page, "%s%s\n", *line == '~' ? " " : "", line);
	}
	g_string_append(page, "~~~~\n");
}

/* What the answer above has to be read with. */
static void put_notes(GString *page, const GPtrArray *notes)
{
	if (notes->len)
		g_string_append_c(page, '\n');
	for (guint i = 0; i < notes->len; i++)
		put_item(page, "Note", notes->pdata[i]);
}

static void put_texts(GString *page, const char *label, const GPtrArray *texts)
{
	if (!texts->len)
		return;
	g_string_append_printf(page, "   - %s: ", label);
	for (guint i = 0; i < texts->len; i++) {
		g_string_append(page, i ? "; " : "");
		put(page, texts->pdata[i]);
	}
	g_string_append_c(page, '\n');
}

static void put_hypotheses(GString *page, const struct mp_diagnosis *diagnosis)
{
	unsigned number = 0;

	for (guint i = 0; i < diagnosis->hypotheses->len; i++) {
		const struct mp_hypothesis *hypothesis = diagnosis->hypotheses->pdata[i];
		const struct mp_rule *rule = hypothesis->rule;

		if (hypothesis->likelihood == MP_UNLIKELY)
			continue;
		if (!number)
			g_string_append(page, "\n### What would explain it\n\n");
		g_string_append_printf(page, "%u. **%s** (%s%s): ", ++number, rule->id,
			mp_likelihood_name(hypothesis->likelihood),
			rule->inference ? ", inference" : "");
		put(page, rule->title);
		g_string_append_c(page, '\n');
		put_texts(page, "For", hypothesis->pro);
		put_texts(page, "Against", hypothesis->contra);
		g_string_append(page, "   - Test: ");
		put(page, rule->experiment);
		g_string_append(page, "\n   - Do: ");
		put(page, rule->mitigation);
		g_string_append_c(page, '\n');
	}
}

static void put_rest(GString *page, const struct mp_diagnosis *diagnosis)
{
	if (diagnosis->missing->len)
		g_string_append(page, "\n### What would decide\n\n");
	for (guint i = 0; i < diagnosis->missing->len; i++) {
		const struct mp_missing *missing = diagnosis->missing->pdata[i];

		g_string_append(page, "- ");
		put(page, missing->learn);
		g_string_append_printf(page, ": it weighs %s\n", missing->decides);
	}
	if (diagnosis->attempts->len)
		g_string_append(page, "\n### What was tried\n\n");
	for (guint i = 0; i < diagnosis->attempts->len; i++) {
		const struct mp_attempt *attempt = diagnosis->attempts->pdata[i];

		put_item(page, mp_tried_name(attempt->tried), attempt->verdict);
	}
}

static void mp_markdown_diagnose(const struct mp_diagnose_report *report,
	const struct mp_render_style *style G_GNUC_UNUSED, FILE *out)
{
	g_autoptr(GString) page = g_string_new(NULL);

	put_head(page, report);
	put_problems(page, report->diagnosis);
	put_notes(page, report->diagnosis->notes);
	put_hypotheses(page, report->diagnosis);
	put_rest(page, report->diagnosis);
	fputs(page->str, out);
}

const struct mp_render_ops mp_render_markdown = {
	.name = "markdown",
	.diagnose = mp_markdown_diagnose,
};
