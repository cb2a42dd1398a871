/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmetis-bus.c - what the virtual card does to the world: DMA, messages, its own memory.
 *
 * DMA carries the function's requester id. Without it the emulated VT-d would take a message
 * of the card's DMA for one of nobody's, and would not check its source.
 */
#include "qemu/osdep.h"
#include "qemu/main-loop.h"
#include "qemu/timer.h"
#include "hw/pci/msi.h"
#include "vmetis.h"

uint64_t metis_now_ms(void)
{
	return qemu_clock_get_ms(QEMU_CLOCK_VIRTUAL);
}

static MemTxAttrs attributes(MetisState *s)
{
	return (MemTxAttrs){ .requester_id = pci_requester_id(PCI_DEVICE(s)) };
}

static bool host_read(void *user, uint64_t address, void *data, size_t size)
{
	MetisState *s = user;

	s->counts.host_reads++;
	return !s->link_down &&
	       pci_dma_rw(PCI_DEVICE(s), address, data, size, DMA_DIRECTION_TO_DEVICE,
		       attributes(s)) == MEMTX_OK;
}

static void host_write(void *user, uint64_t address, const void *data, size_t size)
{
	MetisState *s = user;

	s->counts.host_writes++;
	if (s->link_down)
		return;
	/* Posted: whatever becomes of it, the card never hears. */
	(void)pci_dma_rw(PCI_DEVICE(s), address, (void *)data, size,
		DMA_DIRECTION_FROM_DEVICE, attributes(s));
}

/* The place of SIZE bytes at the card's own ADDRESS; NULL: there is no memory. */
static uint8_t *card_memory(MetisState *s, uint64_t address, size_t size)
{
	uint64_t offset = address - FIRMWARE_MEMORY_BASE;

	if (address < FIRMWARE_MEMORY_BASE || offset >= FIRMWARE_MEMORY_SIZE ||
		size > FIRMWARE_MEMORY_SIZE - offset)
		return NULL;
	return s->memory + offset;
}

static bool card_read(void *user, uint64_t address, void *data, size_t size)
{
	const uint8_t *place = card_memory(user, address, size);

	if (!place)
		return false;
	memcpy(data, place, size);
	return true;
}

static bool card_write(void *user, uint64_t address, const void *data, size_t size)
{
	MetisState *s = user;
	uint8_t *place = card_memory(s, address, size);

	if (!place)
		return false;
	memcpy(place, data, size);
	/* Who wrote is nothing that memory knows. */
	firmware_written(s->firmware, place - s->memory, size, metis_now_ms());
	return true;
}

static void kick(void *user)
{
	MetisState *s = user;

	s->edma_busy = true;
	qemu_bh_schedule(s->work);
}

static bool signalled(void *user, unsigned interrupt, bool aborted)
{
	MetisState *s = user;

	return firmware_signal(s->firmware, interrupt, aborted);
}

static void send_msi(void *user, unsigned vector)
{
	MetisState *s = user;
	PCIDevice *dev = PCI_DEVICE(s);
	MSIMessage message;

	if (!msi_enabled(dev) || s->link_down || vector >= METIS_VECTORS)
		return;
	s->counts.messages++;
	if (vector < msi_nr_vectors_allocated(dev)) {
		msi_notify(dev, vector);
		return;
	}
	/* More than were granted: a card that does not look puts the number into the data all
	 * the same. */
	message = msi_get_message(dev, 0);
	message.data |= vector;
	msi_send_message(dev, message);
}

static void send_message(void *user, uint64_t address, uint32_t data)
{
	uint32_t little = cpu_to_le32(data);

	host_write(user, address, &little, sizeof(little));
}

static bool msi_message(void *user, uint64_t *address, uint32_t *data)
{
	PCIDevice *dev = PCI_DEVICE(user);
	MSIMessage message;

	if (!msi_enabled(dev))
		return false;
	message = msi_get_message(dev, 0);
	*address = message.address;
	*data = message.data;
	return true;
}

static unsigned msi_granted(void *user)
{
	return msi_nr_vectors_allocated(PCI_DEVICE(user));
}

static void firmware_edma_write(void *user, uint32_t offset, uint32_t value)
{
	MetisState *s = user;

	edma_write(s->edma, offset, value);
}

struct edma *metis_new_edma(MetisState *s)
{
	const struct edma_bus bus = {
		.user = s,
		.host_read = host_read,
		.host_write = host_write,
		.card_read = card_read,
		.card_write = card_write,
		.kick = kick,
		.signalled = signalled,
	};

	return edma_new(&bus);
}

struct firmware *metis_new_firmware(MetisState *s)
{
	const struct firmware_bus bus = {
		.user = s,
		.host_write = host_write,
		.msi = send_msi,
		.message = send_message,
		.msi_message = msi_message,
		.msi_granted = msi_granted,
		.edma_write = firmware_edma_write,
	};

	return firmware_new(s->memory, &s->options, &bus);
}
