/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * selftest.h - the cases that prove DMA, interrupts and isolation with one engine. A case
 * makes its own mappings, runs, and takes them away; its verdict comes from memory, eventfds
 * and the kernel's log, never from the device's word alone: a device learns nothing of a
 * posted write that was blocked.
 */
#ifndef MP_SELFTEST_H
#define MP_SELFTEST_H

#include "vfio/engine.h"

enum mp_case_verdict { MP_CASE_PASS, MP_CASE_FAIL, MP_CASE_SKIP };

/* One distribution: of times in nanoseconds or of rates in bytes per second. */
struct mp_figures {
	unsigned count;
	uint64_t min, median, max;
};

struct mp_case_result {
	char *name; /* the case's */
	enum mp_case_verdict verdict;
	char *summary; /* a sentence */
	char *remedy;  /* for a failure: what it means, what to do; or NULL */
	GPtrArray *
		evidence; /* struct mp_evidence (finding.h): kernel lines, addresses, bytes */
	struct mp_figures latency_ns;
	struct mp_figures bytes_per_second;
	uint64_t bytes;       /* moved and compared */
	uint64_t duration_ns; /* of the whole case */
	unsigned round;
};

struct mp_selftest_options {
	const char *cases; /* glob, or NULL: all */
	unsigned rounds;
	size_t bytes;   /* the most that the pattern cases move in one go */
	bool isolation; /* provoke faults */
	bool force;
	enum mp_vfio_wish way;
};

struct mp_selftest; /* the running test, for the cases */

struct mp_case {
	const char
		*name; /* kebab-case, for ever: "dma-read", "isolation-write-unmapped" */
	const char *title; /* what is true when it passes */
	bool isolation;
	/* Fills RESULT by the mp_case_*() functions; returns false when the test has to end
	 * (the device is gone). */
	bool (*run)(struct mp_selftest *test, struct mp_case_result *result);
};
const struct mp_case *const *mp_cases_all(size_t *count);

/*
 * Runs the cases on DEVICE. RESULTS gets struct mp_case_result; PROGRESS is told before each
 * case and may stop the run by false (SIGINT): then the device is quiesced as after an end.
 * WAY gets the name of the way into VFIO, or NULL where none was open. False and an error: it
 * could not run, or could not leave the device as it was.
 */
bool mp_selftest_run(const struct mp_host *host, const struct mp_pci *device,
	const struct mp_engine *engine, const struct mp_selftest_options *options,
	bool (*progress)(void *user, const struct mp_case *c, unsigned round), void *user,
	GPtrArray *results, const char **way, GError **error);
/* Whether the last run was ended by a signal; what it had found until then is in RESULTS. */
bool mp_selftest_interrupted(void);
/* Without a verdict yet. The caller frees. */
struct mp_case_result *mp_case_result_new(const char *name, unsigned round);
void mp_case_result_free(struct mp_case_result *result);

#endif
