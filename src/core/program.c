/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/program.h"

#define PIECE_SIZE     (256u * 1024)
#define PIPE_SIZE      (1024 * 1024) /* fewer switches between the program and us */
#define COMPLAINT_SIZE 512           /* of standard error: enough for a sentence */
#define PARALLEL_MAX   4

static const struct {
	const char *name, *package;
} programs[MP_PROGRAMS] = {
	/* Decompression of initramfs images, by the program that Debian's own tools use. */
	[MP_PROGRAM_BZIP2] = { "bzip2", "bzip2" },
	[MP_PROGRAM_GZIP] = { "gzip", "gzip" },
	[MP_PROGRAM_LZ4] = { "lz4", "lz4" },
	[MP_PROGRAM_LZOP] = { "lzop", "lzop" },
	[MP_PROGRAM_XZ] = { "xz", "xz-utils" },
	[MP_PROGRAM_ZSTD] = { "zstd", "zstd" },
	/* The kernel's log of earlier boots, by its trusted fields. */
	[MP_PROGRAM_JOURNALCTL] = { "journalctl", "systemd" },
	/* The guest's test module: built from the installed source where no package did, loaded
	 * from where it was built, and taken out again. */
	[MP_PROGRAM_INSMOD] = { "insmod", "kmod" },
	[MP_PROGRAM_MAKE] = { "make", "make" },
	[MP_PROGRAM_RMMOD] = { "rmmod", "kmod" },
	/* vfio-pci, before a device is handed to it; the guest's test module. */
	[MP_PROGRAM_MODPROBE] = { "modprobe", "kmod" },
	/* Copies kernels and images to the ESPs and writes their loader entries. */
	[MP_PROGRAM_PROXMOX_BOOT_TOOL] = { "proxmox-boot-tool", "proxmox-kernel-helper" },
	/* Resource mappings: only the API writes them under the cluster's lock. */
	[MP_PROGRAM_PVESH] = { "pvesh", "pve-manager" },
	/* Options of VMs: takes the VM's lock, checks the digest, keeps pending changes. And the
	 * guest agent. */
	[MP_PROGRAM_QM] = { "qm", "qemu-server" },
	/* daemon-reload and enabling of units that were written. */
	[MP_PROGRAM_SYSTEMCTL] = { "systemctl", "systemd" },
	/* Has udevd read changed rules. */
	[MP_PROGRAM_UDEVADM] = { "udevadm", "udev" },
	/* Writes grub.cfg from the changed defaults. */
	[MP_PROGRAM_UPDATE_GRUB] = { "update-grub", "grub2-common" },
	/* Puts changed modprobe.d files and hooks into the images. */
	[MP_PROGRAM_UPDATE_INITRAMFS] = { "update-initramfs", "initramfs-tools" },
};

const char *const mp_program_directories[] = { "/usr/sbin", "/usr/bin", "/sbin", "/bin",
	NULL };

const char *mp_program_name(enum mp_program program)
{
	return programs[program].name;
}

const char *mp_program_package(enum mp_program program)
{
	return programs[program].package;
}

enum mp_program mp_program_find(const char *name)
{
	for (int i = 0; i < MP_PROGRAMS; i++)
		if (!strcmp(programs[i].name, name))
			return (enum mp_program)i;
	return MP_PROGRAMS;
}

static char *find(enum mp_program program)
{
	for (const char *const *dir = mp_program_directories; *dir; dir++) {
		char *path = g_build_filename(*dir, programs[program].name, NULL);

		if (access(path, X_OK) == 0)
			return path;
		g_free(path);
	}
	return NULL;
}

static void start(struct mp_program_run *run)
{
	static const char *const environment[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
		"LC_ALL=C", NULL };
	const char *name = programs[run->program].name;
	g_autofree char *path = find(run->program);
	g_autoptr(GPtrArray) argv = g_ptr_array_new();
	g_autoptr(GError) error = NULL;

	run->pid = 0;
	run->output = run->complaints = -1;
	run->complaint = g_string_new(NULL);
	if (!path) {
		run->problem =
			g_strdup_printf("the program %s is not installed (package %s)",
				name, programs[run->program].package);
		return;
	}
	g_ptr_array_add(argv, path);
	for (const char *const *arg = run->args; *arg; arg++)
		g_ptr_array_add(argv, (gpointer)*arg);
	g_ptr_array_add(argv, NULL);
	if (!g_spawn_async_with_pipes_and_fds("/", (const char *const *)argv->pdata,
		    environment, G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_CLOEXEC_PIPES, NULL,
		    NULL, run->input, -1, -1, NULL, NULL, 0, &run->pid, NULL,
		    &run->output, &run->complaints, &error)) {
		run->problem =
			g_strdup_printf("%s: cannot start: %s", name, error->message);
		run->pid = 0;
		return;
	}
	fcntl(run->output, F_SETPIPE_SZ, PIPE_SIZE); /* as good as it gets */
}

static void close_end(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* True when the program has ended before DEADLINE. */
static bool wait_until(GPid pid, gint64 deadline)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	gint64 left = MAX(deadline - g_get_monotonic_time(), 0) / 1000;
	bool ended = fd >= 0 && poll(&wait, 1, (int)MIN(left, 60000)) > 0;

	close_end(&fd);
	return ended;
}

/* Ends a program that has no reader any more, and says how it went. */
static void finish(struct mp_program_run *run, gint64 deadline)
{
	bool in_time = run->output < 0;
	const char *name = programs[run->program].name;
	int status = 0;

	close_end(&run->output);
	close_end(&run->complaints);
	if (run->pid) {
		if (run->enough || !in_time || !wait_until(run->pid, deadline)) {
			in_time = in_time && run->enough;
			kill(run->pid, SIGKILL);
		}
		while (waitpid(run->pid, &status, 0) < 0 && errno == EINTR)
			;
	}
	if (!run->problem && !in_time)
		run->problem = g_strdup_printf("%s: did not end in time", name);
	else if (!run->problem && !run->enough && status)
		run->problem = g_strdup_printf("%s: failed%s%s", name,
			run->complaint->len ? ": " : "", g_strstrip(run->complaint->str));
	g_string_free(run->complaint, TRUE);
	run->complaint = NULL;
	run->pid = 0;
}

/* True while there may be more. */
static bool read_output(struct mp_program_run *run, char *piece)
{
	ssize_t got = read(run->output, piece, PIECE_SIZE);

	if (got < 0)
		return errno == EINTR || errno == EAGAIN;
	if (got > 0 && run->sink(run->user, piece, (size_t)got))
		return true;
	run->enough = got > 0;
	return false;
}

static void read_complaint(struct mp_program_run *run, char *piece)
{
	ssize_t got = read(run->complaints, piece, PIECE_SIZE);

	if (got < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (got <= 0) {
		close_end(&run->complaints);
		return;
	}
	size_t room = COMPLAINT_SIZE - MIN(run->complaint->len, COMPLAINT_SIZE);
	g_string_append_len(run->complaint, piece, (gssize)MIN(room, (size_t)got));
}

/* Serves all running programs until one has ended or time is up. */
static void serve(
	struct mp_program_run **running, size_t count, gint64 deadline, char *piece)
{
	struct pollfd fds[2 * PARALLEL_MAX];
	gint64 left = (deadline - g_get_monotonic_time()) / 1000;

	for (size_t i = 0; i < count; i++) {
		if (running[i]->output < 0)
			return; /* could not be started: nothing to wait for */
		fds[2 * i] =
			(struct pollfd){ .fd = running[i]->output, .events = POLLIN };
		fds[2 * i + 1] =
			(struct pollfd){ .fd = running[i]->complaints, .events = POLLIN };
	}
	if (left <= 0 || poll(fds, 2 * count, (int)MIN(left, 60000)) <= 0)
		return;
	for (size_t i = 0; i < count; i++) {
		if (fds[2 * i + 1].revents)
			read_complaint(running[i], piece);
		if (fds[2 * i].revents && !read_output(running[i], piece))
			close_end(&running[i]->output);
	}
}

void mp_programs_run(struct mp_program_run *runs, size_t count, unsigned seconds)
{
	gint64 deadline = g_get_monotonic_time() + seconds * G_TIME_SPAN_SECOND;
	struct mp_program_run *running[PARALLEL_MAX];
	size_t parallel = MIN(g_get_num_processors(), PARALLEL_MAX);
	g_autofree char *piece = g_malloc(PIECE_SIZE);
	size_t next = 0, busy = 0;

	while (next < count || busy) {
		while (next < count && busy < parallel) {
			start(&runs[next]);
			running[busy++] = &runs[next++];
		}
		serve(running, busy, deadline, piece);
		bool in_time = g_get_monotonic_time() < deadline;

		for (size_t i = 0; i < busy;) {
			if (in_time && running[i]->output >= 0) {
				i++;
				continue;
			}
			finish(running[i], deadline);
			running[i] = running[--busy];
		}
	}
}
