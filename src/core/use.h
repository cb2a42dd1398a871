/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * use.h - what the host itself does with a PCI device: a mounted file system (also through
 * LVM, md, ZFS, dm-crypt), swap, a network interface that is up, in a bridge, bond or
 * route, a display, an open device file.
 */
#ifndef MP_USE_H
#define MP_USE_H

#include "core/host.h"

enum mp_use_kind {
	MP_USE_MOUNT, /* detail: "/dev/nvme0n1p3 -> vg pve -> /" */
	MP_USE_SWAP,
	MP_USE_STORAGE, /* member of a pool, array or volume group that is active */
	MP_USE_NETWORK, /* "enp3s0 in bridge vmbr0 (default route)" */
	MP_USE_DISPLAY, /* boot VGA, framebuffer, DRM client */
	MP_USE_OPEN,  /* "/dev/metis-0:86:0 open in axdevice (pid 812)"; live host only */
	MP_USE_VM,    /* held by a running VM: vfio group open or PVE reservation */
	MP_USE_SRIOV, /* virtual functions of it are enabled */
	MP_USE_KINDS
};

struct mp_use_entry {
	const char *bdf;
	enum mp_use_kind kind;
	bool boots;         /* the host's root, /boot or ESP depends on it */
	bool routes;        /* a route of the host goes through it */
	bool starting;      /* MP_USE_VM: by one that does not run yet */
	const char *detail; /* for people */
	const char *source;
};

struct mp_use {
	GPtrArray *entries;        /* struct mp_use_entry */
	GPtrArray *unreadable;     /* struct mp_fact *: evidence that could not be read */
	struct mp_fact open_files; /* KNOWN when /proc/PID/fd was scanned (live, root) */
};

const char *mp_use_kind_name(enum mp_use_kind kind);
/* Entries of DEVICE; free the array (not the entries) with g_ptr_array_unref(). */
GPtrArray *mp_use_of(const struct mp_host *host, const struct mp_pci *device);
/* Evidence that could not be read and concerns devices of this class, or NULL: with no
 * entries that means unused, as far as files that are open were looked at. */
const struct mp_fact *mp_use_unread(
	const struct mp_host *host, const struct mp_pci *device);

#endif
