// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A Metis card by its DMA block, a DesignWare eDMA: single transfers, no lists, on channel 3
 * of each direction, which the vendor's driver keeps for itself. The order of register writes
 * is that driver's. Untested on hardware.
 *
 * Interrupts: the block writes a message of its own (IMWR) when a transfer is done. What is
 * put there is what that driver puts there: the message of the function's MSI as this kernel
 * knows it. In a VM without an IOMMU of its own that is the guest's message, which the host's
 * IOMMU does not know: the very question that the case irq-polling answers.
 */
#include <linux/delay.h>
#include <linux/io.h>
#include <linux/slab.h>

#include "dw-edma.h"
#include "metis-block.h"
#include "metis.h"

#define STOP_MS	   1000 /* for a channel to end once its engine is off */
#define RING_US	   100 /* a doorbell not heard is rung again, as the vendor's driver does */
#define START_US   20000
#define POWER_US   10000 /* until it looks as if the channel had no power */
#define READ_LATE  7	 /* the vectors that the vendor's driver gives channel 3 */
#define WRITE_LATE 11

/* One direction, by its registers. */
struct way {
	unsigned int engine_en, doorbell, int_mask, int_clear, pwr_en, channel;
	unsigned int done, abort, data; /* IMWR */
};

static const struct way ways[] = {
	[false] = { /* write */
		.engine_en = DW_EDMA_WRITE_ENGINE_EN,
		.doorbell = DW_EDMA_WRITE_DOORBELL,
		.int_mask = DW_EDMA_WRITE_INT_MASK,
		.int_clear = DW_EDMA_WRITE_INT_CLEAR,
		.pwr_en = DW_EDMA_WRITE_PWR_EN(METIS_CHANNEL),
		.channel = DW_EDMA_WRITE_CHANNEL(METIS_CHANNEL),
		.done = DW_EDMA_WRITE_DONE_IMWR_LOW,
		.abort = DW_EDMA_WRITE_ABORT_IMWR_LOW,
		.data = DW_EDMA_WRITE_IMWR_DATA(METIS_CHANNEL),
	},
	[true] = { /* read */
		.engine_en = DW_EDMA_READ_ENGINE_EN,
		.doorbell = DW_EDMA_READ_DOORBELL,
		.int_mask = DW_EDMA_READ_INT_MASK,
		.int_clear = DW_EDMA_READ_INT_CLEAR,
		.pwr_en = DW_EDMA_READ_PWR_EN(METIS_CHANNEL),
		.channel = DW_EDMA_READ_CHANNEL(METIS_CHANNEL),
		.done = DW_EDMA_READ_DONE_IMWR_LOW,
		.abort = DW_EDMA_READ_ABORT_IMWR_LOW,
		.data = DW_EDMA_READ_IMWR_DATA(METIS_CHANNEL),
	},
};

static struct metis *card_of(struct dmatest *test)
{
	return test->card;
}

static u32 get(struct dmatest *test, unsigned int reg)
{
	return ioread32(test->bar[METIS_BAR_DMA] + reg);
}

static void put(struct dmatest *test, unsigned int reg, u32 value)
{
	iowrite32(value, test->bar[METIS_BAR_DMA] + reg);
}

static void put_address(struct dmatest *test, unsigned int low, u64 address)
{
	put(test, low, lower_32_bits(address));
	put(test, low + 4, upper_32_bits(address));
}

/* --- what is changed, and brought back --- */

/*
 * Calls ONE for each register that is written here and may have been somebody's. The
 * channels' CS is their state, not ours to bring back, and the engines are left off.
 */
static void each_register(struct dmatest *test,
			  void (*one)(struct dmatest *test, unsigned int reg, u32 *saved))
{
	static const u8 offsets[] = { DW_EDMA_CONTROL1, DW_EDMA_SIZE,	 DW_EDMA_SAR_LOW,
				      DW_EDMA_SAR_HI,	DW_EDMA_DAR_LOW, DW_EDMA_DAR_HI };
	u32 *saved = card_of(test)->saved;
	unsigned int i, j;

	static_assert(ARRAY_SIZE(ways) * (7 + ARRAY_SIZE(offsets)) <= METIS_SAVED);
	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		one(test, ways[i].int_mask, saved++);
		one(test, ways[i].done, saved++);
		one(test, ways[i].done + 4, saved++);
		one(test, ways[i].abort, saved++);
		one(test, ways[i].abort + 4, saved++);
		one(test, ways[i].data, saved++);
		one(test, ways[i].pwr_en, saved++);
		for (j = 0; j < ARRAY_SIZE(offsets); j++)
			one(test, ways[i].channel + offsets[j], saved++);
	}
}

static void save_one(struct dmatest *test, unsigned int reg, u32 *saved)
{
	*saved = get(test, reg);
	if (reg == ways[false].channel + DW_EDMA_CONTROL1 ||
	    reg == ways[true].channel + DW_EDMA_CONTROL1)
		*saved &= ~DW_EDMA_CONTROL1_CS;
}

static void restore_one(struct dmatest *test, unsigned int reg, u32 *saved)
{
	put(test, reg, *saved);
}

/* --- on and off --- */

static void clear_status(struct dmatest *test, const struct way *way)
{
	put(test, way->int_clear,
	    DW_EDMA_INT_DONE(METIS_CHANNEL) | DW_EDMA_INT_ABORT(METIS_CHANNEL));
}

/* Off is also its reset; it may take as long as what is on its way. */
static int stop_way(struct dmatest *test, const struct way *way)
{
	ktime_t end = ktime_add_ms(ktime_get(), STOP_MS);

	put(test, way->engine_en, 0);
	for (;;) {
		bool late = ktime_after(ktime_get(), end);
		u32 on = get(test, way->engine_en);
		u32 control = get(test, way->channel + DW_EDMA_CONTROL1);

		if (on == METIS_ONES)
			return -ENODEV;
		if (!(on & 1) && DW_EDMA_CS(control) != DW_EDMA_CS_RUNNING)
			break;
		if (late)
			return -EIO;
		usleep_range(50, 100);
	}
	clear_status(test, way);
	return 0;
}

static int restart(struct dmatest *test)
{
	unsigned int i;
	int err;

	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		err = stop_way(test, &ways[i]);
		if (err)
			return err;
	}
	for (i = 0; i < ARRAY_SIZE(ways); i++)
		put(test, ways[i].engine_en, 1);
	return 0;
}

/* --- messages --- */

/* The same for an abort, so that none goes to where somebody else's pointed. */
static void program(struct dmatest *test, const struct way *way, u64 address, u32 data)
{
	const unsigned int shift = DW_EDMA_IMWR_DATA_SHIFT(METIS_CHANNEL);
	u32 others = get(test, way->data) & ~(DW_EDMA_IMWR_DATA_MAX << shift);

	put_address(test, way->done, address);
	put_address(test, way->abort, address);
	put(test, way->data, others | (data & DW_EDMA_IMWR_DATA_MAX) << shift);
}

static void describe(struct dmatest *test, unsigned int n, char *text, size_t size)
{
	u64 address;
	u32 data;

	if (metis_message(test, n, &address, &data))
		snprintf(text, size, "message 0x%llx, 0x%04x, written by its DMA block",
			 address, data);
	else
		snprintf(text, size, "no MSI");
}

static unsigned int vector(struct dmatest *test, bool read)
{
	if (test->granted <= WRITE_LATE)
		return 0;
	return read ? READ_LATE : WRITE_LATE;
}

/* --- transfers --- */

static int poll(struct dmatest *test, const char **why)
{
	struct metis *card = card_of(test);
	const struct way *way = &ways[card->reads];
	u32 control = get(test, way->channel + DW_EDMA_CONTROL1);

	if (control == METIS_ONES)
		return -ENODEV;
	switch (DW_EDMA_CS(control)) {
	case DW_EDMA_CS_STOPPED:
		return 1;
	case DW_EDMA_CS_HALTED:
		*why = metis_why_halted(test, card->reads);
		return -EIO;
	case DW_EDMA_CS_IDLE:
		if (ktime_us_delta(ktime_get(), card->rung) < RING_US)
			return 0;
		put(test, way->doorbell, METIS_CHANNEL);
		card->rung = ktime_get();
		return 0;
	default:
		return 0;
	}
}

/*
 * What the last transfer left is cleared, or its end would be taken for that of the next. The
 * vendor's driver clears CS by writing control1; should the silicon not have that, switching
 * the engine off does it.
 */
static int make_idle(struct dmatest *test, const struct way *way)
{
	const unsigned int control = way->channel + DW_EDMA_CONTROL1;
	struct metis *card = card_of(test);
	bool tells = card->status == METIS_UNKNOWN && DW_EDMA_CS(get(test, control));
	int err;

	clear_status(test, way);
	put(test, control, 0);
	if (tells)
		card->status =
			DW_EDMA_CS(get(test, control)) ? METIS_KEPT : METIS_CLEARED;
	if (card->status != METIS_KEPT)
		return 0;
	err = stop_way(test, way);
	if (err)
		return err;
	put(test, way->engine_en, 1);
	return DW_EDMA_CS(get(test, control)) ? -EIO : 0;
}

/* Whoever waits for an interrupt looks at nothing meanwhile, so it is seen to start here. */
static void ring(struct dmatest *test, const struct way *way)
{
	ktime_t start = ktime_get();
	u32 control;
	s64 us;

	put(test, way->doorbell, METIS_CHANNEL);
	card_of(test)->rung = start;
	for (;;) {
		control = get(test, way->channel + DW_EDMA_CONTROL1);
		us = ktime_us_delta(ktime_get(), start);
		if (DW_EDMA_CS(control) != DW_EDMA_CS_IDLE || us > START_US)
			return;
		/* Unknown of the silicon: whether it has power from the start. */
		if (us > POWER_US)
			put(test, way->pwr_en, 1);
		usleep_range(RING_US, 2 * RING_US);
		/* Not one that has started, and ended, meanwhile: that would be once more. */
		if (DW_EDMA_CS(get(test, way->channel + DW_EDMA_CONTROL1)) !=
		    DW_EDMA_CS_IDLE)
			return;
		put(test, way->doorbell, METIS_CHANNEL);
		card_of(test)->rung = ktime_get();
	}
}

struct message {
	u64 address;
	u32 data;
};

static void unmask(struct dmatest *test, const struct way *way)
{
	u32 mask = get(test, way->int_mask);

	put(test, way->int_mask,
	    mask & ~(DW_EDMA_INT_DONE(METIS_CHANNEL) | DW_EDMA_INT_ABORT(METIS_CHANNEL)));
}

/*
 * MESSAGE (or NULL) is sent at its end. Unknown of the silicon: what is left of masks and messages
 * when an engine was off, as make_idle() may switch it; so both are set anew.
 */
static int transfer(struct dmatest *test, bool read, u64 bus, size_t size,
		    const struct message *message)
{
	const struct way *way = &ways[read];
	struct metis *card = card_of(test);
	int err;

	card->reads = read;
	err = make_idle(test, way);
	if (err)
		return err;
	if (message) {
		unmask(test, way);
		program(test, way, message->address, message->data);
	}
	put(test, way->channel + DW_EDMA_SIZE, size);
	put(test, way->channel + DW_EDMA_CONTROL1, message ? DW_EDMA_CONTROL1_RIE : 0);
	put_address(test, way->channel + DW_EDMA_SAR_LOW,
		    read ? bus : card->area_address);
	put_address(test, way->channel + DW_EDMA_DAR_LOW,
		    read ? card->area_address : bus);
	ring(test, way);
	return 0;
}

static int kick(struct dmatest *test, bool read, dma_addr_t bus, size_t size, bool signal)
{
	struct message message;

	if (!signal)
		return transfer(test, read, bus, size, NULL);
	if (!metis_message(test, vector(test, read), &message.address, &message.data))
		return -EIO;
	return transfer(test, read, bus, size, &message);
}

/* At the end of a word that goes to the scratch. */
static int send(struct dmatest *test, const struct message *message)
{
	const char *why;
	int err;

	err = transfer(test, false, card_of(test)->scratch_bus, 4, message);
	if (!err)
		err = dmatest_poll(test, &why);
	if (err == 1)
		return 0;
	return err ? err : -EIO;
}

static int raise(struct dmatest *test, unsigned int n)
{
	struct message message;

	if (!metis_message(test, n, &message.address, &message.data))
		return -EIO;
	return send(test, &message);
}

static bool check(struct dmatest *test, const void *data, size_t size, size_t *at)
{
	const u8 *bytes = data;
	size_t i;
	u32 word;

	for (i = 0; i < size; i += 4) {
		word = ioread32(test->bar[METIS_BAR_MEMORY] + card_of(test)->area + i);
		if (cpu_to_le32(word) == *(const __le32 *)(bytes + i))
			continue;
		*at = i;
		return false;
	}
	return true;
}

/* --- from start to end --- */

static int probe(struct dmatest *test)
{
	struct metis *card;
	int err;

	if (test->pdev->device == METIS_EUROPA) {
		pci_err(test->pdev, "is a Europa card, whose DMA block is another\n");
		return -ENODEV;
	}
	card = dmatest_fail_alloc() ? NULL : kzalloc(sizeof(*card), GFP_KERNEL);
	if (!card)
		return -ENOMEM;
	test->card = card;
	test->transfer_align = 4;
	test->address_bits = 64;
	err = metis_find(test, card);
	test->transfer_max = min_t(size_t, card->area_size, METIS_TRANSFER_MAX);
	return err;
}

static void unbind(struct dmatest *test)
{
	kfree(test->card);
	test->card = NULL;
}

/*
 * Firmware that offers DMA in a VM may send the message itself, whatever is in IMWR; or may
 * not. Pointed at the scratch, a message is a write like any other.
 */
static int learn_messages(struct dmatest *test)
{
	struct metis *card = card_of(test);
	const struct message message = { card->scratch_bus + 4, 0x5aa5 };
	int err;

	test->no_signal = NULL;
	if (!card->dma_vm)
		return 0;
	WRITE_ONCE(card->scratch[1], 0);
	err = send(test, &message);
	if (err)
		return err;
	if (READ_ONCE(card->scratch[1]) != cpu_to_le32(message.data))
		test->no_signal =
			"the firmware sends the DMA block's messages itself, for VMs; not tested";
	return 0;
}

static int start(struct dmatest *test)
{
	struct metis *card = card_of(test);
	int err;

	if (!dmatest_fail_alloc())
		card->contents = kmalloc(test->transfer_max, GFP_KERNEL);
	if (!dmatest_fail_alloc())
		card->scratch = dma_alloc_coherent(&test->pdev->dev, PAGE_SIZE,
						   &card->scratch_bus, GFP_KERNEL);
	if (!card->contents || !card->scratch)
		return -ENOMEM;
	if (get(test, DW_EDMA_CTRL) == METIS_ONES)
		return -ENODEV;
	each_register(test, save_one);
	metis_save(test, card, card->contents, test->transfer_max);
	card->started = true;
	card->status = METIS_UNKNOWN;
	err = restart(test);
	if (!err)
		err = metis_memory_works(test, card);
	if (err)
		return err;
	return learn_messages(test);
}

static void stop(struct dmatest *test)
{
	struct metis *card = card_of(test);
	bool gone;

	if (card->started) {
		gone = stop_way(test, &ways[true]) == -ENODEV;
		gone |= stop_way(test, &ways[false]) == -ENODEV;
		if (!gone) {
			metis_restore(test, card, card->contents, test->transfer_max);
			each_register(test, restore_one);
		}
		card->started = false;
	}
	if (card->scratch)
		dma_free_coherent(&test->pdev->dev, PAGE_SIZE, card->scratch,
				  card->scratch_bus);
	card->scratch = NULL;
	kfree(card->contents);
	card->contents = NULL;
}

const struct dmatest_engine dmatest_dw_edma = {
	.name = "dw-edma",
	.vendor = METIS_VENDOR,
	.bars = BIT(METIS_BAR_DMA) | BIT(METIS_BAR_MEMORY),
	.probe = probe,
	.unbind = unbind,
	.start = start,
	.stop = stop,
	.kick = kick,
	.poll = poll,
	.vector = vector,
	.check = check,
	.raise = raise,
	.describe = describe,
	.abort = restart,
};
