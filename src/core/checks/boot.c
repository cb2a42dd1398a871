/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The boot loader and the kernel's command line, now and next time. */
#include "config.h"

#include <string.h>

#include "core/boot.h"
#include "core/check.h"
#include "core/checks/boot-params.h"
#include "core/checks/common.h"
#include "core/iommu.h"
#include "core/modules.h"
#include "core/platform.h"

/* --- bootloader-known --- */

static void bootloader_known(struct mp_check_ctx *ctx)
{
	const struct mp_boot *boot = ctx->host->boot;
	struct mp_finding *f;

	switch (boot->loader) {
	case MP_LOADER_GRUB:
	case MP_LOADER_PBT_GRUB:
	case MP_LOADER_PBT_SYSTEMD_BOOT:
	case MP_LOADER_SYSTEMD_BOOT:
		f = mp_check_say(ctx, MP_PASS, "This host boots by %s: %s",
			mp_loader_name(boot->loader), boot->loader_why);
		break;
	case MP_LOADER_PBT_BOTH:
		f = mp_check_say(ctx, MP_INFO,
			"A change goes into both files, which is safe: %s",
			boot->loader_why);
		break;
	case MP_LOADER_OTHER:
		f = mp_check_say(ctx, MP_INFO,
			"No boot loader's file holds the command line: %s",
			boot->loader_why);
		break;
	case MP_LOADER_UNKNOWN:
	default:
		f = mp_check_say(ctx, MP_UNSURE,
			"Which boot loader starts this host is not clear: %s",
			boot->loader_why ? boot->loader_why : "nothing was read");
		mp_finding_remedy(f,
			"compare 'proxmox-boot-tool status', 'efibootmgr -v' and 'bootctl status'; "
			"change nothing about the boot before they agree");
		break;
	}
	for (guint i = 0; i < boot->loader_evidence->len; i++)
		mp_finding_fact(f, boot->loader_evidence->pdata[i]);
}

/* --- cmdline-running --- */

/* Adds what is missing on an Intel host; false: it could not be told. */
static bool judge_intel(struct mp_check_ctx *ctx, GPtrArray *notes)
{
	static const char *const switches[] = { "on", "off", NULL };
	const struct mp_host *host = ctx->host;
	const char *set =
		mp_cmdline_last(host->boot->cmdline.text, "intel_iommu", switches);
	bool on = false;

	if (set || (host->iommu && host->iommu->units && host->iommu->units->len))
		return true;
	if (!mp_kernel_starts_vtd(host, &on, NULL))
		return false;
	if (!on)
		mp_param_note_add(notes, MP_FAIL, "intel_iommu=on",
			"is missing: this kernel leaves VT-d off unless it is told");
	return true;
}

static void cmdline_running(struct mp_check_ctx *ctx)
{
	const struct mp_host *host = ctx->host;
	const struct mp_boot *boot = host->boot;
	enum mp_cpu_vendor vendor = host->platform->cpu_vendor;
	g_autoptr(GPtrArray) notes = NULL;
	struct mp_finding *f;
	bool told = true;

	if (boot->cmdline.know != MP_KNOWN) {
		f = mp_check_say(
			ctx, MP_UNSURE, "The kernel's command line could not be read");
		mp_finding_fact(f, &boot->cmdline);
		mp_finding_remedy(f, "read /proc/cmdline on the host itself");
		return;
	}
	notes = mp_param_notes(boot->cmdline.text, vendor);
	if (vendor == MP_CPU_INTEL)
		told = judge_intel(ctx, notes);
	const struct mp_param_note *worst = mp_param_notes_worst(notes);

	if (worst && worst->severity >= MP_WARN)
		f = mp_check_say(
			ctx, worst->severity, "%s %s", worst->parameter, worst->meaning);
	else if (!told)
		f = mp_check_say(ctx, MP_UNSURE,
			"Whether this kernel needs intel_iommu=on could not be told");
	else if (worst)
		f = mp_check_say(ctx, MP_INFO,
			"The command line has what passthrough needs; %s %s",
			worst->parameter, worst->meaning);
	else
		f = mp_check_say(ctx, MP_PASS,
			"The command line has what passthrough needs on this kernel");
	mp_finding_fact(f, &boot->cmdline);
	for (guint i = 0; i < notes->len; i++) {
		const struct mp_param_note *note = notes->pdata[i];

		mp_finding_evidence(f, note->parameter, "%s", note->meaning);
	}
	const struct mp_kernel *kernel = mp_host_kernel(host);

	if (kernel && vendor == MP_CPU_INTEL)
		mp_finding_fact(f, &kernel->intel_iommu_default_on);
	if (f->severity == MP_UNSURE) {
		g_autofree char *how = mp_loader_how_to_add(host, "intel_iommu=on");

		mp_finding_remedy(f, "it does no harm: %s", how);
	} else if (f->severity >= MP_WARN) {
		g_autofree char *how = mp_param_notes_remedy(notes, host);

		mp_finding_remedy(f, "%s", how);
	}
}

/* --- cmdline-staged --- */

static bool is_grub(enum mp_loader loader)
{
	return loader == MP_LOADER_GRUB || loader == MP_LOADER_PBT_GRUB;
}

/* IOMMU parameters in a file that this host's loader does not read, and that do nothing. */
static char *dead_parameters(const struct mp_boot *boot, const struct mp_fact **file)
{
	g_autofree char *grub = NULL;
	const char *dead = NULL;

	if (is_grub(boot->loader) && boot->kernel_cmdline_file.know == MP_KNOWN) {
		*file = &boot->kernel_cmdline_file;
		dead = boot->kernel_cmdline_file.text;
	} else if (boot->loader == MP_LOADER_PBT_SYSTEMD_BOOT &&
		   boot->grub_default.know == MP_KNOWN &&
		   boot->grub_linux.know == MP_KNOWN) {
		*file = &boot->grub_default;
		grub = g_strdup_printf(
			"%s %s", boot->grub_linux.text, boot->grub_default.text);
		dead = grub;
	}
	return dead ? mp_params_only_in(dead, boot->staged.text) : NULL;
}

/* What /etc/default/grub says and the installed menu doesn't, or NULL. */
static char *not_installed(const struct mp_boot *boot)
{
	if (boot->loader != MP_LOADER_GRUB || boot->grub_default.know != MP_KNOWN ||
		boot->grub_linux.know != MP_KNOWN)
		return NULL;
	g_autofree char *wanted =
		g_strdup_printf("%s %s", boot->grub_linux.text, boot->grub_default.text);

	return mp_params_only_in(wanted, boot->staged.text);
}

static void add_staged_facts(struct mp_finding *f, const struct mp_boot *boot)
{
	mp_finding_fact(f, &boot->cmdline);
	mp_finding_fact(f, &boot->staged);
	if (is_grub(boot->loader)) {
		mp_finding_fact(f, &boot->grub_linux);
		mp_finding_fact(f, &boot->grub_default);
	}
}

static void cmdline_staged(struct mp_check_ctx *ctx)
{
	const struct mp_boot *boot = ctx->host->boot;
	const char *update = mp_loader_update_command(boot->loader);
	const struct mp_fact *dead_file = NULL;
	struct mp_finding *f;

	if (boot->staged.know != MP_KNOWN || boot->cmdline.know != MP_KNOWN) {
		const struct mp_fact *why =
			boot->staged.know != MP_KNOWN ? &boot->staged : &boot->cmdline;

		f = mp_check_say(ctx, MP_UNSURE,
			"The command line of the next boot could not be told: %s",
			why->know == MP_ABSENT ? "the file is not there" : why->why);
		add_staged_facts(f, boot);
		mp_finding_remedy(f,
			"after the next reboot compare /proc/cmdline with what you "
			"want; see check bootloader-known");
		return;
	}
	g_autofree char *lost = mp_params_only_in(boot->cmdline.text, boot->staged.text);
	g_autofree char *gained =
		mp_params_only_in(boot->staged.text, boot->cmdline.text);
	g_autofree char *pending = not_installed(boot);
	g_autofree char *dead = dead_parameters(boot, &dead_file);

	if (lost || gained) {
		f = mp_check_say(ctx, MP_WARN,
			"The next boot will differ from this one: %s%s%s%s%s",
			lost ? "without " : "", lost ? lost : "",
			lost && gained ? ", " : "", gained ? "with " : "",
			gained ? gained : "");
		mp_finding_remedy(f,
			"if that is what you want: reboot, then run preflight again; if "
			"not, correct %s%s%s",
			boot->staged.source, update ? " by way of: " : "",
			update ? update : "");
	} else if (pending) {
		f = mp_check_say(ctx, MP_WARN,
			"/etc/default/grub has %s, but the installed menu does not",
			pending);
		mp_finding_remedy(f, "update-grub; reboot");
	} else if (dead) {
		g_autofree char *how = mp_loader_how_to_add(ctx->host, dead);

		f = mp_check_say(ctx, MP_WARN,
			"%s stands in a file that this host's boot loader (%s) never reads",
			dead, mp_loader_name(boot->loader));
		mp_finding_fact(f, dead_file);
		mp_finding_remedy(f, "if you want it: %s", how);
	} else {
		f = mp_check_say(ctx, MP_PASS,
			"The next boot has the same IOMMU, VFIO and memory parameters as this one");
	}
	add_staged_facts(f, boot);
}

const struct mp_check mp_checks_boot[] = {
	{ "bootloader-known", MP_SCOPE_HOST,
		"it is clear which boot loader starts this host",
		"A kernel parameter counts only where the boot loader reads it, and Proxmox hosts "
		"come with three: plain GRUB (/etc/default/grub, update-grub), and, managed by "
		"proxmox-boot-tool, systemd-boot (/etc/kernel/cmdline) or GRUB on the ESP "
		"(/etc/default/grub). Editing the wrong file changes nothing, and nobody says so.\n\n"
		"That a file exists proves little: the installer writes /etc/kernel/cmdline for every "
		"ZFS install, also with GRUB. So the verdict rests on the mark that the loader left on "
		"the running kernel (BOOT_IMAGE= by GRUB, an EFI path in initrd= by systemd-boot, the "
		"EFI variable LoaderInfo) together with /etc/kernel/proxmox-boot-uuids. Where they "
		"disagree, the answer is unknown.\n\n"
		"What to do then: compare 'proxmox-boot-tool status', 'efibootmgr -v' and 'bootctl "
		"status'.",
		bootloader_known },
	{ "cmdline-running", MP_SCOPE_HOST,
		"the running kernel was given what passthrough needs",
		"Few parameters are really needed. AMD's IOMMU is on by default. Intel's is on by "
		"default where the kernel was built with CONFIG_INTEL_IOMMU_DEFAULT_ON (read from "
		"/boot/config-RELEASE; Proxmox kernels since 6.8), and needs intel_iommu=on "
		"elsewhere. iommu=pt is optional.\n\n"
		"Some parameters break passthrough (intel_iommu=off, amd_iommu=off, iommu=off, "
		"pci=nomsi, module_blacklist=vfio...), some weaken isolation (intremap=off, "
		"pcie_acs_override=, relax_rmrr, allow_unsafe_interrupts=1), and some found in guides "
		"do nothing at all (amd_iommu=on, iommu=on, an option of the other vendor): they are "
		"named so that nobody relies on them. Sources: Documentation/admin-guide/"
		"kernel-parameters.txt, drivers/iommu/{intel,amd}, arch/x86/kernel/pci-dma.c.",
		cmdline_running },
	{ "cmdline-staged", MP_SCOPE_HOST,
		"the next boot gets the same parameters as this one",
		"A host that works today may come back from its next reboot without its IOMMU, "
		"because somebody edited a file that is not read, forgot update-grub, or typed a "
		"parameter only once in the boot menu.\n\n"
		"The command line of the next boot is taken from where this host's loader reads it: "
		"the menu of GRUB (/boot/grub/grub.cfg), /etc/kernel/cmdline under proxmox-boot-tool "
		"with systemd-boot, /etc/default/grub with its drop-ins under proxmox-boot-tool with "
		"GRUB. Its parameters about IOMMU, VFIO, PCI and huge pages are compared with "
		"/proc/cmdline. The boot tool's ESPs are not mounted and not looked into: what is "
		"compared is what 'proxmox-boot-tool refresh' writes there.",
		cmdline_staged },
	{ NULL },
};
