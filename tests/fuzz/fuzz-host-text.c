/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Texts of the kernel and of dpkg: /proc/interrupts, debugfs, the log, the status file.
 */
#include "config.h"

#include <glib.h>

#include "core/host.h"
#include "core/iommu.h"
#include "core/platform.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autoptr(mp_host) host = mp_host_new("fuzz", false);
	g_autofree char *text = g_strndup((const char *)data, size);
	g_autofree char *compact = mp_interrupts_compact(text);
	g_autofree char *table = mp_ir_table_parse(text);
	g_autofree char *packages = mp_packages_from_status((const char *)data, size);
	struct mp_irq_chips chips = { .remapped = 0 };
	struct mp_irq_chips again = { .remapped = 0 };
	struct mp_iommu_log log;

	mp_irq_chips_parse(host, text, &chips);
	/* Adding up the columns must not change what the chips say. */
	mp_irq_chips_parse(host, compact, &again);
	g_assert(chips.remapped == again.remapped && chips.direct == again.direct);
	mp_regset_parse(host, text);
	mp_iommu_log_parse(host, text, &log);
	g_assert(table && packages);
	return 0;
}

MP_FUZZ_MAIN
