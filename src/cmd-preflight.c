/* SPDX-License-Identifier: GPL-2.0-or-later */
/* preflight: is this host, this card, this VM ready? */
#include "config.h"

#include "judging.h"

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

static bool glob_matches_something(const char *glob)
{
	size_t n;
	const struct mp_check *const *all = mp_checks_all(&n);

	for (size_t i = 0; i < n; i++)
		if (g_pattern_match_simple(glob, all[i]->id))
			return true;
	return false;
}

static int list_checks(GError **error)
{
	const struct mp_render_ops *ops = mp_cmd_format(opt_format, error);
	struct mp_render_style style = { .verbose = opt_verbose };

	if (!ops || !mp_cmd_style(opt_color, &style, error))
		return 0;
	if (ops->checks) {
		ops->checks(&style, stdout);
		return MP_EXIT_OK;
	}
	g_set_error(error, MP_ERROR, MP_ERROR_USAGE, "--list-checks has no format '%s'",
		opt_format);
	return 0;
}

static int run(int argc G_GNUC_UNUSED, char **argv G_GNUC_UNUSED, GError **error)
{
	const struct mp_judging_options judging = {
		.choose = &opt_choose,
		.vm = opt_vm,
		.check = opt_check,
		.sysroot = opt_sysroot,
		.format = opt_format,
		.color = opt_color,
		.strict = opt_strict,
		.verbose = opt_verbose,
	};

	if (opt_check && !glob_matches_something(opt_check)) {
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
			"--check %s: matches no check (see --list-checks)", opt_check);
		return 0;
	}
	return opt_list_checks ? list_checks(error) : mp_judge(&judging, error);
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
