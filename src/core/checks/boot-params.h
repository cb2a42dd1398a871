/* SPDX-License-Identifier: GPL-2.0-or-later */
/* boot-params.h - what single kernel parameters mean for passthrough. */
#ifndef MP_CHECKS_BOOT_PARAMS_H
#define MP_CHECKS_BOOT_PARAMS_H

#include "core/finding.h"
#include "core/platform.h"

struct mp_param_note {
	enum mp_severity severity; /* INFO, WARN or FAIL */
	char *parameter;           /* as written: "intel_iommu=off" */
	const char *meaning; /* static, goes on after the parameter: "switches ... off" */
	bool missing;        /* not there, and should be */
};

/* Notes about CMDLINE on a processor of VENDOR. Free with g_ptr_array_unref(). */
GPtrArray *mp_param_notes(const char *cmdline, enum mp_cpu_vendor vendor);
/* A note about a parameter that is missing. */
void mp_param_note_add(GPtrArray *notes, enum mp_severity severity, const char *parameter,
	const char *meaning);
/* The first of the highest severity, or NULL. */
const struct mp_param_note *mp_param_notes_worst(const GPtrArray *notes);
/* What to do about warnings and failures. Caller frees. */
char *mp_param_notes_remedy(const GPtrArray *notes, const struct mp_host *host);
/* The parameters of interest in A that are not in B, in A's order, or NULL for none. */
char *mp_params_only_in(const char *a, const char *b);

#endif
