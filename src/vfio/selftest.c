/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The runner: opens the device, runs the cases, and leaves the device quiet in any case. */
#include "config.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "core/finding.h"
#include "vfio/case.h"

static const struct mp_case *const cases[] = {
	&mp_case_dma_read,
	&mp_case_dma_write,
	&mp_case_dma_patterns,
	&mp_case_iova_low,
	&mp_case_iova_above_4g,
	&mp_case_iova_forum,
	&mp_case_iova_top,
	&mp_case_dma_scattered,
	&mp_case_irq_loopback,
	&mp_case_irq_intx,
	&mp_case_irq_msi,
	&mp_case_irq_msix,
	&mp_case_irq_message,
	&mp_case_isolation_write_unmapped,
	&mp_case_isolation_write_readonly,
	&mp_case_isolation_read_unmapped,
	&mp_case_isolation_message_freed,
	&mp_case_isolation_message_compat,
	&mp_case_isolation_teardown,
	&mp_case_quiet,
};

const struct mp_case *const *mp_cases_all(size_t *count)
{
	*count = G_N_ELEMENTS(cases);
	return cases;
}

static void evidence_free(void *data)
{
	struct mp_evidence *evidence = data;

	g_free(evidence->source);
	g_free(evidence->value);
	g_free(evidence);
}

struct mp_case_result *mp_case_result_new(const char *name, unsigned round)
{
	struct mp_case_result *result = g_new0(struct mp_case_result, 1);

	result->name = g_strdup(name);
	result->round = round;
	result->evidence = g_ptr_array_new_with_free_func(evidence_free);
	return result;
}

void mp_case_result_free(struct mp_case_result *result)
{
	if (!result)
		return;
	g_free(result->name);
	g_free(result->summary);
	g_free(result->remedy);
	g_ptr_array_unref(result->evidence);
	g_free(result);
}

/* --- signals: no DMA goes on while the process dies --- */

static const int wishes[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
static const int crashes[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };
static volatile sig_atomic_t interrupted;

struct handlers {
	struct sigaction wishes[G_N_ELEMENTS(wishes)];
	struct sigaction crashes[G_N_ELEMENTS(crashes)];
};

/* The running case fails, its verdict is dropped, and the run ends as after its last case. */
static void on_wish(int number G_GNUC_UNUSED)
{
	mp_vfio_panic();
	interrupted = 1;
}

/* SA_RESETHAND: the second time it is deadly. */
static void on_crash(int number)
{
	mp_vfio_panic();
	raise(number);
}

/* A BAR of a device that went away: the engine is to see ones, and to say so. */
static void on_bus_error(int number, siginfo_t *info, void *context G_GNUC_UNUSED)
{
	mp_vfio_panic();
	if (mp_vfio_gone(info->si_addr))
		return;
	signal(number, SIG_DFL);
	raise(number);
}

static void catch_signals(struct handlers *before)
{
	struct sigaction wish = { .sa_handler = on_wish };
	struct sigaction crash = { .sa_handler = on_crash,
		.sa_flags = (int)(SA_RESETHAND | SA_NODEFER) };
	struct sigaction bus_error = { .sa_sigaction = on_bus_error,
		.sa_flags = SA_SIGINFO | SA_NODEFER };

	interrupted = 0;
	sigemptyset(&wish.sa_mask);
	sigemptyset(&crash.sa_mask);
	sigemptyset(&bus_error.sa_mask);
	for (size_t i = 0; i < G_N_ELEMENTS(wishes); i++) {
		sigaction(wishes[i], NULL, &before->wishes[i]);
		/* Whoever started us with SIGHUP ignored (nohup) meant that. */
		if (before->wishes[i].sa_handler != SIG_IGN)
			sigaction(wishes[i], &wish, NULL);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(crashes); i++)
		sigaction(crashes[i], crashes[i] == SIGBUS ? &bus_error : &crash,
			&before->crashes[i]);
}

static void release_signals(const struct handlers *before)
{
	for (size_t i = 0; i < G_N_ELEMENTS(wishes); i++)
		sigaction(wishes[i], &before->wishes[i], NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(crashes); i++)
		sigaction(crashes[i], &before->crashes[i], NULL);
}

/* --- one case --- */

/* What the kernel said meanwhile about this device, and nobody asked for. */
static void look_at_log(struct mp_selftest *test, struct mp_case_result *result)
{
	unsigned faults;

	if (!mp_test_log(test, result, 0, NULL, NULL))
		return;
	faults = mp_test_faults(test, result);
	if (faults > test->faults)
		mp_case_fail(result,
			"'metis-passthrough explain iommu-active' tells how to read the "
			"lines.",
			"the kernel logged %u fault%s of the device that %s not "
			"provoked",
			faults - test->faults, faults - test->faults == 1 ? "" : "s",
			faults - test->faults == 1 ? "was" : "were");
}

static bool run_case(
	struct mp_selftest *test, const struct mp_case *c, struct mp_case_result *result)
{
	gint64 begun = g_get_monotonic_time();
	bool goes_on;

	/* Lines from before belong to nobody here. */
	mp_test_log(test, result, 0, NULL, NULL);
	g_string_truncate(test->log, 0);
	test->log_lost = false;
	test->faults = 0;
	mp_series_clear(&test->times);
	mp_series_clear(&test->rates);
	goes_on = c->run(test, result);
	look_at_log(test, result);
	if (!result->summary)
		mp_case_fail(result, NULL, "the case came to no verdict");
	result->duration_ns = (uint64_t)(g_get_monotonic_time() - begun) * 1000;
	result->latency_ns = mp_series_figures(&test->times);
	result->bytes_per_second = mp_series_figures(&test->rates);
	return goes_on;
}

static bool wanted(const struct mp_selftest_options *options, const struct mp_case *c)
{
	if (c->isolation && !options->isolation)
		return false;
	return !options->cases || g_pattern_match_simple(options->cases, c->name);
}

bool mp_selftest_interrupted(void)
{
	return interrupted;
}

static bool stopped(GError **error)
{
	if (!interrupted)
		return false;
	g_set_error(error, MP_ERROR, MP_ERROR_IO, "interrupted; the device was quieted");
	return true;
}

static bool run_cases(struct mp_selftest *test,
	bool (*progress)(void *user, const struct mp_case *c, unsigned round), void *user,
	GPtrArray *results, GError **error)
{
	for (unsigned round = 1; round <= test->options->rounds; round++)
		for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
			struct mp_case_result *result;
			bool goes_on;

			if (!wanted(test->options, cases[i]))
				continue;
			if (progress && !progress(user, cases[i], round))
				interrupted = 1;
			if (stopped(error))
				return false;
			result = mp_case_result_new(cases[i]->name, round);
			goes_on = run_case(test, cases[i], result);
			if (interrupted)
				mp_case_result_free(result);
			else
				g_ptr_array_add(results, result);
			if (stopped(error))
				return false;
			if (!goes_on)
				return true;
		}
	return true;
}

/* --- before and after --- */

static bool lend_scratch(
	struct mp_selftest *test, struct mp_engine_scratch *scratch, GError **error)
{
	size_t size = test->limits.scratch;

	if (!size)
		return true;
	test->scratch = mp_buffer_new(size, test->page, error);
	if (!test->scratch)
		return false;
	memset(test->scratch->memory, 0, test->scratch->size);
	*scratch = (struct mp_engine_scratch){
		.memory = test->scratch->memory,
		.iova = MP_IOVA_SCRATCH,
		.size = test->scratch->size,
	};
	return mp_vfio_map(test->vfio, scratch->memory, scratch->iova, scratch->size,
		MP_VFIO_READ | MP_VFIO_WRITE, error);
}

static bool prepare(struct mp_selftest *test, GError **error)
{
	struct mp_engine_scratch scratch = { 0 };
	uint64_t pages;

	test->klog = mp_klog_open(error);
	if (!test->klog)
		return false;
	test->vfio = mp_vfio_open(test->host, test->device, test->options->way, error);
	if (!test->vfio)
		return false;
	pages = mp_vfio_page_sizes(test->vfio);
	test->page = MAX((size_t)(pages & -pages), (size_t)sysconf(_SC_PAGESIZE));
	if (!test->engine->probe(
		    test->vfio, test->host, test->device, test->options->force, error))
		return false;
	test->engine->limits(NULL, &test->limits);
	if (!lend_scratch(test, &scratch, error) ||
		!mp_vfio_bus_master(test->vfio, true, error) ||
		!test->engine->init(test->vfio, &scratch, &test->state, error))
		return false;
	test->engine->limits(test->state, &test->limits);
	return mp_test_learn_bits(test, error);
}

static bool leave(struct mp_selftest *test, GError **error)
{
	bool quiet = true;

	if (test->state)
		test->engine->quiesce(test->state);
	if (test->vfio)
		quiet = mp_vfio_quiet(test->vfio, error);
	mp_vfio_close(test->vfio);
	mp_klog_close(test->klog);
	mp_buffer_free(test->scratch); /* after the close: nothing can write there now */
	g_string_free(test->log, TRUE);
	return quiet;
}

bool mp_selftest_run(const struct mp_host *host, const struct mp_pci *device,
	const struct mp_engine *engine, const struct mp_selftest_options *options,
	bool (*progress)(void *user, const struct mp_case *c, unsigned round), void *user,
	GPtrArray *results, const char **way, GError **error)
{
	g_autoptr(GError) problem = NULL;
	struct mp_selftest test = {
		.host = host,
		.device = device,
		.engine = engine,
		.options = options,
		.seed = (uint64_t)g_get_real_time(),
		.log = g_string_new(NULL),
	};
	struct handlers before;
	bool done;

	catch_signals(&before);
	done = prepare(&test, error) && run_cases(&test, progress, user, results, error);
	*way = test.vfio ? mp_vfio_way_name(test.vfio) : NULL;
	/* More important than why a run came to no end: "the device was quieted" is not true. */
	if (!leave(&test, &problem)) {
		if (!done)
			g_clear_error(error);
		done = false;
		g_propagate_error(error, g_steal_pointer(&problem));
	}
	release_signals(&before);
	return done;
}
