/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "core/settings.h"

struct mp_config *mp_config_load(struct mp_root *root G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
	struct mp_config *c = g_new0(struct mp_config, 1);

	c->cards = g_ptr_array_new();
	c->waivers = g_ptr_array_new();
	return c;
}

void mp_config_free(struct mp_config *config)
{
	g_free(config);
}
