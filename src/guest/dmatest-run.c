/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Has the module run its cases, one by one, and collects what it says of each. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "core/dmatest.h"
#include "core/error.h"
#include "core/fact.h"
#include "guest/attribute.h"
#include "guest/dmatest.h"
#include "vfio/case.h"

#define DEVICES       "sys/bus/pci/devices/"
#define QUICK_SECONDS 10 /* for an attribute that only takes a value */
/* More than the module allows itself: it says better what took so long. */
#define CASE_SECONDS  (DMATEST_RUN_MS / 1000 + 30)

struct at_work {
	struct mp_dmatest_run *run;
	gint64 deadline; /* 0: none */
};

/* --- attributes --- */

static char *attribute(const struct mp_dmatest_run *run, const char *name)
{
	return g_strconcat(DEVICES, run->address, "/" DMATEST_DIR "/", name, NULL);
}

static char *read_attribute(
	const struct mp_dmatest_run *run, const char *name, size_t *size, GError **error)
{
	g_autofree char *path = attribute(run, name);
	g_autofree char *action = g_strdup_printf("read '%s' of " DMATEST_MODULE, name);
	char *text;
	int err = mp_root_read(
		mp_target_root(run->target), path, MP_READ_ATTR, &text, size);

	if (!err)
		return text;
	mp_error_set_errno(error, err, run->address, action);
	return NULL;
}

/* One word on one line. */
static char *read_word(const struct mp_dmatest_run *run, const char *name, GError **error)
{
	size_t size;
	g_autofree char *text = read_attribute(run, name, &size, error);

	return text ? g_strstrip(mp_clean_text(text, size)) : NULL;
}

static bool stuck(
	const struct mp_dmatest_run *run, const char *name, pid_t pid, GError **error)
{
	g_set_error(error, MP_ERROR, MP_ERROR_STUCK,
		"%s: the kernel does not answer a write to '%s' of " DMATEST_MODULE
		", and process %d that waits for it cannot be ended; nothing more was tried, "
		"and nothing should be: a reboot of this system ends it",
		run->address, name, (int)pid);
	return false;
}

/* ERR gets the errno where the module refuses it; else that is ERROR's matter too. */
static bool set_attribute(const struct mp_dmatest_run *run, const char *name,
	const char *text, int *err, GError **error)
{
	g_autofree char *path = attribute(run, name);
	g_autofree char *action =
		g_strdup_printf("set '%s' of " DMATEST_MODULE " to %s", name, text);
	struct mp_attribute_write write = {
		.target = run->target,
		.path = path,
		.text = text,
		.seconds = QUICK_SECONDS,
	};
	enum mp_attribute_end end = mp_attribute_write(&write);

	if (err)
		*err = end == MP_ATTRIBUTE_FAILED ? write.err : 0;
	if (end == MP_ATTRIBUTE_WRITTEN)
		return true;
	if (end == MP_ATTRIBUTE_HANGS)
		return stuck(run, name, write.pid, error);
	mp_error_set_errno(error, end == MP_ATTRIBUTE_FAILED ? -write.err : -ETIMEDOUT,
		run->address, action);
	return false;
}

/* --- before --- */

static bool know_abi(const struct mp_dmatest_run *run, GError **error)
{
	g_autofree char *abi = read_word(run, "abi", error);
	uint64_t number;

	if (!abi)
		return false;
	if (mp_parse_uint(abi, 10, &number) && number == DMATEST_ABI)
		return true;
	g_set_error(error, MP_ERROR, MP_ERROR_INPUT,
		"%s: the module " DMATEST_MODULE
		" speaks version '%s' of its interface, this program %d: install both from "
		"the same version of metis-passthrough",
		run->address, abi, DMATEST_ABI);
	return false;
}

static bool learn(struct mp_dmatest_run *run, GError **error)
{
	static const char *const engines[] = { "dw-edma", "edu" };
	g_autofree char *engine = NULL;
	g_autofree char *limits = NULL;
	size_t size;

	if (!know_abi(run, error))
		return false;
	engine = read_word(run, "engine", error);
	if (!engine)
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(engines); i++)
		if (!strcmp(engines[i], engine))
			run->engine = engines[i];
	if (!run->engine) {
		g_set_error(error, MP_ERROR, MP_ERROR_INPUT,
			"%s: " DMATEST_MODULE
			" drives it by '%s', which this program does not know",
			run->address, engine);
		return false;
	}
	if (run->wanted && strcmp(run->wanted, run->engine) != 0) {
		g_set_error(error, MP_ERROR, MP_ERROR_NOT_FOUND,
			"%s: --engine %s: the module drives it by %s", run->address,
			run->wanted, run->engine);
		return false;
	}
	limits = read_attribute(run, "limits", &size, error);
	return limits && mp_dmatest_parse_limits(limits, size, &run->limits, error);
}

static bool set_up(const struct mp_dmatest_run *run, GError **error)
{
	g_autofree char *bytes = g_strdup_printf("%" G_GSIZE_FORMAT, run->options->bytes);

	return set_attribute(run, "bytes", bytes, NULL, error) &&
	       set_attribute(run, "rounds", "1", NULL, error);
}

/* --- one case --- */

/* NAME: of the case that begins; NULL: one runs. */
static bool goes_on(
	struct at_work *work, const char *name, unsigned number, unsigned round)
{
	struct mp_dmatest_run *run = work->run;

	if (run->progress && !run->progress(run->user, name, number, round))
		run->stopped = true;
	else if (work->deadline && g_get_monotonic_time() >= work->deadline)
		run->late = true;
	return !run->stopped && !run->late;
}

static bool tick(void *user)
{
	return goes_on(user, NULL, 0, 0);
}

static bool say_stopped(const struct mp_dmatest_run *run, GError **error)
{
	g_set_error(error, MP_ERROR, MP_ERROR_IO, "%s: %s; the device was quieted",
		run->address, run->late ? "its time was over" : "interrupted");
	return false;
}

/* Of a run that was ended: whether the module got the device to rest. */
static bool is_quiet(const struct mp_dmatest_run *run, GError **error)
{
	g_autofree char *state = read_word(run, "state", error);

	if (!state)
		return false;
	if (!strcmp(state, "interrupted") || !strcmp(state, "done") ||
		!strcmp(state, "idle"))
		return true;
	g_set_error(error, MP_ERROR, MP_ERROR_IO,
		"%s: the run was ended, but the module's state is '%s': whether the device is "
		"quiet is not known",
		run->address, state);
	return false;
}

/* True: the run goes on, with a verdict of NAME among RESULTS. */
static bool take_results(const struct mp_dmatest_run *run, const char *name,
	unsigned round, GPtrArray *results, GError **error)
{
	g_autoptr(GPtrArray) taken =
		g_ptr_array_new_with_free_func((GDestroyNotify)mp_case_result_free);
	struct mp_case_result *result;
	bool truncated;
	size_t size;
	g_autofree char *text = read_attribute(run, "results", &size, error);

	if (!text || !mp_dmatest_parse_results(text, size, taken, &truncated, error))
		return false;
	if (taken->len == 1 && !truncated &&
		!strcmp(((struct mp_case_result *)taken->pdata[0])->name, name)) {
		result = g_ptr_array_steal_index(taken, 0);
		result->round = round;
	} else {
		result = mp_case_result_new(name, round);
		mp_case_fail(result, NULL,
			"the module was asked for this case alone and answers with %u%s",
			taken->len, truncated ? " and more" : "");
	}
	g_ptr_array_add(results, result);
	return true;
}

static struct mp_case_result *add(GPtrArray *results, const char *name, unsigned round)
{
	struct mp_case_result *result = mp_case_result_new(name, round);

	g_ptr_array_add(results, result);
	return result;
}

/* The module says that it could not. True: that was a verdict, and the run goes on. */
static bool judge_errno(const struct mp_dmatest_run *run, int err, const char *name,
	unsigned round, GPtrArray *results, GError **error)
{
	struct mp_case_result *result;

	if (err == ENODEV) {
		result = add(results, name, round);
		mp_case_fail(result,
			"It was removed, or left the bus: see the kernel's log here and on the "
			"host.",
			"the device went away");
		return false;
	}
	if (err == ETIMEDOUT) {
		result = add(results, name, round);
		mp_case_fail(result, NULL, "the module gave up: it took longer than %u s",
			DMATEST_RUN_MS / 1000);
		return true;
	}
	if (err == EBUSY)
		g_set_error(error, MP_ERROR, MP_ERROR_BUSY,
			"%s: another run of the test is going on", run->address);
	else
		mp_error_set_errno(
			error, -err, run->address, "have " DMATEST_MODULE " run");
	return false;
}

static bool run_case(struct at_work *work, const char *name, unsigned round,
	GPtrArray *results, bool *gone, GError **error)
{
	struct mp_dmatest_run *run = work->run;
	g_autofree char *path = attribute(run, "run");
	struct mp_attribute_write write = {
		.target = run->target,
		.path = path,
		.text = "1",
		.seconds = CASE_SECONDS,
		.tick = tick,
		.user = work,
	};
	int err;

	if (!set_attribute(run, "cases", name, &err, error)) {
		if (err != EINVAL)
			return false;
		g_clear_error(error);
		mp_case_skip(add(results, name, round),
			"the module that is loaded does not have this case");
		return true;
	}
	switch (mp_attribute_write(&write)) {
	case MP_ATTRIBUTE_WRITTEN:
		return take_results(run, name, round, results, error);
	case MP_ATTRIBUTE_FAILED:
		*gone = write.err == ENODEV;
		return judge_errno(run, write.err, name, round, results, error) || *gone;
	case MP_ATTRIBUTE_HANGS:
		return stuck(run, "run", write.pid, error);
	default:
		break;
	}
	/* No wish of ours: the module does not keep its own limit. */
	if (!run->stopped && !run->late) {
		g_set_error(error, MP_ERROR, MP_ERROR_IO,
			"%s: case %s did not end within %u s and was ended", run->address,
			name, CASE_SECONDS);
		return false;
	}
	if (is_quiet(run, error))
		return say_stopped(run, error);
	run->stopped = run->late = false;
	return false;
}

/* A device that came back from no abort is tested no further. */
static bool is_dead(const struct mp_dmatest_run *run, GPtrArray *results, GError **error)
{
	g_autofree char *state = read_word(run, "state", error);

	if (!state)
		return true;
	if (strcmp(state, "dead") != 0)
		return false;
	mp_case_evidence(results->pdata[results->len - 1], DMATEST_MODULE,
		"calls the device dead: it came back from no abort, and no more cases were "
		"run");
	return true;
}

/* --- all of them --- */

static bool is_chosen(const struct mp_selftest_options *options, const char *name)
{
	return !options->cases || g_pattern_match_simple(options->cases, name);
}

unsigned mp_dmatest_count(const struct mp_selftest_options *options)
{
	unsigned count = 0;
	size_t n;
	const struct mp_case *const *all = mp_dmatest_cases(&n);

	for (size_t i = 0; i < n; i++)
		count += is_chosen(options, all[i]->name);
	return count;
}

static bool run_round(struct at_work *work, unsigned round, GPtrArray *results, bool *end,
	GError **error)
{
	struct mp_dmatest_run *run = work->run;
	unsigned number = 0;
	size_t n;
	const struct mp_case *const *all = mp_dmatest_cases(&n);

	for (size_t i = 0; i < n && !*end; i++) {
		if (!is_chosen(run->options, all[i]->name))
			continue;
		if (!goes_on(work, all[i]->name, ++number, round))
			return say_stopped(run, error);
		if (!run_case(work, all[i]->name, round, results, end, error))
			return false;
		*end = *end || is_dead(run, results, error);
		if (error && *error)
			return false;
	}
	return true;
}

bool mp_dmatest_run(struct mp_dmatest_run *run, GPtrArray *results, GError **error)
{
	struct at_work work = {
		.run = run,
		.deadline = run->seconds ? g_get_monotonic_time() +
						   run->seconds * G_TIME_SPAN_SECOND
					 : 0,
	};
	GError *problem = NULL;
	bool end = false;

	run->stopped = run->late = false;
	if (!learn(run, error) || !set_up(run, error))
		return false;
	for (unsigned round = 1; round <= run->options->rounds && !end; round++)
		if (!run_round(&work, round, results, &end, &problem)) {
			g_propagate_error(error, problem);
			return false;
		}
	return true;
}
