/* SPDX-License-Identifier: GPL-2.0-or-later */
/* trace.h - what the kernel's log tells about the drivers that had a device. */
#ifndef MP_PROMISE_TRACE_H
#define MP_PROMISE_TRACE_H

#include "core/pci.h"

/* Lines of the log, each NULL where there is none. */
struct mp_trace {
	char *other; /* the first that a driver of the host wrote about the device */
	char *early; /* our script of the initramfs gave it to vfio-pci before any driver */
	char *given; /* vfio-pci was loaded with the device's id */
};

/* MODULES: names of drivers (const char *) that may write about it in forms of their own. */
void mp_trace_find(const char *log, const struct mp_pci *device, const GPtrArray *modules,
	struct mp_trace *trace);
void mp_trace_clear(struct mp_trace *trace);

#endif
