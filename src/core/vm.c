/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "core/vm.h"
#include "core/error.h"

struct mp_vm *mp_vm_find(struct mp_host *host G_GNUC_UNUSED, const char *vm, GError **error)
{
	g_set_error(error, MP_ERROR, MP_ERROR_NOT_FOUND, "VM %s: no VM support yet", vm);
	return NULL;
}
