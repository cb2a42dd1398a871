/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A symbolic link (an enabled unit). */
#include "config.h"

#include <string.h>

#include "core/diff.h"
#include "core/steps/node.h"

static const char *want_target(const struct mp_step *step, GError **error)
{
	return mp_step_text(step->want, "target", error);
}

static bool after(const struct mp_step *step, struct mp_node_state *state, GError **error)
{
	const char *target = want_target(step, error);

	if (!target)
		return false;
	g_autofree char *digest =
		g_compute_checksum_for_string(G_CHECKSUM_SHA256, target, -1);

	*state = (struct mp_node_state){ .node = MP_NODE_LINK, .size = strlen(target) };
	g_strlcpy(state->digest, digest, sizeof(state->digest));
	return true;
}

static bool prepare(struct mp_step *step, const struct mp_step_ctx *ctx, GError **error)
{
	return mp_node_prepare(step, ctx, MP_NODE_LINK, true, error);
}

static bool apply(struct mp_step *step, const struct mp_step_ctx *ctx, GError **error)
{
	const char *path = mp_step_text(step->want, "path", error);
	const char *target = path ? want_target(step, error) : NULL;
	g_autofree char *temp = mp_step_temp(ctx);

	return target && mp_node_make_dirs(step, ctx, error) &&
	       mp_target_link(ctx->target, path, temp, target, error);
}

static bool verify(struct mp_step *step, const struct mp_step_ctx *ctx, GError **error)
{
	struct mp_node_state state;

	return after(step, &state, error) && mp_node_verify(step, ctx, &state, error);
}

static bool check_undo(struct mp_step *step, const struct mp_step_ctx *ctx, bool complete,
	char **diff, GError **error)
{
	struct mp_node_state state, now;

	if (diff)
		*diff = NULL;
	return after(step, &state, error) &&
	       mp_node_check(step, ctx, complete, &state, &now, error);
}

const struct mp_step_ops mp_step_link = {
	.kind = "link",
	.order = MP_STEP_DIRECT,
	.prepare = prepare,
	.apply = apply,
	.verify = verify,
	.check_undo = check_undo,
	.undo = mp_node_undo,
};

struct mp_step *mp_step_link_new(const char *path, const char *target, const char *why)
{
	g_autofree char *what = g_strconcat("link ", path, " to ", target, NULL);
	json_object *want = json_object_new_object();

	json_object_object_add(want, "path", json_object_new_string(path));
	json_object_object_add(want, "target", json_object_new_string(target));
	return mp_step_new(&mp_step_link, want, what, why);
}
