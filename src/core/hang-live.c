/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/hang.h"

#define HANGING_MAX 4

/* In the child: a byte for each name that was answered. */
static G_GNUC_NORETURN void look_at_all(
	const char *const *names, mp_hang_look look, void *user, int out)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	/* Whoever reads our output must not wait for a child that cannot end. */
	for (int fd = 0; fd < 3; fd++)
		if (null < 0 || dup2(null, fd) < 0)
			close(fd);
	for (; *names; names++) {
		look(user, *names);
		if (write(out, "", 1) != 1)
			break;
	}
	_exit(0);
}

/* How many of NAMES were answered; *hangs: the next one was not, in time. */
static guint count_answers(const char *const *names, mp_hang_look look, void *user,
	int milliseconds, bool *hangs)
{
	struct pollfd wait = { .events = POLLIN };
	guint count = 0;
	char bytes[256];
	int ends[2];
	ssize_t got = -1;
	pid_t child;

	*hangs = false;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return g_strv_length((char **)(gpointer)names);
	child = fork();
	if (child == 0)
		look_at_all(names, look, user, ends[1]);
	close(ends[1]);
	wait.fd = ends[0];
	while (child > 0 && got != 0) {
		int ready = poll(&wait, 1, milliseconds);

		if (ready < 0 && errno == EINTR)
			continue;
		*hangs = ready == 0;
		if (ready <= 0)
			break;
		got = read(ends[0], bytes, sizeof(bytes));
		if (got < 0 && errno != EINTR)
			break;
		count += got > 0 ? (guint)got : 0;
	}
	close(ends[0]);
	if (child > 0) {
		kill(child, SIGKILL);
		waitpid(child, NULL, *hangs ? WNOHANG : 0);
	}
	/* Without a child, or one that ended early, nothing is known against the rest. */
	return *hangs ? count : g_strv_length((char **)(gpointer)names);
}

GHashTable *mp_hang_find(
	const char *const *names, mp_hang_look look, void *user, int milliseconds)
{
	GHashTable *hanging = g_hash_table_new(g_str_hash, g_str_equal);
	bool hangs = true;

	for (guint found = 0; *names && hangs && found < HANGING_MAX; found++) {
		names += count_answers(names, look, user, milliseconds, &hangs);
		if (hangs && *names)
			g_hash_table_add(hanging, (gpointer)*names++);
	}
	for (; *names && hangs; names++)
		g_hash_table_add(hanging, (gpointer)*names);
	return hanging;
}
