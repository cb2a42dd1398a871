/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's log, searched for faults. */
#include "config.h"

#include "core/fault.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	g_autoptr(GArray) faults = mp_faults_parse(text, size);

	for (guint i = 0; i < faults->len; i++) {
		const struct mp_fault *fault = &g_array_index(faults, struct mp_fault, i);

		g_assert(fault->line >= text);
		g_assert(fault->line + fault->line_length <= text + size);
		g_assert(!fault->has_source || (fault->slot < 32 && fault->function < 8));
		if (fault->has_reason)
			mp_fault_reason_text(fault->reason);
	}
	return 0;
}

MP_FUZZ_MAIN
