/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the last self-test of the device found. */
#include "config.h"

#include <string.h>

#include "core/checks/common.h"
#include "core/pci.h"
#include "core/pin.h"
#include "core/selftest-last.h"

static void remedy(struct mp_finding *f, const struct mp_check_ctx *ctx)
{
	mp_finding_remedy(f, "metis-passthrough selftest --device %s", ctx->device->bdf);
}

static void add_evidence(struct mp_finding *f, const struct mp_selftest_last *last)
{
	g_autoptr(GDateTime) when = g_date_time_new_from_unix_utc(last->started);
	g_autofree char *date =
		when ? g_date_time_format(when, "%Y-%m-%d %H:%M UTC") : NULL;

	mp_finding_evidence(f, last->verdict.source,
		"%s on %s, kernel %s, BIOS %s, engine %s%s%s: %u passed, %u failed, %u "
		"skipped%s",
		last->verdict.text, date ? date : "an unknown day",
		last->kernel ? last->kernel : "unknown",
		last->bios ? last->bios : "unknown",
		last->engine ? last->engine : "unknown", last->way ? " by " : "",
		last->way ? last->way : "", last->passed, last->failed,
		last->skipped, last->isolation ? "" : ", without the isolation cases");
}

/* False: no report of this very card can be judged, and that was said. */
static bool is_of_this_card(struct mp_check_ctx *ctx, const struct mp_selftest_last *last)
{
	g_autofree char *why = NULL;
	struct mp_finding *f;

	if (mp_pin_check(ctx->host, last->pin, &why) == MP_PIN_SAME)
		return true;
	f = mp_check_say(ctx, MP_UNSURE,
		"The last self-test at this address may have been of another card: %s",
		why ? why : "it cannot be told");
	add_evidence(f, last);
	remedy(f, ctx);
	return false;
}

static void judge_passed(struct mp_check_ctx *ctx, const struct mp_selftest_last *last)
{
	const struct mp_platform *platform = mp_platform_or_none(ctx->host);
	struct mp_finding *f;

	if (!last->kernel || platform->kernel_release.know != MP_KNOWN) {
		f = mp_check_say(ctx, MP_UNSURE,
			"The last self-test passed, but not known is on which kernel%s",
			last->kernel ? " this host runs" : "");
		mp_finding_fact(f, &platform->kernel_release);
		remedy(f, ctx);
	} else if (strcmp(last->kernel, platform->kernel_release.text) != 0) {
		f = mp_check_say(ctx, MP_INFO, "The self-test last passed on kernel %s",
			last->kernel);
		mp_finding_fact(f, &platform->kernel_release);
	} else if (last->bios && platform->bios_version.know == MP_KNOWN &&
		   strcmp(last->bios, platform->bios_version.text) != 0) {
		f = mp_check_say(ctx, MP_WARN,
			"The self-test last passed with BIOS %s; firmware decides about "
			"interrupt remapping and reserved memory",
			last->bios);
		mp_finding_fact(f, &platform->bios_version);
		remedy(f, ctx);
	} else if ((last->bios != NULL) != (platform->bios_version.know == MP_KNOWN) ||
		   platform->bios_version.know == MP_UNKNOWN) {
		f = mp_check_say(ctx, MP_UNSURE,
			"The self-test last passed on this kernel, but whether with this "
			"BIOS is not known");
		mp_finding_fact(f, &platform->bios_version);
		remedy(f, ctx);
	} else if (!last->isolation) {
		f = mp_check_say(ctx, MP_INFO,
			"The self-test last passed on this kernel, but without the "
			"isolation cases");
	} else {
		f = mp_check_say(ctx, MP_PASS,
			"The self-test last passed on this kernel and BIOS");
	}
	add_evidence(f, last);
}

static void selftest_last(struct mp_check_ctx *ctx)
{
	const struct mp_selftests *selftests = ctx->host->selftests;
	const struct mp_selftest_last *last =
		mp_selftest_last(ctx->host, ctx->device->bdf);
	struct mp_finding *f;

	if (!last && selftests && selftests->store.know != MP_UNKNOWN) {
		mp_check_say(ctx, MP_SKIP, "No self-test of it was run yet");
		return;
	}
	if (!last || last->verdict.know != MP_KNOWN) {
		f = mp_check_say(ctx, MP_UNSURE,
			"What its last self-test found could not be read");
		if (last)
			mp_finding_fact(f, &last->verdict);
		else if (selftests)
			mp_finding_fact(f, &selftests->store);
		remedy(f, ctx);
		return;
	}
	if (!is_of_this_card(ctx, last))
		return;
	if (mp_fact_is(&last->verdict, "passed")) {
		judge_passed(ctx, last);
		return;
	}
	f = mp_check_say(ctx, MP_FAIL, "The last self-test failed: %s",
		last->failure ? last->failure : "see its report");
	add_evidence(f, last);
	remedy(f, ctx);
}

const struct mp_check mp_checks_selftest[] = {
	{ "selftest-last", MP_SCOPE_DEVICE,
		"the last self-test of the device passed on this kernel and BIOS",
		"`selftest` makes the device itself read and write memory of this host and raise "
		"interrupts, and provokes what the IOMMU must refuse. What it finds holds for the "
		"kernel and the firmware that it ran on: an update of one of them can change "
		"interrupt remapping, reserved memory or the way in which the device is reset.\n\n"
		"Each complete run leaves its report in /var/lib/metis-passthrough/selftest, a file a "
		"PCI address. This check reads it. A failed run fails here too, whichever kernel it "
		"was on, until another run passes. A run on another kernel is told, one with another "
		"BIOS is a warning. A report about another card (id, subsystem, serial number or "
		"slot differ) says nothing. Where none was ever run there is nothing to judge.\n\n"
		"What to do: `metis-passthrough selftest --device BDF` while the device is with "
		"vfio-pci and in no running VM.",
		selftest_last },
	{ NULL },
};
