/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "core/profile.h"
#include "core/error.h"

void mp_profile_free(struct mp_profile *profile)
{
	g_free(profile);
}

struct mp_profile *mp_profile_load(const char *name, GError **error G_GNUC_UNUSED)
{
	struct mp_profile *p = g_new0(struct mp_profile, 1);

	p->name = g_strdup(name);
	p->ids = g_array_new(FALSE, FALSE, sizeof(struct mp_profile_id));
	p->modules = g_ptr_array_new();
	p->drivers = g_ptr_array_new();
	p->reset = g_ptr_array_new();
	p->guest_options = g_ptr_array_new();
	p->known_bad = g_ptr_array_new();
	return p;
}

struct mp_profile *mp_profile_for_device(uint16_t vendor G_GNUC_UNUSED, uint16_t device G_GNUC_UNUSED, GError **error)
{
	return mp_profile_load("generic", error);
}

bool mp_profile_fits(const struct mp_profile *profile G_GNUC_UNUSED, uint16_t vendor G_GNUC_UNUSED, uint16_t device G_GNUC_UNUSED)
{
	return false;
}

bool mp_profile_wanted(const struct mp_host *host G_GNUC_UNUSED, GPtrArray *wanted G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
	return true;
}
