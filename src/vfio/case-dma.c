/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Data arrives, all of it, and nothing else changes. */
#include "config.h"

#include <string.h>

#include "vfio/case.h"

#define WINDOW_MAX (1024u * 1024) /* memory for any --bytes: what is moved through */
#define SMALL      64

static bool echoes(const struct mp_selftest *test)
{
	return test->limits.reads_any && test->limits.writes_any;
}

/* The device reads FROM and writes TO, which has margins around; in steps of its limit. */
struct path {
	struct mp_buffer *from, *to;
	size_t offset; /* in both */
};

/* What a transfer leaves in none of its bytes: a random one may be that of a guard. */
static void invert(const struct path *path, size_t size)
{
	for (size_t i = 0; i < size; i++)
		path->to->memory[path->offset + i] =
			(uint8_t)~path->from->memory[path->offset + i];
}

static bool is_inverted(const struct path *path, size_t size)
{
	const volatile uint8_t *to = path->to->memory + path->offset;

	for (size_t i = 0; i < size; i++)
		if ((to[i] ^ path->from->memory[path->offset + i]) != 0xff)
			return false;
	return true;
}

/* Nothing of the verdict is the device's: what left FROM has to be in TO, and only there. */
static bool carry(struct mp_selftest *test, struct mp_case_result *result,
	const struct path *path, size_t size)
{
	size_t most = mp_test_size(test, size);
	size_t where;

	mp_buffer_guard(path->to);
	invert(path, size);
	for (size_t at = 0; at < size; at += MIN(most, size - at)) {
		size_t step = MIN(most, size - at);

		/* Looking at all of it would take longer than the transfers. */
		if (!mp_test_transfer(test, result, MP_DEVICE_READS,
			    MP_IOVA_FROM + path->offset + at, step) ||
			(!at && !mp_test_has_read(test, result,
					path->from->memory + path->offset, step)) ||
			!mp_test_transfer(test, result, MP_DEVICE_WRITES,
				MP_IOVA_TO + path->offset + at, step))
			return false;
	}
	if (is_inverted(path, size) &&
		mp_buffer_guarded(path->to, 0, path->offset, &where) &&
		mp_buffer_guarded(
			path->to, path->offset + size, path->to->size, &where)) {
		mp_case_fail(result,
			"Its transfers are dropped without a word: by the card, or by bus "
			"mastering that something takes away.",
			"the device says that it wrote %zu bytes at IOVA 0x%zx, and the memory "
			"is unchanged",
			size, MP_IOVA_TO + path->offset);
		return false;
	}
	if (!mp_memory_same(path->from->memory + path->offset,
		    path->to->memory + path->offset, size, &where)) {
		mp_case_fail(result,
			"The card, its slot or its cooling may be at fault: data is lost "
			"or changed on the way.",
			"of %zu bytes, byte %zu arrived as 0x%02x instead of 0x%02x",
			size, where, path->to->memory[path->offset + where],
			path->from->memory[path->offset + where]);
		return false;
	}
	if (mp_buffer_guarded(path->to, 0, path->offset, &where) &&
		mp_buffer_guarded(path->to, path->offset + size, path->to->size, &where))
		return true;
	mp_case_fail(result,
		"The device writes where it was not told to. In a VM it would destroy memory "
		"of the guest.",
		"the device was to write %zu bytes, and changed a byte %zu %s them too",
		size,
		where < path->offset ? path->offset - where
				     : where - (path->offset + size) + 1,
		where < path->offset ? "before" : "behind");
	return false;
}

/* Maps FROM for reading and TO for writing, runs DO, takes them away. */
static void with_path(struct mp_selftest *test, struct mp_case_result *result,
	size_t size,
	void (*run)(struct mp_selftest *test, struct mp_case_result *result,
		const struct path *path))
{
	size_t margin = test->page;
	g_autoptr(mp_buffer) from = mp_test_buffer(test, result, size + 2 * margin);
	g_autoptr(mp_buffer) to = mp_test_buffer(test, result, size + 2 * margin);
	const struct path path = { from, to, margin };

	if (!from || !to || !mp_test_map(test, result, from, MP_IOVA_FROM, MP_VFIO_READ))
		return;
	/* Not write-only: a page table entry of Intel's that may be written may be read. */
	if (mp_test_map(test, result, to, MP_IOVA_TO, MP_VFIO_WRITE)) {
		run(test, result, &path);
		mp_test_unmap(test, result, MP_IOVA_TO, to->size);
	}
	mp_test_unmap(test, result, MP_IOVA_FROM, from->size);
}

/* By itself: whether the device can write too, is another question. */
static void judge_read(struct mp_selftest *test, struct mp_case_result *result,
	const uint8_t *data, size_t size)
{
	size_t read = test->limits.read_size ? test->limits.read_size : size;

	if (!test->engine->check_read)
		mp_case_pass(result,
			"the device read %zu bytes of the host (by its own word: it keeps "
			"them for itself)",
			read);
	else if (mp_test_has_read(test, result, data, size))
		mp_case_pass(result,
			"the device read %zu bytes of the host, and tells what they were",
			read);
}

static void read_once(
	struct mp_selftest *test, struct mp_case_result *result, const struct path *path)
{
	size_t size = mp_test_size(test, test->page);

	mp_pattern_fill(
		path->from->memory + path->offset, size, MP_PATTERN_RANDOM, test->seed++);
	if (test->engine->check_read || !echoes(test)) {
		if (mp_test_transfer(test, result, MP_DEVICE_READS,
			    MP_IOVA_FROM + path->offset, size))
			judge_read(test, result, path->from->memory + path->offset, size);
	} else if (carry(test, result, path, size)) {
		mp_case_pass(result,
			"the device read %zu bytes of the host, and wrote the same elsewhere",
			size);
	}
}

static bool run_read(struct mp_selftest *test, struct mp_case_result *result)
{
	if (!test->engine->read_host)
		mp_case_skip(result, "the engine cannot have the device read on its own");
	else if (test->limits.cannot_read)
		mp_case_skip(result, "this device knows no harmless way to read");
	else
		with_path(test, result, test->page, read_once);
	return mp_test_goes_on(test);
}

static bool run_write(struct mp_selftest *test, struct mp_case_result *result)
{
	size_t size = mp_test_size(test, SMALL);
	g_autoptr(mp_buffer) buffer = mp_test_buffer(test, result, size + 2 * test->page);

	if (!buffer || !mp_test_map(test, result, buffer, MP_IOVA_TO,
			       MP_VFIO_READ | MP_VFIO_WRITE))
		return mp_test_goes_on(test);
	/* More than once, for the figures. */
	bool fine = true;

	for (unsigned i = 0; fine && i < 3; i++)
		fine = mp_test_round_trip(
			test, result, buffer, MP_IOVA_TO, test->page, size);
	mp_test_unmap(test, result, MP_IOVA_TO, buffer->size);
	if (fine)
		mp_case_pass(result,
			"the device wrote %zu bytes into the host where it was told to, and "
			"nothing around them",
			size);
	return mp_test_goes_on(test);
}

/* TOTAL bytes through a window of the memory that there is. */
static bool carry_all(struct mp_selftest *test, struct mp_case_result *result,
	const struct path *path, enum mp_pattern pattern, size_t total)
{
	size_t window = path->from->size - 2 * path->offset;

	for (size_t done = 0; done < total;) {
		size_t size = MIN(window, total - done);

		mp_pattern_fill(
			path->from->memory + path->offset, size, pattern, test->seed++);
		if (!carry(test, result, path, size)) {
			mp_case_evidence(
				result, "pattern", "%s", mp_pattern_name(pattern));
			return false;
		}
		done += size;
	}
	return true;
}

static size_t whole_units(const struct mp_selftest *test, size_t size)
{
	size_t align = MAX(test->limits.transfer_align, 1);

	return MAX(size / align * align, align);
}

static void carry_patterns(
	struct mp_selftest *test, struct mp_case_result *result, const struct path *path)
{
	const size_t bytes = whole_units(test, test->options->bytes);
	/* One page less a bit, and a bit more: where counters and page lists go wrong. */
	const size_t sizes[] = { 1, 3, SMALL - 1, test->page - 1, test->page + 1 };
	struct path shifted = *path;

	/* Off the page's start, where the device can. */
	if (test->limits.transfer_align <= 1)
		shifted.offset += 37;
	for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
		size_t size = whole_units(test, sizes[i]);

		if (size < bytes &&
			!carry_all(test, result, &shifted, MP_PATTERN_RANDOM, size))
			return;
	}
	for (int pattern = 0; pattern < MP_PATTERNS; pattern++)
		if (!carry_all(test, result, path, (enum mp_pattern)pattern, bytes))
			return;
	mp_case_pass(result,
		"all patterns of 1 to %zu bytes arrived unchanged, and nothing around them "
		"was touched",
		bytes);
}

static bool run_patterns(struct mp_selftest *test, struct mp_case_result *result)
{
	size_t window = MIN(MAX(test->options->bytes, 2 * test->page), WINDOW_MAX);

	if (!echoes(test))
		mp_case_skip(result, "the device decides itself what it writes");
	else
		with_path(test, result, window, carry_patterns);
	return mp_test_goes_on(test);
}

const struct mp_case mp_case_dma_read = {
	.name = "dma-read",
	.title = "the device reads memory of the host",
	.run = run_read,
};

const struct mp_case mp_case_dma_write = {
	.name = "dma-write",
	.title = "the device writes memory of the host, where it was told to",
	.run = run_write,
};

const struct mp_case mp_case_dma_patterns = {
	.name = "dma-patterns",
	.title =
		"data of all patterns and sizes arrives unchanged, and nothing else changes",
	.run = run_patterns,
};
