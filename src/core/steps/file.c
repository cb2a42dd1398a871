/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A file that shall have a content, or shall not be there. */
#include "config.h"

#include <string.h>

#include "core/diff.h"
#include "core/steps/node.h"

static bool want_mode(const struct mp_step *step, uint32_t *mode, GError **error)
{
	uint64_t number;

	if (!mp_step_uint(step->want, "mode", &number, error))
		return false;
	*mode = (uint32_t)(number & 07777);
	return true;
}

static const char *want_content(const struct mp_step *step)
{
	return mp_step_text_or_null(step->want, "content");
}

/* What apply() makes of what was there. The mode is the plan's, who saw the old one too; the
 * owner stays. */
static bool after(const struct mp_step *step, struct mp_node_state *state, GError **error)
{
	const char *content = want_content(step);
	struct mp_node_state before;
	uint32_t mode;

	if (!mp_node_before(step, &before, error) || !want_mode(step, &mode, error))
		return false;
	*state = (struct mp_node_state){ .node = MP_NODE_ABSENT };
	if (!content)
		return true;
	g_autofree char *digest =
		g_compute_checksum_for_string(G_CHECKSUM_SHA256, content, -1);

	*state = (struct mp_node_state){
		.node = MP_NODE_FILE,
		.mode = mode,
		.size = strlen(content),
	};
	g_strlcpy(state->digest, digest, sizeof(state->digest));
	if (before.node == MP_NODE_FILE) {
		state->uid = before.uid;
		state->gid = before.gid;
	}
	return true;
}

static bool prepare(struct mp_step *step, const struct mp_step_ctx *ctx, GError **error)
{
	return mp_node_prepare(
		step, ctx, MP_NODE_FILE, want_content(step) != NULL, error);
}

static bool apply(struct mp_step *step, const struct mp_step_ctx *ctx, GError **error)
{
	const char *path = mp_step_text(step->want, "path", error);
	const char *content = want_content(step);
	g_autofree char *temp = mp_step_temp(ctx);
	struct mp_node_state state;

	if (!path || !after(step, &state, error))
		return false;
	if (!content)
		return mp_target_remove(ctx->target, path, error);
	const struct mp_file_want want = {
		.data = content,
		.size = strlen(content),
		.mode = state.mode,
		.uid = state.uid,
		.gid = state.gid,
	};
	return mp_node_make_dirs(step, ctx, error) &&
	       mp_target_write(ctx->target, path, temp, &want, error);
}

static bool verify(struct mp_step *step, const struct mp_step_ctx *ctx, GError **error)
{
	struct mp_node_state state;

	return after(step, &state, error) && mp_node_verify(step, ctx, &state, error);
}

/* What the file is now, as text; NULL: not there, or not to be shown. */
static char *content_now(
	const struct mp_step_ctx *ctx, const char *path, const struct mp_node_state *now)
{
	char *data;
	size_t size;

	if (now->node != MP_NODE_FILE || mp_root_read(mp_target_root(ctx->target), path,
						 MP_READ_FILE, &data, &size) < 0)
		return NULL;
	if (strlen(data) == size)
		return data;
	g_free(data);
	return g_strdup("(binary data)\n");
}

static bool check_undo(struct mp_step *step, const struct mp_step_ctx *ctx, bool complete,
	char **diff, GError **error)
{
	struct mp_node_state state, now = { .node = MP_NODE_OTHER };
	const char *path = mp_step_path(step);

	if (diff)
		*diff = NULL;
	if (!after(step, &state, error))
		return false;
	if (mp_node_check(step, ctx, complete, &state, &now, error))
		return true;
	if (!diff || (now.node != MP_NODE_FILE && now.node != MP_NODE_ABSENT))
		return false;
	g_autofree char *ours = g_strconcat(path, " (as it was set up)", NULL);
	g_autofree char *theirs = g_strconcat(path, " (now)", NULL);
	g_autofree char *text = content_now(ctx, path, &now);

	*diff = mp_diff_unified(ours, want_content(step), theirs, text);
	return false;
}

const struct mp_step_ops mp_step_file = {
	.kind = "file",
	.order = MP_STEP_DIRECT,
	.prepare = prepare,
	.apply = apply,
	.verify = verify,
	.check_undo = check_undo,
	.undo = mp_node_undo,
};

struct mp_step *mp_step_file_new(
	const char *path, const char *content, uint32_t mode, const char *why)
{
	g_autofree char *what = g_strconcat(content ? "write " : "remove ", path, NULL);
	json_object *want = json_object_new_object();

	json_object_object_add(want, "path", json_object_new_string(path));
	json_object_object_add(
		want, "content", content ? json_object_new_string(content) : NULL);
	json_object_object_add(want, "mode", json_object_new_int64(mode));
	return mp_step_new(&mp_step_file, want, what, why);
}
