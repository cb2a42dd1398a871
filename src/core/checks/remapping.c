/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interrupt remapping: could it, does it? Where the sources come from:
 * remapping-sources.c. */
#include "config.h"

#include <string.h>

#include "core/checks/common.h"
#include "core/checks/remapping.h"
#include "core/pci.h"

static void say_sources(
	struct mp_finding *finding, const struct mp_remap_sources *sources)
{
	for (unsigned i = 0; i < sources->count; i++) {
		const struct mp_remap_source *source = &sources->list[i];

		mp_finding_evidence(finding, source->name, "%s: %s",
			mp_remap_state_name(source->state), source->text);
	}
}

static bool chips_say_yes(const struct mp_iommu *iommu)
{
	return iommu->irq.fact.know == MP_KNOWN && iommu->irq.remapped &&
	       !iommu->irq.direct;
}

static void interrupt_remapping_supported(struct mp_check_ctx *ctx)
{
	const struct mp_iommu *iommu = mp_iommu_or_none(ctx->host);
	struct mp_remap_sources sources = { .count = 0 };
	const struct mp_remap_source *missing;
	enum mp_remap_state state;
	struct mp_finding *finding;

	if (iommu->dmar_fact.know == MP_ABSENT && iommu->ivrs_fact.know == MP_ABSENT &&
		!iommu->units->len) {
		mp_check_say(ctx, MP_SKIP,
			"The firmware offers no IOMMU, so no interrupt remapping "
			"either: see firmware-iommu-table");
		return;
	}
	state = mp_remap_supported(ctx->host, &sources, &missing);
	if (state == MP_REMAP_UNKNOWN && chips_say_yes(iommu)) {
		finding = mp_check_say(ctx, MP_PASS,
			"This host can remap interrupts, because it does: all its live "
			"interrupts are remapped");
		mp_finding_fact(finding, &iommu->irq.fact);
	} else if (state == MP_REMAP_YES) {
		finding = mp_check_say(ctx, MP_PASS,
			"Firmware and every remapping unit support interrupt remapping");
	} else if (state == MP_REMAP_NO) {
		finding = mp_check_say(ctx, MP_FAIL,
			"This host cannot remap interrupts: %s: %s", missing->name,
			missing->text);
		mp_finding_remedy(finding,
			"%s; if it is enabled already, update the firmware%s",
			mp_firmware_menu(ctx->host),
			missing->rank == MP_REMAP_UNITS
				? "; a unit whose hardware lacks it rules out "
				  "passthrough on this machine, because Linux remaps "
				  "with all units or none"
				: ": its table is what denies it");
	} else {
		finding = mp_check_say(ctx, MP_UNSURE,
			"It is not known whether this host can remap interrupts: %s: %s",
			missing->name, missing->text);
		mp_finding_remedy(finding, "run this program as root on the live host: "
					   "the ACPI tables are readable by root only, "
					   "the capabilities of the units only while "
					   "the IOMMU is in use");
	}
	say_sources(finding, &sources);
	mp_remap_sources_clear(&sources);
}

/* The reason that is most likely to be why remapping is off, with its remedy. */
static void explain_off(struct mp_check_ctx *ctx, struct mp_finding *finding)
{
	const struct mp_iommu *iommu = mp_iommu_or_none(ctx->host);
	const char *parameter = mp_cmdline_intremap_off(ctx->host);
	const char *off = parameter ? parameter : mp_cmdline_iommu_off(ctx->host);

	if (off) {
		mp_remedy_remove(finding, ctx->host, off);
		mp_finding_fact(finding, mp_running_cmdline_fact(ctx->host));
		return;
	}
	if (iommu->log.ir_refused.know == MP_KNOWN) {
		mp_finding_remedy(finding,
			"the kernel refused it (\"%s\"): update the firmware, or %s",
			iommu->log.ir_refused.text, mp_firmware_menu(ctx->host));
		return;
	}
	if (iommu->dmar && !(iommu->dmar->flags & MP_DMAR_FLAG_INTR_REMAP)) {
		mp_finding_remedy(finding, "the firmware's DMAR table denies it: %s",
			mp_firmware_menu(ctx->host));
		return;
	}
	if (iommu->dmar && !iommu->units->len) {
		mp_remedy_add(finding, ctx->host, "intel_iommu=on");
		return;
	}
	mp_finding_remedy(finding, "%s", mp_firmware_menu(ctx->host));
}

static void say_active(struct mp_check_ctx *ctx, const struct mp_remap_source *proof,
	const struct mp_remap_sources *sources)
{
	struct mp_finding *finding;

	if (proof->state == MP_REMAP_YES) {
		finding = mp_check_say(ctx, MP_PASS,
			"Interrupts of this host are remapped: %s", proof->text);
	} else if (proof->state == MP_REMAP_PARTLY) {
		finding = mp_check_say(ctx, MP_WARN,
			"Only some interrupts of this host are remapped: %s",
			proof->text);
		mp_finding_remedy(finding, "see which devices are left out (grep -v IR- "
					   "/proc/interrupts) and whether a remapping "
					   "unit covers them (iommu-covers-device); "
					   "update the firmware");
	} else {
		const char *off = mp_cmdline_intremap_off(ctx->host);

		finding = off ? mp_check_say(ctx, MP_FAIL,
					"Interrupts of this host are not remapped: the "
					"kernel command line switches it off (%s)",
					off)
			      : mp_check_say(ctx, MP_FAIL,
					"Interrupts of this host are not remapped: %s",
					proof->text);
		explain_off(ctx, finding);
	}
	say_sources(finding, sources);
}

static void interrupt_remapping_active(struct mp_check_ctx *ctx)
{
	const struct mp_iommu *iommu = mp_iommu_or_none(ctx->host);
	struct mp_remap_sources sources = { .count = 0 };
	const struct mp_remap_source *proof = NULL;
	const struct mp_remap_source *registers = NULL;
	struct mp_finding *finding;

	if (iommu->dmar_fact.know == MP_ABSENT && iommu->ivrs_fact.know == MP_ABSENT &&
		!iommu->units->len && !iommu->irq.remapped) {
		mp_check_say(ctx, MP_SKIP,
			"The firmware offers no IOMMU that could remap interrupts: see "
			"firmware-iommu-table");
		return;
	}
	mp_remap_live(ctx->host, &sources);
	for (unsigned i = 0; i < sources.count; i++) {
		const struct mp_remap_source *source = &sources.list[i];

		if (!proof && source->state != MP_REMAP_UNKNOWN)
			proof = source; /* they come strongest first */
		if (source->rank == MP_REMAP_REGISTERS)
			registers = source;
	}
	/* Chips say how messages were composed; only the registers say that others are
	 * blocked: a unit with CFIS set or IRES clear lets raw messages pass. */
	if (proof && proof->state == MP_REMAP_YES && registers &&
		(registers->state == MP_REMAP_NO || registers->state == MP_REMAP_PARTLY))
		proof = registers;
	if (proof) {
		say_active(ctx, proof, &sources);
	} else {
		finding = mp_check_say(ctx, MP_UNSURE,
			"It is not known whether interrupts of this host are remapped: "
			"no live evidence could be read");
		mp_finding_remedy(finding, "read /proc/interrupts on the live host: "
					   "remapped interrupts have a chip that "
					   "starts with IR-");
		say_sources(finding, &sources);
	}
	mp_remap_sources_clear(&sources);
}

static const char *whom_to_trust(const struct mp_remap_sources *sources)
{
	enum mp_remap_state live = MP_REMAP_UNKNOWN, said = MP_REMAP_UNKNOWN;

	for (unsigned i = sources->count; i-- > 0;) {
		const struct mp_remap_source *source = &sources->list[i];

		if (source->state == MP_REMAP_UNKNOWN ||
			(source->state == MP_REMAP_YES &&
				source->rank == MP_REMAP_IOAPICS))
			continue;
		if (source->rank <= MP_REMAP_LOG)
			live = source->state;
		else
			said = source->state;
	}
	if (live == MP_REMAP_NO && said == MP_REMAP_YES)
		return "hardware and firmware could, the kernel does not: trust the live "
		       "chips; see interrupt-remapping-active for what switched it off";
	if (live == MP_REMAP_YES && said == MP_REMAP_NO)
		return "interrupts are remapped although firmware denies it: trust the "
		       "live chips; the table is wrong or was cut off";
	return "trust the registers of the units first, then the chips of live "
	       "interrupts, then the kernel log, then what firmware and capabilities "
	       "promise";
}

static void interrupt_remapping_sources_agree(struct mp_check_ctx *ctx)
{
	struct mp_remap_sources sources = { .count = 0 };
	unsigned yes = 0, no = 0;
	bool live_yes = false, live_no = false;
	struct mp_finding *finding;

	mp_remap_all(ctx->host, &sources);
	for (unsigned i = 0; i < sources.count; i++) {
		const struct mp_remap_source *source = &sources.list[i];
		bool against =
			source->state == MP_REMAP_NO || source->state == MP_REMAP_PARTLY;

		/* Units may cover every I/O APIC with remapping off: only "no" counts. */
		yes += source->state == MP_REMAP_YES && source->rank != MP_REMAP_IOAPICS;
		no += against;
		live_yes |= source->rank <= MP_REMAP_LOG && source->state == MP_REMAP_YES;
		live_no |= source->rank <= MP_REMAP_LOG && against;
	}
	if (yes + no < 2) {
		finding = mp_check_say(ctx, MP_UNSURE,
			"Only %u of %u sources about interrupt remapping could be read: "
			"nothing to compare",
			yes + no, sources.count);
		mp_finding_remedy(finding,
			"run this program as root on the live host, with debugfs "
			"mounted (mount -t debugfs none /sys/kernel/debug)");
	} else if (yes && no) {
		finding = mp_check_say(ctx, live_yes && live_no ? MP_FAIL : MP_WARN,
			"Sources disagree about interrupt remapping: yes from %u, no or "
			"only partly from %u",
			yes, no);
		mp_finding_remedy(finding, "%s", whom_to_trust(&sources));
	} else if (yes) {
		finding = mp_check_say(ctx, MP_PASS,
			"All %u sources that could answer (of %u) say that interrupts "
			"are remapped",
			yes, sources.count);
	} else {
		finding = mp_check_say(ctx, MP_INFO,
			"All %u sources that could answer (of %u) say that interrupts "
			"are not remapped",
			no, sources.count);
	}
	say_sources(finding, &sources);
	mp_remap_sources_clear(&sources);
}

static void amd_x2apic(struct mp_check_ctx *ctx)
{
	const struct mp_iommu *iommu = mp_iommu_or_none(ctx->host);
	struct mp_finding *finding;
	unsigned with = 0, unknown = 0, units = 0;

	for (guint i = 0; i < iommu->units->len; i++) {
		const struct mp_iommu_unit *unit = iommu->units->pdata[i];
		uint64_t efr;

		if (unit->kind != MP_IOMMU_AMD)
			continue;
		units++;
		if (!mp_iommu_unit_efr(unit, &efr))
			unknown++;
		else if (efr & MP_EFR_XT)
			with++;
	}
	if (unknown || !units) {
		finding = mp_check_say(ctx, MP_UNSURE,
			"It is not known whether AMD-Vi can address x2APIC processors");
		mp_finding_remedy(
			finding, "read /sys/class/iommu/ivhd*/amd-iommu/features");
	} else if (with == units) {
		finding = mp_check_say(
			ctx, MP_PASS, "AMD-Vi can address x2APIC processors (XT)");
	} else {
		finding = mp_check_say(ctx, MP_INFO,
			"AMD-Vi lacks XT here: the kernel stays with xAPIC, which is "
			"enough for remapping with up to 255 processors");
	}
	for (guint i = 0; i < iommu->units->len; i++)
		mp_finding_fact(
			finding, &((const struct mp_iommu_unit *)iommu->units->pdata[i])
					  ->features);
}

static void x2apic_opt_out(struct mp_check_ctx *ctx)
{
	const struct mp_iommu *iommu = mp_iommu_or_none(ctx->host);
	const struct mp_platform *t = mp_platform_or_none(ctx->host);
	const char *cmdline = mp_running_cmdline(ctx->host);
	bool logged = iommu->log.x2apic_opt_out.know == MP_KNOWN;
	bool set =
		iommu->dmar ? iommu->dmar->flags & MP_DMAR_FLAG_X2APIC_OPT_OUT : logged;
	struct mp_finding *finding;

	if (iommu->ivrs || mp_iommu_has_kind(iommu, MP_IOMMU_AMD)) {
		amd_x2apic(ctx);
		return;
	}
	if (!iommu->dmar && iommu->dmar_fact.know == MP_ABSENT) {
		mp_check_say(ctx, MP_SKIP,
			"There is no DMAR table that could opt out of x2APIC: see "
			"firmware-iommu-table");
		return;
	}
	if (!iommu->dmar && !logged) {
		finding = mp_check_say(ctx, MP_UNSURE,
			"It is not known whether the firmware opts out of x2APIC");
		mp_finding_remedy(finding, "run this program as root");
	} else if (set && cmdline &&
		   mp_cmdline_has(cmdline, "intremap", "no_x2apic_optout")) {
		finding = mp_check_say(ctx, MP_INFO,
			"The firmware opts out of x2APIC, and the kernel was told to "
			"ignore that (intremap=no_x2apic_optout)");
	} else if (set) {
		finding = mp_check_say(ctx, MP_WARN,
			"The firmware opts out of x2APIC: interrupts are remapped in "
			"xAPIC mode only");
		g_autofree char *add = ctx->host->boot
					       ? mp_loader_how_to_add(ctx->host,
							 "intremap=no_x2apic_optout")
					       : NULL;

		mp_finding_remedy(finding,
			"in the firmware setup (BIOS), enable \"Extended APIC\" / "
			"\"x2APIC\" and disable \"x2APIC Opt Out\"; or override it: %s. "
			"Remapping works either way",
			add ? add
			    : "intremap=no_x2apic_optout on the kernel command line");
	} else {
		finding = mp_check_say(
			ctx, MP_PASS, "The firmware does not opt out of x2APIC");
	}
	mp_finding_fact(finding, &iommu->dmar_fact);
	if (iommu->dmar)
		mp_finding_evidence(finding, iommu->dmar_fact.source,
			"flags 0x%x (bit 1 is %s)", iommu->dmar->flags,
			set ? "set" : "clear");
	mp_finding_fact(finding, &iommu->log.x2apic_opt_out);
	mp_finding_fact(finding, &t->cpu_x2apic);
}

/* Units of any kind that can post interrupts into a guest; *unknown: could not be read.
 */
static unsigned posting_units(
	const struct mp_iommu *iommu, unsigned *unknown, struct mp_finding *finding)
{
	unsigned able = 0;

	*unknown = 0;
	for (guint i = 0; i < iommu->units->len; i++) {
		const struct mp_iommu_unit *unit = iommu->units->pdata[i];
		bool amd = unit->kind == MP_IOMMU_AMD;
		const struct mp_fact *fact = amd ? &unit->features : &unit->cap;
		uint64_t value;

		if (finding)
			mp_finding_fact(finding, fact);
		if (amd ? !mp_iommu_unit_efr(unit, &value)
			: !mp_fact_uint(fact, 16, &value))
			(*unknown)++;
		else
			able += (value & (amd ? MP_EFR_GA : MP_CAP_PI)) != 0;
	}
	return able;
}

static void posted_interrupts(struct mp_check_ctx *ctx)
{
	const struct mp_iommu *iommu = mp_iommu_or_none(ctx->host);
	const struct mp_platform *t = mp_platform_or_none(ctx->host);
	unsigned unknown, able = posting_units(iommu, &unknown, NULL);
	bool on = t->apicv.know == MP_KNOWN && strchr("Yy1", *t->apicv.text) &&
		  *t->apicv.text;
	struct mp_finding *finding;

	if (mp_say_no_units(ctx))
		return;
	if (able < iommu->units->len && !unknown)
		finding = mp_check_say(ctx, MP_INFO,
			"The IOMMU cannot post interrupts into a running guest (units "
			"that can: %u of %u): each one costs an exit, nothing else",
			able, iommu->units->len);
	else if (unknown || t->apicv.know == MP_UNKNOWN) {
		finding = mp_check_say(ctx, MP_UNSURE,
			"It is not known whether interrupts are posted into running "
			"guests");
		mp_finding_remedy(finding,
			"read /sys/class/iommu/*/intel-iommu/cap and "
			"/sys/module/kvm_intel/parameters/enable_apicv "
			"(amd-iommu/features, kvm_amd/parameters/avic); it is a matter "
			"of speed only");
	} else if (on)
		finding = mp_check_say(ctx, MP_PASS,
			"Interrupts can be posted into running guests without an exit");
	else
		finding = mp_check_say(ctx, MP_INFO,
			"The IOMMU could post interrupts into running guests, but KVM "
			"does not use it: each one costs an exit, nothing else");
	posting_units(iommu, &unknown, finding);
	mp_finding_fact(finding, &t->apicv);
}

const struct mp_check mp_checks_remapping[] = {
	{ .id = "interrupt-remapping-supported",
		.scope = MP_SCOPE_HOST,
		.title = "firmware and IOMMU can remap interrupts",
		.explain = "Interrupt remapping checks that a message written to the "
			   "interrupt window comes from the device it was made for. VFIO "
			   "refuses a card without it.\n\n"
			   "On Intel it needs all of: the INTR_REMAP flag of the DMAR "
			   "table, IR and QI in the extended capabilities of every "
			   "unit, every I/O APIC of the MADT in the scope of some unit, "
			   "and a chipset that is not on the kernel's list of broken "
			   "ones (5500/5520, revision 13h and before, and 22h of "
			   "8086:3405). On AMD it is a "
			   "base feature, but the IVRS table must name every I/O APIC "
			   "and the one of the south bridge (00:14.0), or Linux leaves "
			   "it off. This says \"can\"; interrupt-remapping-active says "
			   "\"does\". Sources: drivers/iommu/intel/irq_remapping.c, "
			   "drivers/iommu/amd/init.c (check_ioapic_information), "
			   "arch/x86/kernel/early-quirks.c.",
		.run = interrupt_remapping_supported },
	{ .id = "interrupt-remapping-active",
		.scope = MP_SCOPE_HOST,
		.title = "interrupts of this host are remapped now",
		.explain = "What the machine does, not what it could do. The strongest "
			   "evidence is the chip that live interrupts name in "
			   "/proc/interrupts: IR-PCI-MSI, IR-IO-APIC and so on are "
			   "remapped, plain PCI-MSI and IO-APIC are not (the IOMMU's own "
			   "DMAR-MSI, IOMMU-MSI and AMD-Vi never are and don't count). "
			   "It needs no root and survives the loss of old log lines. "
			   "Then come the units' status registers in debugfs (GSTS: IRES "
			   "must be set, CFIS must be clear, or raw messages pass), the "
			   "state of the remapping table there, and the kernel log. A "
			   "line that the log lacks proves nothing.\n\n"
			   "When it is off, the reason is looked for: intremap=off on "
			   "the command line, a refusal in the log, a DMAR table "
			   "without the flag, an IOMMU that is not used.",
		.run = interrupt_remapping_active },
	{ .id = "interrupt-remapping-sources-agree",
		.scope = MP_SCOPE_HOST,
		.title = "all evidence about interrupt remapping agrees",
		.explain =
			"\"Is interrupt remapping on?\" can be answered from at least "
			"four places that know nothing of each other: the firmware's "
			"table, the capabilities of each unit, the chips of live "
			"interrupts, the units' registers in debugfs, the kernel log. A "
			"tool that asks only one is wrong on machines where they differ, "
			"for example when firmware and hardware are able but "
			"intremap=off was given.\n\n"
			"Each is shown with its answer. Disagreement is a warning, and "
			"a failure when live sources contradict each other. With fewer "
			"than two readable sources the answer is unknown. Trust in this "
			"order: registers, live chips, log, capabilities, table.",
		.run = interrupt_remapping_sources_agree },
	{ .id = "x2apic-opt-out",
		.scope = MP_SCOPE_HOST,
		.title = "the firmware allows x2APIC",
		.explain = "With flag bit 1 of the DMAR table firmware asks the system "
			   "to stay out of x2APIC mode; the kernel obeys and says so in "
			   "its log. Remapping still works, in xAPIC mode: at most 255 "
			   "processors, slower interrupts to VMs, and on some boards the "
			   "flag comes with broken remapping. On AMD the question is "
			   "whether the units have XT.\n\n"
			   "Decided by the flag in the table, else by the line in the "
			   "kernel log. Source: VT-d specification 8.1; "
			   "dmar_x2apic_optout() in drivers/iommu/intel/irq_remapping.c.",
		.run = x2apic_opt_out },
	{ .id = "posted-interrupts",
		.scope = MP_SCOPE_HOST,
		.title = "interrupts reach running guests without an exit",
		.explain = "With posted interrupts (Intel: CAP.PI; AMD: guest virtual "
			   "APIC, EFR.GA, with AVIC) the IOMMU hands a card's interrupt "
			   "to a running virtual processor without waking the "
			   "hypervisor. It saves time for each interrupt and decides "
			   "nothing else, so its absence is only information.\n\n"
			   "Decided by the capability of every unit and by enable_apicv "
			   "of kvm_intel or avic of kvm_amd. The kernel line \"irq "
			   "bypass producer ... registration fails\" is the same news "
			   "for one vector.",
		.run = posted_interrupts },
	{ NULL },
};
