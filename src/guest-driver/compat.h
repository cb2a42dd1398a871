/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What differs between the kernels that this builds for: 6.1 to 7.3. It was built by the headers of
 * Debian's 6.1, 6.12 and 7.3 and of Ubuntu's 6.8, 6.14 and 7.0, from which Proxmox VE makes its own.
 */
#ifndef DMATEST_COMPAT_H
#define DMATEST_COMPAT_H

#include <linux/pci.h>
#include <linux/version.h>

/* Renamed in 6.8 (both names are macros there); the old name went away in 6.10. */
#ifndef PCI_IRQ_INTX
#define PCI_IRQ_INTX PCI_IRQ_LEGACY
#endif

#endif
