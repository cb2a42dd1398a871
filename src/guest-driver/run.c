// SPDX-License-Identifier: GPL-2.0-or-later
/* A run: the cases in their order, from a device that is brought up to one that is quiet. */
#include <linux/glob.h>
#include <linux/sort.h>

#include "driver.h"

static const struct dmatest_case cases[] = {
	{ "dma-read", dmatest_case_read },
	{ "dma-write", dmatest_case_write },
	{ "dma-coherent", dmatest_case_coherent },
	{ "dma-patterns", dmatest_case_patterns },
	{ "dma-scattered", dmatest_case_scattered },
	{ "dma-below-4g", dmatest_case_below_4g },
	{ "dma-above-4g", dmatest_case_above_4g },
	{ "irq-vectors", dmatest_case_irq_vectors },
	{ "irq-polling", dmatest_case_irq_polling },
	{ "quiet", dmatest_case_quiet },
};

/* They are named twice, for others too: at least there are as many. */
static const char *const names[] = { DMATEST_CASES };

static_assert(ARRAY_SIZE(names) == ARRAY_SIZE(cases));

static int by_value(const void *a, const void *b)
{
	u64 left = *(const u64 *)a, right = *(const u64 *)b;

	return left < right ? -1 : left > right;
}

static void set_series(struct dmatest_result *result, u64 *values, unsigned int count,
		       enum dmatest_key smallest)
{
	sort(values, count, sizeof(*values), by_value, NULL);
	/* Minimum, median and maximum are neighbours. */
	dmatest_set(result, smallest, values[0]);
	dmatest_set(result, smallest + 1, values[count / 2]);
	dmatest_set(result, smallest + 2, values[count - 1]);
}

static void set_times(struct dmatest *test, struct dmatest_result *result)
{
	struct dmatest_series *series = &test->series;

	if (!series->count)
		return;
	dmatest_set(result, KEY_LATENCY_COUNT, series->count);
	set_series(result, series->ns, series->count, KEY_LATENCY_MIN);
	/* Of interrupts alone there is no rate. */
	if (result->keys & BIT(KEY_BYTES))
		set_series(result, series->rate, series->count, KEY_RATE_MIN);
}

static int run_case(struct dmatest *test, unsigned int round,
		    const struct dmatest_case *one)
{
	struct dmatest_result result = {};
	ktime_t start = ktime_get();
	int err;

	dmatest_state(test, "running %s", one->name);
	test->series.count = 0;
	err = one->run(test, &result);
	/* What a case found before the end is told; that it was cut off is no finding. */
	if (err < 0 && !(err == -EIO && result.sentence[0]))
		return err;
	dmatest_set(&result, KEY_DURATION, ktime_to_ns(ktime_sub(ktime_get(), start)));
	set_times(test, &result);
	dmatest_results_add(test, round, one->name, &result);
	return min(err, 0);
}

static int run_all(struct dmatest *test)
{
	unsigned int round, i;
	int err;

	for (round = 1; round <= test->rounds; round++) {
		for (i = 0; i < ARRAY_SIZE(cases); i++) {
			if (!glob_match(test->cases, cases[i].name))
				continue;
			err = dmatest_over(test);
			if (!err)
				err = run_case(test, round, &cases[i]);
			if (err)
				return err;
		}
	}
	return 0;
}

int dmatest_run(struct dmatest *test)
{
	int err;

	if (test->dead)
		return -EIO;
	if (!pci_device_is_present(test->pdev))
		return -ENODEV;
	dmatest_results_clear(test);
	dmatest_state(test, "running start");
	test->until = ktime_add_ms(ktime_get(), DMATEST_RUN_MS);
	atomic_set(&test->strays, 0);
	WRITE_ONCE(test->running, true);
	pci_set_master(test->pdev);
	err = test->engine->start(test);
	if (!err)
		err = run_all(test);
	test->engine->stop(test);
	/* A transfer that goes on all the same finds no way to memory. */
	pci_clear_master(test->pdev);
	WRITE_ONCE(test->running, false);
	/* All ones, and nobody told us yet: rather that than the time-out which came of it. */
	if (err && err != -EINTR && !pci_device_is_present(test->pdev))
		err = -ENODEV;
	if (test->dead)
		dmatest_state(test, "dead");
	else
		dmatest_state(test, err ? "interrupted" : "done");
	return err;
}
