/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qmeventd [SOCKET]: as the daemon of Proxmox VE: each QEMU connects its second monitor to the socket
 * (/var/run/qmeventd.sock). Where the guest has switched itself off, QEMU (-no-shutdown) is told
 * to quit; when QEMU's end of the socket closes, `qm cleanup VMID CLEAN GUEST` is run: CLEAN is 1 where
 * a SHUTDOWN was heard before (else it has crashed, or was killed), GUEST where the guest wanted it.
 * The socket may close long before the process is gone. Runs in the foreground; what it starts
 * says goes to its own stdout and stderr.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CLIENTS 64

static struct client {
	char vmid[16];
	bool clean, guest;
	char line[65536];
	size_t filled;
} clients[CLIENTS];
static struct pollfd fds[CLIENTS + 1]; /* the last one is the socket itself */

/* "-id 101" of the process at the other end. Proxmox VE takes it from the name of its scope. */
static bool find_vmid(int fd, struct client *client)
{
	char path[64], arguments[65536];
	struct ucred peer;
	socklen_t size = sizeof(peer);
	ssize_t got;
	int file;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)peer.pid);
	file = open(path, O_RDONLY | O_CLOEXEC);
	if (file < 0)
		return false;
	got = read(file, arguments, sizeof(arguments) - 1);
	close(file);
	if (got <= 0)
		return false;
	arguments[got] = '\0';
	for (char *arg = arguments; arg < arguments + got; arg += strlen(arg) + 1) {
		const char *value = arg + strlen(arg) + 1;

		if (strcmp(arg, "-id") != 0 || value >= arguments + got ||
			strlen(value) >= sizeof(client->vmid))
			continue;
		strcpy(client->vmid, value);
		return true;
	}
	return false;
}

static void say(int fd, const char *command)
{
	if (send(fd, command, strlen(command), MSG_NOSIGNAL) < 0)
		fprintf(stderr, "qmeventd: send: %s\n", strerror(errno));
}

static void take(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	int i = 0;

	if (fd < 0)
		return;
	while (i < CLIENTS && fds[i].fd >= 0)
		i++;
	if (i < CLIENTS)
		memset(&clients[i], 0, sizeof(clients[i]));
	if (i == CLIENTS || !find_vmid(fd, &clients[i])) {
		close(fd);
		return;
	}
	fds[i] = (struct pollfd){ .fd = fd, .events = POLLIN };
	say(fd, "{\"execute\":\"qmp_capabilities\"}\n");
}

static void understand(int fd, struct client *client, const char *line)
{
	if (!strstr(line, "\"event\": \"SHUTDOWN\""))
		return;
	client->clean = true;
	client->guest = strstr(line, "\"guest\": true");
	if (client->guest)
		say(fd, "{\"execute\":\"quit\"}\n");
}

static void clean_up(const struct client *client)
{
	fflush(NULL);
	if (fork() != 0)
		return;
	signal(SIGCHLD, SIG_DFL);
	execlp("qm", "qm", "cleanup", client->vmid, client->clean ? "1" : "0",
		client->guest ? "1" : "0", (char *)NULL);
	_exit(127);
}

static void hear(int i)
{
	struct client *client = &clients[i];
	ssize_t got = recv(fds[i].fd, client->line + client->filled,
		sizeof(client->line) - 1 - client->filled, 0);
	char *end;

	if (got <= 0) {
		close(fds[i].fd);
		fds[i].fd = -1;
		clean_up(client);
		return;
	}
	client->filled += (size_t)got;
	client->line[client->filled] = '\0';
	while ((end = strchr(client->line, '\n'))) {
		*end++ = '\0';
		understand(fds[i].fd, client, client->line);
		client->filled -= (size_t)(end - client->line);
		memmove(client->line, end, client->filled + 1);
	}
	if (client->filled == sizeof(client->line) - 1)
		client->filled = 0; /* no line of QEMU's */
}

int main(int argc, char **argv)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *path = argc > 1 ? argv[1] : "/var/run/qmeventd.sock";
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(address.sun_path))
		return 2;
	strcpy(address.sun_path, path);
	unlink(path);
	if (listener < 0 ||
		bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		listen(listener, CLIENTS) < 0) {
		fprintf(stderr, "qmeventd: %s: %s\n", path, strerror(errno));
		return 1;
	}
	signal(SIGCHLD, SIG_IGN);
	for (int i = 0; i < CLIENTS; i++)
		fds[i].fd = -1;
	fds[CLIENTS] = (struct pollfd){ .fd = listener, .events = POLLIN };
	for (;;) {
		if (poll(fds, CLIENTS + 1, -1) < 0)
			continue;
		for (int i = 0; i < CLIENTS; i++)
			if (fds[i].fd >= 0 && fds[i].revents)
				hear(i);
		if (fds[CLIENTS].revents)
			take(listener);
	}
}
