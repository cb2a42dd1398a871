/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel has to log where the IOMMU refused something. */
#include "config.h"

#include "core/pci.h"
#include "vfio/case.h"

#define SPACING_MS 1000

const char mp_test_not_isolated[] =
	"The IOMMU does not hold this device back: a VM that has it could reach memory of "
	"the host and of other VMs. Do not pass it through; see 'metis-passthrough "
	"preflight'.";

bool mp_test_is_own(const struct mp_selftest *test, const struct mp_fault *fault)
{
	const struct mp_pci *device = test->device;

	return mp_fault_is_of(
		fault, device->domain, device->bus, device->slot, device->function);
}

bool mp_test_space_faults(struct mp_selftest *test, struct mp_case_result *result)
{
	gint64 since = (g_get_monotonic_time() - test->faulted) / 1000;

	return !test->faulted || since >= SPACING_MS ||
	       mp_test_log(test, result, (unsigned)(SPACING_MS - since), NULL, NULL);
}

static bool line_is_wanted(void *user, const char *line, size_t length)
{
	const struct mp_wanted_fault *want = user;
	struct mp_fault fault;

	return mp_fault_parse(line, length, &fault) && want->fits(want, &fault);
}

bool mp_test_await_fault(struct mp_selftest *test, struct mp_case_result *result,
	const struct mp_wanted_fault *want, unsigned milliseconds)
{
	return mp_test_log(
		test, result, milliseconds, line_is_wanted, (void *)(gpointer)want);
}

struct mp_heard mp_test_hear(const struct mp_wanted_fault *want)
{
	const struct mp_selftest *test = want->test;
	g_autoptr(GArray) faults = mp_faults_parse(test->log->str, test->log->len);
	struct mp_heard heard = { 0 };

	for (guint i = 0; i < faults->len; i++) {
		const struct mp_fault *fault = &g_array_index(faults, struct mp_fault, i);

		if (fault->kind == MP_FAULT_SUPPRESSED)
			heard.suppressed += MAX(fault->suppressed, 1);
		else if (!want->fits(want, fault))
			heard.others += mp_test_is_own(test, fault);
		else if (!heard.wanted++)
			heard.first = *fault;
	}
	return heard;
}

bool mp_test_judge_heard(struct mp_selftest *test, struct mp_case_result *result,
	const struct mp_heard *heard, const char *what, const char *meanwhile)
{
	test->faults = heard->wanted;
	if (heard->others)
		mp_case_fail(result, NULL,
			"%s: the kernel logged %u other fault%s of the device than expected",
			what, heard->others, MP_PLURAL(heard->others));
	else if (!heard->wanted && (test->log_lost || heard->suppressed))
		mp_case_fail(result,
			"Something floods the kernel's log; 'journalctl -k' shows what.",
			"whether %s was refused is not known: %s, but %s", what,
			meanwhile,
			test->log_lost
				? "lines of the kernel's log were overwritten"
				: "the kernel left out lines (callbacks suppressed)");
	else if (!heard->wanted)
		mp_case_fail(result,
			"Without the fault in the log nobody can tell a refusal from what "
			"was never sent. Is the IOMMU on for this device (iommu=pt is fine "
			"for it)?",
			"%s was not refused, or not logged: %s, and the kernel logged nothing "
			"of it within %u ms",
			what, meanwhile, MP_FAULT_LOG_MS);
	return heard->wanted && !heard->others;
}
