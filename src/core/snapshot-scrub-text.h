/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * snapshot-scrub-text.h - the part of the scrubber that knows texts: a value has the same
 * replacement wherever it stands. What knows files is snapshot-scrub.c; only that includes
 * this.
 */
#ifndef MP_SNAPSHOT_SCRUB_TEXT_H
#define MP_SNAPSHOT_SCRUB_TEXT_H

#include <glib.h>
#include <stdbool.h>

#include "core/snapshot.h"

enum mp_scrub_kind {
	MP_SCRUB_KIND_DSN,
	MP_SCRUB_KIND_SERIAL,
	MP_SCRUB_KIND_MAC,
	MP_SCRUB_KIND_IP4,
	MP_SCRUB_KIND_IP6,
	MP_SCRUB_KIND_UUID,
	MP_SCRUB_KIND_LVM,
	MP_SCRUB_KIND_PV,
	MP_SCRUB_KIND_FAT,
	MP_SCRUB_KIND_NODE,
	MP_SCRUB_KINDS
};

struct mp_scrubber {
	struct mp_snapshot *snapshot;
	GHashTable *map[MP_SCRUB_KINDS]; /* lower-case value -> replacement */
	GHashTable *words;               /* found anywhere as a word -> replacement */
	char *host;                      /* the host's name, or NULL */
	bool host_anywhere;
	GPtrArray *serials; /* as found, the longest first */
	GRegex *mac, *bare, *ip4, *ip6, *uuid, *lvm, *pv, *fat, *mail, *secret, *word,
		*node;
	GStringChunk *strings;
	bool addresses; /* IP addresses are looked for in this text */
};

/* A replacement for MATCH, or NULL to keep it. Owned by the scrubber. */
typedef const char *(*mp_scrub_replacer)(struct mp_scrubber *s, const char *match);

void mp_scrub_start(struct mp_scrubber *s);
void mp_scrub_finish(struct mp_scrubber *s);
/* What stands for VALUE (case does not count) from now on. Owned by the scrubber. */
const char *mp_scrub_value(
	struct mp_scrubber *s, enum mp_scrub_kind kind, const char *value);
/* Takes TEXT over and returns it with each match of REGEX replaced. */
char *mp_scrub_apply(
	struct mp_scrubber *s, GRegex *regex, mp_scrub_replacer replace, char *text);
/* All that can be told by its shape, and all that was learnt. The caller frees it. */
char *mp_scrub_text(struct mp_scrubber *s, const char *text);

const char *mp_scrub_mac(struct mp_scrubber *s, const char *match);
const char *mp_scrub_ip4(struct mp_scrubber *s, const char *match);
const char *mp_scrub_ip6(struct mp_scrubber *s, const char *match);
/* "node=NAME", "nodes/NAME", "nodes NAME,NAME" */
const char *mp_scrub_node(struct mp_scrubber *s, const char *match);

#endif
