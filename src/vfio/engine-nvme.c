/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An NVMe controller (NVM Express base specification 1.4): admin queue only. Identify
 * Controller makes it write a page, Set Features Timestamp makes it read eight bytes, each
 * completion raises vector 0. No I/O queue is ever created, so no namespace can be touched.
 */
#include "config.h"

#include <string.h>

#include "core/pci.h"
#include "core/use.h"
#include "vfio/engine.h"

/* 3.1 Register definition */
#define REG_CAP_LOW   0x00
#define REG_CAP_HIGH  0x04
#define REG_VS        0x08
#define REG_CC        0x14
#define REG_CSTS      0x1c
#define REG_AQA       0x24
#define REG_ASQ       0x28
#define REG_ACQ       0x30
#define REG_DOORBELLS 0x1000

#define CAP_MQES(low)    ((low)&0xffff)
#define CAP_TO(low)      ((low) >> 24) /* in units of 500 ms */
#define CAP_DSTRD(high)  ((high)&0xf)
#define CAP_MPSMIN(high) (((high) >> 16) & 0xf)
#define TO_UNIT_MS       500
#define CC_ENABLE        0x1
/* Entries of 64 and 16 bytes; pages of 4096, the NVM command set, round robin: all 0. */
#define CC_ENTRIES       (6u << 16 | 4u << 20)
#define CSTS_READY       0x1
#define CSTS_FATAL       0x2

#define OPCODE_SET_FEATURES 0x09
#define OPCODE_GET_FEATURES 0x0a
#define OPCODE_IDENTIFY     0x06
#define IDENTIFY_CONTROLLER 1
#define FEATURE_TIMESTAMP   0x0e
#define ID_VENDOR           0
#define ID_SUBVENDOR        2
#define ID_SERIAL           4 /* and model: 20 and 40 bytes of ASCII, filled with blanks */
#define ID_TEXT_END         64
#define ID_ONCS             520
/* 5.21.1.14: milliseconds in 48 bits, and two bytes about them; the clock runs on. */
#define TIMESTAMP_SIZE      8
#define TIMESTAMP_MASK      UINT64_C(0xffffffffffff)
#define TIMESTAMP_LATE      60000
#define CLASS_NVME          0x010802
#define ONCS_TIMESTAMP      (1u << 6)
/* What follows is the vendor's, who may count something there. */
#define ID_COMPARED         3072

#define PAGE          4096
#define ENTRIES_MAX   16
#define SQE_WORDS     16
#define CQE_WORDS     4
#define CQE_PHASE     (1u << 16)
/* Pages of the scratch buffer. */
#define AT_SUBMISSION 0
#define AT_COMPLETION PAGE
#define AT_IDENTIFY   (2 * PAGE)
#define SCRATCH       (3 * PAGE)

/* Identify takes a drive milliseconds; an emulated one on a busy machine gets its time. */
#define TIMEOUT_MS 10000
#define POLL_US    50
#define ALL_ONES   0xffffffffu

struct nvme {
	struct mp_vfio *vfio;
	struct mp_mmio *bar;
	struct mp_engine_scratch scratch;
	unsigned entries, tail, head;
	unsigned ready_ms;
	unsigned stride; /* of the doorbells, in words */
	uint32_t phase;
	uint16_t id; /* of the last command */
	uint32_t saved_cc, saved_aqa, saved_asq[2], saved_acq[2];
	uint16_t vendor, subvendor; /* of configuration space */
	bool dead;                  /* nothing got it to work since the last failure */
	bool has_timestamp;
	uint8_t identity[ID_COMPARED];
};

static uint32_t get(const struct nvme *nvme, unsigned reg)
{
	return mp_mmio_read32(nvme->bar, reg);
}

static void put(struct nvme *nvme, unsigned reg, uint32_t value)
{
	mp_mmio_write32(nvme->bar, reg, value);
}

/* Registers of 64 bits may be written by halves, the low one first (3.1). */
static void put64(struct nvme *nvme, unsigned reg, uint64_t value)
{
	put(nvme, reg, (uint32_t)value);
	put(nvme, reg + 4, (uint32_t)(value >> 32));
}

static bool G_GNUC_PRINTF(3, 4)
	refuse(struct mp_vfio *vfio, GError **error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	g_autofree char *text = g_strdup_vprintf(format, args);
	va_end(args);
	g_set_error(error, MP_ERROR, MP_ERROR_IO, "%s: %s", mp_vfio_address(vfio), text);
	return false;
}

/* --- is it one? --- */

static struct mp_mmio *registers(struct mp_vfio *vfio, GError **error)
{
	struct mp_mmio *bar = mp_vfio_bar(vfio, 0, error);
	size_t size = bar ? mp_mmio_size(bar) : 0;
	uint32_t low, high;

	if (!bar)
		return NULL;
	if (size < REG_DOORBELLS + 8) {
		refuse(vfio, error,
			"is no NVMe controller: its BAR 0 of %zu bytes has no doorbells",
			size);
		return NULL;
	}
	low = mp_mmio_read32(bar, REG_CAP_LOW);
	high = mp_mmio_read32(bar, REG_CAP_HIGH);
	if (low == ALL_ONES && high == ALL_ONES)
		refuse(vfio, error,
			"does not answer: all its registers read as ones, as of a device that "
			"has fallen off the bus or sleeps");
	else if (!low && !high)
		refuse(vfio, error,
			"all its registers read as zeros: its firmware does not run");
	else if (CAP_MQES(low) < 1)
		refuse(vfio, error, "is no NVMe controller: its queues hold one entry");
	else if (CAP_MPSMIN(high))
		refuse(vfio, error,
			"cannot be tested: its smallest page has %u KiB, not 4",
			4u << CAP_MPSMIN(high));
	else if (size < REG_DOORBELLS + (8u << CAP_DSTRD(high)))
		refuse(vfio, error,
			"is no NVMe controller: its doorbells lie behind the %zu bytes of BAR 0",
			size);
	else
		return bar;
	return NULL;
}

/*
 * Given to vfio-pci there is no block device to be looked into any more, and reading the disk
 * here would touch a namespace. What can be known is whether somebody uses it now; what is on
 * it stays there, because nothing but Identify and the clock is asked for.
 */
static bool probe(struct mp_vfio *vfio, const struct mp_host *host,
	const struct mp_pci *device, bool force, GError **error)
{
	g_autoptr(GPtrArray) uses = mp_use_of(host, device);

	if (device->class_code != CLASS_NVME)
		return refuse(vfio, error,
			"is no NVMe controller: its class is %06x, not %06x",
			device->class_code, CLASS_NVME);
	if (uses->len && !force) {
		const struct mp_use_entry *use = uses->pdata[0];

		return refuse(vfio, error,
			"in use: %s; the test resets the controller. --force tests it all the "
			"same",
			use->detail);
	}
	return registers(vfio, error) != NULL;
}

static void limits(const void *state, struct mp_engine_limits *limits)
{
	const struct nvme *nvme = state;

	*limits = (struct mp_engine_limits){
		.transfer_max = PAGE,
		.transfer_align = PAGE,
		.read_size = TIMESTAMP_SIZE,
		.cannot_read = nvme && !nvme->has_timestamp,
		.address_bits = 64,
		.scratch = SCRATCH,
		.timeout_ms = TIMEOUT_MS,
	};
}

/* --- on and off --- */

static bool wait_ready(struct nvme *nvme, bool ready, GError **error)
{
	gint64 deadline =
		g_get_monotonic_time() + nvme->ready_ms * G_TIME_SPAN_MILLISECOND;

	for (;;) {
		bool late = g_get_monotonic_time() > deadline;
		uint32_t status = get(nvme, REG_CSTS);

		if (status == ALL_ONES)
			return refuse(nvme->vfio, error,
				"does not answer any more: its status reads as ones");
		if (!!(status & CSTS_READY) == ready)
			return true;
		if (ready && (status & CSTS_FATAL))
			return refuse(nvme->vfio, error,
				"cannot be enabled: it reports a fatal error (CSTS.CFS)");
		if (late)
			return refuse(nvme->vfio, error,
				"is not %s within the %u ms that it asks for (CAP.TO)",
				ready ? "ready" : "disabled", nvme->ready_ms);
		g_usleep(POLL_US);
	}
}

static bool disable(struct nvme *nvme, GError **error)
{
	uint32_t cc = get(nvme, REG_CC);

	if (cc & CC_ENABLE)
		put(nvme, REG_CC, cc & ~CC_ENABLE);
	return wait_ready(nvme, false, error);
}

static bool enable(struct nvme *nvme, GError **error)
{
	memset(nvme->scratch.memory, 0, AT_IDENTIFY);
	nvme->tail = nvme->head = 0;
	nvme->phase = CQE_PHASE;
	put(nvme, REG_AQA, (nvme->entries - 1) | (nvme->entries - 1) << 16);
	put64(nvme, REG_ASQ, nvme->scratch.iova + AT_SUBMISSION);
	put64(nvme, REG_ACQ, nvme->scratch.iova + AT_COMPLETION);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	put(nvme, REG_CC, CC_ENTRIES | CC_ENABLE);
	return wait_ready(nvme, true, error);
}

static bool restart(struct nvme *nvme, GError **error)
{
	nvme->dead = true;
	if (!disable(nvme, error) || !enable(nvme, error))
		return false;
	nvme->dead = false;
	return true;
}

/* --- commands, one at a time --- */

static void submit(struct nvme *nvme, uint8_t opcode, uint64_t buffer, uint32_t argument)
{
	uint32_t *queue = nvme->scratch.memory;
	uint32_t *entry = queue + nvme->tail * SQE_WORDS;

	memset(entry, 0, SQE_WORDS * 4);
	nvme->id++;
	entry[0] = GUINT32_TO_LE(opcode | (uint32_t)nvme->id << 16);
	entry[6] = GUINT32_TO_LE((uint32_t)buffer);
	entry[7] = GUINT32_TO_LE((uint32_t)(buffer >> 32));
	entry[10] = GUINT32_TO_LE(argument);
	nvme->tail = (nvme->tail + 1) % nvme->entries;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	put(nvme, REG_DOORBELLS, nvme->tail);
}

/* Tells the controller how far we have read; it takes a pin's interrupt back then. */
static void tell_head(struct nvme *nvme)
{
	put(nvme, REG_DOORBELLS + 4 * nvme->stride, nvme->head);
}

static enum mp_engine_result wait_completion(struct nvme *nvme, GError **error)
{
	gint64 deadline = g_get_monotonic_time() + TIMEOUT_MS * G_TIME_SPAN_MILLISECOND;
	volatile uint32_t *queue =
		(void *)((uint8_t *)nvme->scratch.memory + AT_COMPLETION);
	volatile uint32_t *entry = queue + nvme->head * CQE_WORDS;
	uint32_t last;

	while (((last = GUINT32_FROM_LE(entry[3])) & CQE_PHASE) != nvme->phase) {
		uint32_t status = get(nvme, REG_CSTS);

		if (status == ALL_ONES || (status & CSTS_FATAL)) {
			refuse(nvme->vfio, error,
				status == ALL_ONES
					? "does not answer any more: its status reads as ones"
					: "stopped with a fatal error (CSTS.CFS)");
			return MP_ENGINE_ERROR;
		}
		if (g_get_monotonic_time() > deadline) {
			refuse(nvme->vfio, error,
				"its command did not complete within %u ms", TIMEOUT_MS);
			return MP_ENGINE_TIMEOUT;
		}
		g_usleep(POLL_US);
	}
	nvme->head = (nvme->head + 1) % nvme->entries;
	if (!nvme->head)
		nvme->phase ^= CQE_PHASE;
	if ((last & 0xffff) != nvme->id) {
		refuse(nvme->vfio, error, "completed command %u where %u was given",
			last & 0xffff, nvme->id);
		return MP_ENGINE_ERROR;
	}
	if (!(last >> 17))
		return MP_ENGINE_OK;
	/* 4.6.1: status code in bits 24:17, its type in 27:25. */
	refuse(nvme->vfio, error, "its command failed with status %u/0x%02x",
		last >> 25 & 0x7, last >> 17 & 0xff);
	return MP_ENGINE_ERROR;
}

static enum mp_engine_result command(struct nvme *nvme, uint8_t opcode, uint64_t buffer,
	uint32_t argument, GError **error)
{
	enum mp_engine_result result;

	if (nvme->dead) {
		refuse(nvme->vfio, error, "was not brought back after its last failure");
		return MP_ENGINE_ERROR;
	}
	submit(nvme, opcode, buffer, argument);
	result = wait_completion(nvme, error);
	tell_head(nvme);
	return result;
}

/* --- the callbacks --- */

static uint16_t word_at(const uint8_t *data, unsigned offset)
{
	return (uint16_t)(data[offset] | data[offset + 1] << 8);
}

static bool is_identity(struct nvme *nvme, const uint8_t *data, GError **error)
{
	uint16_t vendor = word_at(data, ID_VENDOR);
	uint16_t subvendor = word_at(data, ID_SUBVENDOR);

	if (vendor != nvme->vendor || subvendor != nvme->subvendor)
		return refuse(nvme->vfio, error,
			"what it wrote names vendor %04x and subsystem vendor %04x, its "
			"configuration space %04x and %04x",
			vendor, subvendor, nvme->vendor, nvme->subvendor);
	for (unsigned i = ID_SERIAL; i < ID_TEXT_END; i++)
		if (data[i] < 0x20 || data[i] > 0x7e)
			return refuse(nvme->vfio, error,
				"what it wrote has byte 0x%02x at offset %u, where serial number "
				"and model are text",
				data[i], i);
	return true;
}

/* The first Identify, which later ones are compared with. */
static bool identify(struct nvme *nvme, GError **error)
{
	uint8_t *page = (uint8_t *)nvme->scratch.memory + AT_IDENTIFY;

	memset(page, 0, PAGE);
	if (command(nvme, OPCODE_IDENTIFY, nvme->scratch.iova + AT_IDENTIFY,
		    IDENTIFY_CONTROLLER, error) != MP_ENGINE_OK)
		return false;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!is_identity(nvme, page, error)) {
		g_prefix_error(error, "the first Identify: ");
		return false;
	}
	memcpy(nvme->identity, page, sizeof(nvme->identity));
	nvme->has_timestamp = word_at(page, ID_ONCS) & ONCS_TIMESTAMP;
	return true;
}

static bool read_ids(struct nvme *nvme, GError **error)
{
	uint32_t vendor, subvendor;

	/* PCI_VENDOR_ID, PCI_SUBSYSTEM_VENDOR_ID */
	if (!mp_vfio_config_read(nvme->vfio, 0x00, 2, &vendor, error) ||
		!mp_vfio_config_read(nvme->vfio, 0x2c, 2, &subvendor, error))
		return false;
	nvme->vendor = (uint16_t)vendor;
	nvme->subvendor = (uint16_t)subvendor;
	return true;
}

static bool init(struct mp_vfio *vfio, const struct mp_engine_scratch *scratch,
	void **state, GError **error)
{
	struct mp_mmio *bar = registers(vfio, error);
	struct nvme *nvme;
	uint32_t low;

	if (!bar)
		return false;
	g_assert(scratch && scratch->size >= SCRATCH && !(scratch->iova % PAGE));
	low = mp_mmio_read32(bar, REG_CAP_LOW);
	nvme = g_new0(struct nvme, 1);
	nvme->vfio = vfio;
	nvme->bar = bar;
	nvme->scratch = *scratch;
	nvme->entries = MIN(CAP_MQES(low) + 1, ENTRIES_MAX);
	nvme->ready_ms = MAX(CAP_TO(low), 1) * TO_UNIT_MS;
	nvme->stride = 1u << CAP_DSTRD(mp_mmio_read32(bar, REG_CAP_HIGH));
	nvme->saved_cc = get(nvme, REG_CC);
	nvme->saved_aqa = get(nvme, REG_AQA);
	for (unsigned i = 0; i < 2; i++) {
		nvme->saved_asq[i] = get(nvme, REG_ASQ + 4 * i);
		nvme->saved_acq[i] = get(nvme, REG_ACQ + 4 * i);
	}
	*state = nvme;
	return read_ids(nvme, error) && restart(nvme, error) && identify(nvme, error);
}

/*
 * Only the first eight bytes are read. Any value will do: a time that the next reset of the
 * controller sets to zero, as the one before did (5.21.1.14), and which drivers set anew.
 */
static enum mp_engine_result read_host(
	void *state, uint64_t iova, size_t size, GError **error)
{
	struct nvme *nvme = state;

	g_assert(size == PAGE && !(iova % PAGE));
	if (!nvme->has_timestamp) {
		refuse(nvme->vfio, error,
			"has no clock (ONCS): nothing else lets it read memory without "
			"touching a namespace");
		return MP_ENGINE_ERROR;
	}
	return command(nvme, OPCODE_SET_FEATURES, iova, FEATURE_TIMESTAMP, error);
}

static uint64_t time_at(const uint8_t *data)
{
	uint64_t time;

	memcpy(&time, data, sizeof(time));
	return GUINT64_FROM_LE(time) & TIMESTAMP_MASK;
}

static bool check_read(
	void *state, const void *data, size_t size G_GNUC_UNUSED, GError **error)
{
	struct nvme *nvme = state;
	uint8_t *page = (uint8_t *)nvme->scratch.memory + AT_IDENTIFY;
	uint64_t set = time_at(data), now;

	memset(page, 0, PAGE);
	if (command(nvme, OPCODE_GET_FEATURES, nvme->scratch.iova + AT_IDENTIFY,
		    FEATURE_TIMESTAMP, error) != MP_ENGINE_OK)
		return false;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	now = time_at(page);
	if (((now - set) & TIMESTAMP_MASK) <= TIMESTAMP_LATE)
		return true;
	return refuse(nvme->vfio, error,
		"its clock was set to 0x%" G_GINT64_MODIFIER
		"x and shows 0x%" G_GINT64_MODIFIER "x",
		set, now);
}

static enum mp_engine_result write_host(
	void *state, uint64_t iova, size_t size, GError **error)
{
	g_assert(size == PAGE && !(iova % PAGE));
	return command(state, OPCODE_IDENTIFY, iova, IDENTIFY_CONTROLLER, error);
}

static bool check_written(void *state, const void *data, size_t size, GError **error)
{
	struct nvme *nvme = state;
	const uint8_t *bytes = data;

	if (size < PAGE)
		return refuse(nvme->vfio, error,
			"%zu bytes cannot be what it wrote: it writes %d", size, PAGE);
	if (!is_identity(nvme, bytes, error))
		return false;
	for (unsigned i = 0; i < ID_COMPARED; i++)
		if (bytes[i] != nvme->identity[i])
			return refuse(nvme->vfio, error,
				"what it wrote differs from its first Identify at offset %u: "
				"0x%02x, not 0x%02x",
				i, bytes[i], nvme->identity[i]);
	return true;
}

/*
 * The admin queue is created anew, as drivers do it: first vectors, then the queue (Linux:
 * nvme_pci_enable()). The specification lets MSI-X be set up later (7.6.1), but QEMU 7.2's
 * controller signals nothing for a queue that was created while MSI-X was off (hw/nvme/ctrl.c,
 * nvme_init_cq(); mended in QEMU 10), and no driver ever notices.
 */
static bool irqs_on(void *state, GError **error)
{
	return restart(state, error);
}

/* The admin completion queue always signals vector 0 (3.1.11, 5.3). What is left of the
 * interrupt is cleared by ack_irq(): a pin is held until we say how far we have read. */
static bool raise_irq(void *state, unsigned n, GError **error)
{
	struct nvme *nvme = state;

	if (n)
		return refuse(nvme->vfio, error,
			"cannot raise vector %u: its admin queue has vector 0", n);
	if (nvme->dead)
		return refuse(
			nvme->vfio, error, "was not brought back after its last failure");
	submit(nvme, OPCODE_IDENTIFY, nvme->scratch.iova + AT_IDENTIFY,
		IDENTIFY_CONTROLLER);
	return wait_completion(nvme, error) == MP_ENGINE_OK;
}

static void ack_irq(void *state, unsigned n G_GNUC_UNUSED)
{
	tell_head(state);
}

static bool abort_transfer(void *state, GError **error)
{
	return restart(state, error);
}

static void quiesce(void *state)
{
	struct nvme *nvme = state;

	disable(nvme, NULL);
	put(nvme, REG_AQA, nvme->saved_aqa);
	for (unsigned i = 0; i < 2; i++) {
		put(nvme, REG_ASQ + 4 * i, nvme->saved_asq[i]);
		put(nvme, REG_ACQ + 4 * i, nvme->saved_acq[i]);
	}
	put(nvme, REG_CC, nvme->saved_cc & ~CC_ENABLE);
	g_free(nvme);
}

const struct mp_engine mp_engine_nvme = {
	.name = "nvme",
	.summary = "an NVMe controller by its admin queue: no namespace is touched",
	.tested_on_hardware = false,
	.probe = probe,
	.limits = limits,
	.init = init,
	.read_host = read_host,
	.write_host = write_host,
	.check_written = check_written,
	.check_read = check_read,
	.irqs_on = irqs_on,
	.raise_irq = raise_irq,
	.ack_irq = ack_irq,
	.abort = abort_transfer,
	.quiesce = quiesce,
};
