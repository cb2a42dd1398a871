/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which engine moves the data. */
#include "config.h"

#include <string.h>

#include "vfio/engine.h"

static const struct mp_engine *const engines[] = { &mp_engine_dw_edma, &mp_engine_edu,
	&mp_engine_nvme };

static char *names(void)
{
	GString *list = g_string_new(NULL);

	for (size_t i = 0; i < G_N_ELEMENTS(engines); i++)
		g_string_append_printf(
			list, "%s%s", list->len ? ", " : "", engines[i]->name);
	return g_string_free(list, FALSE);
}

const struct mp_engine *mp_engine_choose(
	const char *name, const struct mp_profile *profile, GError **error)
{
	const char *wanted = name ? name : profile ? profile->engine : NULL;
	g_autofree char *list = names();

	if (!wanted) {
		g_set_error(error, MP_ERROR, MP_ERROR_NOT_FOUND,
			"profile %s names no self-test engine; if the device is of a kind that "
			"one of these can drive, name it by --engine: %s",
			profile ? profile->name : "generic", list);
		return NULL;
	}
	for (size_t i = 0; i < G_N_ELEMENTS(engines); i++)
		if (!strcmp(engines[i]->name, wanted))
			return engines[i];
	g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
		"there is no engine '%s' (there are: %s)", wanted, list);
	return NULL;
}
