/* SPDX-License-Identifier: GPL-2.0-or-later */
/* judge.h - what the kinds of promises share. Only promise.c and promise/ include this. */
#ifndef MP_PROMISE_JUDGE_H
#define MP_PROMISE_JUDGE_H

#include "core/pci.h"
#include "core/promise.h"

/* Was the host booted since the promise was made? */
enum mp_booted {
	MP_BOOTED_UNKNOWN,
	MP_BOOTED_SINCE,
	MP_BOOTED_NOT, /* it is still the boot of the setup */
};

/* One promise on its way to a finding. All borrowed. */
struct mp_judge {
	const struct mp_host *host;
	struct mp_root *root;
	GPtrArray *findings; /* output */
	bool pending;        /* output: something waits for the next boot */

	json_object *promise;
	const char *kind;
	const char *id;      /* of the finding: "status-file" */
	const char *subject; /* "/etc/modprobe.d/x.conf", a BDF, "VM 101"; or NULL */
	enum mp_booted booted;
};

/* Adds the finding about the promise, and returns it for evidence and remedy. */
struct mp_finding *mp_judge_say(struct mp_judge *judge, enum mp_severity severity,
	const char *format, ...) G_GNUC_PRINTF(3, 4);
/* The same for what is not so yet: INFO before the next boot, UNSURE where it is not known
 * whether that has been, and FAIL after it. FORMAT is the sentence of the failure. */
struct mp_finding *mp_judge_say_not_yet(struct mp_judge *judge, const char *format, ...)
	G_GNUC_PRINTF(2, 3);
/* The promise cannot be understood: WHAT is missing or of the wrong type. */
void mp_judge_say_malformed(struct mp_judge *judge, const char *what);

/* The text of KEY in the promise; NULL: none (null, missing, no text). */
const char *mp_judge_text(const struct mp_judge *judge, const char *key);
/* The device that the promise is about (its "address"), or NULL after a finding that says
 * why not. What moved it is told by the pin. */
const struct mp_pci *mp_judge_device(struct mp_judge *judge);

/* Each kind adds exactly one finding. */
void mp_judge_file(struct mp_judge *judge);
void mp_judge_link(struct mp_judge *judge);
void mp_judge_parameter(struct mp_judge *judge);
void mp_judge_binding(struct mp_judge *judge);
void mp_judge_image(struct mp_judge *judge);
void mp_judge_group(struct mp_judge *judge);
void mp_judge_pin(struct mp_judge *judge);
void mp_judge_mapping(struct mp_judge *judge);
void mp_judge_vm(struct mp_judge *judge);
void mp_judge_guest_options(struct mp_judge *judge);

#endif
