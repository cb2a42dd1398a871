/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vm: judges the configuration of a VM, and gives it its card. */
#include "config.h"

#include <string.h>

#include "change.h"
#include "generating.h"
#include "judging.h"

static char *opt_sysroot, *opt_format, *opt_color, *opt_mapping;
static char *opt_to, *opt_vmid, *opt_patch, *opt_guest_driver, *opt_guest_firmware;
static struct mp_choose_options opt_choose;
static gboolean opt_strict, opt_verbose, opt_yes;

static const GOptionEntry options[] = {
	MP_OPTION_DEVICE(opt_choose, "judge, or pass through,"),
	MP_OPTION_ID(opt_choose, "judge, or pass through,"),
	MP_OPTION_PROFILE(opt_choose, "judge, or pass through,"),
	{ "to", 0, 0, G_OPTION_ARG_STRING, &opt_to, "generate: for pve, qemu or libvirt",
		"TARGET" },
	{ "vmid", 0, 0, G_OPTION_ARG_STRING, &opt_vmid,
		"generate: for this VM of Proxmox VE", "VMID" },
	{ "patch", 0, 0, G_OPTION_ARG_FILENAME, &opt_patch,
		"generate: change this domain of libvirt, keep the rest", "FILE" },
	{ "guest-driver", 0, 0, G_OPTION_ARG_STRING, &opt_guest_driver,
		"generate: version of the card's driver inside the guest", "VERSION" },
	{ "guest-firmware", 0, 0, G_OPTION_ARG_STRING, &opt_guest_firmware,
		"generate: version of the card's firmware", "VERSION" },
	{ "mapping", 0, 0, G_OPTION_ARG_STRING, &opt_mapping,
		"generate, apply: through the resource mapping NAME", "NAME" },
	{ "yes", 'y', 0, G_OPTION_ARG_NONE, &opt_yes,
		"apply: make the change without a question", NULL },
	{ "strict", 0, 0, G_OPTION_ARG_NONE, &opt_strict,
		"check: warnings and unknowns block too (exit 1)", NULL },
	{ "verbose", 'v', 0, G_OPTION_ARG_NONE, &opt_verbose,
		"show what passes too, with its evidence", NULL },
	MP_OPTION_FORMAT(opt_format, "text, json, junit"),
	MP_OPTION_SYSROOT(opt_sysroot),
	MP_OPTION_COLOR(opt_color),
	{ NULL },
};

static int check(const char *vm, GError **error)
{
	const struct mp_judging_options judging = {
		.choose = &opt_choose,
		.vm = vm,
		.check = "vm-*",
		.sysroot = opt_sysroot,
		.format = opt_format,
		.color = opt_color,
		.strict = opt_strict,
		.verbose = opt_verbose,
		.vm_alone = true,
	};

	return mp_judge(&judging, error);
}

static int apply(const char *vm, GError **error)
{
	const struct mp_planning_options planning = {
		.choose = opt_choose,
		.vm = (char *)vm,
		.mapping = opt_mapping,
		.vm_alone = true,
	};
	const struct mp_change_options change = {
		.verb = "vm apply",
		.planning = &planning,
		.sysroot = opt_sysroot,
		.format = opt_format,
		.color = opt_color,
		.yes = opt_yes,
		.verbose = opt_verbose,
	};

	return mp_change(&change, error);
}

static int generate(const char *vm, GError **error)
{
	const struct mp_generating_options generating = {
		.choose = &opt_choose,
		.to = opt_to,
		.vmid = opt_vmid,
		.mapping = opt_mapping,
		.patch = opt_patch,
		.guest_driver = opt_guest_driver,
		.guest_firmware = opt_guest_firmware,
		.sysroot = opt_sysroot,
		.format = opt_format,
		.color = opt_color,
	};

	if (!vm)
		return mp_generate(&generating, error);
	g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
		"unexpected argument '%s': a VM is named by --vmid, a domain by --patch",
		vm);
	return 0;
}

/* What may be done to a VM, and which of the options belong to what. */
enum { CHECK = 1 << 0, GENERATE = 1 << 1, APPLY = 1 << 2 };

static const struct action {
	const char *name;
	unsigned bit;
	int (*run)(const char *vm, GError **error);
	const char *missing; /* what it lacks without an argument */
} actions[] = {
	{ "check", CHECK, check, "VMID or FILE" },
	{ "generate", GENERATE, generate, NULL },
	{ "apply", APPLY, apply, "VMID" },
};

static const struct {
	const char *name;
	const void *value; /* char ** or gboolean * */
	bool is_flag;
	unsigned actions;
} belongings[] = {
	{ "to", &opt_to, false, GENERATE },
	{ "vmid", &opt_vmid, false, GENERATE },
	{ "patch", &opt_patch, false, GENERATE },
	{ "guest-driver", &opt_guest_driver, false, GENERATE },
	{ "guest-firmware", &opt_guest_firmware, false, GENERATE },
	{ "mapping", &opt_mapping, false, GENERATE | APPLY },
	{ "yes", &opt_yes, true, APPLY },
	{ "strict", &opt_strict, true, CHECK },
	{ "verbose", &opt_verbose, true, CHECK | APPLY },
};

static bool is_given(size_t option)
{
	return belongings[option].is_flag
		       ? *(const gboolean *)belongings[option].value
		       : *(char *const *)belongings[option].value != NULL;
}

static bool check_options(const struct action *action, GError **error)
{
	for (size_t i = 0; i < G_N_ELEMENTS(belongings); i++) {
		if (!is_given(i) || belongings[i].actions & action->bit)
			continue;
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
			"--%s does not belong to 'vm %s'", belongings[i].name,
			action->name);
		return false;
	}
	return true;
}

static const struct action *find_action(const char *name, GError **error)
{
	const char *names[G_N_ELEMENTS(actions) + 1] = { NULL };
	int found;

	for (size_t i = 0; i < G_N_ELEMENTS(actions); i++)
		names[i] = actions[i].name;
	found = mp_cmd_find_action("vm", names, name, error);
	return found < 0 ? NULL : &actions[found];
}

static int run(int argc, char **argv, GError **error)
{
	const struct action *action = find_action(argv[0], error);

	if (!action || !check_options(action, error))
		return 0;
	if (action->missing && argc < 2) {
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
			"an argument is missing: vm %s %s", action->name,
			action->missing);
		return 0;
	}
	return action->run(argc > 1 ? argv[1] : NULL, error);
}

const struct mp_cmd mp_cmd_vm = {
	.name = "vm",
	.summary = "judge a VM's configuration, write one, give a VM its card",
	.args = "check VMID|FILE | generate | apply VMID",
	.min_args = 1,
	.max_args = 2,
	.options = options,
	.description =
		"check: what Proxmox VE would drop, refuse at the VM's start, or start without the "
		"card. Reads only; a file is judged as if it were a VM of this host.\n\n"
		"generate: what a VM needs to get the card, with the reason for each piece: commands "
		"and lines of Proxmox VE, a script with all arguments of QEMU, or a domain of "
		"libvirt; and the files inside the guest. Changes nothing.\n\n"
		"apply: the options of the VM by 'qm set', shown first; 'rollback' undoes them. The "
		"host is left as it is: that is what 'setup' is for.\n\n"
		"Exit codes: 0 nothing blocks, or done; 1 a blocking finding, something forbids it, "
		"or the answer was no; 2 usage, 3 could not look or begin, 4 failed and undone, 5 "
		"undoing failed.\n",
	.run = run,
};
