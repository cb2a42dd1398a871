/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `status --record` found after the boot. */
#include "config.h"

#include <string.h>

#include "core/check.h"
#include "core/setup.h"

#define HOW_TO_LOOK "metis-passthrough status --record"

/* Where the record says nothing about now: why, or NULL. */
static const char *why_not_current(const struct mp_setup *setup)
{
	if (setup->record.know == MP_ABSENT)
		return "was not checked after this boot";
	if (setup->record.know == MP_UNKNOWN)
		return "could not be read";
	if (setup->boot_id.know != MP_KNOWN || !setup->record_boot_id)
		return "was checked, but not known in which boot";
	if (!mp_setup_record_is_current(setup))
		return "was checked in an earlier boot only";
	if (setup->transactions.know == MP_KNOWN &&
		strcmp(setup->transactions.text, setup->record_transactions) != 0)
		return "was checked before the last change only";
	return NULL;
}

static void judge_record(struct mp_check_ctx *ctx, const struct mp_setup *setup)
{
	const char *drift = setup->record_drift ? setup->record_drift : "no finding";
	const char *remedy =
		setup->record_remedy ? setup->record_remedy : "metis-passthrough status";
	struct mp_finding *f;

	if (mp_fact_is(&setup->record, "kept")) {
		f = mp_check_say(ctx, MP_PASS,
			"All that setup promised was so when it was checked after this boot");
		mp_finding_evidence(f, setup->record.source, "%u of %u promises kept",
			setup->record_kept, setup->record_promises);
		return;
	}
	if (mp_fact_is(&setup->record, "drift")) {
		f = mp_check_say(ctx, MP_FAIL,
			"What setup promised is not so any more: %s", drift);
		mp_finding_remedy(f, "%s", remedy);
	} else if (mp_fact_is(&setup->record, "reboot-pending")) {
		f = mp_check_say(ctx, MP_WARN,
			"What was set up counts from the next boot on, which has not been yet");
		mp_finding_remedy(f, "reboot");
	} else {
		f = mp_check_say(ctx, MP_UNSURE,
			"Not all that setup promised could be checked: %s", drift);
		mp_finding_remedy(f, "%s", remedy);
	}
	mp_finding_fact(f, &setup->record);
	mp_finding_evidence(f, setup->record.source, "%u of %u promises kept",
		setup->record_kept, setup->record_promises);
}

static void setup_status(struct mp_check_ctx *ctx)
{
	const struct mp_setup *setup = ctx->host->setup;
	const char *why;
	struct mp_finding *f;

	if (setup && setup->transactions.know == MP_ABSENT) {
		mp_check_say(ctx, MP_SKIP, "Nothing is set up by this program");
		return;
	}
	if (!setup || (setup->transactions.know == MP_UNKNOWN &&
			      setup->record.know != MP_KNOWN)) {
		f = mp_check_say(ctx, MP_UNSURE,
			"Whether this program has set something up could not be read");
		if (setup)
			mp_finding_fact(f, &setup->transactions);
		mp_finding_remedy(f, "run as root: metis-passthrough status");
		return;
	}
	if (mp_fact_is(&setup->record, "nothing") &&
		setup->transactions.know != MP_KNOWN) {
		f = mp_check_say(ctx, MP_SKIP, "Nothing is set up by this program");
		mp_finding_fact(f, &setup->record);
		return;
	}
	why = why_not_current(setup);
	if (!why) {
		judge_record(ctx, setup);
		return;
	}
	f = mp_check_say(ctx, MP_UNSURE, "Whether the setup is in effect %s", why);
	mp_finding_fact(f, &setup->transactions);
	mp_finding_fact(f, &setup->record);
	mp_finding_remedy(f, HOW_TO_LOOK);
}

const struct mp_check mp_checks_setup[] = {
	{ "setup-status", MP_SCOPE_HOST, "what setup promised was kept at this boot",
		"`setup` writes down what will be so when it is done: files, kernel parameters, the "
		"card on vfio-pci since the boot, the binding in every initramfs image, the members "
		"of the IOMMU group, the identity of the card. A kernel update, a firmware update or "
		"a colleague can take that away without anybody noticing.\n\n"
		"The unit metis-passthrough-status runs `status --record` after each boot and leaves "
		"the report in /run/metis-passthrough/status.json. This check reads that report. It "
		"counts only if it is of this boot (the kernel's boot_id is in it) and about the "
		"changes that are in force now (/var/lib/metis-passthrough); else the answer is "
		"unknown.\n\n"
		"What to do: `metis-passthrough status` shows each promise with its evidence and "
		"remedy.",
		setup_status },
	{ NULL },
};
