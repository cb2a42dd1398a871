/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds the verb, parses its options, prints the one error there may be. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"

static const struct mp_cmd *const commands[] = {
	&mp_cmd_list,
	&mp_cmd_preflight,
	&mp_cmd_explain,
	&mp_cmd_inspect,
	&mp_cmd_snapshot,
	&mp_cmd_plan,
	&mp_cmd_setup,
	&mp_cmd_status,
	&mp_cmd_rollback,
	&mp_cmd_history,
	&mp_cmd_vm,
	&mp_cmd_hook,
	&mp_cmd_repin,
	&mp_cmd_bind,
	&mp_cmd_unbind,
	&mp_cmd_selftest,
	&mp_cmd_guest,
	&mp_cmd_diagnose,
	NULL,
};

static gboolean opt_help;

/* Options of every verb. GOption's own --help would print and exit by itself. */
static const GOptionEntry common_options[] = {
	{ "help", 'h', 0, G_OPTION_ARG_NONE, &opt_help, "show this help", NULL },
	{ NULL },
};

static void print_version(void)
{
	printf("metis-passthrough %s\n"
	       "Licence GPL-2.0-or-later. There is no warranty.\n",
		PACKAGE_VERSION);
}

static const struct mp_cmd *find_command(const char *name)
{
	for (const struct mp_cmd *const *cmd = commands; *cmd; cmd++)
		if (!strcmp((*cmd)->name, name))
			return *cmd;
	return NULL;
}

/* A full disk under "> file" must not look like success. */
static int close_stdout(int code)
{
	bool failed = ferror(stdout) != 0;

	errno = 0;
	if (fclose(stdout) == 0 && !failed)
		return code;
	fprintf(stderr, "metis-passthrough: standard output: cannot write: %s\n",
		errno ? g_strerror(errno) : "an earlier write failed");
	return MP_EXIT_FAILURE;
}

static int usage_error(const char *verb, const char *message)
{
	fprintf(stderr,
		"metis-passthrough%s%s: %s\nTry 'metis-passthrough %s%s--help'.\n",
		verb ? " " : "", verb ? verb : "", message, verb ? verb : "",
		verb ? " " : "");
	return MP_EXIT_USAGE;
}

static int unknown_verb(const char *word)
{
	const char *names[G_N_ELEMENTS(commands)] = { NULL };
	g_autofree char *message = NULL;
	const char *nearest;

	if (*word == '-') {
		message = g_strdup_printf("unknown option '%s'", word);
		return usage_error(NULL, message);
	}
	for (size_t i = 0; commands[i]; i++)
		names[i] = commands[i]->name;
	nearest = mp_cmd_nearest(word, names);
	message = nearest ? g_strdup_printf("there is no verb '%s'; did you mean '%s'?",
				    word, nearest)
			  : g_strdup_printf("there is no verb '%s'", word);
	return usage_error(NULL, message);
}

static int check_arguments(const struct mp_cmd *cmd, int argc, char **argv)
{
	g_autofree char *message = NULL;

	if (argc < cmd->min_args)
		message = g_strdup_printf("an argument is missing: %s", cmd->args);
	else if (argc > cmd->max_args)
		message =
			g_strdup_printf("unexpected argument '%s'", argv[cmd->max_args]);
	/* A variable of a script that is not set: no message could name it. */
	for (int i = 0; i < argc && !message; i++)
		if (!*argv[i])
			message = g_strdup_printf("an argument is empty: %s", cmd->args);
	if (!message)
		return MP_EXIT_OK;
	return usage_error(cmd->name, message);
}

static bool parse_options(
	const struct mp_cmd *cmd, int *argc, char ***argv, GError **error)
{
	g_autoptr(GOptionContext) context = g_option_context_new(NULL);

	g_option_context_set_help_enabled(context, FALSE);
	if (cmd->options)
		g_option_context_add_main_entries(context, cmd->options, NULL);
	g_option_context_add_main_entries(context, common_options, NULL);
	return g_option_context_parse(context, argc, argv, error);
}

static int run_command(const struct mp_cmd *cmd, int argc, char **argv)
{
	g_autoptr(GError) error = NULL;
	int code;

	if (!parse_options(cmd, &argc, &argv, &error))
		return usage_error(cmd->name, error->message);
	argv++;
	argc--;
	if (argc > 0 && !strcmp(argv[0], "--")) {
		argv++;
		argc--;
	}
	if (opt_help) {
		mp_help_verb(cmd, common_options, stdout);
		return MP_EXIT_OK;
	}
	code = check_arguments(cmd, argc, argv);
	if (code != MP_EXIT_OK)
		return code;
	code = cmd->run(argc, argv, &error);
	if (!error)
		return code;
	if (mp_error_exit(error) == MP_EXIT_USAGE)
		return usage_error(cmd->name, error->message);
	fflush(stdout);
	fprintf(stderr, "metis-passthrough %s: %s\n", cmd->name, error->message);
	return mp_error_exit(error);
}

/*
 * Of a standard stream that is closed, the next file that is opened would get the number,
 * and then every message. /dev/null stands in for it, for the other direction, so that using
 * it still fails.
 */
static void hold_standard_streams(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 &&
			open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0)
			return;
}

int main(int argc, char **argv)
{
	const struct mp_cmd *cmd;

	hold_standard_streams();
	/* Names of files and devices may be in any language; messages and numbers are not. */
	setlocale(LC_ALL, "");
	setlocale(LC_MESSAGES, "C");
	setlocale(LC_NUMERIC, "C");
	if (argc < 2) {
		mp_help_verbs(commands, stderr);
		return MP_EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		print_version();
		return close_stdout(MP_EXIT_OK);
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		mp_help_verbs(commands, stdout);
		return close_stdout(MP_EXIT_OK);
	}
	cmd = find_command(argv[1]);
	if (!cmd)
		return unknown_verb(argv[1]);
	return close_stdout(run_command(cmd, argc - 1, argv + 1));
}
