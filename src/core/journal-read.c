/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading the journal: as strictly as if it were hostile, because what it says is undone. */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "core/fact.h"
#include "core/journal-private.h"

#define DEPTH_MAX 32 /* of plan.json */
#define STEPS_MAX 1000

bool mp_journal_is_id(const char *name, uint64_t *number)
{
	size_t length = strlen(name);

	if (length < 4 || length > 9 || strspn(name, "0123456789") != length)
		return false;
	return (length == 4 || *name != '0') && mp_parse_uint(name, 10, number) &&
	       *number > 0;
}

static bool damaged(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);
static bool damaged(GError **error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	g_autofree char *reason = g_strdup_vprintf(format, args);
	va_end(args);
	g_set_error_literal(error, MP_ERROR, MP_ERROR_INPUT, reason);
	return false;
}

/* --- the log --- */

static bool follow_whole(struct mp_tx *tx, const char *line)
{
	enum mp_step_progress *progress =
		(enum mp_step_progress *)(void *)tx->progress->data;

	if (!strcmp(line, "applied")) {
		for (guint i = 0; i < tx->progress->len; i++)
			if (progress[i] != MP_STEP_DONE)
				return false;
		if (tx->state != MP_TX_OPEN)
			return false;
		tx->state = MP_TX_APPLIED;
		return true;
	}
	if (strcmp(line, "undone") != 0 || tx->state == MP_TX_UNDONE)
		return false;
	/* Whatever the lines before say: on a disk that fails they could not all be written. */
	for (guint i = 0; i < tx->progress->len; i++)
		if (progress[i] != MP_STEP_UNTOUCHED)
			progress[i] = MP_STEP_UNDONE;
	tx->state = MP_TX_UNDONE;
	return true;
}

static bool follow_step(
	struct mp_tx *tx, const char *event, enum mp_step_progress *progress)
{
	bool begun = *progress != MP_STEP_UNTOUCHED && *progress != MP_STEP_UNDONE;

	if (!strcmp(event, "begin") && tx->state == MP_TX_OPEN &&
		*progress == MP_STEP_UNTOUCHED) {
		*progress = MP_STEP_BEGUN;
		return true;
	}
	if (!strcmp(event, "done") && tx->state == MP_TX_OPEN &&
		*progress == MP_STEP_BEGUN) {
		*progress = MP_STEP_DONE;
		return true;
	}
	if (!strcmp(event, "undo") && tx->state != MP_TX_UNDONE && begun) {
		*progress = MP_STEP_UNDOING;
		tx->state = MP_TX_UNDOING;
		return true;
	}
	if (!strcmp(event, "undone") && *progress == MP_STEP_UNDOING) {
		*progress = MP_STEP_UNDONE;
		return true;
	}
	return false;
}

bool mp_journal_follow(struct mp_tx *tx, const char *line, GError **error)
{
	const char *space = strchr(line, ' ');
	uint64_t number;
	bool good;

	if (!space) {
		good = follow_whole(tx, line);
	} else {
		g_autofree char *event = g_strndup(line, (gsize)(space - line));

		good = mp_parse_uint(space + 1, 10, &number) && number > 0 &&
		       number <= tx->progress->len &&
		       follow_step(tx, event,
			       &g_array_index(tx->progress, enum mp_step_progress,
				       (guint)number - 1));
	}
	if (good)
		return true;
	g_autofree char *shown = g_strescape(line, NULL);
	return damaged(error, "an event that cannot be here: \"%.60s\"", shown);
}

static bool read_log(
	struct mp_tx *tx, char *data, size_t size, const char *digest, GError **error)
{
	char *end = memrchr(data, '\n', size);
	bool first = true;

	if (!end)
		return damaged(error, "it is empty");
	/* What follows is the part of a line that a crash has left, whatever it is. */
	*end = '\0';
	if (strlen(data) != (size_t)(end - data))
		return damaged(error, "it has NUL bytes");
	g_auto(GStrv) lines = g_strsplit(data, "\n", -1);

	for (char **line = lines; *line; line++) {
		if (first) {
			if (!g_str_has_prefix(*line, "plan ") ||
				strcmp(*line + strlen("plan "), digest) != 0)
				return damaged(error,
					"its first line is not the digest of plan.json: one "
					"of both was changed");
		} else if (!mp_journal_follow(tx, *line, error)) {
			return false;
		}
		first = false;
	}
	return true;
}

/* --- plan.json --- */

static json_object *parse(const char *data, size_t size, GError **error)
{
	json_tokener *tokener = json_tokener_new_ex(DEPTH_MAX);
	json_object *object;
	size_t end;

	/* Not JSON_TOKENER_STRICT: by it json-c 0.18 (Debian 13) takes each byte above 0x7f for a
	 * control character, and no file with such bytes in it could be put back. */
	object = json_tokener_parse_ex(tokener, data, (int)size);
	end = json_tokener_get_parse_end(tokener);
	if (!object) {
		enum json_tokener_error reason = json_tokener_get_error(tokener);

		damaged(error, "not JSON: %s",
			reason == json_tokener_continue
				? "it ends too early"
				: json_tokener_error_desc(reason));
	} else if (!json_object_is_type(object, json_type_object)) {
		damaged(error, "not a JSON object");
		g_clear_pointer(&object, json_object_put);
	} else if (end + strspn(data + end, " \n") != size) {
		damaged(error, "something follows the JSON object");
		g_clear_pointer(&object, json_object_put);
	}
	json_tokener_free(tokener);
	return object;
}

static bool get_object(
	json_object *from, const char *key, json_object **object, GError **error)
{
	if (json_object_object_get_ex(from, key, object) &&
		json_object_is_type(*object, json_type_object))
		return true;
	return damaged(error, "%s: is not an object", key);
}

static bool get_flag(json_object *from, const char *key, bool *flag, GError **error)
{
	json_object *value;

	if (!json_object_object_get_ex(from, key, &value) ||
		!json_object_is_type(value, json_type_boolean))
		return damaged(error, "%s: is neither true nor false", key);
	*flag = json_object_get_boolean(value);
	return true;
}

static bool read_step(json_object *from, GPtrArray *steps, GError **error)
{
	const struct mp_step_ops *ops;
	const char *kind = mp_step_text(from, "kind", error);
	json_object *want, *before;
	struct mp_step *step;

	if (!kind)
		return false;
	ops = mp_step_ops_find(kind);
	if (!ops) {
		g_autofree char *shown = g_strescape(kind, NULL);

		return damaged(error,
			"the kind \"%.40s\" is not known to this version of the program",
			shown);
	}
	if (!get_object(from, "want", &want, error) ||
		!get_object(from, "before", &before, error))
		return false;
	step = mp_step_new(ops, json_object_get(want), mp_step_text_or_null(from, "what"),
		mp_step_text_or_null(from, "why"));
	step->before = json_object_get(before);
	g_ptr_array_add(steps, step);
	if (!step->what)
		return damaged(error, "what: is not a text");
	return get_flag(from, "reboot", &step->reboot, error) &&
	       get_flag(from, "slow", &step->slow, error);
}

static bool read_steps(json_object *plan, struct mp_tx *tx, GError **error)
{
	enum mp_step_progress untouched = MP_STEP_UNTOUCHED;
	json_object *list;

	if (!json_object_object_get_ex(plan, "steps", &list) ||
		!json_object_is_type(list, json_type_array) ||
		json_object_array_length(list) > STEPS_MAX)
		return damaged(error, "steps: is not a list of steps");
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		json_object *one = json_object_array_get_idx(list, i);

		if (!json_object_is_type(one, json_type_object) ||
			!read_step(one, tx->steps, error)) {
			if (error && !*error)
				damaged(error, "it is not an object");
			g_prefix_error(error, "step %zu: ", i + 1);
			return false;
		}
		g_array_append_val(tx->progress, untouched);
	}
	return true;
}

static bool read_plan(json_object *plan, struct mp_tx *tx, GError **error)
{
	uint64_t schema, created;
	const char *id, *title, *tool;

	if (!mp_step_uint(plan, "schema", &schema, error))
		return false;
	if (schema != MP_JOURNAL_SCHEMA)
		return damaged(
			error, "its schema is not known to this version of the program");
	id = mp_step_text(plan, "id", error);
	title = id ? mp_step_text(plan, "title", error) : NULL;
	tool = title ? mp_step_text(plan, "tool", error) : NULL;
	if (!tool || !mp_step_uint(plan, "created", &created, error))
		return false;
	if (strcmp(id, tx->id) != 0)
		return damaged(error, "id: is not the name of its directory");
	tx->title = g_strdup(title);
	tx->tool = g_strdup(tool);
	tx->created = (int64_t)created;
	tx->kernel = g_strdup(mp_step_text_or_null(plan, "kernel"));
	tx->boot_id = g_strdup(mp_step_text_or_null(plan, "boot_id"));
	json_object *promises = NULL;

	json_object_object_get_ex(plan, "promises", &promises);
	if (promises && !json_object_is_type(promises, json_type_array))
		return damaged(error, "promises: is not a list");
	tx->promises = json_object_get(promises);
	return read_steps(plan, tx, error);
}

/* --- a transaction --- */

static bool read_file(
	struct mp_root *root, const char *path, char **data, size_t *size, GError **error)
{
	int err = mp_root_read(root, path, MP_READ_FILE, data, size);

	if (err < 0) {
		g_autofree char *shown = g_strconcat("/", path, NULL);

		mp_error_set_errno(error, err, shown, "read");
	}
	return err >= 0;
}

static bool load_plan(
	struct mp_root *root, struct mp_tx *tx, char **digest, GError **error)
{
	g_autofree char *path = g_build_filename(tx->path, "plan.json", NULL);
	g_autofree char *data = NULL;
	json_object *plan;
	size_t size;
	bool good;

	if (!read_file(root, path, &data, &size, error))
		return false;
	*digest = g_compute_checksum_for_data(
		G_CHECKSUM_SHA256, (const guchar *)data, size);
	plan = parse(data, size, error);
	good = plan && read_plan(plan, tx, error);
	if (!good)
		g_prefix_error(error, "/%s: is damaged: ", path);
	json_object_put(plan);
	return good;
}

static bool load_log(
	struct mp_root *root, struct mp_tx *tx, const char *digest, GError **error)
{
	g_autofree char *path = g_build_filename(tx->path, "log", NULL);
	g_autofree char *data = NULL;
	size_t size;

	if (!read_file(root, path, &data, &size, error))
		return false;
	if (read_log(tx, data, size, digest, error))
		return true;
	g_prefix_error(error, "/%s: is damaged: ", path);
	return false;
}

static struct mp_tx *load(struct mp_root *root, const char *id, GError **error)
{
	g_autoptr(mp_tx) tx = g_new0(struct mp_tx, 1);
	g_autofree char *digest = NULL;

	tx->id = g_strdup(id);
	tx->path = g_strconcat(MP_PATH_JOURNAL "/", id, NULL);
	tx->steps = g_ptr_array_new_with_free_func((GDestroyNotify)mp_step_free);
	tx->progress = g_array_new(FALSE, FALSE, sizeof(enum mp_step_progress));
	if (!load_plan(root, tx, &digest, error) || !load_log(root, tx, digest, error))
		return NULL;
	return g_steal_pointer(&tx);
}

static int by_number(const void *a, const void *b)
{
	const struct mp_tx *const *left = a, *const *right = b;
	size_t one = strlen((*left)->id), other = strlen((*right)->id);

	if (one != other)
		return one < other ? -1 : 1;
	return strcmp((*left)->id, (*right)->id);
}

/* What a person can do about a transaction that does not make sense. */
static void add_way_out(GError **error, const char *id)
{
	char *text;

	if (!error || !*error ||
		(!g_error_matches(*error, MP_ERROR, MP_ERROR_INPUT) &&
			!g_error_matches(*error, MP_ERROR, MP_ERROR_NOT_FOUND)))
		return;
	text = g_strdup_printf(
		"%s; nothing can be changed while it is so: bring it back, or "
		"move /" MP_PATH_JOURNAL "/%s away (what it holds can then not "
		"be undone by this program)",
		(*error)->message, id);
	g_free((*error)->message);
	(*error)->message = text;
}

GPtrArray *mp_journal_load(struct mp_root *root, GError **error)
{
	g_autoptr(GPtrArray) all =
		g_ptr_array_new_with_free_func((GDestroyNotify)mp_tx_free);
	g_auto(GStrv) names = NULL;
	int err = mp_root_list(root, MP_PATH_JOURNAL, &names);
	uint64_t number;

	if (err < 0 && err != -ENOENT) {
		mp_error_set_errno(error, err, "/" MP_PATH_JOURNAL, "read the journal");
		return NULL;
	}
	for (char **name = names; name && *name; name++) {
		if (!mp_journal_is_id(*name, &number))
			continue;
		struct mp_tx *tx = load(root, *name, error);

		if (!tx) {
			add_way_out(error, *name);
			return NULL;
		}
		g_ptr_array_add(all, tx);
	}
	g_ptr_array_sort(all, by_number);
	return g_steal_pointer(&all);
}

/* The lock's file keeps the name of who held it last: is that process there, and ours? */
char *mp_journal_at_work(struct mp_root *root)
{
	g_autofree char *text = NULL;
	g_autofree char *path = NULL;
	g_autofree char *comm = NULL;
	g_auto(GStrv) words = NULL;
	uint64_t pid;

	if (mp_root_read(root, MP_PATH_JOURNAL "/lock", MP_READ_ATTR, &text, NULL) < 0)
		return NULL;
	words = g_strsplit(g_strchomp(text), " ", 2);
	if (!words[0] || !words[1] || !mp_parse_uint(words[0], 10, &pid))
		return NULL;
	path = g_strdup_printf("proc/%" PRIu64 "/comm", pid);
	/* TASK_COMM_LEN cuts it after 15 characters. */
	if (mp_root_read(root, path, MP_READ_ATTR, &comm, NULL) < 0 ||
		!g_str_has_prefix(g_strchomp(comm), "metis-passthrou"))
		return NULL;
	g_autofree char *name = mp_clean_text(words[1], strlen(words[1]));
	return g_strdup_printf("process %" PRIu64 " (%s)", pid, name);
}
