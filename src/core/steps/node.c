/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "core/steps/node.h"

/* Configuration files are small; what is not is no configuration file. */
#define SIZE_MAX_SAVED (16u * 1024 * 1024)

static const char *const node_sentences[] = {
	[MP_NODE_ABSENT] = "not there",
	[MP_NODE_FILE] = "a file",
	[MP_NODE_LINK] = "a symbolic link",
	[MP_NODE_DIRECTORY] = "a directory",
	[MP_NODE_OTHER] = "a device node, socket or named pipe",
};

static bool refuse(
	GError **error, const char *path, enum mp_node found, enum mp_node kind)
{
	g_set_error(error, MP_ERROR, MP_ERROR_INPUT,
		"%s: cannot be replaced by this program: it is %s, not %s; move it away if "
		"it is not needed",
		path, node_sentences[found], node_sentences[kind]);
	return false;
}

static json_object *missing_dirs(
	struct mp_target *target, const char *path, GError **error)
{
	g_autoptr(GPtrArray) missing = g_ptr_array_new_with_free_func(g_free);
	g_autofree char *parent = g_path_get_dirname(path);
	json_object *list = json_object_new_array();

	if (strcmp(parent, "/") != 0 &&
		!mp_target_missing_dirs(target, parent, missing, error)) {
		json_object_put(list);
		return NULL;
	}
	for (guint i = 0; i < missing->len; i++)
		json_object_array_add(list, json_object_new_string(missing->pdata[i]));
	return list;
}

/* Saves what is there under NUMBER.old; sets *saved to NULL where there is nothing. */
static bool save(const struct mp_step_ctx *ctx, const char *path,
	const struct mp_node_state *state, json_object **saved, GError **error)
{
	g_autofree char *name = g_strdup_printf("%u.old", ctx->number);
	g_autofree char *to = g_build_filename(ctx->store, name, NULL);
	g_autofree char *temp = mp_step_temp(ctx);
	struct mp_node_state copied;

	*saved = NULL;
	if (state->node == MP_NODE_ABSENT)
		return true;
	if (state->size > SIZE_MAX_SAVED) {
		g_set_error(error, MP_ERROR, MP_ERROR_LIMIT,
			"%s: cannot be changed: larger than a configuration file can be",
			path);
		return false;
	}
	/* No hard link: editors that write in place would change the saved copy. */
	if (!mp_target_copy(ctx->target, path, to, temp, false, error) ||
		!mp_target_look(ctx->target, to, &copied, error))
		return false;
	if (!mp_node_same(state, &copied)) {
		g_set_error(error, MP_ERROR, MP_ERROR_BUSY,
			"%s: cannot save: somebody changes it at this moment", path);
		return false;
	}
	*saved = json_object_new_string(name);
	return true;
}

bool mp_node_prepare(struct mp_step *step, const struct mp_step_ctx *ctx,
	enum mp_node kind, bool makes, GError **error)
{
	const char *path = mp_step_text(step->want, "path", error);
	json_object *made = NULL, *saved = NULL;
	struct mp_node_state state;

	if (!path || !mp_target_look(ctx->target, path, &state, error))
		return false;
	if (state.node != MP_NODE_ABSENT && state.node != kind)
		return refuse(error, path, state.node, kind);
	made = makes ? missing_dirs(ctx->target, path, error) : json_object_new_array();
	if (!made)
		return false;
	if (!save(ctx, path, &state, &saved, error)) {
		json_object_put(made);
		return false;
	}
	json_object_put(step->before);
	step->before = json_object_new_object();
	json_object_object_add(step->before, "state", mp_step_state_to_json(&state));
	json_object_object_add(step->before, "saved", saved);
	json_object_object_add(step->before, "made_dirs", made);
	return true;
}

bool mp_node_before(
	const struct mp_step *step, struct mp_node_state *state, GError **error)
{
	json_object *object = NULL;

	json_object_object_get_ex(step->before, "state", &object);
	if (mp_step_state_from_json(object, state, error))
		return true;
	g_prefix_error(error, "%s: what was there before: ", step->what);
	return false;
}

static json_object *made_dirs(const struct mp_step *step)
{
	json_object *list = NULL;

	json_object_object_get_ex(step->before, "made_dirs", &list);
	return json_object_is_type(list, json_type_array) ? list : NULL;
}

bool mp_node_make_dirs(
	struct mp_step *step, const struct mp_step_ctx *ctx, GError **error)
{
	json_object *list = made_dirs(step);
	size_t count = list ? json_object_array_length(list) : 0;

	/* The innermost brings the others. */
	return !count ||
	       mp_target_make_dirs(ctx->target,
		       json_object_get_string(json_object_array_get_idx(list, count - 1)),
		       NULL, error);
}

/* "it is a symbolic link", "its content differs", "its mode is 0600, not 0644" */
static char *difference(
	const struct mp_node_state *now, const struct mp_node_state *wanted)
{
	if (now->node != wanted->node)
		return g_strdup_printf("it is %s", node_sentences[now->node]);
	if (now->size != wanted->size || strcmp(now->digest, wanted->digest) != 0)
		return g_strdup(now->node == MP_NODE_LINK ? "it points elsewhere"
							  : "its content differs");
	if (now->mode != wanted->mode)
		return g_strdup_printf(
			"its mode is %04o, not %04o", now->mode, wanted->mode);
	return g_strdup_printf("its owner is %u:%u, not %u:%u", now->uid, now->gid,
		wanted->uid, wanted->gid);
}

bool mp_node_verify(struct mp_step *step, const struct mp_step_ctx *ctx,
	const struct mp_node_state *after, GError **error)
{
	const char *path = mp_step_text(step->want, "path", error);
	struct mp_node_state now;

	if (!path || !mp_target_look(ctx->target, path, &now, error))
		return false;
	if (mp_node_same(&now, after))
		return true;
	g_autofree char *how = difference(&now, after);
	g_set_error(error, MP_ERROR, MP_ERROR_IO, "%s: is not as it was written: %s",
		path, how);
	return false;
}

static bool same_content(const struct mp_node_state *a, const struct mp_node_state *b)
{
	return a->node == b->node && a->size == b->size && !strcmp(a->digest, b->digest);
}

bool mp_node_check(struct mp_step *step, const struct mp_step_ctx *ctx, bool complete,
	const struct mp_node_state *after, struct mp_node_state *now, GError **error)
{
	const char *path = mp_step_text(step->want, "path", error);
	struct mp_node_state before;

	if (!path || !mp_node_before(step, &before, error) ||
		!mp_target_look(ctx->target, path, now, error))
		return false;
	if (mp_node_same(now, after) || mp_node_same(now, &before))
		return true;
	if (!complete && (same_content(now, after) || same_content(now, &before)))
		return true;
	g_autofree char *how = difference(now, after);
	g_set_error(error, MP_ERROR, MP_ERROR_CHANGED,
		"%s: was changed since by somebody else: %s", path, how);
	return false;
}

/* The saved copy is what prepare() has seen, or the disk has damaged it. */
static bool put_back(const struct mp_step *step, const struct mp_step_ctx *ctx,
	const char *path, const struct mp_node_state *before, GError **error)
{
	const char *name = mp_step_text(step->before, "saved", error);
	g_autofree char *temp = mp_step_temp(ctx);
	g_autofree char *parent = g_path_get_dirname(path);
	struct mp_node_state saved, now;

	if (!name)
		return false;
	g_autofree char *from = g_build_filename(ctx->store, name, NULL);

	if (strchr(name, '/') || !mp_target_look(ctx->target, from, &saved, error))
		return false;
	if (!mp_node_same(&saved, before)) {
		g_set_error(error, MP_ERROR, MP_ERROR_IO,
			"/%s: the saved copy of %s is damaged: it is not what was saved",
			from, path);
		return false;
	}
	if (!mp_target_look(ctx->target, path, &now, error))
		return false;
	/* Never changed, on a file system that has become read-only for example; or put back
	 * by a run that ended before it could say so. */
	if (mp_node_same(&now, before) && now.mtime == saved.mtime)
		return mp_target_settle(ctx->target, path, error);
	if (strcmp(parent, "/") != 0 &&
		!mp_target_make_dirs(ctx->target, parent, NULL, error))
		return false;
	g_autoptr(GError) first = NULL;

	if (mp_target_copy(ctx->target, from, path, temp, false, &first))
		return true;
	/* A hard link needs no room on a disk that is full. Not the first choice: whoever then
	 * writes in place changes the saved copy. */
	if (mp_target_copy(ctx->target, from, path, temp, true, NULL))
		return true;
	g_propagate_error(error, g_steal_pointer(&first));
	return false;
}

static bool undo(
	const struct mp_step *step, const struct mp_step_ctx *ctx, GError **error)
{
	const char *path = mp_step_text(step->want, "path", error);
	json_object *made = made_dirs(step);
	struct mp_node_state before;

	if (!path || !mp_node_before(step, &before, error))
		return false;
	g_autofree char *parent = g_path_get_dirname(path);
	g_autofree char *temp = mp_step_temp(ctx);
	g_autofree char *left = g_build_filename(parent, temp, NULL);

	if (!mp_target_remove(ctx->target, left, error))
		return false;
	if (before.node != MP_NODE_ABSENT)
		return put_back(step, ctx, path, &before, error);
	if (!mp_target_remove(ctx->target, path, error))
		return false;
	for (size_t i = made ? json_object_array_length(made) : 0; i > 0; i--)
		if (!mp_target_remove_dir(ctx->target,
			    json_object_get_string(
				    json_object_array_get_idx(made, i - 1)),
			    error))
			return false;
	return true;
}

bool mp_node_undo(struct mp_step *step, const struct mp_step_ctx *ctx, bool complete,
	GError **error)
{
	bool done;

	(void)complete; /* nothing in between can be seen */
	mp_target_hold_syncs(ctx->target);
	done = undo(step, ctx, error);
	return mp_target_sync(ctx->target, done ? error : NULL) && done;
}
