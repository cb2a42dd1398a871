/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/argument.h"
#include "core/error.h"

/* A named pipe that nobody writes to would hang us; what a shell hands over does not. */
static FILE *open_argument(const char *file, const char *action, GError **error)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	bool handed = g_str_has_prefix(file, "/dev/fd/") || !strcmp(file, "/dev/stdin") ||
		      g_str_has_prefix(file, "/proc/self/fd/");
	struct stat st;
	FILE *stream;

	if (fd < 0 || fstat(fd, &st) < 0) {
		mp_error_set_errno(error, -errno, file, action);
	} else if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode) && !handed) {
		g_set_error(error, MP_ERROR, MP_ERROR_INPUT,
			"%s: cannot %s: not a regular file ('-' is standard input)", file,
			action);
	} else if (fcntl(fd, F_SETFL, 0) == 0 && (stream = fdopen(fd, "r"))) {
		return stream;
	} else {
		mp_error_set_errno(error, -errno, file, action);
	}
	if (fd >= 0)
		close(fd);
	return NULL;
}

char *mp_argument_read(
	const char *file, const char *what, gsize max, gsize *size, GError **error)
{
	bool from_stdin = !strcmp(file, "-");
	g_autofree char *action = g_strdup_printf("read as %s", what);
	FILE *stream = from_stdin ? stdin : open_argument(file, action, error);
	g_autofree char *data = NULL;
	size_t got;
	int err;

	if (!stream)
		return NULL;
	data = g_malloc(max + 1);
	errno = 0;
	got = fread(data, 1, max + 1, stream);
	err = ferror(stream) ? errno : 0;
	if (!from_stdin)
		fclose(stream);
	if (!err && got > max)
		err = EFBIG;
	if (err) {
		mp_error_set_errno(
			error, -err, from_stdin ? "standard input" : file, action);
		return NULL;
	}
	*size = got;
	data[got] = '\0';
	return g_steal_pointer(&data);
}
