/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The commands of Proxmox VE: the resource mapping by pvesh, the VM's options by qm. */
#include "config.h"

#include <string.h>

#include "core/vm.h"
#include "vm/generate.h"

static const char *text_of(const struct mp_step *step, const char *key)
{
	json_object *value = NULL;

	if (json_object_object_get_ex(step->want, key, &value) &&
		json_object_is_type(value, json_type_string))
		return json_object_get_string(value);
	return NULL;
}

/* Whether one of the new entries takes the place of ENTRY. */
static bool is_replaced(const GPtrArray *steps, const struct mp_mapping_entry *entry)
{
	for (guint i = 0; i < steps->len; i++) {
		const struct mp_step *step = steps->pdata[i];

		if (!strcmp(step->ops->kind, "mapping") &&
			!g_strcmp0(text_of(step, "node"), entry->node) &&
			(!g_strcmp0(text_of(step, "replaces"), entry->path) ||
				!g_strcmp0(text_of(step, "path"), entry->path)))
			return true;
	}
	return false;
}

/* `pvesh set` takes the whole list, so what stays is repeated. */
static void add_mapping(const struct mp_vm_request *request, struct mp_vm_output *output)
{
	const GPtrArray *steps = request->plan->steps;
	const char *name = request->wish->mapping;
	const struct mp_mapping *mapping =
		name ? mp_host_mapping(request->wish->host, name) : NULL;
	g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);
	struct mp_vm_words *entry;
	bool changed = false;

	if (mapping) {
		g_ptr_array_add(words, g_strdup("pvesh"));
		g_ptr_array_add(words, g_strdup("set"));
		g_ptr_array_add(words, g_strdup_printf("/cluster/mapping/pci/%s", name));
	} else {
		g_ptr_array_add(words, g_strdup("pvesh"));
		g_ptr_array_add(words, g_strdup("create"));
		g_ptr_array_add(words, g_strdup("/cluster/mapping/pci"));
		g_ptr_array_add(words, g_strdup("--id"));
		g_ptr_array_add(words, g_strdup(name));
	}
	for (guint i = 0; mapping && i < mapping->entries->len; i++) {
		const struct mp_mapping_entry *old = mapping->entries->pdata[i];

		if (is_replaced(steps, old))
			continue;
		g_ptr_array_add(words, g_strdup("--map"));
		g_ptr_array_add(words, g_strdup(old->raw));
	}
	for (guint i = 0; i < steps->len; i++) {
		const struct mp_step *step = steps->pdata[i];

		if (strcmp(step->ops->kind, "mapping") != 0)
			continue;
		changed = true;
		g_ptr_array_add(words, g_strdup("--map"));
		g_ptr_array_add(words, g_strdup(text_of(step, "map")));
	}
	if (!changed)
		return;
	g_ptr_array_add(words, NULL);
	entry = g_new(struct mp_vm_words, 1);
	entry->words = g_strdupv((char **)words->pdata);
	entry->why = g_strdup_printf(
		"what '%s' means on node %s, as its hardware is now; Proxmox VE compares it at "
		"each start of a VM. Entries of other nodes are repeated: each node's own is "
		"made by this command on that node",
		name, request->wish->host->guests->node.text);
	g_ptr_array_add(output->commands, entry);
}

static void add_options(const struct mp_vm_request *request, struct mp_vm_output *output)
{
	const GPtrArray *options = request->plan->vm_options;
	g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);
	struct mp_vm_words *entry;

	for (guint i = 0; i < options->len; i++) {
		const struct mp_plan_vm_option *option = options->pdata[i];

		if (!g_strcmp0(option->now, option->value))
			continue;
		g_ptr_array_add(words, g_strdup_printf("--%s", option->key));
		g_ptr_array_add(words, g_strdup(option->value));
	}
	if (!words->len)
		return;
	g_ptr_array_insert(words, 0, g_strdup(request->vm ? request->vm->id : "VMID"));
	g_ptr_array_insert(words, 0, g_strdup("set"));
	g_ptr_array_insert(words, 0, g_strdup("qm"));
	g_ptr_array_add(words, NULL);
	entry = g_new(struct mp_vm_words, 1);
	entry->words = g_strdupv((char **)words->pdata);
	entry->why = g_strdup(
		"checks the values and takes the VM's lock, as an editor would not; 'vm apply' "
		"does the same with the digest of what was read, and can be rolled back");
	g_ptr_array_add(output->commands, entry);
}

/* qm set changes what is there. Without a number nobody said that it is not. */
static void add_create(const struct mp_vm_request *request, struct mp_vm_output *output)
{
	const struct mp_vm *vm = request->wish->vm_config;
	struct mp_vm_words *entry;
	uint64_t number;

	if (!vm || !mp_parse_uint(vm->id, 10, &number))
		return;
	const char *const words[] = { "qm", "create", vm->id, "--ostype", "l26",
		"--memory", "16384", "--cores", "4", NULL };

	entry = g_new(struct mp_vm_words, 1);
	entry->words = g_strdupv((char **)words);
	entry->why = g_strdup_printf(
		"there is no VM %s here: it has to be created first, by this or by Create VM, "
		"with the memory, CPUs, disks and networks that it shall have",
		vm->id);
	g_ptr_array_add(output->commands, entry);
}

void mp_vm_generate_pve(const struct mp_vm_request *request, struct mp_vm_output *output)
{
	add_create(request, output);
	if (request->wish->mapping)
		add_mapping(request, output);
	add_options(request, output);
}
