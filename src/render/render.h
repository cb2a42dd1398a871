/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * render.h - one function per thing that can be shown, one struct per format. A verb builds
 * its report and hands it over; adding a format touches no verb. Renderers write to OUT
 * only, read only the model, and decide nothing.
 */
#ifndef MP_RENDER_H
#define MP_RENDER_H

#include <glib.h>
#include <stdio.h>

#include "core/check.h"
#include "core/error.h"
#include "core/host.h"

struct mp_card;
struct mp_case;
struct mp_diagnosis;
struct mp_event;
struct mp_irtes;
struct mp_plan;
struct mp_selftest_options;
struct mp_vm_output;
struct mp_vm_request;
struct mp_wish;

struct mp_render_style {
	bool color;
	bool unicode;   /* tree lines and marks outside ASCII */
	unsigned width; /* columns; 0: do not wrap */
	bool verbose;   /* evidence of passing checks too */
};

/* What preflight has to show. All borrowed. */
struct mp_preflight_report {
	const struct mp_host *host;
	const char *profile;
	GPtrArray *wanted;   /* struct mp_pci * */
	const char *vm;      /* or NULL */
	GPtrArray *findings; /* struct mp_finding */
	const char *only;    /* the GLOB that chose the checks, or NULL: all were run */
	bool vm_alone;       /* `vm check`: the answer is about the VM */
	bool in_guest;       /* `guest check` */
	bool strict;
	unsigned counts[MP_SEVERITIES]; /* waived findings are counted as info */
	int exit_code;
};

enum mp_list_view { MP_LIST_GROUPS, MP_LIST_TREE };

struct mp_list_report {
	const struct mp_host *host;
	GPtrArray *devices; /* struct mp_pci *: what the filters left */
	enum mp_list_view view;
};

enum mp_plan_outcome {
	MP_PLAN_POSSIBLE,  /* something is to be done, and was not done yet */
	MP_PLAN_NOTHING,   /* the host is as wanted */
	MP_PLAN_FORBIDDEN, /* an obstacle */
	MP_PLAN_DONE,      /* setup made the change */
	MP_PLAN_WRITTEN,   /* setup --output: the files lie in a directory */
	MP_PLAN_FAILED,    /* setup did not: error, exit_code */
	MP_PLAN_OUTCOMES
};

/* What plan has to show, and setup before it asks; in JSON, setup when all is over. */
struct mp_plan_report {
	const struct mp_wish *wish;
	const struct mp_plan *plan;
	const char *profiles; /* names, "metis" */
	const char *next;     /* the command that makes the change, or NULL: don't tell */
	const char *where;    /* " --sysroot /mnt" for the verbs to come, or "" */
	const char
		*interrupted; /* id of the transaction that setup undoes first, or NULL */
	bool reboot_due;      /* an earlier change waits for it */
	enum mp_plan_outcome outcome;
	const char *transaction; /* its id, once it is done */
	const char *error;       /* of MP_PLAN_FAILED */
	int exit_code;
};

/* Of several the first counts. */
enum mp_status_verdict {
	MP_STATUS_NOTHING, /* no transaction is in force */
	MP_STATUS_DRIFT,
	MP_STATUS_UNKNOWN, /* something could not be seen */
	MP_STATUS_PENDING, /* not booted since the last setup */
	MP_STATUS_KEPT,
};

struct mp_status_report {
	const struct mp_host *host;
	GPtrArray *transactions; /* struct mp_tx: those in force or interrupted */
	GPtrArray *findings; /* struct mp_finding: one for each promise, and self-tests */
	const char *boot_id; /* of the kernel that runs, or NULL */
	int64_t checked;     /* seconds since the epoch */
	bool reboot_pending; /* something counts from the next boot on */
	enum mp_status_verdict verdict;
	unsigned counts[MP_SEVERITIES];
	int exit_code;
};
/* The id of findings that are about a self-test, and so no promise unless it is required. */
#define MP_STATUS_SELFTEST "status-selftest"
/* "kept", "drift", "reboot-pending", "unknown", "nothing": API. */
const char *mp_status_verdict_name(enum mp_status_verdict verdict);

struct mp_history_report {
	const char *target;      /* "/" or a directory */
	GPtrArray *transactions; /* struct mp_tx, the oldest first */
};

/* What selftest has to show. All borrowed. */
struct mp_selftest_report {
	const struct mp_host *host;
	const struct mp_pci *device;
	const char *engine;
	const char *way; /* into VFIO: "group", "cdev"; or "module" (guest/dmatest.h) */
	bool guest;      /* HOST is the inside of a VM */
	const char *vm;  /* its id, where its host tells of it; or NULL */
	const struct mp_selftest_options *options;
	GPtrArray *results; /* struct mp_case_result, in the order in which they ran */
	int64_t started;    /* seconds since the epoch */
	unsigned seconds;   /* that it took */
	bool interrupted;   /* the rest was not run: by a signal, or: */
	bool late;          /* the time that it was given was over */
	unsigned passed, failed, skipped;
	int exit_code;
};
/* "passed", "failed", "interrupted": API. */
const char *mp_selftest_verdict_name(const struct mp_selftest_report *report);

/* Of several the first that is so. */
enum mp_inspect_verdict {
	MP_INSPECT_NO_STATE, /* its profile names no state */
	MP_INSPECT_UNREAD,
	MP_INSPECT_ASLEEP,
	MP_INSPECT_DEAD,
	MP_INSPECT_AT_WORK, /* something is armed, and somebody uses the card */
	MP_INSPECT_ARMED,
	MP_INSPECT_QUIET,
};
/* "quiet", "armed", ...: API. */
const char *mp_inspect_verdict_name(enum mp_inspect_verdict verdict);

/* What inspect has to show. All borrowed. */
struct mp_inspect_report {
	const struct mp_host *host;
	const struct mp_pci *device;
	const char *profile;
	const struct mp_card *card; /* or NULL */
	const struct mp_irtes *irtes;
	GPtrArray *done;                /* char *: what --scrub did */
	const struct mp_repair *repair; /* --repair-msi, else NULL */
	bool dry_run;                   /* of it: nothing was written */
	enum mp_inspect_verdict verdict;
	int exit_code;
};

/* What `vm generate` has to show. All borrowed. */
struct mp_vm_report {
	const struct mp_vm_request *request;
	const struct mp_vm_output *output;
	const char *next; /* the command that makes the change, or NULL */
};

/* What diagnose has to show. All borrowed. */
struct mp_diagnose_report {
	const struct mp_diagnosis *diagnosis;
	const char *source; /* "kernel log", "journal of boot -1", a file's name */
	bool of_host;       /* the log is that of diagnosis->host */
	int exit_code;
};

struct mp_render_ops {
	const char *name; /* "text", "json", "junit" */
	/* What has to succeed before the others are called; NULL: nothing. */
	bool (*prepare)(GError **error);
	/* Each is NULL where the format has no such report. */
	void (*preflight)(const struct mp_preflight_report *,
		const struct mp_render_style *, FILE *out);
	void (*list)(
		const struct mp_list_report *, const struct mp_render_style *, FILE *out);
	void (*checks)(const struct mp_render_style *, FILE *out); /* --list-checks */
	void (*explain)(
		const struct mp_check *, const struct mp_render_style *, FILE *out);
	void (*plan)(
		const struct mp_plan_report *, const struct mp_render_style *, FILE *out);
	void (*status)(const struct mp_status_report *, const struct mp_render_style *,
		FILE *out);
	void (*history)(const struct mp_history_report *, const struct mp_render_style *,
		FILE *out);
	void (*selftest)(const struct mp_selftest_report *,
		const struct mp_render_style *, FILE *out);
	void (*vm)(
		const struct mp_vm_report *, const struct mp_render_style *, FILE *out);
	void (*cases)(const struct mp_case *const *cases, size_t count,
		const struct mp_render_style *, FILE *out); /* --list-cases */
	void (*inspect)(const struct mp_inspect_report *, const struct mp_render_style *,
		FILE *out);
	void (*diagnose)(const struct mp_diagnose_report *,
		const struct mp_render_style *, FILE *out);
	void (*event)(const struct mp_event *, const struct mp_render_style *,
		FILE *out); /* as it comes */
};

extern const struct mp_render_ops mp_render_text, mp_render_json, mp_render_junit,
	mp_render_markdown;

/* The format called NAME, or NULL. */
const struct mp_render_ops *mp_render_find(const char *name);
/* "text, json, junit" */
const char *mp_render_names(void);

#endif
