/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guest's driver: is it there, may its version be used, does it have its options? */
#include "config.h"

#include <string.h>

#include "core/boot.h"
#include "core/checks/guest.h"
#include "core/drivers.h"
#include "core/guest-options.h"
#include "core/modules.h"
#include "core/pci.h"
#include "core/profile.h"

bool mp_guest_is_driven(const struct mp_pci *device)
{
	return device->driver.know == MP_KNOWN &&
	       strcmp(device->driver.text, "vfio-pci") != 0;
}

/* --- guest-driver --- */

static bool is_of_profile(const struct mp_check_ctx *ctx)
{
	const GPtrArray *drivers = ctx->profile->drivers;

	for (guint i = 0; i < drivers->len; i++)
		if (mp_fact_is(&ctx->device->driver, drivers->pdata[i]))
			return true;
	return !drivers->len && mp_guest_is_driven(ctx->device);
}

static char *how_to_load(const struct mp_check_ctx *ctx)
{
	const GPtrArray *modules = ctx->profile->modules;

	return modules->len
		       ? g_strdup_printf("'modprobe %s'", (const char *)modules->pdata[0])
		       : g_strdup("loading its module");
}

void mp_check_guest_driver(struct mp_check_ctx *ctx)
{
	const struct mp_pci *device = ctx->device;
	g_autofree char *load = how_to_load(ctx);
	struct mp_finding *f;

	if (device->driver.know == MP_UNKNOWN) {
		f = mp_check_say(ctx, MP_UNSURE, "Which driver has %s could not be read",
			device->bdf);
		mp_finding_remedy(f, "Run as root: 'lspci -k -s %s'.", device->bdf);
	} else if (device->driver.know == MP_ABSENT) {
		f = mp_check_say(ctx, MP_WARN, "No driver has %s", device->bdf);
		mp_finding_remedy(f,
			"Install the card's driver for this kernel, then try %s; 'journalctl -k "
			"-g %s' tells whether it gave up.",
			load, device->bdf);
	} else if (is_of_profile(ctx)) {
		f = mp_check_say(ctx, MP_PASS, "%s has its driver, %s", device->bdf,
			device->driver.text);
	} else {
		f = mp_check_say(ctx, MP_WARN, "%s is with %s, not with its own driver",
			device->bdf, device->driver.text);
		mp_finding_fact(f, &device->driver_override);
		mp_finding_remedy(f,
			"Where that is not meant so: empty "
			"/sys/bus/pci/devices/%s/driver_override, 'echo %s > "
			"/sys/bus/pci/drivers/%s/unbind', %s and 'echo %s > "
			"/sys/bus/pci/drivers_probe'.",
			device->bdf, device->bdf, device->driver.text, load, device->bdf);
	}
	mp_finding_fact(f, &device->driver);
	mp_finding_fact(f, &device->driver_module);
}

/* --- versions --- */

/* What was named goes before what the module says. */
static struct mp_guest_need *need_of(const struct mp_check_ctx *ctx)
{
	struct mp_versions versions =
		mp_guest_versions(ctx->host, ctx->device, ctx->guest);

	return mp_guest_need_new(ctx->profile, &versions);
}

static void add_versions(struct mp_finding *f, const struct mp_check_ctx *ctx,
	const struct mp_guest_need *need)
{
	const struct mp_driver_module *module = mp_driver_module(ctx->host, ctx->device);

	if (module)
		mp_finding_fact(f, &module->version);
	if (ctx->guest->driver)
		mp_finding_evidence(f, "--driver-version", "%s", ctx->guest->driver);
	if (ctx->guest->firmware)
		mp_finding_evidence(f, "--firmware-version", "%s", ctx->guest->firmware);
	if (*need->maybes) {
		g_autofree char *maybes = g_strjoinv("; ", need->maybes);

		mp_finding_evidence(f, "may apply", "%s", maybes);
	}
}

void mp_check_guest_driver_version(struct mp_check_ctx *ctx)
{
	bool set = ctx->profile->guest_options->len && mp_guest_options_set(ctx);
	g_autoptr(mp_guest_need) need = need_of(ctx);
	g_autofree char *hits = g_strjoinv("; ", need->hits);
	const char *driver = need->versions.driver, *firmware = need->versions.firmware;
	struct mp_finding *f;

	if (!ctx->profile->known_bad->len) {
		mp_check_say(ctx, MP_SKIP, "Profile %s warns of no version",
			ctx->profile->name);
		return;
	}
	if (*need->hits) {
		f = mp_check_say(
			ctx, set ? MP_INFO : MP_WARN, "%s: %s", ctx->device->bdf, hits);
		if (!set)
			mp_finding_remedy(f,
				"Use versions of driver and firmware that belong together; until "
				"then see guest-driver-options.");
	} else if (*need->maybes && !set) {
		f = mp_check_say(ctx, MP_UNSURE,
			"%s: whether %s%s may be used in a VM is not known",
			ctx->device->bdf, driver ? "driver " : "its driver",
			driver ? driver : "");
		mp_finding_remedy(f, "Name what is installed: %s%s%s.",
			driver ? "" : "--driver-version",
			driver || firmware ? "" : " and ",
			firmware ? "" : "--firmware-version");
	} else if (*need->maybes) {
		f = mp_check_say(ctx, MP_INFO,
			"%s: not all versions are known; with the profile's options in force "
			"they work together, by the profile",
			ctx->device->bdf);
	} else {
		f = mp_check_say(ctx, MP_PASS,
			"%s: nothing is known against driver %s%s%s", ctx->device->bdf,
			driver ? driver : "(any)", firmware ? " with firmware " : "",
			firmware ? firmware : "");
	}
	add_versions(f, ctx, need);
}

/* --- guest-driver-options --- */

enum option_state { OPTION_SET, OPTION_OTHER, OPTION_ABSENT, OPTION_UNKNOWN };

static enum option_state option_state(const struct mp_driver_module *module,
	const struct mp_guest_option *option,
	const struct mp_module_parameter **parameter)
{
	if (!module || module->parameters_fact.know == MP_UNKNOWN)
		return OPTION_UNKNOWN;
	if (!mp_cmdline_name_is(module->name, option->module))
		return OPTION_UNKNOWN;
	*parameter = mp_driver_parameter(module, option->name);
	if (!*parameter)
		return OPTION_ABSENT;
	if ((*parameter)->value.know != MP_KNOWN)
		return OPTION_UNKNOWN;
	return mp_guest_value_is(option->value, (*parameter)->value.text) ? OPTION_SET
									  : OPTION_OTHER;
}

/* The first that is not set, or the last; OPTION_SET: all are. */
static enum option_state options_state(const struct mp_check_ctx *ctx,
	const struct mp_guest_need *need, const struct mp_guest_option **option,
	const struct mp_module_parameter **parameter)
{
	const struct mp_driver_module *module = mp_driver_module(ctx->host, ctx->device);

	*parameter = NULL;
	*option = NULL;
	for (guint i = 0; i < need->options->len; i++) {
		enum option_state state;

		*option = need->options->pdata[i];
		state = option_state(module, *option, parameter);
		if (state != OPTION_SET)
			return state;
	}
	return OPTION_SET;
}

bool mp_guest_options_set(const struct mp_check_ctx *ctx)
{
	g_autoptr(mp_guest_need) need = need_of(ctx);
	const struct mp_module_parameter *parameter;
	const struct mp_guest_option *option;

	return options_state(ctx, need, &option, &parameter) == OPTION_SET;
}

/* --- what is written down for the next time that the module is loaded --- */

/* The value that modprobe would give, or NULL. Caller frees. */
static char *written(const struct mp_check_ctx *ctx, const struct mp_guest_option *option,
	const char **file)
{
	const struct mp_modules *modules = ctx->host->modules;

	return modules ? mp_modprobe_option(
				 modules->modprobe, option->module, option->name, file)
		       : NULL;
}

static char *apply_command(const struct mp_check_ctx *ctx)
{
	return g_strdup_printf("'metis-passthrough guest apply --device %s%s%s%s%s'",
		ctx->device->bdf, ctx->guest->driver ? " --driver-version " : "",
		ctx->guest->driver ? ctx->guest->driver : "",
		ctx->guest->firmware ? " --firmware-version " : "",
		ctx->guest->firmware ? ctx->guest->firmware : "");
}

/* STATE: not OPTION_SET. FILE: that has it already, or NULL. */
static void add_remedy(struct mp_finding *f, const struct mp_check_ctx *ctx,
	const struct mp_guest_need *need, const struct mp_guest_option *option,
	enum option_state state, const char *file)
{
	g_autofree char *apply = apply_command(ctx);

	if (file && state == OPTION_OTHER) {
		mp_finding_remedy(f,
			"Reboot the guest; or stop what uses the card, then 'modprobe -r %s && "
			"modprobe %s'.",
			option->module, option->module);
		return;
	}
	if (file) {
		mp_finding_remedy(f,
			"%s gives it the option. Load the module again, or reboot, if that is "
			"newer than the driver that runs; 'modinfo -p %s' tells which "
			"parameters this version has.",
			file, option->module);
		return;
	}
	mp_finding_remedy(f,
		"As root, %s writes 'options %s' into " MP_FILE_GUEST
		"; then load the module again (or reboot the guest).%s",
		apply, option->text,
		need->profile->guest_driver_min
			? " A driver that can do without is known by --driver-version "
			  "and --firmware-version."
			: "");
}

static struct mp_finding *say_unset(struct mp_check_ctx *ctx,
	const struct mp_guest_need *need, const struct mp_guest_option *option,
	enum option_state state, const char *file)
{
	const char *bdf = ctx->device->bdf;

	if (state == OPTION_UNKNOWN)
		return mp_check_say(ctx, MP_UNSURE,
			"%s: whether its driver has the option '%s' is not known", bdf,
			option->text);
	if (state == OPTION_ABSENT)
		return mp_check_say(ctx, MP_WARN,
			"%s: its driver shows no parameter for '%s'", bdf, option->text);
	if (file)
		return mp_check_say(ctx, MP_WARN,
			"%s: pending: %s has '%s', but the driver that runs was loaded "
			"without it",
			bdf, file, option->text);
	return mp_check_say(ctx, MP_WARN,
		"%s: its driver has not the option '%s', and %s", bdf, option->text,
		*need->hits ? "the profile warns of its version: see guest-driver-version"
			    : "that it can do without is not known");
}

static void say_options(struct mp_check_ctx *ctx, const struct mp_guest_need *need)
{
	const struct mp_module_parameter *parameter = NULL;
	const struct mp_guest_option *option = NULL;
	enum option_state state = options_state(ctx, need, &option, &parameter);
	const struct mp_versions *versions = &need->versions;
	g_autofree char *value = NULL;
	const char *file = NULL;
	struct mp_finding *f;

	if (state == OPTION_SET) {
		f = mp_check_say(ctx, MP_PASS,
			"%s: its driver has the options for a VM (%s)", ctx->device->bdf,
			(const char *)ctx->profile->guest_options->pdata[0]);
	} else if (need->without) {
		f = mp_check_say(ctx, MP_PASS,
			"%s: driver %s with firmware %s needs no option (by profile %s)",
			ctx->device->bdf, versions->driver,
			versions->firmware ? versions->firmware : "of any version",
			ctx->profile->name);
	} else {
		bool right;

		value = written(ctx, option, &file);
		right = value && mp_guest_value_is(option->value, value);
		f = say_unset(ctx, need, option, state, right ? file : NULL);
		add_remedy(f, ctx, need, option, state, right ? file : NULL);
	}
	if (parameter)
		mp_finding_fact(f, &parameter->value);
	if (value)
		mp_finding_evidence(f, file, "options %s %s%s%s", option->module,
			option->name, *value ? "=" : "", value);
	add_versions(f, ctx, need);
}

void mp_check_guest_driver_options(struct mp_check_ctx *ctx)
{
	g_autoptr(mp_guest_need) need = need_of(ctx);

	if (!need->options->len) {
		mp_check_say(ctx, MP_SKIP, "Profile %s wants no options in a guest",
			ctx->profile->name);
		return;
	}
	if (ctx->device->driver.know == MP_ABSENT ||
		(ctx->device->driver.know == MP_KNOWN && !is_of_profile(ctx))) {
		mp_check_say(ctx, MP_SKIP,
			"%s is not with its own driver: see guest-driver",
			ctx->device->bdf);
		return;
	}
	say_options(ctx, need);
}
