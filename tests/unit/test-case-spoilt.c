/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Each case of the self-test is shown to be able to fail: the real cases and the real engine
 * of a Metis, on the register model of its DMA block, with one thing at a time spoilt in the
 * host: a right too many, a mapping left, a vector masked, a bit turned, a log that is silent,
 * lacks lines, or tells of another. And for the reason that it is, not for another.
 */
#include "unit.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "core/dw-edma.h"
#include "core/host.h"
#include "core/iommu.h"
#include "core/metis-block.h"
#include "core/pci.h"
#include "core/platform.h"
#include "edma.h"
#include "fake-vfio.h"
#include "vfio/selftest.h"

#define BASE       METIS_FIXED_BASE
#define MEMORY     (32u << 20)
#define RUN_BUDGET (1u << 20)

/* --- a card: the model, and as much of its firmware as the engine looks at --- */

static struct card {
	struct mp_vfio *vfio;
	struct edma *edma;
	uint8_t *memory;
	bool kicked;
} card;
static char *sysfs;

static bool host_read(void *user G_GNUC_UNUSED, uint64_t address, void *data, size_t size)
{
	return fake_host_read(card.vfio, address, data, size);
}

static void host_write(
	void *user G_GNUC_UNUSED, uint64_t address, const void *data, size_t size)
{
	fake_host_write(card.vfio, address, data, size);
}

static bool card_read(void *user G_GNUC_UNUSED, uint64_t address, void *data, size_t size)
{
	assert_true(address - BASE <= MEMORY - size);
	memcpy(data, card.memory + (address - BASE), size);
	return true;
}

static bool card_write(
	void *user G_GNUC_UNUSED, uint64_t address, const void *data, size_t size)
{
	assert_true(address - BASE <= MEMORY - size);
	memcpy(card.memory + (address - BASE), data, size);
	return true;
}

static void kick(void *user G_GNUC_UNUSED)
{
	card.kicked = true;
}

static void run_model(void *user G_GNUC_UNUSED)
{
	if (card.kicked)
		card.kicked = edma_run(card.edma, RUN_BUDGET);
}

static uint32_t dma_read(void *user G_GNUC_UNUSED, size_t offset)
{
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

/* MSI, as the host has set it up; sysfs shows it. */
static void write_config(void)
{
	g_autofree char *path = g_build_filename(sysfs, "config", NULL);
	const uint32_t address = FAKE_MESSAGE;
	char config[256] = { 0 };

	config[0x34] = 0x50;
	config[0x50] = 0x05;
	config[0x52] = (char)0x81;
	memcpy(config + 0x54, &address, sizeof(address));
	config[0x5c] = FAKE_DATA;
	assert_true(g_file_set_contents(path, config, sizeof(config), NULL));
}

static int set_up(void **state G_GNUC_UNUSED)
{
	static const struct edma_bus bus = {
		.host_read = host_read,
		.host_write = host_write,
		.card_read = card_read,
		.card_write = card_write,
		.kick = kick,
	};
	const struct fake_model model = {
		.bars = { [METIS_BAR_DMA] = { EDMA_BAR_SIZE, dma_read, dma_write, NULL,
				  NULL },
			[METIS_BAR_MEMORY] = { MEMORY, memory_read, memory_write, NULL,
				NULL } },
		.user = &card,
		.vectors = { [MP_VFIO_MSI] = FAKE_VECTORS },
		.time = run_model,
	};

	card = (struct card){ .memory = g_malloc0(MEMORY), .edma = edma_new(&bus) };
	card.vfio = fake_vfio_new(&model);
	memory_write(NULL, METIS_MEMORY_MAP, BASE);
	memory_write(NULL, METIS_HDRV, METIS_HDRV_MAGIC | 0x0100 << 16);
	memory_write(NULL, METIS_VMSI, METIS_VMSI_MAGIC | 0x0100 << 16);
	sysfs = g_dir_make_tmp("metis-spoilt-XXXXXX", NULL);
	assert_non_null(sysfs);
	write_config();
	return 0;
}

static int tear_down(void **state G_GNUC_UNUSED)
{
	g_autofree char *path = g_build_filename(sysfs, "config", NULL);

	g_unlink(path);
	g_rmdir(sysfs);
	g_free(sysfs);
	edma_free(card.edma);
	fake_vfio_free(card.vfio);
	g_free(card.memory);
	return 0;
}

static struct mp_host *make_host(void)
{
	struct mp_host *host = mp_host_new("/", true);

	host->platform = mp_host_alloc(host, sizeof(*host->platform));
	host->platform->kernel_release = mp_fact_known(host, "uname", "6.8.12-1-pve");
	host->iommu = mp_host_alloc(host, sizeof(*host->iommu));
	host->iommu->units = mp_host_array(host);
	return host;
}

static GPtrArray *run(enum fake_spoil spoil, const char *glob)
{
	const struct mp_selftest_options options = {
		.cases = glob,
		.rounds = 1,
		.bytes = 3 * FAKE_PAGE,
		.isolation = true,
	};
	const struct mp_pci device = { .bdf = FAKE_ADDRESS, .dir = sysfs + 1, .bus = 1 };
	g_autoptr(mp_host) host = make_host();
	g_autoptr(GError) error = NULL;
	const char *way = NULL;
	GPtrArray *results =
		g_ptr_array_new_with_free_func((GDestroyNotify)mp_case_result_free);

	fake_spoil(card.vfio, spoil);
	if (!mp_selftest_run(host, &device, &mp_engine_dw_edma, &options, NULL, NULL,
		    results, &way, &error))
		fail_msg("%s", error->message);
	fake_spoil(card.vfio, FAKE_HONEST);
	assert_int_equal(fake_enabled(card.vfio), 0);
	assert_false(fake_is_master(card.vfio));
	return results;
}

static void test_nothing_spoilt(void **state G_GNUC_UNUSED)
{
	g_autoptr(GPtrArray) results = run(FAKE_HONEST, NULL);
	g_autoptr(GString) skipped = g_string_new(NULL);
	size_t count;

	mp_cases_all(&count);
	assert_int_equal(results->len, count);
	for (guint i = 0; i < results->len; i++) {
		const struct mp_case_result *result = results->pdata[i];

		if (result->verdict == MP_CASE_FAIL)
			fail_msg("%s: %s", result->name, result->summary);
		if (result->verdict == MP_CASE_SKIP)
			g_string_append_printf(skipped, "%s ", result->name);
	}
	/* A Metis has no INTx and no MSI-X, and raises MSI only by messages of its DMA block. */
	assert_string_equal(skipped->str, "irq-intx irq-msi irq-msix ");
}

/* Each case that fails, and what it has to say; "" ends. */
static void assert_spoils(enum fake_spoil spoil, const char *const (*expected)[2])
{
	g_autoptr(GPtrArray) results = run(spoil, NULL);
	size_t next = 0;

	for (guint i = 0; i < results->len; i++) {
		const struct mp_case_result *result = results->pdata[i];

		if (result->verdict != MP_CASE_FAIL)
			continue;
		if (!expected[next][0] || strcmp(result->name, expected[next][0]) != 0)
			fail_msg("%s failed: %s; expected was %s", result->name,
				result->summary,
				expected[next][0] ? expected[next][0] : "nothing more");
		if (!strstr(result->summary, expected[next][1]))
			fail_msg("%s: '%s' lacks '%s'", result->name, result->summary,
				expected[next][1]);
		next++;
	}
	if (expected[next][0])
		fail_msg("%s did not fail", expected[next][0]);
}
#define SPOILS(spoil, ...)                                                               \
	assert_spoils(spoil, (const char *const[][2]){ __VA_ARGS__, { NULL, NULL } })

static void test_mappings(void **state G_GNUC_UNUSED)
{
	SPOILS(FAKE_ALL_WRITABLE,
		{ "isolation-write-readonly", "was not refused: memory changed" });
	SPOILS(FAKE_STAYS_MAPPED,
		{ "isolation-write-unmapped", "was not refused: memory changed" },
		{ "isolation-read-unmapped", "the device holds what is in memory" });
	SPOILS(FAKE_NO_MASTER_BIT,
		{ "isolation-teardown", "went on without bus mastering" });
}

static void test_data(void **state G_GNUC_UNUSED)
{
	/* What the device has read is looked at in the device. */
	SPOILS(FAKE_FLIPPED, { "dma-write", "wrote others back" }, { "dma-patterns", "" },
		{ "dma-iova-low", "wrote others back" },
		{ "dma-iova-above-4g", "wrote others back" },
		{ "dma-iova-forum", "wrote others back" },
		{ "dma-iova-top", "wrote others back" }, { "dma-scattered", "" },
		{ "isolation-write-unmapped", "wrote others back" },
		{ "isolation-write-readonly", "wrote others back" },
		{ "isolation-read-unmapped", "wrote others back" },
		{ "isolation-teardown", "wrote others back" });
	SPOILS(FAKE_FLIPPED_IN, { "dma-read", "has others" },
		{ "dma-write", "has others" }, { "dma-patterns", "" },
		{ "dma-iova-low", "has others" }, { "dma-iova-above-4g", "has others" },
		{ "dma-iova-forum", "has others" }, { "dma-iova-top", "has others" },
		{ "dma-scattered", "" }, { "isolation-write-unmapped", "has others" },
		{ "isolation-write-readonly", "has others" },
		{ "isolation-read-unmapped", "has others" },
		{ "isolation-teardown", "has others" });
}

static void test_vectors(void **state G_GNUC_UNUSED)
{
	SPOILS(FAKE_MASKED, { "irq-loopback", "vector 0 did not arrive" },
		{ "irq-message", "vector 0 did not arrive" },
		{ "isolation-message-freed", "vector 31 did not arrive" },
		{ "isolation-message-compat", "vector 0 did not arrive" });
	SPOILS(FAKE_MOVED, { "irq-loopback", "vector 0 did not arrive" },
		{ "irq-message", "vector 0 did not arrive" },
		{ "isolation-message-freed", "vector 31 did not arrive" },
		{ "isolation-message-compat", "vector 0 did not arrive" });
}

#define OF_ALL(words)                                                                    \
	{ "isolation-write-unmapped", words }, { "isolation-write-readonly", words },    \
		{ "isolation-read-unmapped", words },                                    \
		{ "isolation-message-freed", words },                                    \
	{                                                                                \
		"isolation-message-compat", words                                        \
	}

static void test_log(void **state G_GNUC_UNUSED)
{
	SPOILS(FAKE_SILENT, OF_ALL("was not refused, or not logged"));
	SPOILS(FAKE_SUPPRESSED, OF_ALL("callbacks suppressed"));
	SPOILS(FAKE_LOST, OF_ALL("were overwritten"));
	/* Nothing of this device: as silent. */
	SPOILS(FAKE_OF_ANOTHER, OF_ALL("was not refused, or not logged"));
	/* The index of a message in compatibility format means nothing. */
	SPOILS(FAKE_ELSEWHERE, { "isolation-write-unmapped", "other fault" },
		{ "isolation-write-readonly", "other fault" },
		{ "isolation-read-unmapped", "other fault" },
		{ "isolation-message-freed", "other fault" });
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_nothing_spoilt),
		TEST(test_mappings),
		TEST(test_data),
		TEST(test_vectors),
		TEST(test_log),
	};

	return cmocka_run_group_tests_name("case-spoilt", tests, NULL, NULL);
}
