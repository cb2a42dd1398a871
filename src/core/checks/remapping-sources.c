/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "core/checks/common.h"
#include "core/checks/remapping.h"
#include "core/pci.h"

const char *mp_remap_state_name(enum mp_remap_state state)
{
	switch (state) {
	case MP_REMAP_YES:
		return "yes";
	case MP_REMAP_PARTLY:
		return "partly";
	case MP_REMAP_NO:
		return "no";
	case MP_REMAP_UNKNOWN:
		break;
	}
	return "unknown";
}

static void add(struct mp_remap_sources *sources, enum mp_remap_rank rank,
	enum mp_remap_state state, const char *name, const char *format, ...)
	G_GNUC_PRINTF(5, 6);

static void add(struct mp_remap_sources *sources, enum mp_remap_rank rank,
	enum mp_remap_state state, const char *name, const char *format, ...)
{
	struct mp_remap_source *source = &sources->list[sources->count++];
	va_list args;

	g_assert(sources->count <= MP_REMAP_SOURCES);
	va_start(args, format);
	*source = (struct mp_remap_source){ .rank = rank,
		.state = state,
		.name = name,
		.text = g_strdup_vprintf(format, args) };
	va_end(args);
}

void mp_remap_sources_clear(struct mp_remap_sources *sources)
{
	for (unsigned i = 0; i < sources->count; i++)
		g_free(sources->list[i].text);
	sources->count = 0;
}

/* What a fact that is not KNOWN has to say. */
static const char *why(const struct mp_fact *fact)
{
	if (fact->know == MP_ABSENT)
		return "not there";
	return fact->why ? fact->why : "not looked at";
}

static void add_chips(const struct mp_iommu *iommu, struct mp_remap_sources *sources)
{
	const struct mp_irq_chips *irq = &iommu->irq;
	static const char name[] = "/proc/interrupts";

	if (irq->fact.know != MP_KNOWN)
		add(sources, MP_REMAP_CHIPS, MP_REMAP_UNKNOWN, name, "%s",
			why(&irq->fact));
	else if (!irq->remapped && !irq->direct)
		add(sources, MP_REMAP_CHIPS, MP_REMAP_UNKNOWN, name,
			"no interrupt there tells it by its chip");
	else if (!irq->direct)
		add(sources, MP_REMAP_CHIPS, MP_REMAP_YES, name,
			"%s%u interrupt%s a remapped chip, such as %s",
			irq->remapped == 1 ? "the only " : "all ", irq->remapped,
			irq->remapped == 1 ? " has" : "s have", irq->sample_remapped);
	else if (!irq->remapped)
		add(sources, MP_REMAP_CHIPS, MP_REMAP_NO, name,
			"no interrupt has a remapped chip (of %u); one is %s",
			irq->direct, irq->sample_direct);
	else
		add(sources, MP_REMAP_CHIPS, MP_REMAP_PARTLY, name,
			"interrupts with a remapped chip: %u, without: %u, such as %s",
			irq->remapped, irq->direct, irq->sample_direct);
}

static void add_registers(const struct mp_iommu *iommu, struct mp_remap_sources *sources)
{
	static const char name[] = "debugfs iommu_regset";
	const GArray *units = iommu->gsts_units;
	unsigned on = 0;
	const char *bad = NULL;

	if (iommu->gsts.know != MP_KNOWN || !units || !units->len) {
		add(sources, MP_REMAP_REGISTERS, MP_REMAP_UNKNOWN, name, "%s",
			why(&iommu->gsts));
		return;
	}
	for (guint i = 0; i < units->len; i++) {
		const struct mp_gsts *gsts = &g_array_index(units, struct mp_gsts, i);

		if (gsts->value & MP_GSTS_IRES && !(gsts->value & MP_GSTS_CFIS))
			on++;
		else if (!bad)
			bad = gsts->value & MP_GSTS_IRES
				      ? "lets compatibility-format messages pass "
					"(GSTS.CFIS is set)"
				      : "has remapping off (GSTS.IRES is clear)";
	}
	if (on == units->len)
		add(sources, MP_REMAP_REGISTERS, MP_REMAP_YES, name,
			"every unit has GSTS.IRES set and CFIS clear (%s)",
			iommu->gsts.text);
	else
		add(sources, MP_REMAP_REGISTERS, on ? MP_REMAP_PARTLY : MP_REMAP_NO, name,
			"%u of %u in order; the first of the others %s (%s)", on,
			units->len, bad, iommu->gsts.text);
}

static void add_table(const struct mp_iommu *iommu, struct mp_remap_sources *sources)
{
	static const char name[] = "debugfs ir_translation_struct";
	const struct mp_fact *fact = &iommu->ir_table;
	bool on, off;

	if (fact->know != MP_KNOWN) {
		add(sources, MP_REMAP_TABLE, MP_REMAP_UNKNOWN, name, "%s", why(fact));
		return;
	}
	on = strstr(fact->text, "=on") != NULL;
	off = strstr(fact->text, "=off") != NULL;
	add(sources, MP_REMAP_TABLE,
		on && off ? MP_REMAP_PARTLY
		: on      ? MP_REMAP_YES
			  : MP_REMAP_NO,
		name, "remapping tables: %s", fact->text);
}

static void add_log(const struct mp_iommu *iommu, struct mp_remap_sources *sources)
{
	static const char name[] = "kernel log";
	const struct mp_iommu_log *log = &iommu->log;

	if (log->readable.know != MP_KNOWN)
		add(sources, MP_REMAP_LOG, MP_REMAP_UNKNOWN, name, "%s",
			why(&log->readable));
	else if (log->ir_enabled.know == MP_KNOWN)
		add(sources, MP_REMAP_LOG, MP_REMAP_YES, name, "%s",
			log->ir_enabled.text);
	else if (log->ir_refused.know == MP_KNOWN)
		add(sources, MP_REMAP_LOG, MP_REMAP_NO, name, "%s", log->ir_refused.text);
	else
		add(sources, MP_REMAP_LOG, MP_REMAP_UNKNOWN, name,
			"no line about it (%s)", log->readable.text);
}

static bool is_amd(const struct mp_iommu *iommu)
{
	if (iommu->ivrs || mp_iommu_has_kind(iommu, MP_IOMMU_AMD))
		return true;
	/* An IVRS table that is there and cannot be read. */
	return iommu->dmar_fact.know == MP_ABSENT && iommu->ivrs_fact.know == MP_UNKNOWN;
}

void mp_remap_live(const struct mp_host *host, struct mp_remap_sources *sources)
{
	const struct mp_iommu *iommu = mp_iommu_or_none(host);

	add_chips(iommu, sources);
	if (!is_amd(iommu)) { /* Intel's files in debugfs */
		add_registers(iommu, sources);
		add_table(iommu, sources);
	}
	add_log(iommu, sources);
}

static void add_units(const struct mp_iommu *iommu, struct mp_remap_sources *sources)
{
	static const char name[] = "/sys/class/iommu capabilities";
	g_autofree char *bad = NULL;
	unsigned units = 0, able = 0, unknown = 0;

	for (guint i = 0; i < iommu->units->len; i++) {
		const struct mp_iommu_unit *unit = iommu->units->pdata[i];
		uint64_t ecap;

		if (unit->kind != MP_IOMMU_INTEL)
			continue;
		units++;
		if (!mp_fact_uint(&unit->ecap, 16, &ecap))
			unknown++;
		else if (ecap & MP_ECAP_IR && ecap & MP_ECAP_QI)
			able++;
		else if (!bad)
			bad = g_strdup_printf("%s lacks %s (ecap %s)", unit->name,
				ecap & MP_ECAP_IR ? "queued invalidation"
						  : "interrupt remapping",
				unit->ecap.text);
	}
	/* Every unit of the table must answer, or "every" can't be said. */
	if (iommu->dmar && !iommu->dmar->problem &&
		mp_dmar_count(iommu->dmar, MP_DMAR_DRHD) > units)
		unknown += mp_dmar_count(iommu->dmar, MP_DMAR_DRHD) - units;
	if (bad)
		add(sources, MP_REMAP_UNITS, MP_REMAP_NO, name, "%s", bad);
	else if (!units || unknown)
		add(sources, MP_REMAP_UNITS, MP_REMAP_UNKNOWN, name,
			"units that can be asked: %u of %u", able, able + unknown);
	else
		add(sources, MP_REMAP_UNITS, MP_REMAP_YES, name,
			"all have IR and QI (units: %u)", units);
}

static void add_dmar(const struct mp_iommu *iommu, struct mp_remap_sources *sources)
{
	static const char name[] = "ACPI DMAR table";

	if (!iommu->dmar)
		add(sources, MP_REMAP_FIRMWARE,
			iommu->dmar_fact.know == MP_ABSENT ? MP_REMAP_NO
							   : MP_REMAP_UNKNOWN,
			name, "%s", why(&iommu->dmar_fact));
	else if (iommu->dmar->flags & MP_DMAR_FLAG_INTR_REMAP)
		add(sources, MP_REMAP_FIRMWARE, MP_REMAP_YES, name,
			"INTR_REMAP is set (flags 0x%x)", iommu->dmar->flags);
	else
		add(sources, MP_REMAP_FIRMWARE, MP_REMAP_NO, name,
			"the firmware's INTR_REMAP flag is clear (flags 0x%x)",
			iommu->dmar->flags);
}

/* Which I/O APIC is in no scope? Linux then leaves remapping off on both vendors. */
static int uncovered_ioapic(const struct mp_iommu *iommu)
{
	for (guint i = 0; i < iommu->ioapics->len; i++) {
		uint8_t id = g_array_index(iommu->ioapics, uint8_t, i);

		if (iommu->dmar ? !mp_dmar_drhd_of_ioapic(iommu->dmar, id)
				: !mp_ivrs_has_ioapic(iommu->ivrs, id))
			return id;
	}
	return -1;
}

static void add_ioapics(const struct mp_iommu *iommu, struct mp_remap_sources *sources)
{
	static const char name[] = "I/O APICs of the MADT";
	const char *problem = iommu->dmar   ? iommu->dmar->problem
			      : iommu->ivrs ? iommu->ivrs->problem
					    : NULL;
	int missing;

	if (!iommu->ioapics) {
		add(sources, MP_REMAP_IOAPICS, MP_REMAP_UNKNOWN, name, "%s",
			why(&iommu->madt_fact));
		return;
	}
	if (!iommu->dmar && !iommu->ivrs) {
		add(sources, MP_REMAP_IOAPICS, MP_REMAP_UNKNOWN, name,
			"no table of the IOMMU to compare with");
		return;
	}
	missing = uncovered_ioapic(iommu);
	if (missing >= 0 && problem)
		add(sources, MP_REMAP_IOAPICS, MP_REMAP_UNKNOWN, name,
			"I/O APIC %d is in no scope, but the table breaks off: %s",
			missing, problem);
	else if (missing >= 0)
		add(sources, MP_REMAP_IOAPICS, MP_REMAP_NO, name,
			"no remapping unit covers I/O APIC %d", missing);
	else if (iommu->ivrs && !iommu->dmar &&
		 !mp_ivrs_has_southbridge_ioapic(iommu->ivrs))
		add(sources, MP_REMAP_IOAPICS, problem ? MP_REMAP_UNKNOWN : MP_REMAP_NO,
			name,
			"the IVRS table does not name the south bridge's I/O APIC "
			"(00:14.0)");
	else
		add(sources, MP_REMAP_IOAPICS, MP_REMAP_YES, name,
			"remapping units cover every one (%u)", iommu->ioapics->len);
}

static void add_ivrs(const struct mp_iommu *iommu, struct mp_remap_sources *sources)
{
	static const char name[] = "ACPI IVRS table";

	if (!iommu->ivrs)
		add(sources, MP_REMAP_FIRMWARE, MP_REMAP_UNKNOWN, name, "%s",
			why(&iommu->ivrs_fact));
	else if (iommu->ivrs->ivhd->len)
		add(sources, MP_REMAP_FIRMWARE, MP_REMAP_YES, name,
			"describes units; remapping is a base feature of AMD-Vi");
	else
		add(sources, MP_REMAP_FIRMWARE,
			iommu->ivrs->problem ? MP_REMAP_UNKNOWN : MP_REMAP_NO, name,
			"describes no unit");
}

/* Chipsets that lose interrupts while remapping: intel_remapping_check() of the kernel.
 */
static void add_chipset(const struct mp_host *host, struct mp_remap_sources *sources)
{
	for (guint i = 0; i < host->devices->len; i++) {
		const struct mp_pci *device = host->devices->pdata[i];

		if (device->vendor != 0x8086 ||
			(device->device != 0x3403 && device->device != 0x3405 &&
				device->device != 0x3406))
			continue;
		if (device->revision <= 0x13 ||
			(device->device == 0x3405 && device->revision == 0x22))
			add(sources, MP_REMAP_CHIPSET, MP_REMAP_NO, "chipset",
				"%s is a 5500/5520 of revision 0x%02x, whose remapping "
				"is broken",
				device->bdf, device->revision);
		return;
	}
}

static void add_promises(const struct mp_host *host, struct mp_remap_sources *sources)
{
	const struct mp_iommu *iommu = mp_iommu_or_none(host);

	if (is_amd(iommu)) {
		add_ivrs(iommu, sources);
		add_ioapics(iommu, sources);
		return;
	}
	add_units(iommu, sources);
	add_dmar(iommu, sources);
	add_ioapics(iommu, sources);
	add_chipset(host, sources);
}

void mp_remap_all(const struct mp_host *host, struct mp_remap_sources *sources)
{
	mp_remap_live(host, sources);
	add_promises(host, sources);
}

enum mp_remap_state mp_remap_supported(const struct mp_host *host,
	struct mp_remap_sources *sources, const struct mp_remap_source **missing)
{
	enum mp_remap_state state = MP_REMAP_YES;

	*missing = NULL;
	add_promises(host, sources);
	for (unsigned i = 0; i < sources->count; i++) {
		const struct mp_remap_source *source = &sources->list[i];

		if (source->state == MP_REMAP_YES || state == MP_REMAP_NO)
			continue;
		if (source->state == MP_REMAP_UNKNOWN && state == MP_REMAP_UNKNOWN)
			continue;
		state = source->state;
		*missing = source;
	}
	return state;
}
