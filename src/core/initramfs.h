/* SPDX-License-Identifier: GPL-2.0-or-later */
/* initramfs.h - what each initramfs image holds that matters for early binding. */
#ifndef MP_INITRAMFS_H
#define MP_INITRAMFS_H

#include "core/host.h"

struct mp_image {
	const char *kernel; /* release */
	const char *path;
	struct mp_fact fact;   /* KNOWN when the image could be read; else why not */
	bool has_vfio_pci;     /* the module is inside (or built in: see modules.h) */
	GPtrArray *modprobe;   /* struct mp_modprobe_line: modprobe.d inside the image */
	GPtrArray *files;      /* const char *: relevant members (modprobe.d, conf, scripts, modules) */
};

struct mp_initramfs {
	GPtrArray *images; /* struct mp_image, one for each kernel that has one */
};

#endif
