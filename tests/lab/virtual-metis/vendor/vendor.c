// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What each version of the vendor's driver does to the card's registers. Offsets and orders are those
 * of our notes on the driver's versions 1.4.4, 1.4.16 and 1.6.2; the block is a DesignWare eDMA,
 * version 0 with unrolled channels (Linux: drivers/dma/dw-edma/dw-edma-v0-regs.h).
 *
 * Left out: lists of descriptors (jobs are single transfers, as the driver's own transfers between
 * devices are), commands to the AI cores, recovery of a lost link, the masking of AER.
 */

#include "vendor.h"

/* BAR 0. A read channel moves from the host to the card, a write channel from the card to the host. */
enum {
	WR_ENGINE_EN = 0x00c,
	WR_DOORBELL = 0x010,
	RD_ENGINE_EN = 0x02c,
	RD_DOORBELL = 0x030,
	WR_INT_STATUS = 0x04c,
	WR_INT_MASK = 0x054,
	WR_INT_CLEAR = 0x058,
	WR_IMWR =
		0x060, /* done low, high, abort low, high, then data of channels 0 and 1, 2 and 3 */
	RD_INT_STATUS = 0x0a0,
	RD_INT_MASK = 0x0a8,
	RD_INT_CLEAR = 0x0ac,
	RD_IMWR = 0x0cc,
	WR_CHANNEL = 0x200,
	RD_CHANNEL = 0x300,
	/* In a channel. */
	CONTROL = 0x00,
	SIZE = 0x08,
	SOURCE = 0x0c,
	DESTINATION = 0x14,
	/* In a block of IMWR. */
	IMWR_ABORT = 0x08,
	IMWR_DATA = 0x10,

	CONTROL_RIE = 1 << 4,
	CS_ABORTED = 2,
	CS_DONE = 3,
};

/* BAR 2: the control block. */
enum {
	DMA_VM = 0x218,
	REF_HDRV = 0x2b8,
	REF_DMASGDESC = 0x2d0,
	REF_VMSI = 0x2e8,
	REF_OFFSET = 8, /* in a reference */

	HDRV_CTRL = 0,
	HDRV_BASE = 4,
	HDRV_TARGET = 8,
	HDRV_SIZE = 16,

	MAGIC_HDRV = 0xbac1,
	MAGIC_DMASGDESC = 0xd4d4,
	MAGIC_VMSI = 0xb5b5,
};

#define DMA_VM_SUPPORTED 0xc1a0c1a0u

/* The numbers of the card's interrupts. */
enum { VECTOR_RD = 4, VECTOR_WR = 8 };

enum step { STEP_END, STEP_FREE, STEP_DISARM, STEP_NO_MASTER, STEP_NO_MSI };

struct vendor_driver {
	const char *version;
	/* A job whose interrupt got lost is done if the channel says so (slow, but it works). */
	bool late_is_done;
	/* Knows of firmware that owns the completion message in a VM. */
	bool knows_dma_vm;
	enum step removal[5];
};

/*
 * None of them clears the window's target or IMWR, or disables the engines. 1.6.2 waits for handlers
 * that run before it closes the window; here none runs beside. When the vectors are given back is not
 * known to us, so they come last.
 */
static const struct vendor_driver drivers[] = {
	{ "1.4.4", true, false, { STEP_FREE, STEP_DISARM, STEP_NO_MASTER, STEP_NO_MSI } },
	{ "1.4.16", false, false,
		{ STEP_FREE, STEP_DISARM, STEP_NO_MASTER, STEP_NO_MSI } },
	{ "1.6.2", false, true, { STEP_NO_MASTER, STEP_DISARM, STEP_FREE, STEP_NO_MSI } },
};

const struct vendor_driver *vendor_driver_find(const char *version)
{
	for (unsigned i = 0; i < sizeof drivers / sizeof *drivers; i++)
		if (vendor_same(drivers[i].version, version))
			return &drivers[i];
	return NULL;
}

static uint32_t get(const struct vendor *v, unsigned bar, uint32_t offset)
{
	return v->io->read(v->io->user, bar, offset);
}

static uint64_t get64(const struct vendor *v, unsigned bar, uint32_t offset)
{
	return get(v, bar, offset) | (uint64_t)get(v, bar, offset + 4) << 32;
}

static void put(const struct vendor *v, unsigned bar, uint32_t offset, uint32_t value)
{
	v->io->write(v->io->user, bar, offset, value);
}

static void put64(const struct vendor *v, unsigned bar, uint32_t offset, uint64_t value)
{
	put(v, bar, offset, (uint32_t)value);
	put(v, bar, offset + 4, (uint32_t)(value >> 32));
}

static bool has_magic(const struct vendor *v, uint32_t reference, uint32_t magic)
{
	return (get(v, 2, reference) & 0xffff) == magic;
}

bool vendor_ready(const struct vendor *v)
{
	return has_magic(v, REF_HDRV, MAGIC_HDRV) &&
	       has_magic(v, REF_DMASGDESC, MAGIC_DMASGDESC) &&
	       has_magic(v, REF_VMSI, MAGIC_VMSI);
}

/* Addresses of both messages of both directions: at probe only, as all versions do. */
static void write_imwr_addresses(const struct vendor *v)
{
	static const uint16_t blocks[] = { RD_IMWR, WR_IMWR };

	for (unsigned i = 0; i < 2; i++) {
		put64(v, 0, blocks[i], v->message.address);
		put64(v, 0, blocks[i] + IMWR_ABORT, v->message.address);
	}
}

/* With all vectors the data is the number of the interrupt; with one, the message's data, always. */
static void write_imwr_data(const struct vendor *v)
{
	bool all = v->message.vectors >= VENDOR_VECTORS;

	for (unsigned pair = 0; pair < 2; pair++) {
		uint32_t one = v->message.data & 0xffff;
		uint32_t rd = all ? VECTOR_RD + 2 * pair : one;
		uint32_t wr = all ? VECTOR_WR + 2 * pair : one;

		put(v, 0, RD_IMWR + IMWR_DATA + 4 * pair, rd | (rd + all) << 16);
		put(v, 0, WR_IMWR + IMWR_DATA + 4 * pair, wr | (wr + all) << 16);
	}
}

static void arm_window(const struct vendor *v)
{
	put64(v, 2, v->hdrv + HDRV_TARGET, v->window.bus);
	put(v, 2, v->hdrv + HDRV_BASE, 0);
	put(v, 2, v->hdrv + HDRV_SIZE, VENDOR_WINDOW_SIZE);
	put(v, 2, v->hdrv + HDRV_CTRL, 1);
}

static bool probe(struct vendor *v)
{
	uint64_t area;

	if (!vendor_ready(v)) {
		vendor_say_number(v->io, "firmware not running, hdrv magic",
			get(v, 2, REF_HDRV) & 0xffff);
		return false;
	}
	v->hdrv = get(v, 2, REF_HDRV + REF_OFFSET);
	v->dma_vm = get(v, 2, DMA_VM);
	area = get(v, 2, REF_DMASGDESC + REF_OFFSET);
	v->scratch = get64(v, 2, (uint32_t)area);
	v->scratch_size = get(v, 2, (uint32_t)area + 8);
	vendor_say_number(v->io, "dma-vm", v->dma_vm);
	vendor_say_number(v->io, "scratch", v->scratch);
	if (v->scratch_size < VENDOR_PAGE) {
		vendor_say_number(v->io, "no page of scratch, only", v->scratch_size);
		return false;
	}
	return true;
}

bool vendor_start(struct vendor *v)
{
	/* Bus mastering comes early: every driver calls pci_set_master() when it enables the device.
	 * That it is before the window is set is inference. */
	v->io->bus_master(v->io->user, true);
	if (!probe(v))
		return false;
	if (!v->own_message)
		v->message = v->io->enable_msi(v->io->user);
	else
		v->io->enable_msi(v->io->user);
	vendor_say_number(v->io, "vectors", v->message.vectors);
	vendor_say_number(v->io, "message-address", v->message.address);
	vendor_say_number(v->io, "message-data", v->message.data);
	if (v->message.vectors == 0)
		return false;

	v->firmware_owns_imwr = v->keep_imwr || (v->driver->knows_dma_vm &&
							v->dma_vm == DMA_VM_SUPPORTED);
	v->io->say(v->io->user, "imwr", v->firmware_owns_imwr ? "left alone" : "written");
	put(v, 0, RD_INT_MASK, 0);
	put(v, 0, WR_INT_MASK, 0);
	if (!v->firmware_owns_imwr) {
		write_imwr_addresses(v);
		write_imwr_data(v);
	}
	for (unsigned i = 0; v->window.cpu && i < VENDOR_PAGE; i++)
		v->window.cpu[i] = 0;
	arm_window(v);
	return true;
}

struct direction {
	const char *name;
	uint16_t engine_en, doorbell, int_status, int_clear, channel;
	unsigned vector;
};

static const struct direction to_card = { "to-card", RD_ENGINE_EN, RD_DOORBELL,
	RD_INT_STATUS, RD_INT_CLEAR, RD_CHANNEL, VECTOR_RD };
static const struct direction to_host = { "to-host", WR_ENGINE_EN, WR_DOORBELL,
	WR_INT_STATUS, WR_INT_CLEAR, WR_CHANNEL, VECTOR_WR };

static uint32_t channel_status(const struct vendor *v, const struct direction *d)
{
	return get(v, 0, d->channel + CONTROL) >> 5 & 3;
}

/* The handler: with one vector it looks at all channels, so the message's number does not matter. */
static bool interrupted(const struct vendor *v, const struct direction *d)
{
	unsigned vector = v->message.vectors >= VENDOR_VECTORS ? d->vector : 0;

	return v->io->raised(v->io->user, vector) &&
	       get(v, 0, d->int_status) & 0x00010001;
}

/* Waits until the channel has ended, or its interrupt has come. False: not in time. */
static bool wait_for(const struct vendor *v, const struct direction *d)
{
	unsigned start = v->io->seconds(v->io->user);
	uint32_t cs;

	for (;;) {
		if (!v->poll && interrupted(v, d))
			return true;
		cs = channel_status(v, d);
		if (v->poll && (cs == CS_DONE || cs == CS_ABORTED))
			return true;
		if (v->io->seconds(v->io->user) - start > v->timeout)
			return false;
		if (cs == 0) /* not heard: the driver rings again */
			put(v, 0, d->doorbell, 0);
	}
}

static const char *outcome(
	const struct vendor *v, const struct direction *d, bool in_time)
{
	uint32_t cs = channel_status(v, d);

	if (!in_time)
		return v->driver->late_is_done && cs == CS_DONE ? "done late" : "timeout";
	return cs == CS_DONE ? "done" : "aborted";
}

static void transfer(
	const struct vendor *v, const struct direction *d, uint64_t from, uint64_t to)
{
	const char *how;

	put(v, 0, d->int_clear, 0x00010001);
	/* Whatever came late for an earlier job. */
	(void)v->io->raised(
		v->io->user, v->message.vectors >= VENDOR_VECTORS ? d->vector : 0);
	if (!v->firmware_owns_imwr && v->message.vectors < VENDOR_VECTORS)
		write_imwr_data(v);
	put(v, 0, d->engine_en, 1);
	put(v, 0, d->channel + SIZE, VENDOR_PAGE);
	put(v, 0, d->channel + CONTROL, v->poll ? 0 : CONTROL_RIE);
	put64(v, 0, d->channel + SOURCE, from);
	put64(v, 0, d->channel + DESTINATION, to);
	put(v, 0, d->doorbell, 0);

	how = outcome(v, d, wait_for(v, d));
	v->io->say(v->io->user, d->name, how);
	if (!vendor_same(how, "done"))
		vendor_say_number(v->io, "channel-status", channel_status(v, d));
}

void vendor_job(struct vendor *v)
{
	unsigned wrong = 0;

	v->jobs++;
	for (unsigned i = 0; i < VENDOR_PAGE; i++) {
		v->source.cpu[i] = (uint8_t)(i * 7 + (i >> 8) + v->jobs * 29);
		v->back.cpu[i] = 0x5a;
	}
	v->io->say(v->io->user, "job", v->poll ? "by polling" : "by interrupt");
	transfer(v, &to_card, v->source.bus, v->scratch);
	transfer(v, &to_host, v->scratch, v->back.bus);
	for (unsigned i = 0; i < VENDOR_PAGE; i++)
		wrong += v->back.cpu[i] != v->source.cpu[i];
	v->io->say(v->io->user, "data", wrong ? "wrong" : "right");
}

static void wait_seconds(const struct vendor *v, unsigned seconds)
{
	unsigned start = v->io->seconds(v->io->user);

	while (v->io->seconds(v->io->user) - start < seconds)
		;
}

void vendor_stop(struct vendor *v, unsigned pause)
{
	for (const enum step *step = v->driver->removal; *step != STEP_END; step++) {
		if (*step == STEP_DISARM)
			wait_seconds(v, pause);
		switch (*step) {
		case STEP_FREE:
			v->io->release(v->io->user);
			v->io->say(v->io->user, "removal", "memory freed");
			break;
		case STEP_DISARM:
			put(v, 2, v->hdrv + HDRV_CTRL, 0);
			v->io->say(v->io->user, "removal", "window closed");
			break;
		case STEP_NO_MASTER:
			v->io->bus_master(v->io->user, false);
			v->io->say(v->io->user, "removal", "bus mastering off");
			break;
		case STEP_NO_MSI:
			v->io->disable_msi(v->io->user);
			v->io->say(v->io->user, "removal", "interrupts freed");
			break;
		case STEP_END:
			break;
		}
	}
}

void vendor_scrub(const struct vendor *v)
{
	static const uint16_t blocks[] = { RD_IMWR, WR_IMWR };
	uint32_t hdrv = get(v, 2, REF_HDRV + REF_OFFSET);

	put(v, 2, hdrv + HDRV_CTRL, 0);
	put64(v, 2, hdrv + HDRV_TARGET, 0);
	for (unsigned i = 0; i < 2; i++)
		for (uint32_t offset = 0; offset < IMWR_DATA + 8; offset += 4)
			put(v, 0, blocks[i] + offset, 0);
}

void vendor_look(const struct vendor *v)
{
	uint32_t hdrv = get(v, 2, REF_HDRV + REF_OFFSET);

	if (!vendor_ready(v)) {
		vendor_say_number(v->io, "firmware not running, hdrv magic",
			get(v, 2, REF_HDRV) & 0xffff);
		return;
	}
	vendor_say_number(v->io, "window-ctrl", get(v, 2, hdrv + HDRV_CTRL));
	vendor_say_number(v->io, "window-target", get64(v, 2, hdrv + HDRV_TARGET));
	vendor_say_number(v->io, "imwr-rd-done", get64(v, 0, RD_IMWR));
	vendor_say_number(v->io, "imwr-rd-data", get(v, 0, RD_IMWR + IMWR_DATA));
	vendor_say_number(v->io, "imwr-wr-done", get64(v, 0, WR_IMWR));
	vendor_say_number(v->io, "imwr-wr-data", get(v, 0, WR_IMWR + IMWR_DATA));
}
