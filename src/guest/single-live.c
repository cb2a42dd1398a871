/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/error.h"
#include "core/setup.h"
#include "guest/single.h"

#ifndef SYS_pidfd_open
#define SYS_pidfd_send_signal 424
#define SYS_pidfd_open        434
#endif

static char *path_of(const char *vmid)
{
	return g_strdup_printf("/" MP_PATH_STATUS_DIR "/selftest-%s.lock", vmid);
}

/* A lock of a process, not of a descriptor: no child inherits it, an exec keeps it, and the
 * kernel says whose it is (fcntl(2)). 0: nobody's. */
static pid_t holder(int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (fcntl(fd, F_GETLK, &lock) < 0 || lock.l_type == F_UNLCK)
		return 0;
	return lock.l_pid;
}

bool mp_single_begin(struct mp_target *target, const char *vmid, GError **error)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	g_autofree char *path = path_of(vmid);
	int fd, err;

	if (!mp_target_make_dirs(target, MP_PATH_STATUS_DIR, NULL, error))
		return false;
	fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
	if (fd >= 0 && fcntl(fd, F_SETLK, &lock) == 0)
		return true; /* and the descriptor stays open: closing it would end the lock */
	err = errno;
	if (fd >= 0 && (err == EAGAIN || err == EACCES))
		g_set_error(error, MP_ERROR, MP_ERROR_BUSY,
			"VM %s: a self-test runs in it already (process %d)", vmid,
			(int)holder(fd));
	else
		mp_error_set_errno(error, -err, path, "lock it");
	if (fd >= 0)
		close(fd);
	return false;
}

bool mp_single_end(const char *vmid)
{
	g_autofree char *path = path_of(vmid);
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	pid_t pid = fd >= 0 ? holder(fd) : 0;
	int process = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
	bool sent = false;

	/* Still its: so it is this process, not a later one of that number. */
	if (process >= 0 && holder(fd) == pid)
		sent = syscall(SYS_pidfd_send_signal, process, SIGTERM, NULL, 0) == 0;
	if (process >= 0)
		close(process);
	if (fd >= 0)
		close(fd);
	return sent;
}
