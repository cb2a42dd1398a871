// SPDX-License-Identifier: GPL-2.0-or-later
/* What a Metis card shows in BAR 2, as far as the engine needs it. */
#include <linux/delay.h>
#include <linux/io.h>
#include <linux/sched/signal.h>

#include "dw-edma.h"
#include "metis-block.h"
#include "metis.h"

/* The vendor's driver waits 5 s after link-up; three times as long for slow ones. */
#define READY_MS 15000

static u32 get(struct dmatest *test, size_t offset)
{
	return ioread32(test->bar[METIS_BAR_MEMORY] + offset);
}

static u32 dma(struct dmatest *test, size_t offset)
{
	return ioread32(test->bar[METIS_BAR_DMA] + offset);
}

/* The card takes no wider access. */
static u64 get64(struct dmatest *test, size_t offset)
{
	return get(test, offset) | (u64)get(test, offset + 4) << 32;
}

static unsigned int magic(struct dmatest *test, size_t reference)
{
	return get(test, reference) & 0xffff;
}

/* The last reference that the firmware fills, and the one that every driver needs. */
static int wait_ready(struct dmatest *test)
{
	ktime_t end = ktime_add_ms(ktime_get(), READY_MS);

	while (magic(test, METIS_HDRV) != METIS_HDRV_MAGIC ||
	       magic(test, METIS_VMSI) != METIS_VMSI_MAGIC) {
		if (fatal_signal_pending(current))
			return -EINTR;
		if (!pci_device_is_present(test->pdev))
			return -ENODEV;
		if (ktime_after(ktime_get(), end)) {
			pci_err(test->pdev,
				"its firmware does not run, or is none that is known: BAR 2 shows 0x%04x at 0x%x and 0x%04x at 0x%x\n",
				magic(test, METIS_HDRV), METIS_HDRV,
				magic(test, METIS_VMSI), METIS_VMSI);
			return -ENODEV;
		}
		msleep(20);
	}
	return 0;
}

static bool in_memory(struct dmatest *test, u64 offset, u64 size)
{
	u64 whole = pci_resource_len(test->pdev, METIS_BAR_MEMORY);

	return !(offset % 4) && offset >= METIS_CONTROL_END && offset <= whole &&
	       size <= whole - offset;
}

static int find_area(struct dmatest *test, struct metis *card)
{
	u64 reference, base, size;

	if (magic(test, METIS_LISTS) != METIS_LISTS_MAGIC) {
		/* Firmware up to 1.5.0. */
		card->area = METIS_FIXED_OFFSET;
		card->area_size = METIS_FIXED_SIZE;
		card->area_address = METIS_FIXED_BASE + METIS_FIXED_OFFSET;
		if (in_memory(test, card->area, card->area_size))
			return 0;
		pci_err(test->pdev,
			"BAR 2 is too small for where old firmware has its lists\n");
		return -ENODEV;
	}
	reference = get64(test, METIS_LISTS + METIS_REF_OFFSET);
	if (!in_memory(test, reference, METIS_LISTS_SIZE + 8)) {
		pci_err(test->pdev,
			"its firmware describes the place for lists at 0x%llx of BAR 2\n",
			reference);
		return -ENODEV;
	}
	base = get64(test, METIS_MEMORY_MAP);
	size = get64(test, reference + METIS_LISTS_SIZE);
	card->area_address = get64(test, reference + METIS_LISTS_ADDRESS);
	if (card->area_address < base || size < 4 ||
	    !in_memory(test, card->area_address - base, size)) {
		pci_err(test->pdev,
			"its firmware has the place for lists at 0x%llx, of 0x%llx bytes, which is not in BAR 2\n",
			card->area_address, size);
		return -ENODEV;
	}
	card->area = card->area_address - base;
	card->area_size = size & ~3ull;
	return 0;
}

int metis_find(struct dmatest *test, struct metis *card)
{
	u32 ctrl;
	int err;

	if (pci_resource_len(test->pdev, METIS_BAR_DMA) <
		    DW_EDMA_READ_CHANNEL(METIS_CHANNEL) + DW_EDMA_CHANNEL_END ||
	    pci_resource_len(test->pdev, METIS_BAR_MEMORY) < METIS_CONTROL_END) {
		pci_err(test->pdev, "is no Metis card: its BARs are too small\n");
		return -ENODEV;
	}
	err = wait_ready(test);
	if (err)
		return err;
	ctrl = dma(test, DW_EDMA_CTRL);
	if (ctrl == METIS_ONES || DW_EDMA_CTRL_WRITE_CHANNELS(ctrl) <= METIS_CHANNEL ||
	    DW_EDMA_CTRL_READ_CHANNELS(ctrl) <= METIS_CHANNEL) {
		pci_err(test->pdev, "its DMA block is none that is known: 0x%08x\n",
			ctrl);
		return -ENODEV;
	}
	card->dma_vm = get(test, METIS_DMA_VM) == METIS_DMA_VM_YES;
	return find_area(test, card);
}

void metis_save(struct dmatest *test, const struct metis *card, u32 *words, size_t size)
{
	size_t at;

	for (at = 0; at < size; at += 4)
		words[at / 4] = get(test, card->area + at);
}

void metis_restore(struct dmatest *test, const struct metis *card, const u32 *words,
		   size_t size)
{
	size_t at;

	for (at = 0; at < size; at += 4)
		iowrite32(words[at / 4], test->bar[METIS_BAR_MEMORY] + card->area + at);
}

int metis_memory_works(struct dmatest *test, const struct metis *card)
{
	static const u32 words[] = { 0x5a5aa5a5, 0xa5a55a5a };
	unsigned int i;
	u32 got;

	for (i = 0; i < ARRAY_SIZE(words); i++) {
		metis_restore(test, card, &words[i], sizeof(words[i]));
		metis_save(test, card, &got, sizeof(got));
		if (got == words[i])
			continue;
		pci_err(test->pdev,
			"its memory does not keep what is written: 0x%08x became 0x%08x\n",
			words[i], got);
		return got == METIS_ONES ? -ENODEV : -EIO;
	}
	return 0;
}

bool metis_message(struct dmatest *test, unsigned int n, u64 *address, u32 *data)
{
	struct pci_dev *pdev = test->pdev;
	int at = pdev->msi_cap;
	u32 low, high = 0;
	u16 flags, word;

	if (!pdev->msi_enabled || !at)
		return false;
	pci_read_config_word(pdev, at + PCI_MSI_FLAGS, &flags);
	pci_read_config_dword(pdev, at + PCI_MSI_ADDRESS_LO, &low);
	if (flags & PCI_MSI_FLAGS_64BIT) {
		pci_read_config_dword(pdev, at + PCI_MSI_ADDRESS_HI, &high);
		pci_read_config_word(pdev, at + PCI_MSI_DATA_64, &word);
	} else {
		pci_read_config_word(pdev, at + PCI_MSI_DATA_32, &word);
	}
	*address = (u64)high << 32 | low;
	/* The low bits of the data are the vector's (PCI Local Bus 3.0, 6.8.1.3). */
	*data = word + n;
	return true;
}

const char *metis_why_halted(struct dmatest *test, bool read)
{
	u32 low = 0, high = 0;

	if (read) {
		low = dma(test, DW_EDMA_READ_ERR_STATUS_LOW);
		high = dma(test, DW_EDMA_READ_ERR_STATUS_HI);
	} else {
		low = dma(test, DW_EDMA_WRITE_ERR_STATUS);
	}
	if (high & DW_EDMA_ERR_UNSUPPORTED(METIS_CHANNEL))
		return "the host answered Unsupported Request";
	if (high & DW_EDMA_ERR_ABORT(METIS_CHANNEL))
		return "the host answered Completer Abort";
	if (high & DW_EDMA_ERR_TIMEOUT(METIS_CHANNEL))
		return "the host's answer did not come in time";
	if (high & DW_EDMA_ERR_POISON(METIS_CHANNEL))
		return "the host's answer was poisoned";
	if (low & DW_EDMA_ERR_LOCAL(METIS_CHANNEL))
		return "its own memory refused";
	return "it does not say why";
}
