/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * host.h - the immutable model of one host. Probes fill it once, from a root; checks,
 * planner and diagnosis only read it.
 *
 * Everything in the model is allocated from the host (mp_host_alloc, mp_host_str,
 * mp_host_array) and dies with it: no part has a free function of its own.
 */
#ifndef MP_HOST_H
#define MP_HOST_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/fact.h"
#include "core/root.h"

struct mp_pci;

struct mp_host {
	const char *origin; /* "/" or the --sysroot argument */
	bool live;

	GPtrArray *devices; /* struct mp_pci (pci.h), ordered by address */
	GPtrArray *groups;  /* struct mp_group (group.h), ordered by id */
	/* The directories behind these two: KNOWN (number of entries), ABSENT: no PCI bus, no
	 * IOMMU in use; UNKNOWN: could not be listed. */
	struct mp_fact devices_fact, groups_fact;

	/* One per topic; NULL for topics that were not asked for (mp_host_load). */
	struct mp_platform *platform; /* platform.h: CPU, kernel, Proxmox, Secure Boot */
	struct mp_iommu *iommu;     /* iommu.h: ACPI tables, units, remapping evidence */
	struct mp_boot *boot;       /* boot.h: loader, running and staged command line */
	struct mp_modules *modules; /* modules.h: per installed kernel; modprobe.d */
	struct mp_initramfs *initramfs; /* initramfs.h: what is in each image */
	struct mp_use *use;       /* use.h: what the host itself does with devices */
	struct mp_memory *memory; /* memory.h: RAM, hugepages, NUMA, memlock */
	struct mp_guests *guests; /* vm.h: VM configurations, mappings, reservations */
	struct mp_setup *setup;   /* setup.h: what this program did before */
	struct mp_cards *cards;   /* card.h: what is inside cards */
	struct mp_selftests *selftests; /* selftest-last.h: what self-tests found */
	struct mp_drivers *drivers; /* drivers.h: a guest's drivers and their options */

	/* Owned storage behind all of the above; used through the functions below. */
	GStringChunk *strings;
	GArray *owned;
	GHashTable *by_bdf; /* bdf -> struct mp_pci */
};

/* Which topics a verb needs: PCI devices and groups always come. */
enum mp_topics {
	MP_TOPIC_PCI = 1 << 0,   /* what a list shows: identity, driver, place, group */
	MP_TOPIC_NAMES = 1 << 1, /* vendor, device and class names */
	MP_TOPIC_DETAILS =
		1 << 2, /* all attributes of a device, its configuration space, the
	                              reserved regions of its group */
	MP_TOPIC_ALL = ~0u >> 1, /* everything: for checks */
};

/*
 * Builds the model. Fails only where there is no host at all (no sys directory, unreadable
 * root); whatever else cannot be read becomes an unknown fact. The caller owns the result.
 */
struct mp_host *mp_host_load(struct mp_root *root, unsigned topics, GError **error);
void mp_host_free(struct mp_host *host);
typedef struct mp_host mp_host;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(mp_host, mp_host_free)

/* --- for probes --- */

/* An empty host, as mp_host_load() starts with; for unit tests too. */
struct mp_host *mp_host_new(const char *origin, bool live);
/*
 * A host with everything of BASE, which must live longer; probes that run on it fill parts
 * of its own. For "what if".
 */
struct mp_host *mp_host_view(const struct mp_host *base);
/* Zeroed memory that lives as long as the host. */
void *mp_host_alloc(struct mp_host *host, size_t size);
/* A copy that lives as long as the host; NULL stays NULL. */
const char *mp_host_str(struct mp_host *host, const char *text);
const char *mp_host_strf(struct mp_host *host, const char *format, ...)
	G_GNUC_PRINTF(2, 3);
/* Hands OBJECT to the host, which ends it with FREE. Returns OBJECT. */
void *mp_host_own(struct mp_host *host, void *object, GDestroyNotify free_object);
/* An array of borrowed pointers, freed with the host. */
GPtrArray *mp_host_array(struct mp_host *host);

/* Every probe: fills its topic from ROOT, never fails; defined in probe-TOPIC.c. */
void mp_probe_platform(struct mp_host *host, struct mp_root *root);
void mp_probe_pci(struct mp_host *host, struct mp_root *root, unsigned topics);
void mp_probe_groups(
	struct mp_host *host, struct mp_root *root, unsigned topics); /* after pci */
void mp_probe_iommu(struct mp_host *host, struct mp_root *root);
void mp_probe_boot(struct mp_host *host, struct mp_root *root);
void mp_probe_modules(struct mp_host *host, struct mp_root *root);
void mp_probe_initramfs(struct mp_host *host, struct mp_root *root);
void mp_probe_use(struct mp_host *host, struct mp_root *root);
void mp_probe_memory(struct mp_host *host, struct mp_root *root);
void mp_probe_guests(struct mp_host *host, struct mp_root *root);
/* Instead of it: the configuration of VMID alone, and not whether it runs; of the rest of
 * the node nothing is known then. */
void mp_probe_guest(struct mp_host *host, struct mp_root *root, const char *vmid);
void mp_probe_setup(struct mp_host *host, struct mp_root *root);
void mp_probe_cards(
	struct mp_host *host, struct mp_root *root); /* after pci, with details */
void mp_probe_selftest(struct mp_host *host, struct mp_root *root);
void mp_probe_drivers(
	struct mp_host *host, struct mp_root *root); /* after platform and pci */

#endif
