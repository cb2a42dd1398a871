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
	MP_PROGRAM_LZ4,
	MP_PROGRAM_LZOP,
	MP_PROGRAM_XZ,
	MP_PROGRAM_ZSTD,
	MP_PROGRAMS
};

const char *mp_program_name(enum mp_program program);
/* The Debian package that brings it. */
const char *mp_program_package(enum mp_program program);

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

#endif
