/* SPDX-License-Identifier: GPL-2.0-or-later */
/* explain: what a check means, why it matters, what to do. */
#include "config.h"

#include "cmd.h"

static char *opt_format, *opt_color;

static const GOptionEntry options[] = {
	MP_OPTION_FORMAT(opt_format, "text, json"),
	MP_OPTION_COLOR(opt_color),
	{ NULL },
};

static const char *nearest_check(const char *id)
{
	size_t n;
	const struct mp_check *const *all = mp_checks_all(&n);
	g_autoptr(GPtrArray) ids = g_ptr_array_new();

	for (size_t i = 0; i < n; i++)
		g_ptr_array_add(ids, (void *)all[i]->id);
	g_ptr_array_add(ids, NULL);
	return mp_cmd_nearest(id, (const char *const *)ids->pdata);
}

static int run(int argc G_GNUC_UNUSED, char **argv, GError **error)
{
	const struct mp_render_ops *ops = mp_cmd_format(opt_format, error);
	const struct mp_check *check = mp_check_find(argv[0]);
	struct mp_render_style style = { 0 };
	const char *nearest;

	if (!ops || !mp_cmd_style(opt_color, &style, error))
		return 0;
	if (!ops->explain) {
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
			"there is no format '%s' for this", ops->name);
		return 0;
	}
	if (check) {
		ops->explain(check, &style, stdout);
		return MP_EXIT_OK;
	}
	nearest = nearest_check(argv[0]);
	if (nearest)
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
			"there is no check '%s'; did you mean '%s'?", argv[0], nearest);
	else
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
			"there is no check '%s' (see 'metis-passthrough preflight --list-checks')",
			argv[0]);
	return 0;
}

const struct mp_cmd mp_cmd_explain = {
	.name = "explain",
	.summary = "tell what a check means, why it matters and what to do",
	.args = "CHECK",
	.min_args = 1,
	.max_args = 1,
	.options = options,
	.description =
		"CHECK is an id of a finding; 'preflight --list-checks' lists them all.\n",
	.run = run,
};
