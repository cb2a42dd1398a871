/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * settings.h - /etc/metis-passthrough/config.yaml: the wanted state. (Not config.h: that
 * name is autoconf's.) Strict YAML, errors with file:line:column.
 */
#ifndef MP_SETTINGS_H
#define MP_SETTINGS_H

#include <glib.h>

#include "core/root.h"

#define MP_PATH_SETTINGS "etc/metis-passthrough/config.yaml"

/* A card named by address and identity; every field but the address may be empty (NULL). */
struct mp_pin {
	char *address;   /* full BDF */
	char *id;        /* "1f9d:1100" */
	char *subsystem; /* "1f9d:0001" */
	char *serial;    /* device serial number, lower-case hex "0x..." */
	char *slot;      /* physical slot name */
	GPtrArray *
		group_members; /* char *: BDFs of its group at set-up time; may be empty */
};

struct mp_waiver {
	char *check;   /* id or glob */
	char *subject; /* BDF, or NULL for any */
	char *reason;  /* required: shown in the report */
};

struct mp_config {
	char *source;         /* path, or NULL when there is no file */
	GPtrArray *cards;     /* struct mp_pin * */
	char *vm;             /* VMID, or NULL */
	char *binding;        /* "auto", "ids", "address", or NULL */
	char *hugepages;      /* "2", "1024", "any", "off", or NULL */
	char *viommu;         /* "intel", "virtio", "off", or NULL */
	char *selftest;       /* "after-boot", "off", or NULL */
	char *selftest_last;  /* "off", "warn", "require", or NULL: as "warn" */
	char *guest_selftest; /* "off", "run", or NULL: as "off" */
	char *after_stop;     /* "keep", "host", or NULL: as "keep" */
	GPtrArray *services;  /* char *: units that run only while no VM has a card */
	GPtrArray *waivers;   /* struct mp_waiver * */
};

struct mp_config *mp_config_parse(
	const char *name, const char *data, size_t size, GError **error);
/* Reads MP_PATH_SETTINGS of ROOT; a missing file gives an empty configuration. */
struct mp_config *mp_config_load(struct mp_root *root, GError **error);
/* The pin of the card at ADDRESS (full form), or NULL. */
const struct mp_pin *mp_config_pin(const struct mp_config *config, const char *address);
/* CONFIG as YAML that mp_config_parse() reads. Caller frees. */
char *mp_config_write(const struct mp_config *config);
/* Whether TEXT is the name of a unit that may be in `services`. */
bool mp_config_is_service(const char *text);
void mp_config_free(struct mp_config *config);
typedef struct mp_config mp_config;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(mp_config, mp_config_free)

#endif
