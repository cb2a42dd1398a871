/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "core/program.h"
#include "hook-cards.h"
#include "hook-services.h"

/* systemd gives a service 90 s to stop by itself (DefaultTimeoutStopSec=). */
#define SECONDS 120

static bool uses(const struct mp_config *config, const struct mp_hostpci *line)
{
	if (line->problem)
		return false;
	for (guint d = 0; d < line->devices->len; d++) {
		const struct mp_pci *device = line->devices->pdata[d];

		if (!config->cards->len || mp_config_pin(config, device->bdf))
			return true;
	}
	return false;
}

bool mp_hook_wants_services(const struct mp_config *config, const struct mp_vm *vm)
{
	if (!config->services->len)
		return false;
	for (guint i = 0; i < vm->hostpci->len; i++)
		if (uses(config, vm->hostpci->pdata[i]))
			return true;
	return false;
}

const struct mp_vm *mp_hook_services_user(const struct mp_host *host,
	const struct mp_config *config, const struct mp_vm *vm)
{
	for (guint i = 0; i < host->guests->vms->len; i++) {
		const struct mp_vm *other = host->guests->vms->pdata[i];

		if (other != vm && other->running &&
			mp_hook_wants_services(config, other))
			return other;
	}
	return NULL;
}

/* ARGS NULL-ended, before the names. */
static bool systemctl(struct mp_target *target, const char *const *args,
	const GPtrArray *names, GString *output, GError **error)
{
	g_autoptr(GPtrArray) all = g_ptr_array_new();

	mp_hook_doing("systemctl %s", *args);
	for (; *args; args++)
		g_ptr_array_add(all, (gpointer)*args);
	for (guint i = 0; i < names->len; i++)
		g_ptr_array_add(all, names->pdata[i]);
	g_ptr_array_add(all, NULL);
	const struct mp_program_call call = {
		.program = MP_PROGRAM_SYSTEMCTL,
		.args = (const char *const *)all->pdata,
		.target = target,
		.seconds = SECONDS,
		.output = output,
	};

	return mp_program_call(&call, error);
}

static void say_names(const char *what, const GPtrArray *names)
{
	g_autoptr(GString) line = g_string_new(what);

	for (guint i = 0; i < names->len; i++)
		g_string_append_printf(line, " %s", (const char *)names->pdata[i]);
	mp_hook_say(NULL, line->str);
}

/* One state a unit, in their order, a blank line between two. */
static bool find_active(struct mp_target *target, const GPtrArray *services,
	GPtrArray *active, GError **error)
{
	static const char *const show[] = { "show", "--property=ActiveState", "--value",
		"--", NULL };
	g_autoptr(GString) output = g_string_new(NULL);
	g_auto(GStrv) lines = NULL;
	guint n = 0;

	if (!systemctl(target, show, services, output, error))
		return false;
	lines = g_strsplit(output->str, "\n", -1);
	for (char **line = lines; *line; line++) {
		if (!**line)
			continue;
		if (n < services->len && strcmp(*line, "inactive") != 0 &&
			strcmp(*line, "failed") != 0)
			g_ptr_array_add(active, services->pdata[n]);
		n++;
	}
	if (n == services->len)
		return true;
	g_set_error(error, MP_ERROR, MP_ERROR_IO,
		"systemctl show: %u states for %u services", n, services->len);
	return false;
}

bool mp_hook_stop_services(struct mp_target *target, const struct mp_config *config,
	GPtrArray *stopped, GError **error)
{
	static const char *const stop[] = { "stop", "--", NULL };
	g_autoptr(GPtrArray) active = g_ptr_array_new();

	if (!find_active(target, config->services, active, error))
		return false;
	if (!active->len)
		return true;
	say_names("stopping what uses the cards:", active);
	for (guint i = 0; i < active->len; i++)
		g_ptr_array_add(stopped, g_strdup(active->pdata[i]));
	return systemctl(target, stop, active, NULL, error);
}

bool mp_hook_start_services(
	struct mp_target *target, const GPtrArray *services, GError **error)
{
	static const char *const start[] = { "start", "--", NULL };

	if (!services->len)
		return true;
	say_names("starting again what uses the cards:", services);
	return systemctl(target, start, services, NULL, error);
}
