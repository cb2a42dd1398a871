/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hook-phases.h - what is done in each phase of a VM's life. On a host that is not live (a
 * copy, a snapshot) it is looked and told, and nothing is changed.
 */
#ifndef MP_HOOK_PHASES_H
#define MP_HOOK_PHASES_H

#include "core/error.h"
#include "core/root.h"

/* Each returns an exit code; an error says why it is not 0, where nothing was told yet. */
int mp_hook_pre_start(struct mp_root *root, const char *vmid, GError **error);
int mp_hook_post_start(struct mp_root *root, const char *vmid, GError **error);
int mp_hook_pre_stop(struct mp_root *root, const char *vmid, GError **error);
int mp_hook_post_stop(struct mp_root *root, const char *vmid, GError **error);

#endif
