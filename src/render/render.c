/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "render/render.h"

static const struct mp_render_ops *const formats[] = {
	&mp_render_text,
	&mp_render_json,
	&mp_render_junit,
};

const struct mp_render_ops *mp_render_find(const char *name)
{
	for (size_t i = 0; i < G_N_ELEMENTS(formats); i++)
		if (!strcmp(formats[i]->name, name))
			return formats[i];
	return NULL;
}
