/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A VM configuration, and every check of a VM that looks at it. */
#include "config.h"

#include "core/check.h"
#include "core/profile.h"
#include "core/settings.h"
#include "core/vm.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autoptr(mp_host) host = mp_host_new("fuzz", false);
	g_autoptr(mp_profile) profile = mp_profile_load("metis", NULL);
	g_autoptr(GPtrArray) wanted = g_ptr_array_new();
	g_autoptr(GPtrArray) waivers = g_ptr_array_new();
	g_autoptr(GPtrArray) findings =
		g_ptr_array_new_with_free_func((GDestroyNotify)mp_finding_free);
	struct mp_config config = { .waivers = waivers };
	struct mp_vm *vm = mp_vm_parse(host, "101", "fuzz", (const char *)data, size);

	if (!profile)
		return 0;
	mp_vm_resolve(host, vm);
	mp_checks_run(
		&(struct mp_check_ctx){
			.host = host,
			.profile = profile,
			.config = &config,
			.wanted = wanted,
			.vm = vm,
			.findings = findings,
		},
		"vm-*");
	return 0;
}

MP_FUZZ_MAIN
