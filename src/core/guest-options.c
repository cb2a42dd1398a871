/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "core/boot.h"
#include "core/guest-options.h"
#include "core/modules.h"
#include "core/pci.h"
#include "core/platform.h"
#include "core/template.h"

/* --- options --- */

static void option_free(void *data)
{
	struct mp_guest_option *option = data;

	g_free(option->module);
	g_free(option->name);
	g_free(option->value);
	g_free(option->text);
	g_free(option);
}

GPtrArray *mp_guest_options_array(void)
{
	return g_ptr_array_new_with_free_func(option_free);
}

void mp_guest_options_parse(GPtrArray *options, const char *line)
{
	g_auto(GStrv) words = g_strsplit_set(line, " \t\r\n", -1);
	const char *module = NULL;

	for (char **word = words; *word; word++) {
		const char *equals = strchr(*word, '=');
		struct mp_guest_option *option;

		if (!**word)
			continue;
		if (!module) {
			module = *word;
			continue;
		}
		option = g_new(struct mp_guest_option, 1);
		*option = (struct mp_guest_option){
			.module = g_strdup(module),
			.name = equals ? g_strndup(*word, (gsize)(equals - *word))
				       : g_strdup(*word),
			.value = g_strdup(equals ? equals + 1 : ""),
			.text = g_strdup_printf("%s %s", module, *word),
		};
		g_ptr_array_add(options, option);
	}
}

/* Parameters of type bool read as Y and N (kernel/params.c: param_get_bool()), and are
 * given by their first letter too (lib/kstrtox.c: kstrtobool()). */
bool mp_guest_value_is(const char *wanted, const char *value)
{
	if (!strcmp(wanted, value))
		return true;
	return (!strcmp(wanted, "1") && !g_ascii_strcasecmp(value, "y")) ||
	       (!strcmp(wanted, "0") && !g_ascii_strcasecmp(value, "n"));
}

bool mp_guest_option_given(
	const GPtrArray *lines, const struct mp_guest_option *option, const char **file)
{
	g_autofree char *value =
		mp_modprobe_option(lines, option->module, option->name, file);

	return value && mp_guest_value_is(option->value, value);
}

const struct mp_module_parameter *mp_guest_option_running(
	const struct mp_host *host, const struct mp_guest_option *option)
{
	const GPtrArray *modules = host->drivers ? host->drivers->modules : NULL;

	for (guint i = 0; modules && i < modules->len; i++) {
		const struct mp_driver_module *module = modules->pdata[i];

		if (mp_cmdline_name_is(module->name, option->module))
			return mp_driver_parameter(module, option->name);
	}
	return NULL;
}

/* --- versions --- */

struct mp_versions mp_guest_versions(const struct mp_host *host,
	const struct mp_pci *device, const struct mp_versions *given)
{
	const struct mp_driver_module *module = mp_driver_module(host, device);
	const struct mp_fact *release =
		host->platform ? &host->platform->kernel_release : NULL;
	struct mp_versions versions = *given;

	if (!versions.driver && module && module->version.know == MP_KNOWN)
		versions.driver = module->version.text;
	if (!versions.kernel && release && release->know == MP_KNOWN)
		versions.kernel = release->text;
	return versions;
}

/* --- the need --- */

static char **reasons_of(const struct mp_profile *profile,
	const struct mp_versions *versions, enum mp_applies wanted)
{
	GPtrArray *reasons = g_ptr_array_new();

	for (guint i = 0; i < profile->known_bad->len; i++) {
		const struct mp_known_bad *bad = profile->known_bad->pdata[i];

		if (mp_known_bad_applies(bad, versions) == wanted)
			g_ptr_array_add(reasons, g_strdup(bad->reason));
	}
	g_ptr_array_add(reasons, NULL);
	return (char **)g_ptr_array_free(reasons, FALSE);
}

struct mp_guest_need *mp_guest_need_new(
	const struct mp_profile *profile, const struct mp_versions *versions)
{
	struct mp_guest_need *need = g_new(struct mp_guest_need, 1);
	const char *least = profile->guest_driver_min;

	*need = (struct mp_guest_need){
		.profile = profile,
		.versions = *versions,
		.options = mp_guest_options_array(),
		.hits = reasons_of(profile, versions, MP_APPLIES_YES),
		.maybes = reasons_of(profile, versions, MP_APPLIES_MAYBE),
		.by_version = least && !versions->driver,
	};
	for (guint i = 0; i < profile->guest_options->len; i++)
		mp_guest_options_parse(need->options, profile->guest_options->pdata[i]);
	need->without = versions->driver && least &&
			mp_version_compare(versions->driver, least) >= 0 &&
			!*need->hits && !*need->maybes;
	return need;
}

void mp_guest_need_free(struct mp_guest_need *need)
{
	if (!need)
		return;
	g_ptr_array_unref(need->options);
	g_strfreev(need->hits);
	g_strfreev(need->maybes);
	g_free(need);
}

char *mp_guest_need_why(const struct mp_guest_need *need)
{
	const char *least = need->profile->guest_driver_min;

	if (*need->hits)
		return g_strjoinv("\n", need->hits);
	if (!least)
		return g_strdup_printf(
			"Profile %s wants them in a VM.", need->profile->name);
	if (!need->versions.driver)
		return g_strdup_printf(
			"They work with any version of driver and firmware; a driver from %s on, "
			"with firmware that supports it, may do without them.",
			least);
	return g_strdup_printf(
		"Whether driver %s can do without them depends on the card's "
		"firmware, which was not named.",
		need->versions.driver);
}

/* The options as lines, those of one module that follow each other on one. */
static char *option_lines(const struct mp_guest_need *need, const bool *skip)
{
	GString *lines = g_string_new(NULL);
	const char *module = NULL;

	for (guint i = 0; i < need->options->len; i++) {
		const struct mp_guest_option *option = need->options->pdata[i];
		const char *words = option->text + strlen(option->module);

		if (skip && skip[i])
			continue;
		if (module && !strcmp(module, option->module))
			g_string_append(lines, words);
		else
			g_string_append_printf(lines, "%soptions %s",
				lines->len ? "\n" : "", option->text);
		module = option->module;
	}
	return g_string_free(lines, FALSE);
}

char *mp_guest_need_text(
	const struct mp_guest_need *need, const char *why, const bool *skip)
{
	g_autoptr(GString) comment = g_string_new(NULL);
	g_autofree char *options = option_lines(need, skip);
	g_auto(GStrv) lines = g_strsplit(why, "\n", -1);

	for (char **line = lines; *line; line++) {
		g_autofree char *text = mp_template_comment("# ", "# ", *line);

		g_string_append(comment, text);
	}

	const char *const places[] = {
		"PROFILE",
		need->profile->name,
		"WHY",
		comment->str,
		"OPTIONS",
		options,
		NULL,
	};

	return mp_template_fill("guest/modprobe.conf", places);
}
