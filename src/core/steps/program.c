/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A program that makes files from others, or tells a daemon to look again.
 *
 * want {program, args [text], seconds, outputs [path], undo: "again" or null}
 * before {outputs [{state, saved, shared, partial}]}, in the order of want.outputs:
 *   saved    the name in the store, or null: nothing was there, or it was not saved
 *   shared   saved as a hard link
 *   partial  a file PATH.new was there before, so one that is there later is not removed
 * In the store, besides the saved outputs: N.after, what the outputs were when apply() was
 * done, an array of states. What is still so is ours and can be put back.
 *
 * update-initramfs makes initrd.img-V.new and renames it (initramfs-tools,
 * generate_initramfs()), so that a second name is enough to keep the old image.
 * grub-mkconfig makes grub.cfg.new; some versions write its content into grub.cfg in place
 * ("cat grub.cfg.new > grub.cfg"): there only a copy will do.
 */
#include "config.h"

#include <string.h>

#include "core/program.h"
#include "core/step.h"

/* Left free for others where copies of images are kept. */
#define ROOM_LEFT (256u * 1024 * 1024)
/* Files as small as that are copied without asking for room: the store needs more itself. */
#define SMALL     (4u * 1024 * 1024)
#define AFTER_MAX (256u * 1024)

/* One output, as `want`, `before` and N.after tell, and as it is. */
struct output {
	const char *path;
	struct mp_node_state before, after, now;
	const char *saved; /* NULL: not */
	bool shared;
	bool partial;
};

static json_object *list_of(json_object *object, const char *key, GError **error)
{
	json_object *list = NULL;

	if (json_object_object_get_ex(object, key, &list) &&
		json_object_is_type(list, json_type_array))
		return list;
	g_set_error(error, MP_ERROR, MP_ERROR_INPUT, "%s: is not a list", key);
	return NULL;
}

/* The texts of a list, NULL-ended, owned by the array but not their memory. */
static GPtrArray *texts_of(json_object *object, const char *key, GError **error)
{
	json_object *list = list_of(object, key, error);
	g_autoptr(GPtrArray) texts = g_ptr_array_new();

	if (!list)
		return NULL;
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		json_object *item = json_object_array_get_idx(list, i);

		if (!json_object_is_type(item, json_type_string) ||
			strlen(json_object_get_string(item)) !=
				(size_t)json_object_get_string_len(item)) {
			g_set_error(error, MP_ERROR, MP_ERROR_INPUT,
				"%s: holds what is not a text", key);
			return NULL;
		}
		g_ptr_array_add(texts, (gpointer)json_object_get_string(item));
	}
	g_ptr_array_add(texts, NULL);
	return g_steal_pointer(&texts);
}

static enum mp_program program_of(const struct mp_step *step, GError **error)
{
	const char *name = mp_step_text(step->want, "program", error);
	enum mp_program program = name ? mp_program_find(name) : MP_PROGRAMS;

	if (name && program == MP_PROGRAMS)
		g_set_error(error, MP_ERROR, MP_ERROR_INPUT,
			"%s: is not a program that this one may run", name);
	return program;
}

static bool may_run_again(const struct mp_step *step)
{
	return g_strcmp0(mp_step_text_or_null(step->want, "undo"), "again") == 0;
}

/* --- running it --- */

struct listener {
	const struct mp_step *step;
	const struct mp_step_ctx *ctx;
	bool obeys; /* the wish to stop: not while something is undone */
};

static bool on_line(void *user, const char *line)
{
	const struct listener *listener = user;
	const struct mp_step_ctx *ctx = listener->ctx;

	return !ctx->progress || ctx->progress(ctx->user, listener->step, line) ||
	       !listener->obeys;
}

static bool run(const struct mp_step *step, const struct mp_step_ctx *ctx, bool undoing,
	GError **error)
{
	enum mp_program program = program_of(step, error);
	struct listener listener = { step, ctx, !undoing };
	g_autoptr(GPtrArray) args = NULL;
	uint64_t seconds;

	if (program == MP_PROGRAMS ||
		!mp_step_uint(step->want, "seconds", &seconds, error))
		return false;
	args = texts_of(step->want, "args", error);
	if (!args)
		return false;
	struct mp_program_call call = { .program = program,
		.args = (const char *const *)args->pdata,
		.target = ctx->target,
		.seconds = (unsigned)MIN(seconds, 24 * 3600),
		.line = on_line,
		.user = &listener };

	return mp_program_call(&call, error);
}

/* --- prepare --- */

/* Sets *saved to the name in the store, or leaves it: there was no room. */
static bool save(const struct mp_step *step, const struct mp_step_ctx *ctx, size_t index,
	struct output *output, char **saved, GError **error)
{
	g_autofree char *name = g_strdup_printf("%u.old.%zu", ctx->number, index);
	g_autofree char *to = g_build_filename(ctx->store, name, NULL);
	g_autofree char *temp = mp_step_temp(ctx);
	struct mp_node_state copied;
	uint64_t room = 0;

	output->shared = program_of(step, NULL) == MP_PROGRAM_UPDATE_INITRAMFS &&
			 mp_target_share(ctx->target, output->path, to);
	if (!output->shared && output->before.size > SMALL) {
		if (!mp_target_room(ctx->target, ctx->store, &room, error))
			return false;
		if (may_run_again(step) && room < output->before.size + ROOM_LEFT)
			return true;
	}
	if (!output->shared &&
		!mp_target_copy(ctx->target, output->path, to, temp, false, error))
		return false;
	if (!mp_target_look(ctx->target, to, &copied, error))
		return false;
	if (!mp_node_same(&output->before, &copied)) {
		g_set_error(error, MP_ERROR, MP_ERROR_BUSY,
			"%s: cannot save: somebody changes it at this moment",
			output->path);
		return false;
	}
	*saved = g_steal_pointer(&name);
	return true;
}

static char *partial_of(const struct output *output)
{
	return g_strconcat(output->path, ".new", NULL);
}

static json_object *prepare_output(struct mp_step *step, const struct mp_step_ctx *ctx,
	const char *path, size_t index, GError **error)
{
	struct output output = { .path = path };
	g_autofree char *partial = partial_of(&output), *saved = NULL;
	json_object *entry;

	if (!mp_target_look(ctx->target, path, &output.before, error) ||
		!mp_target_look(ctx->target, partial, &output.now, error))
		return NULL;
	if (output.before.node == MP_NODE_DIRECTORY) {
		g_set_error(error, MP_ERROR, MP_ERROR_INPUT,
			"%s: cannot be made: a directory is there", path);
		return NULL;
	}
	/* What is no file is what the program makes of it: it is asked to, at undo. */
	if (output.before.node == MP_NODE_FILE &&
		!save(step, ctx, index, &output, &saved, error))
		return NULL;
	entry = json_object_new_object();
	json_object_object_add(entry, "state", mp_step_state_to_json(&output.before));
	json_object_object_add(
		entry, "saved", saved ? json_object_new_string(saved) : NULL);
	json_object_object_add(entry, "shared", json_object_new_boolean(output.shared));
	json_object_object_add(entry, "partial",
		json_object_new_boolean(output.now.node != MP_NODE_ABSENT));
	return entry;
}

static bool prepare(struct mp_step *step, const struct mp_step_ctx *ctx, GError **error)
{
	enum mp_program program = program_of(step, error);
	g_autoptr(GPtrArray) paths = NULL;
	g_autofree char *there = NULL;
	json_object *list;

	if (program == MP_PROGRAMS)
		return false;
	there = mp_program_path(program, ctx->target, error);
	paths = there ? texts_of(step->want, "outputs", error) : NULL;
	if (!paths)
		return false;
	json_object_put(step->before);
	step->before = json_object_new_object();
	list = json_object_new_array();
	json_object_object_add(step->before, "outputs", list);
	for (guint i = 0; paths->pdata[i]; i++) {
		json_object *entry = prepare_output(step, ctx, paths->pdata[i], i, error);

		if (!entry)
			return false;
		json_object_array_add(list, entry);
	}
	return true;
}

/* --- reading what prepare() and apply() noted --- */

static bool read_output(json_object *entry, struct output *output, GError **error)
{
	json_object *state = NULL, *value;

	json_object_object_get_ex(entry, "state", &state);
	if (!mp_step_state_from_json(state, &output->before, error)) {
		g_prefix_error(error, "%s: what was there before: ", output->path);
		return false;
	}
	output->saved = mp_step_text_or_null(entry, "saved");
	if (output->saved && strchr(output->saved, '/')) {
		g_set_error(error, MP_ERROR, MP_ERROR_INPUT,
			"%s: the name of its saved copy is none", output->path);
		return false;
	}
	if (json_object_object_get_ex(entry, "shared", &value))
		output->shared = json_object_get_boolean(value);
	if (json_object_object_get_ex(entry, "partial", &value))
		output->partial = json_object_get_boolean(value);
	return true;
}

static char *after_path(const struct mp_step_ctx *ctx)
{
	return g_strdup_printf("%s/%u.after", ctx->store, ctx->number);
}

/* Without N.after, or with a damaged one, nothing is known to be ours: `after` then differs
 * from all that can be. */
static void read_after(const struct mp_step_ctx *ctx, GArray *outputs)
{
	g_autofree char *path = after_path(ctx), *text = NULL;
	json_object *list = NULL;
	size_t size;

	for (guint i = 0; i < outputs->len; i++)
		g_array_index(outputs, struct output, i).after.node = MP_NODE_OTHER;
	if (mp_root_read(mp_target_root(ctx->target), path, AFTER_MAX, &text, &size) < 0)
		return;
	list = json_tokener_parse(text);
	if (json_object_is_type(list, json_type_array) &&
		json_object_array_length(list) == outputs->len)
		for (guint i = 0; i < outputs->len; i++) {
			struct output *output = &g_array_index(outputs, struct output, i);

			if (!mp_step_state_from_json(json_object_array_get_idx(list, i),
				    &output->after, NULL))
				output->after.node = MP_NODE_OTHER;
		}
	json_object_put(list);
}

/* All outputs (struct output), each with what it is now. */
static GArray *look_at_outputs(
	const struct mp_step *step, const struct mp_step_ctx *ctx, GError **error)
{
	g_autoptr(GPtrArray) paths = texts_of(step->want, "outputs", error);
	json_object *list = paths ? list_of(step->before, "outputs", error) : NULL;
	g_autoptr(GArray) outputs = NULL;

	if (!list)
		return NULL;
	if (json_object_array_length(list) + 1 != paths->len) {
		g_set_error(error, MP_ERROR, MP_ERROR_INPUT,
			"outputs: not as many as were prepared");
		return NULL;
	}
	outputs = g_array_new(FALSE, TRUE, sizeof(struct output));
	for (guint i = 0; paths->pdata[i]; i++) {
		struct output output = { .path = paths->pdata[i] };

		if (!read_output(json_object_array_get_idx(list, i), &output, error) ||
			!mp_target_look(ctx->target, output.path, &output.now, error))
			return NULL;
		g_array_append_val(outputs, output);
	}
	read_after(ctx, outputs);
	return g_steal_pointer(&outputs);
}

/* --- apply, verify --- */

static bool write_after(
	const struct mp_step_ctx *ctx, const GArray *outputs, GError **error)
{
	g_autofree char *path = after_path(ctx), *temp = mp_step_temp(ctx);
	json_object *list = json_object_new_array();
	struct mp_file_want want = { .mode = 0600 };
	bool done;

	for (guint i = 0; i < outputs->len; i++)
		json_object_array_add(
			list, mp_step_state_to_json(
				      &g_array_index(outputs, struct output, i).now));
	want.data = json_object_to_json_string_length(
		list, JSON_C_TO_STRING_PLAIN, &want.size);
	done = mp_target_write(ctx->target, path, temp, &want, error);
	json_object_put(list);
	return done;
}

static bool apply(struct mp_step *step, const struct mp_step_ctx *ctx, GError **error)
{
	g_autoptr(GPtrArray) paths = texts_of(step->want, "outputs", error);
	g_autoptr(GArray) outputs = NULL;

	if (!paths || !run(step, ctx, false, error))
		return false;
	for (guint i = 0; paths->pdata[i]; i++)
		if (!mp_target_settle(ctx->target, paths->pdata[i], error))
			return false;
	if (paths->len == 1)
		return true;
	outputs = look_at_outputs(step, ctx, error);
	return outputs && write_after(ctx, outputs, error);
}

/* What was there is still there; what is in it, other steps prove. */
static bool verify(struct mp_step *step, const struct mp_step_ctx *ctx, GError **error)
{
	g_autoptr(GArray) outputs = look_at_outputs(step, ctx, error);

	for (guint i = 0; outputs && i < outputs->len; i++) {
		const struct output *output = &g_array_index(outputs, struct output, i);

		if (output->before.node == MP_NODE_ABSENT ||
			output->now.node == MP_NODE_LINK ||
			(output->now.node == MP_NODE_FILE && output->now.size > 0))
			continue;
		g_set_error(error, MP_ERROR, MP_ERROR_IO, "%s: %s has left it %s",
			output->path, mp_step_text_or_null(step->want, "program"),
			output->now.node == MP_NODE_FILE ? "empty" : "missing");
		return false;
	}
	return outputs != NULL;
}

/* --- undo --- */

/* Nothing is lost: what others made of these files is made again from what they made it. */
static bool check_undo(struct mp_step *step G_GNUC_UNUSED,
	const struct mp_step_ctx *ctx G_GNUC_UNUSED, bool complete G_GNUC_UNUSED,
	char **diff, GError **error G_GNUC_UNUSED)
{
	if (diff)
		*diff = NULL;
	return true;
}

static bool saved_is_sound(const struct output *output, const struct mp_step_ctx *ctx)
{
	g_autofree char *from =
		output->saved ? g_build_filename(ctx->store, output->saved, NULL) : NULL;
	struct mp_node_state saved;

	return from && mp_target_look(ctx->target, from, &saved, NULL) &&
	       mp_node_same(&saved, &output->before);
}

enum fate {
	FATE_LEAVE,    /* it is as it was, or none of ours */
	FATE_PUT_BACK, /* as it was before */
	FATE_AGAIN,    /* the program has to make it */
};

static enum fate fate_of(
	const struct output *output, const struct mp_step_ctx *ctx, bool complete)
{
	bool ours = !complete || mp_node_same(&output->now, &output->after);

	if (output->before.node != MP_NODE_ABSENT && output->before.node != MP_NODE_FILE)
		return FATE_AGAIN;
	if (mp_node_same(&output->now, &output->before))
		return FATE_LEAVE;
	if (output->before.node == MP_NODE_ABSENT)
		return ours ? FATE_PUT_BACK : FATE_LEAVE;
	if (ours)
		return saved_is_sound(output, ctx) ? FATE_PUT_BACK : FATE_AGAIN;
	/* Removed since, as with the package of its kernel: that stays so. */
	return output->now.node == MP_NODE_ABSENT ? FATE_LEAVE : FATE_AGAIN;
}

static bool is_output(const GArray *outputs, const char *path)
{
	for (guint i = 0; i < outputs->len; i++)
		if (!strcmp(g_array_index(outputs, struct output, i).path, path))
			return true;
	return false;
}

/* The image of a kernel that was installed since has in it what is undone now. */
static bool has_newer_image(
	const struct mp_step *step, const struct mp_step_ctx *ctx, const GArray *outputs)
{
	static const char prefix[] = "initrd.img-";
	struct mp_root *root = mp_target_root(ctx->target);
	g_auto(GStrv) names = NULL;

	if (program_of(step, NULL) != MP_PROGRAM_UPDATE_INITRAMFS ||
		mp_root_list(root, "boot", &names) < 0)
		return false;
	for (char **name = names; *name; name++) {
		g_autofree char *path = g_build_filename("/boot", *name, NULL);
		g_autofree char *modules = NULL;
		struct mp_stat st;

		if (!g_str_has_prefix(*name, prefix) || is_output(outputs, path))
			continue;
		/* Not initrd.img-V.bak and the like. */
		modules = g_build_filename("lib/modules", *name + strlen(prefix), NULL);
		if (mp_root_stat(root, modules, &st) == 0 && st.type == MP_FILE_DIRECTORY)
			return true;
	}
	return false;
}

static bool remove_partial(
	const struct output *output, const struct mp_step_ctx *ctx, GError **error)
{
	g_autofree char *partial = partial_of(output);

	return output->partial || mp_target_remove(ctx->target, partial, error);
}

static bool put_back(
	const struct output *output, const struct mp_step_ctx *ctx, GError **error)
{
	g_autofree char *temp = mp_step_temp(ctx), *from = NULL;

	if (output->before.node == MP_NODE_ABSENT)
		return mp_target_remove(ctx->target, output->path, error);
	from = g_build_filename(ctx->store, output->saved, NULL);
	return mp_target_copy(
		ctx->target, from, output->path, temp, output->shared, error);
}

static bool run_again(
	const struct mp_step *step, const struct mp_step_ctx *ctx, GError **error)
{
	if (!may_run_again(step)) {
		g_set_error(error, MP_ERROR, MP_ERROR_STUCK,
			"%s: cannot be undone: what it has made was not saved",
			step->what);
		return false;
	}
	return run(step, ctx, true, error);
}

/*
 * First the program, because it makes all of its outputs, then those that can be put back
 * byte for byte. Where a run that was ended had come as far as the program, the latter are
 * what it made from what was restored.
 */
static bool undo(struct mp_step *step, const struct mp_step_ctx *ctx, bool complete,
	GError **error)
{
	g_autoptr(GArray) outputs = look_at_outputs(step, ctx, error);
	g_autofree enum fate *fates = NULL;
	bool again;

	if (!outputs)
		return false;
	if (!outputs->len)
		return !may_run_again(step) || run(step, ctx, true, error);
	fates = g_new(enum fate, outputs->len);
	again = has_newer_image(step, ctx, outputs);
	for (guint i = 0; i < outputs->len; i++) {
		const struct output *output = &g_array_index(outputs, struct output, i);

		fates[i] = fate_of(output, ctx, complete);
		again = again || fates[i] == FATE_AGAIN;
		if (!complete && !remove_partial(output, ctx, error))
			return false;
	}
	/* What is as it was has to be kept from the program as well. */
	if (again) {
		if (!run_again(step, ctx, error))
			return false;
		for (guint i = 0; i < outputs->len; i++) {
			const struct output *output =
				&g_array_index(outputs, struct output, i);

			if (fates[i] == FATE_LEAVE &&
				mp_node_same(&output->now, &output->before) &&
				(output->before.node == MP_NODE_ABSENT ||
					saved_is_sound(output, ctx)))
				fates[i] = FATE_PUT_BACK;
		}
	}
	for (guint i = 0; i < outputs->len; i++)
		if (fates[i] == FATE_PUT_BACK &&
			!put_back(&g_array_index(outputs, struct output, i), ctx, error))
			return false;
	return true;
}

const struct mp_step_ops mp_step_program = {
	.kind = "program",
	.order = MP_STEP_DERIVED,
	.prepare = prepare,
	.apply = apply,
	.verify = verify,
	.check_undo = check_undo,
	.undo = undo,
};

static json_object *new_list(const char *const *texts)
{
	json_object *list = json_object_new_array();

	for (; *texts; texts++)
		json_object_array_add(list, json_object_new_string(*texts));
	return list;
}

struct mp_step *mp_step_program_new(const char *program, const char *const *args,
	const char *const *outputs, unsigned seconds, bool again, const char *why)
{
	json_object *want = json_object_new_object();
	g_autofree char *joined = g_strjoinv(" ", (char **)args);
	g_autofree char *what =
		g_strconcat("run ", program, *joined ? " " : "", joined, NULL);

	json_object_object_add(want, "program", json_object_new_string(program));
	json_object_object_add(want, "args", new_list(args));
	json_object_object_add(want, "seconds", json_object_new_int64(seconds));
	json_object_object_add(want, "outputs", new_list(outputs));
	json_object_object_add(
		want, "undo", again ? json_object_new_string("again") : NULL);
	return mp_step_new(&mp_step_program, want, what, why);
}
