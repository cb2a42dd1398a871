/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/error.h"
#include "guest/module.h"
#include "hook-cards.h"
#include "hook-selftest.h"
#include "testing.h"

#define PATH_SELF    "/proc/self/exe"
#define PATH_JOURNAL "/run/systemd/journal/stdout"
/* Guests with many disks, or a check of one, take minutes to boot. */
#define SECONDS_WAIT 900
#define SECONDS_TEST 600
/* Longer than all that, in case it hangs where nobody thought of. */
#define SECONDS_ALL  3600u
#define LOG_PREFIX   "metis-passthrough-selftest"

static_assert(SECONDS_ALL > MP_TESTING_VM_SINGLE_SECONDS + SECONDS_WAIT + SECONDS_TEST +
				    MP_GUEST_MODULE_SECONDS + MP_TESTING_VM_GRACE_SECONDS,
	"the test ends by its own limits");

/* A stream of lines into the journal: identifier, unit, priority, whether lines have a level,
 * and three more flags, each on a line (systemd, sd_journal_stream_fd()). -1: there is none. */
static int open_journal(void)
{
	static const char head[] = LOG_PREFIX "\n\n6\n0\n0\n0\n0\n";
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = PATH_JOURNAL };
	/* A journal that does not answer is none. */
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
		send(fd, head, sizeof(head) - 1, MSG_NOSIGNAL) ==
			(ssize_t)sizeof(head) - 1 &&
		fcntl(fd, F_SETFL, 0) == 0)
		return fd;
	close(fd);
	return -1;
}

/* In the grandchild. */
static _Noreturn void become_selftest(const char *vmid)
{
	const char *const args[] = { "metis-passthrough", "selftest", "--vm", vmid,
		"--wait", G_STRINGIFY(SECONDS_WAIT), "--timeout",
		G_STRINGIFY(SECONDS_TEST), "--color", "never", NULL };
	int nothing = open("/dev/null", O_RDWR), journal = open_journal();
	int said = journal >= 0 ? journal : nothing;
	sigset_t none;

	if (nothing < 0 || dup2(nothing, STDIN_FILENO) < 0 ||
		dup2(said, STDOUT_FILENO) < 0 || dup2(said, STDERR_FILENO) < 0 ||
		close_range(STDERR_FILENO + 1, ~0u, 0) < 0 || chdir("/") < 0)
		_exit(MP_EXIT_FAILURE);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	alarm(SECONDS_ALL); /* outlives the exec */
	execv(PATH_SELF, (char *const *)args);
	dprintf(STDERR_FILENO, "VM %s: no self-test: " PATH_SELF ": %s\n", vmid,
		strerror(errno));
	_exit(MP_EXIT_FAILURE);
}

bool mp_hook_start_selftest(const char *vmid, GError **error)
{
	int status = 0;
	pid_t child;

	fflush(NULL);
	child = fork();
	if (child == 0) {
		pid_t grandchild;

		/* Nobody's session: a second fork, so that no terminal can become its. */
		setsid();
		grandchild = fork();
		if (grandchild == 0)
			become_selftest(vmid);
		_exit(grandchild < 0 ? errno : 0);
	}
	if (child < 0) {
		mp_error_set_errno(error, -errno, "self-test", "start");
		return false;
	}
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (!WIFEXITED(status) || WEXITSTATUS(status)) {
		mp_error_set_errno(error, WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO,
			"self-test", "start");
		return false;
	}
	mp_hook_say(NULL,
		"self-test in the guest: begins when the guest agent answers; see "
		"'journalctl -t " LOG_PREFIX "'");
	return true;
}
