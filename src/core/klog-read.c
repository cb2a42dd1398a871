/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The live kernel log, from /dev/kmsg: one record a read (Documentation/ABI/testing/dev-kmsg). */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "core/fact.h"
#include "core/root.h"

/* "priority,sequence,microseconds,flags;text\n SUBSYSTEM=..." -> "[sec.micro] text\n" */
static void append_record(GString *log, char *record)
{
	char *text = strchr(record, ';');
	g_auto(GStrv) head = NULL;
	uint64_t micros = 0;

	if (!text)
		return;
	*text++ = '\0';
	text[strcspn(text, "\n")] = '\0';
	head = g_strsplit(record, ",", 4);
	if (g_strv_length(head) >= 3)
		mp_parse_uint(head[2], 10, &micros);
	g_string_append_printf(log, "[%5" G_GUINT64_FORMAT ".%06u] %s\n",
		micros / 1000000, (unsigned)(micros % 1000000), text);
}

static int read_kmsg(void *user G_GNUC_UNUSED, char **data, size_t *size)
{
	g_autoptr(GString) log = g_string_new(NULL);
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	char record[8192]; /* CONSOLE_EXT_LOG_MAX of the kernel */

	if (fd < 0)
		return -errno;
	while (log->len < MP_READ_FILE) {
		ssize_t got = read(fd, record, sizeof(record) - 1);

		if (got < 0 && (errno == EPIPE || errno == EINTR))
			continue; /* EPIPE: overwritten while we read, go on with the next */
		if (got < 0 && errno != EAGAIN) {
			int err = -errno;

			close(fd);
			return err;
		}
		if (got <= 0)
			break;
		record[got] = '\0';
		append_record(log, record);
	}
	close(fd);
	*size = log->len;
	*data = g_string_free(g_steal_pointer(&log), FALSE);
	return 0;
}

int mp_root_klog(struct mp_root *root, char **data, size_t *size)
{
	return mp_root_produced(root, MP_PATH_KLOG, read_kmsg, NULL, data, size);
}
