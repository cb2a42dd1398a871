/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `inspect` for people: whether the card can do harm first, then what is in it. */
#include "config.h"

#include <string.h>

#include "core/card.h"
#include "core/group.h"
#include "core/irte.h"
#include "core/pci.h"
#include "core/repair.h"
#include "render/page.h"
#include "render/text.h"

#define INDENT      4
#define LABEL       12
#define ENTRIES_MAX 64 /* more vectors than that are counted */

#define HEX "0x%" G_GINT64_MODIFIER "x"

static const struct {
	enum mp_hue hue;
	const char *word;
} answers[] = {
	[MP_INSPECT_QUIET] = { MP_GREEN, "QUIET:" },
	[MP_INSPECT_AT_WORK] = { MP_GREEN, "AT WORK:" },
	[MP_INSPECT_ARMED] = { MP_RED, "ARMED:" },
	[MP_INSPECT_DEAD] = { MP_RED, "DEAD:" },
	[MP_INSPECT_ASLEEP] = { MP_YELLOW, "ASLEEP:" },
	[MP_INSPECT_UNREAD] = { MP_RED, "UNKNOWN:" },
	[MP_INSPECT_NO_STATE] = { MP_YELLOW, "inspect:" },
};

const char *mp_inspect_verdict_name(enum mp_inspect_verdict verdict)
{
	static const char *const names[] = {
		[MP_INSPECT_QUIET] = "quiet",
		[MP_INSPECT_AT_WORK] = "at-work",
		[MP_INSPECT_ARMED] = "armed",
		[MP_INSPECT_DEAD] = "dead",
		[MP_INSPECT_ASLEEP] = "asleep",
		[MP_INSPECT_UNREAD] = "unknown",
		[MP_INSPECT_NO_STATE] = "no-state",
	};

	return names[verdict];
}

static char *sentence(const struct mp_inspect_report *report)
{
	const char *bdf = report->device->bdf;
	const struct mp_card *card = report->card;

	switch (report->verdict) {
	case MP_INSPECT_QUIET:
		return g_strdup_printf(
			"nothing in %s points into memory, its firmware runs", bdf);
	case MP_INSPECT_AT_WORK:
		return g_strdup_printf(
			"%s is in use, and what is armed in it belongs to that", bdf);
	case MP_INSPECT_ARMED:
		return g_strdup_printf(
			"%s may write into memory that nobody gave it; see below, "
			"and make it silent: --scrub",
			bdf);
	case MP_INSPECT_DEAD:
		return g_strdup_printf("the firmware of %s does not run (%s)", bdf,
			card->life == MP_CARD_STARTING ? card->why
			: card->life == MP_CARD_ZEROS
				? "its memory reads as all zeros"
				: "its memory reads as all ones: no link, or asleep");
	case MP_INSPECT_ASLEEP:
		return g_strdup_printf(
			"%s was not looked into: %s, and can reach no memory%s", bdf,
			card->why,
			report->host->live ? "; --scrub wakes it up and makes it silent"
					   : "");
	case MP_INSPECT_UNREAD:
		return g_strdup_printf("%s could not be looked into: %s", bdf, card->why);
	case MP_INSPECT_NO_STATE:
		break;
	}
	return g_strdup_printf(
		"no profile says how to look into %s; what PCI and the IOMMU know:", bdf);
}

static void put_subjects(struct mp_page *page, const struct mp_inspect_report *report)
{
	const struct mp_pci *device = report->device;
	g_autofree char *what = mp_pci_describe(device);
	g_autoptr(GString) text = g_string_new(NULL);

	mp_page_gap(page);
	g_string_append_printf(text, "%s %s", device->bdf, what);
	if (device->group)
		g_string_append_printf(text, ", IOMMU group %u", device->group->id);
	g_string_append_printf(text, ", %s%s",
		device->driver.know == MP_KNOWN ? "driver " : "",
		device->driver.know == MP_KNOWN    ? device->driver.text
		: device->driver.know == MP_ABSENT ? "no driver"
						   : "driver unknown");
	if (device->power_state.know == MP_KNOWN)
		g_string_append_printf(text, ", %s", device->power_state.text);
	mp_page_para(page, 0, MP_FAINT, "Device", LABEL, text->str);
	mp_page_para(page, 0, MP_FAINT, "Profile", LABEL, report->profile);
	if (device->reset_method.know == MP_KNOWN)
		mp_page_para(page, 0, MP_FAINT, "Reset", LABEL,
			*device->reset_method.text ? device->reset_method.text
						   : "none enabled");
}

static void put_message(struct mp_page *page, const struct mp_inspect_report *report)
{
	const struct mp_msi *msi = &report->device->msi;
	g_autofree char *text = NULL;

	if (!msi->present)
		return;
	if (!msi->enabled)
		text = g_strdup_printf("off (%u vectors)", msi->vectors_max);
	else if (msi->address & 0x10)
		text = g_strdup_printf(HEX
			", data 0x%x, %u of %u vectors: handle 0x%x of the remapping table",
			msi->address, msi->data, msi->vectors_enabled, msi->vectors_max,
			mp_card_handle(msi->address));
	else
		text = g_strdup_printf(HEX
			", data 0x%x, %u of %u vectors: compatibility format, not remapped by "
			"VT-d",
			msi->address, msi->data, msi->vectors_enabled, msi->vectors_max);
	mp_page_para(page, 0, MP_FAINT, "MSI", LABEL, text);
}

static void put_entries(struct mp_page *page, const struct mp_inspect_report *report)
{
	const struct mp_irtes *irtes = report->irtes;
	g_autoptr(GString) text = g_string_new(NULL);
	unsigned count = 0;

	if (irtes->table.know != MP_KNOWN) {
		g_string_append_printf(text, "not known (%s: %s)", irtes->table.source,
			irtes->table.know == MP_ABSENT ? "not there" : irtes->table.why);
		mp_page_para(page, 0, MP_FAINT, "Remapping", LABEL, text->str);
		return;
	}
	for (guint i = 0; i < irtes->all->len; i++) {
		const struct mp_irte *irte = irtes->all->pdata[i];

		if (!mp_irte_is_of(irte, report->device) || count++ >= ENTRIES_MAX)
			continue;
		g_string_append_printf(
			text, "%s0x%x", text->len ? ", " : "handles ", irte->handle);
	}
	if (count > ENTRIES_MAX)
		g_string_append_printf(text, " and %u more", count - ENTRIES_MAX);
	if (!count)
		g_string_append(text, "no entry is this card's");
	mp_page_para(page, 0, MP_FAINT, "Remapping", LABEL, text->str);
}

static void put_firmware(struct mp_page *page, const struct mp_card *card)
{
	g_autofree char *text = NULL;
	g_autofree char *window = NULL;

	if (card->life != MP_CARD_RUNNING)
		return;
	text = g_strdup_printf("runs (control block %u.%u); %s DMA in a VM",
		card->firmware_major, card->firmware_minor,
		card->dma_vm == MP_CARD_YES ? "offers" : "does not offer");
	mp_page_para(page, 0, MP_FAINT, "Firmware", LABEL, text);
	if (card->window == MP_CARD_YES)
		window = g_strdup_printf("open, to " HEX ", " HEX " bytes",
			card->window_target, card->window_size);
	mp_page_para(page, 0, MP_FAINT, "Window", LABEL, window ? window : "closed");
}

static void put_targets(struct mp_page *page, const struct mp_card *card)
{
	for (unsigned i = 0; i < card->targets_count; i++) {
		const struct mp_card_target *target = &card->targets[i];
		g_autoptr(GString) text = g_string_new(NULL);

		g_string_append_printf(text, "%s: ", target->name);
		if (target->message == MP_MESSAGE_NONE)
			g_string_append(text, "none");
		else
			g_string_append_printf(text,
				HEX " (%s), data 0x%x 0x%x 0x%x 0x%x", target->address,
				mp_card_message_name(target->message), target->data[0],
				target->data[1], target->data[2], target->data[3]);
		if (target->message == MP_MESSAGE_OWN ||
			target->message == MP_MESSAGE_STALE)
			g_string_append_printf(text, ", handle 0x%x", target->handle);
		mp_page_para(page, 0, MP_FAINT, i ? "" : "Messages", LABEL, text->str);
	}
}

static void put_channels(struct mp_page *page, const struct mp_card *card)
{
	static const char *const states[] = { "idle", "running", "aborted", "done" };
	g_autoptr(GString) text = g_string_new(NULL);

	for (unsigned i = 0; i < card->channels_count; i++)
		g_string_append_printf(text, "%s%s %s%s", text->len ? ", " : "",
			card->channels[i].name, states[card->channels[i].status & 3],
			card->channels[i].enabled ? " (on)" : "");
	if (text->len)
		mp_page_para(page, 0, MP_FAINT, "Channels", LABEL, text->str);
}

static void put_writes(struct mp_page *page, const struct mp_inspect_report *report)
{
	const struct mp_repair *repair = report->repair;

	for (unsigned i = 0; repair->ready && i < repair->n_writes; i++) {
		const struct mp_repair_write *write = &repair->writes[i];
		g_autofree char *text = g_strdup_printf("%s (BAR %u, " HEX "): " HEX
							" instead of " HEX,
			write->name, write->bar, write->offset, write->to, write->from);

		mp_page_para(page, INDENT, MP_BOLD,
			report->dry_run ? "would write" : "wrote", LABEL, text);
	}
}

static void put_repair(struct mp_page *page, const struct mp_inspect_report *report)
{
	static const struct {
		enum mp_hue hue;
		const char *word;
	} words[] = {
		[MP_CARD_UNKNOWN] = { MP_YELLOW, "unknown" },
		[MP_CARD_NO] = { MP_RED, "no" },
		[MP_CARD_YES] = { MP_GREEN, "yes" },
	};
	const struct mp_repair *repair = report->repair;

	mp_page_gap(page);
	mp_page_line(page, MP_BOLD,
		"REPAIR OF MESSAGES (an experiment, untested on hardware)");
	for (guint i = 0; i < repair->conditions->len; i++) {
		const struct mp_repair_condition *its = repair->conditions->pdata[i];

		mp_page_para(page, INDENT, words[its->holds].hue, words[its->holds].word,
			LABEL, its->text);
		if (its->remedy)
			mp_page_para(page, LABEL, MP_FAINT, "->", LABEL + 3, its->remedy);
	}
	put_writes(page, report);
	mp_page_gap(page);
	mp_page_para(page, 0, MP_PLAIN, "", 0,
		!repair->ready ? "Nothing was written."
		: !repair->n_writes
			? "The host's message is in the card already; nothing was "
			  "written."
		: report->dry_run
			? "Nothing was written; --experimental does it."
			: "The next transfer's interrupt should arrive. The guest's "
			  "driver, loaded again, or a reset of the card undoes it.");
}

void mp_text_inspect(const struct mp_inspect_report *report,
	const struct mp_render_style *style, FILE *out)
{
	struct mp_page page = mp_page_new(style);
	g_autofree char *text = sentence(report);

	mp_page_para(&page, 0, answers[report->verdict].hue,
		answers[report->verdict].word, INDENT, text);
	put_subjects(&page, report);
	put_message(&page, report);
	put_entries(&page, report);
	if (report->card) {
		put_firmware(&page, report->card);
		put_targets(&page, report->card);
		put_channels(&page, report->card);
	}
	for (guint i = 0; i < report->done->len; i++)
		mp_page_para(&page, 0, MP_BOLD, i ? "" : "Done", LABEL,
			report->done->pdata[i]);
	if (report->repair)
		put_repair(&page, report);
	mp_page_write(&page, out);
}
