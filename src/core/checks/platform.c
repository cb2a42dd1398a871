/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CPU, lockdown, and the switches that trade isolation for convenience. */
#include "config.h"

#include <string.h>

#include "core/checks/common.h"
#include "core/modules.h"
#include "core/pci.h"

static const char *virt_menu(const struct mp_host *host)
{
	if (mp_host_is_guest(host))
		return "this host is itself a VM: give it the CPU type \"host\" on its "
		       "own host (Proxmox VE: `qm set VMID --cpu host`) and allow "
		       "nesting there";
	if (mp_platform_or_none(host)->cpu_vendor == MP_CPU_AMD)
		return "in the firmware setup (BIOS), enable \"SVM Mode\"; save and "
		       "power-cycle";
	return "in the firmware setup (BIOS), enable \"Intel Virtualization Technology\" "
	       "(VT-x, VMX); save and power-cycle";
}

static void cpu_virtualization(struct mp_check_ctx *ctx)
{
	const struct mp_platform *t = mp_platform_or_none(ctx->host);
	struct mp_finding *finding;

	if (t->cpu_virt.know == MP_UNKNOWN) {
		finding = mp_check_say(ctx, MP_UNSURE,
			"It is not known whether the CPU of this host can run virtual "
			"machines");
		mp_finding_remedy(finding, "make /proc/cpuinfo readable to this program");
	} else if (t->cpu_virt.know == MP_ABSENT) {
		finding = mp_check_say(ctx, MP_FAIL,
			"The CPU of this host offers neither VT-x (vmx) nor AMD-V (svm)");
		mp_finding_remedy(finding, "%s", virt_menu(ctx->host));
	} else if (t->kvm_module.know == MP_KNOWN) {
		finding = mp_check_say(ctx, MP_PASS,
			"The CPU of this host can run virtual machines (%s) and KVM "
			"uses it",
			t->cpu_virt.text);
	} else if (t->kvm_module.know == MP_ABSENT) {
		const char *module =
			!strcmp(t->cpu_virt.text, "svm") ? "kvm_amd" : "kvm_intel";

		finding = mp_check_say(ctx, MP_WARN,
			"The CPU of this host has %s, but the module %s is not loaded",
			t->cpu_virt.text, module);
		mp_finding_remedy(finding,
			"run: modprobe %s; if that says \"Operation not supported\", %s",
			module, virt_menu(ctx->host));
	} else {
		finding = mp_check_say(ctx, MP_UNSURE,
			"The CPU of this host has %s; whether KVM uses it is not known",
			t->cpu_virt.text);
		mp_finding_remedy(finding, "look for /sys/module/kvm_intel or kvm_amd");
	}
	mp_finding_fact(finding, &t->cpu_model);
	mp_finding_fact(finding, &t->cpu_virt);
	mp_finding_fact(finding, &t->kvm_module);
}

static void kernel_lockdown(struct mp_check_ctx *ctx)
{
	const struct mp_platform *t = mp_platform_or_none(ctx->host);
	struct mp_finding *finding;

	if (t->lockdown.know == MP_UNKNOWN) {
		finding = mp_check_say(
			ctx, MP_UNSURE, "The kernel's lockdown level is not known");
		mp_finding_remedy(finding,
			"read it as root: mount -t securityfs none "
			"/sys/kernel/security; cat /sys/kernel/security/lockdown");
	} else if (t->lockdown.know == MP_ABSENT || mp_fact_is(&t->lockdown, "none")) {
		finding = mp_check_say(
			ctx, MP_PASS, "The kernel of this host is not locked down");
	} else if (mp_fact_is(&t->lockdown, "integrity")) {
		finding = mp_check_say(ctx, MP_INFO,
			"The kernel of this host is locked down (integrity): only "
			"signed modules load, and nobody reads card registers through "
			"sysfs");
	} else {
		finding = mp_check_say(ctx, MP_WARN,
			"The kernel of this host is locked down (%s): diagnosis of DMA "
			"and interrupt faults is mostly blind",
			t->lockdown.text);
		mp_finding_remedy(finding,
			"for the time of the diagnosis, disable Secure Boot in the "
			"firmware setup or boot without \"lockdown=confidentiality\"");
	}
	mp_finding_fact(finding, &t->lockdown);
	mp_finding_fact(finding, &t->secure_boot);
}

/* A value of allow_unsafe_interrupts that says yes; the kernel's kstrtobool(). */
static bool says_yes(const char *value)
{
	return value && strchr("yYtT1", *value) && *value;
}

static const struct mp_modprobe_line *unsafe_option(const struct mp_host *host)
{
	const GPtrArray *lines = host->modules ? host->modules->modprobe : NULL;

	for (guint i = 0; lines && i < lines->len; i++) {
		const struct mp_modprobe_line *line = lines->pdata[i];
		g_autofree char *value = NULL;

		if (line->kind != MP_MODPROBE_OPTIONS || !line->value)
			continue;
		if (strcmp(line->module, "vfio_iommu_type1") &&
			strcmp(line->module, "iommufd"))
			continue;
		value = mp_cmdline_get(line->value, "allow_unsafe_interrupts");
		if (value && (!*value || says_yes(value)))
			return line;
	}
	return NULL;
}

static const char *unsafe_on_cmdline(const struct mp_host *host)
{
	static const char *const names[] = { "vfio_iommu_type1.allow_unsafe_interrupts",
		"iommufd.allow_unsafe_interrupts" };
	const char *cmdline = mp_running_cmdline(host);

	for (size_t i = 0; cmdline && i < G_N_ELEMENTS(names); i++) {
		g_autofree char *value = mp_cmdline_get(cmdline, names[i]);

		if (value && (!*value || says_yes(value)))
			return names[i];
	}
	return NULL;
}

/* Where the option could stand, and could not be read; or NULL. */
static const struct mp_fact *unread_option(const struct mp_host *host)
{
	const struct mp_fact *cmdline = mp_running_cmdline_fact(host);
	const GPtrArray *unreadable = host->modules ? host->modules->unreadable : NULL;

	for (guint i = 0; unreadable && i < unreadable->len; i++) {
		const struct mp_fact *fact = unreadable->pdata[i];

		if (fact->source && strstr(fact->source, "/modprobe.d"))
			return fact;
	}
	return cmdline->know == MP_UNKNOWN && cmdline->source ? cmdline : NULL;
}

static void unsafe_interrupts_off(struct mp_check_ctx *ctx)
{
	const struct mp_iommu *iommu = mp_iommu_or_none(ctx->host);
	const struct mp_fact *vfio = &iommu->unsafe_interrupts_vfio;
	const struct mp_fact *iommufd = &iommu->unsafe_interrupts_iommufd;
	const struct mp_modprobe_line *option = unsafe_option(ctx->host);
	const char *parameter = unsafe_on_cmdline(ctx->host);
	bool now = says_yes(vfio->text) || says_yes(iommufd->text);
	const struct mp_fact *unread;
	struct mp_finding *finding;

	if (now || option || parameter) {
		finding = mp_check_say(ctx, MP_FAIL,
			now ? "VFIO is allowed to hand out cards without interrupt "
			      "remapping (allow_unsafe_interrupts)"
			    : "The next load of VFIO will hand out cards without "
			      "interrupt remapping (allow_unsafe_interrupts)");
		if (option)
			mp_finding_remedy(finding,
				"delete allow_unsafe_interrupts from %s, run "
				"update-initramfs -u -k all, then reboot",
				option->file);
		else if (parameter)
			mp_remedy_remove(finding, ctx->host, parameter);
		else
			mp_finding_remedy(finding,
				"find who set it: grep -r allow_unsafe_interrupts "
				"/etc/modprobe.d /etc/kernel /etc/default/grub*; "
				"delete it there, then reboot");
	} else if ((unread = unread_option(ctx->host))) {
		finding = mp_check_say(ctx, MP_UNSURE,
			"Whether the next load of VFIO asks for interrupt remapping is not "
			"known: %s could not be read",
			unread->source);
		mp_finding_fact(finding, unread);
		mp_finding_remedy(finding,
			"look for allow_unsafe_interrupts there: it must not be set");
	} else if (vfio->know == MP_UNKNOWN || iommufd->know == MP_UNKNOWN) {
		finding = mp_check_say(ctx, MP_UNSURE,
			"It is not known whether VFIO may hand out cards without "
			"interrupt remapping");
		mp_finding_remedy(finding,
			"run as root: cat "
			"/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts");
	} else {
		finding = mp_check_say(ctx, MP_PASS,
			"VFIO insists on interrupt remapping (allow_unsafe_interrupts "
			"is off)");
	}
	mp_finding_fact(finding, vfio);
	mp_finding_fact(finding, iommufd);
	if (option)
		mp_finding_evidence(finding, option->file, "options %s %s",
			option->module, option->value);
	if (parameter)
		mp_finding_fact(finding, mp_running_cmdline_fact(ctx->host));
}

/* The value of PARAMETER on the staged command line; caller frees. */
static char *staged_value(const struct mp_host *host, const char *parameter)
{
	if (!host->boot || host->boot->staged.know != MP_KNOWN)
		return NULL;
	return mp_cmdline_get(host->boot->staged.text, parameter);
}

static void acs_override_absent(struct mp_check_ctx *ctx)
{
	const char *cmdline = mp_running_cmdline(ctx->host);
	g_autofree char *running =
		cmdline ? mp_cmdline_get(cmdline, "pcie_acs_override") : NULL;
	g_autofree char *staged = staged_value(ctx->host, "pcie_acs_override");
	g_autofree char *written = g_strconcat("pcie_acs_override=",
		running  ? running
		: staged ? staged
			 : "",
		NULL);
	struct mp_finding *finding;

	if (running) {
		finding = mp_check_say(ctx, MP_FAIL,
			"The IOMMU groups of this host are fiction: the kernel was told "
			"to assume isolation that the hardware may not have (%s)",
			written);
		mp_remedy_remove(finding, ctx->host, written);
	} else if (!cmdline) {
		finding = mp_check_say(ctx, MP_UNSURE,
			"It is not known whether the IOMMU groups are real: the "
			"running kernel command line cannot be read");
		mp_finding_remedy(finding, "make /proc/cmdline readable to this program");
	} else if (staged) {
		finding = mp_check_say(ctx, MP_WARN,
			"From the next boot on the IOMMU groups of this host will be "
			"fiction (%s)",
			written);
		mp_remedy_remove(finding, ctx->host, written);
	} else {
		finding = mp_check_say(ctx, MP_PASS,
			"The IOMMU groups of this host are what the hardware isolates: "
			"no ACS override");
	}
	mp_finding_fact(finding, mp_running_cmdline_fact(ctx->host));
	if (staged)
		mp_finding_fact(finding, &ctx->host->boot->staged);
}

/* A wanted device that an RMRR names, or NULL. */
static const struct mp_pci *wanted_with_rmrr(const struct mp_check_ctx *ctx)
{
	const struct mp_dmar *dmar = mp_iommu_or_none(ctx->host)->dmar;

	for (guint i = 0; dmar && i < dmar->units->len; i++) {
		const struct mp_dmar_unit *unit = dmar->units->pdata[i];

		for (guint d = 0; unit->type == MP_DMAR_RMRR && d < ctx->wanted->len; d++)
			if (mp_dmar_unit_names(ctx->host, unit, ctx->wanted->pdata[d]))
				return ctx->wanted->pdata[d];
	}
	return NULL;
}

static void relax_rmrr_absent(struct mp_check_ctx *ctx)
{
	const char *cmdline = mp_running_cmdline(ctx->host);
	const struct mp_pci *named = wanted_with_rmrr(ctx);
	struct mp_finding *finding;

	if (!cmdline) {
		finding = mp_check_say(ctx, MP_UNSURE,
			"It is not known whether firmware-owned memory is protected: "
			"the running kernel command line cannot be read");
		mp_finding_remedy(finding, "make /proc/cmdline readable to this program");
	} else if (!mp_cmdline_has(cmdline, "intel_iommu", "relax_rmrr")) {
		finding = mp_check_say(ctx, MP_PASS,
			"The kernel keeps firmware's reserved memory regions (no "
			"relax_rmrr)");
	} else if (named) {
		finding = mp_check_say(ctx, MP_FAIL,
			"%s is only assignable because the kernel was told to ignore "
			"the memory that firmware reserved for it "
			"(intel_iommu=relax_rmrr)",
			named->bdf);
		mp_remedy_remove(finding, ctx->host, "intel_iommu=relax_rmrr");
	} else {
		finding = mp_check_say(ctx, MP_WARN,
			"The kernel ignores the memory that firmware reserved for "
			"devices (intel_iommu=relax_rmrr)");
		mp_remedy_remove(finding, ctx->host, "intel_iommu=relax_rmrr");
	}
	mp_finding_fact(finding, mp_running_cmdline_fact(ctx->host));
}

const struct mp_check mp_checks_platform[] = {
	{ .id = "cpu-virtualization",
		.scope = MP_SCOPE_HOST,
		.title = "the CPU can run virtual machines and KVM uses it",
		.explain = "Without VT-x or AMD-V there is no KVM, and VFIO has no guest "
			   "to give a card to.\n\n"
			   "Decided by the flags of the first processor in "
			   "/proc/cpuinfo (vmx, svm) and by whether kvm_intel or "
			   "kvm_amd is loaded. Kernels from 5.6 on drop the flag when "
			   "the firmware has locked the feature off "
			   "(arch/x86/kernel/cpu/feat_ctl.c), so a missing flag usually "
			   "means a firmware setting, not an old CPU. Inside a VM the "
			   "flag is there only when nesting is allowed by the outer "
			   "host.",
		.run = cpu_virtualization },
	{ .id = "unsafe-interrupts-off",
		.scope = MP_SCOPE_HOST,
		.title = "VFIO insists on interrupt remapping",
		.explain = "A card that may write to any address can write to the "
			   "interrupt window 0xfee00000-0xfeefffff and so raise any "
			   "interrupt in the host. Interrupt remapping is what stops it, "
			   "and VFIO refuses to hand out a card without it, unless "
			   "allow_unsafe_interrupts of vfio_iommu_type1 or iommufd says "
			   "otherwise. With that switch on, a guest that owns the card "
			   "can crash or take over the host.\n\n"
			   "Decided by both module parameters in sysfs, by options in "
			   "modprobe.d and by the running command line. Source: "
			   "drivers/vfio/vfio_iommu_type1.c and "
			   "drivers/iommu/iommufd/device.c. The right remedy for a host "
			   "that needs the switch is interrupt remapping: see "
			   "interrupt-remapping-active.",
		.run = unsafe_interrupts_off },
	{ .id = "acs-override-absent",
		.scope = MP_SCOPE_HOST,
		.title = "IOMMU groups show what the hardware isolates",
		.explain = "Linux puts devices into one IOMMU group when they could "
			   "reach each other without passing the IOMMU; PCIe Access "
			   "Control Services (ACS) decide that. The out-of-tree "
			   "parameter pcie_acs_override, which Proxmox kernels carry, "
			   "makes the kernel believe in ACS that is not there. The "
			   "groups look better; the wires are the same. A card can then "
			   "read and write its former group members, for example the "
			   "boot disk, past the IOMMU.\n\n"
			   "Decided by the exact parameter on the running command line, "
			   "and on the staged one. Instead: move the card to a slot "
			   "below another root port, enable ACS in the firmware setup, "
			   "or give the whole group to one VM. Whoever accepts the risk "
			   "can waive this check with a reason.",
		.run = acs_override_absent },
	{ .id = "relax-rmrr-absent",
		.scope = MP_SCOPE_HOST,
		.title = "firmware's reserved memory regions are kept",
		.explain =
			"Firmware may declare memory that it shares with a device (a "
			"reserved memory region, RMRR in the ACPI DMAR table): "
			"management controllers and RAID cards use it. Linux refuses to "
			"give such a device to a guest, because the device would go on "
			"writing there, now into guest memory. intel_iommu=relax_rmrr, a "
			"patch that Proxmox kernels carry, removes the refusal and not "
			"the reason.\n\n"
			"Decided by the exact word in the list of intel_iommu on the "
			"running command line; worse when a wanted card is named by a "
			"region. Instead: turn the feature that uses the region off in "
			"the firmware setup, or use another slot: see "
			"device-reserved-regions.",
		.run = relax_rmrr_absent },
	{ .id = "kernel-lockdown",
		.scope = MP_SCOPE_HOST,
		.title = "kernel lockdown does not get in the way",
		.explain =
			"With Secure Boot the kernel locks itself down. Passthrough "
			"itself works: VFIO is allowed in every level. In level "
			"\"integrity\" unsigned modules (DKMS modules without an "
			"enrolled key) do not load, and reading or writing card "
			"registers through /sys/bus/pci/devices/*/resource* or setpci is "
			"refused (LOCKDOWN_PCI_ACCESS), so card registers cannot be "
			"inspected from the host. In level \"confidentiality\" debugfs "
			"and tracing close as well.\n\n"
			"Decided by /sys/kernel/security/lockdown; no such file means a "
			"kernel without the feature. Source: "
			"security/lockdown/lockdown.c, include/linux/security.h.",
		.run = kernel_lockdown },
	{ NULL },
};
