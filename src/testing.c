/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <unistd.h>

#include "core/pci.h"
#include "core/selftest-last.h"
#include "core/target.h"
#include "taking.h"
#include "testing.h"

/* --- while it runs --- */

void mp_testing_tell(const char *name, unsigned number, unsigned total, unsigned round,
	unsigned rounds)
{
	if (!isatty(STDERR_FILENO))
		return;
	fputs("\r\033[K", stderr);
	if (rounds > 1)
		fprintf(stderr, "[%u/%u, round %u/%u] %s", number, total, round, rounds,
			name);
	else
		fprintf(stderr, "[%u/%u] %s", number, total, name);
	fflush(stderr);
}

void mp_testing_tell_end(void)
{
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
}

struct watch {
	const struct mp_selftest_options *options;
	gint64 deadline; /* 0: none */
	bool late;
};

static bool is_chosen(const struct mp_case *c, const struct mp_selftest_options *wanted)
{
	return (wanted->isolation || !c->isolation) &&
	       (!wanted->cases || g_pattern_match_simple(wanted->cases, c->name));
}

static bool progress(void *user, const struct mp_case *c, unsigned round)
{
	struct watch *watch = user;
	unsigned total = 0, number = 0;
	size_t n;
	const struct mp_case *const *all = mp_cases_all(&n);

	for (size_t i = 0; i < n; i++) {
		total += is_chosen(all[i], watch->options);
		if (all[i] == c)
			number = total;
	}
	watch->late = watch->deadline && g_get_monotonic_time() >= watch->deadline;
	mp_testing_tell(c->name, number, total, round, watch->options->rounds);
	return !watch->late;
}

bool mp_testing_vfio(const struct mp_testing *testing, struct mp_selftest_report *report,
	GError **error)
{
	struct mp_selftest_options options = testing->options;
	struct watch watch = {
		.options = &options,
		.deadline = testing->seconds
				    ? g_get_monotonic_time() +
					      testing->seconds * G_TIME_SPAN_SECOND
				    : 0,
	};
	const struct mp_engine *engine =
		mp_engine_choose(testing->engine, testing->profile, error);
	bool could;

	if (!engine) {
		g_prefix_error(error, "%s: ", report->device->bdf);
		return false;
	}
	report->engine = engine->name;
	options.force = mp_taking_forced(report->host, report->device, testing->force);
	could = mp_selftest_run(report->host, report->device, engine, &options, progress,
		&watch, report->results, &report->way, error);
	mp_testing_tell_end();
	report->interrupted = !could && mp_selftest_interrupted();
	report->late = report->interrupted && watch.late;
	return could;
}

/* --- afterwards --- */

void mp_testing_sum_up(struct mp_selftest_report *report)
{
	for (guint i = 0; i < report->results->len; i++) {
		const struct mp_case_result *result = report->results->pdata[i];

		report->passed += result->verdict == MP_CASE_PASS;
		report->failed += result->verdict == MP_CASE_FAIL;
		report->skipped += result->verdict == MP_CASE_SKIP;
	}
	if (report->interrupted)
		report->exit_code = MP_EXIT_FAILURE;
	else
		report->exit_code = report->failed ? MP_EXIT_FINDING : MP_EXIT_OK;
}

/* Readers see the old report or the new one, never a part of it. */
bool mp_testing_keep(
	const struct mp_selftest_report *report, const char *name, GError **error)
{
	const struct mp_render_style style = { 0 };
	g_autoptr(mp_target) target = mp_target_open(NULL, error);
	g_autofree char *path = g_strdup_printf(MP_PATH_SELFTEST "/%s.json", name);
	g_autofree char *temp = g_strdup_printf(".selftest.%d", (int)getpid());
	char *text = NULL;
	size_t size = 0;
	FILE *memory;
	bool done;

	if (!target)
		return false;
	memory = open_memstream(&text, &size);
	if (!memory)
		g_error("out of memory");
	mp_render_json.selftest(report, &style, memory);
	if (fclose(memory) != 0)
		g_error("out of memory");
	const struct mp_file_want want = { .data = text, .size = size, .mode = 0600 };

	done = mp_target_make_private_dir(target, MP_PATH_JOURNAL, error) &&
	       mp_target_make_private_dir(target, MP_PATH_SELFTEST, error) &&
	       mp_target_write(target, path, temp, &want, error);
	free(text);
	return done;
}
