/* SPDX-License-Identifier: GPL-2.0-or-later */
/* initramfs.h - what each initramfs image holds that matters for early binding. */
#ifndef MP_INITRAMFS_H
#define MP_INITRAMFS_H

#include "core/host.h"

struct mp_image {
	const char *kernel;  /* release */
	const char *path;    /* "/boot/initrd.img-6.8.12-4-pve" */
	struct mp_fact fact; /* KNOWN when the image could be read; else why not */
	bool has_vfio_pci;   /* the module is inside (or built in: see modules.h) */
	GHashTable *modules; /* set of names of all modules inside, '_' for '-' */
	GPtrArray *modprobe; /* struct mp_modprobe_line: modprobe.d inside the image */
	GPtrArray *load;     /* struct mp_module_load: its conf/modules */
	GPtrArray *files; /* const char *: relevant members (modprobe.d, conf, scripts) */
	GPtrArray *
		scripts; /* const char *: those of `files` that bind devices themselves */
	GPtrArray *early; /* struct mp_early_card: given to vfio-pci before udev starts */
	const char *early_file; /* "IMAGE: PATH" of the table inside, or NULL */
	const char *early_why;  /* why the table inside is without effect, or NULL */
};

struct mp_initramfs {
	GPtrArray *
		images; /* struct mp_image, one for each kernel, in the order of kernels */
	/* What makes images here: KNOWN where the program is installed, ABSENT where it is
	 * not; a snapshot that never looked leaves them unknown. */
	struct mp_fact update_initramfs, dracut;
	struct mp_fact early_bind; /* our program for the boot (MP_PATH_EARLY_PROGRAM) */
};

/* The image of KERNEL (release), or NULL when no kernel of that name is installed. */
const struct mp_image *mp_host_image(const struct mp_host *host, const char *kernel);
bool mp_image_has_module(const struct mp_image *image, const char *name);

#endif
