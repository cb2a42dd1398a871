/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the last self-test of the device found. */
#include "config.h"

#include <string.h>

#include "core/checks/common.h"
#include "core/dmatest.h"
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
		last->way ? last->way : "", last->passed, last->failed, last->skipped,
		last->isolation ? "" : ", without the isolation cases");
}

static void say_unreadable(struct mp_check_ctx *ctx, const struct mp_selftest_last *last)
{
	struct mp_finding *f = mp_check_say(
		ctx, MP_UNSURE, "What its last self-test found could not be read");

	if (last)
		mp_finding_fact(f, &last->verdict);
	else if (ctx->host->selftests)
		mp_finding_fact(f, &ctx->host->selftests->store);
	remedy(f, ctx);
}

/* What is odd about one that passed. */
static struct mp_finding *say_passed(struct mp_check_ctx *ctx,
	const struct mp_selftest_last *last, enum mp_selftest_state state)
{
	const struct mp_platform *platform = mp_platform_or_none(ctx->host);
	struct mp_finding *f;

	switch (state) {
	case MP_SELFTEST_KERNEL_UNKNOWN:
		f = mp_check_say(ctx, MP_UNSURE,
			"The last self-test passed, but not known is on which kernel%s",
			last->kernel ? " this host runs" : "");
		mp_finding_fact(f, &platform->kernel_release);
		remedy(f, ctx);
		return f;
	case MP_SELFTEST_OTHER_KERNEL:
		f = mp_check_say(ctx, MP_INFO, "The self-test last passed on kernel %s",
			last->kernel);
		mp_finding_fact(f, &platform->kernel_release);
		return f;
	case MP_SELFTEST_OTHER_BIOS:
		f = mp_check_say(ctx, MP_WARN,
			"The self-test last passed with BIOS %s; firmware decides about "
			"interrupt remapping and reserved memory",
			last->bios);
		mp_finding_fact(f, &platform->bios_version);
		remedy(f, ctx);
		return f;
	case MP_SELFTEST_BIOS_UNKNOWN:
		f = mp_check_say(ctx, MP_UNSURE,
			"The self-test last passed on this kernel, but whether with this "
			"BIOS is not known");
		mp_finding_fact(f, &platform->bios_version);
		remedy(f, ctx);
		return f;
	case MP_SELFTEST_NO_ISOLATION:
		if (mp_selftest_by_module(last))
			return mp_check_say(ctx, MP_INFO,
				"The self-test last passed on this kernel, by the kernel module " DMATEST_MODULE
				", which has no isolation cases");
		return mp_check_say(ctx, MP_INFO,
			"The self-test last passed on this kernel, but without the "
			"isolation cases");
	default:
		return mp_check_say(ctx, MP_PASS,
			"The self-test last passed on this kernel and BIOS");
	}
}

static void selftest_last(struct mp_check_ctx *ctx)
{
	const struct mp_selftest_last *last =
		mp_selftest_last(ctx->host, ctx->device->bdf);
	g_autofree char *why = NULL;
	enum mp_selftest_state state = mp_selftest_judge(ctx->host, ctx->device, &why);
	struct mp_finding *f;

	switch (state) {
	case MP_SELFTEST_NONE:
		mp_check_say(ctx, MP_SKIP, "No self-test of it was run yet");
		return;
	case MP_SELFTEST_UNREADABLE:
		say_unreadable(ctx, last);
		return;
	case MP_SELFTEST_OTHER_CARD:
		f = mp_check_say(ctx, MP_UNSURE,
			"The last self-test at this address may have been of another card: "
			"%s",
			why ? why : "it cannot be told");
		remedy(f, ctx);
		break;
	case MP_SELFTEST_FAILED:
		f = mp_check_say(ctx, MP_FAIL, "The last self-test failed: %s",
			last->failure ? last->failure : "see its report");
		remedy(f, ctx);
		break;
	default:
		f = say_passed(ctx, last, state);
		break;
	}
	add_evidence(f, last);
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
