/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest/module.h - has the kernel module metis_dmatest loaded: as it is, by modprobe, or
 * built for the running kernel from the source that the package metis-passthrough-dkms
 * installs. What was built is not kept: dkms does that, where it can. Nothing is built that
 * others than root may write.
 */
#ifndef MP_GUEST_MODULE_H
#define MP_GUEST_MODULE_H

#include "core/host.h"
#include "core/target.h"

/* How long mp_guest_module_load() takes at most: modprobe, then make and insmod. */
#define MP_GUEST_MODULE_SECONDS 780u

/* SECONDS, or as much of them as METIS_PASSTHROUGH_GUEST_SECONDS makes of them, which tests of
 * what hangs set: the longest limit (600) becomes that, the others in proportion. */
unsigned mp_guest_seconds(unsigned seconds);

enum mp_module_from {
	MP_MODULE_NOWHERE,
	MP_MODULE_THERE,  /* somebody else loaded it */
	MP_MODULE_LOADED, /* by us */
	MP_MODULE_BUILT,  /* and loaded, by us */
};

/*
 * TICK is asked every second, and told a line of what is done; false stops it. Needs the
 * lock of TARGET (it has one directory to build in) and the platform of HOST. False: each
 * thing that was tried with its reason, and the package that is missing.
 */
bool mp_guest_module_load(const struct mp_host *host, struct mp_target *target,
	bool (*tick)(void *user, const char *line), void *user, enum mp_module_from *from,
	GError **error);
/* Takes out what we loaded, unless somebody uses it meanwhile. */
void mp_guest_module_unload(struct mp_target *target, enum mp_module_from from);

/* The directory of the sources to build in ROOT, of this version of the program if it is
 * there: "usr/src/metis-dmatest-0.1"; NULL: none. Caller frees. */
char *mp_guest_module_source(struct mp_root *root);

#endif
