/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who gets the device at the next boot: by configuration, in time, from the initramfs. */
#include "config.h"

#include <string.h>

#include "core/binding.h"
#include "core/boot.h"
#include "core/checks/binding.h"
#include "core/pci.h"

#define CONF_FILE "/etc/modprobe.d/metis-passthrough.conf"

static bool matters_early(const struct mp_profile *profile, const struct mp_pci *device)
{
	return profile->irq_delivery == MP_IRQ_DEVICE_PROGRAMMED &&
	       mp_profile_fits(profile, device);
}

/* "metis, axl" */
static char *join(const GPtrArray *names)
{
	GString *text = g_string_new(NULL);

	for (guint i = 0; i < names->len; i++)
		g_string_append_printf(
			text, "%s%s", i ? ", " : "", (const char *)names->pdata[i]);
	if (!names->len)
		g_string_append(text, "another driver");
	return g_string_free(text, FALSE);
}

/*
 * A pass that rests on the configuration: a file that could not be read may say otherwise.
 */
static struct mp_finding *pass(struct mp_check_ctx *ctx, const char *sentence)
{
	struct mp_finding *f;

	if (!ctx->host->modules->unreadable->len)
		return mp_check_say(ctx, MP_PASS, "%s", sentence);
	f = mp_check_say(ctx, MP_UNSURE,
		"%s, as far as the configuration could be read; not all of it could",
		sentence);
	mp_finding_remedy(f, "look at the files named in the evidence");
	return f;
}

/* After a change of modprobe.d. */
static const char *rebuild(const struct mp_host *host)
{
	switch (host->boot->loader) {
	case MP_LOADER_PBT_GRUB:
	case MP_LOADER_PBT_SYSTEMD_BOOT:
	case MP_LOADER_PBT_BOTH:
		return "update-initramfs -u -k all (it refreshes the ESPs too); reboot";
	case MP_LOADER_GRUB:
	case MP_LOADER_SYSTEMD_BOOT:
	case MP_LOADER_OTHER:
	case MP_LOADER_UNKNOWN:
		break;
	}
	return "update-initramfs -u -k all; reboot";
}

/* True if another device has the same id: `ids=` would take that too. */
static const struct mp_pci *twin_of(
	const struct mp_host *host, const struct mp_pci *device)
{
	for (guint i = 0; i < host->devices->len; i++) {
		const struct mp_pci *other = host->devices->pdata[i];

		if (other != device && other->vendor == device->vendor &&
			other->device == device->device &&
			!(other->group && other->group == device->group))
			return other;
	}
	return NULL;
}

/* How to give the device to vfio-pci at boot, before HOST_MODULES. Caller frees. */
static char *config_lines(const struct mp_host *host, const struct mp_pci *device,
	const struct mp_bind *bind)
{
	const struct mp_pci *twin = twin_of(host, device);
	const struct mp_fact *why;
	const char *file = NULL;
	g_autofree char *ids = mp_bind_ids(host, mp_host_next_kernel(host, &why), &file);
	GString *text = g_string_new(NULL);
	char id[10];

	mp_pci_id(device, id);
	if (twin) {
		/* Neither ids= nor a softdep or blacklist: all act on both cards. */
		g_string_append_printf(text,
			"bind by address, while nobody uses it: driverctl set-override %s vfio-pci "
			"(package driverctl, which keeps it over reboots; not ids=, since %s has "
			"the same id)",
			device->bdf, twin->bdf);
		return g_string_free(text, FALSE);
	}
	/* The last ids= of all files replaces the others. */
	if (!bind->vfio_file && ids && file)
		g_string_append_printf(text, "in %s make it ids=%s,%s; ", file, ids, id);
	g_string_append(text, "printf '%s\\n'");
	if (!bind->vfio_file && !(ids && file))
		g_string_append_printf(text, " 'options vfio-pci ids=%s'", id);
	for (guint i = 0; i < bind->host_modules->len; i++)
		g_string_append_printf(text, " 'softdep %s pre: vfio-pci'",
			(const char *)bind->host_modules->pdata[i]);
	g_string_append(text, " > " CONF_FILE);
	return g_string_free(text, FALSE);
}

char *mp_check_how_to_bind(const struct mp_check_ctx *ctx)
{
	g_autofree char *lines = NULL;
	const struct mp_fact *why;
	struct mp_bind bind;

	if (!ctx->host->modules || !ctx->host->boot || !ctx->host->initramfs)
		return g_strdup("bind the card to vfio-pci at boot");
	mp_bind_simulate(ctx->host, mp_host_next_kernel(ctx->host, &why), ctx->device,
		ctx->profile, &bind);
	if (bind.outcome == MP_BIND_VFIO || bind.outcome == MP_BIND_NOBODY)
		lines = g_strdup("the configuration does that at the next boot already");
	else if (bind.outcome == MP_BIND_UNKNOWN)
		lines = g_strdup(
			"bind the card to vfio-pci at boot (see binding-config)");
	else
		lines = config_lines(ctx->host, ctx->device, &bind);
	if (bind.outcome == MP_BIND_RACE || bind.outcome == MP_BIND_HOST) {
		char *all = g_strdup_printf("%s; update-initramfs -u -k all", lines);

		g_free(lines);
		lines = all;
	}
	mp_bind_clear(&bind);
	return g_steal_pointer(&lines);
}

static void config_remedy(
	struct mp_finding *f, const struct mp_check_ctx *ctx, const struct mp_bind *bind)
{
	g_autofree char *lines = config_lines(ctx->host, ctx->device, bind);

	mp_finding_remedy(f, "%s; then: %s", lines, rebuild(ctx->host));
}

static void add_unreadable(struct mp_finding *f, const struct mp_host *host)
{
	for (guint i = 0; i < host->modules->unreadable->len; i++)
		mp_finding_fact(f, host->modules->unreadable->pdata[i]);
}

/* --- binding-config --- */

static bool is_wanted(const struct mp_check_ctx *ctx, const struct mp_pci *device)
{
	return g_ptr_array_find(ctx->wanted, device, NULL);
}

/* A device in another group that the same ids= take and nobody asked for, or NULL. */
static const struct mp_pci *stranger(
	const struct mp_check_ctx *ctx, const struct mp_kernel *kernel)
{
	g_autoptr(GPtrArray) taken = mp_bind_also_taken(ctx->host, kernel, ctx->device);

	for (guint i = 0; i < taken->len; i++)
		if (!is_wanted(ctx, taken->pdata[i]))
			return taken->pdata[i];
	return NULL;
}

/* A file whose ids= would take the device if no later one replaced it, or NULL. */
static const struct mp_modprobe_line *replaced_line(const struct mp_check_ctx *ctx)
{
	const GPtrArray *lines = ctx->host->modules->modprobe;

	for (guint i = 0; i < lines->len; i++) {
		const struct mp_modprobe_line *line = lines->pdata[i];
		g_autofree char *ids = NULL;

		if (line->kind != MP_MODPROBE_OPTIONS ||
			strcmp(line->module, "vfio_pci") != 0 || !line->value)
			continue;
		ids = mp_cmdline_get(line->value, "ids");
		if (ids && mp_vfio_ids_take(ids, ctx->device))
			return line;
	}
	return NULL;
}

static struct mp_finding *config_is_missing(struct mp_check_ctx *ctx,
	const struct mp_bind *bind, const struct mp_kernel *kernel)
{
	const struct mp_modprobe_line *replaced = replaced_line(ctx);
	g_autofree char *modules = join(bind->host_modules);
	const char *file = NULL;
	g_autofree char *effective = mp_bind_ids(ctx->host, kernel, &file);
	struct mp_finding *f;

	if (ctx->host->modules->unreadable->len) {
		f = mp_check_say(ctx, MP_UNSURE,
			"Nothing that could be read gives the device to vfio-pci, but not all of the "
			"configuration could be read");
		mp_finding_remedy(f, "look at the files named in the evidence");
	} else if (replaced && effective && file) {
		f = mp_check_say(ctx, MP_WARN,
			"The ids= of %s names the device, but %s sets ids= again and the last one "
			"replaces all others",
			replaced->file, file);
		mp_finding_evidence(f, replaced->file, "%s", replaced->value);
		mp_finding_evidence(f, file, "ids=%s", effective);
		mp_finding_remedy(f, "put all ids into one line of one file, then: %s",
			rebuild(ctx->host));
	} else if (matters_early(ctx->profile, ctx->device)) {
		f = mp_check_say(ctx, MP_WARN,
			"At the next boot %s takes the card before any VM can: it leaves DMA and "
			"interrupt addresses in the card that a VM would inherit",
			modules);
		config_remedy(f, ctx, bind);
	} else {
		f = mp_check_say(ctx, MP_INFO,
			"At the next boot %s takes the device; Proxmox gives it to vfio-pci when the "
			"VM starts, which is fine for this kind of device",
			modules);
	}
	return f;
}

static struct mp_finding *config_is_there(struct mp_check_ctx *ctx,
	const struct mp_bind *bind, const struct mp_kernel *kernel)
{
	const struct mp_pci *other = stranger(ctx, kernel);
	const char *file = NULL;
	g_autofree char *ids = mp_bind_ids(ctx->host, kernel, &file);
	bool by_ids = bind->vfio_file && file && !strcmp(bind->vfio_file, file);
	struct mp_finding *f;

	if (by_ids && other) {
		f = mp_check_say(ctx, MP_FAIL, "ids= takes %s away from the host as well",
			other->bdf);
		mp_finding_evidence(f, file, "ids=%s", ids);
		mp_finding_remedy(f,
			"remove ids= from %s and bind by address: driverctl set-override %s vfio-pci "
			"(package driverctl); then: %s",
			file, ctx->device->bdf, rebuild(ctx->host));
		return f;
	}
	f = pass(ctx, "The configuration gives the device to vfio-pci at boot");
	mp_finding_evidence(f, bind->vfio_file, "%s%s",
		by_ids ? "ids=" : "driver_override vfio-pci", by_ids ? ids : "");
	if (bind->order_file)
		mp_finding_evidence(
			f, bind->order_file, "keeps the host's driver behind or away");
	return f;
}

void mp_check_binding_config(struct mp_check_ctx *ctx)
{
	const struct mp_host *host = ctx->host;
	const struct mp_fact *why;
	const struct mp_kernel *kernel = mp_host_next_kernel(host, &why);
	struct mp_finding *f;
	struct mp_bind bind;

	mp_bind_simulate(host, kernel, ctx->device, ctx->profile, &bind);
	if (bind.outcome == MP_BIND_UNKNOWN) {
		f = mp_check_say(ctx, MP_UNSURE,
			"Who takes the device at boot is not known: %s", bind.why);
		mp_finding_remedy(
			f, "see 'lspci -k -s %s' after the next boot", ctx->device->bdf);
		mp_finding_fact(f, &host->modules->kernels_fact);
	} else if (bind.useless_file) {
		char id[10];
		g_autofree char *parameter =
			g_strdup_printf("vfio-pci.ids=%s", mp_pci_id(ctx->device, id));
		g_autofree char *how = mp_loader_how_to_add(host, parameter);

		f = mp_check_say(ctx, MP_FAIL,
			"vfio-pci is built into kernel %s, so the ids= of %s does nothing",
			kernel->release, bind.useless_file);
		mp_finding_fact(f, &kernel->modules_builtin);
		mp_finding_remedy(f, "give it on the kernel command line: %s", how);
	} else if (bind.vfio_file) {
		f = config_is_there(ctx, &bind, kernel);
	} else if (bind.outcome == MP_BIND_NOBODY) {
		f = pass(ctx,
			bind.order_file
				? "The host's driver is kept away from the device: it "
				  "stays free until the VM starts"
				: "No module of the host wants the device: it stays "
				  "free until the VM starts");
		if (bind.order_file)
			mp_finding_evidence(f, bind.order_file, "blacklist or install");
	} else {
		f = config_is_missing(ctx, &bind, kernel);
	}
	add_unreadable(f, host);
	if (why)
		mp_finding_fact(f, why);
	if (kernel)
		mp_finding_evidence(f,
			kernel == mp_host_newest_kernel(host) ? "newest installed kernel"
							      : "kernel of the next boot",
			"%s", kernel->release);
	mp_bind_clear(&bind);
}

/* --- binding-early --- */

void mp_check_binding_early(struct mp_check_ctx *ctx)
{
	const struct mp_fact *why;
	const struct mp_kernel *kernel = mp_host_next_kernel(ctx->host, &why);
	g_autofree char *modules = NULL;
	struct mp_finding *f;
	struct mp_bind bind;

	mp_bind_simulate(ctx->host, kernel, ctx->device, ctx->profile, &bind);
	modules = join(bind.host_modules);
	if (bind.outcome == MP_BIND_UNKNOWN) {
		f = mp_check_say(ctx, MP_UNSURE,
			"Which driver comes first at boot is not known: %s", bind.why);
		mp_finding_remedy(
			f, "see 'lspci -k -s %s' after the next boot", ctx->device->bdf);
	} else if (bind.outcome == MP_BIND_NOBODY) {
		f = pass(ctx,
			"No driver of the host is loaded for the device, so none can come first");
		mp_finding_evidence(f, "drivers of the host that fit the device", "%s",
			bind.host_modules->len ? modules : "none");
	} else if (bind.outcome == MP_BIND_VFIO) {
		f = pass(ctx, "vfio-pci comes before any driver of the host");
		if (bind.order_file)
			mp_finding_evidence(f, bind.order_file, "decides the order");
		else
			mp_finding_evidence(f, "drivers of the host that fit the device",
				"%s", bind.host_modules->len ? modules : "none");
	} else if (bind.vfio_file) {
		f = mp_check_say(ctx, MP_WARN,
			"vfio-pci is given the device, but nothing makes it come before %s%s",
			modules,
			bind.outcome == MP_BIND_RACE
				? ": whichever is loaded first has it"
				: "");
		config_remedy(f, ctx, &bind);
		mp_finding_evidence(f, bind.vfio_file, "gives the device to vfio-pci");
	} else {
		f = mp_check_say(ctx, MP_SKIP,
			"Nothing binds the device to vfio-pci at boot (see binding-config)");
	}
	add_unreadable(f, ctx->host);
	mp_bind_clear(&bind);
}

/* --- initramfs-binding --- */

struct image_tally {
	const struct mp_image *late, *stale, *unknown;
	unsigned judged;
};

/* True if the image loads vfio-pci on its own, and thereby with its own options. */
static bool loads_vfio(const struct mp_image *image)
{
	for (guint i = 0; i < image->load->len; i++) {
		const struct mp_module_load *load = image->load->pdata[i];

		if (!strcmp(load->module, "vfio_pci"))
			return true;
	}
	return false;
}

/* Options are taken when the module is loaded, so ids= must be inside where it is loaded; a
 * rule for the address (driverctl, udev) works whenever the module came. */
static bool needs_options(const struct mp_check_ctx *ctx, const struct mp_kernel *kernel,
	const struct mp_bind *wanted)
{
	const char *file = NULL;
	g_autofree char *ids = mp_bind_ids(ctx->host, kernel, &file);

	return ids && wanted->vfio_file && !g_strcmp0(file, wanted->vfio_file);
}

static void judge_image(const struct mp_check_ctx *ctx, const struct mp_kernel *kernel,
	const struct mp_image *image, const struct mp_bind *wanted,
	struct image_tally *tally, struct mp_finding *f)
{
	struct mp_bind bind;

	mp_finding_fact(f, &image->fact);
	if (image->fact.know == MP_ABSENT)
		return; /* booted without one, or not bootable: nothing in it comes early */
	if (image->fact.know != MP_KNOWN) {
		tally->unknown = image;
		return;
	}
	tally->judged++;
	mp_bind_simulate_image(
		ctx->host, kernel, image, ctx->device, ctx->profile, &bind);
	g_autofree char *modules = join(bind.host_modules);

	/* A file of an image is named IMAGE: PATH. */
	const char *inside = bind.vfio_file ? strstr(bind.vfio_file, ": ") : NULL;

	mp_finding_evidence(f, image->path, "%s%s; host driver inside: %s; vfio-pci: %s",
		bind.vfio_file ? "given to vfio-pci by "
			       : "nothing gives the device to vfio-pci",
		inside           ? inside + 2
		: bind.vfio_file ? bind.vfio_file
				 : "",
		bind.host_modules->len ? modules : "none",
		image->has_vfio_pci ? "inside" : "not inside");
	if (bind.host_modules->len && bind.outcome != MP_BIND_VFIO &&
		bind.outcome != MP_BIND_NOBODY && !image->scripts->len)
		tally->late = image;
	else if (needs_options(ctx, kernel, wanted) && image->has_vfio_pci &&
		 loads_vfio(image) && !bind.vfio_file && !image->scripts->len)
		tally->stale = image;
	mp_bind_clear(&bind);
}

static void initramfs_verdict(struct mp_check_ctx *ctx, const struct mp_bind *wanted)
{
	const GPtrArray *images = ctx->host->initramfs->images;
	struct mp_finding *f =
		mp_check_say(ctx, MP_UNSURE, "No initramfs image could be judged");
	struct image_tally tally = { NULL, NULL, NULL, 0 };
	g_autofree char *summary = NULL;
	enum mp_severity severity = MP_UNSURE;

	for (guint i = 0; i < images->len; i++) {
		const struct mp_image *image = images->pdata[i];

		judge_image(ctx, ctx->host->modules->kernels->pdata[i], image, wanted,
			&tally, f);
	}
	if (tally.late) {
		severity = MP_WARN;
		summary = g_strdup_printf(
			"The initramfs of kernel %s has the host's driver and nothing in it gives the "
			"device to vfio-pci first",
			tally.late->kernel);
	} else if (tally.stale) {
		severity = MP_WARN;
		summary = g_strdup_printf(
			"The initramfs of kernel %s loads vfio-pci with older options, which do not "
			"name the device",
			tally.stale->kernel);
	} else if (tally.unknown) {
		summary = g_strdup_printf(
			"The initramfs of kernel %s could not be read: %s",
			tally.unknown->kernel,
			tally.unknown->fact.why ? tally.unknown->fact.why
						: "no reason given");
	} else if (tally.judged) {
		severity = MP_PASS;
		summary = g_strdup(
			"In no initramfs image does a host driver come before vfio-pci");
	}
	f->severity = severity;
	if (summary) {
		g_free(f->summary);
		f->summary = g_steal_pointer(&summary);
	}
	if (severity == MP_WARN)
		mp_finding_remedy(f, "%s", rebuild(ctx->host));
	else if (severity == MP_UNSURE)
		mp_finding_remedy(f,
			"as root, for the image that your boot loader starts: "
			"lsinitramfs IMAGE | grep -E 'vfio|modprobe.d'");
}

void mp_check_initramfs_binding(struct mp_check_ctx *ctx)
{
	const struct mp_fact *why;
	const struct mp_kernel *kernel = mp_host_next_kernel(ctx->host, &why);
	struct mp_finding *f;
	struct mp_bind bind;

	mp_bind_simulate(ctx->host, kernel, ctx->device, ctx->profile, &bind);
	if (bind.outcome == MP_BIND_UNKNOWN) {
		f = mp_check_say(ctx, MP_UNSURE,
			"What the initramfs images should hold is not known: %s",
			bind.why);
		mp_finding_remedy(f,
			"as root: lsinitramfs /boot/initrd.img-$(uname -r) | grep -E 'vfio|modprobe.d'");
	} else if (bind.outcome == MP_BIND_HOST && !bind.vfio_file) {
		mp_check_say(ctx, MP_SKIP,
			"Nothing binds the device to vfio-pci at boot (see binding-config)");
	} else {
		initramfs_verdict(ctx, &bind);
	}
	mp_bind_clear(&bind);
}
