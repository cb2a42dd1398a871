/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "render/render.h"

static const struct mp_render_ops *const formats[] = {
	&mp_render_text,
	&mp_render_json,
	&mp_render_junit,
	&mp_render_markdown,
};

const struct mp_render_ops *mp_render_find(const char *name)
{
	for (size_t i = 0; i < G_N_ELEMENTS(formats); i++)
		if (!strcmp(formats[i]->name, name))
			return formats[i];
	return NULL;
}

const char *mp_status_verdict_name(enum mp_status_verdict verdict)
{
	static const char *const names[] = {
		[MP_STATUS_NOTHING] = "nothing",
		[MP_STATUS_DRIFT] = "drift",
		[MP_STATUS_UNKNOWN] = "unknown",
		[MP_STATUS_PENDING] = "reboot-pending",
		[MP_STATUS_KEPT] = "kept",
	};

	return names[verdict];
}

const char *mp_render_names(void)
{
	static char names[64];

	if (*names)
		return names;
	for (size_t i = 0; i < G_N_ELEMENTS(formats); i++) {
		g_strlcat(names, i ? ", " : "", sizeof(names));
		g_strlcat(names, formats[i]->name, sizeof(names));
	}
	return names;
}
