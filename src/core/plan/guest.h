/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest.h - what the topics about VMs and mappings share; files of plan/ and vm/ include this. */
#ifndef MP_PLAN_GUEST_H
#define MP_PLAN_GUEST_H

#include "core/pci.h"
#include "core/plan.h"
#include "core/vm.h"

/* What becomes one hostpciN: a function, or all functions of a device at once. */
struct mp_plan_card {
	const struct mp_pci *device; /* its first function */
	GPtrArray *functions;        /* struct mp_pci *; owned array */
	char *path;                  /* "0000:86:00.0", all functions: "0000:86:00" */
};

/* The cards that WISH wants for its VM: those asked for and, when the configuration is
 * about the same VM, its cards too. Free with g_ptr_array_unref(). */
GPtrArray *mp_plan_cards(const struct mp_wish *wish);

/* True where Proxmox VE's files are there and can be changed; else obstacles say why not. */
bool mp_plan_has_pve(
	struct mp_plan *plan, const struct mp_wish *wish, const char *subject);

#endif
