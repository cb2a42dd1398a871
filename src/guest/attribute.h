/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * attribute.h - writes one attribute of sysfs that may take minutes: by a child process, so
 * that it can be ended at any time, and a kernel that never answers holds only the child.
 */
#ifndef MP_GUEST_ATTRIBUTE_H
#define MP_GUEST_ATTRIBUTE_H

#include "core/target.h"

enum mp_attribute_end {
	MP_ATTRIBUTE_WRITTEN,
	MP_ATTRIBUTE_FAILED,  /* errno is in err */
	MP_ATTRIBUTE_STOPPED, /* tick wanted it; the child is gone */
	MP_ATTRIBUTE_LATE,    /* the time was up; the child is gone */
	MP_ATTRIBUTE_HANGS,   /* and it cannot be ended: only a reboot helps */
};

struct mp_attribute_write {
	struct mp_target *target;
	const char *path; /* in TARGET */
	const char *text;
	unsigned seconds;
	/* Asked a few times a second; false: end it. NULL: nobody wants to. */
	bool (*tick)(void *user);
	void *user;

	int err;   /* filled for FAILED */
	pid_t pid; /* filled for HANGS: the child */
};

/* Never creates the file. The child is ended when this process dies. */
enum mp_attribute_end mp_attribute_write(struct mp_attribute_write *write);

#endif
