/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "core/boot.h"
#include "core/pci.h"
#include "core/pin.h"
#include "core/plan.h"

static void file_free(void *data)
{
	struct mp_plan_file *file = data;

	g_free(file->path);
	g_free(file->content);
	g_free(file->why);
	g_free(file->now);
	g_free(file);
}

static void remark_free(void *data)
{
	struct mp_plan_remark *remark = data;

	g_free(remark->subject);
	g_free(remark->text);
	g_free(remark->remedy);
	g_free(remark);
}

static void vm_option_free(void *data)
{
	struct mp_plan_vm_option *option = data;

	g_free(option->key);
	g_free(option->value);
	g_free(option->now);
	g_free(option->why);
	g_free(option);
}

static struct mp_plan *plan_new(void)
{
	struct mp_plan *plan = g_new0(struct mp_plan, 1);

	plan->files = g_ptr_array_new_with_free_func(file_free);
	plan->steps = g_ptr_array_new_with_free_func((GDestroyNotify)mp_step_free);
	plan->obstacles = g_ptr_array_new_with_free_func(remark_free);
	plan->notes = g_ptr_array_new_with_free_func(remark_free);
	plan->vm_options = g_ptr_array_new_with_free_func(vm_option_free);
	plan->taken = g_ptr_array_new_with_free_func(g_free);
	plan->profiles = g_ptr_array_new_with_free_func((GDestroyNotify)mp_profile_free);
	plan->stale_why = g_ptr_array_new_with_free_func(g_free);
	plan->promises = json_object_new_array();
	return plan;
}

void mp_plan_free(struct mp_plan *plan)
{
	if (!plan)
		return;
	g_ptr_array_unref(plan->files);
	g_ptr_array_unref(plan->steps);
	g_ptr_array_unref(plan->obstacles);
	g_ptr_array_unref(plan->notes);
	g_ptr_array_unref(plan->vm_options);
	g_ptr_array_unref(plan->taken);
	g_ptr_array_unref(plan->stale_why);
	g_ptr_array_unref(plan->profiles);
	json_object_put(plan->promises);
	mp_host_free(plan->then);
	g_free(plan->binding);
	g_free(plan->failure);
	g_free(plan);
}

/* --- for the topics --- */

struct mp_plan_file *mp_plan_add_file(struct mp_plan *plan, const char *path,
	const char *content, unsigned feeds, const char *why_format, ...)
{
	struct mp_plan_file *file = g_new0(struct mp_plan_file, 1);
	va_list args;

	*file = (struct mp_plan_file){
		.path = g_strdup(path),
		.content = g_strdup(content),
		.mode = 0644,
		.reboot = (feeds & (MP_FEEDS_IMAGES | MP_FEEDS_LOADER)) != 0,
		.feeds = feeds,
	};
	va_start(args, why_format);
	file->why = g_strdup_vprintf(why_format, args);
	va_end(args);
	g_ptr_array_add(plan->files, file);
	return file;
}

struct mp_plan_file *mp_plan_add_link(struct mp_plan *plan, const char *path,
	const char *target, unsigned feeds, const char *why)
{
	struct mp_plan_file *file =
		mp_plan_add_file(plan, path, target, feeds, "%s", why);

	file->link = true;
	file->mode = 0777;
	return file;
}

static void remark(GPtrArray *list, const char *subject, const char *remedy, char *text)
{
	struct mp_plan_remark *remark;

	/* Two cards of one group say the same of its members. */
	for (guint i = 0; i < list->len; i++) {
		remark = list->pdata[i];
		if (!strcmp(remark->subject, subject) && !strcmp(remark->text, text)) {
			g_free(text);
			return;
		}
	}
	remark = g_new(struct mp_plan_remark, 1);
	*remark = (struct mp_plan_remark){ g_strdup(subject), text, g_strdup(remedy) };
	g_ptr_array_add(list, remark);
}

void mp_plan_add_obstacle(struct mp_plan *plan, const char *subject, const char *remedy,
	const char *format, ...)
{
	va_list args;

	va_start(args, format);
	remark(plan->obstacles, subject, remedy, g_strdup_vprintf(format, args));
	va_end(args);
}

void mp_plan_add_note(struct mp_plan *plan, const char *subject, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	remark(plan->notes, subject, NULL, g_strdup_vprintf(format, args));
	va_end(args);
}

void mp_plan_need(struct mp_plan *plan, unsigned feeds, const char *why_format, ...)
{
	va_list args;

	va_start(args, why_format);
	g_ptr_array_add(plan->stale_why, g_strdup_vprintf(why_format, args));
	va_end(args);
	plan->stale |= feeds;
}

void mp_plan_promise(struct mp_plan *plan, const char *kind, json_object *object)
{
	json_object_object_add(object, "kind", json_object_new_string(kind));
	json_object_array_add(plan->promises, object);
}

bool mp_wish_forces(const struct mp_wish *wish, const struct mp_pci *device)
{
	for (const char *const *bdf = wish->force; bdf && *bdf; bdf++)
		if (mp_host_device(wish->host, *bdf) == device)
			return true;
	return false;
}

bool mp_wish_has(const struct mp_wish *wish, const struct mp_pci *device)
{
	return g_ptr_array_find(wish->devices, device, NULL);
}

char *mp_plan_head(const char *prefix)
{
	return g_strdup_printf(
		"%1$sWritten by metis-passthrough; changes by hand are found by\n"
		"%1$s`metis-passthrough status`. To undo: `metis-passthrough rollback`.\n",
		prefix);
}

/* --- the files --- */

/* The same for a link. Another link at its place is replaced: the name says whose it is. */
static void look_at_link(
	struct mp_plan *plan, const struct mp_wish *wish, struct mp_plan_file *file)
{
	int err = mp_root_readlink(wish->root, file->path, &file->now);

	if (err == -EINVAL)
		mp_plan_add_obstacle(plan, file->path,
			"look at it, and move it away; then run this again",
			"%s is there and is no symbolic link", file->path);
	else if (err == -ENODATA)
		mp_plan_add_note(plan, file->path,
			"the snapshot does not say whether %s is there; shown as if not",
			file->path);
	else if (err < 0 && err != -ENOENT && err != -ENOTDIR)
		mp_plan_add_obstacle(plan, file->path,
			"run this as root on the host itself", "%s could not be read: %s",
			file->path, g_strerror(-err));
	file->changed = g_strcmp0(file->now, file->content) != 0;
}

/* What stands at the path now. An obstacle where it cannot be told or is no plain file. */
static void look_at(
	struct mp_plan *plan, const struct mp_wish *wish, struct mp_plan_file *file)
{
	g_autofree char *target = NULL;
	struct mp_stat st = { .mode = file->mode };
	size_t size = 0;
	int err;

	if (file->link) {
		look_at_link(plan, wish, file);
		return;
	}
	if (mp_root_readlink(wish->root, file->path, &target) == 0) {
		mp_plan_add_obstacle(plan, file->path,
			"make it a plain file, or remove it, then run this again",
			"%s is a symbolic link to %s: it is not known who else relies on it",
			file->path, target);
		return;
	}
	err = mp_root_read(wish->root, file->path, MP_READ_FILE, &file->now, &size);
	if (err == 0)
		err = mp_root_stat(wish->root, file->path, &st);
	if (err == -ENOENT || err == -ENOTDIR)
		err = 0;
	if (err == -ENODATA) {
		mp_plan_add_note(plan, file->path,
			"the snapshot does not say whether %s is there; shown as if not",
			file->path);
		err = 0;
	}
	if (err < 0) {
		mp_plan_add_obstacle(plan, file->path,
			"run this as root on the host itself", "%s could not be read: %s",
			file->path, g_strerror(-err));
		return;
	}
	if (file->now && strlen(file->now) != size) {
		mp_plan_add_obstacle(plan, file->path, "look at it, and move it away",
			"%s holds bytes that are no text", file->path);
		return;
	}
	if (file->now && file->keep_mode)
		file->mode = st.mode;
	file->changed = g_strcmp0(file->now, file->content) != 0 ||
			(file->content && st.mode != file->mode);
}

static void look_at_files(struct mp_plan *plan, const struct mp_wish *wish)
{
	for (guint i = 0; i < plan->files->len; i++)
		look_at(plan, wish, plan->files->pdata[i]);
}

/* KIND: that of plain files. */
static void promise_files(struct mp_plan *plan, const char *kind)
{
	for (guint i = 0; i < plan->files->len; i++) {
		const struct mp_plan_file *file = plan->files->pdata[i];
		json_object *promise = json_object_new_object();

		json_object_object_add(
			promise, "path", json_object_new_string(file->path));
		if (file->link) {
			json_object_object_add(
				promise, "target", json_object_new_string(file->content));
			mp_plan_promise(plan, "link", promise);
			continue;
		}
		if (file->content) {
			g_autofree char *digest = g_compute_checksum_for_string(
				G_CHECKSUM_SHA256, file->content, -1);

			json_object_object_add(
				promise, "sha256", json_object_new_string(digest));
			json_object_object_add(promise, "mode",
				json_object_new_int64((int64_t)file->mode));
		} else {
			json_object_object_add(
				promise, "absent", json_object_new_boolean(TRUE));
		}
		mp_plan_promise(plan, kind, promise);
	}
}

/* --- the whole --- */

static GPtrArray *borrow(GPtrArray *from)
{
	GPtrArray *to = g_ptr_array_new();

	g_ptr_array_extend(to, from, NULL, NULL);
	return to;
}

/* The devices asked for and, of the configuration, those that stay. */
static void add_configured(struct mp_plan *plan, struct mp_wish *wish)
{
	for (guint i = 0; i < wish->config->cards->len; i++) {
		const struct mp_pin *pin = wish->config->cards->pdata[i];
		struct mp_pci *device = mp_host_device(wish->host, pin->address);
		struct mp_profile *profile;
		g_autofree char *why = NULL;

		/* Another card at the address is told by the configuration's own topic. */
		if (!device || mp_wish_has(wish, device) ||
			mp_pin_check(wish->host, pin, &why) != MP_PIN_SAME)
			continue;
		profile = mp_profile_for_device(device, NULL);
		if (!profile) {
			mp_plan_add_obstacle(plan, device->bdf, NULL,
				"no profile could be loaded for %s of the configuration",
				device->bdf);
			continue;
		}
		g_ptr_array_add(wish->devices, device);
		g_ptr_array_add(wish->profiles, profile);
		g_ptr_array_add(plan->profiles, profile);
	}
}

static void note_pending(struct mp_plan *plan)
{
	for (guint i = 0; i < plan->steps->len; i++)
		plan->reboot = plan->reboot ||
			       ((const struct mp_step *)plan->steps->pdata[i])->reboot;
}

struct mp_plan *mp_plan_make(const struct mp_wish *asked)
{
	struct mp_plan *plan = plan_new();
	struct mp_wish wish = *asked;

	wish.devices = borrow(asked->devices);
	wish.profiles = borrow(asked->profiles);
	wish.asked = asked->devices->len;
	add_configured(plan, &wish);
	if (!wish.devices->len)
		mp_plan_add_obstacle(plan, "host",
			"name it: --device BDF (`metis-passthrough list` shows them)",
			"no device to pass through is named, and the configuration has none");

	mp_plan_config(plan, &wish);
	mp_plan_cmdline(plan, &wish);
	mp_plan_binding(plan, &wish);
	mp_plan_units(plan, &wish);
	mp_plan_hook(plan, &wish);
	look_at_files(plan, &wish);

	mp_plan_simulate(plan, &wish);
	mp_plan_use(plan, &wish);
	mp_plan_cmdline_prove(plan, &wish);

	mp_plan_steps(plan, &wish);
	mp_plan_mapping(plan, &wish);
	mp_plan_vm(plan, &wish);
	promise_files(plan, "file");
	note_pending(plan);
	g_ptr_array_unref(wish.devices);
	g_ptr_array_unref(wish.profiles);
	return plan;
}

/* Who takes a card at the next boot is the host's affair: it forbids nothing of a VM, whose
 * options may well be made first. */
static void boot_alone(struct mp_plan *plan, const struct mp_wish *wish)
{
	guint before = plan->obstacles->len;

	mp_plan_simulate(plan, wish);
	g_ptr_array_set_size(plan->obstacles, (int)before);
	for (guint i = 0; i < plan->taken->len; i++) {
		const struct mp_plan_taken *taken = plan->taken->pdata[i];
		const char *bdf = taken->device->bdf;

		if (taken->wanted && taken->then != MP_BIND_VFIO &&
			!mp_pci_is_bridge(taken->device))
			mp_plan_add_note(plan, bdf,
				"as this host is, %s at the next boot: 'metis-passthrough setup "
				"--device %s' gives it to vfio-pci",
				taken->then == MP_BIND_UNKNOWN
					? "what takes it cannot be foretold"
					: "vfio-pci does not get it for sure",
				bdf);
	}
}

struct mp_plan *mp_plan_make_vm(const struct mp_wish *asked)
{
	struct mp_plan *plan = plan_new();
	struct mp_wish wish = *asked;

	wish.asked = asked->devices->len;
	if (!wish.devices->len)
		mp_plan_add_obstacle(plan, "host",
			"name it: --device BDF (`metis-passthrough list` shows them)",
			"no device to pass through is named, and the configuration has none");
	boot_alone(plan, &wish);
	mp_plan_use(plan, &wish);
	g_ptr_array_set_size(plan->taken, 0);
	mp_plan_mapping(plan, &wish);
	mp_plan_vm(plan, &wish);
	return plan;
}

struct mp_plan *mp_plan_make_guest(const struct mp_wish *asked)
{
	struct mp_plan *plan = plan_new();
	struct mp_wish wish = *asked;

	wish.asked = asked->devices->len;
	mp_plan_guest_options(plan, &wish);
	look_at_files(plan, &wish);
	if (plan->obstacles->len)
		return plan;
	mp_plan_try(plan, &wish);
	mp_plan_guest_prove(plan, &wish);
	mp_plan_steps(plan, &wish);
	promise_files(plan, "guest-file");
	note_pending(plan);
	return plan;
}
