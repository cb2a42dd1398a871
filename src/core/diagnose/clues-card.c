/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What follows from what is in the card now: where its window points, which entries of the
 * remapping table its own messages stand for. It is the state of now (or of the snapshot),
 * which a reset since the fault has changed; so it proves an explanation, and refutes few.
 */
#include "config.h"

#include "core/card.h"
#include "core/diagnose.h"
#include "core/pci.h"
#include "core/platform.h"
#include "core/vm.h"

#define PAGE       4096
/* A size that is none: then only its first page is known. */
#define WINDOW_MAX MP_GIB

/* --- the window --- */

static bool is_in_window(const struct mp_card *card, uint64_t address)
{
	uint64_t size = card->window_size;

	if (size < PAGE || size > WINDOW_MAX)
		size = PAGE;
	return address >= card->window_target && address - card->window_target < size;
}

/* Of the addresses that the subject wrote to in vain: how many, and how many in the window. */
static bool count_writes(const struct mp_diagnosis *diagnosis,
	const struct mp_event *subject, const struct mp_card *card, unsigned *all,
	unsigned *inside)
{
	bool whole = true;

	*all = *inside = 0;
	for (guint i = 0; i < diagnosis->log->sums->len; i++) {
		const struct mp_event_sum *sum = diagnosis->log->sums->pdata[i];

		if (sum->event.kind != MP_EVENT_DMA ||
			sum->event.direction != MP_DIRECTION_WRITE ||
			!mp_event_is_of(&sum->event, subject))
			continue;
		whole = whole && !sum->more_addresses;
		for (unsigned k = 0; k < sum->n_addresses; k++, ++*all)
			*inside += is_in_window(card, sum->addresses[k].address);
	}
	return whole && *all > 0;
}

static void from_window(struct mp_diagnosis *diagnosis, const struct mp_event *subject,
	const struct mp_card *card)
{
	bool open = card->window == MP_CARD_YES, here;
	unsigned all, inside;

	if (card->window == MP_CARD_UNKNOWN || (!open && !card->window_target) ||
		!count_writes(diagnosis, subject, card, &all, &inside))
		return;
	here = inside == all;
	/* Closed and elsewhere: whoever closed it may have moved it, too. */
	if (!here && (!open || inside))
		return;
	if (here)
		mp_clue_set(diagnosis, MP_CLUE_WINDOW, true,
			"its window is %s %s, 0x%" G_GINT64_MODIFIER "x",
			open ? "open to" : "closed now, but points at",
			all == 1 ? "exactly this address" : "these addresses",
			card->window_target);
	else
		mp_clue_set(diagnosis, MP_CLUE_WINDOW, false,
			"its window is open to 0x%" G_GINT64_MODIFIER
			"x now, not to this address",
			card->window_target);
	/* Then the VM itself has pointed it there. */
	if (here && diagnosis->vm && diagnosis->vm->running &&
		diagnosis->clues[MP_CLUE_IN_RAM].know == MP_KNOWN)
		mp_clue_set(diagnosis, MP_CLUE_WINDOW_USED, true,
			"VM %s runs, and its window is open into RAM of it",
			diagnosis->vm->id);
}

/* --- messages --- */

/* VT-d 5.1.2.2: the index is the handle, and with SHV (bit 3) the data beside it. */
static unsigned added_data(const struct mp_card_target *target, unsigned channel)
{
	return target->address & 8 ? target->data[channel] : 0;
}

struct entries {
	unsigned lowest, highest;
	const struct mp_card_target *hit;
	unsigned channel; /* of HIT */
};

/* Those that the messages in the card stand for; false: it has none. */
static bool entries_of(
	const struct mp_card *card, unsigned index, struct entries *entries)
{
	bool any = false;

	*entries = (struct entries){ .lowest = UINT16_MAX };
	for (unsigned i = 0; i < card->targets_count; i++) {
		const struct mp_card_target *target = &card->targets[i];

		if (target->message != MP_MESSAGE_STALE &&
			target->message != MP_MESSAGE_OWN)
			continue;
		for (unsigned k = 0; k < G_N_ELEMENTS(target->data); k++) {
			unsigned entry =
				(target->handle + added_data(target, k)) & UINT16_MAX;

			any = true;
			entries->lowest = MIN(entries->lowest, entry);
			entries->highest = MAX(entries->highest, entry);
			if (entry == index && !entries->hit) {
				entries->hit = target;
				entries->channel = k;
			}
		}
	}
	return any;
}

/* Vectors of a guest, as Linux gives them to devices. */
static bool is_guest_vector(unsigned data)
{
	return data >= 0x20 && data <= 0xef;
}

static void from_index(
	struct mp_diagnosis *diagnosis, const struct mp_card *card, unsigned index)
{
	struct entries entries;
	g_autofree char *what = NULL;
	unsigned data;

	if (!entries_of(card, index, &entries))
		return;
	if (!entries.hit) {
		mp_clue_set(diagnosis, MP_CLUE_LEFT, false,
			"the messages in the card stand for entries 0x%x to 0x%x now, not for "
			"0x%x",
			entries.lowest, entries.highest, index);
		return;
	}
	data = added_data(entries.hit, entries.channel);
	what = g_strdup_printf(
		"its own message (%s, channel %u) is handle 0x%x plus data 0x%x: exactly "
		"entry 0x%x",
		entries.hit->name, entries.channel, entries.hit->handle, data, index);
	if (is_guest_vector(data))
		mp_clue_set(diagnosis, MP_CLUE_MIXED, true,
			"%s, and the data could be a guest's vector", what);
	else if (entries.hit->message == MP_MESSAGE_STALE)
		mp_clue_set(diagnosis, MP_CLUE_LEFT, true,
			"%s, which the host gives to it no more", what);
	/* With the function's own message the entry is counted from MSI (clues-host.c). */
}

static void from_raw(struct mp_diagnosis *diagnosis, const struct mp_card *card)
{
	bool any = false;

	for (unsigned i = 0; i < card->targets_count; i++) {
		const struct mp_card_target *target = &card->targets[i];

		any = any || target->message != MP_MESSAGE_NONE;
		if (target->message == MP_MESSAGE_RAW)
			mp_clue_set(diagnosis, MP_CLUE_RAW, true,
				"its own message (%s) is 0x%" G_GINT64_MODIFIER
				"x, as a guest writes it",
				target->name, target->address);
	}
	if (any)
		mp_clue_set(diagnosis, MP_CLUE_RAW, false,
			"none of the messages in the card is in that format now");
}

static void from_messages(struct mp_diagnosis *diagnosis, const struct mp_event *subject,
	const struct mp_card *card)
{
	for (guint i = 0; i < diagnosis->log->sums->len; i++) {
		const struct mp_event_sum *sum = diagnosis->log->sums->pdata[i];
		const struct mp_event *event = &sum->event;

		if (event->kind != MP_EVENT_INTERRUPT || event->unit != MP_UNIT_INTEL ||
			!event->has_reason || !mp_event_is_of(event, subject))
			continue;
		if (event->reason == 0x25)
			from_raw(diagnosis, card);
		else if (event->reason != 0x20 && event->has_index)
			from_index(diagnosis, card, event->index);
	}
}

static void add_note(struct mp_diagnosis *diagnosis)
{
	g_ptr_array_add(diagnosis->notes,
		g_strdup_printf(
			"What the card holds was read %s, not at the fault: a reset, a start of "
			"the VM or 'inspect --scrub' since then changed it",
			diagnosis->host->live ? "now" : "when this host was captured"));
}

void mp_clues_from_card(struct mp_diagnosis *diagnosis, const struct mp_event *subject)
{
	const struct mp_card *card = mp_host_card(diagnosis->host, diagnosis->device);

	if (!card || (card->life != MP_CARD_RUNNING && card->life != MP_CARD_STARTING))
		return;
	from_messages(diagnosis, subject, card);
	from_window(diagnosis, subject, card);
	if (card->dma_vm != MP_CARD_UNKNOWN)
		mp_clue_set(diagnosis, MP_CLUE_DMA_VM, card->dma_vm == MP_CARD_YES,
			"its firmware (control block %u.%u) %s DMA in a VM",
			card->firmware_major, card->firmware_minor,
			card->dma_vm == MP_CARD_YES ? "offers" : "does not offer");
	add_note(diagnosis);
}
