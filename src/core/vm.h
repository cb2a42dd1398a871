/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vm.h - VM configurations of Proxmox VE, resource mappings and PCI reservations, parsed
 * by the rules of PVE::QemuServer (parse_vm_config), PVE::Mapping::PCI.
 */
#ifndef MP_VM_H
#define MP_VM_H

#include "core/host.h"
#include "core/vm-map.h"

/* One line of the current section (not pending, not a snapshot). */
struct mp_vm_line {
	const char *key, *value;
	unsigned line;
	const char *problem; /* why PVE would ignore the line, or NULL */
};

struct mp_hostpci {
	unsigned index; /* hostpciN */
	unsigned line;
	const char *raw;
	GPtrArray *
		hosts; /* const char *: addresses as written, "86:00" or "0000:86:00.0" */
	const char *mapping; /* or NULL */
	bool pcie, rombar, x_vga, legacy_igd;
	const char *mdev;    /* type of mediated device, or NULL */
	const char *driver;  /* "vfio", "keep" or NULL */
	const char *problem; /* why PVE would ignore the line, or NULL */
	/* What it stands for on this host, by mp_vm_resolve(); both may be empty. With a
	 * mapping of several entries for this node: all of them (PVE takes the first free). */
	GPtrArray *devices; /* struct mp_pci * */
	GPtrArray *missing; /* const char *: addresses at which there is no device */
};

struct mp_vm {
	const char *id;      /* "101", or the file's name without .conf */
	const char *source;  /* path */
	struct mp_fact fact; /* UNKNOWN when it could not be read */
	GPtrArray *lines;    /* struct mp_vm_line: the current section */
	GPtrArray *pending;  /* struct mp_vm_line: [PENDING], applied at the next start */
	/* The VM as it will be from its next start on: with [PENDING] applied and without what
	 * PVE drops. Itself where nothing is pending. */
	struct mp_vm *next;
	GPtrArray *
		problems; /* const char *: what PVE drops beyond single lines: sections */
	GPtrArray *notes; /* const char *: duplicates, comments that PVE will move */
	GPtrArray *hostpci;  /* struct mp_hostpci */
	const char *machine; /* raw, or NULL: default pc */
	bool q35;
	const char *viommu;  /* "intel", "virtio" or NULL */
	unsigned aw_bits;    /* 0: not given */
	uint64_t memory_mib; /* 512 when not given, as PVE */
	bool balloon_set;
	uint64_t balloon_mib;
	bool numa, onboot, is_template;
	bool hotplug_memory;
	/* Raw values, NULL when not given. */
	const char *hugepages, *cpu, *args, *hookscript, *agent, *bios, *hotplug;
	bool agent_enabled;
	/* The hookscript that ours calls for it (hookscript.h): KNOWN: its path. Without a
	 * source: not looked for, because its hookscript is not ours. */
	struct mp_fact earlier_hookscript;
	const char *earlier_problem; /* UNKNOWN because ours would refuse what it read */
	bool running; /* a live QEMU for it; false when it cannot be told: see running_fact */
	uint64_t pid;                /* of that QEMU, else 0 */
	struct mp_fact running_fact; /* KNOWN: its pid; ABSENT: not running */
	/* The map of its last start (vm-started.h). KNOWN: started_map. Without a source: not
	 * looked for. */
	struct mp_fact started;
	struct mp_vm_map started_map;
};

/* One `map` line. Values as written; NULL when not given. */
struct mp_mapping_entry {
	const char *id, *node, *path, *iommugroup, *subsystem_id, *description;
	const char *raw; /* the whole value */
	unsigned line;
};

struct mp_mapping {
	const char *name;
	unsigned line;
	bool mdev;
	GPtrArray *entries;  /* struct mp_mapping_entry */
	const char *problem; /* why PVE drops the whole section, or NULL */
};

struct mp_reservation {
	const char *bdf, *vmid;
	uint64_t pid;   /* 0: reserved by time only */
	uint64_t until; /* epoch seconds, when reserved by time */
};

/* A storage of storage.cfg that is a directory, and the snippets in it. */
struct mp_storage {
	const char *name, *type;
	const char *
		snippets; /* directory of snippets: absolute path; NULL: has no directory */
	struct mp_fact
		looked;   /* KNOWN: listed; UNKNOWN: e.g. network storage, not touched */
	GPtrArray *files; /* struct mp_snippet */
};

struct mp_snippet {
	const char *name;
	bool regular, executable;
};

struct mp_guests {
	struct mp_fact pve;      /* KNOWN when /etc/pve holds a cluster file system */
	struct mp_fact node;     /* this node's name */
	GPtrArray *vms;          /* struct mp_vm: all of this node */
	struct mp_fact vms_fact; /* KNOWN: the directory was listed */
	GPtrArray *mappings;     /* struct mp_mapping */
	struct mp_fact mappings_fact;
	GPtrArray *reservations; /* struct mp_reservation */
	struct mp_fact reservations_fact;
	GPtrArray *storages; /* struct mp_storage */
	struct mp_fact storages_fact;
};

#define MP_VM_FILE_MAX    (1024u * 1024) /* pmxcfs takes no larger file */
#define MP_VM_HOSTPCI_MAX 16             /* $MAX_HOSTPCI_DEVICES */

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
/*
 * Finds the devices of VM's hostpci lines among those of HOST, through the mappings where
 * one is named. For VMs of the host, probe-guests has done it.
 */
void mp_vm_resolve(struct mp_host *host, struct mp_vm *vm);
/* Parses pci.cfg and adds its sections to GUESTS->mappings. */
void mp_mappings_parse(
	struct mp_host *host, struct mp_guests *guests, const char *data, size_t size);
/* Parses PVE's list of reserved PCI devices; lines that PVE would not know are left out. */
void mp_reservations_parse(
	struct mp_host *host, struct mp_guests *guests, const char *data, size_t size);
/* Parses storage.cfg and adds its storages, with the `local` that PVE always has. */
void mp_storages_parse(
	struct mp_host *host, struct mp_guests *guests, const char *data, size_t size);
struct mp_mapping *mp_host_mapping(const struct mp_host *host, const char *name);
struct mp_storage *mp_host_storage(const struct mp_host *host, const char *name);
/* --vm: the id of a VM of this node, or (with a '/' or a '.') the path of a config file on
 * the machine where the program runs. */
struct mp_vm *mp_vm_find(struct mp_host *host, const char *vm, GError **error);

#endif
