/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * drivers.h - the kernel modules behind the drivers of devices, as /sys/module shows them:
 * what a guest can know of its own driver. Looked at in a VM only, or where it is not known
 * whether this is one; on a node vfio-pci has the card.
 */
#ifndef MP_DRIVERS_H
#define MP_DRIVERS_H

#include "core/host.h"

struct mp_module_parameter {
	const char *name;
	struct mp_fact value;
};

struct mp_driver_module {
	const char *name;       /* as sysfs spells it, with underscores */
	struct mp_fact version; /* ABSENT: the module says none (MODULE_VERSION) */
	/* KNOWN: how many there are. Those without permission bits are not among them. */
	struct mp_fact parameters_fact;
	GPtrArray *parameters; /* struct mp_module_parameter */
};

struct mp_drivers {
	GPtrArray *modules; /* struct mp_driver_module, each once */
};

/* The module of DEVICE's driver, or NULL: none, built in, or not looked at. */
const struct mp_driver_module *mp_driver_module(
	const struct mp_host *host, const struct mp_pci *device);
const struct mp_module_parameter *mp_driver_parameter(
	const struct mp_driver_module *module, const char *name);

#endif
