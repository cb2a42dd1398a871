/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "core/early-bind.h"

#define CARDS_MAX 1024

/* "1f9d:1100": four lower-case digits each. */
static bool take_pair(const char *text, uint16_t *first, uint16_t *second)
{
	g_autofree char *left = g_strndup(text, 4);
	uint64_t a, b;

	if (strlen(text) != 9 || text[4] != ':' ||
		strspn(text, "0123456789abcdef:") != 9 || !mp_parse_uint(left, 16, &a) ||
		!mp_parse_uint(text + 5, 16, &b))
		return false;
	*first = (uint16_t)a;
	*second = (uint16_t)b;
	return true;
}

static bool take_address(struct mp_host *host, const char *text, const char **address)
{
	uint32_t domain;
	uint8_t bus, slot, function;
	char canonical[17];

	if (!mp_pci_parse_bdf(text, &domain, &bus, &slot, &function))
		return false;
	mp_pci_format_bdf(canonical, domain, bus, slot, function);
	if (strcmp(canonical, text) != 0)
		return false;
	*address = mp_host_str(host, text);
	return true;
}

static bool take_line(struct mp_host *host, char **words, struct mp_early_card *card)
{
	if (g_strv_length(words) != 4 || !take_address(host, words[0], &card->address) ||
		!take_pair(words[1], &card->vendor, &card->device))
		return false;
	card->has_subsystem = strcmp(words[2], "-") != 0;
	card->has_serial = strcmp(words[3], "-") != 0;
	return (!card->has_subsystem ||
		       take_pair(words[2], &card->subvendor, &card->subdevice)) &&
	       (!card->has_serial ||
		       (g_str_has_prefix(words[3], "0x") && strlen(words[3]) <= 18 &&
			       mp_parse_uint(words[3] + 2, 16, &card->serial) &&
			       card->serial));
}

/* Words without the empty ones between several spaces. */
static char **split(const char *line)
{
	g_auto(GStrv) raw = g_strsplit_set(line, " \t", -1);
	g_autoptr(GStrvBuilder) words = g_strv_builder_new();

	for (char **word = raw; *word; word++)
		if (**word)
			g_strv_builder_add(words, *word);
	return g_strv_builder_end(words);
}

void mp_early_parse(struct mp_host *host, const char *text, GPtrArray *cards)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

	for (char **line = lines; *line && cards->len < CARDS_MAX; line++) {
		g_auto(GStrv) words = split(*line);
		struct mp_early_card card = { 0 }, *kept;

		if (!words[0] || *words[0] == '#' || !take_line(host, words, &card))
			continue;
		kept = mp_host_alloc(host, sizeof(*kept));
		*kept = card;
		g_ptr_array_add(cards, kept);
	}
}

static enum mp_early_fit fits(
	const struct mp_early_card *card, const struct mp_pci *device)
{
	if (strcmp(card->address, device->bdf) != 0 || mp_pci_id_unknown(device) ||
		card->vendor != device->vendor || card->device != device->device)
		return MP_EARLY_NO;
	if (card->has_subsystem && (card->subvendor != device->subvendor ||
					   card->subdevice != device->subdevice))
		return MP_EARLY_NO;
	if (!card->has_serial || card->serial == device->serial)
		return MP_EARLY_YES;
	/* Without privileges only the first 64 bytes can be read. */
	return device->serial || device->config_size > 256 ? MP_EARLY_NO
							   : MP_EARLY_UNREAD;
}

enum mp_early_fit mp_early_fits(const GPtrArray *cards, const struct mp_pci *device)
{
	enum mp_early_fit best = MP_EARLY_NO;

	for (guint i = 0; cards && i < cards->len; i++) {
		enum mp_early_fit fit = fits(cards->pdata[i], device);

		if (fit == MP_EARLY_YES)
			return fit;
		if (fit == MP_EARLY_UNREAD)
			best = fit;
	}
	return best;
}

char *mp_early_line(const struct mp_pci *device)
{
	g_autoptr(GString) line = g_string_new(NULL);
	char id[10];

	g_string_printf(line, "%s %s", device->bdf, mp_pci_id(device, id));
	if (device->subvendor == 0xffff || device->subdevice == 0xffff)
		g_string_append(line, " -");
	else
		g_string_append_printf(
			line, " %04x:%04x", device->subvendor, device->subdevice);
	if (device->serial)
		g_string_append_printf(
			line, " 0x%016" G_GINT64_MODIFIER "x", device->serial);
	else
		g_string_append(line, " -");
	return g_string_free(g_steal_pointer(&line), FALSE);
}
