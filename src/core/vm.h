/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vm.h - VM configurations of Proxmox VE, resource mappings and PCI reservations, parsed
 * by the rules of PVE::QemuServer (parse_vm_config), PVE::Mapping::PCI.
 */
#ifndef MP_VM_H
#define MP_VM_H

#include "core/host.h"

/* One line of the current section (not pending, not a snapshot). */
struct mp_vm_line {
	const char *key, *value;
	unsigned line;
	const char *problem; /* why PVE would ignore the line, or NULL */
};

struct mp_hostpci {
	unsigned index;      /* hostpciN */
	unsigned line;
	const char *raw;
	GPtrArray *hosts;    /* const char *: addresses as written, "86:00" or "0000:86:00.0" */
	const char *mapping; /* or NULL */
	bool pcie, rombar, x_vga;
	const char *driver;  /* "vfio", "keep" or NULL */
	const char *problem; /* why PVE would ignore the line, or NULL */
	GPtrArray *devices;  /* struct mp_pci *: what it stands for on this host; may be empty */
};

struct mp_vm {
	const char *id;     /* "101", or the file's name without .conf */
	const char *source; /* path */
	struct mp_fact fact; /* UNKNOWN when it could not be read */
	GPtrArray *lines;    /* struct mp_vm_line: the current section */
	GPtrArray *problems; /* const char *: unknown sections, duplicates, markers */
	GPtrArray *hostpci;  /* struct mp_hostpci */
	const char *machine; /* raw, or NULL: default pc */
	bool q35;
	const char *viommu;  /* "intel", "virtio" or NULL */
	unsigned aw_bits;    /* 0: not given */
	uint64_t memory_mib;
	bool balloon_set; uint64_t balloon_mib;
	bool numa; const char *hugepages; const char *cpu; const char *args; const char *hookscript;
	const char *agent; const char *bios; const char *hotplug;
	bool running;        /* a live QEMU for it; false when it cannot be told: see running_fact */
	struct mp_fact running_fact;
};

struct mp_mapping_entry {
	const char *id, *node, *path, *iommugroup, *subsystem_id;
	unsigned line;
};

struct mp_mapping {
	const char *name;
	GPtrArray *entries; /* struct mp_mapping_entry */
	const char *problem;
};

struct mp_reservation {
	const char *bdf, *vmid;
	uint64_t pid; /* 0: reserved by time only */
};

struct mp_guests {
	struct mp_fact pve;   /* KNOWN when /etc/pve holds a cluster file system */
	struct mp_fact node;  /* this node's name */
	GPtrArray *vms;       /* struct mp_vm: all of this node */
	GPtrArray *mappings;  /* struct mp_mapping */
	struct mp_fact mappings_fact;
	GPtrArray *reservations; /* struct mp_reservation */
	struct mp_fact reservations_fact;
};

/* The value of KEY that PVE would use (the last valid line), or NULL. */
const char *mp_vm_get(const struct mp_vm *vm, const char *key);
/* A VM of this node by id; NULL: not there. */
struct mp_vm *mp_host_vm(const struct mp_host *host, const char *vmid);
/*
 * Parses a configuration and adds it to no list; for --vm FILE and for tests. Never fails:
 * problems are facts of the VM. DATA is bounded by the caller.
 */
struct mp_vm *mp_vm_parse(struct mp_host *host, const char *id, const char *source,
	const char *data, size_t size);
/* --vm: the id of a VM of this node, or (with a '/' or a '.') the path of a config file on
 * the machine where the program runs. */
struct mp_vm *mp_vm_find(struct mp_host *host, const char *vm, GError **error);

#endif
