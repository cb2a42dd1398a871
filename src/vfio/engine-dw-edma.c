/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A Metis card by its DMA block, a DesignWare eDMA: single transfers, no lists, on channel 3
 * of each direction (which the vendor's driver keeps for itself since 1.6.2, and uses no
 * other way), to and from the area of its memory that belongs to the host. The order of
 * register writes is that of the vendor's driver. Untested on hardware.
 */
#include "config.h"

#include <string.h>

#include "core/dw-edma.h"
#include "vfio/engine.h"
#include "vfio/metis-card.h"

#define CHANNEL      3
#define TRANSFER_MAX 4096
#define SCRATCH      4096 /* of the host: where the transfers that end in a message go */
/* Microseconds on the card; an emulated one on a busy machine gets its time. */
#define TIMEOUT_MS   5000
#define STOP_MS      1000 /* for a channel to end once its engine is off */
#define SPIN_US      1000 /* polled without sleeping: what a transfer takes */
#define POLL_US      50
#define RING_US      100   /* a doorbell not heard is rung again, as the driver does */
#define POWER_US     10000 /* until it looks as if the channel had no power */
#define ALL_ONES     0xffffffffu

/* One direction, by its registers. */
struct way {
	const char *name;
	unsigned engine_en, doorbell, int_status, int_mask, int_clear, pwr_en, channel;
};

static const struct way read_way = {
	.name = "read",
	.engine_en = DW_EDMA_READ_ENGINE_EN,
	.doorbell = DW_EDMA_READ_DOORBELL,
	.int_status = DW_EDMA_READ_INT_STATUS,
	.int_mask = DW_EDMA_READ_INT_MASK,
	.int_clear = DW_EDMA_READ_INT_CLEAR,
	.pwr_en = DW_EDMA_READ_PWR_EN(CHANNEL),
	.channel = DW_EDMA_READ_CHANNEL(CHANNEL),
};
static const struct way write_way = {
	.name = "write",
	.engine_en = DW_EDMA_WRITE_ENGINE_EN,
	.doorbell = DW_EDMA_WRITE_DOORBELL,
	.int_status = DW_EDMA_WRITE_INT_STATUS,
	.int_mask = DW_EDMA_WRITE_INT_MASK,
	.int_clear = DW_EDMA_WRITE_INT_CLEAR,
	.pwr_en = DW_EDMA_WRITE_PWR_EN(CHANNEL),
	.channel = DW_EDMA_WRITE_CHANNEL(CHANNEL),
};

/* What is written here and may have been somebody's; the channels' CS is their state, not
 * ours to bring back, and the engines are left off. */
static const uint16_t saved_registers[] = {
	DW_EDMA_WRITE_INT_MASK,
	DW_EDMA_READ_INT_MASK,
	DW_EDMA_WRITE_DONE_IMWR_LOW,
	DW_EDMA_WRITE_DONE_IMWR_HI,
	DW_EDMA_WRITE_ABORT_IMWR_LOW,
	DW_EDMA_WRITE_ABORT_IMWR_HI,
	DW_EDMA_WRITE_IMWR_DATA(CHANNEL),
	DW_EDMA_READ_PWR_EN(CHANNEL),
	DW_EDMA_WRITE_PWR_EN(CHANNEL),
	DW_EDMA_READ_CHANNEL(CHANNEL) + DW_EDMA_CONTROL1,
	DW_EDMA_READ_CHANNEL(CHANNEL) + DW_EDMA_SIZE,
	DW_EDMA_READ_CHANNEL(CHANNEL) + DW_EDMA_SAR_LOW,
	DW_EDMA_READ_CHANNEL(CHANNEL) + DW_EDMA_SAR_HI,
	DW_EDMA_READ_CHANNEL(CHANNEL) + DW_EDMA_DAR_LOW,
	DW_EDMA_READ_CHANNEL(CHANNEL) + DW_EDMA_DAR_HI,
	DW_EDMA_WRITE_CHANNEL(CHANNEL) + DW_EDMA_CONTROL1,
	DW_EDMA_WRITE_CHANNEL(CHANNEL) + DW_EDMA_SIZE,
	DW_EDMA_WRITE_CHANNEL(CHANNEL) + DW_EDMA_SAR_LOW,
	DW_EDMA_WRITE_CHANNEL(CHANNEL) + DW_EDMA_SAR_HI,
	DW_EDMA_WRITE_CHANNEL(CHANNEL) + DW_EDMA_DAR_LOW,
	DW_EDMA_WRITE_CHANNEL(CHANNEL) + DW_EDMA_DAR_HI,
};

struct dw_edma {
	struct mp_vfio *vfio;
	struct mp_metis card;
	struct mp_engine_scratch scratch;
	size_t size;         /* of the area that is used */
	bool cannot_message; /* the firmware takes them over */
	/* Unknown of the silicon, and found out: does control1 keep CS when it is written? */
	enum { UNKNOWN, CLEARED, KEPT } status;
	uint32_t saved[G_N_ELEMENTS(saved_registers)];
	uint32_t area[TRANSFER_MAX / 4]; /* what was in it */
};

static uint32_t get(const struct dw_edma *edma, unsigned reg)
{
	return mp_mmio_read32(edma->card.dma, reg);
}

static void put(struct dw_edma *edma, unsigned reg, uint32_t value)
{
	mp_mmio_write32(edma->card.dma, reg, value);
}

static void put_address(struct dw_edma *edma, unsigned low, uint64_t address)
{
	put(edma, low, (uint32_t)address);
	put(edma, low + 4, (uint32_t)(address >> 32));
}

static bool G_GNUC_PRINTF(3, 4)
	refuse(const struct dw_edma *edma, GError **error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	g_autofree char *text = g_strdup_vprintf(format, args);
	va_end(args);
	g_set_error(error, MP_ERROR, MP_ERROR_IO, "%s: %s", mp_vfio_address(edma->vfio),
		text);
	return false;
}

static bool probe(struct mp_vfio *vfio, const struct mp_host *host G_GNUC_UNUSED,
	const struct mp_pci *device G_GNUC_UNUSED, bool force G_GNUC_UNUSED,
	GError **error)
{
	struct mp_metis card;

	return mp_metis_open(vfio, &card, error);
}

static void limits(const void *state, struct mp_engine_limits *limits)
{
	const struct dw_edma *edma = state;

	*limits = (struct mp_engine_limits){
		.transfer_max = edma ? edma->size : TRANSFER_MAX,
		.transfer_align = 4,
		.address_bits = 64,
		.scratch = SCRATCH,
		.timeout_ms = TIMEOUT_MS,
		.reads_any = true,
		.writes_any = true,
		.programmed_irq = !edma || !edma->cannot_message,
		.no_message =
			"its firmware sends the messages of its DMA block itself (DMA in "
			"a VM)",
	};
}

/* --- on and off --- */

static void clear_status(struct dw_edma *edma, const struct way *way)
{
	put(edma, way->int_clear, DW_EDMA_INT_DONE(CHANNEL) | DW_EDMA_INT_ABORT(CHANNEL));
}

static void unmask(struct dw_edma *edma, const struct way *way)
{
	uint32_t mask = get(edma, way->int_mask);

	put(edma, way->int_mask,
		mask & ~(DW_EDMA_INT_DONE(CHANNEL) | DW_EDMA_INT_ABORT(CHANNEL)));
}

/* Off is also its reset; it may take as long as what is on its way. */
static bool stop(struct dw_edma *edma, const struct way *way, GError **error)
{
	gint64 deadline = g_get_monotonic_time() + STOP_MS * G_TIME_SPAN_MILLISECOND;

	put(edma, way->engine_en, 0);
	for (;;) {
		bool late = g_get_monotonic_time() > deadline;
		uint32_t on = get(edma, way->engine_en);
		uint32_t control = get(edma, way->channel + DW_EDMA_CONTROL1);

		if (on == ALL_ONES)
			return refuse(edma, error,
				"does not answer any more: its registers read as ones");
		if (!(on & 1) && DW_EDMA_CS(control) != DW_EDMA_CS_RUNNING)
			break;
		if (late)
			return refuse(edma, error,
				"its %s channel %u goes on %u ms after its engine was switched "
				"off",
				way->name, CHANNEL, STOP_MS);
		g_usleep(POLL_US);
	}
	clear_status(edma, way);
	return true;
}

static bool restart(struct dw_edma *edma, GError **error)
{
	if (!stop(edma, &read_way, error) || !stop(edma, &write_way, error))
		return false;
	put(edma, read_way.engine_en, 1);
	put(edma, write_way.engine_en, 1);
	return true;
}

/* Whether the window and the memory behind it keep what is written. */
static bool memory_works(struct dw_edma *edma, GError **error)
{
	static const uint32_t words[] = { 0x5a5aa5a5, 0xa5a55a5a };
	uint32_t got;

	for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
		mp_metis_restore(&edma->card, 0, &words[i], sizeof(words[i]));
		mp_metis_save(&edma->card, 0, &got, sizeof(got));
		if (got != words[i])
			return refuse(edma, error,
				"its memory does not keep what is written: 0x%08x at 0x%zx of "
				"BAR 2 became 0x%08x",
				words[i], edma->card.area, got);
	}
	return true;
}

/* --- transfers --- */

/* Reads only: of a write that the host refused the card never hears. */
static const char *why_refused(uint32_t low, uint32_t high)
{
	if (high & DW_EDMA_ERR_UNSUPPORTED(CHANNEL))
		return "the host answered Unsupported Request";
	if (high & DW_EDMA_ERR_ABORT(CHANNEL))
		return "the host answered Completer Abort";
	if (high & DW_EDMA_ERR_TIMEOUT(CHANNEL))
		return "the host's answer did not come in time";
	if (high & DW_EDMA_ERR_POISON(CHANNEL))
		return "the host's answer was poisoned";
	if (low & DW_EDMA_ERR_LOCAL(CHANNEL))
		return "its own memory refused";
	return "it does not say why";
}

static enum mp_engine_result halted(
	const struct dw_edma *edma, const struct way *way, GError **error)
{
	uint32_t status = get(edma, way->int_status);
	uint32_t low, high = 0;

	if (way == &read_way) {
		low = get(edma, DW_EDMA_READ_ERR_STATUS_LOW);
		high = get(edma, DW_EDMA_READ_ERR_STATUS_HI);
	} else {
		low = get(edma, DW_EDMA_WRITE_ERR_STATUS);
	}
	refuse(edma, error,
		"its %s channel %u was aborted: %s (interrupt status 0x%08x, error status "
		"0x%08x 0x%08x)",
		way->name, CHANNEL, why_refused(low, high), status, low, high);
	return MP_ENGINE_ERROR;
}

/* The doorbell has been rung. */
static enum mp_engine_result wait_end(
	struct dw_edma *edma, const struct way *way, GError **error)
{
	gint64 start = 0, rung = 0, deadline = 0;
	unsigned rings = 1;

	for (;;) {
		uint32_t control = get(edma, way->channel + DW_EDMA_CONTROL1);
		unsigned cs = DW_EDMA_CS(control);
		gint64 now;

		if (control == ALL_ONES) {
			refuse(edma, error,
				"does not answer any more: its registers read as ones");
			return MP_ENGINE_ERROR;
		}
		if (cs == DW_EDMA_CS_STOPPED)
			return MP_ENGINE_OK;
		if (cs == DW_EDMA_CS_HALTED)
			return halted(edma, way, error);
		now = g_get_monotonic_time();
		if (!start) {
			/* Only now: many a transfer is over at the first look. */
			start = rung = now;
			deadline = now + TIMEOUT_MS * G_TIME_SPAN_MILLISECOND;
		}
		if (now > deadline) {
			if (cs == DW_EDMA_CS_IDLE)
				refuse(edma, error,
					"its %s channel %u did not start within %u ms, though "
					"its doorbell was rung %u times",
					way->name, CHANNEL, TIMEOUT_MS, rings);
			else
				refuse(edma, error,
					"its %s channel %u did not end within %u ms",
					way->name, CHANNEL, TIMEOUT_MS);
			return MP_ENGINE_TIMEOUT;
		}
		if (cs == DW_EDMA_CS_IDLE && now - rung >= RING_US) {
			/* Unknown of the silicon: whether it has power from the start. */
			if (now - start > POWER_US)
				put(edma, way->pwr_en, 1);
			put(edma, way->doorbell, CHANNEL);
			rung = now;
			rings++;
		}
		if (now - start > SPIN_US)
			g_usleep(POLL_US);
	}
}

struct message {
	uint64_t address;
	uint16_t data;
};

/*
 * IMWR: what the channel writes when it is done. The same for an abort, so that none goes to
 * where somebody else's pointed.
 */
static void program(struct dw_edma *edma, const struct message *message)
{
	const unsigned shift = DW_EDMA_IMWR_DATA_SHIFT(CHANNEL);
	uint32_t others = get(edma, DW_EDMA_WRITE_IMWR_DATA(CHANNEL)) &
			  ~(DW_EDMA_IMWR_DATA_MAX << shift);

	put_address(edma, DW_EDMA_WRITE_DONE_IMWR_LOW, message->address);
	put_address(edma, DW_EDMA_WRITE_ABORT_IMWR_LOW, message->address);
	put(edma, DW_EDMA_WRITE_IMWR_DATA(CHANNEL),
		others | (uint32_t)message->data << shift);
}

/*
 * What the last transfer left is cleared, or its end would be taken for that of the next. The
 * vendor's driver clears CS by writing control1; should the silicon not have that, switching
 * the engine off does it.
 */
static bool make_idle(struct dw_edma *edma, const struct way *way, GError **error)
{
	const unsigned control = way->channel + DW_EDMA_CONTROL1;
	bool tells = edma->status == UNKNOWN && DW_EDMA_CS(get(edma, control));

	clear_status(edma, way);
	put(edma, control, 0);
	if (tells)
		edma->status = DW_EDMA_CS(get(edma, control)) ? KEPT : CLEARED;
	if (edma->status != KEPT)
		return true;
	if (!stop(edma, way, error))
		return false;
	put(edma, way->engine_en, 1);
	if (!DW_EDMA_CS(get(edma, control)))
		return true;
	return refuse(edma, error,
		"its %s channel %u does not forget how its last transfer ended",
		way->name, CHANNEL);
}

/* Between the area and IOVA; MESSAGE (or NULL) is sent at its end. */
static enum mp_engine_result transfer(struct dw_edma *edma, const struct way *way,
	uint64_t iova, size_t size, const struct message *message, GError **error)
{
	bool read = way == &read_way;
	uint64_t area = edma->card.area_address;

	g_assert(size && size <= edma->size && !(size % 4) && !(iova % 4));
	if (!make_idle(edma, way, error))
		return MP_ENGINE_ERROR;
	if (message)
		program(edma, message);
	put(edma, way->channel + DW_EDMA_SIZE, (uint32_t)size);
	put(edma, way->channel + DW_EDMA_CONTROL1, message ? DW_EDMA_CONTROL1_RIE : 0);
	put_address(edma, way->channel + DW_EDMA_SAR_LOW, read ? iova : area);
	put_address(edma, way->channel + DW_EDMA_DAR_LOW, read ? area : iova);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	put(edma, way->doorbell, CHANNEL);
	return wait_end(edma, way, error);
}

static enum mp_engine_result read_host(
	void *state, uint64_t iova, size_t size, GError **error)
{
	return transfer(state, &read_way, iova, size, NULL, error);
}

static enum mp_engine_result write_host(
	void *state, uint64_t iova, size_t size, GError **error)
{
	return transfer(state, &write_way, iova, size, NULL, error);
}

/* By the window, so another way than that by which it came. */
static bool check_read(void *state, const void *data, size_t size, GError **error)
{
	struct dw_edma *edma = state;
	g_autofree uint32_t *words = g_malloc(size);
	const uint8_t *want = data, *got = (const uint8_t *)words;

	g_assert(size <= edma->size && !(size % 4));
	mp_metis_save(&edma->card, 0, words, size);
	for (size_t i = 0; i < size; i++)
		if (got[i] != want[i])
			return refuse(edma, error,
				"byte %zu in its memory is 0x%02x, not 0x%02x", i, got[i],
				want[i]);
	return true;
}

/* --- messages --- */

/* At the end of a word that goes to the scratch. */
static bool send_message(void *state, uint64_t address, uint32_t data, GError **error)
{
	struct dw_edma *edma = state;
	const struct message message = { address, (uint16_t)data };

	if (data > DW_EDMA_IMWR_DATA_MAX || address % 4)
		return refuse(edma, error,
			"cannot write 0x%x to 0x%" G_GINT64_MODIFIER
			"x as a message: its DMA block has 16 bits for the data, and whole "
			"words",
			data, address);
	return transfer(edma, &write_way, edma->scratch.iova, 4, &message, error) ==
	       MP_ENGINE_OK;
}

/*
 * Firmware that offers DMA in a VM may send the message itself, whatever the host has
 * written into IMWR; or may not. Pointed at the scratch, a message is a write like any other.
 */
static bool learn_messages(struct dw_edma *edma, GError **error)
{
	volatile uint32_t *words = edma->scratch.memory;
	const uint32_t marker = 0x5aa5;

	if (!edma->card.dma_vm)
		return true;
	words[1] = 0;
	if (!send_message(edma, edma->scratch.iova + 4, marker, error))
		return false;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	edma->cannot_message = words[1] != GUINT32_TO_LE(marker);
	return true;
}

/* --- from start to end --- */

static bool init(struct mp_vfio *vfio, const struct mp_engine_scratch *scratch,
	void **state, GError **error)
{
	struct mp_metis card;
	struct dw_edma *edma;

	if (!mp_metis_open(vfio, &card, error))
		return false;
	g_assert(scratch && scratch->size >= SCRATCH);
	edma = g_new0(struct dw_edma, 1);
	edma->vfio = vfio;
	edma->card = card;
	edma->scratch = *scratch;
	edma->size = MIN(card.area_size, TRANSFER_MAX);
	for (size_t i = 0; i < G_N_ELEMENTS(saved_registers); i++)
		edma->saved[i] = get(edma, saved_registers[i]);
	mp_metis_save(&card, 0, edma->area, edma->size);
	*state = edma;
	if (!restart(edma, error) || !memory_works(edma, error))
		return false;
	unmask(edma, &read_way);
	unmask(edma, &write_way);
	return learn_messages(edma, error);
}

static bool abort_transfer(void *state, GError **error)
{
	return restart(state, error);
}

static void quiesce(void *state)
{
	struct dw_edma *edma = state;

	stop(edma, &read_way, NULL);
	stop(edma, &write_way, NULL);
	mp_metis_restore(&edma->card, 0, edma->area, edma->size);
	for (size_t i = 0; i < G_N_ELEMENTS(saved_registers); i++) {
		uint32_t value = edma->saved[i];

		if (saved_registers[i] == read_way.channel + DW_EDMA_CONTROL1 ||
			saved_registers[i] == write_way.channel + DW_EDMA_CONTROL1)
			value &= ~DW_EDMA_CONTROL1_CS;
		put(edma, saved_registers[i], value);
	}
	g_free(edma);
}

const struct mp_engine mp_engine_dw_edma = {
	.name = "dw-edma",
	.summary = "a Metis card by its DMA block (untested on hardware)",
	.tested_on_hardware = false,
	.probe = probe,
	.limits = limits,
	.init = init,
	.read_host = read_host,
	.write_host = write_host,
	.check_read = check_read,
	.send_message = send_message,
	.abort = abort_transfer,
	.quiesce = quiesce,
};
