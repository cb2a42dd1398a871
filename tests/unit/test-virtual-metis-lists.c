// SPDX-License-Identifier: GPL-2.0-or-later
/* The virtual card's DMA block: linked lists, as dw-edma-v0-core.c of Linux builds them. */
#include "config.h"

#include "edma-scene.h"

enum { LIST = 0x4000, ELEMENT = 24, FOREVER = 100 };

static void put_word(struct scene *scene, uint32_t at, uint32_t value)
{
	for (unsigned i = 0; i < 4; i++)
		scene->card[at + i] = (uint8_t)(value >> (8 * i));
}

static void put_element(struct scene *scene, unsigned index, uint32_t control,
	uint32_t size, uint64_t from, uint64_t to)
{
	const uint32_t words[] = { control, size, (uint32_t)from, (uint32_t)(from >> 32),
		(uint32_t)to, (uint32_t)(to >> 32) };

	for (unsigned i = 0; i < 6; i++)
		put_word(scene, LIST + ELEMENT * index + 4 * i, words[i]);
}

static void put_link(
	struct scene *scene, unsigned index, uint32_t control, uint64_t where)
{
	put_element(scene, index, control | IS_LINK, 0, where, 0);
}

static void start_list(struct scene *scene, bool write, unsigned number)
{
	uint32_t channel = (write ? WR_CHANNEL : RD_CHANNEL) + number * CHANNEL_STRIDE;

	put(scene, write ? WR_ENGINE_EN : RD_ENGINE_EN, 1);
	put(scene, channel + CONTROL1, CCS | LLE);
	put64(scene, channel + LLP, CARD_BASE + LIST);
	put(scene, write ? WR_DOORBELL : RD_DOORBELL, number);
}

static uint32_t list_of(struct scene *scene, bool write, unsigned number)
{
	uint32_t base = (write ? WR_CHANNEL : RD_CHANNEL) + number * CHANNEL_STRIDE;

	assert_int_equal(get(scene, base + LLP + 4), 0);
	return get(scene, base + LLP) - (CARD_BASE + LIST);
}

/* Three pieces scattered over the host; one message, with the last. */
static void gathers_and_tells_at_the_end(void **state)
{
	struct scene *scene = *state;

	put64(scene, RD_DONE_IMWR, MESSAGES | 0x700);
	put(scene, RD_IMWR_DATA, 4);
	put_element(scene, 0, CB, 100, HOST_BASE + 0x50, CARD_BASE);
	put_element(scene, 1, CB, 5000, HOST_BASE + 0x1ff0, CARD_BASE + 100);
	put_element(scene, 2, CB | LIE | RIE, 33, HOST_BASE + 7, CARD_BASE + 5100);
	put_link(scene, 3, TCB, CARD_BASE + LIST); /* not its turn: the list ends */
	start_list(scene, false, 0);
	run(scene);
	assert_int_equal(state_of(scene, false, 0), STOPPED);
	assert_memory_equal(scene->card, scene->host + 0x50, 100);
	assert_memory_equal(scene->card + 100, scene->host + 0x1ff0, 5000);
	assert_memory_equal(scene->card + 5100, scene->host + 7, 33);
	assert_int_equal(scene->card[5133], 0);
	assert_int_equal(scene->messages, 1);
	assert_int_equal(scene->message_data, 4);
	assert_int_equal(get(scene, RD_INT_STATUS), 1);
	assert_int_equal(list_of(scene, false, 0), 3 * ELEMENT);
}

static bool stopped_when_told;

static void look_at_state(struct scene *scene)
{
	if (scene->signals)
		stopped_when_told = state_of(scene, true, 1) == STOPPED;
}

/* Whoever is told of the last element finds the channel stopped. */
static void has_stopped_when_it_tells(void **state)
{
	struct scene *scene = *state;

	stopped_when_told = false;
	scene->meddle = look_at_state;
	put64(scene, WR_DONE_IMWR, MESSAGES);
	put_element(scene, 0, CB | RIE, 100, CARD_BASE, HOST_BASE);
	start_list(scene, true, 1);
	run(scene);
	assert_int_equal(scene->messages, 1);
	assert_true(stopped_when_told);
}

/* A message in the middle of a list, as a water mark. */
static void tells_where_it_is_asked_to(void **state)
{
	struct scene *scene = *state;

	put64(scene, WR_DONE_IMWR, MESSAGES);
	for (unsigned i = 0; i < 4; i++)
		put_element(scene, i, CB | (i % 2 ? RIE : 0), 64, CARD_BASE, HOST_BASE);
	start_list(scene, true, 1);
	run(scene);
	assert_int_equal(scene->messages, 2);
	assert_int_equal(state_of(scene, true, 1), STOPPED);
}

/* Linux' second chunk: elements of the other cycle, the link turns the cycle, one doorbell. */
static void goes_on_at_the_next_doorbell(void **state)
{
	struct scene *scene = *state;

	put_element(scene, 0, CB, 64, CARD_BASE, HOST_BASE + 0x8000);
	put_link(scene, 1, TCB, CARD_BASE + LIST);
	start_list(scene, true, 2);
	run(scene);
	assert_int_equal(list_of(scene, true, 2), ELEMENT);

	put_element(scene, 0, 0, 64, CARD_BASE, HOST_BASE + 0x9000);
	put_link(scene, 1, TCB | CB, CARD_BASE + LIST);
	memset(scene->card, 0x77, 64);
	put(scene, WR_DOORBELL, 2);
	run(scene);
	assert_int_equal(state_of(scene, true, 2), STOPPED);
	assert_memory_equal(scene->host + 0x9000, scene->card, 64);
	assert_int_equal(scene->host[0x8000], 0);
	assert_int_equal(list_of(scene, true, 2), ELEMENT);
	/* Nothing new: it stays where it is. */
	put(scene, WR_DOORBELL, 2);
	run(scene);
	assert_int_equal(state_of(scene, true, 2), STOPPED);
}

/* All it can hold by the vendor's driver, on all channels at a time. */
static void works_off_full_lists_side_by_side(void **state)
{
	struct scene *scene = *state;

	for (unsigned i = 0; i < 167; i++)
		put_element(scene, i, CB | (i == 166 ? RIE : 0), 16,
			HOST_BASE + 16 * (166 - i), CARD_BASE + 16 * i);
	put64(scene, RD_DONE_IMWR, MESSAGES);
	for (unsigned number = 0; number < EDMA_CHANNELS; number++)
		start_list(scene, false, number);
	run(scene);
	assert_int_equal(scene->messages, EDMA_CHANNELS);
	for (unsigned i = 0; i < 167; i++)
		assert_memory_equal(
			scene->card + 16 * i, scene->host + 16 * (166 - i), 16);
}

static void aborts_in_the_middle(void **state)
{
	struct scene *scene = *state;

	put64(scene, RD_ABORT_IMWR, MESSAGES | 0x300);
	put(scene, RD_IMWR_DATA, 0x00050000);
	put(scene, RD_LL_ERR_EN, 1 << 1);
	put_element(scene, 0, CB, 64, HOST_BASE, CARD_BASE);
	put_element(scene, 1, CB, 64, 0x1000, CARD_BASE);
	put_element(scene, 2, CB, 64, HOST_BASE + 64, CARD_BASE + 64);
	start_list(scene, false, 1);
	run(scene);
	assert_int_equal(state_of(scene, false, 1), HALTED);
	assert_int_equal(get(scene, RD_ERR_STATUS_HIGH), 1 << 1);
	assert_int_equal(get(scene, RD_INT_STATUS), 1 << 17);
	assert_int_equal(scene->messages, 1);
	assert_int_equal(scene->message_address, MESSAGES | 0x300);
	assert_int_equal(scene->message_data, 5);
	assert_int_equal(list_of(scene, false, 1), ELEMENT);
	assert_int_equal(scene->card[64], 0);
	/* Not enabled in linked_list_err_en: seen, not told. */
	put(scene, RD_INT_CLEAR, ~0u);
	start_list(scene, false, 0);
	run(scene);
	assert_int_equal(state_of(scene, false, 0), HALTED);
	assert_int_equal(get(scene, RD_INT_STATUS), 1 << 16);
	assert_int_equal(scene->messages, 1);
}

static void aborts_where_there_is_no_list(void **state)
{
	struct scene *scene = *state;

	start_list(scene, true, 3);
	put(scene, WR_DOORBELL, STOP | 3);
	put64(scene, WR_CHANNEL + 3 * CHANNEL_STRIDE + LLP, ~(uint64_t)0);
	put(scene, WR_DOORBELL, 3);
	run(scene);
	assert_int_equal(state_of(scene, true, 3), HALTED);
	assert_int_equal(get(scene, WR_ERR_STATUS), 1 << 19);
	/* It ran out of the card's memory behind its first element. */
	put_element(scene, 0, CB, 4, CARD_BASE, HOST_BASE);
	put_link(scene, 1, CB, CARD_BASE + CARD_SIZE - 4);
	start_list(scene, true, 0);
	run(scene);
	assert_int_equal(state_of(scene, true, 0), HALTED);
	assert_int_equal(get(scene, WR_ERR_STATUS), 1 << 19 | 1 << 16);
}

static void zero_bytes_are_no_end(void **state)
{
	struct scene *scene = *state;

	put_element(scene, 0, CB, 0, 0, 0);
	put_element(scene, 1, CB, 64, HOST_BASE, CARD_BASE);
	start_list(scene, false, 0);
	run(scene);
	assert_memory_equal(scene->card, scene->host, 64);
	assert_int_equal(scene->rejected, 0);
}

/* Links in a circle, elements without size in a circle, one that fetches over itself: each
 * call ends, others get their turn, and the doorbell ends it. */
static void absurd_lists_cost_time_only(void **state)
{
	struct scene *scene = *state;

	put_link(scene, 0, CB, CARD_BASE + LIST);
	start_list(scene, true, 0);
	put_element(scene, 10, CB, 0, 0, 0);
	put_link(scene, 11, CB, CARD_BASE + LIST + 10 * ELEMENT);
	start_list(scene, true, 1);
	put(scene, WR_DOORBELL, STOP | 1);
	put(scene, WR_CHANNEL + CHANNEL_STRIDE + LLP, CARD_BASE + LIST + 10 * ELEMENT);
	put(scene, WR_DOORBELL, 1);
	for (unsigned i = 0; i < FOREVER; i++)
		assert_true(edma_run(scene->edma, i));
	start(scene, false, 2, 0, HOST_BASE, CARD_BASE, 0x1000);
	for (unsigned i = 0; i < FOREVER; i++)
		assert_true(edma_run(scene->edma, 4096));
	assert_int_equal(state_of(scene, false, 2), STOPPED);
	assert_memory_equal(scene->card, scene->host, 0x1000);
	assert_int_equal(state_of(scene, true, 0), RUNNING);
	put(scene, WR_DOORBELL, STOP | 0);
	assert_true(edma_run(scene->edma, 4096));
	put(scene, WR_ENGINE_EN, 0);
	assert_false(edma_run(scene->edma, 4096));
	assert_int_equal(state_of(scene, true, 0) | state_of(scene, true, 1), 0);
}

/* A read channel that writes the list it is reading: whatever it reads is an element. */
static void list_may_write_over_itself(void **state)
{
	struct scene *scene = *state;

	memset(scene->host, 0xff, HOST_SIZE);
	put_element(scene, 0, CB, 4 * ELEMENT, HOST_BASE, CARD_BASE + LIST);
	start_list(scene, false, 0);
	run(scene);
	assert_int_equal(state_of(scene, false, 0), HALTED);
	assert_int_equal(get(scene, RD_ERR_STATUS), 1 << 16);
}

int main(void)
{
#define IN_SCENE(test) cmocka_unit_test_setup_teardown(test, scene_setup, scene_teardown)
	const struct CMUnitTest tests[] = {
		IN_SCENE(gathers_and_tells_at_the_end),
		IN_SCENE(has_stopped_when_it_tells),
		IN_SCENE(tells_where_it_is_asked_to),
		IN_SCENE(goes_on_at_the_next_doorbell),
		IN_SCENE(works_off_full_lists_side_by_side),
		IN_SCENE(aborts_in_the_middle),
		IN_SCENE(aborts_where_there_is_no_list),
		IN_SCENE(zero_bytes_are_no_end),
		IN_SCENE(absurd_lists_cost_time_only),
		IN_SCENE(list_may_write_over_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
