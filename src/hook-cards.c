/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/handover.h"
#include "core/pci.h"
#include "core/ready.h"
#include "core/vm-start.h"
#include "hook-cards.h"

/* For the way there, and again for the way back. */
#define HANDOVER_SECONDS 30
/* Of mp_hook_seconds(): what a test's limit is shared out by. */
#define LONGEST_SECONDS  150

static int report = -1;

void mp_hook_report_to(int fd)
{
	report = fd;
}

void mp_hook_doing(const char *format, ...)
{
	g_autofree char *text = NULL;
	va_list args;

	if (report < 0)
		return;
	va_start(args, format);
	text = g_strdup_vprintf(format, args);
	va_end(args);
	/* Nobody there any more: then nobody waits. */
	if (write(report, text, strlen(text) + 1) < 0)
		report = -1;
}

unsigned mp_hook_seconds(unsigned seconds)
{
	const char *text = g_getenv("METIS_PASSTHROUGH_HOOK_SECONDS");
	uint64_t longest;

	if (!text || !mp_parse_uint(text, 10, &longest) || longest >= LONGEST_SECONDS)
		return seconds;
	return MAX(1, seconds * (unsigned)longest / LONGEST_SECONDS);
}

/* Line by line and at once: Proxmox VE shows it in the task log while it happens. */
void mp_hook_say(void *user G_GNUC_UNUSED, const char *line)
{
	fprintf(stderr, "metis-passthrough: %s\n", line);
	fflush(stderr);
}

static bool is_waived(
	const struct mp_config *config, const char *check, const struct mp_pci *device)
{
	for (guint i = 0; i < config->waivers->len; i++) {
		const struct mp_waiver *waiver = config->waivers->pdata[i];

		if (g_pattern_match_simple(waiver->check, check) &&
			(!waiver->subject || !strcmp(waiver->subject, device->bdf)))
			return true;
	}
	return false;
}

/* Whether there is anything in or about the card that a reset by VFIO alone does not do. */
static bool wants_care(const struct mp_profile *profile)
{
	return profile->state || profile->settle_ms || profile->reset->len;
}

static void add_cards(const struct mp_hostpci *line, GPtrArray *cards)
{
	/* With "keep" it stays with a driver of the host's that can share it. */
	if (line->problem || g_strcmp0(line->driver, "keep") == 0)
		return;
	for (guint d = 0; d < line->devices->len; d++) {
		struct mp_pci *device = line->devices->pdata[d];

		if (!mp_pci_is_bridge(device) && !g_ptr_array_find(cards, device, NULL))
			g_ptr_array_add(cards, device);
	}
}

GPtrArray *mp_hook_cards(const struct mp_host *host, const struct mp_vm *vm)
{
	g_autoptr(GPtrArray) all = g_ptr_array_new();
	GPtrArray *cards = g_ptr_array_new();

	for (guint i = 0; i < vm->hostpci->len; i++)
		add_cards(vm->hostpci->pdata[i], all);
	for (guint i = 0; i < all->len; i++) {
		g_autofree char *holder = mp_vm_start_holder(host, vm, all->pdata[i]);

		if (!holder)
			g_ptr_array_add(cards, all->pdata[i]);
	}
	return cards;
}

static bool add_lock(GPtrArray *locks, const struct mp_pci *device, GError **error)
{
	g_autoptr(mp_ready_live) live = mp_ready_live_new(device, NULL, NULL);

	if (!mp_ready_live_lock(live, error))
		return false;
	g_ptr_array_add(locks, g_steal_pointer(&live));
	return true;
}

GPtrArray *mp_hook_lock(
	const struct mp_host *host, const struct mp_vm *vm, GError **error)
{
	g_autoptr(GPtrArray) locks =
		g_ptr_array_new_with_free_func((GDestroyNotify)mp_ready_live_free);
	g_autoptr(GPtrArray) cards = g_ptr_array_new();

	for (guint i = 0; i < vm->hostpci->len; i++)
		add_cards(vm->hostpci->pdata[i], cards);
	/* In the same order for all: that of the host's list. */
	for (guint i = 0; i < host->devices->len; i++)
		if (g_ptr_array_find(cards, host->devices->pdata[i], NULL) &&
			!add_lock(locks, host->devices->pdata[i], error))
			return NULL;
	return g_steal_pointer(&locks);
}

/* DRIVER NULL: back to the host. */
static bool hand(struct mp_target *target, const struct mp_pci *device,
	const char *driver, GError **error)
{
	struct mp_handover hand = {
		.target = target,
		.address = device->bdf,
		.driver = driver,
		.seconds = mp_hook_seconds(HANDOVER_SECONDS),
	};
	bool fine;

	mp_hook_doing("%s: the handover to %s", device->bdf,
		driver ? driver : "the host's driver");
	fine = mp_handover(&hand, error);

	if (fine && g_strcmp0(hand.driver_before, hand.driver_after) != 0) {
		g_autofree char *line = g_strdup_printf("%s: %s -> %s", device->bdf,
			hand.driver_before ? hand.driver_before : "no driver",
			hand.driver_after ? hand.driver_after : "no driver");

		mp_hook_say(NULL, line);
	}
	mp_handover_clear(&hand);
	return fine;
}

static void at_work(const struct mp_pci *device, const char *attribute)
{
	mp_hook_doing("%s: access to '%s'", device->bdf, attribute);
}

static struct mp_ready ready_of(const struct mp_config *config,
	const struct mp_pci *device, const struct mp_profile *profile)
{
	return (struct mp_ready){
		.device = device,
		.profile = profile,
		.unread_is_fine = is_waived(config, "card-window", device),
		.say = mp_hook_say,
	};
}

static bool take(struct mp_target *target, const struct mp_config *config,
	const struct mp_pci *device, GError **error)
{
	g_autoptr(mp_profile) profile = mp_profile_for_device(device, error);
	const struct mp_card_kind *kind;
	g_autoptr(mp_ready_live) live = NULL;
	struct mp_ready ready;

	if (!profile)
		return false;
	kind = profile->state ? mp_card_kind_find(profile->state) : NULL;
	live = mp_ready_live_new(device, kind, at_work);
	if (!hand(target, device, MP_DRIVER_VFIO, error))
		return false;
	if (!wants_care(profile))
		return true;
	ready = ready_of(config, device, profile);
	return mp_ready_make(&ready, mp_ready_live_io(live), error);
}

/* Proxmox VE asks for it of no VM that runs, but people call this by hand. */
static bool is_stopped(const struct mp_vm *vm, GError **error)
{
	if (!vm->running)
		return true;
	g_set_error(error, MP_ERROR, MP_ERROR_BUSY,
		"it runs (pid %" G_GUINT64_FORMAT "), so nothing is done to its cards",
		vm->pid);
	return false;
}

bool mp_hook_take_cards(const struct mp_host *host, const struct mp_config *config,
	const struct mp_vm *vm, GError **error)
{
	g_autoptr(mp_target) target = mp_target_open(NULL, error);
	g_autoptr(GPtrArray) cards = mp_hook_cards(host, vm);

	if (!target || !is_stopped(vm, error))
		return false;
	mp_hook_doing("modprobe " MP_DRIVER_VFIO);
	if (cards->len && !mp_handover_load_vfio(target, error))
		return false;
	for (guint i = 0; i < cards->len; i++)
		if (!take(target, config, cards->pdata[i], error))
			return false;
	return true;
}

static bool silence(const struct mp_config *config, const struct mp_pci *device,
	void (*tell)(void *user, const char *line), void *user, GError **error)
{
	g_autoptr(mp_profile) profile = mp_profile_for_device(device, error);
	const struct mp_card_kind *kind;
	g_autoptr(mp_ready_live) live = NULL;
	struct mp_ready ready;

	if (!profile)
		return false;
	kind = profile->state ? mp_card_kind_find(profile->state) : NULL;
	if (!kind)
		return true;
	live = mp_ready_live_new(device, kind, at_work);
	ready = ready_of(config, device, profile);
	ready.say = tell;
	ready.say_user = user;
	return mp_ready_quiet(&ready, mp_ready_live_io(live), error);
}

bool mp_hook_silence(const struct mp_config *config, const struct mp_pci *device,
	void (*tell)(void *user, const char *line), void *user, GError **error)
{
	g_autoptr(mp_ready_live) lock = mp_ready_live_new(device, NULL, NULL);

	return mp_ready_live_lock(lock, error) &&
	       silence(config, device, tell, user, error);
}

/* A card that the host has already is the host's business; one without a driver may be what a
 * handover left that was killed. One that is not silent stays where it is: no driver of the
 * host's expects that. */
static bool leave(struct mp_target *target, const struct mp_config *config,
	const struct mp_pci *device, GError **error)
{
	g_autoptr(GError) problem = NULL;

	if (!mp_fact_is(&device->driver, MP_DRIVER_VFIO) &&
		device->driver.know != MP_ABSENT)
		return true;
	if (!silence(config, device, mp_hook_say, NULL, error))
		return false;
	if (g_strcmp0(config->after_stop, "host") != 0 ||
		hand(target, device, NULL, &problem))
		return true;
	g_set_error(error, MP_ERROR, problem->code,
		"%s; it is silent, but not back with the host", problem->message);
	return false;
}

bool mp_hook_leave_cards(const struct mp_host *host, const struct mp_config *config,
	const struct mp_vm *vm, GError **error)
{
	g_autoptr(mp_target) target = mp_target_open(NULL, error);
	g_autoptr(GPtrArray) cards = mp_hook_cards(host, vm);
	bool fine = true;

	if (!target || !is_stopped(vm, error))
		return false;
	for (guint i = 0; i < cards->len; i++) {
		g_autoptr(GError) problem = NULL;

		if (leave(target, config, cards->pdata[i], &problem))
			continue;
		/* The first one is told by the caller, in its sentence. */
		if (fine)
			g_propagate_error(error, g_steal_pointer(&problem));
		else
			mp_hook_say(NULL, problem->message);
		fine = false;
	}
	return fine;
}
