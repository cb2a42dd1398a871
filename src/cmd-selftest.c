/* SPDX-License-Identifier: GPL-2.0-or-later */
/* selftest: DMA, interrupts and isolation of a device, proven through VFIO on this machine. */
#include "config.h"

#include <string.h>

#include "choose.h"
#include "core/fact.h"
#include "core/pci.h"
#include "guest/dmatest.h"
#include "interrupt.h"
#include "testing.h"

#define ROUNDS_MAX    10000
#define TIMEOUT_MAX   86400
#define VM_SECONDS    600
#define BYTES_MIN     4096
#define BYTES_MAX     (UINT64_C(1) << 40)
#define BYTES_DEFAULT "4K"

static struct mp_choose_options opt_choose;
static char *opt_engine, *opt_case, *opt_bytes, *opt_format, *opt_color, *opt_way;
static char **opt_force;
static int opt_rounds = 1, opt_timeout, opt_wait;
static char *opt_vm;
static gboolean opt_guest, opt_no_isolation, opt_list_cases, opt_verbose;

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
	{ "guest", 'g', 0, G_OPTION_ARG_NONE, &opt_guest,
		"this is the inside of a VM: take the best way that it offers", NULL },
	{ "vm", 0, 0, G_OPTION_ARG_STRING, &opt_vm,
		"do that in VM VMID of this node, through its guest agent; --device is the "
		"guest's address",
		"VMID" },
	{ "timeout", 't', 0, G_OPTION_ARG_INT, &opt_timeout,
		"with --guest: end the test after so many seconds; with --vm: 600",
		"SECONDS" },
	{ "wait", 0, 0, G_OPTION_ARG_INT, &opt_wait,
		"with --vm: wait so many seconds until the guest agent answers (0)",
		"SECONDS" },
	{ "way", 'w', 0, G_OPTION_ARG_STRING, &opt_way,
		"how VFIO is entered: group, cdev (default: auto, which is group if there is "
		"one); with --guest also module",
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

/* The names of a guest's two ways differ: by the module, or as on a host. */
static const struct mp_case *const *cases_of_place(size_t *n)
{
	return opt_guest && g_strcmp0(opt_way, "group") != 0 &&
			       g_strcmp0(opt_way, "cdev") != 0
		       ? mp_dmatest_cases(n)
		       : mp_cases_all(n);
}

static bool case_is_among(const char *glob, const struct mp_case *const *all, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (g_pattern_match_simple(glob, all[i]->name))
			return true;
	return false;
}

/* Of a guest, the way is known when it runs. */
static bool case_matches_something(const char *glob)
{
	size_t n, hosts;
	const struct mp_case *const *all = cases_of_place(&n);
	const struct mp_case *const *of_host = mp_cases_all(&hosts);

	return case_is_among(glob, all, n) ||
	       (opt_guest && !opt_way && case_is_among(glob, of_host, hosts));
}

static bool take_way(struct mp_testing *testing, GError **error)
{
	if (!opt_way)
		return true;
	if (opt_guest && !strcmp(opt_way, "module")) {
		testing->way = MP_TESTING_MODULE;
		return true;
	}
	if (mp_vfio_parse_wish(opt_way, &testing->options.way)) {
		if (testing->options.way != MP_VFIO_ANY_WAY)
			testing->way = MP_TESTING_VFIO;
		return true;
	}
	g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
		"--way %s: not one of auto, group, cdev%s", opt_way,
		opt_guest ? ", module" : " (module: with --guest)");
	return false;
}

static bool take_options(struct mp_testing *testing, GError **error)
{
	*testing = (struct mp_testing){
		.options = {
			.cases = opt_case,
			.rounds = (unsigned)opt_rounds,
			.isolation = !opt_no_isolation,
		},
		.engine = opt_engine,
		.force = opt_force,
		.seconds = (unsigned)opt_timeout,
	};
	if (!take_way(testing, error))
		return false;
	if (opt_timeout && !opt_guest) {
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
			"--timeout: only with --guest or --vm");
		return false;
	}
	if (opt_timeout < 0 || opt_timeout > TIMEOUT_MAX) {
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
			"--timeout %d: 1 to %d seconds", opt_timeout, TIMEOUT_MAX);
		return false;
	}
	if (opt_wait && !opt_vm) {
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE, "--wait: only with --vm");
		return false;
	}
	if (opt_wait < 0 || opt_wait > TIMEOUT_MAX) {
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE, "--wait %d: 0 to %d seconds",
			opt_wait, TIMEOUT_MAX);
		return false;
	}
	if (opt_rounds < 1 || opt_rounds > ROUNDS_MAX) {
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE, "--rounds %d: 1 to %d",
			opt_rounds, ROUNDS_MAX);
		return false;
	}
	if (opt_engine && !mp_engine_choose(opt_engine, NULL, error))
		return false;
	if (opt_case && !case_matches_something(opt_case)) {
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
			"--case %s: matches no case (see --list-cases)", opt_case);
		return false;
	}
	return parse_bytes(
		opt_bytes ? opt_bytes : BYTES_DEFAULT, &testing->options.bytes, error);
}

/* --- which devices --- */

/* One document: of text and JSON there may be several, one after another. */
static bool is_single(void)
{
	return !g_strcmp0(opt_format, "junit");
}

static bool choose(const struct mp_host *host, const struct mp_config *config,
	const struct mp_profile *profile, struct mp_choice *choice, GError **error)
{
	struct mp_choose_from from = {
		.host = host,
		.config = config,
		.profile = profile,
	};

	if (!mp_choose(&opt_choose, &from, choice, error))
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
	if (choice->wanted->len > 1 && is_single()) {
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
			"format %s is about one device, and there are %u: name one by --device",
			opt_format, choice->wanted->len);
		return false;
	}
	return true;
}

/* --- one device --- */

/* PROBLEM: why there is no more to show, or NULL. False: there is nothing to be shown. */
static bool show(const struct mp_render_ops *ops, const struct mp_render_style *style,
	struct mp_selftest_report *report, const GError *problem)
{
	bool stuck = g_error_matches(problem, MP_ERROR, MP_ERROR_STUCK);

	if (!report->results->len || (problem && !report->interrupted && !stuck))
		return false;
	mp_testing_sum_up(report);
	/* Silence would read as "passed". */
	if (!report->interrupted && !report->passed && !report->failed)
		return false;
	if (stuck)
		report->exit_code = MP_EXIT_STUCK;
	ops->selftest(report, style, stdout);
	return true;
}

static int test(const struct mp_testing *wanted, const struct mp_host *host,
	const struct mp_pci *device, const struct mp_render_ops *ops,
	const struct mp_render_style *style, GError **error)
{
	g_autoptr(GPtrArray) results =
		g_ptr_array_new_with_free_func((GDestroyNotify)mp_case_result_free);
	g_autoptr(mp_host) again = NULL;
	struct mp_testing testing = *wanted;
	gint64 begun = g_get_monotonic_time();
	struct mp_selftest_report report = {
		.host = host,
		.device = device,
		.options = &testing.options,
		.results = results,
		.started = g_get_real_time() / G_USEC_PER_SEC,
	};
	GError *problem = NULL;
	bool could = opt_guest ? mp_testing_guest(&testing, &report, &again, &problem)
			       : mp_testing_vfio(&testing, &report, &problem);
	bool shown;

	report.seconds =
		(unsigned)((g_get_monotonic_time() - begun) / G_TIME_SPAN_SECOND);
	shown = show(ops, style, &report, problem);
	if (!could) {
		g_propagate_error(error, problem);
		return MP_EXIT_FAILURE;
	}
	if (!shown) {
		g_set_error(error, MP_ERROR, MP_ERROR_IO, "%s: no case could be run; %s",
			device->bdf,
			results->len
				? ((struct mp_case_result *)results->pdata[0])->summary
				: "--no-isolation leaves none of those named");
		return MP_EXIT_FAILURE;
	}
	/* What was run in part says nothing of the device as a whole. */
	if (!opt_case && !mp_testing_keep(&report, device->bdf, error))
		return MP_EXIT_FAILURE;
	return report.exit_code;
}

static bool was_interrupted(void)
{
	return mp_selftest_interrupted() || mp_interrupted();
}

/* What the devices before it have left of the time. False: nothing. */
static bool take_rest(struct mp_testing *testing, const struct mp_pci *device,
	gint64 begun, GError **error)
{
	gint64 gone = (g_get_monotonic_time() - begun) / G_TIME_SPAN_SECOND;

	if (!opt_timeout)
		return true;
	testing->seconds = (unsigned)MAX(opt_timeout - gone, 0);
	if (testing->seconds)
		return true;
	g_set_error(error, MP_ERROR, MP_ERROR_IO,
		"%s: not tested: the time was over before (--timeout %d)", device->bdf,
		opt_timeout);
	return false;
}

/* All that were chosen; what fails with one is told, and the next one is tried. The error of a
 * single one is the caller's to tell. */
static int test_all(struct mp_testing *testing, const struct mp_host *host,
	const GPtrArray *devices, const struct mp_render_ops *ops,
	const struct mp_render_style *style, GError **error)
{
	const struct mp_profile *profile = testing->profile;
	gint64 begun = g_get_monotonic_time();
	int code = MP_EXIT_OK;

	for (guint i = 0; i < devices->len; i++) {
		const struct mp_pci *device = devices->pdata[i];
		g_autoptr(GError) problem = NULL;
		g_autoptr(mp_profile) its =
			profile ? NULL : mp_profile_for_device(device, &problem);
		int its_code = MP_EXIT_FAILURE;

		testing->profile = profile ? profile : its;
		if (testing->profile && take_rest(testing, device, begun, &problem))
			its_code = test(testing, host, device, ops, style, &problem);
		testing->profile = profile;
		code = MAX(code, problem ? (int)mp_error_exit(problem) : its_code);
		if (problem && devices->len == 1) {
			g_propagate_error(error, g_steal_pointer(&problem));
			break;
		}
		if (problem)
			fprintf(stderr, "metis-passthrough selftest: %s\n",
				problem->message);
		if (was_interrupted())
			break;
		if (i + 1 < devices->len)
			fputc('\n', stdout);
	}
	return code;
}

static int selftest(struct mp_testing *testing, const struct mp_render_ops *ops,
	const struct mp_render_style *style, GError **error)
{
	g_autoptr(mp_root) root = mp_root_open(NULL, error);
	g_autoptr(mp_config) config = root ? mp_config_load(root, error) : NULL;
	g_autoptr(mp_profile) profile = NULL;
	g_autoptr(mp_host) host = NULL;
	g_auto(mp_choice) choice = { NULL, NULL };

	if (!config || (opt_choose.profile &&
			       !(profile = mp_profile_load(opt_choose.profile, error))))
		return MP_EXIT_FAILURE;
	testing->config = config;
	testing->profile = profile;
	host = mp_host_load(root, MP_TOPIC_ALL, error);
	mp_choice_init(&choice);
	if (!host || !choose(host, config, profile, &choice, error))
		return MP_EXIT_FAILURE;
	return test_all(testing, host, choice.wanted, ops, style, error);
}

static int in_vm(const struct mp_testing *testing, const struct mp_render_ops *ops,
	const struct mp_render_style *style, GError **error)
{
	struct mp_testing_vm wanted = {
		.testing = *testing,
		.vmid = opt_vm,
		.devices = opt_choose.devices,
		.profile = opt_choose.profile,
		.way = opt_way,
		.wait = (unsigned)opt_wait,
		.single = is_single(),
		.ops = ops,
		.style = style,
	};
	uint32_t domain;
	uint8_t bus, slot, function;
	uint64_t number;

	if (!mp_parse_uint(opt_vm, 10, &number) || !number || number > G_MAXINT32) {
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
			"--vm %s: not the number of a VM", opt_vm);
		return MP_EXIT_USAGE;
	}
	for (char **bdf = wanted.devices; bdf && *bdf; bdf++) {
		if (mp_pci_parse_bdf(*bdf, &domain, &bus, &slot, &function))
			continue;
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
			"--device %s: not a PCI address ([DDDD:]BB:DD.F), as the guest sees it",
			*bdf);
		return MP_EXIT_USAGE;
	}
	if (wanted.single && wanted.devices && wanted.devices[1]) {
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
			"format %s is about one device: name one by --device",
			opt_format);
		return MP_EXIT_USAGE;
	}
	if (wanted.profile && strchr(wanted.profile, '/')) {
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
			"--profile %s: with --vm a name: a file is not in the guest",
			wanted.profile);
		return MP_EXIT_USAGE;
	}
	if (!wanted.testing.seconds)
		wanted.testing.seconds = VM_SECONDS;
	return mp_testing_in_vm(&wanted, error);
}

static int list_cases(const struct mp_render_ops *ops,
	const struct mp_render_style *style, GError **error)
{
	size_t n;
	const struct mp_case *const *all = cases_of_place(&n);

	if (ops->cases) {
		ops->cases(all, n, style, stdout);
		return MP_EXIT_OK;
	}
	g_set_error(error, MP_ERROR, MP_ERROR_USAGE, "--list-cases has no format '%s'",
		opt_format);
	return 0;
}

static int run(int argc G_GNUC_UNUSED, char **argv G_GNUC_UNUSED, GError **error)
{
	const struct mp_render_ops *ops = mp_cmd_format(opt_format, error);
	struct mp_render_style style = { .verbose = opt_verbose };
	struct mp_testing testing;

	if (!ops || !mp_cmd_style(opt_color, &style, error))
		return 0;
	if (opt_list_cases)
		return list_cases(ops, &style, error);
	if (!ops->selftest) {
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
			"selftest has no format '%s'", opt_format);
		return 0;
	}
	/* The words are the guest's, then. */
	opt_guest = opt_guest || opt_vm;
	if (!take_options(&testing, error))
		return 0;
	return opt_vm ? in_vm(&testing, ops, &style, error)
		      : selftest(&testing, ops, &style, error);
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
		"With --guest, inside of a VM, the device is driven by the kernel module "
		"metis_dmatest, which is loaded, or built from its installed source, as need be; "
		"else by VFIO, where the VM has a virtual IOMMU. It is taken from its driver for "
		"that time and given back at the end. With --vm this is done from the host, in "
		"a VM with metis-passthrough and the guest agent in it.\n\n"
		"Exit codes: 0 all passed, 1 a case failed, or the device is in use, 2 usage, 3 it "
		"could not run, or was stopped, 5 the device could not be given back.\n",
	.run = run,
};
