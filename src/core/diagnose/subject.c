/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which device a diagnosis is about, and who stands behind the address in a fault. */
#include "config.h"

#include "core/diagnose.h"
#include "core/fault.h"
#include "core/host.h"
#include "core/iommu.h"
#include "core/pci.h"
#include "core/profile.h"
#include "core/vm-started.h"
#include "core/vm.h"

bool mp_event_is_of(const struct mp_event *event, const struct mp_event *subject)
{
	return event->has_device && subject->has_device && event->bus == subject->bus &&
	       event->slot == subject->slot && event->function == subject->function &&
	       (!event->has_segment || !subject->has_segment ||
		       event->segment == subject->segment);
}

static bool is_at(const struct mp_pci *device, const struct mp_event *event)
{
	return device->bus == event->bus && device->slot == event->slot &&
	       device->function == event->function &&
	       (!event->has_segment || device->domain == event->segment);
}

/* The device of the host at EVENT's address; *several: in more than one segment. */
static const struct mp_pci *find(
	const struct mp_host *host, const struct mp_event *event, bool *several)
{
	const struct mp_pci *found = NULL;

	*several = false;
	for (guint i = 0; host && i < host->devices->len; i++) {
		const struct mp_pci *device = host->devices->pdata[i];

		if (!is_at(device, event))
			continue;
		*several = found != NULL;
		found = found ? found : device;
	}
	return found;
}

/* The device scopes of the DMAR table name I/O APICs and HPETs by such addresses. */
static bool in_scope(const struct mp_dmar *dmar, const struct mp_event *event)
{
	for (guint i = 0; i < dmar->units->len; i++) {
		const struct mp_dmar_unit *unit = dmar->units->pdata[i];

		for (guint k = 0; unit->scopes && k < unit->scopes->len; k++) {
			const struct mp_dmar_scope *scope =
				&g_array_index(unit->scopes, struct mp_dmar_scope, k);

			if ((scope->type == MP_DMAR_SCOPE_IOAPIC ||
				    scope->type == MP_DMAR_SCOPE_HPET) &&
				scope->bus == event->bus && scope->path_length == 1 &&
				scope->path[0].device == event->slot &&
				scope->path[0].function == event->function)
				return true;
		}
	}
	return false;
}

/* Without a table: chipsets use devices 1e and 1f of high buses, with functions of any
 * number, for them. Only of interrupts, and only where no function answers there. */
static bool looks_like_chip(const struct mp_event *event)
{
	return event->kind == MP_EVENT_INTERRUPT && event->bus >= 0xf0 &&
	       (event->slot == 0x1e || event->slot == 0x1f);
}

static enum mp_requester requester_of(const struct mp_host *host,
	const struct mp_event *event, const struct mp_pci **device)
{
	bool several;

	*device = NULL;
	if (!event->has_device)
		return MP_REQUESTER_NONE;
	*device = find(host, event, &several);
	if (several) {
		*device = NULL;
		return MP_REQUESTER_SEVERAL;
	}
	if (*device)
		return MP_REQUESTER_DEVICE;
	if (event->kind == MP_EVENT_INTERRUPT &&
		((host && host->iommu && host->iommu->dmar &&
			 in_scope(host->iommu->dmar, event)) ||
			looks_like_chip(event)))
		return MP_REQUESTER_CHIP;
	if (!host || host->devices_fact.know != MP_KNOWN)
		return MP_REQUESTER_UNKNOWN;
	return MP_REQUESTER_ABSENT;
}

static char *address_of(const struct mp_event *event)
{
	char text[17];

	if (event->has_segment)
		return g_strdup(mp_pci_format_bdf(
			text, event->segment, event->bus, event->slot, event->function));
	return g_strdup_printf("%02x:%02x.%x", event->bus, event->slot, event->function);
}

/* --- the subject --- */

static bool in_vm(const struct mp_vm *vm, const struct mp_pci *device)
{
	for (guint i = 0; vm && i < vm->hostpci->len; i++) {
		const struct mp_hostpci *line = vm->hostpci->pdata[i];

		for (guint k = 0; line->devices && k < line->devices->len; k++)
			if (line->devices->pdata[k] == device)
				return true;
	}
	return false;
}

static bool has_profile(const struct mp_pci *device)
{
	g_autoptr(mp_profile) profile = mp_profile_for_device(device, NULL);

	return profile && mp_profile_is_specific(profile);
}

/* How much a sort of trouble makes its device the one that it is all about. */
static unsigned importance(const struct mp_diagnosis *diagnosis,
	const struct mp_diagnose_input *input, const struct mp_event *event)
{
	const struct mp_pci *device;
	enum mp_requester requester = requester_of(diagnosis->host, event, &device);
	unsigned points = 1;

	/* The card's driver tells the guest's address of the card. */
	if (!event->has_device || requester == MP_REQUESTER_CHIP ||
		!mp_event_is_trouble(event->kind) ||
		(event->kind >= MP_EVENT_DRIVER && event->kind <= MP_EVENT_USER))
		return 0;
	if (mp_event_is_fault(event->kind))
		points += 2;
	if (device && in_vm(input->vm, device))
		points += 16;
	else if (device && has_profile(device))
		points += 8;
	else if (device && mp_fact_is(&device->driver, "vfio-pci"))
		points += 4;
	return points;
}

void mp_diagnose_subject(struct mp_diagnosis *diagnosis,
	const struct mp_diagnose_input *input, struct mp_event *subject)
{
	const struct mp_event_sum *best = NULL;
	unsigned most = 0;

	if (!subject->has_device) {
		for (guint i = 0; i < diagnosis->log->sums->len; i++) {
			const struct mp_event_sum *sum = diagnosis->log->sums->pdata[i];
			unsigned points = importance(diagnosis, input, &sum->event);

			if (points > most || (best && points == most && points &&
						     sum->count > best->count)) {
				best = sum;
				most = points;
			}
		}
		if (best)
			*subject = best->event;
	}
	if (!subject->has_device)
		return;
	requester_of(diagnosis->host, subject, &diagnosis->device);
	if (diagnosis->device) {
		subject->has_segment = true;
		subject->segment = diagnosis->device->domain;
	}
	diagnosis->subject = address_of(subject);
}

/* --- each sort of trouble --- */

static const char *direction(const struct mp_event *event)
{
	static const char *const names[] = { "An access", "A read", "A write" };

	return names[event->direction];
}

static char *amd_meaning(const struct mp_event *event)
{
	/* PR: the page was there, so it was about permission. */
	bool present = event->flags & 0x010;

	if (event->kind == MP_EVENT_INTERRUPT)
		return g_strdup("An interrupt message was blocked");
	return g_strdup_printf("%s was blocked: %s", direction(event),
		!event->has_flags ? "the line does not tell why"
		: present         ? "the page is there, but does not allow it"
				  : "nothing is mapped there");
}

static char *intel_meaning(const struct mp_event *event)
{
	const char *reason =
		event->has_reason ? mp_fault_reason_text(event->reason) : NULL;
	g_autofree char *unknown = NULL;

	if (!event->has_reason)
		unknown = g_strdup("the log does not tell why");
	else if (!reason)
		unknown = g_strdup_printf(
			"reason 0x%02x, which we don't know", event->reason);
	if (event->kind == MP_EVENT_DMA)
		return g_strdup_printf("%s was blocked: %s", direction(event),
			reason ? reason : unknown);
	return g_strdup_printf(
		"An interrupt message was blocked: %s", reason ? reason : unknown);
}

static const struct {
	enum mp_event_kind kind;
	const char *text;
} meanings[] = {
	{ MP_EVENT_LOST, "The IOMMU had more faults than it could record" },
	{ MP_EVENT_SUPPRESSED, "Further faults were not logged" },
	{ MP_EVENT_NO_REMAPPING, "VFIO refused: there is no interrupt remapping" },
	{ MP_EVENT_RMRR, "VFIO refused: firmware reserved memory for the device (RMRR)" },
	{ MP_EVENT_DIRECT, "VFIO refused: firmware asks for a fixed mapping" },
	{ MP_EVENT_BAR, "A BAR is held by somebody else" },
	{ MP_EVENT_RESET_FAILED, "The device did not come back from a reset" },
	{ MP_EVENT_PENDING, "Transfers were under way when the device was reset" },
	{ MP_EVENT_D3COLD, "The device does not wake up from D3cold" },
	{ MP_EVENT_RELEASE, "Somebody waits for the VM to let go of the device" },
	{ MP_EVENT_MEMLOCK, "The limit of locked memory was reached" },
	{ MP_EVENT_PROBE, "vfio-pci could not take the device" },
	{ MP_EVENT_NOT_VIABLE, "The IOMMU group is shared with a host driver" },
	{ MP_EVENT_ATTACH, "QEMU could not attach the IOMMU group" },
	{ MP_EVENT_MAP, "VFIO could not map an address range" },
	{ MP_EVENT_HEADER, "The card's header makes no sense to its driver" },
	{ MP_EVENT_CARD_TIMEOUT, "The card's driver waited in vain for a transfer" },
	{ MP_EVENT_CARD_ERROR, "The card's engine ended a transfer with an error" },
	{ MP_EVENT_CARD_MESSAGE, "The card's driver waited in vain for its firmware" },
	{ MP_EVENT_LINK_DOWN, "The card's link went down" },
	{ MP_EVENT_USER, "A program could not work with the card" },
};

char *mp_event_meaning(const struct mp_event *event)
{
	if (mp_event_is_fault(event->kind)) {
		if (event->unit == MP_UNIT_INTEL)
			return intel_meaning(event);
		if (event->unit == MP_UNIT_AMD)
			return amd_meaning(event);
		return g_strdup_printf("%s was blocked%s%s", direction(event),
			*event->detail ? ": " : "", event->detail);
	}
	if (event->kind == MP_EVENT_AER)
		return g_strdup_printf("PCIe error: %s", event->detail);
	if (event->kind == MP_EVENT_IOMMU)
		return g_strdup_printf("The IOMMU reports %s",
			*event->detail ? event->detail : "an event");
	for (size_t i = 0; i < G_N_ELEMENTS(meanings); i++)
		if (meanings[i].kind == event->kind)
			return g_strdup(meanings[i].text);
	return g_strdup(mp_event_name(event->kind));
}

void mp_problem_place(const struct mp_diagnosis *diagnosis, struct mp_problem *problem)
{
	const struct mp_event_sum *sum = problem->sum;
	struct mp_vm_map map;
	enum mp_vm_area area;

	if (sum->event.kind != MP_EVENT_DMA || !sum->n_addresses || !diagnosis->vm)
		return;
	map = mp_vm_map_had(diagnosis->host, diagnosis->vm);
	area = mp_vm_map_classify(&map, sum->lowest);
	for (unsigned i = 0; i < sum->n_addresses; i++)
		if (mp_vm_map_classify(&map, sum->addresses[i].address) != area) {
			problem->place = g_strdup_printf(
				"in several areas of VM %s", diagnosis->vm->id);
			return;
		}
	problem->place =
		g_strdup_printf("%s of VM %s", mp_vm_area_name(area), diagnosis->vm->id);
}

static char *who(const struct mp_problem *problem)
{
	g_autofree char *address = NULL;

	if (!problem->sum->event.has_device)
		return NULL;
	if (problem->device)
		return g_strdup(problem->device->bdf);
	address = address_of(&problem->sum->event);
	switch (problem->requester) {
	case MP_REQUESTER_CHIP:
		return g_strdup_printf("%s (I/O APIC or HPET, no PCI function)", address);
	case MP_REQUESTER_ABSENT:
		return g_strdup_printf("%s (no such function on this host)", address);
	case MP_REQUESTER_SEVERAL:
		return g_strdup_printf("%s (in several PCI segments)", address);
	default:
		return g_steal_pointer(&address);
	}
}

static int compare_problems(const void *a, const void *b)
{
	const struct mp_problem *left = *(void *const *)a, *right = *(void *const *)b;
	bool left_fault = mp_event_is_fault(left->sum->event.kind);
	bool right_fault = mp_event_is_fault(right->sum->event.kind);

	if (left->subject != right->subject)
		return left->subject ? -1 : 1;
	if (left_fault != right_fault)
		return left_fault ? -1 : 1;
	/* Then as they stand in the log. */
	return left->sum->event.line < right->sum->event.line ? -1 : 1;
}

void mp_diagnose_problems(struct mp_diagnosis *diagnosis, const struct mp_event *subject)
{
	for (guint i = 0; i < diagnosis->log->sums->len; i++) {
		const struct mp_event_sum *sum = diagnosis->log->sums->pdata[i];
		struct mp_problem *problem;

		if (!mp_event_is_trouble(sum->event.kind))
			continue;
		if (sum->event.kind == MP_EVENT_SUPPRESSED ||
			sum->event.kind == MP_EVENT_LOST)
			diagnosis->at_least = true;
		if (mp_event_is_fault(sum->event.kind) ||
			sum->event.kind == MP_EVENT_SUPPRESSED)
			diagnosis->faults += sum->count;
		problem = g_new0(struct mp_problem, 1);
		problem->sum = sum;
		problem->subject = mp_event_is_of(&sum->event, subject);
		problem->requester =
			requester_of(diagnosis->host, &sum->event, &problem->device);
		problem->who = who(problem);
		problem->meaning = mp_event_meaning(&sum->event);
		g_ptr_array_add(diagnosis->problems, problem);
	}
	g_ptr_array_sort(diagnosis->problems, compare_problems);
}
