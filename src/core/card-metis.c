/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of an Axelera Metis: a DesignWare eDMA in BAR 0 (dw-edma.h), the control block of
 * the firmware at the start of BAR 2 (metis-block.h). UNTESTED ON HARDWARE.
 */
#include "config.h"

#include "core/card.h"
#include "core/dw-edma.h"
#include "core/metis-block.h"
#include "core/pci.h"

/* Read and write halves have the same registers at other places. */
#define CHANNELS 4

struct half {
	const char *name, *done, *abort;
	uint32_t engine_en, int_clear;
	uint32_t done_low, abort_low; /* address, high word 4 behind */
	uint32_t data;                /* channels 0 and 1, then 2 and 3 */
	uint32_t channel;             /* of channel 0 */
};

static const struct half halves[] = {
	{
		.name = "write",
		.done = "write channels, done",
		.abort = "write channels, abort",
		.engine_en = DW_EDMA_WRITE_ENGINE_EN,
		.int_clear = DW_EDMA_WRITE_INT_CLEAR,
		.done_low = DW_EDMA_WRITE_DONE_IMWR_LOW,
		.abort_low = DW_EDMA_WRITE_ABORT_IMWR_LOW,
		.data = DW_EDMA_WRITE_IMWR_DATA(0),
		.channel = DW_EDMA_WRITE_CHANNEL(0),
	},
	{
		.name = "read",
		.done = "read channels, done",
		.abort = "read channels, abort",
		.engine_en = DW_EDMA_READ_ENGINE_EN,
		.int_clear = DW_EDMA_READ_INT_CLEAR,
		.done_low = DW_EDMA_READ_DONE_IMWR_LOW,
		.abort_low = DW_EDMA_READ_ABORT_IMWR_LOW,
		.data = DW_EDMA_READ_IMWR_DATA(0),
		.channel = DW_EDMA_READ_CHANNEL(0),
	},
};
#define STRIDE  (DW_EDMA_WRITE_CHANNEL(1) - DW_EDMA_WRITE_CHANNEL(0))
#define INT_ALL 0x00ff00ff

#define HEADER_MAGIC 0x000 /* newer firmware only: its absence says nothing */

/* The host window's area, "hdrv". */
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
	uint32_t word = get(reader, METIS_BAR_MEMORY, reference);

	*at = get64(reader, METIS_BAR_MEMORY, reference + METIS_REF_OFFSET);
	return !reader->failed && (word & 0xffff) == magic && *at && *at % 4 == 0 &&
	       *at < UINT32_MAX;
}

static void add_target(struct mp_card *card, struct reader *reader,
	const struct half *half, const char *name, uint32_t low)
{
	struct mp_card_target *target = &card->targets[card->targets_count++];
	uint32_t first = get(reader, METIS_BAR_DMA, half->data);
	uint32_t second = get(reader, METIS_BAR_DMA, half->data + 4);

	target->name = name;
	target->bar = METIS_BAR_DMA;
	target->offset = low;
	target->address = get64(reader, METIS_BAR_DMA, low);
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
		bool on = get(reader, METIS_BAR_DMA, half->engine_en) & 1;

		add_target(card, reader, half, half->done, half->done_low);
		add_target(card, reader, half, half->abort, half->abort_low);
		for (unsigned n = 0; n < CHANNELS; n++) {
			struct mp_card_channel *channel =
				&card->channels[card->channels_count++];

			channel->name = mp_host_strf(host, "%s %u", half->name, n);
			channel->enabled = on;
			channel->status = DW_EDMA_CS(
				get(reader, METIS_BAR_DMA, half->channel + n * STRIDE));
		}
	}
}

static void read_window(struct mp_card *card, struct reader *reader, uint64_t at)
{
	card->window = get(reader, METIS_BAR_MEMORY, at + WINDOW_CTRL) & 1 ? MP_CARD_YES
									   : MP_CARD_NO;
	card->window_target = get64(reader, METIS_BAR_MEMORY, at + WINDOW_TARGET);
	card->window_size = get(reader, METIS_BAR_MEMORY, at + WINDOW_SIZE);
	if (reader->failed)
		card->window = MP_CARD_UNKNOWN;
}

/* All of a few words that cannot all be the same in a card that runs. */
static bool all_are(struct reader *reader, uint32_t value)
{
	return get(reader, METIS_BAR_DMA, DW_EDMA_CTRL) == value &&
	       get(reader, METIS_BAR_MEMORY, HEADER_MAGIC) == value &&
	       get(reader, METIS_BAR_MEMORY, METIS_VERSION) == value &&
	       get(reader, METIS_BAR_MEMORY, METIS_HDRV) == value &&
	       get(reader, METIS_BAR_MEMORY, METIS_VMSI) == value && !reader->failed;
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
	has_window = find_area(&reader, METIS_HDRV, METIS_HDRV_MAGIC, &window);
	has_vmsi = find_area(&reader, METIS_VMSI, METIS_VMSI_MAGIC, &vmsi);
	version = get(&reader, METIS_BAR_MEMORY, METIS_VERSION);
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
	card->dma_vm = get(&reader, METIS_BAR_MEMORY, METIS_DMA_VM) == METIS_DMA_VM_YES
			       ? MP_CARD_YES
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

	if (!find_area(&reader, METIS_HDRV, METIS_HDRV_MAGIC, &at))
		return true;
	return put(writer, METIS_BAR_MEMORY, at + WINDOW_CTRL, 0) &&
	       put(writer, METIS_BAR_MEMORY, at + WINDOW_TARGET, 0) &&
	       put(writer, METIS_BAR_MEMORY, at + WINDOW_TARGET + 4, 0);
}

/* engine_en = 0 stops all channels and is the soft reset of the half. */
static bool stop_half(const struct writer *writer, const struct half *half)
{
	return put(writer, METIS_BAR_DMA, half->engine_en, 0) &&
	       put(writer, METIS_BAR_DMA, half->done_low, 0) &&
	       put(writer, METIS_BAR_DMA, half->done_low + 4, 0) &&
	       put(writer, METIS_BAR_DMA, half->abort_low, 0) &&
	       put(writer, METIS_BAR_DMA, half->abort_low + 4, 0) &&
	       put(writer, METIS_BAR_DMA, half->data, 0) &&
	       put(writer, METIS_BAR_DMA, half->data + 4, 0) &&
	       put(writer, METIS_BAR_DMA, half->int_clear, INT_ALL);
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
	.bars = 1 << METIS_BAR_DMA | 1 << METIS_BAR_MEMORY,
	.read = read_metis,
	.quiesce = quiesce_metis,
};
