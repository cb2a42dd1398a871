/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * judging.h - runs checks on a host, cards and a VM and shows the findings: what preflight
 * and `vm check` have in common.
 */
#ifndef MP_JUDGING_H
#define MP_JUDGING_H

#include "choose.h"
#include "core/known-bad.h"

/* The options as they were given; NULL: not given. */
struct mp_judging_options {
	const struct mp_choose_options *choose;
	const char *vm;    /* id or configuration file */
	const char *check; /* GLOB of the checks to run; NULL: all */
	const char *sysroot, *format, *color;
	bool strict, verbose;
	/* The inside of a VM: its checks, with the versions that were named. NULL: a host. */
	const struct mp_versions *guest;
	bool vm_alone; /* the report is about the VM, and the checks of it are all there are */
};

/* Returns an enum mp_exit, as a verb's run(). */
int mp_judge(const struct mp_judging_options *options, GError **error);

#endif
