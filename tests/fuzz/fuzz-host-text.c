/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Texts of the kernel and of dpkg: /proc/interrupts, debugfs, the log, the status file; and
 * the report that status --record has left. */
#include "config.h"

#include <glib.h>
#include <string.h>

#include "core/host.h"
#include "core/iommu.h"
#include "core/platform.h"
#include "core/promise/trace.h"
#include "core/setup.h"
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
	const struct mp_pci card = { .bdf = "0000:86:00.0", .vendor = 0x1f9d };
	g_autoptr(GPtrArray) modules = g_ptr_array_new();
	struct mp_setup setup = { .record_kept = 0 };
	struct mp_trace trace;
	struct mp_iommu_log log;

	mp_irq_chips_parse(host, text, &chips);
	/* Adding up the columns must not change what the chips say. */
	mp_irq_chips_parse(host, compact, &again);
	g_assert(chips.remapped == again.remapped && chips.direct == again.direct);
	mp_regset_parse(host, text);
	mp_iommu_log_parse(host, text, &log);
	g_assert(table && packages);
	g_ptr_array_add(modules, (gpointer) "nvme");
	mp_trace_find(text, &card, modules, &trace);
	/* Whoever is told about must be in the text. */
	g_assert(!trace.other || strstr(text, card.bdf));
	mp_trace_clear(&trace);
	mp_setup_parse_record(host, &setup, (const char *)data, size);
	g_assert(setup.record.know != MP_ABSENT);
	g_assert(setup.record_kept <= setup.record_promises);
	return 0;
}

MP_FUZZ_MAIN
