/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kernel-digest.h - what matters of an installed kernel's module lists, as a short text.
 *
 * modules.dep, modules.alias and the configuration take megabytes for each kernel. The
 * digest holds the names, the aliases that fit a PCI function of this host and the options
 * asked for; a snapshot keeps it instead of the files.
 */
#ifndef MP_KERNEL_DIGEST_H
#define MP_KERNEL_DIGEST_H

#include "core/modules.h"
#include "core/root.h"

/* Text for kernel RELEASE of ROOT. MODALIASES: NULL-ended, of the PCI functions here. The
 * caller frees it. Never fails: what can't be read is told in the text. */
char *mp_kernel_digest(
	struct mp_root *root, const char *release, const char *const *modaliases);
/* Fills KERNEL from such a text. */
void mp_kernel_digest_parse(
	struct mp_host *host, const char *text, struct mp_kernel *kernel);

#endif
