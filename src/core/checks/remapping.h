/* SPDX-License-Identifier: GPL-2.0-or-later */
/* remapping.h - what each source says about interrupt remapping on a host. */
#ifndef MP_CHECKS_REMAPPING_H
#define MP_CHECKS_REMAPPING_H

#include "core/host.h"

enum mp_remap_state { MP_REMAP_UNKNOWN, MP_REMAP_YES, MP_REMAP_PARTLY, MP_REMAP_NO };

/* How directly a source sees the machine; up to MP_REMAP_LOG it tells what was done,
 * beyond that what could be done. */
enum mp_remap_rank {
	MP_REMAP_CHIPS,
	MP_REMAP_REGISTERS,
	MP_REMAP_TABLE,
	MP_REMAP_LOG,
	MP_REMAP_UNITS,
	MP_REMAP_FIRMWARE,
	MP_REMAP_IOAPICS,
	MP_REMAP_CHIPSET,
};

struct mp_remap_source {
	enum mp_remap_rank rank;
	enum mp_remap_state state;
	const char *name; /* borrowed: a path or a name */
	char *text;       /* what it says */
};

#define MP_REMAP_SOURCES 10

struct mp_remap_sources {
	unsigned count;
	struct mp_remap_source list[MP_REMAP_SOURCES];
};

const char *mp_remap_state_name(enum mp_remap_state state);

/* Each adds to SOURCES, strongest first. The caller clears them. */
void mp_remap_live(const struct mp_host *host, struct mp_remap_sources *sources);
void mp_remap_all(const struct mp_host *host, struct mp_remap_sources *sources);
/* Adds what capability rests on. UNKNOWN or NO: *missing is the one that decides. */
enum mp_remap_state mp_remap_supported(const struct mp_host *host,
	struct mp_remap_sources *sources, const struct mp_remap_source **missing);
void mp_remap_sources_clear(struct mp_remap_sources *sources);

#endif
