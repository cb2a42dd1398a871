/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <dlfcn.h>
#include <stddef.h>

#include "core/lazy.h"

const char *mp_lazy_load(const char *library, const char *const *names, void **slots)
{
	void *handle;
	size_t i;

	if (slots[0])
		return NULL;
	/* Never closed: what it gave out may be in use until the end. */
	handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
	if (!handle)
		return dlerror();
	/* The first one last, because it tells that all are there. */
	for (i = 1; names[i]; i++) {
		slots[i] = dlsym(handle, names[i]);
		if (!slots[i])
			return dlerror();
	}
	slots[0] = dlsym(handle, names[0]);
	return slots[0] ? NULL : dlerror();
}
