/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writing the journal. Reading: journal-read.c. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "core/fact.h"
#include "core/journal-private.h"

/* Room for the log of an undo on a full disk: a line is shorter than 16 bytes. */
#define LOG_RESERVE 4096
#define TEMP        ".temp"

void mp_tx_free(struct mp_tx *tx)
{
	if (!tx)
		return;
	g_free(tx->id);
	g_free(tx->title);
	g_free(tx->tool);
	g_free(tx->kernel);
	g_free(tx->boot_id);
	g_clear_pointer(&tx->steps, g_ptr_array_unref);
	g_clear_pointer(&tx->progress, g_array_unref);
	json_object_put(tx->promises);
	g_free(tx->path);
	g_free(tx);
}

const char *mp_tx_state_name(enum mp_tx_state state)
{
	static const char *const names[] = {
		[MP_TX_OPEN] = "interrupted",
		[MP_TX_APPLIED] = "in force",
		[MP_TX_UNDOING] = "interrupted",
		[MP_TX_UNDONE] = "undone",
	};

	return names[state];
}

struct mp_tx *mp_journal_latest(GPtrArray *all)
{
	for (guint i = all->len; i > 0; i--) {
		struct mp_tx *tx = all->pdata[i - 1];

		if (tx->state == MP_TX_APPLIED)
			return tx;
	}
	return NULL;
}

/* --- a new transaction --- */

static char *line_of(struct mp_root *root, const char *path)
{
	char *data;

	if (mp_root_read(root, path, MP_READ_ATTR, &data, NULL) < 0)
		return NULL;
	g_strchomp(data);
	if (*data && g_utf8_validate(data, -1, NULL))
		return data;
	g_free(data);
	return NULL;
}

/* The number after the last; numbers of transactions that were undone are not used again. */
static char *next_id(struct mp_target *target, GError **error)
{
	g_auto(GStrv) names = NULL;
	int err = mp_root_list(mp_target_root(target), MP_PATH_JOURNAL, &names);
	uint64_t last = 0, number;

	if (err < 0 && err != -ENOENT) {
		mp_error_set_errno(error, err, "/" MP_PATH_JOURNAL, "list");
		return NULL;
	}
	for (char **name = names; name && *name; name++)
		if (mp_journal_is_id(*name, &number))
			last = MAX(last, number);
	g_autofree char *id = g_strdup_printf("%04" G_GUINT64_FORMAT, (guint64)last + 1);

	/* What mp_journal_load() would not find must not be begun. */
	if (mp_journal_is_id(id, &number))
		return g_steal_pointer(&id);
	g_set_error(error, MP_ERROR, MP_ERROR_LIMIT,
		"/" MP_PATH_JOURNAL
		": cannot begin a transaction: there is no number after %" G_GUINT64_FORMAT,
		(guint64)last);
	return NULL;
}

static json_object *text_or_null(const char *text)
{
	return text ? json_object_new_string(text) : NULL;
}

static json_object *step_to_json(const struct mp_step *step)
{
	json_object *object = json_object_new_object();

	json_object_object_add(object, "kind", json_object_new_string(step->ops->kind));
	json_object_object_add(object, "what", text_or_null(step->what));
	json_object_object_add(object, "why", text_or_null(step->why));
	json_object_object_add(object, "reboot", json_object_new_boolean(step->reboot));
	json_object_object_add(object, "slow", json_object_new_boolean(step->slow));
	json_object_object_add(object, "want", json_object_get(step->want));
	json_object_object_add(object, "before", json_object_get(step->before));
	return object;
}

static char *tx_to_text(const struct mp_tx *tx)
{
	json_object *object = json_object_new_object();
	json_object *steps = json_object_new_array();
	char *text;

	for (guint i = 0; i < tx->steps->len; i++)
		json_object_array_add(steps, step_to_json(tx->steps->pdata[i]));
	json_object_object_add(object, "schema", json_object_new_int(MP_JOURNAL_SCHEMA));
	json_object_object_add(object, "id", json_object_new_string(tx->id));
	json_object_object_add(object, "title", json_object_new_string(tx->title));
	json_object_object_add(object, "created", json_object_new_int64(tx->created));
	json_object_object_add(object, "tool", json_object_new_string(tx->tool));
	json_object_object_add(object, "kernel", text_or_null(tx->kernel));
	json_object_object_add(object, "boot_id", text_or_null(tx->boot_id));
	json_object_object_add(object, "steps", steps);
	json_object_object_add(object, "promises", json_object_get(tx->promises));
	text = g_strconcat(
		json_object_to_json_string_ext(
			object, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE),
		"\n", NULL);
	json_object_put(object);
	return text;
}

static bool write_text(struct mp_target *target, const char *store, const char *name,
	const char *text, GError **error)
{
	g_autofree char *path = g_build_filename(store, name, NULL);
	const struct mp_file_want want = {
		.data = text,
		.size = strlen(text),
		.mode = 0600,
	};

	return mp_target_write(target, path, TEMP, &want, error);
}

static bool write_store(struct mp_target *target, const struct mp_tx *tx,
	const char *store, GError **error)
{
	g_autofree char *plan = tx_to_text(tx);
	g_autofree char *digest =
		g_compute_checksum_for_string(G_CHECKSUM_SHA256, plan, -1);
	g_autofree char *line = g_strdup_printf("plan %s\n", digest);
	g_autofree char *log = g_build_filename(store, "log", NULL);

	/* What mp_journal_load() would refuse must not be begun. */
	if (strlen(plan) > MP_READ_FILE) {
		g_set_error(error, MP_ERROR, MP_ERROR_LIMIT,
			"%s: cannot be noted: too large", tx->title);
		return false;
	}
	if (!write_text(target, store, "plan.json", plan, error) ||
		!write_text(target, store, "log", line, error))
		return false;
	mp_target_reserve(target, log, LOG_RESERVE + 32 * tx->steps->len);
	return true;
}

static bool prepare_all(const struct mp_tx *tx, const struct mp_step_ctx *given,
	const char *store, GError **error)
{
	struct mp_step_ctx ctx = *given;

	ctx.store = store;
	for (guint i = 0; i < tx->steps->len; i++) {
		struct mp_step *step = tx->steps->pdata[i];

		ctx.number = i + 1;
		if (!step->ops->prepare(step, &ctx, error))
			return false;
	}
	return true;
}

/* All of the new transaction is on the disk before its name says that it exists. */
static bool make_store(struct mp_target *target, const struct mp_tx *tx,
	const struct mp_step_ctx *ctx, GError **error)
{
	g_autofree char *store = g_strconcat(MP_PATH_JOURNAL "/.new-", tx->id, NULL);
	bool done;

	mp_target_hold_syncs(target);
	done = mp_target_remove_tree(target, store, error) &&
	       mp_target_make_private_dir(target, store, error) &&
	       prepare_all(tx, ctx, store, error) &&
	       write_store(target, tx, store, error);
	if (!mp_target_sync(target, done ? error : NULL))
		done = false;
	if (done && mp_target_rename_dir(target, store, tx->path, error))
		return true;
	/* Where only the rename's sync has failed, it has its final name. */
	mp_target_remove_tree(target, store, NULL);
	mp_target_remove_tree(target, tx->path, NULL);
	return false;
}

struct mp_tx *mp_journal_begin(struct mp_target *target, const char *title,
	GPtrArray *steps, json_object *promises, const struct mp_step_ctx *ctx,
	GError **error)
{
	g_autoptr(mp_tx) tx = g_new0(struct mp_tx, 1);
	enum mp_step_progress untouched = MP_STEP_UNTOUCHED;

	g_ptr_array_set_free_func(steps, (GDestroyNotify)mp_step_free);
	tx->steps = steps;
	tx->promises = promises;
	tx->title = g_strdup(title);
	tx->created = g_get_real_time() / G_USEC_PER_SEC;
	tx->tool = g_strdup(PACKAGE_VERSION);
	tx->kernel = line_of(mp_target_root(target), "proc/sys/kernel/osrelease");
	tx->boot_id = line_of(mp_target_root(target), "proc/sys/kernel/random/boot_id");
	tx->progress = g_array_new(FALSE, FALSE, sizeof(enum mp_step_progress));
	for (guint i = 0; i < steps->len; i++)
		g_array_append_val(tx->progress, untouched);
	tx->id = next_id(target, error);
	if (!tx->id)
		return NULL;
	tx->path = g_strconcat(MP_PATH_JOURNAL "/", tx->id, NULL);
	return make_store(target, tx, ctx, error) ? g_steal_pointer(&tx) : NULL;
}

bool mp_journal_log(struct mp_target *target, struct mp_tx *tx, const char *event,
	int step, GError **error)
{
	g_autofree char *path = g_build_filename(tx->path, "log", NULL);
	g_autofree char *line =
		step < 0 ? g_strdup(event) : g_strdup_printf("%s %d", event, step + 1);
	g_autofree char *text = g_strconcat(line, "\n", NULL);
	bool sync = step < 0 || !strcmp(event, "begin") || !strcmp(event, "undo");

	enum mp_tx_state state = tx->state;
	enum mp_step_progress was = MP_STEP_UNTOUCHED;

	/* First in memory: a line that cannot be there would make the log unreadable. */
	if (step >= 0)
		was = g_array_index(tx->progress, enum mp_step_progress, step);
	if (!mp_journal_follow(tx, line, error))
		return false;
	if (mp_target_append(target, path, text, sync, error))
		return true;
	tx->state = state;
	if (step >= 0)
		g_array_index(tx->progress, enum mp_step_progress, step) = was;
	return false;
}

void mp_journal_forget_saved(struct mp_target *target, const struct mp_tx *tx)
{
	g_auto(GStrv) names = NULL;

	if (mp_root_list(mp_target_root(target), tx->path, &names) < 0)
		return;
	mp_target_hold_syncs(target);
	for (char **name = names; *name; name++) {
		g_autofree char *path = g_build_filename(tx->path, *name, NULL);

		if (strcmp(*name, "plan.json") != 0 && strcmp(*name, "log") != 0 &&
			!g_str_has_suffix(*name, ".theirs"))
			mp_target_remove(target, path, NULL);
	}
	mp_target_sync(target, NULL);
}

bool mp_journal_sweep(struct mp_target *target, GError **error)
{
	g_auto(GStrv) names = NULL;
	int err = mp_root_list(mp_target_root(target), MP_PATH_JOURNAL, &names);

	if (err < 0 && err != -ENOENT) {
		mp_error_set_errno(error, err, "/" MP_PATH_JOURNAL, "list");
		return false;
	}
	for (char **name = names; name && *name; name++) {
		g_autofree char *path = g_build_filename(MP_PATH_JOURNAL, *name, NULL);

		if (g_str_has_prefix(*name, ".new-") &&
			!mp_target_remove_tree(target, path, error))
			return false;
	}
	return true;
}
