/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * selftest-vm.h - how the last self-test inside of a VM (`selftest --vm`) ended: a note of the
 * host's, one file a VM, beside the reports. A report is the guest's word; that there is none,
 * and the kernel of the host at that time, is in no report.
 */
#ifndef MP_SELFTEST_VM_H
#define MP_SELFTEST_VM_H

#include "core/finding.h"
#include "core/host.h"
#include "core/settings.h"
#include "core/target.h"

/* "vm-101.last" */
#define MP_SELFTEST_VM_SUFFIX  ".last"
#define MP_SELFTEST_VM_PASSED  "passed"
#define MP_SELFTEST_VM_FAILED  "failed"
#define MP_SELFTEST_VM_NOT_RUN "not-run"

struct mp_selftest_vm {
	const char *vmid;
	struct mp_fact verdict; /* KNOWN: one of the three */
	const char *kernel;     /* the host's; NULL: not known */
	const char *device;     /* the guest's address; NULL: none was tested */
	const char *why;        /* what failed; NULL: it passed */
};

struct mp_selftest_vm_end {
	const char *verdict, *device,
		*why; /* as above; WHY may be anything: it is cleaned */
};

/* Of the VM, or NULL. */
const struct mp_selftest_vm *mp_selftest_vm(const struct mp_host *host, const char *vmid);
/* Reads the text of a note. ERR: a negative errno, when there is none. */
const struct mp_selftest_vm *mp_selftest_vm_parse(struct mp_host *host, const char *vmid,
	const char *source, const char *text, size_t size, int err);
/* A clause about the last one; SKIP: none was run, and none is wanted. Caller frees. */
char *mp_selftest_vm_judge(const struct mp_host *host, const struct mp_config *config,
	const char *vmid, enum mp_severity *severity);
/* Keeps how it ended, with the kernel that runs. */
bool mp_selftest_vm_keep(struct mp_target *target, const char *vmid,
	const struct mp_selftest_vm_end *end, GError **error);

#endif
