/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hookscript.h - our hookscript, and the one that a VM had before it. Proxmox VE knows one
 * for a VM (PVE::GuestHelpers), so ours calls the earlier one, named in a note: a file for
 * each VM below MP_HOOK_NOTES, of comments and one line with an absolute path. The script
 * (hooks/metis-passthrough) reads it by the same rules.
 */
#ifndef MP_HOOKSCRIPT_H
#define MP_HOOKSCRIPT_H

#include "core/vm.h"

#define MP_HOOK_FILE   "metis-passthrough"
#define MP_HOOK_VOLUME "local:snippets/" MP_HOOK_FILE
#define MP_HOOK_NOTES  "/etc/metis-passthrough/hookscripts"

/* The path of VMID's note, with a leading slash. Caller frees. */
char *mp_hook_note_path(const char *vmid);
/* The path of the earlier hookscript in a note; NULL and MP_ERROR_INPUT: what is wrong with
 * it. Caller frees. */
char *mp_hook_note_parse(const char *text, size_t size, GError **error);
/* Fills the earlier hookscript of VM from its note. *TEXT (may be NULL) gets the whole note,
 * where it names a script; the caller frees it. */
void mp_hook_note_read(
	struct mp_host *host, struct mp_root *root, struct mp_vm *vm, char **text);

/* "STORAGE:snippets/NAME" -> NAME, *STORAGE gets the first part (g_free); else NULL, which
 * Proxmox VE runs for no VM. */
const char *mp_volume_snippet(const char *volume, char **storage);
/* NULL: not in what was listed of STORAGE (see its looked). */
const struct mp_snippet *mp_storage_snippet(
	const struct mp_storage *storage, const char *name);
/* The storage with the directory that PATH lies in, *NAME gets the last part of PATH; NULL:
 * none. */
const struct mp_storage *mp_host_storage_of(
	const struct mp_host *host, const char *path, const char **name);

#endif
