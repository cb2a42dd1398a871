/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * testing.h - what selftest does for one device, in the places where it can run: on a host by
 * VFIO, inside of a VM (--guest), and in a VM as seen from its host (--vm).
 */
#ifndef MP_TESTING_H
#define MP_TESTING_H

#include "cmd.h"
#include "core/profile.h"
#include "core/settings.h"
#include "vfio/selftest.h"

enum mp_testing_way {
	MP_TESTING_ANY,    /* the best that is there */
	MP_TESTING_MODULE, /* of a guest alone: metis_dmatest */
	MP_TESTING_VFIO,   /* options.way says which */
};

struct mp_testing {
	struct mp_selftest_options options;
	enum mp_testing_way way;
	const char *engine; /* as asked for, or NULL */
	char **force;       /* addresses, or NULL */
	unsigned seconds; /* what is left of them, for the device; 0: no limit of ours */
	const struct mp_config *config;
	const struct mp_profile *profile; /* the device's */
};

/* --- inside of a VM (testing-guest.c) --- */

/*
 * Tests REPORT's device and fills the report: results, engine, way, interrupted. The device is
 * handed to what drives it, and afterwards back to what it was, on every way out. *AGAIN gets
 * the host that the report is about then, where that is another one; the caller frees it after
 * the report. By the module, TESTING's options lose the isolation cases. False and an error: it could not run, or could not leave things as they were;
 * there may be results all the same.
 */
bool mp_testing_guest(struct mp_testing *testing, struct mp_selftest_report *report,
	struct mp_host **again, GError **error);

/* --- inside of a VM, from its host (testing-vm.c) --- */

/* What the host waits for beside the wait for the agent, the guest's test and its module: the
 * device goes to a driver and back (60 each), the module is unloaded (60), the agent answers. */
#define MP_TESTING_VM_GRACE_SECONDS  240u
/* For another test of this VM that was told to end; at most as long as for the agent. */
#define MP_TESTING_VM_SINGLE_SECONDS 120u

struct mp_testing_vm {
	struct mp_testing testing;
	const char *vmid;
	/* As they were given, for the guest's program; or NULL. Devices: the guest's addresses. */
	char **devices;
	const char *profile, *way;
	unsigned wait;                   /* seconds, until the guest agent answers */
	bool single;                     /* what is shown can be about one device only */
	const struct mp_render_ops *ops; /* NULL: show nothing */
	const struct mp_render_style *style;
};

/* Runs it in the VM, once at a time, shows and keeps what came out. Returns an enum mp_exit, as a verb does. */
int mp_testing_in_vm(const struct mp_testing_vm *wanted, GError **error);

/* --- shared (testing.c) --- */

/* Tells on a terminal which case runs. */
void mp_testing_tell(const char *name, unsigned number, unsigned total, unsigned round,
	unsigned rounds);
/* Takes that line away. */
void mp_testing_tell_end(void);
/* By VFIO, as the device is. Fills as mp_testing_guest(). */
bool mp_testing_vfio(const struct mp_testing *testing, struct mp_selftest_report *report,
	GError **error);
/* Counts the results, sets the exit code. */
void mp_testing_sum_up(struct mp_selftest_report *report);
/* Keeps the report as PATH's name below MP_PATH_SELFTEST, for later looks. */
bool mp_testing_keep(
	const struct mp_selftest_report *report, const char *name, GError **error);

#endif
