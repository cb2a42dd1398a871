/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fact.h - one thing known, absent or unknown about a host, and where it was read.
 *
 * ABSENT: we looked, and the host says it is not there (no such attribute). UNKNOWN: we
 * could not look, or what we saw makes no sense; `why` tells. A check must never turn
 * UNKNOWN into a pass.
 *
 * All strings belong to the host's string store (mp_host_str) and live as long as it.
 */
#ifndef MP_FACT_H
#define MP_FACT_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/root.h"

struct mp_host;

/* "1 unit", "2 units" */
#define MP_PLURAL(n) ((n) == 1 ? "" : "s")

enum mp_know { MP_UNKNOWN, MP_ABSENT, MP_KNOWN };

struct mp_fact {
	enum mp_know know;
	const char *text; /* as read, trimmed; valid UTF-8; NULL unless KNOWN */
	const char *
		source; /* path ("/sys/...") or program it came from; NULL: never looked */
	const char *why; /* reason when UNKNOWN */
};

/* Reads a small text file as a fact; white space at both ends is dropped. */
struct mp_fact mp_fact_read(struct mp_host *host, struct mp_root *root, const char *path);
struct mp_fact mp_fact_read_dir(
	struct mp_host *host, struct mp_dir *dir, const char *name);
/* The last component of a link's target ("driver" -> "vfio-pci"). */
struct mp_fact mp_fact_link(struct mp_host *host, struct mp_dir *dir, const char *name);
/* Facts made by probes. TEXT and SOURCE are copied. */
struct mp_fact mp_fact_known(struct mp_host *host, const char *source, const char *text);
struct mp_fact mp_fact_absent(struct mp_host *host, const char *source);
struct mp_fact mp_fact_unknown(struct mp_host *host, const char *source, const char *why);
struct mp_fact mp_fact_errno(
	struct mp_host *host, const char *source, int negative_errno);

/* True and *value set if the fact is KNOWN and a number: C syntax with base 0, 10 or 16. */
bool mp_fact_uint(const struct mp_fact *fact, int base, uint64_t *value);
bool mp_fact_int(const struct mp_fact *fact, int64_t *value);
/* True if the fact is KNOWN and equal to TEXT. */
bool mp_fact_is(const struct mp_fact *fact, const char *text);

/* Strict number parsing, the only one of the program: whole string, no sign, no spaces. */
bool mp_parse_uint(const char *text, int base, uint64_t *value);
/* Valid UTF-8 without control and format characters (but tab, newline): anything else becomes
 * \xNN. */
char *mp_clean_text(const char *data, size_t size);

#endif
