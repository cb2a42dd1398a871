// SPDX-License-Identifier: GPL-2.0-or-later
/* One transfer: start, wait, look at what came. */
#include <linux/delay.h>
#include <linux/math64.h>
#include <linux/prandom.h>
#include <linux/sched/signal.h>
#include <linux/string.h>

#include "driver.h"

#define GUARD_BYTE 0xc3
#define SPIN_NS	   (50 * NSEC_PER_USEC)

int dmatest_over(struct dmatest *test)
{
	if (READ_ONCE(test->leaving))
		return -ENODEV;
	if (fatal_signal_pending(current))
		return -EINTR;
	return ktime_after(ktime_get(), test->until) ? -ETIMEDOUT : 0;
}

size_t dmatest_size(struct dmatest *test)
{
	size_t size = min_t(size_t, test->bytes, test->transfer_max);

	return size - size % test->transfer_align;
}

void dmatest_fill(void *data, size_t size, enum dmatest_pattern pattern, u32 seed)
{
	struct rnd_state state;
	u8 *bytes = data;
	size_t i;

	switch (pattern) {
	case PATTERN_COUNT_UP:
		/* Bytes of a word tell where it belongs. */
		for (i = 0; i < size; i++)
			bytes[i] = i & 1 ? (i >> 8) ^ seed : i;
		return;
	case PATTERN_RANDOM:
		prandom_seed_state(&state, seed);
		prandom_bytes_state(&state, data, size);
		return;
	case PATTERN_ONES:
		memset(data, 0xff, size);
		return;
	case PATTERN_55:
		memset(data, 0x55, size);
		return;
	case PATTERN_AA:
		memset(data, 0xaa, size);
		return;
	default:
		memset(data, 0, size);
	}
}

void dmatest_sample(struct dmatest *test, u64 ns, size_t bytes)
{
	struct dmatest_series *series = &test->series;

	if (series->count >= DMATEST_SAMPLES)
		return;
	series->ns[series->count] = ns;
	series->rate[series->count] = ns ? div64_u64((u64)bytes * NSEC_PER_SEC, ns) : 0;
	series->count++;
}

int dmatest_poll(struct dmatest *test, const char **why)
{
	ktime_t start = ktime_get();
	ktime_t end = ktime_add_ms(start, test->timeout_ms);

	for (;;) {
		ktime_t now = ktime_get();
		int err;

		/* The time first, so that a busy machine gets its last look. */
		err = test->engine->poll(test, why);
		if (err)
			return err;
		err = dmatest_over(test);
		if (err)
			return err;
		if (ktime_after(now, end))
			return 0;
		if (ktime_to_ns(ktime_sub(now, start)) < SPIN_NS)
			cpu_relax();
		else
			usleep_range(50, 200);
	}
}

int dmatest_recover(struct dmatest *test)
{
	int err = test->engine->abort(test);

	if (!err)
		return 0;
	/* The memory is given back now, so it has to be out of its reach. */
	pci_clear_master(test->pdev);
	if (err == -ENODEV)
		return err;
	test->dead = true;
	return -EIO;
}

int dmatest_move(struct dmatest *test, bool read, dma_addr_t bus, size_t size,
		 struct dmatest_result *result)
{
	const char *why = "it does not say why";
	u64 start = ktime_get_ns();
	int err, recovered;

	err = test->engine->kick(test, read, bus, size, false);
	if (!err)
		err = dmatest_poll(test, &why);
	if (err == 1) {
		dmatest_sample(test, ktime_get_ns() - start, size);
		dmatest_add(result, KEY_BYTES, size);
		return 0;
	}
	if (err && err != -EIO) {
		dmatest_recover(test);
		return err;
	}
	if (err)
		dmatest_fail(
			result,
			"the device reports that its %s of %zu bytes at 0x%llx failed: %s",
			read ? "read" : "write", size, (u64)bus, why);
	else
		dmatest_fail(
			result,
			"the device's %s of %zu bytes at 0x%llx did not end within %u ms",
			read ? "read" : "write", size, (u64)bus, test->timeout_ms);
	recovered = dmatest_recover(test);
	return recovered ? recovered : DMATEST_FAILED;
}

void dmatest_set_guards(void *memory, size_t size)
{
	memset(memory, GUARD_BYTE, DMATEST_GUARD);
	memset(memory + DMATEST_GUARD + size, GUARD_BYTE, DMATEST_GUARD);
}

bool dmatest_guards_hold(const void *memory, size_t size)
{
	return !memchr_inv(memory, GUARD_BYTE, DMATEST_GUARD) &&
	       !memchr_inv(memory + DMATEST_GUARD + size, GUARD_BYTE, DMATEST_GUARD);
}

int dmatest_compare(struct dmatest_buffer *buffer, const void *want, const char *what,
		    struct dmatest_result *result)
{
	const u8 *wanted = want;
	size_t i;

	for (i = 0; i < buffer->size; i++)
		if (buffer->data[i] != wanted[i])
			return dmatest_fail(
				result, "%s: byte %zu at 0x%llx is 0x%02x, not 0x%02x",
				what, i, (u64)buffer->bus + i, buffer->data[i],
				wanted[i]);
	if (dmatest_guards_hold(buffer->memory, buffer->size))
		return 0;
	return dmatest_fail(result,
			    "%s, and changed memory beside the %zu bytes at 0x%llx too",
			    what, buffer->size, (u64)buffer->bus);
}

int dmatest_loop(struct dmatest *test, struct dmatest_buffer *from,
		 struct dmatest_buffer *to, enum dmatest_pattern pattern,
		 struct dmatest_result *result)
{
	size_t at;
	int err;

	dmatest_fill(from->data, from->size, pattern, test->series.count);
	dmatest_set_guards(from->memory, from->size);
	dmatest_buffer_give(test, from);
	err = dmatest_move(test, true, from->bus, from->size, result);
	dmatest_buffer_take(test, from);
	if (err)
		return err;
	if (test->engine->check &&
	    !test->engine->check(test, from->data, from->size, &at))
		return dmatest_fail(
			result,
			"what the device read at 0x%llx is not what the CPU wrote there: byte %zu in the device is another",
			(u64)from->bus, at);
	if (!to)
		return 0;
	/* Whatever was there must not look like it. */
	for (at = 0; at < to->size; at++)
		to->data[at] = ~from->data[at];
	dmatest_set_guards(to->memory, to->size);
	dmatest_buffer_give(test, to);
	err = dmatest_move(test, false, to->bus, to->size, result);
	dmatest_buffer_take(test, to);
	return err ? err
		   : dmatest_compare(to, from->data, "the device wrote to memory",
				     result);
}
