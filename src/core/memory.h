/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memory.h - RAM, hugepages, NUMA nodes and the locked-memory limit. Sizes in bytes. */
#ifndef MP_MEMORY_H
#define MP_MEMORY_H

#include "core/host.h"

struct mp_hugepool {
	uint64_t page_size, total, free; /* bytes; pages; pages */
	int node;                        /* NUMA node, -1: all */
};

struct mp_ram_range {
	uint64_t start, end; /* inclusive */
};

struct mp_memory {
	struct mp_fact meminfo;
	uint64_t total, available; /* 0 when unknown */
	GPtrArray *
		hugepools; /* struct mp_hugepool: host-wide ones first, then of each node */
	struct mp_fact
		hugepools_fact;     /* KNOWN when the host-wide pools could be listed */
	struct mp_fact numa_online; /* "0-1" */
	struct mp_fact memlock;     /* soft limit of this process: bytes or "unlimited" */
	/* "System RAM" of /proc/iomem. KNOWN: how much lies below 4 GiB and above, in words;
	 * UNKNOWN also for ordinary users, who see zeros. */
	struct mp_fact ram;
	GArray *ram_ranges; /* struct mp_ram_range, in the order of the file */
};

#endif
