/* SPDX-License-Identifier: GPL-2.0-or-later */
/* selftest: DMA, interrupts and isolation of one card, proved on this machine. */
#include "config.h"

#include "cmd.h"
#include "core/finding.h"
#include "core/pci.h"
#include "core/profile.h"
#include "vfio/selftest.h"

#define BYTES_DEFAULT  4096
#define ROUNDS_DEFAULT 1
#define ROUNDS_MAX     1000000

static char *opt_device, *opt_engine, *opt_case;
static gint64 opt_bytes = BYTES_DEFAULT;
static int opt_rounds = ROUNDS_DEFAULT;
static gboolean opt_no_isolation, opt_force;
static struct mp_cmd_output output;

static const GOptionEntry options[] = {
	{ "device", 'd', 0, G_OPTION_ARG_STRING, &opt_device, "the card, at BDF", "BDF" },
	{ "engine", 0, 0, G_OPTION_ARG_STRING, &opt_engine,
		"how to drive it (else its profile says)", "ENGINE" },
	{ "case", 0, 0, G_OPTION_ARG_STRING, &opt_case,
		"only the cases whose name fits GLOB", "GLOB" },
	{ "rounds", 0, 0, G_OPTION_ARG_INT, &opt_rounds, "repeat all cases N times",
		"N" },
	{ "bytes", 0, 0, G_OPTION_ARG_INT64, &opt_bytes,
		"the most that the patterns move in one go (4096)", "N" },
	{ "no-isolation", 0, 0, G_OPTION_ARG_NONE, &opt_no_isolation,
		"provoke no faults of the IOMMU", NULL },
	{ "force", 0, 0, G_OPTION_ARG_NONE, &opt_force,
		"test a device that somebody uses", NULL },
	MP_OPTION_FORMAT(output.format, "text"),
	{ NULL },
};

static bool options_are_fine(GError **error)
{
	if (!opt_device)
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
			"--device BDF is missing: which card?");
	else if (opt_rounds < 1 || opt_rounds > ROUNDS_MAX)
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE, "--rounds %d: 1 to %d",
			opt_rounds, ROUNDS_MAX);
	else if (opt_bytes < 1 || opt_bytes > (gint64)1 << 40)
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE, "--bytes: 1 to 1 TiB");
	else
		return true;
	return false;
}

static bool tell(void *user G_GNUC_UNUSED, const struct mp_case *c G_GNUC_UNUSED,
	unsigned round G_GNUC_UNUSED)
{
	return true;
}

static void print_result(const struct mp_case_result *result)
{
	static const char *const verdicts[] = { "pass", "FAIL", "skip" };

	printf("%-26s %s  %s\n", result->name, verdicts[result->verdict],
		result->summary);
	for (guint i = 0; i < result->evidence->len; i++) {
		const struct mp_evidence *evidence = result->evidence->pdata[i];

		printf("    %s: %s\n", evidence->source, evidence->value);
	}
	if (result->latency_ns.count)
		printf("    latency %" G_GUINT64_FORMAT "/%" G_GUINT64_FORMAT
		       "/%" G_GUINT64_FORMAT " ns\n",
			result->latency_ns.min, result->latency_ns.median,
			result->latency_ns.max);
	if (result->remedy)
		printf("    %s\n", result->remedy);
}

static int run(int argc G_GNUC_UNUSED, char **argv G_GNUC_UNUSED, GError **error)
{
	g_autoptr(mp_root) root = NULL;
	g_autoptr(mp_host) host = NULL;
	g_autoptr(mp_profile) profile = NULL;
	g_autoptr(GPtrArray) results =
		g_ptr_array_new_with_free_func((GDestroyNotify)mp_case_result_free);
	const struct mp_engine *engine;
	const struct mp_pci *device;
	bool failed = false;

	if (!options_are_fine(error))
		return MP_EXIT_USAGE;
	const struct mp_selftest_options test = {
		.cases = opt_case,
		.rounds = (unsigned)opt_rounds,
		.bytes = (size_t)opt_bytes,
		.isolation = !opt_no_isolation,
		.force = opt_force,
	};

	root = mp_root_open(NULL, error);
	host = root ? mp_host_load(root, MP_TOPIC_ALL, error) : NULL;
	if (!host)
		return MP_EXIT_FAILURE;
	device = mp_host_device(host, opt_device);
	if (!device) {
		g_set_error(error, MP_ERROR, MP_ERROR_NOT_FOUND,
			"%s: there is no such PCI device", opt_device);
		return MP_EXIT_FAILURE;
	}
	profile = mp_profile_for_device(device, error);
	engine = profile ? mp_engine_choose(opt_engine, profile, error) : NULL;
	if (!engine ||
		!mp_selftest_run(host, device, engine, &test, tell, NULL, results, error))
		return MP_EXIT_FAILURE;
	for (guint i = 0; i < results->len; i++) {
		const struct mp_case_result *result = results->pdata[i];

		print_result(result);
		failed = failed || result->verdict == MP_CASE_FAIL;
	}
	return failed ? MP_EXIT_FINDING : MP_EXIT_OK;
}

const struct mp_cmd mp_cmd_selftest = {
	.name = "selftest",
	.summary = "prove DMA, interrupts and isolation of a card on this machine",
	.args = "",
	.min_args = 0,
	.max_args = 0,
	.options = options,
	.description =
		"Drives the card through VFIO by a small driver of its own, so the card has "
		"to be with vfio-pci and in no VM. What must work is tried, and what must be "
		"refused as well; the kernel's log has to show it.\n\n"
		"Exit codes: 0 all passed, 1 a case failed, 2 usage, 3 could not run.\n",
	.run = run,
};
