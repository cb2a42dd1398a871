/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files of Proxmox VE around a VM: the same bytes as mapping, storages, reservations. */
#include "config.h"

#include "core/vm.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autoptr(mp_host) host = mp_host_new("fuzz", false);
	struct mp_guests *guests = mp_host_alloc(host, sizeof(*guests));
	static const char conf[] = "hostpci0: mapping=metis\n";
	struct mp_vm *vm = mp_vm_parse(host, "101", "fuzz", conf, sizeof(conf) - 1);

	guests->vms = mp_host_array(host);
	guests->mappings = mp_host_array(host);
	guests->storages = mp_host_array(host);
	guests->reservations = mp_host_array(host);
	guests->node = mp_fact_known(host, "fuzz", "pve1");
	host->guests = guests;
	mp_mappings_parse(host, guests, (const char *)data, size);
	mp_storages_parse(host, guests, (const char *)data, size);
	mp_reservations_parse(host, guests, (const char *)data, size);
	mp_vm_resolve(host, vm);
	return 0;
}

MP_FUZZ_MAIN
