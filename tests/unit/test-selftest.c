/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every case of the self-test passes on a device that does what it says, and fails on one that
 * lies. Below the runner there is no VFIO: the functions of vfio.h and klog.h are those here,
 * an IOMMU of a few lines and a device behind it.
 */
#include "unit.h"

#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/finding.h"
#include "core/klog.h"
#include "core/pci.h"
#include "vfio/selftest.h"

#define PAGE     4096u
#define VECTORS  4u
#define MAPPINGS 64
#define DATA     0x4000000u /* where the cases map what is written */
#define MESSAGE  0xfee00218u

enum lie {
	HONEST,
	WRITES_NOTHING,
	FLIPS_A_BIT,
	WRITES_TOO_MUCH,
	CUTS_ADDRESSES,
	WRAPS_IN_PAGES,
	RAISES_NOTHING,
	RAISES_ANOTHER,
	RAISES_TWO,
	LOSES_LOOPBACK,
	SENDS_ANOTHER_MESSAGE,
	IGNORES_UNMAPPING,
	IGNORES_READ_ONLY,
	IS_NOT_LOGGED,
	IS_LOGGED_AS_ANOTHER,
	IS_LOGGED_ELSEWHERE,
	IS_SUPPRESSED,
	IS_OVERWRITTEN,
	IGNORES_BUS_MASTER,
	WRITES_UNASKED,
	HANGS,
};

static struct {
	enum lie lie;
	bool unsure; /* of its address bits */
	unsigned bits;
	struct {
		uint64_t iova;
		uint8_t *memory;
		size_t size;
		unsigned access;
		bool live;
	} mappings[MAPPINGS];
	uint8_t buffer[2 * PAGE];
	bool master;
	int fds[VECTORS];
	unsigned enabled;
	GString *log;
	bool dead;
	unsigned quiesced, closed;
	int raise_signal;
} world;

/* --- VFIO --- */

struct mp_vfio {
	int unused;
};
static struct mp_vfio the_device;

struct mp_vfio *mp_vfio_open(const struct mp_host *host G_GNUC_UNUSED,
	const struct mp_pci *device G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
	return &the_device;
}

static unsigned live_mappings(void)
{
	unsigned count = 0;

	for (unsigned i = 0; i < MAPPINGS; i++)
		count += world.mappings[i].live;
	return count;
}

void mp_vfio_close(struct mp_vfio *vfio)
{
	if (vfio)
		world.closed++;
	world.master = false;
}

const char *mp_vfio_address(const struct mp_vfio *vfio G_GNUC_UNUSED)
{
	return "0000:01:00.0";
}

struct mp_mmio *mp_vfio_bar(struct mp_vfio *vfio G_GNUC_UNUSED, unsigned n G_GNUC_UNUSED,
	GError **error G_GNUC_UNUSED)
{
	return NULL;
}

bool mp_vfio_config_read(struct mp_vfio *vfio G_GNUC_UNUSED, unsigned o G_GNUC_UNUSED,
	unsigned w G_GNUC_UNUSED, uint32_t *v G_GNUC_UNUSED, GError **e G_GNUC_UNUSED)
{
	return false;
}

bool mp_vfio_config_write(struct mp_vfio *vfio G_GNUC_UNUSED, unsigned o G_GNUC_UNUSED,
	unsigned w G_GNUC_UNUSED, uint32_t v G_GNUC_UNUSED, GError **e G_GNUC_UNUSED)
{
	return false;
}

bool mp_vfio_bus_master(
	struct mp_vfio *vfio G_GNUC_UNUSED, bool on, GError **error G_GNUC_UNUSED)
{
	world.master = on;
	return true;
}

static const struct mp_vfio_range ranges[] = { { 0, 0xfedfffff },
	{ 0xfef00000, 0x7fffffffff } };

const struct mp_vfio_range *mp_vfio_ranges(
	const struct mp_vfio *vfio G_GNUC_UNUSED, size_t *count)
{
	*count = G_N_ELEMENTS(ranges);
	return ranges;
}

bool mp_vfio_iova_usable(
	const struct mp_vfio *vfio G_GNUC_UNUSED, uint64_t iova, size_t size)
{
	for (size_t i = 0; i < G_N_ELEMENTS(ranges); i++)
		if (iova >= ranges[i].start && iova + (size - 1) <= ranges[i].end)
			return true;
	return false;
}

uint64_t mp_vfio_page_sizes(const struct mp_vfio *vfio G_GNUC_UNUSED)
{
	return 0x40201000;
}

bool mp_vfio_map(struct mp_vfio *vfio G_GNUC_UNUSED, void *memory, uint64_t iova,
	size_t size, unsigned access, GError **error G_GNUC_UNUSED)
{
	assert_true(mp_vfio_iova_usable(vfio, iova, size));
	assert_int_equal(iova % PAGE + size % PAGE + (uintptr_t)memory % PAGE, 0);
	for (unsigned i = 0; i < MAPPINGS; i++)
		if (world.mappings[i].live)
			assert_true(
				iova + size <= world.mappings[i].iova ||
				world.mappings[i].iova + world.mappings[i].size <= iova);
	for (unsigned i = 0; i < MAPPINGS; i++) {
		if (world.mappings[i].live)
			continue;
		world.mappings[i].iova = iova;
		world.mappings[i].memory = memory;
		world.mappings[i].size = size;
		world.mappings[i].access = access;
		world.mappings[i].live = true;
		return true;
	}
	fail_msg("too many mappings");
	return false;
}

bool mp_vfio_unmap(struct mp_vfio *vfio G_GNUC_UNUSED, uint64_t iova, size_t size,
	GError **error G_GNUC_UNUSED)
{
	for (unsigned i = 0; i < MAPPINGS; i++) {
		if (!world.mappings[i].live || world.mappings[i].iova != iova)
			continue;
		assert_int_equal(world.mappings[i].size, size);
		world.mappings[i].live = false;
		return true;
	}
	fail_msg("unmapped what is not mapped");
	return false;
}

const char *mp_vfio_irq_name(enum mp_vfio_irq irq)
{
	static const char *const names[] = { "INTx", "MSI", "MSI-X" };

	return names[irq];
}

unsigned mp_vfio_irq_count(const struct mp_vfio *vfio G_GNUC_UNUSED, enum mp_vfio_irq irq)
{
	return irq == MP_VFIO_INTX ? 1 : VECTORS;
}

bool mp_vfio_irq_enable(struct mp_vfio *vfio G_GNUC_UNUSED, enum mp_vfio_irq irq,
	unsigned count, const int **fds, GError **error G_GNUC_UNUSED)
{
	assert_true(count <= mp_vfio_irq_count(vfio, irq));
	assert_int_equal(world.enabled, 0);
	for (; world.enabled < count; world.enabled++)
		world.fds[world.enabled] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	*fds = world.fds;
	return true;
}

bool mp_vfio_irq_disable(struct mp_vfio *vfio G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
	while (world.enabled)
		close(world.fds[--world.enabled]);
	return true;
}

bool mp_vfio_irq_unmask_intx(
	struct mp_vfio *vfio G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
	return true;
}

static bool signal_vector(unsigned n)
{
	const uint64_t one = 1;

	return write(world.fds[n], &one, sizeof(one)) == sizeof(one);
}

bool mp_vfio_irq_loopback(
	struct mp_vfio *vfio G_GNUC_UNUSED, unsigned n, GError **error G_GNUC_UNUSED)
{
	return world.lie == LOSES_LOOPBACK || signal_vector(n);
}

bool mp_vfio_can_reset(const struct mp_vfio *vfio G_GNUC_UNUSED)
{
	return false;
}

bool mp_vfio_reset(struct mp_vfio *vfio G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
	return false;
}

void mp_vfio_panic(void)
{
	world.master = false;
}

/* --- the kernel's log --- */

struct mp_klog {
	int unused;
};
static struct mp_klog the_log;

struct mp_klog *mp_klog_open(GError **error G_GNUC_UNUSED)
{
	return &the_log;
}

void mp_klog_close(struct mp_klog *klog G_GNUC_UNUSED)
{
}

bool mp_klog_read(struct mp_klog *klog G_GNUC_UNUSED, unsigned milliseconds,
	mp_klog_match match G_GNUC_UNUSED, void *user G_GNUC_UNUSED, GString *text,
	bool *lost, GError **error G_GNUC_UNUSED)
{
	if (world.lie == WRITES_UNASKED && milliseconds > 1000)
		for (unsigned i = 0; i < MAPPINGS; i++)
			if (world.mappings[i].live && world.mappings[i].iova == DATA)
				world.mappings[i].memory[7] ^= 1;
	*lost = *lost || (world.lie == IS_OVERWRITTEN && world.log->len);
	if (world.lie != IS_OVERWRITTEN)
		g_string_append_len(text, world.log->str, (gssize)world.log->len);
	g_string_truncate(world.log, 0);
	return true;
}

static void log_fault(bool write, uint64_t iova)
{
	if (world.lie == IS_SUPPRESSED)
		g_string_append(world.log, "dmar_fault: 8 callbacks suppressed\n");
	else if (world.lie != IS_NOT_LOGGED)
		g_string_append_printf(world.log,
			"DMAR: [DMA %s NO_PASID] Request device [%s] fault addr 0x%" PRIx64
			" [fault reason 0x%s] PTE\n",
			write ? "Write" : "Read",
			world.lie == IS_LOGGED_AS_ANOTHER ? "01:00.1" : "01:00.0",
			(iova & ~(uint64_t)0xfff) +
				(world.lie == IS_LOGGED_ELSEWHERE ? PAGE : 0),
			write ? "05" : "06");
}

/* --- the device --- */

static uint8_t *translate(uint64_t iova, unsigned access)
{
	bool ghosts = world.lie == IGNORES_UNMAPPING;

	for (int ghost = 0; ghost <= (ghosts ? 1 : 0); ghost++)
		for (unsigned i = 0; i < MAPPINGS; i++) {
			if (world.mappings[i].live == !!ghost ||
				iova < world.mappings[i].iova ||
				iova - world.mappings[i].iova >= world.mappings[i].size)
				continue;
			if (world.mappings[i].access & access ||
				world.lie == IGNORES_READ_ONLY)
				return world.mappings[i].memory +
				       (iova - world.mappings[i].iova);
		}
	return NULL;
}

static uint64_t emitted(uint64_t iova)
{
	return world.bits < 64 ? iova & ((UINT64_C(1) << world.bits) - 1) : iova;
}

static void access_memory(uint64_t wanted, size_t size, bool write)
{
	uint64_t iova = emitted(wanted);
	uint8_t *at = NULL;

	if (!world.master && world.lie != IGNORES_BUS_MASTER)
		return;
	for (size_t i = 0; i < size; i++) {
		if (world.lie == WRAPS_IN_PAGES && at)
			at = ((uintptr_t)at + 1) % PAGE ? at + 1 : at + 1 - PAGE;
		else
			at = translate(iova + i, write ? MP_VFIO_WRITE : MP_VFIO_READ);
		if (!at) {
			log_fault(write, iova + i);
			return;
		}
		if (write)
			*at = world.buffer[i];
		else
			world.buffer[i] = *at;
	}
}

static bool fake_probe(struct mp_vfio *vfio G_GNUC_UNUSED,
	const struct mp_host *host G_GNUC_UNUSED,
	const struct mp_pci *device G_GNUC_UNUSED, bool force G_GNUC_UNUSED,
	GError **error G_GNUC_UNUSED)
{
	return true;
}

static void fake_limits(const void *state G_GNUC_UNUSED, struct mp_engine_limits *limits)
{
	*limits = (struct mp_engine_limits){
		.transfer_max = PAGE,
		.transfer_align = 1,
		.address_bits = 64,
		.address_bits_unsure = world.unsure,
		.scratch = PAGE,
		.timeout_ms = 100,
		.reads_any = true,
		.writes_any = true,
		.irq_per_vector = true,
		.programmed_irq = true,
	};
}

static bool fake_init(struct mp_vfio *vfio, const struct mp_engine_scratch *scratch,
	void **state, GError **error G_GNUC_UNUSED)
{
	assert_true(world.master && scratch->memory && vfio == &the_device);
	*state = &world;
	return true;
}

static enum mp_engine_result fake_read(void *state G_GNUC_UNUSED, uint64_t iova,
	size_t size, GError **error G_GNUC_UNUSED)
{
	if (world.lie == HANGS)
		return MP_ENGINE_TIMEOUT;
	access_memory(iova, size, false);
	if (world.raise_signal)
		raise(world.raise_signal);
	return MP_ENGINE_OK;
}

static enum mp_engine_result fake_write(void *state G_GNUC_UNUSED, uint64_t iova,
	size_t size, GError **error G_GNUC_UNUSED)
{
	if (world.lie == WRITES_NOTHING)
		return MP_ENGINE_OK;
	if (world.lie == FLIPS_A_BIT)
		world.buffer[size / 2] ^= 0x10;
	access_memory(iova, size + (world.lie == WRITES_TOO_MUCH), true);
	return MP_ENGINE_OK;
}

static bool fake_raise(
	void *state G_GNUC_UNUSED, unsigned n, GError **error G_GNUC_UNUSED)
{
	if (world.lie == RAISES_NOTHING)
		return true;
	if (world.lie == RAISES_TWO)
		signal_vector((n + 1) % world.enabled);
	return signal_vector(world.lie == RAISES_ANOTHER ? (n + 1) % world.enabled : n);
}

static bool fake_message(void *state G_GNUC_UNUSED, uint64_t address, uint32_t data,
	GError **error G_GNUC_UNUSED)
{
	assert_int_equal(address, MESSAGE);
	return world.lie == SENDS_ANOTHER_MESSAGE || signal_vector(data - 0x20);
}

static bool fake_abort(void *state G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
	return false;
}

static void fake_quiesce(void *state G_GNUC_UNUSED)
{
	world.quiesced++;
}

static const struct mp_engine fake_engine = {
	.name = "fake",
	.probe = fake_probe,
	.limits = fake_limits,
	.init = fake_init,
	.read_host = fake_read,
	.write_host = fake_write,
	.raise_irq = fake_raise,
	.send_message = fake_message,
	.abort = fake_abort,
	.quiesce = fake_quiesce,
};

/* --- runs --- */

static char *sysfs;

static GPtrArray *run_with(
	const char *glob, unsigned rounds, bool isolation, GError **error)
{
	const struct mp_selftest_options options = {
		.cases = glob,
		.rounds = rounds,
		.bytes = 3 * PAGE + 5,
		.isolation = isolation,
	};
	const struct mp_pci device = {
		.bdf = "0000:01:00.0", .dir = sysfs + 1, .bus = 1
	};
	GPtrArray *results =
		g_ptr_array_new_with_free_func((GDestroyNotify)mp_case_result_free);

	world.quiesced = world.closed = 0;
	world.dead = false;
	if (!world.bits)
		world.bits = 64;
	memset(world.mappings, 0, sizeof(world.mappings));
	world.log = g_string_new(NULL);
	if (!mp_selftest_run(
		    NULL, &device, &fake_engine, &options, NULL, NULL, results, error))
		assert_true(error && *error);
	g_string_free(world.log, TRUE);
	/* On every way out. */
	assert_int_equal(world.quiesced, 1);
	assert_int_equal(world.closed, 1);
	assert_int_equal(world.enabled, 0);
	assert_false(world.master);
	/* The scratch goes with the container. */
	assert_int_equal(live_mappings(), 1);
	return results;
}

static const struct mp_case_result *only(GPtrArray *results)
{
	assert_int_equal(results->len, 1);
	return results->pdata[0];
}

/* Names of the cases that failed, each with a blank behind. */
static char *failures(enum lie lie, const char *glob)
{
	g_autoptr(GString) names = g_string_new(NULL);
	g_autoptr(GPtrArray) results = NULL;

	world.lie = lie;
	results = run_with(glob, 1, true, NULL);
	for (guint i = 0; i < results->len; i++) {
		const struct mp_case_result *result = results->pdata[i];

		assert_non_null(result->summary);
		if (result->verdict == MP_CASE_FAIL)
			g_string_append_printf(names, "%s ", result->name);
	}
	world.lie = HONEST;
	return g_string_free(g_steal_pointer(&names), FALSE);
}

static void assert_fails(enum lie lie, const char *glob, const char *expected)
{
	g_autofree char *names = failures(lie, glob);

	assert_string_equal(names, expected);
}

static void test_honest(void **state G_GNUC_UNUSED)
{
	g_autoptr(GPtrArray) results = run_with(NULL, 2, true, NULL);
	size_t count;

	mp_cases_all(&count);
	assert_int_equal(results->len, 2 * count);
	for (guint i = 0; i < results->len; i++) {
		const struct mp_case_result *result = results->pdata[i];

		if (result->verdict != MP_CASE_PASS)
			fail_msg("%s: %s", result->name, result->summary);
		assert_int_equal(result->round, i < count ? 1 : 2);
	}
}

static void test_data(void **state G_GNUC_UNUSED)
{
	assert_fails(WRITES_NOTHING, "dma-*",
		"dma-read dma-write dma-patterns dma-iova-low dma-iova-above-4g "
		"dma-iova-forum dma-iova-top dma-scattered ");
	assert_fails(FLIPS_A_BIT, "dma-*",
		"dma-read dma-write dma-patterns dma-iova-low dma-iova-above-4g "
		"dma-iova-forum dma-iova-top dma-scattered ");
	assert_fails(WRITES_TOO_MUCH, "dma-write", "dma-write ");
	assert_fails(WRITES_TOO_MUCH, "dma-patterns", "dma-patterns ");
	assert_fails(WRAPS_IN_PAGES, "dma-scattered", "dma-scattered ");
}

static void test_addresses(void **state G_GNUC_UNUSED)
{
	g_autoptr(GPtrArray) results = NULL;

	/* An engine that says 64 and has a device of 32 bits. */
	world.bits = 32;
	assert_fails(
		HONEST, "dma-iova-*", "dma-iova-above-4g dma-iova-forum dma-iova-top ");
	/* One that says that it does not know: found out, and skipped. */
	world.unsure = true;
	results = run_with("dma-iova-*", 1, true, NULL);
	assert_int_equal(results->len, 4);
	for (guint i = 0; i < 4; i++) {
		const struct mp_case_result *result = results->pdata[i];

		assert_int_equal(
			result->verdict, i == 1 || i == 2 ? MP_CASE_SKIP : MP_CASE_PASS);
		if (i == 1)
			assert_string_equal(result->summary,
				"the device emits 32 address bits, and IOVA 0x100000fff "
				"needs more");
		if (i == 3)
			assert_non_null(strstr(result->summary, "0xfffff000"));
	}
	world.bits = 64;
	assert_fails(HONEST, "dma-iova-*", "");
	world.unsure = false;
}

static void test_interrupts(void **state G_GNUC_UNUSED)
{
	assert_fails(RAISES_NOTHING, "irq-*", "irq-intx irq-msi irq-msix ");
	assert_fails(RAISES_ANOTHER, "irq-msi*", "irq-msi irq-msix ");
	assert_fails(RAISES_TWO, "irq-*", "irq-intx irq-msi irq-msix ");
	assert_fails(LOSES_LOOPBACK, "irq-*", "irq-loopback ");
	assert_fails(SENDS_ANOTHER_MESSAGE, "irq-*", "irq-message ");
}

static void says(enum lie lie, const char *glob, const char *part)
{
	g_autoptr(GPtrArray) results = NULL;
	const struct mp_case_result *result;

	world.lie = lie;
	results = run_with(glob, 1, true, NULL);
	world.lie = HONEST;
	result = only(results);
	if (result->verdict != MP_CASE_FAIL || !strstr(result->summary, part))
		fail_msg("'%s' lacks '%s'", result->summary, part);
}

static void test_isolation(void **state G_GNUC_UNUSED)
{
	says(IGNORES_UNMAPPING, "isolation-write-unmapped",
		"was not refused: memory changed");
	says(IGNORES_READ_ONLY, "isolation-write-readonly",
		"was not refused: memory changed");
	says(IGNORES_UNMAPPING, "isolation-read-unmapped",
		"the device holds what is in memory");
	says(IS_NOT_LOGGED, "isolation-write-unmapped", "was not refused, or not logged");
	says(IS_NOT_LOGGED, "isolation-write-readonly", "was not refused, or not logged");
	says(IS_NOT_LOGGED, "isolation-read-unmapped", "was not refused, or not logged");
	says(IS_LOGGED_AS_ANOTHER, "isolation-write-unmapped", "not logged");
	says(IS_LOGGED_ELSEWHERE, "isolation-write-unmapped", "other fault");
	says(IS_SUPPRESSED, "isolation-write-unmapped", "callbacks suppressed");
	says(IS_OVERWRITTEN, "isolation-read-unmapped", "were overwritten");
	says(WRITES_NOTHING, "isolation-write-unmapped", "nothing was written at all");
	says(IGNORES_BUS_MASTER, "isolation-teardown", "went on without bus mastering");
	says(WRITES_UNASKED, "quiet", "unasked");
}

static void test_no_isolation(void **state G_GNUC_UNUSED)
{
	g_autoptr(GPtrArray) results = run_with("isolation-*", 1, false, NULL);

	assert_int_equal(results->len, 0);
}

/* A device that does not come back ends the run; what it was is told. */
static void test_dead(void **state G_GNUC_UNUSED)
{
	g_autoptr(GPtrArray) results = NULL;

	world.lie = HANGS;
	results = run_with(NULL, 3, true, NULL);
	world.lie = HONEST;
	assert_int_equal(only(results)->verdict, MP_CASE_FAIL);
	assert_non_null(strstr(only(results)->summary, "did not end in time"));
}

static void test_signal(void **state G_GNUC_UNUSED)
{
	g_autoptr(GPtrArray) results = NULL;
	g_autoptr(GError) error = NULL;

	world.raise_signal = SIGTERM;
	results = run_with(NULL, 1, true, &error);
	world.raise_signal = 0;
	assert_int_equal(results->len, 0);
	assert_string_equal(error->message, "interrupted; the device was quieted");
}

/* Configuration space with MSI on: four vectors from 0x20 on. */
static int make_sysfs(void **state G_GNUC_UNUSED)
{
	g_autofree char *path = NULL;
	char config[256] = { 0 };
	const uint32_t address = MESSAGE;

	sysfs = g_dir_make_tmp("metis-selftest-XXXXXX", NULL);
	path = g_build_filename(sysfs, "config", NULL);
	config[0x34] = 0x40;
	config[0x40] = 0x01; /* power management, in front */
	config[0x41] = 0x50;
	config[0x50] = 0x05;
	config[0x52] = (char)0x81;
	memcpy(config + 0x54, &address, sizeof(address));
	config[0x5c] = 0x20;
	return g_file_set_contents(path, config, sizeof(config), NULL) ? 0 : -1;
}

static int remove_sysfs(void **state G_GNUC_UNUSED)
{
	g_autofree char *path = g_build_filename(sysfs, "config", NULL);

	unlink(path);
	rmdir(sysfs);
	g_free(sysfs);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_honest),
		cmocka_unit_test(test_data),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_interrupts),
		cmocka_unit_test(test_isolation),
		cmocka_unit_test(test_no_isolation),
		cmocka_unit_test(test_dead),
		cmocka_unit_test(test_signal),
	};

	return cmocka_run_group_tests(tests, make_sysfs, remove_sysfs);
}
