/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/finding.h"
#include "core/iommu.h"
#include "core/klog.h"
#include "core/pci.h"
#include "core/platform.h"
#include "selftest-world.h"

struct world world;
static char *sysfs;

/* --- VFIO --- */

struct mp_vfio {
	int unused;
};
static struct mp_vfio the_device;

struct mp_vfio *mp_vfio_open(const struct mp_host *host G_GNUC_UNUSED,
	const struct mp_pci *device G_GNUC_UNUSED, enum mp_vfio_wish wish G_GNUC_UNUSED,
	GError **error G_GNUC_UNUSED)
{
	return &the_device;
}

const char *mp_vfio_way_name(const struct mp_vfio *vfio G_GNUC_UNUSED)
{
	return "group";
}

bool mp_vfio_quiet(struct mp_vfio *vfio G_GNUC_UNUSED, GError **error)
{
	world.quieted++;
	world.master = false;
	if (world.loud)
		g_set_error(error, MP_ERROR, MP_ERROR_IO, "0000:01:00.0: is not quiet");
	return !world.loud;
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

static void close_triggers(void)
{
	while (world.had)
		close(world.triggers[--world.had]);
}

bool mp_vfio_irq_enable(struct mp_vfio *vfio G_GNUC_UNUSED, enum mp_vfio_irq irq,
	unsigned count, const int **fds, GError **error G_GNUC_UNUSED)
{
	assert_true(count <= mp_vfio_irq_count(vfio, irq));
	assert_int_equal(world.enabled, 0);
	close_triggers();
	for (; world.enabled < count; world.enabled++) {
		world.fds[world.enabled] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		world.triggers[world.enabled] = dup(world.fds[world.enabled]);
	}
	world.had = count;
	world.told = false;
	*fds = world.fds;
	return true;
}

bool mp_vfio_irq_disable(struct mp_vfio *vfio G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
	while (world.enabled)
		close(world.fds[--world.enabled]);
	if (world.lie != KEEPS_VECTORS)
		close_triggers();
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

	assert_true(n < world.had);
	return write(world.triggers[n], &one, sizeof(one)) == sizeof(one);
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

bool mp_vfio_gone(void *address G_GNUC_UNUSED)
{
	return false;
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

static void G_GNUC_PRINTF(1, 2) log_line(const char *format, ...)
{
	va_list args;

	if (world.lie == IS_NOT_LOGGED)
		return;
	if (world.lie == IS_SUPPRESSED) {
		g_string_append(world.log, "dmar_fault: 8 callbacks suppressed\n");
		return;
	}
	va_start(args, format);
	g_string_append_vprintf(world.log, format, args);
	va_end(args);
}

static const char *source(void)
{
	if (world.lie == IS_LOGGED_AS_NOBODY)
		return "ff:1f.7";
	return world.lie == IS_LOGGED_AS_ANOTHER ? "01:00.1" : "01:00.0";
}

static void log_fault(bool write, uint64_t iova)
{
	uint64_t address =
		(iova & ~(uint64_t)0xfff) + (world.lie == IS_LOGGED_ELSEWHERE ? PAGE : 0);

	if (world.amd)
		log_line(
			"vfio-pci 0000:%s: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x0021 "
			"address=0x%" PRIx64 " flags=0x00%s]\n",
			source(), address, write ? "20" : "00");
	else
		log_line(
			"DMAR: [DMA %s NO_PASID] Request device [%s] fault addr 0x%" PRIx64
			" [fault reason 0x%s] PTE\n",
			write ? "Write" : "Read", source(), address, write ? "05" : "06");
}

static void log_message(uint32_t index, unsigned reason)
{
	const char *requester = world.anonymous ? "ff:1f.7" : source();

	if (world.amd)
		log_line(
			"vfio-pci 0000:%s: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x0000 "
			"address=0xfffffffdf8000000 flags=0x0008]\n",
			requester);
	else
		log_line("DMAR: [INTR-REMAP] Request device [%s] fault index 0x%x [fault "
			 "reason 0x%02x] x\n",
			requester, world.lie == NAMES_ANOTHER_INDEX ? index + 1 : index,
			reason);
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
		.anonymous_messages = world.anonymous,
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
	world.reads++;
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

static bool fake_irqs_on(void *state G_GNUC_UNUSED, GError **error)
{
	assert_true(world.enabled && !world.told);
	world.told = world.lie != BALKS_AT_VECTORS;
	if (!world.told)
		g_set_error(error, MP_ERROR, MP_ERROR_IO, "it balks");
	return world.told;
}

static bool fake_raise(
	void *state G_GNUC_UNUSED, unsigned n, GError **error G_GNUC_UNUSED)
{
	assert_true(world.told);
	if (world.lie == RAISES_NOTHING)
		return true;
	if (world.lie == RAISES_TWO)
		signal_vector((n + 1) % world.enabled);
	return signal_vector(world.lie == RAISES_ANOTHER ? (n + 1) % world.enabled : n);
}

static bool send_compat(void)
{
	if (world.lie == LETS_COMPAT_THROUGH)
		log_line("Spurious interrupt (vector 0xef) on CPU#0. Acked\n");
	else if (world.lie == DELIVERS_COMPAT)
		signal_vector(0);
	else
		log_message(0x8200, world.lie == BLOCKS_FOR_ANOTHER ? 0x20 : 0x25);
	return true;
}

static bool fake_message(void *state G_GNUC_UNUSED, uint64_t address, uint32_t data,
	GError **error G_GNUC_UNUSED)
{
	uint8_t *memory = translate(address, MP_VFIO_WRITE);

	if (world.lie == SENDS_NO_MESSAGE)
		return true;
	if (memory)
		memcpy(memory, &data, sizeof(data));
	if (memory)
		return true;
	if (address == 0xfee00000 && data == 0xef)
		return send_compat();
	assert_int_equal(address, world.amd ? 0xfee00000u : MESSAGE);
	if (world.had) {
		world.messages++;
		return world.lie == SENDS_ANOTHER_MESSAGE || signal_vector(data);
	}
	log_message(INDEX + data, world.lie == GAVE_ENTRY_AWAY      ? 0x26
				  : world.lie == BLOCKS_FOR_ANOTHER ? 0x23
								    : 0x22);
	return true;
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
	.irqs_on = fake_irqs_on,
	.raise_irq = fake_raise,
	.send_message = fake_message,
	.abort = fake_abort,
	.quiesce = fake_quiesce,
};

/* --- runs --- */

static struct mp_host *make_host(void)
{
	struct mp_host *host = mp_host_new("/", true);
	struct mp_iommu_unit *unit = mp_host_alloc(host, sizeof(*unit));

	host->platform = mp_host_alloc(host, sizeof(*host->platform));
	host->platform->kernel_release =
		world.kernel ? mp_fact_known(host, "uname", world.kernel)
			     : mp_fact_unknown(host, "uname", "no idea");
	if (world.guest)
		host->platform->hypervisor = mp_fact_known(host, "cpuinfo", "yes");
	host->iommu = mp_host_alloc(host, sizeof(*host->iommu));
	host->iommu->units = mp_host_array(host);
	unit->name = world.amd ? "ivhd0" : "dmar0";
	unit->kind = world.amd ? MP_IOMMU_AMD : MP_IOMMU_INTEL;
	unit->cap = mp_fact_known(host, "cap", "8d2078c106f0466");
	g_ptr_array_add(host->iommu->units, unit);
	return host;
}

/* Configuration space with MSI on, behind another capability. */
static void write_config(void)
{
	g_autofree char *path = g_build_filename(sysfs, "config", NULL);
	const uint32_t address = world.plain || world.amd ? 0xfee00000u : MESSAGE;
	char config[256] = { 0 };

	config[0x34] = 0x40;
	config[0x40] = 0x01; /* power management */
	config[0x41] = 0x50;
	config[0x50] = 0x05;
	config[0x52] = (char)0x81;
	memcpy(config + 0x54, &address, sizeof(address));
	assert_true(g_file_set_contents(path, config, sizeof(config), NULL));
}

GPtrArray *world_run(const char *glob, unsigned rounds, bool isolation, GError **error)
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
	g_autoptr(mp_host) host = make_host();
	const char *way = NULL;

	write_config();
	world.reads = world.quiesced = world.quieted = world.closed = 0;
	world.dead = false;
	if (!world.bits)
		world.bits = 64;
	memset(world.mappings, 0, sizeof(world.mappings));
	world.log = g_string_new(NULL);
	if (!mp_selftest_run(host, &device, &fake_engine, &options, NULL, NULL, results,
		    &way, error))
		assert_true(error && *error);
	assert_string_equal(way, "group");
	g_string_free(world.log, TRUE);
	/* On every way out. */
	assert_int_equal(world.quiesced, 1);
	assert_int_equal(world.quieted, 1);
	assert_int_equal(world.closed, 1);
	assert_int_equal(world.enabled, 0);
	close_triggers();
	assert_false(world.master);
	/* The scratch goes with the container. */
	assert_int_equal(live_mappings(), 1);
	return results;
}

const struct mp_case_result *world_only(GPtrArray *results)
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
	results = world_run(glob, 1, true, NULL);
	for (guint i = 0; i < results->len; i++) {
		const struct mp_case_result *result = results->pdata[i];

		assert_non_null(result->summary);
		if (result->verdict == MP_CASE_FAIL)
			g_string_append_printf(names, "%s ", result->name);
	}
	world.lie = HONEST;
	return g_string_free(g_steal_pointer(&names), FALSE);
}

void world_assert_fails(enum lie lie, const char *glob, const char *expected)
{
	g_autofree char *names = failures(lie, glob);

	assert_string_equal(names, expected);
}

void world_assert_says(
	enum lie lie, const char *glob, enum mp_case_verdict verdict, const char *part)
{
	g_autoptr(GPtrArray) results = NULL;
	const struct mp_case_result *result;

	world.lie = lie;
	results = world_run(glob, 1, true, NULL);
	world.lie = HONEST;
	result = world_only(results);
	if (result->verdict != verdict || !strstr(result->summary, part))
		fail_msg("%d: '%s' lacks '%s'", (int)result->verdict, result->summary,
			part);
}

int world_reset(void **state G_GNUC_UNUSED)
{
	memset(&world, 0, sizeof(world));
	world.kernel = "6.8.12-1-pve";
	return 0;
}

int world_set_up(void **state)
{
	sysfs = g_dir_make_tmp("metis-selftest-XXXXXX", NULL);
	return sysfs ? world_reset(state) : -1;
}

int world_tear_down(void **state G_GNUC_UNUSED)
{
	g_autofree char *path = g_build_filename(sysfs, "config", NULL);

	unlink(path);
	rmdir(sysfs);
	g_free(sysfs);
	return 0;
}
