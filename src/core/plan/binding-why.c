/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the host allows: ids= or an address, and what forbids both. */
#include "config.h"

#include <string.h>

#include "core/boot.h"
#include "core/plan/binding.h"

#define IDS_MAX 1023 /* drivers/vfio/pci/vfio_pci.c: static char ids[1024] */

/* FILE is a path of the root, or "IMAGE: PATH". */
static bool is_ours(const char *file)
{
	static const char *const names[] = { "/metis-passthrough.conf",
		"/10-metis-passthrough.rules" };

	for (size_t i = 0; file && i < G_N_ELEMENTS(names); i++)
		if (g_str_has_suffix(file, names[i]))
			return true;
	return false;
}

static bool by_others(const struct mp_bind *bind)
{
	return bind->outcome == MP_BIND_VFIO && !is_ours(bind->vfio_file) &&
	       !is_ours(bind->order_file);
}

/* Inside an image also nobody will do: then the root decides. */
static bool image_by_others(const struct mp_host *host, const struct mp_kernel *kernel,
	const struct mp_pci *card, const struct mp_profile *profile)
{
	const struct mp_image *image = mp_host_image(host, kernel->release);
	struct mp_bind bind;
	bool good;

	if (!image || image->fact.know == MP_ABSENT)
		return true;
	if (image->fact.know != MP_KNOWN)
		return false;
	mp_bind_simulate_image(host, kernel, image, card, profile, &bind);
	good = by_others(&bind) || bind.outcome == MP_BIND_NOBODY;
	mp_bind_clear(&bind);
	return good;
}

bool mp_binding_by_others(const struct mp_wish *wish, const struct mp_pci *card,
	const struct mp_profile *profile, const char **file)
{
	const GPtrArray *kernels = wish->host->modules->kernels;

	for (guint i = 0; i < kernels->len; i++) {
		const struct mp_kernel *kernel = kernels->pdata[i];
		struct mp_bind bind;
		bool good;

		mp_bind_simulate(wish->host, kernel, card, profile, &bind);
		good = by_others(&bind);
		*file = bind.vfio_file;
		mp_bind_clear(&bind);
		if (!good || !image_by_others(wish->host, kernel, card, profile))
			return false;
	}
	return kernels->len > 0;
}

/* --- ids= --- */

char *mp_binding_id(const struct mp_pci *card)
{
	/* All ones is what an unread subsystem holds, and "any" to vfio-pci. */
	if (card->subvendor == 0xffff || card->subdevice == 0xffff)
		return g_strdup_printf("%04x:%04x", card->vendor, card->device);
	return g_strdup_printf("%04x:%04x:%04x:%04x", card->vendor, card->device,
		card->subvendor, card->subdevice);
}

char *mp_binding_ids(const struct mp_binding *b)
{
	g_autoptr(GPtrArray) ids = g_ptr_array_new_with_free_func(g_free);

	for (guint i = 0; i < b->cards->len; i++) {
		g_autofree char *id = mp_binding_id(b->cards->pdata[i]);

		if (!g_ptr_array_find_with_equal_func(ids, id, g_str_equal, NULL))
			g_ptr_array_add(ids, g_steal_pointer(&id));
	}
	g_ptr_array_sort(ids, mp_binding_compare);
	g_ptr_array_add(ids, NULL);
	return g_strjoinv(",", (char **)ids->pdata);
}

int mp_binding_compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void remark_free(void *data)
{
	struct mp_plan_remark *remark = data;

	g_free(remark->subject);
	g_free(remark->text);
	g_free(remark->remedy);
	g_free(remark);
}

G_GNUC_PRINTF(3, 4)
static void add(GPtrArray *reasons, const char *subject, const char *format, ...)
{
	struct mp_plan_remark *remark = g_new0(struct mp_plan_remark, 1);
	va_list args;

	va_start(args, format);
	remark->text = g_strdup_vprintf(format, args);
	va_end(args);
	remark->subject = g_strdup(subject);
	g_ptr_array_add(reasons, remark);
}

static bool is_wanted(const struct mp_binding *b, const struct mp_pci *device)
{
	return g_ptr_array_find(b->wish->devices, device, NULL);
}

static void against_twins(const struct mp_binding *b, GPtrArray *reasons)
{
	for (guint i = 0; i < b->cards->len; i++) {
		const struct mp_pci *card = b->cards->pdata[i];
		g_autofree char *id = mp_binding_id(card);

		for (guint j = 0; j < b->host->devices->len; j++) {
			const struct mp_pci *other = b->host->devices->pdata[j];

			if (!is_wanted(b, other) && mp_vfio_ids_take(id, other))
				add(reasons, card->bdf,
					"%s has the same id (%s) and shall stay with the "
					"host",
					other->bdf, id);
		}
	}
}

static void against_builtin(const struct mp_binding *b, GPtrArray *reasons)
{
	const GPtrArray *kernels = b->host->modules->kernels;

	for (guint i = 0; i < kernels->len; i++) {
		const struct mp_kernel *kernel = kernels->pdata[i];

		if (mp_module_where(kernel, "vfio_pci") == MP_MODULE_BUILTIN)
			add(reasons, "host",
				"vfio-pci is built into kernel %s and does not read "
				"modprobe.d",
				kernel->release);
	}
}

/* Of several ids= one wins, and the others are without effect, silently. */
static void against_foreign_ids(const struct mp_binding *b, GPtrArray *reasons)
{
	static const char text[] =
		"%s gives vfio-pci ids (%s), and of two lists only one counts";
	const struct mp_modules *modules = b->host->modules;
	g_autofree char *staged =
		mp_cmdline_get(mp_bind_cmdline(b->host), "vfio_pci.ids");

	if (staged)
		add(reasons, "host", text, "the kernel command line", staged);
	for (guint i = 0; i < modules->modprobe->len; i++) {
		const struct mp_modprobe_line *line = modules->modprobe->pdata[i];
		g_autofree char *ids = NULL;

		if (line->kind != MP_MODPROBE_OPTIONS || !line->value ||
			is_ours(line->file) || !strcmp(line->file, "/proc/cmdline") ||
			!mp_cmdline_name_is(line->module, "vfio_pci"))
			continue;
		ids = mp_cmdline_get(line->value, "ids");
		if (ids)
			add(reasons, "host", text, line->file, ids);
	}
	for (guint i = 0; i < modules->initramfs_load->len; i++) {
		const struct mp_module_load *load = modules->initramfs_load->pdata[i];
		g_autofree char *ids = NULL;

		if (load->options && mp_cmdline_name_is(load->module, "vfio_pci"))
			ids = mp_cmdline_get(load->options, "ids");
		if (ids)
			add(reasons, "host", text, load->file, ids);
	}
}

GPtrArray *mp_binding_against_ids(const struct mp_binding *b)
{
	GPtrArray *reasons = g_ptr_array_new_with_free_func(remark_free);
	g_autofree char *ids = mp_binding_ids(b);

	against_twins(b, reasons);
	against_builtin(b, reasons);
	against_foreign_ids(b, reasons);
	if (strlen(ids) > IDS_MAX)
		add(reasons, "host",
			"the list of ids is longer than the %d characters that vfio-pci "
			"takes",
			IDS_MAX);
	return reasons;
}

/* --- what forbids both --- */

static void need_vfio(const struct mp_binding *b, const struct mp_kernel *kernel)
{
	switch (mp_module_where(kernel, "vfio_pci")) {
	case MP_MODULE_MISSING:
		mp_plan_add_obstacle(b->plan, "host",
			"remove that kernel, or install a complete one in its place",
			"kernel %s has no vfio-pci: with it, no card could be passed on",
			kernel->release);
		return;
	case MP_MODULE_UNKNOWN:
		mp_plan_add_note(b->plan, "host",
			"whether kernel %s has vfio-pci could not be read",
			kernel->release);
		return;
	default:
		return;
	}
}

/* A built-in driver has the card before the first program runs. */
static void need_loadable(const struct mp_binding *b, const struct mp_kernel *kernel,
	const struct mp_pci *card, const struct mp_profile *profile)
{
	g_autoptr(GPtrArray) names = mp_bind_host_modules(b->host, kernel, card, profile);

	for (guint i = 0; i < names->len; i++)
		if (mp_module_where(kernel, names->pdata[i]) == MP_MODULE_BUILTIN)
			mp_plan_add_obstacle(b->plan, card->bdf,
				"leave the card out: its driver can only be taken from it "
				"while the host runs, as Proxmox VE does at a VM's start",
				"its driver %s is built into kernel %s and has it before "
				"anything can be bound",
				(const char *)names->pdata[i], kernel->release);
}

static const char *keeps_vfio_away(const struct mp_host *host)
{
	static const char *const lists[] = { "modprobe.blacklist", "module_blacklist" };

	for (guint i = 0; i < host->modules->modprobe->len; i++) {
		const struct mp_modprobe_line *line = host->modules->modprobe->pdata[i];

		if (mp_cmdline_name_is(line->module, "vfio_pci") &&
			(line->kind == MP_MODPROBE_BLACKLIST ||
				line->kind == MP_MODPROBE_INSTALL) &&
			strcmp(line->file, "/proc/cmdline") != 0)
			return line->file;
	}
	for (size_t i = 0; i < G_N_ELEMENTS(lists); i++)
		if (mp_cmdline_has(mp_bind_cmdline(host), lists[i], "vfio-pci") ||
			mp_cmdline_has(mp_bind_cmdline(host), lists[i], "vfio_pci"))
			return "the kernel command line";
	return NULL;
}

static bool is_snapshot(const struct mp_binding *b)
{
	return mp_root_header(b->wish->root, "tool") != NULL;
}

static void need_initramfs_tools(const struct mp_binding *b)
{
	const struct mp_initramfs *initramfs = b->host->initramfs;

	if (initramfs->update_initramfs.know == MP_UNKNOWN)
		mp_plan_add_note(b->plan, "host",
			"whether initramfs-tools makes the images is not known: %s: %s",
			initramfs->update_initramfs.source,
			initramfs->update_initramfs.why);
	if (initramfs->update_initramfs.know != MP_ABSENT)
		return;
	if (initramfs->dracut.know == MP_KNOWN)
		mp_plan_add_obstacle(b->plan, "host",
			"install initramfs-tools, which Proxmox VE comes with",
			"dracut makes the initramfs images here: only initramfs-tools can "
			"be set up");
	else if (is_snapshot(b))
		mp_plan_add_note(b->plan, "host",
			"whether initramfs-tools makes the images is not known: the snapshot "
			"has no update-initramfs");
	else
		mp_plan_add_obstacle(b->plan, "host", "install initramfs-tools",
			"nothing makes initramfs images here: there is no "
			"update-initramfs");
}

static void need_program(const struct mp_binding *b)
{
	const struct mp_fact *program = &b->host->initramfs->early_bind;

	if (!strcmp(b->plan->binding, "ids"))
		return;
	if (program->know == MP_ABSENT && !is_snapshot(b))
		mp_plan_add_obstacle(b->plan, "host",
			"install metis-passthrough on the host that is set up",
			"%s, which binds cards by their address, is not there",
			program->source);
	if (program->know == MP_UNKNOWN && !is_snapshot(b))
		mp_plan_add_note(b->plan, "host",
			"whether %s, which binds cards by their address, is there is not "
			"known: %s",
			program->source, program->why);
	if (program->know == MP_KNOWN || !is_snapshot(b))
		return;
	/* It may have been taken by a program that was never installed there. */
	b->plan->assumed = program->source;
	mp_plan_add_note(b->plan, "host",
		"%s, which binds cards by their address, is taken for installed: the "
		"snapshot does not have it",
		program->source);
}

/* What decides about the card where our rule would not be the last. */
static void no_other_override(const struct mp_binding *b, const struct mp_pci *card)
{
	const GPtrArray *rules = b->host->modules->overrides;

	for (guint i = 0; i < rules->len; i++) {
		const struct mp_override_rule *rule = rules->pdata[i];

		if (mp_bind_override_fits(rule, card) &&
			strcmp(rule->driver, "vfio-pci") != 0)
			mp_plan_add_obstacle(b->plan, card->bdf, "take that away",
				"%s gives it to %s", rule->file, rule->driver);
	}
}

void mp_binding_obstacles(const struct mp_binding *b)
{
	const GPtrArray *kernels = b->host->modules->kernels;
	const char *file = keeps_vfio_away(b->host);

	if (!kernels->len)
		mp_plan_add_obstacle(b->plan, "host", NULL,
			"the modules of no installed kernel could be read");
	for (guint i = 0; i < kernels->len; i++) {
		need_vfio(b, kernels->pdata[i]);
		for (guint j = 0; j < b->cards->len; j++)
			need_loadable(b, kernels->pdata[i], b->cards->pdata[j],
				b->profiles->pdata[j]);
	}
	if (file)
		mp_plan_add_obstacle(b->plan, "host", "take that line away",
			"%s keeps vfio-pci from being loaded", file);
	for (guint i = 0; i < b->cards->len; i++)
		no_other_override(b, b->cards->pdata[i]);
	need_initramfs_tools(b);
	need_program(b);
}
