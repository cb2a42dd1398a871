/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * boot.h - which boot loader starts this host, and which kernel command line it was and
 * will be given. Rules: the Proxmox boot tool (facts of its `status` and `refresh`).
 */
#ifndef MP_BOOT_H
#define MP_BOOT_H

#include "core/host.h"

enum mp_loader {
	MP_LOADER_UNKNOWN,
	MP_LOADER_GRUB,             /* plain GRUB: /etc/default/grub, update-grub */
	MP_LOADER_PBT_SYSTEMD_BOOT, /* proxmox-boot-tool with systemd-boot: /etc/kernel/cmdline */
	MP_LOADER_PBT_GRUB,         /* proxmox-boot-tool with GRUB on the ESP */
	MP_LOADER_PBT_BOTH, /* boot-tool, and it can't be told which: both files count */
	MP_LOADER_SYSTEMD_BOOT, /* hand-made systemd-boot */
	MP_LOADER_OTHER,        /* UKI, direct kernel boot, something else: we say so */
};

struct mp_boot {
	enum mp_loader loader;
	GPtrArray *loader_evidence; /* struct mp_fact *: what the verdict rests on */
	const char *loader_why;     /* one sentence */
	struct mp_fact efi;         /* /sys/firmware/efi exists */
	struct mp_fact
		boot_uuids; /* /etc/kernel/proxmox-boot-uuids: the boot tool's ESPs */
	struct mp_fact
		loader_info; /* EFI variable LoaderInfo: what the loader calls itself */
	struct mp_fact stub_info; /* EFI variable StubInfo: a unified kernel image ran */
	struct mp_fact cmdline;   /* /proc/cmdline */
	struct mp_fact kernel_cmdline_file; /* first line of /etc/kernel/cmdline */
	struct mp_fact grub_cfg_line; /* first `linux` line of /boot/grub/grub.cfg */
	struct mp_fact
		grub_default; /* value of GRUB_CMDLINE_LINUX_DEFAULT after the drop-ins */
	struct mp_fact grub_linux; /* value of GRUB_CMDLINE_LINUX after the drop-ins */
	/* First lines of /etc/kernel/proxmox-boot-pin and next-boot-pin: releases. */
	struct mp_fact kernel_pin, next_boot_pin;
	struct mp_fact grub_entry; /* value of GRUB_DEFAULT after the drop-ins */
	struct mp_fact staged; /* the command line of the next boot; source says whose */
};

struct mp_kernel;
/*
 * The installed kernel that the next boot takes: the pinned one, the one that GRUB_DEFAULT
 * names, else the newest. NULL: none is installed. *why: what decided, or leaves it open;
 * NULL for the newest.
 */
const struct mp_kernel *mp_host_next_kernel(
	const struct mp_host *host, const struct mp_fact **why);

const char *mp_loader_name(enum mp_loader loader);

/* "update-grub", "proxmox-boot-tool refresh"...: what makes a changed command line count. */
const char *mp_loader_update_command(enum mp_loader loader);
/* Where to add a kernel parameter on this host, as a step for a person. Caller frees. */
char *mp_loader_how_to_add(const struct mp_host *host, const char *parameter);
char *mp_loader_how_to_remove(const struct mp_host *host, const char *parameter);

/*
 * A kernel command line as the kernel splits it (lib/cmdline.c next_arg): double quotes
 * hold spaces together and are dropped around a value; what follows a lone "--" belongs to
 * init and is left out.
 */
struct mp_param {
	char *name;
	char *value; /* NULL: no '=' */
};
/* The caller frees the array with g_ptr_array_unref(). */
GPtrArray *mp_cmdline_split(const char *cmdline);
/* Names of parameters and modules: dash and underscore are the same (parameq). */
bool mp_cmdline_name_is(const char *name, const char *wanted);

/*
 * Exact-token look-up in a kernel command line: "intel_iommu" finds "intel_iommu=on"; the
 * last one wins, quotes are honoured, dashes and underscores in the name count as equal
 * (the kernel's parameq). NULL: not there; "" when there without a value. Caller frees.
 */
char *mp_cmdline_get(const char *cmdline, const char *name);
/* True if the comma list of NAME holds WORD ("iommu", "pt"), over all its occurrences. */
bool mp_cmdline_has(const char *cmdline, const char *name, const char *word);
/*
 * Of the words in the comma list of NAME the last that is in the NULL-ended WORDS, or NULL:
 * for switches like "intel_iommu=off intel_iommu=on", where the kernel obeys each in turn.
 */
const char *mp_cmdline_last(
	const char *cmdline, const char *name, const char *const *words);

#endif
