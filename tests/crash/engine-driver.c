/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * engine-driver DIR VERB [ARGUMENT]...: the engine on the system in DIR, for tests that kill
 * it and fail its system calls. Exit codes are those of the program.
 *
 *	apply [file PATH MODE CONTENT | copy PATH MODE FILE | absent PATH | link PATH TARGET |
 *	       stop]...     "stop": the user says stop when the step before it is done
 *	undo [ID] [--force PATH]   without ID the latest, or what was interrupted
 *	recover
 *	history             "0001 in force TITLE"
 *
 * apply and undo recover first, as the verbs do. With ENGINE_DRIVER_IN_PLACE set, a file is
 * written the careless way, so that a test can show that it would notice.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/engine.h"
#include "core/error.h"
#include "core/fact.h"

static int stop_after = -1;
static int steps_done;

static bool listen(void *user, enum mp_engine_event event, const struct mp_step *step,
	const char *text)
{
	(void)user;
	(void)step;
	if (event == MP_EVENT_RECOVER || event == MP_EVENT_FAILED)
		fprintf(stderr, "%s: %s\n",
			event == MP_EVENT_RECOVER ? "recovering" : "failed", text);
	return event != MP_EVENT_DONE || ++steps_done != stop_after;
}

static int say(GError *error)
{
	fprintf(stderr, "engine-driver: %s\n", error->message);
	return (int)mp_error_exit(error);
}

static struct mp_step *step_of(char **words, unsigned *used)
{
	g_autofree char *data = NULL;
	uint64_t mode = 0644;

	if (!strcmp(words[0], "absent") && words[1]) {
		*used = 2;
		return mp_step_file_new(words[1], NULL, 0644, "test");
	}
	if (!strcmp(words[0], "link") && words[1] && words[2]) {
		*used = 3;
		return mp_step_link_new(words[1], words[2], "test");
	}
	if (!words[1] || !words[2] || !words[3] || !mp_parse_uint(words[2], 8, &mode))
		return NULL;
	*used = 4;
	if (!strcmp(words[0], "file"))
		return mp_step_file_new(words[1], words[3], (uint32_t)mode, "test");
	if (strcmp(words[0], "copy") != 0 ||
		!g_file_get_contents(words[3], &data, NULL, NULL))
		return NULL;
	return mp_step_file_new(words[1], data, (uint32_t)mode, "test");
}

/* What a careless program does: opens, empties, writes. */
static bool apply_in_place(
	struct mp_step *step, const struct mp_step_ctx *ctx, GError **error)
{
	const char *content = mp_step_text_or_null(step->want, "content");
	const char *name = mp_step_path(step) + 1;
	g_autofree char *parent = g_path_get_dirname(name);
	int root = mp_target_fd(ctx->target);
	uint64_t mode;

	if (!mp_step_uint(step->want, "mode", &mode, error) ||
		!mp_target_make_dirs(ctx->target, parent, NULL, error))
		return false;
	int fd = openat(root, name, O_WRONLY | O_CREAT | O_TRUNC, (mode_t)mode);

	if (fd >= 0 && write(fd, content, strlen(content)) >= 0 &&
		fchmod(fd, (mode_t)mode) == 0 && close(fd) == 0)
		return true;
	mp_error_set_errno(error, -errno, name, "write in place");
	return false;
}

static void spoil(GPtrArray *steps)
{
	static struct mp_step_ops careless;

	careless = mp_step_file;
	careless.apply = apply_in_place;
	for (guint i = 0; i < steps->len; i++) {
		struct mp_step *step = steps->pdata[i];

		if (step->ops == &mp_step_file &&
			mp_step_text_or_null(step->want, "content"))
			step->ops = &careless;
	}
}

static int apply(struct mp_target *target, char **words)
{
	GPtrArray *steps = g_ptr_array_new_with_free_func((GDestroyNotify)mp_step_free);
	g_autoptr(GError) error = NULL;
	g_autofree char *id = NULL;

	for (unsigned used; *words; words += used) {
		if (!strcmp(*words, "stop")) {
			stop_after = (int)steps->len;
			used = 1;
			continue;
		}
		struct mp_step *step = step_of(words, &used);

		if (!step) {
			fprintf(stderr, "engine-driver: no step: %s\n", *words);
			g_ptr_array_unref(steps);
			return MP_EXIT_USAGE;
		}
		g_ptr_array_add(steps, step);
	}
	if (g_getenv("ENGINE_DRIVER_IN_PLACE"))
		spoil(steps);
	if (!mp_engine_apply(target, "test", steps, NULL, listen, NULL, &id, &error))
		return say(error);
	printf("%s\n", id);
	return MP_EXIT_OK;
}

static int undo(struct mp_target *target, char **words)
{
	g_autoptr(GPtrArray) force = g_ptr_array_new();
	g_autoptr(GPtrArray) all = NULL;
	g_autoptr(GError) error = NULL;
	g_autofree char *diff = NULL;
	const char *id = NULL;

	for (; *words; words++) {
		if (strcmp(*words, "--force") != 0)
			id = *words;
		else if (words[1])
			g_ptr_array_add(force, *++words);
	}
	g_ptr_array_add(force, NULL);
	all = mp_journal_load(mp_target_root(target), &error);
	if (!all)
		return say(error);
	if (!id && mp_journal_latest(all))
		id = mp_journal_latest(all)->id;
	if (!id)
		return MP_EXIT_OK;
	if (mp_engine_undo(target, id, (const char *const *)force->pdata, listen, NULL,
		    &diff, &error))
		return MP_EXIT_OK;
	printf("%s", diff ? diff : "");
	return say(error);
}

static int history(const char *root)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(mp_root) host = mp_root_open(root, &error);
	g_autoptr(GPtrArray) all = host ? mp_journal_load(host, &error) : NULL;

	if (!all)
		return say(error);
	for (guint i = 0; i < all->len; i++) {
		const struct mp_tx *tx = all->pdata[i];

		printf("%s %s %s\n", tx->id, mp_tx_state_name(tx->state), tx->title);
	}
	return MP_EXIT_OK;
}

int main(int argc, char **argv)
{
	g_autoptr(mp_target) target = NULL;
	g_autoptr(GError) error = NULL;
	unsigned found = 0;

	umask(077); /* nothing may depend on it */
	if (argc < 3 || !strcmp(argv[1], "/")) {
		fprintf(stderr, "engine-driver: DIR VERB [ARGUMENT]...\n");
		return MP_EXIT_USAGE;
	}
	if (!strcmp(argv[2], "history"))
		return history(argv[1]);
	target = mp_target_open(argv[1], &error);
	if (!target || !mp_target_lock(target, &error))
		return say(error);
	bool forced = argc > 3 && !strcmp(argv[argc - 2], "--force");

	/* By force also what was interrupted, so not before. */
	if (!forced && !mp_engine_recover(target, listen, NULL, &found, &error))
		return say(error);
	if (!strcmp(argv[2], "apply"))
		return apply(target, argv + 3);
	if (!strcmp(argv[2], "undo"))
		/* An interrupted run that is undone now was what there was to roll back. */
		return found ? MP_EXIT_OK : undo(target, argv + 3);
	return !strcmp(argv[2], "recover") ? MP_EXIT_OK : MP_EXIT_USAGE;
}
