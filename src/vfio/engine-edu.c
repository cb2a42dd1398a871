/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QEMU's educational device.
 */
#include "config.h"

#include <string.h>

#include "core/edu.h"
#include "vfio/engine.h"

#define IRQ_TEST   0x1
/* A transfer starts 100 ms after the command, on a clock that stands still when the machine
 * is busy. */
#define TIMEOUT_MS 20000
#define POLL_US    500
#define SCRATCH    4096

struct edu {
	struct mp_vfio *vfio;
	struct mp_mmio *bar;
	struct mp_engine_scratch scratch;
};

static uint32_t get(const struct edu *edu, unsigned reg)
{
	return mp_mmio_read32(edu->bar, reg);
}

static void put(struct edu *edu, unsigned reg, uint32_t value)
{
	mp_mmio_write32(edu->bar, reg, value);
}

/* Registers from 0x80 on take eight bytes at once. */
static void put64(struct edu *edu, unsigned reg, uint64_t value)
{
	mp_mmio_write64(edu->bar, reg, value);
}

static struct mp_mmio *registers(struct mp_vfio *vfio, GError **error)
{
	struct mp_mmio *bar = mp_vfio_bar(vfio, 0, error);
	uint32_t id;

	if (!bar)
		return NULL;
	id = mp_mmio_size(bar) >= EDU_END ? mp_mmio_read32(bar, EDU_ID) : 0;
	if ((id & EDU_ID_MASK) == EDU_ID_EDU)
		return bar;
	g_set_error(error, MP_ERROR, MP_ERROR_IO,
		"%s: is no edu: its BAR 0 begins with 0x%08x, not 0x....00ed",
		mp_vfio_address(vfio), id);
	return NULL;
}

static bool probe(struct mp_vfio *vfio, const struct mp_host *host G_GNUC_UNUSED,
	const struct mp_pci *device G_GNUC_UNUSED, bool force G_GNUC_UNUSED,
	GError **error)
{
	struct mp_mmio *bar = registers(vfio, error);

	if (!bar)
		return false;
	mp_mmio_write32(bar, EDU_LIVENESS, 0x5a5aa5a5);
	if (mp_mmio_read32(bar, EDU_LIVENESS) == ~0x5a5aa5a5u)
		return true;
	g_set_error(error, MP_ERROR, MP_ERROR_IO,
		"%s: does not answer: its liveness register does not invert",
		mp_vfio_address(vfio));
	return false;
}

static void limits(const void *state G_GNUC_UNUSED, struct mp_engine_limits *limits)
{
	*limits = (struct mp_engine_limits){
		.transfer_max = EDU_TRANSFER_MAX,
		.transfer_align = 1,
		/* Less by the property dma_mask, which cannot be read. */
		.address_bits = 64,
		.address_bits_unsure = true,
		.scratch = SCRATCH,
		.timeout_ms = TIMEOUT_MS,
		.programmed_irq = true,
		/* Its DMA has no MemTxAttrs.requester_id; to memory that does not matter. */
		.anonymous_messages = true,
		.reads_any = true,
		.writes_any = true,
	};
}

static bool init(struct mp_vfio *vfio, const struct mp_engine_scratch *scratch,
	void **state, GError **error)
{
	struct mp_mmio *bar = registers(vfio, error);
	struct edu *edu;

	if (!bar)
		return false;
	edu = g_new0(struct edu, 1);
	edu->vfio = vfio;
	edu->bar = bar;
	edu->scratch = *scratch;
	*state = edu;
	put(edu, EDU_IRQ_ACK, get(edu, EDU_IRQ_STATUS));
	return true;
}

/* The device takes no new command while one runs. */
static bool wait_idle(struct edu *edu, GError **error)
{
	gint64 deadline = g_get_monotonic_time() + TIMEOUT_MS * G_TIME_SPAN_MILLISECOND;

	while (get(edu, EDU_DMA_CMD) & EDU_CMD_RUN) {
		if (g_get_monotonic_time() > deadline) {
			g_set_error(error, MP_ERROR, MP_ERROR_IO,
				"%s: its transfer did not end within %u ms",
				mp_vfio_address(edu->vfio), TIMEOUT_MS);
			return false;
		}
		g_usleep(POLL_US);
	}
	return true;
}

static enum mp_engine_result transfer(struct edu *edu, uint64_t from, uint64_t to,
	size_t size, uint32_t direction, GError **error)
{
	g_assert(size && size <= EDU_TRANSFER_MAX);
	if (!wait_idle(edu, error))
		return MP_ENGINE_TIMEOUT;
	put64(edu, EDU_DMA_SRC, from);
	put64(edu, EDU_DMA_DST, to);
	put64(edu, EDU_DMA_COUNT, size);
	put64(edu, EDU_DMA_CMD, EDU_CMD_RUN | direction);
	return wait_idle(edu, error) ? MP_ENGINE_OK : MP_ENGINE_TIMEOUT;
}

static enum mp_engine_result read_host(
	void *state, uint64_t iova, size_t size, GError **error)
{
	return transfer(state, iova, EDU_BUFFER, size, 0, error);
}

static enum mp_engine_result write_host(
	void *state, uint64_t iova, size_t size, GError **error)
{
	return transfer(state, EDU_BUFFER, iova, size, EDU_CMD_WRITE, error);
}

static bool raise_irq(void *state, unsigned n G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
	put(state, EDU_IRQ_RAISE, IRQ_TEST);
	return true;
}

static void ack_irq(void *state, unsigned n G_GNUC_UNUSED)
{
	put(state, EDU_IRQ_ACK, get(state, EDU_IRQ_STATUS));
}

/* A write like any other, by way of the device's buffer. */
static bool send_message(void *state, uint64_t address, uint32_t data, GError **error)
{
	struct edu *edu = state;

	memcpy(edu->scratch.memory, &data, sizeof(data));
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return transfer(edu, edu->scratch.iova, EDU_BUFFER, sizeof(data), 0, error) ==
		       MP_ENGINE_OK &&
	       transfer(edu, EDU_BUFFER, address, sizeof(data), EDU_CMD_WRITE, error) ==
		       MP_ENGINE_OK;
}

static bool abort_transfer(void *state, GError **error)
{
	return wait_idle(state, error);
}

static void quiesce(void *state)
{
	struct edu *edu = state;

	wait_idle(edu, NULL);
	put(edu, EDU_IRQ_ACK, get(edu, EDU_IRQ_STATUS));
	g_free(edu);
}

const struct mp_engine mp_engine_edu = {
	.name = "edu",
	.summary = "QEMU's educational device: one DMA channel, one interrupt",
	.tested_on_hardware = false, /* there is none */
	.probe = probe,
	.limits = limits,
	.init = init,
	.read_host = read_host,
	.write_host = write_host,
	.raise_irq = raise_irq,
	.ack_irq = ack_irq,
	.send_message = send_message,
	.abort = abort_transfer,
	.quiesce = quiesce,
};
