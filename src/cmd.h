/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cmd.h - a verb: one const struct for each cmd-*.c, listed in main.c. Help, completion
 * and the manual's tests come from these rows.
 */
#ifndef MP_CMD_H
#define MP_CMD_H

#include <glib.h>
#include <stdio.h>

#include "core/error.h"
#include "render/render.h"

struct mp_cmd {
	const char *name;
	const char *summary; /* for the list of verbs */
	const char *args;    /* after the options, for the usage line: "CHECK", or "" */
	int min_args, max_args;
	const GOptionEntry
		*options; /* parsed before run(); rows point at the file's statics */
	const char *description; /* below the options of --help, or NULL; paragraphs
	                                apart by an empty line, wrapped when shown */
	/*
	 * ARGC, ARGV: what is left after the options. Returns an enum mp_exit. On failure sets
	 * ERROR and returns anything: main prints it and derives the code.
	 */
	int (*run)(int argc, char **argv, GError **error);
};

extern const struct mp_cmd mp_cmd_list, mp_cmd_preflight, mp_cmd_explain, mp_cmd_snapshot,
	mp_cmd_plan, mp_cmd_setup, mp_cmd_status, mp_cmd_rollback, mp_cmd_history,
	mp_cmd_hook, mp_cmd_inspect, mp_cmd_vm, mp_cmd_repin, mp_cmd_bind, mp_cmd_unbind,
	mp_cmd_selftest, mp_cmd_diagnose, mp_cmd_guest;

/* --- help (help.c) --- */

/* COMMON: options that every verb has, ended by a name of NULL. */
void mp_help_verb(const struct mp_cmd *cmd, const GOptionEntry *common, FILE *out);
/* COMMANDS is ended by NULL. */
void mp_help_verbs(const struct mp_cmd *const *commands, FILE *out);

/* --- shared by the verbs (cmd.c) --- */

/* Options of every read-only verb; put into the verb's table by these macros. */
struct mp_cmd_output {
	char *format; /* default "text" */
	char *color;  /* "auto", "always", "never" */
	gboolean verbose;
};

#define MP_OPTION_SYSROOT(target)                                                        \
	{                                                                                \
		"sysroot", 0, 0, G_OPTION_ARG_FILENAME, &(target),                       \
			"look at the captured host in PATH (directory or snapshot)",     \
			"PATH"                                                           \
	}
#define MP_OPTION_FORMAT(target, formats)                                                \
	{                                                                                \
		"format", 'f', 0, G_OPTION_ARG_STRING, &(target),                        \
			"output format: " formats, "FORMAT"                              \
	}
#define MP_OPTION_COLOR(target)                                                          \
	{                                                                                \
		"color", 0, 0, G_OPTION_ARG_STRING, &(target), "auto, always or never",  \
			"WHEN"                                                           \
	}

/* Ops for FORMAT (NULL: text); sets a usage error when there is no such format. */
const struct mp_render_ops *mp_cmd_format(const char *format, GError **error);
/* Style from the terminal, NO_COLOR, COLUMNS and the --color option. */
bool mp_cmd_style(const char *color, struct mp_render_style *style, GError **error);
/* The one of NAMES (ended by NULL) that TEXT is most likely a slip of, or NULL. */
const char *mp_cmd_nearest(const char *text, const char *const *names);
/* Which of NAMES (ended by NULL), what VERB may be asked for, TEXT is; -1: none, a usage error
 * that names all of them. */
int mp_cmd_find_action(
	const char *verb, const char *const *names, const char *text, GError **error);
/* True: TEXT is NULL or a version, digits and dots as in profiles; else a usage error about
 * --OPTION. */
bool mp_cmd_check_version(const char *option, const char *text, GError **error);
/* "1f9d:1100" -> numbers. */
bool mp_cmd_parse_id(const char *text, uint16_t *vendor, uint16_t *device);

#endif
