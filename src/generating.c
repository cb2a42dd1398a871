/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "core/argument.h"
#include "core/pci.h"
#include "generating.h"
#include "vm/generate.h"
#include "vm/xml.h"

static bool find_target(const char *name, enum mp_vm_target *target, GError **error)
{
	for (int i = 0; name && i < MP_VM_TARGETS; i++)
		if (!strcmp(mp_vm_target_name((enum mp_vm_target)i), name)) {
			*target = (enum mp_vm_target)i;
			return true;
		}
	if (name)
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
			"--to takes pve, qemu or libvirt, not '%s'", name);
	else
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
			"generate for what? --to pve, qemu or libvirt");
	return false;
}

static bool check_words(const struct mp_generating_options *options,
	enum mp_vm_target target, GError **error)
{
	const char *misplaced = options->mapping && target != MP_VM_PVE     ? "mapping"
				: options->patch && target != MP_VM_LIBVIRT ? "patch"
									    : NULL;

	if (!misplaced)
		return mp_cmd_check_version(
			       "guest-driver", options->guest_driver, error) &&
		       mp_cmd_check_version(
			       "guest-firmware", options->guest_firmware, error);
	g_set_error(error, MP_ERROR, MP_ERROR_USAGE, "--%s needs --to %s", misplaced,
		target != MP_VM_PVE && options->mapping ? "pve" : "libvirt");
	return false;
}

/* What `vm apply` would need to be told; NULL: it cannot do that. */
static char *next_command(
	const struct mp_generating_options *options, const struct mp_planning *planning)
{
	GString *text;

	if (!planning->wish.vm || !planning->plan->steps->len || !planning->host->live)
		return NULL;
	text = g_string_new("metis-passthrough vm apply");
	g_string_append_printf(text, " %s", planning->wish.vm);
	for (guint i = 0; i < planning->wish.devices->len; i++)
		g_string_append_printf(text, " --device %s",
			((const struct mp_pci *)planning->wish.devices->pdata[i])->bdf);
	if (options->mapping)
		g_string_append_printf(text, " --mapping %s", options->mapping);
	return g_string_free(text, FALSE);
}

/* The page of Proxmox VE and the script of QEMU tell the notes; XML would be spoilt by them. */
static void tell_notes(const struct mp_vm_output *output, bool patched)
{
	for (guint i = 0; i < output->changes->len; i++)
		fprintf(stderr, "metis-passthrough vm: changed: %s\n",
			(const char *)output->changes->pdata[i]);
	if (patched && !output->changes->len)
		fprintf(stderr, "metis-passthrough vm: nothing had to be changed\n");
	for (guint i = 0; i < output->notes->len; i++)
		fprintf(stderr, "metis-passthrough vm: note: %s\n",
			(const char *)output->notes->pdata[i]);
	for (guint i = 0; patched && i < output->files->len; i++) {
		const struct mp_vm_guest_file *file = output->files->pdata[i];

		fprintf(stderr, "metis-passthrough vm: inside the guest, %s:\n%s",
			file->path, file->content);
	}
}

static int forbidden(const struct mp_planning *planning, const struct mp_render_ops *ops,
	const struct mp_render_style *style)
{
	struct mp_plan_report report = mp_planning_report(planning);

	/* What was asked for goes to a file, maybe: a refusal must not look like it. */
	ops->plan(&report, style, ops == &mp_render_text ? stderr : stdout);
	return report.exit_code;
}

/* The VM whose name, memory and CPUs are taken over. */
static bool find_vm(const struct mp_generating_options *options,
	const struct mp_planning *planning, enum mp_vm_target target,
	const struct mp_vm **vm, GError **error)
{
	struct mp_vm *found;

	if (!options->vmid)
		return true;
	if (target == MP_VM_PVE) {
		*vm = planning->wish.vm ? mp_host_vm(planning->host, planning->wish.vm)
					: planning->wish.vm_config;
		return true;
	}
	found = mp_vm_find(planning->host, options->vmid, error);
	*vm = found ? found->next : NULL;
	return found != NULL;
}

static int generate(const struct mp_generating_options *options, enum mp_vm_target target,
	const struct mp_render_ops *ops, const struct mp_render_style *style,
	GError **error)
{
	const struct mp_planning_options wanted = {
		.choose = *options->choose,
		.vm = target == MP_VM_PVE ? (char *)options->vmid : NULL,
		.mapping = (char *)options->mapping,
		.vm_alone = true,
		.vm_new = target == MP_VM_PVE,
	};
	struct mp_vm_request request = {
		.to = target,
		.guest = { .driver = options->guest_driver,
			.firmware = options->guest_firmware },
		.patch_name = options->patch,
	};
	g_autoptr(mp_root) root = NULL;
	g_autoptr(mp_planning) planning = NULL;
	g_autoptr(mp_vm_output) output = NULL;
	g_autofree char *patch = NULL;
	g_autofree char *next = NULL;

	if (!mp_planning_check(&wanted, error))
		return 0;
	if (options->patch && !(patch = mp_argument_read(options->patch, "a domain",
					MP_XML_MAX, &request.patch_size, error)))
		return 0;
	request.patch = patch;
	if (!(root = mp_root_open(options->sysroot, error)) ||
		!(planning = mp_planning_make(&wanted, root, error)) ||
		!find_vm(options, planning, target, &request.vm, error))
		return 0;
	if (planning->plan->obstacles->len)
		return forbidden(planning, ops, style);
	request.wish = &planning->wish;
	request.plan = planning->plan;
	output = mp_vm_generate(&request, error);
	if (!output)
		return 0;
	next = next_command(options, planning);

	struct mp_vm_report report = {
		.request = &request,
		.output = output,
		.next = next,
	};

	if (ops == &mp_render_text && target == MP_VM_LIBVIRT)
		tell_notes(output, options->patch);
	ops->vm(&report, style, stdout);
	return MP_EXIT_OK;
}

int mp_generate(const struct mp_generating_options *options, GError **error)
{
	const struct mp_render_ops *ops = mp_cmd_format(options->format, error);
	struct mp_render_style style = { .verbose = false };
	enum mp_vm_target target;

	if (!ops || !mp_cmd_style(options->color, &style, error))
		return 0;
	if (!ops->vm) {
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
			"vm generate has no format '%s'", ops->name);
		return 0;
	}
	if (!find_target(options->to, &target, error) ||
		!check_words(options, target, error))
		return 0;
	return generate(options, target, ops, &style, error);
}
