/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * setup.h - what this program did to the host before: which transactions are in force, and
 * what `status --record` found after the boot.
 */
#ifndef MP_SETUP_H
#define MP_SETUP_H

#include "core/host.h"

/* Where `status --record` leaves its report, for preflight and monitoring. */
#define MP_PATH_STATUS_DIR "run/metis-passthrough"
#define MP_PATH_STATUS     MP_PATH_STATUS_DIR "/status.json"

struct mp_setup {
	struct mp_fact boot_id; /* of the kernel that runs */
	/* KNOWN: the ids of the transactions that are not undone, "0001 0003". ABSENT: none. */
	struct mp_fact transactions;

	/* The recorded report. KNOWN: its verdict ("kept", "drift", ...). */
	struct mp_fact record;
	const char *record_boot_id;      /* NULL: it does not say */
	const char *record_transactions; /* the ids it is about, as above; "" : none */
	const char *record_drift;        /* the first promise that is not kept, or NULL */
	const char *record_remedy;
	unsigned record_promises, record_kept;
	GHashTable *record_bound; /* addresses on vfio-pci since boot, then; a set */
};

/* True where the recorded report is of this boot. */
bool mp_setup_record_is_current(const struct mp_setup *setup);

/* Fills what the record says, from its text; for the probe, tests and fuzzing. */
void mp_setup_parse_record(
	struct mp_host *host, struct mp_setup *setup, const char *text, size_t size);

#endif
