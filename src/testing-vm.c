/* SPDX-License-Identifier: GPL-2.0-or-later */
/* selftest --vm: the test inside of a VM, started and read by its host through the guest agent. */
#include "config.h"

#include <string.h>

#include "core/pci.h"
#include "core/selftest-last.h"
#include "core/selftest-vm.h"
#include "core/vm.h"
#include "guest/agent.h"
#include "guest/module.h"
#include "guest/report.h"
#include "guest/single.h"
#include "interrupt.h"
#include "testing.h"

/* The agent is asked after a second, two, four, ... qm takes half a second of a CPU. */
#define WAIT_PAUSE_MAX (10 * G_TIME_SPAN_SECOND)
#define WAIT_STEP      200000 /* microseconds: to be ended soon */
#define SAID_MAX       400    /* of what the guest says, in a message */

static void add(GPtrArray *words, const char *word)
{
	g_ptr_array_add(words, g_strdup(word));
}

static void add_option(GPtrArray *words, const char *option, const char *value)
{
	if (!value)
		return;
	add(words, option);
	add(words, value);
}

static void add_number(GPtrArray *words, const char *option, uint64_t value)
{
	add(words, option);
	g_ptr_array_add(words, g_strdup_printf("%" G_GUINT64_FORMAT, value));
}

/* What the guest's program is called with. */
static GPtrArray *words_of(const struct mp_testing_vm *wanted)
{
	const struct mp_testing *testing = &wanted->testing;
	GPtrArray *words = g_ptr_array_new_with_free_func(g_free);

	add(words, "metis-passthrough");
	add(words, "selftest");
	add(words, "--guest");
	add(words, "--format");
	add(words, "json");
	add_number(words, "--timeout", testing->seconds);
	add_number(words, "--rounds", testing->options.rounds);
	add_number(words, "--bytes", testing->options.bytes);
	for (char **bdf = wanted->devices; bdf && *bdf; bdf++)
		add_option(words, "--device", *bdf);
	add_option(words, "--profile", wanted->profile);
	add_option(words, "--engine", testing->engine);
	add_option(words, "--case", testing->options.cases);
	add_option(words, "--way", wanted->way);
	if (!testing->options.isolation)
		add(words, "--no-isolation");
	for (char **bdf = testing->force; bdf && *bdf; bdf++)
		add_option(words, "--force", *bdf);
	g_ptr_array_add(words, NULL);
	return words;
}

/* How long it may take there. The guest's own limit is for its test alone. */
static unsigned seconds_of(const struct mp_testing_vm *wanted)
{
	unsigned seconds = mp_guest_seconds(MP_TESTING_VM_GRACE_SECONDS);

	guint n = wanted->devices ? MAX(g_strv_length(wanted->devices), 1) : 1;

	/* By VFIO none is loaded; else it may be built, and is gone again, with each device. */
	if (wanted->testing.way != MP_TESTING_VFIO)
		seconds += n * mp_guest_seconds(MP_GUEST_MODULE_SECONDS);
	return wanted->testing.seconds + seconds;
}

static bool keep_on(void *user G_GNUC_UNUSED)
{
	return !mp_interrupted();
}

/* Its own words, as one clean line. */
static char *said(const struct mp_agent_call *call)
{
	g_autofree char *clean = mp_clean_text(call->err, MIN(call->err_size, SAID_MAX));
	char *text = g_strstrip(g_strdelimit(g_steal_pointer(&clean), "\n\t", ' '));

	if (*text)
		return text;
	g_free(text);
	return g_strdup("nothing");
}

/* It ended without a report. */
static int no_report(const struct mp_testing_vm *wanted, const struct mp_agent_call *call,
	GError **error)
{
	g_autofree char *words = said(call);

	g_set_error(error, MP_ERROR,
		call->exit_code == MP_EXIT_FINDING ? MP_ERROR_CHANGED
		: call->exit_code == MP_EXIT_STUCK ? MP_ERROR_STUCK
						   : MP_ERROR_IO,
		"VM %s: its selftest ended with exit code %d and no report; it says: %s",
		wanted->vmid, call->exit_code, words);
	return MP_EXIT_FAILURE;
}

/* --- how it ended, for later looks --- */

/* The first case that failed, of REPORT. */
static char *failure_of(const struct mp_selftest_report *report)
{
	for (guint i = 0; i < report->results->len; i++) {
		const struct mp_case_result *result = report->results->pdata[i];

		if (result->verdict == MP_CASE_FAIL)
			return g_strdup_printf("%s: %s", result->name, result->summary);
	}
	return NULL;
}

/* Of several devices it is the first failure that counts. CODE: of all of it. */
static bool note_reports(struct mp_target *target, const struct mp_testing_vm *wanted,
	const struct mp_agent_call *call, const struct mp_selftest_report *reports,
	guint n, int code, GError **error)
{
	const struct mp_selftest_report *about = reports;
	g_autofree char *failure = NULL, *words = said(call);

	for (guint i = 0; i < n && !failure; i++) {
		failure = failure_of(&reports[i]);
		if (failure)
			about = &reports[i];
	}
	const struct mp_selftest_vm_end end = {
		.verdict = code == MP_EXIT_OK ? MP_SELFTEST_VM_PASSED
			   : failure          ? MP_SELFTEST_VM_FAILED
					      : MP_SELFTEST_VM_NOT_RUN,
		.device = about->device->bdf,
		.why = failure          ? failure
		       : call->err_size ? words
					: "it did not end well in the guest",
	};

	return mp_selftest_vm_keep(target, wanted->vmid, &end, error);
}

static bool runs(struct mp_target *target, const char *vmid)
{
	struct mp_root *root = mp_target_root(target);
	g_autoptr(mp_host) host = mp_host_new(mp_root_name(root), true);
	const struct mp_vm *vm;

	mp_probe_guests(host, root);
	vm = mp_vm_find(host, vmid, NULL);
	return vm && vm->running;
}

/* Why there is no report. What the VM's end or the user broke off says nothing of the card, nor
 * does a test of some cases only. */
static void note_problem(struct mp_target *target, const struct mp_testing_vm *wanted,
	const GError *problem)
{
	const struct mp_selftest_vm_end end = {
		.verdict = MP_SELFTEST_VM_NOT_RUN,
		.why = problem->message,
	};
	g_autoptr(GError) trouble = NULL;

	if (wanted->testing.options.cases || mp_interrupted() ||
		!runs(target, wanted->vmid))
		return;
	if (!mp_selftest_vm_keep(target, wanted->vmid, &end, &trouble))
		fprintf(stderr, "metis-passthrough selftest: %s\n", trouble->message);
}

static void fill(struct mp_selftest_report *report, const struct mp_testing_vm *wanted,
	const struct mp_guest_report *guest)
{
	*report = (struct mp_selftest_report){
		.host = guest->host,
		.device = guest->device,
		.engine = guest->engine,
		.way = guest->way,
		.guest = true,
		.vm = wanted->vmid,
		.options = &guest->options,
		.results = guest->results,
		.started = guest->started,
		.seconds = guest->seconds,
		.interrupted = guest->interrupted,
	};
	mp_testing_sum_up(report);
}

/* What no report tells: a device that was not given back, or could not be tested at all. */
static void pass_on(const struct mp_testing_vm *wanted, const struct mp_agent_call *call)
{
	g_autofree char *words = said(call);

	fprintf(stderr, "metis-passthrough selftest: VM %s says: %s\n", wanted->vmid,
		words);
}

static bool keep(const struct mp_testing_vm *wanted,
	const struct mp_selftest_report *report, GError **error)
{
	g_autofree char *name = g_strdup_printf(
		MP_SELFTEST_VM_PREFIX "%s-%s", wanted->vmid, report->device->bdf);

	return mp_testing_keep(report, name, error);
}

static int show(struct mp_target *target, const struct mp_testing_vm *wanted,
	const struct mp_agent_call *call, struct mp_selftest_report *reports, guint n,
	GError **error)
{
	int worst = MP_EXIT_OK, code = MIN(call->exit_code, MP_EXIT_STUCK);
	bool whole = true;

	for (guint i = 0; i < n; i++) {
		worst = MAX(worst, reports[i].exit_code);
		whole = whole && !reports[i].interrupted && !reports[i].options->cases;
	}
	if (call->err_size && (code > MP_EXIT_FINDING || code > worst))
		pass_on(wanted, call);
	code = MAX(code, worst);
	/* Of several, it is not known whose it is. */
	if (n == 1 && (!wanted->devices || !wanted->devices[1]))
		reports->exit_code = code;
	for (guint i = 0; i < n; i++) {
		if (i && wanted->ops)
			fputc('\n', stdout);
		if (wanted->ops)
			wanted->ops->selftest(&reports[i], wanted->style, stdout);
		if (!reports[i].interrupted && !reports[i].options->cases &&
			!keep(wanted, &reports[i], error))
			return MP_EXIT_FAILURE;
	}
	return !whole || note_reports(target, wanted, call, reports, n, code, error)
		       ? code
		       : MP_EXIT_FAILURE;
}

static int take(struct mp_target *target, const struct mp_testing_vm *wanted,
	const struct mp_agent_call *call, GError **error)
{
	g_autoptr(GPtrArray) guests = NULL;
	g_autofree struct mp_selftest_report *reports = NULL;

	if (!call->out_size)
		return no_report(wanted, call, error);
	guests = mp_guest_reports_parse(wanted->vmid, call->out, call->out_size, error);
	if (!guests)
		return MP_EXIT_FAILURE;
	if (wanted->single && guests->len > 1) {
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
			"VM %s has tested %u devices, and this format is about one: name it by "
			"--device",
			wanted->vmid, guests->len);
		return MP_EXIT_FAILURE;
	}
	reports = g_new0(struct mp_selftest_report, guests->len);
	for (guint i = 0; i < guests->len; i++)
		fill(&reports[i], wanted, guests->pdata[i]);
	return show(target, wanted, call, reports, guests->len, error);
}

/* --- running it --- */

/* An agent that does not answer yet may do so later; one that cannot never will. */
static bool wait_for_agent(
	struct mp_target *target, const struct mp_testing_vm *wanted, GError **error)
{
	gint64 deadline = g_get_monotonic_time() + wanted->wait * G_TIME_SPAN_SECOND;
	gint64 pause = G_TIME_SPAN_SECOND;

	for (;;) {
		g_autoptr(GError) problem = NULL;
		gint64 next;

		if (mp_agent_ping(target, wanted->vmid, &problem))
			return true;
		next = g_get_monotonic_time() + pause;
		if (mp_interrupted() ||
			g_error_matches(problem, MP_ERROR, MP_ERROR_NOT_FOUND) ||
			next >= deadline) {
			g_propagate_error(error, g_steal_pointer(&problem));
			return false;
		}
		while (!mp_interrupted() && g_get_monotonic_time() < next)
			g_usleep(WAIT_STEP);
		pause = MIN(pause * 2, WAIT_PAUSE_MAX);
	}
}

static int run_in_vm(
	struct mp_target *target, const struct mp_testing_vm *wanted, GError **error)
{
	g_autoptr(GPtrArray) words = words_of(wanted);
	struct mp_agent_call call = {
		.target = target,
		.vmid = wanted->vmid,
		.args = (const char *const *)words->pdata,
		.seconds = seconds_of(wanted),
		.tick = keep_on,
	};
	int code = MP_EXIT_FAILURE;

	if (wanted->wait && !wait_for_agent(target, wanted, error))
		return code;
	if (mp_agent_exec(&call, error))
		code = take(target, wanted, &call, error);
	mp_agent_clear(&call);
	return code;
}

/* One that a stop of the VM ended may need a while yet, when the VM has started again. */
static bool begin_single(
	struct mp_target *target, const struct mp_testing_vm *wanted, GError **error)
{
	gint64 deadline =
		g_get_monotonic_time() +
		MIN(wanted->wait, MP_TESTING_VM_SINGLE_SECONDS) * G_TIME_SPAN_SECOND;

	for (;;) {
		g_autoptr(GError) problem = NULL;

		if (mp_single_begin(target, wanted->vmid, &problem))
			return true;
		if (!g_error_matches(problem, MP_ERROR, MP_ERROR_BUSY) ||
			g_get_monotonic_time() >= deadline) {
			g_propagate_error(error, g_steal_pointer(&problem));
			return false;
		}
		g_usleep(WAIT_STEP);
	}
}

int mp_testing_in_vm(const struct mp_testing_vm *wanted, GError **error)
{
	g_autoptr(mp_target) target = mp_target_open(NULL, error);
	GError *problem = NULL;
	int code;

	if (!target || !begin_single(target, wanted, error))
		return MP_EXIT_FAILURE;
	mp_interrupts_catch();
	code = run_in_vm(target, wanted, &problem);
	if (problem) {
		note_problem(target, wanted, problem);
		g_propagate_error(error, problem);
	}
	return code;
}
