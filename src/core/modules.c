/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Questions to the module lists. */
#include "config.h"

#include <string.h>

#include "core/modules.h"
#include "core/pci.h"
#include "core/platform.h"

static char *with_underscores(const char *name)
{
	return g_strdelimit(g_strdup(name), "-", '_');
}

const char *mp_module_name(struct mp_host *host, const char *name)
{
	g_autofree char *copy = with_underscores(name);

	return mp_host_str(host, copy);
}

static bool holds(GHashTable *set, const char *name)
{
	g_autofree char *key = with_underscores(name);

	return set && g_hash_table_contains(set, key);
}

bool mp_module_of_path(const char *path, size_t length, char *name, size_t size)
{
	const char *slash = memrchr(path, '/', length);
	const char *base = slash ? slash + 1 : path;
	const char *dot =
		g_strstr_len(base, (gssize)(length - (size_t)(base - path)), ".ko");
	size_t n = dot ? (size_t)(dot - base) : 0;

	if (!n || n >= size)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!g_ascii_isgraph(base[i]))
			return false;
		name[i] = base[i] == '-' ? '_' : base[i];
	}
	name[n] = '\0';
	return true;
}

bool mp_module_loaded(const struct mp_host *host, const char *name)
{
	return holds(host->modules->loaded, name);
}

enum mp_module_where mp_module_where(const struct mp_kernel *kernel, const char *name)
{
	if (holds(kernel->builtin, name))
		return MP_MODULE_BUILTIN;
	if (holds(kernel->loadable, name))
		return MP_MODULE_LOADABLE;
	if (kernel->modules_dep.know != MP_KNOWN ||
		kernel->modules_builtin.know != MP_KNOWN)
		return MP_MODULE_UNKNOWN;
	return MP_MODULE_MISSING;
}

const struct mp_kernel *mp_host_kernel(const struct mp_host *host)
{
	for (guint i = 0; i < host->modules->kernels->len; i++) {
		const struct mp_kernel *kernel = host->modules->kernels->pdata[i];

		if (kernel->running)
			return kernel;
	}
	return NULL;
}

const struct mp_kernel *mp_host_newest_kernel(const struct mp_host *host)
{
	guint n = host->modules->kernels->len;

	return n ? host->modules->kernels->pdata[n - 1] : NULL;
}

GPtrArray *mp_module_wanting(const struct mp_kernel *kernel, const struct mp_pci *device)
{
	if (!kernel->aliases || device->modalias.know != MP_KNOWN)
		return NULL;
	return g_hash_table_lookup(kernel->aliases, device->modalias.text);
}

bool mp_release_vtd_default(const char *release, bool *on)
{
	/* "for Intel, only needed for kernels before 6.8": Proxmox's PCI(e) wiki page. */
	if (!strstr(release, "-pve"))
		return false;
	*on = mp_version_compare(release, "6.8") >= 0;
	return true;
}

bool mp_kernel_vtd_default(const struct mp_kernel *kernel, bool *on)
{
	if (kernel->intel_iommu_default_on.know != MP_KNOWN)
		return mp_release_vtd_default(kernel->release, on);
	*on = mp_fact_is(&kernel->intel_iommu_default_on, "y");
	return true;
}
