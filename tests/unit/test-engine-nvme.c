/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine of NVMe controllers against a model of one, as far as its admin queue goes (NVM
 * Express base specification 1.4): what it says of controllers that are dead, late, wrong.
 */
#include "unit.h"

#include <string.h>

#include "core/pci.h"
#include "core/use.h"
#include "fake-vfio.h"
#include "vfio/engine.h"

#define BAR_SIZE     0x4000u
#define HOST         0x100000000u /* IOVAs */
#define SCRATCH      0x1000000u
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
	CHANGES, /* its identity, after the first time */
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
	uint64_t clock;
	gint64 clock_set;
	unsigned identified, commands;
	bool used;

	void *state;
	uint8_t *host, *scratch;
	GError *error;
} bench;

static uint32_t *reg(size_t offset)
{
	return &bench.registers[offset / 4];
}

/* --- the controller --- */

static void identify(uint8_t *page)
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
static uint32_t execute(const uint32_t *command)
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

static void complete(uint32_t id, uint32_t status)
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
	fake_signal(bench.vfio, 0);
}

static void doorbell(unsigned tail)
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

static void configure(uint32_t value)
{
	bool was = *reg(0x14) & 1, on = value & 1;

	*reg(0x14) = value;
	if (on == was)
		return;
	bench.ready_at = fake_now() + 100 * MS;
	bench.head = bench.last = 0;
	bench.phase = true;
	if (on) {
		assert_int_equal(value, 6u << 16 | 4u << 20 | 1);
		assert_int_equal(*reg(0x24) & 0xfff, *reg(0x24) >> 16);
	}
	if (!on)
		*reg(0x1c) &= ~FATAL; /* a reset of the controller */
	bench.gone |= on && bench.defect == GONE_AT_ENABLE;
}

/* CSTS follows CC some time later. */
static void pass_time(void *user G_GNUC_UNUSED)
{
	bool on = *reg(0x14) & 1;

	if (!bench.ready_at || fake_now() < bench.ready_at)
		return;
	if (bench.defect == (on ? NEVER_READY : NEVER_DISABLED))
		return;
	bench.ready_at = 0;
	*reg(0x1c) = !on ? 0 : bench.defect == FATAL_AT_ENABLE ? FATAL : READY;
}

static uint32_t read32(void *user G_GNUC_UNUSED, size_t offset)
{
	if (bench.gone)
		return ONES;
	if (offset == 0)
		return bench.low;
	return offset == 4 ? bench.high : *reg(offset);
}

static void write32(void *user G_GNUC_UNUSED, size_t offset, uint32_t value)
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

static void plug_in(size_t size)
{
	const struct fake_model model = {
		.bars = { { size, read32, write32, NULL, NULL } },
		.time = pass_time,
	};

	bench.vfio = fake_vfio_new(&model);
	fake_vfio_set_config(bench.vfio, 0x2c, 2, 0x1f9d);
	mp_vfio_bus_master(bench.vfio, true, NULL);
	mp_vfio_map(bench.vfio, bench.host, HOST, FAKE_PAGE, MP_VFIO_READ | MP_VFIO_WRITE,
		NULL);
	mp_vfio_map(bench.vfio, bench.scratch, SCRATCH, SCRATCH_SIZE,
		MP_VFIO_READ | MP_VFIO_WRITE, NULL);
}

static int set_up(void **state G_GNUC_UNUSED)
{
	memset(&bench, 0, sizeof(bench));
	bench.low = (ENTRIES - 1) | TIMEOUT << 24;
	bench.high = 1; /* doorbells 8 bytes apart */
	bench.host = g_aligned_alloc0(4, FAKE_PAGE, FAKE_PAGE);
	bench.scratch = bench.host + FAKE_PAGE;
	plug_in(BAR_SIZE);
	return 0;
}

static int tear_down(void **state G_GNUC_UNUSED)
{
	if (bench.state)
		engine->quiesce(bench.state);
	g_clear_error(&bench.error);
	fake_vfio_free(bench.vfio);
	g_aligned_free(bench.host);
	return 0;
}

static bool probe(bool force)
{
	const struct mp_pci device = { .class_code = 0x010802 };

	g_clear_error(&bench.error);
	return engine->probe(bench.vfio, NULL, &device, force, &bench.error);
}

static bool init(void)
{
	const struct mp_engine_scratch scratch = { bench.scratch, SCRATCH, SCRATCH_SIZE };

	g_clear_error(&bench.error);
	return engine->init(bench.vfio, &scratch, &bench.state, &bench.error);
}

static void start(void)
{
	if (!init())
		fail_msg("%s", bench.error->message);
}

static enum mp_engine_result read_host(void)
{
	g_clear_error(&bench.error);
	return engine->read_host(bench.state, HOST, FAKE_PAGE, &bench.error);
}

static enum mp_engine_result write_host(void)
{
	g_clear_error(&bench.error);
	return engine->write_host(bench.state, HOST, FAKE_PAGE, &bench.error);
}

static bool check_written(size_t size)
{
	g_clear_error(&bench.error);
	return engine->check_written(bench.state, bench.host, size, &bench.error);
}

static bool check_read(void)
{
	g_clear_error(&bench.error);
	return engine->check_read(bench.state, bench.host, 8, &bench.error);
}

static void assert_says(const char *part)
{
	assert_non_null(bench.error);
	if (!strstr(bench.error->message, part))
		fail_msg("'%s' lacks '%s'", bench.error->message, part);
	assert_non_null(strstr(bench.error->message, FAKE_ADDRESS ": "));
}

static void assert_works(void)
{
	if (write_host() != MP_ENGINE_OK || !check_written(FAKE_PAGE))
		fail_msg("%s", bench.error->message);
	memset(bench.host, 0, FAKE_PAGE);
	memcpy(bench.host, "\x11\x22\x33\x44\x55\x66\x77\x88", 8);
	if (read_host() != MP_ENGINE_OK || !check_read())
		fail_msg("%s", bench.error->message);
}

static void test_works(void **state G_GNUC_UNUSED)
{
	struct mp_engine_limits limits;

	assert_true(probe(false));
	start();
	engine->limits(bench.state, &limits);
	assert_int_equal(limits.transfer_max, FAKE_PAGE);
	assert_int_equal(limits.read_size, 8);
	assert_false(limits.cannot_read || limits.reads_any || limits.writes_any);
	/* More than the queues hold, so that they wrap and the phase turns. */
	for (unsigned i = 0; i < 3 * ENTRIES; i++)
		assert_works();
}

static void test_not_one(void **state G_GNUC_UNUSED)
{
	static const struct {
		uint32_t low, high;
		const char *says;
	} caps[] = {
		{ ONES, ONES, "does not answer: all its registers read as ones" },
		{ 0, 0, "all its registers read as zeros: its firmware does not run" },
		{ TIMEOUT << 24, 0, "its queues hold one entry" },
		{ 7 | TIMEOUT << 24, 1 << 16, "its smallest page has 8 KiB, not 4" },
		{ 7 | TIMEOUT << 24, 15, "its doorbells lie behind the 16384 bytes of" },
	};
	const struct mp_pci other = { .class_code = 0x010601 };

	for (size_t i = 0; i < G_N_ELEMENTS(caps); i++) {
		bench.low = caps[i].low;
		bench.high = caps[i].high;
		assert_false(probe(false));
		assert_says(caps[i].says);
		assert_false(init());
		assert_says(caps[i].says);
		assert_null(bench.state);
	}
	g_clear_error(&bench.error);
	assert_false(engine->probe(bench.vfio, NULL, &other, false, &bench.error));
	assert_says("is no NVMe controller: its class is 010601, not 010802");
	fake_vfio_free(bench.vfio);
	plug_in(0x1000);
	assert_false(probe(false));
	assert_says("its BAR 0 of 4096 bytes has no doorbells");
	fake_vfio_free(bench.vfio);
	plug_in(0);
	assert_false(probe(false));
	assert_says("BAR 0 is not there");
	assert_int_equal(bench.commands, 0);
}

static void test_in_use(void **state G_GNUC_UNUSED)
{
	bench.used = true;
	assert_false(probe(false));
	assert_says("in use: / is on nvme0n1p2; the test resets the controller. --force");
	assert_true(probe(true));
}

/* Each in the time that the controller itself asks for. */
static void test_never_ready(void **state G_GNUC_UNUSED)
{
	static const struct {
		enum defect defect;
		const char *says;
		gint64 least, most; /* ms */
	} failures[] = {
		{ NEVER_READY,
			"is not ready within the 2000 ms that it asks for (CAP.TO)", 2000,
			2200 },
		{ FATAL_AT_ENABLE,
			"cannot be enabled: it reports a fatal error (CSTS.CFS)", 100,
			200 },
		{ GONE_AT_ENABLE, "does not answer any more: its status reads as ones", 0,
			200 },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(failures); i++) {
		gint64 before = fake_now();

		bench.defect = failures[i].defect;
		assert_false(init());
		assert_says(failures[i].says);
		assert_true(fake_now() - before >= failures[i].least * MS);
		assert_true(fake_now() - before <= failures[i].most * MS);
		/* Half way through there is something to quiesce. */
		assert_non_null(bench.state);
		bench.defect = NONE;
		bench.gone = false;
		engine->quiesce(bench.state);
		bench.state = NULL;
		assert_false(*reg(0x14) & 1);
	}
	/* CAP.TO of 0 is half a second all the same. */
	gint64 before = fake_now();

	bench.low &= 0xffffff;
	bench.defect = NEVER_READY;
	assert_false(init());
	assert_says("within the 500 ms");
	assert_true(fake_now() - before <= 600 * MS);
}

static void test_never_disabled(void **state G_GNUC_UNUSED)
{
	gint64 before;

	start();
	bench.defect = NEVER_DISABLED;
	before = fake_now();
	g_clear_error(&bench.error);
	assert_false(engine->abort(bench.state, &bench.error));
	assert_says("is not disabled within the 2000 ms that it asks for (CAP.TO)");
	assert_true(fake_now() - before < 2200 * MS);
	/* Nothing is given to it then. */
	bench.commands = 0;
	assert_int_equal(write_host(), MP_ENGINE_ERROR);
	assert_says("was not brought back after its last failure");
	g_clear_error(&bench.error);
	assert_false(engine->raise_irq(bench.state, 0, &bench.error));
	assert_says("was not brought back after its last failure");
	assert_int_equal(bench.commands, 0);
	bench.defect = NONE;
	g_clear_error(&bench.error);
	assert_true(engine->abort(bench.state, &bench.error));
	assert_works();
}

static void test_commands(void **state G_GNUC_UNUSED)
{
	static const struct {
		enum defect defect;
		enum mp_engine_result result;
		const char *says;
	} failures[] = {
		{ FATAL_AT_COMMAND, MP_ENGINE_ERROR,
			"stopped with a fatal error (CSTS.CFS)" },
		{ GONE_AT_COMMAND, MP_ENGINE_ERROR,
			"does not answer any more: its status reads as ones" },
		{ MUTE, MP_ENGINE_TIMEOUT,
			"its command did not complete within 10000 ms" },
		{ WRONG_PHASE, MP_ENGINE_TIMEOUT,
			"its command did not complete within 10000 ms" },
		{ WRONG_ID, MP_ENGINE_ERROR, "completed command " },
		{ FAILS, MP_ENGINE_ERROR, "its command failed with status 0/0x06" },
	};

	start();
	for (size_t i = 0; i < G_N_ELEMENTS(failures); i++) {
		gint64 before = fake_now();

		bench.defect = failures[i].defect;
		assert_int_equal(write_host(), failures[i].result);
		assert_says(failures[i].says);
		assert_true(fake_now() - before < 11000 * MS);
		bench.defect = NONE;
		bench.gone = false;
		g_clear_error(&bench.error);
		assert_true(engine->abort(bench.state, &bench.error));
		assert_works();
	}
}

static void test_identities(void **state G_GNUC_UNUSED)
{
	static const struct {
		enum defect defect;
		const char *says;
	} failures[] = {
		{ WRONG_VENDOR, "names vendor 1234 and subsystem vendor 1f9d, its "
				"configuration space 1f9d and 1f9d" },
		{ WRONG_SUBVENDOR, "names vendor 1f9d and subsystem vendor 1234" },
		{ NO_TEXT,
			"has byte 0x09 at offset 63, where serial number and model are "
			"text" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(failures); i++) {
		bench.defect = failures[i].defect;
		assert_false(init());
		assert_says(failures[i].says);
		assert_true(
			g_str_has_prefix(bench.error->message, "the first Identify: "));
		engine->quiesce(bench.state);
		bench.state = NULL;
		bench.defect = NONE;
		start();
		bench.defect = failures[i].defect;
		assert_int_equal(write_host(), MP_ENGINE_OK);
		assert_false(check_written(FAKE_PAGE));
		assert_says(failures[i].says);
		engine->quiesce(bench.state);
		bench.state = NULL;
	}
	bench.defect = CHANGES;
	start();
	assert_int_equal(write_host(), MP_ENGINE_OK);
	assert_false(check_written(FAKE_PAGE));
	assert_says("differs from its first Identify at offset 100: 0x");
	assert_false(check_written(64));
	assert_says("64 bytes cannot be what it wrote");
}

static void test_clock(void **state G_GNUC_UNUSED)
{
	struct mp_engine_limits limits;

	bench.defect = NO_CLOCK;
	start();
	engine->limits(bench.state, &limits);
	assert_true(limits.cannot_read);
	assert_int_equal(read_host(), MP_ENGINE_ERROR);
	assert_says("has no clock (ONCS)");
	engine->quiesce(bench.state);
	bench.defect = CLOCK_IS_DEAF;
	start();
	memset(bench.host, 0x77, 8);
	assert_int_equal(read_host(), MP_ENGINE_OK);
	assert_false(check_read());
	assert_says("its clock was set to 0x777777777777 and shows 0x");
	bench.defect = CLOCK_FAILS;
	assert_int_equal(read_host(), MP_ENGINE_ERROR);
	assert_says("its command failed with status 1/0x02");
	/* Memory that it may not read. */
	bench.defect = NONE;
	mp_vfio_unmap(bench.vfio, HOST, FAKE_PAGE, NULL);
	assert_int_equal(read_host(), MP_ENGINE_ERROR);
	assert_says("its command failed with status 0/0x04");
	assert_int_equal(write_host(), MP_ENGINE_OK);
}

static void test_interrupt(void **state G_GNUC_UNUSED)
{
	start();
	g_clear_error(&bench.error);
	assert_true(engine->raise_irq(bench.state, 0, &bench.error));
	engine->ack_irq(bench.state, 0);
	assert_false(engine->raise_irq(bench.state, 1, &bench.error));
	assert_says("cannot raise vector 1: its admin queue has vector 0");
	assert_works();
}

static void test_restores(void **state G_GNUC_UNUSED)
{
	static const size_t registers[] = { 0x24, 0x28, 0x2c, 0x30, 0x34 };

	for (size_t i = 0; i < G_N_ELEMENTS(registers); i++)
		*reg(registers[i]) = 0x01010000u * (uint32_t)(i + 1) | 7;
	*reg(0x14) = 0x00460001;
	*reg(0x1c) = READY;
	start();
	assert_works();
	engine->quiesce(bench.state);
	bench.state = NULL;
	for (size_t i = 0; i < G_N_ELEMENTS(registers); i++)
		assert_int_equal(*reg(registers[i]), 0x01010000u * (uint32_t)(i + 1) | 7);
	/* But for this: it stays off. */
	assert_int_equal(*reg(0x14), 0x00460000);
	assert_int_equal(*reg(0x1c), 0);
}

static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	TEST(test_works),
	TEST(test_not_one),
	TEST(test_in_use),
	TEST(test_never_ready),
	TEST(test_never_disabled),
	TEST(test_commands),
	TEST(test_identities),
	TEST(test_clock),
	TEST(test_interrupt),
	TEST(test_restores),
#undef TEST
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
