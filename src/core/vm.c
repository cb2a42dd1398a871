/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "core/argument.h"
#include "core/error.h"
#include "core/vm.h"

const char *mp_vm_get(const struct mp_vm *vm, const char *key)
{
	for (guint i = vm->lines->len; i-- > 0;) {
		const struct mp_vm_line *line = vm->lines->pdata[i];

		if (!line->problem && !strcmp(line->key, key))
			return line->value;
	}
	return NULL;
}

struct mp_vm *mp_host_vm(const struct mp_host *host, const char *vmid)
{
	if (!host->guests)
		return NULL;
	for (guint i = 0; i < host->guests->vms->len; i++) {
		struct mp_vm *vm = host->guests->vms->pdata[i];

		if (!strcmp(vm->id, vmid))
			return vm;
	}
	return NULL;
}

/* The name that the VM gets in messages: the file's, without ".conf". */
static char *name_of(const char *file)
{
	g_autofree char *base = NULL;

	if (!strcmp(file, "-"))
		return g_strdup("stdin");
	base = g_path_get_basename(file);
	if (g_str_has_suffix(base, ".conf"))
		base[strlen(base) - strlen(".conf")] = '\0';
	return mp_clean_text(base, strlen(base));
}

static struct mp_vm *find_in_file(struct mp_host *host, const char *file, GError **error)
{
	gsize size = 0;
	g_autofree char *data = mp_argument_read(
		file, "a VM configuration", MP_VM_FILE_MAX, &size, error);
	g_autofree char *id = NULL;
	g_autofree char *clean = NULL;
	struct mp_vm *vm;

	if (!data)
		return NULL;
	id = name_of(file);
	clean = mp_clean_text(file, strlen(file));
	vm = mp_vm_parse(host, id, clean, data, size);
	mp_vm_resolve(host, vm);
	vm->running_fact = mp_fact_unknown(
		host, NULL, "a configuration file does not say whether it runs");
	return vm;
}

static bool is_vmid(const char *text)
{
	uint64_t id;

	return mp_parse_uint(text, 10, &id);
}

struct mp_vm *mp_vm_find(struct mp_host *host, const char *vm, GError **error)
{
	const struct mp_guests *guests = host->guests;
	struct mp_vm *found;

	if (strchr(vm, '/') || g_str_has_suffix(vm, ".conf") || !strcmp(vm, "-"))
		return find_in_file(host, vm, error);
	if (!is_vmid(vm)) {
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
			"%s: neither the number of a VM nor a configuration file (a path "
			"with '/' or ending in .conf)",
			vm);
		return NULL;
	}
	found = mp_host_vm(host, vm);
	if (found && found->fact.know == MP_KNOWN)
		return found;
	if (found) {
		g_set_error(error, MP_ERROR, MP_ERROR_DENIED, "VM %s: cannot read %s: %s",
			vm, found->source,
			found->fact.why ? found->fact.why : "it is gone");
		return NULL;
	}
	if (!guests || guests->pve.know == MP_ABSENT) {
		g_set_error(error, MP_ERROR, MP_ERROR_NOT_FOUND,
			"VM %s: cannot look it up: %s is no Proxmox VE host (no /etc/pve); give "
			"the path of its configuration file instead",
			vm, host->origin);
		return NULL;
	}
	if (guests->pve.know == MP_UNKNOWN) {
		g_set_error(error, MP_ERROR, MP_ERROR_DENIED,
			"VM %s: cannot look it up: %s: %s", vm,
			guests->pve.source ? guests->pve.source : "/etc/pve",
			guests->pve.why ? guests->pve.why : "unknown");
		return NULL;
	}
	if (guests->vms_fact.know == MP_UNKNOWN) {
		g_set_error(error, MP_ERROR, MP_ERROR_DENIED,
			"VM %s: cannot look it up: %s: %s", vm,
			guests->vms_fact.source ? guests->vms_fact.source : "/etc/pve",
			guests->vms_fact.why ? guests->vms_fact.why : "unknown");
		return NULL;
	}
	g_set_error(error, MP_ERROR, MP_ERROR_NOT_FOUND,
		"VM %s: there is no such VM on node %s (%u VM%s in /etc/pve)", vm,
		guests->node.know == MP_KNOWN ? guests->node.text : "(unknown)",
		guests->vms->len, MP_PLURAL(guests->vms->len));
	return NULL;
}
