/* SPDX-License-Identifier: GPL-2.0-or-later */
/* repin: the same cards at their new addresses. */
#include "config.h"

#include "change.h"

static char *opt_sysroot, *opt_format, *opt_color;
static gboolean opt_yes, opt_verbose;

static const GOptionEntry options[] = {
	{ "yes", 'y', 0, G_OPTION_ARG_NONE, &opt_yes,
		"make the change without a question", NULL },
	{ "verbose", 'v', 0, G_OPTION_ARG_NONE, &opt_verbose,
		"show the files that are right already, too", NULL },
	MP_OPTION_FORMAT(opt_format, "text, json"),
	{ "sysroot", 0, 0, G_OPTION_ARG_FILENAME, &opt_sysroot,
		"change the system in DIR; its programs are run by chroot", "DIR" },
	MP_OPTION_COLOR(opt_color),
	{ NULL },
};

static int run(int argc G_GNUC_UNUSED, char **argv G_GNUC_UNUSED, GError **error)
{
	static const struct mp_planning_options planning = { .repin = true };
	const struct mp_change_options change = {
		.verb = "repin",
		.planning = &planning,
		.sysroot = opt_sysroot,
		.format = opt_format,
		.color = opt_color,
		.yes = opt_yes,
		.verbose = opt_verbose,
	};

	return mp_change(&change, error);
}

const struct mp_cmd mp_cmd_repin = {
	.name = "repin",
	.summary = "find the configured cards again after their addresses changed",
	.args = "",
	.options = options,
	.description =
		"A card whose address holds something else now is looked for by its serial "
		"number, else by its id, subsystem and slot. The plan with the new addresses "
		"is shown and made as by 'setup'. A card that cannot be found, or not be told "
		"from another, stops it: nothing is guessed.\n\n"
		"Exit codes: 0 done, or every card is where it was; 1 something forbids it, or "
		"the answer was no; 2 usage, 3 could not begin, 4 failed and undone, 5 undoing "
		"failed: a person has to look.\n",
	.run = run,
};
