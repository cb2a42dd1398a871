/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * floor LIST: opens and reads what LIST names, one a line, "f PATH" a file, "d PATH" a directory,
 * "l PATH" a link, and does nothing with it: the least that any program must spend which looks
 * at the same things.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char buffer[64 * 1024];

static int read_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd < 0)
		return -1;
	while ((got = read(fd, buffer, sizeof(buffer))) > 0)
		;
	close(fd);
	return (int)got;
}

static int read_directory(const char *path)
{
	DIR *dir = opendir(path);

	if (!dir)
		return -1;
	while (readdir(dir))
		;
	closedir(dir);
	return 0;
}

static int look(char kind, const char *path)
{
	switch (kind) {
	case 'f':
		return read_file(path);
	case 'd':
		return read_directory(path);
	case 'l':
		return readlink(path, buffer, sizeof(buffer)) < 0 ? -1 : 0;
	default:
		errno = EINVAL;
		return -1;
	}
}

int main(int argc, char **argv)
{
	struct stat st;
	char *list;
	int fd;

	if (argc != 2)
		return 2;
	fd = open(argv[1], O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return 3;
	list = malloc((size_t)st.st_size + 1);
	if (!list || read(fd, list, (size_t)st.st_size) != st.st_size)
		return 3;
	list[st.st_size] = '\0';
	for (char *line = strtok(list, "\n"); line; line = strtok(NULL, "\n")) {
		if (look(line[0], line + 2) < 0) {
			fprintf(stderr, "floor: %s: %s\n", line, strerror(errno));
			return 3;
		}
	}
	return 0;
}
