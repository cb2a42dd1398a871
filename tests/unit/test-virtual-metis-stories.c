// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The explanations of the forum's failure, as docs/virtual-metis.md lists them: each is played
 * without QEMU.
 */
#include "config.h"

#include "stories-scene.h"

static void a_the_guests_own_message(void **state)
{
	struct scene *scene = *state;

	scene->options.heartbeat_ms = 0;
	insert_card(scene);
	open_for_guest(scene, 0x60, 1);
	play(scene, GUEST_WINDOW, "driver=1.4.16 message=" COMPATIBLE " start irq job");
	assert_int_equal(scene->wrong, 2);
	assert_int_equal(scene->interrupt.reason, 0x25);
	assert_int_equal(scene->interrupt.count, 2);
	assert_int_equal(scene->dma.count, 0);
	play(scene, GUEST_WINDOW, "driver=1.4.16 message=" COMPATIBLE " start poll job");
	assert_int_equal(scene->done, 2);
}

/* With one vector the driver looks at all channels whatever woke it: a firmware that is busy
 * hides that its messages are lost. */
static void a_hidden_by_any_event(void **state)
{
	struct scene *scene = *state;

	scene->options.heartbeat_ms = 500;
	insert_card(scene);
	open_for_guest(scene, 0x60, 1);
	play(scene, GUEST_WINDOW, "driver=1.4.16 message=" COMPATIBLE " start irq job");
	assert_int_equal(scene->done, 2);
	assert_int_equal(scene->interrupt.reason, 0x25);
	assert_int_equal(scene->interrupt.count, 2);
}

static void a1_both_write_the_message(void **state)
{
	struct scene *scene = *state;

	scene->options.dma_vm = FIRMWARE_DMA_VM_IMWR;
	scene->options.heartbeat_ms = 0;
	insert_card(scene);
	open_for_guest(scene, 0x60, 1);
	play(scene, GUEST_WINDOW, "driver=1.4.16 message=" COMPATIBLE " start irq job");
	assert_int_equal(scene->wrong, 2);
	assert_int_equal(scene->interrupt.reason, 0x22);
	assert_int_equal(scene->interrupt.where, 0x60 + 0x21);
	/* A driver that knows of it leaves it alone. */
	open_for_guest(scene, 0x60, 1);
	scene->interrupt.count = 0;
	play(scene, GUEST_WINDOW, "driver=1.6.2 message=" COMPATIBLE " start irq job");
	assert_int_equal(scene->done, 2);
	assert_int_equal(scene->interrupt.count, 0);
}

static void a2_the_guests_own_handle(void **state)
{
	struct scene *scene = *state;

	insert_card(scene);
	open_for_guest(scene, 0x60, 32);
	play(scene, GUEST_WINDOW,
		"driver=1.4.16 message=0xfee00818:0:32 start irq job"); /* 0x40 */
	assert_int_equal(scene->wrong, 2);
	assert_int_equal(scene->interrupt.reason, 0x22);
	assert_int_equal(scene->interrupt.where, 0x40 + 8);
}

static void a3_the_message_of_another_session(void **state)
{
	struct scene *scene = *state;

	scene->options.stale_msi = true;
	scene->options.sticky = FIRMWARE_STICKY_FLR;
	insert_card(scene);
	host_session(scene, "stop");
	open_for_guest(scene, 0x60, 1);
	play(scene, GUEST_WINDOW, "driver=1.4.16 start");
	pass(scene, 1500);
	assert_int_equal(scene->interrupt.reason, 0x22);
	assert_int_equal(scene->interrupt.where, HANDLE + 24);
	assert_int_equal(scene->dma.count, 0);
}

static void a3_a_vector_that_was_not_granted(void **state)
{
	struct scene *scene = *state;

	scene->options.beyond_granted = true;
	insert_card(scene);
	open_for_guest(scene, 0x60, 1);
	play(scene, GUEST_WINDOW, "driver=1.4.16 start");
	pass(scene, 1500);
	assert_int_equal(scene->interrupt.reason, 0x22);
	assert_int_equal(scene->interrupt.where, 0x60 + 24);
}

/* The index of the forum's log. */
static void a4_the_hosts_message_is_left_alone(void **state)
{
	struct scene *scene = *state;

	scene->options.dma_vm = FIRMWARE_DMA_VM_FLAG;
	scene->options.sticky = FIRMWARE_STICKY_FLR;
	scene->options.heartbeat_ms = 0;
	insert_card(scene);
	host_session(scene, "stop");
	open_for_guest(scene, 0x60, 1);
	play(scene, GUEST_WINDOW, "driver=1.6.2 message=" COMPATIBLE " start irq job");
	assert_int_equal(scene->wrong, 2);
	assert_int_equal(scene->interrupt.reason, 0x22);
	assert_int_equal(scene->interrupt.where, 0x28);
}

/* The address of the forum's log: as soon as the card may write again. */
static void b_the_window_of_another_session(void **state)
{
	struct scene *scene = *state;

	scene->options.sticky = FIRMWARE_STICKY_FLR;
	insert_card(scene);
	host_session(scene, "shutdown");
	open_for_guest(scene, 0x60, 1);
	assert_int_equal(scene->dma.count, 0);
	bus_master(scene, true);
	pass(scene, 1500);
	assert_int_equal(scene->dma.reason, 0x05);
	assert_int_equal(scene->dma.where & ~UINT64_C(0xfff), HOST_WINDOW);
	/* The guest's own driver ends it. */
	play(scene, GUEST_WINDOW, "driver=1.4.16 start");
	scene->dma.count = 0;
	pass(scene, 3000);
	assert_int_equal(scene->dma.count, 0);
}

static void b_corrupts_where_the_guest_has_memory(void **state)
{
	struct scene *scene = *state;

	scene->options.sticky = FIRMWARE_STICKY_BUS;
	insert_card(scene);
	host_session(scene, "shutdown");
	open_for_guest(scene, 0x60, 1);
	scene->mapped = HOST_WINDOW;
	memset(scene->window, 0, sizeof(scene->window));
	bus_master(scene, true);
	pass(scene, 1500);
	assert_int_equal(scene->dma.count, 0);
	assert_int_equal(scene->window[4 * 24], 1);
}

static void b2_the_target_is_latched(void **state)
{
	struct scene *scene = *state;

	scene->options.sticky = FIRMWARE_STICKY_FLR;
	scene->options.window_latched = true;
	insert_card(scene);
	host_session(scene, "shutdown");
	open_for_guest(scene, 0x60, 1);
	play(scene, GUEST_WINDOW, "driver=1.4.16 start");
	scene->dma.count = 0;
	pass(scene, 3000);
	assert_true(scene->dma.count >= 2);
	assert_int_equal(scene->dma.where & ~UINT64_C(0xfff), HOST_WINDOW);
}

static void nothing_is_left_where_a_reset_clears(void **state)
{
	struct scene *scene = *state;

	scene->options.window_latched = true;
	scene->options.stale_msi = true;
	insert_card(scene);
	host_session(scene, "shutdown");
	open_for_guest(scene, 0x60, 32);
	bus_master(scene, true);
	pass(scene, 3000);
	play(scene, GUEST_WINDOW, "driver=1.4.16 start irq job events=2");
	assert_int_equal(scene->done, 2);
	assert_int_equal(scene->dma.count + scene->interrupt.count, 0);
}

static void dma_in_a_vm_works(void **state)
{
	struct scene *scene = *state;

	assert_true(firmware_preset("1.7.0", &scene->options));
	insert_card(scene);
	open_for_guest(scene, 0x60, 1);
	play(scene, GUEST_WINDOW,
		"driver=1.6.2 message=" COMPATIBLE " start irq job job events=2");
	assert_int_equal(scene->done, 4);
	assert_int_equal(scene->dma.count + scene->interrupt.count, 0);
}

int main(void)
{
#define STORY(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		STORY(a_the_guests_own_message),
		STORY(a_hidden_by_any_event),
		STORY(a1_both_write_the_message),
		STORY(a2_the_guests_own_handle),
		STORY(a3_the_message_of_another_session),
		STORY(a3_a_vector_that_was_not_granted),
		STORY(a4_the_hosts_message_is_left_alone),
		STORY(b_the_window_of_another_session),
		STORY(b_corrupts_where_the_guest_has_memory),
		STORY(b2_the_target_is_latched),
		STORY(nothing_is_left_where_a_reset_clears),
		STORY(dma_in_a_vm_works),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
