/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of an Axelera Metis: a DesignWare eDMA (version 0, unrolled) in BAR 0, the
 * control block of the firmware at the start of BAR 2.
 *
 * Sources: the names of the eDMA's registers are those of the kernel's
 * drivers/dma/dw-edma/dw-edma-v0-regs.h; offsets and the control block are as the vendor's
 * published drivers 1.4.4 to 1.6.2 use them. UNTESTED ON HARDWARE.
 */
#include "config.h"

#include "core/card.h"
#include "core/pci.h"

#define BAR_EDMA    0
#define BAR_CONTROL 2

/* BAR 0. Read and write halves have the same registers at other places. */
#define CTRL     0x008 /* 3:0 write channels, 19:16 read channels */
#define CHANNELS 4

struct half {
	const char *name, *done, *abort;
	uint32_t engine_en, int_clear;
	uint32_t done_low, abort_low; /* address, high word 4 behind */
	uint32_t data;                /* channels 0 and 1, then 2 and 3 */
	uint32_t channel;             /* control1 of channel 0; 0x200 each */
};

static const struct half halves[] = {
	{ "write", "write channels, done", "write channels, abort", 0x00c, 0x058, 0x060,
		0x068, 0x070, 0x200 },
	{ "read", "read channels, done", "read channels, abort", 0x02c, 0x0ac, 0x0cc,
		0x0d4, 0x0dc, 0x300 },
};
#define STRIDE        0x200
#define STATUS(value) ((value) >> 5 & 3) /* CS of control1 */
#define INT_ALL       0x00ff00ff

/* BAR 2, the control block. */
#define HEADER_MAGIC  0x000
#define FW_VERSION    0x200 /* u8 major, u8 minor */
#define DMA_VM        0x218
#define DMA_VM_FLAG   0xc1a0c1a0
/* References to areas: u16 magic, 2 x u8 version, u32 size, u64 offset, u16 area. */
#define REF_WINDOW    0x2b8
#define REF_VMSI      0x2e8
#define MAGIC_WINDOW  0xbac1
#define MAGIC_VMSI    0xb5b5
/* The window's area. */
#define WINDOW_CTRL   0x00
#define WINDOW_TARGET 0x08
#define WINDOW_SIZE   0x10

#define ONES 0xffffffffu

/* 0xfee00000 to 0xfeefffff: where the IOMMU takes a write for an interrupt (VT-d 5.1). */
static bool is_interrupt_address(uint64_t address)
{
	return address >> 20 == 0xfee;
}

/* VT-d 5.1.2.2: remappable format has bit 4 set. */
static bool is_remappable(uint64_t address)
{
	return address & 0x10;
}

static enum mp_card_message classify(const struct mp_card *card, uint64_t address)
{
	/* SHV (bit 3) only says whether the data counts (VT-d 5.1.2.2). */
	uint64_t own = card->msi_address & ~8ull;

	if (!address)
		return MP_MESSAGE_NONE;
	if (!is_interrupt_address(address))
		return MP_MESSAGE_MEMORY;
	if (card->msi_enabled && (address & ~8ull) == own)
		return MP_MESSAGE_OWN;
	return is_remappable(address) ? MP_MESSAGE_STALE : MP_MESSAGE_RAW;
}

/* --- reading --- */

struct reader {
	const struct mp_card_io *io;
	bool failed;
};

static uint32_t get(struct reader *reader, unsigned bar, uint64_t offset)
{
	uint32_t value = 0;

	if (reader->failed)
		return 0;
	reader->failed = !reader->io->read32(reader->io->user, bar, offset, &value);
	return reader->failed ? 0 : value;
}

static uint64_t get64(struct reader *reader, unsigned bar, uint64_t offset)
{
	uint64_t low = get(reader, bar, offset);

	return low | (uint64_t)get(reader, bar, offset + 4) << 32;
}

/* The offset in BAR 2 of an area; false: its reference has not its magic, or leaves the BAR
 * for an odd place. */
static bool find_area(
	struct reader *reader, uint64_t reference, unsigned magic, uint64_t *at)
{
	uint32_t word = get(reader, BAR_CONTROL, reference);

	*at = get64(reader, BAR_CONTROL, reference + 8);
	return !reader->failed && (word & 0xffff) == magic && *at && *at % 4 == 0 &&
	       *at < UINT32_MAX;
}

static void add_target(struct mp_card *card, struct reader *reader,
	const struct half *half, const char *name, uint32_t low)
{
	struct mp_card_target *target = &card->targets[card->targets_count++];
	uint32_t first = get(reader, BAR_EDMA, half->data);
	uint32_t second = get(reader, BAR_EDMA, half->data + 4);

	target->name = name;
	target->address = get64(reader, BAR_EDMA, low);
	target->data[0] = (uint16_t)first;
	target->data[1] = (uint16_t)(first >> 16);
	target->data[2] = (uint16_t)second;
	target->data[3] = (uint16_t)(second >> 16);
	target->message = classify(card, target->address);
	if (target->message == MP_MESSAGE_OWN || target->message == MP_MESSAGE_STALE)
		target->handle = mp_card_handle(target->address);
}

static void read_edma(struct mp_host *host, struct mp_card *card, struct reader *reader)
{
	for (size_t h = 0; h < G_N_ELEMENTS(halves); h++) {
		const struct half *half = &halves[h];
		bool on = get(reader, BAR_EDMA, half->engine_en) & 1;

		add_target(card, reader, half, half->done, half->done_low);
		add_target(card, reader, half, half->abort, half->abort_low);
		for (unsigned n = 0; n < CHANNELS; n++) {
			struct mp_card_channel *channel =
				&card->channels[card->channels_count++];

			channel->name = mp_host_strf(host, "%s %u", half->name, n);
			channel->enabled = on;
			channel->status =
				STATUS(get(reader, BAR_EDMA, half->channel + n * STRIDE));
		}
	}
}

static void read_window(struct mp_card *card, struct reader *reader, uint64_t at)
{
	card->window =
		get(reader, BAR_CONTROL, at + WINDOW_CTRL) & 1 ? MP_CARD_YES : MP_CARD_NO;
	card->window_target = get64(reader, BAR_CONTROL, at + WINDOW_TARGET);
	card->window_size = get(reader, BAR_CONTROL, at + WINDOW_SIZE);
	if (reader->failed)
		card->window = MP_CARD_UNKNOWN;
}

/* All of a few words that cannot all be the same in a card that runs. */
static bool all_are(struct reader *reader, uint32_t value)
{
	return get(reader, BAR_EDMA, CTRL) == value &&
	       get(reader, BAR_CONTROL, HEADER_MAGIC) == value &&
	       get(reader, BAR_CONTROL, FW_VERSION) == value &&
	       get(reader, BAR_CONTROL, REF_WINDOW) == value &&
	       get(reader, BAR_CONTROL, REF_VMSI) == value && !reader->failed;
}

static void read_metis(
	struct mp_host *host, const struct mp_card_io *io, struct mp_card *card)
{
	struct reader reader = { .io = io };
	uint64_t window = 0, vmsi = 0;
	bool has_window, has_vmsi;
	uint32_t version;

	if (all_are(&reader, ONES))
		card->life = MP_CARD_ONES;
	else if (all_are(&reader, 0))
		card->life = MP_CARD_ZEROS;
	if (reader.failed || card->life != MP_CARD_UNREAD)
		return;
	read_edma(host, card, &reader);
	has_window = find_area(&reader, REF_WINDOW, MAGIC_WINDOW, &window);
	has_vmsi = find_area(&reader, REF_VMSI, MAGIC_VMSI, &vmsi);
	version = get(&reader, BAR_CONTROL, FW_VERSION);
	if (reader.failed)
		return;
	if (!has_window || !has_vmsi) {
		card->life = MP_CARD_STARTING;
		card->why = mp_host_strf(host,
			"%s of the control block has not its magic number",
			has_window ? "the table of virtual interrupts"
				   : "the host window");
		return;
	}
	card->life = MP_CARD_RUNNING;
	card->firmware_major = version & 0xff;
	card->firmware_minor = version >> 8 & 0xff;
	card->dma_vm = get(&reader, BAR_CONTROL, DMA_VM) == DMA_VM_FLAG ? MP_CARD_YES
									: MP_CARD_NO;
	read_window(card, &reader, window);
	if (reader.failed)
		card->life = MP_CARD_UNREAD;
}

/* --- quiescing --- */

struct writer {
	const struct mp_card_io *io;
	GError **error;
	const struct mp_card *card;
};

static bool put(
	const struct writer *writer, unsigned bar, uint64_t offset, uint32_t value)
{
	if (writer->io->write32(writer->io->user, bar, offset, value))
		return true;
	g_set_error(writer->error, MP_ERROR, MP_ERROR_IO,
		"%s: cannot write the register at 0x%" G_GINT64_MODIFIER "x of BAR %u",
		writer->card->device->bdf, offset, bar);
	return false;
}

/* Off, then forgotten: firmware may write as long as `ctrl` is set, and some takes a new
 * target only when `ctrl` rises. */
static bool close_window(const struct writer *writer)
{
	struct reader reader = { .io = writer->io };
	uint64_t at;

	if (!find_area(&reader, REF_WINDOW, MAGIC_WINDOW, &at))
		return true;
	return put(writer, BAR_CONTROL, at + WINDOW_CTRL, 0) &&
	       put(writer, BAR_CONTROL, at + WINDOW_TARGET, 0) &&
	       put(writer, BAR_CONTROL, at + WINDOW_TARGET + 4, 0);
}

/* engine_en = 0 stops all channels and is the soft reset of the half. */
static bool stop_half(const struct writer *writer, const struct half *half)
{
	return put(writer, BAR_EDMA, half->engine_en, 0) &&
	       put(writer, BAR_EDMA, half->done_low, 0) &&
	       put(writer, BAR_EDMA, half->done_low + 4, 0) &&
	       put(writer, BAR_EDMA, half->abort_low, 0) &&
	       put(writer, BAR_EDMA, half->abort_low + 4, 0) &&
	       put(writer, BAR_EDMA, half->data, 0) &&
	       put(writer, BAR_EDMA, half->data + 4, 0) &&
	       put(writer, BAR_EDMA, half->int_clear, INT_ALL);
}

static bool quiesce_metis(
	const struct mp_card_io *io, const struct mp_card *card, GError **error)
{
	struct writer writer = { io, error, card };

	if (card->life != MP_CARD_RUNNING && card->life != MP_CARD_STARTING)
		return true;
	if (!close_window(&writer))
		return false;
	for (size_t h = 0; h < G_N_ELEMENTS(halves); h++)
		if (!stop_half(&writer, &halves[h]))
			return false;
	return true;
}

const struct mp_card_kind mp_card_kind_metis = {
	.name = "metis",
	.bars = 1 << BAR_EDMA | 1 << BAR_CONTROL,
	.read = read_metis,
	.quiesce = quiesce_metis,
};
