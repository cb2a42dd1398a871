/* SPDX-License-Identifier: GPL-2.0-or-later */
/* platform.h - CPU, kernel, distribution, Secure Boot and lockdown. */
#ifndef MP_PLATFORM_H
#define MP_PLATFORM_H

#include "core/host.h"

enum mp_cpu_vendor { MP_CPU_OTHER, MP_CPU_INTEL, MP_CPU_AMD };

struct mp_platform {
	struct mp_fact hostname, kernel_release, kernel_version, architecture, os_name;
	struct mp_fact cpu_model;
	enum mp_cpu_vendor cpu_vendor;
	struct mp_fact cpu_virt;             /* "vmx" or "svm"; ABSENT: no such flag */
	struct mp_fact cpu_x2apic, cpu_cx16; /* "yes"; ABSENT: flag missing */
	struct mp_fact hypervisor;  /* "yes" when the CPU says that we run inside a VM */
	struct mp_fact phys_bits;   /* physical address bits of the CPU, decimal */
	struct mp_fact virt_bits;   /* linear address bits of the CPU, decimal */
	struct mp_fact secure_boot; /* "enabled", "disabled"; ABSENT: no UEFI */
	struct mp_fact lockdown;    /* "none", "integrity", "confidentiality" */
	struct mp_fact kvm_module;  /* "kvm_intel", "kvm_amd" when loaded */
	struct mp_fact apicv;       /* kvm_intel enable_apicv or kvm_amd avic: "Y"/"N" */
	struct mp_fact pve_manager; /* version of package pve-manager, "9.1.9" */
	struct mp_fact qemu_server; /* version of package qemu-server */
	struct mp_fact pve_qemu;    /* version of package pve-qemu-kvm */
	struct mp_fact bios_vendor, bios_version, bios_date, board, product; /* DMI */
};

/* Compares dotted versions by number ("9.0.21" > "9.0.5"): <0, 0, >0. */
int mp_version_compare(const char *a, const char *b);

/* --- for probe-platform.c, tests and fuzzing --- */

/*
 * The versions of the packages that matter here, a line "NAME VERSION" each, from the
 * text of dpkg's status file (deb-status: stanzas of fields). Only what is installed.
 * Caller frees.
 */
char *mp_packages_from_status(const char *status, size_t size);

/* Where the live host's list of them is recorded: the status file has some megabytes. */
#define MP_PATH_PACKAGES "metis-passthrough/packages"

#endif
