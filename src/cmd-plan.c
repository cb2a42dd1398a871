/* SPDX-License-Identifier: GPL-2.0-or-later */
/* plan: what setup would do, and why. Reads only. */
#include "config.h"

#include "core/quote.h"
#include "planning.h"

static char *opt_sysroot, *opt_format, *opt_color;
static struct mp_planning_options opt_planning;
static gboolean opt_verbose;

static const GOptionEntry options[] = {
	MP_OPTIONS_PLANNING(opt_planning),
	{ "verbose", 'v', 0, G_OPTION_ARG_NONE, &opt_verbose,
		"show the files that are right already, too", NULL },
	MP_OPTION_FORMAT(opt_format, "text, json"),
	MP_OPTION_SYSROOT(opt_sysroot),
	MP_OPTION_COLOR(opt_color),
	{ NULL },
};

/* " --sysroot DIR" for the verbs that would go on; what was captured in a file can be
 * changed only where it was captured. */
static char *where_to_go_on(void)
{
	g_autofree char *quoted = opt_sysroot ? mp_quote(opt_sysroot) : NULL;

	if (!quoted || !g_file_test(opt_sysroot, G_FILE_TEST_IS_DIR))
		return g_strdup("");
	return g_strdup_printf(" --sysroot %s", quoted);
}

static char *next_command(const char *where)
{
	g_autofree char *words = mp_planning_words(&opt_planning);

	return g_strdup_printf("metis-passthrough setup%s%s", words, where);
}

static int run(int argc G_GNUC_UNUSED, char **argv G_GNUC_UNUSED, GError **error)
{
	const struct mp_render_ops *ops = mp_cmd_format(opt_format, error);
	struct mp_render_style style = { .verbose = opt_verbose };
	g_autofree char *where = where_to_go_on();
	g_autofree char *next = next_command(where);
	g_autoptr(mp_planning) planning = NULL;
	g_autoptr(mp_root) root = NULL;
	struct mp_plan_report report;

	if (!ops || !mp_cmd_style(opt_color, &style, error))
		return 0;
	if (!ops->plan) {
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE, "plan has no format '%s'",
			ops->name);
		return 0;
	}
	if (!mp_planning_check(&opt_planning, error) ||
		!(root = mp_root_open(opt_sysroot, error)) ||
		!(planning = mp_planning_make(&opt_planning, root, error)))
		return 0;
	report = mp_planning_report(planning);
	report.next = next;
	report.where = where;
	ops->plan(&report, &style, stdout);
	return report.exit_code;
}

const struct mp_cmd mp_cmd_plan = {
	.name = "plan",
	.summary = "show what setup would change, why, and what a reboot would do",
	.args = "",
	.options = options,
	.description =
		"Reads only: each file as a diff, each command, the drivers of the next boot. "
		"Without devices named, the cards of config.yaml, else what a profile claims.\n\n"
		"Exit codes: 0 a plan, or nothing to do; 1 something forbids it, 2 usage, 3 could "
		"not look.\n",
	.run = run,
};
