/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What follows from the events alone. */
#include "config.h"

#include <string.h>

#include "core/diagnose.h"
#include "core/fault.h"
#include "core/platform.h"

#define TWO_MIB          (2 * MP_MIB)
/* FIRST_EXTERNAL_VECTOR of arch/x86/include/asm/irq_vectors.h. */
#define GUEST_VECTOR_MIN 0x20

static const struct {
	uint8_t first, last;
	enum mp_reason_class class;
} classes[] = {
	/* Intel VT-d specification, "Fault Reason Encodings". */
	{ 0x01, 0x02, MP_REASON_NO_DOMAIN },
	{ 0x03, 0x03, MP_REASON_TABLES },
	{ 0x04, 0x04, MP_REASON_TOO_WIDE },
	{ 0x05, 0x06, MP_REASON_NO_MAPPING },
	{ 0x07, 0x0c, MP_REASON_TABLES },
	{ 0x0d, 0x0d, MP_REASON_NO_DOMAIN },
	{ 0x38, 0x38, MP_REASON_TABLES },
	{ 0x39, 0x39, MP_REASON_NO_DOMAIN },
	{ 0x3a, 0x40, MP_REASON_TABLES },
	{ 0x41, 0x41, MP_REASON_NO_DOMAIN },
	{ 0x42, 0x58, MP_REASON_TABLES },
	{ 0x59, 0x59, MP_REASON_NO_DOMAIN },
	{ 0x5a, 0x70, MP_REASON_TABLES },
	{ 0x71, 0x71, MP_REASON_NO_MAPPING },
	{ 0x72, 0x73, MP_REASON_TABLES },
	{ 0x74, 0x74, MP_REASON_TOO_WIDE },
	{ 0x75, 0x77, MP_REASON_NO_MAPPING },
	{ 0x78, 0x78, MP_REASON_TABLES },
	{ 0x79, 0x79, MP_REASON_NO_MAPPING },
	{ 0x7a, 0x7c, MP_REASON_TABLES },
	{ 0x80, 0x80, MP_REASON_TOO_WIDE },
	{ 0x81, 0x82, MP_REASON_NO_MAPPING },
	{ 0x83, 0x84, MP_REASON_TOO_WIDE },
	{ 0x85, 0x86, MP_REASON_NO_MAPPING },
	{ 0x87, 0x87, MP_REASON_INTERRUPT_WINDOW },
};

enum mp_reason_class mp_reason_class(const struct mp_event *event)
{
	if (event->unit == MP_UNIT_AMD)
		return MP_REASON_NO_MAPPING;
	if (event->unit == MP_UNIT_SMMU)
		return event->reason == 0x11 ? MP_REASON_TOO_WIDE : MP_REASON_NO_MAPPING;
	for (size_t i = 0; event->has_reason && i < G_N_ELEMENTS(classes); i++)
		if (event->reason >= classes[i].first && event->reason <= classes[i].last)
			return classes[i].class;
	return MP_REASON_OTHER;
}

static void yes(struct mp_diagnosis *diagnosis, enum mp_clue_id id, const char *what,
	const struct mp_event_sum *sum)
{
	mp_clue_set(diagnosis, id, true, "%s (line %" G_GUINT64_FORMAT ")", what,
		sum->event.line);
}

/*
 * The entry as a number, before any handle is known. Linux gives 32 vectors a block that
 * begins at a multiple of 32 (drivers/iommu/intel/irq_remapping.c, alloc_irte()); which
 * number stands for what is the vendor's driver's.
 */
static void from_entry(struct mp_diagnosis *diagnosis, unsigned entry)
{
	unsigned offset = entry % 32;
	bool transfer = offset >= 4 && offset <= 11;
	bool event = offset <= 3 || offset == 12 || offset == 24;

	mp_clue_set(diagnosis, MP_CLUE_BLOCK, transfer,
		"entry 0x%x is %u in a block of 32 (4 to 11: transfers)", entry, offset);
	mp_clue_set(diagnosis, MP_CLUE_EVENT, event,
		"entry 0x%x is %u in a block of 32 (0 to 3, 12, 24: the firmware's own)",
		entry, offset);
	/* The message adds the two. */
	if (entry < GUEST_VECTOR_MIN)
		mp_clue_set(diagnosis, MP_CLUE_MIXED, false,
			"entry 0x%x is less than any vector of a guest, so none was added",
			entry);
}

static void from_interrupt(struct mp_diagnosis *diagnosis, const struct mp_event_sum *sum)
{
	static const struct {
		uint8_t reason;
		enum mp_clue_id clue;
	} rows[] = {
		{ 0x20, MP_CLUE_INTR_GARBAGE },
		{ 0x21, MP_CLUE_INTR_ABSENT },
		{ 0x22, MP_CLUE_INTR_ABSENT },
		{ 0x23, MP_CLUE_INTR_TABLE },
		{ 0x24, MP_CLUE_INTR_TABLE },
		{ 0x25, MP_CLUE_INTR_COMPAT },
		{ 0x26, MP_CLUE_INTR_FOREIGN },
		{ 0x27, MP_CLUE_INTR_TABLE },
		{ 0x28, MP_CLUE_INTR_TABLE },
	};
	const struct mp_event *event = &sum->event;
	g_autofree char *what = NULL;

	if (event->unit != MP_UNIT_INTEL) {
		yes(diagnosis, MP_CLUE_INTR_AMD, "a blocked interrupt message", sum);
		return;
	}
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		if (!event->has_reason || rows[i].reason != event->reason)
			continue;
		/* With 0x25 and 0x20 the index means nothing. */
		what = rows[i].clue == MP_CLUE_INTR_COMPAT ||
				       rows[i].clue == MP_CLUE_INTR_GARBAGE
			       ? g_strdup_printf("reason 0x%02x", event->reason)
			       : g_strdup_printf("reason 0x%02x for entry 0x%x",
					 event->reason, event->index);
		yes(diagnosis, rows[i].clue, what, sum);
	}
	if (event->has_reason && event->reason != 0x25 && event->reason != 0x20 &&
		event->has_index)
		from_entry(diagnosis, event->index);
}

/* The first page of 2 MiB: where a window of that size is written first. */
static void from_addresses(struct mp_diagnosis *diagnosis, const struct mp_event_sum *sum)
{
	bool aligned = !sum->more_addresses, low = sum->highest < 4 * MP_GIB;

	if (!sum->n_addresses)
		return;
	for (unsigned i = 0; i < sum->n_addresses; i++)
		aligned = aligned && sum->addresses[i].address % TWO_MIB < 4096;
	if (sum->event.direction == MP_DIRECTION_WRITE)
		mp_clue_set(diagnosis, MP_CLUE_ALIGNED, aligned,
			"0x%" G_GINT64_MODIFIER "x %s at the start of 2 MiB", sum->lowest,
			aligned ? "is" : "and others are not");
	mp_clue_set(diagnosis, MP_CLUE_LOW, low, "%s below 4 GiB",
		low ? "all addresses are" : "not all addresses are");
}

static void from_dma(struct mp_diagnosis *diagnosis, const struct mp_event_sum *sum)
{
	const struct mp_event *event = &sum->event;

	switch (mp_reason_class(event)) {
	case MP_REASON_NO_DOMAIN:
		yes(diagnosis, MP_CLUE_NO_DOMAIN, "no tables for the device", sum);
		break;
	case MP_REASON_TOO_WIDE:
		yes(diagnosis, MP_CLUE_TOO_WIDE, "an address that is too wide", sum);
		break;
	case MP_REASON_TABLES:
		yes(diagnosis, MP_CLUE_TABLES, "tables that make no sense", sum);
		break;
	case MP_REASON_INTERRUPT_WINDOW:
		yes(diagnosis, MP_CLUE_INTR_GARBAGE, "data in the interrupt window", sum);
		break;
	default:
		yes(diagnosis,
			event->direction == MP_DIRECTION_READ ? MP_CLUE_READ
							      : MP_CLUE_WRITE,
			event->direction == MP_DIRECTION_READ
				? "a read without a mapping"
				: "a write without a mapping",
			sum);
		from_addresses(diagnosis, sum);
	}
	/* AMD: PR, the page was there. SMMU: permission. */
	if ((event->unit == MP_UNIT_AMD && event->has_flags && event->flags & 0x010) ||
		(event->unit == MP_UNIT_SMMU && event->reason == 0x13))
		yes(diagnosis, MP_CLUE_READ_ONLY, "the page is there", sum);
}

/* A dumped entry of the last level: bit 0 readable, bit 1 writable. */
static void from_walk(struct mp_diagnosis *diagnosis, const struct mp_event_sum *sum)
{
	uint64_t pte = sum->event.number;

	if (strcmp(sum->event.detail, "pte") != 0 || sum->event.index != 1)
		return;
	mp_clue_set(diagnosis, MP_CLUE_READ_ONLY, (pte & 3) == 1,
		"the page table entry 0x%" G_GINT64_MODIFIER
		"x is %s (line %" G_GUINT64_FORMAT ")",
		pte, (pte & 3) == 1 ? "readable only" : "not read-only", sum->event.line);
}

static void from_driver(struct mp_diagnosis *diagnosis, const struct mp_event_sum *sum)
{
	const char *version = sum->event.detail;
	bool old = mp_version_compare(version, "1.5.6") < 0;

	if (!g_ascii_isdigit(*version))
		return;
	mp_clue_set(diagnosis, MP_CLUE_OLD_DRIVER, old,
		"driver %s %s DMA in a VM (line %" G_GUINT64_FORMAT ")", version,
		old ? "knows nothing of" : "knows", sum->event.line);
}

/* Events that are a clue as they are. */
static const struct {
	enum mp_event_kind kind;
	enum mp_clue_id clue;
	const char *text;
} plain[] = {
	{ MP_EVENT_CARD_TIMEOUT, MP_CLUE_TIMEOUTS, "the card's driver timed out" },
	{ MP_EVENT_USER, MP_CLUE_TIMEOUTS, "a program timed out" },
	{ MP_EVENT_CARD_MESSAGE, MP_CLUE_COMMANDS,
		"a command to the firmware timed out" },
	{ MP_EVENT_RESET_FAILED, MP_CLUE_RESET_FAILED, "not back after a reset" },
	{ MP_EVENT_D3COLD, MP_CLUE_D3COLD, "no way back from D3cold" },
	{ MP_EVENT_PENDING, MP_CLUE_PENDING, "transfers under way at a reset" },
	{ MP_EVENT_HEADER, MP_CLUE_HEADER, "no valid header in the card" },
	{ MP_EVENT_LINK_DOWN, MP_CLUE_LINK, "the link went down" },
	{ MP_EVENT_BAR, MP_CLUE_BAR, "a BAR is held" },
	{ MP_EVENT_MEMLOCK, MP_CLUE_MEMLOCK, "the limit was reached" },
	{ MP_EVENT_NOT_VIABLE, MP_CLUE_NOT_VIABLE, "the group is not viable" },
	{ MP_EVENT_NO_REMAPPING, MP_CLUE_NO_REMAPPING, "VFIO says so" },
	{ MP_EVENT_RMRR, MP_CLUE_ONE_TO_ONE, "VFIO refused for an RMRR" },
	{ MP_EVENT_DIRECT, MP_CLUE_ONE_TO_ONE, "VFIO refused for a 1:1 mapping" },
	{ MP_EVENT_ATTACH, MP_CLUE_ATTACH, "QEMU could not attach it" },
	{ MP_EVENT_AER, MP_CLUE_AER, "PCIe errors" },
	{ MP_EVENT_IOMMU, MP_CLUE_IOMMU, "the IOMMU itself reports trouble" },
	{ MP_EVENT_RELEASE, MP_CLUE_RELEASE, "an unbind waits" },
};

static void from_other(struct mp_diagnosis *diagnosis, const struct mp_event_sum *sum,
	const struct mp_event *subject)
{
	const struct mp_event *event = &sum->event;

	for (size_t i = 0; i < G_N_ELEMENTS(plain); i++)
		if (plain[i].kind == event->kind)
			yes(diagnosis, plain[i].clue, plain[i].text, sum);
	if (event->kind == MP_EVENT_MAP)
		yes(diagnosis,
			event->number == 28   ? MP_CLUE_MAP_LIMIT
			: event->number == 12 ? MP_CLUE_MEMLOCK
					      : MP_CLUE_MAP_REFUSED,
			"VFIO could not map", sum);
	if (event->kind == MP_EVENT_WALK)
		from_walk(diagnosis, sum);
	if (event->kind == MP_EVENT_DRIVER)
		from_driver(diagnosis, sum);
	if (event->kind == MP_EVENT_MSI_GRANTED)
		mp_clue_set(diagnosis, MP_CLUE_ONE_VECTOR, event->number == 1,
			"the driver was granted %" G_GUINT64_FORMAT
			" (line %" G_GUINT64_FORMAT ")",
			event->number, event->line);
	/* The guest knows the card under another address; at this one it was the host. */
	if (event->kind > MP_EVENT_DRIVER && event->kind < MP_EVENT_USER &&
		mp_event_is_of(event, subject))
		yes(diagnosis, MP_CLUE_HOST_DRIVER,
			"its driver spoke at this very address", sum);
}

void mp_clues_from_log(struct mp_diagnosis *diagnosis, const struct mp_event *subject)
{
	for (guint i = 0; i < diagnosis->problems->len; i++) {
		const struct mp_problem *problem = diagnosis->problems->pdata[i];

		/* Faults of others are no clue; those of the I/O APIC explain themselves. */
		if (problem->requester == MP_REQUESTER_CHIP && !subject->has_device)
			yes(diagnosis, MP_CLUE_CHIP,
				"no PCI function has such an address", problem->sum);
		if (!problem->subject)
			continue;
		if (problem->requester == MP_REQUESTER_ABSENT)
			yes(diagnosis, MP_CLUE_BEHIND,
				"no function of the host is at this "
				"address",
				problem->sum);
		if (problem->sum->event.kind == MP_EVENT_INTERRUPT)
			from_interrupt(diagnosis, problem->sum);
		else if (problem->sum->event.kind == MP_EVENT_DMA)
			from_dma(diagnosis, problem->sum);
	}
	for (guint i = 0; i < diagnosis->log->sums->len; i++) {
		const struct mp_event_sum *sum = diagnosis->log->sums->pdata[i];
		const struct mp_event *event = &sum->event;
		bool card =
			event->kind >= MP_EVENT_DRIVER && event->kind <= MP_EVENT_USER;

		if (!mp_event_is_fault(event->kind) &&
			(card || !event->has_device || !subject->has_device ||
				mp_event_is_of(event, subject)))
			from_other(diagnosis, sum, subject);
	}
}
