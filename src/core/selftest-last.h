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

#define MP_PATH_SELFTEST      MP_PATH_JOURNAL "/selftest"
/* Of a test inside of a VM: "vm-101-0000:01:00.0.json", with the guest's address. */
#define MP_SELFTEST_VM_PREFIX "vm-"

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
	GPtrArray *vms;  /* struct mp_selftest_vm: core/selftest-vm.h */
};

/* The report of the device at ADDRESS, or NULL. */
const struct mp_selftest_last *mp_selftest_last(
	const struct mp_host *host, const char *address);

/* By metis_dmatest, in a VM as a rule: no IOMMU of its own to be tried, so no such cases. */
bool mp_selftest_by_module(const struct mp_selftest_last *last);

/* What it means for the device now; the first that holds. */
enum mp_selftest_state {
	MP_SELFTEST_NONE,       /* none was ever kept */
	MP_SELFTEST_UNREADABLE, /* it, or whether there is one */
	MP_SELFTEST_OTHER_CARD, /* or it cannot be told: *why */
	MP_SELFTEST_FAILED,
	/* It passed, but: */
	MP_SELFTEST_KERNEL_UNKNOWN, /* its, or the one that runs */
	MP_SELFTEST_OTHER_KERNEL,
	MP_SELFTEST_OTHER_BIOS,
	MP_SELFTEST_BIOS_UNKNOWN,
	MP_SELFTEST_NO_ISOLATION, /* it left those cases out */
	MP_SELFTEST_PASSED,
};
/* *WHY: a clause for OTHER_CARD, else NULL; the caller frees. Needs MP_TOPIC_DETAILS, the
 * platform and the self-tests of HOST. */
enum mp_selftest_state mp_selftest_judge(
	const struct mp_host *host, const struct mp_pci *device, char **why);
/* The same as a clause that begins with "its last self-test" or "no self-test"; NULL where it
 * passed and nothing is to be said. Caller frees. */
char *mp_selftest_complaint(const struct mp_host *host, const struct mp_pci *device,
	enum mp_selftest_state *state);
/* True if CONFIG wants that card's last self-test looked at in STATE: one that was never
 * run counts only where it is required. */
bool mp_selftest_counts(const struct mp_config *config, enum mp_selftest_state state);
bool mp_selftest_required(const struct mp_config *config);

/* Reads the text of a report; for the probe, tests and fuzzing. */
struct mp_selftest_last *mp_selftest_parse(struct mp_host *host, const char *address,
	const char *source, const char *text, size_t size);

#endif
