/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Weighs the rules by the clues, and finds out which unknown clue would decide most. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "core/diagnose.h"

#define LIKELY   6
#define POSSIBLE 2
#define DECIDES  3 /* points that a clue has to move a rule by to be asked for */

/* How to get to know a clue. */
static const struct {
	enum mp_clue_id clue;
	const char *learn;
} learning[] = {
#define VM    "give --vm (its number, or its configuration as a file)"
#define CARD  "say which card it is: --profile metis, or --sysroot for the host"
#define GUEST "add the guest's log of the card's driver ('dmesg' in the VM) to the text"
#define HOST  "run it on the host itself, or add --sysroot with a snapshot of it"
#define LIVE  "run it on the host while the VM runs: the card's real message then tells"
#define INSIDE                                                                                 \
	"run it on the host as root while the card is awake, before anything resets it: what " \
	"the card holds then tells"
	{ MP_CLUE_VIOMMU, VM },
	{ MP_CLUE_IN_RAM, VM },
	{ MP_CLUE_OUTSIDE, VM },
	{ MP_CLUE_IN_ROM, VM },
	{ MP_CLUE_HOTPLUG, VM },
	{ MP_CLUE_PROGRAMS, CARD },
	{ MP_CLUE_EDMA, CARD },
	{ MP_CLUE_OLD_DRIVER, GUEST },
	{ MP_CLUE_ONE_VECTOR, GUEST },
	{ MP_CLUE_TIMEOUTS, GUEST },
	{ MP_CLUE_HOST_DRIVER, HOST },
	{ MP_CLUE_PASSTHROUGH, HOST },
	{ MP_CLUE_NO_RESET, HOST },
	{ MP_CLUE_BRIDGE, HOST },
	{ MP_CLUE_SLOT, LIVE },
	{ MP_CLUE_VECTOR, LIVE },
	{ MP_CLUE_MIXED, LIVE },
	{ MP_CLUE_WINDOW, INSIDE },
	{ MP_CLUE_LEFT, INSIDE },
	{ MP_CLUE_RAW, INSIDE },
	{ MP_CLUE_DMA_VM, INSIDE },
};

const char *mp_clue_learn(enum mp_clue_id id)
{
	for (size_t i = 0; i < G_N_ELEMENTS(learning); i++)
		if (learning[i].clue == id)
			return learning[i].learn;
	return NULL;
}

const char *mp_likelihood_name(enum mp_likelihood likelihood)
{
	static const char *const names[] = { "unlikely", "possible", "likely" };

	return names[likelihood];
}

static void hypothesis_free(void *data)
{
	struct mp_hypothesis *hypothesis = data;

	g_ptr_array_unref(hypothesis->pro);
	g_ptr_array_unref(hypothesis->contra);
	g_free(hypothesis);
}

GPtrArray *mp_hypotheses_new(void)
{
	return g_ptr_array_new_with_free_func(hypothesis_free);
}

static void add_text(GPtrArray *texts, const struct mp_clue *clue)
{
	for (guint i = 0; i < texts->len; i++)
		if (texts->pdata[i] == clue->text)
			return;
	g_ptr_array_add(texts, clue->text);
}

static void weigh(const struct mp_diagnosis *diagnosis, struct mp_hypothesis *hypothesis)
{
	const struct mp_rule *rule = hypothesis->rule;

	for (const enum mp_clue_id *id = rule->triggers; *id != MP_CLUES; id++)
		if (diagnosis->clues[*id].know == MP_KNOWN)
			add_text(hypothesis->pro, &diagnosis->clues[*id]);
	hypothesis->score = rule->base;
	for (size_t i = 0; i < G_N_ELEMENTS(rule->weights); i++) {
		const struct mp_rule_weight *weight = &rule->weights[i];
		const struct mp_clue *clue = &diagnosis->clues[weight->clue];
		int points;

		if ((!weight->yes && !weight->no) || clue->know == MP_UNKNOWN)
			continue;
		points = clue->know == MP_KNOWN ? weight->yes : weight->no;
		hypothesis->score += points;
		if (points)
			add_text(points > 0 ? hypothesis->pro : hypothesis->contra, clue);
	}
	hypothesis->likelihood = hypothesis->score >= LIKELY     ? MP_LIKELY
				 : hypothesis->score >= POSSIBLE ? MP_POSSIBLE
								 : MP_UNLIKELY;
}

static bool triggered(const struct mp_diagnosis *diagnosis, const struct mp_rule *rule)
{
	if (rule->needs != MP_CLUES && diagnosis->clues[rule->needs].know == MP_ABSENT)
		return false;
	for (const enum mp_clue_id *id = rule->triggers; *id != MP_CLUES; id++)
		if (diagnosis->clues[*id].know == MP_KNOWN)
			return true;
	return false;
}

/* Stable: equal ones stay as the tables have them. */
static int compare(const void *a, const void *b)
{
	const struct mp_hypothesis *left = *(void *const *)a, *right = *(void *const *)b;

	return right->score - left->score;
}

/* --- what is missing --- */

static struct mp_missing *missing_for(GPtrArray *missing, const char *learn)
{
	struct mp_missing *entry;

	for (guint i = 0; i < missing->len; i++) {
		entry = missing->pdata[i];
		if (!strcmp(entry->learn, learn))
			return entry;
	}
	entry = g_new0(struct mp_missing, 1);
	entry->learn = learn;
	entry->decides = g_strdup("");
	g_ptr_array_add(missing, entry);
	return entry;
}

static void add_decided(struct mp_missing *entry, const char *id)
{
	g_auto(GStrv) ids = g_strsplit(entry->decides, ", ", 0);
	char *longer;

	if (g_strv_contains((const char *const *)ids, id))
		return;
	longer = g_strconcat(entry->decides, *entry->decides ? ", " : "", id, NULL);
	g_free(entry->decides);
	entry->decides = longer;
}

static void find_missing(
	struct mp_diagnosis *diagnosis, const struct mp_hypothesis *hypothesis)
{
	const struct mp_rule *rule = hypothesis->rule;

	for (size_t i = 0; i < G_N_ELEMENTS(rule->weights); i++) {
		const struct mp_rule_weight *weight = &rule->weights[i];
		const char *learn = mp_clue_learn(weight->clue);

		if (!learn || (!weight->yes && !weight->no) ||
			abs(weight->yes - weight->no) < DECIDES ||
			diagnosis->clues[weight->clue].know != MP_UNKNOWN)
			continue;
		add_decided(missing_for(diagnosis->missing, learn), rule->id);
	}
}

static int compare_missing(const void *a, const void *b)
{
	const struct mp_missing *left = *(void *const *)a, *right = *(void *const *)b;

	return (int)strlen(right->decides) - (int)strlen(left->decides);
}

void mp_diagnose_rank(struct mp_diagnosis *diagnosis)
{
	for (const struct mp_rule *const *table = mp_rules; *table; table++)
		for (const struct mp_rule *rule = *table; rule->id; rule++) {
			struct mp_hypothesis *hypothesis;

			if (!triggered(diagnosis, rule))
				continue;
			hypothesis = g_new0(struct mp_hypothesis, 1);
			hypothesis->rule = rule;
			hypothesis->pro = g_ptr_array_new();
			hypothesis->contra = g_ptr_array_new();
			weigh(diagnosis, hypothesis);
			g_ptr_array_add(diagnosis->hypotheses, hypothesis);
		}
	g_ptr_array_sort(diagnosis->hypotheses, compare);
	for (guint i = 0; i < diagnosis->hypotheses->len; i++) {
		const struct mp_hypothesis *hypothesis = diagnosis->hypotheses->pdata[i];

		/* What would lift an unlikely one matters as well: as far as it was not
		 * ruled out. */
		if (hypothesis->score > 0 - DECIDES)
			find_missing(diagnosis, hypothesis);
	}
	g_ptr_array_sort(diagnosis->missing, compare_missing);
}
