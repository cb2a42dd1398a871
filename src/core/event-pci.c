/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the PCI core and VFIO print about a device: resets, power, BARs, errors, refusals. */
#include "config.h"

#include "core/event-private.h"

/* Messages without anything to read out of them, by how they begin. */
static const struct {
	const char *text;
	enum mp_event_kind kind;
} plain[] = {
	/* drivers/iommu/intel/iommu.c up to 6.5; then drivers/iommu/iommu.c */
	{ "Device is ineligible for IOMMU domain attach", MP_EVENT_RMRR },
	{ "Firmware has requested this device have a 1:1 IOMMU mapping",
		MP_EVENT_DIRECT },
	{ "timed out waiting for pending transaction", MP_EVENT_PENDING },
	{ "Unable to change power state from D3cold to D0", MP_EVENT_D3COLD },
	{ "can't change power state from D3cold to D0", MP_EVENT_D3COLD },
	{ "resetting", MP_EVENT_RESETTING },
	{ "reset done", MP_EVENT_RESET_DONE },
	{ "vfio_bar_restore: reset recovery", MP_EVENT_RESTORING },
	{ "No device request channel registered", MP_EVENT_RELEASE },
	{ "Relaying device request to user", MP_EVENT_RELEASE },
	{ "irq bypass producer ", MP_EVENT_BYPASS },
	{ "MSI interrupts are not secure", MP_EVENT_UNSAFE },
};

static bool set_number(struct mp_event *event, enum mp_event_kind kind, uint64_t number)
{
	event->kind = kind;
	event->has_number = true;
	event->number = number;
	return true;
}

/* pci_dev_wait(): "not ready 1023ms after FLR; waiting", "ready 2047ms after bus reset" */
static bool reset_wait(struct mp_cut *cut, struct mp_event *event)
{
	bool ready = !MP_CUT(cut, "not ");
	uint64_t ms;

	if (!MP_CUT(cut, "ready ") || !mp_cut_decimal(cut, &ms) ||
		!MP_CUT(cut, "ms after "))
		return false;
	mp_cut_word(cut, ";", event->detail, sizeof(event->detail));
	if (ready)
		return set_number(event, MP_EVENT_RESET_READY, ms);
	return set_number(event,
		MP_CUT(cut, "; giving up") ? MP_EVENT_RESET_FAILED : MP_EVENT_RESET_WAIT,
		ms);
}

/* "BAR 2: can't reserve [mem ...]", "BAR 2 [mem ...]: can't reserve" */
static bool bar(struct mp_cut *cut, struct mp_event *event)
{
	uint64_t number;

	return MP_CUT(cut, "BAR ") && mp_cut_decimal(cut, &number) && number < 7 &&
	       MP_CUT_TO(cut, ": can't reserve") &&
	       set_number(event, MP_EVENT_BAR, number);
}

/* The port tells of the device below: the one in the message counts. Kernels before 4.19
 * named it by a number ("id=00e0"). */
static bool aer_report(struct mp_cut *cut, struct mp_event *event)
{
	struct mp_cut severity = *cut;
	uint64_t id;

	MP_CUT(&severity, "Multiple ");
	cut->at = severity.at;
	if (!MP_CUT_TO(cut, " error "))
		return false;
	severity.end = cut->at - strlen(" error ");
	mp_cut_word(&severity, "", event->detail, sizeof(event->detail));
	MP_CUT(cut, "message ");
	if (!MP_CUT(cut, "received"))
		return false;
	event->kind = MP_EVENT_AER;
	if (MP_CUT(cut, ": id=") && mp_cut_hex(cut, 4, &id)) {
		event->bus = (uint8_t)(id >> 8);
		event->slot = (uint8_t)(id >> 3) & 31;
		event->function = (uint8_t)id & 7;
		return true;
	}
	if (MP_CUT(cut, ": ") || MP_CUT(cut, " from "))
		mp_cut_address(cut, event);
	return true;
}

/* "PCIe Bus Error: severity=Uncorrectable (Non-Fatal), type=Transaction Layer, ..." */
static bool aer_error(struct mp_cut *cut, struct mp_event *event)
{
	if (!MP_CUT(cut, "severity="))
		return false;
	mp_cut_word(cut, ",", event->detail, sizeof(event->detail));
	event->kind = MP_EVENT_AER;
	return true;
}

/* "   [20] UnsupReq               (First)" */
static bool aer_bit(struct mp_cut *cut, struct mp_event *event)
{
	uint64_t bit;

	mp_cut_spaces(cut);
	if (!mp_cut_char(cut, '['))
		return false;
	mp_cut_spaces(cut);
	if (!mp_cut_decimal(cut, &bit) || bit > 31 || !MP_CUT(cut, "] "))
		return false;
	mp_cut_word(cut, " (", event->detail, sizeof(event->detail));
	return set_number(event, MP_EVENT_AER_BIT, bit);
}

static bool probe(struct mp_cut *cut, struct mp_event *event)
{
	uint64_t number;

	return MP_CUT_TO(cut, "failed with error -") && mp_cut_decimal(cut, &number) &&
	       set_number(event, MP_EVENT_PROBE, number);
}

bool mp_event_pci(struct mp_cut cut, struct mp_event *event)
{
	for (size_t i = 0; i < G_N_ELEMENTS(plain); i++)
		if (mp_cut_text(&cut, plain[i].text, strlen(plain[i].text))) {
			event->kind = plain[i].kind;
			return true;
		}
	if (cut.at == cut.end)
		return false;
	switch (*cut.at) {
	case 'n':
	case 'r':
		return reset_wait(&cut, event);
	case 'B':
		return bar(&cut, event);
	case 'A':
		return MP_CUT(&cut, "AER: ") && aer_report(&cut, event);
	case 'P':
		if (MP_CUT(&cut, "Probe with driver vfio"))
			return probe(&cut, event);
		return MP_CUT(&cut, "PCIe Bus Error: ") && aer_error(&cut, event);
	case 'p':
		return MP_CUT(&cut, "probe with driver vfio") && probe(&cut, event);
	case ' ':
	case '[':
		return aer_bit(&cut, event);
	default:
		return false;
	}
}

static bool memlock(struct mp_cut *cut, struct mp_event *event)
{
	uint64_t limit;

	return MP_CUT_TO(cut, "RLIMIT_MEMLOCK (") && mp_cut_decimal(cut, &limit) &&
	       MP_CUT(cut, ") exceeded") && set_number(event, MP_EVENT_MEMLOCK, limit);
}

bool mp_event_vfio(struct mp_cut cut, struct mp_event *event)
{
	if (MP_CUT(&cut, "MSI interrupts are not secure")) {
		event->kind = MP_EVENT_UNSAFE;
		return true;
	}
	if (MP_CUT(&cut, "irq bypass producer ")) {
		event->kind = MP_EVENT_BYPASS;
		return true;
	}
	if (!MP_CUT(&cut, "vfio"))
		return false;
	if (MP_CUT(&cut, "-pci: probe of ") && mp_cut_address(&cut, event))
		return probe(&cut, event);
	if (memlock(&cut, event))
		return true;
	if (!MP_CUT(&cut, "_iommu_type1_attach_group: No interrupt remapping"))
		return false;
	event->kind = MP_EVENT_NO_REMAPPING;
	return true;
}
