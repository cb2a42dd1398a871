// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * firmware.c - what the virtual card's firmware does.
 *
 * The layout of the control block is that of the vendor's driver: versions 1.4.4, 1.4.16,
 * 1.5.6 and 1.6.2 were read. What the driver writes and waits for is known from there; how
 * the firmware goes about it is not, since nobody outside has its source. So each behaviour
 * that an explanation of the forum's failure assumes is an option, and each that had to be
 * invented is marked: [I] inferred from what the driver does, [U] unknown, and made up.
 * docs/virtual-metis.md has the list.
 */
#include "firmware.h"

#include <stdlib.h>
#include <string.h>

/* The control block, by offsets in BAR 2. */
enum {
	HEADER = 0x000,        /* magic u16, base u64 at 8, size u64 at 0x10 (1.5.6 on) */
	COMMAND = 0x0b0,       /* opcode u32, size u32, message */
	BLOCK_VERSION = 0x200, /* major u8, minor u8 */
	MEMORY_MAP = 0x208,    /* two u64: where the card itself sees area 0 and 1 */
	DMA_VM = 0x218,        /* u32 */
	BLOCK_SIZE = 0x400,    /* behind it is the boot loader's */
	/* References: magic u16, version u8 twice, size u32, offset u64 from the start of the BAR,
	 * area u16; 24 bytes. */
	REF_DATASTREAM = 0x240,
	REF_WINDOW = 0x2b8,
	REF_DESCRIPTORS = 0x2d0,
	REF_VMSI = 0x2e8,
	/* Where the areas lie is this firmware's own choice. */
	AREA_WINDOW = 0x1000,      /* ctrl u32, base u32, target u64, size u32 */
	AREA_DESCRIPTORS = 0x1100, /* address u64, size u64, as the card sees it */
	AREA_VMSI =
		0x1200, /* count u16 twice, 32 times {enabled u8, source u8, 2, u32}, map */
	AREA_DATASTREAM = 0x1400,
	AREAS_END = 0x1800,
	WINDOW_CTRL = 0,
	WINDOW_TARGET = 8,
	WINDOW_SIZE = 16,
	WINDOW_END = 20,
	VMSI_ENTRIES = 4,
	VMSI_MAP = 260,
	VMSI_SIZE = 512,
	DATASTREAM_SIZE = 256,
	/* The last bytes of BAR 2, also where a driver looks that knows no reference. */
	DESCRIPTORS = 0x1ff8080,
	DESCRIPTORS_SIZE = 0x7f80,
};

enum {
	MAGIC_HEADER = 0xfd1f,
	MAGIC_DATASTREAM = 0xf0f0,
	MAGIC_WINDOW = 0xbac1,
	MAGIC_DESCRIPTORS = 0xd4d4,
	MAGIC_VMSI = 0xb5b5,
};
#define MAGIC_DMA_VM 0xc1a0c1a0u

/* Numbers of interrupts, of flags in the window, and of vectors where enough are granted. */
enum { ID_DMA = 4, ID_MESSAGE = 12, ID_ACCELERATOR = 24, IDS = 32 };

/* The eDMA's registers that hold messages: struct dw_edma_v0_regs. */
static const struct {
	uint32_t done, abort, data, first_id;
} imwr[] = { { 0x0cc, 0x0d4, 0x0dc, 4 }, { 0x060, 0x068, 0x070, 8 } };

struct message {
	uint64_t address;
	uint32_t data;
	unsigned granted;
	bool there;
};

struct firmware {
	uint8_t *memory;
	struct firmware_options options;
	struct firmware_bus bus;
	bool on;      /* has had its first reset */
	bool running; /* the control block is filled */
	bool wedged;
	bool busy; /* with an event */
	uint64_t ready_ms, beat_ms;
	bool armed;
	uint64_t target; /* as taken when the window was armed */
	uint32_t size;
	struct message stale; /* the capability's, when that was first */
};

/* --- memory, little endian --- */

static void put(struct firmware *firmware, uint32_t offset, uint64_t value, unsigned size)
{
	for (unsigned i = 0; i < size; i++)
		firmware->memory[offset + i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get(const struct firmware *firmware, uint32_t offset, unsigned size)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < size; i++)
		value |= (uint64_t)firmware->memory[offset + i] << (8 * i);
	return value;
}

static void put_reference(struct firmware *firmware, uint32_t at, uint16_t magic,
	uint32_t offset, uint32_t size)
{
	put(firmware, at, magic, 2);
	put(firmware, at + 2, 1, 1); /* [U] version 1.0 */
	put(firmware, at + 4, size, 4);
	put(firmware, at + 8, offset, 8);
}

static void put_vmsi(struct firmware *firmware)
{
	put(firmware, AREA_VMSI, IDS, 2);
	put(firmware, AREA_VMSI + 2, IDS, 2);
	for (unsigned id = 0; id < IDS; id++) {
		uint32_t entry = AREA_VMSI + VMSI_ENTRIES + 8 * id;
		bool dma = id >= ID_DMA && id < ID_MESSAGE;

		put(firmware, entry, id <= ID_MESSAGE || id == ID_ACCELERATOR, 1);
		put(firmware, entry + 1, dma, 1); /* source: 0 firmware, 1 hardware */
		put(firmware, AREA_VMSI + VMSI_MAP + id, id, 1); /* [U] */
	}
}

static void wipe(struct firmware *firmware)
{
	memset(firmware->memory, 0, BLOCK_SIZE);
	memset(firmware->memory + AREA_WINDOW, 0, AREAS_END - AREA_WINDOW);
}

static void fill(struct firmware *firmware)
{
	const struct firmware_options *options = &firmware->options;

	wipe(firmware); /* what the host wrote too early is lost */
	if (options->header) {
		put(firmware, HEADER, MAGIC_HEADER, 2);
		put(firmware, HEADER + 8, FIRMWARE_MEMORY_BASE, 8);
		put(firmware, HEADER + 0x10, FIRMWARE_MEMORY_SIZE, 8);
	}
	put(firmware, BLOCK_VERSION, options->major, 1);
	put(firmware, BLOCK_VERSION + 1, options->minor, 1);
	put(firmware, MEMORY_MAP, FIRMWARE_MEMORY_BASE, 8);
	if (options->dma_vm != FIRMWARE_DMA_VM_OFF)
		put(firmware, DMA_VM, MAGIC_DMA_VM, 4);
	put_reference(firmware, REF_DATASTREAM, MAGIC_DATASTREAM, AREA_DATASTREAM,
		DATASTREAM_SIZE);
	put_reference(firmware, REF_WINDOW, MAGIC_WINDOW, AREA_WINDOW, WINDOW_END);
	put_reference(firmware, REF_VMSI, MAGIC_VMSI, AREA_VMSI, VMSI_SIZE);
	put_vmsi(firmware);
	if (options->descriptors) {
		put_reference(firmware, REF_DESCRIPTORS, MAGIC_DESCRIPTORS,
			AREA_DESCRIPTORS, 16);
		put(firmware, AREA_DESCRIPTORS, FIRMWARE_MEMORY_BASE + DESCRIPTORS, 8);
		put(firmware, AREA_DESCRIPTORS + 8, DESCRIPTORS_SIZE, 8);
	}
	firmware->running = true;
}

/* --- interrupts --- */

static bool works(const struct firmware *firmware)
{
	return firmware->running && firmware_visible(firmware) == FIRMWARE_ALIVE;
}

static struct message capability(const struct firmware *firmware)
{
	const struct firmware_bus *bus = &firmware->bus;
	struct message message = {
		.granted = bus->msi_granted ? bus->msi_granted(bus->user) : IDS
	};

	message.there = bus->msi_message(bus->user, &message.address, &message.data);
	return message;
}

/* Numbers that were not granted are vector 0. BEYOND_GRANTED: they go out nevertheless; so
 * did Linux's own endpoint code of this controller at times. */
static unsigned vector_of(const struct firmware *firmware, unsigned id, unsigned granted)
{
	return id < granted || firmware->options.beyond_granted ? id : 0;
}

static void raise_interrupt(struct firmware *firmware, unsigned id)
{
	const struct firmware_bus *bus = &firmware->bus;
	struct message now = capability(firmware);

	if (firmware->options.stale_msi && firmware->stale.there)
		bus->message(bus->user, firmware->stale.address,
			firmware->stale.data +
				vector_of(firmware, id, firmware->stale.granted));
	else if (now.there && firmware->options.beyond_granted)
		bus->message(bus->user, now.address, now.data + id);
	else if (now.there)
		bus->msi(bus->user, vector_of(firmware, id, now.granted));
}

/* A flag in the host's memory says which event it was; then the interrupt. */
static void event(struct firmware *firmware, unsigned id)
{
	const uint8_t flag[] = { 1, 0, 0, 0 };

	/* Its flag or message has hit the card itself, and been taken for the next one. */
	if (firmware->busy)
		return;
	firmware->busy = true;
	if (!firmware->options.window_latched) {
		firmware->target = get(firmware, AREA_WINDOW + WINDOW_TARGET, 8);
		firmware->size = (uint32_t)get(firmware, AREA_WINDOW + WINDOW_SIZE, 4);
	}
	/* [I] Nothing is written behind the window's size. */
	if (firmware->armed && firmware->size >= sizeof(flag) * (id + 1))
		firmware->bus.host_write(firmware->bus.user,
			firmware->target + sizeof(flag) * id, flag, sizeof(flag));
	raise_interrupt(firmware, id);
	firmware->busy = false;
}

/* [I] FIRMWARE_DMA_VM_IMWR: lets the eDMA signal by the function's own message. A driver that
 * knows nothing of it goes on to write its own data there: host's address, guest's data. */
static void point_imwr(struct firmware *firmware, bool data_too)
{
	const struct firmware_bus *bus = &firmware->bus;
	struct message message = capability(firmware);

	if (firmware->options.dma_vm != FIRMWARE_DMA_VM_IMWR || !message.there ||
		!bus->edma_write)
		return;
	for (unsigned i = 0; i < 2; i++) {
		uint32_t low = (uint32_t)message.address, data[4];
		uint32_t high = (uint32_t)(message.address >> 32);

		bus->edma_write(bus->user, imwr[i].done, low);
		bus->edma_write(bus->user, imwr[i].done + 4, high);
		bus->edma_write(bus->user, imwr[i].abort, low);
		bus->edma_write(bus->user, imwr[i].abort + 4, high);
		if (!data_too)
			continue;
		for (unsigned n = 0; n < 4; n++) {
			unsigned id = imwr[i].first_id + n;

			data[n] = message.data + vector_of(firmware, id, message.granted);
		}
		for (unsigned n = 0; n < 4; n += 2)
			bus->edma_write(bus->user, imwr[i].data + 2 * n,
				(data[n] & 0xffff) | data[n + 1] << 16);
	}
}

/* --- the window --- */

static void look_at_window(struct firmware *firmware, uint64_t now_ms)
{
	bool armed = get(firmware, AREA_WINDOW + WINDOW_CTRL, 4) & 1;
	bool was = firmware->armed;

	firmware->armed = armed;
	if (!armed || was)
		return;
	firmware->target = get(firmware, AREA_WINDOW + WINDOW_TARGET, 8);
	firmware->size = (uint32_t)get(firmware, AREA_WINDOW + WINDOW_SIZE, 4);
	/* Taken when the window is armed first, and kept: a driver that goes closes it, and the
	 * next one's message is not looked at. */
	if (!firmware->stale.there)
		firmware->stale = capability(firmware);
	firmware->beat_ms = now_ms + firmware->options.heartbeat_ms;
	point_imwr(firmware, true);
}

static bool overlaps(uint64_t offset, unsigned size, uint32_t from, uint32_t length)
{
	return offset < from + length && offset + size > from;
}

void firmware_written(
	struct firmware *firmware, uint64_t offset, unsigned size, uint64_t now_ms)
{
	if (!works(firmware) || offset >= FIRMWARE_MEMORY_SIZE)
		return;
	if (overlaps(offset, size, AREA_WINDOW, WINDOW_END))
		look_at_window(firmware, now_ms);
	/* [U] how a command is handed over: here by an opcode that is not zero. Whatever it says,
	 * it is done, and the host is told. */
	if (overlaps(offset, size, COMMAND, 4) && get(firmware, COMMAND, 4)) {
		put(firmware, COMMAND, 0, 4);
		event(firmware, ID_MESSAGE);
	}
}

/* --- time --- */

uint64_t firmware_run(struct firmware *firmware, uint64_t now_ms)
{
	if (!firmware->on || firmware_visible(firmware) != FIRMWARE_ALIVE)
		return UINT64_MAX;
	if (!firmware->running && now_ms < firmware->ready_ms)
		return firmware->ready_ms;
	if (!firmware->running)
		fill(firmware);
	look_at_window(firmware, now_ms); /* it may have been written by DMA */
	if (!firmware->armed || !firmware->options.heartbeat_ms)
		return UINT64_MAX;
	if (now_ms >= firmware->beat_ms) {
		firmware->beat_ms = now_ms + firmware->options.heartbeat_ms;
		point_imwr(firmware, false);
		event(firmware, ID_ACCELERATOR); /* [U] which one it is */
	}
	return firmware->beat_ms;
}

/* Does it get as far as the firmware? */
static bool reaches(enum firmware_sticky sticky, enum firmware_reset kind)
{
	if (kind == FIRMWARE_POWER_ON || sticky == FIRMWARE_STICKY_NONE)
		return true;
	return sticky == FIRMWARE_STICKY_FLR && kind == FIRMWARE_RESET_BUS;
}

bool firmware_reset(struct firmware *firmware, enum firmware_reset kind, uint64_t now_ms)
{
	if (kind == FIRMWARE_RESET_FLR && firmware->options.wedge_after_flr)
		firmware->wedged = true;
	if (kind == FIRMWARE_RESET_BUS || kind == FIRMWARE_POWER_ON)
		firmware->wedged = false;
	if (firmware->on && !reaches(firmware->options.sticky, kind))
		return false;
	if (!firmware->on || kind == FIRMWARE_POWER_ON)
		memset(firmware->memory, 0, FIRMWARE_MEMORY_SIZE);
	else
		wipe(firmware);
	firmware->on = true;
	firmware->running = false;
	firmware->armed = false;
	firmware->stale.there = false;
	firmware->ready_ms = now_ms + firmware->options.settle_ms;
	firmware_run(firmware, now_ms);
	return true;
}

/* --- the rest --- */

/* [I] It owns the messages of a driver's session, that is while the window is armed. */
bool firmware_signal(struct firmware *firmware, unsigned interrupt, bool aborted)
{
	(void)aborted; /* the same number for both; the driver looks at the channel */
	if (!works(firmware) || !firmware->armed ||
		firmware->options.dma_vm != FIRMWARE_DMA_VM_OWNER || interrupt >= 8)
		return false;
	event(firmware, ID_DMA + interrupt);
	return true;
}

enum firmware_dead firmware_visible(const struct firmware *firmware)
{
	return firmware->wedged ? FIRMWARE_ZEROS : firmware->options.dead;
}

bool firmware_preset(const char *version, struct firmware_options *options)
{
	/* [U] settle_ms and heartbeat_ms of all; header and flag of 1.6.0, whose driver does not
	 * look at them; how 1.7.0 does what the flag says. */
	static const struct {
		const char *version;
		struct firmware_options options;
	} presets[] = {
		{ "1.3.2", { .major = 1,
				   .minor = 3,
				   .settle_ms = 1000,
				   .heartbeat_ms = 1000 } },
		{ "1.6.0", { .major = 1,
				   .minor = 6,
				   .descriptors = true,
				   .settle_ms = 1000,
				   .heartbeat_ms = 1000 } },
		{ "1.7.0", { .major = 1,
				   .minor = 7,
				   .header = true,
				   .descriptors = true,
				   .dma_vm = FIRMWARE_DMA_VM_OWNER,
				   .settle_ms = 1000,
				   .heartbeat_ms = 1000 } },
	};

	for (size_t i = 0; i < sizeof(presets) / sizeof(*presets); i++)
		if (!strcmp(version, presets[i].version)) {
			*options = presets[i].options;
			return true;
		}
	return false;
}

struct firmware *firmware_new(uint8_t *memory, const struct firmware_options *options,
	const struct firmware_bus *bus)
{
	struct firmware *firmware = calloc(1, sizeof(*firmware));

	if (!firmware)
		return NULL;
	firmware->memory = memory;
	firmware->options = *options;
	firmware->bus = *bus;
	return firmware;
}

void firmware_free(struct firmware *firmware)
{
	free(firmware);
}
