/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * metis-block.h - the control block by which a Metis card's firmware and the host's driver
 * agree, at the start of its memory in BAR 2. Offsets as the vendor's driver uses them (1.4.4,
 * 1.4.16, 1.5.6, 1.6.2). Untested on hardware.
 *
 * Plain C without any include, so that a kernel module can use it too.
 */
#ifndef MP_METIS_BLOCK_H
#define MP_METIS_BLOCK_H

#define METIS_BAR_DMA    0
#define METIS_BAR_MEMORY 2

/* The control block, little endian; read and written in four bytes only. */
#define METIS_VERSION       0x200 /* major, minor: a byte each */
#define METIS_MEMORY_MAP    0x208 /* where BAR 2 begins for the card; 64 bits */
#define METIS_DMA_VM        0x218
#define METIS_DMA_VM_YES    0xc1a0c1a0u
#define METIS_HDRV          0x2b8 /* references: magic (16 bits), version, size, offset... */
#define METIS_HDRV_MAGIC    0xbac1u
#define METIS_LISTS         0x2d0 /* descriptors of DMA lists: "dmasgdesc" */
#define METIS_LISTS_MAGIC   0xd4d4u
#define METIS_VMSI          0x2e8
#define METIS_VMSI_MAGIC    0xb5b5u
#define METIS_REF_OFFSET    8 /* of a reference: where its area begins in BAR 2; 64 bits */
#define METIS_CONTROL_END   0x800 /* the firmware's own; its boot loader's from 0x400 on */
/* The area of METIS_LISTS: address for the card, and size, of 64 bits each. */
#define METIS_LISTS_ADDRESS 0
#define METIS_LISTS_SIZE    8

/* Firmware up to 1.5.0 has no METIS_LISTS; the driver keeps to the end of 32 MiB then. */
#define METIS_FIXED_BASE   0x08000000u
#define METIS_FIXED_OFFSET 0x1ff8080u
#define METIS_FIXED_SIZE   0x7f80u

#endif
