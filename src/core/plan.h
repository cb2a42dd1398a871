/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * plan.h - from the model of a host and what its admin wants to the ordered steps that make
 * it so. Pure: reads the model only. Each topic (plan/TOPIC.c) adds to the plan what it
 * needs; plan.c orders, drops what is so already, and adds the programs that make the
 * changed files count.
 */
#ifndef MP_PLAN_H
#define MP_PLAN_H

#include "core/binding.h"
#include "core/host.h"
#include "core/known-bad.h"
#include "core/settings.h"
#include "core/step.h"

/* What is wanted. All borrowed. */
struct mp_wish {
	const struct mp_host *host;
	struct mp_root *root; /* for the present content of the files to be written */
	const struct mp_config *config; /* never NULL */
	const struct mp_config
		*stated;     /* what the file says, where that differs from config
	                                   (cards that moved); NULL: config */
	GPtrArray *devices;  /* struct mp_pci *: cards to pass through */
	GPtrArray *profiles; /* struct mp_profile *, one for each of devices */
	guint asked; /* set by plan.c: as many were asked for, the configuration adds the rest */
	const char *const *force; /* BDFs that may be taken from the host, or NULL */
	const char *binding;      /* "auto", "ids", "address" */
	const char *vm;           /* VMID or NULL: no VM is changed */
	const char *mapping;      /* name of a resource mapping or NULL */
	bool hook;                /* install the hookscript for vm */
	/* A VM that is not of the host, instead of vm: its options are planned
	 * (plan->vm_options), no step is made. NULL: none. */
	const struct mp_vm *vm_config;
	/* Inside of a VM: versions that were named. NULL: this is about a node. */
	const struct mp_versions *guest;
	bool journal_known; /* what earlier runs wrote could be read */
	const char *
		guest_digest; /* SHA-256 of MP_FILE_GUEST as it was written; NULL: was not */
};

/* A file as it shall be. */
struct mp_plan_file {
	char *path;    /* "/etc/modprobe.d/metis-passthrough.conf" */
	char *content; /* NULL: shall not be there; of a link the target */
	uint32_t mode;
	bool keep_mode; /* a file that is there keeps its own */
	char *why;
	bool reboot;
	unsigned feeds; /* MP_FEEDS_*: what has to be made again when it changes */
	char *now;      /* present content, NULL: absent. Filled by plan.c */
	bool changed;
	bool link; /* a symbolic link: content and now are targets, no text */
};

enum mp_feeds {
	MP_FEEDS_IMAGES = 1 << 0,  /* update-initramfs -u -k all */
	MP_FEEDS_LOADER = 1 << 1,  /* update-grub or proxmox-boot-tool refresh */
	MP_FEEDS_SYSTEMD = 1 << 2, /* systemctl daemon-reload */
	MP_FEEDS_UDEV = 1 << 3,    /* udevadm control --reload */
};

/* Why there can be no plan, or what the reader should know. */
struct mp_plan_remark {
	char *subject; /* "0000:86:00.0", "host", "VM 101" */
	char *text;    /* a sentence */
	char *remedy;  /* what to do, or NULL */
};

/* An option that the VM shall have, whether it has it already or not. */
struct mp_plan_vm_option {
	char *key, *value;
	char *now; /* from its next start on as things are, or NULL: not set */
	char *why;
};

/* What a device would get from the files, simulated. */
struct mp_plan_taken {
	const struct mp_pci *device;
	enum mp_bind_outcome now, then; /* next boot as things are, and with the plan */
	bool wanted;
};

struct mp_plan {
	GPtrArray *files;     /* struct mp_plan_file */
	GPtrArray *steps;     /* struct mp_step, ordered; empty: nothing to do */
	GPtrArray *obstacles; /* struct mp_plan_remark: one forbids the whole plan */
	GPtrArray *notes; /* struct mp_plan_remark: also what is deliberately not done */
	GPtrArray *vm_options; /* struct mp_plan_vm_option */
	GPtrArray *taken; /* struct mp_plan_taken: wanted devices, and all that change */
	char *binding; /* "ids" or "address": what was chosen; "none": nothing of ours is
	                  needed, because other files bind all cards */
	json_object *promises; /* see promise.h; owned */
	bool reboot;           /* also where only the reboot is left to do */
	char *failure; /* why the files could not be tried out, which says nothing of the
			  host: no plan; else NULL */

	/* For the topics. */
	struct mp_host *then; /* the host with the files in place: its modprobe.d, udev
				 rules and boot defaults; for topics that run after the files */
	const char *assumed;  /* a program that `then` takes for installed, or NULL */
	unsigned stale;       /* MP_FEEDS_*: to be made again though no file changes */
	GPtrArray *stale_why; /* char *: a sentence each */
	GPtrArray *
		profiles; /* struct mp_profile: of the cards that the configuration adds */
};

/*
 * Never fails: what cannot be is an obstacle. Cards of the configuration that are not among
 * the devices of WISH stay set up: they count as wanted too. The plan borrows from WISH.
 */
struct mp_plan *mp_plan_make(const struct mp_wish *wish);
/* The same for the VM and the mapping of WISH alone: no file of the host, and only the devices
 * of WISH. What forbids handing them over is an obstacle here, too. */
struct mp_plan *mp_plan_make_vm(const struct mp_wish *wish);
/* The modprobe options inside of a VM, for the devices of WISH, whose `guest` is set. */
struct mp_plan *mp_plan_make_guest(const struct mp_wish *wish);
void mp_plan_free(struct mp_plan *plan);
typedef struct mp_plan mp_plan;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(mp_plan, mp_plan_free)

/* --- for the topics --- */

/* PATH with a leading slash, below /etc or the like. CONTENT is copied, NULL: shall not be
 * there. Mode 0644 and `reboot` by FEEDS; the caller may change both. Owned by PLAN. */
struct mp_plan_file *mp_plan_add_file(struct mp_plan *plan, const char *path,
	const char *content, unsigned feeds, const char *why_format, ...)
	G_GNUC_PRINTF(5, 6);
/* The same for a symbolic link to TARGET. */
struct mp_plan_file *mp_plan_add_link(struct mp_plan *plan, const char *path,
	const char *target, unsigned feeds, const char *why);
void mp_plan_add_obstacle(struct mp_plan *plan, const char *subject, const char *remedy,
	const char *format, ...) G_GNUC_PRINTF(4, 5);
void mp_plan_add_note(struct mp_plan *plan, const char *subject, const char *format, ...)
	G_GNUC_PRINTF(3, 4);
/* FEEDS have to be made again though their files are right. */
void mp_plan_need(struct mp_plan *plan, unsigned feeds, const char *why_format, ...)
	G_GNUC_PRINTF(3, 4);
/* True if --force names DEVICE. */
bool mp_wish_forces(const struct mp_wish *wish, const struct mp_pci *device);
bool mp_wish_has(const struct mp_wish *wish, const struct mp_pci *device);
/* Adds {kind, ...} to the promises; OBJECT is taken over. */
void mp_plan_promise(struct mp_plan *plan, const char *kind, json_object *object);
/* The head of every generated file, each line after PREFIX ("# "): who wrote it, how to undo
 * it. Caller frees. */
char *mp_plan_head(const char *prefix);

/* These add files. */
void mp_plan_config(struct mp_plan *plan, const struct mp_wish *wish);
void mp_plan_cmdline(struct mp_plan *plan, const struct mp_wish *wish);
void mp_plan_binding(struct mp_plan *plan, const struct mp_wish *wish);
void mp_plan_units(struct mp_plan *plan, const struct mp_wish *wish);
void mp_plan_hook(struct mp_plan *plan, const struct mp_wish *wish);
/* These judge the files: plan->then and plan->taken are set. */
void mp_plan_simulate(struct mp_plan *plan, const struct mp_wish *wish); /* sets them */
void mp_plan_try(
	struct mp_plan *plan, const struct mp_wish *wish); /* sets `then` alone */
void mp_plan_use(
	struct mp_plan *plan, const struct mp_wish *wish); /* host uses: obstacles */
void mp_plan_cmdline_prove(struct mp_plan *plan, const struct mp_wish *wish);
/* Who gets DEVICE when HOST (wish->host or plan->then) boots KERNEL; *WHY (may be NULL): the
 * file that decides, or why it is not known, or NULL. Caller frees. */
enum mp_bind_outcome mp_plan_outcome(const struct mp_wish *wish,
	const struct mp_host *host, const struct mp_kernel *kernel,
	const struct mp_pci *device, char **why);
/* The steps of the files, and the programs that make them count (plan/steps.c). */
void mp_plan_steps(struct mp_plan *plan, const struct mp_wish *wish);
/* Inside of a VM: the file, and what it comes to (plan/guest-options.c). */
void mp_plan_guest_options(struct mp_plan *plan, const struct mp_wish *wish);
void mp_plan_guest_prove(struct mp_plan *plan, const struct mp_wish *wish);
/* These add steps of their own, after all files and programs. */
void mp_plan_mapping(struct mp_plan *plan, const struct mp_wish *wish);
void mp_plan_vm(struct mp_plan *plan, const struct mp_wish *wish);

#endif
