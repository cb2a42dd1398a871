/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "core/handover.h"
#include "core/pci.h"
#include "core/selftest-last.h"
#include "core/vm-note.h"
#include "core/vm-start.h"
#include "core/vm-started.h"
#include "core/vm-task.h"
#include "guest/single.h"
#include "hook-cards.h"
#include "hook-phases.h"
#include "hook-selftest.h"
#include "hook-services.h"

/* Far more than Proxmox VE takes from the hook of a VM to its QEMU, but for large pages. */
#define START_SECONDS 60
#define POLL_MICROS   250000

struct work {
	struct mp_root *root;
	struct mp_host *host;
	struct mp_config *config;
	struct mp_vm *vm; /* of HOST; NULL: it has no card, and nothing is to be done */
	GPtrArray *locks; /* of its cards */
};

static void work_clear(struct work *work)
{
	g_clear_pointer(&work->locks, g_ptr_array_unref);
	g_clear_pointer(&work->config, mp_config_free);
	g_clear_pointer(&work->host, mp_host_free);
}
typedef struct work mp_hook_work;
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(mp_hook_work, work_clear)

/* Only what the VM's configuration says: most VMs have no card, and a node may have
 * hundreds. */
static int has_cards(struct mp_root *root, const char *vmid, GError **error)
{
	g_autoptr(mp_host) one = mp_host_new(mp_root_name(root), mp_root_is_live(root));
	g_autoptr(mp_host) all = NULL;
	struct mp_vm *vm;

	mp_probe_guest(one, root, vmid);
	vm = mp_vm_find(one, vmid, NULL);
	if (vm)
		return vm->hostpci->len > 0;
	/* For what is said of it. */
	all = mp_host_new(mp_root_name(root), mp_root_is_live(root));
	mp_probe_guests(all, root);
	vm = mp_vm_find(all, vmid, error);
	return vm ? vm->hostpci->len > 0 : -1;
}

static bool load_host(struct work *work, const char *vmid, GError **error)
{
	g_clear_pointer(&work->host, mp_host_free);
	work->host = mp_host_load(work->root, MP_TOPIC_PCI | MP_TOPIC_DETAILS, error);
	if (!work->host)
		return false;
	mp_probe_guests(work->host, work->root);
	mp_probe_selftest(work->host, work->root);
	/* Only for these: on which kernel and BIOS they were. */
	if (work->host->selftests->last->len)
		mp_probe_platform(work->host, work->root);
	mp_probe_use(work->host, work->root); /* it needs devices and guests */
	mp_vm_tasks_probe(work->host, work->root, vmid);
	work->vm = mp_vm_find(work->host, vmid, error);
	return work->vm != NULL;
}

/* By the basics: who holds a card is looked at when nobody can take it any more. */
static bool lock(struct work *work, const char *vmid, GError **error)
{
	const struct mp_vm *vm;

	work->host = mp_host_load(work->root, MP_TOPIC_PCI, error);
	if (!work->host)
		return false;
	mp_probe_guests(work->host, work->root);
	vm = mp_vm_find(work->host, vmid, error);
	work->locks = vm ? mp_hook_lock(work->host, vm, error) : NULL;
	return work->locks != NULL;
}

/* TO_WORK: its cards will be changed, not only looked at. */
static bool load(struct work *work, struct mp_root *root, const char *vmid, bool to_work,
	GError **error)
{
	int cards = has_cards(root, vmid, error);

	work->root = root;
	if (cards <= 0)
		return cards == 0;
	work->config = mp_config_load(root, error);
	return work->config &&
	       (!to_work || !mp_root_is_live(root) || lock(work, vmid, error)) &&
	       load_host(work, vmid, error);
}

/* What does not count for the VM. */
static void warn(const char *what, GError *problem)
{
	g_autofree char *line =
		g_strdup_printf("warning: %s: %s", what, problem->message);

	mp_hook_say(NULL, line);
	g_error_free(problem);
}

/* --- before it starts --- */

static int judge(const struct work *work)
{
	struct mp_vm_start start;
	int code;

	mp_vm_start_judge(work->host, work->config, work->vm, &start);
	if (start.refusal)
		mp_hook_say(NULL, start.refusal);
	for (guint i = 0; i < start.warnings->len; i++) {
		g_autofree char *line = g_strdup_printf(
			"warning: %s", (const char *)start.warnings->pdata[i]);

		mp_hook_say(NULL, line);
	}
	code = start.refusal ? MP_EXIT_FINDING : MP_EXIT_OK;
	mp_vm_start_clear(&start);
	return code;
}

/* What an earlier start of this VM stopped is not forgotten: nobody promised a post-stop. */
static void add_earlier(
	struct mp_vm_note *note, struct mp_root *root, const struct mp_vm *vm)
{
	g_autoptr(mp_vm_note) before = mp_vm_note_load(root, vm->id, NULL);

	for (guint i = 0; before && i < before->services->len; i++)
		if (!g_ptr_array_find_with_equal_func(note->services,
			    before->services->pdata[i], g_str_equal, NULL))
			g_ptr_array_add(
				note->services, g_strdup(before->services->pdata[i]));
}

static void save(
	struct mp_vm_note *note, struct mp_target *target, const struct work *work)
{
	g_autoptr(GPtrArray) cards = mp_hook_cards(work->host, work->vm);
	GError *problem = NULL;

	note->task = mp_vm_task_of(work->root, work->vm->id);
	g_ptr_array_set_size(note->cards, 0);
	for (guint i = 0; i < cards->len; i++) {
		const struct mp_pci *device = cards->pdata[i];

		g_ptr_array_add(note->cards, g_strdup(device->bdf));
	}
	if (!mp_vm_note_mark(note, work->root, &problem) ||
		!mp_vm_note_save(target, work->vm->id, note, &problem))
		warn("faults of the IOMMU will not be told when the VM has stopped",
			problem);
}

/* Nothing was done to the cards: what used them goes on. */
static void start_again(struct mp_target *target, const GPtrArray *stopped)
{
	GError *problem = NULL;

	if (!mp_hook_start_services(target, stopped, &problem))
		warn("they do not run", problem);
}

/* The cards may be anywhere now; what uses them is not let at them. */
static void tell_stopped(const struct mp_vm *vm, const GPtrArray *services)
{
	g_autoptr(GString) line = g_string_new("services stay stopped:");

	if (!services->len)
		return;
	for (guint i = 0; i < services->len; i++)
		g_string_append_printf(line, " %s", (const char *)services->pdata[i]);
	g_string_append_printf(line,
		"; with after_stop: host 'metis-passthrough hook %s post-stop' gives the "
		"cards back and starts them",
		vm->id);
	mp_hook_say(NULL, line->str);
}

/* A VM that is being started holds all cards of a mapping until it took one. */
static bool wait_for_others(struct work *work, const char *vmid, GError **error)
{
	gint64 deadline = g_get_monotonic_time() +
			  mp_hook_seconds(START_SECONDS) * G_TIME_SPAN_SECOND;
	bool said = false;

	for (;;) {
		struct mp_vm_start start;
		bool waits;

		mp_vm_start_judge(work->host, work->config, work->vm, &start);
		waits = start.passes && g_get_monotonic_time() < deadline;
		if (waits && !said) {
			g_autofree char *line =
				g_strdup_printf("waiting for at most %u s: %s",
					mp_hook_seconds(START_SECONDS), start.refusal);

			mp_hook_say(NULL, line);
			said = true;
		}
		mp_vm_start_clear(&start);
		if (!waits)
			return true;
		mp_hook_doing("VM %s: the wait for another VM's start", vmid);
		g_usleep(POLL_MICROS);
		if (!load_host(work, vmid, error))
			return false;
	}
}

static int pre_start_live(
	struct work *work, const char *vmid, struct mp_target *target, GError **error)
{
	g_autoptr(GPtrArray) stopped = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(mp_vm_note) note = mp_vm_note_new();
	int code;

	if (!wait_for_others(work, vmid, error))
		return MP_EXIT_FAILURE;
	if (!work->vm->running && mp_hook_wants_services(work->config, work->vm) &&
		(!mp_hook_stop_services(target, work->config, stopped, error) ||
			(stopped->len && !load_host(work, vmid, error)))) {
		start_again(target, stopped);
		return MP_EXIT_FINDING;
	}
	code = judge(work);
	if (code != MP_EXIT_OK) {
		start_again(target, stopped);
		return code;
	}
	for (guint i = 0; i < stopped->len; i++)
		g_ptr_array_add(note->services, g_strdup(stopped->pdata[i]));
	add_earlier(note, work->root, work->vm);
	if (note->services->len)
		save(note, target, work);
	if (!mp_hook_take_cards(work->host, work->config, work->vm, error)) {
		tell_stopped(work->vm, note->services);
		return MP_EXIT_FINDING;
	}
	save(note, target, work);
	return MP_EXIT_OK;
}

int mp_hook_pre_start(struct mp_root *root, const char *vmid, GError **error)
{
	g_auto(mp_hook_work) work = { NULL };
	g_autoptr(mp_target) target = NULL;

	if (!load(&work, root, vmid, true, error))
		return MP_EXIT_FAILURE;
	if (!work.vm)
		return MP_EXIT_OK;
	if (!work.host->live)
		return judge(&work);
	target = mp_target_open(NULL, error);
	return target ? pre_start_live(&work, vmid, target, error) : MP_EXIT_FAILURE;
}

/* --- it runs --- */

/* Diagnose asks for it when the VM has stopped and its configuration may be another. */
static void note_map(const struct work *work)
{
	g_autoptr(mp_target) target = NULL;
	struct mp_vm_map map;
	GError *problem = NULL;

	if (!work->host->platform)
		mp_probe_platform(work->host, work->root);
	map = mp_vm_map_on(work->host, work->vm);
	target = mp_target_open(NULL, &problem);
	if (!target || !mp_vm_started_save(target, work->vm->id, &map, &problem))
		warn("the VM's memory map is not noted", problem);
}

int mp_hook_post_start(struct mp_root *root, const char *vmid, GError **error)
{
	g_auto(mp_hook_work) work = { NULL };
	g_autoptr(GPtrArray) cards = NULL;
	GError *problem = NULL;
	guint given = 0;

	if (!load(&work, root, vmid, false, error))
		return MP_EXIT_FAILURE;
	if (!work.vm)
		return MP_EXIT_OK;
	cards = mp_hook_cards(work.host, work.vm);
	for (guint i = 0; i < cards->len; i++) {
		const struct mp_pci *device = cards->pdata[i];
		g_autofree char *line = NULL;

		if (mp_fact_is(&device->driver, MP_DRIVER_VFIO)) {
			given++;
			continue;
		}
		line = g_strdup_printf("%s: warning: it is not with " MP_DRIVER_VFIO
				       ", so VM %s does not have it",
			device->bdf, work.vm->id);
		mp_hook_say(NULL, line);
	}
	if (work.host->live)
		note_map(&work);
	if (given && work.host->live && !g_strcmp0(work.config->guest_selftest, "run") &&
		!mp_hook_start_selftest(work.vm->id, &problem))
		warn("there is no self-test in the guest", problem);
	return MP_EXIT_OK;
}

/* --- it is gone --- */

/* What tests the card is in the way of a shutdown. */
static void end_selftest(struct mp_root *root, const char *vmid)
{
	if (mp_root_is_live(root) && mp_single_end(vmid))
		mp_hook_say(NULL, "the self-test in the guest is ended");
}

int mp_hook_pre_stop(struct mp_root *root, const char *vmid, GError **error G_GNUC_UNUSED)
{
	end_selftest(root, vmid);
	return MP_EXIT_OK;
}

static void tell_faults(
	const struct mp_vm_note *note, struct mp_root *root, const struct mp_vm *vm)
{
	GError *problem = NULL;
	g_autoptr(GPtrArray) lines = mp_vm_note_faults(note, vm->id, root, &problem);

	if (!lines) {
		warn("whether the IOMMU blocked the cards is not known", problem);
		return;
	}
	for (guint i = 0; i < lines->len; i++)
		mp_hook_say(NULL, lines->pdata[i]);
}

static bool services_back(const struct work *work, const struct mp_vm_note *note,
	struct mp_target *target, GError **error)
{
	const struct mp_vm *other =
		mp_hook_services_user(work->host, work->config, work->vm);

	if (!note->services->len || g_strcmp0(work->config->after_stop, "host") != 0)
		return true;
	if (other) {
		g_autofree char *line = g_strdup_printf(
			"VM %s runs with a card: services stay stopped", other->id);

		mp_hook_say(NULL, line);
		return true;
	}
	return mp_hook_start_services(target, note->services, error);
}

int mp_hook_post_stop(struct mp_root *root, const char *vmid, GError **error)
{
	g_auto(mp_hook_work) work = { NULL };
	g_autoptr(mp_vm_note) note = NULL;
	g_autoptr(mp_target) target = NULL;
	GError *problem = NULL;

	end_selftest(root, vmid);
	if (!load(&work, root, vmid, true, error))
		return MP_EXIT_FAILURE;
	if (!work.vm)
		return MP_EXIT_OK;
	note = mp_vm_note_load(root, work.vm->id, &problem);
	if (problem)
		warn("what was noted when it started is lost", problem);
	if (note)
		tell_faults(note, root, work.vm);
	if (!work.host->live)
		return MP_EXIT_OK;
	target = mp_target_open(NULL, error);
	if (!target)
		return MP_EXIT_FAILURE;
	/* A note stays where not all is done: it can be tried again by hand. */
	if (!mp_hook_leave_cards(work.host, work.config, work.vm, error) ||
		(note && !services_back(&work, note, target, error)) ||
		!mp_vm_note_forget(target, work.vm->id, error))
		return MP_EXIT_FINDING;
	return MP_EXIT_OK;
}
