// SPDX-License-Identifier: GPL-2.0-or-later
/* The virtual card's firmware: control block, window, interrupts, resets, by its options. */
#include "config.h"

#include "firmware-scene.h"

/* --- the control block --- */

static void fills_the_block_by_version(void **state)
{
	static const struct {
		const char *version;
		unsigned minor, header, flag, descriptors;
	} rows[] = {
		{ "1.3.2", 3, 0, 0, 0 },
		{ "1.6.0", 6, 0, 0, 0xd4d4 },
		{ "1.7.0", 7, 0xfd1f, 0xc1a0c1a0, 0xd4d4 },
	};
	struct scene *scene = *state;

	for (unsigned i = 0; i < 3; i++) {
		uint32_t descriptors;

		assert_true(firmware_preset(rows[i].version, &scene->options));
		scene->options.settle_ms = 0;
		power_on(scene);
		assert_int_equal(get(scene, HEADER, 2), rows[i].header);
		assert_int_equal(get(scene, BLOCK_VERSION, 2), 1 | rows[i].minor << 8);
		assert_int_equal(get(scene, MEMORY_MAP, 8), FIRMWARE_MEMORY_BASE);
		assert_int_equal(get(scene, DMA_VM, 4), rows[i].flag);
		assert_int_equal(get(scene, REF_DATASTREAM, 2), 0xf0f0);
		assert_int_equal(get(scene, REF_DESCRIPTORS, 2), rows[i].descriptors);
		assert_int_equal(get(scene, area(scene, REF_VMSI, 0xb5b5), 2), 32);
		if (rows[i].descriptors) {
			descriptors = area(scene, REF_DESCRIPTORS, 0xd4d4);
			assert_int_equal(get(scene, descriptors, 8),
				FIRMWARE_MEMORY_BASE + 0x1ff8080);
			assert_int_equal(get(scene, descriptors + 8, 8), 0x7f80);
		}
		firmware_free(scene->firmware);
		scene->firmware = NULL;
	}
	assert_false(firmware_preset("1.6", &scene->options));
	assert_false(firmware_preset("", &scene->options));
}

static void names_the_source_of_each_interrupt(void **state)
{
	struct scene *scene = *state;
	uint32_t table;

	power_on(scene);
	table = area(scene, REF_VMSI, 0xb5b5);
	assert_int_equal(get(scene, table + 2, 2), 32);
	for (unsigned id = 0; id < 32; id++) {
		bool dma = id >= RD0 && id < WR0 + 4;
		uint32_t entry = table + 4 + 8 * id;

		assert_int_equal(get(scene, entry, 1), id <= MESSAGE || id == 24);
		assert_int_equal(get(scene, entry + 1, 1), dma);
		assert_int_equal(get(scene, table + 260 + id, 1), id);
	}
	assert_int_equal(get(scene, table + 260 + 32, 1), 0);
}

static void is_absent_until_it_has_started(void **state)
{
	struct scene *scene = *state;

	scene->options.settle_ms = 3000;
	power_on(scene);
	assert_int_equal(get(scene, REF_WINDOW, 2), 0);
	assert_int_equal(firmware_run(scene->firmware, 2999), 3000);
	assert_int_equal(get(scene, REF_WINDOW, 2), 0);
	/* What is written too early is lost. */
	put32(scene, 0x1000, 1, 2999);
	put32(scene, COMMAND, 1, 2999);
	assert_int_equal(scene->flags + scene->vectors, 0);
	assert_int_equal(firmware_run(scene->firmware, 3000), UINT64_MAX);
	scene->window = area(scene, REF_WINDOW, 0xbac1);
	assert_int_equal(scene->window, 0x1000);
	assert_int_equal(get(scene, scene->window + CTRL, 4), 0);
	/* The same after a reset, with other memory left alone. */
	put32(scene, 0x100000, 0x12345678, 4000);
	assert_true(firmware_reset(scene->firmware, FIRMWARE_RESET_FLR, 5000));
	assert_int_equal(get(scene, REF_WINDOW, 2), 0);
	assert_int_equal(firmware_run(scene->firmware, 5000), 8000);
	firmware_run(scene->firmware, 8000);
	assert_int_equal(get(scene, REF_WINDOW, 2), 0xbac1);
	assert_int_equal(get(scene, 0x100000, 4), 0x12345678);
	firmware_reset(scene->firmware, FIRMWARE_POWER_ON, 9000);
	assert_int_equal(get(scene, 0x100000, 4), 0);
}

/* --- events --- */

static void writes_a_flag_then_interrupts(void **state)
{
	struct scene *scene = *state;

	scene->options.heartbeat_ms = 1000;
	power_on(scene);
	assert_int_equal(firmware_run(scene->firmware, 10000), UINT64_MAX);
	assert_int_equal(scene->flags + scene->vectors, 0);
	arm(scene, FIRST_TARGET, 500);
	assert_int_equal(scene->flags, 0);
	assert_int_equal(firmware_run(scene->firmware, 1499), 1500);
	assert_int_equal(firmware_run(scene->firmware, 1500), 2500);
	assert_int_equal(scene->flags, 1);
	assert_int_equal(scene->flag_address, FIRST_TARGET + 4 * 24);
	assert_int_equal(scene->vector, 24);
	command(scene);
	assert_int_equal(scene->flag_address, FIRST_TARGET + 4 * MESSAGE);
	assert_int_equal(scene->vector, MESSAGE);
	put32(scene, COMMAND, 0, 0); /* no command */
	assert_int_equal(scene->flags, 2);
	/* Too few vectors: all by the first. */
	scene->granted = MESSAGE + 1;
	command(scene);
	assert_int_equal(scene->vector, MESSAGE);
	scene->granted = MESSAGE;
	command(scene);
	assert_int_equal(scene->vector, 0);
	assert_int_equal(scene->flags, 4);
	scene->enabled = false;
	command(scene);
	assert_int_equal(scene->vectors, 4);
	disarm(scene, 2000);
	assert_int_equal(firmware_run(scene->firmware, 9000), UINT64_MAX);
	command(scene);
	assert_int_equal(scene->flags, 5);
	assert_int_equal(scene->messages, 0);
}

static void writes_nothing_behind_the_window(void **state)
{
	struct scene *scene = *state;

	power_on(scene);
	arm(scene, FIRST_TARGET, 0);
	put32(scene, scene->window + SIZE, 4 * MESSAGE, 0);
	command(scene);
	assert_int_equal(scene->flags, 0);
	assert_int_equal(scene->vectors, 1);
	put32(scene, scene->window + SIZE, 4 * MESSAGE + 4, 0);
	command(scene);
	assert_int_equal(scene->flags, 1);
}

/* A second driver writes another target, and 1 over the 1 that the first one left. */
static void takes_the_target_by_edge_or_level(void **state)
{
	struct scene *scene = *state;

	for (int latched = 0; latched < 2; latched++) {
		scene->options.window_latched = latched;
		power_on(scene);
		arm(scene, FIRST_TARGET, 0);
		arm(scene, SECOND_TARGET, 0);
		command(scene);
		assert_int_equal(scene->flag_address - 4 * MESSAGE,
			latched ? FIRST_TARGET : SECOND_TARGET);
		disarm(scene, 0);
		arm(scene, SECOND_TARGET, 0);
		command(scene);
		assert_int_equal(scene->flag_address - 4 * MESSAGE, SECOND_TARGET);
		firmware_free(scene->firmware);
		scene->firmware = NULL;
	}
}

static void sends_the_message_of_the_first_session(void **state)
{
	struct scene *scene = *state;

	scene->options.stale_msi = true;
	power_on(scene);
	/* Nothing is stored while MSI is off. */
	scene->enabled = false;
	arm(scene, FIRST_TARGET, 0);
	scene->enabled = true;
	command(scene);
	assert_int_equal(scene->vectors, 1);
	disarm(scene, 0);
	arm(scene, FIRST_TARGET, 0);
	disarm(scene, 0);
	scene->address = 0xfee00518;
	scene->granted = 1;
	arm(scene, FIRST_TARGET, 0);
	command(scene);
	assert_int_equal(scene->message_address, 0xfee00418);
	assert_int_equal(scene->message_data, MESSAGE);
	assert_int_equal(scene->vectors, 1);
	/* A reset forgets it. */
	firmware_reset(scene->firmware, FIRMWARE_RESET_FLR, 0);
	arm(scene, FIRST_TARGET, 0);
	command(scene);
	assert_int_equal(scene->message_address, 0xfee00518);
	assert_int_equal(scene->message_data, 0);
}

static void sends_vectors_that_were_not_granted(void **state)
{
	struct scene *scene = *state;

	scene->options.beyond_granted = true;
	scene->granted = 1;
	scene->data = 0x21;
	power_on(scene);
	command(scene);
	assert_int_equal(scene->message_address, scene->address);
	assert_int_equal(scene->message_data, 0x21 + MESSAGE);
	assert_int_equal(scene->vectors, 0);
}

/* --- DMA in a VM --- */

static void owns_messages_of_a_session(void **state)
{
	struct scene *scene = *state;

	scene->options.dma_vm = FIRMWARE_DMA_VM_OWNER;
	power_on(scene);
	assert_int_equal(get(scene, DMA_VM, 4), 0xc1a0c1a0);
	assert_false(firmware_signal(scene->firmware, 0, false));
	arm(scene, FIRST_TARGET, 0);
	assert_true(firmware_signal(scene->firmware, 1, false));
	assert_int_equal(scene->flag_address, FIRST_TARGET + 4 * (RD0 + 1));
	assert_int_equal(scene->vector, RD0 + 1);
	assert_true(firmware_signal(scene->firmware, 4, true));
	assert_int_equal(scene->flag_address, FIRST_TARGET + 4 * WR0);
	assert_int_equal(scene->vector, WR0);
	assert_false(firmware_signal(scene->firmware, 8, false));
	firmware_reset(scene->firmware, FIRMWARE_RESET_FLR, 0);
	assert_false(firmware_signal(scene->firmware, 0, false));
}

static void flag_alone_owns_nothing(void **state)
{
	static const enum firmware_dma_vm kinds[] = { FIRMWARE_DMA_VM_OFF,
		FIRMWARE_DMA_VM_FLAG, FIRMWARE_DMA_VM_IMWR };
	struct scene *scene = *state;

	for (unsigned i = 0; i < 3; i++) {
		scene->options.dma_vm = kinds[i];
		power_on(scene);
		arm(scene, FIRST_TARGET, 0);
		assert_int_equal(get(scene, DMA_VM, 4), i ? 0xc1a0c1a0 : 0);
		assert_false(firmware_signal(scene->firmware, 0, false));
		assert_int_equal(scene->edma[0x060 / 4], i < 2 ? 0 : scene->address);
		firmware_free(scene->firmware);
		scene->firmware = NULL;
	}
}

/* The mixed message: the host's address again after each heartbeat, the data as the driver
 * left it. */
static void points_imwr_at_its_own_message(void **state)
{
	struct scene *scene = *state;

	scene->options.dma_vm = FIRMWARE_DMA_VM_IMWR;
	scene->options.heartbeat_ms = 100;
	scene->address = 0x1fee00418;
	power_on(scene);
	arm(scene, FIRST_TARGET, 0);
	assert_int_equal(scene->edma[0x060 / 4], 0xfee00418);
	assert_int_equal(scene->edma[0x0d8 / 4], 1);
	assert_int_equal(scene->edma[0x070 / 4], 0x00090008);
	assert_int_equal(scene->edma[0x0e0 / 4], 0x00070006);
	scene->edma[0x060 / 4] = 0xfee00000;
	scene->edma[0x070 / 4] = 0x00210021;
	firmware_run(scene->firmware, 100);
	assert_int_equal(scene->edma[0x060 / 4], 0xfee00418);
	assert_int_equal(scene->edma[0x070 / 4], 0x00210021);
}

/* --- resets --- */

static void resets_clear_as_far_as_they_reach(void **state)
{
	static const struct {
		enum firmware_sticky sticky;
		enum firmware_reset kind;
		bool clears;
	} rows[] = {
		{ FIRMWARE_STICKY_NONE, FIRMWARE_RESET_FLR, true },
		{ FIRMWARE_STICKY_NONE, FIRMWARE_RESET_PM, true },
		{ FIRMWARE_STICKY_NONE, FIRMWARE_RESET_BUS, true },
		{ FIRMWARE_STICKY_FLR, FIRMWARE_RESET_FLR, false },
		{ FIRMWARE_STICKY_FLR, FIRMWARE_RESET_PM, false },
		{ FIRMWARE_STICKY_FLR, FIRMWARE_RESET_BUS, true },
		{ FIRMWARE_STICKY_BUS, FIRMWARE_RESET_FLR, false },
		{ FIRMWARE_STICKY_BUS, FIRMWARE_RESET_PM, false },
		{ FIRMWARE_STICKY_BUS, FIRMWARE_RESET_BUS, false },
		{ FIRMWARE_STICKY_BUS, FIRMWARE_POWER_ON, true },
	};
	struct scene *scene = *state;

	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		scene->options.sticky = rows[i].sticky;
		scene->options.heartbeat_ms = 1000;
		power_on(scene);
		arm(scene, FIRST_TARGET, 0);
		assert_int_equal(firmware_reset(scene->firmware, rows[i].kind, 100),
			rows[i].clears);
		scene->flags = 0;
		firmware_run(scene->firmware, 5000);
		assert_int_equal(get(scene, scene->window + CTRL, 4), !rows[i].clears);
		assert_int_equal(get(scene, scene->window + TARGET, 8),
			rows[i].clears ? 0 : FIRST_TARGET);
		assert_int_equal(scene->flags, !rows[i].clears);
		firmware_free(scene->firmware);
		scene->firmware = NULL;
	}
}

static void wedges_until_a_bus_reset(void **state)
{
	struct scene *scene = *state;

	scene->options.wedge_after_flr = true;
	scene->options.settle_ms = 1000;
	power_on(scene);
	firmware_run(scene->firmware, 1000);
	firmware_reset(scene->firmware, FIRMWARE_RESET_PM, 2000);
	assert_int_equal(firmware_visible(scene->firmware), FIRMWARE_ALIVE);
	firmware_run(scene->firmware, 3000);
	assert_int_equal(get(scene, REF_WINDOW, 2), 0xbac1);
	firmware_reset(scene->firmware, FIRMWARE_RESET_FLR, 4000);
	assert_int_equal(firmware_run(scene->firmware, 60000), UINT64_MAX);
	assert_int_equal(firmware_visible(scene->firmware), FIRMWARE_ZEROS);
	firmware_reset(scene->firmware, FIRMWARE_RESET_PM, 61000);
	assert_int_equal(firmware_visible(scene->firmware), FIRMWARE_ZEROS);
	firmware_reset(scene->firmware, FIRMWARE_RESET_BUS, 62000);
	assert_int_equal(firmware_visible(scene->firmware), FIRMWARE_ALIVE);
	assert_int_equal(firmware_run(scene->firmware, 62001), 63000);
	firmware_run(scene->firmware, 63000);
	assert_int_equal(get(scene, REF_WINDOW, 2), 0xbac1);
}

/* Its memory is as it was, and nobody is there to look at it. */
static void wedged_does_nothing(void **state)
{
	struct scene *scene = *state;

	scene->options.wedge_after_flr = true;
	scene->options.sticky = FIRMWARE_STICKY_FLR;
	scene->options.dma_vm = FIRMWARE_DMA_VM_OWNER;
	scene->options.heartbeat_ms = 100;
	power_on(scene);
	arm(scene, FIRST_TARGET, 0);
	assert_false(firmware_reset(scene->firmware, FIRMWARE_RESET_FLR, 50));
	assert_int_equal(firmware_run(scene->firmware, 1000), UINT64_MAX);
	put32(scene, COMMAND, 1, 1000);
	assert_false(firmware_signal(scene->firmware, 0, false));
	assert_int_equal(scene->flags + scene->vectors, 0);
}

static void dead_does_nothing(void **state)
{
	struct scene *scene = *state;

	for (int dead = FIRMWARE_ZEROS; dead <= FIRMWARE_ONES; dead++) {
		scene->options.dead = dead;
		scene->options.dma_vm = FIRMWARE_DMA_VM_OWNER;
		power_on(scene);
		assert_int_equal(firmware_visible(scene->firmware), dead);
		assert_int_equal(firmware_run(scene->firmware, 100000), UINT64_MAX);
		scene->window = 0x1000;
		arm(scene, FIRST_TARGET, 100000);
		put32(scene, COMMAND, 1, 100000);
		assert_false(firmware_signal(scene->firmware, 0, false));
		firmware_reset(scene->firmware, FIRMWARE_RESET_BUS, 100000);
		assert_int_equal(firmware_visible(scene->firmware), dead);
		firmware_free(scene->firmware);
		scene->firmware = NULL;
	}
	assert_int_equal(scene->flags + scene->vectors + scene->messages, 0);
}

/* --- hostile --- */

static uint32_t random32(uint64_t *seed)
{
	/* Knuth's MMIX constants; the same on every machine. */
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*seed >> 32);
}

static void any_flag(void *user, uint64_t address, const void *data, size_t size)
{
	(void)address;
	(void)data;
	assert_int_equal(size, 4);
	((struct scene *)user)->flags++;
}

/* Any value at any place at any time, with every reset in between: it stays in its memory
 * (sanitizers watch) and always says when to come again. */
static void survives_any_writes(void **state)
{
	struct scene *scene = *state;
	struct firmware_bus bus = { .user = scene,
		.host_write = any_flag,
		.msi = msi,
		.message = message,
		.msi_message = msi_message,
		.edma_write = edma_write };
	uint64_t seed = 1, now = 0;

	scene->granted = 32;
	for (unsigned round = 0; round < 32; round++) {
		scene->options = (struct firmware_options){ .dma_vm = round % 4,
			.sticky = round % 3,
			.window_latched = round & 1,
			.stale_msi = round & 2,
			.beyond_granted = round & 4,
			.settle_ms = round & 8 ? 50 : 0,
			.wedge_after_flr = round & 16,
			.heartbeat_ms = 3 };
		scene->firmware = firmware_new(scene->memory, &scene->options, &bus);
		firmware_reset(scene->firmware, FIRMWARE_POWER_ON, now);
		for (unsigned i = 0; i < 3000; i++) {
			uint32_t pick = random32(&seed);
			uint32_t base = pick & 1 ? 0x1000 : pick & 2 ? 0 : 0x1fffc00;
			uint32_t offset = base + (random32(&seed) & 0x3fc);
			unsigned long where = pick % 64 ? offset : ~0u - offset;

			now += pick >> 28;
			if (where < FIRMWARE_MEMORY_SIZE)
				memcpy(scene->memory + where,
					&(uint32_t){ random32(&seed) }, 4);
			firmware_written(
				scene->firmware, where, 1 + (pick >> 8) % 8, now);
			firmware_signal(scene->firmware, random32(&seed) % 16, pick & 4);
			if (pick % 500 == 0)
				firmware_reset(
					scene->firmware, 1 + (pick >> 16) % 3, now);
			scene->enabled = pick % 7;
			assert_true(firmware_run(scene->firmware, now) > now);
		}
		firmware_free(scene->firmware);
		scene->firmware = NULL;
	}
	assert_true(scene->flags > 1000);
	assert_true(scene->vectors > 1000);
	assert_true(scene->messages > 1000);
}

int main(void)
{
#define ON_CARD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		ON_CARD(fills_the_block_by_version),
		ON_CARD(names_the_source_of_each_interrupt),
		ON_CARD(is_absent_until_it_has_started),
		ON_CARD(writes_a_flag_then_interrupts),
		ON_CARD(writes_nothing_behind_the_window),
		ON_CARD(takes_the_target_by_edge_or_level),
		ON_CARD(sends_the_message_of_the_first_session),
		ON_CARD(sends_vectors_that_were_not_granted),
		ON_CARD(owns_messages_of_a_session),
		ON_CARD(flag_alone_owns_nothing),
		ON_CARD(points_imwr_at_its_own_message),
		ON_CARD(resets_clear_as_far_as_they_reach),
		ON_CARD(wedges_until_a_bus_reset),
		ON_CARD(wedged_does_nothing),
		ON_CARD(dead_does_nothing),
		ON_CARD(survives_any_writes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
