/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state of a Metis from its registers, its judgement, and how it is made quiet. */
#include "unit.h"

#include <string.h>

#include "core/card.h"
#include "core/pci.h"

#define AREA 0x8000u /* where this card has its window's area */

static struct {
	uint32_t edma[1024], control[0x10000 / 4];
	int reads_left; /* then the card is gone; negative: never */
	bool readonly;
	GArray *written; /* BAR << 32 | offset */
} card;

static uint32_t *word(unsigned bar, uint64_t offset)
{
	if (bar == 0 && offset < sizeof(card.edma))
		return &card.edma[offset / 4];
	if (bar == 2 && offset < sizeof(card.control))
		return &card.control[offset / 4];
	return NULL;
}

static bool read_word(void *user, unsigned bar, uint64_t offset, uint32_t *value)
{
	uint32_t *at = word(bar, offset);

	(void)user;
	if (!at || card.reads_left == 0)
		return false;
	if (card.reads_left > 0)
		card.reads_left--;
	*value = *at;
	return true;
}

static bool write_word(void *user, unsigned bar, uint64_t offset, uint32_t value)
{
	uint32_t *at = word(bar, offset);
	uint64_t what = (uint64_t)bar << 32 | offset;

	(void)user;
	if (!at || card.readonly)
		return false;
	*at = value;
	g_array_append_val(card.written, what);
	return true;
}

static const struct mp_card_io io = { NULL, read_word, write_word };

/* Firmware runs, nothing is armed. */
static int set_up(void **state)
{
	(void)state;
	memset(&card, 0, sizeof(card));
	card.reads_left = -1;
	card.written = g_array_new(FALSE, FALSE, sizeof(uint64_t));
	card.edma[0x008 / 4] = 0x00040004;
	card.control[0x200 / 4] = 0x0601;
	card.control[0x2b8 / 4] = 0x0100bac1;
	card.control[0x2c0 / 4] = AREA;
	card.control[0x2e8 / 4] = 0x0100b5b5;
	card.control[0x2f0 / 4] = AREA + 0x100;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	g_array_unref(card.written);
	return 0;
}

static struct mp_card look(struct mp_host *host)
{
	static const struct mp_pci device = { .bdf = "0000:01:00.0" };
	struct mp_card seen = {
		.device = &device,
		.msi_enabled = true,
		.msi_address = 0xfee00418, /* handle 0x20 */
	};

	mp_card_kind_metis.read(host, &io, &seen);
	return seen;
}

static void finds_a_quiet_card(void **state)
{
	g_autoptr(mp_host) host = mp_host_new("", false);
	struct mp_card seen = look(host);

	(void)state;
	assert_int_equal(seen.life, MP_CARD_RUNNING);
	assert_int_equal(seen.firmware_major, 1);
	assert_int_equal(seen.firmware_minor, 6);
	assert_int_equal(seen.dma_vm, MP_CARD_NO);
	assert_int_equal(seen.window, MP_CARD_NO);
	assert_int_equal(seen.targets_count, 4);
	assert_int_equal(seen.channels_count, 8);
	assert_string_equal(seen.channels[7].name, "read 3");
	assert_false(mp_card_is_armed(&seen));
	card.control[0x218 / 4] = 0xc1a0c1a0;
	assert_int_equal(look(host).dma_vm, MP_CARD_YES);
}

static void tells_dead_cards_apart(void **state)
{
	g_autoptr(mp_host) host = mp_host_new("", false);
	struct mp_card seen;

	(void)state;
	card.control[0x2e8 / 4] = 0;
	seen = look(host);
	assert_int_equal(seen.life, MP_CARD_STARTING);
	assert_string_equal(seen.why,
		"the table of virtual interrupts of the control block has not its magic number");
	memset(card.edma, 0, sizeof(card.edma));
	memset(card.control, 0, sizeof(card.control));
	assert_int_equal(look(host).life, MP_CARD_ZEROS);
	memset(card.edma, 0xff, sizeof(card.edma));
	assert_int_equal(
		look(host).life, MP_CARD_STARTING); /* half and half is neither */
	memset(card.control, 0xff, sizeof(card.control));
	seen = look(host);
	assert_int_equal(seen.life, MP_CARD_ONES);
	assert_int_equal(seen.window, MP_CARD_UNKNOWN);
	assert_int_equal(seen.dma_vm, MP_CARD_UNKNOWN);
}

/* Whatever is missing, nothing is claimed. */
static void knows_nothing_of_what_it_could_not_read(void **state)
{
	g_autoptr(mp_host) host = mp_host_new("", false);
	unsigned n = 0;

	(void)state;
	for (;; n++) {
		struct mp_card seen;

		card.reads_left = (int)n;
		seen = look(host);
		if (card.reads_left)
			break;
		if (seen.life == MP_CARD_RUNNING) /* that was the last word of all */
			continue;
		assert_int_equal(seen.life, MP_CARD_UNREAD);
		assert_int_equal(seen.window, MP_CARD_UNKNOWN);
	}
	assert_true(n > 40);
}

static void sees_the_window(void **state)
{
	g_autoptr(mp_host) host = mp_host_new("", false);
	struct mp_card seen;

	(void)state;
	card.control[AREA / 4] = 1;
	card.control[AREA / 4 + 2] = 0x49800000;
	card.control[AREA / 4 + 3] = 0x1;
	card.control[AREA / 4 + 4] = 0x200000;
	seen = look(host);
	assert_int_equal(seen.window, MP_CARD_YES);
	assert_int_equal(seen.window_target, 0x149800000);
	assert_int_equal(seen.window_size, 0x200000);
	assert_true(mp_card_is_armed(&seen));
	/* An area that lies outside of the BAR cannot be read, so nothing is known of it. */
	card.control[0x2c0 / 4] = 0x7ffffff0;
	seen = look(host);
	assert_int_equal(seen.life, MP_CARD_UNREAD);
	assert_int_equal(seen.window, MP_CARD_UNKNOWN);
}

static void classifies_messages(void **state)
{
	static const struct {
		uint64_t address;
		enum mp_card_message message;
		unsigned handle;
		bool armed;
	} cases[] = {
		{ 0, MP_MESSAGE_NONE, 0, false },
		{ 0xfee00418, MP_MESSAGE_OWN, 0x20, false },
		{ 0xfee00410, MP_MESSAGE_OWN, 0x20, false }, /* without SHV */
		{ 0xfee00498, MP_MESSAGE_STALE, 0x24, true },
		{ 0xfee00518, MP_MESSAGE_STALE, 0x28, true },
		{ 0xfee0001c, MP_MESSAGE_STALE, 0x8000, true },
		{ 0xfee00000, MP_MESSAGE_RAW, 0, true },
		{ 0xfee01000, MP_MESSAGE_RAW, 0, true },
		{ 0xfef00418, MP_MESSAGE_MEMORY, 0, true },
		{ 0x1fee00418, MP_MESSAGE_MEMORY, 0, true },
		{ 0x149800000, MP_MESSAGE_MEMORY, 0, true },
	};
	g_autoptr(mp_host) host = mp_host_new("", false);

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct mp_card seen;

		card.edma[0x0cc / 4] = (uint32_t)cases[i].address;
		card.edma[0x0d0 / 4] = (uint32_t)(cases[i].address >> 32);
		card.edma[0x0dc / 4] = 0x00050004;
		seen = look(host);
		assert_string_equal(seen.targets[2].name, "read channels, done");
		assert_int_equal(seen.targets[2].message, cases[i].message);
		assert_int_equal(seen.targets[2].handle, cases[i].handle);
		assert_int_equal(seen.targets[2].data[1], 5);
		assert_int_equal(seen.targets[0].message, MP_MESSAGE_NONE);
		assert_int_equal(mp_card_is_armed(&seen), cases[i].armed);
	}
}

static void makes_quiet_in_order(void **state)
{
	g_autoptr(mp_host) host = mp_host_new("", false);
	g_autoptr(GError) error = NULL;
	struct mp_card seen;

	(void)state;
	card.control[AREA / 4] = 1;
	card.control[AREA / 4 + 2] = 0x49800000;
	card.edma[0x00c / 4] = card.edma[0x02c / 4] = 1;
	card.edma[0x060 / 4] = 0xfee00518;
	card.edma[0x0d4 / 4] = 0xfee00518;
	card.edma[0x300 / 4] = 1 << 5;
	seen = look(host);
	assert_true(mp_card_is_armed(&seen));
	assert_true(mp_card_kind_metis.quiesce(&io, &seen, &error));
	/* The window's switch comes before anything else. */
	assert_int_equal(g_array_index(card.written, uint64_t, 0), 2ull << 32 | AREA);
	card.edma[0x300 / 4] = 0; /* what engine_en 0 does in a card */
	seen = look(host);
	assert_false(mp_card_is_armed(&seen));
	assert_false(seen.channels[0].enabled || seen.channels[4].enabled);
	assert_int_equal(seen.window_target, 0);
	card.readonly = true;
	assert_false(mp_card_kind_metis.quiesce(&io, &seen, &error));
	assert_string_equal(error->message,
		"0000:01:00.0: cannot write the register at 0x8000 of BAR 2");
}

/* Nothing is written to what does not answer. */
static void leaves_dead_cards_alone(void **state)
{
	g_autoptr(mp_host) host = mp_host_new("", false);
	struct mp_card seen;

	(void)state;
	memset(card.edma, 0xff, sizeof(card.edma));
	memset(card.control, 0xff, sizeof(card.control));
	seen = look(host);
	assert_true(mp_card_kind_metis.quiesce(&io, &seen, NULL));
	assert_int_equal(card.written->len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(finds_a_quiet_card, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			tells_dead_cards_apart, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			knows_nothing_of_what_it_could_not_read, set_up, tear_down),
		cmocka_unit_test_setup_teardown(sees_the_window, set_up, tear_down),
		cmocka_unit_test_setup_teardown(classifies_messages, set_up, tear_down),
		cmocka_unit_test_setup_teardown(makes_quiet_in_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			leaves_dead_cards_alone, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
