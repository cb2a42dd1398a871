/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guest's driver: is it there, may its version be used, does it have its options? */
#include "config.h"

#include <string.h>

#include "core/checks/guest.h"
#include "core/drivers.h"
#include "core/known-bad.h"
#include "core/pci.h"
#include "core/platform.h"
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

struct judged {
	struct mp_versions versions;
	GString *hits, *maybes; /* reasons, joined */
};

static void add_reason(GString *text, const char *reason)
{
	g_string_append_printf(text, "%s%s", text->len ? "; " : "", reason);
}

/* What was named goes before what the module says: a firmware's update, a later install. */
static void judge(const struct mp_check_ctx *ctx, struct judged *j)
{
	const struct mp_driver_module *module = mp_driver_module(ctx->host, ctx->device);
	const struct mp_fact *release =
		ctx->host->platform ? &ctx->host->platform->kernel_release : NULL;

	j->versions = *ctx->guest;
	if (!j->versions.driver && module && module->version.know == MP_KNOWN)
		j->versions.driver = module->version.text;
	if (!j->versions.kernel && release && release->know == MP_KNOWN)
		j->versions.kernel = release->text;
	j->hits = g_string_new(NULL);
	j->maybes = g_string_new(NULL);
	for (guint i = 0; i < ctx->profile->known_bad->len; i++) {
		const struct mp_known_bad *bad = ctx->profile->known_bad->pdata[i];
		enum mp_applies applies = mp_known_bad_applies(bad, &j->versions);

		if (applies == MP_APPLIES_YES)
			add_reason(j->hits, bad->reason);
		if (applies == MP_APPLIES_MAYBE)
			add_reason(j->maybes, bad->reason);
	}
}

static void judged_clear(struct judged *j)
{
	g_string_free(j->hits, TRUE);
	g_string_free(j->maybes, TRUE);
}

static void add_versions(
	struct mp_finding *f, const struct mp_check_ctx *ctx, const struct judged *j)
{
	const struct mp_driver_module *module = mp_driver_module(ctx->host, ctx->device);

	if (module)
		mp_finding_fact(f, &module->version);
	if (ctx->guest->driver)
		mp_finding_evidence(f, "--driver-version", "%s", ctx->guest->driver);
	if (ctx->guest->firmware)
		mp_finding_evidence(f, "--firmware-version", "%s", ctx->guest->firmware);
	if (j->maybes->len)
		mp_finding_evidence(f, "may apply", "%s", j->maybes->str);
}

void mp_check_guest_driver_version(struct mp_check_ctx *ctx)
{
	bool set = ctx->profile->guest_options->len && mp_guest_options_set(ctx);
	struct mp_finding *f;
	struct judged j;

	if (!ctx->profile->known_bad->len) {
		mp_check_say(ctx, MP_SKIP, "Profile %s warns of no version",
			ctx->profile->name);
		return;
	}
	judge(ctx, &j);
	if (j.hits->len) {
		f = mp_check_say(ctx, set ? MP_INFO : MP_WARN, "%s: %s", ctx->device->bdf,
			j.hits->str);
		if (!set)
			mp_finding_remedy(f,
				"Use versions of driver and firmware that belong together; until "
				"then see guest-driver-options.");
	} else if (j.maybes->len && !set) {
		f = mp_check_say(ctx, MP_UNSURE,
			"%s: whether %s%s may be used in a VM is not known",
			ctx->device->bdf, j.versions.driver ? "driver " : "its driver",
			j.versions.driver ? j.versions.driver : "");
		mp_finding_remedy(f, "Name what is installed: %s%s%s.",
			j.versions.driver ? "" : "--driver-version",
			j.versions.driver || j.versions.firmware ? "" : " and ",
			j.versions.firmware ? "" : "--firmware-version");
	} else if (j.maybes->len) {
		f = mp_check_say(ctx, MP_INFO,
			"%s: not all versions are known; with the profile's options in force "
			"they work together, by the profile",
			ctx->device->bdf);
	} else {
		f = mp_check_say(ctx, MP_PASS,
			"%s: nothing is known against driver %s%s%s", ctx->device->bdf,
			j.versions.driver ? j.versions.driver : "(any)",
			j.versions.firmware ? " with firmware " : "",
			j.versions.firmware ? j.versions.firmware : "");
	}
	add_versions(f, ctx, &j);
	judged_clear(&j);
}

/* --- guest-driver-options --- */

enum option_state { OPTION_SET, OPTION_OTHER, OPTION_ABSENT, OPTION_UNKNOWN };

/* Parameters of type bool read as Y and N (kernel/params.c: param_get_bool()). */
static bool same_value(const char *wanted, const char *is)
{
	if (!strcmp(wanted, is))
		return true;
	return (!strcmp(wanted, "1") && !strcmp(is, "Y")) ||
	       (!strcmp(wanted, "0") && !strcmp(is, "N"));
}

/* OPTION: "metis dma_poll=1", the options of one module. *PARAMETER: the one that decides. */
static enum option_state option_state(const struct mp_driver_module *module,
	const char *option, const struct mp_module_parameter **parameter)
{
	g_auto(GStrv) words = g_strsplit(option, " ", -1);

	*parameter = NULL;
	if (!module || module->parameters_fact.know == MP_UNKNOWN)
		return OPTION_UNKNOWN;
	if (!words[0] || strcmp(words[0], module->name) != 0)
		return OPTION_UNKNOWN;
	for (char **word = words + 1; *word; word++) {
		char *equals = strchr(*word, '=');

		if (!equals)
			continue;
		*equals = '\0';
		*parameter = mp_driver_parameter(module, *word);
		if (!*parameter)
			return OPTION_ABSENT;
		if ((*parameter)->value.know != MP_KNOWN)
			return OPTION_UNKNOWN;
		if (!same_value(equals + 1, (*parameter)->value.text))
			return OPTION_OTHER;
	}
	return OPTION_SET;
}

/* The first that is not set; OPTION_SET: all are. */
static enum option_state options_state(const struct mp_check_ctx *ctx,
	const char **option, const struct mp_module_parameter **parameter)
{
	const struct mp_driver_module *module = mp_driver_module(ctx->host, ctx->device);

	*parameter = NULL;
	for (guint i = 0; i < ctx->profile->guest_options->len; i++) {
		enum option_state state;

		*option = ctx->profile->guest_options->pdata[i];
		state = option_state(module, *option, parameter);
		if (state != OPTION_SET)
			return state;
	}
	return OPTION_SET;
}

bool mp_guest_options_set(const struct mp_check_ctx *ctx)
{
	const struct mp_module_parameter *parameter;
	const char *option = NULL;

	return options_state(ctx, &option, &parameter) == OPTION_SET;
}

static void say_options(struct mp_check_ctx *ctx, const struct judged *j)
{
	const struct mp_module_parameter *parameter = NULL;
	const char *option = NULL, *least = ctx->profile->guest_driver_min;
	enum option_state state = options_state(ctx, &option, &parameter);
	/* As `vm generate --guest-driver` decides. */
	bool without = j->versions.driver && least &&
		       mp_version_compare(j->versions.driver, least) >= 0 &&
		       !j->hits->len && !j->maybes->len;
	struct mp_finding *f;

	if (state == OPTION_SET) {
		f = mp_check_say(ctx, MP_PASS,
			"%s: its driver has the options for a VM (%s)", ctx->device->bdf,
			(const char *)ctx->profile->guest_options->pdata[0]);
	} else if (without) {
		f = mp_check_say(ctx, MP_PASS,
			"%s: driver %s with firmware %s needs no option (by profile %s)",
			ctx->device->bdf, j->versions.driver,
			j->versions.firmware ? j->versions.firmware : "of any version",
			ctx->profile->name);
	} else if (state == OPTION_UNKNOWN) {
		f = mp_check_say(ctx, MP_UNSURE,
			"%s: whether its driver has the option '%s' is not known",
			ctx->device->bdf, option);
	} else if (state == OPTION_ABSENT) {
		f = mp_check_say(ctx, MP_WARN,
			"%s: its driver shows no parameter for '%s'", ctx->device->bdf,
			option);
	} else {
		f = mp_check_say(ctx, MP_WARN,
			"%s: its driver has not the option '%s', and %s",
			ctx->device->bdf, option,
			j->hits->len
				? "the profile warns of its version: see guest-driver-version"
				: "that it can do without is not known");
	}
	if (parameter)
		mp_finding_fact(f, &parameter->value);
	add_versions(f, ctx, j);
	if (f->severity > MP_INFO)
		mp_finding_remedy(f,
			"Write 'options %s' into /etc/modprobe.d/metis-passthrough.conf, then "
			"load the module again (or reboot the guest).%s",
			option,
			least ? " A driver that can do without is known by --driver-version "
				"and --firmware-version."
			      : "");
}

void mp_check_guest_driver_options(struct mp_check_ctx *ctx)
{
	struct judged j;

	if (!ctx->profile->guest_options->len) {
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
	judge(ctx, &j);
	say_options(ctx, &j);
	judged_clear(&j);
}
