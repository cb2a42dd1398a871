/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "core/diagnose.h"
#include "core/error.h"
#include "core/pci.h"

static void problem_free(void *data)
{
	struct mp_problem *problem = data;

	g_free(problem->who);
	g_free(problem->meaning);
	g_free(problem->place);
	g_free(problem);
}

static void missing_free(void *data)
{
	struct mp_missing *missing = data;

	g_free(missing->decides);
	g_free(missing);
}

static void attempt_free(void *data)
{
	struct mp_attempt *attempt = data;

	g_free(attempt->where);
	g_free(attempt);
}

void mp_diagnosis_free(struct mp_diagnosis *diagnosis)
{
	if (!diagnosis)
		return;
	for (int i = 0; i < MP_CLUES; i++)
		g_free(diagnosis->clues[i].text);
	g_ptr_array_unref(diagnosis->problems);
	g_ptr_array_unref(diagnosis->hypotheses);
	g_ptr_array_unref(diagnosis->missing);
	g_ptr_array_unref(diagnosis->attempts);
	g_ptr_array_unref(diagnosis->notes);
	g_free(diagnosis->subject);
	g_free(diagnosis->verdict);
	g_free(diagnosis);
}

void mp_clue_set(struct mp_diagnosis *diagnosis, enum mp_clue_id id, bool yes,
	const char *format, ...)
{
	struct mp_clue *clue = &diagnosis->clues[id];
	va_list args;

	/* The first yes counts: a later event does not take it back. */
	if (clue->know == MP_KNOWN || (clue->know == MP_ABSENT && !yes))
		return;
	g_free(clue->text);
	clue->know = yes ? MP_KNOWN : MP_ABSENT;
	va_start(args, format);
	clue->text = g_strdup_vprintf(format, args);
	va_end(args);
}

bool mp_diagnosis_found(const struct mp_diagnosis *diagnosis)
{
	return diagnosis->problems->len > 0 || diagnosis->log->dropped > 0;
}

/* --- the verdict --- */

static const struct mp_hypothesis *best_of(
	const struct mp_diagnosis *diagnosis, enum mp_rule_topic topic)
{
	for (guint i = 0; i < diagnosis->hypotheses->len; i++) {
		const struct mp_hypothesis *hypothesis = diagnosis->hypotheses->pdata[i];

		if (hypothesis->rule->topic == topic &&
			hypothesis->likelihood != MP_UNLIKELY)
			return hypothesis;
	}
	return NULL;
}

/* ", most likely because of A and B, and possibly of C" */
static void append_briefs(
	const struct mp_hypothesis *const *causes, unsigned n, GString *text)
{
	bool likely = causes[0]->likelihood == MP_LIKELY;

	g_string_append_printf(
		text, ", %s because of ", likely ? "most likely" : "possibly");
	for (unsigned i = 0; i < n; i++) {
		bool weaker = likely && causes[i]->likelihood != MP_LIKELY;

		if (i && weaker && causes[i - 1]->likelihood == MP_LIKELY)
			g_string_append(text, ", and possibly of ");
		else if (i)
			g_string_append(text, i + 1 < n ? ", of " : " and of ");
		g_string_append(text, causes[i]->rule->brief);
	}
}

/* Those that nothing speaks for are no answer. */
static bool has_cause(const struct mp_diagnosis *diagnosis)
{
	for (guint i = 0; i < diagnosis->hypotheses->len; i++) {
		const struct mp_hypothesis *hypothesis = diagnosis->hypotheses->pdata[i];

		if (hypothesis->likelihood != MP_UNLIKELY)
			return true;
	}
	return false;
}

/* ALONE: nothing was blocked, and an event of the device says itself what it is. */
static void append_causes(const struct mp_diagnosis *diagnosis, bool alone, GString *text)
{
	static const enum mp_rule_topic order[] = { MP_RULE_DEVICE, MP_RULE_DMA,
		MP_RULE_INTERRUPT };
	const struct mp_hypothesis *causes[MP_RULE_TOPICS];
	unsigned n = 0;

	for (int likely = MP_LIKELY; likely > MP_UNLIKELY; likely--)
		for (size_t i = 0; i < G_N_ELEMENTS(order); i++) {
			const struct mp_hypothesis *best = best_of(diagnosis, order[i]);

			if (best && (int)best->likelihood == likely &&
				(!alone || best->rule->base < 6))
				causes[n++] = best;
		}
	if (n)
		append_briefs(causes, n, text);
	else if (!has_cause(diagnosis))
		g_string_append(text, "; nothing here tells why");
}

static void append_times(uint64_t count, GString *text)
{
	if (count <= 2)
		g_string_append(text, count == 1 ? "once" : "twice");
	else
		g_string_append_printf(text, "%" G_GUINT64_FORMAT " times", count);
}

void mp_diagnose_verdict(struct mp_diagnosis *diagnosis, bool named)
{
	GString *text = g_string_new(NULL);
	uint64_t of_subject = 0;
	bool about_subject = false;

	for (guint i = 0; i < diagnosis->problems->len; i++) {
		const struct mp_problem *problem = diagnosis->problems->pdata[i];

		about_subject = about_subject || problem->subject;
		if (problem->subject && mp_event_is_fault(problem->sum->event.kind))
			of_subject += problem->sum->count;
	}
	if (!mp_diagnosis_found(diagnosis)) {
		g_string_append(text, "No fault found");
	} else if (of_subject) {
		g_string_append_printf(text, "%s was blocked by the IOMMU %s",
			diagnosis->subject, diagnosis->at_least ? "at least " : "");
		append_times(of_subject, text);
		append_causes(diagnosis, false, text);
	} else {
		const struct mp_problem *first =
			diagnosis->problems->len ? diagnosis->problems->pdata[0] : NULL;

		named = named && diagnosis->subject && !about_subject;
		if (named)
			g_string_append_printf(text, "nothing here is about %s; but ",
				diagnosis->subject);
		g_string_append_printf(text, "%s%s%s",
			first && first->who ? first->who : "",
			first && first->who ? ": " : "",
			first ? first->meaning : "More events than can be told apart");
		if (!named)
			append_causes(diagnosis, true, text);
	}
	diagnosis->verdict = g_string_free(text, FALSE);
}

static void add_notes(struct mp_diagnosis *diagnosis, bool cut_off)
{
	const struct mp_event_log *log = diagnosis->log;

	for (guint i = 0; i < diagnosis->problems->len; i++) {
		const struct mp_problem *problem = diagnosis->problems->pdata[i];

		if (problem->requester != MP_REQUESTER_SEVERAL)
			continue;
		g_ptr_array_add(diagnosis->notes,
			g_strdup_printf(
				"Intel's lines do not tell the PCI segment, and "
				"several of this host have a function at that address: "
				"name one with --device"));
		break;
	}
	if (cut_off)
		g_ptr_array_add(diagnosis->notes,
			g_strdup(
				"The log does not go back to the boot: what came before is "
				"not known (--boot 0 reads the journal)"));
	if (diagnosis->at_least)
		g_ptr_array_add(diagnosis->notes,
			g_strdup(
				"Not every fault was logged: all counts are 'at least'"));
	if (log->dropped)
		g_ptr_array_add(diagnosis->notes,
			g_strdup_printf(
				"%" G_GUINT64_FORMAT
				" more events are of so many sorts that they were not "
				"kept apart",
				log->dropped));
}

struct mp_diagnosis *mp_diagnose(const struct mp_diagnose_input *input, GError **error)
{
	g_autoptr(mp_diagnosis) diagnosis = g_new0(struct mp_diagnosis, 1);
	struct mp_event subject = { 0 };

	diagnosis->log = input->log;
	diagnosis->host = input->host;
	diagnosis->vm = input->vm;
	diagnosis->problems = g_ptr_array_new_with_free_func(problem_free);
	diagnosis->hypotheses = mp_hypotheses_new();
	diagnosis->missing = g_ptr_array_new_with_free_func(missing_free);
	diagnosis->attempts = g_ptr_array_new_with_free_func(attempt_free);
	diagnosis->notes = g_ptr_array_new_with_free_func(g_free);
	if (input->device) {
		if (!mp_pci_parse_bdf(input->device, &subject.segment, &subject.bus,
			    &subject.slot, &subject.function)) {
			g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
				"--device %s: not a PCI address", input->device);
			return NULL;
		}
		subject.has_device = true;
		subject.has_segment =
			strchr(input->device, ':') != strrchr(input->device, ':');
	}
	mp_diagnose_subject(diagnosis, input, &subject);
	mp_diagnose_problems(diagnosis, &subject);
	mp_clues_from_log(diagnosis, &subject);
	mp_clues_from_host(diagnosis, &subject, input->profile);
	for (guint i = 0; i < diagnosis->problems->len; i++)
		mp_problem_place(diagnosis, diagnosis->problems->pdata[i]);
	mp_diagnose_rank(diagnosis);
	mp_diagnose_attempts(diagnosis);
	add_notes(diagnosis, input->cut_off);
	mp_diagnose_verdict(diagnosis, input->device != NULL);
	return g_steal_pointer(&diagnosis);
}
