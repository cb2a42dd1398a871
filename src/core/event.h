/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * event.h - what a log says about IOMMU faults and about what surrounds them: resets, BARs,
 * limits, the card's own driver, its users. One model for all wordings of all kernels; a
 * streaming parser with constant memory. Logs are hostile input.
 *
 * A message of the kernel counts only from its start: the text behind the time and the tag
 * "kernel:" has to be that message. So nobody who merely gets a name of his printed (of a
 * process, a USB device) can make a fault up. Whoever may write into the log file itself
 * can, of course.
 *
 * Sources of the forms, unless a parser says otherwise: drivers/iommu/intel/dmar.c and
 * iommu.c, drivers/iommu/amd/iommu.c, drivers/iommu/arm, drivers/vfio, drivers/pci/pci.c,
 * drivers/pci/pcie/aer.c.
 */
#ifndef MP_EVENT_H
#define MP_EVENT_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum mp_event_kind {
	/* --- blocked by an IOMMU --- */
	MP_EVENT_DMA,        /* a transfer */
	MP_EVENT_INTERRUPT,  /* an interrupt message */
	MP_EVENT_IOMMU,      /* another event of an IOMMU; detail names it */
	MP_EVENT_LOST,       /* the IOMMU's queue or register overflowed */
	MP_EVENT_SUPPRESSED, /* at_least of them were not logged */
	MP_EVENT_STATUS,     /* Intel: reason is the fault status register */
	MP_EVENT_WALK,       /* a line of a page-walk dump; number: level or word */
	/* --- VFIO, PCI --- */
	MP_EVENT_NO_REMAPPING, /* VFIO refused: no interrupt remapping */
	MP_EVENT_UNSAFE,       /* allow_unsafe_interrupts is at work */
	MP_EVENT_RMRR,         /* VFIO refused: RMRR */
	MP_EVENT_DIRECT,       /* VFIO refused: a 1:1 mapping is asked for by firmware */
	MP_EVENT_BAR,          /* a BAR is held by somebody else; number: which */
	MP_EVENT_RESET_WAIT,   /* not ready yet; number: milliseconds, detail: method */
	MP_EVENT_RESET_FAILED, /* given up */
	MP_EVENT_RESET_READY,  /* came back; number: milliseconds */
	MP_EVENT_PENDING,      /* transactions in flight at a reset */
	MP_EVENT_D3COLD,       /* does not come back from D3cold */
	MP_EVENT_RESETTING,
	MP_EVENT_RESET_DONE,
	MP_EVENT_RESTORING, /* BARs restored after a reset behind VFIO's back */
	MP_EVENT_RELEASE,   /* somebody waits for the VM to let go of the device */
	MP_EVENT_MEMLOCK,   /* number: the limit */
	MP_EVENT_BYPASS,    /* no posted interrupts for a vector */
	MP_EVENT_PROBE,     /* vfio-pci's probe failed; number: errno */
	MP_EVENT_NOT_VIABLE,
	MP_EVENT_ATTACH,  /* QEMU could not attach the group; number: errno */
	MP_EVENT_MAP,     /* VFIO could not map; number: errno */
	MP_EVENT_AER,     /* detail: severity */
	MP_EVENT_AER_BIT, /* detail: its name */
	/* --- the card's driver, of host or guest --- */
	MP_EVENT_DRIVER,      /* loaded; detail: version */
	MP_EVENT_MSI_GRANTED, /* number: vectors */
	MP_EVENT_WINDOW_SET,  /* the driver could set its status window up */
	MP_EVENT_WINDOW_MISSING,
	MP_EVENT_HEADER,       /* the card's header makes no sense; number: magic */
	MP_EVENT_WINDOW,       /* address: where the window points (debugging output) */
	MP_EVENT_MESSAGE,      /* address, number: message in the card (the same) */
	MP_EVENT_CARD_TIMEOUT, /* a transfer; number: vector waited for, or none */
	MP_EVENT_CARD_ERROR,   /* the engine stopped with an error */
	MP_EVENT_CARD_MESSAGE, /* a command to the firmware; number: vector */
	MP_EVENT_WRONG_VECTOR, /* number: which */
	MP_EVENT_LINK_DOWN,
	MP_EVENT_LINK_UP,
	MP_EVENT_IN_VM,      /* the driver found that it runs in QEMU */
	MP_EVENT_AER_MASKED, /* the driver switched AER off in the card */
	MP_EVENT_USER,       /* a program could not work with the card; detail */
	/* --- what was set or tried --- */
	MP_EVENT_CMDLINE, /* the kernel's command line; text holds it */
	MP_EVENT_TRIED,   /* number: 1 << enum mp_tried, several */
	MP_EVENTS
};

enum mp_tried {
	MP_TRIED_UNSAFE,    /* allow_unsafe_interrupts */
	MP_TRIED_PREALLOC,  /* mem-prealloc */
	MP_TRIED_HUGEPAGES, /* hugepages, NUMA */
	MP_TRIED_IRQCHIP,   /* kernel-irqchip=split */
	MP_TRIED_UNLOAD,    /* the host's module unloaded */
	MP_TRIED_MEM,       /* mem= for a guest */
	MP_TRIED_ACS,       /* pcie_acs_override */
	MP_TRIES
};

enum mp_event_unit { MP_UNIT_NONE, MP_UNIT_INTEL, MP_UNIT_AMD, MP_UNIT_SMMU };
enum mp_direction { MP_DIRECTION_NONE, MP_DIRECTION_READ, MP_DIRECTION_WRITE };

enum mp_stamp {
	MP_STAMP_NONE,
	MP_STAMP_BOOT, /* seconds since boot, "1234.567890" */
	MP_STAMP_DATE, /* any date */
};

struct mp_event {
	enum mp_event_kind kind;
	enum mp_event_unit unit;
	enum mp_direction direction;
	bool has_device, has_segment, has_address, has_index, has_reason, has_flags,
		has_pasid, has_domain, has_stream, has_number;
	/* The reason came on a line of its own, while more than one fault waited for it. */
	bool unsure;
	uint32_t segment; /* PCI domain; Intel's lines don't tell */
	uint8_t bus, slot, function;
	uint64_t address;
	uint32_t index;    /* Intel interrupts: entry of the remapping table */
	uint32_t reason;   /* Intel: of the record; SMMU: event */
	uint32_t flags;    /* AMD */
	uint32_t pasid;    /* SMMU: substream */
	uint32_t domain;   /* AMD: the IOMMU's domain */
	uint32_t stream;   /* SMMU: who; depends on the machine's firmware */
	uint64_t number;   /* see the kind */
	uint64_t at_least; /* 1; of SUPPRESSED their count */
	char detail[48];   /* see the kind; any bytes but NUL */

	enum mp_stamp stamp_kind;
	const char *stamp; /* as it stands in the line, without brackets; or NULL */
	size_t stamp_length;
	uint64_t line;    /* counted from 1 */
	const char *text; /* the line; like stamp valid while the sink runs */
	size_t length;
};

/* "dma-fault", "reset-failed": API of the JSON report. */
const char *mp_event_name(enum mp_event_kind kind);
/* "allow_unsafe_interrupts" */
const char *mp_tried_name(enum mp_tried tried);
/* True for what an IOMMU blocked. */
bool mp_event_is_fault(enum mp_event_kind kind);
/* True for whatever is wrong; others only tell about the circumstances. */
bool mp_event_is_trouble(enum mp_event_kind kind);

/* --- a whole log --- */

typedef void (*mp_event_sink)(void *user, const struct mp_event *event);

struct mp_event_parser;
/* SINK gets each event, in order; of the two-line forms of old kernels, when the second has
 * come or cannot come any more. The caller frees. */
struct mp_event_parser *mp_event_parser_new(mp_event_sink sink, void *user);
void mp_event_parser_free(struct mp_event_parser *parser);
typedef struct mp_event_parser mp_event_parser;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(mp_event_parser, mp_event_parser_free)

/* Where to put what is read next, and how much of it fits (never 0). */
char *mp_event_parser_room(struct mp_event_parser *parser, size_t *size);
/* SIZE bytes were put there. */
void mp_event_parser_took(struct mp_event_parser *parser, size_t size);
/* Both at once, for text that lies in memory. */
void mp_event_parser_feed(struct mp_event_parser *parser, const char *data, size_t size);
/* The log is at its end (or its reader goes away): what waits is told. */
void mp_event_parser_end(struct mp_event_parser *parser);

#endif
