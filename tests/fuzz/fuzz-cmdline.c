/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A kernel command line, and the same bytes as /etc/default/grub. */
#include "config.h"

#include <string.h>

#include "core/boot.h"
#include "core/checks/boot-params.h"
#include "core/grub-default.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autofree char *text = g_strndup((const char *)data, size);
	g_autoptr(GPtrArray) params = mp_cmdline_split(text);
	g_autoptr(GPtrArray) notes = mp_param_notes(text, MP_CPU_INTEL);
	g_autoptr(mp_grub_default) grub = mp_grub_default_new();
	const char *why = NULL;

	/* Each name that was split off can be found again. */
	for (guint i = 0; i < params->len; i++) {
		const struct mp_param *param = params->pdata[i];
		g_autofree char *value = mp_cmdline_get(text, param->name);

		g_assert(value);
	}
	g_autofree char *only = mp_params_only_in(text, text);

	g_assert(!only);
	mp_param_notes_worst(notes);
	mp_grub_default_source(grub, "fuzz", text);
	mp_grub_default_source(grub, "again", text);
	if (!mp_grub_default_get(grub, "GRUB_CMDLINE_LINUX_DEFAULT", &why))
		g_assert(why);
	return 0;
}

MP_FUZZ_MAIN
