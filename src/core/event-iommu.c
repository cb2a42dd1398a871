/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Faults as Intel's and AMD's drivers print them. */
#include "config.h"

#include <limits.h>

#include "core/event-private.h"

/* --- Intel --- */

/* "[86:00.0]"; "[[86:00.0]" before 5.x, "[0x86:0x00.0]" in 5.14 to 5.18. */
static bool cut_source(struct mp_cut *cut, struct mp_event *event)
{
	uint64_t bus, slot, function;

	if (!mp_cut_char(cut, '['))
		return false;
	while (mp_cut_char(cut, '['))
		;
	MP_CUT(cut, "0x");
	if (!mp_cut_hex(cut, 2, &bus) || !mp_cut_char(cut, ':'))
		return false;
	MP_CUT(cut, "0x");
	if (!mp_cut_hex(cut, 2, &slot) || slot > 31 || !mp_cut_char(cut, '.') ||
		!mp_cut_hex(cut, 1, &function) || function > 7 || !mp_cut_char(cut, ']'))
		return false;
	event->has_device = true;
	event->bus = (uint8_t)bus;
	event->slot = (uint8_t)slot;
	event->function = (uint8_t)function;
	return true;
}

/* "[fault reason 0x05]"; without 0x it is decimal: dmar_fault_do_one() before 5.14. */
static bool cut_reason(struct mp_cut *cut, struct mp_event *event)
{
	struct mp_cut at = *cut;
	uint64_t reason;

	mp_cut_spaces(&at);
	if (!MP_CUT(&at, "[fault reason "))
		return false;
	if (!(MP_CUT(&at, "0x") ? mp_cut_hex(&at, 2, &reason)
				: mp_cut_decimal(&at, &reason)) ||
		reason > 0xff || !mp_cut_char(&at, ']'))
		return false;
	event->has_reason = true;
	event->reason = (uint32_t)reason;
	*cut = at;
	return true;
}

/* 5.x told a PASID with every fault; all ones was none. */
static void cut_pasid(struct mp_cut *cut, struct mp_event *event)
{
	struct mp_cut at = *cut;
	uint64_t pasid;

	if (!MP_CUT(&at, " PASID ") || !mp_cut_0xhex(&at, &pasid))
		return;
	*cut = at;
	if (pasid >= 0xfffff)
		return;
	event->has_pasid = true;
	event->pasid = (uint32_t)pasid;
}

/* Behind "[DMA ". */
static bool intel_dma(struct mp_cut *cut, struct mp_event *event)
{
	bool one_line;

	if (MP_CUT(cut, "Write"))
		event->direction = MP_DIRECTION_WRITE;
	else if (MP_CUT(cut, "Read"))
		event->direction = MP_DIRECTION_READ;
	else
		return false;
	one_line = MP_CUT(cut, " NO_PASID");
	if (!one_line)
		cut_pasid(cut, event);
	if (!mp_cut_char(cut, ']'))
		return false;
	mp_cut_char(cut, ' ');
	if (!MP_CUT(cut, "Request device ") || !cut_source(cut, event))
		return false;
	cut_pasid(cut, event);
	if (!MP_CUT(cut, " fault addr ") || !mp_cut_0xhex(cut, &event->address))
		return false;
	event->has_address = true;
	event->kind = MP_EVENT_DMA;
	/* No kernel that tells NO_PASID splits the line: half a line holds half an address. */
	if (!cut_reason(cut, event) && one_line)
		event->has_address = false;
	return true;
}

/* Behind "INTR-REMAP". */
static bool intel_interrupt(struct mp_cut *cut, struct mp_event *event)
{
	uint64_t index;

	mp_cut_char(cut, ']');
	mp_cut_char(cut, ':');
	mp_cut_char(cut, ' ');
	if (!MP_CUT(cut, "Request device ") || !cut_source(cut, event) ||
		!MP_CUT(cut, " fault index ") || !mp_cut_0xhex(cut, &index) ||
		index > 0xffff)
		return false;
	event->kind = MP_EVENT_INTERRUPT;
	event->has_index = true;
	event->index = (uint32_t)index;
	mp_cut_spaces(cut);
	MP_CUT(cut, "INTR-REMAP:");
	cut_reason(cut, event);
	return true;
}

static bool walk(struct mp_event *event, const char *detail, uint64_t number)
{
	event->kind = MP_EVENT_WALK;
	event->has_number = true;
	event->number = number;
	g_strlcpy(event->detail, detail, sizeof(event->detail));
	return true;
}

/* The dump of the tables behind a fault (CONFIG_DMAR_DEBUG), dmar_fault_dump_ptes(). */
static bool intel_walk(struct mp_cut *cut, struct mp_event *event)
{
	static const char *const entries[] = { "scalable mode root entry", "root entry",
		"context entry", "pasid dir entry", "pasid table entry", "root_entry",
		"ctx_entry", "root table entry is not present",
		"context table entry is not present",
		"pasid directory entry is not present",
		"pasid table entry is not present" };
	static const char *const nothing[] = { "no iommu info for this device",
		"iommu domain does not exist for this device" };
	uint64_t level, value;

	if (MP_CUT(cut, "Dump dmar") && mp_cut_decimal(cut, &value) &&
		MP_CUT(cut, " table entries for IOVA ") && mp_cut_0xhex(cut, &value)) {
		event->has_address = true;
		event->address = value;
		return walk(event, "dump", 0);
	}
	if (MP_CUT(cut, "pte level: ") && mp_cut_decimal(cut, &level) &&
		MP_CUT(cut, ", pte value: ") && mp_cut_0xhex(cut, &value)) {
		event->has_index = true;
		event->index = (uint32_t)level;
		return walk(event, "pte", value);
	}
	if (MP_CUT(cut, "PTE not present at level ") && mp_cut_decimal(cut, &level))
		return walk(event, "pte not present", level);
	for (size_t i = 0; i < G_N_ELEMENTS(nothing); i++)
		if (mp_cut_text(cut, nothing[i], strlen(nothing[i])))
			return walk(event, nothing[i], 0);
	for (size_t i = G_N_ELEMENTS(entries); i-- > 0;)
		if (mp_cut_text(cut, entries[i], strlen(entries[i])))
			return walk(event, entries[i], 0);
	return false;
}

bool mp_event_intel(struct mp_cut cut, struct mp_event *event, enum mp_more *more)
{
	bool prefix = false;

	/* "DMAR: DMAR:[" happened when a driver got a prefix and kept its old one. */
	while (MP_CUT(&cut, "DMAR:") || MP_CUT(&cut, "dmar:")) {
		mp_cut_char(&cut, ' ');
		prefix = true;
	}
	event->unit = MP_UNIT_INTEL;
	if (prefix && MP_CUT(&cut, "[DMA "))
		return intel_dma(&cut, event);
	if (MP_CUT(&cut, "INTR-REMAP") || (prefix && MP_CUT(&cut, "[INTR-REMAP"))) {
		struct mp_cut at = cut;

		if (intel_interrupt(&cut, event))
			return true;
		*more = MP_MORE_REASON_INTERRUPT;
		return mp_cut_char(&at, ':') && cut_reason(&at, event);
	}
	if (!prefix)
		return false;
	if (cut_reason(&cut, event)) {
		*more = MP_MORE_REASON_DMA;
		return true;
	}
	if (MP_CUT(&cut, "DRHD: handling fault status reg ")) {
		uint64_t status;

		if (!mp_cut_hex(&cut, 8, &status))
			return false;
		/* Bit 0: Primary Fault Overflow; VT-d specification, Fault Status. */
		event->kind = status & 1 ? MP_EVENT_LOST : MP_EVENT_STATUS;
		event->has_reason = true;
		event->reason = (uint32_t)status;
		return true;
	}
	return intel_walk(&cut, event);
}

/* --- AMD --- */

static bool name_is(const struct mp_cut *name, const char *text)
{
	return (size_t)(name->end - name->at) == strlen(text) &&
	       !memcmp(name->at, text, strlen(text));
}

/* Up to '=': the name; the cut stands behind it. False: no further field. */
static bool cut_field(struct mp_cut *cut, struct mp_cut *name)
{
	mp_cut_spaces(cut);
	name->at = cut->at;
	while (cut->at < cut->end && *cut->at != '=' && *cut->at != ' ' &&
		*cut->at != ']')
		cut->at++;
	name->end = cut->at;
	return cut->at < cut->end && *cut->at != ']';
}

/* "device=0c:00.0 domain=0x0021 address=0x149800000 flags=0x0020]" */
static bool amd_fields(struct mp_cut *cut, struct mp_event *event)
{
	struct mp_cut name;
	bool any = false;

	for (int i = 0; i < 12 && cut_field(cut, &name); i++) {
		uint64_t value;

		if (!mp_cut_char(cut, '='))
			continue; /* a word without a value */
		any = true;
		if (name_is(&name, "device")) {
			if (!mp_cut_address(cut, event))
				return false;
			continue;
		}
		if (!mp_cut_0xhex(cut, &value))
			return any;
		if (name_is(&name, "address") || name_is(&name, "gpa")) {
			event->has_address = true;
			event->address = value;
		} else if (name_is(&name, "flags")) {
			event->has_flags = true;
			event->flags = (uint32_t)value;
		} else if (name_is(&name, "domain")) {
			event->has_domain = true;
			event->domain = (uint32_t)value;
		} else if (name_is(&name, "pasid") && value) {
			event->has_pasid = true;
			event->pasid = (uint32_t)value;
		}
	}
	return any;
}

/* Bits of an IO_PAGE_FAULT's flags: I (3) an interrupt request, RW (5) a write. AMD I/O
 * Virtualization Technology specification, "IO_PAGE_FAULT Event". */
#define AMD_FLAG_I  0x008
#define AMD_FLAG_RW 0x020

static bool amd_event(struct mp_cut *cut, struct mp_event *event)
{
	mp_cut_word(cut, " ]", event->detail, sizeof(event->detail));
	if (strlen(event->detail) < 6)
		return false;
	amd_fields(cut, event);
	event->kind = MP_EVENT_IOMMU;
	if (strcmp(event->detail, "IO_PAGE_FAULT") != 0)
		return true;
	event->kind = MP_EVENT_DMA;
	if (!event->has_flags)
		return true;
	if (event->flags & AMD_FLAG_I)
		event->kind = MP_EVENT_INTERRUPT;
	else
		event->direction = event->flags & AMD_FLAG_RW ? MP_DIRECTION_WRITE
							      : MP_DIRECTION_READ;
	return true;
}

/* A second line: "  IO_PAGE_FAULT device=0c:00.0 domain=0x0021 ...]", as of 3.x. */
static bool amd_second(struct mp_cut *cut, struct mp_event *event)
{
	struct mp_cut at = *cut;

	mp_cut_spaces(&at);
	for (const char *c = at.at; c < at.end && *c != ' '; c++)
		if ((*c < 'A' || *c > 'Z') && *c != '_')
			return false;
	return amd_event(&at, event) && event->has_device;
}

bool mp_event_amd(
	struct mp_cut cut, bool of_device, struct mp_event *event, enum mp_more *more)
{
	static const struct {
		const char *text;
		enum mp_event_kind kind;
		const char *detail;
	} others[] = {
		{ "IOMMU event log overflow", MP_EVENT_LOST, "" },
		{ "IOMMU Event log restarting", MP_EVENT_LOST, "" },
		{ "No event written to event log", MP_EVENT_LOST, "" },
		{ "Completion-Wait loop timed out", MP_EVENT_IOMMU,
			"COMPLETION_WAIT_TIMEOUT" },
	};

	event->unit = MP_UNIT_AMD;
	if (!MP_CUT(&cut, "AMD-Vi: ")) {
		*more = MP_MORE_AMD_FIELDS;
		return !of_device && amd_second(&cut, event);
	}
	if (MP_CUT(&cut, "Event logged [")) {
		mp_cut_spaces(&cut);
		if (cut.at == cut.end) {
			*more = MP_MORE_AMD_EMPTY;
			event->kind = MP_EVENT_IOMMU;
			return true;
		}
		return amd_event(&cut, event);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(others); i++)
		if (mp_cut_text(&cut, others[i].text, strlen(others[i].text))) {
			event->kind = others[i].kind;
			g_strlcpy(event->detail, others[i].detail, sizeof(event->detail));
			return true;
		}
	return false;
}

/* --- all --- */

bool mp_event_suppressed(struct mp_cut cut, struct mp_event *event)
{
	static const struct {
		const char *function;
		enum mp_event_unit unit;
	} functions[] = {
		{ "dmar", MP_UNIT_INTEL },
		{ "amd_iommu", MP_UNIT_AMD },
		{ "iommu_print_event", MP_UNIT_AMD },
		{ "AMD-Vi", MP_UNIT_AMD },
		{ "arm_smmu", MP_UNIT_SMMU },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(functions); i++) {
		const char *function = functions[i].function;

		if (!mp_cut_text(&cut, function, strlen(function)))
			continue;
		while (cut.at < cut.end && *cut.at != ':' && *cut.at != ' ')
			cut.at++;
		if (!MP_CUT(&cut, ": ") || !mp_cut_decimal(&cut, &event->at_least) ||
			!MP_CUT(&cut, " callbacks suppressed") ||
			event->at_least > INT_MAX) /* the kernel counts in an int */
			return false;
		event->kind = MP_EVENT_SUPPRESSED;
		event->unit = functions[i].unit;
		return true;
	}
	return false;
}
