/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmetis-options.c - the properties of the virtual card, one for every question that only the
 * silicon can answer (docs/virtual-metis.md), and for every defect that a test wants.
 *
 *   device-id      0x1100 (Metis), 0x11aa (alpha), 0x0001 (Europa: the id only)
 *   serial         device serial number capability; 0: none
 *   fw             firmware version, a preset of what follows: 1.3.2, 1.6.0, 1.7.0...
 *   header         the magic number at the start of BAR 2
 *   descriptors    the firmware says where the descriptor area is
 *   dma-vm         off; on or owner: the firmware sends completion messages itself; imwr: it
 *                  points IMWR at the function's own message; flag: a flag and nothing behind
 *   sticky         what leaves window and IMWR as they were: none, flr (FLR and PM reset do),
 *                  bus (a bus reset too)
 *   window         level: the target counts as it is at each event; edge: as it was when the
 *                  window was armed
 *   stale-msi      events go by the message that was there when the window was armed first
 *   beyond-granted vector N is sent though fewer are granted
 *   wedge-after-flr an FLR stops the firmware until a bus reset
 *   settle-ms      without magic numbers for so long after a reset
 *   heartbeat-ms   an event as often while the window is armed; 0: none
 *   dead           no, zeros, ones: what both BARs read as
 *   reset          what there is, of flr, pm and bus, joined by "+"; or none. FLR and PM by
 *                  capability; without bus a bus reset does not reach what is inside
 *   link-down-after the link goes down at the Nth doorbell, until a bus reset
 *   drop-irq ...   the defects of edma.h, by their names with dashes
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "hw/qdev-properties.h"
#include "vmetis.h"

#define UNSET UINT32_MAX

#define DEFECT(name, field) DEFINE_PROP_BOOL(name, MetisState, defects.field, false)
#define CHOICE(name, field)                                                              \
	DEFINE_PROP_ON_OFF_AUTO(name, MetisState, field, ON_OFF_AUTO_AUTO)

const Property metis_properties[] = {
	DEFINE_PROP_UINT16("device-id", MetisState, device_id, 0x1100),
	DEFINE_PROP_UINT64("serial", MetisState, serial, 0),
	DEFINE_PROP_STRING("fw", MetisState, fw),
	CHOICE("header", header),
	CHOICE("descriptors", descriptors),
	DEFINE_PROP_STRING("dma-vm", MetisState, dma_vm),
	DEFINE_PROP_STRING("sticky", MetisState, sticky),
	DEFINE_PROP_STRING("window", MetisState, window),
	CHOICE("stale-msi", stale_msi),
	CHOICE("beyond-granted", beyond_granted),
	CHOICE("wedge-after-flr", wedge_after_flr),
	DEFINE_PROP_UINT32("settle-ms", MetisState, settle_ms, UNSET),
	DEFINE_PROP_UINT32("heartbeat-ms", MetisState, heartbeat_ms, UNSET),
	DEFINE_PROP_STRING("dead", MetisState, dead_text),
	DEFINE_PROP_STRING("reset", MetisState, resets_text),
	DEFINE_PROP_UINT32("link-down-after", MetisState, link_down_after, 0),
	DEFECT("drop-irq", drop_irq),
	DEFECT("wrong-irq", wrong_irq),
	DEFECT("wrong-data", wrong_data),
	DEFECT("truncated", truncated),
	DEFECT("overrun", overrun),
	DEFECT("stuck", stuck),
	DEFECT("deaf", deaf),
	DEFECT("wrong-status", wrong_status),
	DEFECT("lying", lying),
	DEFECT("status-kept", status_kept),
	DEFECT("status-quiet", status_quiet),
	DEFECT("mask-ignored", mask_ignored),
	DEFECT("power-off", power_off),
	DEFECT("soft-reset-all", soft_reset_all),
};
const size_t metis_properties_count = ARRAY_SIZE(metis_properties);

struct word {
	const char *name;
	int value;
};

static const struct word dma_vm_words[] = {
	{ "off", FIRMWARE_DMA_VM_OFF },
	{ "on", FIRMWARE_DMA_VM_OWNER },
	{ "owner", FIRMWARE_DMA_VM_OWNER },
	{ "imwr", FIRMWARE_DMA_VM_IMWR },
	{ "flag", FIRMWARE_DMA_VM_FLAG },
	{},
};
static const struct word sticky_words[] = {
	{ "none", FIRMWARE_STICKY_NONE },
	{ "flr", FIRMWARE_STICKY_FLR },
	{ "bus", FIRMWARE_STICKY_BUS },
	{},
};
static const struct word window_words[] = {
	{ "level", false },
	{ "edge", true },
	{},
};
static const struct word dead_words[] = {
	{ "no", FIRMWARE_ALIVE },
	{ "zeros", FIRMWARE_ZEROS },
	{ "ones", FIRMWARE_ONES },
	{},
};
static const struct word reset_words[] = {
	{ "none", 0 },
	{ "flr", METIS_RESET_FLR },
	{ "pm", METIS_RESET_PM },
	{ "bus", METIS_RESET_BUS },
	{},
};

static bool find_word(const char *property, const char *text, const struct word *words,
	int *value, Error **errp)
{
	for (; words->name; words++) {
		if (!strcmp(words->name, text)) {
			*value = words->value;
			return true;
		}
	}
	error_setg(errp, "metis: %s=%s: no such value", property, text);
	return false;
}

/* TEXT may be NULL: then VALUE stays as it is. */
static bool choose(const char *property, const char *text, const struct word *words,
	int *value, Error **errp)
{
	return !text || find_word(property, text, words, value, errp);
}

static void overrule(bool *option, OnOffAuto choice)
{
	if (choice != ON_OFF_AUTO_AUTO)
		*option = choice == ON_OFF_AUTO_ON;
}

static bool parse_resets(MetisState *s, Error **errp)
{
	g_auto(GStrv) words = g_strsplit(s->resets_text ?: "flr+bus", "+", -1);
	int i, bit;

	s->resets = 0;
	for (i = 0; words[i]; i++) {
		if (!find_word("reset", words[i], reset_words, &bit, errp))
			return false;
		s->resets |= bit;
	}
	return true;
}

bool metis_configure(MetisState *s, Error **errp)
{
	struct firmware_options *options = &s->options;
	int dma_vm, sticky, window, dead = FIRMWARE_ALIVE;

	if (!firmware_preset(s->fw ?: "1.6.0", options)) {
		error_setg(errp, "metis: fw=%s: no such firmware version", s->fw);
		return false;
	}
	dma_vm = options->dma_vm;
	sticky = options->sticky;
	window = options->window_latched;
	if (!choose("dma-vm", s->dma_vm, dma_vm_words, &dma_vm, errp) ||
		!choose("sticky", s->sticky, sticky_words, &sticky, errp) ||
		!choose("window", s->window, window_words, &window, errp) ||
		!choose("dead", s->dead_text, dead_words, &dead, errp) ||
		!parse_resets(s, errp))
		return false;
	options->dma_vm = dma_vm;
	options->sticky = sticky;
	options->window_latched = window;
	options->dead = dead;
	overrule(&options->header, s->header);
	overrule(&options->descriptors, s->descriptors);
	overrule(&options->stale_msi, s->stale_msi);
	overrule(&options->beyond_granted, s->beyond_granted);
	overrule(&options->wedge_after_flr, s->wedge_after_flr);
	if (s->settle_ms != UNSET)
		options->settle_ms = s->settle_ms;
	if (s->heartbeat_ms != UNSET)
		options->heartbeat_ms = s->heartbeat_ms;
	return true;
}
