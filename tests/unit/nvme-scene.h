/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nvme-scene.h - the engine of NVMe, and a model of a controller behind its BAR. */
#ifndef MP_NVME_SCENE_H
#define MP_NVME_SCENE_H

#include "unit.h"

#include <string.h>

#include "core/pci.h"
#include "core/use.h"
#include "fake-vfio.h"
#include "vfio/engine.h"

#define BAR_SIZE     0x4000u
#define HOST         0x100000000u /* IOVAs */
#define SCRATCH_SIZE (3 * FAKE_PAGE)
#define MS           1000
#define ENTRIES      8u /* of its queues */
#define TIMEOUT      4u /* CAP.TO: 2 s */
#define FATAL        2u
#define READY        1u
#define ONES         0xffffffffu

enum defect {
	NONE,
	NEVER_READY,
	NEVER_DISABLED,
	FATAL_AT_ENABLE,
	GONE_AT_ENABLE,
	FATAL_AT_COMMAND,
	GONE_AT_COMMAND,
	MUTE, /* takes commands, completes none */
	WRONG_PHASE,
	WRONG_ID,
	FAILS,
	WRONG_VENDOR,
	WRONG_SUBVENDOR,
	NO_TEXT,
	NO_CLOCK,
	CLOCK_IS_DEAF, /* says that it was set, and was not */
	CLOCK_FAILS,
	CHANGES,              /* its identity, after the first time */
	DEAF_TO_LATE_VECTORS, /* signals for a queue only if MSI-X was on when it came */
};

static const struct mp_engine *const engine = &mp_engine_nvme;

static struct {
	struct mp_vfio *vfio;
	enum defect defect;
	uint32_t registers[BAR_SIZE / 4];
	uint32_t low, high; /* CAP */
	gint64 ready_at;    /* 0: it is not on its way */
	unsigned head, tail, last;
	bool gone, phase;
	bool vectors; /* were on when its queues were created */
	uint64_t clock;
	gint64 clock_set;
	unsigned identified, commands;
	bool used;

	void *state;
	uint8_t *host, *scratch;
	GError *error;
} bench;

static inline uint32_t *reg(size_t offset)
{
	return &bench.registers[offset / 4];
}

/* --- the controller --- */

static inline void identify(uint8_t *page)
{
	memset(page, 0, FAKE_PAGE);
	memcpy(page, bench.defect == WRONG_VENDOR ? "\x34\x12" : "\x9d\x1f", 2);
	memcpy(page + 2, bench.defect == WRONG_SUBVENDOR ? "\x34\x12" : "\x9d\x1f", 2);
	memset(page + 4, 'x', 60);
	if (bench.defect == NO_TEXT)
		page[63] = '\t';
	page[100] = bench.defect == CHANGES ? (uint8_t)bench.identified : 0;
	page[520] = bench.defect == NO_CLOCK ? 0 : 1 << 6;
	page[3072] = (uint8_t)bench.identified++; /* the vendor's: it may count there */
}

/* Status of the command: 0 is success. */
static inline uint32_t execute(const uint32_t *command)
{
	uint64_t buffer = command[6] | (uint64_t)command[7] << 32;
	uint8_t page[FAKE_PAGE];

	bench.commands++;
	if (bench.defect == FAILS)
		return 0x006;
	if ((command[0] & 0xff) == 0x06) {
		assert_int_equal(command[10], 1);
		identify(page);
		fake_host_write(bench.vfio, buffer, page, sizeof(page));
		return 0;
	}
	assert_int_equal(command[10], 0x0e);
	if ((command[0] & 0xff) == 0x09) {
		if (bench.defect == CLOCK_FAILS)
			return 0x102;
		if (!fake_host_read(bench.vfio, buffer, page, 8))
			return 0x004; /* data transfer error */
		if (bench.defect != CLOCK_IS_DEAF)
			memcpy(&bench.clock, page, 8);
		bench.clock &= (UINT64_C(1) << 48) - 1;
		bench.clock_set = fake_now();
		return 0;
	}
	assert_int_equal(command[0] & 0xff, 0x0a);
	uint64_t now = bench.clock + (uint64_t)(fake_now() - bench.clock_set) / MS;

	fake_host_write(bench.vfio, buffer, &now, sizeof(now));
	return 0;
}

static inline void complete(uint32_t id, uint32_t status)
{
	uint64_t queue = *reg(0x30) | (uint64_t)*reg(0x34) << 32;
	unsigned entries = (*reg(0x24) >> 16) + 1;
	bool phase = bench.phase ^ (bench.defect == WRONG_PHASE);
	uint32_t entry[4] = { 0 };

	entry[3] = (id & 0xffff) ^ (bench.defect == WRONG_ID ? 0x100 : 0);
	entry[3] |= (uint32_t)phase << 16 | status << 17;
	fake_host_write(bench.vfio, queue + bench.last * 16, entry, sizeof(entry));
	bench.last = (bench.last + 1) % entries;
	if (!bench.last)
		bench.phase = !bench.phase;
	if (bench.defect != DEAF_TO_LATE_VECTORS || bench.vectors)
		fake_signal(bench.vfio, 0);
}

static inline void doorbell(unsigned tail)
{
	uint64_t queue = *reg(0x28) | (uint64_t)*reg(0x2c) << 32;
	unsigned entries = (*reg(0x24) & 0xfff) + 1;

	assert_true(tail < entries && *reg(0x1c) & READY);
	if (bench.defect == FATAL_AT_COMMAND)
		*reg(0x1c) |= FATAL;
	bench.gone |= bench.defect == GONE_AT_COMMAND;
	if (bench.defect == FATAL_AT_COMMAND || bench.defect == MUTE || bench.gone)
		return;
	while (bench.head != tail) {
		uint32_t command[16];

		assert_true(fake_host_read(
			bench.vfio, queue + bench.head * 64, command, sizeof(command)));
		bench.head = (bench.head + 1) % entries;
		complete(command[0] >> 16, execute(command));
	}
}

static inline void configure(uint32_t value)
{
	bool was = *reg(0x14) & 1, on = value & 1;

	*reg(0x14) = value;
	if (on == was)
		return;
	bench.ready_at = fake_now() + 100 * MS;
	bench.head = bench.last = 0;
	bench.phase = true;
	bench.vectors = on && fake_enabled(bench.vfio);
	if (on) {
		assert_int_equal(value, 6u << 16 | 4u << 20 | 1);
		assert_int_equal(*reg(0x24) & 0xfff, *reg(0x24) >> 16);
	}
	if (!on)
		*reg(0x1c) &= ~FATAL; /* a reset of the controller */
	bench.gone |= on && bench.defect == GONE_AT_ENABLE;
}

/* CSTS follows CC some time later. */
static inline void pass_time(void *user G_GNUC_UNUSED)
{
	bool on = *reg(0x14) & 1;

	if (!bench.ready_at || fake_now() < bench.ready_at)
		return;
	if (bench.defect == (on ? NEVER_READY : NEVER_DISABLED))
		return;
	bench.ready_at = 0;
	*reg(0x1c) = !on ? 0 : bench.defect == FATAL_AT_ENABLE ? FATAL : READY;
}

static inline uint32_t read32(void *user G_GNUC_UNUSED, size_t offset)
{
	if (bench.gone)
		return ONES;
	if (offset == 0)
		return bench.low;
	return offset == 4 ? bench.high : *reg(offset);
}

static inline void write32(void *user G_GNUC_UNUSED, size_t offset, uint32_t value)
{
	unsigned stride = 4u << (bench.high & 0xf);

	if (bench.gone)
		return;
	if (offset == 0x14) {
		configure(value);
	} else if (offset == 0x1000) {
		doorbell(value);
	} else {
		assert_true(offset == 0x24 || (offset >= 0x28 && offset < 0x38) ||
			    offset == 0x1000 + stride);
		*reg(offset) = value;
	}
}

/* --- in use or not --- */

GPtrArray *__wrap_mp_use_of(const struct mp_host *host, const struct mp_pci *device);
GPtrArray *__wrap_mp_use_of(const struct mp_host *host G_GNUC_UNUSED,
	const struct mp_pci *device G_GNUC_UNUSED)
{
	static struct mp_use_entry entry = { .detail = "/ is on nvme0n1p2" };
	GPtrArray *uses = g_ptr_array_new();

	if (bench.used)
		g_ptr_array_add(uses, &entry);
	return uses;
}

/* --- tests --- */

static inline void plug_in(size_t size)
{
	const struct fake_model model = {
		.bars = { { size, read32, write32, NULL, NULL } },
		.vectors = { [MP_VFIO_MSIX] = 2 },
		.time = pass_time,
	};

	bench.vfio = fake_vfio_new(&model);
	fake_vfio_set_config(bench.vfio, 0x2c, 2, 0x1f9d);
	fake_lend(bench.vfio, bench.host, HOST, bench.scratch, SCRATCH_SIZE);
}

static inline int set_up(void **state G_GNUC_UNUSED)
{
	memset(&bench, 0, sizeof(bench));
	bench.low = (ENTRIES - 1) | TIMEOUT << 24;
	bench.high = 1; /* doorbells 8 bytes apart */
	bench.host = g_aligned_alloc0(4, FAKE_PAGE, FAKE_PAGE);
	bench.scratch = bench.host + FAKE_PAGE;
	plug_in(BAR_SIZE);
	return 0;
}

static inline int tear_down(void **state G_GNUC_UNUSED)
{
	if (bench.state)
		engine->quiesce(bench.state);
	g_clear_error(&bench.error);
	fake_vfio_free(bench.vfio);
	g_aligned_free(bench.host);
	return 0;
}

static inline bool probe(bool force)
{
	const struct mp_pci device = { .class_code = 0x010802 };

	g_clear_error(&bench.error);
	return engine->probe(bench.vfio, NULL, &device, force, &bench.error);
}

static inline bool init(void)
{
	const struct mp_engine_scratch scratch = { bench.scratch, FAKE_SCRATCH,
		SCRATCH_SIZE };

	g_clear_error(&bench.error);
	return engine->init(bench.vfio, &scratch, &bench.state, &bench.error);
}

static inline void start(void)
{
	if (!init())
		fail_msg("%s", bench.error->message);
}

static inline enum mp_engine_result read_host(void)
{
	g_clear_error(&bench.error);
	return engine->read_host(bench.state, HOST, FAKE_PAGE, &bench.error);
}

static inline enum mp_engine_result write_host(void)
{
	g_clear_error(&bench.error);
	return engine->write_host(bench.state, HOST, FAKE_PAGE, &bench.error);
}

static inline bool check_written(size_t size)
{
	g_clear_error(&bench.error);
	return engine->check_written(bench.state, bench.host, size, &bench.error);
}

static inline bool check_read(void)
{
	g_clear_error(&bench.error);
	return engine->check_read(bench.state, bench.host, 8, &bench.error);
}

static inline void assert_says(const char *part)
{
	fake_assert_says(bench.error, part);
	assert_non_null(strstr(bench.error->message, FAKE_ADDRESS ": "));
}

static inline void assert_works(void)
{
	if (write_host() != MP_ENGINE_OK || !check_written(FAKE_PAGE))
		fail_msg("%s", bench.error->message);
	memset(bench.host, 0, FAKE_PAGE);
	memcpy(bench.host, "\x11\x22\x33\x44\x55\x66\x77\x88", 8);
	if (read_host() != MP_ENGINE_OK || !check_read())
		fail_msg("%s", bench.error->message);
}

#endif
