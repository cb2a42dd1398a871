/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "core/pci.h"
#include "core/pin.h"
#include "judging.h"

/* A device that is not there is a finding, if the check that tells it runs. */
static bool missing_is_told(const struct mp_judging_options *options,
	const struct mp_host *host, const struct mp_choice *choice, GError **error)
{
	const char *id = "device-present";

	if (!choice->missing->len ||
		(mp_check_find(id) &&
			(!options->check || g_pattern_match_simple(options->check, id))))
		return true;
	g_set_error(error, MP_ERROR, MP_ERROR_NOT_FOUND, "%s: is not on %s",
		(const char *)choice->missing->pdata[0], host->origin);
	return false;
}

/* Of each device. */
static GPtrArray *load_profiles(const GPtrArray *wanted, GError **error)
{
	g_autoptr(GPtrArray) profiles =
		g_ptr_array_new_with_free_func((GDestroyNotify)mp_profile_free);

	for (guint i = 0; i < wanted->len; i++) {
		struct mp_profile *profile =
			mp_profile_for_device(wanted->pdata[i], error);

		if (!profile)
			return NULL;
		g_ptr_array_add(profiles, profile);
	}
	return g_steal_pointer(&profiles);
}

/* Where host or VM are judged for all of them: the one that asks for the most. */
static const struct mp_profile *most_demanding(const GPtrArray *profiles)
{
	for (guint i = 0; i < profiles->len; i++) {
		const struct mp_profile *profile = profiles->pdata[i];

		if (profile->irq_delivery == MP_IRQ_DEVICE_PROGRAMMED)
			return profile;
	}
	return profiles->pdata[0];
}

/* "metis, edu": each once. */
static char *names_of(const GPtrArray *profiles)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new();

	for (guint i = 0; i < profiles->len; i++) {
		char *name = ((struct mp_profile *)profiles->pdata[i])->name;

		if (!g_ptr_array_find_with_equal_func(names, name, g_str_equal, NULL))
			g_ptr_array_add(names, name);
	}
	g_ptr_array_add(names, NULL);
	return g_strjoinv(", ", (char **)names->pdata);
}

static void sum_up(struct mp_preflight_report *report)
{
	bool blocked = false;

	for (guint i = 0; i < report->findings->len; i++) {
		const struct mp_finding *finding = report->findings->pdata[i];
		enum mp_severity severity = finding->severity;

		if (finding->waiver && severity > MP_INFO)
			severity = MP_INFO;
		report->counts[severity]++;
		blocked = blocked || severity == MP_FAIL ||
			  (report->strict &&
				  (severity == MP_WARN || severity == MP_UNSURE));
	}
	report->exit_code = blocked ? MP_EXIT_FINDING : MP_EXIT_OK;
}

/* Nothing is named, and the report is about the VM: what it is given, and what the
 * configuration says that it shall be given. Other cards of the host are not its business. */
static void choose_of_vm(const struct mp_choose_from *from, struct mp_choice *choice)
{
	const struct mp_config *config = from->config;
	bool configured = config->vm && !strcmp(config->vm, from->vm->id);

	for (guint i = 0; i < from->vm->hostpci->len; i++) {
		const struct mp_hostpci *line = from->vm->hostpci->pdata[i];

		for (guint d = 0; d < line->devices->len; d++)
			mp_choice_want(choice, line->devices->pdata[d]);
	}
	for (guint i = 0; configured && i < config->cards->len; i++) {
		const struct mp_pin *pin = config->cards->pdata[i];
		struct mp_pci *device = mp_host_device(from->host, pin->address);

		if (device)
			mp_choice_want(choice, device);
	}
}

static bool choose(const struct mp_judging_options *options,
	const struct mp_choose_from *from, struct mp_choice *choice, GError **error)
{
	const struct mp_choose_options *named = options->choose;

	mp_choice_init(choice);
	if (options->vm_alone && !named->devices && !named->id && !named->profile) {
		choose_of_vm(from, choice);
		return true;
	}
	return mp_choose(named, from, choice, error) &&
	       missing_is_told(options, from->host, choice, error);
}

static int judge(const struct mp_judging_options *options,
	const struct mp_render_ops *ops, const struct mp_render_style *style,
	GError **error)
{
	g_autoptr(mp_root) root = mp_root_open(options->sysroot, error);
	g_autoptr(mp_host) host = NULL;
	g_autoptr(mp_config) config = NULL;
	g_autoptr(mp_profile) profile = NULL;
	g_autoptr(GPtrArray) profiles = NULL;
	g_autofree char *names = NULL;
	g_auto(mp_choice) choice = { NULL, NULL };
	g_autoptr(GPtrArray) findings =
		g_ptr_array_new_with_free_func((GDestroyNotify)mp_finding_free);
	struct mp_vm *vm = NULL;

	if (!root)
		return 0;
	config = mp_config_load(root, error);
	if (!config)
		return 0;
	if (options->choose->profile &&
		!(profile = mp_profile_load(options->choose->profile, error)))
		return 0;
	host = mp_host_load(root, MP_TOPIC_ALL, error);
	if (!host || (options->vm && !(vm = mp_vm_find(host, options->vm, error))))
		return 0;

	struct mp_choose_from from = {
		.host = host,
		.config = config,
		.profile = profile,
		.vm = vm ? vm->next : NULL,
	};

	if (!choose(options, &from, &choice, error))
		return 0;
	if (!profile && !choice.wanted->len &&
		!(profile = mp_profile_load("generic", error)))
		return 0;
	if (!profile && !(profiles = load_profiles(choice.wanted, error)))
		return 0;
	names = profiles ? names_of(profiles) : g_strdup(profile->name);

	struct mp_check_ctx ctx = {
		.host = host,
		.profile = profiles ? most_demanding(profiles) : profile,
		.profiles = profiles,
		.config = config,
		.wanted = choice.wanted,
		.missing = choice.missing,
		.vm = vm,
		.guest = options->guest,
		.findings = findings,
	};
	struct mp_preflight_report report = {
		.host = host,
		.profile = names,
		.wanted = choice.wanted,
		.vm = vm ? vm->id : NULL,
		.findings = findings,
		.only = options->check,
		.vm_alone = options->vm_alone,
		.in_guest = options->guest != NULL,
		.strict = options->strict,
	};

	mp_checks_run(&ctx, options->check);
	if (!findings->len) {
		/* Silence would read as "ready". */
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
			"--check %s: none of these was run; they judge a device or a VM, name one; "
			"those of a guest's inside are run by 'guest check'",
			options->check ? options->check : "*");
		return 0;
	}
	sum_up(&report);
	ops->preflight(&report, style, stdout);
	return report.exit_code;
}

int mp_judge(const struct mp_judging_options *options, GError **error)
{
	const struct mp_render_ops *ops = mp_cmd_format(options->format, error);
	struct mp_render_style style = { .verbose = options->verbose };

	if (!ops || !mp_cmd_style(options->color, &style, error))
		return 0;
	if (!ops->preflight) {
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
			"findings have no format '%s'", ops->name);
		return 0;
	}
	return judge(options, ops, &style, error);
}
