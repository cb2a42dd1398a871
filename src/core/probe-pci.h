/* SPDX-License-Identifier: GPL-2.0-or-later */
/* probe-pci.h - the parts of the PCI probe. Only probe-pci*.c include this. */
#ifndef MP_PROBE_PCI_H
#define MP_PROBE_PCI_H

#include "core/pci-config.h"

#define MP_PATH_PCI_DEVICES "sys/bus/pci/devices"

/* Identity, driver, group and reset methods only, with as few reads as possible. */
void mp_probe_pci_basics(struct mp_host *host, struct mp_pci *device, struct mp_dir *dir);
/* Everything. LIBPCI may be NULL; WHY then says the reason. */
void mp_probe_pci_details(struct mp_host *host, struct mp_root *root,
	struct mp_pci *device, struct mp_dir *dir, struct mp_libpci *libpci,
	const char *why);
/* Parents and children, after all devices are there. */
void mp_probe_pci_tree(struct mp_host *host, struct mp_root *root, unsigned topics);
/* Names of physical slots. */
void mp_probe_pci_slots(struct mp_host *host, struct mp_root *root);

/* Takes the header's fields out of config bytes (already bounded by config_size). */
void mp_pci_parse_header(struct mp_pci *device);
/* Parses the lines of `resource`: "start end flags" each. */
void mp_pci_parse_resource(struct mp_pci *device, const char *text);

#endif
