// SPDX-License-Identifier: GPL-2.0-or-later
/* The virtual card's DMA block: each defect does what it says, and hostile registers do not
 * get it out of its memory or its time. */
#include "config.h"

#include "edma-bits.h"
#include "edma-scene.h"

enum { BYTES = 5000, PLACE = 0x2000, BACK = 0x8000 };

static uint8_t expected[BYTES];

/* To the card and back by channel 1, with messages on. */
static void there_and_back(struct scene *scene)
{
	put64(scene, RD_DONE_IMWR, MESSAGES | 0x10);
	put64(scene, RD_ABORT_IMWR, MESSAGES | 0x20);
	put64(scene, WR_DONE_IMWR, MESSAGES | 0x30);
	put64(scene, WR_ABORT_IMWR, MESSAGES | 0x40);
	put(scene, RD_IMWR_DATA, 0x00050004);
	put(scene, WR_IMWR_DATA, 0x00090008);
	memcpy(expected, scene->host, BYTES);
	start(scene, false, 1, RIE, HOST_BASE, CARD_BASE + PLACE, BYTES);
	run(scene);
	start(scene, true, 1, RIE, CARD_BASE + PLACE, HOST_BASE + BACK, BYTES);
	run(scene);
}

static void with(struct scene *scene, struct edma_defects defects)
{
	edma_set_defects(scene->edma, &defects);
	edma_reset(scene->edma);
	memset(scene->host + BACK, 0, HOST_SIZE - BACK);
	scene->messages = 0;
	there_and_back(scene);
}

static unsigned differing_bits(const uint8_t *a, const uint8_t *b, size_t size)
{
	unsigned count = 0;

	for (size_t i = 0; i < size; i++)
		count += (unsigned)__builtin_popcount(a[i] ^ b[i]);
	return count;
}

static void whole_as_a_control(void **state)
{
	struct scene *scene = *state;

	with(scene, (struct edma_defects){ 0 });
	assert_memory_equal(scene->host + BACK, expected, BYTES);
	assert_int_equal(scene->host[BACK + BYTES], 0);
	assert_int_equal(scene->messages, 2);
	assert_int_equal(scene->message_data, 9);
	assert_int_equal(state_of(scene, true, 1), STOPPED);
}

static void drop_irq(void **state)
{
	struct scene *scene = *state;

	with(scene, (struct edma_defects){ .drop_irq = true });
	assert_memory_equal(scene->host + BACK, expected, BYTES);
	assert_int_equal(scene->messages + scene->signals, 0);
	assert_int_equal(get(scene, WR_INT_STATUS), 2);
}

static void wrong_irq(void **state)
{
	struct scene *scene = *state;

	with(scene, (struct edma_defects){ .wrong_irq = true });
	assert_int_equal(scene->messages, 2);
	assert_int_equal(scene->message_address, MESSAGES | 0x30);
	assert_int_equal(scene->message_data, 8);
}

static void wrong_data(void **state)
{
	struct scene *scene = *state;

	with(scene, (struct edma_defects){ .wrong_data = true });
	assert_int_equal(differing_bits(scene->card + PLACE, expected, BYTES), 1);
	assert_int_equal(
		differing_bits(scene->host + BACK, scene->card + PLACE, BYTES), 1);
	assert_int_equal(state_of(scene, true, 1), STOPPED);
}

static void truncated(void **state)
{
	static const uint8_t none[4];
	struct scene *scene = *state;

	with(scene, (struct edma_defects){ .truncated = true });
	assert_memory_equal(scene->card + PLACE, expected, BYTES - 4);
	assert_memory_equal(scene->card + PLACE + BYTES - 4, none, 4);
	assert_memory_equal(scene->host + BACK, expected, BYTES - 4);
	assert_int_equal(state_of(scene, true, 1), STOPPED);
	start(scene, false, 0, 0, HOST_BASE, CARD_BASE, 3);
	run(scene);
	assert_memory_equal(scene->card, none, 4);
}

static void overrun(void **state)
{
	struct scene *scene = *state;

	with(scene, (struct edma_defects){ .overrun = true });
	assert_memory_equal(scene->host + BACK, expected, BYTES);
	assert_memory_equal(scene->host + BACK + BYTES, "\x5a\x5a\x5a\x5a", 5);
	assert_memory_equal(scene->card + PLACE + BYTES, "\x5a\x5a\x5a\x5a", 5);
}

static void stuck(void **state)
{
	struct scene *scene = *state;

	with(scene, (struct edma_defects){ .stuck = true });
	assert_int_equal(state_of(scene, true, 1), RUNNING);
	assert_int_equal(state_of(scene, false, 1), RUNNING);
	assert_int_equal(scene->messages + scene->reads, 0);
	put(scene, WR_ENGINE_EN, 0);
	assert_int_equal(state_of(scene, true, 1), 0);
	put(scene, RD_DOORBELL, STOP | 1);
	assert_int_equal(state_of(scene, false, 1), STOPPED);
}

static void deaf(void **state)
{
	struct scene *scene = *state;

	with(scene, (struct edma_defects){ .deaf = true });
	assert_int_equal(state_of(scene, true, 1) | state_of(scene, false, 1), 0);
	assert_int_equal(scene->messages, 0);
	put(scene, RD_DOORBELL, 1);
	run(scene);
	assert_memory_equal(scene->card + PLACE, expected, BYTES);
	/* Enabled all the time, it hears; enabled anew, it does not. */
	start(scene, false, 1, 0, HOST_BASE, CARD_BASE, 4);
	assert_int_equal(state_of(scene, false, 1), RUNNING);
	put(scene, RD_ENGINE_EN, 0);
	start(scene, false, 1, 0, HOST_BASE, CARD_BASE, 4);
	assert_int_equal(state_of(scene, false, 1), 0);
}

static void wrong_status(void **state)
{
	struct scene *scene = *state;

	with(scene, (struct edma_defects){ .wrong_status = true });
	assert_memory_equal(scene->host + BACK, expected, BYTES);
	assert_int_equal(state_of(scene, true, 1), HALTED);
	assert_int_equal(get(scene, WR_INT_STATUS), 1 << 17);
	assert_int_equal(scene->message_address, MESSAGES | 0x40);
}

static void lying(void **state)
{
	struct scene *scene = *state;

	with(scene, (struct edma_defects){ .lying = true });
	assert_int_equal(state_of(scene, true, 1), STOPPED);
	assert_int_equal(scene->messages, 2);
	assert_int_equal(scene->reads, 0);
	assert_int_equal(scene->host[BACK + 1] | scene->card[PLACE + 1], 0);
}

static void unknowns_of_the_silicon(void **state)
{
	struct scene *scene = *state;

	with(scene, (struct edma_defects){ .status_kept = true });
	put(scene, WR_CHANNEL + CHANNEL_STRIDE + CONTROL1, 0);
	assert_int_equal(state_of(scene, true, 1), STOPPED);

	with(scene, (struct edma_defects){ .status_quiet = true });
	assert_int_equal(get(scene, RD_INT_STATUS), 2);
	start(scene, false, 0, 0, HOST_BASE, CARD_BASE, 4);
	start(scene, false, 2, LIE, HOST_BASE, CARD_BASE, 4);
	run(scene);
	assert_int_equal(state_of(scene, false, 0), STOPPED);
	assert_int_equal(get(scene, RD_INT_STATUS), 6);

	with(scene, (struct edma_defects){ .mask_ignored = true });
	put(scene, RD_INT_MASK, ~0u);
	start(scene, false, 0, RIE, HOST_BASE, CARD_BASE, 4);
	run(scene);
	assert_int_equal(scene->messages, 3);

	with(scene, (struct edma_defects){ .power_off = true });
	assert_int_equal(scene->messages, 0);
	put(scene, WR_PWR_EN + 4, 1);
	put(scene, WR_DOORBELL, 1);
	run(scene);
	assert_int_equal(scene->messages, 1);

	with(scene, (struct edma_defects){ .soft_reset_all = true });
	put(scene, WR_ENGINE_EN, 0);
	for (uint32_t at = WR_CHANNEL + CHANNEL_STRIDE; at < WR_CHANNEL + 0x224; at += 4)
		assert_int_equal(get(scene, at), 0);
	assert_int_equal(get(scene, WR_DONE_IMWR) | get(scene, WR_IMWR_DATA), 0);
	assert_int_equal(get(scene, RD_DONE_IMWR), MESSAGES | 0x10);
}

/* --- hostile --- */

static uint64_t seed;

static uint32_t random32(void)
{
	/* Knuth's MMIX constants; the same on every machine. */
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 32);
}

/* Now and then something sensible, or nothing would ever run. */
static uint32_t random_value(void)
{
	static const uint32_t sensible[] = { 0, 1, 2, 3, 64, 4096, 0xfffff,
		CCS | LLE | RIE, RIE, CCS | LLE, 1, (uint32_t)HOST_BASE,
		(uint32_t)(HOST_BASE >> 32), CARD_BASE, CARD_BASE + 0x40,
		CARD_BASE + CARD_SIZE - 24, MESSAGES, STOP, ~0u };
	uint32_t pick = random32();

	if (pick & 1)
		return random32();
	return sensible[(pick >> 8) % (sizeof(sensible) / sizeof(*sensible))] +
	       (pick & 2 ? (pick >> 16) % 8192 : 0);
}

static void random_write(struct scene *scene)
{
	static const uint16_t often[] = { WR_ENGINE_EN, RD_ENGINE_EN, WR_DOORBELL,
		RD_DOORBELL, WR_INT_CLEAR, RD_INT_CLEAR, WR_INT_MASK, WR_DONE_IMWR };
	uint32_t pick = random32(), offset = (pick >> 4) % EDMA_BAR_SIZE;
	uint32_t value = random_value();

	if (pick % 4 == 0) {
		offset = often[(pick >> 4) % 8];
		value = pick & 4 ? (pick >> 8) % 8 : value;
	} else if (pick % 4 == 1) {
		/* a channel's registers */
		offset = WR_CHANNEL + (pick >> 4) % 8 * 0x100 + (pick >> 8) % 9 * 4;
	} else if (pick % 64 == 2) {
		offset = random32();
	} else if (pick % 8 == 3) {
		/* an element, often one that the block takes for its own */
		value = pick & 16 ? CB | (value & (TCB | IS_LINK | RIE)) : value;
		offset = (pick >> 5) % (CARD_SIZE / 4) % 0x100 * 4;
		memcpy(scene->card + offset, &value, 4);
		return;
	}
	put(scene, offset & (pick & 0x80000000u ? ~0u : ~3u), value);
	get(scene, offset);
}

/* One that could work, but for what hits it then. */
static void random_job(struct scene *scene)
{
	uint32_t pick = random32(), size = random32() % 9000;
	unsigned number = pick / 2 % EDMA_CHANNELS;
	uint64_t host = HOST_BASE + random32() % HOST_SIZE;
	uint64_t card = CARD_BASE + random32() % CARD_SIZE;
	uint32_t channel = (pick & 1 ? WR_CHANNEL : RD_CHANNEL) + number * CHANNEL_STRIDE;
	uint32_t control = pick & 16 ? RIE : CCS | LLE;

	put64(scene, pick & 1 ? WR_DONE_IMWR : RD_DONE_IMWR, MESSAGES);
	put64(scene, channel + LLP, CARD_BASE + (pick >> 8) % 256 * 4);
	if (pick & 1)
		start(scene, true, number, control, card, host, size);
	else
		start(scene, false, number, control, host, card, size);
}

static void meddle(struct scene *scene)
{
	uint32_t pick = random32();

	if (pick % 8 == 0)
		random_write(scene);
	if (pick % 2000 == 1)
		edma_reset(scene->edma);
	if (pick % 100 == 2)
		assert_true(edma_run(scene->edma, 1000));
}

/* None half of the time; those after which nothing moves any more, seldom. */
static struct edma_defects random_defects(void)
{
	uint32_t bits = random32();

	if (bits & 1u << 31)
		return (struct edma_defects){ 0 };
	if (bits % 11)
		bits &= ~EDMA_BIT_STUCK;
	if (bits % 13)
		bits &= ~EDMA_BIT_POWER_OFF;
	return edma_defects_of(bits);
}

static void survives_any_registers(void **state)
{
	struct scene *scene = *state;
	seed = 1;
	for (unsigned round = 0; round < 200; round++) {
		struct edma_defects defects = random_defects();

		edma_set_defects(scene->edma, &defects);
		scene->owner = round & 1;
		scene->meddle = round & 2 ? meddle : NULL;
		for (unsigned i = 0; i < 500; i++) {
			if (i % 16 == 0)
				random_job(scene);
			random_write(scene);
			if (i % 8 == 0)
				edma_run(scene->edma, random32() % 2048);
		}
		/* Whatever it is at, the soft reset ends it. */
		scene->meddle = NULL;
		put(scene, WR_ENGINE_EN, 0);
		put(scene, RD_ENGINE_EN, 0);
		assert_false(edma_run(scene->edma, 4096));
		assert_true(scene->longest <= 4096);
		assert_false(scene->crossed);
	}
	/* It did run: the test looked at something. */
	assert_true(scene->reads > 100 && scene->messages > 50 && scene->signals > 100);
	assert_true(scene->rejected > 100 && scene->lost > 100);
	with(scene, (struct edma_defects){ 0 });
	assert_memory_equal(scene->host + BACK, expected, BYTES);
}

static void storm(void **state)
{
	struct scene *scene = *state;

	for (unsigned number = 0; number < EDMA_CHANNELS; number++)
		start(scene, true, number, 0, CARD_BASE, HOST_BASE, 64);
	for (unsigned i = 0; i < 100000; i++)
		put(scene, WR_DOORBELL, i & 7);
	assert_int_equal(scene->kicks, EDMA_CHANNELS);
	run(scene);
	assert_int_equal(get(scene, WR_INT_STATUS), 0xf);
}

int main(void)
{
#define IN_SCENE(test) cmocka_unit_test_setup_teardown(test, scene_setup, scene_teardown)
	const struct CMUnitTest tests[] = {
		IN_SCENE(whole_as_a_control),
		IN_SCENE(drop_irq),
		IN_SCENE(wrong_irq),
		IN_SCENE(wrong_data),
		IN_SCENE(truncated),
		IN_SCENE(overrun),
		IN_SCENE(stuck),
		IN_SCENE(deaf),
		IN_SCENE(wrong_status),
		IN_SCENE(lying),
		IN_SCENE(unknowns_of_the_silicon),
		IN_SCENE(survives_any_registers),
		IN_SCENE(storm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
