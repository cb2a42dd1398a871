/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest/dmatest.h - what the kernel module metis_dmatest says, as the self-test's results:
 * the attributes of core/dmatest.h, read as if somebody meant harm by them.
 */
#ifndef MP_GUEST_DMATEST_H
#define MP_GUEST_DMATEST_H

#include "core/target.h"
#include "vfio/selftest.h"

/* The cases of the module; their run is NULL. */
const struct mp_case *const *mp_dmatest_cases(size_t *count);

struct mp_dmatest_limits {
	uint64_t transfer_max; /* bytes */
	unsigned address_bits;
	char interrupt[8]; /* "msix", "msi", "intx", "none" */
	unsigned vectors_wanted, vectors_granted;
};

/* The attribute "limits". False, and LIMITS is nothing to go by: it is malformed. */
bool mp_dmatest_parse_limits(
	const char *text, size_t size, struct mp_dmatest_limits *limits, GError **error);

/*
 * The attribute "results": adds a struct mp_case_result for each line to RESULTS, with what a
 * failure means as its remedy. *TRUNCATED: the module says that there were more. False, and
 * nothing is added: one line is malformed.
 */
bool mp_dmatest_parse_results(const char *text, size_t size, GPtrArray *results,
	bool *truncated, GError **error);

/* --- running them --- */

struct mp_dmatest_run {
	struct mp_target *target;
	const char *address; /* of a function that is bound to the module */
	const struct mp_selftest_options *options;
	/*
	 * Told of each case (its number among those that are run, from 1), then asked with a NAME
	 * of NULL a few times a second. False: stop.
	 */
	bool (*progress)(void *user, const char *name, unsigned number, unsigned round);
	void *user;
	unsigned seconds;   /* for all of it; 0: what the cases take */
	const char *wanted; /* the engine; NULL: any */

	/* Filled. */
	const char *engine; /* static; NULL: it was not read */
	struct mp_dmatest_limits limits;
	/* It was ended, by progress or when its time was over, and the device is quiet; what was
	 * found until then is in the results. */
	bool stopped, late;
};

/* How many cases OPTIONS choose. */
unsigned mp_dmatest_count(const struct mp_selftest_options *options);
/*
 * Runs the cases one by one, so that each can be told and stopped. False and an error: it
 * could not run them all. MP_ERROR_STUCK: the kernel does not answer; the device must not be
 * touched any more.
 */
bool mp_dmatest_run(struct mp_dmatest_run *run, GPtrArray *results, GError **error);

#endif
