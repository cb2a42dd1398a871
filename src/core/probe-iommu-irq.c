/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The chips of live interrupts: what the machine does, not what it could do.
 *
 * /proc/interrupts names the outermost chip of each interrupt (kernel/irq/proc.c). With
 * remapping it starts with "IR-": IR-IO-APIC, IR-PCI-MSI (to 6.1),
 * IR-PCI-MSI-0000:00:1f.2 and IR-PCI-MSIX-0000:01:00.0 (from 6.2,
 * msi_create_device_irq_domain in kernel/irq/msi.c).
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "core/iommu.h"

#define PATH     "proc/interrupts"
/* 512 processors with 4000 interrupts: 11 bytes each. */
#define LIVE_MAX (64u * 1024 * 1024)
#define BLANK    " \t"

static size_t count_words(const char *p, const char *end)
{
	size_t count = 0;

	while (p < end) {
		p += strspn(p, BLANK);
		if (p >= end)
			break;
		count++;
		p += strcspn(p, BLANK "\n");
	}
	return count;
}

struct irq_line {
	const char *label;
	size_t label_length;
	uint64_t total;
	const char *rest, *end; /* chip, hardware number, actions */
};

/* "  24:  0  17  IR-PCI-MSI-0000:00:1f.2   0-edge   ahci": false for what is no such
 * line. */
static bool take_line(
	const char *p, const char *end, size_t columns, struct irq_line *line)
{
	p += strspn(p, BLANK);
	line->label = p;
	p += strcspn(p, ":\n");
	if (p >= end || *p != ':')
		return false;
	line->label_length = (size_t)(p - line->label);
	line->total = 0;
	p++;
	for (size_t i = 0; i < columns; i++) {
		g_autofree char *word = NULL;
		uint64_t value;
		size_t length;

		p += strspn(p, BLANK);
		length = strcspn(p, BLANK "\n");
		word = g_strndup(p, MIN(length, 24));
		if (!mp_parse_uint(word, 10, &value))
			break; /* fewer columns: "ERR: 0" */
		line->total += value;
		p += length;
	}
	p += strspn(p, BLANK);
	line->rest = MIN(p, end);
	line->end = end;
	return true;
}

/* Calls EACH for every line below the header. */
static void each_line(
	const char *text, void (*each)(const struct irq_line *, void *), void *user)
{
	const char *end = text + strcspn(text, "\n");
	size_t columns = count_words(text, end);

	while (*end) {
		const char *p = end + 1;
		struct irq_line line;

		end = p + strcspn(p, "\n");
		if (take_line(p, end, columns, &line))
			each(&line, user);
	}
}

static void compact_line(const struct irq_line *line, void *user)
{
	g_string_append_printf(user, "%*.*s: %10" G_GUINT64_FORMAT "  %.*s\n", 4,
		(int)line->label_length, line->label, line->total,
		(int)(line->end - line->rest), line->rest);
}

char *mp_interrupts_compact(const char *text)
{
	GString *out = g_string_new("            ALL\n");

	each_line(text, compact_line, out);
	return g_string_free(out, FALSE);
}

struct count {
	struct mp_host *host;
	struct mp_irq_chips *chips;
	unsigned lines;
};

/* The IOMMU signals its own faults without itself: DMAR-MSI, IOMMU-MSI, and the plain MSI
 * of older AMD units, which only the name of its handler tells ("AMD-Vi", "AMD-Vi0-Evt").
 */
static bool is_own(const char *chip, const char *rest)
{
	if (g_str_has_prefix(chip, "DMAR") || g_str_has_prefix(chip, "IOMMU-MSI"))
		return true;
	return strstr(rest, " AMD-Vi") != NULL;
}

static const char *sample(struct mp_host *host, const char *chip, const char *rest)
{
	/* The handlers come last, after two blanks or more. */
	const char *who = g_strrstr(rest, "  ");
	g_autofree char *clean = mp_clean_text(chip, strlen(chip));
	g_autofree char *clean_who = who ? mp_clean_text(who + 2, strlen(who + 2)) : NULL;

	if (!clean_who || !*g_strstrip(clean_who))
		return mp_host_str(host, clean);
	return mp_host_strf(host, "%.64s (%.64s)", clean, clean_who);
}

static void count_line(const struct irq_line *line, void *user)
{
	struct count *count = user;
	struct mp_irq_chips *chips = count->chips;
	g_autofree char *rest = g_strndup(line->rest, (gsize)(line->end - line->rest));
	g_autofree char *chip = g_strndup(rest, strcspn(rest, BLANK));
	bool remapped, msi = strstr(chip, "MSI") != NULL;

	for (size_t i = 0; i < line->label_length || !i; i++)
		if (!g_ascii_isdigit(line->label[i]))
			return; /* NMI, LOC and so on: counters, no interrupts of devices
				 */
	count->lines++;
	if (!*chip || is_own(chip, rest))
		return;
	remapped = g_str_has_prefix(chip, "IR-") || g_str_has_prefix(chip, "INTEL-IR") ||
		   g_str_has_prefix(chip, "AMD-IR");
	if (remapped) {
		chips->remapped++;
		chips->remapped_msi += msi;
		if (!chips->sample_remapped ||
			(msi && !strstr(chips->sample_remapped, "MSI")))
			chips->sample_remapped = sample(count->host, chip, rest);
		return;
	}
	/* Others hang below a chip that this file doesn't show: GPIO, XT-PIC, and children
	 * of VMD ("VMD-MSI"; since 6.17 [I] "VMD-PCI-MSIX-10000:01:00.0", vmd_msi_parent_ops in
	 * drivers/pci/controller/vmd.c), whose messages VMD's own interrupt replaces. */
	if (!g_str_has_prefix(chip, "PCI-MSI") && !g_str_has_prefix(chip, "IO-APIC") &&
		!g_str_has_prefix(chip, "HPET"))
		return;
	chips->direct++;
	chips->direct_msi += msi;
	if (!chips->sample_direct || (msi && !strstr(chips->sample_direct, "MSI")))
		chips->sample_direct = sample(count->host, chip, rest);
}

void mp_irq_chips_parse(
	struct mp_host *host, const char *text, struct mp_irq_chips *chips)
{
	struct count count = { .host = host, .chips = chips };

	each_line(text, count_line, &count);
	if (!count.lines) {
		chips->fact = mp_fact_unknown(host, "/" PATH, "no line of an interrupt");
		return;
	}
	chips->fact = mp_fact_known(host, "/" PATH,
		mp_host_strf(host, "%u remapped, %u not remapped", chips->remapped,
			chips->direct));
}

static int produce_interrupts(void *user G_GNUC_UNUSED, char **data, size_t *size)
{
	g_autoptr(mp_root) live = mp_root_open("/", NULL);
	g_autofree char *text = NULL;
	int err = live ? mp_root_read(live, PATH, LIVE_MAX, &text, size) : -EIO;

	if (err < 0)
		return err;
	*data = mp_interrupts_compact(text);
	*size = strlen(*data);
	return 0;
}

void mp_probe_irq(struct mp_host *host, struct mp_root *root, struct mp_iommu *iommu)
{
	g_autofree char *text = NULL;
	size_t size = 0;
	int err = mp_root_produced(
		root, MP_PATH_INTERRUPTS, produce_interrupts, NULL, &text, &size);

	/* A captured directory may hold the file itself. */
	if (!mp_root_is_live(root) &&
		(err == -ENOENT || err == -ENOTDIR || err == -ENODATA))
		err = mp_root_read(root, PATH, MP_READ_FILE, &text, &size);
	if (err < 0) {
		iommu->irq.fact = mp_fact_errno(host, "/" PATH, err);
		if (iommu->irq.fact.know == MP_ABSENT)
			iommu->irq.fact = mp_fact_unknown(host, "/" PATH, "no such file");
		return;
	}
	mp_irq_chips_parse(host, text, &iommu->irq);
}
