/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "core/checks/common.h"
#include "core/modules.h"
#include "core/pci.h"

const struct mp_iommu *mp_iommu_or_none(const struct mp_host *host)
{
	/* Never written to: an empty array that all can share. */
	static GPtrArray units;
	static const struct mp_iommu none = { .units = &units };

	return host->iommu ? host->iommu : &none;
}

bool mp_say_no_units(struct mp_check_ctx *ctx)
{
	const struct mp_iommu *iommu = mp_iommu_or_none(ctx->host);
	struct mp_finding *finding;

	if (iommu->units->len)
		return false;
	if (iommu->class_fact.know != MP_UNKNOWN) {
		mp_check_say(ctx, MP_SKIP, "No IOMMU is in use: see iommu-active");
		return true;
	}
	finding = mp_check_say(ctx, MP_UNSURE,
		"It is not known whether an IOMMU is in use: see iommu-active");
	mp_finding_fact(finding, &iommu->class_fact);
	mp_finding_remedy(finding, "make /sys/class/iommu readable to this program");
	return true;
}

bool mp_say_id_unknown(struct mp_check_ctx *ctx)
{
	const struct mp_pci *device = ctx->device;
	struct mp_finding *finding;

	if (!mp_pci_id_unknown(device))
		return false;
	finding = mp_check_say(ctx, MP_UNSURE,
		"What kind of card %s is could not be read, so which profile fits it is not "
		"known",
		device->bdf);
	mp_finding_fact(finding, &device->vendor_fact);
	mp_finding_fact(finding, &device->device_fact);
	mp_finding_remedy(
		finding, "run as root on the live host: lspci -nn -s %s", device->bdf);
	return true;
}

const struct mp_platform *mp_platform_or_none(const struct mp_host *host)
{
	static const struct mp_platform none = { .cpu_vendor = MP_CPU_OTHER };

	return host->platform ? host->platform : &none;
}

const struct mp_fact *mp_running_cmdline_fact(const struct mp_host *host)
{
	static const struct mp_fact none = { .know = MP_UNKNOWN };

	return host->boot ? &host->boot->cmdline : &none;
}

const char *mp_running_cmdline(const struct mp_host *host)
{
	const struct mp_fact *fact = mp_running_cmdline_fact(host);

	return fact->know == MP_KNOWN ? fact->text : NULL;
}

bool mp_kernel_at_least(const struct mp_host *host, const char *version, bool *known)
{
	const struct mp_fact *release = &mp_platform_or_none(host)->kernel_release;

	*known = release->know == MP_KNOWN;
	return *known && mp_version_compare(release->text, version) >= 0;
}

bool mp_kernel_starts_vtd(
	const struct mp_host *host, bool *on, const struct mp_fact **fact)
{
	const struct mp_kernel *kernel = host->modules ? mp_host_kernel(host) : NULL;
	const struct mp_fact *release = &mp_platform_or_none(host)->kernel_release;
	const struct mp_fact *config = kernel ? &kernel->intel_iommu_default_on : release;
	bool by_config = kernel && config->know == MP_KNOWN;

	if (fact)
		*fact = by_config ? config : release;
	if (kernel)
		return mp_kernel_vtd_default(kernel, on);
	return release->know == MP_KNOWN && mp_release_vtd_default(release->text, on);
}

bool mp_host_is_guest(const struct mp_host *host)
{
	const struct mp_iommu *iommu = mp_iommu_or_none(host);

	if (mp_fact_is(&mp_platform_or_none(host)->hypervisor, "yes"))
		return true;
	for (guint i = 0; i < iommu->units->len; i++) {
		const struct mp_iommu_unit *unit = iommu->units->pdata[i];
		uint64_t cap;

		if (unit->kind == MP_IOMMU_INTEL && mp_fact_uint(&unit->cap, 16, &cap) &&
			cap & MP_CAP_CM)
			return true;
	}
	return false;
}

/* True if the last of WORDS in the comma list of NAME is OFF. */
static bool switched_off(
	const char *cmdline, const char *name, const char *const *words, const char *off)
{
	const char *last = cmdline ? mp_cmdline_last(cmdline, name, words) : NULL;

	return last && !strcmp(last, off);
}

const char *mp_cmdline_intremap_off(const struct mp_host *host)
{
	/* drivers/iommu/irq_remapping.c: setup_irqremap(); "on" takes "off" back. */
	static const char *const words[] = { "off", "on", NULL };
	const char *cmdline = mp_running_cmdline(host);
	g_autofree char *old = NULL;

	if (switched_off(cmdline, "intremap", words, "off"))
		return "intremap=off";
	old = cmdline ? mp_cmdline_get(cmdline, "nointremap") : NULL;
	return old ? "nointremap" : NULL;
}

const char *mp_cmdline_iommu_off(const struct mp_host *host)
{
	static const char *const intel[] = { "off", "on", NULL };
	static const char *const amd[] = { "off", NULL };
	static const char *const both[] = { "off", "force", NULL };
	const char *cmdline = mp_running_cmdline(host);

	if (switched_off(cmdline, "intel_iommu", intel, "off"))
		return "intel_iommu=off";
	if (switched_off(cmdline, "amd_iommu", amd, "off"))
		return "amd_iommu=off";
	if (switched_off(cmdline, "iommu", both, "off"))
		return "iommu=off";
	return NULL;
}

bool mp_iommu_has_kind(const struct mp_iommu *iommu, enum mp_iommu_kind kind)
{
	for (guint i = 0; i < iommu->units->len; i++)
		if (((const struct mp_iommu_unit *)iommu->units->pdata[i])->kind == kind)
			return true;
	return false;
}

const char *mp_firmware_menu(const struct mp_host *host)
{
	if (mp_host_is_guest(host))
		return "this host is itself a VM: give it an emulated IOMMU on its own "
		       "host "
		       "(Proxmox VE: `qm set VMID --machine q35,viommu=intel`; QEMU: "
		       "-device "
		       "intel-iommu,intremap=on,caching-mode=on with "
		       "kernel-irqchip=split)";
	switch (mp_platform_or_none(host)->cpu_vendor) {
	case MP_CPU_INTEL:
		return "in the firmware setup (BIOS), enable \"Intel VT-d\" (also called "
		       "\"VT for Directed I/O\") and, where there is such an item, "
		       "\"Interrupt "
		       "Remapping\"; save and power-cycle";
	case MP_CPU_AMD:
		return "in the firmware setup (BIOS), set \"IOMMU\" to Enabled (not "
		       "Auto; below "
		       "AMD CBS > NBIO) and enable \"SVM Mode\"; save and power-cycle";
	case MP_CPU_OTHER:
		break;
	}
	return "enable the IOMMU in the firmware setup (BIOS); save and power-cycle";
}

void mp_remedy_add(
	struct mp_finding *finding, const struct mp_host *host, const char *parameter)
{
	g_autofree char *step = host->boot ? mp_loader_how_to_add(host, parameter) : NULL;

	if (step)
		mp_finding_remedy(finding, "%s", step);
	else
		mp_finding_remedy(finding,
			"add to the kernel command line: %s; then reboot", parameter);
}

void mp_remedy_remove(
	struct mp_finding *finding, const struct mp_host *host, const char *parameter)
{
	g_autofree char *step =
		host->boot ? mp_loader_how_to_remove(host, parameter) : NULL;

	if (step)
		mp_finding_remedy(finding, "%s", step);
	else
		mp_finding_remedy(finding,
			"remove from the kernel command line: %s; then reboot",
			parameter);
}
