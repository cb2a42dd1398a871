/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * node.h - what steps about one name of the file system share: `before` is {state, saved,
 * made_dirs}, and undoing puts back what was there.
 */
#ifndef MP_STEPS_NODE_H
#define MP_STEPS_NODE_H

#include "core/step.h"

/* Looks at want.path, which must be absent or KIND, saves it, and notes the directories that
 * will have to be made (with MAKES false: none). */
bool mp_node_prepare(struct mp_step *step, const struct mp_step_ctx *ctx,
	enum mp_node kind, bool makes, GError **error);
/* before.state, checked. */
bool mp_node_before(
	const struct mp_step *step, struct mp_node_state *state, GError **error);
/* Makes the directories that were missing. */
bool mp_node_make_dirs(
	struct mp_step *step, const struct mp_step_ctx *ctx, GError **error);
/* True if want.path is as AFTER says; else an error that tells the difference. */
bool mp_node_verify(struct mp_step *step, const struct mp_step_ctx *ctx,
	const struct mp_node_state *after, GError **error);
/* True if want.path is as AFTER or as `before` says; unless COMPLETE only in its content,
 * because a file system may refuse modes and owners. Else MP_ERROR_CHANGED; *now is what it
 * is. */
bool mp_node_check(struct mp_step *step, const struct mp_step_ctx *ctx, bool complete,
	const struct mp_node_state *after, struct mp_node_state *now, GError **error);
bool mp_node_undo(struct mp_step *step, const struct mp_step_ctx *ctx, bool complete,
	GError **error);

#endif
