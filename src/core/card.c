/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state of cards: which have one, reading it by way of a list of words that a snapshot
 * can hold. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "core/card.h"
#include "core/pci.h"
#include "core/profile.h"

#define PATH_WORDS "metis-passthrough/card"
#define WORDS_MAX  4096

static const struct mp_card_kind *const kinds[] = { &mp_card_kind_metis };

const char *const mp_card_kinds[] = { "metis", NULL };

const struct mp_card_kind *mp_card_kind_find(const char *name)
{
	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
		if (!strcmp(kinds[i]->name, name))
			return kinds[i];
	return NULL;
}

const char *mp_card_life_name(enum mp_card_life life)
{
	static const char *const names[] = {
		[MP_CARD_UNREAD] = "unknown",
		[MP_CARD_ASLEEP] = "asleep",
		[MP_CARD_ZEROS] = "zeros",
		[MP_CARD_ONES] = "ones",
		[MP_CARD_STARTING] = "starting",
		[MP_CARD_RUNNING] = "running",
	};

	return names[life];
}

const char *mp_card_message_name(enum mp_card_message message)
{
	static const char *const names[] = {
		[MP_MESSAGE_NONE] = "none",
		[MP_MESSAGE_OWN] = "host-valid",
		[MP_MESSAGE_STALE] = "stale",
		[MP_MESSAGE_RAW] = "guest-raw",
		[MP_MESSAGE_MEMORY] = "memory",
	};

	return names[message];
}

unsigned mp_card_handle(uint64_t address)
{
	return (unsigned)((address >> 5 & 0x7fff) | (address >> 2 & 1) << 15);
}

bool mp_card_is_armed(const struct mp_card *card)
{
	if (card->window == MP_CARD_YES)
		return true;
	for (unsigned i = 0; i < card->targets_count; i++)
		if (card->targets[i].message != MP_MESSAGE_NONE &&
			card->targets[i].message != MP_MESSAGE_OWN)
			return true;
	for (unsigned i = 0; i < card->channels_count; i++)
		if (card->channels[i].status == 1)
			return true;
	return false;
}

/* --- words: "BAR OFFSET VALUE" a line, in the order in which they were read --- */

struct words {
	GString *text;               /* recording: grows */
	const struct mp_card_io *io; /* recording: of the live card */
	GHashTable *table; /* replaying: "BAR OFFSET" -> the value; the last one holds */
};

static char *key_of(unsigned bar, uint64_t offset)
{
	return g_strdup_printf("%u 0x%" G_GINT64_MODIFIER "x", bar, offset);
}

static bool record(void *user, unsigned bar, uint64_t offset, uint32_t *value)
{
	struct words *words = user;
	g_autofree char *key = key_of(bar, offset);

	if (!words->io->read32(words->io->user, bar, offset, value))
		return false;
	g_string_append_printf(words->text, "%s 0x%08x\n", key, *value);
	return true;
}

static bool replay(void *user, unsigned bar, uint64_t offset, uint32_t *value)
{
	struct words *words = user;
	g_autofree char *key = key_of(bar, offset);
	const char *text = g_hash_table_lookup(words->table, key);
	uint64_t number;

	if (!text || !g_str_has_prefix(text, "0x") ||
		!mp_parse_uint(text + 2, 16, &number) || number > UINT32_MAX)
		return false;
	*value = (uint32_t)number;
	return true;
}

/* The table borrows from TEXT, which is cut. */
static GHashTable *index_words(char *text)
{
	GHashTable *table = g_hash_table_new(g_str_hash, g_str_equal);
	unsigned count = 0;

	for (char *line = text, *next; line && *line && count < WORDS_MAX; line = next) {
		char *value;

		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		value = strrchr(line, ' ');
		if (!value)
			continue;
		*value++ = '\0';
		g_hash_table_replace(table, line, value);
		count++;
	}
	return table;
}

struct production {
	const struct mp_pci *device;
	const struct mp_card_kind *kind;
	char *why; /* not to be had */
};

/* A card that cannot be read is data too: "unread REASON". */
static int produce(void *user, char **data, size_t *size)
{
	struct production *production = user;
	g_autoptr(GError) error = NULL;
	g_autoptr(mp_card_live) live =
		mp_card_live_open(production->device, production->kind, false, &error);
	g_autoptr(GString) text = g_string_new(NULL);

	if (!live) {
		g_string_printf(text, "unread %s\n", error->message);
	} else {
		struct words words = { .text = text, .io = mp_card_live_io(live) };
		const struct mp_card_io io = { .user = &words, .read32 = record };
		g_autoptr(mp_host) scratch = mp_host_new("", false);
		struct mp_card card = { .device = production->device };

		production->kind->read(scratch, &io, &card);
	}
	*size = text->len;
	*data = g_string_free(g_steal_pointer(&text), FALSE);
	return 0;
}

/* --- the probe --- */

static void read_words(struct mp_host *host, struct mp_card *card,
	const struct mp_card_kind *kind, char *text)
{
	struct words words = { NULL };
	const struct mp_card_io io = { .user = &words, .read32 = replay };

	if (g_str_has_prefix(text, "unread ")) {
		g_autofree char *why = mp_clean_text(text + strlen("unread "),
			strcspn(text, "\n") - strlen("unread "));

		card->why = mp_host_str(host, why);
		return;
	}
	words.table = index_words(text);
	kind->read(host, &io, card);
	g_hash_table_unref(words.table);
	if (card->life == MP_CARD_UNREAD)
		card->why = "not all of its registers could be read";
}

#define PCI_COMMAND 0x04
#define AWAKE       0x06 /* decodes memory, or may be bus master */

/* A function in D3hot emits no memory request (PCIe 5.0, 5.3.1.4.1), and one that is no bus
 * master none at all. To look it would have to be woken up. */
static const char *sleeps(const struct mp_pci *device)
{
	if (device->all_ones || device->config_size < 64)
		return NULL;
	if (device->pm.present && device->pm.state == 3)
		return "it sleeps (D3)";
	if (!(mp_pci_config16(device, PCI_COMMAND) & AWAKE))
		return "it is switched off (neither memory nor bus mastering is on)";
	return NULL;
}

static void add_card(struct mp_host *host, struct mp_root *root,
	const struct mp_pci *device, const struct mp_card_kind *kind)
{
	struct mp_card *card = mp_host_alloc(host, sizeof(*card));
	struct production production = { .device = device, .kind = kind };
	g_autofree char *path = g_strdup_printf(PATH_WORDS "/%s", device->bdf);
	g_autofree char *text = NULL;
	size_t size = 0;
	int err;

	card->device = device;
	card->kind = kind->name;
	card->source = mp_host_strf(host, "/%s/resource*", device->dir);
	card->msi_enabled = device->msi.present && device->msi.enabled;
	card->msi_address = device->msi.address;
	card->msi_data = device->msi.data;
	g_ptr_array_add(host->cards->all, card);
	card->why = sleeps(device);
	if (card->why) {
		card->life = MP_CARD_ASLEEP;
		return;
	}
	if (device->all_ones) {
		card->why =
			"its configuration space reads as all ones, so it does not answer";
		return;
	}
	err = mp_root_produced(root, path, produce, &production, &text, &size);
	if (err < 0) {
		card->why = err == -ENOENT || err == -ENODATA
				    ? "only the live host can tell"
				    : mp_host_str(host, g_strerror(-err));
		return;
	}
	read_words(host, card, kind, text);
}

void mp_probe_cards(struct mp_host *host, struct mp_root *root)
{
	host->cards = mp_host_alloc(host, sizeof(*host->cards));
	host->cards->all = mp_host_array(host);
	for (guint i = 0; i < host->devices->len; i++) {
		const struct mp_pci *device = host->devices->pdata[i];
		/* A profile that cannot be loaded is told of where it is wanted. */
		g_autoptr(mp_profile) profile = mp_profile_for_device(device, NULL);
		const struct mp_card_kind *kind =
			profile && profile->state ? mp_card_kind_find(profile->state)
						  : NULL;

		if (kind && !mp_pci_is_bridge(device))
			add_card(host, root, device, kind);
	}
}

const struct mp_card *mp_host_card(
	const struct mp_host *host, const struct mp_pci *device)
{
	for (guint i = 0; host->cards && i < host->cards->all->len; i++) {
		const struct mp_card *card = host->cards->all->pdata[i];

		if (card->device == device)
			return card;
	}
	return NULL;
}
