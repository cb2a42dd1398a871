/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs a program that changes the host. GLib's spawning is not used because the way into a
 * target (chroot) must never be missed: a child that could not take it would change this
 * machine, so it reports and ends instead.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/error.h"
#include "core/fact.h"
#include "core/program.h"
#include "core/target.h"

#define OUTPUT_MAX   (1024u * 1024)
#define LINE_MAX_LEN 2048u /* a longer line counts as several */
#define LAST_LINES   4u    /* of the message when it fails */
#define LAST_LENGTH  240   /* of one of them */
#define TERM_SECONDS 5 /* from SIGTERM to SIGKILL: update-initramfs removes its work */
#define KILL_SECONDS 5 /* in the kernel longer than this: we do not wait any more */
#define LATE_SECONDS 5 /* for children that keep its output open behind its end */

enum stage { STAGE_FILES, STAGE_ENTER, STAGE_EXEC };

/* What went wrong in the child before the program began. */
struct report {
	enum stage stage;
	int err;
};

/* All that the child needs, made before fork(): after it, only async-signal-safe calls. */
struct child {
	const char *path;
	char *const *argv;
	int in, out, err;
	int lock;   /* to be inherited, or -1 */
	int root;   /* to be entered, or -1: the live system */
	int report; /* closed by exec */
};

struct stream {
	int fd; /* -1: at its end */
	GString *line;
};

struct run {
	const struct mp_program_call *call;
	const char *name;
	pid_t pid;
	int pidfd; /* -1: this kernel has none, then we ask now and then */
	struct stream streams[2];
	GQueue last; /* char *: lines for the message */
	bool ended;  /* not waited for yet: its number stays taken */
	bool quiet;  /* the caller wants no more lines */
	bool stop;   /* the caller said so */
	bool ending; /* what it says of that ("Terminated") is no reason */
};

/* A link is resolved inside of the target, as it will be when the program runs there. */
static bool is_there(const char *path, struct mp_target *target)
{
	struct mp_stat st;

	if (!target)
		return access(path, X_OK) == 0;
	return mp_root_stat(mp_target_root(target), path, &st) == 0 &&
	       st.type == MP_FILE_REGULAR && (st.mode & 0111);
}

char *mp_program_path(enum mp_program program, struct mp_target *target, GError **error)
{
	const char *name = mp_program_name(program);
	bool here = !target || mp_target_is_live(target);

	for (const char *const *dir = mp_program_directories; *dir; dir++) {
		char *path = g_build_filename(*dir, name, NULL);

		if (is_there(path, target))
			return path;
		g_free(path);
	}
	g_set_error(error, MP_ERROR, MP_ERROR_NOT_FOUND,
		"%s is not installed%s%s (package %s)", name, here ? "" : " in ",
		here ? "" : mp_target_name(target), mp_program_package(program));
	return NULL;
}

bool mp_program_there(enum mp_program program, struct mp_target *target)
{
	g_autofree char *path = mp_program_path(program, target, NULL);

	return path != NULL;
}

static _Noreturn void give_up(const struct child *child, enum stage stage)
{
	struct report report = { stage, errno };
	ssize_t wrote = write(child->report, &report, sizeof(report));

	_exit(wrote == sizeof(report) ? 127 : 126);
}

static _Noreturn void become(const struct child *child)
{
	static const char *const environment[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=/root", "LC_ALL=C", "TERM=dumb", "DEBIAN_FRONTEND=noninteractive",
		NULL };
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		signal(i, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	umask(022);
	if (dup2(child->in, 0) < 0 || dup2(child->out, 1) < 0 || dup2(child->err, 2) < 0)
		give_up(child, STAGE_FILES);
	/* As good as it gets: what we open is close-on-exec anyway. */
	close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
	if (child->lock >= 0 && fcntl(child->lock, F_SETFD, 0) < 0)
		give_up(child, STAGE_FILES);
	if (child->root >= 0 && (fchdir(child->root) < 0 || chroot(".") < 0))
		give_up(child, STAGE_ENTER);
	if (chdir("/") < 0)
		give_up(child, STAGE_ENTER);
	execve(child->path, child->argv, (char *const *)environment);
	give_up(child, STAGE_EXEC);
}

/* No handler of ours may run in the child. */
static pid_t fork_without_signals(const struct child *child)
{
	sigset_t all, before;
	pid_t pid;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid = fork();
	if (pid == 0)
		become(child);
	int err = errno;
	sigprocmask(SIG_SETMASK, &before, NULL);
	errno = err;
	return pid;
}

static void close_end(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* True when the program itself runs. */
static bool began(struct run *run, int report_end, GError **error)
{
	static const char *const doing[] = { "set up its files", "enter its root",
		"start" };
	struct report report;
	ssize_t got;

	do
		got = read(report_end, &report, sizeof(report));
	while (got < 0 && errno == EINTR);
	if (got == 0)
		return true;
	while (waitpid(run->pid, NULL, 0) < 0 && errno == EINTR)
		;
	run->pid = 0;
	if (got != sizeof(report))
		report = (struct report){ STAGE_EXEC, EIO };
	mp_error_set_errno(error, -report.err, run->name, doing[report.stage]);
	return false;
}

static bool start(struct run *run, const char *path, GError **error)
{
	const struct mp_program_call *call = run->call;
	g_autoptr(GPtrArray) argv = g_ptr_array_new();
	int out[2] = { -1, -1 }, err[2] = { -1, -1 }, report[2] = { -1, -1 };
	int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
	bool good = in >= 0 && pipe2(out, O_CLOEXEC) == 0 && pipe2(err, O_CLOEXEC) == 0 &&
		    pipe2(report, O_CLOEXEC) == 0;
	struct child child = { .path = path,
		.in = in,
		.out = out[1],
		.err = err[1],
		.lock = mp_target_lock_fd(call->target),
		.root = mp_target_is_live(call->target) ? -1 : mp_target_fd(call->target),
		.report = report[1] };

	g_ptr_array_add(argv, (gpointer)path);
	for (const char *const *arg = call->args; *arg; arg++)
		g_ptr_array_add(argv, (gpointer)*arg);
	g_ptr_array_add(argv, NULL);
	child.argv = (char *const *)argv->pdata;
	run->pid = good ? fork_without_signals(&child) : -1;
	if (run->pid < 0)
		mp_error_set_errno(error, -errno, run->name, "start");
	close_end(&in);
	close_end(&out[1]);
	close_end(&err[1]);
	close_end(&report[1]);
	good = run->pid > 0 && began(run, report[0], error);
	close_end(&report[0]);
	run->streams[0].fd = out[0];
	run->streams[1].fd = err[0];
	return good;
}

/* Reads may not block: children may hold the other end open for as long as they like. */
static void watch(struct run *run)
{
	for (int i = 0; i < 2; i++)
		fcntl(run->streams[i].fd, F_SETFL, O_NONBLOCK);
	run->pidfd = (int)syscall(SYS_pidfd_open, run->pid, 0);
}

static void end_line(struct run *run, struct stream *stream)
{
	g_autofree char *line =
		g_strchomp(mp_clean_text(stream->line->str, stream->line->len));

	g_string_truncate(stream->line, 0);
	if (!*line || run->ending)
		return;
	if (!run->quiet && run->call->line && !run->call->line(run->call->user, line))
		run->stop = run->quiet = true;
	g_queue_push_tail(&run->last, g_steal_pointer(&line));
	if (run->last.length > LAST_LINES)
		g_free(g_queue_pop_head(&run->last));
}

static void take(struct run *run, struct stream *stream, const char *data, size_t size)
{
	GString *output = stream == &run->streams[0] ? run->call->output : NULL;

	if (output && output->len < OUTPUT_MAX)
		g_string_append_len(
			output, data, (gssize)MIN(size, OUTPUT_MAX - output->len));
	for (size_t i = 0; i < size; i++) {
		bool end = data[i] == '\n' || data[i] == '\r';

		if (!end)
			g_string_append_c(stream->line, data[i]);
		if (end || stream->line->len >= LINE_MAX_LEN)
			end_line(run, stream);
	}
}

/* One piece at a time, so that a program that never stops talking cannot hold us here. */
static void read_stream(struct run *run, struct stream *stream)
{
	char piece[16 * 1024];
	ssize_t got = read(stream->fd, piece, sizeof(piece));

	if (got > 0) {
		take(run, stream, piece, (size_t)got);
		return;
	}
	if (got < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	end_line(run, stream);
	close_end(&stream->fd);
}

static bool is_over(const struct run *run)
{
	return run->ended && run->streams[0].fd < 0 && run->streams[1].fd < 0;
}

/* Waits for something to happen, at most until WHEN, and takes what has come. */
static void serve(struct run *run, gint64 when)
{
	struct pollfd fds[3] = {
		{ .fd = run->streams[0].fd, .events = POLLIN },
		{ .fd = run->streams[1].fd, .events = POLLIN },
		{ .fd = run->ended ? -1 : run->pidfd, .events = POLLIN },
	};
	gint64 left = MAX(when - g_get_monotonic_time(), 0) / 1000 + 1;
	siginfo_t info = { 0 };

	if (run->pidfd < 0)
		left = MIN(left, 100);
	if (poll(fds, 3, (int)MIN(left, 60000)) > 0)
		for (int i = 0; i < 2; i++)
			if (fds[i].revents)
				read_stream(run, &run->streams[i]);
	/* WNOWAIT: its number must stay taken while we may signal its group. */
	if (!run->ended &&
		waitid(P_PID, (id_t)run->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
		info.si_pid == run->pid)
		run->ended = true;
}

/* True when it ended before the time was up. */
static bool serve_until_over(struct run *run, int seconds)
{
	gint64 deadline = g_get_monotonic_time() + seconds * G_TIME_SPAN_SECOND;

	while (!is_over(run)) {
		if (g_get_monotonic_time() >= deadline)
			return false;
		serve(run, deadline);
	}
	return true;
}

/* Ends all of its session that did not leave the process group. */
static void end_group(struct run *run)
{
	run->ending = true;
	kill(-run->pid, SIGTERM);
	if (serve_until_over(run, TERM_SECONDS)) {
		/* Those that had closed their output. */
		kill(-run->pid, SIGKILL);
		return;
	}
	kill(-run->pid, SIGKILL);
	serve_until_over(run, KILL_SECONDS);
}

static void say_last_lines(struct run *run, GString *text)
{
	const char *before = ": ";

	for (GList *line = run->last.head; line; line = line->next) {
		g_autofree char *cut =
			g_utf8_strlen(line->data, -1) > LAST_LENGTH
				? g_utf8_substring(line->data, 0, LAST_LENGTH)
				: g_strdup(line->data);

		g_string_append_printf(text, "%s%s", before, g_strstrip(cut));
		before = "; ";
	}
}

static bool judge(struct run *run, bool in_time, GError **error)
{
	g_autoptr(GString) text = g_string_new(run->name);
	int status = -1;

	if (run->ended) {
		while (waitpid(run->pid, &status, 0) < 0 && errno == EINTR)
			;
		if (in_time && !run->stop && status == 0)
			return true;
	}
	if (!run->ended)
		g_string_append(text, ": cannot be ended, not even by SIGKILL");
	else if (run->stop)
		g_string_append(text, ": was stopped");
	else if (!in_time)
		g_string_append_printf(
			text, ": did not end within %u s", run->call->seconds);
	else if (WIFSIGNALED(status))
		g_string_append_printf(text, ": was ended by signal %d (%s)",
			WTERMSIG(status), g_strsignal(WTERMSIG(status)));
	else
		g_string_append_printf(
			text, ": failed with exit code %d", WEXITSTATUS(status));
	say_last_lines(run, text);
	g_set_error_literal(error, MP_ERROR, MP_ERROR_IO, text->str);
	return false;
}

/* True when it ended by itself, in time. */
static bool accompany(struct run *run)
{
	gint64 begin = g_get_monotonic_time();
	gint64 deadline = begin + (gint64)run->call->seconds * G_TIME_SPAN_SECOND;
	gint64 tick = begin + G_TIME_SPAN_SECOND;
	gint64 late = 0;

	while (!is_over(run) && !run->stop) {
		gint64 now;

		serve(run, MIN(late ? late : deadline, tick));
		now = g_get_monotonic_time();
		if (run->ended && !late)
			late = now + LATE_SECONDS * G_TIME_SPAN_SECOND;
		if (late && now >= late)
			break;
		if (!run->ended && now >= deadline)
			return false;
		if (now < tick)
			continue;
		tick = now + G_TIME_SPAN_SECOND;
		if (run->call->line && !run->call->line(run->call->user, NULL))
			run->stop = true;
	}
	return true;
}

bool mp_program_call(const struct mp_program_call *call, GError **error)
{
	g_autofree char *path = mp_program_path(call->program, call->target, error);
	struct run run = { .call = call,
		.name = mp_program_name(call->program),
		.pidfd = -1,
		.streams = { { .fd = -1 }, { .fd = -1 } },
		.last = G_QUEUE_INIT };
	bool good;

	if (!path)
		return false;
	run.streams[0].line = g_string_new(NULL);
	run.streams[1].line = g_string_new(NULL);
	good = start(&run, path, error);
	if (good) {
		watch(&run);
		good = accompany(&run);
		if (!is_over(&run))
			end_group(&run);
		good = judge(&run, good, error);
	}
	close_end(&run.pidfd);
	for (int i = 0; i < 2; i++) {
		close_end(&run.streams[i].fd);
		g_string_free(run.streams[i].line, TRUE);
	}
	g_queue_clear_full(&run.last, g_free);
	return good;
}
