/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fact.h"
#include "core/quote.h"
#include "output.h"

#define TEMP ".metis-passthrough-output"

/* --- the directory --- */

bool mp_output_check(const char *path, GError **error)
{
	g_autoptr(GDir) dir = NULL;
	struct stat st;
	int err = 0;

	if (lstat(path, &st) < 0 && errno == ENOENT)
		return true;
	if (stat(path, &st) < 0)
		err = -errno;
	else if (!S_ISDIR(st.st_mode))
		err = -ENOTDIR;
	else if (!(dir = g_dir_open(path, 0, NULL)))
		err = -EACCES; /* g_dir_open() leaves any errno */
	if (err) {
		mp_error_set_errno(error, err, path, "write there");
		return false;
	}
	if (!g_dir_read_name(dir))
		return true;
	g_set_error(error, MP_ERROR, MP_ERROR_IO,
		"%s: cannot write there: it is not empty", path);
	return false;
}

/* --- the script --- */

/* A comment of one line, whatever TEXT quotes from the host. */
static void put_comment(GString *script, const char *text)
{
	g_autofree char *clean = mp_clean_text(text, strlen(text));

	g_strdelimit(clean, "\t\n\r", ' ');
	g_string_append_printf(script, "\n# %s\n", clean);
}

static void put_head(GString *script, const char *command)
{
	g_autofree char *clean = mp_clean_text(command, strlen(command));

	g_strdelimit(clean, "\t\n\r", ' ');
	g_string_append_printf(script,
		"#!/bin/sh\n"
		"# What 'metis-passthrough %s' does, as a script to read.\n"
		"# Written by metis-passthrough " PACKAGE_VERSION ".\n"
		"# It belongs to the host that the plan was made for, runs as root, and installs the\n"
		"# files that lie beside it. It undoes nothing when something fails, and\n"
		"# 'metis-passthrough rollback' knows nothing of it: setup without --output does.\n"
		"set -eu\n"
		"cd \"$(dirname \"$0\")\"\n",
		clean);
}

static const char *inside(const char *path)
{
	while (*path == '/')
		path++;
	return path;
}

/* --- the steps --- */

static bool put_file(struct mp_target *out, const struct mp_step *step, GString *script,
	GError **error)
{
	const char *path = mp_step_text(step->want, "path", error);
	const char *content = mp_step_text_or_null(step->want, "content");
	g_autofree char *quoted = path ? mp_quote(path) : NULL;
	g_autofree char *source = path ? mp_quote(inside(path)) : NULL;
	g_autofree char *dir = path ? g_path_get_dirname(path) : NULL;
	uint64_t mode;

	if (!path)
		return false;
	if (!content) {
		g_string_append_printf(script, "rm -f %s\n", quoted);
		return true;
	}
	if (!mp_step_uint(step->want, "mode", &mode, error))
		return false;

	struct mp_file_want want = {
		.data = content,
		.size = strlen(content),
		.mode = (uint32_t)mode,
		.uid = geteuid(),
		.gid = getegid(),
	};

	g_string_append_printf(
		script, "install -D -m %04o %s %s\n", (unsigned)mode, source, quoted);
	return mp_target_make_dirs(out, dir, NULL, error) &&
	       mp_target_write(out, path, TEMP, &want, error);
}

static bool put_link(struct mp_target *out, const struct mp_step *step, GString *script,
	GError **error)
{
	const char *path = mp_step_text(step->want, "path", error);
	const char *target = path ? mp_step_text(step->want, "target", error) : NULL;
	g_autofree char *quoted = path ? mp_quote(path) : NULL;
	g_autofree char *quoted_target = target ? mp_quote(target) : NULL;
	g_autofree char *dir = path ? g_path_get_dirname(path) : NULL;
	g_autofree char *quoted_dir = dir ? mp_quote(dir) : NULL;

	if (!target)
		return false;
	g_string_append_printf(script, "mkdir -p %s\nln -sfn %s %s\n", quoted_dir,
		quoted_target, quoted);
	return mp_target_make_dirs(out, dir, NULL, error) &&
	       mp_target_link(out, path, TEMP, target, error);
}

static bool put_step(struct mp_target *out, const struct mp_step *step, GString *script,
	GError **error)
{
	g_autofree char *command = mp_step_command(step);

	put_comment(script, step->why);
	if (!strcmp(step->ops->kind, "file"))
		return put_file(out, step, script, error);
	if (!strcmp(step->ops->kind, "link"))
		return put_link(out, step, script, error);
	if (command) {
		g_string_append_printf(script, "%s\n", command);
		return true;
	}
	put_comment(script, step->what);
	return true;
}

bool mp_output_write(
	const char *dir, const GPtrArray *steps, const char *command, GError **error)
{
	g_autoptr(mp_target) out = NULL;
	g_autoptr(GString) script = g_string_new(NULL);

	if (!mp_output_check(dir, error))
		return false;
	if (mkdir(dir, 0755) < 0 && errno != EEXIST) {
		mp_error_set_errno(error, -errno, dir, "make the directory");
		return false;
	}
	out = mp_target_open(dir, error);
	if (!out)
		return false;
	put_head(script, command);
	for (guint i = 0; i < steps->len; i++)
		if (!put_step(out, steps->pdata[i], script, error))
			return false;

	struct mp_file_want want = {
		.data = script->str,
		.size = script->len,
		.mode = 0755,
		.uid = geteuid(),
		.gid = getegid(),
	};

	return mp_target_write(out, MP_OUTPUT_COMMANDS, TEMP, &want, error);
}
