/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a Metis card shows of itself, and what it means where it shows nothing. */
#include "config.h"

#include <linux/pci_regs.h>
#include <string.h>

#include "core/dw-edma.h"
#include "vfio/metis-card.h"

/* The vendor's driver waits 5 s after link-up; three times as long for slow ones. */
#define READY_MS         15000
#define POLL_US          5000
#define ALL_ONES         0xffffffffu
#define CAPABILITIES_MAX 48
#define CHANNEL          3 /* the last one that is needed */

static bool G_GNUC_PRINTF(3, 4)
	refuse(struct mp_vfio *vfio, GError **error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	g_autofree char *text = g_strdup_vprintf(format, args);
	va_end(args);
	g_set_error(error, MP_ERROR, MP_ERROR_IO, "%s: %s", mp_vfio_address(vfio), text);
	return false;
}

static uint64_t read64(const struct mp_mmio *bar, size_t offset)
{
	uint32_t low = mp_mmio_read32(bar, offset); /* the card takes no wider access */

	return low | (uint64_t)mp_mmio_read32(bar, offset + 4) << 32;
}

/* --- nothing there --- */

/* Whether the control block, as far as the driver reads it, is VALUE all over. */
static bool all_of_it(const struct mp_metis *card, uint32_t value)
{
	if (mp_mmio_read32(card->dma, DW_EDMA_CTRL) != value)
		return false;
	for (size_t at = METIS_VERSION; at < METIS_CONTROL_END; at += 4)
		if (mp_mmio_read32(card->memory, at) != value)
			return false;
	return true;
}

/* D0 to D3; D0 where it cannot be told. */
static unsigned power_state(struct mp_vfio *vfio)
{
	uint32_t at, id, next, state;

	if (!mp_vfio_config_read(vfio, PCI_CAPABILITY_LIST, 1, &at, NULL))
		return 0;
	for (unsigned hops = 0; (at &= ~3u) && hops < CAPABILITIES_MAX; hops++) {
		if (!mp_vfio_config_read(vfio, at, 1, &id, NULL) ||
			!mp_vfio_config_read(
				vfio, at + PCI_CAP_LIST_NEXT, 1, &next, NULL))
			return 0;
		if (id == PCI_CAP_ID_PM)
			return mp_vfio_config_read(
				       vfio, at + PCI_PM_CTRL, 2, &state, NULL)
				       ? state & PCI_PM_CTRL_STATE_MASK
				       : 0;
		at = next;
	}
	return 0;
}

static const char *why_ones(struct mp_vfio *vfio)
{
	uint32_t class, command;

	if (!mp_vfio_config_read(vfio, PCI_CLASS_REVISION, 4, &class, NULL) ||
		!mp_vfio_config_read(vfio, PCI_COMMAND, 2, &command, NULL))
		return "and its configuration space cannot be read";
	if (class == ALL_ONES)
		return "and its configuration space too: its link is down, only a power "
		       "cycle brings it back";
	if (power_state(vfio))
		return "because it sleeps (power state D3)";
	if (!(command & PCI_COMMAND_MEMORY))
		return "because its memory decoding is off";
	return "although its configuration space answers: its inside hangs, a bus reset or a "
	       "power cycle may bring it back";
}

/* --- the firmware --- */

static unsigned magic_at(const struct mp_metis *card, size_t reference)
{
	return mp_mmio_read32(card->memory, reference) & 0xffff;
}

/* The last reference that it fills, and the one that every driver needs. */
static bool is_ready(const struct mp_metis *card)
{
	return magic_at(card, METIS_HDRV) == METIS_HDRV_MAGIC &&
	       magic_at(card, METIS_VMSI) == METIS_VMSI_MAGIC;
}

static bool wait_ready(struct mp_vfio *vfio, const struct mp_metis *card, GError **error)
{
	gint64 deadline = g_get_monotonic_time() + READY_MS * G_TIME_SPAN_MILLISECOND;

	while (!is_ready(card)) {
		if (mp_vfio_panicked())
			return refuse(
				vfio, error, "the wait for its firmware was interrupted");
		if (g_get_monotonic_time() < deadline) {
			g_usleep(POLL_US);
			continue;
		}
		if (all_of_it(card, ALL_ONES))
			return refuse(vfio, error,
				"does not answer: all its registers read as ones, %s",
				why_ones(vfio));
		if (all_of_it(card, 0))
			return refuse(vfio, error,
				"all its registers read as zeros: its firmware does not run (as "
				"after a flash that failed); a power cycle may start it");
		return refuse(vfio, error,
			"its firmware is not ready %u s after the reset, or is none that is "
			"known: BAR 2 shows 0x%04x at 0x%x and 0x%04x at 0x%x, where 0x%04x "
			"and 0x%04x have to be",
			READY_MS / 1000, magic_at(card, METIS_HDRV), METIS_HDRV,
			magic_at(card, METIS_VMSI), METIS_VMSI, METIS_HDRV_MAGIC,
			METIS_VMSI_MAGIC);
	}
	return true;
}

/* --- the place to write to --- */

static bool in_memory(const struct mp_metis *card, uint64_t offset, uint64_t size)
{
	uint64_t whole = mp_mmio_size(card->memory);

	return !(offset % 4) && offset >= METIS_CONTROL_END && offset <= whole &&
	       size <= whole - offset;
}

static bool find_area(struct mp_vfio *vfio, struct mp_metis *card, GError **error)
{
	uint64_t reference, base, size;

	if (magic_at(card, METIS_LISTS) != METIS_LISTS_MAGIC) {
		card->area_fixed = true;
		card->area = METIS_FIXED_OFFSET;
		card->area_size = METIS_FIXED_SIZE;
		card->area_address = METIS_FIXED_BASE + METIS_FIXED_OFFSET;
		if (in_memory(card, card->area, card->area_size))
			return true;
		return refuse(vfio, error,
			"its firmware names no place for DMA lists, and BAR 2 of %zu bytes is "
			"too small for where older ones have them",
			mp_mmio_size(card->memory));
	}
	reference = read64(card->memory, METIS_LISTS + METIS_REF_OFFSET);
	if (!in_memory(card, reference, METIS_LISTS_SIZE + 8))
		return refuse(vfio, error,
			"its firmware makes no sense: it describes the place for DMA lists at "
			"0x%" G_GINT64_MODIFIER "x of BAR 2, which has %zu bytes",
			reference, mp_mmio_size(card->memory));
	base = read64(card->memory, METIS_MEMORY_MAP);
	size = read64(card->memory, reference + METIS_LISTS_SIZE);
	card->area_address = read64(card->memory, reference + METIS_LISTS_ADDRESS);
	if (card->area_address < base || size < 4 ||
		!in_memory(card, card->area_address - base, size))
		return refuse(vfio, error,
			"its firmware makes no sense: it has the place for DMA lists at "
			"0x%" G_GINT64_MODIFIER "x, of 0x%" G_GINT64_MODIFIER
			"x bytes, which is not in BAR 2 (from 0x%" G_GINT64_MODIFIER
			"x on, 0x%zx bytes)",
			card->area_address, size, base, mp_mmio_size(card->memory));
	card->area = card->area_address - base;
	card->area_size = size & ~UINT64_C(3);
	return true;
}

/* --- all together --- */

bool mp_metis_open(struct mp_vfio *vfio, struct mp_metis *card, GError **error)
{
	uint32_t ctrl;

	*card = (struct mp_metis){
		.dma = mp_vfio_bar(vfio, METIS_BAR_DMA, error),
	};
	if (!card->dma)
		return false;
	card->memory = mp_vfio_bar(vfio, METIS_BAR_MEMORY, error);
	if (!card->memory)
		return false;
	if (mp_mmio_size(card->dma) <
			DW_EDMA_READ_CHANNEL(CHANNEL) + DW_EDMA_CHANNEL_END ||
		mp_mmio_size(card->memory) < METIS_CONTROL_END)
		return refuse(vfio, error,
			"is no Metis card: BAR 0 of %zu and BAR 2 of %zu bytes are too small",
			mp_mmio_size(card->dma), mp_mmio_size(card->memory));
	if (!wait_ready(vfio, card, error))
		return false;
	ctrl = mp_mmio_read32(card->dma, DW_EDMA_CTRL);
	if (ctrl == ALL_ONES || DW_EDMA_CTRL_WRITE_CHANNELS(ctrl) <= CHANNEL ||
		DW_EDMA_CTRL_READ_CHANNELS(ctrl) <= CHANNEL)
		return refuse(vfio, error,
			"its firmware runs, and its DMA block is none that is known: it says "
			"0x%08x at 0x%x of BAR 0, where four write and four read channels "
			"have to be",
			ctrl, DW_EDMA_CTRL);
	card->dma_vm = mp_mmio_read32(card->memory, METIS_DMA_VM) == METIS_DMA_VM_YES;
	return find_area(vfio, card, error);
}

void mp_metis_save(
	const struct mp_metis *card, size_t offset, uint32_t *words, size_t size)
{
	for (size_t at = 0; at < size; at += 4)
		words[at / 4] = mp_mmio_read32(card->memory, card->area + offset + at);
}

void mp_metis_restore(
	const struct mp_metis *card, size_t offset, const uint32_t *words, size_t size)
{
	for (size_t at = 0; at < size; at += 4)
		mp_mmio_write32(card->memory, card->area + offset + at, words[at / 4]);
}
