/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pci.h - a PCI function as the kernel and its configuration space show it.
 *
 * With MP_TOPIC_PCI alone only what a list shows is read: the identity, driver, parent,
 * group, reset_method. All other facts then have no source (never looked at).
 *
 * Sources: sysfs (Documentation/ABI/testing/sysfs-bus-pci), configuration space by libpci
 * (capabilities), pci.ids by libpci (names).
 */
#ifndef MP_PCI_H
#define MP_PCI_H

#include "core/host.h"

struct mp_group;

#define MP_BARS 7 /* six BARs and the expansion ROM, as in sysfs `resource` */

struct mp_bar {
	uint64_t start, end; /* inclusive; both 0 = not assigned */
	uint64_t
		flags; /* IORESOURCE_* of the kernel: 0x100 I/O, 0x200 memory, 0x2000 prefetch,
	                        0x100000 64 bit */
};

struct mp_cap {
	uint16_t id;
	uint16_t offset; /* in configuration space */
	bool extended;
};

/* Capabilities, decoded. `present` false: not there, or configuration space not readable
 * (mp_pci.config_size tells how much was). */
struct mp_msi {
	bool present, enabled, is64, maskable;
	unsigned vectors_max, vectors_enabled;
	uint64_t address; /* the physical message, 0 when never programmed */
	uint16_t data;
};

struct mp_msix {
	bool present, enabled;
	unsigned vectors;
	unsigned table_bar, pba_bar;
	uint32_t table_offset, pba_offset;
};

struct mp_pcie {
	bool present;
	unsigned type; /* PCI_EXP_TYPE_* */
	bool flr;
	uint32_t link_cap, slot_cap;
	uint16_t link_status, device_control, device_status;
};

struct mp_acs {
	bool present;
	uint16_t cap, control; /* bits 0 SV 1 TB 2 RR 3 CR 4 UF 5 EC 6 DT */
};

struct mp_pm {
	bool present, no_soft_reset;
	unsigned state; /* 0..3, from PMCSR */
};

struct mp_pci {
	const char *bdf; /* as sysfs names it, "0000:86:00.0"; 5-digit domains happen */
	const char *dir; /* "sys/bus/pci/devices/0000:86:00.0" */
	uint32_t domain;
	uint8_t bus, slot, function;

	/* From sysfs attributes; the facts keep what was read. */
	struct mp_fact vendor_fact, device_fact, class_fact;
	uint16_t vendor, device, subvendor, subdevice; /* 0xffff when unreadable */
	uint32_t class_code;                           /* 24 bits: base, sub, interface */
	uint8_t revision;

	const char *vendor_name, *device_name, *class_name; /* NULL when not in pci.ids */

	struct mp_pci *parent;  /* the bridge above, NULL on a root bus */
	bool place_unknown;     /* no parent, but that does not mean a root bus */
	GPtrArray *children;    /* struct mp_pci * directly below; NULL when none */
	struct mp_group *group; /* NULL: in no IOMMU group, or not known (group_fact) */
	struct mp_fact group_fact; /* the link iommu_group: "22" */

	struct mp_fact driver;        /* name of the driver; ABSENT: none bound */
	struct mp_fact driver_module; /* kernel module of that driver; ABSENT: built in */
	struct mp_fact driver_override; /* ABSENT: "(null)" or empty */
	struct mp_fact
		reset_method; /* "flr bus"; ABSENT: no attribute; "" : none enabled */
	struct mp_fact reset; /* whether the attribute `reset` exists */
	struct mp_fact power_state, d3cold_allowed, power_control, runtime_status;
	struct mp_fact enable, irq, numa_node, msi_bus, modalias, boot_vga;
	struct mp_fact link_speed, link_width, link_speed_max, link_width_max;
	struct mp_fact sriov_totalvfs, sriov_numvfs;
	/* Counters since boot or last reset; "NAME n" lines, the last is TOTAL_ERR_*. */
	struct mp_fact aer_correctable, aer_nonfatal, aer_fatal;
	struct mp_fact physfn;    /* BDF of the physical function, for a VF */
	struct mp_fact slot_name; /* physical slot (sys/bus/pci/slots), when known */
	unsigned msi_irq_count;   /* entries in msi_irqs/ */
	const char *msi_irq_mode; /* "msi", "msix" or NULL */

	struct mp_fact resource; /* raw; the bars below are its lines */
	struct mp_bar bars[MP_BARS];

	const uint8_t *config;      /* configuration space as far as readable */
	size_t config_size;         /* 64 without privileges, 256 or 4096 with */
	struct mp_fact config_fact; /* text: "256 bytes"; UNKNOWN with the reason */
	bool all_ones;       /* config reads as all 0xff: fallen off the bus, or D3cold */
	uint8_t header_type; /* without the multifunction bit */
	bool multifunction;
	uint8_t secondary_bus, subordinate_bus; /* bridges only */
	const struct mp_cap *caps;
	size_t caps_count;
	struct mp_msi msi;
	struct mp_msix msix;
	struct mp_pcie pcie;
	struct mp_acs acs;
	struct mp_pm pm;
	bool aer, ats, pasid, pri, af_flr;
	uint64_t serial; /* device serial number (extended capability 3), 0 when none */
};

/* The device at BDF; the domain may be left out ("86:00.0") for domain 0. NULL: not there. */
struct mp_pci *mp_host_device(const struct mp_host *host, const char *bdf);
/* Parses "[DDDD:]BB:DD.F" (domain of 1 to 8 hex digits). False: not an address. */
bool mp_pci_parse_bdf(const char *text, uint32_t *domain, uint8_t *bus, uint8_t *slot,
	uint8_t *function);
/* Sets ADDRESS to the spelling of the kernel: "%04x:%02x:%02x.%x". */
const char *mp_pci_format_bdf(
	char address[17], uint32_t domain, uint8_t bus, uint8_t slot, uint8_t function);
/* By address: <0, 0, >0. */
int mp_pci_compare(const struct mp_pci *a, const struct mp_pci *b);
/* The capability ID (extended or not) of DEVICE, or NULL. */
const struct mp_cap *mp_pci_cap(const struct mp_pci *device, uint16_t id, bool extended);
/* Little endian values of configuration space; all ones where it was not read. */
uint16_t mp_pci_config16(const struct mp_pci *device, unsigned offset);
uint32_t mp_pci_config32(const struct mp_pci *device, unsigned offset);
/* True for PCI-PCI bridges (header type 1) and CardBus (2), and by class where the header
 * could not be read. What Linux' pci_is_bridge() says, plus the fallback. */
bool mp_pci_is_bridge(const struct mp_pci *device);
/* True if the way from the device up to a root bus is not known to its end. */
bool mp_pci_path_unknown(const struct mp_pci *device);
/* True if vendor or device could not be read: then they hold 0xffff, which is no id. */
bool mp_pci_id_unknown(const struct mp_pci *device);
/* "1f9d:1100" */
const char *mp_pci_id(const struct mp_pci *device, char buffer[10]);
/* "Axelera AI Metis AIPU [1f9d:1100]", without names "[1f9d:1100]". Caller frees. */
char *mp_pci_describe(const struct mp_pci *device);

#endif
