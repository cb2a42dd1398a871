/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A domain of libvirt that a card is added to; what comes out is read again. */
#include "config.h"

#include <string.h>

#include "core/pci.h"
#include "core/settings.h"
#include "fuzz.h"
#include "vm/generate.h"

/* Returns what was made of DATA, or NULL. */
static char *patch(const struct mp_wish *wish, const char *data, size_t size)
{
	g_autoptr(GPtrArray) none = g_ptr_array_new();
	const struct mp_plan plan = { .notes = none };
	const struct mp_vm_request request = {
		.wish = wish,
		.plan = &plan,
		.to = MP_VM_LIBVIRT,
		.patch = data,
		.patch_name = "fuzz",
		.patch_size = size,
	};
	g_autoptr(mp_vm_output) output = mp_vm_generate(&request, NULL);

	return output ? g_steal_pointer(&output->xml) : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autoptr(mp_host) host = mp_host_new("fuzz", false);
	g_autoptr(mp_profile) profile = mp_profile_load("metis", NULL);
	g_autoptr(GPtrArray) devices = g_ptr_array_new();
	g_autoptr(GPtrArray) profiles = g_ptr_array_new();
	struct mp_pci card = { .bdf = "0000:86:00.0", .bus = 0x86 };
	struct mp_config config = { .viommu = (char *)"intel" };
	g_autofree char *once = NULL;
	g_autofree char *twice = NULL;

	if (!profile)
		return 0;
	g_ptr_array_add(devices, &card);
	g_ptr_array_add(profiles, profile);
	const struct mp_wish wish = {
		.host = host,
		.config = &config,
		.devices = devices,
		.profiles = profiles,
		.asked = 1,
	};

	once = patch(&wish, (const char *)data, size);
	if (!once)
		return 0;
	twice = patch(&wish, once, strlen(once));
	/* Nothing was left to change. */
	if (g_strcmp0(once, twice) != 0)
		g_error("another domain the second time:\n%s\n%s", once, twice);
	return 0;
}

MP_FUZZ_MAIN
