/* SPDX-License-Identifier: GPL-2.0-or-later */
/* preflight: is this host, this card, this VM ready? */
#include "config.h"

#include <string.h>

#include "choose.h"
#include "core/pci.h"

static char *opt_sysroot, *opt_format, *opt_color, *opt_vm, *opt_check;
static struct mp_choose_options opt_choose;
static gboolean opt_strict, opt_list_checks, opt_verbose;

static const GOptionEntry options[] = {
	MP_OPTION_DEVICE(opt_choose, "judge"),
	MP_OPTION_ID(opt_choose, "judge"),
	MP_OPTION_PROFILE(opt_choose, "judge"),
	{ "vm", 0, 0, G_OPTION_ARG_STRING, &opt_vm,
		"judge this VM too: its id or a config file", "VM" },
	{ "check", 'c', 0, G_OPTION_ARG_STRING, &opt_check,
		"only checks whose id matches GLOB", "GLOB" },
	{ "list-checks", 0, 0, G_OPTION_ARG_NONE, &opt_list_checks,
		"list all checks and stop", NULL },
	{ "strict", 0, 0, G_OPTION_ARG_NONE, &opt_strict,
		"warnings and unknowns block too (exit 1)", NULL },
	{ "verbose", 'v', 0, G_OPTION_ARG_NONE, &opt_verbose,
		"show passing checks with their evidence", NULL },
	MP_OPTION_FORMAT(opt_format, "text, json, junit"),
	MP_OPTION_SYSROOT(opt_sysroot),
	MP_OPTION_COLOR(opt_color),
	{ NULL },
};

/* A device that is not there is a finding, if the check that tells it runs. */
static bool missing_is_told(
	const struct mp_host *host, const struct mp_choice *choice, GError **error)
{
	const char *id = "device-present";

	if (!choice->missing->len ||
		(mp_check_find(id) &&
			(!opt_check || g_pattern_match_simple(opt_check, id))))
		return true;
	g_set_error(error, MP_ERROR, MP_ERROR_NOT_FOUND, "%s: is not on %s",
		(const char *)choice->missing->pdata[0], host->origin);
	return false;
}

static struct mp_profile *choose_profile(GPtrArray *wanted, GError **error)
{
	const struct mp_pci *first = wanted->len ? wanted->pdata[0] : NULL;

	if (!first)
		return mp_profile_load("generic", error);
	return mp_profile_for_device(first, error);
}

static void sum_up(struct mp_preflight_report *report)
{
	bool blocked = false;

	for (guint i = 0; i < report->findings->len; i++) {
		const struct mp_finding *finding = report->findings->pdata[i];
		enum mp_severity severity = finding->severity;

		if (finding->waiver && severity > MP_INFO)
			severity = MP_INFO;
		report->counts[severity]++;
		blocked = blocked || severity == MP_FAIL ||
			  (report->strict &&
				  (severity == MP_WARN || severity == MP_UNSURE));
	}
	report->exit_code = blocked ? MP_EXIT_FINDING : MP_EXIT_OK;
}

static bool glob_matches_something(const char *glob)
{
	size_t n;
	const struct mp_check *const *all = mp_checks_all(&n);

	for (size_t i = 0; i < n; i++)
		if (g_pattern_match_simple(glob, all[i]->id))
			return true;
	return false;
}

static int preflight(const struct mp_render_ops *ops, const struct mp_render_style *style,
	GError **error)
{
	g_autoptr(mp_root) root = mp_root_open(opt_sysroot, error);
	g_autoptr(mp_host) host = NULL;
	g_autoptr(mp_config) config = NULL;
	g_autoptr(mp_profile) profile = NULL;
	g_auto(mp_choice) choice = { NULL, NULL };
	g_autoptr(GPtrArray) findings =
		g_ptr_array_new_with_free_func((GDestroyNotify)mp_finding_free);
	struct mp_vm *vm = NULL;

	if (!root)
		return 0;
	config = mp_config_load(root, error);
	if (!config)
		return 0;
	if (opt_choose.profile && !(profile = mp_profile_load(opt_choose.profile, error)))
		return 0;
	host = mp_host_load(root, MP_TOPIC_ALL, error);
	if (!host || (opt_vm && !(vm = mp_vm_find(host, opt_vm, error))))
		return 0;

	struct mp_choose_from from = {
		.host = host,
		.config = config,
		.profile = profile,
		.vm = vm,
	};

	mp_choice_init(&choice);
	if (!mp_choose(&opt_choose, &from, &choice, error) ||
		!missing_is_told(host, &choice, error))
		return 0;
	if (!profile && !(profile = choose_profile(choice.wanted, error)))
		return 0;

	struct mp_check_ctx ctx = {
		.host = host,
		.profile = profile,
		.config = config,
		.wanted = choice.wanted,
		.missing = choice.missing,
		.vm = vm,
		.findings = findings,
	};
	struct mp_preflight_report report = {
		.host = host,
		.profile = profile->name,
		.wanted = choice.wanted,
		.vm = vm ? vm->id : NULL,
		.findings = findings,
		.only = opt_check,
		.strict = opt_strict,
	};

	mp_checks_run(&ctx, opt_check);
	if (!findings->len) {
		/* Silence would read as "ready". */
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
			"--check %s: none of these was run; they judge a device or a VM, name one",
			opt_check ? opt_check : "*");
		return 0;
	}
	sum_up(&report);
	ops->preflight(&report, style, stdout);
	return report.exit_code;
}

static int run(int argc G_GNUC_UNUSED, char **argv G_GNUC_UNUSED, GError **error)
{
	const struct mp_render_ops *ops = mp_cmd_format(opt_format, error);
	struct mp_render_style style = { .verbose = opt_verbose };

	if (!ops || !mp_cmd_style(opt_color, &style, error))
		return 0;
	if (opt_check && !glob_matches_something(opt_check)) {
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
			"--check %s: matches no check (see --list-checks)", opt_check);
		return 0;
	}
	if (opt_list_checks) {
		if (ops->checks) {
			ops->checks(&style, stdout);
			return MP_EXIT_OK;
		}
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
			"--list-checks has no format '%s'", opt_format);
		return 0;
	}
	return preflight(ops, &style, error);
}

const struct mp_cmd mp_cmd_preflight = {
	.name = "preflight",
	.summary = "judge this host, a card and a VM: what would fail, why, what to do",
	.args = "",
	.options = options,
	.description =
		"Reads only. One finding a check, each with its evidence and remedy.\n\n"
		"Exit codes: 0 nothing blocks, 1 a blocking finding, 2 usage, 3 could not look.\n",
	.run = run,
};
