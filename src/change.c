/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "ask.h"
#include "change.h"
#include "core/engine.h"
#include "core/pci.h"
#include "core/quote.h"
#include "core/setup.h"
#include "interrupt.h"
#include "output.h"
#include "progress.h"

/* How one run tells what it does. */
struct show {
	const struct mp_change_options *options;
	const struct mp_render_ops *ops;
	struct mp_render_style style;
	bool people; /* a plan first, and then the end; else one report at the end */
};

void mp_change_forget_record(struct mp_target *target)
{
	g_autoptr(GError) error = NULL;

	if (!mp_target_remove(target, MP_PATH_STATUS, &error))
		fprintf(stderr,
			"metis-passthrough: %s; it tells of the state before, until "
			"'metis-passthrough status --record' runs\n",
			error->message);
}

/* What stands between a plan and the change: nothing was changed yet. */
static int nothing_was_changed(const struct show *show)
{
	fprintf(stderr, "metis-passthrough %s: %snothing was changed\n",
		show->options->verb, mp_interrupted() ? "interrupted; " : "");
	return MP_EXIT_FINDING;
}

/* Who cannot see the plan cannot agree to it. */
static bool flushed(GError **error)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return true;
	g_set_error(error, MP_ERROR, MP_ERROR_IO,
		"standard output: cannot show the plan: %s; nothing was changed",
		g_strerror(errno));
	return false;
}

static char *title(const struct show *show, const struct mp_planning *planning)
{
	GString *text = g_string_new(show->options->verb);

	for (guint i = 0; i < planning->choice.wanted->len; i++) {
		const struct mp_pci *device = planning->choice.wanted->pdata[i];

		g_string_append_printf(text, " %s", device->bdf);
	}
	return g_string_free(text, FALSE);
}

static char *where(const struct show *show)
{
	g_autofree char *quoted =
		show->options->sysroot ? mp_quote(show->options->sysroot) : NULL;

	return quoted ? g_strdup_printf(" --sysroot %s", quoted) : g_strdup("");
}

/* --- --output --- */

static int write_output(struct show *show, GError **error)
{
	g_autoptr(mp_root) root = NULL;
	g_autoptr(mp_planning) planning = NULL;
	g_autofree char *command = NULL;
	struct mp_plan_report report;

	if (!mp_output_check(show->options->output, error) ||
		!(root = mp_root_open(show->options->sysroot, error)) ||
		!(planning = mp_planning_make(show->options->planning, root, error)))
		return 0;
	report = mp_planning_report(planning);
	if (report.outcome == MP_PLAN_POSSIBLE) {
		command = title(show, planning);
		if (!mp_output_write(
			    show->options->output, planning->plan->steps, command, error))
			return 0;
		report.outcome = MP_PLAN_WRITTEN;
	}
	if (show->people && report.outcome == MP_PLAN_WRITTEN) {
		printf("written to %s: the files under their paths, and " MP_OUTPUT_COMMANDS
		       ", a script of all that is to be done; nothing was installed\n",
			show->options->output);
		return MP_EXIT_OK;
	}
	show->ops->plan(&report, &show->style, stdout);
	return report.exit_code;
}

/* --- the change --- */

static bool allowed(struct show *show, GError **error)
{
	bool live = !show->options->sysroot || !strcmp(show->options->sysroot, "/");

	if (live && geteuid() != 0) {
		g_set_error(error, MP_ERROR, MP_ERROR_DENIED,
			"cannot change this host: only root can; '%s' shows what would be done",
			show->options->preview ? show->options->preview
					       : "metis-passthrough plan");
		return false;
	}
	if (show->options->yes)
		return true;
	if (!show->people) {
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
			"--format %s asks nothing: it needs --yes%s",
			show->options->format,
			show->options->can_output ? " or --output DIR" : "");
		return false;
	}
	return true;
}

/* There is nobody to ask; but where nothing would be asked, that is not what counts. */
static int without_answer(struct show *show, GError *nobody, GError **error)
{
	g_autoptr(GError) owned = nobody;
	g_autoptr(mp_root) root = mp_root_open(show->options->sysroot, error);
	g_autoptr(mp_planning) planning = NULL;
	g_autofree char *suffix = where(show);
	struct mp_plan_report report;

	if (!root || !(planning = mp_planning_make(show->options->planning, root, error)))
		return 0;
	report = mp_planning_report(planning);
	report.where = suffix;
	if (report.outcome == MP_PLAN_POSSIBLE) {
		g_propagate_error(error, g_steal_pointer(&owned));
		return 0;
	}
	show->ops->plan(&report, &show->style, stdout);
	return report.exit_code;
}

static bool agreed(const struct show *show, const struct mp_plan_report *report)
{
	if (mp_interrupted())
		return false;
	return show->options->yes ||
	       mp_ask(report->wish->guest
			       ? "Make this change? It takes effect when the card's "
				 "module is loaded."
		       : report->plan->reboot
			       ? "Make this change? It takes effect after a reboot."
			       : "Make this change? It takes effect at once.");
}

/*
 * Everything that was begun was undone, or a person has to look: the engine's words, but for
 * a wish of the user's, which is no failure of anything.
 */
static void explain(GError **error)
{
	if (!mp_interrupted() || !g_error_matches(*error, MP_ERROR, MP_ERROR_UNDONE))
		return;
	g_clear_error(error);
	g_set_error(error, MP_ERROR, MP_ERROR_UNDONE,
		"interrupted; everything was undone, the host is as it was");
}

static int change(struct show *show, struct mp_target *target,
	struct mp_planning *planning, struct mp_plan_report *report, GError **error)
{
	struct mp_plan *plan = planning->plan;
	struct mp_progress progress;
	g_autoptr(GError) failure = NULL;
	g_autofree char *name = title(show, planning);
	g_autofree char *id = NULL;
	bool done;

	mp_progress_init(&progress, plan->steps->len);
	/* The report still tells of the steps, which the engine takes over. */
	done = mp_engine_apply(target, name, g_ptr_array_ref(plan->steps),
		json_object_get(plan->promises), mp_progress_listen, &progress, &id,
		&failure);
	mp_progress_clear(&progress);
	if (done)
		mp_change_forget_record(target);
	else
		explain(&failure);
	report->outcome = done ? MP_PLAN_DONE : MP_PLAN_FAILED;
	report->transaction = id;
	report->error = done ? NULL : failure->message;
	report->exit_code = done ? MP_EXIT_OK : (int)mp_error_exit(failure);
	if (done || !show->people)
		show->ops->plan(report, &show->style, stdout);
	if (!done)
		g_propagate_error(error, g_steal_pointer(&failure));
	return report->exit_code;
}

static bool recover(const struct show *show, struct mp_target *target, GError **error)
{
	struct mp_progress progress;
	unsigned found = 0;
	bool recovered;

	mp_progress_init(&progress, 0);
	recovered =
		mp_engine_recover(target, mp_progress_listen, &progress, &found, error);
	mp_progress_clear(&progress);
	if (recovered && found)
		fprintf(stderr,
			"metis-passthrough %s: %u interrupted change%s of an earlier run "
			"%s undone\n",
			show->options->verb, found, MP_PLURAL(found),
			found == 1 ? "was" : "were");
	return recovered;
}

static int set_up(struct show *show, GError **error)
{
	g_autoptr(mp_target) target = NULL;
	g_autoptr(mp_planning) planning = NULL;
	g_autofree char *suffix = where(show);
	struct mp_plan_report report;
	GError *nobody = NULL;

	if (!allowed(show, error))
		return 0;
	if (!show->options->yes &&
		!mp_ask_possible("make the change",
			show->options->can_output
				? "--output DIR to write the files there"
				: NULL,
			&nobody))
		return without_answer(show, nobody, error);
	if (!(target = mp_target_open(show->options->sysroot, error)) ||
		!mp_target_lock(target, error))
		return 0;
	mp_interrupts_catch();
	if (!recover(show, target, error))
		return 0;
	planning =
		mp_planning_make(show->options->planning, mp_target_root(target), error);
	if (!planning)
		return 0;
	report = mp_planning_report(planning);
	report.where = suffix;
	if (show->people || report.outcome != MP_PLAN_POSSIBLE)
		show->ops->plan(&report, &show->style, stdout);
	if (!flushed(error))
		return 0;
	if (report.outcome != MP_PLAN_POSSIBLE)
		return report.exit_code;
	if (!agreed(show, &report))
		return nothing_was_changed(show);
	return change(show, target, planning, &report, error);
}

/* --- the plan alone --- */

static int show_plan(struct show *show, GError **error)
{
	g_autoptr(mp_root) root = mp_root_open(show->options->sysroot, error);
	g_autoptr(mp_planning) planning = NULL;
	g_autofree char *suffix = where(show), *words = NULL, *next = NULL;
	struct mp_plan_report report;

	if (!root || !(planning = mp_planning_make(show->options->planning, root, error)))
		return 0;
	words = mp_planning_words(show->options->planning);
	next = g_strdup_printf(
		"metis-passthrough %s%s%s", show->options->verb, words, suffix);
	report = mp_planning_report(planning);
	report.where = suffix;
	report.next = next;
	show->ops->plan(&report, &show->style, stdout);
	return report.exit_code;
}

int mp_change(const struct mp_change_options *options, GError **error)
{
	struct show show = {
		.options = options,
		.ops = mp_cmd_format(options->format, error),
		.style = { .verbose = options->verbose },
	};

	if (!show.ops || !mp_cmd_style(options->color, &show.style, error))
		return 0;
	if (!show.ops->plan) {
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE, "%s has no format '%s'",
			options->verb, show.ops->name);
		return 0;
	}
	show.people = show.ops == &mp_render_text;
	if (!mp_planning_check(options->planning, error))
		return 0;
	if (options->dry_run)
		return show_plan(&show, error);
	return options->output ? write_output(&show, error) : set_up(&show, error);
}
