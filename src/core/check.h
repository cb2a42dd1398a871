/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check.h - the table of checks, and running them.
 *
 * A check is a pure function of the host model, the subject device, the profile, the VM and
 * the configuration. It adds exactly one finding for each subject that it is asked about.
 * Ids are API: kebab-case, never renamed, never reused.
 *
 * Each topic file checks/TOPIC.c exports one table (const struct mp_check[] ended by an id
 * of NULL); check.c lists the tables.
 */
#ifndef MP_CHECK_H
#define MP_CHECK_H

#include <glib.h>

#include "core/finding.h"
#include "core/host.h"

struct mp_profile;
struct mp_config;
struct mp_versions;

enum mp_check_scope {
	MP_SCOPE_HOST,   /* runs once */
	MP_SCOPE_DEVICE, /* runs once for each wanted device: ctx->device is set */
	MP_SCOPE_VM,     /* runs once when a VM was named: ctx->vm is set */
};

/* Where a check says something of use. */
enum mp_check_side {
	MP_SIDE_HOST,  /* on the host of VMs: preflight */
	MP_SIDE_GUEST, /* inside of a VM that was given the device: guest check */
	MP_SIDE_BOTH,
};

/* What a check may look at. All pointers are borrowed. */
struct mp_check_ctx {
	const struct mp_host *host;
	/* Never NULL: "generic" where none fits. While a check of a device runs: the device's. */
	const struct mp_profile *profile;
	GPtrArray *
		profiles; /* struct mp_profile *: of each of wanted; NULL: PROFILE for all */
	const struct mp_config *config; /* never NULL: empty where there is none */
	const struct mp_pci *device; /* MP_SCOPE_DEVICE; VM scope: first wanted or NULL */
	GPtrArray *wanted;  /* struct mp_pci *: the devices asked about; maybe empty */
	GPtrArray *missing; /* char *: asked about, but not on this host:
	                                     "0000:86:00.0 (--device)"; NULL: none */
	/* MP_SCOPE_VM, NULL when no VM was named. While a check runs: the VM as its next start
	 * will see it (vm->next), because that is when any of it counts. */
	const struct mp_vm *vm;
	const struct mp_vm *vm_file;  /* set by mp_checks_run(): as its file is now */
	GPtrArray *findings;          /* output, struct mp_finding */
	const struct mp_check *check; /* the row that runs */
	/* Inside of a VM: the versions that were named, each NULL where none was. NULL: on the
	 * host. Decides whether the checks of the one side are run, or of the other. */
	const struct mp_versions *guest;
};

struct mp_check {
	const char *id;
	enum mp_check_scope scope;
	const char *title; /* what is true when it passes; one line, for --list-checks */
	const char
		*explain; /* a paragraph or more: why it matters, how it is decided, the
	                        source of the rule, what to do. For `explain ID`. */
	void (*run)(struct mp_check_ctx *ctx);
	bool live_only; /* under a sysroot the answer is unknown */
	enum mp_check_side side;
};

/* checks/platform.c and so on: a table for each topic, ended by an id of NULL. */
extern const struct mp_check mp_checks_platform[];
extern const struct mp_check mp_checks_iommu[];
extern const struct mp_check mp_checks_remapping[];
extern const struct mp_check mp_checks_device_iommu[];
extern const struct mp_check mp_checks_device[];
extern const struct mp_check mp_checks_device_use[];
extern const struct mp_check mp_checks_group[];
extern const struct mp_check mp_checks_boot[];
extern const struct mp_check mp_checks_binding[];
extern const struct mp_check mp_checks_memory[];
extern const struct mp_check mp_checks_vm[];
extern const struct mp_check mp_checks_card[];
extern const struct mp_check mp_checks_card_state[];
extern const struct mp_check mp_checks_setup[];
extern const struct mp_check mp_checks_selftest[];
extern const struct mp_check mp_checks_guest[];
extern const struct mp_check mp_checks_guest_device[];

/* All checks in report order; *n gets their number. */
const struct mp_check *const *mp_checks_all(size_t *n);
const struct mp_check *mp_check_find(const char *id);
/* The topic that the check is reported under ("platform", "device", "VM"); never NULL. */
const char *mp_check_topic(const char *id);
/* "host", "device" or "vm". */
const char *mp_check_scope_name(enum mp_check_scope scope);

/*
 * Adds a finding of the running check about its subject (device, VM or host) and returns
 * it, so that evidence and remedy can be added. Owned by ctx->findings.
 */
struct mp_finding *mp_check_say(struct mp_check_ctx *ctx, enum mp_severity severity,
	const char *format, ...) G_GNUC_PRINTF(3, 4);

/*
 * Runs every check of the side whose id matches GLOB (NULL: all). Findings come in table order, then
 * in the order of devices. Waivers of the configuration are noted on the findings.
 */
void mp_checks_run(struct mp_check_ctx *ctx, const char *glob);

#endif
