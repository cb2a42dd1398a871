/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vm-task.h - which process of Proxmox VE works on a VM. It holds /var/lock/qemu-server/
 * lock-VMID.conf (flock) from before pre-start until after post-start; so between the end of
 * a VM's pre-start and its QEMU, where nothing else tells whose a card is, this does. A
 * process is its number and when it began: a number alone is used again.
 */
#ifndef MP_VM_TASK_H
#define MP_VM_TASK_H

#include "core/host.h"

struct mp_vm_task {
	uint64_t pid;   /* 0: nobody that could be seen */
	uint64_t begun; /* clock ticks since boot, field 22 of /proc/PID/stat */
};

/* Who has the lock of VMID now. */
struct mp_vm_task mp_vm_task_of(struct mp_root *root, const char *vmid);
/* TASK goes on: the process lives, and has the lock of VMID still, as far as that could be
 * read. */
bool mp_vm_task_goes_on(
	struct mp_root *root, const char *vmid, const struct mp_vm_task *task);
/*
 * Adds to the uses of HOST (MP_USE_VM) the cards that hooks made ready for other VMs than
 * VMID whose start goes on and whose QEMU does not run yet. Needs guests and use.
 */
void mp_vm_tasks_probe(struct mp_host *host, struct mp_root *root, const char *vmid);

#endif
