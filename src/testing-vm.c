/* SPDX-License-Identifier: GPL-2.0-or-later */
/* selftest --vm: the test inside of a VM, started and read by its host through the guest agent. */
#include "config.h"

#include <string.h>

#include "core/pci.h"
#include "core/selftest-last.h"
#include "guest/agent.h"
#include "guest/report.h"
#include "interrupt.h"
#include "testing.h"

/* The guest ends its test in the time; this is for building the module and giving the device
 * back, and for the agent. */
#define GRACE_SECONDS 60
#define SAID_MAX      400 /* of what the guest says, in a message */

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
	add_option(words, "--device", wanted->device);
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

static int show(const struct mp_testing_vm *wanted, const struct mp_agent_call *call,
	struct mp_selftest_report *report, GError **error)
{
	g_autofree char *name = NULL;

	mp_testing_sum_up(report);
	/* Worse than what the results say: interrupted, or the device was not given back. */
	report->exit_code = MAX(report->exit_code, MIN(call->exit_code, MP_EXIT_STUCK));
	if (call->exit_code > MP_EXIT_FINDING && call->err_size) {
		g_autofree char *words = said(call);

		fprintf(stderr, "metis-passthrough selftest: VM %s says: %s\n",
			wanted->vmid, words);
	}
	if (wanted->ops)
		wanted->ops->selftest(report, wanted->style, stdout);
	if (report->interrupted || report->options->cases)
		return report->exit_code;
	name = g_strdup_printf(
		MP_SELFTEST_VM_PREFIX "%s-%s", wanted->vmid, report->device->bdf);
	return mp_testing_keep(report, name, error) ? report->exit_code : MP_EXIT_FAILURE;
}

static int take(const struct mp_testing_vm *wanted, const struct mp_agent_call *call,
	GError **error)
{
	g_autoptr(mp_guest_report) guest = NULL;

	if (!call->out_size)
		return no_report(wanted, call, error);
	guest = mp_guest_report_parse(wanted->vmid, call->out, call->out_size, error);
	if (!guest)
		return MP_EXIT_FAILURE;
	struct mp_selftest_report report = {
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

	return show(wanted, call, &report, error);
}

int mp_testing_in_vm(const struct mp_testing_vm *wanted, GError **error)
{
	g_autoptr(mp_target) target = mp_target_open(NULL, error);
	g_autoptr(GPtrArray) words = words_of(wanted);
	struct mp_agent_call call = {
		.target = target,
		.vmid = wanted->vmid,
		.args = (const char *const *)words->pdata,
		.seconds = wanted->testing.seconds + GRACE_SECONDS,
		.tick = keep_on,
	};
	int code = MP_EXIT_FAILURE;

	if (!target)
		return MP_EXIT_FAILURE;
	mp_interrupts_catch();
	if (mp_agent_exec(&call, error))
		code = take(wanted, &call, error);
	mp_agent_clear(&call);
	return code;
}
