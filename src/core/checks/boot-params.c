/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sources: Documentation/admin-guide/kernel-parameters.txt; intel_iommu_setup() in
 * drivers/iommu/intel/iommu.c; parse_amd_iommu_options() in drivers/iommu/amd/init.c;
 * iommu_setup() in arch/x86/kernel/pci-dma.c; setup_irqremap() in
 * drivers/iommu/irq_remapping.c; the ACS override patch and relax_rmrr patch of Proxmox.
 */
#include "config.h"

#include <string.h>

#include "core/boot.h"
#include "core/checks/boot-params.h"

enum { ANY = -1 };

static const struct rule {
	const char *name,
		*word; /* WORD of NAME's comma list; NULL: any value; "*x": prefix */
	enum mp_severity severity;
	int vendor; /* enum mp_cpu_vendor or ANY */
	const char *meaning;
} rules[] = {
	{ "iommu", "off", MP_FAIL, ANY,
		"switches every IOMMU off: passthrough is impossible" },
	{ "pci", "nomsi", MP_FAIL, ANY,
		"forbids MSI: the card gets no interrupt of its own" },
	{ "module_blacklist", "*vfio", MP_FAIL, ANY, "forbids the kernel to load VFIO" },
	{ "initcall_blacklist", "*vfio", MP_FAIL, ANY,
		"keeps the kernel from starting VFIO" },
	{ "intremap", "off", MP_WARN, ANY,
		"switches interrupt remapping off: a device can forge interrupts, and VFIO refuses "
		"it" },
	{ "nointremap", NULL, MP_WARN, ANY, "switches interrupt remapping off" },
	{ "intremap", "nosid", MP_WARN, ANY,
		"accepts interrupts of any device for any other: isolation is lost" },
	{ "vfio_iommu_type1.allow_unsafe_interrupts", "1", MP_WARN, ANY,
		"lets a VM's device forge interrupts of the host" },
	{ "vfio_iommu_type1.allow_unsafe_interrupts", "Y", MP_WARN, ANY,
		"lets a VM's device forge interrupts of the host" },
	{ "vfio_iommu_type1.allow_unsafe_interrupts", "y", MP_WARN, ANY,
		"lets a VM's device forge interrupts of the host" },
	{ "vfio_iommu_type1.allow_unsafe_interrupts", "on", MP_WARN, ANY,
		"lets a VM's device forge interrupts of the host" },
	{ "iommufd.allow_unsafe_interrupts", "1", MP_WARN, ANY,
		"lets a VM's device forge interrupts of the host" },
	{ "pcie_acs_override", NULL, MP_WARN, ANY,
		"makes groups look isolated that are not: devices in them can reach each other" },
	{ "pci", "*disable_acs_redir", MP_WARN, ANY,
		"lets devices reach each other without the IOMMU" },
	{ "intel_iommu", "relax_rmrr", MP_WARN, MP_CPU_INTEL,
		"lets a device be passed through whose memory the firmware still uses" },
	{ "intel_iommu", "on", MP_INFO, MP_CPU_AMD, "does nothing on an AMD host" },
	{ "intel_iommu", "off", MP_INFO, MP_CPU_AMD, "does nothing on an AMD host" },
	{ "amd_iommu", "on", MP_INFO, ANY,
		"is no option of the AMD driver (it logs 'Unknown option'); it does nothing" },
	{ "amd_iommu", "off", MP_INFO, MP_CPU_INTEL, "does nothing on an Intel host" },
	{ "iommu", "on", MP_INFO, ANY, "is no option of x86 kernels; it does nothing" },
	{ "iommu", "1", MP_INFO, ANY, "is no option of x86 kernels; it does nothing" },
	{ "rd.driver.pre", NULL, MP_INFO, ANY,
		"is for dracut; initramfs-tools of Debian and Proxmox does not know it" },
};

static void note_free(void *data)
{
	struct mp_param_note *note = data;

	g_free(note->parameter);
	g_free(note);
}

static void add(GPtrArray *notes, enum mp_severity severity, const char *parameter,
	const char *meaning, bool missing)
{
	struct mp_param_note *note = g_new(struct mp_param_note, 1);

	*note = (struct mp_param_note){ severity, g_strdup(parameter), meaning, missing };
	g_ptr_array_add(notes, note);
}

void mp_param_note_add(GPtrArray *notes, enum mp_severity severity, const char *parameter,
	const char *meaning)
{
	add(notes, severity, parameter, meaning, true);
}

static bool word_fits(const char *wanted, const char *value)
{
	if (*wanted != '*')
		return !strcmp(wanted, value);
	return g_str_has_prefix(value, wanted + 1);
}

static void apply(const struct rule *rule, const struct mp_param *param, GPtrArray *notes)
{
	if (!mp_cmdline_name_is(param->name, rule->name))
		return;
	if (!rule->word) {
		g_autofree char *text = g_strconcat(
			param->name, param->value ? "=" : NULL, param->value, NULL);

		add(notes, rule->severity, text, rule->meaning, false);
		return;
	}
	g_auto(GStrv) words = g_strsplit(param->value ? param->value : "", ",", -1);

	for (char **word = words; *word; word++) {
		if (!word_fits(rule->word, *word))
			continue;
		g_autofree char *text = g_strdup_printf("%s=%s", param->name, *word);

		add(notes, rule->severity, text, rule->meaning, false);
		return;
	}
}

/* "on" and "off" of one name: the last counts, the others say nothing. */
static void judge_switch(
	const char *cmdline, const char *name, const char *meaning, GPtrArray *notes)
{
	static const char *const words[] = { "on", "off", NULL };
	const char *last = mp_cmdline_last(cmdline, name, words);

	if (last && !strcmp(last, "off")) {
		g_autofree char *text = g_strdup_printf("%s=off", name);

		add(notes, MP_FAIL, text, meaning, false);
	}
}

GPtrArray *mp_param_notes(const char *cmdline, enum mp_cpu_vendor vendor)
{
	GPtrArray *notes = g_ptr_array_new_with_free_func(note_free);
	g_autoptr(GPtrArray) params = mp_cmdline_split(cmdline);

	if (vendor != MP_CPU_AMD)
		judge_switch(cmdline, "intel_iommu",
			"switches VT-d off: passthrough is impossible", notes);
	if (vendor != MP_CPU_INTEL)
		judge_switch(cmdline, "amd_iommu",
			"switches AMD-Vi off: passthrough is impossible", notes);
	for (size_t r = 0; r < G_N_ELEMENTS(rules); r++)
		for (guint i = 0; i < params->len; i++)
			if (rules[r].vendor == ANY || rules[r].vendor == (int)vendor)
				apply(&rules[r], params->pdata[i], notes);
	return notes;
}

const struct mp_param_note *mp_param_notes_worst(const GPtrArray *notes)
{
	const struct mp_param_note *worst = NULL;

	for (guint i = 0; i < notes->len; i++) {
		const struct mp_param_note *note = notes->pdata[i];

		if (!worst || note->severity > worst->severity)
			worst = note;
	}
	return worst;
}

char *mp_param_notes_remedy(const GPtrArray *notes, const struct mp_host *host)
{
	g_autoptr(GString) missing = g_string_new(NULL);
	g_autoptr(GString) wrong = g_string_new(NULL);
	g_autofree char *add_how = NULL;
	g_autofree char *remove_how = NULL;

	for (guint i = 0; i < notes->len; i++) {
		const struct mp_param_note *note = notes->pdata[i];
		GString *list = note->missing ? missing : wrong;

		if (note->severity >= MP_WARN)
			g_string_append_printf(
				list, "%s%s", list->len ? " " : "", note->parameter);
	}
	if (missing->len)
		add_how = mp_loader_how_to_add(host, missing->str);
	if (wrong->len)
		remove_how = mp_loader_how_to_remove(host, wrong->str);
	return g_strconcat(add_how ? add_how : "", add_how && remove_how ? "\n" : "",
		remove_how ? remove_how : "", NULL);
}

/* Names, and prefixes ended by '.', whose change between two boots matters here. */
static bool of_interest(const char *name)
{
	static const char *const names[] = { "intel_iommu", "amd_iommu", "amd_iommu_intr",
		"iommu", "iommu.passthrough", "iommu.strict", "intremap", "nointremap",
		"no_x2apic_optout", "pcie_acs_override", "pci", "pcie_aspm", "hugepages",
		"hugepagesz", "default_hugepagesz", "modprobe.blacklist",
		"module_blacklist", "initcall_blacklist", "nox2apic", "lockdown" };
	static const char *const prefixes[] = { "vfio-pci.", "vfio-iommu-type1.", "vfio.",
		"iommufd.", "kvm.", "kvm-intel.", "kvm-amd." };

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		if (mp_cmdline_name_is(name, names[i]))
			return true;
	const char *dot = strchr(name, '.');

	for (size_t i = 0; dot && i < G_N_ELEMENTS(prefixes); i++) {
		g_autofree char *prefix = g_strndup(name, (gsize)(dot - name) + 1);

		if (mp_cmdline_name_is(prefix, prefixes[i]))
			return true;
	}
	return false;
}

static bool holds(const GPtrArray *params, const struct mp_param *wanted)
{
	for (guint i = 0; i < params->len; i++) {
		const struct mp_param *param = params->pdata[i];

		if (mp_cmdline_name_is(param->name, wanted->name) &&
			!g_strcmp0(param->value, wanted->value))
			return true;
	}
	return false;
}

char *mp_params_only_in(const char *a, const char *b)
{
	g_autoptr(GPtrArray) in_a = mp_cmdline_split(a);
	g_autoptr(GPtrArray) in_b = mp_cmdline_split(b);
	g_autoptr(GString) only = g_string_new(NULL);

	for (guint i = 0; i < in_a->len; i++) {
		const struct mp_param *param = in_a->pdata[i];

		if (!of_interest(param->name) || holds(in_b, param))
			continue;
		g_string_append_printf(only, "%s%s%s%s", only->len ? " " : "",
			param->name, param->value ? "=" : "",
			param->value ? param->value : "");
	}
	return only->len ? g_string_free(g_steal_pointer(&only), FALSE) : NULL;
}
