/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest: inside of a VM, what it can see for itself of a card that it was given. */
#include "config.h"

#include <string.h>

#include "judging.h"

static char *opt_sysroot, *opt_format, *opt_color, *opt_driver, *opt_firmware;
static struct mp_choose_options opt_choose;
static gboolean opt_strict, opt_verbose;

static const GOptionEntry options[] = {
	MP_OPTION_DEVICE(opt_choose, "judge"),
	MP_OPTION_ID(opt_choose, "judge"),
	MP_OPTION_PROFILE(opt_choose, "judge"),
	{ "driver-version", 0, 0, G_OPTION_ARG_STRING, &opt_driver,
		"version of the card's driver, where it does not say", "VERSION" },
	{ "firmware-version", 0, 0, G_OPTION_ARG_STRING, &opt_firmware,
		"version of the card's firmware", "VERSION" },
	{ "strict", 0, 0, G_OPTION_ARG_NONE, &opt_strict,
		"warnings and unknowns block too (exit 1)", NULL },
	{ "verbose", 'v', 0, G_OPTION_ARG_NONE, &opt_verbose,
		"show what passes too, with its evidence", NULL },
	MP_OPTION_FORMAT(opt_format, "text, json, junit"),
	MP_OPTION_SYSROOT(opt_sysroot),
	MP_OPTION_COLOR(opt_color),
	{ NULL },
};

static int run(int argc G_GNUC_UNUSED, char **argv, GError **error)
{
	const struct mp_versions versions = {
		.driver = opt_driver,
		.firmware = opt_firmware,
	};
	const struct mp_judging_options judging = {
		.choose = &opt_choose,
		.sysroot = opt_sysroot,
		.format = opt_format,
		.color = opt_color,
		.strict = opt_strict,
		.verbose = opt_verbose,
		.guest = &versions,
	};

	if (strcmp(argv[0], "check") != 0) {
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
			"there is no 'guest %s' (there is: check)", argv[0]);
		return 0;
	}
	if (!mp_cmd_check_version("driver-version", opt_driver, error) ||
		!mp_cmd_check_version("firmware-version", opt_firmware, error))
		return 0;
	return mp_judge(&judging, error);
}

const struct mp_cmd mp_cmd_guest = {
	.name = "guest",
	.summary = "inside of a VM: judge the card that it was given, and its driver",
	.args = "check",
	.min_args = 1,
	.max_args = 1,
	.options = options,
	.description =
		"check: what a guest can see for itself: the card, the port above it, its BARs and "
		"interrupts, its driver with version and options, the VM's IOMMU and memory. Reads "
		"only; what the node does is judged there, by preflight.\n\n"
		"Exit codes: 0 nothing blocks, 1 a blocking finding, 2 usage, 3 could not look.\n",
	.run = run,
};
