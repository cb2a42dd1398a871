/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vm-started.h - the memory map that a VM got when it last started, noted by the hookscript's
 * post-start. The configuration of a VM that has stopped may have been changed since, and the
 * addresses of its faults mean something only by the map it had. In /run, so it ends with the
 * boot; unlike the rest of the note (vm-note.h) it outlives the VM. It may be missing.
 */
#ifndef MP_VM_STARTED_H
#define MP_VM_STARTED_H

#include "core/host.h"
#include "core/target.h"
#include "core/vm.h"

bool mp_vm_started_save(struct mp_target *target, const char *vmid,
	const struct mp_vm_map *map, GError **error);
/* Sets `started` and `started_map` of each VM of HOST that was probed. */
void mp_probe_started(struct mp_host *host, struct mp_root *root);
/*
 * The map by which an address of VM's past is judged: the noted one, where the VM does not run
 * any more. Where it runs, its configuration is what it runs with (PVE keeps other changes
 * pending); with memory hotplug it may have got more since it started.
 */
struct mp_vm_map mp_vm_map_had(const struct mp_host *host, const struct mp_vm *vm);
/* "VM 101 last started with RAM at ..., its configuration has RAM at ... now: ..."; NULL:
 * they agree, or nothing is noted. Caller frees. */
char *mp_vm_map_change(const struct mp_host *host, const struct mp_vm *vm);

#endif
