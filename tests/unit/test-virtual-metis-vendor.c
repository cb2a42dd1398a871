// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The vendor's driver of the scenarios against the virtual card, without QEMU: a small host with three
 * pieces of memory and one message that it accepts.
 */
#include <glib.h>

#include "edma.h"
#include "firmware.h"
#include "unit.h"
#include "vendor/vendor.h"

#define WINDOW 0x149800000ull
#define SOURCE 0x14a000000ull
#define BACK   0x14a001000ull

struct scene {
	struct edma *edma;
	struct firmware *firmware;
	uint8_t *memory; /* the card's */
	uint8_t window[VENDOR_PAGE], source[VENDOR_PAGE], back[VENDOR_PAGE];
	bool mapped, master, enabled, blocked;
	struct vendor_message message; /* of the capability */
	unsigned raised[VENDOR_VECTORS];
	unsigned faults;
	uint64_t fault, now_ms;
	struct vendor_io io;
	struct vendor vendor;
	GString *said;
};

/* The IOMMU of this host. */
static uint8_t *host_at(struct scene *scene, uint64_t address, size_t size)
{
	if (scene->mapped && address >= WINDOW && address + size <= WINDOW + VENDOR_PAGE)
		return scene->window + (address - WINDOW);
	if (address >= SOURCE && address + size <= SOURCE + VENDOR_PAGE)
		return scene->source + (address - SOURCE);
	if (address >= BACK && address + size <= BACK + VENDOR_PAGE)
		return scene->back + (address - BACK);
	return NULL;
}

static bool host_read(void *user, uint64_t address, void *data, size_t size)
{
	struct scene *scene = user;
	uint8_t *at = host_at(scene, address, size);

	if (!scene->master || !at)
		return false;
	memcpy(data, at, size);
	return true;
}

static void deliver(struct scene *scene, uint64_t address, uint32_t data)
{
	if (scene->blocked || !scene->enabled || address != scene->message.address ||
		data < scene->message.data ||
		data >= scene->message.data + scene->message.vectors) {
		scene->faults++;
		scene->fault = address;
		return;
	}
	scene->raised[data - scene->message.data]++;
}

static void host_write(void *user, uint64_t address, const void *data, size_t size)
{
	struct scene *scene = user;
	uint8_t *at = host_at(scene, address, size);
	uint32_t value;

	if (!scene->master)
		return;
	if (address >> 20 == 0xfee) {
		assert_int_equal(size, 4);
		memcpy(&value, data, 4);
		deliver(scene, address, value);
		return;
	}
	if (at) {
		memcpy(at, data, size);
		return;
	}
	scene->faults++;
	scene->fault = address;
}

static uint8_t *card_at(struct scene *scene, uint64_t address, size_t size)
{
	if (address < FIRMWARE_MEMORY_BASE ||
		address + size > FIRMWARE_MEMORY_BASE + FIRMWARE_MEMORY_SIZE)
		return NULL;
	return scene->memory + (address - FIRMWARE_MEMORY_BASE);
}

static bool card_read(void *user, uint64_t address, void *data, size_t size)
{
	uint8_t *at = card_at(user, address, size);

	if (at)
		memcpy(data, at, size);
	return at;
}

static bool card_write(void *user, uint64_t address, const void *data, size_t size)
{
	uint8_t *at = card_at(user, address, size);

	if (at)
		memcpy(at, data, size);
	return at;
}

static void kick(void *user)
{
	(void)user; /* the clock runs it */
}

static bool signalled(void *user, unsigned interrupt, bool aborted)
{
	return firmware_signal(((struct scene *)user)->firmware, interrupt, aborted);
}

/* The function's own interrupts go the way that configuration space shows. */
static void msi(void *user, unsigned vector)
{
	struct scene *scene = user;

	scene->raised[vector]++;
}

static void message(void *user, uint64_t address, uint32_t data)
{
	deliver(user, address, data);
}

static bool msi_message(void *user, uint64_t *address, uint32_t *data)
{
	struct scene *scene = user;

	*address = scene->message.address;
	*data = scene->message.data;
	return scene->enabled;
}

static unsigned msi_granted(void *user)
{
	return ((struct scene *)user)->message.vectors;
}

/* --- what the driver does --- */

static uint32_t read_bar(void *user, unsigned bar, uint32_t offset)
{
	struct scene *scene = user;
	uint32_t value;

	if (bar == 0)
		return edma_read(scene->edma, offset);
	memcpy(&value, scene->memory + offset, 4);
	return value;
}

static void write_bar(void *user, unsigned bar, uint32_t offset, uint32_t value)
{
	struct scene *scene = user;

	if (bar == 0) {
		edma_write(scene->edma, offset, value);
		return;
	}
	memcpy(scene->memory + offset, &value, 4);
	firmware_written(scene->firmware, offset, 4, scene->now_ms);
}

static void bus_master(void *user, bool on)
{
	((struct scene *)user)->master = on;
}

static struct vendor_message enable_msi(void *user)
{
	struct scene *scene = user;

	scene->enabled = true;
	return scene->message;
}

static void disable_msi(void *user)
{
	((struct scene *)user)->enabled = false;
}

static bool raised(void *user, unsigned vector)
{
	struct scene *scene = user;
	bool was = scene->raised[vector];

	scene->raised[vector] = 0;
	return was;
}

static void release(void *user)
{
	((struct scene *)user)->mapped = false;
}

static unsigned seconds(void *user)
{
	struct scene *scene = user;

	scene->now_ms += 50;
	firmware_run(scene->firmware, scene->now_ms);
	while (edma_run(scene->edma, 1 << 16))
		;
	return (unsigned)(scene->now_ms / 1000);
}

static void say(void *user, const char *what, const char *how)
{
	g_string_append_printf(((struct scene *)user)->said, "%s %s\n", what, how);
}

static volatile uint8_t *page(void *user, uint64_t address)
{
	return address == BACK ? ((struct scene *)user)->back : NULL;
}

static const struct vendor_io io_of_scene = {
	.read = read_bar,
	.write = write_bar,
	.bus_master = bus_master,
	.enable_msi = enable_msi,
	.disable_msi = disable_msi,
	.raised = raised,
	.release = release,
	.seconds = seconds,
	.say = say,
	.page = page,
};

static void start_card(struct scene *scene, enum firmware_dma_vm dma_vm, bool latched)
{
	struct firmware_options options;
	const struct firmware_bus bus = { .user = scene,
		.host_write = host_write,
		.msi = msi,
		.message = message,
		.msi_message = msi_message,
		.msi_granted = msi_granted };

	assert_true(firmware_preset("1.6.0", &options));
	options.dma_vm = dma_vm;
	options.window_latched = latched;
	firmware_free(scene->firmware);
	scene->firmware = firmware_new(scene->memory, &options, &bus);
	assert_non_null(scene->firmware);
	firmware_reset(scene->firmware, FIRMWARE_POWER_ON, scene->now_ms);
}

static int setup(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));
	const struct edma_bus bus = { .user = scene,
		.host_read = host_read,
		.host_write = host_write,
		.card_read = card_read,
		.card_write = card_write,
		.kick = kick,
		.signalled = signalled };

	assert_non_null(scene);
	scene->memory = calloc(1, FIRMWARE_MEMORY_SIZE);
	assert_non_null(scene->memory);
	scene->edma = edma_new(&bus);
	assert_non_null(scene->edma);
	scene->said = g_string_new(NULL);
	scene->io = io_of_scene;
	scene->io.user = scene;
	scene->message = (struct vendor_message){ 0xfee00418, 0, 32 };
	start_card(scene, FIRMWARE_DMA_VM_OFF, false);
	*state = scene;
	return 0;
}

static int teardown(void **state)
{
	struct scene *scene = *state;

	firmware_free(scene->firmware);
	edma_free(scene->edma);
	free(scene->memory);
	g_string_free(scene->said, TRUE);
	free(scene);
	return 0;
}

/* play SCENE WORDS: a driver is loaded, does them; what it said is in scene->said. */
static bool play(struct scene *scene, const char *words)
{
	g_auto(GStrv) list = g_strsplit(words, " ", -1);

	g_string_truncate(scene->said, 0);
	scene->faults = 0;
	scene->mapped = true;
	memset(&scene->vendor, 0, sizeof(scene->vendor));
	scene->vendor.io = &scene->io;
	scene->vendor.window = (struct vendor_memory){ WINDOW, scene->window };
	scene->vendor.source = (struct vendor_memory){ SOURCE, scene->source };
	scene->vendor.back = (struct vendor_memory){ BACK, scene->back };
	return vendor_run(&scene->vendor, g_strv_length(list), (const char *const *)list);
}

static void assert_said(struct scene *scene, const char *lines)
{
	if (!strstr(scene->said->str, lines))
		fail_msg("not said:\n%sbut:\n%s", lines, scene->said->str);
}

static const char *const versions[] = { "1.4.4", "1.4.16", "1.6.2" };

static void test_every_version_works_on_a_host(void **state)
{
	struct scene *scene = *state;

	for (unsigned i = 0; i < G_N_ELEMENTS(versions); i++) {
		g_autofree char *words = g_strdup_printf(
			"driver=%s await=5 start irq job events=2 poll job stop",
			versions[i]);

		assert_true(play(scene, words));
		assert_said(scene, "firmware ready\n");
		assert_said(scene, "imwr written\n");
		assert_said(scene,
			"job by interrupt\nto-card done\nto-host done\ndata right\n");
		assert_said(scene, "events 0x2\n");
		assert_said(scene,
			"job by polling\nto-card done\nto-host done\ndata right\n");
		assert_int_equal(scene->faults, 0);
		assert_false(scene->enabled || scene->master || scene->mapped);
	}
}

/* What no version clears stays in the card. */
static void test_leaves_the_message_behind(void **state)
{
	struct scene *scene = *state;

	assert_true(play(scene, "driver=1.6.2 await=5 start stop look"));
	assert_said(scene, "window-ctrl 0x0\nwindow-target 0x149800000\n"
			   "imwr-rd-done 0xfee00418\nimwr-rd-data 0x50004\n"
			   "imwr-wr-done 0xfee00418\nimwr-wr-data 0x90008\n");
	assert_true(play(scene, "scrub look"));
	assert_said(scene, "window-ctrl 0x0\nwindow-target 0x0\n"
			   "imwr-rd-done 0x0\nimwr-rd-data 0x0\n"
			   "imwr-wr-done 0x0\nimwr-wr-data 0x0\n");
}

static void test_one_vector_has_one_message(void **state)
{
	struct scene *scene = *state;

	scene->message = (struct vendor_message){ 0xfee00000, 0x40, 1 };
	assert_true(play(scene, "driver=1.4.16 await=5 start job look"));
	assert_said(scene, "to-card done\nto-host done\ndata right\n");
	assert_said(scene, "imwr-rd-done 0xfee00000\nimwr-rd-data 0x400040\n");
	/* Somebody spoils the data: it is written again for each job. */
	edma_write(scene->edma, 0x070, 0x12345678);
	edma_write(scene->edma, 0x0dc, 0x12345678);
	vendor_job(&scene->vendor);
	assert_int_equal(edma_read(scene->edma, 0x070), 0x400040);
	assert_int_equal(scene->faults, 0);
}

static void test_lost_interrupts(void **state)
{
	struct scene *scene = *state;

	scene->blocked = true;
	assert_true(play(scene, "driver=1.4.16 await=5 start irq job"));
	assert_said(scene, "to-card timeout\nchannel-status 0x3\n"
			   "to-host timeout\nchannel-status 0x3\ndata right\n");
	assert_int_equal(scene->faults, 2);
	assert_true(play(scene, "driver=1.4.4 start irq job"));
	assert_said(scene, "to-card done late\nchannel-status 0x3\n"
			   "to-host done late\nchannel-status 0x3\ndata right\n");
	assert_true(play(scene, "driver=1.4.16 start poll job"));
	assert_said(scene, "to-card done\nto-host done\ndata right\n");
	assert_int_equal(scene->faults, 0);
}

static void test_aborts_and_wrong_data(void **state)
{
	struct scene *scene = *state;

	assert_true(play(scene, "driver=1.4.16 await=5 start"));
	scene->vendor.source.bus = 0x200000000;
	vendor_job(&scene->vendor);
	assert_said(
		scene, "to-card aborted\nchannel-status 0x2\nto-host done\ndata wrong\n");
}

static void test_order_of_removal(void **state)
{
	struct scene *scene = *state;

	assert_true(play(scene, "driver=1.4.16 await=5 start events=1 stop=3"));
	assert_said(scene, "removal memory freed\nremoval window closed\n"
			   "removal bus mastering off\nremoval interrupts freed\n");
	assert_true(scene->faults > 0);
	assert_int_equal(scene->fault & ~(uint64_t)0xfff, WINDOW);
	assert_true(play(scene, "driver=1.6.2 await=5 start events=1 stop=3"));
	assert_said(scene, "removal bus mastering off\nremoval window closed\n"
			   "removal memory freed\nremoval interrupts freed\n");
	assert_int_equal(scene->faults, 0);
}

/* A system that goes down leaves the window open; what the firmware makes of the next driver's
 * address is its affair. */
static void test_open_window_of_somebody_else(void **state)
{
	struct scene *scene = *state;
	struct vendor_memory own = { BACK, scene->back };

	for (unsigned latched = 0; latched < 2; latched++) {
		start_card(scene, FIRMWARE_DMA_VM_OFF, latched);
		assert_true(play(scene, "driver=1.4.16 await=5 start events=1 shutdown"));
		scene->mapped = false;
		scene->vendor = (struct vendor){ .io = &scene->io, .window = own };
		g_string_truncate(scene->said, 0);
		scene->faults = 0;
		assert_true(vendor_run(&scene->vendor, 5,
			(const char *const[]){ "driver=1.4.16", "start", "patience=4",
				"events=2", "look" }));
		assert_said(scene, latched ? "events 0x0\n" : "events 0x2\n");
		assert_said(scene, "window-target 0x14a001000\n");
		assert_int_equal(scene->faults > 0, latched);
	}
}

static void test_firmware_that_owns_the_message(void **state)
{
	struct scene *scene = *state;

	scene->message = (struct vendor_message){ 0xfee00000, 0x40, 1 };
	start_card(scene, FIRMWARE_DMA_VM_OWNER, false);
	scene->blocked = true; /* the eDMA's messages only */
	assert_true(play(scene, "driver=1.6.2 await=5 start irq job look"));
	assert_said(scene, "dma-vm 0xc1a0c1a0\n");
	assert_said(scene, "imwr left alone\n");
	assert_said(scene, "to-card done\nto-host done\ndata right\n");
	assert_said(scene, "imwr-rd-done 0x0\n");
	assert_int_equal(scene->faults, 0);
}

static void test_words(void **state)
{
	struct scene *scene = *state;
	static const char *const bad[] = { "nothing", "driver=1.4.5", "driver=", "start",
		"job", "stop", "events=", "events=x", "events=1001", "await=1 x",
		"message=1:2", "message=0x:1:1", "message=1:2:3:4", "pattern=0x14a001001",
		"same=0", "vector=0", "timeout=-1", "await=99999999999999999999999",
		"await=5 driver=1.4.16 start vector=32" };

	for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
		if (play(scene, bad[i]))
			fail_msg("accepted: %s", bad[i]);
		assert_said(scene, "failed at ");
	}
	assert_true(play(scene, "pattern=0x14a001000 same=0x14a001000"));
	assert_said(scene, "memory as it was\nscript done\n");
	assert_true(play(scene, "message=0xfee01018:0:32 driver=1.4.16 await=5 start "
				"pattern=0x14a001000 job look changed=0x14a001000"));
	assert_said(scene, "message-address 0xfee01018\n");
	assert_said(scene, "imwr-wr-done 0xfee01018\n");
	assert_said(scene, "memory changed\nfirst-changed-offset 0x0\n");
}

static void test_no_firmware(void **state)
{
	struct scene *scene = *state;

	start_card(scene, FIRMWARE_DMA_VM_OFF, false);
	assert_false(play(scene, "driver=1.4.16 start"));
	assert_said(scene, "firmware not running, hdrv magic 0x0\nfailed at start\n");
	firmware_free(scene->firmware);
	scene->firmware = NULL;
	start_card(scene, FIRMWARE_DMA_VM_OFF, false);
	assert_false(play(scene, "await=0 look"));
	assert_said(scene, "firmware not ready\nfailed at await=0\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define SCENE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
		SCENE(test_every_version_works_on_a_host),
		SCENE(test_leaves_the_message_behind),
		SCENE(test_one_vector_has_one_message),
		SCENE(test_lost_interrupts),
		SCENE(test_aborts_and_wrong_data),
		SCENE(test_order_of_removal),
		SCENE(test_open_window_of_somebody_else),
		SCENE(test_firmware_that_owns_the_message),
		SCENE(test_words),
		SCENE(test_no_firmware),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
