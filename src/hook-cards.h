/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hook-cards.h - what the hookscript does with the cards of a VM: takes them from the host's
 * driver and makes them ready before it starts, makes them silent when it is gone.
 */
#ifndef MP_HOOK_CARDS_H
#define MP_HOOK_CARDS_H

#include "core/error.h"
#include "core/pci.h"
#include "core/settings.h"
#include "core/vm.h"

/* A line to standard error, at once: Proxmox VE shows it in the task log. */
void mp_hook_say(void *user, const char *line);
/* What is begun now, for whoever waits for this process; shown only if it never ends. Nothing
 * where mp_hook_report_to() was not called. */
void mp_hook_doing(const char *format, ...) G_GNUC_PRINTF(1, 2);
void mp_hook_report_to(int fd);
/* A time limit, or a shorter one that a test asks for (HACKING). */
unsigned mp_hook_seconds(unsigned seconds);
/* The cards that the VM may get, struct mp_pci *: those of its lines that nobody else has.
 * Caller unrefs. */
GPtrArray *mp_hook_cards(const struct mp_host *host, const struct mp_vm *vm);
/*
 * Keeps every other hook of this node off the cards of VM's lines until the array is unref'd.
 * HOST is live and may be of the basics. What is decided must be looked at after this: another
 * VM may have got the card before. NULL and MP_ERROR_BUSY: somebody works on one.
 */
GPtrArray *mp_hook_lock(
	const struct mp_host *host, const struct mp_vm *vm, GError **error);
/* With the cards locked. HOST is live and has everything; VM was judged and may start. One line a card and action
 * goes to standard error. False: the VM must not start. */
bool mp_hook_take_cards(const struct mp_host *host, const struct mp_config *config,
	const struct mp_vm *vm, GError **error);
/* With the cards locked. The VM is gone. Goes on with the next card where one fails; the first failure is the
 * error. */
bool mp_hook_leave_cards(const struct mp_host *host, const struct mp_config *config,
	const struct mp_vm *vm, GError **error);

/* Locks a card that is with vfio-pci, or without a driver, and that nobody uses, and makes it silent: awake, no bus
 * master, nothing armed. SAY
 * is told what is done. */
bool mp_hook_silence(const struct mp_config *config, const struct mp_pci *device,
	void (*say)(void *user, const char *line), void *user, GError **error);

#endif
