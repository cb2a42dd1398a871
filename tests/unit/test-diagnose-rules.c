/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * diagnose: the weights of the rules. Each rule has a scene below: what would be known if it
 * were the case, and what would be known if it looked like it and were not. A rule without a
 * scene fails. Then the decoder of entries: from the card's real handle to the explanation.
 */
#include "unit.h"

#include <string.h>

#include "core/card.h"
#include "core/diagnose.h"
#include "core/pci.h"

#define MOST 6

struct knowledge {
	enum mp_clue_id yes[MOST], no[MOST]; /* ended by MP_CLUES, or full */
};

#define LIST(...)                                                                        \
	{                                                                                \
		__VA_ARGS__, MP_CLUES                                                    \
	}
#define NOTHING                                                                          \
	{                                                                                \
		MP_CLUES                                                                 \
	}
#define C(name) MP_CLUE_##name

static const struct scene {
	const char *rule;
	struct knowledge is, looks_like; /* it is the case; it only looks like it */
} scenes[] = {
	/* --- interrupts --- */
	{ "untranslated-message",
		{ LIST(C(INTR_ABSENT), C(PROGRAMS), C(TIMEOUTS)), NOTHING },
		{ LIST(C(INTR_ABSENT), C(SLOT)), LIST(C(PROGRAMS)) } },
	{ "guest-message",
		{ LIST(C(INTR_COMPAT), C(PROGRAMS), C(ONE_VECTOR)), LIST(C(VIOMMU)) },
		{ LIST(C(INTR_COMPAT), C(PROGRAMS), C(VIOMMU)), LIST(C(RAW)) } },
	{ "version-skew",
		{ LIST(C(INTR_ABSENT), C(EDMA), C(OLD_DRIVER), C(MIXED), C(DMA_VM)),
			NOTHING },
		{ LIST(C(INTR_ABSENT), C(EDMA), C(OLD_DRIVER), C(MIXED)),
			LIST(C(DMA_VM)) } },
	{ "guest-iommu-handle",
		{ LIST(C(INTR_ABSENT), C(PROGRAMS), C(VIOMMU), C(BLOCK)), NOTHING },
		{ LIST(C(INTR_ABSENT), C(PROGRAMS), C(BLOCK)), LIST(C(VIOMMU)) } },
	{ "firmware-vector",
		{ LIST(C(INTR_ABSENT), C(EDMA), C(PROGRAMS), C(VECTOR), C(ONE_VECTOR)),
			LIST(C(VIOMMU)) },
		{ LIST(C(INTR_ABSENT), C(EDMA), C(PROGRAMS)),
			LIST(C(VECTOR), C(ONE_VECTOR)) } },
	{ "kept-message",
		{ LIST(C(INTR_ABSENT), C(EDMA), C(EVENT), C(HOST_DRIVER), C(COMMANDS)),
			LIST(C(VECTOR), C(BLOCK)) },
		{ LIST(C(INTR_ABSENT), C(EDMA), C(EVENT), C(VECTOR)), NOTHING } },
	{ "stale-host-message",
		{ LIST(C(INTR_ABSENT), C(PROGRAMS), C(HOST_DRIVER), C(BLOCK)),
			LIST(C(VIOMMU)) },
		{ LIST(C(INTR_ABSENT), C(PROGRAMS), C(BLOCK)), LIST(C(HOST_DRIVER)) } },
	{ "interrupt-window",
		{ LIST(C(INTR_GARBAGE), C(IN_WINDOW), C(PROGRAMS)), NOTHING },
		{ LIST(C(INTR_COMPAT)), LIST(C(IN_WINDOW)) } },
	{ "foreign-entry", { LIST(C(INTR_FOREIGN), C(BRIDGE)), LIST(C(PROGRAMS)) },
		{ LIST(C(INTR_FOREIGN), C(PROGRAMS), C(VIOMMU), C(BLOCK)),
			LIST(C(BRIDGE)) } },
	{ "torn-down", { LIST(C(INTR_ABSENT), C(PROGRAMS), C(SLOT)), NOTHING },
		{ LIST(C(INTR_ABSENT), C(PROGRAMS)), LIST(C(SLOT)) } },
	{ "chip-requester", { LIST(C(INTR_COMPAT), C(CHIP)), NOTHING },
		{ LIST(C(INTR_COMPAT)), NOTHING } },
	/* --- transfers --- */
	{ "stale-window",
		{ LIST(C(WRITE), C(EDMA), C(ALIGNED), C(HOST_DRIVER), C(OUTSIDE)),
			LIST(C(LOW)) },
		{ LIST(C(WRITE), C(EDMA), C(HOST_DRIVER)), LIST(C(ALIGNED)) } },
	{ "latched-window",
		{ LIST(C(WRITE), C(EDMA), C(ALIGNED), C(PENDING)),
			LIST(C(HOST_DRIVER), C(WINDOW)) },
		{ LIST(C(WRITE), C(EDMA), C(ALIGNED), C(WINDOW)), NOTHING } },
	{ "not-in-vm-map", { LIST(C(READ), C(VIOMMU), C(IN_RAM)), LIST(C(OUTSIDE)) },
		{ LIST(C(READ), C(OUTSIDE)), LIST(C(VIOMMU), C(IN_RAM)) } },
	{ "outside-vm", { LIST(C(READ), C(OUTSIDE)), LIST(C(VIOMMU), C(IN_RAM)) },
		{ LIST(C(READ), C(IN_RAM)), LIST(C(OUTSIDE)) } },
	{ "stale-buffer", { LIST(C(READ), C(TIMEOUTS), C(LOW)), NOTHING },
		{ LIST(C(WRITE), C(EDMA), C(ALIGNED)), LIST(C(LOW)) } },
	{ "read-only-page", { LIST(C(WRITE), C(READ_ONLY), C(IN_ROM)), NOTHING },
		{ LIST(C(WRITE), C(IN_RAM)), LIST(C(READ_ONLY), C(IN_ROM)) } },
	{ "no-domain", { LIST(C(NO_DOMAIN), C(PENDING)), NOTHING },
		{ LIST(C(WRITE)), NOTHING } },
	{ "too-wide", { LIST(C(TOO_WIDE), C(MAP_REFUSED)), NOTHING },
		{ LIST(C(WRITE)), NOTHING } },
	{ "broken-tables", { LIST(C(TABLES)), NOTHING }, { LIST(C(WRITE)), NOTHING } },
	/* --- what says itself what it is: another event is none of it --- */
	{ "reset-failed", { LIST(C(RESET_FAILED), C(HEADER)), NOTHING },
		{ LIST(C(RESET_FAILED), C(D3COLD)), NOTHING } },
	{ "half-reset", { LIST(C(HEADER), C(NO_RESET)), NOTHING },
		{ LIST(C(PENDING), C(D3COLD)), LIST(C(NO_RESET)) } },
	{ "d3cold", { LIST(C(D3COLD), C(RESET_FAILED)), NOTHING },
		{ LIST(C(RESET_FAILED)), NOTHING } },
	{ "bar-reserved", { LIST(C(BAR)), NOTHING }, { LIST(C(MAP_REFUSED)), NOTHING } },
	{ "memlock", { LIST(C(MEMLOCK)), NOTHING }, { LIST(C(MAP_LIMIT)), NOTHING } },
	{ "dma-entry-limit", { LIST(C(MAP_LIMIT), C(VIOMMU)), NOTHING },
		{ LIST(C(MEMLOCK)), NOTHING } },
	{ "map-refused", { LIST(C(MAP_REFUSED)), NOTHING },
		{ LIST(C(MAP_LIMIT)), NOTHING } },
	{ "group-not-viable", { LIST(C(NOT_VIABLE)), NOTHING },
		{ LIST(C(ATTACH)), NOTHING } },
	{ "no-interrupt-remapping", { LIST(C(NO_REMAPPING)), NOTHING },
		{ LIST(C(ATTACH)), NOTHING } },
	{ "one-to-one", { LIST(C(ONE_TO_ONE)), NOTHING }, { LIST(C(ATTACH)), NOTHING } },
	{ "attach-failed", { LIST(C(ATTACH)), NOTHING },
		{ LIST(C(ATTACH), C(ONE_TO_ONE)), NOTHING } },
	{ "link-errors", { LIST(C(AER), C(READ)), NOTHING },
		{ LIST(C(AER), C(LINK), C(HEADER)), NOTHING } },
	{ "release-blocked", { LIST(C(RELEASE)), NOTHING },
		{ LIST(C(PENDING)), NOTHING } },
};

static const struct scene *scene_of(const char *rule)
{
	for (size_t i = 0; i < G_N_ELEMENTS(scenes); i++)
		if (!strcmp(scenes[i].rule, rule))
			return &scenes[i];
	return NULL;
}

static void learn(
	struct mp_diagnosis *diagnosis, const enum mp_clue_id list[MOST], bool yes)
{
	for (int i = 0; i < MOST && list[i] != MP_CLUES; i++)
		mp_clue_set(diagnosis, list[i], yes, "clue %d", list[i]);
}

/* The explanations of KNOWLEDGE; the caller frees. */
static struct mp_diagnosis *explain_clues(const struct knowledge *knowledge)
{
	static struct mp_event_log *empty;
	struct mp_diagnose_input input = { 0 };
	struct mp_diagnosis *diagnosis;

	if (!empty)
		empty = mp_event_log_new();
	input.log = empty;
	diagnosis = mp_diagnose(&input, NULL);
	assert_non_null(diagnosis);
	assert_int_equal(diagnosis->hypotheses->len, 0);
	learn(diagnosis, knowledge->yes, true);
	learn(diagnosis, knowledge->no, false);
	mp_diagnose_rank(diagnosis);
	return diagnosis;
}

/* The best of the topic, without OTHER; NULL: none that is at least possible. */
static const struct mp_hypothesis *best(
	const struct mp_diagnosis *diagnosis, enum mp_rule_topic topic, const char *other)
{
	for (guint i = 0; i < diagnosis->hypotheses->len; i++) {
		const struct mp_hypothesis *its = diagnosis->hypotheses->pdata[i];

		if (its->rule->topic == topic && its->likelihood != MP_UNLIKELY &&
			(!other || strcmp(its->rule->id, other) != 0))
			return its;
	}
	return NULL;
}

static const char *best_id(
	const struct mp_diagnosis *diagnosis, enum mp_rule_topic topic, const char *other)
{
	const struct mp_hypothesis *its = best(diagnosis, topic, other);

	return its ? its->rule->id : "none";
}

static void each_rule(void (*check)(const struct mp_rule *, const struct scene *))
{
	unsigned rules = 0;

	for (const struct mp_rule *const *table = mp_rules; *table; table++)
		for (const struct mp_rule *rule = *table; rule->id; rule++, rules++) {
			const struct scene *scene = scene_of(rule->id);

			if (!scene)
				fail_msg("rule %s has no scene in this test", rule->id);
			check(rule, scene);
		}
	/* Nor a scene without a rule. */
	assert_int_equal(rules, G_N_ELEMENTS(scenes));
}

static void is_on_top(const struct mp_rule *rule, const struct scene *scene)
{
	g_autoptr(mp_diagnosis) diagnosis = explain_clues(&scene->is);
	const char *id = best_id(diagnosis, rule->topic, NULL);

	if (strcmp(id, rule->id) != 0)
		fail_msg("%s: with all that speaks for it the best is %s", rule->id, id);
}

static void is_not_on_top(const struct mp_rule *rule, const struct scene *scene)
{
	g_autoptr(mp_diagnosis) diagnosis = explain_clues(&scene->looks_like);

	if (!strcmp(best_id(diagnosis, rule->topic, NULL), rule->id))
		fail_msg("%s: on top in spite of what speaks against it", rule->id);
}

static bool is_in(const enum mp_clue_id list[MOST], enum mp_clue_id id)
{
	for (int i = 0; i < MOST && list[i] != MP_CLUES; i++)
		if (list[i] == id)
			return true;
	return false;
}

/* A scene that says nothing of what the rule weighs would prove nothing of its weights. */
static void is_about_the_rule(const struct mp_rule *rule, const struct scene *scene)
{
	bool triggered = false, weighs = false, used = false;

	for (const enum mp_clue_id *id = rule->triggers; *id != MP_CLUES; id++)
		triggered = triggered || is_in(scene->is.yes, *id);
	if (!triggered)
		fail_msg("%s: nothing of its scene triggers it", rule->id);
	for (size_t i = 0; i < G_N_ELEMENTS(rule->weights); i++) {
		const struct mp_rule_weight *weight = &rule->weights[i];

		weighs = weighs || weight->yes > 0 || weight->no > 0;
		used = used || (weight->yes > 0 && is_in(scene->is.yes, weight->clue)) ||
		       (weight->no > 0 && is_in(scene->is.no, weight->clue));
	}
	if (weighs && !used)
		fail_msg("%s: none of its weights is in its scene", rule->id);
}

/* What a rule needs, it may not weigh: that would prefer it to others that need it too. */
static void weighs_no_need(const struct mp_rule *rule, const struct scene *scene)
{
	(void)scene;
	for (size_t i = 0; rule->needs != MP_CLUES && i < G_N_ELEMENTS(rule->weights);
		i++)
		if ((rule->weights[i].yes || rule->weights[i].no) &&
			rule->weights[i].clue == rule->needs)
			fail_msg("%s weighs what it needs", rule->id);
}

static void test_for(void **state)
{
	(void)state;
	each_rule(is_on_top);
}

static void test_against(void **state)
{
	(void)state;
	each_rule(is_not_on_top);
}

static void test_scenes(void **state)
{
	(void)state;
	each_rule(is_about_the_rule);
	each_rule(weighs_no_need);
}

/* --- the decoder: the entry in the line, and the card's real message --- */

#define INTERRUPT                                                                        \
	"DMAR: [INTR-REMAP] Request device [86:00.0] fault index 0x%x [fault reason "    \
	"0x%x] text\n"

struct row {
	unsigned handle, vectors; /* of the card's MSI; no vectors: it is off */
	unsigned entry, reason;
	const char *more; /* of the guest's log, or NULL */
	enum mp_clue_id clue;
	enum mp_know know;
	const char *top, *variant; /* all; without untranslated-message. NULL: whatever */
};

#define GRANTED   "metis 0000:01:00.0: MSI registered 32 (1)\n"
#define ALL_GIVEN "metis 0000:01:00.0: MSI registered 32 (32)\n"
#define CLASS     "untranslated-message"

static const struct row rows[] = {
	/* d = 0 to count - 1: the entry should exist */
	{ 0x28, 1, 0x28, 0x22, NULL, C(SLOT), MP_KNOWN, "torn-down", NULL },
	{ 0x20, 32, 0x3f, 0x22, NULL, C(SLOT), MP_KNOWN, "torn-down", NULL },
	{ 0x20, 32, 0x40, 0x22, NULL, C(SLOT), MP_ABSENT, CLASS, NULL },
	{ 0x28, 1, 0x27, 0x22, NULL, C(SLOT), MP_ABSENT, NULL, NULL },
	/* d = 4 to 11, 12, 24, and one vector */
	{ 0x24, 1, 0x28, 0x22, NULL, C(VECTOR), MP_KNOWN, "firmware-vector", NULL },
	{ 0x1d, 1, 0x28, 0x22, NULL, C(VECTOR), MP_KNOWN, "firmware-vector", NULL },
	{ 0x1c, 1, 0x28, 0x22, NULL, C(VECTOR), MP_KNOWN, "firmware-vector", NULL },
	{ 0x21, 1, 0x39, 0x22, NULL, C(VECTOR), MP_KNOWN, "firmware-vector", NULL },
	{ 0x25, 1, 0x28, 0x22, NULL, C(VECTOR), MP_ABSENT, NULL, NULL },
	{ 0x1b, 1, 0x28, 0x22, NULL, C(VECTOR), MP_ABSENT, NULL, NULL },
	{ 0x20, 32, 0x28, 0x22, NULL, C(VECTOR), MP_ABSENT, "torn-down", NULL },
	/* d = 0x20 to 0xef: a vector of the guest was added */
	{ 0x08, 1, 0x28, 0x22, NULL, C(MIXED), MP_KNOWN, CLASS, "version-skew" },
	{ 0x08, 1, 0xf7, 0x22, NULL, C(MIXED), MP_KNOWN, CLASS, "version-skew" },
	{ 0x08, 1, 0xf8, 0x22, NULL, C(MIXED), MP_ABSENT, NULL, NULL },
	{ 0x09, 1, 0x28, 0x22, NULL, C(MIXED), MP_ABSENT, NULL, NULL },
	/* Without a handle: less than any vector of a guest is no sum with one. */
	{ 0, 0, 0x1f, 0x22, NULL, C(MIXED), MP_ABSENT, NULL, NULL },
	{ 0, 0, 0x20, 0x22, NULL, C(MIXED), MP_UNKNOWN, NULL, NULL },
	/* A place in a block of 32: of a transfer, of the firmware's own events, of neither. */
	{ 0, 0, 0x28, 0x22, NULL, C(BLOCK), MP_KNOWN, CLASS, NULL },
	{ 0, 0, 0x2c, 0x22, NULL, C(BLOCK), MP_ABSENT, CLASS, NULL },
	{ 0, 0, 0x58, 0x22, NULL, C(EVENT), MP_KNOWN, CLASS, "kept-message" },
	{ 0, 0, 0x4c, 0x22, NULL, C(EVENT), MP_KNOWN, CLASS, "kept-message" },
	{ 0, 0, 0x43, 0x22, NULL, C(EVENT), MP_KNOWN, CLASS, "kept-message" },
	{ 0, 0, 0x2d, 0x22, NULL, C(EVENT), MP_ABSENT, CLASS, NULL },
	/* What the guest's driver says of its vectors. */
	{ 0, 0, 0x28, 0x22, ALL_GIVEN, C(ONE_VECTOR), MP_ABSENT, NULL, NULL },
	{ 0, 0, 0x2d, 0x22, GRANTED, C(ONE_VECTOR), MP_KNOWN, CLASS, NULL },
	/* The line's own reason. With 0x25 and 0x20 the entry means nothing. */
	{ 0x24, 1, 0x28, 0x25, NULL, C(VECTOR), MP_UNKNOWN, "guest-message", NULL },
	{ 0, 0, 0x28, 0x25, NULL, C(BLOCK), MP_UNKNOWN, "guest-message", NULL },
	{ 0, 0, 0x28, 0x20, NULL, C(EVENT), MP_UNKNOWN, "interrupt-window", NULL },
	{ 0, 0, 0x28, 0x26, NULL, C(INTR_FOREIGN), MP_KNOWN, CLASS, NULL },
};

static void check_row(const struct row *row)
{
	const char *top = g_getenv("TOP_SRCDIR");
	g_autofree char *path =
		g_strdup_printf("%s/tests/hosts/stale-window.snap", top ? top : ".");
	g_autofree char *line = g_strdup_printf(INTERRUPT, row->entry, row->reason);
	g_autofree char *text = g_strconcat(row->more ? row->more : "", line, NULL);
	g_autoptr(mp_root) root = mp_root_open(path, NULL);
	g_autoptr(mp_host) host = mp_host_load(root, MP_TOPIC_ALL, NULL);
	g_autoptr(mp_event_log) log = mp_event_log_new();
	g_autoptr(mp_event_parser) parser = mp_event_parser_new(mp_event_log_add, log);
	struct mp_diagnose_input input = { .host = host, .log = log };
	g_autoptr(mp_diagnosis) diagnosis = NULL;
	struct mp_pci *device = mp_host_device(host, "0000:86:00.0");
	struct mp_card *card = host->cards->all->pdata[0];

	/* What is in the card is another test's (test-diagnose-card.c). */
	card->life = MP_CARD_ASLEEP;
	assert_true(device->msi.present);
	device->msi.enabled = row->vectors > 0;
	device->msi.vectors_enabled = row->vectors;
	device->msi.address = 0xfee00018 | (uint64_t)row->handle << 5;
	device->msi.data = 0;
	mp_event_parser_feed(parser, text, strlen(text));
	mp_event_parser_end(parser);
	diagnosis = mp_diagnose(&input, NULL);
	assert_non_null(diagnosis);
	if (diagnosis->clues[row->clue].know != row->know)
		fail_msg("handle 0x%x (%u), entry 0x%x, reason 0x%x: clue %d is %d, not "
			 "%d",
			row->handle, row->vectors, row->entry, row->reason, row->clue,
			diagnosis->clues[row->clue].know, row->know);
	if (row->top && strcmp(best_id(diagnosis, MP_RULE_INTERRUPT, NULL), row->top))
		fail_msg("handle 0x%x (%u), entry 0x%x, reason 0x%x: %s, not %s",
			row->handle, row->vectors, row->entry, row->reason,
			best_id(diagnosis, MP_RULE_INTERRUPT, NULL), row->top);
	if (row->variant &&
		strcmp(best_id(diagnosis, MP_RULE_INTERRUPT, CLASS), row->variant))
		fail_msg("handle 0x%x (%u), entry 0x%x, reason 0x%x: variant %s, not %s",
			row->handle, row->vectors, row->entry, row->reason,
			best_id(diagnosis, MP_RULE_INTERRUPT, CLASS), row->variant);
}

static void test_decoder(void **state)
{
	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
		check_row(&rows[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_for),
		cmocka_unit_test(test_against),
		cmocka_unit_test(test_scenes),
		cmocka_unit_test(test_decoder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
