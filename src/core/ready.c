/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "core/pci.h"
#include "core/ready.h"

#define COMMAND        0x04
#define COMMAND_MEMORY 0x0002
#define COMMAND_MASTER 0x0004
#define VENDOR         0x00
#define ONES           0xffff

#define WAKE_MS   5000
#define BUSY_MS   5000  /* somebody else holds the device's lock */
#define LATE_MS   10000 /* firmware that takes longer than its profile says */
#define GLANCE_MS 100

static void G_GNUC_PRINTF(2, 3)
	tell(const struct mp_ready *ready, const char *format, ...)
{
	g_autofree char *text = NULL;
	g_autofree char *line = NULL;
	va_list args;

	va_start(args, format);
	text = g_strdup_vprintf(format, args);
	va_end(args);
	line = g_strdup_printf("%s: %s", ready->device->bdf, text);
	ready->say(ready->say_user, line);
}

static bool G_GNUC_PRINTF(3, 4)
	refuse(const struct mp_ready *ready, GError **error, const char *format, ...)
{
	g_autofree char *text = NULL;
	va_list args;

	va_start(args, format);
	text = g_strdup_vprintf(format, args);
	va_end(args);
	g_set_error(error, MP_ERROR, MP_ERROR_CHANGED, "%s %s", ready->device->bdf, text);
	return false;
}

static const char cold[] =
	"switch the machine off at the mains for a minute (a warm reboot "
	"may not be enough)";

static bool is_waited_for(const struct mp_ready_io *io, uint64_t until)
{
	if (io->now(io->user) >= until)
		return false;
	io->wait(io->user, GLANCE_MS);
	return true;
}

/* --- awake --- */

static bool wake(
	const struct mp_ready *ready, const struct mp_ready_io *io, GError **error)
{
	uint64_t until = io->now(io->user) + WAKE_MS;
	int err = io->write(io->user, "power/control", "on");

	/* Kernels without runtime power management have no such attribute. */
	if (err && err != -ENOENT)
		return refuse(ready, error, "cannot be kept awake (power/control: %s)",
			g_strerror(-err));
	for (;;) {
		g_autofree char *state = NULL;

		err = io->read(io->user, "power_state", &state);
		if (err == -ENOENT) /* before Linux 5.11 */
			return true;
		if (err)
			return refuse(ready, error,
				"does not say whether it is awake (%s)",
				g_strerror(-err));
		if (!strcmp(state, "D0") || !strcmp(state, "unknown"))
			return true;
		if (!is_waited_for(io, until))
			return refuse(ready, error, "does not wake up (it is in %s); %s",
				state, cold);
	}
}

/* --- silent --- */

/* Bus master off, memory decoding on. */
static bool set_command(
	const struct mp_ready *ready, const struct mp_ready_io *io, GError **error)
{
	uint16_t command = ONES, wanted, now = ONES;
	int err = io->config_read(io->user, COMMAND, &command);

	if (!err && command == ONES)
		return refuse(ready, error,
			"does not answer, its configuration space reads as all ones; %s",
			cold);
	wanted = (uint16_t)((command & ~COMMAND_MASTER) | COMMAND_MEMORY);
	if (!err && command != wanted)
		err = io->config_write(io->user, COMMAND, wanted);
	if (!err)
		err = io->config_read(io->user, COMMAND, &now);
	if (err)
		return refuse(ready, error, "cannot be kept from bus mastering (%s)",
			g_strerror(-err));
	if (now & COMMAND_MASTER)
		return refuse(ready, error, "keeps its bus master bit set; %s", cold);
	return true;
}

static const struct mp_card_kind *kind_of(const struct mp_ready *ready)
{
	return ready->profile->state ? mp_card_kind_find(ready->profile->state) : NULL;
}

/* Reads the card's state. HOST owns what it points to. False: not to be had, ERROR says why. */
static bool look(const struct mp_ready *ready, const struct mp_ready_io *io,
	struct mp_host *host, struct mp_card *card, GError **error)
{
	const struct mp_card_io *memory = io->map(io->user, error);

	*card = (struct mp_card){ .device = ready->device };
	if (!memory)
		return false;
	/* Its own MSI is off whenever this runs: any message in it is an old one. */
	kind_of(ready)->read(host, memory, card);
	io->unmap(io->user);
	if (card->life != MP_CARD_UNREAD)
		return true;
	g_set_error(
		error, MP_ERROR, MP_ERROR_IO, "not all of its registers could be read");
	return false;
}

static void tell_what_is_armed(const struct mp_ready *ready, const struct mp_card *card)
{
	if (card->window == MP_CARD_YES)
		tell(ready,
			"its window into memory was open, to 0x%" G_GINT64_MODIFIER "x",
			card->window_target);
	for (unsigned i = 0; i < card->targets_count; i++)
		if (card->targets[i].message != MP_MESSAGE_NONE)
			tell(ready,
				"an interrupt message was left in it (%s: 0x%" G_GINT64_MODIFIER
				"x, %s)",
				card->targets[i].name, card->targets[i].address,
				mp_card_message_name(card->targets[i].message));
	for (unsigned i = 0; i < card->channels_count; i++)
		if (card->channels[i].status == 1)
			tell(ready, "its DMA channel %s was at work",
				card->channels[i].name);
}

/* What of it is armed, as a clause; NULL: nothing. Caller frees. */
static char *armed(const struct mp_card *card)
{
	if (card->window == MP_CARD_YES)
		return g_strdup_printf(
			"its window into memory is open, to 0x%" G_GINT64_MODIFIER "x",
			card->window_target);
	for (unsigned i = 0; i < card->targets_count; i++)
		if (card->targets[i].message != MP_MESSAGE_NONE)
			return g_strdup_printf(
				"it holds the interrupt message 0x%" G_GINT64_MODIFIER
				"x (%s)",
				card->targets[i].address,
				mp_card_message_name(card->targets[i].message));
	for (unsigned i = 0; i < card->channels_count; i++)
		if (card->channels[i].status == 1)
			return g_strdup_printf(
				"its DMA channel %s is at work", card->channels[i].name);
	return NULL;
}

/* The caller has seen to bus mastering. Whether it worked is judged by a look later. */
static bool silence(const struct mp_ready *ready, const struct mp_ready_io *io,
	const struct mp_card *card, GError **error)
{
	const struct mp_card_io *memory;
	bool fine;

	if (!mp_card_is_armed(card))
		return true;
	tell_what_is_armed(ready, card);
	memory = io->map(io->user, error);
	if (!memory)
		return false;
	fine = kind_of(ready)->quiesce(memory, card, error);
	io->unmap(io->user);
	if (fine)
		tell(ready, "made quiet: window, DMA channels and messages are off");
	return fine;
}

static bool unread(const struct mp_ready *ready, GError *why, GError **error)
{
	g_autoptr(GError) reason = why;

	if (ready->unread_is_fine) {
		tell(ready, "not looked into (waived): %s", reason->message);
		return true;
	}
	return refuse(ready, error,
		"cannot be looked into, so that nobody knows whether it would write into "
		"memory of others (%s); waive card-window for it in config.yaml to start all "
		"the same",
		reason->message);
}

/* --- reset --- */

static bool has(char **words, const char *word)
{
	return g_strv_contains((const char *const *)words, word);
}

/* METHODS as the kernel has them, those that the profile prefers first. Caller frees. */
static char *ordered(const struct mp_profile *profile, char **methods)
{
	GString *text = g_string_new(NULL);
	g_autoptr(GPtrArray) first = g_ptr_array_new();

	for (guint i = 0; i < profile->reset->len; i++)
		if (has(methods, profile->reset->pdata[i]))
			g_ptr_array_add(first, profile->reset->pdata[i]);
	for (guint i = 0; i < first->len; i++)
		g_string_append_printf(text, "%s%s", text->len ? " " : "",
			(const char *)first->pdata[i]);
	for (char **method = methods; *method; method++)
		if (!g_ptr_array_find_with_equal_func(first, *method, g_str_equal, NULL))
			g_string_append_printf(
				text, "%s%s", text->len ? " " : "", *method);
	return g_string_free(text, FALSE);
}

/* *DONE: it was reset. A card without a method is not: that may do. */
static bool reset(const struct mp_ready *ready, const struct mp_ready_io *io, bool *done,
	GError **error)
{
	uint64_t until = io->now(io->user) + BUSY_MS;
	g_autofree char *methods = NULL;
	g_autofree char *order = NULL;
	g_auto(GStrv) words = NULL;
	int err = io->read(io->user, "reset_method", &methods);

	*done = false;
	if (err == -ENOENT || (!err && !*methods)) {
		tell(ready, "cannot be reset: the kernel knows no way for it");
		return true;
	}
	if (err)
		return refuse(ready, error, "does not say how it can be reset (%s)",
			g_strerror(-err));
	words = g_strsplit(methods, " ", 0);
	order = ordered(ready->profile, words);
	/* It stays so until the next boot: VFIO's own resets go the same way then. */
	if (strcmp(order, methods) != 0) {
		err = io->write(io->user, "reset_method", order);
		if (err)
			tell(ready, "is reset by '%s', not by '%s' as preferred (%s)",
				methods, order, g_strerror(-err));
	}
	tell(ready, "reset (by the first of '%s' that works)", err ? methods : order);
	while ((err = io->write(io->user, "reset", "1")) == -EAGAIN || err == -EBUSY)
		if (!is_waited_for(io, until))
			break;
	if (err)
		return refuse(ready, error, "could not be reset (%s); %s",
			g_strerror(-err),
			err == -EAGAIN || err == -EBUSY
				? "something else works on it: try again"
				: cold);
	*done = true;
	return true;
}

/* --- there again --- */

static bool answers(const struct mp_ready_io *io)
{
	uint16_t vendor = ONES;

	return io->config_read(io->user, VENDOR, &vendor) == 0 && vendor != ONES;
}

/*
 * Until the profile's time after a reset is over, what can be read may be what was there
 * before it: memory of the card outlives some resets. Only who sees the firmware go away and
 * come back need not wait for that.
 */
static bool settle(const struct mp_ready *ready, const struct mp_ready_io *io,
	bool was_reset, struct mp_host *host, struct mp_card *card, GError **error)
{
	uint64_t start = io->now(io->user);
	uint64_t trusted = start + (was_reset ? ready->profile->settle_ms : 0);
	uint64_t until = trusted + LATE_MS;
	bool was_away = false, readable = false;

	do {
		g_autoptr(GError) why = NULL;
		uint64_t now = io->now(io->user);

		if (!answers(io)) {
			was_away = true;
			readable = false;
			continue;
		}
		if (!kind_of(ready)) {
			if (now >= trusted || was_away)
				return true;
			continue;
		}
		/* A reset switches memory off, and the kernel puts back what was before. */
		if (!set_command(ready, io, error))
			return false;
		readable = look(ready, io, host, card, &why);
		if (!readable && now >= trusted)
			return unread(ready, g_steal_pointer(&why), error);
		if (readable && card->life != MP_CARD_RUNNING)
			was_away = true;
		if (readable && card->life == MP_CARD_RUNNING &&
			(was_away || now >= trusted))
			return true;
	} while (is_waited_for(io, until));
	if (!readable)
		return refuse(ready, error, "does not answer after its reset; %s", cold);
	return refuse(ready, error,
		"has no running firmware %u s after its reset (%s); %s",
		(unsigned)((io->now(io->user) - start) / 1000),
		card->life == MP_CARD_ZEROS  ? "all zeros: it did not start"
		: card->life == MP_CARD_ONES ? "all ones: link down, or asleep"
					     : card->why,
		cold);
}

/* --- all of it --- */

static bool is_clean(const struct mp_ready *ready, const struct mp_ready_io *io,
	struct mp_host *host, GError **error)
{
	g_autoptr(GError) why = NULL;
	g_autofree char *what = NULL;
	struct mp_card card;

	if (!look(ready, io, host, &card, &why))
		return unread(ready, g_steal_pointer(&why), error);
	what = armed(&card);
	if (what)
		return refuse(ready, error,
			"would write into memory that is not the VM's: %s, and it stays so "
			"after all that could be done; %s",
			what, cold);
	return true;
}

/* Awake, no bus master, nothing armed as far as that can be had. */
static bool calm(const struct mp_ready *ready, const struct mp_ready_io *io,
	struct mp_host *host, GError **error)
{
	g_autoptr(GError) why = NULL;
	struct mp_card card;

	if (!wake(ready, io, error) || !set_command(ready, io, error))
		return false;
	if (!kind_of(ready))
		return true;
	if (!look(ready, io, host, &card, &why))
		return unread(ready, g_steal_pointer(&why), error);
	return silence(ready, io, &card, error);
}

bool mp_ready_make(
	const struct mp_ready *ready, const struct mp_ready_io *io, GError **error)
{
	g_autoptr(mp_host) host = mp_host_new("", false);
	struct mp_card card = { .device = ready->device };
	bool was_reset;

	if (!calm(ready, io, host, error) || !reset(ready, io, &was_reset, error) ||
		!settle(ready, io, was_reset, host, &card, error))
		return false;
	if (!kind_of(ready))
		return set_command(ready, io, error);
	/* What a reset left armed is switched off once more. */
	if (card.life == MP_CARD_RUNNING && !silence(ready, io, &card, error))
		return false;
	return is_clean(ready, io, host, error);
}

bool mp_ready_quiet(
	const struct mp_ready *ready, const struct mp_ready_io *io, GError **error)
{
	g_autoptr(mp_host) host = mp_host_new("", false);

	if (!calm(ready, io, host, error))
		return false;
	return !kind_of(ready) || is_clean(ready, io, host, error);
}
