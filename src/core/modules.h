/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * modules.h - kernel modules: loaded, built in or loadable for every installed kernel, and
 * what modprobe.d and modules-load.d say (modprobe.d by libkmod, one file at a time so that
 * each line's file is known).
 */
#ifndef MP_MODULES_H
#define MP_MODULES_H

#include "core/host.h"

enum mp_module_where { MP_MODULE_MISSING, MP_MODULE_LOADABLE, MP_MODULE_BUILTIN };

struct mp_kernel {
	const char *release;
	bool running;
	struct mp_fact modules_dep, modules_builtin; /* KNOWN when readable */
	GHashTable *loadable, *builtin; /* set of names with '_' for '-' */
};

enum mp_modprobe_kind {
	MP_MODPROBE_OPTIONS,   /* module, value = options */
	MP_MODPROBE_SOFTDEP,   /* module, value = "pre: a b post: c" */
	MP_MODPROBE_BLACKLIST, /* module */
	MP_MODPROBE_INSTALL,   /* module, value = command */
	MP_MODPROBE_ALIAS,
};

struct mp_modprobe_line {
	enum mp_modprobe_kind kind;
	const char *module; /* '_' for '-' */
	const char *value;
	const char *file;
};

struct mp_modules {
	struct mp_fact proc_modules;
	GHashTable *loaded;    /* set of names */
	GPtrArray *kernels;    /* struct mp_kernel */
	struct mp_fact kernels_fact;
	GPtrArray *modprobe;   /* struct mp_modprobe_line, in the order modprobe reads */
	GPtrArray *unreadable; /* struct mp_fact *: modprobe.d files we could not take */
	GPtrArray *load;       /* const char *: names from modules-load.d and /etc/modules */
};

bool mp_module_loaded(const struct mp_host *host, const char *name);
enum mp_module_where mp_module_where(const struct mp_kernel *kernel, const char *name);
/* True if some `options vfio-pci ids=` of modprobe.d takes VENDOR:DEVICE (wild cards and
 * subsystem fields as the driver reads them); *file gets where. */
bool mp_modprobe_vfio_takes(
	const struct mp_host *host, const struct mp_pci *device, const char **file);

#endif
