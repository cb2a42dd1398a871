/* SPDX-License-Identifier: GPL-2.0-or-later */
/* history: what did this program change, and what of it is in force? */
#include "config.h"

#include "cmd.h"
#include "core/journal.h"

static char *opt_sysroot, *opt_format, *opt_color;

static const GOptionEntry options[] = {
	MP_OPTION_FORMAT(opt_format, "text, json"),
	MP_OPTION_SYSROOT(opt_sysroot),
	MP_OPTION_COLOR(opt_color),
	{ NULL },
};

static int run(int argc G_GNUC_UNUSED, char **argv G_GNUC_UNUSED, GError **error)
{
	const struct mp_render_ops *ops = mp_cmd_format(opt_format, error);
	struct mp_render_style style = { 0 };
	g_autoptr(mp_root) root = NULL;
	g_autoptr(GPtrArray) all = NULL;

	if (!ops || !mp_cmd_style(opt_color, &style, error))
		return 0;
	if (!ops->history) {
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE, "history has no format '%s'",
			opt_format);
		return 0;
	}
	root = mp_root_open(opt_sysroot, error);
	if (!root)
		return 0;
	all = mp_journal_load(root, error);
	if (!all)
		return 0;
	struct mp_history_report report = {
		.target = mp_root_name(root),
		.transactions = all,
	};

	ops->history(&report, &style, stdout);
	return MP_EXIT_OK;
}

const struct mp_cmd mp_cmd_history = {
	.name = "history",
	.summary = "the changes that this program made, and which of them are in force",
	.args = "",
	.options = options,
	.description =
		"The newest is the last. 'metis-passthrough rollback ID' undoes one.\n",
	.run = run,
};
