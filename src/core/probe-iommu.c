/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ACPI tables, units in sysfs, module parameters; the rest is in probe-iommu-*.c. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "core/acpi.h"
#include "core/iommu.h"

#define TABLES "sys/firmware/acpi/tables"
#define CLASS  "sys/class/iommu"

/* Reads a table. Without any ACPI tables at all a missing one says nothing. */
static struct mp_fact read_table(struct mp_host *host, struct mp_root *root,
	const char *name, char **data, size_t *size)
{
	g_autofree char *path = g_strdup_printf(TABLES "/%s", name);
	const char *source = mp_host_strf(host, "/%s", path);
	int err = mp_root_read(root, path, MP_READ_FILE, data, size);
	struct mp_stat st;

	if (err == -ENOENT && mp_root_stat(root, TABLES, &st) < 0)
		return mp_fact_unknown(host, source, "this host shows no ACPI tables");
	if (err < 0)
		return mp_fact_errno(host, source, err);
	return mp_fact_known(host, source, mp_host_strf(host, "%zu bytes", *size));
}

/* A table that breaks off is known as far as it goes; one without a header is not known.
 */
static void note_problem(
	struct mp_host *host, struct mp_fact *fact, bool parsed, const char *problem)
{
	if (!parsed)
		*fact = mp_fact_unknown(host, fact->source, problem);
	else if (problem)
		fact->text = mp_host_strf(host, "%s, but %s", fact->text, problem);
}

static void probe_tables(struct mp_host *host, struct mp_root *root, struct mp_iommu *t)
{
	g_autofree char *dmar = NULL, *ivrs = NULL, *madt = NULL;
	const char *problem = NULL;
	size_t size = 0;

	t->dmar_fact = read_table(host, root, "DMAR", &dmar, &size);
	if (dmar) {
		t->dmar = mp_dmar_parse(host, (const uint8_t *)dmar, size, &problem);
		note_problem(host, &t->dmar_fact, t->dmar, problem);
	}
	t->ivrs_fact = read_table(host, root, "IVRS", &ivrs, &size);
	if (ivrs) {
		t->ivrs = mp_ivrs_parse(host, (const uint8_t *)ivrs, size, &problem);
		note_problem(host, &t->ivrs_fact, t->ivrs, problem);
	}
	t->madt_fact = read_table(host, root, "APIC", &madt, &size);
	if (madt) {
		t->ioapics = mp_madt_ioapics(host, (const uint8_t *)madt, size, &problem);
		note_problem(host, &t->madt_fact, t->ioapics, problem);
		if (problem)
			t->ioapics = NULL; /* "all of them" can't be said of a part */
	}
}

static enum mp_iommu_kind kind_of(const char *name)
{
	if (g_str_has_prefix(name, "dmar"))
		return MP_IOMMU_INTEL;
	if (g_str_has_prefix(name, "ivhd"))
		return MP_IOMMU_AMD;
	return MP_IOMMU_OTHER;
}

static void probe_devices(
	struct mp_host *host, struct mp_root *root, struct mp_iommu_unit *unit)
{
	g_autofree char *path = g_strdup_printf(CLASS "/%s/devices", unit->name);
	const char *source = mp_host_strf(host, "/%s", path);
	g_auto(GStrv) names = NULL;
	int err = mp_root_list(root, path, &names);

	unit->devices = mp_host_array(host);
	if (err < 0) {
		unit->devices_fact = mp_fact_errno(host, source, err);
		return;
	}
	for (char **name = names; *name; name++) {
		g_autofree char *clean = mp_clean_text(*name, strlen(*name));

		g_ptr_array_add(unit->devices, (char *)mp_host_str(host, clean));
	}
	unit->devices_fact = mp_fact_known(host, source,
		mp_host_strf(host, "%u device%s", unit->devices->len,
			MP_PLURAL(unit->devices->len)));
}

static void probe_unit(
	struct mp_host *host, struct mp_root *root, struct mp_iommu *t, const char *name)
{
	struct mp_iommu_unit *unit = mp_host_alloc(host, sizeof(*unit));
	g_autofree char *path = g_strdup_printf(CLASS "/%s", name);
	g_autofree char *clean = mp_clean_text(name, strlen(name));
	g_autoptr(mp_dir) dir = NULL;
	int err = mp_root_dir(root, path, &dir);

	unit->name = mp_host_str(host, clean);
	unit->kind = kind_of(name);
	probe_devices(host, root, unit);
	g_ptr_array_add(t->units, unit);
	if (err < 0) {
		const char *source = mp_host_strf(host, "/" CLASS "/%s", clean);

		unit->cap = unit->ecap = unit->features =
			mp_fact_errno(host, source, err);
		return;
	}
	if (unit->kind == MP_IOMMU_INTEL) {
		unit->address = mp_fact_read_dir(host, dir, "intel-iommu/address");
		unit->version = mp_fact_read_dir(host, dir, "intel-iommu/version");
		unit->cap = mp_fact_read_dir(host, dir, "intel-iommu/cap");
		unit->ecap = mp_fact_read_dir(host, dir, "intel-iommu/ecap");
	}
	if (unit->kind == MP_IOMMU_AMD) {
		unit->cap = mp_fact_read_dir(host, dir, "amd-iommu/cap");
		unit->features = mp_fact_read_dir(host, dir, "amd-iommu/features");
	}
}

static void probe_units(struct mp_host *host, struct mp_root *root, struct mp_iommu *t)
{
	g_auto(GStrv) names = NULL;
	int err = mp_root_list(root, CLASS, &names);

	if (err < 0) {
		t->class_fact = mp_fact_errno(host, "/" CLASS, err);
		return;
	}
	for (char **name = names; *name; name++)
		probe_unit(host, root, t, *name);
	t->class_fact = mp_fact_known(host, "/" CLASS,
		t->units->len ? mp_host_strf(host, "%u unit%s", t->units->len,
					MP_PLURAL(t->units->len))
			      : "no unit");
}

void mp_probe_iommu(struct mp_host *host, struct mp_root *root)
{
	struct mp_iommu *t = mp_host_alloc(host, sizeof(*t));

	host->iommu = t;
	t->units = mp_host_array(host);
	probe_tables(host, root, t);
	probe_units(host, root, t);
	mp_probe_irq(host, root, t);
	mp_probe_iommu_debugfs(host, root, t);
	mp_probe_iommu_log(host, root, t);
	t->unsafe_interrupts_vfio = mp_fact_read(host, root,
		"sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts");
	t->unsafe_interrupts_iommufd = mp_fact_read(
		host, root, "sys/module/iommufd/parameters/allow_unsafe_interrupts");
}
