/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest: inside of a VM, judges the card that it was given, and sets its driver's options. */
#include "config.h"

#include <string.h>

#include "change.h"
#include "core/known-bad.h"
#include "judging.h"

static char *opt_sysroot, *opt_format, *opt_color, *opt_driver, *opt_firmware;
static struct mp_choose_options opt_choose;
static gboolean opt_strict, opt_verbose, opt_yes, opt_dry_run;

static const GOptionEntry options[] = {
	MP_OPTION_DEVICE(opt_choose, "judge, or set up,"),
	MP_OPTION_ID(opt_choose, "judge, or set up,"),
	MP_OPTION_PROFILE(opt_choose, "judge, or set up,"),
	{ "driver-version", 0, 0, G_OPTION_ARG_STRING, &opt_driver,
		"version of the card's driver, where it does not say", "VERSION" },
	{ "firmware-version", 0, 0, G_OPTION_ARG_STRING, &opt_firmware,
		"version of the card's firmware", "VERSION" },
	{ "dry-run", 'n', 0, G_OPTION_ARG_NONE, &opt_dry_run,
		"apply: show the change, and make none", NULL },
	{ "yes", 'y', 0, G_OPTION_ARG_NONE, &opt_yes,
		"apply: make the change without a question", NULL },
	{ "strict", 0, 0, G_OPTION_ARG_NONE, &opt_strict,
		"check: warnings and unknowns block too (exit 1)", NULL },
	{ "verbose", 'v', 0, G_OPTION_ARG_NONE, &opt_verbose,
		"show what passes too, or is right already", NULL },
	MP_OPTION_FORMAT(opt_format, "text, json, junit"),
	MP_OPTION_SYSROOT(opt_sysroot),
	MP_OPTION_COLOR(opt_color),
	{ NULL },
};

static int check(const struct mp_versions *versions, GError **error)
{
	const struct mp_judging_options judging = {
		.choose = &opt_choose,
		.sysroot = opt_sysroot,
		.format = opt_format,
		.color = opt_color,
		.strict = opt_strict,
		.verbose = opt_verbose,
		.guest = versions,
	};

	return mp_judge(&judging, error);
}

static int apply(const struct mp_versions *versions, GError **error)
{
	const struct mp_planning_options planning = {
		.choose = opt_choose,
		.guest = versions,
	};
	const struct mp_change_options change = {
		.verb = "guest apply",
		.planning = &planning,
		.sysroot = opt_sysroot,
		.format = opt_format,
		.color = opt_color,
		.yes = opt_yes,
		.verbose = opt_verbose,
		.preview = "metis-passthrough guest apply --dry-run",
		.dry_run = opt_dry_run,
	};

	return mp_change(&change, error);
}

static const struct action {
	const char *name;
	int (*run)(const struct mp_versions *versions, GError **error);
} actions[] = {
	{ "check", check },
	{ "apply", apply },
};

static const struct action *find_action(const char *name, GError **error)
{
	const char *names[G_N_ELEMENTS(actions) + 1] = { NULL };
	int found;

	for (size_t i = 0; i < G_N_ELEMENTS(actions); i++)
		names[i] = actions[i].name;
	found = mp_cmd_find_action("guest", names, name, error);
	return found < 0 ? NULL : &actions[found];
}

/* Which of the options belong to one of them only. */
static bool check_options(const struct action *action, GError **error)
{
	const struct {
		const char *name;
		bool given;
		int (*of)(const struct mp_versions *versions, GError **error);
	} belongings[] = {
		{ "strict", opt_strict, check },
		{ "yes", opt_yes, apply },
		{ "dry-run", opt_dry_run, apply },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(belongings); i++) {
		if (!belongings[i].given || belongings[i].of == action->run)
			continue;
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
			"--%s does not belong to 'guest %s'", belongings[i].name,
			action->name);
		return false;
	}
	if (!opt_yes || !opt_dry_run)
		return true;
	g_set_error(
		error, MP_ERROR, MP_ERROR_USAGE, "--yes and --dry-run: only one of them");
	return false;
}

static int run(int argc G_GNUC_UNUSED, char **argv, GError **error)
{
	const struct action *action = find_action(argv[0], error);
	const struct mp_versions versions = {
		.driver = opt_driver,
		.firmware = opt_firmware,
	};

	if (!action || !check_options(action, error) ||
		!mp_cmd_check_version("driver-version", opt_driver, error) ||
		!mp_cmd_check_version("firmware-version", opt_firmware, error))
		return 0;
	return action->run(&versions, error);
}

const struct mp_cmd mp_cmd_guest = {
	.name = "guest",
	.summary =
		"inside of a VM: judge the card that it was given, set its driver's options",
	.args = "check | apply",
	.min_args = 1,
	.max_args = 1,
	.options = options,
	.description =
		"check: what a guest can see for itself: the card, the port above it, its BARs and "
		"interrupts, its driver with version and options, the VM's IOMMU and memory. Reads "
		"only; what the node does is judged there, by preflight.\n\n"
		"apply: the options of the driver's module that the card needs in a VM, as a file of "
		"/etc/modprobe.d, shown first; 'rollback' undoes it. Files of others are not "
		"changed.\n\n"
		"Exit codes: 0 nothing blocks, or done; 1 a blocking finding, something forbids it, "
		"or the answer was no; 2 usage, 3 could not look or begin, 4 failed and undone, 5 "
		"undoing failed.\n",
	.run = run,
};
