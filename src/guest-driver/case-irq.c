// SPDX-License-Identifier: GPL-2.0-or-later
/* The cases of interrupts. */
#include <linux/delay.h>

#include "driver.h"

#define LOST_MAX   3
#define QUIET_MS   300
#define OTHER_SEED 0x7e57

static int no_interrupts(struct dmatest *test, struct dmatest_result *result)
{
	dmatest_skip(result, "the kernel granted the device no interrupt at all");
	return 0;
}

/* --- every vector --- */

static void remember(struct dmatest *test, int *counts)
{
	unsigned int i;

	for (i = 0; i < test->granted; i++)
		counts[i] = atomic_read(&test->vectors[i].count);
}

/* The first vector other than N that has counted; or granted. */
static unsigned int other(struct dmatest *test, const int *counts, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < test->granted; i++)
		if (i != n && atomic_read(&test->vectors[i].count) != counts[i])
			break;
	return i;
}

/* One vector. 0: it arrived, once, where it should. */
static int raise_one(struct dmatest *test, unsigned int n, struct dmatest_result *result)
{
	int counts[DMATEST_VECTORS_MAX], err, times;
	char how[96];
	u64 start;
	unsigned int stray;

	remember(test, counts);
	test->engine->describe(test, n, how, sizeof(how));
	start = ktime_get_ns();
	err = test->engine->raise(test, n);
	if (err == -EIO) {
		dmatest_fail(result, "the device cannot signal vector %u (%s)", n, how);
		err = dmatest_recover(test);
		return err ? err : DMATEST_FAILED;
	}
	if (err) {
		dmatest_recover(test);
		return err;
	}
	err = dmatest_irq_wait(test, n, counts[n]);
	if (err < 0) {
		dmatest_recover(test);
		return err;
	}
	stray = other(test, counts, n);
	if (!err && stray < test->granted)
		return dmatest_fail(result,
				    "vector %u was signalled (%s), and vector %u arrived",
				    n, how, stray);
	if (!err)
		return dmatest_fail(
			result,
			"vector %u was signalled (%s), and nothing arrived within %u ms",
			n, how, test->timeout_ms);
	times = atomic_read(&test->vectors[n].count) - counts[n];
	if (times != 1)
		return dmatest_fail(result,
				    "vector %u was signalled once, and arrived %d times",
				    n, times);
	if (stray < test->granted)
		return dmatest_fail(result,
				    "vector %u was signalled, and vector %u arrived too",
				    n, stray);
	dmatest_sample(test, READ_ONCE(test->vectors[n].when) - start, 0);
	return 0;
}

int dmatest_case_irq_vectors(struct dmatest *test, struct dmatest_result *result)
{
	unsigned int n, arrived = 0;
	char how[96];
	int err;

	if (!test->granted)
		return no_interrupts(test, result);
	if (!test->engine->raise || test->no_signal) {
		dmatest_skip(result, "%s",
			     test->no_signal
				     ? test->no_signal
				     : "this engine has no way to signal a vector");
		return 0;
	}
	for (n = 0; n < test->granted; n++) {
		struct dmatest_result one = {};

		err = raise_one(test, n, &one);
		if (err < 0)
			return err;
		if (!err)
			arrived++;
		else if (!result->sentence[0])
			*result = one; /* the first is told */
		/* The rest is not waited for, each for its time. */
		if (n + 1 - arrived >= LOST_MAX)
			break;
	}
	dmatest_set(result, KEY_VECTORS, test->granted);
	dmatest_set(result, KEY_ARRIVED, arrived);
	if (result->sentence[0])
		return DMATEST_FAILED;
	test->engine->describe(test, 0, how, sizeof(how));
	dmatest_pass(
		result,
		"%s: all vectors granted (%u of %u) arrived, each at its own handler (%s)",
		test->interrupt, test->granted, test->wanted, how);
	return 0;
}

/* --- interrupt against polling --- */

/* What became of a transfer whose interrupt was waited for. */
struct outcome {
	bool arrived; /* the interrupt */
	bool ended;   /* the transfer, by the device's own word */
	bool right;   /* its data */
	u64 ns;
};

/*
 * A transfer that signals its end. Nobody looks at the device before the interrupt is there,
 * or its time is over: only then the device is asked.
 */
static int by_interrupt(struct dmatest *test, bool read, struct dmatest_buffer *buffer,
			const u8 *want, struct outcome *outcome,
			struct dmatest_result *result)
{
	unsigned int n = test->engine->vector(test, read);
	int before = atomic_read(&test->vectors[n].count), err, recovered;
	const char *why = "it does not say why";
	struct dmatest_result ignored;
	u64 start = ktime_get_ns();
	size_t at;

	dmatest_buffer_give(test, buffer);
	err = test->engine->kick(test, read, buffer->bus, buffer->size, true);
	if (!err)
		err = dmatest_irq_wait(test, n, before);
	if (err < 0) {
		recovered = dmatest_recover(test);
		if (err == -EIO && !recovered)
			err = dmatest_fail(
				result, "the device cannot signal the end of a transfer");
		goto taken;
	}
	outcome->arrived = err;
	if (err)
		outcome->ns = READ_ONCE(test->vectors[n].when) - start;
	err = dmatest_poll(test, &why);
	outcome->ended = err == 1;
	if (err == 1) {
		err = 0;
	} else {
		recovered = dmatest_recover(test);
		if (recovered == -EIO)
			dmatest_fail(result,
				     "a transfer did not end, and cannot be ended");
		if (!err || err == -EIO)
			err = recovered;
	}
taken:
	dmatest_buffer_take(test, buffer);
	if (err < 0 || !outcome->ended)
		return err;
	/* What a read brought is looked for in the device, or comes back by polling. */
	if (!read)
		outcome->right = !dmatest_compare(buffer, want, "", &ignored);
	else if (test->engine->check)
		outcome->right = test->engine->check(test, want, buffer->size, &at);
	else
		outcome->right = true;
	return 0;
}

static int judge(struct dmatest *test, bool read, const struct outcome *outcome,
		 struct dmatest_result *result)
{
	const char *what = read ? "read" : "write";
	unsigned int n = test->engine->vector(test, read);
	char how[96];

	test->engine->describe(test, n, how, sizeof(how));
	if (outcome->arrived && outcome->ended && outcome->right)
		return 0;
	if (!outcome->arrived && outcome->ended && outcome->right)
		return dmatest_fail(
			result,
			"lost interrupt: the device's %s ended and its data is right, as by polling, but vector %u did not arrive within %u ms (%s)",
			what, n, test->timeout_ms, how);
	if (outcome->ended)
		return dmatest_fail(
			result,
			"lost data: the device's %s ended, %s interrupt, but its data is wrong, which by polling was right",
			what, outcome->arrived ? "with its" : "without");
	if (outcome->arrived)
		return dmatest_fail(
			result, "vector %u arrived, but the device's %s did not end (%s)",
			n, what, how);
	return dmatest_fail(
		result,
		"the device's %s, which works by polling, neither ended nor interrupted where it has to signal its end (%s)",
		what, how);
}

/*
 * First by polling alone: where that fails, data is lost, and nothing can be said of interrupts.
 * Then the same transfers once more with interrupts.
 */
static int compare_ways(struct dmatest *test, struct dmatest_buffer *from,
			struct dmatest_buffer *to, struct dmatest_result *result)
{
	struct dmatest_result polled = {};
	struct outcome reading = {}, writing = {};
	unsigned int arrived;
	char how[96];
	size_t i;
	int err;

	err = dmatest_loop(test, from, to, PATTERN_RANDOM, &polled);
	if (err == DMATEST_FAILED)
		dmatest_fail(result, "lost data, by polling already: %s",
			     polled.sentence);
	if (err)
		return err;
	/* The times of this case are those of the interrupts. */
	test->series.count = 0;
	/* Other data in the same places, or what polling has moved would be taken for it. */
	dmatest_fill(from->data, from->size, PATTERN_RANDOM, OTHER_SEED);
	for (i = 0; i < to->size; i++)
		to->data[i] = ~from->data[i];
	err = by_interrupt(test, true, from, from->data, &reading, result);
	if (err)
		return err;
	err = by_interrupt(test, false, to, from->data, &writing, result);
	if (err)
		return err;
	arrived = reading.arrived + writing.arrived;
	dmatest_set(result, KEY_BYTES, from->size + to->size);
	dmatest_set(result, KEY_VECTORS, 2);
	dmatest_set(result, KEY_ARRIVED, arrived);
	if (reading.arrived)
		dmatest_sample(test, reading.ns, from->size);
	if (writing.arrived)
		dmatest_sample(test, writing.ns, to->size);
	err = judge(test, true, &reading, result);
	if (!err)
		err = judge(test, false, &writing, result);
	if (err)
		return err;
	test->engine->describe(test, test->engine->vector(test, false), how, sizeof(how));
	dmatest_pass(result,
		     "%zu bytes each way, the same by interrupt as by polling (%s)",
		     from->size, how);
	return 0;
}

int dmatest_case_irq_polling(struct dmatest *test, struct dmatest_result *result)
{
	struct dmatest_buffer from = {}, to = {};
	size_t size = dmatest_size(test);
	int err;

	if (!test->granted)
		return no_interrupts(test, result);
	if (test->no_signal) {
		dmatest_skip(result, "%s", test->no_signal);
		return 0;
	}
	err = dmatest_buffer_get(test, &from, size, false, DMA_TO_DEVICE, result);
	if (!err)
		err = dmatest_buffer_get(test, &to, size, false, DMA_FROM_DEVICE, result);
	if (!err)
		err = compare_ways(test, &from, &to, result);
	dmatest_buffer_put(test, &to);
	dmatest_buffer_put(test, &from);
	return err;
}

/* --- and then nothing --- */

int dmatest_case_quiet(struct dmatest *test, struct dmatest_result *result)
{
	struct dmatest_buffer from = {}, to = {};
	int counts[DMATEST_VECTORS_MAX], err;
	size_t size = dmatest_size(test), i;
	unsigned int came;

	err = dmatest_buffer_get(test, &from, size, false, DMA_TO_DEVICE, result);
	if (!err)
		err = dmatest_buffer_get(test, &to, size, false, DMA_FROM_DEVICE, result);
	if (!err)
		err = dmatest_loop(test, &from, &to, PATTERN_RANDOM, result);
	if (err)
		goto out;
	for (i = 0; i < size; i++)
		to.data[i] = ~from.data[i];
	dmatest_buffer_give(test, &to);
	remember(test, counts);
	msleep(QUIET_MS);
	came = other(test, counts, DMATEST_VECTORS_MAX);
	dmatest_buffer_take(test, &to);
	for (i = 0; !err && i < size; i++)
		if (to.data[i] != (u8)~from.data[i])
			err = dmatest_fail(
				result,
				"byte %zu of the last transfer's memory changed once more within %u ms after its end",
				i, QUIET_MS);
	if (!err && came < test->granted)
		err = dmatest_fail(result,
				   "vector %u arrived when nothing was left to signal",
				   came);
	if (!err)
		dmatest_pass(
			result,
			"no data and no interrupt within %u ms after the last transfer",
			QUIET_MS);
out:
	dmatest_buffer_put(test, &to);
	dmatest_buffer_put(test, &from);
	return err;
}
