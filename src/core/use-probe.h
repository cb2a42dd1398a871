/* SPDX-License-Identifier: GPL-2.0-or-later */
/* use-probe.h - shared by probe-use*.c only. */
#ifndef MP_USE_PROBE_H
#define MP_USE_PROBE_H

#include "core/use.h"

struct use_probe {
	struct mp_host *host;
	struct mp_root *root;
	struct mp_use *use;
	GHashTable *seen; /* "bdf kind detail" of what was added */
};

/* What one use is, but for the device. */
struct use_what {
	enum mp_use_kind kind;
	bool boots, routes, starting;
	const char *detail, *source;
};

/*
 * Adds the use to each PCI function that PATH (a sysfs path or link target) runs through
 * and that is no bridge: the last one, and one above it like a VMD controller. False: PATH
 * runs through none.
 */
bool use_add_path(struct use_probe *probe, const char *path, const struct use_what *what);
void use_add(struct use_probe *probe, const char *bdf, const struct use_what *what);
/* Evidence that could not be read: PATH with the reason in NEGATIVE_ERRNO. */
void use_unreadable(struct use_probe *probe, const char *path, int negative_errno);
void use_unreadable_why(struct use_probe *probe, const char *path, const char *why);
/* True if TEXT starts with "DDDD:BB:DD.F" as sysfs writes it; *LENGTH gets its length. */
bool use_is_bdf(const char *text, size_t *length);
/* A name out of a text file that becomes part of a path: no '/', not "." or "..". */
bool use_is_name(const char *text);

void use_probe_block(struct use_probe *probe);
void use_probe_net(struct use_probe *probe);
void use_probe_display(struct use_probe *probe);
void use_probe_open(struct use_probe *probe);

#endif
