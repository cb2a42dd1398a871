/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest/report.h - the reports of a self-test in a VM, as they came out of the VM: read back from
 * JSON (templates/schema/selftest.schema.json), with nothing in it trusted.
 */
#ifndef MP_GUEST_REPORT_H
#define MP_GUEST_REPORT_H

#include "core/pci.h"
#include "vfio/selftest.h"

struct mp_guest_report {
	struct mp_host *host; /* the VM, as far as the report tells; owns the strings */
	struct mp_pci *device;
	const char *engine, *way;
	struct mp_selftest_options options;
	GPtrArray *results; /* struct mp_case_result */
	int64_t started;
	unsigned seconds;
	bool interrupted;
};

/* One for each device, one after another: struct mp_guest_report *, at least one. NULL: one of
 * them is no such report, or contradicts itself. The caller frees. */
GPtrArray *mp_guest_reports_parse(
	const char *vmid, const char *text, size_t size, GError **error);
void mp_guest_report_free(struct mp_guest_report *report);
typedef struct mp_guest_report mp_guest_report;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(mp_guest_report, mp_guest_report_free)

#endif
