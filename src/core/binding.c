/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules: udev loads every module whose alias fits, unless modprobe.d blacklists it or its
 * `install` command does nothing; `softdep X pre: Y` loads Y before X; options of modprobe.d
 * reach loadable modules only, "vfio-pci.ids=" on the command line both kinds; a
 * driver_override decides alone (pci_match_device() in drivers/pci/pci-driver.c).
 */
#include "config.h"

#include <fnmatch.h>
#include <string.h>

#include "core/binding.h"
#include "core/boot.h"
#include "core/early-bind.h"
#include "core/pci.h"

#define CMDLINE_SOURCE "the kernel command line"

/* What the simulation looks at: the running system, or one image. */
struct scene {
	const struct mp_host *host;
	const struct mp_kernel *kernel;
	const struct mp_image *image; /* NULL: the root file system */
	const GPtrArray *modprobe;
	const GPtrArray *load;
};

const char *mp_bind_cmdline(const struct mp_host *host)
{
	const struct mp_boot *boot = host->boot;

	if (boot && boot->staged.know == MP_KNOWN)
		return boot->staged.text;
	return boot && boot->cmdline.know == MP_KNOWN ? boot->cmdline.text : "";
}

static bool is_vfio_module(const char *name)
{
	return g_str_has_prefix(name, "vfio") || !strcmp(name, "pci_stub") ||
	       !strcmp(name, "xen_pciback");
}

static void add_once(GPtrArray *list, const char *name)
{
	for (guint i = 0; i < list->len; i++)
		if (mp_cmdline_name_is(list->pdata[i], name))
			return;
	g_ptr_array_add(list, (gpointer)name);
}

GPtrArray *mp_bind_host_modules(const struct mp_host *host,
	const struct mp_kernel *kernel, const struct mp_pci *device,
	const struct mp_profile *profile)
{
	GPtrArray *list = g_ptr_array_new();
	const GPtrArray *wanting = kernel ? mp_module_wanting(kernel, device) : NULL;

	for (guint i = 0; wanting && i < wanting->len; i++)
		if (!is_vfio_module(wanting->pdata[i]))
			add_once(list, wanting->pdata[i]);
	for (guint i = 0; mp_profile_fits(profile, device) && i < profile->modules->len;
		i++) {
		const char *name = profile->modules->pdata[i];
		enum mp_module_where where =
			kernel ? mp_module_where(kernel, name) : MP_MODULE_UNKNOWN;

		if (where != MP_MODULE_MISSING &&
			(where != MP_MODULE_UNKNOWN || mp_module_loaded(host, name)))
			add_once(list, name);
	}
	if (device->driver_module.know == MP_KNOWN &&
		!is_vfio_module(device->driver_module.text) &&
		(!kernel || mp_module_where(kernel, device->driver_module.text) !=
				    MP_MODULE_MISSING))
		add_once(list, device->driver_module.text);
	return list;
}

static const struct mp_modprobe_line *line_for(
	const struct scene *scene, enum mp_modprobe_kind kind, const char *module)
{
	for (guint i = 0; i < scene->modprobe->len; i++) {
		const struct mp_modprobe_line *line = scene->modprobe->pdata[i];

		if (line->kind == kind && mp_cmdline_name_is(line->module, module) &&
			strcmp(line->file, "/proc/cmdline") != 0)
			return line;
	}
	return NULL;
}

static bool listed_on_cmdline(
	const struct scene *scene, const char *name, const char *module)
{
	g_autoptr(GPtrArray) params = mp_cmdline_split(mp_bind_cmdline(scene->host));

	for (guint i = 0; i < params->len; i++) {
		const struct mp_param *param = params->pdata[i];

		if (!param->value || !mp_cmdline_name_is(param->name, name))
			continue;
		g_auto(GStrv) words = g_strsplit(param->value, ",", -1);

		for (char **word = words; *word; word++)
			if (mp_cmdline_name_is(*word, module))
				return true;
	}
	return false;
}

/* Where MODULE is kept from being loaded by its alias, or NULL. */
static const char *blocked_by(const struct scene *scene, const char *module)
{
	const struct mp_modprobe_line *line =
		line_for(scene, MP_MODPROBE_BLACKLIST, module);
	const char *value;

	if (mp_module_where(scene->kernel, module) == MP_MODULE_BUILTIN)
		return NULL;
	if (line)
		return line->file;
	line = line_for(scene, MP_MODPROBE_INSTALL, module);
	value = line && line->value ? line->value : "";
	if (g_str_has_suffix(value, "/false") || g_str_has_suffix(value, "/true"))
		return line->file;
	if (listed_on_cmdline(scene, "modprobe.blacklist", module) ||
		listed_on_cmdline(scene, "module_blacklist", module))
		return CMDLINE_SOURCE;
	return NULL;
}

/* "pre: a b post: c": is vfio-pci before? */
static bool has_pre_vfio(const char *value)
{
	g_auto(GStrv) words = g_strsplit_set(value, " \t", -1);
	bool pre = false;

	for (char **word = words; *word; word++) {
		if (g_str_has_suffix(*word, ":"))
			pre = !strcmp(*word, "pre:");
		else if (pre && mp_cmdline_name_is(*word, "vfio_pci"))
			return true;
	}
	return false;
}

static const char *softdep_of(const struct scene *scene, const char *module)
{
	for (guint i = 0; i < scene->modprobe->len; i++) {
		const struct mp_modprobe_line *line = scene->modprobe->pdata[i];

		if (line->kind == MP_MODPROBE_SOFTDEP && line->value &&
			mp_cmdline_name_is(line->module, module) &&
			has_pre_vfio(line->value))
			return line->file;
	}
	return NULL;
}

static const struct mp_module_load *vfio_load(const struct scene *scene)
{
	const struct mp_module_load *found = NULL;

	for (guint i = 0; i < scene->load->len; i++) {
		const struct mp_module_load *load = scene->load->pdata[i];

		if (mp_cmdline_name_is(load->module, "vfio_pci"))
			found = load;
	}
	return found;
}

/* The ids= that vfio-pci gets. A built-in one hears only the command line. */
static char *ids_of(const struct scene *scene, const char **file)
{
	char *ids = mp_cmdline_get(mp_bind_cmdline(scene->host), "vfio_pci.ids");
	const struct mp_module_load *load = vfio_load(scene);

	*file = CMDLINE_SOURCE;
	if (mp_module_where(scene->kernel, "vfio_pci") == MP_MODULE_BUILTIN)
		return ids;
	/* Arguments of the loading line come last and win. */
	char *given = load && load->options ? mp_cmdline_get(load->options, "ids") : NULL;

	if (given) {
		g_free(ids);
		*file = load->file;
		return given;
	}
	if (ids)
		return ids;
	for (guint i = scene->modprobe->len; i-- > 0;) {
		const struct mp_modprobe_line *line = scene->modprobe->pdata[i];

		if (line->kind != MP_MODPROBE_OPTIONS || !line->value ||
			!mp_cmdline_name_is(line->module, "vfio_pci") ||
			!strcmp(line->file, "/proc/cmdline"))
			continue;
		ids = mp_cmdline_get(line->value, "ids");
		*file = line->file;
		if (ids)
			return ids;
	}
	*file = NULL;
	return NULL;
}

bool mp_bind_override_fits(
	const struct mp_override_rule *rule, const struct mp_pci *device)
{
	return (!rule->address || !fnmatch(rule->address, device->bdf, 0)) &&
	       (rule->vendor < 0 || rule->vendor == device->vendor) &&
	       (rule->device < 0 || rule->device == device->device) &&
	       (rule->subvendor < 0 || rule->subvendor == device->subvendor) &&
	       (rule->subdevice < 0 || rule->subdevice == device->subdevice);
}

/* An override rule for DEVICE, the last that fits. */
static const struct mp_override_rule *override_of(
	const struct scene *scene, const struct mp_pci *device)
{
	const GPtrArray *rules = scene->host->modules->overrides;
	const struct mp_override_rule *found = NULL;

	for (guint i = 0; !scene->image && i < rules->len; i++) {
		const struct mp_override_rule *rule = rules->pdata[i];

		if (!mp_bind_override_fits(rule, device))
			continue;
		if (rule->program && (rule->program_fact.know == MP_ABSENT ||
					     mp_early_fits(scene->host->modules->early,
						     device) == MP_EARLY_NO))
			continue;
		found = rule;
	}
	return found;
}

/* True if each host module is kept away or waits for vfio-pci. */
static bool in_order(const struct scene *scene, struct mp_bind *bind, bool *all_blocked)
{
	*all_blocked = true;
	for (guint i = 0; i < bind->host_modules->len; i++) {
		const char *module = bind->host_modules->pdata[i];
		const char *file = blocked_by(scene, module);

		if (!file) {
			*all_blocked = false;
			file = softdep_of(scene, module);
			if (mp_module_where(scene->kernel, module) == MP_MODULE_BUILTIN)
				file = NULL;
		}
		if (!file)
			return false;
		bind->order_file = file;
	}
	return true;
}

static bool builtin_among(const struct scene *scene, const GPtrArray *modules)
{
	for (guint i = 0; i < modules->len; i++)
		if (mp_module_where(scene->kernel, modules->pdata[i]) ==
			MP_MODULE_BUILTIN)
			return true;
	return false;
}

static enum mp_bind_outcome judge_ids(const struct scene *scene, struct mp_bind *bind)
{
	bool builtin = mp_module_where(scene->kernel, "vfio_pci") == MP_MODULE_BUILTIN;
	const struct mp_module_load *load = vfio_load(scene);
	bool all_blocked, ordered = in_order(scene, bind, &all_blocked);

	if (ordered && (builtin || load || !all_blocked))
		return MP_BIND_VFIO;
	if (ordered)
		return MP_BIND_NOBODY; /* nothing loads vfio-pci before a VM needs it */
	if (builtin_among(scene, bind->host_modules))
		return MP_BIND_HOST;
	if (builtin)
		return MP_BIND_VFIO;
	/* An image's list is loaded after udev has gone through all devices: its /init runs
	 * init-top, and udev in it, before load_modules. */
	if (scene->image)
		return MP_BIND_HOST;
	return load ? MP_BIND_RACE : MP_BIND_HOST;
}

/*
 * By address, before udev loads anything: nobody but vfio-pci can have the device, unless a
 * driver is built in and had it before the first program ran. vfio-pci takes it when it is
 * loaded.
 */
static void judge_early(const struct scene *scene, const char *file,
	const GPtrArray *cards, const struct mp_pci *device, struct mp_bind *bind)
{
	bool there = mp_module_where(scene->kernel, "vfio_pci") == MP_MODULE_BUILTIN;

	bind->order_file = file;
	if (builtin_among(scene, bind->host_modules)) {
		bind->outcome = MP_BIND_HOST;
		return;
	}
	if (mp_early_fits(cards, device) == MP_EARLY_UNREAD) {
		bind->why =
			"its serial number, which the binding asks for, could not be read";
		return;
	}
	bind->vfio_file = file;
	there = there ||
		(scene->image ? scene->image->has_vfio_pci : vfio_load(scene) != NULL);
	bind->outcome = there ? MP_BIND_VFIO : MP_BIND_NOBODY;
}

static void simulate(
	const struct scene *scene, const struct mp_pci *device, struct mp_bind *bind)
{
	const struct mp_override_rule *rule = override_of(scene, device);
	const char *file = NULL;
	g_autofree char *ids = ids_of(scene, &file);
	bool all_blocked;

	if (scene->image && mp_early_fits(scene->image->early, device) != MP_EARLY_NO) {
		judge_early(scene, scene->image->early_file, scene->image->early, device,
			bind);
		return;
	}
	if (rule && rule->program) {
		judge_early(scene, rule->file, scene->host->modules->early, device, bind);
		return;
	}
	if (rule) {
		bind->order_file = rule->file;
		bind->outcome = MP_BIND_HOST;
		if (!strcmp(rule->driver, "vfio-pci")) {
			bind->vfio_file = rule->file;
			bind->outcome = MP_BIND_VFIO;
		}
		return;
	}
	if (ids && mp_vfio_ids_take(ids, device)) {
		bind->vfio_file = file;
		bind->outcome = judge_ids(scene, bind);
		return;
	}
	if (in_order(scene, bind, &all_blocked) && all_blocked)
		bind->outcome = MP_BIND_NOBODY;
	else
		bind->outcome = MP_BIND_HOST;
}

void mp_bind_simulate(const struct mp_host *host, const struct mp_kernel *kernel,
	const struct mp_pci *device, const struct mp_profile *profile,
	struct mp_bind *bind)
{
	struct scene scene = { host, kernel, NULL, host->modules->modprobe,
		host->modules->load };
	g_autofree char *modprobe_ids = NULL;
	const char *file = NULL;

	*bind = (struct mp_bind){
		.host_modules = mp_bind_host_modules(host, kernel, device, profile),
	};
	if (!kernel) {
		bind->why = "the modules of no installed kernel could be read";
		return;
	}
	if (mp_pci_id_unknown(device)) {
		bind->why = "the device's own id could not be read";
		return;
	}
	/* A profile that names its modules is enough: they are installed or they aren't. */
	bool named = profile->modules->len && mp_profile_fits(profile, device);

	if (!named && !bind->host_modules->len &&
		(kernel->modules_alias.know != MP_KNOWN ||
			device->modalias.know != MP_KNOWN)) {
		bind->why = "which modules want the device could not be read";
		return;
	}
	simulate(&scene, device, bind);
	modprobe_ids =
		mp_modprobe_option(host->modules->modprobe, "vfio_pci", "ids", &file);
	if (bind->outcome != MP_BIND_VFIO && modprobe_ids &&
		strcmp(file, "/proc/cmdline") != 0 &&
		mp_vfio_ids_take(modprobe_ids, device) &&
		mp_module_where(kernel, "vfio_pci") == MP_MODULE_BUILTIN)
		bind->useless_file = file;
}

void mp_bind_simulate_image(const struct mp_host *host, const struct mp_kernel *kernel,
	const struct mp_image *image, const struct mp_pci *device,
	const struct mp_profile *profile, struct mp_bind *bind)
{
	struct scene scene = { host, kernel, image, image->modprobe, image->load };
	g_autoptr(GPtrArray) all = mp_bind_host_modules(host, kernel, device, profile);

	*bind = (struct mp_bind){ .host_modules = g_ptr_array_new() };
	for (guint i = 0; i < all->len; i++)
		if (mp_image_has_module(image, all->pdata[i]) ||
			mp_module_where(kernel, all->pdata[i]) == MP_MODULE_BUILTIN)
			g_ptr_array_add(bind->host_modules, all->pdata[i]);
	simulate(&scene, device, bind);
	/* What is not in the image cannot be first in it. */
	if (bind->outcome == MP_BIND_VFIO && bind->host_modules->len &&
		!image->has_vfio_pci &&
		mp_module_where(kernel, "vfio_pci") != MP_MODULE_BUILTIN)
		bind->outcome = MP_BIND_HOST;
}

void mp_bind_clear(struct mp_bind *bind)
{
	if (bind->host_modules)
		g_ptr_array_unref(bind->host_modules);
	bind->host_modules = NULL;
}

char *mp_bind_ids(
	const struct mp_host *host, const struct mp_kernel *kernel, const char **file)
{
	struct scene scene = { host, kernel, NULL, host->modules->modprobe,
		host->modules->load };

	return ids_of(&scene, file);
}

GPtrArray *mp_bind_also_taken(const struct mp_host *host, const struct mp_kernel *kernel,
	const struct mp_pci *device)
{
	GPtrArray *list = g_ptr_array_new();
	const char *file = NULL;
	g_autofree char *ids = mp_bind_ids(host, kernel, &file);

	for (guint i = 0; ids && i < host->devices->len; i++) {
		struct mp_pci *other = host->devices->pdata[i];

		if (other == device || (other->group && other->group == device->group) ||
			mp_pci_is_bridge(other) || !mp_vfio_ids_take(ids, other))
			continue;
		g_ptr_array_add(list, other);
	}
	return list;
}
