/* SPDX-License-Identifier: GPL-2.0-or-later */
/* klog-private.h - where a cursor's records come from: /dev/kmsg, or what a test makes up. */
#ifndef MP_KLOG_PRIVATE_H
#define MP_KLOG_PRIVATE_H

#include <sys/types.h>

#include "core/klog.h"

struct mp_klog_source {
	/* As read(2) of /dev/kmsg: one record without an end; -1 and errno: EAGAIN there is
	 * none, EPIPE some were overwritten before they were read. */
	ssize_t (*read)(void *user, char *record, size_t size);
	/* Until there is one or the time is over; -1 and errno. */
	int (*wait)(void *user, int milliseconds);
	void (*close)(void *user);
};

struct mp_klog *mp_klog_from(const struct mp_klog_source *source, void *user);

#endif
