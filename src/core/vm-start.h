/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vm-start.h - may a VM start with its cards? Asked by the hookscript before Proxmox VE
 * binds, reserves or resets anything. Pure: looks at the model, touches nothing.
 */
#ifndef MP_VM_START_H
#define MP_VM_START_H

#include "core/settings.h"
#include "core/vm.h"

struct mp_vm_start {
	char *refusal;       /* one sentence: card, reason, remedy; NULL: it may start */
	GPtrArray *warnings; /* char *: what is odd, or could not be seen */
	/* It may pass soon: of a mapping whose cards are all held some are by VMs that are
	 * being started, and each of these takes but one. */
	bool passes;
};

/*
 * Refused where a card is missing, is not the one of its pin, does not answer, is used by
 * the host (or something of its IOMMU group is, since PVE takes the whole group), or is held
 * by another VM. What could not be read: the identity of a card that has a pin, and its
 * configuration space, count as a refusal, because QEMU would get a card that nobody knows;
 * the host's use of it, other VMs' and the group as a warning, because PVE and VFIO look at
 * these again and refuse by themselves. A last self-test that is not good refuses where the
 * configuration requires it, else it is a warning. Needs MP_TOPIC_DETAILS, guests, use and
 * self-tests of HOST, and the platform for a self-test that was found.
 */
void mp_vm_start_judge(const struct mp_host *host, const struct mp_config *config,
	const struct mp_vm *vm, struct mp_vm_start *start);
/* Who else has DEVICE now, as a clause ("VM 102 runs with it (hostpci0)"); NULL: nobody that
 * is known of. Caller frees. */
char *mp_vm_start_holder(
	const struct mp_host *host, const struct mp_vm *vm, const struct mp_pci *device);
void mp_vm_start_clear(struct mp_vm_start *start);

#endif
