/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmetis.c - a virtual Axelera Metis for QEMU: the PCI function around edma.c and firmware.c.
 *
 * Here is what QEMU knows of it and nothing else: config space, BARs, DMA, messages, time and
 * resets. What was observed of the card and what is assumed is said in docs/virtual-metis.md.
 *
 *   -device metis,bus=PORT,fw=1.6.0,reset=flr+bus,sticky=flr,drop-irq=on ...
 *
 * The properties are listed in vmetis-options.c. While the machine runs, a second device,
 * metis-control, changes them: see vmetis-control.c.
 *
 * The card does not reach its own BARs by DMA: QEMU refuses that (the guard of the bottom half
 * and of the registers), as a root port would.
 */
#include "qemu/osdep.h"
#include "qemu/main-loop.h"
#include "qemu/module.h"
#include "qemu/timer.h"
#include "qapi/error.h"
#include "hw/pci/msi.h"
#include "hw/pci/pci_bridge.h"
#include "hw/pci/pcie.h"
#include "hw/pci/pcie_aer.h"
#include "hw/qdev-properties.h"
#include "migration/vmstate.h"
#include "vmetis.h"

/* As the vendor's driver and lspci of users show it. */
#define METIS_VENDOR   0x1f9d
#define METIS_REVISION 2
#define METIS_CLASS    0x1200
#define METIS_MSI      0x50
/* Assumed: where the other capabilities are. */
#define METIS_PM       0x40
#define METIS_PCIE     0x70
#define METIS_AER      0x100
#define METIS_DSN      0x148

/* Bytes that edma_run() moves before others get their turn, and how long that is. */
#define METIS_BUDGET   65536
#define METIS_PAUSE_NS 20000

static const uint32_t doorbells[] = { 0x010, 0x030 }; /* wr, rd */

/* --- time and resets --- */

static void reset_inside(MetisState *s, enum firmware_reset kind)
{
	if (kind == FIRMWARE_POWER_ON) {
		/* Other options may have been set since. */
		firmware_free(s->firmware);
		s->firmware = metis_new_firmware(s);
	}
	if (firmware_reset(s->firmware, kind, metis_now_ms()))
		edma_reset(s->edma);
	else
		edma_reset_keep_imwr(s->edma);
	qemu_bh_schedule(s->work);
}

/* A reset, now, or when the work that is under way has come to its end. */
static void reset_card(MetisState *s, enum firmware_reset kind)
{
	if (s->in_work) {
		s->resets_waiting |= 1u << kind;
		return;
	}
	reset_inside(s, kind);
}

/* The only place from where the model moves. */
static void work(void *opaque)
{
	MetisState *s = opaque;
	uint64_t next;
	int64_t at;
	int kind;

	s->in_work = true;
	if (s->edma_busy)
		s->edma_busy = edma_run(s->edma, METIS_BUDGET);
	next = firmware_run(s->firmware, metis_now_ms());
	s->in_work = false;

	for (kind = FIRMWARE_RESET_BUS; kind >= FIRMWARE_POWER_ON; kind--) {
		if (s->resets_waiting & (1u << kind))
			reset_inside(s, kind);
	}
	s->resets_waiting = 0;

	timer_del(s->later);
	if (s->edma_busy) {
		timer_mod(
			s->later, qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) + METIS_PAUSE_NS);
		return;
	}
	if (next == UINT64_MAX)
		return;
	/* Not in this very moment again, and not beyond what the clock can tell. */
	at = MIN(MAX(next, metis_now_ms() + 1), (uint64_t)INT64_MAX / SCALE_MS) *
	     SCALE_MS;
	timer_mod(s->later, at);
}

static void time_passed(void *opaque)
{
	MetisState *s = opaque;

	qemu_bh_schedule(s->work);
}

void metis_defects_changed(MetisState *s)
{
	edma_set_defects(s->edma, &s->defects);
}

void metis_power_cycle(MetisState *s)
{
	s->counts.resets[FIRMWARE_POWER_ON]++;
	metis_set_link(s, false);
	reset_card(s, FIRMWARE_POWER_ON);
}

void metis_set_link(MetisState *s, bool down)
{
	PCIDevice *port = pci_bridge_get_device(pci_get_bus(PCI_DEVICE(s)));

	s->link_down = down;
	if (!port || !port->exp.exp_cap)
		return;
	/* The port above tells too: data link layer link active. */
	if (down)
		pci_word_test_and_clear_mask(
			port->config + port->exp.exp_cap + PCI_EXP_LNKSTA,
			PCI_EXP_LNKSTA_DLLLA);
	else
		pci_word_test_and_set_mask(
			port->config + port->exp.exp_cap + PCI_EXP_LNKSTA,
			PCI_EXP_LNKSTA_DLLLA);
}

/* Comes for every reset: of the machine, of the bus, and within pci_device_reset(). */
static void metis_reset(Object *object, ResetType type)
{
	MetisState *s = METIS(object);
	enum firmware_reset kind = s->powered ? s->reset_kind : FIRMWARE_POWER_ON;

	s->powered = true;
	s->reset_kind = FIRMWARE_RESET_BUS;
	s->counts.resets[kind]++;
	if (kind == FIRMWARE_RESET_BUS || kind == FIRMWARE_POWER_ON)
		metis_set_link(s, false);
	if (kind == FIRMWARE_RESET_BUS && !(s->resets & METIS_RESET_BUS))
		return;
	reset_card(s, kind);
}

/* --- what the host sees --- */

/* The value that stands for all of the card where its memory does not answer. */
static bool hidden(MetisState *s, uint64_t *value)
{
	enum firmware_dead dead = s->dead;

	if (s->link_down)
		dead = FIRMWARE_ONES;
	if (dead == FIRMWARE_ALIVE)
		dead = firmware_visible(s->firmware);
	*value = dead == FIRMWARE_ONES ? UINT64_MAX : 0;
	return dead != FIRMWARE_ALIVE;
}

static uint64_t registers_read(void *opaque, hwaddr address, unsigned size)
{
	MetisState *s = opaque;
	uint64_t value;

	if (hidden(s, &value))
		return value;
	return edma_read(s->edma, address);
}

static void registers_write(void *opaque, hwaddr address, uint64_t value, unsigned size)
{
	MetisState *s = opaque;
	uint64_t unused;

	if (hidden(s, &unused))
		return;
	if (address == doorbells[0] || address == doorbells[1]) {
		s->counts.doorbells++;
		if (s->link_down_after && !--s->link_down_after) {
			metis_set_link(s, true);
			return;
		}
	}
	edma_write(s->edma, address, value);
}

static const MemoryRegionOps registers_ops = {
	.read = registers_read,
	.write = registers_write,
	.endianness = DEVICE_LITTLE_ENDIAN,
	.valid = { .min_access_size = 4, .max_access_size = 8 },
	.impl = { .min_access_size = 4, .max_access_size = 4 },
};

static uint64_t memory_read(void *opaque, hwaddr address, unsigned size)
{
	MetisState *s = opaque;
	uint64_t value;

	if (hidden(s, &value))
		return value;
	return ldn_le_p(s->memory + address, size);
}

static void memory_write(void *opaque, hwaddr address, uint64_t value, unsigned size)
{
	MetisState *s = opaque;
	uint64_t unused;

	if (hidden(s, &unused))
		return;
	stn_le_p(s->memory + address, size, value);
	firmware_written(s->firmware, address, size, metis_now_ms());
	qemu_bh_schedule(s->work);
}

static const MemoryRegionOps memory_ops = {
	.read = memory_read,
	.write = memory_write,
	.endianness = DEVICE_LITTLE_ENDIAN,
	.valid = { .min_access_size = 1, .max_access_size = 8 },
	.impl = { .min_access_size = 1, .max_access_size = 8 },
};

static uint32_t metis_config_read(PCIDevice *dev, uint32_t address, int len)
{
	if (METIS(dev)->link_down)
		return UINT32_MAX;
	return pci_default_read_config(dev, address, len);
}

static uint16_t power_control(PCIDevice *dev)
{
	return pci_get_word(dev->config + dev->pm_cap + PCI_PM_CTRL);
}

static void metis_config_write(PCIDevice *dev, uint32_t address, uint32_t value, int len)
{
	MetisState *s = METIS(dev);
	uint16_t before = power_control(dev);

	if (s->link_down)
		return;
	pci_default_write_config(dev, address, value, len);
	if (s->resets & METIS_RESET_FLR) {
		s->reset_kind = FIRMWARE_RESET_FLR;
		pcie_cap_flr_write_config(dev, address, value, len);
		s->reset_kind = FIRMWARE_RESET_BUS;
	}
	pcie_aer_write_config(dev, address, value, len);
	if (!(before & PCI_PM_CTRL_NO_SOFT_RESET) &&
		(before & PCI_PM_CTRL_STATE_MASK) == 3 &&
		(power_control(dev) & PCI_PM_CTRL_STATE_MASK) == 0) {
		s->reset_kind = FIRMWARE_RESET_PM;
		pci_device_reset(dev);
		s->reset_kind = FIRMWARE_RESET_BUS;
	}
}

/* --- QEMU's formalities --- */

static bool add_capabilities(MetisState *s, PCIDevice *dev, Error **errp)
{
	if (pci_pm_init(dev, METIS_PM, errp) < 0)
		return false;
	pci_set_word(dev->config + METIS_PM + PCI_PM_PMC, PCI_PM_CAP_VER_1_2);
	pci_set_word(dev->config + METIS_PM + PCI_PM_CTRL,
		s->resets & METIS_RESET_PM ? 0 : PCI_PM_CTRL_NO_SOFT_RESET);
	pci_set_word(dev->wmask + METIS_PM + PCI_PM_CTRL, PCI_PM_CTRL_STATE_MASK);

	if (msi_init(dev, METIS_MSI, METIS_VECTORS, true, true, errp) < 0)
		return false;
	if (pcie_endpoint_cap_init(dev, METIS_PCIE) < 0) {
		error_setg(errp, "metis: no PCI Express capability");
		return false;
	}
	if (s->resets & METIS_RESET_FLR)
		pcie_cap_flr_init(dev);
	if (pcie_aer_init(dev, PCI_ERR_VER, METIS_AER, PCI_ERR_SIZEOF, errp) < 0)
		return false;
	if (s->serial)
		pcie_dev_ser_num_init(dev, METIS_DSN, s->serial);
	return true;
}

static void metis_exit(PCIDevice *dev)
{
	MetisState *s = METIS(dev);

	if (s->later)
		timer_free(s->later);
	if (s->work)
		qemu_bh_delete(s->work);
	edma_free(s->edma);
	firmware_free(s->firmware);
	g_free(s->memory);
	pcie_aer_exit(dev);
	if (dev->exp.exp_cap)
		pcie_cap_exit(dev);
	msi_uninit(dev);
}

static void metis_realize(PCIDevice *dev, Error **errp)
{
	MetisState *s = METIS(dev);

	if (!metis_configure(s, errp) || !add_capabilities(s, dev, errp))
		return;
	pci_config_set_device_id(dev->config, s->device_id);
	/* Unknown what it is; the card's own ids are the least that it can be. */
	pci_set_word(dev->config + PCI_SUBSYSTEM_VENDOR_ID, METIS_VENDOR);
	pci_set_word(dev->config + PCI_SUBSYSTEM_ID, s->device_id);

	s->memory = g_malloc0(FIRMWARE_MEMORY_SIZE);
	s->edma = metis_new_edma(s);
	s->firmware = metis_new_firmware(s);
	s->work = qemu_bh_new_guarded(work, s, &DEVICE(dev)->mem_reentrancy_guard);
	s->later = timer_new_ns(QEMU_CLOCK_VIRTUAL, time_passed, s);
	s->reset_kind = FIRMWARE_RESET_BUS;
	metis_defects_changed(s);

	memory_region_init_io(
		&s->registers, OBJECT(s), &registers_ops, s, "metis-edma", EDMA_BAR_SIZE);
	pci_register_bar(dev, 0,
		PCI_BASE_ADDRESS_SPACE_MEMORY | PCI_BASE_ADDRESS_MEM_TYPE_64,
		&s->registers);
	memory_region_init_io(&s->memory_region, OBJECT(s), &memory_ops, s,
		"metis-memory", FIRMWARE_MEMORY_SIZE);
	pci_register_bar(dev, 2, PCI_BASE_ADDRESS_SPACE_MEMORY, &s->memory_region);
}

static const VMStateDescription metis_vmstate = {
	.name = TYPE_METIS,
	.unmigratable = 1,
};

static void metis_class_init(ObjectClass *class, void *data)
{
	DeviceClass *device = DEVICE_CLASS(class);
	PCIDeviceClass *pci = PCI_DEVICE_CLASS(class);

	pci->realize = metis_realize;
	pci->exit = metis_exit;
	pci->config_read = metis_config_read;
	pci->config_write = metis_config_write;
	pci->vendor_id = METIS_VENDOR;
	pci->device_id = 0x1100;
	pci->revision = METIS_REVISION;
	pci->class_id = METIS_CLASS;
	RESETTABLE_CLASS(class)->phases.hold = metis_reset;
	device->vmsd = &metis_vmstate;
	device->desc = "virtual Axelera Metis";
	device_class_set_props_n(device, metis_properties, metis_properties_count);
	set_bit(DEVICE_CATEGORY_MISC, device->categories);
}

static const TypeInfo metis_types[] = {
	{
		.name = TYPE_METIS,
		.parent = TYPE_PCI_DEVICE,
		.instance_size = sizeof(MetisState),
		.class_init = metis_class_init,
		.interfaces = (InterfaceInfo[]){ { INTERFACE_PCIE_DEVICE }, {} },
	},
};

DEFINE_TYPES(metis_types)
