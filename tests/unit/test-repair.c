/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The repair of messages: what it takes, each thing missing once; and writing it, with each
 * access failing once. */
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "core/iommu.h"
#include "core/pci.h"
#include "core/repair.h"
#include "core/use.h"

/* The captured host stale-window, with a VM that has the card and one vector. */
static struct {
	struct mp_root *root;
	struct mp_host *host;
	struct mp_pci *device;
	struct mp_card *card;
	struct mp_profile *profile;
	struct mp_irtes irtes;
} world;

#define HANDLE 0x24

static int set_up(void **state)
{
	static const struct mp_use_entry held = {
		.bdf = "0000:86:00.0",
		.kind = MP_USE_VM,
		.detail = "held by VM 101",
		.source = "test",
	};
	const char *top = g_getenv("TOP_SRCDIR");
	g_autofree char *path =
		g_strdup_printf("%s/tests/hosts/stale-window.snap", top ? top : ".");

	(void)state;
	world.root = mp_root_open(path, NULL);
	world.host = world.root ? mp_host_load(world.root, MP_TOPIC_ALL, NULL) : NULL;
	assert_non_null(world.host);
	world.device = mp_host_device(world.host, "0000:86:00.0");
	world.card = world.host->cards->all->pdata[0];
	world.profile = mp_profile_for_device(world.device, NULL);
	assert_non_null(world.profile);
	g_ptr_array_add(world.host->use->entries, (void *)&held);
	world.host->use->open_files.know = MP_KNOWN;
	world.device->msi.enabled = true;
	world.device->msi.vectors_enabled = 1;
	world.device->msi.address = 0xfee00018 | HANDLE << 5;
	world.device->msi.data = 0;
	/* What a guest's driver has written. */
	for (unsigned i = 0; i < world.card->targets_count; i++) {
		world.card->targets[i].message = MP_MESSAGE_RAW;
		world.card->targets[i].address = 0xfee00000;
		for (unsigned k = 0; k < 4; k++)
			world.card->targets[i].data[k] = 0x22;
	}
	memset(&world.irtes, 0, sizeof(world.irtes));
	world.irtes.table.know = MP_ABSENT;
	world.irtes.all = mp_host_array(world.host);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	mp_profile_free(world.profile);
	mp_host_free(world.host);
	mp_root_free(world.root);
	memset(&world, 0, sizeof(world));
	return 0;
}

static const struct mp_repair *plan(void)
{
	return mp_repair_plan(world.host, world.device, world.profile, &world.irtes);
}

static const struct mp_repair_condition *condition(
	const struct mp_repair *repair, const char *id)
{
	for (guint i = 0; i < repair->conditions->len; i++) {
		const struct mp_repair_condition *its = repair->conditions->pdata[i];

		if (!strcmp(its->id, id))
			return its;
	}
	fail_msg("no condition %s", id);
	return NULL;
}

static void table_has(const char *text)
{
	mp_irtes_parse(world.host, text, &world.irtes);
	world.irtes.table.know = MP_KNOWN;
}

/* --- what it takes --- */

static void test_ready(void **state)
{
	static const uint64_t offsets[] = { 0x60, 0x68, 0xcc, 0xd4 };
	const struct mp_repair *repair = plan();

	(void)state;
	for (guint i = 0; i < repair->conditions->len; i++) {
		const struct mp_repair_condition *its = repair->conditions->pdata[i];

		if (its->holds != MP_CARD_YES || its->remedy)
			fail_msg("%s: %s", its->id, its->text);
	}
	assert_int_equal(repair->conditions->len, 9);
	assert_true(repair->ready);
	assert_int_equal(repair->n_writes, 4);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(repair->writes[i].bar, 0);
		assert_int_equal(repair->writes[i].offset, offsets[i]);
		assert_int_equal(repair->writes[i].from, 0xfee00000);
		/* The host's handle, remappable, without SHV. */
		assert_int_equal(repair->writes[i].to, 0xfee00010 | HANDLE << 5);
	}
}

/* Each breaks one thing. */
static void no_profile(void)
{
	world.profile->irq_delivery = MP_IRQ_CONFIG_SPACE;
}
static void amd(void)
{
	for (guint i = 0; i < world.host->iommu->units->len; i++)
		((struct mp_iommu_unit *)world.host->iommu->units->pdata[i])->kind =
			MP_IOMMU_AMD;
}
static void no_unit(void)
{
	g_ptr_array_set_size(world.host->iommu->units, 0);
}
static void no_vm(void)
{
	g_ptr_array_set_size(world.host->use->entries, 0);
}
static void other_user(void)
{
	static const struct mp_use_entry open = { .bdf = "0000:86:00.0",
		.kind = MP_USE_OPEN,
		.detail = "open",
		.source = "test" };

	no_vm();
	g_ptr_array_add(world.host->use->entries, (void *)&open);
}
static void hosts_driver(void)
{
	world.device->driver.text = "axl";
}
static void no_driver(void)
{
	world.device->driver.know = MP_ABSENT;
}
static void driver_unknown(void)
{
	world.device->driver.know = MP_UNKNOWN;
}
static void short_config(void)
{
	world.device->config_size = 64;
}
static void no_msi(void)
{
	world.device->msi.present = false;
}
static void msi_off(void)
{
	world.device->msi.enabled = false;
}
static void many_vectors(void)
{
	world.device->msi.vectors_enabled = 32;
}
static void plain_message(void)
{
	world.device->msi.address = 0xfee00000;
}
static void high_message(void)
{
	world.device->msi.address |= 1ull << 32;
}
static void no_entry(void)
{
	table_has(" Remapped Interrupt supported on IOMMU: dmar2\n"
		  " IR table address:100000000\n"
		  " Entry SrcID   DstID    Vct IRTE_high\t\tIRTE_low\n"
		  " 37    86:00.0 00000001 24  0000000000048600\t000000010024000d\n");
}
static void others_entry(void)
{
	table_has(" Remapped Interrupt supported on IOMMU: dmar2\n"
		  " IR table address:100000000\n"
		  " Entry SrcID   DstID    Vct IRTE_high\t\tIRTE_low\n"
		  " 36    87:00.0 00000001 24  0000000000048700\t000000010024000d\n");
}
static void unread_card(void)
{
	world.card->life = MP_CARD_UNREAD;
	world.card->why = g_strerror(EINVAL);
}
static void asleep(void)
{
	world.card->life = MP_CARD_ASLEEP;
}
static void dead(void)
{
	world.card->life = MP_CARD_ZEROS;
}
static void owned(void)
{
	world.card->dma_vm = MP_CARD_YES;
}
static void owner_unknown(void)
{
	world.card->dma_vm = MP_CARD_UNKNOWN;
}
static void busy(void)
{
	world.card->channels[5].status = 1;
}
static void memory(void)
{
	world.card->targets[2].message = MP_MESSAGE_MEMORY;
	world.card->targets[2].address = 0x100000;
}
static void nothing_set(void)
{
	for (unsigned i = 0; i < world.card->targets_count; i++) {
		world.card->targets[i].message = MP_MESSAGE_NONE;
		world.card->targets[i].address = 0;
	}
}

static void test_missing(void **state)
{
	static const struct {
		void (*spoil)(void);
		const char *id;
		enum mp_card_yes holds;
		const char *text, *remedy; /* parts of them */
	} rows[] = {
		{ no_profile, "card-keeps-messages", MP_CARD_NO, "Profile metis",
			"configuration space" },
		{ amd, "intel-iommu", MP_CARD_NO, "AMD's takes the entry", "poll" },
		{ no_unit, "intel-iommu", MP_CARD_UNKNOWN, "No IOMMU", "preflight" },
		{ no_vm, "vm-has-it", MP_CARD_NO, "nobody uses it", "Start the VM" },
		{ other_user, "vm-has-it", MP_CARD_NO, "nobody uses it", "Start the VM" },
		{ hosts_driver, "vm-has-it", MP_CARD_NO, "with axl", "Start the VM" },
		{ no_driver, "vm-has-it", MP_CARD_NO, "no driver", "Start the VM" },
		{ driver_unknown, "vm-has-it", MP_CARD_UNKNOWN, "could not", "root" },
		{ short_config, "one-vector", MP_CARD_UNKNOWN, "could not", "root" },
		{ no_msi, "one-vector", MP_CARD_NO, "no MSI", "Nothing" },
		{ msi_off, "one-vector", MP_CARD_NO, "MSI of the card is off", "load" },
		{ many_vectors, "one-vector", MP_CARD_NO, "32 vectors", "viommu=" },
		{ plain_message, "message-remapped", MP_CARD_NO, "0xfee00000, not in",
			"preflight" },
		{ high_message, "message-remapped", MP_CARD_NO, "0x1fee00498, not in",
			"preflight" },
		{ no_entry, "message-remapped", MP_CARD_NO, "entry 0x24", "Look again" },
		{ others_entry, "message-remapped", MP_CARD_NO, "entry 0x24",
			"Look again" },
		{ unread_card, "card-runs", MP_CARD_UNKNOWN, "could not",
			"iomem=relaxed" },
		{ asleep, "card-runs", MP_CARD_NO, "asleep", "Bring" },
		{ dead, "card-runs", MP_CARD_NO, "zeros", "Bring" },
		{ owned, "firmware-leaves-it", MP_CARD_NO, "offers DMA", "1.5.7" },
		{ owner_unknown, "firmware-leaves-it", MP_CARD_UNKNOWN, "not known",
			"again" },
		{ busy, "nothing-runs", MP_CARD_NO, "read 1", "again" },
		{ memory, "driver-has-written", MP_CARD_NO, "0x100000", "Find out" },
		{ nothing_set, "driver-has-written", MP_CARD_NO, "No message", "load" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		const struct mp_repair *repair;
		const struct mp_repair_condition *its;

		rows[i].spoil();
		repair = plan();
		its = condition(repair, rows[i].id);
		if (its->holds != rows[i].holds || repair->ready ||
			!strstr(its->text, rows[i].text) || !its->remedy ||
			!strstr(its->remedy, rows[i].remedy))
			fail_msg("row %zu: %s is %d: %s -> %s", i, its->id, its->holds,
				its->text, its->remedy ? its->remedy : "(none)");
		tear_down(state);
		set_up(state);
	}
}

/* Whether anybody uses the card was not to be read: no answer is no yes. */
static void test_use_unread(void **state)
{
	(void)state;
	no_vm();
	world.host->use->open_files.know = MP_UNKNOWN;
	assert_int_equal(condition(plan(), "vm-has-it")->holds, MP_CARD_UNKNOWN);
	assert_false(plan()->ready);
	/* That of a VM which was seen is. */
	tear_down(state);
	set_up(state);
	world.host->use->open_files.know = MP_UNKNOWN;
	assert_true(plan()->ready);
}

static void test_message(void **state)
{
	static const struct {
		uint64_t address;
		uint16_t data;
		uint64_t message;
	} rows[] = {
		{ 0xfee00018, 0, 0xfee00010 },
		{ 0xfee00498, 0, 0xfee00490 },
		{ 0xfee00418, 8, 0xfee00510 }, /* with SHV the data are added */
		{ 0xfee00410, 8, 0xfee00410 }, /* without they are not */
		{ 0xfee0001c, 0, 0xfee00014 }, /* bit 15 of the handle */
		{ 0xfeeffff8, 1, 0xfee00014 }, /* 0x7fff + 1 */
		{ 0xfeeffffc, 0, 0xfeeffff4 },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		world.device->msi.address = rows[i].address;
		world.device->msi.data = rows[i].data;
		assert_true(plan()->ready);
		assert_int_equal(plan()->message, rows[i].message);
		tear_down(state);
		set_up(state);
	}
	/* The table is there and has it. */
	table_has(" Remapped Interrupt supported on IOMMU: dmar2\n"
		  " IR table address:100000000\n"
		  " Entry SrcID   DstID    Vct IRTE_high\t\tIRTE_low\n"
		  " 36    86:00.0 00000001 24  0000000000048600\t000000010024000d\n");
	assert_true(plan()->ready);
	assert_non_null(strstr(
		condition(plan(), "message-remapped")->text, "has it for this card"));
}

/* The host's address with SHV, and a vector of the guest as data: an entry of nobody. */
static void test_mixed(void **state)
{
	(void)state;
	for (unsigned i = 0; i < world.card->targets_count; i++) {
		world.card->targets[i].message = MP_MESSAGE_OWN;
		world.card->targets[i].address = world.device->msi.address;
	}
	assert_true(plan()->ready);
	assert_int_equal(plan()->n_writes, 4);
}

static void test_done_already(void **state)
{
	(void)state;
	for (unsigned i = 0; i < world.card->targets_count; i++) {
		world.card->targets[i].message = MP_MESSAGE_OWN;
		world.card->targets[i].address = 0xfee00490;
	}
	/* A register that the driver left alone stays so. */
	world.card->targets[3].message = MP_MESSAGE_NONE;
	world.card->targets[3].address = 0;
	assert_true(plan()->ready);
	assert_int_equal(plan()->n_writes, 0);
	world.card->targets[0].message = MP_MESSAGE_STALE;
	world.card->targets[0].address = 0xfee00418;
	assert_int_equal(plan()->n_writes, 1);
}

static void test_can_be(void **state)
{
	(void)state;
	assert_true(mp_repair_can_be(world.host, world.device, world.profile));
	/* What the VM changes does not matter. */
	no_vm();
	msi_off();
	assert_true(mp_repair_can_be(world.host, world.device, world.profile));
	amd();
	assert_false(mp_repair_can_be(world.host, world.device, world.profile));
	tear_down(state);
	set_up(state);
	no_unit();
	assert_false(mp_repair_can_be(world.host, world.device, world.profile));
	tear_down(state);
	set_up(state);
	no_profile();
	assert_false(mp_repair_can_be(world.host, world.device, world.profile));
}

/* --- writing --- */

static struct {
	uint32_t words[0x100 / 4];
	unsigned accesses, fail_at; /* 0: never */
	bool deaf;                  /* writes do nothing */
	unsigned writes;
} bar;

static bool access_fails(void)
{
	return ++bar.accesses == bar.fail_at;
}

static bool fake_read(void *user, unsigned n, uint64_t offset, uint32_t *value)
{
	(void)user;
	assert_int_equal(n, 0);
	assert_true(offset % 4 == 0 && offset < sizeof(bar.words));
	*value = bar.words[offset / 4];
	return !access_fails();
}

static bool fake_write(void *user, unsigned n, uint64_t offset, uint32_t value)
{
	(void)user;
	assert_int_equal(n, 0);
	assert_true(offset % 4 == 0 && offset < sizeof(bar.words));
	if (access_fails())
		return false;
	bar.writes++;
	if (!bar.deaf)
		bar.words[offset / 4] = value;
	return true;
}

static const struct mp_card_io fake = { NULL, fake_read, fake_write };
static const unsigned lows[] = { 0x60, 0x68, 0xcc, 0xd4 };

static void fill(void)
{
	memset(&bar, 0, sizeof(bar));
	for (size_t i = 0; i < G_N_ELEMENTS(lows); i++)
		bar.words[lows[i] / 4] = 0xfee00000;
}

static void assert_all(uint32_t value)
{
	for (size_t i = 0; i < G_N_ELEMENTS(lows); i++) {
		assert_int_equal(bar.words[lows[i] / 4], value);
		assert_int_equal(bar.words[lows[i] / 4 + 1], 0);
	}
}

static void test_apply(void **state)
{
	const struct mp_repair *repair = plan();
	g_autoptr(GError) error = NULL;

	(void)state;
	fill();
	assert_true(mp_repair_apply(repair, &fake, &error));
	assert_null(error);
	assert_all(0xfee00490);
	/* One write each: never half an address. */
	assert_int_equal(bar.writes, 4);
	mp_repair_undo(repair, &fake);
	assert_all(0xfee00000);
	/* What somebody has written since is his. */
	assert_true(mp_repair_apply(repair, &fake, &error));
	bar.words[0x68 / 4] = 0xfee01000;
	mp_repair_undo(repair, &fake);
	assert_int_equal(bar.words[0x68 / 4], 0xfee01000);
	assert_int_equal(bar.words[0x60 / 4], 0xfee00000);
}

static void test_apply_fails(void **state)
{
	const struct mp_repair *repair = plan();
	unsigned all;

	(void)state;
	fill();
	assert_true(mp_repair_apply(repair, &fake, NULL));
	all = bar.accesses;
	for (unsigned n = 1; n <= all; n++) {
		g_autoptr(GError) error = NULL;

		fill();
		bar.fail_at = n;
		assert_false(mp_repair_apply(repair, &fake, &error));
		assert_true(g_error_matches(error, MP_ERROR, MP_ERROR_CHANGED));
		assert_non_null(strstr(error->message, "0000:86:00.0: not repaired"));
		assert_all(0xfee00000);
	}
}

static void test_apply_raced(void **state)
{
	g_autoptr(GError) error = NULL;

	(void)state;
	fill();
	bar.words[0xcc / 4] = 0xfee00418;
	assert_false(mp_repair_apply(plan(), &fake, &error));
	assert_non_null(strstr(error->message, "by somebody else meanwhile"));
	assert_int_equal(bar.words[0x60 / 4], 0xfee00000);
	assert_int_equal(bar.words[0xcc / 4], 0xfee00418);
}

static void test_apply_deaf(void **state)
{
	g_autoptr(GError) error = NULL;

	(void)state;
	fill();
	bar.deaf = true;
	assert_false(mp_repair_apply(plan(), &fake, &error));
	assert_non_null(strstr(error->message, "does not hold what was written"));
}

static void test_still_holds(void **state)
{
	const struct mp_repair *repair = plan();
	struct mp_pci after = *world.device;

	(void)state;
	assert_true(mp_repair_still_holds(repair, &after));
	after.msi.enabled = false;
	assert_false(mp_repair_still_holds(repair, &after));
	after = *world.device;
	after.msi.address += 0x20;
	assert_false(mp_repair_still_holds(repair, &after));
	after = *world.device;
	after.msi.vectors_enabled = 4;
	assert_false(mp_repair_still_holds(repair, &after));
	after = *world.device;
	after.msi.data = 1;
	assert_false(mp_repair_still_holds(repair, &after));
}

int main(void)
{
#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		ROW(test_ready),
		ROW(test_missing),
		ROW(test_use_unread),
		ROW(test_message),
		ROW(test_mixed),
		ROW(test_done_already),
		ROW(test_can_be),
		ROW(test_apply),
		ROW(test_apply_fails),
		ROW(test_apply_raced),
		ROW(test_apply_deaf),
		ROW(test_still_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
