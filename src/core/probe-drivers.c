/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Versions and parameters of the modules that drive devices: /sys/module
 * (Documentation/ABI/stable/sysfs-module, testing/sysfs-module). */
#include "config.h"

#include <string.h>

#include "core/drivers.h"
#include "core/pci.h"
#include "core/platform.h"

#define MODULES_MAX    64u
#define PARAMETERS_MAX 64u

static const struct mp_driver_module *find(
	const struct mp_drivers *drivers, const char *name)
{
	for (guint i = 0; i < drivers->modules->len; i++) {
		const struct mp_driver_module *module = drivers->modules->pdata[i];

		if (!strcmp(module->name, name))
			return module;
	}
	return NULL;
}

const struct mp_driver_module *mp_driver_module(
	const struct mp_host *host, const struct mp_pci *device)
{
	if (!host->drivers || device->driver_module.know != MP_KNOWN)
		return NULL;
	return find(host->drivers, device->driver_module.text);
}

const struct mp_module_parameter *mp_driver_parameter(
	const struct mp_driver_module *module, const char *name)
{
	for (guint i = 0; i < module->parameters->len; i++) {
		const struct mp_module_parameter *parameter =
			module->parameters->pdata[i];

		if (!strcmp(parameter->name, name))
			return parameter;
	}
	return NULL;
}

static void probe_parameters(
	struct mp_host *host, struct mp_root *root, struct mp_driver_module *module)
{
	g_autofree char *path = g_strdup_printf("sys/module/%s/parameters", module->name);
	const char *source = mp_host_strf(host, "/%s", path);
	g_auto(GStrv) names = NULL;
	int err = mp_root_list(root, path, &names);

	if (err < 0) {
		module->parameters_fact = mp_fact_errno(host, source, err);
		return;
	}
	for (char **name = names; *name && module->parameters->len < PARAMETERS_MAX;
		name++) {
		g_autofree char *file = g_strdup_printf("%s/%s", path, *name);
		struct mp_module_parameter *parameter =
			mp_host_alloc(host, sizeof(*parameter));

		parameter->name = mp_host_str(host, *name);
		parameter->value = mp_fact_read(host, root, file);
		g_ptr_array_add(module->parameters, parameter);
	}
	module->parameters_fact = mp_fact_known(
		host, source, mp_host_strf(host, "%u", module->parameters->len));
}

static void probe_module(struct mp_host *host, struct mp_root *root, const char *name)
{
	struct mp_driver_module *module = mp_host_alloc(host, sizeof(*module));
	g_autofree char *version = g_strdup_printf("sys/module/%s/version", name);

	module->name = mp_host_str(host, name);
	module->version = mp_fact_read(host, root, version);
	module->parameters = mp_host_array(host);
	probe_parameters(host, root, module);
	g_ptr_array_add(host->drivers->modules, module);
}

void mp_probe_drivers(struct mp_host *host, struct mp_root *root)
{
	const struct mp_fact *hypervisor = &host->platform->hypervisor;

	host->drivers = mp_host_alloc(host, sizeof(*host->drivers));
	host->drivers->modules = mp_host_array(host);
	if (hypervisor->know == MP_ABSENT)
		return;
	for (guint i = 0; i < host->devices->len; i++) {
		const struct mp_pci *device = host->devices->pdata[i];

		if (device->driver_module.know == MP_KNOWN &&
			host->drivers->modules->len < MODULES_MAX &&
			!find(host->drivers, device->driver_module.text))
			probe_module(host, root, device->driver_module.text);
	}
}
