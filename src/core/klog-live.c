/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A cursor in /dev/kmsg: one record a read (Documentation/ABI/testing/dev-kmsg). */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "core/klog-private.h"

#define RECORD_MAX  8192          /* CONSOLE_EXT_LOG_MAX of the kernel */
#define TEXT_MAX    (1024 * 1024) /* of one call */
/* Of one go: whoever logs faster than we read must not keep us for ever. */
#define RECORDS_MAX 65536

struct mp_klog {
	const struct mp_klog_source *source;
	void *user;
};

static void set_error(GError **error, const char *action)
{
	mp_error_set_errno(error, -errno, "/dev/kmsg", action);
}

static ssize_t read_kmsg(void *user, char *record, size_t size)
{
	return read(GPOINTER_TO_INT(user), record, size);
}

static int wait_kmsg(void *user, int milliseconds)
{
	struct pollfd wait = { .fd = GPOINTER_TO_INT(user), .events = POLLIN };

	return poll(&wait, 1, milliseconds);
}

static void close_kmsg(void *user)
{
	close(GPOINTER_TO_INT(user));
}

static const struct mp_klog_source kmsg = {
	.read = read_kmsg,
	.wait = wait_kmsg,
	.close = close_kmsg,
};

struct mp_klog *mp_klog_from(const struct mp_klog_source *source, void *user)
{
	struct mp_klog *klog = g_new(struct mp_klog, 1);

	klog->source = source;
	klog->user = user;
	return klog;
}

struct mp_klog *mp_klog_open(GError **error)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0) {
		set_error(error, "open");
		return NULL;
	}
	if (lseek(fd, 0, SEEK_END) < 0) {
		set_error(error, "go to its end");
		close(fd);
		return NULL;
	}
	return mp_klog_from(&kmsg, GINT_TO_POINTER(fd));
}

void mp_klog_close(struct mp_klog *klog)
{
	if (!klog)
		return;
	klog->source->close(klog->user);
	g_free(klog);
}

/*
 * "priority,sequence,microseconds,flags;text\n SUBSYSTEM=..." -> "text\n". A line end in the
 * text, as old kernels had in faults, comes as "\x0a" (msg_print_ext_body(),
 * kernel/printk/printk.c). True if a line fits MATCH.
 */
static bool take_record(GString *text, char *record, mp_klog_match match, void *user)
{
	static const char escaped[] = "\\x0a";
	char *line = strchr(record, ';');
	bool matched = false;

	if (!line)
		return false;
	line++;
	line[strcspn(line, "\n")] = '\0';
	for (char *next; line; line = next) {
		size_t length;

		next = strstr(line, escaped);
		length = next ? (size_t)(next - line) : strlen(line);
		g_string_append_len(text, line, (gssize)length);
		g_string_append_c(text, '\n');
		matched = (match && match(user, line, length)) || matched;
		next = next ? next + strlen(escaped) : NULL;
	}
	return matched;
}

/* All that is there now. */
static bool drain(struct mp_klog *klog, mp_klog_match match, void *user, GString *text,
	bool *matched, bool *lost, GError **error)
{
	char record[RECORD_MAX];

	for (unsigned i = 0; i < RECORDS_MAX; i++) {
		ssize_t got = klog->source->read(klog->user, record, sizeof(record) - 1);

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
	*lost = true;
	return true;
}

bool mp_klog_read(struct mp_klog *klog, unsigned milliseconds, mp_klog_match match,
	void *user, GString *text, bool *lost, GError **error)
{
	gint64 end = g_get_monotonic_time() + milliseconds * G_TIME_SPAN_MILLISECOND;
	bool matched = false;

	for (;;) {
		gint64 left;

		if (!drain(klog, match, user, text, &matched, lost, error))
			return false;
		left = end - g_get_monotonic_time();
		if (matched || left <= 0)
			return true;
		if (klog->source->wait(
			    klog->user, (int)(left / G_TIME_SPAN_MILLISECOND + 1)) < 0 &&
			errno != EINTR) {
			set_error(error, "wait for");
			return false;
		}
	}
}
