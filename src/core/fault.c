/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "core/fact.h"
#include "core/fault.h"

#define LINE_MAX_BYTES 1024 /* LOG_LINE_MAX of printk, about */

/* Requester, with the brackets that kernels before 5.x doubled, and the "0x" of 5.14-5.18. */
#define SOURCE                                                                           \
	"Request device \\[+(?:0x)?(?<bus>[0-9a-f]{2}):(?:0x)?(?<slot>[0-9a-f]{2})\\."   \
	"(?<function>[0-7])\\]"
/* Before 5.14 decimal ("37"), then with 0x. */
#define REASON "\\[fault reason (?<reason>(?:0x)?[0-9a-f]+)\\]"

enum pattern {
	INTEL_DMA,
	INTEL_INTERRUPT,
	INTEL_REASON, /* the second line of the old two-line form */
	AMD_EVENT,
	AMD_FIELDS, /* the second line of the old two-line form */
	SUPPRESSED,
	PATTERNS
};

static const char *const patterns[PATTERNS] = {
	[INTEL_DMA] =
		"\\[DMA (?<type>Read|Write)(?: NO_PASID| PASID 0x(?<pasid>[0-9a-f]+))?"
		"\\] ?" SOURCE "(?: PASID (?<oldpasid>[0-9a-f]+))? fault addr "
		"(?:0x)?(?<address>[0-9a-f]+) *(?:" REASON ")?",
	[INTEL_INTERRUPT] =
		"INTR-REMAP\\]? ?:? ?" SOURCE " fault index "
		"(?:0x)?(?<index>[0-9a-f]+)\\s*(?:INTR-REMAP:)?(?:" REASON ")?",
	[INTEL_REASON] = "(?:DMAR|INTR-REMAP|dmar): ?" REASON,
	[AMD_EVENT] = "(?:(?<prefix>[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\\.[0-7]): )?"
		      "AMD-Vi: Event logged \\[(?<event>[A-Z_]*)(?<fields>[^\\]]*)",
	[AMD_FIELDS] = "^(?<event>[A-Z_]{6,}) (?<fields>device=[^\\]]*)",
	[SUPPRESSED] =
		"(?:dmar_fault|AMD-Vi|amd_iommu\\w*|iommu_print_event|"
		"amd_iommu_report_page_fault): (?<count>[0-9]+) callbacks suppressed",
};

static const GRegex *pattern(enum pattern which)
{
	static GRegex *compiled[PATTERNS];

	if (!compiled[which])
		compiled[which] = g_regex_new(patterns[which],
			G_REGEX_CASELESS | G_REGEX_RAW | G_REGEX_OPTIMIZE, 0, NULL);
	return compiled[which];
}

static bool matches(
	enum pattern which, const char *line, size_t length, GMatchInfo **info)
{
	return g_regex_match_full(pattern(which), line, (gssize)length, 0, 0, info, NULL);
}

/* False where the group did not take part or is no number that fits. */
static bool fetch(const GMatchInfo *info, const char *name, int base, uint64_t *value)
{
	g_autofree char *text = g_match_info_fetch_named(info, name);

	return text && *text && mp_parse_uint(text, base, value);
}

static void fetch_source(const GMatchInfo *info, struct mp_fault *fault)
{
	uint64_t bus, slot, function;

	if (!fetch(info, "bus", 16, &bus) || !fetch(info, "slot", 16, &slot) ||
		!fetch(info, "function", 16, &function) || slot > 31)
		return;
	fault->has_source = true;
	fault->bus = (uint8_t)bus;
	fault->slot = (uint8_t)slot;
	fault->function = (uint8_t)function;
}

/* dmar_fault_do_one() printed the reason as %02d until 5.13, as 0x%02x since. */
static void fetch_reason(const GMatchInfo *info, struct mp_fault *fault)
{
	g_autofree char *text = g_match_info_fetch_named(info, "reason");
	uint64_t reason;

	if (!text || !*text)
		return;
	bool hex = g_ascii_strncasecmp(text, "0x", 2) == 0;

	if (!mp_parse_uint(hex ? text + 2 : text, hex ? 16 : 10, &reason) ||
		reason > 0xff)
		return;
	fault->has_reason = true;
	fault->reason = (uint32_t)reason;
}

static bool parse_intel_dma(const char *line, size_t length, struct mp_fault *fault)
{
	g_autoptr(GMatchInfo) info = NULL;
	uint64_t pasid;

	if (!matches(INTEL_DMA, line, length, &info))
		return false;
	g_autofree char *type = g_match_info_fetch_named(info, "type");

	fault->kind = MP_FAULT_DMA;
	fault->unit = MP_FAULT_INTEL;
	fault->write = g_ascii_strcasecmp(type, "Write") == 0;
	fetch_source(info, fault);
	fetch_reason(info, fault);
	fault->has_address = fetch(info, "address", 16, &fault->address);
	/* 5.x printed every fault with a PASID; all ones was none. */
	if ((fetch(info, "pasid", 16, &pasid) || fetch(info, "oldpasid", 16, &pasid)) &&
		pasid < 0xfffff) {
		fault->has_pasid = true;
		fault->pasid = (uint32_t)pasid;
	}
	return true;
}

static bool parse_intel_interrupt(const char *line, size_t length, struct mp_fault *fault)
{
	g_autoptr(GMatchInfo) info = NULL;
	uint64_t index;

	if (!matches(INTEL_INTERRUPT, line, length, &info))
		return false;
	fault->kind = MP_FAULT_INTERRUPT;
	fault->unit = MP_FAULT_INTEL;
	fetch_source(info, fault);
	fetch_reason(info, fault);
	if (fetch(info, "index", 16, &index) && index <= 0xffff) {
		fault->has_index = true;
		fault->index = (uint32_t)index;
	}
	return true;
}

/* "0c:00.0", "0000:0c:00.0" */
static void take_amd_source(const char *text, struct mp_fault *fault)
{
	g_auto(GStrv) parts = g_strsplit_set(text, ":.", 5);
	guint n = g_strv_length(parts);
	uint64_t value[4] = { 0 };

	if (n != 3 && n != 4)
		return;
	for (guint i = 0; i < n; i++)
		if (!mp_parse_uint(parts[i], 16, &value[4 - n + i]))
			return;
	if (value[0] > UINT32_MAX || value[1] > 0xff || value[2] > 31 || value[3] > 7)
		return;
	fault->has_source = true;
	fault->has_domain = n == 4;
	fault->domain = (uint32_t)value[0];
	fault->bus = (uint8_t)value[1];
	fault->slot = (uint8_t)value[2];
	fault->function = (uint8_t)value[3];
}

/* " device=0c:00.0 domain=0x0021 address=0x149800000 flags=0x0020" */
static void take_amd_fields(const char *fields, struct mp_fault *fault)
{
	g_auto(GStrv) words = g_strsplit_set(fields, " \t", 16);

	for (char **word = words; *word; word++) {
		char *value = strchr(*word, '=');
		uint64_t number;

		if (!value)
			continue;
		*value++ = '\0';
		if (!strcmp(*word, "device")) {
			take_amd_source(value, fault);
			continue;
		}
		if (!mp_parse_uint(g_str_has_prefix(value, "0x") ? value + 2 : value, 16,
			    &number))
			continue;
		if (!strcmp(*word, "address")) {
			fault->has_address = true;
			fault->address = number;
		} else if (!strcmp(*word, "flags") && number <= 0xfff) {
			fault->has_reason = true;
			fault->reason = (uint32_t)number;
		}
	}
}

static bool take_amd(const GMatchInfo *info, struct mp_fault *fault)
{
	g_autofree char *event = g_match_info_fetch_named(info, "event");
	g_autofree char *fields = g_match_info_fetch_named(info, "fields");

	fault->unit = MP_FAULT_AMD;
	fault->kind = MP_FAULT_OTHER;
	g_strlcpy(fault->event, event ? event : "", sizeof(fault->event));
	take_amd_fields(fields ? fields : "", fault);
	if (strcmp(fault->event, "IO_PAGE_FAULT") != 0)
		return true;
	/* Bits of an IO_PAGE_FAULT: I (3) an interrupt request, RW (5) a write; AMD I/O
	 * Virtualization specification, Event Log Entries. */
	fault->kind = fault->has_reason && (fault->reason & 0x008) ? MP_FAULT_INTERRUPT
								   : MP_FAULT_DMA;
	fault->write = fault->has_reason && (fault->reason & 0x020);
	return true;
}

static bool parse_amd(const char *line, size_t length, struct mp_fault *fault)
{
	g_autoptr(GMatchInfo) info = NULL;

	if (!matches(AMD_EVENT, line, length, &info))
		return false;
	/* Before device= in the brackets: the device that the line is printed for. */
	g_autofree char *prefix = g_match_info_fetch_named(info, "prefix");

	if (prefix && *prefix)
		take_amd_source(prefix, fault);
	return take_amd(info, fault);
}

static bool parse_suppressed(const char *line, size_t length, struct mp_fault *fault)
{
	g_autoptr(GMatchInfo) info = NULL;

	if (!matches(SUPPRESSED, line, length, &info) ||
		!fetch(info, "count", 10, &fault->suppressed))
		return false;
	fault->kind = MP_FAULT_SUPPRESSED;
	fault->unit =
		memmem(line, length, "dmar_fault", 10) ? MP_FAULT_INTEL : MP_FAULT_AMD;
	return true;
}

bool mp_fault_parse(const char *line, size_t length, struct mp_fault *fault)
{
	*fault = (struct mp_fault){ .line = line, .line_length = length };
	length = MIN(length, LINE_MAX_BYTES);
	/* Nearly every line of a log is none: ask cheaply first. */
	if (memmem(line, length, "equest device", 13))
		return parse_intel_dma(line, length, fault) ||
		       parse_intel_interrupt(line, length, fault);
	if (memmem(line, length, "Event logged", 12))
		return parse_amd(line, length, fault);
	return memmem(line, length, "callbacks suppressed", 20) &&
	       parse_suppressed(line, length, fault);
}

/* The text of a line behind "[seconds.micros] ". */
static const char *skip_time(const char *line, size_t *length)
{
	const char *end = *line == '[' ? memchr(line, ']', MIN(*length, 24)) : NULL;

	if (!end)
		return line;
	end++;
	if ((size_t)(end - line) < *length && *end == ' ')
		end++;
	*length -= (size_t)(end - line);
	return end;
}

/* The old two-line forms: what the second line adds to the fault of the first. */
static bool continue_fault(struct mp_fault *fault, const char *line, size_t length)
{
	g_autoptr(GMatchInfo) info = NULL;
	const char *text = skip_time(line, &length);

	length = MIN(length, LINE_MAX_BYTES);
	if (fault->unit == MP_FAULT_INTEL && !fault->has_reason &&
		fault->kind != MP_FAULT_SUPPRESSED &&
		matches(INTEL_REASON, text, length, &info)) {
		fetch_reason(info, fault);
		return fault->has_reason;
	}
	g_clear_pointer(&info, g_match_info_unref);
	if (fault->unit == MP_FAULT_AMD && fault->kind == MP_FAULT_OTHER &&
		!*fault->event && matches(AMD_FIELDS, text, length, &info))
		return take_amd(info, fault);
	return false;
}

GArray *mp_faults_parse(const char *text, size_t size)
{
	GArray *faults = g_array_new(FALSE, FALSE, sizeof(struct mp_fault));
	const char *end = text + size;
	bool fresh = false; /* the line before was a fault */

	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		size_t length = (size_t)((newline ? newline : end) - text);
		struct mp_fault fault;
		bool is_one = mp_fault_parse(text, length, &fault);

		if (is_one)
			g_array_append_val(faults, fault);
		else if (fresh)
			continue_fault(
				&g_array_index(faults, struct mp_fault, faults->len - 1),
				text, length);
		fresh = is_one;
		text = newline ? newline + 1 : end;
	}
	return faults;
}

bool mp_fault_is_of(const struct mp_fault *fault, uint32_t domain, uint8_t bus,
	uint8_t slot, uint8_t function)
{
	return fault->has_source && (!fault->has_domain || fault->domain == domain) &&
	       fault->bus == bus && fault->slot == slot && fault->function == function;
}

/* Intel VT-d specification, "Fault Reason Encodings", in our words. */
static const struct {
	uint8_t reason;
	const char *text;
} reasons[] = {
	{ 0x01, "the root table entry of the bus is not present" },
	{ 0x02, "the context entry of the device is not present" },
	{ 0x03, "the context entry of the device is invalid" },
	{ 0x04, "the address is beyond the width that the IOMMU was set up for" },
	{ 0x05, "no mapping lets the device write there" },
	{ 0x06, "no mapping lets the device read there" },
	{ 0x07, "the next page table could not be read" },
	{ 0x08, "the root table could not be read" },
	{ 0x09, "the context table could not be read" },
	{ 0x0a, "reserved bits are set in the root entry" },
	{ 0x0b, "reserved bits are set in the context entry" },
	{ 0x0c, "reserved bits are set in a page table entry" },
	{ 0x0d, "the context entry blocks translation requests" },
	{ 0x20, "the interrupt message has reserved bits set" },
	{ 0x21, "the interrupt index is beyond the remapping table" },
	{ 0x22, "the remapping entry of the interrupt is not present" },
	{ 0x23, "the remapping table could not be read" },
	{ 0x24, "reserved bits are set in the remapping entry" },
	{ 0x25, "the interrupt message was not in remappable format" },
	{ 0x26, "the remapping entry belongs to another device" },
	{ 0x27, "the descriptor for posted interrupts could not be read" },
	{ 0x28, "reserved bits are set in the descriptor for posted interrupts" },
	/* Scalable mode. */
	{ 0x38, "the root entry could not be read" },
	{ 0x39, "the root table entry of the bus is not present" },
	{ 0x3a, "reserved bits are set in the root entry" },
	{ 0x40, "the context entry could not be read" },
	{ 0x41, "the context entry of the device is not present" },
	{ 0x42, "reserved bits are set in the context entry" },
	{ 0x43, "the context entry of the device is invalid" },
	{ 0x50, "the PASID directory could not be read" },
	{ 0x51, "the PASID directory entry is not present" },
	{ 0x52, "reserved bits are set in the PASID directory entry" },
	{ 0x58, "the PASID table entry could not be read" },
	{ 0x59, "the PASID table entry of the device is not present" },
	{ 0x5a, "reserved bits are set in the PASID table entry" },
	{ 0x5b, "the PASID table entry is invalid" },
	{ 0x70, "a first-level page table could not be read" },
	{ 0x71, "the page is not present in the first-level tables" },
	{ 0x72, "reserved bits are set in a first-level entry" },
	{ 0x74, "the address is beyond the width that the IOMMU was set up for" },
	{ 0x77, "no first-level mapping lets the device write there" },
	{ 0x78, "a second-level page table could not be read" },
	{ 0x79, "no second-level mapping allows it" },
	{ 0x7a, "reserved bits are set in a second-level entry" },
	{ 0x80, "the address is not canonical" },
	{ 0x81, "the page is not for user requests" },
	{ 0x82, "the page is not for execution" },
	{ 0x83, "the address is beyond the first-level tables" },
	{ 0x84, "the address is beyond the second-level tables" },
	{ 0x85, "no mapping lets the device write there" },
	{ 0x86, "no mapping lets the device read there" },
	{ 0x87, "it is no interrupt message, but in the interrupt window" },
};

const char *mp_fault_reason_text(uint32_t intel_reason)
{
	for (size_t i = 0; i < G_N_ELEMENTS(reasons); i++)
		if (reasons[i].reason == intel_reason)
			return reasons[i].text;
	return NULL;
}
