/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The messages of a Metis card by its engine, and that it leaves nothing behind. */
#include "config.h"

#include "dw-edma-scene.h"

/* --- messages --- */

static void test_vectors(void **state G_GNUC_UNUSED)
{
	const int *fds;
	uint64_t count;

	start();
	mp_vfio_irq_enable(card.vfio, MP_VFIO_MSI, FAKE_VECTORS, &fds, NULL);
	for (unsigned n = 0; n < FAKE_VECTORS; n++) {
		assert_true(engine->send_message(
			bench.state, FAKE_MESSAGE, FAKE_DATA + n, &bench.error));
		for (unsigned i = 0; i < FAKE_VECTORS; i++) {
			ssize_t got = read(fds[i], &count, sizeof(count));

			assert_int_equal(got, i == n ? (ssize_t)sizeof(count) : -1);
			assert_true(i != n || count == 1);
		}
	}
}

static void test_plain_message(void **state G_GNUC_UNUSED)
{
	start();
	memset(bench.host, 0xee, FAKE_PAGE);
	assert_message(0xbeef);
	/* Four bytes, and nothing around them. */
	for (size_t i = 0; i < FAKE_PAGE; i++)
		assert_true(i / 4 == 16 || bench.host[i] == 0xee);
	assert_false(
		engine->send_message(bench.state, FAKE_MESSAGE, 0x10000, &bench.error));
	assert_says(
		"cannot write 0x10000 to 0xfee00218 as a message: its DMA block has 16 "
		"bits");
	g_clear_error(&bench.error);
	assert_false(
		engine->send_message(bench.state, FAKE_MESSAGE + 2, 1, &bench.error));
	g_clear_error(&bench.error);
	set_defects((struct edma_defects){ .drop_irq = true });
	memset(bench.host, 0xee, FAKE_PAGE);
	assert_true(engine->send_message(bench.state, HOST + 64, 0xbeef, &bench.error));
	assert_int_equal(bench.host[64], 0xee);
}

/* One that is aborted sends nothing to where somebody else's message went. */
static void test_abort_message(void **state G_GNUC_UNUSED)
{
	edma_write(card.edma, DW_EDMA_WRITE_ABORT_IMWR_LOW, (uint32_t)HOST + 128);
	edma_write(card.edma, DW_EDMA_WRITE_ABORT_IMWR_HI, HOST >> 32);
	edma_write(card.edma, DW_EDMA_WRITE_IMWR_DATA(3), 0xbadbad);
	start();
	set_defects((struct edma_defects){ .wrong_status = true });
	assert_false(engine->send_message(bench.state, HOST + 64, 0x1111, &bench.error));
	assert_says("its write channel 3 was aborted");
	assert_int_equal(bench.host[64], 0x11);
	for (size_t i = 128; i < FAKE_PAGE; i++)
		assert_int_equal(bench.host[i], 0);
}

/* Firmware that offers DMA in a VM may send messages of its own instead; it is asked. */
static void test_taken_over(void **state G_GNUC_UNUSED)
{
	struct mp_engine_limits limits;

	put32(METIS_DMA_VM, METIS_DMA_VM_YES);
	start();
	engine->limits(bench.state, &limits);
	assert_true(limits.programmed_irq);
	quiesce();
	card.takes_over = true;
	start();
	engine->limits(bench.state, &limits);
	assert_false(limits.programmed_irq);
	assert_int_equal(card.taken, 1);
	assert_works();
}

/* --- nothing is left behind --- */

static uint32_t pattern(uint32_t reg)
{
	return reg * 0x01010101u ^ 0x5a3c0000u;
}

static void test_restores(void **state G_GNUC_UNUSED)
{
	static const uint32_t registers[] = { DW_EDMA_WRITE_DONE_IMWR_LOW,
		DW_EDMA_WRITE_DONE_IMWR_HI, DW_EDMA_WRITE_ABORT_IMWR_LOW,
		DW_EDMA_WRITE_ABORT_IMWR_HI, DW_EDMA_WRITE_IMWR_DATA(0),
		DW_EDMA_WRITE_IMWR_DATA(3), DW_EDMA_READ_DONE_IMWR_LOW,
		DW_EDMA_READ_DONE_IMWR_HI, DW_EDMA_READ_ABORT_IMWR_LOW,
		DW_EDMA_READ_ABORT_IMWR_HI, DW_EDMA_READ_IMWR_DATA(0),
		DW_EDMA_READ_IMWR_DATA(3), DW_EDMA_READ_CHANNEL(3) + DW_EDMA_SIZE,
		DW_EDMA_READ_CHANNEL(3) + DW_EDMA_SAR_LOW,
		DW_EDMA_READ_CHANNEL(3) + DW_EDMA_DAR_HI,
		DW_EDMA_WRITE_CHANNEL(3) + DW_EDMA_SAR_HI,
		DW_EDMA_WRITE_CHANNEL(3) + DW_EDMA_DAR_LOW };
	uint32_t before[EDMA_BAR_SIZE / 4];
	g_autofree uint8_t *memory = g_malloc(MEMORY);

	for (size_t i = 0; i < G_N_ELEMENTS(registers); i++)
		edma_write(card.edma, registers[i], pattern(registers[i]));
	edma_write(card.edma, DW_EDMA_READ_INT_MASK, 0x00ff00ff);
	edma_write(card.edma, DW_EDMA_WRITE_INT_MASK, 0x000f000f);
	edma_write(card.edma, DW_EDMA_READ_ENGINE_EN, 1);
	edma_write(card.edma, DW_EDMA_WRITE_ENGINE_EN, 1);
	for (uint32_t i = 0; i < EDMA_BAR_SIZE; i += 4)
		before[i / 4] = edma_read(card.edma, i);
	memcpy(memory, card.memory, MEMORY);
	start();
	assert_works();
	assert_message(0x7777);
	mp_vfio_unmap(card.vfio, HOST, FAKE_PAGE, NULL);
	assert_int_equal(read_host(64), MP_ENGINE_ERROR);
	quiesce();
	assert_memory_equal(card.memory, memory, MEMORY);
	for (uint32_t i = 0; i < EDMA_BAR_SIZE; i += 4) {
		uint32_t now = edma_read(card.edma, i);

		/* But for the engines, which are left off. */
		if (i == DW_EDMA_READ_ENGINE_EN || i == DW_EDMA_WRITE_ENGINE_EN)
			assert_int_equal(now, 0);
		else if (now != before[i / 4])
			fail_msg("register 0x%x was 0x%x and is 0x%x", i, before[i / 4],
				now);
	}
}

static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	TEST(test_vectors),
	TEST(test_plain_message),
	TEST(test_abort_message),
	TEST(test_taken_over),
	TEST(test_restores),
#undef TEST
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
