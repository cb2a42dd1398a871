/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qmp [-a] SOCKET COMMAND [SECONDS]: sends one command (JSON) to QEMU's monitor, or with -a to the guest's
 * agent, and prints the line of its answer. Exit 0: it was done; 1: it was refused, or nobody
 * listens; 2: no answer in time. For the stand-in of qm: no shell can speak to a Unix socket.
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static char buffer[1 << 20];
static size_t filled;

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void fail(int code, const char *what)
{
	fprintf(stderr, "qmp: %s%s%s\n", what, code == 1 && errno ? ": " : "",
		code == 1 && errno ? strerror(errno) : "");
	exit(code);
}

static void send_line(int fd, const char *text)
{
	size_t size = strlen(text);

	if (send(fd, text, size, MSG_NOSIGNAL) != (ssize_t)size ||
		send(fd, "\n", 1, MSG_NOSIGNAL) != 1)
		fail(1, "send");
}

/* The next line that is no event, without its end; valid until the next call. */
static char *next_line(int fd, double deadline)
{
	static size_t used;
	char *end;

	memmove(buffer, buffer + used, filled - used);
	filled -= used;
	used = 0;
	while (!(end = memchr(buffer, '\n', filled))) {
		struct pollfd wait = { .fd = fd, .events = POLLIN };
		double left = deadline - now();
		ssize_t got;

		if (left <= 0)
			fail(2, "no answer in time");
		if (poll(&wait, 1, (int)(left * 1000) + 1) <= 0)
			continue;
		got = recv(fd, buffer + filled, sizeof(buffer) - 1 - filled, 0);
		if (got <= 0)
			fail(1, "the other side has gone");
		filled += (size_t)got;
	}
	*end = '\0';
	used = (size_t)(end - buffer) + 1;
	/* The agent may begin its answer with this byte. */
	return buffer + strspn(buffer, "\xff");
}

/* An agent that comes up late answers all that was asked meanwhile: those lines are another's. */
static void synchronize(int fd, double deadline)
{
	char question[96], answer[32];

	snprintf(question, sizeof(question),
		"\xff{\"execute\":\"guest-sync-delimited\",\"arguments\":{\"id\":%ld}}",
		(long)getpid());
	snprintf(answer, sizeof(answer), "{\"return\": %ld}", (long)getpid());
	send_line(fd, question);
	while (strcmp(next_line(fd, deadline), answer) != 0)
		;
}

int main(int argc, char **argv)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	bool agent = argc > 1 && !strcmp(argv[1], "-a");
	double deadline;
	char *line;
	int fd;

	argc -= agent;
	argv += agent;
	if (argc < 3 || argc > 4 || strlen(argv[1]) >= sizeof(address.sun_path))
		fail(3, "usage: qmp [-a] SOCKET COMMAND [SECONDS]");
	deadline = now() + (argc > 3 ? atof(argv[3]) : 5);
	strcpy(address.sun_path, argv[1]);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		fail(1, argv[1]);
	if (!agent) {
		next_line(fd, deadline); /* the greeting */
		send_line(fd, "{\"execute\":\"qmp_capabilities\"}");
		next_line(fd, deadline);
	}
	if (agent)
		synchronize(fd, deadline);
	send_line(fd, argv[2]);
	do
		line = next_line(fd, deadline);
	while (!strstr(line, "\"return\"") && !strstr(line, "\"error\""));
	printf("%s\n", line);
	return strncmp(line, "{\"error\"", 8) == 0;
}
