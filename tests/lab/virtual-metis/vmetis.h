/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmetis.h - QEMU's side of the virtual card: what its files share. vmetis.c is the PCI
 * function, vmetis-bus.c what it does to the world, vmetis-options.c its properties,
 * vmetis-control.c the device by which a test changes the card while it runs.
 */
#ifndef VIRTUAL_METIS_VMETIS_H
#define VIRTUAL_METIS_VMETIS_H

#include "hw/pci/pci_device.h"
#include "hw/qdev-properties.h"
#include "edma.h"
#include "firmware.h"

#define TYPE_METIS "metis"
OBJECT_DECLARE_SIMPLE_TYPE(MetisState, METIS)

/* Which resets the card has: what the property "reset" lists. */
enum {
	METIS_RESET_FLR = 1 << 0, /* the function offers FLR */
	METIS_RESET_PM = 1 << 1,  /* D3hot to D0 resets (NoSoftRst is clear) */
	METIS_RESET_BUS = 1 << 2, /* a bus reset reaches what is inside */
};

/* What has happened, for tests to look at. */
struct metis_counts {
	uint32_t doorbells;               /* writes to a doorbell register */
	uint32_t messages;                /* interrupts by the MSI capability */
	uint32_t host_writes, host_reads; /* transactions */
	uint32_t resets
		[4]; /* by enum firmware_reset; those that did nothing inside count too */
};

struct MetisState {
	PCIDevice parent_obj;
	MemoryRegion registers, memory_region;
	uint8_t *memory; /* FIRMWARE_MEMORY_SIZE bytes, the card's own */
	struct edma *edma;
	struct firmware *firmware;
	QEMUBH *work; /* edma_run() and firmware_run(), never within a register access */
	QEMUTimer *later; /* the same, when time has passed */
	bool edma_busy;   /* edma_run() wants to be called again */
	bool in_work;     /* resets and power cycles wait for its end */

	/* The reset that is under way, and one that waits. */
	enum firmware_reset reset_kind;
	uint32_t resets_waiting; /* a bit each */
	bool powered;            /* once */

	/* As configured. */
	struct firmware_options options;
	struct edma_defects defects;
	uint32_t resets;          /* METIS_RESET_* */
	uint32_t link_down_after; /* doorbells from now; 0: never */
	bool link_down;
	enum firmware_dead dead; /* whatever the firmware thinks */
	struct metis_counts counts;

	/* Properties, as text or as numbers that are out of range where nobody set them. */
	char *fw, *dma_vm, *sticky, *window, *dead_text, *resets_text;
	OnOffAuto header, descriptors, stale_msi, beyond_granted, wedge_after_flr;
	uint32_t settle_ms, heartbeat_ms;
	uint16_t device_id;
	uint64_t serial;
};

#define METIS_VECTORS 32 /* docs/virtual-metis.md */

/* vmetis-bus.c: the two blocks, wired to S. NULL: out of memory. */
struct edma *metis_new_edma(MetisState *s);
struct firmware *metis_new_firmware(MetisState *s);
/* The machine's clock, which is the firmware's. */
uint64_t metis_now_ms(void);

/* vmetis-options.c */
extern const Property metis_properties[];
extern const size_t metis_properties_count;
/* The properties become OPTIONS, RESETS and DEAD. False: one of them is wrong. */
bool metis_configure(MetisState *s, Error **errp);

/* vmetis.c, for the control device. */
void metis_defects_changed(MetisState *s);
/* The card without power and with it again: a new firmware, by the options as they are now. */
void metis_power_cycle(MetisState *s);
void metis_set_link(MetisState *s, bool down);

#endif
