/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * planning.h - from the options of plan and setup to a plan: both verbs see the same host
 * in the same way.
 */
#ifndef MP_PLANNING_H
#define MP_PLANNING_H

#include "choose.h"
#include "core/plan.h"

/* The options as they were given. Statics of the verb. */
struct mp_planning_options {
	struct mp_choose_options choose;
	char *vm, *mapping, *binding;
	char **force;
	gboolean hook;
	bool repin;    /* the cards of the configuration, wherever they are now */
	bool vm_alone; /* the VM and the mapping, and nothing of the host */
	const struct mp_versions
		*guest; /* inside of a VM: its module options; else NULL */
	bool vm_new; /* a VM that is not on the host is planned as a new one; so is NULL */
};

#define MP_OPTIONS_PLANNING(options)                                                     \
	MP_OPTION_DEVICE((options).choose, "pass through"),                              \
		MP_OPTION_ID((options).choose, "pass through"),                          \
		MP_OPTION_PROFILE((options).choose, "pass through"),                     \
		{ "vm", 0, 0, G_OPTION_ARG_STRING, &(options).vm,                        \
			"give the cards to this VM", "VMID" },                           \
		{ "mapping", 0, 0, G_OPTION_ARG_STRING, &(options).mapping,              \
			"through the resource mapping NAME", "NAME" },                   \
		{ "hook", 0, 0, G_OPTION_ARG_NONE, &(options).hook,                      \
			"let Proxmox VE call this program when the VM starts and stops", \
			NULL },                                                          \
		{ "binding", 0, 0, G_OPTION_ARG_STRING, &(options).binding,              \
			"how vfio-pci gets the cards: auto, ids or address", "HOW" },    \
	{                                                                                \
		"force", 0, 0, G_OPTION_ARG_STRING_ARRAY, &(options).force,              \
			"take the device at BDF although this host uses it", "BDF"       \
	}

/* A plan and all that it is made from. */
struct mp_planning {
	struct mp_config *config;
	struct mp_config *stated; /* as the file has it, where config was repinned */
	struct mp_host *host;
	struct mp_choice choice;
	GPtrArray *profiles; /* struct mp_profile, one for each wanted device */
	char *profile_names; /* "metis", "metis, generic" */
	GPtrArray *force;    /* char *, full addresses; ends with NULL */
	struct mp_wish wish;
	struct mp_plan *plan;
	bool reboot_due;    /* a change of this boot waits for the next */
	char *guest_digest; /* of the guest's file, as an earlier run wrote it, or NULL */
	char *interrupted;  /* id of a transaction that was, or NULL */
};

/* Looks at the words alone, before any host is looked at. */
bool mp_planning_check(const struct mp_planning_options *options, GError **error);
/* The options as words behind a verb, quoted for a shell, each after a space. Caller frees. */
char *mp_planning_words(const struct mp_planning_options *options);
struct mp_planning *mp_planning_make(
	const struct mp_planning_options *options, struct mp_root *root, GError **error);
void mp_planning_free(struct mp_planning *planning);
typedef struct mp_planning mp_planning;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(mp_planning, mp_planning_free)
/* The report on it as it stands before anything was done. Borrows from PLANNING. */
struct mp_plan_report mp_planning_report(const struct mp_planning *planning);

#endif
