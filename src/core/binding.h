/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * binding.h - which driver gets a device at boot, simulated from the configuration: the
 * modules that want it, modprobe.d, modules-load.d, driver_override rules, and what is in
 * the initramfs image.
 */
#ifndef MP_BINDING_H
#define MP_BINDING_H

#include "core/initramfs.h"
#include "core/modules.h"
#include "core/profile.h"

enum mp_bind_outcome {
	MP_BIND_UNKNOWN, /* why tells */
	MP_BIND_VFIO,    /* vfio-pci, before any other driver can */
	MP_BIND_NOBODY,  /* no driver: it waits for the VM's start */
	MP_BIND_RACE,    /* vfio-pci or the host driver, whichever is loaded first */
	MP_BIND_HOST,    /* the host driver */
};

struct mp_bind {
	enum mp_bind_outcome outcome;
	GPtrArray *host_modules; /* const char *: that could take it; owned */
	const char *vfio_file;   /* where vfio-pci is given the device, or NULL */
	const char *
		order_file; /* what puts vfio-pci first or the host driver away, or NULL */
	const char *useless_file; /* ids= for a vfio-pci that is built in, or NULL */
	const char *why;          /* reason of UNKNOWN */
};

/* Modules of KERNEL, other than VFIO's, that want DEVICE: by alias, by PROFILE where it
 * fits, and the driver it has now. Free the array only. */
GPtrArray *mp_bind_host_modules(const struct mp_host *host,
	const struct mp_kernel *kernel, const struct mp_pci *device,
	const struct mp_profile *profile);

/* The next boot with KERNEL, after its initramfs image. */
void mp_bind_simulate(const struct mp_host *host, const struct mp_kernel *kernel,
	const struct mp_pci *device, const struct mp_profile *profile,
	struct mp_bind *bind);
/* The same inside the image: with its own modules and configuration. */
void mp_bind_simulate_image(const struct mp_host *host, const struct mp_kernel *kernel,
	const struct mp_image *image, const struct mp_pci *device,
	const struct mp_profile *profile, struct mp_bind *bind);
void mp_bind_clear(struct mp_bind *bind);

/* Devices beside DEVICE that the ids= of the configuration take as well and that are of
 * another IOMMU group. Free the array only. */
GPtrArray *mp_bind_also_taken(const struct mp_host *host, const struct mp_kernel *kernel,
	const struct mp_pci *device);
/* The effective ids= of vfio-pci at the next boot of KERNEL, or NULL. Caller frees. */
char *mp_bind_ids(
	const struct mp_host *host, const struct mp_kernel *kernel, const char **file);
/* Does RULE speak of DEVICE? */
bool mp_bind_override_fits(
	const struct mp_override_rule *rule, const struct mp_pci *device);
/* The command line that counts: of the next boot where known, else the running one's. */
const char *mp_bind_cmdline(const struct mp_host *host);

#endif
