/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The promise that a driver gets its options inside of a VM: modprobe.d, the images that load
 * its module, and the driver that runs. */
#include "config.h"

#include <string.h>

#include "core/boot.h"
#include "core/drivers.h"
#include "core/guest-options.h"
#include "core/initramfs.h"
#include "core/modules.h"
#include "core/promise/judge.h"

/* --- modprobe.d --- */

static bool say_other(struct mp_judge *judge, const struct mp_guest_option *option)
{
	const struct mp_modules *modules = judge->host->modules;
	const char *file = NULL;
	struct mp_finding *finding;

	if (mp_guest_option_given(modules->modprobe, option, &file))
		return false;
	if (modules->unreadable->len) {
		finding = mp_judge_say(judge, MP_UNSURE,
			"Whether the module gets '%s' is not known: not all files could be "
			"read",
			option->text);
		mp_finding_fact(finding, modules->unreadable->pdata[0]);
		mp_finding_remedy(finding, "run as root: metis-passthrough status");
		return true;
	}
	finding = mp_judge_say(judge, MP_FAIL,
		file ? "Another file says otherwise, and wins: the module does not get '%s'"
		     : "Nothing gives the module '%s' any more",
		option->text);
	mp_finding_evidence(finding, file ? file : "modprobe.d", "%s",
		file ? "sets it otherwise, and is read last" : "no such option");
	mp_finding_remedy(
		finding, "metis-passthrough guest apply --dry-run says what to do");
	return true;
}

/* --- images --- */

static bool say_image(struct mp_judge *judge, const struct mp_guest_option *option)
{
	const struct mp_initramfs *initramfs = judge->host->initramfs;

	for (guint i = 0; initramfs && i < initramfs->images->len; i++) {
		const struct mp_image *image = initramfs->images->pdata[i];
		struct mp_finding *finding;

		if (image->fact.know == MP_UNKNOWN) {
			finding = mp_judge_say(judge, MP_UNSURE,
				"Whether %s loads the module with '%s' is not known",
				image->path, option->text);
			mp_finding_fact(finding, &image->fact);
			mp_finding_remedy(
				finding, "run as root: metis-passthrough status");
			return true;
		}
		if (image->fact.know != MP_KNOWN ||
			!mp_image_has_module(image, option->module) ||
			mp_guest_option_given(image->modprobe, option, NULL))
			continue;
		finding = mp_judge_say(judge, MP_FAIL, "%s loads the module without '%s'",
			image->path, option->text);
		mp_finding_fact(finding, &image->fact);
		mp_finding_remedy(finding, "update-initramfs -u -k %s", image->kernel);
		return true;
	}
	return false;
}

/* --- the driver that runs --- */

/* A driver without such a parameter in sysfs: by what it was loaded cannot be seen. */
static bool say_running(struct mp_judge *judge, const struct mp_guest_option *option)
{
	const struct mp_module_parameter *parameter =
		mp_guest_option_running(judge->host, option);
	struct mp_finding *finding;

	if (!mp_module_loaded(judge->host, option->module))
		return false;
	if (parameter && parameter->value.know == MP_KNOWN &&
		mp_guest_value_is(option->value, parameter->value.text))
		return false;
	if (!parameter && judge->booted == MP_BOOTED_SINCE)
		return false;
	finding = mp_judge_say_not_yet(judge,
		parameter && parameter->value.know == MP_KNOWN
			? "the driver that runs was not loaded with '%s'"
			: "whether the driver that runs was loaded with '%s' is not shown",
		option->text);
	if (parameter)
		mp_finding_fact(finding, &parameter->value);
	if (finding->severity == MP_FAIL)
		mp_finding_remedy(finding,
			"stop what uses the card, then: modprobe -r %s && modprobe %s",
			option->module, option->module);
	return true;
}

/* The options of the promise, or NULL after a finding that says why not. */
static GPtrArray *options_of(struct mp_judge *judge)
{
	g_autoptr(GPtrArray) options = mp_guest_options_array();
	json_object *list = NULL;
	size_t count;

	if (!json_object_object_get_ex(judge->promise, "options", &list) ||
		!json_object_is_type(list, json_type_array)) {
		mp_judge_say_malformed(judge, "it has no options");
		return NULL;
	}
	count = json_object_array_length(list);
	for (size_t i = 0; i < count; i++) {
		json_object *item = json_object_array_get_idx(list, i);

		if (json_object_is_type(item, json_type_string))
			mp_guest_options_parse(options, json_object_get_string(item));
		if (options->len == i + 1)
			continue;
		mp_judge_say_malformed(judge, "one of its options is none");
		return NULL;
	}
	return g_steal_pointer(&options);
}

void mp_judge_guest_options(struct mp_judge *judge)
{
	g_autoptr(GPtrArray) options = options_of(judge);

	for (guint i = 0; options && i < options->len; i++) {
		const struct mp_guest_option *option = options->pdata[i];

		if (say_other(judge, option) || say_image(judge, option) ||
			say_running(judge, option))
			return;
	}
	if (options)
		mp_judge_say(judge, MP_PASS,
			options->len ? "The driver gets the options that it was to get"
				     : "No options were wanted");
}
