/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * firmware.h - what the virtual card's firmware does: it fills the control block at the start
 * of the card's memory (BAR 2), serves the host window, and owns interrupts where it offers
 * DMA in a VM. It has a clock that is told, so a test can make it any time it likes.
 *
 * libc only: it is compiled into QEMU.
 */
#ifndef VIRTUAL_METIS_FIRMWARE_H
#define VIRTUAL_METIS_FIRMWARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FIRMWARE_MEMORY_SIZE (32u << 20) /* BAR 2 */
#define FIRMWARE_MEMORY_BASE 0x08000000u /* where the card itself sees it */

enum firmware_sticky { /* what a reset does not clear: window, IMWR */
	FIRMWARE_STICKY_NONE,
	FIRMWARE_STICKY_FLR, /* an FLR (or PM reset) leaves them, a bus reset clears */
	FIRMWARE_STICKY_BUS, /* so does a bus reset; only a power cycle clears */
};

enum firmware_dead { FIRMWARE_ALIVE, FIRMWARE_ZEROS, FIRMWARE_ONES };

enum firmware_dma_vm {
	FIRMWARE_DMA_VM_OFF,
	FIRMWARE_DMA_VM_OWNER, /* the firmware sends the completion message itself */
	FIRMWARE_DMA_VM_IMWR,  /* it points IMWR at the function's own MSI message */
	FIRMWARE_DMA_VM_FLAG,  /* the flag is set, and nothing is behind it */
};

enum firmware_reset {
	FIRMWARE_POWER_ON,
	FIRMWARE_RESET_FLR,
	FIRMWARE_RESET_PM,
	FIRMWARE_RESET_BUS
};

struct firmware_options {
	unsigned major, minor;       /* in the control block */
	bool header;                 /* magic 0xfd1f at 0 (newer ones) */
	bool descriptors;            /* says where the descriptor area is (newer ones) */
	enum firmware_dma_vm dma_vm; /* not off: the flag is set */
	enum firmware_sticky sticky;
	bool window_latched; /* target is taken at ctrl 0 -> 1 only ("edge"); false: "level" */
	bool stale_msi;      /* sends by the message of the first session after a reset */
	unsigned settle_ms; /* after a reset the magic numbers are absent for so long */
	unsigned heartbeat_ms; /* an event while the window is armed; 0: none */
	enum firmware_dead dead;
	bool beyond_granted; /* sends vector N though fewer are granted; false: vector 0 then */
	bool wedge_after_flr; /* after an FLR it does not come back until a bus reset */
};

/* What it may do to the world. */
struct firmware_bus {
	void *user;
	void (*host_write)(void *user, uint64_t address, const void *data, size_t size);
	/* Vector N by the function's MSI capability as it is now. */
	void (*msi)(void *user, unsigned vector);
	/* A message, as it was stored earlier. */
	void (*message)(void *user, uint64_t address, uint32_t data);
	/* The MSI capability as it is now; false: it is off. */
	bool (*msi_message)(void *user, uint64_t *address, uint32_t *data);
	/* Vectors granted in it, 1 to 32; NULL: 32. */
	unsigned (*msi_granted)(void *user);
	/* Writes a register of the eDMA, by its offset in BAR 0. NULL: cannot. */
	void (*edma_write)(void *user, uint32_t offset, uint32_t value);
};

struct firmware;

/*
 * MEMORY of FIRMWARE_MEMORY_SIZE bytes is the caller's and outlives it. OPTIONS and BUS are
 * copied. It is off until the first firmware_reset(). NULL: out of memory.
 */
struct firmware *firmware_new(uint8_t *memory, const struct firmware_options *options,
	const struct firmware_bus *bus);
void firmware_free(struct firmware *firmware);
/* False: no such version. What a version does not decide (DEAD, STICKY...) becomes zero. */
bool firmware_preset(const char *version, struct firmware_options *options);
/* True: IMWR of the eDMA is to be cleared by this reset too. */
bool firmware_reset(struct firmware *firmware, enum firmware_reset kind, uint64_t now_ms);
/* Whatever has become due; when to call again (UINT64_MAX: after the next access). */
uint64_t firmware_run(struct firmware *firmware, uint64_t now_ms);
/* The host wrote SIZE bytes at OFFSET of the memory (they are there already). */
void firmware_written(
	struct firmware *firmware, uint64_t offset, unsigned size, uint64_t now_ms);
/* The eDMA signals (edma_bus.signalled). True: the firmware has sent the message itself, in
 * the eDMA's stead. */
bool firmware_signal(struct firmware *firmware, unsigned interrupt, bool aborted);
/* What the host sees at all: memory, all zeros, all ones. */
enum firmware_dead firmware_visible(const struct firmware *firmware);

#endif
