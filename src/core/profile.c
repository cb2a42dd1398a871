/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finding profiles and what they fit; their syntax is profile-parse.c. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "core/error.h"
#include "core/pci.h"
#include "core/profile.h"
#include "core/yaml.h"

#define GENERIC "generic"
#define SUFFIX  ".yaml"

static const char *installed_dir(void)
{
	const char *dir = g_getenv("METIS_PASSTHROUGH_PROFILES");

	return dir && *dir ? dir : MP_SYSCONFDIR "/metis-passthrough/profiles";
}

static bool is_name(const char *text)
{
	return *text &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-_") == strlen(text);
}

static const struct mp_shipped_profile *find_shipped(const char *name)
{
	for (const struct mp_shipped_profile *row = mp_shipped_profiles; row->name; row++)
		if (!strcmp(row->name, name))
			return row;
	return NULL;
}

/* Reads PATH of this machine; *missing tells a file that is not there from one that is bad. */
static struct mp_profile *load_file(const char *path, bool *missing, GError **error)
{
	g_autofree char *absolute = g_canonicalize_filename(path, NULL);
	g_autoptr(mp_root) here = mp_root_open(NULL, error);
	g_autofree char *data = NULL;
	size_t size;
	int err;

	if (!here)
		return NULL;
	err = mp_root_read(here, absolute, MP_YAML_MAX, &data, &size);
	*missing = err == -ENOENT || err == -ENOTDIR;
	if (err) {
		mp_error_set_errno(error, err, path, "read profile");
		return NULL;
	}
	return mp_profile_parse(path, data, size, error);
}

static struct mp_profile *load_installed(const char *name, bool *missing, GError **error)
{
	g_autofree char *path = g_strconcat(installed_dir(), "/", name, SUFFIX, NULL);
	struct mp_profile *profile = load_file(path, missing, error);

	if (!profile || !strcmp(profile->name, name))
		return profile;
	g_set_error(error, MP_ERROR, MP_ERROR_INPUT,
		"%s:1:1: name: is '%s', but a profile is called like its file", path,
		profile->name);
	mp_profile_free(profile);
	return NULL;
}

static void set_unknown(const char *name, GError **error)
{
	g_auto(GStrv) names = mp_profile_names();
	g_autofree char *list = g_strjoinv(", ", names);

	g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
		"there is no profile '%s' (there are: %s; a file needs a '/' in its path)",
		name, list);
}

struct mp_profile *mp_profile_load(const char *name, GError **error)
{
	const struct mp_shipped_profile *shipped;
	g_autofree char *label = NULL;
	g_autoptr(GError) local = NULL;
	struct mp_profile *profile;
	bool missing = false;

	if (strchr(name, '/'))
		return load_file(name, &missing, error);
	if (!is_name(name)) {
		set_unknown(name, error);
		return NULL;
	}
	profile = load_installed(name, &missing, &local);
	if (profile)
		return profile;
	if (!missing) {
		g_propagate_error(error, g_steal_pointer(&local));
		return NULL;
	}
	shipped = find_shipped(name);
	if (!shipped) {
		set_unknown(name, error);
		return NULL;
	}
	label = g_strdup_printf("built in: %s", name);
	return mp_profile_parse(label, shipped->yaml, strlen(shipped->yaml), error);
}

static int compare_names(gconstpointer a, gconstpointer b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

char **mp_profile_names(void)
{
	GPtrArray *names = g_ptr_array_new();
	g_autoptr(mp_root) here = mp_root_open(NULL, NULL);
	g_autofree char *absolute = g_canonicalize_filename(installed_dir(), NULL);
	g_auto(GStrv) files = NULL;

	for (const struct mp_shipped_profile *row = mp_shipped_profiles; row->name; row++)
		g_ptr_array_add(names, g_strdup(row->name));
	if (here && mp_root_list(here, absolute, &files) == 0)
		for (char **file = files; *file; file++) {
			g_autofree char *name = NULL;

			if (!g_str_has_suffix(*file, SUFFIX))
				continue;
			name = g_strndup(*file, strlen(*file) - strlen(SUFFIX));
			if (is_name(name) && !find_shipped(name))
				g_ptr_array_add(names, g_steal_pointer(&name));
		}
	g_ptr_array_sort(names, compare_names);
	g_ptr_array_add(names, NULL);
	return (char **)g_ptr_array_free(names, FALSE);
}

static bool has_id(const struct mp_profile *profile, const struct mp_pci *device)
{
	for (guint i = 0; i < profile->ids->len; i++) {
		const struct mp_profile_id *id =
			&g_array_index(profile->ids, struct mp_profile_id, i);

		if (id->vendor == device->vendor && id->device == device->device)
			return true;
	}
	return false;
}

static bool has_class(const struct mp_profile *profile, const struct mp_pci *device)
{
	for (guint i = 0; i < profile->classes->len; i++) {
		const struct mp_profile_class *class =
			&g_array_index(profile->classes, struct mp_profile_class, i);

		if ((device->class_code & class->mask) == class->code)
			return true;
	}
	return false;
}

bool mp_profile_is_specific(const struct mp_profile *profile)
{
	return profile->ids->len || profile->classes->len;
}

bool mp_profile_fits(const struct mp_profile *profile, const struct mp_pci *device)
{
	return !mp_profile_is_specific(profile) || has_id(profile, device) ||
	       has_class(profile, device);
}

/* All profiles in the order of their names, or NULL: a broken one must be mended first. */
static GPtrArray *load_all(GError **error)
{
	g_autoptr(GPtrArray) profiles =
		g_ptr_array_new_with_free_func((GDestroyNotify)mp_profile_free);
	g_auto(GStrv) names = mp_profile_names();

	for (char **name = names; *name; name++) {
		struct mp_profile *profile = mp_profile_load(*name, error);

		if (!profile)
			return NULL;
		g_ptr_array_add(profiles, profile);
	}
	return g_steal_pointer(&profiles);
}

struct mp_profile *mp_profile_for_device(const struct mp_pci *device, GError **error)
{
	g_autoptr(GPtrArray) profiles = load_all(error);

	if (!profiles)
		return NULL;
	for (guint i = 0; i < profiles->len; i++)
		if (has_id(profiles->pdata[i], device))
			return g_ptr_array_steal_index(profiles, i);
	for (guint i = 0; i < profiles->len; i++)
		if (has_class(profiles->pdata[i], device))
			return g_ptr_array_steal_index(profiles, i);
	return mp_profile_load(GENERIC, error);
}

bool mp_profile_wanted(const struct mp_host *host, GPtrArray *wanted, GError **error)
{
	g_autoptr(GPtrArray) profiles = load_all(error);

	if (!profiles)
		return false;
	for (guint d = 0; d < host->devices->len; d++)
		for (guint i = 0; i < profiles->len; i++) {
			const struct mp_profile *profile = profiles->pdata[i];

			if (!profile->by_default || !mp_profile_is_specific(profile) ||
				!mp_profile_fits(profile, host->devices->pdata[d]))
				continue;
			g_ptr_array_add(wanted, host->devices->pdata[d]);
			break;
		}
	return true;
}
