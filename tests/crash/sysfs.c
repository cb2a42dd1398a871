/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A library for LD_PRELOAD that makes plain files below /sys behave as the kernel's do when
 * they are written, counts these writes, and fails one. For a program in a chroot.
 *
 *	SYSFS_COUNT=FILE   at the end of the program, the number of writes so far
 *	SYSFS_TRACE=FILE   one line for each: number, path, text
 *	SYSFS_AT=N         the N-th write (from 1) is the victim
 *	SYSFS_HOW=ERRNO    it fails with this number, and nothing is done
 *	SYSFS_HOW=ERRNO+   so do all after it
 *	SYSFS_HOW=hang     it does not return, until its process is killed
 *	SYSFS_HOW=stuck    nor then, as in a driver's remove() that waits: kill(2) does nothing
 *	SYSFS_HOW=kill     its process is killed (SIGKILL) before it
 *	SYSFS_HOW=killed   its process is killed after it
 *	SYSFS_LOCK=FILE    who locks a file makes this one first, and waits until it is gone
 *	SYSFS_HOST=DRIVER  who takes a device without driver_override
 *
 * There is no /proc of processes in a captured host: what the C library opens as
 * /proc/self/fd/N is that descriptor. Children that are forked count on, programs that are started are not seen. A file is
 * known by its inode: the program may open it in any way.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DEVICES "/sys/bus/pci/devices"
#define DRIVERS "/sys/bus/pci/drivers"
#define LONG    (2 * PATH_MAX)

struct shared {
	long count;
	pid_t stuck;
};

static struct shared *shared;
static pid_t first;

__attribute__((constructor)) static void start(void)
{
	first = getpid();
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		_exit(99);
}

static void put(const char *file, int flags, const char *text, size_t size)
{
	int fd = (int)syscall(
		SYS_openat, AT_FDCWD, file, O_WRONLY | O_CLOEXEC | flags, 0600);

	if (fd < 0 || syscall(SYS_write, fd, text, size) != (long)size)
		_exit(99);
	syscall(SYS_close, fd);
}

__attribute__((destructor)) static void end(void)
{
	char text[32];

	if (getpid() != first || !getenv("SYSFS_COUNT"))
		return;
	put(getenv("SYSFS_COUNT"), O_CREAT | O_TRUNC, text,
		(size_t)snprintf(text, sizeof(text), "%ld\n", shared->count));
}

/* The path of the file with the inode of WANTED below DIR. */
static int find(const char *dir, const struct stat *wanted, char *path, size_t size)
{
	DIR *names = opendir(dir);
	struct dirent *entry;
	int found = 0;

	while (names && !found && (entry = readdir(names))) {
		char full[PATH_MAX];
		struct stat st;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (snprintf(full, sizeof(full), "%s/%s", dir, entry->d_name) >=
				(int)sizeof(full) ||
			lstat(full, &st) < 0)
			continue;
		if (S_ISDIR(st.st_mode)) {
			found = find(full, wanted, path, size);
		} else if (st.st_ino == wanted->st_ino && st.st_dev == wanted->st_dev) {
			snprintf(path, size, "%s", full);
			found = 1;
		}
	}
	if (names)
		closedir(names);
	return found;
}

/* Of the kernel's? Then its path. */
static int is_sysfs(int fd, char *path, size_t size)
{
	struct stat st;

	return fd > 2 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	       find("/sys", &st, path, size);
}

static void hang(void)
{
	for (;;)
		pause();
}

/* 0: let it be done; -1: errno is set; 1: die after it. */
static int hit(const char *path, const char *text, size_t size)
{
	const char *at = getenv("SYSFS_AT"), *how = getenv("SYSFS_HOW");
	long number = __sync_add_and_fetch(&shared->count, 1);

	if (getenv("SYSFS_TRACE")) {
		char line[512];
		int length = snprintf(line, sizeof(line), "%ld %s %.*s\n", number, path,
			(int)size, text);

		put(getenv("SYSFS_TRACE"), O_CREAT | O_APPEND, line, (size_t)length);
	}
	if (!at || !how || number < atol(at) ||
		(number > atol(at) && how[strlen(how) - 1] != '+'))
		return 0;
	if (!strcmp(how, "stuck")) {
		sigset_t all;

		shared->stuck = getpid();
		sigfillset(&all);
		sigprocmask(SIG_BLOCK, &all, NULL);
		hang();
	}
	if (!strcmp(how, "hang"))
		hang();
	if (!strcmp(how, "kill"))
		syscall(SYS_kill, getpid(), SIGKILL);
	if (!strcmp(how, "killed"))
		return 1;
	errno = atoi(how);
	return -1;
}

int kill(pid_t pid, int number)
{
	if (number && pid > 0 && pid == shared->stuck)
		return 0;
	return (int)syscall(SYS_kill, pid, number);
}

static const char *base(const char *path)
{
	return strrchr(path, '/') + 1;
}

/* The first line of a file. */
static void first_line(const char *path, char *line, size_t size)
{
	int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
	long got = fd < 0 ? 0 : syscall(SYS_read, fd, line, size - 1);

	line[got > 0 ? got : 0] = '\0';
	line[strcspn(line, "\n")] = '\0';
	if (fd >= 0)
		syscall(SYS_close, fd);
}

/* unbind_store() in drivers/base/bus.c: ENODEV where it is not this driver's. */
static long unbind(const char *path, const char *bdf)
{
	char link[LONG], target[PATH_MAX], driver[PATH_MAX];
	ssize_t length;

	snprintf(driver, sizeof(driver), "%.*s", (int)(base(path) - path - 1), path);
	snprintf(link, sizeof(link), DEVICES "/%s/driver", bdf);
	length = readlink(link, target, sizeof(target) - 1);
	if (length < 0 || (target[length] = '\0', strcmp(base(target), base(driver)))) {
		errno = ENODEV;
		return -1;
	}
	return syscall(SYS_unlinkat, AT_FDCWD, link, 0);
}

/* drivers_probe_store(): success, whether anybody takes it or not. */
static void probe(const char *bdf)
{
	char link[LONG], path[LONG], driver[256], target[LONG];
	struct stat st;

	snprintf(path, sizeof(path), DEVICES "/%s/driver_override", bdf);
	first_line(path, driver, sizeof(driver));
	if (!*driver || !strcmp(driver, "(null)"))
		snprintf(driver, sizeof(driver), "%s",
			getenv("SYSFS_HOST") ? getenv("SYSFS_HOST") : "");
	snprintf(path, sizeof(path), DRIVERS "/%s", driver);
	snprintf(link, sizeof(link), DEVICES "/%s/driver", bdf);
	snprintf(target, sizeof(target), "../../../../bus/pci/drivers/%s", driver);
	if (*driver && lstat(path, &st) == 0 && lstat(link, &st) < 0)
		syscall(SYS_symlinkat, target, AT_FDCWD, link);
}

static long store(int fd, const char *path, const char *text, size_t size)
{
	char word[PATH_MAX];
	const char *name = base(path);

	snprintf(word, sizeof(word), "%.*s", (int)size, text);
	word[strcspn(word, "\n")] = '\0';
	if (!strcmp(name, "unbind"))
		return unbind(path, word) < 0 ? -1 : (long)size;
	if (!strcmp(name, "drivers_probe"))
		return probe(word), (long)size;
	if (!strcmp(name, "reset"))
		return (long)size;
	strcat(!*word && !strcmp(name, "driver_override") ? strcpy(word, "(null)") : word,
		"\n");
	if (syscall(SYS_ftruncate, fd, 0) < 0 ||
		syscall(SYS_pwrite64, fd, word, strlen(word), 0) < 0)
		return -1;
	return (long)size;
}

ssize_t write(int fd, const void *data, size_t size)
{
	char path[PATH_MAX];
	long done;
	int what;

	if (!is_sysfs(fd, path, sizeof(path)))
		return syscall(SYS_write, fd, data, size);
	what = hit(path, data, size);
	if (what < 0)
		return -1;
	done = store(fd, path, data, size);
	if (what > 0)
		syscall(SYS_kill, getpid(), SIGKILL);
	return done;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at)
{
	char path[PATH_MAX], text[32];
	int what = 0;
	long done;

	if (is_sysfs(fd, path, sizeof(path))) {
		snprintf(text, sizeof(text), "at %#lx", (unsigned long)at);
		what = hit(path, text, strlen(text));
	}
	if (what < 0)
		return -1;
	done = syscall(SYS_pwrite64, fd, data, size, at);
	if (what > 0)
		syscall(SYS_kill, getpid(), SIGKILL);
	return done;
}
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at)
{
	return pwrite(fd, data, size, at);
}

FILE *fopen(const char *path, const char *mode)
{
	FILE *(*real)(const char *, const char *) =
		(__typeof__(real))dlsym(RTLD_NEXT, "fopen");
	int fd;

	if (strncmp(path, "/proc/self/fd/", 14) != 0)
		return real(path, mode);
	fd = dup(atoi(path + 14));
	return fd < 0 || lseek(fd, 0, SEEK_SET) < 0 ? NULL : fdopen(fd, mode);
}
FILE *fopen64(const char *path, const char *mode)
{
	return fopen(path, mode);
}

int flock(int fd, int operation)
{
	const char *file = getenv("SYSFS_LOCK");
	struct stat st;

	if (file && (operation & LOCK_EX)) {
		put(file, O_CREAT, "", 0);
		while (stat(file, &st) == 0)
			usleep(10000);
	}
	return (int)syscall(SYS_flock, fd, operation);
}
