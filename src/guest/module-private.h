/* SPDX-License-Identifier: GPL-2.0-or-later */
/* module-private.h - what the two halves of module.h share: loading, and building before it. */
#ifndef MP_GUEST_MODULE_PRIVATE_H
#define MP_GUEST_MODULE_PRIVATE_H

#include "core/program.h"
#include "guest/module.h"

/* Seconds. */
#define MP_MODULE_LOAD_SECONDS  60
#define MP_MODULE_BUILD_SECONDS 600 /* some on a machine; more where it is emulated */

struct mp_module_loader {
	const struct mp_host *host;
	struct mp_target *target;
	bool (*tick)(void *user, const char *line);
	void *user;
	bool stopped;
	char *complaint; /* the first line of make that tells why; freed by the builder */
};

/* A program that may take so long; the tick is asked meanwhile. */
bool mp_module_call(struct mp_module_loader *loader, enum mp_program program,
	const char *const *args, unsigned seconds, GError **error);
/* The driver is there. */
bool mp_module_came(struct mp_module_loader *loader, GError **error);
/* From the installed source: built, and loaded. */
bool mp_module_build(struct mp_module_loader *loader, GError **error);

#endif
