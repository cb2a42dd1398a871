/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vm-prop.h - property strings of Proxmox VE ("86:00.0,pcie=1"), by the rules of
 * PVE::JSONSchema::parse_property_string: comma separated, no spaces, no key twice, a part
 * without '=' is the default key's. One mistake makes the whole string invalid.
 */
#ifndef MP_VM_PROP_H
#define MP_VM_PROP_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

enum mp_prop_type {
	MP_PROP_TEXT,    /* whatever `valid` accepts; NULL: anything */
	MP_PROP_BOOLEAN, /* 0 off no false 1 on yes true, any case */
	MP_PROP_INTEGER, /* min..max */
};

struct mp_prop_key {
	const char *name;
	enum mp_prop_type type;
	bool is_default; /* takes the part without '=' */
	bool required;
	bool (*valid)(const char *value);
	const char *expected; /* for the message: "intel or virtio" */
	uint64_t min, max;
	const char
		*since; /* first qemu-server version that knows it; NULL: all we know */
};

/*
 * Parses TEXT. Keys newer than VERSION (NULL: not known, everything is taken) are invalid.
 * The result maps key to value (booleans as "0" or "1"); free with g_hash_table_unref().
 * NULL: invalid, *PROBLEM gets the reason (g_free).
 */
GHashTable *mp_prop_parse(const struct mp_prop_key *keys, const char *version,
	const char *text, char **problem);
/* The boolean KEY, or FALLBACK where it is not given. */
bool mp_prop_bool(GHashTable *props, const char *key, bool fallback);
/* "1 on yes true" and "0 off no false". False: neither. */
bool mp_prop_parse_bool(const char *text, bool *value);

#endif
