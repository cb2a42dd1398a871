/* SPDX-License-Identifier: GPL-2.0-or-later */
/* selftest: DMA, interrupts and isolation of a device, proven through VFIO on this machine. */
#include "config.h"

#include <string.h>
#include <unistd.h>

#include "choose.h"
#include "core/fact.h"
#include "core/pci.h"
#include "core/selftest-last.h"
#include "core/target.h"
#include "vfio/selftest.h"

#define ROUNDS_MAX    10000
#define BYTES_MIN     4096
#define BYTES_MAX     (UINT64_C(1) << 40)
#define BYTES_DEFAULT "4K"

static struct mp_choose_options opt_choose;
static char *opt_engine, *opt_case, *opt_bytes, *opt_format, *opt_color, *opt_way;
static char **opt_force;
static int opt_rounds = 1;
static gboolean opt_no_isolation, opt_list_cases, opt_verbose;

static const GOptionEntry options[] = {
	MP_OPTION_DEVICE(opt_choose, "test"),
	MP_OPTION_PROFILE(opt_choose, "test"),
	{ "engine", 'e', 0, G_OPTION_ARG_STRING, &opt_engine,
		"how the device is made to move data: dw-edma, edu, nvme (default: the "
		"profile's)",
		"ENGINE" },
	{ "case", 'c', 0, G_OPTION_ARG_STRING, &opt_case,
		"only cases whose name matches GLOB; the result is not kept", "GLOB" },
	{ "list-cases", 0, 0, G_OPTION_ARG_NONE, &opt_list_cases,
		"list all cases and stop", NULL },
	{ "rounds", 'n', 0, G_OPTION_ARG_INT, &opt_rounds, "run all of it N times (1)",
		"N" },
	{ "bytes", 'b', 0, G_OPTION_ARG_STRING, &opt_bytes,
		"how much the pattern cases move at most, with K, M or G (" BYTES_DEFAULT
		")",
		"N" },
	{ "way", 'w', 0, G_OPTION_ARG_STRING, &opt_way,
		"how VFIO is entered: group, cdev (default: auto, which is group if there is "
		"one)",
		"WAY" },
	{ "no-isolation", 0, 0, G_OPTION_ARG_NONE, &opt_no_isolation,
		"provoke no IOMMU faults", NULL },
	{ "force", 0, 0, G_OPTION_ARG_STRING_ARRAY, &opt_force,
		"test the device at BDF even if it seems to be used", "BDF" },
	{ "verbose", 'v', 0, G_OPTION_ARG_NONE, &opt_verbose,
		"show the evidence of what passed", NULL },
	MP_OPTION_FORMAT(opt_format, "text, json, junit"),
	MP_OPTION_COLOR(opt_color),
	{ NULL },
};

/* --- options --- */

static bool parse_bytes(const char *text, size_t *bytes, GError **error)
{
	static const char units[] = "KMG";
	g_autofree char *digits = g_strdup(text);
	size_t length = strlen(digits);
	const char *unit = length ? strchr(units, digits[length - 1]) : NULL;
	unsigned shift = unit && *unit ? 10 * (unsigned)(unit - units + 1) : 0;
	uint64_t number;

	if (shift)
		digits[length - 1] = '\0';
	if (mp_parse_uint(digits, 10, &number) && number <= BYTES_MAX >> shift &&
		number << shift >= BYTES_MIN) {
		*bytes = (size_t)(number << shift);
		return true;
	}
	g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
		"--bytes %s: not a size of 4K to 1024G (a number, then K, M or G)", text);
	return false;
}

static bool case_matches_something(const char *glob)
{
	size_t n;
	const struct mp_case *const *all = mp_cases_all(&n);

	for (size_t i = 0; i < n; i++)
		if (g_pattern_match_simple(glob, all[i]->name))
			return true;
	return false;
}

static bool take_options(struct mp_selftest_options *wanted, GError **error)
{
	*wanted = (struct mp_selftest_options){
		.cases = opt_case,
		.rounds = (unsigned)opt_rounds,
		.isolation = !opt_no_isolation,
	};
	if (opt_way && !mp_vfio_parse_wish(opt_way, &wanted->way)) {
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
			"--way %s: not one of auto, group, cdev", opt_way);
		return false;
	}
	if (opt_rounds < 1 || opt_rounds > ROUNDS_MAX) {
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE, "--rounds %d: 1 to %d",
			opt_rounds, ROUNDS_MAX);
		return false;
	}
	if (opt_case && !case_matches_something(opt_case)) {
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
			"--case %s: matches no case (see --list-cases)", opt_case);
		return false;
	}
	return parse_bytes(opt_bytes ? opt_bytes : BYTES_DEFAULT, &wanted->bytes, error);
}

static bool is_forced(const struct mp_host *host, const struct mp_pci *device)
{
	for (char **bdf = opt_force; bdf && *bdf; bdf++)
		if (mp_host_device(host, *bdf) == device)
			return true;
	return false;
}

/* --- which devices --- */

static bool choose(const struct mp_host *host, struct mp_root *root,
	const struct mp_profile *profile, struct mp_choice *choice, GError **error)
{
	g_autoptr(mp_config) config = mp_config_load(root, error);
	struct mp_choose_from from = {
		.host = host,
		.config = config,
		.profile = profile,
	};

	if (!config || !mp_choose(&opt_choose, &from, choice, error))
		return false;
	if (choice->missing->len) {
		g_set_error(error, MP_ERROR, MP_ERROR_NOT_FOUND,
			"%s: there is no such device",
			(const char *)choice->missing->pdata[0]);
		return false;
	}
	if (!choice->wanted->len) {
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
			"no device is named, none is configured, and no profile wants one: "
			"name it by --device");
		return false;
	}
	if (choice->wanted->len > 1 &&
		g_strcmp0(opt_format ? opt_format : "text", "text")) {
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
			"format %s is about one device, and there are %u: name one by --device",
			opt_format, choice->wanted->len);
		return false;
	}
	return true;
}

/* --- while it runs --- */

struct watch {
	const struct mp_selftest_options *options;
	bool terminal;
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

	if (!watch->terminal)
		return true;
	for (size_t i = 0; i < n; i++) {
		total += is_chosen(all[i], watch->options);
		if (all[i] == c)
			number = total;
	}
	fputs("\r\033[K", stderr);
	if (watch->options->rounds > 1)
		fprintf(stderr, "[%u/%u, round %u/%u] %s", number, total, round,
			watch->options->rounds, c->name);
	else
		fprintf(stderr, "[%u/%u] %s", number, total, c->name);
	fflush(stderr);
	return true;
}

static void sum_up(struct mp_selftest_report *report)
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

/* --- the result that is kept --- */

/* Readers see the old report or the new one, never a part of it. */
static bool record(const struct mp_selftest_report *report, GError **error)
{
	const struct mp_render_style style = { 0 };
	g_autoptr(mp_target) target = mp_target_open(NULL, error);
	g_autofree char *path =
		g_strdup_printf(MP_PATH_SELFTEST "/%s.json", report->device->bdf);
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

/* --- one device --- */

static int test(const struct mp_host *host, const struct mp_pci *device,
	const struct mp_profile *profile, struct mp_selftest_options *wanted,
	const struct mp_render_ops *ops, const struct mp_render_style *style,
	GError **error)
{
	g_autoptr(mp_profile) its = profile ? NULL : mp_profile_for_device(device, error);
	g_autoptr(GPtrArray) results =
		g_ptr_array_new_with_free_func((GDestroyNotify)mp_case_result_free);
	struct watch watch = { .options = wanted, .terminal = isatty(STDERR_FILENO) };
	gint64 begun = g_get_monotonic_time();
	struct mp_selftest_report report = {
		.host = host,
		.device = device,
		.options = wanted,
		.results = results,
		.started = g_get_real_time() / G_USEC_PER_SEC,
	};
	const struct mp_engine *engine;
	bool could;

	if (!profile && !its)
		return MP_EXIT_FAILURE;
	engine = mp_engine_choose(opt_engine, profile ? profile : its, error);
	if (!engine) {
		g_prefix_error(error, "%s: ", device->bdf);
		return MP_EXIT_FAILURE;
	}
	report.engine = engine->name;
	wanted->force = is_forced(host, device);
	could = mp_selftest_run(host, device, engine, wanted, progress, &watch, results,
		&report.way, error);
	if (watch.terminal)
		fputs("\r\033[K", stderr);
	report.interrupted = !could && mp_selftest_interrupted();
	if (!could && (!report.interrupted || !results->len))
		return MP_EXIT_FAILURE;
	report.seconds =
		(unsigned)((g_get_monotonic_time() - begun) / G_TIME_SPAN_SECOND);
	sum_up(&report);
	if (!report.interrupted && !report.passed && !report.failed) {
		/* Silence would read as "passed". */
		g_set_error(error, MP_ERROR, MP_ERROR_IO, "%s: no case could be run; %s",
			device->bdf,
			results->len
				? ((struct mp_case_result *)results->pdata[0])->summary
				: "--no-isolation leaves none of those named");
		return MP_EXIT_FAILURE;
	}
	ops->selftest(&report, style, stdout);
	/* What was run in part says nothing of the device as a whole. */
	if (!report.interrupted && !opt_case && !record(&report, error))
		return MP_EXIT_FAILURE;
	return report.exit_code;
}

static int selftest(const struct mp_render_ops *ops, const struct mp_render_style *style,
	struct mp_selftest_options *wanted, GError **error)
{
	g_autoptr(mp_root) root = mp_root_open(NULL, error);
	g_autoptr(mp_profile) profile = NULL;
	g_autoptr(mp_host) host = NULL;
	g_auto(mp_choice) choice = { NULL, NULL };
	int code = MP_EXIT_OK;

	if (!root || (opt_choose.profile &&
			     !(profile = mp_profile_load(opt_choose.profile, error))))
		return MP_EXIT_FAILURE;
	host = mp_host_load(root, MP_TOPIC_ALL, error);
	mp_choice_init(&choice);
	if (!host || !choose(host, root, profile, &choice, error))
		return MP_EXIT_FAILURE;
	for (guint i = 0; i < choice.wanted->len; i++) {
		g_autoptr(GError) problem = NULL;
		int its = test(host, choice.wanted->pdata[i], profile, wanted, ops, style,
			&problem);

		code = MAX(code, problem ? (int)mp_error_exit(problem) : its);
		if (problem &&
			(mp_selftest_interrupted() || i + 1 == choice.wanted->len)) {
			g_propagate_error(error, g_steal_pointer(&problem));
			break;
		}
		if (problem)
			fprintf(stderr, "metis-passthrough selftest: %s\n",
				problem->message);
		if (i + 1 < choice.wanted->len)
			fputc('\n', stdout);
	}
	return code;
}

static int run(int argc G_GNUC_UNUSED, char **argv G_GNUC_UNUSED, GError **error)
{
	const struct mp_render_ops *ops = mp_cmd_format(opt_format, error);
	struct mp_render_style style = { .verbose = opt_verbose };
	struct mp_selftest_options wanted;

	if (!ops || !mp_cmd_style(opt_color, &style, error))
		return 0;
	if (opt_list_cases) {
		if (ops->cases) {
			ops->cases(&style, stdout);
			return MP_EXIT_OK;
		}
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
			"--list-cases has no format '%s'", opt_format);
		return 0;
	}
	if (!ops->selftest) {
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
			"selftest has no format '%s'", opt_format);
		return 0;
	}
	if (!take_options(&wanted, error))
		return 0;
	return selftest(ops, &style, &wanted, error);
}

const struct mp_cmd mp_cmd_selftest = {
	.name = "selftest",
	.summary = "prove DMA, interrupts and isolation of a device on this machine",
	.args = "",
	.options = options,
	.description =
		"Drives the device itself through VFIO, so it has to be with vfio-pci and "
		"in no running VM: see 'metis-passthrough bind'. The isolation cases "
		"provoke IOMMU faults on purpose; the kernel logs them.\n\n"
		"Exit codes: 0 all passed, 1 a case failed, 2 usage, 3 it could not run, or "
		"was stopped.\n",
	.run = run,
};
