/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A cursor in /dev/kmsg: one record a read (Documentation/ABI/testing/dev-kmsg). */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "core/klog.h"

#define RECORD_MAX 8192          /* CONSOLE_EXT_LOG_MAX of the kernel */
#define TEXT_MAX   (1024 * 1024) /* of one call */

struct mp_klog {
	int fd;
};

static void set_error(GError **error, const char *action)
{
	mp_error_set_errno(error, -errno, "/dev/kmsg", action);
}

struct mp_klog *mp_klog_open(GError **error)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct mp_klog *klog;

	if (fd < 0) {
		set_error(error, "open");
		return NULL;
	}
	if (lseek(fd, 0, SEEK_END) < 0) {
		set_error(error, "go to its end");
		close(fd);
		return NULL;
	}
	klog = g_new(struct mp_klog, 1);
	klog->fd = fd;
	return klog;
}

void mp_klog_close(struct mp_klog *klog)
{
	if (!klog)
		return;
	close(klog->fd);
	g_free(klog);
}

/* "priority,sequence,microseconds,flags;text\n SUBSYSTEM=..." -> "text\n". */
static bool take_record(GString *text, char *record, mp_klog_match match, void *user)
{
	char *line = strchr(record, ';');
	size_t length;

	if (!line)
		return false;
	line++;
	length = strcspn(line, "\n");
	g_string_append_len(text, line, (gssize)length);
	g_string_append_c(text, '\n');
	return match && match(user, line, length);
}

/* All that is there now. */
static bool drain(struct mp_klog *klog, mp_klog_match match, void *user, GString *text,
	bool *matched, bool *lost, GError **error)
{
	char record[RECORD_MAX];

	for (;;) {
		ssize_t got = read(klog->fd, record, sizeof(record) - 1);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == EPIPE) {
			*lost = true; /* the next read goes on with what is left */
			continue;
		}
		if (got < 0 && errno != EAGAIN) {
			set_error(error, "read");
			return false;
		}
		if (got <= 0)
			return true;
		record[got] = '\0';
		if (text->len > TEXT_MAX)
			*lost = true;
		else if (take_record(text, record, match, user))
			*matched = true;
	}
}

bool mp_klog_read(struct mp_klog *klog, unsigned milliseconds, mp_klog_match match,
	void *user, GString *text, bool *lost, GError **error)
{
	gint64 end = g_get_monotonic_time() + milliseconds * G_TIME_SPAN_MILLISECOND;
	struct pollfd wait = { .fd = klog->fd, .events = POLLIN };
	bool matched = false;

	for (;;) {
		gint64 left;

		if (!drain(klog, match, user, text, &matched, lost, error))
			return false;
		left = end - g_get_monotonic_time();
		if (matched || left <= 0)
			return true;
		if (poll(&wait, 1, (int)(left / G_TIME_SPAN_MILLISECOND + 1)) < 0 &&
			errno != EINTR) {
			set_error(error, "wait for");
			return false;
		}
	}
}
