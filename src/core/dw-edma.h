/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dw-edma.h - the registers of a Synopsys DesignWare eDMA, version 0, unrolled, as Metis has
 * it in BAR 0. Offsets as in the vendor's driver and in Linux (drivers/dma/dw-edma/
 * dw-edma-v0-regs.h); what is said of behaviour was read there too, or is marked as unknown.
 * Untested on hardware.
 *
 * Names of directions are those of the block: a write channel moves from the card to the
 * host, a read channel from the host to the card. Little endian, four bytes at a time.
 *
 * Plain C without any include, so that a kernel module can use it too.
 */
#ifndef MP_DW_EDMA_H
#define MP_DW_EDMA_H

#define DW_EDMA_CTRL                      0x008 /* how many channels there are */
#define DW_EDMA_CTRL_WRITE_CHANNELS(ctrl) ((ctrl)&0xf)
#define DW_EDMA_CTRL_READ_CHANNELS(ctrl)  (((ctrl) >> 16) & 0xf)

/* What there is once for each direction. */
#define DW_EDMA_WRITE_ENGINE_EN 0x00c /* 0 stops the engine and resets it */
#define DW_EDMA_READ_ENGINE_EN  0x02c
#define DW_EDMA_WRITE_DOORBELL  0x010 /* the number of a channel starts it */
#define DW_EDMA_READ_DOORBELL   0x030
#define DW_EDMA_DOORBELL_STOP   (1u << 31)

/* Bit n: channel n is done; bit 16 + n: it was aborted. */
#define DW_EDMA_WRITE_INT_STATUS 0x04c
#define DW_EDMA_READ_INT_STATUS  0x0a0
#define DW_EDMA_WRITE_INT_MASK   0x054 /* 1: masked. Whether it holds back IMWR: unknown */
#define DW_EDMA_READ_INT_MASK    0x0a8
#define DW_EDMA_WRITE_INT_CLEAR  0x058
#define DW_EDMA_READ_INT_CLEAR   0x0ac
#define DW_EDMA_INT_DONE(n)      (1u << (n))
#define DW_EDMA_INT_ABORT(n)     (1u << (16 + (n)))

/* Why a channel was aborted; bit n of each byte is channel n. */
#define DW_EDMA_WRITE_ERR_STATUS    0x05c
#define DW_EDMA_READ_ERR_STATUS_LOW 0x0b4
#define DW_EDMA_READ_ERR_STATUS_HI  0x0b8
#define DW_EDMA_ERR_LOCAL(n)        (1u << (n)) /* WRITE, READ_LOW: the card's side */
#define DW_EDMA_ERR_LIST(n)         (1u << (16 + (n))) /* WRITE, READ_LOW: its descriptor */
#define DW_EDMA_ERR_UNSUPPORTED(n)  (1u << (n))        /* READ_HI, and so on */
#define DW_EDMA_ERR_ABORT(n)        (1u << (8 + (n)))
#define DW_EDMA_ERR_TIMEOUT(n)      (1u << (16 + (n)))
#define DW_EDMA_ERR_POISON(n)       (1u << (24 + (n)))

/*
 * IMWR: the write of four bytes by which a channel signals its end to the host: an address
 * for each of done and abort, 16 bits of data for each channel, even ones in the low half.
 */
#define DW_EDMA_WRITE_DONE_IMWR_LOW  0x060
#define DW_EDMA_WRITE_DONE_IMWR_HI   0x064
#define DW_EDMA_WRITE_ABORT_IMWR_LOW 0x068
#define DW_EDMA_WRITE_ABORT_IMWR_HI  0x06c
#define DW_EDMA_WRITE_IMWR_DATA(n)   (0x070u + (n) / 2 * 4)
#define DW_EDMA_READ_DONE_IMWR_LOW   0x0cc
#define DW_EDMA_READ_DONE_IMWR_HI    0x0d0
#define DW_EDMA_READ_ABORT_IMWR_LOW  0x0d4
#define DW_EDMA_READ_ABORT_IMWR_HI   0x0d8
#define DW_EDMA_READ_IMWR_DATA(n)    (0x0dcu + (n) / 2 * 4)
#define DW_EDMA_IMWR_DATA_SHIFT(n)   ((n) % 2 * 16)
#define DW_EDMA_IMWR_DATA_MAX        0xffffu

#define DW_EDMA_WRITE_LL_ERR_EN 0x090
#define DW_EDMA_READ_LL_ERR_EN  0x0c4

/* Power of channel n, where the block has it; 1: on. The vendor's driver leaves it alone. */
#define DW_EDMA_WRITE_PWR_EN(n) (0x128u + (n)*4)
#define DW_EDMA_READ_PWR_EN(n)  (0x168u + (n)*4)

/* Channel n of either direction, and what lies where in it. */
#define DW_EDMA_WRITE_CHANNEL(n) (0x200u + (n)*0x200u)
#define DW_EDMA_READ_CHANNEL(n)  (0x300u + (n)*0x200u)
#define DW_EDMA_CONTROL1         0x00
#define DW_EDMA_CONTROL2         0x04
#define DW_EDMA_SIZE             0x08
#define DW_EDMA_SAR_LOW          0x0c /* from where */
#define DW_EDMA_SAR_HI           0x10
#define DW_EDMA_DAR_LOW          0x14 /* to where */
#define DW_EDMA_DAR_HI           0x18
#define DW_EDMA_LLP_LOW          0x1c
#define DW_EDMA_LLP_HI           0x20
#define DW_EDMA_CHANNEL_END      0x24

#define DW_EDMA_CONTROL1_LIE (1u << 3) /* tells the card's own processor */
#define DW_EDMA_CONTROL1_RIE (1u << 4) /* sends IMWR */
#define DW_EDMA_CONTROL1_CS  (3u << 5)
#define DW_EDMA_CS(control1) (((control1) >> 5) & 3)
#define DW_EDMA_CS_IDLE      0
#define DW_EDMA_CS_RUNNING   1
#define DW_EDMA_CS_HALTED    2 /* aborted */
#define DW_EDMA_CS_STOPPED   3 /* done */

#endif
