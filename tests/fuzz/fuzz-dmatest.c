/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the guest's kernel module says: its limits and its results. */
#include "config.h"

#include "fuzz.h"
#include "guest/dmatest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	g_autoptr(GPtrArray) results =
		g_ptr_array_new_with_free_func((GDestroyNotify)mp_case_result_free);
	struct mp_dmatest_limits limits;
	bool truncated;

	if (mp_dmatest_parse_results(text, size, results, &truncated, NULL))
		for (guint i = 0; i < results->len; i++) {
			const struct mp_case_result *result = results->pdata[i];

			g_assert(result->summary && *result->summary);
			g_assert(result->verdict <= MP_CASE_SKIP && result->round);
			g_assert((result->verdict == MP_CASE_FAIL) ==
				 (result->remedy != NULL));
		}
	else
		g_assert(!results->len);
	if (mp_dmatest_parse_limits(text, size, &limits, NULL))
		g_assert(limits.address_bits <= 64 && *limits.interrupt);
	return 0;
}

MP_FUZZ_MAIN
