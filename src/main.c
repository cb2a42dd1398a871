/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds the verb, parses its options, prints the one error there may be. */
#include "config.h"

#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"

static const struct mp_cmd *const commands[] = {
	&mp_cmd_list,
	&mp_cmd_preflight,
	&mp_cmd_explain,
	&mp_cmd_snapshot,
};

static void print_help(FILE *out)
{
	fprintf(out,
		"Usage: metis-passthrough VERB [options] [args]\n\n"
		"Brings a PCIe card safely from a Proxmox VE / KVM host into a VM, and proves it.\n\n"
		"Verbs:\n");
	for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
		fprintf(out, "  %-12s %s\n", commands[i]->name, commands[i]->summary);
	fprintf(out,
		"\nOptions:\n"
		"  --help       this text; 'VERB --help' tells a verb's options\n"
		"  --version    version and licence\n\n"
		"Exit codes: 0 ready or done, 1 a blocking finding, 2 usage, 3 could not work,\n"
		"            4 a change failed and was rolled back, 5 that needs a person.\n");
}

static void print_version(void)
{
	printf("metis-passthrough %s\n"
	       "Licence GPL-2.0-or-later. There is no warranty.\n",
		PACKAGE_VERSION);
}

static const struct mp_cmd *find_command(const char *name)
{
	for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
		if (!strcmp(commands[i]->name, name))
			return commands[i];
	return NULL;
}

/* A full disk under "> file" must not look like success. */
static int close_stdout(int code)
{
	if (ferror(stdout) || fclose(stdout) != 0) {
		fprintf(stderr, "metis-passthrough: standard output: cannot write: %s\n",
			g_strerror(errno));
		return MP_EXIT_FAILURE;
	}
	return code;
}

static int usage_error(const char *verb, const char *message)
{
	fprintf(stderr, "metis-passthrough%s%s: %s\nTry 'metis-passthrough %s%s--help'.\n",
		verb ? " " : "", verb ? verb : "", message, verb ? verb : "", verb ? " " : "");
	return MP_EXIT_USAGE;
}

static int run_command(const struct mp_cmd *cmd, int argc, char **argv)
{
	g_autofree char *program = g_strdup_printf("metis-passthrough %s", cmd->name);
	g_autoptr(GOptionContext) context = g_option_context_new(cmd->args);
	g_autoptr(GError) error = NULL;
	int code;

	g_set_prgname(program); /* for the usage line of --help */
	g_option_context_set_summary(context, cmd->summary);
	g_option_context_set_description(context, cmd->description);
	g_option_context_set_strict_posix(context, FALSE);
	if (cmd->options)
		g_option_context_add_main_entries(context, cmd->options, NULL);
	if (!g_option_context_parse(context, &argc, &argv, &error))
		return usage_error(cmd->name, error->message);
	if (argc > 1 && !strcmp(argv[1], "--")) {
		argv++;
		argc--;
	}
	if (argc - 1 < cmd->min_args)
		return usage_error(cmd->name, "an argument is missing");
	if (argc - 1 > cmd->max_args) {
		g_autofree char *message =
			g_strdup_printf("unexpected argument '%s'", argv[cmd->max_args + 1]);

		return usage_error(cmd->name, message);
	}
	code = cmd->run(argc - 1, argv + 1, &error);
	if (!error)
		return code;
	if (mp_error_exit(error) == MP_EXIT_USAGE)
		return usage_error(cmd->name, error->message);
	fflush(stdout);
	fprintf(stderr, "metis-passthrough %s: %s\n", cmd->name, error->message);
	return mp_error_exit(error);
}

int main(int argc, char **argv)
{
	const struct mp_cmd *cmd;

	setlocale(LC_ALL, "");
	setlocale(LC_NUMERIC, "C");
	if (argc < 2) {
		print_help(stderr);
		return MP_EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		print_version();
		return close_stdout(MP_EXIT_OK);
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		print_help(stdout);
		return close_stdout(MP_EXIT_OK);
	}
	cmd = find_command(argv[1]);
	if (!cmd) {
		g_autofree char *message = g_strdup_printf("there is no verb '%s'", argv[1]);

		return usage_error(NULL, message);
	}
	return close_stdout(run_command(cmd, argc - 1, argv + 1));
}
