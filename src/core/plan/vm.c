/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The options of the VM: the q35 machine, one hostpciN for each card, no balloon, huge pages
 * where the configuration wants them, the hookscript. Judged is the VM as its next start
 * will see it (vm->next), because that is when any of this counts.
 */
#include "config.h"

#include <string.h>

#include "core/hookscript.h"
#include "core/plan/guest.h"
#include "core/plan/vm-value.h"

struct vm_plan {
	struct mp_plan *plan;
	const struct mp_wish *wish;
	const struct mp_vm *vm;   /* as it is */
	const struct mp_vm *next; /* as its next start would see it */
	const char *subject;      /* "VM 101" */
	GPtrArray *claimed;       /* struct mp_hostpci *: lines that belong to a card */
	bool taken[MP_VM_HOSTPCI_MAX];
};

static void want(struct vm_plan *v, const char *key, const char *value, const char *why)
{
	struct mp_plan_vm_option *option = g_new(struct mp_plan_vm_option, 1);

	*option = (struct mp_plan_vm_option){
		.key = g_strdup(key),
		.value = g_strdup(value),
		.now = g_strdup(mp_vm_get(v->next, key)),
		.why = g_strdup(why),
	};
	g_ptr_array_add(v->plan->vm_options, option);
}

/* --- may it be changed at all --- */

static const char *node_of(
	const struct mp_wish *wish, const char *vmid, char ***nodes, const char *here)
{
	if (mp_root_list(wish->root, "etc/pve/nodes", nodes) < 0)
		return NULL;
	for (char **node = *nodes; *node; node++) {
		g_autofree char *path = g_strdup_printf(
			"etc/pve/nodes/%s/qemu-server/%s.conf", *node, vmid);
		struct mp_stat st;

		if (strcmp(*node, here) != 0 && mp_root_stat(wish->root, path, &st) == 0)
			return *node;
	}
	return NULL;
}

static void say_missing(struct vm_plan *v)
{
	const struct mp_guests *guests = v->wish->host->guests;
	g_auto(GStrv) nodes = NULL;
	const char *node = node_of(v->wish, v->wish->vm, &nodes, guests->node.text);

	if (guests->vms_fact.know == MP_UNKNOWN)
		mp_plan_add_obstacle(v->plan, v->subject,
			"run this as root on the node itself",
			"the VMs of this node could not be read: %s: %s",
			guests->vms_fact.source, guests->vms_fact.why);
	else if (node)
		mp_plan_add_obstacle(v->plan, v->subject,
			"run this on that node, which must have the card, or move the VM "
			"here first",
			"the VM is on node %s, and this is %s", node, guests->node.text);
	else
		mp_plan_add_obstacle(v->plan, v->subject,
			"create it first (qm create, or Create VM)",
			"there is no such VM on node %s", guests->node.text);
}

static bool may_be_changed(struct vm_plan *v)
{
	const char *lock = mp_vm_get(v->vm, "lock");

	if (v->vm->fact.know != MP_KNOWN) {
		mp_plan_add_obstacle(v->plan, v->subject,
			"run this as root on the node itself", "%s could not be read: %s",
			v->vm->source, v->vm->fact.why ? v->vm->fact.why : "unknown");
		return false;
	}
	if (v->vm->is_template)
		mp_plan_add_obstacle(v->plan, v->subject, "clone it, and name the clone",
			"it is a template: it never starts, and a card would go to each "
			"clone of it");
	if (lock)
		mp_plan_add_obstacle(v->plan, v->subject,
			"wait until that is over; if nothing runs any more: qm unlock",
			"it is locked (%s): Proxmox VE lets nobody change it", lock);
	return true;
}

/* --- machine --- */

static void plan_machine(struct vm_plan *v, bool express)
{
	const char *viommu = v->wish->config->viommu;
	const char *now = v->next->machine;
	g_autofree char *value = NULL;

	if (!express && !viommu)
		return;
	for (guint i = 0; !v->next->q35 && i < v->next->hostpci->len; i++) {
		const struct mp_hostpci *entry = v->next->hostpci->pdata[i];

		if (!entry->legacy_igd)
			continue;
		mp_plan_add_obstacle(v->plan, v->subject,
			"pass one of the two, each in a VM of its own",
			"hostpci%u has legacy-igd, which needs the i440fx machine, and the "
			"card needs q35",
			entry->index);
		return;
	}
	value = mp_vm_machine_for(now, viommu);
	if (!value) {
		mp_plan_add_obstacle(v->plan, v->subject,
			"set its machine to q35 yourself",
			"its machine is '%s', which has no q35 counterpart", now);
		return;
	}
	want(v, "machine", value,
		"the chipset with a PCI Express bus: on the default one the guest sees a "
		"plain PCI card, without its extended configuration space and its link");
	if (v->next->q35 || v->wish->vm_config)
		return;
	mp_plan_add_note(v->plan, v->subject,
		"its machine becomes q35 (it is %s): the guest finds other hardware at its "
		"next start. Network interfaces get new names under Linux (look at "
		"/etc/network/interfaces or netplan in the guest), Windows finds its devices "
		"anew and may want to be activated again; disks stay where they are. Take "
		"a backup first",
		now ? now : "pc, the i440fx chipset");
}

/* --- hostpci --- */

static bool is_express(const struct mp_plan_card *card)
{
	/* What was not read is not called conventional PCI. */
	return card->device->pcie.present || card->device->config_size < 256;
}

static bool names_card(const struct mp_hostpci *entry, const struct mp_plan_card *card)
{
	for (guint i = 0; i < card->functions->len; i++)
		if (g_ptr_array_find(entry->devices, card->functions->pdata[i], NULL))
			return true;
	return false;
}

static bool names_more(const struct mp_hostpci *entry, const struct mp_plan_card *card)
{
	for (guint i = 0; i < entry->devices->len; i++) {
		const struct mp_pci *device = entry->devices->pdata[i];

		if (device->domain != card->device->domain ||
			device->bus != card->device->bus ||
			device->slot != card->device->slot)
			return true;
	}
	return entry->missing->len > 0;
}

static bool is_free(const struct vm_plan *v, const struct mp_hostpci *entry)
{
	return !entry->problem && !g_ptr_array_find(v->claimed, entry, NULL);
}

/* Lines that are this card's by address. */
static struct mp_hostpci *by_address(
	struct vm_plan *v, const struct mp_plan_card *card, unsigned *count)
{
	struct mp_hostpci *found = NULL;

	*count = 0;
	for (guint i = 0; i < v->next->hostpci->len; i++) {
		struct mp_hostpci *entry = v->next->hostpci->pdata[i];

		if (!is_free(v, entry) || !entry->hosts->len || !names_card(entry, card))
			continue;
		if (!found)
			found = entry;
		++*count;
	}
	return found;
}

/* A line with the mapping NAME, or with any mapping that may give the card. */
static struct mp_hostpci *by_mapping(
	struct vm_plan *v, const struct mp_plan_card *card, const char *name)
{
	for (guint i = 0; i < v->next->hostpci->len; i++) {
		struct mp_hostpci *entry = v->next->hostpci->pdata[i];

		if (!is_free(v, entry) || !entry->mapping)
			continue;
		if (name ? !strcmp(entry->mapping, name) : names_card(entry, card))
			return entry;
	}
	return NULL;
}

/* The line that is, or becomes, the card's. *refused: none may be, and it was said why. */
static struct mp_hostpci *line_of(
	struct vm_plan *v, const struct mp_plan_card *card, bool *refused)
{
	const char *mapping = v->wish->mapping;
	unsigned count;
	struct mp_hostpci *address = by_address(v, card, &count);
	struct mp_hostpci *mapped =
		mapping ? by_mapping(v, card, mapping) : by_mapping(v, card, NULL);
	struct mp_hostpci *line = address ? address : mapped;

	*refused = true;
	if (count > 1 || (address && mapped && names_card(mapped, card))) {
		mp_plan_add_obstacle(v->plan, v->subject, "keep one of the lines",
			"hostpci%u and another line both name %s: Proxmox VE would not start "
			"the VM",
			address->index, card->device->bdf);
		return NULL;
	}
	if (address && names_more(address, card)) {
		mp_plan_add_obstacle(v->plan, v->subject,
			"give each card a hostpciN of its own",
			"hostpci%u joins %s with another device into one (%s)",
			address->index, card->device->bdf, address->raw);
		return NULL;
	}
	if (line && line->mdev) {
		mp_plan_add_obstacle(v->plan, v->subject,
			"take the line away, if the whole card is meant",
			"hostpci%u gives the VM a part of %s (mdev=%s)", line->index,
			card->device->bdf, line->mdev);
		return NULL;
	}
	*refused = false;
	return line;
}

static int free_index(struct vm_plan *v)
{
	for (int i = 0; i < MP_VM_HOSTPCI_MAX; i++)
		if (!v->taken[i])
			return i;
	return -1;
}

static void plan_card(struct vm_plan *v, const struct mp_plan_card *card)
{
	g_autofree char *key = NULL;
	g_autofree char *value = NULL;
	struct mp_hostpci *line;
	bool refused;
	int index;

	line = line_of(v, card, &refused);
	if (refused)
		return;
	index = line ? (int)line->index : free_index(v);
	if (index < 0) {
		mp_plan_add_obstacle(v->plan, v->subject, "take one away",
			"all its %d hostpci lines are in use", MP_VM_HOSTPCI_MAX);
		return;
	}
	if (line)
		g_ptr_array_add(v->claimed, line);
	v->taken[index] = true;
	key = g_strdup_printf("hostpci%d", index);
	value = mp_vm_hostpci_for(
		line, card->functions, card->path, v->wish->mapping, is_express(card));
	want(v, key, value,
		is_express(card)
			? "the card, behind a PCI Express root port of its own; Proxmox VE "
			  "binds it to vfio-pci, resets and reserves it at each start"
			: "the card; Proxmox VE binds it to vfio-pci and reserves it at each "
			  "start");
}

/* --- other VMs --- */

static void judge_others(struct vm_plan *v, const struct mp_plan_card *card)
{
	const GPtrArray *vms = v->wish->host->guests->vms;

	for (guint i = 0; i < vms->len; i++) {
		const struct mp_vm *other = vms->pdata[i];

		if (other == v->vm || other->is_template)
			continue;
		for (guint h = 0; h < other->hostpci->len; h++) {
			const struct mp_hostpci *entry = other->hostpci->pdata[h];

			if (entry->problem || !names_card(entry, card))
				continue;
			if (other->running && !entry->mapping)
				mp_plan_add_obstacle(v->plan, v->subject,
					"stop that VM and take the line away from it: qm set "
					"... --delete hostpciN",
					"VM %s is running with %s (hostpci%u)", other->id,
					card->device->bdf, entry->index);
			else
				mp_plan_add_note(v->plan, v->subject,
					"VM %s names %s too (hostpci%u): whichever starts first "
					"gets it, and the other does not start",
					other->id, card->device->bdf, entry->index);
		}
	}
}

/* --- memory --- */

static void plan_memory(struct vm_plan *v)
{
	const char *hugepages = v->wish->config->hugepages;

	want(v, "balloon", "0",
		"VFIO pins all of the guest's RAM for the card's DMA: a balloon gets nothing "
		"back");
	if (v->next->hotplug_memory)
		mp_plan_add_note(v->plan, v->subject,
			"it has memory hotplug: RAM that is taken out is unmapped under the "
			"card, and DMA to it faults. To leave it out: qm set %s --hotplug "
			"network,disk,usb",
			v->vm->id);
	if (!hugepages)
		return;
	if (strcmp(hugepages, "off") != 0) {
		if (!v->next->numa)
			want(v, "numa", "1",
				"hugepages need it, or the VM does not start");
		want(v, "hugepages", hugepages,
			"as the configuration says: fewer and larger pages to pin");
		return;
	}
	if (v->next->hugepages)
		mp_plan_add_note(v->plan, v->subject,
			"it uses huge pages, and the configuration says 'off': qm set %s "
			"--delete hugepages",
			v->vm->id);
}

/* --- the step --- */

static bool has_losses(const struct mp_vm *vm, GString *text)
{
	guint count = 0;

	for (guint i = 0; i < vm->lines->len; i++) {
		const struct mp_vm_line *line = vm->lines->pdata[i];

		if (!line->problem)
			continue;
		g_string_append_printf(text, "%sline %u", count ? ", " : "", line->line);
		count++;
	}
	for (guint i = 0; i < vm->problems->len; i++, count++)
		g_string_append_printf(text, "%s%s", count ? ", " : "",
			(const char *)vm->problems->pdata[i]);
	return count > 0;
}

static void note_losses(struct vm_plan *v)
{
	g_autoptr(GString) lost = g_string_new(NULL);

	if (has_losses(v->vm, lost))
		mp_plan_add_note(v->plan, v->subject,
			"Proxmox VE ignores a part of %s, and with any change of the VM "
			"deletes it for good; a roll back does not bring it back: %s",
			v->vm->source, lost->str);
}

static void promise(struct vm_plan *v, const char *key, const char *value)
{
	json_object *object = json_object_new_object();

	json_object_object_add(object, "vmid", json_object_new_string(v->vm->id));
	json_object_object_add(object, "key", json_object_new_string(key));
	json_object_object_add(object, "value", json_object_new_string(value));
	mp_plan_promise(v->plan, "vm", object);
}

/* True when this plan installs the hookscript, and a roll back would remove it. */
static bool brings_hook(const struct vm_plan *v)
{
	const struct mp_storage *local = mp_host_storage(v->wish->host, "local");
	g_autofree char *path = NULL;

	if (!v->wish->hook || !local || !local->snippets)
		return false;
	path = g_build_filename(local->snippets, MP_HOOK_FILE, NULL);
	for (guint i = 0; i < v->plan->files->len; i++) {
		const struct mp_plan_file *file = v->plan->files->pdata[i];

		if (!strcmp(file->path, path))
			return !file->now;
	}
	return false;
}

static void add_step(struct vm_plan *v)
{
	g_autoptr(GPtrArray) keys = g_ptr_array_new();
	g_autoptr(GPtrArray) values = g_ptr_array_new();

	for (guint i = 0; i < v->plan->vm_options->len; i++) {
		const struct mp_plan_vm_option *option = v->plan->vm_options->pdata[i];

		promise(v, option->key, option->value);
		if (!g_strcmp0(option->now, option->value))
			continue;
		g_ptr_array_add(keys, option->key);
		g_ptr_array_add(values, option->value);
	}
	if (!keys->len)
		return;
	note_losses(v);
	mp_plan_add_note(v->plan, v->subject,
		v->vm->running
			? "it is running: what changes waits as pending until it is shut "
			  "down and started again (a reboot inside the guest is not enough)"
			: "what changes counts from its next start on");
	g_ptr_array_add(keys, NULL);
	g_ptr_array_add(values, NULL);
	g_ptr_array_add(v->plan->steps,
		mp_step_vm_new(v->vm->id, (const char *const *)keys->pdata,
			(const char *const *)values->pdata,
			brings_hook(v) ? MP_HOOK_VOLUME : NULL,
			"gives the VM its card on a PCI Express bus, and memory that stays "
			"where the card was told it is; qm checks the values, and refuses "
			"where the configuration is not the one that was read"));
}

static void plan_vm(struct vm_plan *v)
{
	g_autoptr(GPtrArray) cards = mp_plan_cards(v->wish);
	bool express = false;

	for (guint i = 0; i < v->next->hostpci->len; i++) {
		const struct mp_hostpci *entry = v->next->hostpci->pdata[i];

		if (!entry->problem && entry->index < MP_VM_HOSTPCI_MAX)
			v->taken[entry->index] = true;
	}
	for (guint i = 0; i < cards->len; i++)
		express = express || is_express(cards->pdata[i]);
	plan_machine(v, express);
	for (guint i = 0; i < cards->len; i++) {
		plan_card(v, cards->pdata[i]);
		judge_others(v, cards->pdata[i]);
	}
	plan_memory(v);
	if (v->wish->hook)
		want(v, "hookscript", MP_HOOK_VOLUME,
			"looks at the card before each start, and refuses one that cannot "
			"work");
	if (!v->wish->vm_config)
		add_step(v);
}

/* The VM of this node that is meant; NULL: it cannot be changed, and it was said why. */
static const struct mp_vm *find_vm(struct vm_plan *v)
{
	if (!mp_plan_has_pve(v->plan, v->wish, v->subject))
		return NULL;
	v->vm = mp_host_vm(v->wish->host, v->wish->vm);
	if (!v->vm) {
		say_missing(v);
		return NULL;
	}
	return may_be_changed(v) ? v->vm : NULL;
}

void mp_plan_vm(struct mp_plan *plan, const struct mp_wish *wish)
{
	g_autofree char *subject = NULL;
	struct vm_plan v = { .plan = plan, .wish = wish, .vm = wish->vm_config };

	if (!wish->vm && !wish->vm_config)
		return;
	subject = g_strdup_printf("VM %s", v.vm ? v.vm->id : wish->vm);
	v.subject = subject;
	if (!v.vm && !find_vm(&v))
		return;
	v.next = v.vm->next;
	v.claimed = g_ptr_array_new();
	plan_vm(&v);
	g_ptr_array_unref(v.claimed);
}
