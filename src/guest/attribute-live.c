/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest/attribute.h"

#define TICK_MS      200
#define KILL_SECONDS 20 /* until a killed writer is gone: the device is quieted before */

/* One write(2) of the whole text, as sysfs wants it. */
static int write_text(int root, const char *path, const char *text)
{
	struct open_how how = {
		.flags = O_WRONLY | O_CLOEXEC | O_NOCTTY,
		.resolve = RESOLVE_IN_ROOT,
	};
	int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
	int err = 0;

	if (fd < 0)
		return errno;
	if (write(fd, text, strlen(text)) < 0)
		err = errno;
	close(fd);
	return err;
}

static _Noreturn void child(const struct mp_attribute_write *w, pid_t parent, int out)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigset_t none;
	int err;

	for (int i = 1; i < NSIG; i++)
		signal(i, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* A terminal's Ctrl-C is the parent's to answer, and nothing runs on without it. */
	setsid();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	for (int fd = 0; fd < 3; fd++)
		if (null < 0 || dup2(null, fd) < 0)
			close(fd);
	err = write_text(mp_target_fd(w->target), w->path, w->text);
	_exit(write(out, &err, sizeof(err)) == sizeof(err) ? 0 : 1);
}

/* No handler of ours may run in the child. */
static pid_t fork_without_signals(const struct mp_attribute_write *w, int out)
{
	pid_t parent = getpid();
	sigset_t all, before;
	pid_t pid;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid = fork();
	if (pid == 0)
		child(w, parent, out);
	int err = errno;

	sigprocmask(SIG_SETMASK, &before, NULL);
	errno = err;
	return pid;
}

/* WRITTEN: the child has said something, or is gone. */
static enum mp_attribute_end follow(const struct mp_attribute_write *w, int in)
{
	gint64 deadline = g_get_monotonic_time() + w->seconds * G_TIME_SPAN_SECOND;

	for (;;) {
		gint64 left = (deadline - g_get_monotonic_time()) / 1000;
		struct pollfd wait = { .fd = in, .events = POLLIN };

		if (w->tick && !w->tick(w->user))
			return MP_ATTRIBUTE_STOPPED;
		if (left <= 0)
			return MP_ATTRIBUTE_LATE;
		if (poll(&wait, 1, (int)MIN(left, TICK_MS)) > 0)
			return MP_ATTRIBUTE_WRITTEN;
	}
}

/* False: it is still there. */
static bool reap(pid_t pid, gint64 until)
{
	while (waitpid(pid, NULL, WNOHANG) != pid) {
		if (g_get_monotonic_time() >= until)
			return false;
		g_usleep(20 * 1000);
	}
	return true;
}

enum mp_attribute_end mp_attribute_write(struct mp_attribute_write *w)
{
	enum mp_attribute_end end;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0) {
		w->err = errno;
		return MP_ATTRIBUTE_FAILED;
	}
	w->pid = fork_without_signals(w, ends[1]);
	w->err = w->pid < 0 ? errno : 0;
	close(ends[1]);
	if (w->pid < 0) {
		close(ends[0]);
		return MP_ATTRIBUTE_FAILED;
	}
	end = follow(w, ends[0]);
	if (end == MP_ATTRIBUTE_WRITTEN) {
		/* Whoever killed it from outside: as if the kernel had said so. */
		if (read(ends[0], &w->err, sizeof(w->err)) != sizeof(w->err))
			w->err = EINTR;
		if (w->err)
			end = MP_ATTRIBUTE_FAILED;
	} else {
		kill(w->pid, SIGKILL);
	}
	close(ends[0]);
	if (!reap(w->pid, g_get_monotonic_time() + KILL_SECONDS * G_TIME_SPAN_SECOND))
		return MP_ATTRIBUTE_HANGS;
	return end;
}
