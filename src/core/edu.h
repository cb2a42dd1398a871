/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * edu.h - the registers of QEMU's educational device (docs/specs/edu.rst, hw/misc/edu.c): one
 * DMA channel between host memory and a buffer of 4 KiB, one MSI, INTx. All in BAR 0; below
 * 0x80 in four bytes only.
 *
 * Plain C without any include, so that a kernel module can use it too.
 */
#ifndef MP_EDU_H
#define MP_EDU_H

#define EDU_VENDOR 0x1234
#define EDU_DEVICE 0x11e8

#define EDU_ID         0x00 /* 0xRRrr00ed: revision */
#define EDU_LIVENESS   0x04 /* reads back inverted */
#define EDU_IRQ_STATUS 0x24
#define EDU_IRQ_RAISE  0x60
#define EDU_IRQ_ACK    0x64
/* These take eight bytes at once. */
#define EDU_DMA_SRC    0x80
#define EDU_DMA_DST    0x88
#define EDU_DMA_COUNT  0x90
#define EDU_DMA_CMD    0x98
#define EDU_END        0xa0

#define EDU_ID_MASK   0x0000ffff
#define EDU_ID_EDU    0x000000ed
#define EDU_CMD_RUN   0x1
#define EDU_CMD_WRITE 0x2 /* from the device's buffer to host memory */
#define EDU_CMD_IRQ   0x4 /* raises EDU_IRQ_DMA at its end */
#define EDU_IRQ_DMA   0x100

#define EDU_BUFFER       0x40000 /* where the device's own buffer lies in its address space */
/* hw/misc/edu.c up to QEMU 9 ends the whole machine on a transfer of the full 4096 bytes. */
#define EDU_TRANSFER_MAX 4092
/* Of the addresses it emits, unless its property dma_mask says otherwise; others it cuts. */
#define EDU_ADDRESS_BITS 28

#endif
