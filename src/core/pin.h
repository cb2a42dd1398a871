/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pin.h - is the card at an address still the card that was meant? Addresses change when a
 * card is added, firmware is updated or a kernel enumerates otherwise.
 */
#ifndef MP_PIN_H
#define MP_PIN_H

#include "core/pci.h"
#include "core/settings.h"

enum mp_pin_verdict {
	MP_PIN_SAME,   /* everything that the pin names is so */
	MP_PIN_OTHER,  /* something else is at the address */
	MP_PIN_GONE,   /* nothing is at the address */
	MP_PIN_UNSURE, /* something that the pin names could not be read: not the same */
};

/*
 * Compares PIN with what is at its address on HOST. *why (caller frees) gets the first
 * difference as a clause ("its id is 8086:1533, the pin says 1f9d:1100"), NULL when it is
 * the same. What the pin leaves out is not compared. Needs MP_TOPIC_DETAILS for a serial.
 */
enum mp_pin_verdict mp_pin_check(
	const struct mp_host *host, const struct mp_pin *pin, char **why);

/*
 * The card that PIN means, wherever it is now, by the identities other than the address:
 * the serial number decides alone where the pin has one; else id, subsystem and slot; else,
 * when the pin has no slot or no function is in it, id and subsystem, if a single one has
 * them. NULL: *why (caller frees) tells that there is none, or that there are several.
 */
struct mp_pci *mp_pin_find(
	const struct mp_host *host, const struct mp_pin *pin, char **why);

/* A pin of DEVICE as it is now, with the members of its group. Caller frees. */
struct mp_pin *mp_pin_of(const struct mp_pci *device);
void mp_pin_free(struct mp_pin *pin);
typedef struct mp_pin mp_pin;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(mp_pin, mp_pin_free)

#endif
