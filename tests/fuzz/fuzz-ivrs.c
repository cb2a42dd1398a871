/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "core/host.h"
#include "core/ivrs.h"
#include "core/pci.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autoptr(mp_host) host = mp_host_new("fuzz", false);
	struct mp_pci device = { .bus = 0x41, .slot = 2, .function = 1 };
	const char *problem = NULL;
	struct mp_ivrs *ivrs = mp_ivrs_parse(host, data, size, &problem);

	if (!ivrs)
		return 0;
	mp_ivrs_ivhd_of(ivrs, &device);
	mp_ivrs_has_southbridge_ioapic(ivrs);
	for (unsigned id = 0; id < 256; id++)
		mp_ivrs_has_ioapic(ivrs, (uint8_t)id);
	for (guint i = 0; i < ivrs->ivmd->len; i++)
		mp_ivmd_names(&g_array_index(ivrs->ivmd, struct mp_ivmd, i), &device);
	return 0;
}

MP_FUZZ_MAIN
