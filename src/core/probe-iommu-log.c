/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel says about its IOMMU: its log, and Intel's registers in debugfs. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "core/iommu.h"

#define SOURCE_LOG   "kernel log"
#define DEBUGFS      "sys/kernel/debug/iommu/intel"
/* The table of interrupts has a line for each entry in use. */
#define IR_TABLE_MAX (1024u * 1024)

/* Where a fact goes, and what it is called as evidence. */
#define FACT(name, what) offsetof(struct mp_iommu_log, name), SOURCE_LOG ", " what
#define IR_ENABLED       FACT(ir_enabled, "remapping enabled")
#define IR_REFUSED       FACT(ir_refused, "remapping refused")
#define X2APIC_OPT_OUT   FACT(x2apic_opt_out, "x2APIC opt-out")
#define IOMMU_ENABLED    FACT(iommu_enabled, "IOMMU found")
#define DEFAULT_DOMAIN   FACT(default_domain, "default domain")
#define RMRR_REFUSED     FACT(rmrr_refused, "device refused for its reserved memory")
#define AMD_OPTION       FACT(amd_option, "unknown AMD-Vi option")

/*
 * Parts of lines that name one thing each, from drivers/iommu/{intel,amd} and the core.
 * The first fitting line of the log counts: later ones repeat it.
 */
static const struct rule {
	size_t fact;        /* offset in struct mp_iommu_log */
	const char *source; /* what the fact is called as evidence */
	const char *part;
} rules[] = {
	{ IR_ENABLED, "DMAR-IR: Enabled IRQ remapping in" },
	{ IR_ENABLED, "AMD-Vi: Interrupt remapping enabled" },
	{ IR_REFUSED, "Failed to enable irq remapping" },
	{ IR_REFUSED, "Not enabling interrupt remapping" },
	{ IR_REFUSED, "Not enable interrupt remapping" },
	{ IR_REFUSED, "interrupt remapping will be disabled" },
	{ IR_REFUSED, "AMD-Vi: Disabling interrupt remapping" },
	{ IR_REFUSED, "Interrupt remapping is being disabled" },
	{ X2APIC_OPT_OUT, "x2apic is disabled because BIOS sets x2apic opt out bit" },
	{ IOMMU_ENABLED, "DMAR: IOMMU enabled" },
	{ IOMMU_ENABLED, "DMAR: Intel(R) Virtualization Technology for Directed I/O" },
	{ IOMMU_ENABLED, "AMD-Vi: Found IOMMU" },
	{ IOMMU_ENABLED, "AMD-Vi: AMD IOMMUv2" },
	{ IOMMU_ENABLED, "AMD-Vi: Lazy IO/TLB flushing enabled" },
	{ DEFAULT_DOMAIN, "iommu: Default domain type:" },
	{ RMRR_REFUSED,
		"Device is ineligible for IOMMU domain attach due to platform RMRR" },
	{ RMRR_REFUSED, "Firmware has requested this device have a 1:1 IOMMU mapping" },
	{ AMD_OPTION, "AMD-Vi: Unknown option" },
};

static struct mp_fact *fact_at(struct mp_iommu_log *log, size_t offset)
{
	return (struct mp_fact *)(void *)((char *)log + offset);
}

/* The text after "[ 12.345678] " and after any prefix of syslog before it. */
static const char *message(const char *line)
{
	const char *p = line + strspn(line, " ");
	const char *end;

	if (*p != '[' || !(end = strchr(p, ']')))
		return line;
	if (strspn(p + 1, " 0123456789.") != (size_t)(end - p - 1))
		return line;
	return end + 1 + strspn(end + 1, " ");
}

static void take_line(struct mp_host *host, struct mp_iommu_log *log, const char *line)
{
	/* Most lines have nothing to do with it: these words are in all that do. */
	if (!strstr(line, "DMAR") && !strstr(line, "AMD-Vi") && !strstr(line, "IOMMU") &&
		!strstr(line, "iommu") && !strstr(line, "remapping") &&
		!strstr(line, "x2apic"))
		return;
	for (size_t i = 0; i < G_N_ELEMENTS(rules); i++) {
		struct mp_fact *fact = fact_at(log, rules[i].fact);
		g_autofree char *clean = NULL;

		if (fact->know == MP_KNOWN || !strstr(line, rules[i].part))
			continue;
		line = message(line);
		clean = mp_clean_text(line, strnlen(line, 512));
		*fact = mp_fact_known(host, rules[i].source, clean);
	}
}

void mp_iommu_log_parse(struct mp_host *host, const char *text, struct mp_iommu_log *log)
{
	for (size_t i = 0; i < G_N_ELEMENTS(rules); i++)
		*fact_at(log, rules[i].fact) = mp_fact_absent(host, rules[i].source);
	log->complete = false;
	while (*text) {
		size_t length = strcspn(text, "\n");
		g_autofree char *line = g_strndup(text, length);

		if (!strncmp(message(line), "Linux version ", strlen("Linux version ")))
			log->complete = true;
		take_line(host, log, line);
		text += length + (text[length] == '\n');
	}
}

void mp_probe_iommu_log(
	struct mp_host *host, struct mp_root *root, struct mp_iommu *iommu)
{
	struct mp_iommu_log *log = &iommu->log;
	g_autofree char *text = NULL;
	size_t size = 0;
	int err = mp_root_klog(root, &text, &size);

	if (err < 0) {
		struct mp_fact fact = mp_fact_errno(host, SOURCE_LOG, err);

		if (fact.know == MP_ABSENT)
			fact = mp_fact_unknown(host, SOURCE_LOG, "not captured");
		log->readable = fact;
		for (size_t i = 0; i < G_N_ELEMENTS(rules); i++)
			*fact_at(log, rules[i].fact) =
				mp_fact_unknown(host, rules[i].source, fact.why);
		return;
	}
	mp_iommu_log_parse(host, text, log);
	log->text = mp_host_own(host, g_steal_pointer(&text), g_free);
	log->readable = mp_fact_known(host, SOURCE_LOG,
		log->complete ? "since the start of the kernel" : "its start is lost");
}

GArray *mp_regset_parse(struct mp_host *host, const char *text)
{
	GArray *units =
		mp_host_own(host, g_array_new(FALSE, FALSE, sizeof(struct mp_gsts)),
			(GDestroyNotify)g_array_unref);
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	g_autofree char *unit = NULL;

	for (char **line = lines; *line; line++) {
		const char *p = *line;
		struct mp_gsts gsts;
		uint64_t value;

		if (g_str_has_prefix(p, "IOMMU: ")) {
			p += strlen("IOMMU: ");
			g_free(unit);
			unit = mp_clean_text(p, strcspn(p, " "));
			continue;
		}
		/* "GSTS            \t0x1c\t\t0x00000000c7000000": the last word. */
		if (!unit || strncmp(p, "GSTS", 4) != 0 || !strchr(" \t", p[4]))
			continue;
		g_strchomp(*line);
		p += strlen(p);
		while (p > *line && !strchr(" \t", p[-1]))
			p--;
		if (!mp_parse_uint(p, 16, &value) || value > UINT32_MAX)
			continue;
		gsts = (struct mp_gsts){ .unit = mp_host_str(host, unit),
			.value = (uint32_t)value };
		g_array_append_val(units, gsts);
	}
	return units;
}

char *mp_ir_table_parse(const char *text)
{
	static const char head[] = "Remapped Interrupt supported on IOMMU: ";
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	GString *out = g_string_new(NULL);
	g_autofree char *unit = NULL;

	for (char **line = lines; *line; line++) {
		const char *state = NULL;

		if (g_str_has_prefix(*line, head)) {
			g_free(unit);
			unit = mp_clean_text(
				*line + strlen(head), strlen(*line + strlen(head)));
			g_strstrip(unit);
			continue;
		}
		/* The second half of the file repeats the units for posted interrupts. */
		if (g_str_has_prefix(*line, "****"))
			break;
		if (strstr(*line, "IR table address:"))
			state = "on";
		else if (strstr(*line, "Interrupt Remapping is not enabled"))
			state = "off";
		if (!unit || !state)
			continue;
		g_string_append_printf(out, "%s%s=%s", out->len ? " " : "", unit, state);
		g_clear_pointer(&unit, g_free);
	}
	return g_string_free(out, FALSE);
}

static struct mp_fact regset_fact(struct mp_host *host, const char *source, GArray *units)
{
	g_autoptr(GString) text = g_string_new(NULL);

	for (guint i = 0; i < units->len; i++) {
		const struct mp_gsts *gsts = &g_array_index(units, struct mp_gsts, i);

		g_string_append_printf(
			text, "%s%s=0x%08x", i ? " " : "", gsts->unit, gsts->value);
	}
	if (!units->len)
		return mp_fact_unknown(host, source, "no unit in it");
	return mp_fact_known(host, source, text->str);
}

void mp_probe_iommu_debugfs(
	struct mp_host *host, struct mp_root *root, struct mp_iommu *iommu)
{
	static const char regset_source[] = "/" DEBUGFS "/iommu_regset GSTS";
	static const char table_source[] = "/" DEBUGFS "/ir_translation_struct";
	g_autofree char *regset = NULL, *table = NULL;
	size_t size = 0;
	int err =
		mp_root_read(root, DEBUGFS "/iommu_regset", MP_READ_FILE, &regset, &size);

	if (err < 0) {
		iommu->gsts = mp_fact_errno(host, regset_source, err);
	} else {
		iommu->gsts_units = mp_regset_parse(host, regset);
		iommu->gsts = regset_fact(host, regset_source, iommu->gsts_units);
	}
	err = mp_root_read(
		root, DEBUGFS "/ir_translation_struct", IR_TABLE_MAX, &table, &size);
	if (err < 0) {
		iommu->ir_table = mp_fact_errno(host, table_source, err);
		return;
	}
	g_autofree char *states = mp_ir_table_parse(table);
	iommu->ir_table = *states ? mp_fact_known(host, table_source, states)
				  : mp_fact_unknown(host, table_source, "no unit in it");
}
