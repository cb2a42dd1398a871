/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vm-keys.h - which keys a VM configuration may have and what PVE checks of their values.
 * Only vm-*.c include this.
 */
#ifndef MP_VM_KEYS_H
#define MP_VM_KEYS_H

#include "core/vm-prop.h"

/*
 * Why PVE would drop "KEY: VALUE", or NULL when it takes it. VERSION is qemu-server's, NULL
 * where not known. Caller frees.
 *
 * Values that have nothing to do with passing a device through (disks, network cards,
 * cloud-init...) are not judged: a NULL for them means "not looked at".
 */
char *mp_vm_key_problem(const char *key, const char *value, const char *version);

extern const struct mp_prop_key mp_vm_machine_props[];
extern const struct mp_prop_key mp_vm_memory_props[];
extern const struct mp_prop_key mp_vm_agent_props[];
extern const struct mp_prop_key mp_vm_cpu_props[];
extern const struct mp_prop_key mp_vm_hostpci_props[];

/* One address of `host=`: "[DDDD:]BB:DD[.F]" in lower case. Returns its end, or NULL. */
const char *mp_vm_address_end(const char *text, bool domain_required);
/* "[a-z][a-z0-9_-]+", any case: pve-configid. */
bool mp_vm_is_config_id(const char *text);
/* "STORAGE:REST": pve-volume-id. */
bool mp_vm_is_volume_id(const char *text);
/* PVE::Tools::split_list on `hotplug`. False: a feature that PVE does not know. */
bool mp_vm_hotplug(const char *text, bool *memory);

#endif
