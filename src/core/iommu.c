/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Questions about the IOMMU model, and the meaning of its registers. */
#include "config.h"

#include <string.h>

#include "core/iommu.h"
#include "core/pci.h"

const struct mp_iommu_unit *mp_iommu_unit_of(
	const struct mp_host *host, const struct mp_pci *device)
{
	if (!host->iommu)
		return NULL;
	for (guint i = 0; i < host->iommu->units->len; i++) {
		const struct mp_iommu_unit *unit = host->iommu->units->pdata[i];

		for (guint d = 0; d < unit->devices->len; d++)
			if (!strcmp(unit->devices->pdata[d], device->bdf))
				return unit;
	}
	return NULL;
}

const struct mp_iommu_unit *mp_iommu_unit_at(const struct mp_host *host, uint64_t base)
{
	if (!host->iommu)
		return NULL;
	for (guint i = 0; i < host->iommu->units->len; i++) {
		const struct mp_iommu_unit *unit = host->iommu->units->pdata[i];
		uint64_t address;

		if (mp_fact_uint(&unit->address, 16, &address) && address == base)
			return unit;
	}
	return NULL;
}

bool mp_iommu_unit_efr(const struct mp_iommu_unit *unit, uint64_t *efr)
{
	g_autofree char *first = NULL;

	if (unit->features.know != MP_KNOWN)
		return false;
	first = g_strndup(unit->features.text, strcspn(unit->features.text, ":"));
	return mp_parse_uint(first, 16, efr);
}

unsigned mp_cap_mgaw(uint64_t cap)
{
	return (unsigned)(cap >> 16 & 0x3f) + 1;
}

unsigned mp_cap_sagaw(uint64_t cap)
{
	static const unsigned widths[] = { 30, 39, 48, 57, 64 };
	unsigned best = 0;

	for (unsigned i = 0; i < G_N_ELEMENTS(widths); i++)
		if (cap >> (8 + i) & 1)
			best = widths[i];
	return best;
}

unsigned mp_ecap_mhmv(uint64_t ecap)
{
	return 1u << (ecap >> 20 & 0xf);
}

struct bit {
	uint64_t mask;
	const char *name;
};

static const struct bit cap_bits[] = {
	{ MP_CAP_CM, "CM" },
	{ 1ull << 34, "2M pages" },
	{ 1ull << 35, "1G pages" },
	{ 1ull << 39, "PSI" },
	{ 1ull << 56, "FL1GP" },
	{ MP_CAP_PI, "PI" },
	{ 1ull << 60, "FL5LP" },
	{ 1ull << 62, "ESIRTPS" },
	{ 1ull << 63, "ESRTPS" },
	{ 0, NULL },
};

static const struct bit ecap_bits[] = {
	{ MP_ECAP_C, "C" },
	{ MP_ECAP_QI, "QI" },
	{ MP_ECAP_DT, "DT" },
	{ MP_ECAP_IR, "IR" },
	{ MP_ECAP_EIM, "EIM" },
	{ MP_ECAP_PT, "PT" },
	{ MP_ECAP_SC, "SC" },
	{ MP_ECAP_NEST, "NEST" },
	{ MP_ECAP_PRS, "PRS" },
	{ MP_ECAP_PASID, "PASID" },
	{ MP_ECAP_SMTS, "SMTS" },
	{ 1ull << 46, "SLTS" },
	{ 1ull << 47, "FLTS" },
	{ 0, NULL },
};

static const struct bit efr_bits[] = {
	{ MP_EFR_PREFETCH, "PreF" },
	{ MP_EFR_PPR, "PPR" },
	{ MP_EFR_XT, "XT" },
	{ MP_EFR_NX, "NX" },
	{ MP_EFR_GT, "GT" },
	{ MP_EFR_IA, "IA" },
	{ MP_EFR_GA, "GA" },
	{ MP_EFR_HE, "HE" },
	{ MP_EFR_PC, "PC" },
	{ 0, NULL },
};

static GString *describe(const struct bit *bits, uint64_t value)
{
	GString *out = g_string_new(NULL);

	for (; bits->name; bits++)
		if (value & bits->mask)
			g_string_append_printf(
				out, "%s%s", out->len ? ", " : "", bits->name);
	return out;
}

char *mp_cap_describe(uint64_t cap)
{
	GString *out = describe(cap_bits, cap);

	g_string_append_printf(out, "%sMGAW %u bits, SAGAW %u bits", out->len ? ", " : "",
		mp_cap_mgaw(cap), mp_cap_sagaw(cap));
	return g_string_free(out, FALSE);
}

char *mp_ecap_describe(uint64_t ecap)
{
	GString *out = describe(ecap_bits, ecap);

	g_string_append_printf(
		out, "%sMHMV %u", out->len ? ", " : "", mp_ecap_mhmv(ecap));
	return g_string_free(out, FALSE);
}

char *mp_efr_describe(uint64_t efr)
{
	GString *out = describe(efr_bits, efr);

	if (!out->len)
		g_string_append(out, "no feature");
	return g_string_free(out, FALSE);
}

unsigned mp_iommu_address_bits(const struct mp_host *host, const struct mp_pci *device,
	const struct mp_fact **fact)
{
	const struct mp_iommu_unit *unit =
		host->iommu ? mp_iommu_unit_of(host, device) : NULL;
	uint64_t value;

	if (!unit)
		return 0;
	if (unit->kind == MP_IOMMU_INTEL) {
		*fact = &unit->cap;
		if (!mp_fact_uint(&unit->cap, 16, &value))
			return 0;
		return MIN(mp_cap_mgaw(value), mp_cap_sagaw(value));
	}
	if (unit->kind != MP_IOMMU_AMD)
		return 0;
	*fact = &unit->features;
	if (!mp_fact_uint(&unit->features, 16, &value))
		return 0;
	/* EFR HATS, bits 11:10: levels of host page tables, 4 to 6. */
	return MIN(48 + 9 * (unsigned)((value >> 10) & 3), 64);
}
