/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * early-bind.h - the table of the cards that are bound by address at boot, as the program
 * early-bind (src/early-bind) reads it; in the root and in each image.
 */
#ifndef MP_EARLY_BIND_H
#define MP_EARLY_BIND_H

#include "core/pci.h"

#define MP_PATH_EARLY_TABLE   "etc/metis-passthrough/early-bind.conf"
#define MP_PATH_EARLY_SCRIPT  "scripts/init-top/metis-passthrough" /* in an image */
/* The program, in the root and in each image. */
#define MP_PATH_EARLY_PROGRAM MP_PKGLIBEXECDIR "/early-bind"

/* One line. */
struct mp_early_card {
	const char *address;
	uint16_t vendor, device;
	bool has_subsystem, has_serial;
	uint16_t subvendor, subdevice;
	uint64_t serial;
};

/* Appends the cards of a table to CARDS; what the program would not understand is left out,
 * as it does. */
void mp_early_parse(struct mp_host *host, const char *text, GPtrArray *cards);

/* Would the program give DEVICE to vfio-pci? */
enum mp_early_fit {
	MP_EARLY_NO,
	MP_EARLY_YES,
	MP_EARLY_UNREAD /* the serial number that counts could not be read here */
};
enum mp_early_fit mp_early_fits(const GPtrArray *cards, const struct mp_pci *device);

/* The line of DEVICE, without its newline. Caller frees. */
char *mp_early_line(const struct mp_pci *device);

#endif
