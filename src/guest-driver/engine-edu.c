// SPDX-License-Identifier: GPL-2.0-or-later
/* QEMU's educational device. */
#include <linux/delay.h>
#include <linux/io-64-nonatomic-lo-hi.h>

#include "driver.h"
#include "edu.h"

#define IRQ_TEST   0x1
#define ONES	   0xffffffffu
#define PROBE_WORD 0x5a5aa5a5u
/* For what runs to end: it takes 100 ms of the device's own time. */
#define ABORT_MS   20000

static u32 get(struct dmatest *test, unsigned int reg)
{
	return ioread32(test->bar[0] + reg);
}

static void put(struct dmatest *test, unsigned int reg, u32 value)
{
	iowrite32(value, test->bar[0] + reg);
}

static int probe(struct dmatest *test)
{
	u32 id = pci_resource_len(test->pdev, 0) >= EDU_END ? get(test, EDU_ID) : 0;

	if ((id & EDU_ID_MASK) != EDU_ID_EDU) {
		pci_err(test->pdev, "is no edu: its BAR 0 begins with 0x%08x\n", id);
		return -ENODEV;
	}
	put(test, EDU_LIVENESS, PROBE_WORD);
	if (get(test, EDU_LIVENESS) != ~PROBE_WORD) {
		pci_err(test->pdev,
			"does not answer: its liveness register does not invert\n");
		return -EIO;
	}
	test->transfer_max = EDU_TRANSFER_MAX;
	test->transfer_align = 1;
	test->address_bits = EDU_ADDRESS_BITS;
	return 0;
}

static bool acknowledge(struct dmatest *test)
{
	u32 status = get(test, EDU_IRQ_STATUS);

	if (!status || status == ONES)
		return false;
	put(test, EDU_IRQ_ACK, status);
	return true;
}

static int start(struct dmatest *test)
{
	acknowledge(test);
	return test->engine->abort(test);
}

static int poll(struct dmatest *test, const char **why)
{
	/* Of eight bytes, and read by halves like any other. */
	u32 command = get(test, EDU_DMA_CMD);

	if (command == ONES)
		return -ENODEV;
	return !(command & EDU_CMD_RUN);
}

/* It cannot be stopped. */
static int abort_transfer(struct dmatest *test)
{
	ktime_t end = ktime_add_ms(ktime_get(), ABORT_MS);
	const char *why;

	for (;;) {
		bool late = ktime_after(ktime_get(), end);
		int err = poll(test, &why);

		if (err)
			return min(err, 0);
		if (late)
			return -EIO;
		usleep_range(500, 1000);
	}
}

static void stop(struct dmatest *test)
{
	abort_transfer(test);
	acknowledge(test);
}

static int kick(struct dmatest *test, bool read, dma_addr_t bus, size_t size, bool signal)
{
	u64 command =
		EDU_CMD_RUN | (read ? 0 : EDU_CMD_WRITE) | (signal ? EDU_CMD_IRQ : 0);
	void __iomem *bar = test->bar[0];

	writeq(read ? bus : EDU_BUFFER, bar + EDU_DMA_SRC);
	writeq(read ? EDU_BUFFER : bus, bar + EDU_DMA_DST);
	writeq(size, bar + EDU_DMA_COUNT);
	writeq(command, bar + EDU_DMA_CMD);
	return 0;
}

static unsigned int vector(struct dmatest *test, bool read)
{
	return 0;
}

static int raise(struct dmatest *test, unsigned int n)
{
	put(test, EDU_IRQ_RAISE, IRQ_TEST);
	return 0;
}

static void describe(struct dmatest *test, unsigned int n, char *text, size_t size)
{
	snprintf(text, size, "%s of the function", test->interrupt);
}

const struct dmatest_engine dmatest_edu = {
	.name = "edu",
	.vendor = EDU_VENDOR,
	.device = EDU_DEVICE,
	.bars = BIT(0),
	.probe = probe,
	.start = start,
	.stop = stop,
	.kick = kick,
	.poll = poll,
	.vector = vector,
	.raise = raise,
	.acknowledge = acknowledge,
	.describe = describe,
	.abort = abort_transfer,
};
