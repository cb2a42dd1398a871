// SPDX-License-Identifier: GPL-2.0-or-later
/* The virtual card's DMA block: transfers, states, messages, lists. */
#include "config.h"

#include "edma-scene.h"

enum { BYTES = 10000 }; /* more than two pages, not a multiple of anything */

static uint32_t channel(bool write, unsigned number)
{
	return (write ? WR_CHANNEL : RD_CHANNEL) + number * CHANNEL_STRIDE;
}

static void moves_both_ways_on_every_channel(void **state)
{
	struct scene *scene = *state;

	for (unsigned number = 0; number < EDMA_CHANNELS; number++) {
		uint64_t from = HOST_BASE + 0x101 + number, to = HOST_BASE + 0x8003;

		memset(scene->card, 0, CARD_SIZE);
		memset(scene->host + 0x8000, 0, 0x8000);
		start(scene, false, number, 0, from, CARD_BASE + 0x2345, BYTES);
		assert_int_equal(state_of(scene, false, number), RUNNING);
		run(scene);
		assert_int_equal(state_of(scene, false, number), STOPPED);
		assert_memory_equal(
			scene->card + 0x2345, scene->host + 0x101 + number, BYTES);
		assert_int_equal(scene->card[0x2344] | scene->card[0x2345 + BYTES], 0);

		start(scene, true, number, 0, CARD_BASE + 0x2345, to, BYTES);
		run(scene);
		assert_int_equal(state_of(scene, true, number), STOPPED);
		assert_memory_equal(
			scene->host + 0x8003, scene->host + 0x101 + number, BYTES);
		assert_int_equal(scene->host[0x8002] | scene->host[0x8003 + BYTES], 0);
	}
	assert_int_equal(scene->kicks, 2 * EDMA_CHANNELS);
	assert_int_equal(scene->messages + scene->signals, 0);
	assert_int_equal(scene->lost + scene->rejected, 0);
	assert_false(scene->crossed);
}

/* What tells a stale pointer from a good one: the registers say where the job has come to. */
static void registers_show_how_far_it_came(void **state)
{
	struct scene *scene = *state;
	uint32_t at = channel(true, 2);

	start(scene, true, 2, 0, CARD_BASE, HOST_BASE + 0x8000, 3000);
	assert_true(edma_run(scene->edma, 1000));
	assert_int_equal(get(scene, at + SIZE), 2000);
	assert_int_equal(get(scene, at + DAR), (uint32_t)(HOST_BASE + 0x8000 + 1000));
	run(scene);
	assert_int_equal(get(scene, at + SIZE), 0);
	assert_int_equal(get(scene, at + DAR), (uint32_t)(HOST_BASE + 0x8000 + 3000));
	assert_int_equal(get(scene, at + DAR + 4), HOST_BASE >> 32);
	assert_int_equal(get(scene, at + SAR), CARD_BASE + 3000);
}

static void has_four_channels_each_way(void **state)
{
	struct scene *scene = *state;

	assert_int_equal(get(scene, 0x008), 0x00040004);
	put(scene, 0x008, 0);
	assert_int_equal(get(scene, 0x008), 0x00040004);
	for (unsigned number = EDMA_CHANNELS; number < 8; number++)
		start(scene, false, number, 0, HOST_BASE, CARD_BASE, 64);
	assert_false(edma_run(scene->edma, 1000));
	assert_int_equal(scene->kicks, 0);
}

static bool is_known(uint32_t offset)
{
	/* From, to (not included): what keeps what is written, with the doorbells' side. */
	static const uint16_t known[][2] = { { 0x000, 0x004 }, { 0x008, 0x010 },
		{ 0x018, 0x020 }, { 0x02c, 0x030 }, { 0x038, 0x040 }, { 0x054, 0x058 },
		{ 0x060, 0x080 }, { 0x090, 0x094 }, { 0x0a8, 0x0ac }, { 0x0c4, 0x0c8 },
		{ 0x0cc, 0x0ec }, { 0x128, 0x138 }, { 0x168, 0x178 } };

	for (unsigned i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (offset >= known[i][0] && offset < known[i][1])
			return true;
	return offset >= 0x200 && offset < 0xa00 && offset % 0x100 < 0x24;
}

static void keeps_nothing_where_there_is_no_register(void **state)
{
	struct scene *scene = *state;

	for (uint32_t offset = 0; offset < EDMA_BAR_SIZE; offset += 4)
		put(scene, offset, ~0u);
	for (uint32_t offset = 0; offset < EDMA_BAR_SIZE; offset += 4)
		if (!get(scene, offset) != !is_known(offset))
			fail_msg("0x%x is 0x%x", offset, get(scene, offset));
	put(scene, EDMA_BAR_SIZE, 1);
	put(scene, 0x062, 0);
	assert_int_equal(get(scene, EDMA_BAR_SIZE) | get(scene, 0x062), 0);
	assert_int_equal(get(scene, 0x060), ~0u);
}

static void hears_no_doorbell_without_engine_or_power(void **state)
{
	struct scene *scene = *state;

	start(scene, true, 1, 0, CARD_BASE, HOST_BASE, 64);
	put(scene, WR_ENGINE_EN, 0);
	assert_int_equal(state_of(scene, true, 1), 0);
	put(scene, WR_DOORBELL, 1);
	assert_false(edma_run(scene->edma, 1000));
	put(scene, WR_ENGINE_EN, 1);
	put(scene, WR_PWR_EN + 4, 0);
	put(scene, WR_DOORBELL, 1);
	assert_false(edma_run(scene->edma, 1000));
	assert_int_equal(state_of(scene, true, 1), 0);
	put(scene, WR_PWR_EN + 4, 1);
	put(scene, WR_DOORBELL, 1);
	run(scene);
	assert_int_equal(state_of(scene, true, 1), STOPPED);
}

static void signals_by_a_write_of_four_bytes(void **state)
{
	struct scene *scene = *state;

	put64(scene, WR_DONE_IMWR, MESSAGES | 0x518);
	put64(scene, WR_ABORT_IMWR, MESSAGES | 0x998);
	put64(scene, RD_DONE_IMWR, MESSAGES | 0x618);
	for (unsigned pair = 0; pair < 2; pair++) {
		put(scene, WR_IMWR_DATA + 4 * pair, 0x00090008 + pair * 0x00020002);
		put(scene, RD_IMWR_DATA + 4 * pair, 0x00050004 + pair * 0x00020002);
	}
	for (unsigned number = 0; number < EDMA_CHANNELS; number++) {
		start(scene, true, number, RIE, CARD_BASE, HOST_BASE + 0x8000, 64);
		run(scene);
		assert_int_equal(scene->message_address, MESSAGES | 0x518);
		assert_int_equal(scene->message_data, 8 + number);
		assert_int_equal(scene->interrupt, 4 + number);
		start(scene, false, number, RIE, HOST_BASE, CARD_BASE, 64);
		run(scene);
		assert_int_equal(scene->message_address, MESSAGES | 0x618);
		assert_int_equal(scene->message_data, 4 + number);
		assert_int_equal(scene->interrupt, number);
		assert_int_equal(scene->messages, 2 * number + 2);
		assert_false(scene->aborted);
	}
	assert_int_equal(get(scene, WR_INT_STATUS), 0xf);
	put(scene, WR_INT_CLEAR, 0x5);
	assert_int_equal(get(scene, WR_INT_STATUS), 0xa);
	assert_int_equal(get(scene, RD_INT_STATUS), 0xf);
}

/* A message is just a write: it may as well go to memory, or to address zero. */
static void message_goes_wherever_it_points(void **state)
{
	struct scene *scene = *state;

	put64(scene, WR_DONE_IMWR, HOST_BASE + 0x8001);
	put(scene, WR_IMWR_DATA, 0xbeef1234);
	start(scene, true, 1, RIE, CARD_BASE, HOST_BASE, 64);
	run(scene);
	assert_memory_equal(scene->host + 0x8000, "\xef\xbe\0\0", 4);
	start(scene, false, 0, RIE, HOST_BASE, CARD_BASE, 64);
	run(scene);
	assert_int_equal(scene->lost, 1);
}

static void is_silent_when_masked_polled_or_owned(void **state)
{
	struct scene *scene = *state;

	put64(scene, WR_DONE_IMWR, MESSAGES);
	start(scene, true, 0, 0, CARD_BASE, HOST_BASE, 64);
	run(scene);
	start(scene, true, 0, LIE, CARD_BASE, HOST_BASE, 64);
	run(scene);
	put(scene, WR_INT_MASK, 0x000f0001);
	start(scene, true, 0, RIE, CARD_BASE, HOST_BASE, 64);
	run(scene);
	assert_int_equal(scene->messages + scene->signals, 0);
	assert_int_equal(get(scene, WR_INT_STATUS), 1);
	scene->owner = true;
	start(scene, true, 1, RIE, CARD_BASE, HOST_BASE, 64);
	run(scene);
	assert_int_equal(scene->signals, 1);
	assert_int_equal(scene->messages, 0);
}

/* The host's page table ends in the middle of a read. */
static void aborts_a_rejected_read(void **state)
{
	struct scene *scene = *state;

	put64(scene, RD_DONE_IMWR, MESSAGES | 0x100);
	put64(scene, RD_ABORT_IMWR, MESSAGES | 0x200);
	put(scene, RD_IMWR_DATA + 4, 0x00070006);
	start(scene, false, 3, RIE, HOST_BASE + HOST_SIZE - 100, CARD_BASE, 200);
	run(scene);
	assert_int_equal(state_of(scene, false, 3), HALTED);
	assert_memory_equal(scene->card, scene->host + HOST_SIZE - 100, 100);
	assert_int_equal(get(scene, channel(false, 3) + SIZE), 100);
	assert_int_equal(get(scene, RD_ERR_STATUS), 0);
	assert_int_equal(get(scene, RD_ERR_STATUS_HIGH), 1 << 3);
	assert_int_equal(get(scene, RD_INT_STATUS), 1 << 19);
	assert_int_equal(scene->message_address, MESSAGES | 0x200);
	assert_int_equal(scene->message_data, 7);
	assert_true(scene->aborted);
	put(scene, RD_INT_CLEAR, 1 << 19);
	assert_int_equal(get(scene, RD_ERR_STATUS_HIGH) | get(scene, RD_INT_STATUS), 0);
	/* And works again. */
	start(scene, false, 3, 0, HOST_BASE, CARD_BASE, 64);
	run(scene);
	assert_int_equal(state_of(scene, false, 3), STOPPED);
}

static void never_hears_of_a_rejected_write(void **state)
{
	struct scene *scene = *state;

	start(scene, true, 0, 0, CARD_BASE, HOST_BASE + HOST_SIZE, 5000);
	run(scene);
	assert_int_equal(state_of(scene, true, 0), STOPPED);
	assert_int_equal(get(scene, WR_ERR_STATUS), 0);
	assert_int_equal(get(scene, WR_INT_STATUS), 1);
	assert_true(scene->lost > 0);
}

static void aborts_outside_the_cards_memory(void **state)
{
	struct scene *scene = *state;

	start(scene, true, 1, 0, CARD_BASE + CARD_SIZE - 8, HOST_BASE, 16);
	start(scene, false, 2, 0, HOST_BASE, CARD_BASE - 8, 16);
	start(scene, true, 3, 0, ~(uint64_t)0 - 3, HOST_BASE, 16);
	run(scene);
	assert_int_equal(state_of(scene, true, 1), HALTED);
	assert_int_equal(state_of(scene, false, 2), HALTED);
	assert_int_equal(get(scene, WR_ERR_STATUS), 1 << 1 | 1 << 3);
	assert_int_equal(get(scene, RD_ERR_STATUS), 1 << 2);
	assert_int_equal(get(scene, RD_ERR_STATUS_HIGH), 0);
	assert_int_equal(get(scene, WR_INT_STATUS), 1 << 17 | 1 << 19);
	put(scene, WR_INT_CLEAR, ~0u);
	assert_int_equal(get(scene, WR_ERR_STATUS), 0);
}

static void zero_bytes_are_done_at_once(void **state)
{
	struct scene *scene = *state;

	put64(scene, WR_DONE_IMWR, MESSAGES);
	start(scene, true, 0, RIE, CARD_BASE, HOST_BASE + HOST_SIZE, 0);
	run(scene);
	assert_int_equal(state_of(scene, true, 0), STOPPED);
	assert_int_equal(scene->messages, 1);
	assert_int_equal(scene->lost, 0);
}

static void stops_by_doorbell_and_by_soft_reset(void **state)
{
	struct scene *scene = *state;

	put64(scene, WR_ABORT_IMWR, MESSAGES);
	start(scene, true, 0, RIE, CARD_BASE, HOST_BASE, 9000);
	start(scene, false, 0, RIE, HOST_BASE, CARD_BASE, 9000);
	assert_true(edma_run(scene->edma, 100));
	put(scene, WR_DOORBELL, STOP | 0);
	assert_int_equal(state_of(scene, true, 0), STOPPED);
	assert_true(scene->aborted);
	assert_int_equal(scene->messages, 1);
	put(scene, RD_ENGINE_EN, 0);
	assert_int_equal(state_of(scene, false, 0), 0);
	assert_false(edma_run(scene->edma, 100));
	assert_int_equal(scene->messages, 1);
	put(scene, WR_DOORBELL, STOP | 0); /* nothing left to stop */
	assert_int_equal(scene->messages, 1);
}

static void writing_to_a_running_channel_changes_nothing(void **state)
{
	struct scene *scene = *state;
	uint32_t at = channel(false, 0);

	start(scene, false, 0, 0, HOST_BASE, CARD_BASE, 9000);
	assert_true(edma_run(scene->edma, 100));
	for (uint32_t offset = 0; offset <= LLP + 4; offset += 4)
		put(scene, at + offset, ~0u);
	put(scene, RD_DOORBELL, 0);
	run(scene);
	assert_int_equal(state_of(scene, false, 0), STOPPED);
	assert_memory_equal(scene->card, scene->host, 9000);
	assert_int_equal(scene->kicks, 1);
}

static void resets_with_and_without_messages(void **state)
{
	struct scene *scene = *state;

	put64(scene, WR_DONE_IMWR, 0x1122334455667788);
	put64(scene, RD_ABORT_IMWR, 0x99aabbccddeeff00);
	put(scene, RD_IMWR_DATA + 4, 7);
	start(scene, true, 0, RIE, CARD_BASE, HOST_BASE, 64);
	edma_reset_keep_imwr(scene->edma);
	assert_int_equal(get(scene, WR_DONE_IMWR), 0x55667788);
	assert_int_equal(get(scene, RD_ABORT_IMWR + 4), 0x99aabbcc);
	assert_int_equal(get(scene, RD_IMWR_DATA + 4), 7);
	assert_int_equal(
		get(scene, WR_ENGINE_EN) | get(scene, channel(true, 0) + SAR), 0);
	assert_false(edma_run(scene->edma, 1000));
	edma_reset(scene->edma);
	for (uint32_t offset = 0; offset < EDMA_BAR_SIZE; offset += 4)
		assert_true(get(scene, offset) == 0 || offset == 0x008 ||
			    (offset >= 0x128 && offset < 0x178));
}

int main(void)
{
#define IN_SCENE(test) cmocka_unit_test_setup_teardown(test, scene_setup, scene_teardown)
	const struct CMUnitTest tests[] = {
		IN_SCENE(moves_both_ways_on_every_channel),
		IN_SCENE(registers_show_how_far_it_came),
		IN_SCENE(has_four_channels_each_way),
		IN_SCENE(keeps_nothing_where_there_is_no_register),
		IN_SCENE(hears_no_doorbell_without_engine_or_power),
		IN_SCENE(signals_by_a_write_of_four_bytes),
		IN_SCENE(message_goes_wherever_it_points),
		IN_SCENE(is_silent_when_masked_polled_or_owned),
		IN_SCENE(aborts_a_rejected_read),
		IN_SCENE(never_hears_of_a_rejected_write),
		IN_SCENE(aborts_outside_the_cards_memory),
		IN_SCENE(zero_bytes_are_done_at_once),
		IN_SCENE(stops_by_doorbell_and_by_soft_reset),
		IN_SCENE(writing_to_a_running_channel_changes_nothing),
		IN_SCENE(resets_with_and_without_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
