/* SPDX-License-Identifier: GPL-2.0-or-later */
/* setup: makes the change that plan shows, all of it or none. */
#include "config.h"

#include "change.h"

static char *opt_sysroot, *opt_format, *opt_color, *opt_output;
static struct mp_planning_options opt_planning;
static gboolean opt_yes, opt_verbose;

static const GOptionEntry options[] = {
	MP_OPTIONS_PLANNING(opt_planning),
	{ "yes", 'y', 0, G_OPTION_ARG_NONE, &opt_yes,
		"make the change without a question", NULL },
	{ "output", 'o', 0, G_OPTION_ARG_FILENAME, &opt_output,
		"write the files, and the commands as a script, into DIR instead",
		"DIR" },
	{ "verbose", 'v', 0, G_OPTION_ARG_NONE, &opt_verbose,
		"show the files that are right already, too", NULL },
	MP_OPTION_FORMAT(opt_format, "text, json"),
	{ "sysroot", 0, 0, G_OPTION_ARG_FILENAME, &opt_sysroot,
		"set up the system in DIR; its programs are run by chroot", "DIR" },
	MP_OPTION_COLOR(opt_color),
	{ NULL },
};

static int run(int argc G_GNUC_UNUSED, char **argv G_GNUC_UNUSED, GError **error)
{
	const struct mp_change_options change = {
		.verb = "setup",
		.planning = &opt_planning,
		.sysroot = opt_sysroot,
		.format = opt_format,
		.color = opt_color,
		.output = opt_output,
		.can_output = true,
		.yes = opt_yes,
		.verbose = opt_verbose,
	};

	return mp_change(&change, error);
}

const struct mp_cmd mp_cmd_setup = {
	.name = "setup",
	.summary = "make this host ready for the cards: all of the plan, or nothing",
	.args = "",
	.options = options,
	.description =
		"Shows the plan, asks, then makes the change. When a step fails, or on Ctrl-C, all "
		"that was done is undone. 'rollback' undoes it later.\n\n"
		"Exit codes: 0 done, or nothing to do; 1 something forbids it, or the answer was "
		"no; 2 usage, 3 could not begin, 4 failed and undone, 5 undoing failed: a person "
		"has to look.\n",
	.run = run,
};
