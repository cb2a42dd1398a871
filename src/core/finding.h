/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * finding.h - what a check has to say: a verdict, its evidence and its remedy.
 *
 * A finding owns all its strings. Nothing here prints; renderers do.
 */
#ifndef MP_FINDING_H
#define MP_FINDING_H

#include <glib.h>
#include <stdbool.h>

#include "core/fact.h"

/* Ordered by how much they matter to the reader, the least first. */
enum mp_severity {
	MP_SKIP, /* does not apply here; the summary says why */
	MP_PASS,
	MP_INFO,   /* worth knowing, nothing to do */
	MP_UNSURE, /* evidence could not be read; never a pass */
	MP_WARN,
	MP_FAIL, /* blocks */
	MP_SEVERITIES
};

struct mp_evidence {
	char *source; /* path, program or rule */
	char *value;
};

struct mp_finding {
	const char *id; /* the check's, static */
	enum mp_severity severity;
	char *subject;       /* BDF, "group 22", "host", "VM 101" */
	char *summary;       /* one sentence */
	char *remedy;        /* what to do, or NULL */
	char *waiver;        /* reason given by the admin, or NULL */
	bool live_only;      /* verdict could differ under a sysroot */
	GPtrArray *evidence; /* struct mp_evidence */
};

/* "pass", "info", ... as in JSON. */
const char *mp_severity_name(enum mp_severity severity);

struct mp_finding *mp_finding_new(const char *id, enum mp_severity severity,
	const char *subject, const char *format, ...) G_GNUC_PRINTF(4, 5);
void mp_finding_free(struct mp_finding *finding);
void mp_finding_remedy(struct mp_finding *finding, const char *format, ...)
	G_GNUC_PRINTF(2, 3);
void mp_finding_evidence(struct mp_finding *finding, const char *source,
	const char *format, ...) G_GNUC_PRINTF(3, 4);
/* Adds a fact as evidence: its value, "absent" or "unknown (why)". A fact never looked for
 * adds nothing. */
void mp_finding_fact(struct mp_finding *finding, const struct mp_fact *fact);

#endif
