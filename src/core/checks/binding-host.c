/* SPDX-License-Identifier: GPL-2.0-or-later */
/* VFIO's modules in every installed kernel. */
#include "config.h"

#include <string.h>

#include "core/binding.h"
#include "core/boot.h"
#include "core/checks/binding.h"

static const char *const vfio_modules[] = { "vfio", "vfio_iommu_type1", "vfio_pci" };

static const char *where_name(enum mp_module_where where)
{
	switch (where) {
	case MP_MODULE_BUILTIN:
		return "built in";
	case MP_MODULE_LOADABLE:
		return "loadable";
	case MP_MODULE_MISSING:
		return "missing";
	case MP_MODULE_UNKNOWN:
		break;
	}
	return "unknown";
}

/* The worst of the three; evidence for each. */
static enum mp_module_where worst_of(const struct mp_kernel *kernel, GString *evidence)
{
	enum mp_module_where worst = MP_MODULE_BUILTIN;

	for (size_t i = 0; i < G_N_ELEMENTS(vfio_modules); i++) {
		enum mp_module_where where = mp_module_where(kernel, vfio_modules[i]);

		g_string_append_printf(evidence, "%s%s %s", i ? ", " : "",
			vfio_modules[i], where_name(where));
		if (where == MP_MODULE_MISSING || worst == MP_MODULE_MISSING)
			worst = MP_MODULE_MISSING;
		else
			worst = MIN(worst, where);
	}
	return worst;
}

/* `install vfio-pci /bin/false` and the like. A blacklist does not stop modprobe. */
static const struct mp_modprobe_line *forbidden(const struct mp_modules *modules)
{
	for (guint i = 0; i < modules->modprobe->len; i++) {
		const struct mp_modprobe_line *line = modules->modprobe->pdata[i];

		if (line->kind != MP_MODPROBE_INSTALL || !line->value)
			continue;
		for (size_t m = 0; m < G_N_ELEMENTS(vfio_modules); m++)
			if (!strcmp(line->module, vfio_modules[m]) &&
				(g_str_has_suffix(line->value, "/false") ||
					g_str_has_suffix(line->value, "/true")))
				return line;
	}
	return NULL;
}

struct tally {
	const struct mp_kernel *running_bad, *other_bad, *unknown;
};

static struct tally count(const struct mp_modules *modules, GPtrArray *evidence)
{
	struct tally tally = { NULL, NULL, NULL };

	for (guint i = 0; i < modules->kernels->len; i++) {
		const struct mp_kernel *kernel = modules->kernels->pdata[i];
		g_autoptr(GString) text = g_string_new(NULL);
		enum mp_module_where worst = worst_of(kernel, text);

		if (worst == MP_MODULE_MISSING && kernel->running)
			tally.running_bad = kernel;
		else if (worst == MP_MODULE_MISSING)
			tally.other_bad = kernel;
		else if (worst == MP_MODULE_UNKNOWN)
			tally.unknown = kernel;
		g_ptr_array_add(evidence, g_string_free(g_steal_pointer(&text), FALSE));
	}
	return tally;
}

static struct mp_finding *judge_kernels(
	struct mp_check_ctx *ctx, const struct tally *tally)
{
	const struct mp_host *host = ctx->host;
	const struct mp_modules *modules = host->modules;
	bool loaded = mp_module_loaded(host, "vfio_pci");
	struct mp_finding *f;

	if (tally->running_bad) {
		f = mp_check_say(ctx, MP_FAIL,
			"The running kernel %s lacks modules of VFIO",
			tally->running_bad->release);
		mp_finding_remedy(f,
			"boot a kernel that has them (Proxmox: apt install "
			"proxmox-default-kernel; Debian: linux-image-amd64, not a cloud kernel)");
	} else if (!modules->kernels->len && loaded &&
		   modules->kernels_fact.know == MP_UNKNOWN) {
		f = mp_check_say(ctx, MP_UNSURE,
			"vfio-pci is loaded now, but which kernels are installed and whether "
			"they have VFIO could not be read");
		mp_finding_remedy(f, "as root: ls /lib/modules");
	} else if (!modules->kernels->len && loaded) {
		f = mp_check_say(ctx, MP_PASS, "vfio-pci is loaded");
	} else if (!modules->kernels->len || !mp_host_kernel(host)) {
		f = mp_check_say(ctx, MP_UNSURE,
			"The module lists of the running kernel are not there, so whether it has "
			"VFIO is not known");
		mp_finding_remedy(f,
			"try 'modprobe vfio-pci'; after an upgrade of the kernel's package reboot");
	} else if (tally->unknown) {
		f = mp_check_say(ctx, MP_UNSURE,
			"The module lists of kernel %s could not be read",
			tally->unknown->release);
		mp_finding_remedy(f,
			"as root: ls -l /lib/modules/%s/modules.dep; depmod -a %s",
			tally->unknown->release, tally->unknown->release);
	} else if (tally->other_bad) {
		f = mp_check_say(ctx, MP_WARN,
			"The installed kernel %s lacks modules of VFIO: passthrough ends if it is "
			"booted",
			tally->other_bad->release);
		mp_finding_remedy(f,
			"remove that kernel, or keep booting another (Proxmox: "
			"proxmox-boot-tool kernel pin %s)",
			mp_host_kernel(ctx->host)->release);
	} else {
		f = mp_check_say(ctx, MP_PASS, "Every installed kernel has VFIO%s",
			loaded ? ", and vfio-pci is loaded"
			       : "; vfio-pci is loaded on demand");
	}
	return f;
}

void mp_check_vfio_modules(struct mp_check_ctx *ctx)
{
	const struct mp_modules *modules = ctx->host->modules;
	const struct mp_modprobe_line *line = forbidden(modules);
	g_autoptr(GPtrArray) evidence = g_ptr_array_new_with_free_func(g_free);
	struct tally tally = count(modules, evidence);
	struct mp_finding *f;

	if (line) {
		f = mp_check_say(
			ctx, MP_FAIL, "modprobe.d forbids to load %s", line->module);
		mp_finding_evidence(
			f, line->file, "install %s %s", line->module, line->value);
		mp_finding_remedy(f,
			"remove that line from %s; update-initramfs -u -k all",
			line->file);
	} else {
		f = judge_kernels(ctx, &tally);
	}
	mp_finding_fact(f, &modules->kernels_fact);
	for (guint i = 0; i < evidence->len; i++) {
		const struct mp_kernel *kernel = modules->kernels->pdata[i];
		g_autofree char *source = g_strdup_printf("/lib/modules/%s%s",
			kernel->release, kernel->running ? " (running)" : "");

		mp_finding_evidence(f, source, "%s", (const char *)evidence->pdata[i]);
	}
	mp_finding_fact(f, &modules->proc_modules);
}

/* --- vfio-virqfd-stale --- */

static const struct mp_module_load *names_virqfd(const GPtrArray *load)
{
	for (guint i = 0; i < load->len; i++) {
		const struct mp_module_load *entry = load->pdata[i];

		if (!strcmp(entry->module, "vfio_virqfd"))
			return entry;
	}
	return NULL;
}

void mp_check_vfio_virqfd_stale(struct mp_check_ctx *ctx)
{
	const struct mp_modules *modules = ctx->host->modules;
	const struct mp_module_load *named = names_virqfd(modules->load);
	const struct mp_module_load *in_images = names_virqfd(modules->initramfs_load);
	const struct mp_kernel *lacking = NULL, *unknown = NULL;
	struct mp_finding *f;

	for (guint i = 0; i < modules->kernels->len; i++) {
		const struct mp_kernel *kernel = modules->kernels->pdata[i];
		enum mp_module_where where = mp_module_where(kernel, "vfio_virqfd");

		if (where == MP_MODULE_MISSING)
			lacking = kernel;
		else if (where == MP_MODULE_UNKNOWN)
			unknown = kernel;
	}
	if (!named)
		named = in_images;
	if (!named && modules->unreadable->len) {
		f = mp_check_say(ctx, MP_UNSURE,
			"Whether vfio_virqfd is still asked for could not be read");
		mp_finding_fact(f, modules->unreadable->pdata[0]);
		mp_finding_remedy(f,
			"grep -r vfio_virqfd /etc/modules /etc/modules-load.d "
			"/etc/initramfs-tools/modules");
		return;
	}
	if (!named) {
		f = mp_check_say(
			ctx, MP_PASS, "Nothing asks for the old module vfio_virqfd");
		mp_finding_evidence(f,
			"/etc/modules, modules-load.d, initramfs-tools/modules",
			"modules asked for: %u",
			modules->load->len + modules->initramfs_load->len);
		return;
	}
	if (!lacking && (unknown || !modules->kernels->len)) {
		f = mp_check_say(ctx, MP_UNSURE,
			"vfio_virqfd is asked for, and whether the kernels have it is not known");
		mp_finding_remedy(f,
			"since Linux 6.2 it is part of vfio: remove it from %s",
			named->file);
	} else if (!lacking) {
		f = mp_check_say(ctx, MP_PASS,
			"vfio_virqfd is asked for, and every installed kernel still has it");
	} else {
		f = mp_check_say(ctx, MP_WARN,
			"vfio_virqfd is asked for, but kernel %s has no such module (part of vfio "
			"since Linux 6.2): loading modules at boot fails%s",
			lacking->release,
			in_images ? ", or stops the boot in the initramfs" : "");
		mp_finding_remedy(f, "remove vfio_virqfd from %s%s", named->file,
			in_images
				? " and /etc/initramfs-tools/modules, then: update-initramfs -u "
				  "-k all"
				: "");
	}
	mp_finding_evidence(f, named->file, "vfio_virqfd");
	if (in_images && in_images != named)
		mp_finding_evidence(f, in_images->file, "vfio_virqfd");
	if (lacking)
		mp_finding_fact(f, &lacking->modules_dep);
}
