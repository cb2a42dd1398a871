/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files would do, before one of them is written: they are read back by the same
 * probes that read a host (modprobe.d by libkmod), and the next boot is simulated for every
 * device with and without them.
 */
#include "config.h"

#include <string.h>

#include "core/boot.h"
#include "core/pci.h"
#include "core/plan.h"

/* The host as it would be. */
static struct mp_host *with_files(const struct mp_plan *plan, const struct mp_wish *wish)
{
	struct mp_host *then = mp_host_view(wish->host);
	g_autoptr(GArray) files = g_array_new(FALSE, FALSE, sizeof(struct mp_overlay));
	g_autoptr(mp_root) root = NULL;

	for (guint i = 0; i < plan->files->len; i++) {
		const struct mp_plan_file *file = plan->files->pdata[i];
		struct mp_overlay entry = { file->path, file->content, file->mode,
			file->link };

		if (file->changed)
			g_array_append_val(files, entry);
	}
	if (!files->len)
		return then;
	if (plan->assumed) {
		struct mp_overlay entry = { plan->assumed, "", 0755 };

		g_array_append_val(files, entry);
	}
	root = mp_root_overlay(wish->root, (void *)files->data, files->len);
	if (then->modules)
		mp_probe_module_config(then, root);
	if (then->boot)
		mp_probe_boot(then, root);
	return then;
}

/* Profiles matter to a simulation only where they fit. */
static const struct mp_profile *profile_for(
	const struct mp_wish *wish, const struct mp_pci *device)
{
	for (guint i = 0; i < wish->devices->len; i++)
		if (wish->devices->pdata[i] == device)
			return wish->profiles->pdata[i];
	for (guint i = 0; i < wish->profiles->len; i++)
		if (mp_profile_fits(wish->profiles->pdata[i], device))
			return wish->profiles->pdata[i];
	return wish->profiles->pdata[0];
}

enum mp_bind_outcome mp_plan_outcome(const struct mp_wish *wish,
	const struct mp_host *host, const struct mp_kernel *kernel,
	const struct mp_pci *device, char **why)
{
	struct mp_bind bind;
	enum mp_bind_outcome outcome;

	mp_bind_simulate(host, kernel, device, profile_for(wish, device), &bind);
	outcome = bind.outcome;
	if (why && outcome == MP_BIND_UNKNOWN)
		*why = g_strdup(bind.why ? bind.why : "no reason is given");
	else if (why && (bind.order_file || bind.vfio_file))
		*why = g_strdup(bind.order_file ? bind.order_file : bind.vfio_file);
	mp_bind_clear(&bind);
	return outcome;
}

static void add_taken(struct mp_plan *plan, const struct mp_pci *device,
	enum mp_bind_outcome now, enum mp_bind_outcome then, bool wanted)
{
	struct mp_plan_taken *taken = g_new(struct mp_plan_taken, 1);

	*taken = (struct mp_plan_taken){ device, now, then, wanted };
	g_ptr_array_add(plan->taken, taken);
}

/* --- devices that nobody asked for --- */

static bool ids_take(const struct mp_host *host, const struct mp_kernel *kernel,
	const struct mp_pci *device)
{
	const char *file = NULL;
	g_autofree char *ids = kernel ? mp_bind_ids(host, kernel, &file) : NULL;

	return ids && mp_vfio_ids_take(ids, device);
}

static void refuse(struct mp_plan *plan, const struct mp_wish *wish,
	const struct mp_pci *device, const struct mp_kernel *kernel,
	enum mp_bind_outcome then)
{
	g_autofree char *what = mp_pci_describe(device);
	g_autofree char *remedy = g_strdup_printf(
		"if it shall be passed through as well: add --device %s; if not: bind "
		"by address (--binding address)",
		device->bdf);
	const char *driver = device->driver.know == MP_KNOWN ? device->driver.text : NULL;
	const char *loss = then == MP_BIND_NOBODY ? "would be left without a driver by"
						  : "would go to vfio-pci too by";

	if (mp_wish_forces(wish, device)) {
		mp_plan_add_note(plan, device->bdf,
			"forced: %s (%s) %s these files, with kernel %s", device->bdf,
			what, loss, kernel->release);
		return;
	}
	mp_plan_add_obstacle(plan, device->bdf, remedy,
		"%s (%s%s%s) was not asked for, but %s these files, with kernel %s",
		device->bdf, what, driver ? ", driver " : "", driver ? driver : "", loss,
		kernel->release);
}

/* True where KERNEL's next boot would treat an unwanted device worse. */
static bool is_worse(const struct mp_plan *plan, const struct mp_wish *wish,
	const struct mp_kernel *kernel, const struct mp_pci *device,
	struct mp_plan_taken *taken)
{
	taken->now = mp_plan_outcome(wish, wish->host, kernel, device, NULL);
	taken->then = mp_plan_outcome(wish, plan->then, kernel, device, NULL);
	if (taken->then == MP_BIND_UNKNOWN)
		return ids_take(plan->then, kernel, device) &&
		       !ids_take(wish->host, kernel, device);
	if (taken->now == taken->then)
		return false;
	return taken->then != MP_BIND_HOST && taken->now != MP_BIND_VFIO;
}

static void judge_unwanted(struct mp_plan *plan, const struct mp_wish *wish,
	const struct mp_pci *device, const struct mp_kernel *next)
{
	const GPtrArray *kernels = plan->then->modules->kernels;
	bool refused = false;

	for (guint i = 0; i < kernels->len; i++) {
		const struct mp_kernel *kernel = kernels->pdata[i];
		struct mp_plan_taken taken;
		bool worse = is_worse(plan, wish, kernel, device, &taken);

		if (kernel == next ? worse || taken.now != taken.then : worse && !refused)
			add_taken(plan, device, taken.now, taken.then, false);
		if (worse && !refused)
			refuse(plan, wish, device, kernel, taken.then);
		refused = refused || worse;
	}
}

/* --- the devices that are wanted --- */

/* Adds the kernels with which DEVICE would come to OUTCOME, and why with the first. */
static char *kernels_with(const struct mp_plan *plan, const struct mp_wish *wish,
	const struct mp_pci *device, enum mp_bind_outcome outcome, char **why)
{
	const GPtrArray *kernels = plan->then->modules->kernels;
	GString *list = g_string_new(NULL);

	for (guint i = 0; i < kernels->len; i++) {
		const struct mp_kernel *kernel = kernels->pdata[i];
		g_autofree char *reason = NULL;

		if (mp_plan_outcome(wish, plan->then, kernel, device, &reason) != outcome)
			continue;
		if (!list->len)
			*why = g_steal_pointer(&reason);
		g_string_append_printf(
			list, "%s%s", list->len ? ", " : "", kernel->release);
	}
	return g_string_free(list, FALSE);
}

/* The proof step wants VFIO with every kernel: better to say it before. */
static void judge_outcome(struct mp_plan *plan, const struct mp_wish *wish,
	const struct mp_pci *device, enum mp_bind_outcome outcome, const char *what)
{
	g_autofree char *why = NULL;
	g_autofree char *kernels = kernels_with(plan, wish, device, outcome, &why);

	if (*kernels)
		mp_plan_add_obstacle(plan, device->bdf,
			outcome == MP_BIND_UNKNOWN
				? "run this as root on the host itself"
				: "take out what gives it to another driver, or try "
				  "--binding address",
			"with these files %s %s, with kernel %s%s%s", device->bdf, what,
			kernels, why ? ": " : "", why ? why : "");
}

static void judge_wanted(struct mp_plan *plan, const struct mp_wish *wish,
	const struct mp_pci *device, const struct mp_kernel *next)
{
	add_taken(plan, device, mp_plan_outcome(wish, wish->host, next, device, NULL),
		mp_plan_outcome(wish, plan->then, next, device, NULL), true);
	if (mp_pci_is_bridge(device))
		return;
	if (!plan->then->modules->kernels->len)
		mp_plan_add_obstacle(plan, "host", "run this as root on the host itself",
			"no installed kernel could be read in /lib/modules");
	judge_outcome(
		plan, wish, device, MP_BIND_HOST, "would still go to its host driver");
	judge_outcome(plan, wish, device, MP_BIND_RACE,
		"would go to vfio-pci or its host driver, whichever comes first");
	judge_outcome(plan, wish, device, MP_BIND_NOBODY, "would get no driver");
	judge_outcome(plan, wish, device, MP_BIND_UNKNOWN,
		"would get a driver that cannot be foretold");
}

/* What we wrote ourselves can be read, unless the reading fails (libkmod reads from a
 * temporary file): then the outcome is that of a host without the file. */
static char *why_not_tried(const struct mp_plan *plan)
{
	const GPtrArray *unreadable =
		plan->then->modules ? plan->then->modules->unreadable : NULL;

	for (guint i = 0; unreadable && i < unreadable->len; i++) {
		const struct mp_fact *fact = unreadable->pdata[i];

		for (guint f = 0; f < plan->files->len; f++) {
			const struct mp_plan_file *file = plan->files->pdata[f];

			if (file->changed && file->content && fact->source &&
				!strcmp(fact->source, file->path))
				return g_strdup_printf("%s: cannot try out: %s",
					file->path,
					fact->why ? fact->why : "it cannot be read back");
		}
	}
	return NULL;
}

void mp_plan_try(struct mp_plan *plan, const struct mp_wish *wish)
{
	plan->then = with_files(plan, wish);
	plan->failure = why_not_tried(plan);
}

void mp_plan_simulate(struct mp_plan *plan, const struct mp_wish *wish)
{
	const struct mp_host *host = wish->host;
	const struct mp_fact *by;
	const struct mp_kernel *next;

	mp_plan_try(plan, wish);
	if (!host->modules || !host->boot || !wish->devices->len)
		return;
	next = mp_host_next_kernel(host, &by);
	for (guint i = 0; i < wish->devices->len; i++)
		judge_wanted(plan, wish, wish->devices->pdata[i], next);
	/* The same files give the same boot. */
	if (plan->then->modules == host->modules)
		return;
	for (guint i = 0; i < host->devices->len; i++) {
		const struct mp_pci *device = host->devices->pdata[i];

		if (!mp_wish_has(wish, device) && !mp_pci_is_bridge(device))
			judge_unwanted(plan, wish, device, next);
	}
}
