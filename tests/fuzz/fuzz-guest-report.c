/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What comes out of a VM through its agent: the answers of qm guest, the report. */
#include "config.h"

#include "fuzz.h"
#include "guest/agent.h"
#include "guest/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	g_autoptr(GPtrArray) reports = mp_guest_reports_parse("101", text, size, NULL);
	struct mp_agent_call call = { 0 };
	bool ended;
	uint64_t pid;

	g_assert(!reports || reports->len);
	for (guint i = 0; reports && i < reports->len; i++) {
		const struct mp_guest_report *report = reports->pdata[i];

		g_assert(report->device && report->device->bdf && report->engine);
		g_assert(report->results->len && report->options.rounds);
	}
	if (mp_agent_parse_pid(text, size, &pid, NULL))
		g_assert(pid > 0 && pid <= G_MAXINT32);
	if (mp_agent_parse_status(text, size, &call, &ended, NULL) && ended)
		g_assert(call.exit_code >= 0 && call.exit_code <= 255 && call.out);
	mp_agent_clear(&call);
	return 0;
}

MP_FUZZ_MAIN
