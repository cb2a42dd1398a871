/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * initramfs-digest.h - what matters of an initramfs image, as a short text: the modules in
 * it, its modprobe.d and its list of modules to load. A snapshot keeps the text instead of
 * a hundred megabytes.
 */
#ifndef MP_INITRAMFS_DIGEST_H
#define MP_INITRAMFS_DIGEST_H

#include "core/initramfs.h"
#include "core/root.h"

struct mp_image_job {
	int fd;     /* the image, from its beginning; closed by the call */
	char *text; /* result; the caller frees it. Never NULL afterwards. */
};

/* Reads all images, several at a time. SECONDS is the limit for all together. */
void mp_initramfs_digest(struct mp_image_job *jobs, size_t count, unsigned seconds);
/* Fills IMAGE (fact, has_vfio_pci, modules, modprobe, load, files) from such a text. */
void mp_initramfs_digest_parse(
	struct mp_host *host, const char *text, struct mp_image *image);

#endif
