/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "core/group.h"
#include "core/pci.h"
#include "core/pin.h"
#include "core/selftest-last.h"
#include "core/use.h"
#include "core/vm-start.h"

struct judge {
	const struct mp_host *host;
	const struct mp_config *config;
	const struct mp_vm *vm;
	struct mp_vm_start *start;
	GPtrArray *devices; /* struct mp_pci *: all that the VM may get */
	unsigned pinned;    /* of them */
};

void mp_vm_start_clear(struct mp_vm_start *start)
{
	g_clear_pointer(&start->refusal, g_free);
	g_clear_pointer(&start->warnings, g_ptr_array_unref);
}

/* The first reason is told; there is one sentence. */
static void G_GNUC_PRINTF(2, 3) refuse(struct judge *j, const char *format, ...)
{
	g_autofree char *why = NULL;
	va_list args;

	if (j->start->refusal)
		return;
	va_start(args, format);
	why = g_strdup_vprintf(format, args);
	va_end(args);
	j->start->refusal = g_strdup_printf("VM %s is not started: %s", j->vm->id, why);
}

static void G_GNUC_PRINTF(2, 3) warn(struct judge *j, const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	text = g_strdup_vprintf(format, args);
	va_end(args);
	for (guint i = 0; i < j->start->warnings->len; i++)
		if (!strcmp(j->start->warnings->pdata[i], text)) {
			g_free(text);
			return;
		}
	g_ptr_array_add(j->start->warnings, text);
}

/* --- who has it --- */

/* "VM 101" in DETAIL, and not "VM 1012". */
static bool is_own(const struct judge *j, const char *detail)
{
	g_autofree char *own = g_strdup_printf("VM %s", j->vm->id);
	const char *named = strstr(detail, own);

	return named && !g_ascii_isdigit(named[strlen(own)]);
}

/* Who else holds DEVICE, as a clause; NULL: nobody that is known of. Caller frees. STARTING
 * may be NULL. */
static char *held_by(const struct judge *j, const struct mp_pci *device, bool *starting)
{
	const struct mp_guests *guests = j->host->guests;
	g_autoptr(GPtrArray) entries = mp_use_of(j->host, device);

	for (guint i = 0; i < entries->len; i++) {
		const struct mp_use_entry *entry = entries->pdata[i];

		if (entry->kind != MP_USE_VM || is_own(j, entry->detail))
			continue;
		if (starting)
			*starting = entry->starting;
		return g_strdup(entry->detail);
	}
	for (guint i = 0; i < guests->vms->len; i++) {
		const struct mp_vm *other = guests->vms->pdata[i];

		if (!other->running || !strcmp(other->id, j->vm->id))
			continue;
		for (guint h = 0; h < other->hostpci->len; h++) {
			const struct mp_hostpci *entry = other->hostpci->pdata[h];

			/* Of a mapping with several cards it has only one. */
			if (!entry->problem && entry->devices->len &&
				(!entry->mapping || entry->devices->len == 1) &&
				g_ptr_array_find(entry->devices, device, NULL))
				return g_strdup_printf("VM %s runs with it (hostpci%u)",
					other->id, entry->index);
		}
	}
	return NULL;
}

char *mp_vm_start_holder(
	const struct mp_host *host, const struct mp_vm *vm, const struct mp_pci *device)
{
	const struct judge j = { .host = host, .vm = vm };

	return held_by(&j, device, NULL);
}

static bool is_waived(const struct judge *j, const struct mp_pci *device)
{
	for (guint i = 0; i < j->config->waivers->len; i++) {
		const struct mp_waiver *waiver = j->config->waivers->pdata[i];

		if (g_pattern_match_simple(waiver->check, "device-host-use") &&
			(!waiver->subject || !strcmp(waiver->subject, device->bdf)))
			return true;
	}
	return false;
}

static bool breaks_host(const struct mp_use_entry *entry)
{
	switch (entry->kind) {
	case MP_USE_MOUNT:
	case MP_USE_SWAP:
	case MP_USE_STORAGE:
	case MP_USE_DISPLAY:
	case MP_USE_OPEN:
		return true;
	case MP_USE_NETWORK:
	case MP_USE_SRIOV:
	case MP_USE_VM:
	case MP_USE_KINDS:
		break;
	}
	return entry->boots || entry->routes;
}

/* What the host does with its own card. OTHERS: a neighbour of the group, that nobody gave
 * away: then an interface without a route counts too. */
static const struct mp_use_entry *host_use(
	const struct judge *j, const struct mp_pci *device, bool neighbour)
{
	g_autoptr(GPtrArray) entries = mp_use_of(j->host, device);

	for (guint i = 0; i < entries->len; i++) {
		const struct mp_use_entry *entry = entries->pdata[i];

		if (breaks_host(entry) || (neighbour && entry->kind == MP_USE_NETWORK))
			return entry;
	}
	return NULL;
}

static void judge_use(struct judge *j, const struct mp_pci *device)
{
	const struct mp_use_entry *use = host_use(j, device, false);
	const struct mp_fact *unread = mp_use_unread(j->host, device);
	g_autoptr(GPtrArray) entries = mp_use_of(j->host, device);

	if (use && is_waived(j, device))
		warn(j, "%s is used by the host (waived): %s", device->bdf, use->detail);
	else if (use)
		refuse(j,
			"%s is used by the host: %s; end that first, or take the card out of "
			"the VM",
			device->bdf, use->detail);
	else if (unread)
		warn(j, "whether the host uses %s is not known: %s could not be read",
			device->bdf, unread->source);
	for (guint i = 0; i < entries->len; i++) {
		const struct mp_use_entry *entry = entries->pdata[i];

		if (!breaks_host(entry) && entry->kind != MP_USE_VM)
			warn(j, "%s: %s", device->bdf, entry->detail);
	}
}

/* --- the group --- */

static void judge_member(
	struct judge *j, const struct mp_pci *device, const struct mp_pci *member)
{
	g_autofree char *holder = NULL;
	const struct mp_use_entry *use;

	if (mp_pci_is_bridge(member)) {
		if (!mp_group_member_viable(j->host, member) &&
			member->driver.know == MP_KNOWN)
			refuse(j,
				"the bridge %s of the IOMMU group of %s has the driver %s, and "
				"with it VFIO does not hand out the group; unbind it, or keep it "
				"from loading",
				member->bdf, device->bdf, member->driver.text);
		return;
	}
	holder = held_by(j, member, NULL);
	if (holder) {
		refuse(j,
			"%s is in the IOMMU group of %s, which is held elsewhere: %s; stop that "
			"first",
			device->bdf, member->bdf, holder);
		return;
	}
	use = host_use(j, member, true);
	if (use && !is_waived(j, member))
		refuse(j,
			"Proxmox VE would take %s from the host together with %s, because they "
			"share an IOMMU group, and the host uses it: %s; move one of them to "
			"another slot",
			member->bdf, device->bdf, use->detail);
	else if (member->driver.know == MP_KNOWN &&
		 !mp_group_member_viable(j->host, member))
		warn(j,
			"Proxmox VE takes %s from its driver %s, because it shares an IOMMU "
			"group with %s",
			member->bdf, member->driver.text, device->bdf);
}

static void judge_group(struct judge *j, const struct mp_pci *device)
{
	const struct mp_group *group = device->group;
	const struct mp_fact *unread;

	if (!group && device->group_fact.know == MP_ABSENT) {
		refuse(j,
			"%s is in no IOMMU group, so nothing can be passed through; see "
			"'metis-passthrough preflight'",
			device->bdf);
		return;
	}
	if (!group) {
		warn(j, "the IOMMU group of %s could not be read", device->bdf);
		return;
	}
	unread = mp_group_unread(j->host, group);
	if (unread)
		warn(j, "who is in IOMMU group %u could not be read", group->id);
	for (guint i = 0; i < group->members->len; i++) {
		const struct mp_pci *member = group->members->pdata[i];

		if (member != device && !g_ptr_array_find(j->devices, member, NULL))
			judge_member(j, device, member);
	}
}

/* --- the card itself --- */

/* Where the card of PIN is now, as the end of a sentence. Caller frees. */
static char *where_now(const struct judge *j, const struct mp_pin *pin)
{
	g_autofree char *why = NULL;
	const struct mp_pci *found = mp_pin_find(j->host, pin, &why);

	if (found)
		return g_strdup_printf("the card is at %s now: correct hostpciN or the "
				       "mapping, and run 'metis-passthrough repin'",
			found->bdf);
	return g_strdup("the card is nowhere else: look for it with 'metis-passthrough "
			"list', power the machine off and check its seat");
}

static const struct mp_pin *pin_at(const struct judge *j, const char *address)
{
	uint8_t bus, slot, function, b, s, f;
	uint32_t domain, d;

	if (!mp_pci_parse_bdf(address, &domain, &bus, &slot, &function))
		return NULL;
	for (guint i = 0; i < j->config->cards->len; i++) {
		const struct mp_pin *pin = j->config->cards->pdata[i];

		if (pin->address && mp_pci_parse_bdf(pin->address, &d, &b, &s, &f) &&
			d == domain && b == bus && s == slot && f == function)
			return pin;
	}
	return NULL;
}

static void judge_pin(struct judge *j, const struct mp_pci *device)
{
	const struct mp_pin *pin = pin_at(j, device->bdf);
	g_autofree char *why = NULL;
	g_autofree char *where = NULL;

	if (!pin)
		return;
	j->pinned++;
	switch (mp_pin_check(j->host, pin, &why)) {
	case MP_PIN_SAME:
		return;
	case MP_PIN_UNSURE:
		refuse(j,
			"it cannot be verified that %s is the card that was set up: %s; run "
			"'metis-passthrough preflight' as root",
			device->bdf, why ? why : "not all of it could be read");
		return;
	case MP_PIN_OTHER:
	case MP_PIN_GONE:
		break;
	}
	where = where_now(j, pin);
	refuse(j, "%s is not the card that was set up: %s; %s", device->bdf,
		why ? why : "it is another", where);
}

static void judge_answer(struct judge *j, const struct mp_pci *device)
{
	uint16_t vendor, id;

	if (!device->config_size) {
		refuse(j, "whether %s answers could not be read (%s)", device->bdf,
			device->config_fact.why ? device->config_fact.why : "no config");
		return;
	}
	vendor = mp_pci_config16(device, 0);
	id = mp_pci_config16(device, 2);
	/* A virtual function's ids read as ones (SR-IOV 1.1, 3.4.1). */
	if (device->physfn.know == MP_KNOWN && !device->all_ones)
		return;
	if (device->all_ones)
		refuse(j,
			"%s does not answer, its configuration space reads as all ones; switch "
			"the machine off at the mains for a minute (a warm reboot may not be "
			"enough)",
			device->bdf);
	else if (!mp_pci_id_unknown(device) &&
		 (vendor != device->vendor || id != device->device))
		refuse(j,
			"%s answers as %04x:%04x, and the kernel found %04x:%04x there; reboot "
			"the host",
			device->bdf, vendor, id, device->vendor, device->device);
}

/* What selftest_last asks for: of the configured cards, what else has engines? */
static void judge_selftest(struct judge *j, const struct mp_pci *device)
{
	enum mp_selftest_state state;
	g_autofree char *complaint = NULL;

	if (!pin_at(j, device->bdf))
		return;
	complaint = mp_selftest_complaint(j->host, device, &state);
	if (!complaint || !mp_selftest_counts(j->config, state))
		return;
	if (mp_selftest_required(j->config))
		refuse(j,
			"selftest_last is 'require', and of %s %s; run 'metis-passthrough "
			"selftest --device %s'",
			device->bdf, complaint, device->bdf);
	else
		warn(j, "%s: %s", device->bdf, complaint);
}

static void judge_device(struct judge *j, const struct mp_pci *device)
{
	judge_answer(j, device);
	judge_pin(j, device);
	judge_selftest(j, device);
	judge_group(j, device);
	judge_use(j, device);
}

/* --- the lines --- */

static void judge_missing(
	struct judge *j, const struct mp_hostpci *line, const char *address)
{
	bool domain = strchr(address, ':') != strrchr(address, ':');
	g_autofree char *full = g_strdup_printf("%s%s%s", domain ? "" : "0000:", address,
		strchr(address, '.') ? "" : ".0");
	const struct mp_pin *pin = pin_at(j, full);
	g_autofree char *where = pin ? where_now(j, pin) : NULL;

	refuse(j, "there is no device at %s (hostpci%u); %s", full, line->index,
		where ? where
		      : "see 'metis-passthrough list' for where it is, and correct "
			"hostpciN or the mapping");
}

static void judge_line(struct judge *j, const struct mp_hostpci *line)
{
	unsigned held = 0;
	bool passes = false;
	g_autofree char *last = NULL;

	if (line->problem) {
		warn(j,
			"Proxmox VE ignores hostpci%u, so the VM does not get what it names: "
			"%s",
			line->index, line->problem);
		return;
	}
	for (guint i = 0; i < line->missing->len; i++)
		judge_missing(j, line, line->missing->pdata[i]);
	if (!line->devices->len)
		refuse(j,
			"hostpci%u means no device of this node (%s); see 'metis-passthrough "
			"preflight --vm %s'",
			line->index, line->raw, j->vm->id);
	for (guint i = 0; i < line->devices->len; i++) {
		const struct mp_pci *device = line->devices->pdata[i];
		bool starting = false;
		char *holder = held_by(j, device, &starting);

		if (!holder) {
			judge_device(j, device);
			continue;
		}
		held++;
		passes = passes || starting;
		g_free(last);
		last = holder;
		if (!line->mapping)
			refuse(j, "%s is not free: %s; stop that VM first", device->bdf,
				holder);
	}
	/* By a mapping the VM gets one that is free. */
	if (!line->mapping || !held || held < line->devices->len)
		return;
	j->start->passes = !j->start->refusal && passes && held > 1;
	refuse(j, "no card of mapping %s is free: %s", line->mapping, last);
}

void mp_vm_start_judge(const struct mp_host *host, const struct mp_config *config,
	const struct mp_vm *vm, struct mp_vm_start *start)
{
	g_autoptr(GPtrArray) devices = g_ptr_array_new();
	struct judge j = {
		.host = host,
		.config = config,
		.vm = vm,
		.start = start,
		.devices = devices,
	};
	const struct mp_guests *guests = host->guests;

	start->refusal = NULL;
	start->passes = false;
	start->warnings = g_ptr_array_new_with_free_func(g_free);
	for (guint i = 0; i < vm->hostpci->len; i++) {
		const struct mp_hostpci *line = vm->hostpci->pdata[i];

		if (!line->problem)
			g_ptr_array_extend(devices, line->devices, NULL, NULL);
	}
	for (guint i = 0; i < vm->hostpci->len; i++)
		judge_line(&j, vm->hostpci->pdata[i]);
	if (devices->len && !j.pinned && !start->refusal)
		warn(&j, "no card of this VM is in /" MP_PATH_SETTINGS
			 ": nobody would notice if another came to its address");
	if (guests->reservations_fact.know == MP_UNKNOWN)
		warn(&j, "whether another VM has reserved a card could not be read (%s)",
			guests->reservations_fact.why);
	if (host->live && host->use->open_files.know != MP_KNOWN)
		warn(&j, "whether programs have a card open could not be seen (%s)",
			host->use->open_files.why);
}
