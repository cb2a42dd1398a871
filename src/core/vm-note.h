/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vm-note.h - what the hookscript leaves behind when a VM starts, for when it has stopped:
 * where the kernel's log was, which cards the VM got, which services were stopped for it; and
 * for other VMs that start meanwhile: by whom it is started. In /run, so it ends with the
 * boot. Nothing may depend on it: a note may be missing.
 */
#ifndef MP_VM_NOTE_H
#define MP_VM_NOTE_H

#include "core/error.h"
#include "core/target.h"
#include "core/vm-task.h"

struct mp_vm_note {
	uint64_t log;     /* time of the log's last line then: microseconds since boot */
	GPtrArray *cards; /* char *: full addresses */
	GPtrArray *services;    /* char *: names of units */
	struct mp_vm_task task; /* that started it; pid 0: not known */
};

struct mp_vm_note *mp_vm_note_new(void);
void mp_vm_note_free(struct mp_vm_note *note);
typedef struct mp_vm_note mp_vm_note;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(mp_vm_note, mp_vm_note_free)

/* The one of VMID. NULL without an error: there is none. */
struct mp_vm_note *mp_vm_note_load(
	struct mp_root *root, const char *vmid, GError **error);
bool mp_vm_note_save(struct mp_target *target, const char *vmid,
	const struct mp_vm_note *note, GError **error);
/* Not there: fine. */
bool mp_vm_note_forget(struct mp_target *target, const char *vmid, GError **error);
/* Sets NOTE->log to where the log is now. */
bool mp_vm_note_mark(struct mp_vm_note *note, struct mp_root *root, GError **error);
/*
 * Lines about what the IOMMU blocked of NOTE's cards since then, for the task log: of each
 * card how many, the first two sorts, what to run next. Caller unrefs; empty: nothing was
 * blocked. char *.
 */
GPtrArray *mp_vm_note_faults(const struct mp_vm_note *note, const char *vmid,
	struct mp_root *root, GError **error);

#endif
