/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rollback: undo what this program changed. */
#include "config.h"

#include <string.h>

#include "ask.h"
#include "change.h"
#include "cmd.h"
#include "core/engine.h"
#include "interrupt.h"
#include "progress.h"
#include "render/text.h"

static char *opt_sysroot;
static char **opt_force;
static gboolean opt_all, opt_yes;

static const GOptionEntry options[] = {
	{ "all", 0, 0, G_OPTION_ARG_NONE, &opt_all,
		"undo all that is in force, the newest first", NULL },
	{ "yes", 'y', 0, G_OPTION_ARG_NONE, &opt_yes, "do not ask", NULL },
	{ "force", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &opt_force,
		"undo PATH though somebody changed it since; what is there is kept in the "
		"journal (may be given more than once)",
		"PATH" },
	{ "sysroot", 0, 0, G_OPTION_ARG_FILENAME, &opt_sysroot,
		"change the system in DIR (its programs run by chroot)", "DIR" },
	{ NULL },
};

static bool is_interrupted(const struct mp_tx *tx)
{
	return tx->state == MP_TX_OPEN || tx->state == MP_TX_UNDOING;
}

/* --- what will be undone --- */

/* What was found interrupted is undone in any case, and first: nothing else can be changed
 * before. Both hold ids, in the order of undoing. */
struct work {
	GPtrArray *interrupted;
	GPtrArray *chosen;
};

static struct mp_tx *find(GPtrArray *all, const char *id)
{
	for (guint i = 0; i < all->len; i++) {
		struct mp_tx *tx = all->pdata[i];

		if (!strcmp(tx->id, id))
			return tx;
	}
	return NULL;
}

static bool choose(GPtrArray *all, const char *id, struct work *work, GError **error)
{
	struct mp_tx *latest = mp_journal_latest(all);

	for (guint i = all->len; i-- > 0;) {
		struct mp_tx *tx = all->pdata[i];

		if (is_interrupted(tx))
			g_ptr_array_add(work->interrupted, tx);
		else if (opt_all && tx->state == MP_TX_APPLIED)
			g_ptr_array_add(work->chosen, tx);
	}
	if (opt_all)
		return true;
	if (id) {
		struct mp_tx *tx = find(all, id);

		if (!tx) {
			g_set_error(error, MP_ERROR, MP_ERROR_NOT_FOUND,
				"%s: cannot undo: there is no such transaction (see "
				"'metis-passthrough history')",
				id);
			return false;
		}
		if (tx->state == MP_TX_APPLIED)
			g_ptr_array_add(work->chosen, tx);
	} else if (!work->interrupted->len && latest) {
		g_ptr_array_add(work->chosen, latest);
	}
	return true;
}

/* In the order in which the engine undoes them. */
static void show_steps(const struct mp_tx *tx)
{
	for (int order = MP_STEP_DIRECT; order <= MP_STEP_DERIVED; order++)
		for (guint k = 0; k < tx->steps->len; k++) {
			guint i = order == MP_STEP_DIRECT ? tx->steps->len - 1 - k : k;
			const struct mp_step *step = tx->steps->pdata[i];
			enum mp_step_progress at =
				g_array_index(tx->progress, enum mp_step_progress, i);
			g_autofree char *what = NULL;

			if ((int)step->ops->order != order || at == MP_STEP_UNTOUCHED ||
				at == MP_STEP_UNDONE)
				continue;
			what = mp_clean_text(step->what, strlen(step->what));
			printf("    %s\n", what);
		}
}

static void show(const GPtrArray *transactions)
{
	for (guint i = 0; i < transactions->len; i++) {
		const struct mp_tx *tx = transactions->pdata[i];
		const char *title = tx->title ? tx->title : "-";
		g_autofree char *date = mp_text_time(tx->created);
		g_autofree char *clean = mp_clean_text(title, strlen(title));

		printf("transaction %s of %s: %s%s\n", tx->id, date, clean,
			is_interrupted(tx) ? " (interrupted)" : "");
		show_steps(tx);
	}
}

static void show_work(const struct work *work)
{
	printf("To be undone, in this order:\n\n");
	show(work->interrupted);
	show(work->chosen);
	printf("\n");
	fflush(stdout);
}

static unsigned count_steps(const GPtrArray *transactions)
{
	unsigned count = 0;

	for (guint i = 0; i < transactions->len; i++)
		count += ((const struct mp_tx *)transactions->pdata[i])->steps->len;
	return count;
}

/* --- undoing --- */

static bool needs_reboot(const GPtrArray *transactions)
{
	for (guint i = 0; i < transactions->len; i++) {
		const struct mp_tx *tx = transactions->pdata[i];

		for (guint s = 0; s < tx->steps->len; s++)
			if (((const struct mp_step *)tx->steps->pdata[s])->reboot)
				return true;
	}
	return false;
}

/* A roll back goes on to its end: a host that is undone by half is worse than either. */
static bool listen(void *user, enum mp_engine_event event, const struct mp_step *step,
	const char *text)
{
	mp_progress_listen(user, event, step, text);
	return true;
}

static bool undo_one(struct mp_target *target, const char *id, GError **error)
{
	g_autofree char *diff = NULL;
	struct mp_progress progress;
	bool done;

	mp_progress_init(&progress, 0);
	done = mp_engine_undo(target, id, (const char *const *)opt_force, listen,
		&progress, &diff, error);
	mp_progress_clear(&progress);
	if (!done && diff) {
		g_autofree char *clean = mp_clean_text(diff, strlen(diff));

		fputs(clean, stdout);
	}
	return done;
}

static void explain_refusal(const struct mp_tx *tx, GError **error)
{
	if (!error || !g_error_matches(*error, MP_ERROR, MP_ERROR_CHANGED))
		return;
	g_prefix_error(error,
		"transaction %s is not undone, because of what was changed since:\n",
		tx->id);
}

/* Not by mp_engine_recover(), which knows no force: what was changed since the interruption
 * would keep everything else from ever being undone. */
static bool undo_interrupted(
	struct mp_target *target, const struct work *work, GError **error)
{
	for (guint i = 0; i < work->interrupted->len; i++) {
		const struct mp_tx *tx = work->interrupted->pdata[i];

		if (!undo_one(target, tx->id, error)) {
			explain_refusal(tx, error);
			return false;
		}
		printf("undone: transaction %s, which was interrupted\n", tx->id);
	}
	/* What another run had only prepared. */
	return mp_journal_sweep(target, error);
}

static bool undo(struct mp_target *target, const struct work *work, GError **error)
{
	if (!undo_interrupted(target, work, error))
		return false;
	for (guint i = 0; i < work->chosen->len; i++) {
		const struct mp_tx *tx = work->chosen->pdata[i];

		if (mp_interrupted()) {
			g_set_error(error, MP_ERROR, MP_ERROR_IO,
				"stopped before transaction %s; 'metis-passthrough rollback "
				"--all' goes on",
				tx->id);
			return false;
		}
		if (!undo_one(target, tx->id, error)) {
			explain_refusal(tx, error);
			return false;
		}
		printf("undone: transaction %s\n", tx->id);
	}
	return true;
}

static void say_done(const struct work *work)
{
	if (needs_reboot(work->chosen) || needs_reboot(work->interrupted))
		printf("Files and images are as they were. Until the next boot the host "
		       "runs\nwith what it was booted with: reboot.\n");
}

static bool agreed(const struct work *work)
{
	g_autofree char *question = NULL;
	unsigned steps = count_steps(work->interrupted) + count_steps(work->chosen);

	if (opt_yes)
		return true;
	question = g_strdup_printf("Undo %s%u step%s?", steps == 1 ? "this " : "these ",
		steps, MP_PLURAL(steps));
	return mp_ask(question);
}

/* The journal is read again under the lock: somebody else may have been at work while we
 * asked. */
static bool are_still_so(GPtrArray *all, const GPtrArray *transactions, GError **error)
{
	for (guint i = 0; i < transactions->len; i++) {
		const struct mp_tx *then = transactions->pdata[i];
		const struct mp_tx *now = find(all, then->id);

		if (now && now->state == then->state)
			continue;
		g_set_error(error, MP_ERROR, MP_ERROR_BUSY,
			"transaction %s: another run has changed it meanwhile", then->id);
		return false;
	}
	return true;
}

static bool is_still_so(struct mp_target *target, const struct work *work, GError **error)
{
	g_autoptr(GPtrArray) all = mp_journal_load(mp_target_root(target), error);

	return all && are_still_so(all, work->interrupted, error) &&
	       are_still_so(all, work->chosen, error);
}

/* What a run had only prepared when it was killed: no change of the host, but it takes room.
 * Whoever may not, or comes while another is at work, leaves it. */
static void tidy(struct mp_target *target)
{
	struct mp_stat st;

	if (mp_root_stat(mp_target_root(target), MP_PATH_JOURNAL, &st) == 0 &&
		mp_target_lock(target, NULL))
		mp_journal_sweep(target, NULL);
}

static int rollback(const char *id, GError **error)
{
	g_autoptr(mp_target) target = mp_target_open(opt_sysroot, error);
	g_autoptr(GPtrArray) all = NULL, interrupted = g_ptr_array_new(),
			     chosen = g_ptr_array_new();
	struct work work = { interrupted, chosen };

	if (!target)
		return 0;
	all = mp_journal_load(mp_target_root(target), error);
	if (!all || !choose(all, id, &work, error))
		return 0;
	if (!interrupted->len && !chosen->len) {
		if (id)
			printf("transaction %s is undone already\n", id);
		else
			printf("nothing to undo: no change of this program is in force\n");
		tidy(target);
		return MP_EXIT_OK;
	}
	show_work(&work);
	if (!opt_yes &&
		!mp_ask_possible("undo it",
			"see what there is with 'metis-passthrough history'", error))
		return 0;
	mp_interrupts_catch();
	if (!agreed(&work)) {
		printf("Nothing was undone.\n");
		return MP_EXIT_FINDING;
	}
	if (!mp_target_lock(target, error) || !is_still_so(target, &work, error) ||
		!undo(target, &work, error))
		return 0;
	mp_change_forget_record(target);
	say_done(&work);
	return MP_EXIT_OK;
}

static int run(int argc, char **argv, GError **error)
{
	if (argc && opt_all) {
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
			"--all and the ID %s: only one of them", argv[0]);
		return 0;
	}
	return rollback(argc ? argv[0] : NULL, error);
}

const struct mp_cmd mp_cmd_rollback = {
	.name = "rollback",
	.summary =
		"undo a change of this program: files are what they were, byte for byte",
	.args = "[ID]",
	.max_args = 1,
	.options = options,
	.description =
		"Without ID: the last change that is in force, or one that was interrupted. Shows "
		"what will be undone and asks. Refuses, and shows the difference, where somebody "
		"changed a file since; then nothing of that change is undone.\n\n"
		"Exit codes: 0 undone, or nothing to undo; 1 refused, or the answer was no; 2 "
		"usage; 3 could not do its "
		"work; 5 not everything could be undone: the message tells what to do.\n",
	.run = run,
};
