/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * program.h - the only programs that may be run, and running them: by argv, never through a
 * shell, from fixed directories, with a time limit, their output read as it comes.
 */
#ifndef MP_PROGRAM_H
#define MP_PROGRAM_H

#include <glib.h>
#include <stdbool.h>

/* Why each: see the table in program.c. */
enum mp_program {
	MP_PROGRAM_BZIP2,
	MP_PROGRAM_GZIP,
	MP_PROGRAM_INSMOD,
	MP_PROGRAM_JOURNALCTL,
	MP_PROGRAM_LZ4,
	MP_PROGRAM_LZOP,
	MP_PROGRAM_MAKE,
	MP_PROGRAM_MODPROBE,
	MP_PROGRAM_XZ,
	MP_PROGRAM_ZSTD,
	MP_PROGRAM_PROXMOX_BOOT_TOOL,
	MP_PROGRAM_PVESH,
	MP_PROGRAM_QM,
	MP_PROGRAM_RMMOD,
	MP_PROGRAM_SYSTEMCTL,
	MP_PROGRAM_UDEVADM,
	MP_PROGRAM_UPDATE_GRUB,
	MP_PROGRAM_UPDATE_INITRAMFS,
	MP_PROGRAMS
};

const char *mp_program_name(enum mp_program program);
/* The Debian package that brings it. */
const char *mp_program_package(enum mp_program program);
/* Where programs are looked for, NULL-ended. Not PATH: a root tool must not run what
 * somebody put before the system's. */
extern const char *const mp_program_directories[];

/* One program to run. The caller fills the first part and keeps it until the run is over. */
struct mp_program_run {
	enum mp_program program;
	const char *const *args; /* NULL-ended, without the program's name */
	int input;               /* descriptor for its standard input, or -1: none */
	/* Gets its standard output in pieces. False: enough, the program is ended. */
	bool (*sink)(void *user, const char *data, size_t size);
	void *user;

	/* Filled by the run. */
	char *problem; /* NULL: it ended well, or the sink had enough. Caller frees. */

	/* Private. */
	GPid pid;
	int output;
	int complaints;
	GString *complaint;
	bool enough;
};

/*
 * Runs all COUNT programs, some of them at the same time, and returns when each has ended.
 * What still runs SECONDS after the start of the whole is killed.
 */
void mp_programs_run(struct mp_program_run *runs, size_t count, unsigned seconds);

/* --- programs that change the host --- */

struct mp_target;

/* One call of a program in a target: on the live system as it is, else by chroot into it. */
struct mp_program_call {
	enum mp_program program;
	const char *const *args; /* NULL-ended, without the program's name */
	struct mp_target *target;
	unsigned seconds; /* then it and all that it started is ended */
	/* Each line of its output (both streams), and NULL every second. False: end it, the
	 * user wants to stop. May be NULL. */
	bool (*line)(void *user, const char *line);
	void *user;
	GString *output; /* gets its standard output, at most 1 MiB, or NULL */
};
/*
 * True when it ended with 0. Else the error names the program, how it ended and the last
 * lines that it wrote. It runs in a session of its own (a terminal's SIGINT does not reach
 * it) with standard input at its end, a clean environment and the lock of the target
 * inherited. When it is ended, so is all that it started: SIGTERM, some seconds, SIGKILL.
 */
bool mp_program_call(const struct mp_program_call *call, GError **error);
/* Is it installed in TARGET (NULL: on this machine)? */
bool mp_program_there(enum mp_program program, struct mp_target *target);
/* Where, as seen from inside of TARGET: "/usr/sbin/update-grub". NULL, and the error says
 * which package brings it. Caller frees. */
char *mp_program_path(enum mp_program program, struct mp_target *target, GError **error);
/* By the name of its table row; MP_PROGRAMS: not in the allow-list. */
enum mp_program mp_program_find(const char *name);

#endif
