/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A card is made ready for a VM: on a model of a card with a clock of its own, and with each
 * of its parts failing.
 */
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "core/pci.h"
#include "core/ready.h"

#define AREA 0x8000u

static struct {
	/* the card */
	uint32_t edma[1024], control[0x10000 / 4];
	uint16_t command, vendor;
	const char *power, *methods;
	char *set_methods; /* by a write of reset_method */
	bool wakes_up;
	bool sticky;      /* a reset leaves window and messages */
	bool stubborn;    /* they cannot be written at all */
	bool stays_dead;  /* no firmware after a reset */
	bool stays_away;  /* nor does it answer */
	bool never_away;  /* the magic numbers outlive the reset */
	uint64_t away_ms; /* the firmware is not there for so long after a reset */
	/* the machine */
	uint64_t now, reset_at;
	unsigned resets;
	const char *broken; /* this attribute, or "config" or "memory", fails */
	int broken_errno;
	unsigned broken_times; /* 0: for ever */
	GString *said, *done;
} m;

static bool is_broken(const char *what)
{
	if (!m.broken || strcmp(m.broken, what) != 0)
		return false;
	if (m.broken_times && !--m.broken_times)
		m.broken = NULL;
	return true;
}

static void follow_time(void)
{
	bool away = m.resets && (m.stays_dead || m.now < m.reset_at + m.away_ms) &&
		    !m.never_away;

	m.control[0x2b8 / 4] = away ? 0 : 0xbac1;
	m.control[0x2e8 / 4] = away ? 0 : 0xb5b5;
	if (m.resets && m.stays_away)
		m.vendor = m.command = 0xffff;
}

static bool read_word(void *user, unsigned bar, uint64_t offset, uint32_t *value)
{
	(void)user;
	follow_time();
	*value = bar ? m.control[offset / 4] : m.edma[offset / 4];
	return true;
}

static bool write_word(void *user, unsigned bar, uint64_t offset, uint32_t value)
{
	(void)user;
	if (m.stubborn)
		return true;
	if (bar)
		m.control[offset / 4] = value;
	else
		m.edma[offset / 4] = value;
	return true;
}

static const struct mp_card_io memory = { NULL, read_word, write_word };

static int read_attribute(void *user, const char *name, char **text)
{
	(void)user;
	if (is_broken(name))
		return -m.broken_errno;
	if (!strcmp(name, "power_state"))
		*text = g_strdup(m.power);
	else if (!strcmp(name, "reset_method") && m.methods)
		*text = g_strdup(m.methods);
	else
		return -ENOENT;
	return 0;
}

static int write_attribute(void *user, const char *name, const char *text)
{
	(void)user;
	if (is_broken(name))
		return -m.broken_errno;
	g_string_append_printf(m.done, "%s=%s ", name, text);
	if (!strcmp(name, "power/control") && m.wakes_up)
		m.power = "D0";
	if (strcmp(name, "reset") != 0)
		return 0;
	/* Memory must not be decoded, nor DMA be possible, by a card that is reset; what the
	 * tests ask is that nobody else had to take care of bus mastering. */
	assert_false(m.command & 4);
	m.resets++;
	m.reset_at = m.now;
	if (!m.sticky) {
		memset(m.edma, 0, sizeof(m.edma));
		m.edma[2] = 0x40004;
		memset(&m.control[AREA / 4], 0, 64);
	}
	return 0;
}

static int read_config(void *user, unsigned offset, uint16_t *value)
{
	(void)user;
	follow_time();
	if (is_broken("config"))
		return -m.broken_errno;
	*value = offset ? m.command : m.vendor;
	return 0;
}

static int write_config(void *user, unsigned offset, uint16_t value)
{
	(void)user;
	assert_int_equal(offset, 4);
	m.command = value;
	return 0;
}

static const struct mp_card_io *open_memory(void *user, GError **error)
{
	(void)user;
	assert_true(m.command & 2);
	if (!is_broken("memory"))
		return &memory;
	g_set_error(error, MP_ERROR, MP_ERROR_IO, "resource0: cannot map: not permitted");
	return NULL;
}

static void close_memory(void *user)
{
	(void)user;
}

static uint64_t now(void *user)
{
	(void)user;
	return m.now;
}

static void wait_a_while(void *user, unsigned milliseconds)
{
	(void)user;
	m.now += milliseconds;
}

static void say(void *user, const char *line)
{
	(void)user;
	g_string_append_printf(m.said, "%s\n", line);
}

static const struct mp_ready_io io = { NULL, read_attribute, write_attribute, read_config,
	write_config, open_memory, close_memory, now, wait_a_while };

static const struct mp_pci device = { .bdf = "0000:01:00.0" };
static struct mp_profile *profile;

static int set_up(void **state)
{
	static const char yaml[] = "name: x\ntitle: x\nstate: metis\n"
				   "interrupts:\n  delivery: device-programmed\n"
				   "reset:\n  prefer: [bus, flr]\n  settle_ms: 5000\n";

	(void)state;
	memset(&m, 0, sizeof(m));
	m.command = 6;
	m.vendor = 0x1f9d;
	m.power = "D3hot";
	m.wakes_up = true;
	m.methods = "flr pm bus";
	m.away_ms = 700;
	m.edma[2] = 0x40004;
	m.control[0x200 / 4] = 0x601;
	m.control[0x2c0 / 4] = AREA;
	m.control[0x2f0 / 4] = AREA + 0x100;
	m.said = g_string_new(NULL);
	m.done = g_string_new(NULL);
	profile = mp_profile_parse("x", yaml, strlen(yaml), NULL);
	assert_non_null(profile);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	g_string_free(m.said, TRUE);
	g_string_free(m.done, TRUE);
	mp_profile_free(profile);
	return 0;
}

/* What the host's driver left behind. */
static void arm(void)
{
	m.control[AREA / 4] = 1;
	m.control[AREA / 4 + 2] = 0x49800000;
	m.control[AREA / 4 + 3] = 1;
	m.edma[0x060 / 4] = 0xfee00518;
}

static bool make(bool waived, GError **error)
{
	const struct mp_ready ready = { .device = &device,
		.profile = profile,
		.unread_is_fine = waived,
		.say = say };

	return mp_ready_make(&ready, &io, error);
}

static void refused(const char *why)
{
	g_autoptr(GError) error = NULL;

	assert_false(make(false, &error));
	if (!strstr(error->message, why))
		fail_msg("'%s' says nothing of '%s'", error->message, why);
	assert_true(g_str_has_prefix(error->message, "0000:01:00.0 "));
	assert_false(m.resets && m.command != 0xffff && m.command & 4);
}

static void a_clean_card(void **state)
{
	(void)state;
	assert_true(make(false, NULL));
	assert_string_equal(
		m.done->str, "power/control=on reset_method=bus flr pm reset=1 ");
	assert_string_equal(m.said->str,
		"0000:01:00.0: reset (by the first of 'bus flr pm' that works)\n");
	assert_int_equal(m.command, 2);
	/* Its firmware was seen to come back, so the profile's five seconds are not waited. */
	assert_in_range(m.now, 700, 900);
}

/* What can be read right after a reset may be from before. */
static void a_card_that_was_never_away(void **state)
{
	(void)state;
	m.never_away = true;
	assert_true(make(false, NULL));
	assert_in_range(m.now, 5000, 5200);
}

static void an_armed_card(void **state)
{
	(void)state;
	arm();
	assert_true(make(false, NULL));
	assert_non_null(
		strstr(m.said->str, "its window into memory was open, to 0x149800000\n"));
	assert_non_null(strstr(m.said->str,
		"an interrupt message was left in it (write channels, done: 0xfee00518, stale)\n"));
	assert_non_null(strstr(m.said->str, "made quiet"));
	assert_int_equal(m.control[AREA / 4], 0);
	assert_int_equal(m.edma[0x060 / 4], 0);
}

static void a_card_that_stays_armed(void **state)
{
	(void)state;
	arm();
	m.sticky = m.stubborn = true;
	refused("its window into memory is open, to 0x149800000, and it stays so after all");
	assert_int_equal(m.resets, 1);
}

static void a_card_that_no_reset_reaches(void **state)
{
	(void)state;
	arm();
	m.methods = NULL;
	assert_true(make(false, NULL));
	assert_int_equal(m.resets, 0);
	assert_non_null(
		strstr(m.said->str, "cannot be reset: the kernel knows no way for it"));
	arm();
	m.stubborn = true;
	refused("its window into memory is open");
}

static void cards_that_do_not_come_back(void **state)
{
	(void)state;
	m.stays_dead = true;
	refused("has no running firmware 15 s after its reset (the host window of the control "
		"block has not its magic number)");
	tear_down(NULL);
	set_up(NULL);
	m.stays_away = true;
	refused("does not answer after its reset");
}

static void cards_that_do_not_answer(void **state)
{
	(void)state;
	m.wakes_up = false;
	refused("does not wake up (it is in D3hot)");
	m.wakes_up = true;
	m.command = m.vendor = 0xffff;
	refused("does not answer, its configuration space reads as all ones");
	assert_int_equal(m.resets, 0);
}

static void a_slow_card(void **state)
{
	(void)state;
	m.away_ms = 12000;
	assert_true(make(false, NULL));
	assert_in_range(m.now, 12000, 12200);
}

static void unread_is_not_clean(void **state)
{
	(void)state;
	m.broken = "memory";
	refused("cannot be looked into, so that nobody knows whether it would write into memory "
		"of others (resource0: cannot map: not permitted)");
	assert_true(make(true, NULL));
	assert_non_null(strstr(m.said->str, "not looked into (waived)"));
	assert_int_equal(m.resets, 1);
}

static void each_write_that_fails(void **state)
{
	static const struct {
		const char *what;
		int err;
		unsigned times;
		const char *why; /* NULL: it goes on */
	} cases[] = {
		{ "power/control", EIO, 0, "cannot be kept awake" },
		{ "power/control", ENOENT, 0, NULL },
		{ "power_state", EIO, 0, "does not say whether it is awake" },
		{ "power_state", ENOENT, 0, NULL },
		{ "config", EIO, 0, "cannot be kept from bus mastering" },
		{ "reset_method", EIO, 0, "does not say how it can be reset" },
		{ "reset", EIO, 0, "could not be reset (Input/output error); switch" },
		{ "reset", ENOTTY, 0, "could not be reset" },
		{ "reset", ENODEV, 0, "could not be reset" },
		{ "reset", EAGAIN, 3, NULL },
		{ "reset", EAGAIN, 0, "something else works on it: try again" },
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		tear_down(NULL);
		set_up(NULL);
		m.power = "D0";
		m.broken = cases[i].what;
		m.broken_errno = cases[i].err;
		m.broken_times = cases[i].times;
		if (cases[i].why)
			refused(cases[i].why);
		else
			assert_true(make(false, NULL));
	}
}

/* The order of methods cannot be set: the kernel's is as good as any, and said. */
static void an_order_that_cannot_be_set(void **state)
{
	(void)state;
	m.methods = "bus flr pm";
	assert_true(make(false, NULL));
	assert_null(strstr(m.done->str, "reset_method="));
}

static void silence_without_a_reset(void **state)
{
	const struct mp_ready ready = {
		.device = &device, .profile = profile, .say = say
	};
	g_autoptr(GError) error = NULL;

	(void)state;
	arm();
	assert_true(mp_ready_quiet(&ready, &io, NULL));
	assert_int_equal(m.resets, 0);
	assert_int_equal(m.control[AREA / 4], 0);
	assert_int_equal(m.command & 4, 0);
	arm();
	m.stubborn = true;
	assert_false(mp_ready_quiet(&ready, &io, &error));
	assert_non_null(strstr(error->message, "its window into memory is open"));
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_clean_card),
		TEST(a_card_that_was_never_away),
		TEST(an_armed_card),
		TEST(a_card_that_stays_armed),
		TEST(a_card_that_no_reset_reaches),
		TEST(cards_that_do_not_come_back),
		TEST(cards_that_do_not_answer),
		TEST(a_slow_card),
		TEST(unread_is_not_clean),
		TEST(each_write_that_fails),
		TEST(an_order_that_cannot_be_set),
		TEST(silence_without_a_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
