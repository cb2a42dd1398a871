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

#include "core/handover.h"
#include "core/program.h"

#define DEVICES "sys/bus/pci/devices/"
#define PROBE   "sys/bus/pci/drivers_probe"

#define MODPROBE_SECONDS 60

/* What the child does, in this order; a stage without a path is left out. */
enum stage { STAGE_OVERRIDE, STAGE_UNBIND, STAGE_PROBE, STAGES };

struct write {
	char *path; /* NULL: not needed */
	const char *text;
};

/* What the child says: before each write with err -1, and once after the last, or a failed
 * one, with its errno or 0. */
struct word {
	int stage;
	int err;
};

static const char *const stage_action[STAGES] = {
	[STAGE_OVERRIDE] = "set driver_override",
	[STAGE_UNBIND] = "unbind its driver",
	[STAGE_PROBE] = "have it probed",
};

/* One write(2) of the whole text, as sysfs wants it. Never creates anything. */
static int write_attribute(int root, const struct write *w)
{
	struct open_how how = {
		.flags = O_WRONLY | O_CLOEXEC | O_NOCTTY,
		.resolve = RESOLVE_IN_ROOT,
	};
	int fd = (int)syscall(SYS_openat2, root, w->path, &how, sizeof(how));
	ssize_t put;

	if (fd < 0)
		return errno;
	do {
		put = write(fd, w->text, strlen(w->text));
	} while (put < 0 && errno == EINTR);
	int err = put < 0 ? errno : 0;

	close(fd);
	return err;
}

static G_GNUC_NORETURN void child(int root, const struct write writes[STAGES], int out)
{
	struct word word = { .stage = STAGES };

	/* Who was killed does not go on: it may be tried again already. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	/* Whoever reads our output must not wait for a child that cannot end. */
	for (int fd = 0; fd < 3; fd++)
		if (null < 0 || dup2(null, fd) < 0)
			close(fd);
	for (int stage = 0; stage < STAGES; stage++) {
		if (!writes[stage].path)
			continue;
		word = (struct word){ stage, -1 };
		if (write(out, &word, sizeof(word)) != sizeof(word))
			_exit(1);
		word.err = write_attribute(root, &writes[stage]);
		if (word.err)
			break;
	}
	if (word.stage == STAGES)
		word.err = 0;
	if (write(out, &word, sizeof(word)) != sizeof(word))
		_exit(1);
	_exit(0);
}

/* Follows the child until it is done or DEADLINE is over. True: done, *last is its end. */
static bool follow(int in, gint64 deadline, struct word *last)
{
	*last = (struct word){ STAGE_OVERRIDE, -1 };
	for (;;) {
		gint64 left = (deadline - g_get_monotonic_time()) / 1000;
		struct pollfd wait = { .fd = in, .events = POLLIN };
		struct word word;
		int ready = left > 0 ? poll(&wait, 1, (int)MIN(left, 60000)) : 0;

		if (ready < 0 && errno == EINTR)
			continue;
		if (ready < 0 || left <= 0)
			return false;
		if (ready == 0)
			continue;
		/* Words are shorter than PIPE_BUF: they come whole. */
		if (read(in, &word, sizeof(word)) != sizeof(word)) {
			last->err = EIO;
			return true;
		}
		*last = word;
		if (word.err >= 0)
			return true;
	}
}

/* Makes the writes in a child. */
static bool make_writes(struct mp_handover *handover, const struct write writes[STAGES],
	gint64 deadline, GError **error)
{
	struct word last;
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0) {
		mp_error_set_errno(error, -errno, handover->address, "hand it over");
		return false;
	}
	pid = fork();
	if (pid == 0)
		child(mp_target_fd(handover->target), writes, ends[1]);
	int fork_err = pid < 0 ? errno : 0;

	close(ends[1]);
	if (pid < 0) {
		close(ends[0]);
		mp_error_set_errno(error, -fork_err, handover->address, "hand it over");
		return false;
	}
	bool done = follow(ends[0], deadline, &last);

	close(ends[0]);
	/* A child in the kernel's hands may survive this; then nobody waits for it. */
	if (!done)
		kill(pid, SIGKILL);
	for (int tries = 0; tries < 20 && !done; tries++) {
		if (waitpid(pid, NULL, WNOHANG) == pid)
			done = true;
		else
			g_usleep(50 * 1000);
	}
	if (done && last.err < 0) {
		g_set_error(error, MP_ERROR, MP_ERROR_IO,
			"%s: cannot %s: no answer within %u s (the attempt was ended)",
			handover->address, stage_action[last.stage], handover->seconds);
		return false;
	}
	if (!done) {
		handover->hangs = true;
		g_set_error(error, MP_ERROR, MP_ERROR_STUCK,
			"%s: cannot %s: the kernel has not answered within %u s, and process "
			"%d that asked cannot be ended; nothing more was tried, and nothing "
			"should be: 'cat /proc/%d/stack' shows where it waits, a reboot ends it",
			handover->address, stage_action[last.stage], handover->seconds,
			(int)pid, (int)pid);
		return false;
	}
	waitpid(pid, NULL, 0); /* the second time fails, and that is fine */
	if (last.err) {
		mp_error_set_errno(error, -last.err, handover->address,
			stage_action[MIN(last.stage, STAGES - 1)]);
		return false;
	}
	return true;
}

/* The driver's name, NULL for none. */
static bool read_driver(struct mp_handover *handover, char **name, GError **error)
{
	g_autofree char *path = g_strconcat(DEVICES, handover->address, "/driver", NULL);
	g_autofree char *link = NULL;
	int err = mp_root_readlink(mp_target_root(handover->target), path, &link);

	g_clear_pointer(name, g_free);
	if (err == -ENOENT)
		return true;
	if (err) {
		mp_error_set_errno(error, err, handover->address, "read its driver");
		return false;
	}
	*name = g_path_get_basename(link);
	return true;
}

static bool read_override(struct mp_handover *handover, GError **error)
{
	g_autofree char *path =
		g_strconcat(DEVICES, handover->address, "/driver_override", NULL);
	g_autofree char *text = NULL;
	size_t size;
	int err = mp_root_read(
		mp_target_root(handover->target), path, MP_READ_ATTR, &text, &size);

	if (err) {
		mp_error_set_errno(
			error, err, handover->address, "read its driver_override");
		return false;
	}
	g_strstrip(text);
	/* driver_override_show() in drivers/pci/pci-sysfs.c prints a NULL pointer. */
	if (*text && strcmp(text, "(null)") != 0)
		handover->override_before = g_steal_pointer(&text);
	return true;
}

/* Brings the function to DRIVER (NULL: any, where it WANTS_ONE) with OVERRIDE set (NULL:
 * cleared). */
static bool bring_to(struct mp_handover *handover, const char *driver, bool wants_one,
	const char *override, bool set_override, gint64 deadline, GError **error)
{
	struct write writes[STAGES] = { { NULL, NULL } };
	g_autofree char *now = NULL;
	bool ok;

	if (!read_driver(handover, &now, error))
		return false;
	bool there = driver && now && !strcmp(driver, now);

	if (set_override)
		writes[STAGE_OVERRIDE] = (struct write){
			g_strconcat(DEVICES, handover->address, "/driver_override", NULL),
			override ? override : "\n"
		};
	if (now && !there)
		writes[STAGE_UNBIND] = (struct write){
			g_strconcat(DEVICES, handover->address, "/driver/unbind", NULL),
			handover->address
		};
	if (!there && wants_one)
		writes[STAGE_PROBE] =
			(struct write){ g_strdup(PROBE), handover->address };
	ok = make_writes(handover, writes, deadline, error);
	for (int stage = 0; stage < STAGES; stage++)
		g_free(writes[stage].path);
	return ok && read_driver(handover, &handover->driver_after, error);
}

static bool bring(struct mp_handover *handover, const char *driver, const char *override,
	bool set_override, gint64 deadline, GError **error)
{
	return bring_to(handover, driver, true, override, set_override, deadline, error);
}

/* The way back after a failure: as it was, as far as that can be had. */
static void bring_back(struct mp_handover *handover, GError **error)
{
	gint64 deadline = g_get_monotonic_time() + handover->seconds * G_TIME_SPAN_SECOND;
	const char *before =
		handover->driver_before ? handover->driver_before : "no driver";
	g_autoptr(GError) second = NULL;
	g_autoptr(GError) problem = NULL;
	bool back = bring(handover, handover->driver_before, handover->override_before,
		true, deadline, &second);

	if (!error || !*error)
		return;
	problem = g_steal_pointer(error);
	if (back && g_strcmp0(handover->driver_before, handover->driver_after) == 0)
		g_set_error(error, MP_ERROR, MP_ERROR_UNDONE, "%s (handed back to %s)",
			problem->message, before);
	else
		g_set_error(error, MP_ERROR, MP_ERROR_STUCK,
			"%s; and it could not be handed back to %s (%s), so its driver is %s",
			problem->message, before,
			second ? second->message : "that did not take it",
			handover->driver_after ? handover->driver_after : "none");
}

bool mp_handover(struct mp_handover *handover, GError **error)
{
	gint64 deadline = g_get_monotonic_time() + handover->seconds * G_TIME_SPAN_SECOND;
	GError *problem = NULL;

	if (!read_driver(handover, &handover->driver_before, error) ||
		!read_override(handover, error))
		return false;
	handover->driver_after = g_strdup(handover->driver_before);

	bool override_differs =
		g_strcmp0(handover->override_before, handover->driver) != 0;

	if (handover->driver && !override_differs &&
		g_strcmp0(handover->driver_before, handover->driver) == 0)
		return true;
	/* Back to the host: with no override and another driver than VFIO's it is there. */
	if (!handover->driver && !override_differs && handover->driver_before &&
		strcmp(handover->driver_before, MP_DRIVER_VFIO) != 0)
		return true;
	if (bring(handover, handover->driver, handover->driver, override_differs,
		    deadline, &problem)) {
		if (handover->driver
				? g_strcmp0(handover->driver_after, handover->driver) == 0
				: g_strcmp0(handover->driver_after, MP_DRIVER_VFIO) != 0)
			return true;
		if (!handover->driver) {
			g_set_error(error, MP_ERROR, MP_ERROR_IO,
				"%s: " MP_DRIVER_VFIO
				" took it again: its ids= or new_id names "
				"this id ('metis-passthrough rollback', or reboot after new_id)",
				handover->address);
			return false;
		}
		g_set_error(&problem, MP_ERROR, MP_ERROR_IO,
			"%s: the kernel did not give it to %s (its driver is %s)",
			handover->address, handover->driver,
			handover->driver_after ? handover->driver_after : "none");
	}
	if (!handover->hangs)
		bring_back(handover, &problem);
	g_propagate_error(error, problem);
	return false;
}

bool mp_handover_back(struct mp_handover *handover, GError **error)
{
	gint64 deadline = g_get_monotonic_time() + handover->seconds * G_TIME_SPAN_SECOND;
	const char *driver = handover->driver_before;

	if (!bring_to(handover, driver, driver != NULL, handover->override_before, true,
		    deadline, error)) {
		if (error && *error)
			(*error)->code = MP_ERROR_STUCK;
		return false;
	}
	if (g_strcmp0(driver, handover->driver_after) == 0)
		return true;
	g_set_error(error, MP_ERROR, MP_ERROR_STUCK,
		"%s: was with %s before and cannot be given back: it is with %s now",
		handover->address, driver ? driver : "no driver",
		handover->driver_after ? handover->driver_after : "no driver");
	return false;
}

void mp_handover_clear(struct mp_handover *handover)
{
	g_clear_pointer(&handover->driver_before, g_free);
	g_clear_pointer(&handover->driver_after, g_free);
	g_clear_pointer(&handover->override_before, g_free);
}

bool mp_handover_load_vfio(struct mp_target *target, GError **error)
{
	static const char *const args[] = { "vfio-pci", NULL };
	const struct mp_program_call call = {
		.program = MP_PROGRAM_MODPROBE,
		.args = args,
		.target = target,
		.seconds = MODPROBE_SECONDS,
	};
	struct mp_stat st;

	if (!mp_root_stat(
		    mp_target_root(target), "sys/bus/pci/drivers/" MP_DRIVER_VFIO, &st))
		return true;
	return mp_program_call(&call, error);
}
