/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * selftest-last.h - the last complete self-test of each device, as `selftest` left it: its
 * JSON report (templates/schema/selftest.schema.json), one file a PCI address.
 */
#ifndef MP_SELFTEST_LAST_H
#define MP_SELFTEST_LAST_H

#include "core/host.h"
#include "core/journal.h"
#include "core/settings.h"

#define MP_PATH_SELFTEST MP_PATH_JOURNAL "/selftest"

struct mp_selftest_last {
	const char *address;
	struct mp_fact verdict;    /* KNOWN: "passed" or "failed" */
	const char *kernel, *bios; /* NULL: it did not know */
	const char *engine;
	const char *way; /* into VFIO; NULL: it did not say */
	int64_t started; /* seconds since the epoch */
	bool isolation;  /* the isolation cases were among them */
	unsigned passed, skipped, failed;
	const char *
		failure; /* "dma-read: what was seen" of the first that failed, or NULL */
	const struct mp_pin *pin; /* which card it was */
};

struct mp_selftests {
	/* KNOWN: how many reports there are. ABSENT: none was ever kept. */
	struct mp_fact store;
	GPtrArray *last; /* struct mp_selftest_last */
};

/* The report of the device at ADDRESS, or NULL. */
const struct mp_selftest_last *mp_selftest_last(
	const struct mp_host *host, const char *address);

/* Reads the text of a report; for the probe, tests and fuzzing. */
struct mp_selftest_last *mp_selftest_parse(struct mp_host *host, const char *address,
	const char *source, const char *text, size_t size);

#endif
