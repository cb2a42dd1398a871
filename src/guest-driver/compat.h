/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What differs between the kernels that this builds for: 6.1 to 7.x.
 */
#ifndef DMATEST_COMPAT_H
#define DMATEST_COMPAT_H

#include <linux/pci.h>
#include <linux/version.h>

/* Renamed in 6.8; the old name went away later. */
#ifndef PCI_IRQ_INTX
#define PCI_IRQ_INTX PCI_IRQ_LEGACY
#endif

#endif
