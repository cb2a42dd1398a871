/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * measure ROUNDS -- COMMAND... [-- COMMAND...]...: runs the commands in turn, ROUNDS times (so that
 * a slow minute of the machine hits all of them), output to /dev/null, and prints a line for each:
 * median and least wall time in microseconds, largest memory in KiB. A command that ends otherwise
 * than with 0 or 1 (findings) ends the measurement: its time would mean nothing.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_COMMANDS = 16 };

struct command {
	char **argv;
	double *micros;
	long kib;
};

static posix_spawn_file_actions_t actions;
static char **environment;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void run(struct command *command, int round)
{
	struct rusage usage;
	double start = now();
	pid_t pid;
	int status, error;

	error = posix_spawnp(
		&pid, command->argv[0], &actions, NULL, command->argv, environment);
	if (error) {
		fprintf(stderr, "measure: %s: %s\n", command->argv[0], strerror(error));
		exit(3);
	}
	while (wait4(pid, &status, 0, &usage) < 0)
		if (errno != EINTR)
			exit(3);
	command->micros[round] = now() - start;
	if (usage.ru_maxrss > command->kib)
		command->kib = usage.ru_maxrss;
	if (!WIFEXITED(status) || WEXITSTATUS(status) > 1) {
		fprintf(stderr, "measure: %s", command->argv[0]);
		for (char **arg = command->argv + 1; *arg; arg++)
			fprintf(stderr, " %s", *arg);
		fprintf(stderr, ": %s %d\n", WIFEXITED(status) ? "exit code" : "signal",
			WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
		exit(1);
	}
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv, char **envp)
{
	struct command commands[MAX_COMMANDS];
	int rounds = argc > 3 ? atoi(argv[1]) : 0, count = 0;

	for (int i = 2; i < argc; i++) {
		if (strcmp(argv[i], "--") != 0)
			continue;
		argv[i] = NULL;
		if (count == MAX_COMMANDS || i + 1 == argc)
			return 2;
		commands[count++] = (struct command){ .argv = argv + i + 1 };
	}
	if (rounds < 1 || !count) {
		fprintf(stderr,
			"usage: measure ROUNDS -- COMMAND... [-- COMMAND...]...\n");
		return 2;
	}
	environment = envp;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(
		&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(
		&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	for (int i = 0; i < count; i++)
		commands[i].micros = calloc((size_t)rounds, sizeof(double));
	/* Once to warm the caches, not counted. */
	for (int i = 0; i < count; i++)
		run(&commands[i], 0);
	for (int round = 0; round < rounds; round++)
		for (int i = 0; i < count; i++)
			run(&commands[i], round);
	for (int i = 0; i < count; i++) {
		qsort(commands[i].micros, (size_t)rounds, sizeof(double), compare);
		printf("%.0f %.0f %ld\n", commands[i].micros[rounds / 2],
			commands[i].micros[0], commands[i].kib);
	}
	return 0;
}
