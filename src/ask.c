/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ask.h"
#include "core/error.h"
#include "interrupt.h"

/*
 * The answer is read where the person types, and asked where it can be seen. Standard input
 * and not /dev/tty: "echo y | setup" looks like an answer and must not wait for another one.
 */
static FILE *where_to_ask(void)
{
	if (!isatty(STDIN_FILENO))
		return NULL;
	if (isatty(STDERR_FILENO))
		return stderr;
	return isatty(STDOUT_FILENO) ? stdout : NULL;
}

bool mp_ask_possible(const char *without, const char *instead, GError **error)
{
	if (where_to_ask())
		return true;
	g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
		"there is no terminal to ask on: --yes to %s without a question%s%s",
		without, instead ? ", or " : "", instead ? instead : "");
	return false;
}

/* One line of the terminal, lower case, without white space around it. False: none came. */
static bool read_line(char *line, size_t size)
{
	size_t length = 0;

	for (;;) {
		char c;
		ssize_t n = read(STDIN_FILENO, &c, 1);

		if (n < 0 && errno == EINTR && !mp_interrupted())
			continue; /* SIGCONT, SIGWINCH */
		if (n <= 0)
			return false;
		if (c == '\n')
			break;
		/* What is too long is no "yes", however it goes on. */
		if (length + 1 < size)
			line[length++] = g_ascii_tolower(c);
	}
	line[length] = '\0';
	g_strstrip(line);
	return true;
}

bool mp_ask(const char *question)
{
	FILE *out = where_to_ask();
	char line[16];

	if (!out)
		return false;
	fflush(stdout);
	fprintf(out, "%s [y/N] ", question);
	fflush(out);
	if (!read_line(line, sizeof(line))) {
		fputc('\n', out); /* the cursor stands behind the question */
		return false;
	}
	return !strcmp(line, "y") || !strcmp(line, "yes");
}
