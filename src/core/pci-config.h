/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pci-config.h - libpci as a parser only: it is handed the bytes of configuration spaces
 * and the text of a name list that were read through the root, and opens nothing of the
 * host itself. Only probe-pci*.c include this.
 */
#ifndef MP_PCI_CONFIG_H
#define MP_PCI_CONFIG_H

#include "core/pci.h"

struct mp_libpci;

/*
 * NAMES: a name list in the format of pci.ids, or NULL; used during the call only. NULL
 * when libpci cannot be used at all; *why (static or owned by HOST) then says the reason.
 */
struct mp_libpci *mp_libpci_new(
	struct mp_host *host, const char *names, size_t size, const char **why);
void mp_libpci_free(struct mp_libpci *libpci);
typedef struct mp_libpci mp_libpci;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(mp_libpci, mp_libpci_free)

/*
 * Decodes device->config (config_size bytes, all hostile) into the fields of DEVICE that
 * come from it. False: libpci gave up, nothing was filled in but the header; *why says it.
 */
bool mp_libpci_parse(struct mp_libpci *libpci, struct mp_host *host,
	struct mp_pci *device, const char **why);
/* Fills in the names of DEVICE that the list has. */
void mp_libpci_name(
	struct mp_libpci *libpci, struct mp_host *host, struct mp_pci *device);

/*
 * The part of the name list DATA (pci.ids) that names the devices of HOST: their vendors
 * and devices, and all classes. Malformed and out of order lines, over-long lines,
 * subsystems and comments are left out. The caller frees the result.
 */
char *mp_pci_ids_select(
	const struct mp_host *host, const char *data, size_t size, size_t *out_size);

#endif
