/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the cases share. */
#include "config.h"

#include <string.h>

#include "core/fault.h"
#include "core/finding.h"
#include "core/pci.h"
#include "vfio/case.h"

#define FAULTS_SHOWN 8

static void set_verdict(struct mp_case_result *result, enum mp_case_verdict verdict,
	const char *format, va_list args)
{
	if (result->summary &&
		!(result->verdict == MP_CASE_PASS && verdict == MP_CASE_FAIL))
		return;
	g_free(result->summary);
	result->verdict = verdict;
	result->summary = g_strdup_vprintf(format, args);
}

void mp_case_pass(struct mp_case_result *result, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	set_verdict(result, MP_CASE_PASS, format, args);
	va_end(args);
}

void mp_case_skip(struct mp_case_result *result, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	set_verdict(result, MP_CASE_SKIP, format, args);
	va_end(args);
}

void mp_case_fail(
	struct mp_case_result *result, const char *remedy, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	set_verdict(result, MP_CASE_FAIL, format, args);
	va_end(args);
	if (remedy && !result->remedy)
		result->remedy = g_strdup(remedy);
}

void mp_case_evidence(
	struct mp_case_result *result, const char *source, const char *format, ...)
{
	struct mp_evidence *evidence = g_new(struct mp_evidence, 1);
	va_list args;

	va_start(args, format);
	evidence->source = g_strdup(source);
	evidence->value = g_strdup_vprintf(format, args);
	va_end(args);
	g_ptr_array_add(result->evidence, evidence);
}

bool mp_test_goes_on(const struct mp_selftest *test)
{
	return !test->dead;
}

struct mp_buffer *mp_test_buffer(
	struct mp_selftest *test, struct mp_case_result *result, size_t size)
{
	g_autoptr(GError) error = NULL;
	struct mp_buffer *buffer = mp_buffer_new(size, test->page, &error);

	if (!buffer)
		mp_case_fail(result, NULL, "%s", error->message);
	return buffer;
}

bool mp_test_map(struct mp_selftest *test, struct mp_case_result *result,
	struct mp_buffer *buffer, uint64_t iova, unsigned access)
{
	g_autoptr(GError) error = NULL;

	if (mp_vfio_map(test->vfio, buffer->memory, iova, buffer->size, access, &error))
		return true;
	mp_case_fail(result, NULL, "%s", error->message);
	return false;
}

bool mp_test_unmap(struct mp_selftest *test, struct mp_case_result *result, uint64_t iova,
	size_t size)
{
	g_autoptr(GError) error = NULL;

	if (mp_vfio_unmap(test->vfio, iova, size, &error))
		return true;
	mp_case_fail(result, NULL, "%s", error->message);
	return false;
}

char *mp_test_unreachable(const struct mp_selftest *test, uint64_t iova, size_t size)
{
	uint64_t last = iova + (size - 1);

	if (test->limits.address_bits < 64 && last >> test->limits.address_bits)
		return g_strdup_printf(
			"the device emits %u address bits, and IOVA 0x%" G_GINT64_MODIFIER
			"x needs more",
			test->limits.address_bits, last);
	if (!mp_vfio_iova_usable(test->vfio, iova, size))
		return g_strdup_printf("the host does not let IOVA 0x%" G_GINT64_MODIFIER
				       "x be used: reserved, or above the width of the "
				       "IOMMU",
			iova);
	return NULL;
}

size_t mp_test_size(const struct mp_selftest *test, size_t wanted)
{
	size_t align = MAX(test->limits.transfer_align, 1);
	size_t size = (wanted + align - 1) / align * align;

	return MAX(MIN(size, test->limits.transfer_max / align * align), align);
}

static const char *const verbs[] = {
	[MP_DEVICE_READS] = "read",
	[MP_DEVICE_WRITES] = "write",
};

static enum mp_engine_result transfer(struct mp_selftest *test,
	enum mp_direction direction, uint64_t iova, size_t size, GError **error)
{
	/* Bus mastering is off by now; whoever pressed Ctrl-C does not wait for the rest. */
	if (mp_selftest_interrupted()) {
		g_set_error(error, MP_ERROR, MP_ERROR_IO, "stopped by a signal");
		return MP_ENGINE_TIMEOUT;
	}
	return direction == MP_DEVICE_READS
		       ? test->engine->read_host(test->state, iova, size, error)
		       : test->engine->write_host(test->state, iova, size, error);
}

/* After a transfer that did not end well. */
void mp_test_come_back(struct mp_selftest *test, struct mp_case_result *result)
{
	g_autoptr(GError) error = NULL;

	if (test->engine->abort && test->engine->abort(test->state, &error))
		return;
	test->dead = true;
	mp_case_fail(result,
		"Nothing more can be tested before the device is reset; a power cycle helps "
		"where no reset does.",
		"the device did not come back after a transfer: %s",
		error ? error->message : "its engine knows no way");
}

bool mp_test_transfer(struct mp_selftest *test, struct mp_case_result *result,
	enum mp_direction direction, uint64_t iova, size_t size)
{
	g_autoptr(GError) error = NULL;
	gint64 start = g_get_monotonic_time();
	enum mp_engine_result got = transfer(test, direction, iova, size, &error);
	uint64_t ns = MAX((uint64_t)(g_get_monotonic_time() - start), 1) * 1000;
	size_t moved = direction == MP_DEVICE_READS && test->limits.read_size
			       ? test->limits.read_size
			       : size;
	uint64_t rate = (uint64_t)moved * 1000000000u / ns;

	if (got == MP_ENGINE_OK) {
		mp_series_add(&test->times, ns);
		mp_series_add(&test->rates, rate);
		result->bytes += moved;
		return true;
	}
	mp_case_fail(result, NULL,
		"the device could not %s %zu bytes at IOVA 0x%" G_GINT64_MODIFIER "x: %s",
		verbs[direction], size, iova,
		error                      ? error->message
		: got == MP_ENGINE_TIMEOUT ? "it did not end in time"
					   : "it reports an error");
	mp_test_come_back(test, result);
	return false;
}

bool mp_test_attempt(struct mp_selftest *test, struct mp_case_result *result,
	enum mp_direction direction, uint64_t iova, size_t size)
{
	g_autoptr(GError) error = NULL;
	enum mp_engine_result got = transfer(test, direction, iova, size, &error);

	mp_case_evidence(result, "device",
		"%s of %zu bytes at 0x%" G_GINT64_MODIFIER "x: %s", verbs[direction],
		size, iova,
		got == MP_ENGINE_OK        ? "says that it is done"
		: error                    ? error->message
		: got == MP_ENGINE_TIMEOUT ? "did not end in time"
					   : "reports an error");
	return got == MP_ENGINE_OK;
}

/* Outside of [offset, offset + size) nothing may have changed. */
static bool margins_hold(struct mp_case_result *result, const struct mp_buffer *buffer,
	uint64_t iova, size_t offset, size_t size)
{
	size_t where;

	if (mp_buffer_guarded(buffer, 0, offset, &where) &&
		mp_buffer_guarded(buffer, offset + size, buffer->size, &where))
		return true;
	mp_case_fail(result,
		"The device writes where it was not told to. In a VM it would destroy memory "
		"of the guest.",
		"the device was to write %zu bytes at IOVA 0x%" G_GINT64_MODIFIER
		"x, and changed the byte at 0x%" G_GINT64_MODIFIER "x too",
		size, iova + offset, iova + where);
	return false;
}

static bool check_written(struct mp_selftest *test, struct mp_case_result *result,
	struct mp_buffer *buffer, uint64_t iova, size_t offset, size_t size)
{
	g_autoptr(GError) error = NULL;
	size_t where;

	if (mp_buffer_guarded(buffer, offset, offset + size, &where)) {
		mp_case_fail(result, NULL,
			"the device says that it wrote %zu bytes at IOVA 0x%" G_GINT64_MODIFIER
			"x, and the memory is unchanged",
			size, iova + offset);
		return false;
	}
	if (!test->engine->check_written ||
		test->engine->check_written(
			test->state, buffer->memory + offset, size, &error))
		return true;
	mp_case_fail(result, NULL,
		"what the device wrote at IOVA 0x%" G_GINT64_MODIFIER
		"x makes no sense: %s",
		iova + offset, error ? error->message : "not what it has to be");
	return false;
}

bool mp_test_has_read(struct mp_selftest *test, struct mp_case_result *result,
	const void *data, size_t size)
{
	g_autoptr(GError) error = NULL;

	if (!test->engine->check_read ||
		test->engine->check_read(test->state, data, size, &error))
		return true;
	mp_case_fail(result, NULL,
		"the device says that it read %zu bytes of the host, and has others: %s",
		test->limits.read_size ? test->limits.read_size : size,
		error ? error->message : "it cannot tell why");
	return false;
}

bool mp_test_round_trip(struct mp_selftest *test, struct mp_case_result *result,
	struct mp_buffer *buffer, uint64_t iova, size_t offset, size_t size)
{
	g_autofree uint8_t *sent = g_malloc(size);
	bool echoes = test->limits.reads_any && test->limits.writes_any;
	size_t where, changed;

	if (echoes) {
		mp_pattern_fill(sent, size, MP_PATTERN_RANDOM, test->seed++);
		memcpy(buffer->memory + offset, sent, size);
		if (!mp_test_transfer(
			    test, result, MP_DEVICE_READS, iova + offset, size) ||
			!mp_test_has_read(test, result, sent, size))
			return false;
	}
	mp_buffer_guard(buffer);
	if (!mp_test_transfer(test, result, MP_DEVICE_WRITES, iova + offset, size) ||
		!margins_hold(result, buffer, iova, offset, size))
		return false;
	if (!echoes)
		return check_written(test, result, buffer, iova, offset, size);
	if (mp_memory_same(buffer->memory + offset, sent, size, &where))
		return true;
	mp_case_fail(result, NULL,
		"the device read %zu bytes at IOVA 0x%" G_GINT64_MODIFIER
		"x and wrote others back: byte %zu was 0x%02x and is 0x%02x%s",
		size, iova + offset, where, sent[where], buffer->memory[offset + where],
		mp_buffer_guarded(buffer, offset, offset + size, &changed)
			? " (nothing was written at all)"
			: "");
	return false;
}

bool mp_test_log(struct mp_selftest *test, struct mp_case_result *result,
	unsigned milliseconds, mp_klog_match match, void *user)
{
	g_autoptr(GError) error = NULL;

	if (mp_klog_read(test->klog, milliseconds, match, user, test->log,
		    &test->log_lost, &error))
		return true;
	mp_case_fail(result, NULL, "%s", error->message);
	return false;
}

unsigned mp_test_faults(const struct mp_selftest *test, struct mp_case_result *result)
{
	g_autoptr(GArray) faults = mp_faults_parse(test->log->str, test->log->len);
	const struct mp_pci *device = test->device;
	unsigned count = 0;

	for (guint i = 0; i < faults->len; i++) {
		const struct mp_fault *fault = &g_array_index(faults, struct mp_fault, i);

		if (!mp_fault_is_of(fault, device->domain, device->bus, device->slot,
			    device->function))
			continue;
		if (++count <= FAULTS_SHOWN)
			mp_case_evidence(result, "kernel log", "%.*s",
				(int)fault->line_length, fault->line);
	}
	if (count > FAULTS_SHOWN)
		mp_case_evidence(result, "kernel log", "and %u more lines like these",
			count - FAULTS_SHOWN);
	return count;
}

/* --- address bits --- */

#define BITS_LEAST 28u /* what every device is taken to have; edu's default */

/*
 * All ones, but for bits 32 and 33: so that what is left of it in a device of 40 bits does
 * not lie in the region at 0xfd00000000 that AMD's HyperTransport keeps.
 */
static uint64_t highest_probe(const struct mp_selftest *test)
{
	size_t count;
	const struct mp_vfio_range *ranges = mp_vfio_ranges(test->vfio, &count);
	uint64_t top;

	if (!count)
		return 0;
	top = ranges[count - 1].end;
	for (unsigned shift = 1; shift < 64; shift <<= 1)
		top |= top >> shift; /* all ones below its highest one */
	if (top != ranges[count - 1].end)
		top >>= 1;
	top &= ~(UINT64_C(3) << 32) & ~(uint64_t)(test->page - 1);
	return mp_vfio_iova_usable(test->vfio, top, test->page) ? top : 0;
}

/*
 * One write to the highest address, with a page of its own at each address that it becomes
 * where high bits are cut off: which page changed tells, and nothing faults.
 */
static bool learn_by_write(
	struct mp_selftest *test, uint64_t top, struct mp_buffer *pages, GError **error)
{
	size_t size = mp_test_size(test, 64);
	uint64_t last = 0;
	unsigned found = 0;
	size_t where;

	for (unsigned bits = BITS_LEAST; bits <= 64; bits++) {
		uint64_t alias = bits < 64 ? top & ((UINT64_C(1) << bits) - 1) : top;

		if (alias == last || !mp_vfio_iova_usable(test->vfio, alias, test->page))
			continue;
		last = alias;
		if (!mp_vfio_map(test->vfio, pages->memory + bits * test->page, alias,
			    test->page, MP_VFIO_READ | MP_VFIO_WRITE, error))
			return false;
	}
	if (test->engine->write_host(test->state, top, size, error) != MP_ENGINE_OK) {
		if (error && !*error)
			g_set_error(error, MP_ERROR, MP_ERROR_IO,
				"%s: cannot find out its address bits: its transfer failed",
				mp_vfio_address(test->vfio));
		return false;
	}
	for (unsigned bits = BITS_LEAST; bits <= 64 && !found; bits++)
		if (!mp_buffer_guarded(
			    pages, bits * test->page, (bits + 1) * test->page, &where))
			found = bits;
	/* Mapped again, the same address has the page of the fewest bits. */
	if (found && (found == 64 || !(top >> found)))
		found = 64;
	test->limits.address_bits = found ? found : BITS_LEAST;
	return true;
}

bool mp_test_learn_bits(struct mp_selftest *test, GError **error)
{
	uint64_t top = test->limits.address_bits_unsure ? highest_probe(test) : 0;
	g_autoptr(mp_buffer) pages = NULL;
	uint64_t last = 0;
	bool learnt;

	if (!test->limits.address_bits_unsure)
		return true;
	if (!top) {
		test->limits.address_bits = BITS_LEAST;
		return true;
	}
	pages = mp_buffer_new(65 * test->page, test->page, error);
	if (!pages)
		return false;
	learnt = learn_by_write(test, top, pages, error);
	for (unsigned bits = BITS_LEAST; bits <= 64; bits++) {
		uint64_t alias = bits < 64 ? top & ((UINT64_C(1) << bits) - 1) : top;

		if (alias == last || !mp_vfio_iova_usable(test->vfio, alias, test->page))
			continue;
		last = alias;
		mp_vfio_unmap(test->vfio, alias, test->page, NULL);
	}
	return learnt;
}
