/* SPDX-License-Identifier: GPL-2.0-or-later */
/* preflight: is this host, this card, this VM ready? */
#include "config.h"

#include <string.h>

#include "cmd.h"
#include "core/pci.h"
#include "core/profile.h"
#include "core/settings.h"
#include "core/vm.h"

static char *opt_sysroot, *opt_format, *opt_color, *opt_id, *opt_profile, *opt_vm,
	*opt_check;
static char **opt_devices;
static gboolean opt_strict, opt_list_checks, opt_verbose;

static const GOptionEntry options[] = {
	{ "device", 'd', 0, G_OPTION_ARG_STRING_ARRAY, &opt_devices,
		"judge the device at BDF (may be given more than once)", "BDF" },
	{ "id", 0, 0, G_OPTION_ARG_STRING, &opt_id, "judge every device with this id",
		"VENDOR:DEVICE" },
	{ "profile", 'p', 0, G_OPTION_ARG_STRING, &opt_profile,
		"profile name or file; alone: judge every device that it fits",
		"PROFILE" },
	{ "vm", 0, 0, G_OPTION_ARG_STRING, &opt_vm,
		"judge this VM too: its id or a config file", "VM" },
	{ "check", 'c', 0, G_OPTION_ARG_STRING, &opt_check,
		"only checks whose id matches GLOB", "GLOB" },
	{ "list-checks", 0, 0, G_OPTION_ARG_NONE, &opt_list_checks,
		"list all checks and stop", NULL },
	{ "strict", 0, 0, G_OPTION_ARG_NONE, &opt_strict,
		"warnings and unknowns block too (exit 1)", NULL },
	{ "verbose", 'v', 0, G_OPTION_ARG_NONE, &opt_verbose,
		"show passing checks with their evidence", NULL },
	MP_OPTION_FORMAT(opt_format, "text, json, junit"),
	MP_OPTION_SYSROOT(opt_sysroot),
	MP_OPTION_COLOR(opt_color),
	{ NULL },
};

/* What the user asked about. */
struct choice {
	GPtrArray *wanted;  /* struct mp_pci * */
	GPtrArray *missing; /* char * */
};

static void want(struct choice *choice, struct mp_pci *device)
{
	if (!g_ptr_array_find(choice->wanted, device, NULL))
		g_ptr_array_add(choice->wanted, device);
}

static void G_GNUC_PRINTF(2, 3) miss(struct choice *choice, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	g_ptr_array_add(choice->missing, g_strdup_vprintf(format, args));
	va_end(args);
}

static bool choose_by_address(
	const struct mp_host *host, struct choice *choice, GError **error)
{
	for (char **bdf = opt_devices; bdf && *bdf; bdf++) {
		struct mp_pci *device = mp_host_device(host, *bdf);
		uint32_t domain;
		uint8_t bus, slot, function;

		if (device) {
			want(choice, device);
			continue;
		}
		if (!mp_pci_parse_bdf(*bdf, &domain, &bus, &slot, &function)) {
			g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
				"--device %s: not a PCI address ([DDDD:]BB:DD.F)", *bdf);
			return false;
		}
		miss(choice, "%s (--device)", *bdf);
	}
	return true;
}

static bool choose_by_id(
	const struct mp_host *host, struct choice *choice, GError **error)
{
	uint16_t vendor, device;
	guint before = choice->wanted->len;

	if (!mp_cmd_parse_id(opt_id, &vendor, &device)) {
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
			"--id %s: not VENDOR:DEVICE in hex", opt_id);
		return false;
	}
	for (guint i = 0; i < host->devices->len; i++) {
		struct mp_pci *candidate = host->devices->pdata[i];

		if (candidate->vendor == vendor && candidate->device == device)
			want(choice, candidate);
	}
	if (choice->wanted->len == before)
		miss(choice, "a device with id %04x:%04x (--id)", vendor, device);
	return true;
}

static void choose_by_profile(const struct mp_host *host,
	const struct mp_profile *profile, struct choice *choice)
{
	for (guint i = 0; i < host->devices->len; i++)
		if (mp_profile_fits(profile, host->devices->pdata[i]))
			want(choice, host->devices->pdata[i]);
	if (!choice->wanted->len)
		miss(choice, "a device that profile %s fits (--profile)", profile->name);
}

static void choose_by_config(
	const struct mp_host *host, const struct mp_config *config, struct choice *choice)
{
	for (guint i = 0; i < config->cards->len; i++) {
		const struct mp_pin *pin = config->cards->pdata[i];
		struct mp_pci *device = mp_host_device(host, pin->address);

		if (device)
			want(choice, device);
		else
			miss(choice, "%s (%s)", pin->address, config->source);
	}
}

/* What a VM is given. What it names and the host lacks is told by vm-hostpci. */
static void choose_by_vm(const struct mp_vm *vm, struct choice *choice)
{
	for (guint i = 0; i < vm->hostpci->len; i++) {
		const struct mp_hostpci *line = vm->hostpci->pdata[i];

		for (guint d = 0; d < line->devices->len; d++)
			want(choice, line->devices->pdata[d]);
	}
}

/* What was named; with nothing named: what the VM is given, else the cards of the
 * configuration, else whatever a profile wants to have judged. */
static bool choose_devices(const struct mp_host *host, const struct mp_config *config,
	const struct mp_profile *profile, const struct mp_vm *vm, struct choice *choice,
	GError **error)
{
	if (opt_devices || opt_id)
		return choose_by_address(host, choice, error) &&
		       (!opt_id || choose_by_id(host, choice, error));
	if (opt_profile && mp_profile_is_specific(profile))
		choose_by_profile(host, profile, choice);
	else if (vm)
		choose_by_vm(vm, choice);
	if (choice->wanted->len || choice->missing->len)
		return true;
	if (config->cards->len)
		choose_by_config(host, config, choice);
	else
		return mp_profile_wanted(host, choice->wanted, error);
	return true;
}

/* A device that is not there is a finding, if the check that tells it runs. */
static bool missing_is_told(
	const struct mp_host *host, const struct choice *choice, GError **error)
{
	const char *id = "device-present";

	if (!choice->missing->len ||
		(mp_check_find(id) &&
			(!opt_check || g_pattern_match_simple(opt_check, id))))
		return true;
	g_set_error(error, MP_ERROR, MP_ERROR_NOT_FOUND, "%s: is not on %s",
		(const char *)choice->missing->pdata[0], host->origin);
	return false;
}

static struct mp_profile *choose_profile(GPtrArray *wanted, GError **error)
{
	const struct mp_pci *first = wanted->len ? wanted->pdata[0] : NULL;

	if (!first)
		return mp_profile_load("generic", error);
	return mp_profile_for_device(first, error);
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

static bool glob_matches_something(const char *glob)
{
	size_t n;
	const struct mp_check *const *all = mp_checks_all(&n);

	for (size_t i = 0; i < n; i++)
		if (g_pattern_match_simple(glob, all[i]->id))
			return true;
	return false;
}

static int preflight(const struct mp_render_ops *ops, const struct mp_render_style *style,
	GError **error)
{
	g_autoptr(mp_root) root = mp_root_open(opt_sysroot, error);
	g_autoptr(mp_host) host = NULL;
	g_autoptr(mp_config) config = NULL;
	g_autoptr(mp_profile) profile = NULL;
	g_autoptr(GPtrArray) wanted = g_ptr_array_new();
	g_autoptr(GPtrArray) missing = g_ptr_array_new_with_free_func(g_free);
	struct choice choice = { wanted, missing };
	g_autoptr(GPtrArray) findings =
		g_ptr_array_new_with_free_func((GDestroyNotify)mp_finding_free);
	struct mp_vm *vm = NULL;

	if (!root)
		return 0;
	config = mp_config_load(root, error);
	if (!config)
		return 0;
	if (opt_profile && !(profile = mp_profile_load(opt_profile, error)))
		return 0;
	host = mp_host_load(root, MP_TOPIC_ALL, error);
	if (!host || (opt_vm && !(vm = mp_vm_find(host, opt_vm, error))))
		return 0;
	if (!choose_devices(host, config, profile, vm, &choice, error) ||
		!missing_is_told(host, &choice, error))
		return 0;
	if (!profile && !(profile = choose_profile(wanted, error)))
		return 0;

	struct mp_check_ctx ctx = {
		.host = host,
		.profile = profile,
		.config = config,
		.wanted = wanted,
		.missing = missing,
		.vm = vm,
		.findings = findings,
	};
	struct mp_preflight_report report = {
		.host = host,
		.profile = profile->name,
		.wanted = wanted,
		.vm = vm ? vm->id : NULL,
		.findings = findings,
		.only = opt_check,
		.strict = opt_strict,
	};

	mp_checks_run(&ctx, opt_check);
	if (!findings->len) {
		/* Silence would read as "ready". */
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
			"--check %s: none of these was run; they judge a device or a VM, name one",
			opt_check ? opt_check : "*");
		return 0;
	}
	sum_up(&report);
	ops->preflight(&report, style, stdout);
	return report.exit_code;
}

static int run(int argc G_GNUC_UNUSED, char **argv G_GNUC_UNUSED, GError **error)
{
	const struct mp_render_ops *ops = mp_cmd_format(opt_format, error);
	struct mp_render_style style = { .verbose = opt_verbose };

	if (!ops || !mp_cmd_style(opt_color, &style, error))
		return 0;
	if (opt_check && !glob_matches_something(opt_check)) {
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
			"--check %s: matches no check (see --list-checks)", opt_check);
		return 0;
	}
	if (opt_list_checks) {
		if (ops->checks) {
			ops->checks(&style, stdout);
			return MP_EXIT_OK;
		}
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
			"--list-checks has no format '%s'", opt_format);
		return 0;
	}
	return preflight(ops, &style, error);
}

const struct mp_cmd mp_cmd_preflight = {
	.name = "preflight",
	.summary = "judge this host, a card and a VM: what would fail, why, what to do",
	.args = "",
	.options = options,
	.description =
		"Reads only. One finding a check, each with its evidence and remedy.\n\n"
		"Exit codes: 0 nothing blocks, 1 a blocking finding, 2 usage, 3 could not look.\n",
	.run = run,
};
