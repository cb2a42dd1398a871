/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmetis-control.c - the device by which a test changes the virtual card while the machine runs.
 * It is no part of the card: it has an id of nobody's (1234:0d15, class "other"), and stands
 * beside it:
 *
 *   -device metis,id=card,bus=PORT,... -device metis-control,card=/machine/peripheral/card
 *
 * or card=card for short. It has one BAR of 4 KiB, registers of four bytes:
 *
 *   0x00  "MCTL" (0x4c54434d), read only
 *   0x04  defects, in effect at once, a bit each, in the order of edma.h: drop-irq 0x1,
 *         wrong-irq 0x2, wrong-data 0x4, truncated 0x8, overrun 0x10, stuck 0x20, deaf 0x40,
 *         wrong-status 0x80, lying 0x100, status-kept 0x200, status-quiet 0x400,
 *         mask-ignored 0x800, power-off 0x1000, soft-reset-all 0x2000
 *   0x08  what both BARs read as, at once: 0 what there is, 1 zeros, 2 ones
 *   0x0c  the link goes down at the Nth doorbell from now; 0: never
 *   0x10  1: the link is down; writing takes it down or up
 *   The firmware's options; in effect after the next power cycle:
 *   0x14  bits: header 0x1, descriptors 0x2, window=edge 0x4, stale-msi 0x8,
 *         beyond-granted 0x10, wedge-after-flr 0x20
 *   0x18  dma-vm: 0 off, 1 owner, 2 imwr, 3 flag
 *   0x1c  sticky: 0 none, 1 flr, 2 bus
 *   0x20  settle-ms
 *   0x24  heartbeat-ms
 *   0x28  version, major << 8 | minor: the number only
 *   0x2c  dead, as the firmware's own state: 0, 1, 2 as at 0x08
 *   0x3c  writing 1 cycles the card's power: its inside forgets all. Config space stays, so that
 *         the host needs not look for the card anew.
 *   Counts since the machine started, read only:
 *   0x40  doorbells    0x44  messages by the MSI capability
 *   0x48  writes to the host's memory    0x4c  reads of it
 *   0x50  power cycles    0x54  FLRs    0x58  PM resets    0x5c  bus resets
 *   0x60  1: this QEMU's card is under AddressSanitizer
 */
#include "qemu/osdep.h"
#include "qemu/module.h"
#include "qapi/error.h"
#include "hw/qdev-properties.h"
#include "vmetis.h"

#define TYPE_METIS_CONTROL "metis-control"
OBJECT_DECLARE_SIMPLE_TYPE(MetisControl, METIS_CONTROL)

struct MetisControl {
	PCIDevice parent_obj;
	MemoryRegion registers;
	MetisState *card;
};

#define CONTROL_MAGIC 0x4c54434d
#ifdef __SANITIZE_ADDRESS__
#define CONTROL_SANITIZED 1
#else
#define CONTROL_SANITIZED 0
#endif

/* The bits of struct edma_defects and of struct firmware_options. */
#define DEFECT(field) offsetof(struct edma_defects, field)
static const size_t defect_bits[] = {
	DEFECT(drop_irq),
	DEFECT(wrong_irq),
	DEFECT(wrong_data),
	DEFECT(truncated),
	DEFECT(overrun),
	DEFECT(stuck),
	DEFECT(deaf),
	DEFECT(wrong_status),
	DEFECT(lying),
	DEFECT(status_kept),
	DEFECT(status_quiet),
	DEFECT(mask_ignored),
	DEFECT(power_off),
	DEFECT(soft_reset_all),
};
#define OPTION(field) offsetof(struct firmware_options, field)
static const size_t option_bits[] = {
	OPTION(header),
	OPTION(descriptors),
	OPTION(window_latched),
	OPTION(stale_msi),
	OPTION(beyond_granted),
	OPTION(wedge_after_flr),
};

static uint32_t get_bits(const void *base, const size_t *offsets, size_t count)
{
	uint32_t bits = 0;
	size_t i;

	for (i = 0; i < count; i++) {
		if (*(const bool *)((const char *)base + offsets[i]))
			bits |= 1u << i;
	}
	return bits;
}

static void set_bits(void *base, const size_t *offsets, size_t count, uint32_t bits)
{
	size_t i;

	for (i = 0; i < count; i++)
		*(bool *)((char *)base + offsets[i]) = bits & (1u << i);
}

static uint64_t control_read(void *opaque, hwaddr address, unsigned size)
{
	MetisState *card = ((MetisControl *)opaque)->card;
	const struct firmware_options *options = &card->options;

	switch (address) {
	case 0x00:
		return CONTROL_MAGIC;
	case 0x04:
		return get_bits(&card->defects, defect_bits, ARRAY_SIZE(defect_bits));
	case 0x08:
		return card->dead;
	case 0x0c:
		return card->link_down_after;
	case 0x10:
		return card->link_down;
	case 0x14:
		return get_bits(options, option_bits, ARRAY_SIZE(option_bits));
	case 0x18:
		return options->dma_vm;
	case 0x1c:
		return options->sticky;
	case 0x20:
		return options->settle_ms;
	case 0x24:
		return options->heartbeat_ms;
	case 0x28:
		return options->major << 8 | options->minor;
	case 0x2c:
		return options->dead;
	case 0x40:
		return card->counts.doorbells;
	case 0x44:
		return card->counts.messages;
	case 0x48:
		return card->counts.host_writes;
	case 0x4c:
		return card->counts.host_reads;
	case 0x50:
	case 0x54:
	case 0x58:
	case 0x5c:
		return card->counts.resets[(address - 0x50) / 4];
	case 0x60:
		return CONTROL_SANITIZED;
	default:
		return 0;
	}
}

/* Values that there are not change nothing. */
static void control_write(void *opaque, hwaddr address, uint64_t value, unsigned size)
{
	MetisState *card = ((MetisControl *)opaque)->card;
	struct firmware_options *options = &card->options;

	switch (address) {
	case 0x04:
		set_bits(&card->defects, defect_bits, ARRAY_SIZE(defect_bits), value);
		metis_defects_changed(card);
		return;
	case 0x08:
		if (value <= FIRMWARE_ONES)
			card->dead = value;
		return;
	case 0x0c:
		card->link_down_after = value;
		return;
	case 0x10:
		metis_set_link(card, value & 1);
		return;
	case 0x14:
		set_bits(options, option_bits, ARRAY_SIZE(option_bits), value);
		return;
	case 0x18:
		if (value <= FIRMWARE_DMA_VM_FLAG)
			options->dma_vm = value;
		return;
	case 0x1c:
		if (value <= FIRMWARE_STICKY_BUS)
			options->sticky = value;
		return;
	case 0x20:
		options->settle_ms = value;
		return;
	case 0x24:
		options->heartbeat_ms = value;
		return;
	case 0x28:
		options->major = value >> 8 & 0xff;
		options->minor = value & 0xff;
		return;
	case 0x2c:
		if (value <= FIRMWARE_ONES)
			options->dead = value;
		return;
	case 0x3c:
		if (value & 1)
			metis_power_cycle(card);
		return;
	default:
		return;
	}
}

static const MemoryRegionOps control_ops = {
	.read = control_read,
	.write = control_write,
	.endianness = DEVICE_LITTLE_ENDIAN,
	.valid = { .min_access_size = 4, .max_access_size = 4 },
	.impl = { .min_access_size = 4, .max_access_size = 4 },
};

static void control_realize(PCIDevice *dev, Error **errp)
{
	MetisControl *s = METIS_CONTROL(dev);

	if (!s->card) {
		error_setg(errp, "metis-control: no card; card=ID of a metis device");
		return;
	}
	memory_region_init_io(
		&s->registers, OBJECT(s), &control_ops, s, "metis-control", 4096);
	pci_register_bar(dev, 0, PCI_BASE_ADDRESS_SPACE_MEMORY, &s->registers);
}

static const Property control_properties[] = {
	DEFINE_PROP_LINK("card", MetisControl, card, TYPE_METIS, MetisState *),
};

static void control_class_init(ObjectClass *class, void *data)
{
	DeviceClass *device = DEVICE_CLASS(class);
	PCIDeviceClass *pci = PCI_DEVICE_CLASS(class);

	pci->realize = control_realize;
	pci->vendor_id = PCI_VENDOR_ID_QEMU;
	pci->device_id = 0x0d15;
	pci->class_id = PCI_CLASS_OTHERS;
	device->desc = "control of a virtual Axelera Metis";
	device_class_set_props(device, control_properties);
	set_bit(DEVICE_CATEGORY_MISC, device->categories);
}

static const TypeInfo control_types[] = {
	{
		.name = TYPE_METIS_CONTROL,
		.parent = TYPE_PCI_DEVICE,
		.instance_size = sizeof(MetisControl),
		.class_init = control_class_init,
		.interfaces =
			(InterfaceInfo[]){ { INTERFACE_CONVENTIONAL_PCI_DEVICE }, {} },
	},
};

DEFINE_TYPES(control_types)
