/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A library for LD_PRELOAD that counts the calls which change files, and stops or fails one:
 *
 *	CRASH_COUNT=FILE   at the end of the program, its number of such calls
 *	CRASH_TRACE=FILE   one line for each: number, name, what about
 *	CRASH_AT=N         the N-th call (from 1) is the victim
 *	CRASH_HOW=kill     SIGKILL before it
 *	CRASH_HOW=half     a write does its first half, then SIGKILL; others as kill
 *	CRASH_HOW=ERRNO    it fails with this number
 *	CRASH_HOW=full     from it on, whatever needs room on the disk fails with ENOSPC
 *
 * Only the process that loaded it counts, not its children; output to the terminal does not
 * count. openat2(2) has no wrapper in the C library: the program makes nothing with it.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

enum how { NOTHING, KILL, HALF, FAIL, FULL };

static pid_t self;
static long count, victim;
static enum how how;
static int number;
static int trace = -1;

__attribute__((constructor)) static void start(void)
{
	const char *text = getenv("CRASH_HOW");

	self = getpid();
	victim = getenv("CRASH_AT") ? atol(getenv("CRASH_AT")) : 0;
	if (getenv("CRASH_TRACE"))
		trace = (int)syscall(SYS_openat, AT_FDCWD, getenv("CRASH_TRACE"),
			O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (!victim || !text)
		return;
	how = !strcmp(text, "kill")   ? KILL
	      : !strcmp(text, "half") ? HALF
	      : !strcmp(text, "full") ? FULL
				      : FAIL;
	number = atoi(text);
}

__attribute__((destructor)) static void end(void)
{
	char text[32];
	int length = snprintf(text, sizeof(text), "%ld\n", count);

	if (getpid() != self || !getenv("CRASH_COUNT"))
		return;
	long fd = syscall(SYS_openat, AT_FDCWD, getenv("CRASH_COUNT"),
		O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || syscall(SYS_write, fd, text, length) != length)
		_exit(99);
}

static void die(void)
{
	syscall(SYS_kill, self, SIGKILL);
	for (;;)
		pause();
}

/*
 * Counts a call. 0: go on; 1: a write shall do its half and then die(); -1: errno is set,
 * fail. GROWS: it needs room on the disk.
 */
static int hit(const char *name, const char *about, int grows)
{
	if (getpid() != self)
		return 0;
	count++;
	if (trace >= 0) {
		char line[512];
		int length = snprintf(line, sizeof(line), "%ld %s %s\n", count, name,
			about ? about : "");

		length = length < (int)sizeof(line) ? length : (int)sizeof(line) - 1;
		if (syscall(SYS_write, trace, line, length) != length)
			_exit(99);
	}
	if (how == FULL && victim && count >= victim && grows) {
		errno = ENOSPC;
		return -1;
	}
	if (!victim || count != victim || how == FULL)
		return 0;
	if (how == FAIL) {
		errno = number;
		return -1;
	}
	if (how == HALF && (!strcmp(name, "write") || !strcmp(name, "pwrite")))
		return 1;
	die();
	return 0;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *data, size_t size)
{
	int what = fd > 2 ? hit("write", NULL, 1) : 0;

	if (what < 0)
		return -1;
	if (what == 0)
		return syscall(SYS_write, fd, data, size);
	syscall(SYS_write, fd, data, size / 2);
	die();
	return -1;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at)
{
	/* Without O_APPEND the room may have been set aside: only the disk knows. */
	int what = hit("pwrite", NULL, 0);

	if (what < 0)
		return -1;
	if (what == 0)
		return REAL(pwrite)(fd, data, size, at);
	REAL(pwrite)(fd, data, size / 2, at);
	die();
	return -1;
}
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at)
{
	return pwrite(fd, data, size, at);
}

ssize_t writev(int fd, const struct iovec *pieces, int pieces_count)
{
	if (fd > 2 && hit("writev", NULL, 1) < 0)
		return -1;
	return REAL(writev)(fd, pieces, pieces_count);
}

/* Opening changes something where it makes or empties a file. */
static int changes(const char *path, int flags)
{
	return (flags & (O_CREAT | O_TRUNC)) && strncmp(path, "/dev/", 5) != 0;
}

static mode_t mode_of(int flags, va_list args)
{
	return flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;
}

#define OPENAT(name)                                                                     \
	int name(int dir, const char *path, int flags, ...)                              \
	{                                                                                \
		va_list args;                                                            \
		va_start(args, flags);                                                   \
		mode_t mode = mode_of(flags, args);                                      \
		va_end(args);                                                            \
		if (changes(path, flags) && hit("open", path, 1) < 0)                    \
			return -1;                                                       \
		return (int)syscall(SYS_openat, dir, path, flags, mode);                 \
	}
OPENAT(openat)
OPENAT(openat64)

#define OPEN(name)                                                                       \
	int name(const char *path, int flags, ...)                                       \
	{                                                                                \
		va_list args;                                                            \
		va_start(args, flags);                                                   \
		mode_t mode = mode_of(flags, args);                                      \
		va_end(args);                                                            \
		if (changes(path, flags) && hit("open", path, 1) < 0)                    \
			return -1;                                                       \
		return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);            \
	}
OPEN(open)
OPEN(open64)

int creat(const char *path, mode_t mode)
{
	return open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
}

/* Everything else: a name, its parameters, its arguments, what it is about, does it grow. */
#define WRAP(name, parameters, arguments, about, grows)                                  \
	int name parameters                                                              \
	{                                                                                \
		if (hit(#name, about, grows) < 0)                                        \
			return -1;                                                       \
		return REAL(name) arguments;                                             \
	}

WRAP(rename, (const char *a, const char *b), (a, b), b, 0)
WRAP(renameat, (int d, const char *a, int e, const char *b), (d, a, e, b), b, 0)
WRAP(renameat2, (int d, const char *a, int e, const char *b, unsigned f), (d, a, e, b, f),
	b, 0)
WRAP(link, (const char *a, const char *b), (a, b), b, 0)
WRAP(linkat, (int d, const char *a, int e, const char *b, int f), (d, a, e, b, f), b, 0)
WRAP(symlink, (const char *a, const char *b), (a, b), b, 1)
WRAP(symlinkat, (const char *a, int d, const char *b), (a, d, b), b, 1)
WRAP(unlink, (const char *a), (a), a, 0)
WRAP(unlinkat, (int d, const char *a, int f), (d, a, f), a, 0)
WRAP(rmdir, (const char *a), (a), a, 0)
WRAP(remove, (const char *a), (a), a, 0)
WRAP(mkdir, (const char *a, mode_t m), (a, m), a, 1)
WRAP(mkdirat, (int d, const char *a, mode_t m), (d, a, m), a, 1)
WRAP(chmod, (const char *a, mode_t m), (a, m), a, 0)
WRAP(fchmod, (int d, mode_t m), (d, m), NULL, 0)
WRAP(fchmodat, (int d, const char *a, mode_t m, int f), (d, a, m, f), a, 0)
WRAP(chown, (const char *a, uid_t u, gid_t g), (a, u, g), a, 0)
WRAP(lchown, (const char *a, uid_t u, gid_t g), (a, u, g), a, 0)
WRAP(fchown, (int d, uid_t u, gid_t g), (d, u, g), NULL, 0)
WRAP(fchownat, (int d, const char *a, uid_t u, gid_t g, int f), (d, a, u, g, f), a, 0)
WRAP(futimens, (int d, const struct timespec t[2]), (d, t), NULL, 0)
WRAP(utimensat, (int d, const char *a, const struct timespec t[2], int f), (d, a, t, f),
	a, 0)
WRAP(fsetxattr, (int d, const char *a, const void *v, size_t s, int f), (d, a, v, s, f),
	a, 1)
WRAP(ftruncate, (int d, off_t s), (d, s), NULL, 0)
WRAP(fallocate, (int d, int m, off_t o, off_t s), (d, m, o, s), NULL, 1)
WRAP(fsync, (int d), (d), NULL, 0)
WRAP(fdatasync, (int d), (d), NULL, 0)
WRAP(syncfs, (int d), (d), NULL, 0)
