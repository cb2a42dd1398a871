/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "core/step.h"

static const struct mp_step_ops *const kinds[] = {
	&mp_step_file,
	&mp_step_images,
	&mp_step_link,
	&mp_step_mapping,
	&mp_step_program,
	&mp_step_vm,
};

const struct mp_step_ops *mp_step_ops_find(const char *kind)
{
	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
		if (!strcmp(kinds[i]->kind, kind))
			return kinds[i];
	return NULL;
}

struct mp_step *mp_step_new(const struct mp_step_ops *ops, json_object *want,
	const char *what, const char *why)
{
	struct mp_step *step = g_new0(struct mp_step, 1);

	step->ops = ops;
	step->want = want;
	step->what = g_strdup(what);
	step->why = g_strdup(why);
	return step;
}

void mp_step_free(struct mp_step *step)
{
	if (!step)
		return;
	g_free(step->what);
	g_free(step->why);
	json_object_put(step->want);
	json_object_put(step->before);
	g_free(step);
}

const char *mp_step_path(const struct mp_step *step)
{
	return mp_step_text_or_null(step->want, "path");
}

char *mp_step_temp(const struct mp_step_ctx *ctx)
{
	const char *id = strrchr(ctx->store, '/');

	return g_strdup_printf(
		".metis-passthrough-%s-%u", id ? id + 1 : ctx->store, ctx->number);
}

/* --- JSON --- */

static bool malformed(GError **error, const char *key, const char *what)
{
	g_set_error(error, MP_ERROR, MP_ERROR_INPUT, "%s: is not %s", key, what);
	return false;
}

const char *mp_step_text_or_null(json_object *object, const char *key)
{
	json_object *value;
	const char *text;

	if (!json_object_object_get_ex(object, key, &value) ||
		!json_object_is_type(value, json_type_string))
		return NULL;
	text = json_object_get_string(value);
	/* A NUL inside would hide the rest of a path from whoever looks at it. */
	return strlen(text) == (size_t)json_object_get_string_len(value) ? text : NULL;
}

const char *mp_step_text(json_object *object, const char *key, GError **error)
{
	const char *text = mp_step_text_or_null(object, key);

	if (!text)
		malformed(error, key, "a text");
	return text;
}

bool mp_step_uint(json_object *object, const char *key, uint64_t *value, GError **error)
{
	json_object *number;

	if (!json_object_object_get_ex(object, key, &number) ||
		!json_object_is_type(number, json_type_int))
		return malformed(error, key, "a number");
	/* Both ends saturate in json-c. */
	if (json_object_get_int64(number) < 0 ||
		json_object_get_int64(number) == INT64_MAX)
		return malformed(error, key, "a number in its range");
	*value = (uint64_t)json_object_get_int64(number);
	return true;
}

static const char *const node_names[] = {
	[MP_NODE_ABSENT] = "absent",
	[MP_NODE_FILE] = "file",
	[MP_NODE_LINK] = "link",
	[MP_NODE_DIRECTORY] = "directory",
	[MP_NODE_OTHER] = "other",
};

json_object *mp_step_state_to_json(const struct mp_node_state *state)
{
	json_object *object = json_object_new_object();

	json_object_object_add(
		object, "node", json_object_new_string(node_names[state->node]));
	if (state->node == MP_NODE_ABSENT)
		return object;
	json_object_object_add(object, "mode", json_object_new_int64(state->mode));
	json_object_object_add(object, "uid", json_object_new_int64(state->uid));
	json_object_object_add(object, "gid", json_object_new_int64(state->gid));
	json_object_object_add(
		object, "size", json_object_new_int64((int64_t)state->size));
	json_object_object_add(object, "sha256", json_object_new_string(state->digest));
	return object;
}

static bool small_uint(json_object *object, const char *key, uint64_t max,
	uint32_t *value, GError **error)
{
	uint64_t wide;

	if (!mp_step_uint(object, key, &wide, error))
		return false;
	if (wide > max)
		return malformed(error, key, "a number in its range");
	*value = (uint32_t)wide;
	return true;
}

bool mp_step_state_from_json(
	json_object *object, struct mp_node_state *state, GError **error)
{
	const char *node = mp_step_text(object, "node", error);
	const char *digest;

	if (!node)
		return false;
	*state = (struct mp_node_state){ .node = G_N_ELEMENTS(node_names) };
	for (unsigned i = 0; i < G_N_ELEMENTS(node_names); i++)
		if (!strcmp(node, node_names[i]))
			state->node = i;
	if (state->node == G_N_ELEMENTS(node_names))
		return malformed(error, "node", "a kind of file");
	if (state->node == MP_NODE_ABSENT)
		return true;
	if (!small_uint(object, "mode", 07777, &state->mode, error) ||
		!small_uint(object, "uid", UINT32_MAX, &state->uid, error) ||
		!small_uint(object, "gid", UINT32_MAX, &state->gid, error) ||
		!mp_step_uint(object, "size", &state->size, error))
		return false;
	digest = mp_step_text(object, "sha256", error);
	if (!digest)
		return false;
	if (strlen(digest) != (state->node <= MP_NODE_LINK ? 64 : 0) ||
		strspn(digest, "0123456789abcdef") != strlen(digest))
		return malformed(error, "sha256", "a digest");
	g_strlcpy(state->digest, digest, sizeof(state->digest));
	return true;
}
