/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who has the device now, and who had it since power-on. */
#include "config.h"

#include <string.h>

#include "core/binding.h"
#include "core/checks/binding.h"
#include "core/checks/common.h"
#include "core/iommu.h"
#include "core/pci.h"

static bool is_passthrough_driver(const struct mp_fact *driver)
{
	return mp_fact_is(driver, "vfio-pci") || mp_fact_is(driver, "pci-stub") ||
	       (driver->know == MP_KNOWN && g_str_has_prefix(driver->text, "vfio"));
}

/* A card whose registers keep what the host's driver wrote. */
static bool leaves_traces(const struct mp_profile *profile, const struct mp_pci *device)
{
	return profile->irq_delivery == MP_IRQ_DEVICE_PROGRAMMED &&
	       mp_profile_fits(profile, device);
}

static void bind_now_remedy(struct mp_finding *f, const struct mp_pci *device)
{
	mp_finding_remedy(f,
		"modprobe vfio-pci; echo vfio-pci > /sys/bus/pci/devices/%s/driver_override; "
		"echo %s > /sys/bus/pci/devices/%s/driver/unbind (if it has a driver and nobody uses "
		"it); echo %s > /sys/bus/pci/drivers_probe",
		device->bdf, device->bdf, device->bdf, device->bdf);
}

static void judge_other_driver(struct mp_check_ctx *ctx, const struct mp_pci *device)
{
	const struct mp_kernel *kernel = mp_host_kernel(ctx->host);
	const char *driver = device->driver.text;
	struct mp_finding *f;
	struct mp_bind bind;

	mp_bind_simulate(ctx->host, kernel, device, ctx->profile, &bind);
	if (bind.outcome == MP_BIND_VFIO) {
		f = mp_check_say(ctx, MP_WARN,
			"%s has the device although the configuration gives it to vfio-pci: it is "
			"not in effect yet, or came too late",
			driver);
		mp_finding_evidence(f, bind.vfio_file, "gives the device to vfio-pci");
		mp_finding_remedy(f,
			"update-initramfs -u -k all; reboot, then run preflight again "
			"(see initramfs-binding and binding-early)");
	} else if (leaves_traces(ctx->profile, device)) {
		f = mp_check_say(ctx, MP_WARN,
			"%s drives the card on the host now; VFIO needs it to let go first",
			driver);
		bind_now_remedy(f, device);
	} else {
		f = mp_check_say(ctx, MP_INFO,
			"%s has the device now; Proxmox and libvirt (managed) take it to vfio-pci when "
			"the VM starts",
			driver);
	}
	mp_finding_fact(f, &device->driver);
	mp_finding_fact(f, &device->driver_override);
	mp_bind_clear(&bind);
}

void mp_check_binding_effective(struct mp_check_ctx *ctx)
{
	const struct mp_pci *device = ctx->device;
	const struct mp_fact *override = &device->driver_override;
	struct mp_finding *f;

	if (device->driver.know == MP_UNKNOWN) {
		f = mp_check_say(
			ctx, MP_UNSURE, "Which driver has the device could not be read");
		mp_finding_remedy(f, "lspci -k -s %s", device->bdf);
	} else if (override->know == MP_KNOWN && *override->text &&
		   !is_passthrough_driver(override)) {
		f = mp_check_say(ctx, MP_FAIL,
			"driver_override gives the device to %s alone: nothing else can bind to it, "
			"vfio-pci neither",
			override->text);
		mp_finding_remedy(f,
			"echo > /sys/bus/pci/devices/%s/driver_override, and remove "
			"the rule that sets it (driverctl unset-override %s, "
			"/etc/udev/rules.d)",
			device->bdf, device->bdf);
	} else if (is_passthrough_driver(&device->driver)) {
		f = mp_check_say(ctx, MP_PASS, "%s has the device", device->driver.text);
	} else if (device->driver.know == MP_KNOWN) {
		judge_other_driver(ctx, device);
		return;
	} else if (override->know == MP_UNKNOWN) {
		f = mp_check_say(ctx, MP_UNSURE,
			"No driver has the device, and whether one may take it is not known: %s",
			override->why ? override->why
				      : "driver_override could not be read");
		mp_finding_remedy(f,
			"dmesg | grep 'blocked for more than': an unbind that hangs ends with a "
			"reboot only");
	} else {
		f = mp_check_say(ctx, MP_INFO,
			"No driver has the device: VFIO can take it when the VM starts");
	}
	mp_finding_fact(f, &device->driver);
	mp_finding_fact(f, override);
}

/* --- host-driver-taint --- */

/* The text of a log line, behind "[   12.345678] ". */
static const char *message(const char *line)
{
	const char *close = *line == '[' ? strchr(line, ']') : NULL;

	return close ? close + 1 + strspn(close + 1, " ") : line;
}

/* "axl 0000:86:00.0: ..." or "metis: ...": what dev_info() and module messages look like. */
static bool is_line_of(const char *text, const char *name, const char *bdf)
{
	size_t length = strlen(name);

	if (strncmp(text, name, length) != 0)
		return false;
	text += length;
	return *text == ':' || (*text == ' ' && g_str_has_prefix(text + 1, bdf) &&
				       text[1 + strlen(bdf)] == ':');
}

/* The first line of the host's driver about this card, or NULL. Caller frees. */
static char *trace_in_log(
	const char *log, const struct mp_profile *profile, const char *bdf)
{
	const GPtrArray *lists[] = { profile->drivers, profile->modules };

	for (const char *line = log, *end; line && *line; line = *end ? end + 1 : NULL) {
		end = strchrnul(line, '\n');
		g_autofree char *copy = g_strndup(line, (gsize)(end - line));
		const char *text = message(copy);

		for (size_t l = 0; l < G_N_ELEMENTS(lists); l++)
			for (guint i = 0; i < lists[l]->len; i++)
				if (is_line_of(text, lists[l]->pdata[i], bdf))
					return mp_clean_text(copy, strlen(copy));
	}
	return NULL;
}

static const char *loaded_module(
	const struct mp_host *host, const struct mp_profile *profile)
{
	for (guint i = 0; i < profile->modules->len; i++)
		if (mp_module_loaded(host, profile->modules->pdata[i]))
			return profile->modules->pdata[i];
	return NULL;
}

static bool is_host_driver(const struct mp_fact *driver, const struct mp_profile *profile)
{
	for (guint i = 0; i < profile->drivers->len; i++)
		if (mp_fact_is(driver, profile->drivers->pdata[i]))
			return true;
	return false;
}

static void taint_remedy(struct mp_finding *f, const struct mp_check_ctx *ctx)
{
	g_autofree char *how = mp_check_how_to_bind(ctx);

	mp_finding_remedy(f,
		"keep the host's driver off the card: %s; then power the host off and on again: a "
		"warm reboot may keep the card's state",
		how);
}

void mp_check_host_driver_taint(struct mp_check_ctx *ctx)
{
	const struct mp_host *host = ctx->host;
	const struct mp_profile *profile = ctx->profile;
	const struct mp_pci *device = ctx->device;
	const struct mp_iommu_log *log = host->iommu ? &host->iommu->log : NULL;
	bool have_log = log && log->readable.know == MP_KNOWN && log->text;
	const char *module = loaded_module(host, profile);
	g_autofree char *trace = NULL;
	struct mp_finding *f;

	if (mp_say_id_unknown(ctx))
		return;
	if (!leaves_traces(profile, device) ||
		!(profile->modules->len + profile->drivers->len)) {
		mp_check_say(ctx, MP_SKIP,
			"The profile %s knows of no state that a host driver leaves in the device",
			profile->name);
		return;
	}
	if (have_log)
		trace = trace_in_log(log->text, profile, device->bdf);
	if (is_host_driver(&device->driver, profile)) {
		f = mp_check_say(ctx, MP_FAIL,
			"The host's driver %s has the card now and arms its DMA window and interrupt "
			"registers, which a VM would inherit",
			device->driver.text);
		taint_remedy(f, ctx);
	} else if (trace) {
		f = mp_check_say(ctx, MP_WARN,
			"The host's driver had the card since the host was started: what it wrote into "
			"the card's registers may still be there");
		mp_finding_evidence(f, log->readable.source, "%s", trace);
		taint_remedy(f, ctx);
	} else if (module) {
		f = mp_check_say(ctx, MP_WARN,
			"The host's driver module %s is loaded: it may have had the card, and takes it "
			"whenever it is free",
			module);
		taint_remedy(f, ctx);
	} else if (!have_log || !log->complete) {
		f = mp_check_say(ctx, MP_UNSURE,
			"The host's driver is not loaded now, but whether it was since the host was "
			"started is not known: the kernel's log %s",
			have_log ? "does not go back that far" : "could not be read");
		mp_finding_remedy(f,
			"journalctl -k -b | grep -E '(%s|%s)'; when in doubt power the "
			"host off and on",
			profile->modules->len ? (const char *)profile->modules->pdata[0]
					      : "-",
			profile->drivers->len ? (const char *)profile->drivers->pdata[0]
					      : "-");
	} else if (host->modules->proc_modules.know != MP_KNOWN ||
		   device->driver.know == MP_UNKNOWN) {
		f = mp_check_say(ctx, MP_UNSURE,
			"Whether the host's driver is loaded could not be read");
		mp_finding_remedy(f, "lsmod; lspci -k -s %s", device->bdf);
	} else {
		f = mp_check_say(ctx, MP_PASS,
			"The host's driver was not loaded since the host was started");
	}
	mp_finding_fact(f, &device->driver);
	mp_finding_fact(f, &host->modules->proc_modules);
	if (log)
		mp_finding_fact(f, &log->readable);
}
