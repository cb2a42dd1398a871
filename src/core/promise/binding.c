/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Promises about who gets the card at boot. That vfio-pci has it now is one link in sysfs;
 * that nobody else had it since the boot is told by the modules that are not loaded, else by
 * the kernel's log, else by the report that was recorded after the boot. Where none of them
 * can tell, the answer is unknown.
 */
#include "config.h"

#include <string.h>

#include "core/binding.h"
#include "core/boot.h"
#include "core/group.h"
#include "core/iommu.h"
#include "core/promise/judge.h"
#include "core/promise/trace.h"
#include "core/setup.h"

static struct mp_profile *profile_of(struct mp_judge *judge, const struct mp_pci *device)
{
	g_autoptr(GError) error = NULL;
	struct mp_profile *profile = mp_profile_for_device(device, &error);
	struct mp_finding *finding;

	if (!profile) {
		finding = mp_judge_say(judge, MP_UNSURE, "No profile could be loaded: %s",
			error->message);
		mp_finding_remedy(finding, "mend the profile that it names");
	}
	return profile;
}

/* --- binding --- */

/* What can be known about the modules that could have taken the device. */
struct rivals {
	GPtrArray *modules; /* const char * */
	bool known;         /* these are all */
	const char *loaded; /* the first of them that is loaded or built in, or NULL */
	bool builtin;
};

static struct rivals find_rivals(const struct mp_host *host, const struct mp_pci *device,
	const struct mp_profile *profile)
{
	const struct mp_kernel *kernel = mp_host_kernel(host);
	struct rivals rivals = {
		.modules = mp_bind_host_modules(host, kernel, device, profile),
	};

	rivals.known = kernel && kernel->modules_alias.know == MP_KNOWN &&
		       device->modalias.know == MP_KNOWN &&
		       host->modules->proc_modules.know == MP_KNOWN;
	for (guint i = 0; !rivals.loaded && i < rivals.modules->len; i++) {
		const char *name = rivals.modules->pdata[i];

		rivals.builtin =
			kernel && mp_module_where(kernel, name) == MP_MODULE_BUILTIN;
		if (rivals.builtin || mp_module_loaded(host, name))
			rivals.loaded = name;
	}
	return rivals;
}

static char *join(const GPtrArray *names)
{
	GString *text = g_string_new(NULL);

	for (guint i = 0; i < names->len; i++)
		g_string_append_printf(
			text, "%s%s", i ? ", " : "", (const char *)names->pdata[i]);
	return g_string_free(text, FALSE);
}

static void taken_remedy(struct mp_finding *finding)
{
	mp_finding_remedy(finding,
		"metis-passthrough setup (again), then power the host off and on: a card may keep "
		"what the other driver wrote into it");
}

static bool was_bound_after_boot(const struct mp_host *host, const struct mp_pci *device)
{
	const struct mp_setup *setup = host->setup;

	return setup && mp_setup_record_is_current(setup) && setup->record_bound &&
	       g_hash_table_contains(setup->record_bound, device->bdf);
}

/* vfio-pci has it: was it the first? */
static void judge_since_boot(
	struct mp_judge *judge, const struct mp_pci *device, const struct rivals *rivals)
{
	const struct mp_host *host = judge->host;
	const struct mp_iommu_log *log = &host->iommu->log;
	g_autofree char *names = join(rivals->modules);
	struct mp_trace trace = { 0 };
	struct mp_finding *finding;

	if (log->readable.know == MP_KNOWN && log->text)
		mp_trace_find(log->text, device, rivals->modules, &trace);
	if (trace.other) {
		finding = mp_judge_say_not_yet(judge,
			"vfio-pci has the card, but another driver had it since the boot");
		mp_finding_evidence(finding, "kernel log", "%s", trace.other);
		if (finding->severity == MP_FAIL)
			taken_remedy(finding);
	} else if (rivals->known && !rivals->loaded) {
		finding = mp_judge_say(judge, MP_PASS,
			"vfio-pci has the card, and no other driver that could take it is loaded");
		mp_finding_evidence(finding, host->modules->proc_modules.source,
			rivals->modules->len ? "none of %s"
					     : "no module of this kernel wants it%s",
			names);
	} else if (trace.early) {
		finding = mp_judge_say(
			judge, MP_PASS, "vfio-pci has the card since the boot");
		mp_finding_evidence(finding, "kernel log", "%s", trace.early);
	} else if (log->complete && trace.given) {
		finding = mp_judge_say(judge, MP_PASS,
			"vfio-pci has the card, was given it at the boot, and no other driver "
			"wrote about it");
		mp_finding_evidence(finding, "kernel log", "%s", trace.given);
	} else if (was_bound_after_boot(host, device)) {
		finding = mp_judge_say(judge, MP_PASS,
			"vfio-pci has the card, and had it since the boot when that was checked "
			"after the boot");
		mp_finding_fact(finding, &host->setup->record);
	} else {
		finding = mp_judge_say(judge, MP_UNSURE,
			"vfio-pci has the card; whether another driver had it before is not "
			"known: %s",
			log->readable.know != MP_KNOWN
				? "the kernel's log could not be read"
			: !log->complete ? "the kernel's log does not go back to the boot"
					 : "nothing in the kernel's log tells");
		mp_finding_fact(finding, &log->readable);
		if (rivals->loaded)
			mp_finding_evidence(finding, host->modules->proc_modules.source,
				"%s is %s", rivals->loaded,
				rivals->builtin ? "built in" : "loaded");
		mp_finding_remedy(finding,
			"journalctl -k -b | grep %s tells which drivers wrote about it; the unit "
			"metis-passthrough-status records the answer after each boot",
			device->bdf);
	}
	mp_finding_fact(finding, &device->driver);
	mp_trace_clear(&trace);
}

void mp_judge_binding(struct mp_judge *judge)
{
	const struct mp_pci *device = mp_judge_device(judge);
	const struct mp_fact *driver;
	struct mp_finding *finding;
	struct mp_profile *profile;
	struct rivals rivals;

	if (!device)
		return;
	driver = &device->driver;
	if (driver->know == MP_KNOWN && mp_driver_is_vfio(driver->text)) {
		profile = profile_of(judge, device);
		if (!profile)
			return;
		rivals = find_rivals(judge->host, device, profile);
		judge_since_boot(judge, device, &rivals);
		g_ptr_array_unref(rivals.modules);
		mp_profile_free(profile);
		return;
	}
	if (driver->know == MP_UNKNOWN) {
		finding = mp_judge_say(
			judge, MP_UNSURE, "Which driver has the card could not be read");
	} else {
		finding = driver->know == MP_KNOWN
				  ? mp_judge_say_not_yet(
					    judge, "%s has the card", driver->text)
				  : mp_judge_say_not_yet(judge, "no driver has the card");
		if (finding->severity == MP_FAIL)
			mp_finding_remedy(finding,
				"metis-passthrough preflight tells why (binding-config, "
				"initramfs-binding); until the next boot: metis-passthrough bind %s",
				device->bdf);
	}
	mp_finding_fact(finding, driver);
	mp_finding_fact(finding, &device->driver_override);
}

/* --- image --- */

/* Each kernel's image. Loses: the last with which another driver would get the card. */
struct images {
	const struct mp_image *loses, *unread;
	unsigned judged;
};

static bool is_held(enum mp_bind_outcome outcome)
{
	return outcome == MP_BIND_VFIO || outcome == MP_BIND_NOBODY;
}

static void judge_image(const struct mp_host *host, const struct mp_kernel *kernel,
	const struct mp_pci *device, const struct mp_profile *profile,
	struct images *images, GPtrArray *evidence)
{
	const struct mp_image *image = mp_host_image(host, kernel->release);
	struct mp_bind bind;

	if (!image || image->fact.know == MP_ABSENT)
		return; /* no kernel starts from it */
	if (image->fact.know != MP_KNOWN) {
		images->unread = image;
		return;
	}
	images->judged++;
	mp_bind_simulate_image(host, kernel, image, device, profile, &bind);
	g_autofree char *inside = join(bind.host_modules);

	if (!is_held(bind.outcome))
		images->loses = image;
	g_ptr_array_add(
		evidence, g_strdup_printf("%s: %s; host driver inside: %s", image->path,
				  bind.vfio_file ? bind.vfio_file
						 : "nothing gives the card to vfio-pci",
				  *inside ? inside : "none"));
	mp_bind_clear(&bind);
}

void mp_judge_image(struct mp_judge *judge)
{
	const struct mp_pci *device = mp_judge_device(judge);
	const struct mp_host *host = judge->host;
	g_autoptr(GPtrArray) evidence = g_ptr_array_new_with_free_func(g_free);
	struct images images = { 0 };
	struct mp_profile *profile;
	struct mp_finding *finding;

	if (!device)
		return;
	profile = profile_of(judge, device);
	if (!profile)
		return;
	for (guint i = 0; i < host->modules->kernels->len; i++)
		judge_image(host, host->modules->kernels->pdata[i], device, profile,
			&images, evidence);
	mp_profile_free(profile);
	if (images.loses) {
		finding = mp_judge_say(judge, MP_FAIL,
			"The initramfs image of kernel %s would give the card to the host's "
			"driver",
			images.loses->kernel);
		mp_finding_remedy(finding, "update-initramfs -u -k %s%s",
			images.loses->kernel,
			host->boot->loader == MP_LOADER_PBT_GRUB ||
					host->boot->loader == MP_LOADER_PBT_BOTH ||
					host->boot->loader == MP_LOADER_PBT_SYSTEMD_BOOT
				? "; proxmox-boot-tool refresh"
				: "");
	} else if (images.unread) {
		finding = mp_judge_say(judge, MP_UNSURE,
			"The initramfs image of kernel %s could not be read",
			images.unread->kernel);
		mp_finding_fact(finding, &images.unread->fact);
		mp_finding_remedy(finding, "run as root: metis-passthrough status");
	} else if (!images.judged) {
		finding = mp_judge_say(
			judge, MP_UNSURE, "There is no initramfs image to look at");
		mp_finding_fact(finding, &host->modules->kernels_fact);
	} else {
		finding = mp_judge_say(judge, MP_PASS,
			"In %s no other driver gets the card",
			images.judged == 1 ? "the only initramfs image"
					   : "every initramfs image");
	}
	for (guint i = 0; i < evidence->len; i++)
		mp_finding_evidence(
			finding, "initramfs", "%s", (const char *)evidence->pdata[i]);
}
