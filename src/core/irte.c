/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "core/irte.h"
#include "core/pci.h"

#define PATH_TABLE  "sys/kernel/debug/iommu/intel/ir_translation_struct"
#define TABLE_MAX   (16u * 1024 * 1024)
#define ENTRIES_MAX 65536 /* of one unit: VT-d 9.9 */
#define FIELDS_MAX  8

/* "... Interrupt supported on IOMMU: dmar3": which table follows. */
static bool take_heading(
	struct mp_host *host, const char *line, const char **unit, bool *posted)
{
	static const char words[] = " supported on IOMMU: ";
	const char *found = strstr(line, words);

	if (!found)
		return false;
	*unit = mp_host_str(host, found + strlen(words));
	*posted = g_str_has_prefix(line, "Posted");
	return true;
}

/* "BB:DD.F", hexadecimal. */
static bool take_source(const char *text, struct mp_irte *irte)
{
	g_autofree char *full = g_strdup_printf("0000:%s", text);
	uint32_t domain;

	return strlen(text) <= 7 &&
	       mp_pci_parse_bdf(full, &domain, &irte->bus, &irte->slot, &irte->function);
}

/* " Entry SrcID DstID Vct IRTE_high IRTE_low"; posted: " Entry SrcID PDA_high PDA_low Vct ..." */
static void take_entry(struct mp_host *host, const char *line, const char *unit,
	bool posted, struct mp_irtes *irtes)
{
	g_auto(GStrv) words = g_strsplit_set(line, " \t", -1);
	const char *fields[FIELDS_MAX];
	struct mp_irte *irte;
	struct mp_irte found = { .unit = unit, .posted = posted };
	uint64_t number, vector = 0;
	size_t n = 0;

	for (char **word = words; *word && n < FIELDS_MAX; word++)
		if (**word)
			fields[n++] = *word;
	if (n < 6 || !mp_parse_uint(fields[0], 10, &number) || number >= ENTRIES_MAX ||
		!take_source(fields[1], &found) ||
		!mp_parse_uint(fields[posted ? 4 : 3], 16, &vector) || vector > 0xff)
		return;
	found.handle = (unsigned)number;
	found.vector = (unsigned)vector;
	irte = mp_host_alloc(host, sizeof(*irte));
	*irte = found;
	g_ptr_array_add(irtes->all, irte);
}

void mp_irtes_parse(struct mp_host *host, const char *text, struct mp_irtes *irtes)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	const char *unit = NULL;
	bool posted = false;

	for (char **line = lines; *line; line++)
		if (!take_heading(host, *line, &unit, &posted) && unit)
			take_entry(host, *line, unit, posted, irtes);
}

const struct mp_irtes *mp_irtes_read(struct mp_host *host, struct mp_root *root)
{
	struct mp_irtes *irtes = mp_host_alloc(host, sizeof(*irtes));
	g_autofree char *text = NULL;
	g_autofree char *clean = NULL;
	size_t size = 0;
	int err = mp_root_read(root, PATH_TABLE, TABLE_MAX, &text, &size);

	irtes->all = mp_host_array(host);
	if (err < 0) {
		irtes->table = mp_fact_errno(host, "/" PATH_TABLE, err);
		return irtes;
	}
	clean = mp_clean_text(text, size);
	mp_irtes_parse(host, clean, irtes);
	irtes->table = mp_fact_known(
		host, "/" PATH_TABLE, mp_host_strf(host, "%u", irtes->all->len));
	return irtes;
}

bool mp_irte_is_of(const struct mp_irte *irte, const struct mp_pci *device)
{
	return irte->bus == device->bus && irte->slot == device->slot &&
	       irte->function == device->function;
}
