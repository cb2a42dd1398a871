/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * selftest-bench [ROUNDS]: what the self-test adds to a transfer, over a loop that writes the
 * same registers and nothing else. On the register model of the Metis' DMA block, with the
 * VFIO of the unit tests; a register costs what it costs there, and a second time a read
 * takes 1 us more, which is about what one takes over PCIe [inference]. Each of a line: bytes,
 * ns added to a read, ns of a transfer by the self-test, ns by the loop; medians.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/dw-edma.h"
#include "core/metis-block.h"
#include "edma.h"
#include "fake-vfio.h"
#include "vfio/case.h"

#define BASE      METIS_FIXED_BASE
#define MEMORY    (32u << 20)
#define CHANNEL   3
#define AREA      (BASE + METIS_FIXED_OFFSET)
#define TRANSFERS 200 /* of one measurement */
#define BUDGET    (1u << 20)

static struct card {
	struct mp_vfio *vfio;
	struct edma *edma;
	uint8_t *memory;
	bool kicked;
	uint64_t read_ns;
} card;

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* --- the card --- */

static uint8_t host_memory[2 * FAKE_PAGE];

/* Straight: how an IOMMU looks up an address is not what is measured. */
static uint8_t *host_at(uint64_t address)
{
	return host_memory + address % FAKE_PAGE;
}

static bool host_read(void *user G_GNUC_UNUSED, uint64_t address, void *data, size_t size)
{
	memcpy(data, host_at(address), size);
	return true;
}

static void host_write(
	void *user G_GNUC_UNUSED, uint64_t address, const void *data, size_t size)
{
	memcpy(host_at(address), data, size);
}

static bool card_read(void *user G_GNUC_UNUSED, uint64_t address, void *data, size_t size)
{
	memcpy(data, card.memory + (address - BASE), size);
	return true;
}

static bool card_write(
	void *user G_GNUC_UNUSED, uint64_t address, const void *data, size_t size)
{
	memcpy(card.memory + (address - BASE), data, size);
	return true;
}

static void kick(void *user G_GNUC_UNUSED)
{
	card.kicked = true;
}

static uint32_t dma_read(void *user G_GNUC_UNUSED, size_t offset)
{
	if (card.read_ns)
		for (uint64_t end = now_ns() + card.read_ns; now_ns() < end;)
			;
	if (card.kicked)
		card.kicked = edma_run(card.edma, BUDGET);
	return edma_read(card.edma, (uint32_t)offset);
}

static void dma_write(void *user G_GNUC_UNUSED, size_t offset, uint32_t value)
{
	edma_write(card.edma, (uint32_t)offset, value);
}

static uint32_t memory_read(void *user G_GNUC_UNUSED, size_t offset)
{
	uint32_t value;

	memcpy(&value, card.memory + offset, sizeof(value));
	return value;
}

static void memory_write(void *user G_GNUC_UNUSED, size_t offset, uint32_t value)
{
	memcpy(card.memory + offset, &value, sizeof(value));
}

static void make_card(void)
{
	static const struct edma_bus bus = {
		.host_read = host_read,
		.host_write = host_write,
		.card_read = card_read,
		.card_write = card_write,
		.kick = kick,
	};
	static const struct fake_model model = {
		.bars = { [METIS_BAR_DMA] = { EDMA_BAR_SIZE, dma_read, dma_write, NULL,
				  NULL },
			[METIS_BAR_MEMORY] = { MEMORY, memory_read, memory_write, NULL,
				NULL } },
		.vectors = { [MP_VFIO_MSI] = FAKE_VECTORS },
	};

	card.memory = g_malloc0(MEMORY);
	card.edma = edma_new(&bus);
	card.vfio = fake_vfio_new(&model);
	memory_write(NULL, METIS_MEMORY_MAP, BASE);
	memory_write(NULL, METIS_HDRV, METIS_HDRV_MAGIC | 0x0100 << 16);
	memory_write(NULL, METIS_VMSI, METIS_VMSI_MAGIC | 0x0100 << 16);
}

/* --- the two --- */

/* From the card to IOVA: the registers that the engine writes, in its order. */
static void bare(struct mp_mmio *bar, uint64_t iova, size_t size)
{
	const unsigned channel = DW_EDMA_WRITE_CHANNEL(CHANNEL);

	mp_mmio_write32(bar, DW_EDMA_WRITE_INT_CLEAR,
		DW_EDMA_INT_DONE(CHANNEL) | DW_EDMA_INT_ABORT(CHANNEL));
	mp_mmio_write32(bar, channel + DW_EDMA_CONTROL1, 0);
	mp_mmio_write32(bar, channel + DW_EDMA_SIZE, (uint32_t)size);
	mp_mmio_write32(bar, channel + DW_EDMA_CONTROL1, 0);
	mp_mmio_write32(bar, channel + DW_EDMA_SAR_LOW, (uint32_t)AREA);
	mp_mmio_write32(bar, channel + DW_EDMA_SAR_HI, 0);
	mp_mmio_write32(bar, channel + DW_EDMA_DAR_LOW, (uint32_t)iova);
	mp_mmio_write32(bar, channel + DW_EDMA_DAR_HI, (uint32_t)(iova >> 32));
	mp_mmio_write32(bar, DW_EDMA_WRITE_DOORBELL, CHANNEL);
	while (DW_EDMA_CS(mp_mmio_read32(bar, channel + DW_EDMA_CONTROL1)) !=
		DW_EDMA_CS_STOPPED)
		;
}

static uint64_t time_bare(struct mp_mmio *bar, size_t size)
{
	uint64_t start = now_ns();

	for (unsigned i = 0; i < TRANSFERS; i++)
		bare(bar, MP_IOVA_TO, size);
	return (now_ns() - start) / TRANSFERS;
}

static uint64_t time_selftest(struct mp_selftest *test, size_t size)
{
	struct mp_case_result result = { 0 };
	uint64_t start = now_ns();

	for (unsigned i = 0; i < TRANSFERS; i++)
		if (!mp_test_transfer(
			    test, &result, MP_DEVICE_WRITES, MP_IOVA_TO, size)) {
			fprintf(stderr, "selftest-bench: %s\n", result.summary);
			exit(3);
		}
	return (now_ns() - start) / TRANSFERS;
}

static int compare(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

static uint64_t median(uint64_t *values, unsigned count)
{
	qsort(values, count, sizeof(*values), compare);
	return values[count / 2];
}

/* In turns, so that a noisy moment hits both. */
static void measure(
	struct mp_selftest *test, struct mp_mmio *bar, size_t size, unsigned rounds)
{
	g_autofree uint64_t *with = g_new(uint64_t, rounds);
	g_autofree uint64_t *without = g_new(uint64_t, rounds);

	for (unsigned i = 0; i < rounds; i++) {
		with[i] = time_selftest(test, size);
		without[i] = time_bare(bar, size);
	}
	printf("%zu %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT "\n",
		size, card.read_ns, median(with, rounds), median(without, rounds));
}

int main(int argc, char **argv)
{
	static const size_t sizes[] = { 4, 4096 };
	static struct mp_selftest test = { .engine = &mp_engine_dw_edma,
		.page = FAKE_PAGE };
	uint64_t rounds = 21;
	g_autoptr(mp_buffer) scratch = mp_buffer_new(FAKE_PAGE, FAKE_PAGE, NULL);
	g_autoptr(GError) error = NULL;
	struct mp_mmio *bar;

	if (argc > 2 || (argc == 2 && (!mp_parse_uint(argv[1], 10, &rounds) || !rounds ||
					      rounds > 10000))) {
		fprintf(stderr, "usage: selftest-bench [ROUNDS]\n");
		return 2;
	}
	make_card();
	test.vfio = card.vfio;
	const struct mp_engine_scratch lent = { scratch->memory, MP_IOVA_SCRATCH,
		scratch->size };

	bar = mp_vfio_bar(card.vfio, METIS_BAR_DMA, &error);
	if (!bar || !test.engine->init(card.vfio, &lent, &test.state, &error)) {
		fprintf(stderr, "selftest-bench: %s\n", error->message);
		return 3;
	}
	test.engine->limits(test.state, &test.limits);
	for (unsigned pcie = 0; pcie < 2; pcie++)
		for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
			card.read_ns = pcie ? 1000 : 0;
			measure(&test, bar, sizes[i], (unsigned)rounds);
		}
	test.engine->quiesce(test.state);
	edma_free(card.edma);
	fake_vfio_free(card.vfio);
	g_free(card.memory);
	return 0;
}
