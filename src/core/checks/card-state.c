/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is inside the card: firmware, its window into memory, messages of its own. */
#include "config.h"

#include "core/card.h"
#include "core/checks/common.h"
#include "core/pci.h"
#include "core/profile.h"
#include "core/repair.h"
#include "core/use.h"

#define MAINS                                                                            \
	"switch the machine off at the mains for a minute (a warm reboot may not be "    \
	"enough)"

/* Who works with the card now, so that what is armed in it may be meant. */
enum user { USER_NOBODY, USER_HOST, USER_VM };

static enum user user_of(const struct mp_check_ctx *ctx)
{
	g_autoptr(GPtrArray) entries = mp_use_of(ctx->host, ctx->device);

	for (guint i = 0; i < entries->len; i++) {
		const struct mp_use_entry *entry = entries->pdata[i];

		if (entry->kind == MP_USE_VM)
			return USER_VM;
	}
	if (ctx->device->driver.know == MP_KNOWN &&
		!mp_fact_is(&ctx->device->driver, "vfio-pci"))
		return USER_HOST;
	return USER_NOBODY;
}

static void remedy_look(struct mp_finding *finding, const struct mp_check_ctx *ctx)
{
	mp_finding_remedy(finding,
		"as root on the host itself: metis-passthrough inspect "
		"--device %s",
		ctx->device->bdf);
}

static void remedy_scrub(struct mp_finding *finding, const struct mp_check_ctx *ctx)
{
	mp_finding_remedy(finding,
		"metis-passthrough inspect --scrub --device %s makes it silent now; 'setup "
		"--hook' does so around every run of the VM",
		ctx->device->bdf);
}

/* How a check says that there is nothing to judge. */
enum manner {
	LOUD,   /* it is the one that tells */
	UNSURE, /* told already; but what could not be read must be seen here too */
	QUIET,  /* told already */
};

/* The card's state, or NULL after having said why there is nothing to judge. */
static const struct mp_card *state_of(struct mp_check_ctx *ctx, enum manner manner)
{
	const struct mp_card *card = mp_host_card(ctx->host, ctx->device);
	const char *bdf = ctx->device->bdf;
	struct mp_finding *finding;

	if (!card) {
		mp_check_say(ctx, MP_SKIP, "No profile says how to look into %s", bdf);
		return NULL;
	}
	switch (card->life) {
	case MP_CARD_RUNNING:
		return card;
	case MP_CARD_ASLEEP:
		mp_check_say(ctx, manner == LOUD ? MP_INFO : MP_SKIP,
			"%s was not looked into: %s; as long as it is so it can reach no memory",
			bdf, card->why);
		return NULL;
	case MP_CARD_ZEROS:
	case MP_CARD_ONES:
	case MP_CARD_STARTING:
		if (manner == LOUD)
			return card;
		finding = mp_check_say(ctx, manner == QUIET ? MP_SKIP : MP_UNSURE,
			"Not known, because the firmware of %s does not run", bdf);
		if (manner != QUIET)
			mp_finding_remedy(finding,
				"bring its firmware up first (card-firmware-running)");
		return NULL;
	case MP_CARD_UNREAD:
		break;
	}
	finding = mp_check_say(ctx, manner == QUIET ? MP_SKIP : MP_UNSURE,
		"%s could not be looked into: %s", bdf, card->why);
	mp_finding_evidence(finding, card->source, "unknown (%s)", card->why);
	if (manner != QUIET)
		remedy_look(finding, ctx);
	return NULL;
}

static void firmware_running(struct mp_check_ctx *ctx)
{
	const struct mp_card *card = state_of(ctx, LOUD);
	struct mp_finding *finding;

	if (!card)
		return;
	switch (card->life) {
	case MP_CARD_ZEROS:
		finding = mp_check_say(ctx, MP_FAIL,
			"The firmware of %s does not run: its memory reads as all zeros",
			ctx->device->bdf);
		mp_finding_remedy(finding, MAINS
			"; if it stays so, the firmware has to be flashed again with the "
			"vendor's tool");
		break;
	case MP_CARD_ONES:
		finding = mp_check_say(ctx, MP_FAIL,
			"%s does not answer: its memory reads as all ones",
			ctx->device->bdf);
		mp_finding_remedy(finding,
			"look at link and power state: metis-passthrough "
			"preflight --check 'device-*'; then " MAINS);
		break;
	case MP_CARD_STARTING:
		finding = mp_check_say(ctx, MP_WARN,
			"The firmware of %s is not up, or of a kind that is not known: %s",
			ctx->device->bdf, card->why);
		mp_finding_remedy(finding,
			"a few seconds after a reset this is normal: look again; else " MAINS);
		break;
	default:
		finding = mp_check_say(
			ctx, MP_PASS, "The firmware of %s runs", ctx->device->bdf);
		mp_finding_evidence(finding, card->source,
			"control block %u.%u, as the card says", card->firmware_major,
			card->firmware_minor);
		return;
	}
	mp_finding_evidence(finding, card->source, "%s", mp_card_life_name(card->life));
}

static void dma_vm(struct mp_check_ctx *ctx)
{
	const struct mp_card *card = state_of(ctx, QUIET);
	struct mp_finding *finding;

	if (!card)
		return;
	if (card->dma_vm == MP_CARD_YES) {
		finding = mp_check_say(ctx, MP_PASS,
			"The firmware of %s offers to signal the end of DMA itself, so that a "
			"guest's driver need not put its message into the card",
			ctx->device->bdf);
		mp_finding_evidence(
			finding, card->source, "the flag for DMA in a VM is set");
		return;
	}
	finding = mp_check_say(ctx, MP_WARN,
		"The firmware of %s does not offer DMA in a VM: whatever the guest's driver, its "
		"interrupt messages go into the card, where nobody translates them",
		ctx->device->bdf);
	mp_finding_evidence(finding, card->source, "the flag for DMA in a VM is not set");
	mp_finding_remedy(finding,
		"update the card's firmware with the SDK that brings it (1.7.0 or later), or have "
		"the guest's driver poll (see card-interrupt-delivery)");
}

static void window(struct mp_check_ctx *ctx)
{
	const struct mp_card *card = state_of(ctx, UNSURE);
	enum user user = user_of(ctx);
	struct mp_finding *finding;

	if (!card)
		return;
	if (card->window != MP_CARD_YES) {
		finding = mp_check_say(ctx, MP_PASS, "%s has no window into memory open",
			ctx->device->bdf);
	} else if (user != USER_NOBODY) {
		finding = mp_check_say(ctx, MP_INFO,
			"%s has its window into memory open, for %s that uses it",
			ctx->device->bdf,
			user == USER_VM ? "the VM" : "the host's driver");
	} else {
		finding = mp_check_say(ctx, MP_FAIL,
			"%s may write into memory that nobody gave it: its window is open to "
			"0x%" G_GINT64_MODIFIER "x, left by a driver that is gone",
			ctx->device->bdf, card->window_target);
		remedy_scrub(finding, ctx);
	}
	mp_finding_evidence(finding, card->source,
		"window %s, target 0x%" G_GINT64_MODIFIER "x, size 0x%" G_GINT64_MODIFIER
		"x",
		card->window == MP_CARD_YES ? "open" : "closed", card->window_target,
		card->window_size);
}

static const char *message_means(enum mp_card_message message)
{
	switch (message) {
	case MP_MESSAGE_STALE:
		return "an entry of the remapping table that is not this card's now: the host "
		       "would log fault reason 0x22, or 0x26 if it belongs to another";
	case MP_MESSAGE_RAW:
		return "compatibility format, as a guest composes it: the host would log fault "
		       "reason 0x25";
	case MP_MESSAGE_MEMORY:
		return "no interrupt address: it would be a write into memory";
	case MP_MESSAGE_NONE:
	case MP_MESSAGE_OWN:
		break;
	}
	return "the host's own";
}

static bool can_be_repaired(const struct mp_check_ctx *ctx, const struct mp_card *card)
{
	return card->dma_vm == MP_CARD_NO &&
	       mp_repair_can_be(ctx->host, ctx->device, ctx->profile);
}

static void imwr(struct mp_check_ctx *ctx)
{
	const struct mp_card *card = state_of(ctx, QUIET);
	enum user user = user_of(ctx);
	const struct mp_card_target *odd = NULL;
	struct mp_finding *finding;

	if (!card)
		return;
	for (unsigned i = 0; i < card->targets_count && !odd; i++)
		if (card->targets[i].message != MP_MESSAGE_NONE &&
			card->targets[i].message != MP_MESSAGE_OWN)
			odd = &card->targets[i];
	if (!odd)
		finding = mp_check_say(ctx, MP_PASS,
			"%s holds no interrupt message but the host's own",
			ctx->device->bdf);
	else if (user == USER_VM)
		finding = mp_check_say(ctx, MP_WARN,
			"The guest's driver has put its own interrupt message into %s, where "
			"VFIO cannot translate it: the end of DMA will not be signalled",
			ctx->device->bdf);
	else
		finding = mp_check_say(ctx, MP_WARN,
			"%s holds an old interrupt message in registers of its own",
			ctx->device->bdf);
	for (unsigned i = 0; i < card->targets_count; i++)
		if (card->targets[i].message != MP_MESSAGE_NONE)
			mp_finding_evidence(finding, card->source,
				"%s: 0x%" G_GINT64_MODIFIER "x, %s",
				card->targets[i].name, card->targets[i].address,
				message_means(card->targets[i].message));
	if (!odd)
		mp_finding_evidence(finding, card->source,
			"%u message registers looked at", card->targets_count);
	else if (user == USER_VM && can_be_repaired(ctx, card))
		mp_finding_remedy(finding,
			"have the guest's driver poll (see card-interrupt-delivery); as an "
			"experiment, never tried on hardware: metis-passthrough inspect "
			"--repair-msi --dry-run --device %s",
			ctx->device->bdf);
	else if (user == USER_VM)
		mp_finding_remedy(finding, "have the guest's driver poll (see "
					   "card-interrupt-delivery)");
	else
		remedy_scrub(finding, ctx);
}

#define HOW                                                                                   \
	"The card's memory is mapped from sysfs and read in 32-bit words, never by VFIO, "    \
	"which would reset it. A card that sleeps (D3) is not woken up for this. The layout " \
	"is that of the vendor's published driver; it was tried on a model of the card, not " \
	"on hardware.\n\n"

const struct mp_check mp_checks_card_state[] = {
	{ "card-firmware-running", MP_SCOPE_DEVICE, "the card's own firmware runs",
		"A card can be there, with a link and a clean configuration space, and its "
		"firmware is dead: after a failed flash its memory reads as all zeros, without a "
		"link or asleep as all ones; right after a reset its magic numbers are missing for "
		"some seconds.\n\n" HOW
		"What to do: wait and look again; then a cold start of the machine.",
		firmware_running },
	{ "card-dma-vm", MP_SCOPE_DEVICE, "the card's firmware offers DMA in a VM",
		"Newer firmware sets a flag by which it tells that it signals the end of DMA "
		"itself, by the message that the host gave to the function. A driver that knows "
		"the flag then leaves the DMA engine's message registers alone. Without the flag "
		"each driver writes the guest's message there, and the host blocks it.\n\n" HOW
		"What to do: update the firmware, and the guest's driver to a version that knows "
		"the flag; or let the guest's driver poll.",
		dma_vm },
	{ "card-window", MP_SCOPE_DEVICE, "the card has no window into memory left open",
		"The card's firmware writes flags into host memory through a window that the "
		"driver opens. It stays open when the driver goes without closing it, or is killed "
		"with its VM. The next write goes to an address that means something else now: "
		"blocked with VT-d fault reason 0x05 while a VM has the card, and not blocked at all "
		"while nobody has opened it and iommu=pt is set, because it is in the identity "
		"domain then. If the address is within the VM's memory there is no fault either, "
		"but silent corruption.\n\n" HOW
		"What to do: `inspect --scrub`, and the hookscript, which does so before and "
		"after every run of the VM.",
		window },
	{ "card-imwr", MP_SCOPE_DEVICE, "the card holds no interrupt message of others",
		"The DMA engine has message registers of its own (IMWR): address and data that "
		"it writes when a transfer ends. What is in there counts, not what VFIO shows the "
		"guest. A message is the host's own if its address is that of the function's MSI "
		"capability now; stale if it has the remappable format and is not; a guest's if "
		"it has the compatibility format (VT-d 5.1.2).\n\n" HOW
		"What to do: scrub a card that nobody uses; let a guest's driver poll. On Intel "
		"hosts `inspect --repair-msi` is an experiment for a card in use: never tried on "
		"hardware.",
		imwr },
	{ NULL },
};
