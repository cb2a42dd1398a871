/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * modules.h - kernel modules: loaded, built in or loadable for every installed kernel, and
 * what modprobe.d and modules-load.d say (modprobe.d by libkmod, one file at a time so that
 * each line's file is known).
 *
 * Module names are written with '_' for '-' throughout.
 */
#ifndef MP_MODULES_H
#define MP_MODULES_H

#include "core/host.h"

enum mp_module_where {
	MP_MODULE_UNKNOWN, /* the kernel's lists could not be read */
	MP_MODULE_MISSING,
	MP_MODULE_LOADABLE,
	MP_MODULE_BUILTIN
};

struct mp_kernel {
	const char *release;
	bool running;
	struct mp_fact modules_dep, modules_builtin; /* KNOWN when readable */
	GHashTable *loadable, *builtin;              /* sets of names */
	GHashTable *aliases; /* modalias of a PCI function here -> GPtrArray of names, by
	                        modules.alias; no entry: no module wants it */
	struct mp_fact modules_alias;
	/* From /boot/config-REL: "y", "n"; UNKNOWN: not readable. */
	struct mp_fact intel_iommu_default_on, iommu_default_passthrough;
};

enum mp_modprobe_kind {
	MP_MODPROBE_OPTIONS,   /* module, value = options */
	MP_MODPROBE_SOFTDEP,   /* module, value = "pre: a b post: c" */
	MP_MODPROBE_BLACKLIST, /* module */
	MP_MODPROBE_INSTALL,   /* module, value = command */
	MP_MODPROBE_ALIAS,     /* module, value = alias */
};

struct mp_modprobe_line {
	enum mp_modprobe_kind kind;
	const char *module;
	const char *value; /* NULL for a blacklist */
	const char *file;  /* "/etc/modprobe.d/vfio.conf", "/proc/cmdline" */
};

/* A module that is loaded at boot by name: modules-load.d, /etc/modules, conf/modules. */
struct mp_module_load {
	const char *module;
	const char *options; /* NULL when none */
	const char *file;
};

/* A rule that gives one device to a driver: driverctl's files, udev rules. */
struct mp_override_rule {
	const char *address; /* a BDF or a glob of them; NULL: by id alone */
	int vendor, device;  /* -1: any */
	int subvendor, subdevice;
	const char *driver;
	const char *file;
	/* Our rule: this program decides, by its table (mp_modules.early). NULL: any other.
	 * Whether it is installed: never looked in rules that were not read from a host. */
	const char *program;
	struct mp_fact program_fact;
};

struct mp_modules {
	struct mp_fact proc_modules;
	GHashTable *loaded;          /* set of names */
	GPtrArray *kernels;          /* struct mp_kernel, oldest release first */
	struct mp_fact kernels_fact; /* KNOWN when lib/modules could be listed */
	GPtrArray *
		modprobe; /* struct mp_modprobe_line in the order modprobe reads; lines of
	                          the kernel command line last, as libkmod takes them */
	GPtrArray
		*unreadable; /* struct mp_fact *: files of the above we could not take */
	GPtrArray *load;     /* struct mp_module_load: by the running system */
	GPtrArray *
		initramfs_load; /* the same from /etc/initramfs-tools/modules: in the images
	                              to come */
	GPtrArray *overrides;   /* struct mp_override_rule */
	GPtrArray *early;       /* struct mp_early_card: the table of early-bind */
};

/*
 * Reads again what the admin configured (modprobe.d, modules-load.d, override rules). What
 * the kernels have stays as it was probed.
 */
void mp_probe_module_config(struct mp_host *host, struct mp_root *root);

/* Underscores for dashes; lives as long as the host. */
const char *mp_module_name(struct mp_host *host, const char *name);
/* "kernel/drivers/vfio/pci/vfio-pci.ko.zst" -> "vfio_pci" in NAME; false: no module. */
bool mp_module_of_path(const char *path, size_t length, char *name, size_t size);
bool mp_module_loaded(const struct mp_host *host, const char *name);
enum mp_module_where mp_module_where(const struct mp_kernel *kernel, const char *name);
/*
 * Sets ON to whether KERNEL uses VT-d unasked: by its configuration
 * (CONFIG_INTEL_IOMMU_DEFAULT_ON), else, of Proxmox, by its release. False: can't be told.
 */
bool mp_kernel_vtd_default(const struct mp_kernel *kernel, bool *on);
/* The same by the release alone. */
bool mp_release_vtd_default(const char *release, bool *on);
/* The kernel that runs, or NULL when its modules are not installed. */
const struct mp_kernel *mp_host_kernel(const struct mp_host *host);
/* The newest installed one, or NULL. */
const struct mp_kernel *mp_host_newest_kernel(const struct mp_host *host);
/* Modules of KERNEL that want DEVICE by its modalias (const char *), or NULL. */
GPtrArray *mp_module_wanting(const struct mp_kernel *kernel, const struct mp_pci *device);

/*
 * Parses the text of one modprobe.d file with libkmod and appends its lines to LINES. What
 * libkmod itself takes from the running machine's command line is left out.
 */
int mp_modprobe_parse(struct mp_host *host, const char *file, const char *text,
	size_t size, GPtrArray *lines);
/* Options and blacklists that libkmod would take from this kernel command line. */
void mp_modprobe_parse_cmdline(
	struct mp_host *host, const char *file, const char *cmdline, GPtrArray *lines);
/* Appends the modules named in a modules-load.d file ("name" a line) or, with OPTIONS, in a
 * file like /etc/modules ("name option=value"). */
void mp_module_load_parse(struct mp_host *host, const char *file, const char *text,
	bool options, GPtrArray *load);
/* A udev rules file: its assignments of driver_override that we understand. */
void mp_override_parse_udev(
	struct mp_host *host, const char *file, const char *text, GPtrArray *rules);

/*
 * The value of parameter NAME that the module gets from LINES: of several the last wins, as
 * in the kernel. *file: where it stands. NULL: not given. Caller frees.
 */
char *mp_modprobe_option(
	const GPtrArray *lines, const char *module, const char *name, const char **file);

/*
 * One vfio-pci `ids=` list as the driver reads it (drivers/vfio/pci/vfio_pci.c,
 * vfio_pci_fill_ids): VENDOR:DEVICE[:SUBVENDOR[:SUBDEVICE[:CLASS[:MASK]]]], comma list.
 * True if it takes the device.
 */
bool mp_vfio_ids_take(const char *ids, const struct mp_pci *device);
/* True if the ids= that modprobe.d and the command line give vfio-pci take DEVICE; *file
 * gets where. */
bool mp_modprobe_vfio_takes(
	const struct mp_host *host, const struct mp_pci *device, const char **file);

#endif
