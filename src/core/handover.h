/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * handover.h - gives one PCI function to vfio-pci now, or back to the host's driver, by
 * driver_override and drivers_probe (Documentation/ABI/testing/sysfs-bus-pci). Never by
 * new_id, which takes every other function with that id too and is never taken back.
 *
 * The writes are made by a child process: a driver's remove() may hang for ever, and no
 * signal reaches a process that waits in the kernel. Such a child is reported and left
 * alone, never waited for and never tried again.
 */
#ifndef MP_HANDOVER_H
#define MP_HANDOVER_H

#include <glib.h>

#include "core/error.h"
#include "core/target.h"

#define MP_DRIVER_VFIO "vfio-pci"

struct mp_handover {
	struct mp_target *target;
	const char *address; /* full, as sysfs spells it */
	const char *driver;  /* its name in sysfs; NULL: whichever the kernel finds */
	unsigned seconds;    /* for all of it */

	/* Filled, also on failure as far as it came; mp_handover_clear() frees. */
	char *driver_before, *driver_after; /* NULL: none */
	char *override_before;              /* NULL: none */
	bool hangs; /* a child of ours still sits in the kernel: only a reboot helps */
};

/*
 * Hands the function over: (1) sets driver_override, or clears it where DRIVER is NULL,
 * before anything else, so that an interrupted run never lets the wrong driver in;
 * (2) unbinds the present driver; (3) asks the kernel to probe; (4) looks at the driver link,
 * because drivers_probe reports success when nothing was bound. Nothing is written where it
 * is so already, but for an override that differs.
 *
 * With DRIVER NULL it is a success too when no driver wants the function: driver_after is
 * NULL then. On failure the function is handed back to the driver that it had, unless it
 * hangs; the message says how that went.
 */
bool mp_handover(struct mp_handover *handover, GError **error);
/*
 * Undoes a handover that succeeded, as it was filled: its override is again what it was, and
 * so is its driver. It gets no driver where it had none.
 */
bool mp_handover_back(struct mp_handover *handover, GError **error);
/* Has vfio-pci loaded, where it is not there already. */
bool mp_handover_load_vfio(struct mp_target *target, GError **error);
void mp_handover_clear(struct mp_handover *handover);

#endif
