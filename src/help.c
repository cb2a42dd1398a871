/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Help, made from the tables of verbs and options: nothing is told twice. */
#include "config.h"

#include <string.h>

#include "cmd.h"

#define COLUMN 26 /* where the description of an option starts */
#define WIDTH  80

static void print_wrapped(FILE *out, const char *text, unsigned column)
{
	g_auto(GStrv) words = g_strsplit(text, " ", 0);
	unsigned at = column;

	for (char **word = words; *word; word++) {
		if (at > column && at + 1 + strlen(*word) > WIDTH) {
			fprintf(out, "\n%*s", (int)column, "");
			at = column;
		}
		at += (unsigned)fprintf(out, "%s%s", at > column ? " " : "", *word);
	}
	fputc('\n', out);
}

static void print_option(FILE *out, const GOptionEntry *option)
{
	g_autofree char *name = NULL;
	int length;

	name = option->short_name ? g_strdup_printf("-%c, --%s", option->short_name,
					    option->long_name)
				  : g_strdup_printf("    --%s", option->long_name);
	length = fprintf(out, "  %s%s%s", name, option->arg_description ? " " : "",
		option->arg_description ? option->arg_description : "");
	if (length < COLUMN - 1)
		fprintf(out, "%*s", COLUMN - length, "");
	else
		fprintf(out, "\n%*s", COLUMN, "");
	print_wrapped(out, option->description, COLUMN);
}

static void print_description(FILE *out, const char *description)
{
	g_auto(GStrv) paragraphs = g_strsplit(description, "\n\n", 0);

	for (char **paragraph = paragraphs; *paragraph; paragraph++) {
		fputc('\n', out);
		print_wrapped(out, g_strchomp(g_strdelimit(*paragraph, "\n", ' ')), 0);
	}
}

void mp_help_verb(const struct mp_cmd *cmd, const GOptionEntry *common, FILE *out)
{
	fprintf(out, "Usage: metis-passthrough %s [OPTION]...%s%s\n", cmd->name,
		*cmd->args ? " " : "", cmd->args);
	fprintf(out, "%c%s.\n\nOptions:\n", g_ascii_toupper(cmd->summary[0]),
		cmd->summary + 1);
	for (const GOptionEntry *option = cmd->options; option && option->long_name;
		option++)
		print_option(out, option);
	for (const GOptionEntry *option = common; option->long_name; option++)
		print_option(out, option);
	if (cmd->description)
		print_description(out, cmd->description);
}

void mp_help_verbs(const struct mp_cmd *const *commands, FILE *out)
{
	fprintf(out,
		"Usage: metis-passthrough VERB [OPTION]... [ARGUMENT]...\n"
		"Brings a PCIe card safely from a Proxmox VE / KVM host into a VM, and proves it.\n"
		"\n"
		"Verbs:\n");
	for (; *commands; commands++) {
		fprintf(out, "  %-14s", (*commands)->name);
		print_wrapped(out, (*commands)->summary, 16);
	}
	fprintf(out,
		"\n"
		"Options:\n"
		"  -h, --help      show this help; 'VERB --help' shows the options of a verb\n"
		"  -V, --version   show version and licence\n"
		"\n"
		"Exit codes: 0 ready or done, 1 a blocking finding, 2 usage, 3 could not work,\n"
		"            4 a change failed and was rolled back, 5 that needs a person.\n");
}
