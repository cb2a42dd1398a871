/* SPDX-License-Identifier: GPL-2.0-or-later */
/* binding.h - for plan/binding*.c: who gets the wanted cards at boot, and by which files. */
#ifndef MP_PLAN_BINDING_H
#define MP_PLAN_BINDING_H

#include "core/early-bind.h"
#include "core/pci.h"
#include "core/plan.h"

/* Ours; everything else is somebody else's. */
#define MP_FILE_MODPROBE "/etc/modprobe.d/metis-passthrough.conf"
#define MP_FILE_LOAD     "/etc/modules-load.d/metis-passthrough.conf"
#define MP_FILE_HOOK     "/etc/initramfs-tools/hooks/metis-passthrough"
#define MP_FILE_SCRIPT   "/etc/initramfs-tools/" MP_PATH_EARLY_SCRIPT
#define MP_FILE_TABLE    "/" MP_PATH_EARLY_TABLE
#define MP_FILE_RULES    "/etc/udev/rules.d/10-metis-passthrough.rules"

struct mp_binding {
	struct mp_plan *plan;
	const struct mp_wish *wish;
	const struct mp_host *host;
	GPtrArray *
		cards; /* struct mp_pci *: wanted, and not bound by somebody else's files */
	GPtrArray *profiles; /* struct mp_profile *, one for each of cards */
	GPtrArray *modules;  /* const char *: the host's modules that want one of cards */
};

/* --- binding-why.c: what the host allows --- */

/* Each reason why vfio-pci's ids= cannot serve (struct mp_plan_remark), none: they can. */
GPtrArray *mp_binding_against_ids(const struct mp_binding *b);
/* Whatever forbids any binding at boot becomes an obstacle or a note. */
void mp_binding_obstacles(const struct mp_binding *b);
/* True if files that are not ours bind CARD to vfio-pci in the root and in every image;
 * *file gets one of them. */
bool mp_binding_by_others(const struct mp_wish *wish, const struct mp_pci *card,
	const struct mp_profile *profile, const char **file);

/* Of two const char *, for sorting. */
int mp_binding_compare(const void *a, const void *b);
/* "1f9d:1100:1f9d:0001", the entry of ids= for CARD. Caller frees. */
char *mp_binding_id(const struct mp_pci *card);
/* The whole list. Caller frees. */
char *mp_binding_ids(const struct mp_binding *b);

#endif
