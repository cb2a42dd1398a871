/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diagnose: what is in the card decides between explanations. */
#include "unit.h"

#include <string.h>

#include "core/card.h"
#include "core/diagnose.h"
#include "core/event.h"
#include "core/pci.h"
#include "core/vm.h"

#define FORUM                                                                            \
	"DMAR: [DMA Write NO_PASID] Request device [86:00.0] fault addr 0x149800000 "    \
	"[fault reason 0x05] PTE Write access is not set\n"                              \
	"DMAR: [INTR-REMAP] Request device [86:00.0] fault index 0x28 [fault reason "    \
	"0x22] Present field in the IRTE entry is clear\n"
#define COMPAT                                                                           \
	"DMAR: [INTR-REMAP] Request device [86:00.0] fault index 0x28 [fault reason "    \
	"0x25] Blocked a compatibility format interrupt request\n"

/* The captured host stale-window, to be changed by a test before it is explained. */
static struct {
	struct mp_root *root;
	struct mp_host *host;
	struct mp_card *card;
	struct mp_vm *vm;
	struct mp_event_log *log;
	struct mp_diagnosis *diagnosis;
} world;

static int set_up(void **state)
{
	const char *top = g_getenv("TOP_SRCDIR");
	g_autofree char *path =
		g_strdup_printf("%s/tests/hosts/stale-window.snap", top ? top : ".");

	(void)state;
	world.root = mp_root_open(path, NULL);
	assert_non_null(world.root);
	world.host = mp_host_load(world.root, MP_TOPIC_ALL, NULL);
	assert_non_null(world.host);
	world.card = world.host->cards->all->pdata[0];
	assert_int_equal(world.card->life, MP_CARD_RUNNING);
	world.vm = mp_host_vm(world.host, "101");
	assert_non_null(world.vm);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	mp_diagnosis_free(world.diagnosis);
	mp_event_log_free(world.log);
	mp_host_free(world.host);
	mp_root_free(world.root);
	memset(&world, 0, sizeof(world));
	return 0;
}

static void explain(const char *text)
{
	struct mp_event_parser *parser;
	struct mp_diagnose_input input = { .host = world.host };

	world.log = mp_event_log_new();
	parser = mp_event_parser_new(mp_event_log_add, world.log);
	mp_event_parser_feed(parser, text, strlen(text));
	mp_event_parser_end(parser);
	mp_event_parser_free(parser);
	input.log = world.log;
	world.diagnosis = mp_diagnose(&input, NULL);
	assert_non_null(world.diagnosis);
}

static enum mp_know know(enum mp_clue_id id)
{
	return world.diagnosis->clues[id].know;
}

static const struct mp_hypothesis *hypothesis(const char *id)
{
	for (guint i = 0; i < world.diagnosis->hypotheses->len; i++) {
		const struct mp_hypothesis *its = world.diagnosis->hypotheses->pdata[i];

		if (!strcmp(its->rule->id, id))
			return its;
	}
	fail_msg("no hypothesis %s", id);
	return NULL;
}

static const char *first(enum mp_rule_topic topic)
{
	for (guint i = 0; i < world.diagnosis->hypotheses->len; i++) {
		const struct mp_hypothesis *its = world.diagnosis->hypotheses->pdata[i];

		if (its->rule->topic == topic)
			return its->rule->id;
	}
	return "";
}

/* --- the forum's lines on a card that was left as it was --- */

static void test_left_card(void **state)
{
	const struct mp_hypothesis *best;

	(void)state;
	explain(FORUM);
	best = world.diagnosis->hypotheses->pdata[0];
	assert_string_equal(best->rule->id, "stale-window");
	assert_int_equal(best->likelihood, MP_LIKELY);
	assert_string_equal(world.diagnosis->clues[MP_CLUE_WINDOW].text,
		"its window is open to exactly this address, 0x149800000");
	assert_string_equal(first(MP_RULE_INTERRUPT), "stale-host-message");
	assert_non_null(strstr(world.diagnosis->clues[MP_CLUE_LEFT].text,
		"(write channels, done, channel 0) is handle 0x20 plus data 0x8: exactly "
		"entry 0x28"));
	assert_int_equal(know(MP_CLUE_MIXED), MP_UNKNOWN);
	assert_int_equal(know(MP_CLUE_DMA_VM), MP_ABSENT);
	assert_int_equal(hypothesis("version-skew")->likelihood, MP_UNLIKELY);
	assert_non_null(strstr(world.diagnosis->notes->pdata[0], "was captured"));
}

/* --- the window --- */

static void test_window_elsewhere(void **state)
{
	(void)state;
	world.card->window_target = 0x200000000;
	explain(FORUM);
	assert_int_equal(know(MP_CLUE_WINDOW), MP_ABSENT);
	assert_true(
		hypothesis("latched-window")->score > hypothesis("stale-window")->score);
}

static void test_window_closed(void **state)
{
	(void)state;
	world.card->window = MP_CARD_NO;
	explain(FORUM);
	assert_int_equal(know(MP_CLUE_WINDOW), MP_KNOWN);
	assert_string_equal(world.diagnosis->clues[MP_CLUE_WINDOW].text,
		"its window is closed now, but points at exactly this address, 0x149800000");
}

/* Somebody made it silent since: that says nothing of what it was. */
static void test_window_silenced(void **state)
{
	(void)state;
	world.card->window = MP_CARD_NO;
	world.card->window_target = 0;
	explain("DMAR: [DMA Write NO_PASID] Request device [86:00.0] fault addr 0x1000 [fault "
		"reason 0x05] PTE Write access is not set\n");
	assert_int_equal(know(MP_CLUE_WRITE), MP_KNOWN);
	assert_int_equal(know(MP_CLUE_WINDOW), MP_UNKNOWN);
}

static void test_window_ends(void **state)
{
	static const struct {
		uint64_t target, size;
		enum mp_know know;
	} rows[] = {
		{ 0x149800000, 0x1000, MP_KNOWN },
		{ 0x149800000, 0, MP_KNOWN },
		{ 0x149800000, UINT64_MAX, MP_KNOWN },
		{ 0x149700000, 0x100000, MP_ABSENT },
		{ 0x149700000, 0x101000, MP_KNOWN },
		{ 0x149700000, UINT64_MAX, MP_ABSENT },
		{ 0x149801000, 0x200000, MP_ABSENT },
		{ UINT64_MAX - 0xfff, 0x200000, MP_ABSENT },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		world.card->window_target = rows[i].target;
		world.card->window_size = rows[i].size;
		explain(FORUM);
		assert_int_equal(know(MP_CLUE_WINDOW), rows[i].know);
		tear_down(state);
		set_up(state);
	}
}

/* Two writes, one of them in the window: neither for nor against. */
static void test_window_in_part(void **state)
{
	(void)state;
	explain(FORUM "DMAR: [DMA Write NO_PASID] Request device [86:00.0] fault addr "
		      "0x249800000 [fault reason 0x05] PTE Write access is not set\n");
	assert_int_equal(know(MP_CLUE_WINDOW), MP_UNKNOWN);
}

/* The VM that runs has pointed it there: then it is its own, and its map lacks the page. */
static void test_window_of_the_vm(void **state)
{
	(void)state;
	world.vm->running = true;
	explain(FORUM);
	assert_int_equal(know(MP_CLUE_WINDOW_USED), MP_KNOWN);
	assert_string_equal(first(MP_RULE_DMA), "not-in-vm-map");
}

/* --- messages --- */

static void test_no_message_fits(void **state)
{
	(void)state;
	for (unsigned i = 0; i < world.card->targets_count; i++)
		world.card->targets[i].handle += 0x100;
	explain(FORUM);
	assert_int_equal(know(MP_CLUE_LEFT), MP_ABSENT);
	assert_non_null(strstr(
		world.diagnosis->clues[MP_CLUE_LEFT].text, "entries 0x124 to 0x12b now"));
	assert_true(hypothesis("stale-host-message")->likelihood < MP_LIKELY);
}

static void test_no_message_left(void **state)
{
	(void)state;
	for (unsigned i = 0; i < world.card->targets_count; i++)
		world.card->targets[i].message = MP_MESSAGE_NONE;
	explain(FORUM);
	assert_int_equal(know(MP_CLUE_LEFT), MP_UNKNOWN);
}

/* Without SHV the data is not added (VT-d 5.1.2.2). */
static void test_handle_alone(void **state)
{
	(void)state;
	for (unsigned i = 0; i < world.card->targets_count; i++) {
		world.card->targets[i].address = 0xfee00510;
		world.card->targets[i].handle = 0x28;
	}
	explain(FORUM);
	assert_non_null(strstr(
		world.diagnosis->clues[MP_CLUE_LEFT].text, "handle 0x28 plus data 0x0"));
}

/* 8 + 0x20, both ways around: a handle of the host with the vector of a guest. */
static void test_mixed(void **state)
{
	(void)state;
	for (unsigned i = 0; i < world.card->targets_count; i++) {
		world.card->targets[i].handle = 8;
		for (unsigned k = 0; k < 4; k++)
			world.card->targets[i].data[k] = (uint16_t)(0x20 + k);
	}
	world.card->dma_vm = MP_CARD_YES;
	explain(FORUM);
	assert_int_equal(know(MP_CLUE_MIXED), MP_KNOWN);
	assert_int_equal(know(MP_CLUE_LEFT), MP_UNKNOWN);
	assert_string_equal(first(MP_RULE_INTERRUPT), "version-skew");
}

/* The function's own message is counted from its MSI, not as one that was left. */
static void test_own(void **state)
{
	(void)state;
	for (unsigned i = 0; i < world.card->targets_count; i++)
		world.card->targets[i].message = MP_MESSAGE_OWN;
	explain(FORUM);
	assert_int_equal(know(MP_CLUE_LEFT), MP_UNKNOWN);
}

static void test_raw(void **state)
{
	(void)state;
	explain(COMPAT);
	assert_int_equal(know(MP_CLUE_RAW), MP_ABSENT);
	tear_down(state);
	set_up(state);
	world.card->targets[1].message = MP_MESSAGE_RAW;
	world.card->targets[1].address = 0xfee00000;
	explain(COMPAT);
	assert_int_equal(know(MP_CLUE_RAW), MP_KNOWN);
	assert_int_equal(know(MP_CLUE_LEFT), MP_UNKNOWN);
	assert_string_equal(first(MP_RULE_INTERRUPT), "guest-message");
}

/* --- nothing was read --- */

static void test_asleep(void **state)
{
	(void)state;
	world.card->life = MP_CARD_ASLEEP;
	explain(FORUM);
	assert_int_equal(know(MP_CLUE_WINDOW), MP_UNKNOWN);
	assert_int_equal(know(MP_CLUE_LEFT), MP_UNKNOWN);
	assert_int_equal(know(MP_CLUE_DMA_VM), MP_UNKNOWN);
	for (guint i = 0; i < world.diagnosis->notes->len; i++)
		assert_null(strstr(world.diagnosis->notes->pdata[i],
			"What the card holds was read"));
	for (guint i = 0; i < world.diagnosis->missing->len; i++) {
		const struct mp_missing *missing = world.diagnosis->missing->pdata[i];

		if (strstr(missing->learn, "what the card holds"))
			return;
	}
	fail_msg("nobody asks what the card holds");
}

int main(void)
{
#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		ROW(test_left_card),
		ROW(test_window_elsewhere),
		ROW(test_window_closed),
		ROW(test_window_silenced),
		ROW(test_window_ends),
		ROW(test_window_in_part),
		ROW(test_window_of_the_vm),
		ROW(test_no_message_fits),
		ROW(test_no_message_left),
		ROW(test_handle_alone),
		ROW(test_mixed),
		ROW(test_own),
		ROW(test_raw),
		ROW(test_asleep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
