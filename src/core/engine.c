/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Order of things, so that a kill at any line leaves what the next run can finish:
 * the whole plan and all that undoing needs is on the disk; "begin N"; the step; "done N";
 * ...; "applied". Undoing: "undo N"; the step's undo; "undone N"; ...; "undone".
 */
#include "config.h"

#include <string.h>

#include "core/engine.h"

struct run {
	struct mp_target *target;
	struct mp_tx *tx;
	mp_engine_listener listener;
	void *user;
	bool undoing; /* cannot be stopped */
	bool stopped;
	const char *const *force;
};

static bool tell(struct run *run, enum mp_engine_event event, const struct mp_step *step,
	const char *text)
{
	bool go = !run->listener || run->listener(run->user, event, step, text);

	if (run->undoing || go)
		return true;
	run->stopped = true;
	return false;
}

static bool progress(void *user, const struct mp_step *step, const char *line)
{
	return tell(user, MP_EVENT_LINE, step, line);
}

static struct mp_step_ctx context(struct run *run, guint i)
{
	return (struct mp_step_ctx){
		.target = run->target,
		.store = run->tx ? run->tx->path : NULL,
		.number = i + 1,
		.progress = progress,
		.user = run,
	};
}

static struct mp_step *step_at(const struct run *run, guint i)
{
	return run->tx->steps->pdata[i];
}

static enum mp_step_progress progress_at(const struct run *run, guint i)
{
	return g_array_index(run->tx->progress, enum mp_step_progress, i);
}

static bool to_undo(const struct run *run, guint i)
{
	enum mp_step_progress at = progress_at(run, i);

	return at != MP_STEP_UNTOUCHED && at != MP_STEP_UNDONE;
}

/* --- undoing --- */

/* The steps in the order in which they are undone: what was made directly in reverse, then
 * what follows from it. */
static GArray *undo_order(const struct run *run)
{
	GArray *order = g_array_new(FALSE, FALSE, sizeof(guint));

	for (guint i = run->tx->steps->len; i-- > 0;)
		if (to_undo(run, i) && step_at(run, i)->ops->order == MP_STEP_DIRECT)
			g_array_append_val(order, i);
	for (guint i = 0; i < run->tx->steps->len; i++)
		if (to_undo(run, i) && step_at(run, i)->ops->order == MP_STEP_DERIVED)
			g_array_append_val(order, i);
	return order;
}

/* What is no file cannot be kept for its owner, so it cannot be forced either. */
static bool can_be_forced(const struct run *run, guint i)
{
	const char *path = mp_step_path(step_at(run, i));
	struct mp_node_state now;

	return path && *path == '/' && mp_target_look(run->target, path, &now, NULL) &&
	       now.node != MP_NODE_DIRECTORY && now.node != MP_NODE_OTHER;
}

static bool is_forced(const struct run *run, guint i)
{
	const char *path = mp_step_path(step_at(run, i));

	return path && run->force && g_strv_contains(run->force, path) &&
	       can_be_forced(run, i);
}

/* Can step I be undone without losing anything? */
static bool check_one(struct run *run, guint i, char **diff, GError **error)
{
	struct mp_step *step = step_at(run, i);
	const struct mp_step_ctx ctx = context(run, i);

	if (!step->ops->check_undo)
		return true;
	return step->ops->check_undo(
		step, &ctx, progress_at(run, i) == MP_STEP_DONE, diff, error);
}

static void add_line(GString *text, const char *line)
{
	if (text->len)
		g_string_append_c(text, '\n');
	g_string_append(text, line);
}

/* Asks all steps, so that one refusal names everything. */
static bool check_all(struct run *run, char **diff, GError **error)
{
	g_autoptr(GString) changed = g_string_new(NULL), diffs = g_string_new(NULL);
	bool forceable = true;

	for (guint i = 0; i < run->tx->steps->len; i++) {
		g_autoptr(GError) problem = NULL;
		g_autofree char *part = NULL;

		if (!to_undo(run, i) || check_one(run, i, &part, &problem))
			continue;
		if (!g_error_matches(problem, MP_ERROR, MP_ERROR_CHANGED)) {
			g_propagate_error(error, g_steal_pointer(&problem));
			return false;
		}
		if (is_forced(run, i))
			continue;
		add_line(changed, problem->message);
		forceable = forceable && can_be_forced(run, i);
		g_string_append(diffs, part ? part : "");
	}
	if (!changed->len)
		return true;
	if (forceable)
		add_line(changed, "(rollback --force PATH undoes it all the same)");
	if (diff && diffs->len)
		*diff = g_string_free(g_steal_pointer(&diffs), FALSE);
	g_set_error_literal(error, MP_ERROR, MP_ERROR_CHANGED, changed->str);
	return false;
}

/* Keeps what another has made of a path that is undone by force. */
static bool keep_theirs(struct run *run, guint i, GError **error)
{
	const char *path = mp_step_path(step_at(run, i));
	g_autofree char *to = g_strdup_printf("%s/%u.theirs", run->tx->path, i + 1);
	struct mp_node_state state;

	if (!mp_target_look(run->target, path, &state, error))
		return false;
	return state.node == MP_NODE_ABSENT ||
	       mp_target_copy(run->target, path, to, ".temp", false, error);
}

static bool undo_one(struct run *run, guint i, GError **error)
{
	struct mp_step *step = step_at(run, i);
	const struct mp_step_ctx ctx = context(run, i);
	bool complete = progress_at(run, i) == MP_STEP_DONE;
	bool applied = run->tx->state == MP_TX_APPLIED;
	g_autoptr(GError) changed = NULL;

	if (!check_one(run, i, NULL, &changed)) {
		if (!g_error_matches(changed, MP_ERROR, MP_ERROR_CHANGED) ||
			!is_forced(run, i)) {
			g_propagate_error(error, g_steal_pointer(&changed));
			return false;
		}
		if (!keep_theirs(run, i, error))
			return false;
	}
	/* From "in force" to "interrupted" before the first change. Later it only saves work
	 * of the next run: a full disk must not keep us from putting things back. */
	if (!mp_journal_log(
		    run->target, run->tx, "undo", (int)i, applied ? error : NULL) &&
		applied)
		return false;
	tell(run, MP_EVENT_UNDO, step, step->what);
	if (step->ops->undo && !step->ops->undo(step, &ctx, complete, error))
		return false;
	mp_journal_log(run->target, run->tx, "undone", (int)i, NULL);
	tell(run, MP_EVENT_UNDONE, step, step->what);
	return true;
}

/* What a person has to do about step I. */
static void add_advice(
	GString *left, const struct run *run, guint i, const GError *problem)
{
	const struct mp_step *step = step_at(run, i);
	const char *path = mp_step_path(step);
	const char *saved = mp_step_text_or_null(step->before, "saved");

	g_string_append_printf(left, "\n  %s", problem->message);
	if (!path)
		g_string_append_printf(left, "\n    not undone: %s", step->what);
	else if (saved)
		g_string_append_printf(left,
			"\n    its saved copy: /%s/%s, which belongs to %s",
			run->tx->path, saved, path);
	else
		g_string_append_printf(
			left, "\n    it was not there before: remove %s", path);
}

/*
 * Undoes everything that was begun, in spite of what fails on the way. LEFT gets what is
 * left to a person. False with LEFT empty: nothing was begun to be undone.
 */
static bool undo_all(struct run *run, GString *left, GError **error)
{
	g_autoptr(GArray) order = undo_order(run);

	run->undoing = true;
	for (guint k = 0; k < order->len; k++) {
		guint i = g_array_index(order, guint, k);
		g_autoptr(GError) problem = NULL;

		if (undo_one(run, i, &problem))
			continue;
		if (run->tx->state == MP_TX_APPLIED) {
			g_propagate_error(error, g_steal_pointer(&problem));
			return false;
		}
		add_advice(left, run, i, problem);
	}
	if (left->len)
		return false;
	if (!mp_journal_log(run->target, run->tx, "undone", -1, error))
		return false;
	mp_journal_forget_saved(run->target, run->tx);
	return true;
}

static void stuck(
	GError **error, const struct run *run, const char *cause, const char *left)
{
	g_set_error(error, MP_ERROR, MP_ERROR_STUCK,
		"%s; not everything could be undone:%s\n"
		"  When the reason is gone, `metis-passthrough rollback %s` undoes the rest.",
		cause, left, run->tx->id);
}

/* Undoes a transaction that was applied, or interrupted. */
static bool undo_transaction(struct run *run, char **diff, GError **error)
{
	g_autoptr(GString) left = g_string_new(NULL);

	if (!check_all(run, diff, error))
		return false;
	if (undo_all(run, left, error))
		return true;
	if (left->len) {
		g_autofree char *cause = g_strdup_printf("transaction %s", run->tx->id);

		stuck(error, run, cause, left->str);
	}
	return false;
}

/* --- applying --- */

static bool apply_one(struct run *run, guint i, GError **error)
{
	struct mp_step *step = step_at(run, i);
	const struct mp_step_ctx ctx = context(run, i);

	if (!mp_journal_log(run->target, run->tx, "begin", (int)i, error))
		return false;
	tell(run, MP_EVENT_BEGIN, step, step->what);
	run->stopped = false; /* this answer does not count */
	if (step->ops->apply && !step->ops->apply(step, &ctx, error))
		return false;
	if (step->ops->verify && !step->ops->verify(step, &ctx, error))
		return false;
	if (!mp_journal_log(run->target, run->tx, "done", (int)i, error))
		return false;
	if (tell(run, MP_EVENT_DONE, step, step->what))
		return true;
	g_set_error(error, MP_ERROR, MP_ERROR_UNDONE, "stopped");
	return false;
}

/* Undoes what was done after CAUSE, and sets ERROR to what came of it. */
static void give_up(
	struct run *run, const struct mp_step *step, const GError *cause, GError **error)
{
	g_autoptr(GString) left = g_string_new(NULL);
	g_autoptr(GError) unnoted = NULL;
	const char *reason = run->stopped ? "stopped" : cause->message;

	tell(run, MP_EVENT_FAILED, step, reason);
	run->undoing = true;
	if (!undo_all(run, left, &unnoted) && left->len) {
		stuck(error, run, reason, left->str);
		return;
	}
	g_set_error(error, MP_ERROR, MP_ERROR_UNDONE, "%s; everything was undone%s%s",
		reason,
		unnoted ? ", only the journal does not say so yet, the next run will: "
			: "",
		unnoted ? unnoted->message : "");
}

/* What was interrupted comes first: its undoing would take away what is made now. */
static bool nothing_interrupted(struct mp_target *target, GError **error)
{
	g_autoptr(GPtrArray) all = mp_journal_load(mp_target_root(target), error);

	for (guint i = 0; all && i < all->len; i++) {
		const struct mp_tx *tx = all->pdata[i];

		if (tx->state != MP_TX_OPEN && tx->state != MP_TX_UNDOING)
			continue;
		g_set_error(error, MP_ERROR, MP_ERROR_BUSY,
			"transaction %s was interrupted and has to be undone first",
			tx->id);
		return false;
	}
	return all != NULL;
}

bool mp_engine_apply(struct mp_target *target, const char *title, GPtrArray *steps,
	json_object *promises, mp_engine_listener listener, void *user, char **id,
	GError **error)
{
	struct run run = { .target = target, .listener = listener, .user = user };
	const struct mp_step_ctx ctx = context(&run, 0);
	g_autoptr(GError) cause = NULL;
	guint i = 0;

	if (!nothing_interrupted(target, error)) {
		g_ptr_array_set_free_func(steps, (GDestroyNotify)mp_step_free);
		g_ptr_array_unref(steps);
		json_object_put(promises);
		return false;
	}
	g_autoptr(mp_tx) tx =
		mp_journal_begin(target, title, steps, promises, &ctx, error);

	if (!tx)
		return false;
	run.tx = tx;
	while (i < tx->steps->len && apply_one(&run, i, &cause))
		i++;
	if (!cause && mp_journal_log(target, tx, "applied", -1, &cause)) {
		if (id)
			*id = g_strdup(tx->id);
		return true;
	}
	give_up(&run, i < tx->steps->len ? tx->steps->pdata[i] : NULL, cause, error);
	return false;
}

/* --- rolling back, recovering --- */

static bool same_path(const struct mp_tx *a, const struct mp_tx *b, const char **path)
{
	for (guint i = 0; i < a->steps->len; i++) {
		*path = mp_step_path(a->steps->pdata[i]);
		for (guint j = 0; *path && j < b->steps->len; j++)
			if (!g_strcmp0(*path, mp_step_path(b->steps->pdata[j])))
				return true;
	}
	return false;
}

/* What a later transaction has built on must not be taken from under it. */
static bool nothing_later(GPtrArray *all, const struct mp_tx *tx, GError **error)
{
	bool after = false;

	for (guint i = 0; i < all->len; i++) {
		const struct mp_tx *other = all->pdata[i];
		const char *path;

		if (after && other->state != MP_TX_UNDONE &&
			same_path(tx, other, &path)) {
			g_set_error(error, MP_ERROR, MP_ERROR_CHANGED,
				"%s: was changed by transaction %s since: roll that back "
				"first",
				path, other->id);
			return false;
		}
		after = after || other == tx;
	}
	return true;
}

static struct mp_tx *find(GPtrArray *all, const char *id)
{
	for (guint i = 0; i < all->len; i++) {
		struct mp_tx *tx = all->pdata[i];

		if (!strcmp(tx->id, id))
			return tx;
	}
	return NULL;
}

bool mp_engine_undo(struct mp_target *target, const char *id, const char *const *force,
	mp_engine_listener listener, void *user, char **diff, GError **error)
{
	g_autoptr(GPtrArray) all = mp_journal_load(mp_target_root(target), error);
	struct run run = {
		.target = target, .listener = listener, .user = user, .force = force
	};

	if (diff)
		*diff = NULL;
	if (!all)
		return false;
	run.tx = find(all, id);
	if (!run.tx || run.tx->state == MP_TX_UNDONE) {
		g_set_error(error, MP_ERROR, MP_ERROR_NOT_FOUND, "transaction %s: %s", id,
			run.tx ? "is undone already" : "there is none");
		return false;
	}
	return nothing_later(all, run.tx, error) && undo_transaction(&run, diff, error);
}

bool mp_engine_recover(struct mp_target *target, mp_engine_listener listener, void *user,
	unsigned *found, GError **error)
{
	g_autoptr(GPtrArray) all = mp_journal_load(mp_target_root(target), error);

	if (found)
		*found = 0;
	if (!all || !mp_journal_sweep(target, error))
		return false;
	for (guint i = all->len; i-- > 0;) {
		struct run run = {
			.target = target,
			.listener = listener,
			.user = user,
			.tx = all->pdata[i],
			.undoing = true,
		};

		if (run.tx->state == MP_TX_UNDONE || run.tx->state == MP_TX_APPLIED)
			continue;
		tell(&run, MP_EVENT_RECOVER, NULL, run.tx->id);
		if (!undo_transaction(&run, NULL, error)) {
			g_prefix_error(error,
				"an interrupted run has to be undone first (`metis-passthrough "
				"rollback %s`): ",
				run.tx->id);
			return false;
		}
		if (found)
			(*found)++;
	}
	return true;
}
