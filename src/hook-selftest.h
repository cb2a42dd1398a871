/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hook-selftest.h - `selftest --vm` in the background, after a VM has started. */
#ifndef MP_HOOK_SELFTEST_H
#define MP_HOOK_SELFTEST_H

#include <glib.h>
#include <stdbool.h>

/*
 * Returns at once. What is begun holds nothing of the caller's: no descriptor (Proxmox VE reads
 * the hook's output until all of its ends are closed), no session, no parent. It says what it
 * does to the journal, and ends by itself, within an hour whatever happens.
 */
bool mp_hook_start_selftest(const char *vmid, GError **error);

#endif
