/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "core/plan/vm-value.h"

/* True if the part of a property string is "KEY=..."; for the default key also without. */
static bool is_part(const char *part, const char *key, bool is_default)
{
	size_t length = strlen(key);

	if (!strchr(part, '='))
		return is_default;
	return !strncmp(part, key, length) && part[length] == '=';
}

static void append(GString *text, const char *part)
{
	if (!*part)
		return;
	if (text->len)
		g_string_append_c(text, ',');
	g_string_append(text, part);
}

/* $machine_fmt: pc, pc-i440fx-9.2+pve1, pc-9.2; NULL: no q35 counterpart. */
static char *q35_type(const char *type)
{
	static const char *const i440fx[] = { "pc-i440fx-", "pc-" };

	if (strstr(type, "q35"))
		return g_strdup(type);
	if (!*type || !strcmp(type, "pc"))
		return g_strdup("q35");
	for (size_t i = 0; i < G_N_ELEMENTS(i440fx); i++)
		if (g_str_has_prefix(type, i440fx[i]))
			return g_strconcat("pc-q35-", type + strlen(i440fx[i]), NULL);
	return NULL;
}

/* True where PARTS have the vIOMMU that is wanted, NULL: whatever they have. */
static bool has_viommu(char **parts, const char *viommu)
{
	const char *found = "off";

	for (char **part = parts; viommu && *part; part++)
		if (is_part(*part, "viommu", false))
			found = strchr(*part, '=') + 1;
	return !viommu || !strcmp(found, viommu);
}

char *mp_vm_machine_for(const char *now, const char *viommu)
{
	g_auto(GStrv) parts = g_strsplit(now ? now : "", ",", -1);
	g_autoptr(GString) rest = g_string_new(NULL);
	g_autoptr(GString) value = g_string_new(NULL);
	g_autofree char *type = NULL;
	const char *old = "";

	for (char **part = parts; *part; part++) {
		if (is_part(*part, "type", true)) {
			if (**part)
				old = strchr(*part, '=') ? strchr(*part, '=') + 1 : *part;
			continue;
		}
		if (viommu && is_part(*part, "viommu", false))
			continue;
		/* Without a vIOMMU it is an error (assert_valid_machine_property). */
		if (!g_strcmp0(viommu, "off") && is_part(*part, "aw-bits", false))
			continue;
		append(rest, *part);
	}
	type = q35_type(old);
	if (!type)
		return NULL;
	/* As it should be already, in whatever order and spelling. */
	if (strstr(old, "q35") && has_viommu(parts, viommu))
		return g_strdup(now);
	append(value, type);
	if (viommu && strcmp(viommu, "off") != 0) {
		g_autofree char *part = g_strdup_printf("viommu=%s", viommu);

		append(value, part);
	}
	append(value, rest->str);
	return g_string_free(g_steal_pointer(&value), FALSE);
}

/* True when LINE gives just FUNCTIONS, by an address. */
static bool means(const struct mp_hostpci *line, const GPtrArray *functions)
{
	if (!line->hosts->len || line->missing->len ||
		line->devices->len != functions->len)
		return false;
	for (guint i = 0; i < functions->len; i++)
		if (!g_ptr_array_find(line->devices, functions->pdata[i], NULL))
			return false;
	return true;
}

char *mp_vm_hostpci_for(const struct mp_hostpci *line, const GPtrArray *functions,
	const char *path, const char *mapping, bool express)
{
	g_autoptr(GString) value = g_string_new(NULL);
	const char *kept = line && !mapping ? line->mapping : NULL;
	bool right = line && (mapping ? !g_strcmp0(line->mapping, mapping)
				      : kept || means(line, functions));

	if (right && (line->pcie || !express))
		return g_strdup(line->raw);
	if (mapping || kept)
		g_string_printf(value, "mapping=%s", mapping ? mapping : kept);
	else
		g_string_assign(value, path);
	if (express)
		append(value, "pcie=1");
	if (!line)
		return g_string_free(g_steal_pointer(&value), FALSE);
	g_auto(GStrv) parts = g_strsplit(line->raw, ",", -1);
	for (char **part = parts; *part; part++)
		if (!is_part(*part, "host", true) && !is_part(*part, "mapping", false) &&
			!is_part(*part, "pcie", false))
			append(value, *part);
	return g_string_free(g_steal_pointer(&value), FALSE);
}
