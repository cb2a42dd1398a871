/* SPDX-License-Identifier: GPL-2.0-or-later */
/* common.h - what the checks of platform, IOMMU and interrupt remapping share. */
#ifndef MP_CHECKS_COMMON_H
#define MP_CHECKS_COMMON_H

#include "core/boot.h"
#include "core/check.h"
#include "core/dmar.h"
#include "core/iommu.h"
#include "core/ivrs.h"
#include "core/platform.h"

/* What a host without such a topic would answer: every fact unknown, every list empty. */
const struct mp_iommu *mp_iommu_or_none(const struct mp_host *host);
/* Where no unit is known: says that there is none (skip) or that it could not be seen
 * (unknown), and returns true. */
bool mp_say_no_units(struct mp_check_ctx *ctx);
/* Where the id of the device in CTX could not be read, so that no profile can be chosen by
 * it: says so (unknown), and returns true. */
bool mp_say_id_unknown(struct mp_check_ctx *ctx);
const struct mp_platform *mp_platform_or_none(const struct mp_host *host);

/* The running command line, or NULL when it is not known. */
const char *mp_running_cmdline(const struct mp_host *host);
const struct mp_fact *mp_running_cmdline_fact(const struct mp_host *host);

/* True if the running kernel is at least VERSION ("6.8"); *known: whether it can be told.
 */
bool mp_kernel_at_least(const struct mp_host *host, const char *version, bool *known);

/*
 * Sets ON to whether the running kernel uses VT-d unasked: by its configuration
 * (CONFIG_INTEL_IOMMU_DEFAULT_ON), else, of Proxmox, by its release. False: it can't be
 * told. *FACT, where wanted: what says so.
 */
bool mp_kernel_starts_vtd(
	const struct mp_host *host, bool *on, const struct mp_fact **fact);

/* True if the host is itself a guest: its CPU says so, or its IOMMU is an emulated one.
 */
bool mp_host_is_guest(const struct mp_host *host);

/* The word of the running command line that switches remapping of interrupts off
 * ("intremap=off"), or NULL. */
const char *mp_cmdline_intremap_off(const struct mp_host *host);
/* The word that switches the whole IOMMU off ("intel_iommu=off"), or NULL. */
const char *mp_cmdline_iommu_off(const struct mp_host *host);

/* True if the kernel has a unit of KIND. */
bool mp_iommu_has_kind(const struct mp_iommu *iommu, enum mp_iommu_kind kind);

/* "in the firmware setup (BIOS), enable ...": the menu items of this host's CPU vendor.
 */
const char *mp_firmware_menu(const struct mp_host *host);

/* Remedy "do this: STEP, then reboot" that adds or removes a kernel parameter. */
void mp_remedy_add(
	struct mp_finding *finding, const struct mp_host *host, const char *parameter);
void mp_remedy_remove(
	struct mp_finding *finding, const struct mp_host *host, const char *parameter);

#endif
