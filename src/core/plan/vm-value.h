/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vm-value.h - values of VM options with one part changed and the rest kept. */
#ifndef MP_PLAN_VM_VALUE_H
#define MP_PLAN_VM_VALUE_H

#include "core/vm.h"

/*
 * The value of `machine` that is NOW (or NULL) as a q35 machine: the version and the other
 * properties are kept. VIOMMU: "intel", "virtio", "off" (taken out), or NULL: as it is.
 * NULL where there is no q35 counterpart. Caller frees.
 */
char *mp_vm_machine_for(const char *now, const char *viommu);

/*
 * The value of the hostpci line LINE (or NULL: a new one) for the card with FUNCTIONS at
 * PATH, by MAPPING where given. A line that means the card already and has pcie=1 as EXPRESS
 * wants it is left as it is, and so are other properties of a line that is changed. A line
 * by some mapping stays by it where none is asked for. Caller frees.
 */
char *mp_vm_hostpci_for(const struct mp_hostpci *line, const GPtrArray *functions,
	const char *path, const char *mapping, bool express);

#endif
