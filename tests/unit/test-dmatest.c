/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the guest's kernel module says, and running its cases: against a made-up sysfs in which
 * a thread plays the module. Its attributes "cases" and "run" are pipes, so that whoever writes
 * there waits for it.
 */
#include "config.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>

#include "core/dmatest.h"
#include "core/error.h"
#include "core/finding.h"
#include "guest/attribute.h"
#include "guest/dmatest.h"
#include "unit.h"
#include "sysroot.h"

#define BDF  "0000:01:00.0"
#define HERE "sys/bus/pci/devices/" BDF "/dmatest/"

/* --- the words --- */

static GPtrArray *new_results(void)
{
	return g_ptr_array_new_with_free_func((GDestroyNotify)mp_case_result_free);
}

static void test_cases_are_those_of_the_contract(void **state)
{
	static const char *const names[] = { DMATEST_CASES };
	size_t n;
	const struct mp_case *const *all = mp_dmatest_cases(&n);

	(void)state;
	assert_int_equal(n, G_N_ELEMENTS(names));
	for (size_t i = 0; i < n; i++) {
		assert_string_equal(all[i]->name, names[i]);
		assert_non_null(all[i]->title);
		assert_false(all[i]->isolation);
	}
}

static void test_results(void **state)
{
	static const char text[] =
		"1 dma-read pass bytes=4096 duration_ns=70 latency_count=3 latency_min_ns=10 "
		"latency_median_ns=20 latency_max_ns=30 rate_min=1 rate_median=2 rate_max=3 -- "
		"it read -- all of it\n"
		"2 irq-vectors fail vectors=32 arrived=1 -- 31 did not arrive\n"
		"1000 quiet skip -- not asked\n"
		"truncated\n";
	g_autoptr(GPtrArray) results = new_results();
	g_autoptr(GError) error = NULL;
	bool truncated;

	(void)state;
	assert_true(mp_dmatest_parse_results(
		text, sizeof(text) - 1, results, &truncated, &error));
	assert_true(truncated);
	assert_int_equal(results->len, 3);
	const struct mp_case_result *r = results->pdata[0];

	assert_string_equal(r->name, "dma-read");
	assert_string_equal(r->summary, "it read -- all of it");
	assert_int_equal(r->verdict, MP_CASE_PASS);
	assert_int_equal(r->round, 1);
	assert_int_equal(r->bytes, 4096);
	assert_int_equal(r->duration_ns, 70);
	assert_int_equal(r->latency_ns.count, 3);
	assert_int_equal(r->latency_ns.median, 20);
	assert_int_equal(r->bytes_per_second.max, 3);
	assert_null(r->remedy);
	r = results->pdata[1];
	assert_int_equal(r->verdict, MP_CASE_FAIL);
	assert_non_null(strstr(r->remedy, "dma_poll=1"));
	assert_int_equal(r->evidence->len, 1);
	assert_string_equal(((struct mp_evidence *)r->evidence->pdata[0])->value,
		"vectors tried: 32, arrived: 1");
	r = results->pdata[2];
	assert_int_equal(r->verdict, MP_CASE_SKIP);
	assert_int_equal(r->round, 1000);
	assert_int_equal(r->latency_ns.count, 0);
}

/* Its own numbers say otherwise. */
static void test_contradiction_is_no_pass(void **state)
{
	static const char text[] = "1 irq-vectors pass vectors=32 arrived=31 -- fine\n";
	g_autoptr(GPtrArray) results = new_results();
	bool truncated;

	(void)state;
	assert_true(mp_dmatest_parse_results(
		text, sizeof(text) - 1, results, &truncated, NULL));
	assert_int_equal(
		((struct mp_case_result *)results->pdata[0])->verdict, MP_CASE_FAIL);
}

static void test_nothing_is_no_failure(void **state)
{
	g_autoptr(GPtrArray) results = new_results();
	bool truncated;

	(void)state;
	assert_true(mp_dmatest_parse_results("", 0, results, &truncated, NULL));
	assert_int_equal(results->len, 0);
	assert_false(truncated);
}

static void test_malformed_results(void **state)
{
	static const char good[] = "1 dma-read pass -- fine\n";
	static const char *const bad[] = {
		"1 dma-read pass -- no end",
		"\n",
		"dma-read pass -- no round\n",
		"0 dma-read pass -- round 0\n",
		"1001 dma-read pass -- round too high\n",
		"-1 dma-read pass -- sign\n",
		"1 dma-unknown pass -- no such case\n",
		"1 dma-read passed -- no such verdict\n",
		"1 dma-read pass fine\n",
		"1 dma-read pass --\n",
		"1 dma-read pass -- \n",
		"1 dma-read pass -- tab\there\n",
		"1 dma-read pass -- \xc3\xa4\n",
		"1 dma-read pass -- \x1b[31mred\n",
		"1  dma-read pass -- two spaces\n",
		"1 dma-read pass bytes -- no number\n",
		"1 dma-read pass bytes= -- no number\n",
		"1 dma-read pass bytes=0x10 -- not decimal\n",
		"1 dma-read pass bytes=-1 -- sign\n",
		"1 dma-read pass bytes=18446744073709551616 -- too large\n",
		"1 dma-read pass bytes=1 bytes=2 -- twice\n",
		"1 dma-read pass byte=1 -- no such key\n",
		"1 dma-read pass bytess=1 -- no such key\n",
		"1 dma-read pass latency_count=1 latency_min_ns=1 -- a part\n",
		"1 dma-read pass latency_count=1 latency_min_ns=2 latency_median_ns=1 "
		"latency_max_ns=3 -- order\n",
		"1 irq-vectors pass vectors=4096 arrived=4096 -- too many\n",
		"truncated\n1 dma-read pass -- not the last\n",
		"truncated \n",
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autofree char *text = g_strconcat(good, bad[i], NULL);
		g_autoptr(GPtrArray) results = new_results();
		g_autoptr(GError) error = NULL;
		bool truncated;

		if (mp_dmatest_parse_results(
			    text, strlen(text), results, &truncated, &error))
			fail_msg("taken: %s", bad[i]);
		assert_int_equal(results->len, 0);
		assert_int_equal(error->code, MP_ERROR_INPUT);
		assert_non_null(strstr(error->message, DMATEST_MODULE));
	}
	g_autoptr(GPtrArray) results = new_results();
	bool truncated;

	assert_false(mp_dmatest_parse_results(
		"1 quiet pass -- a\0b\n", 21, results, &truncated, NULL));
}

static void test_limits(void **state)
{
	static const char good[] = "transfer_max 4096\naddress_bits 28\ninterrupt msix\n"
				   "vectors_wanted 32\nvectors_granted 1\n";
	static const char *const bad[] = {
		"",
		"transfer_max 4096\naddress_bits 28\nvectors_wanted 32\nvectors_granted 1\n",
		"transfer_max 4096\naddress_bits 28\ninterrupt msi\nvectors_wanted 32\n",
		"transfer_max 4096\ntransfer_max 1\naddress_bits 28\ninterrupt msi\n"
		"vectors_wanted 32\nvectors_granted 1\n",
		"transfer_max 4096\naddress_bits 65\ninterrupt msi\nvectors_wanted 1\n"
		"vectors_granted 1\n",
		"transfer_max 4096\naddress_bits 28\ninterrupt smoke\nvectors_wanted 1\n"
		"vectors_granted 1\n",
		"transfer_max\n",
		"color 4\n",
	};
	struct mp_dmatest_limits limits;

	(void)state;
	assert_true(mp_dmatest_parse_limits(good, sizeof(good) - 1, &limits, NULL));
	assert_int_equal(limits.transfer_max, 4096);
	assert_int_equal(limits.address_bits, 28);
	assert_string_equal(limits.interrupt, "msix");
	assert_int_equal(limits.vectors_wanted, 32);
	assert_int_equal(limits.vectors_granted, 1);
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		if (mp_dmatest_parse_limits(bad[i], strlen(bad[i]), &limits, NULL))
			fail_msg("taken: %s", bad[i]);
}

/* --- the module, as a thread plays it --- */

struct module {
	struct sysroot s;
	struct mp_target *target;
	struct mp_selftest_options options;
	struct mp_dmatest_run run;
	GPtrArray *results;
	GThread *thread;
	char *cases_path, *run_path;
	int stop[2];     /* closed: the thread ends */
	const char *odd; /* the case in which it does ODDITY */
	void (*oddity)(struct module *m, const char *name);
	unsigned told, ticks, stop_at_tick, stop_at_case;
};

static void put(struct module *m, const char *name, const char *text)
{
	g_autofree char *path = g_strconcat(HERE, name, NULL);

	sysroot_text(&m->s, path, text);
}

static void say(struct module *m, const char *name, const char *verdict)
{
	g_autofree char *line =
		g_strdup_printf("1 %s %s bytes=4096 -- as told\n", name, verdict);

	put(m, "results", line);
	put(m, "state", "done\n");
}

/*
 * Waits for whoever writes to PATH; that write is over when this is. A writer may have been
 * killed before it came here: false, at the end of the test.
 */
static bool take(struct module *m, const char *path, char text[static 64])
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct pollfd fds[] = { { .fd = fd, .events = POLLIN },
		{ .fd = m->stop[0], .events = POLLIN } };
	ssize_t got, size = 0;

	assert_true(fd >= 0);
	while (poll(fds, 2, -1) < 0)
		;
	/* A pipe without a writer has ended; one that does not write yet has not. */
	while (fds[0].revents &&
		((got = read(fd, text + size, (size_t)(63 - size))) > 0 || got < 0))
		size += MAX(got, 0);
	text[size] = '\0';
	close(fd);
	return size > 0;
}

static void take_run(struct module *m)
{
	char byte[64];

	take(m, m->run_path, byte);
}

/* Whoever writes to "cases" waits until "run" was left, and the other way round. */
static void *play(void *data)
{
	struct module *m = data;
	char name[64];

	while (take(m, m->cases_path, name)) {
		if (m->odd && !strcmp(m->odd, name)) {
			m->oddity(m, name);
			continue;
		}
		say(m, name, "pass");
		take_run(m);
	}
	return NULL;
}

static bool progress(void *user, const char *name, unsigned number, unsigned round)
{
	struct module *m = user;

	if (name) {
		assert_true(number > 0 && round > 0);
		m->told++;
		return !m->stop_at_case || m->told < m->stop_at_case;
	}
	m->ticks++;
	return !m->stop_at_tick || m->ticks < m->stop_at_tick;
}

static int setup(void **state)
{
	struct module *m = g_new0(struct module, 1);

	sysroot_init(&m->s);
	put(m, "abi", "1\n");
	put(m, "engine", "edu\n");
	put(m, "limits",
		"transfer_max 4096\naddress_bits 28\ninterrupt msi\nvectors_wanted 1\n"
		"vectors_granted 1\n");
	put(m, "bytes", "");
	put(m, "rounds", "");
	put(m, "state", "idle\n");
	put(m, "results", "");
	m->cases_path = g_build_filename(m->s.path, HERE "cases", NULL);
	m->run_path = g_build_filename(m->s.path, HERE "run", NULL);
	assert_int_equal(mkfifo(m->run_path, 0600), 0);
	assert_int_equal(mkfifo(m->cases_path, 0600), 0);
	assert_int_equal(pipe(m->stop), 0);
	m->thread = g_thread_new("module", play, m);
	m->target = mp_target_open(m->s.path, NULL);
	assert_non_null(m->target);
	m->options = (struct mp_selftest_options){ .rounds = 1, .bytes = 4096 };
	m->results = new_results();
	m->run = (struct mp_dmatest_run){
		.target = m->target,
		.address = BDF,
		.options = &m->options,
		.progress = progress,
		.user = m,
	};
	*state = m;
	return 0;
}

static int teardown(void **state)
{
	struct module *m = *state;

	close(m->stop[1]);
	g_thread_join(m->thread);
	close(m->stop[0]);
	g_ptr_array_unref(m->results);
	mp_target_free(m->target);
	sysroot_clear(&m->s);
	g_free(m->cases_path);
	g_free(m->run_path);
	g_free(m);
	return 0;
}

static const struct mp_case_result *result(const struct module *m, guint n)
{
	assert_true(n < m->results->len);
	return m->results->pdata[n];
}

static void test_all_cases(void **state)
{
	struct module *m = *state;
	g_autoptr(GError) error = NULL;
	g_autofree char *bytes_path = g_build_filename(m->s.path, HERE "bytes", NULL);
	g_autofree char *bytes = NULL;
	size_t n;

	mp_dmatest_cases(&n);
	m->options.rounds = 2;
	m->options.bytes = 8192;
	if (!mp_dmatest_run(&m->run, m->results, &error))
		fail_msg("%s", error->message);
	assert_int_equal(m->results->len, 2 * n);
	assert_int_equal(m->told, 2 * n);
	assert_string_equal(m->run.engine, "edu");
	assert_string_equal(m->run.limits.interrupt, "msi");
	assert_string_equal(result(m, 0)->name, "dma-read");
	assert_int_equal(result(m, 0)->round, 1);
	assert_string_equal(result(m, (guint)n)->name, "dma-read");
	assert_int_equal(result(m, (guint)n)->round, 2);
	assert_true(g_file_get_contents(bytes_path, &bytes, NULL, NULL));
	assert_string_equal(bytes, "8192");
}

static void test_some_cases(void **state)
{
	struct module *m = *state;

	m->options.cases = "irq-*";
	assert_int_equal(mp_dmatest_count(&m->options), 2);
	assert_true(mp_dmatest_run(&m->run, m->results, NULL));
	assert_int_equal(m->results->len, 2);
	assert_string_equal(result(m, 1)->name, "irq-polling");
}

static void refuses(
	struct module *m, const char *attribute, const char *text, const char *because)
{
	g_autoptr(GError) error = NULL;

	put(m, attribute, text);
	assert_false(mp_dmatest_run(&m->run, m->results, &error));
	assert_int_equal(m->results->len, 0);
	if (!strstr(error->message, because))
		fail_msg("%s", error->message);
}

static void test_another_abi(void **state)
{
	refuses(*state, "abi", "2\n", "speaks version '2'");
}

static void test_no_abi(void **state)
{
	refuses(*state, "abi", "\n", "speaks version ''");
}

static void test_another_engine(void **state)
{
	refuses(*state, "engine", "steam\n", "drives it by 'steam'");
}

static void test_wanted_engine(void **state)
{
	struct module *m = *state;

	m->run.wanted = "dw-edma";
	refuses(m, "engine", "edu\n", "the module drives it by edu");
	m->run.wanted = "edu";
	m->options.cases = "quiet";
	assert_true(mp_dmatest_run(&m->run, m->results, NULL));
}

static void test_bad_limits(void **state)
{
	refuses(*state, "limits", "transfer_max many\n", "'limits' cannot be trusted");
}

static void test_not_there(void **state)
{
	struct module *m = *state;
	g_autoptr(GError) error = NULL;

	m->run.address = "0000:02:00.0";
	assert_false(mp_dmatest_run(&m->run, m->results, &error));
	assert_non_null(strstr(error->message, "0000:02:00.0: cannot read 'abi'"));
}

/* --- oddities --- */

static void answer_another(struct module *m, const char *name)
{
	(void)name;
	say(m, "quiet", "pass");
	take_run(m);
}

/* A pass of another case is not taken for one of this. */
static void test_wrong_answer(void **state)
{
	struct module *m = *state;

	m->odd = "dma-write";
	m->oddity = answer_another;
	m->options.cases = "dma-write";
	assert_true(mp_dmatest_run(&m->run, m->results, NULL));
	assert_string_equal(result(m, 0)->name, "dma-write");
	assert_int_equal(result(m, 0)->verdict, MP_CASE_FAIL);
}

static void answer_nonsense(struct module *m, const char *name)
{
	(void)name;
	put(m, "results", "1 dma-write passed\n");
	take_run(m);
}

static void test_malformed_answer(void **state)
{
	struct module *m = *state;
	g_autoptr(GError) error = NULL;

	m->odd = "dma-write";
	m->oddity = answer_nonsense;
	assert_false(mp_dmatest_run(&m->run, m->results, &error));
	assert_non_null(strstr(error->message, "'results' cannot be trusted: line 1"));
	/* What it said before stays. */
	assert_int_equal(m->results->len, 1);
}

static void die(struct module *m, const char *name)
{
	say(m, name, "fail");
	put(m, "state", "dead\n");
	take_run(m);
}

static void test_dead_device(void **state)
{
	struct module *m = *state;

	m->odd = "dma-coherent";
	m->oddity = die;
	assert_true(mp_dmatest_run(&m->run, m->results, NULL));
	assert_int_equal(m->results->len, 3);
	assert_int_equal(result(m, 2)->verdict, MP_CASE_FAIL);
	assert_int_equal(result(m, 2)->evidence->len, 1);
}

static void never_answer(struct module *m, const char *name)
{
	(void)name;
	put(m, "state", "interrupted\n");
}

/* The writer waits; it is killed, and the module says that the device is quiet. */
static void test_stopped(void **state)
{
	struct module *m = *state;
	g_autoptr(GError) error = NULL;

	m->options.cases = "dma-write";
	m->odd = "dma-write";
	m->oddity = never_answer;
	m->stop_at_tick = 2;
	assert_false(mp_dmatest_run(&m->run, m->results, &error));
	assert_true(m->run.stopped);
	assert_int_equal(m->results->len, 0);
	assert_non_null(strstr(error->message, "interrupted; the device was quieted"));
}

static void keep_running(struct module *m, const char *name)
{
	(void)name;
	put(m, "state", "running dma-write\n");
}

static void test_stopped_and_not_quiet(void **state)
{
	struct module *m = *state;
	g_autoptr(GError) error = NULL;

	m->options.cases = "dma-write";
	m->odd = "dma-write";
	m->oddity = keep_running;
	m->stop_at_tick = 2;
	assert_false(mp_dmatest_run(&m->run, m->results, &error));
	assert_false(m->run.stopped);
	assert_non_null(strstr(error->message, "quiet is not known"));
}

static void test_out_of_time(void **state)
{
	struct module *m = *state;
	g_autoptr(GError) error = NULL;

	m->options.cases = "dma-write";
	m->odd = "dma-write";
	m->oddity = never_answer;
	m->run.seconds = 1;
	assert_false(mp_dmatest_run(&m->run, m->results, &error));
	assert_false(m->run.stopped);
	assert_true(m->run.late);
	assert_non_null(strstr(error->message, "its time was over; the device was"));
}

static void test_stopped_between(void **state)
{
	struct module *m = *state;

	m->stop_at_case = 3;
	assert_false(mp_dmatest_run(&m->run, m->results, NULL));
	assert_true(m->run.stopped);
	assert_int_equal(m->results->len, 2);
}

/* --- one attribute --- */

static void test_attribute_missing(void **state)
{
	struct module *m = *state;
	struct mp_attribute_write write = {
		.target = m->target, .path = HERE "no-such", .text = "1", .seconds = 20
	};
	g_autofree char *path = g_build_filename(m->s.path, HERE "no-such", NULL);

	assert_int_equal(mp_attribute_write(&write), MP_ATTRIBUTE_FAILED);
	assert_int_equal(write.err, ENOENT);
	assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
}

static void test_attribute_late(void **state)
{
	struct module *m = *state;
	struct mp_attribute_write write = {
		.target = m->target, .path = HERE "run", .text = "1", .seconds = 1
	};

	assert_int_equal(mp_attribute_write(&write), MP_ATTRIBUTE_LATE);
	/* It is gone, and was waited for. */
	assert_int_equal(kill(write.pid, 0), -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases_are_those_of_the_contract),
		cmocka_unit_test(test_results),
		cmocka_unit_test(test_contradiction_is_no_pass),
		cmocka_unit_test(test_nothing_is_no_failure),
		cmocka_unit_test(test_malformed_results),
		cmocka_unit_test(test_limits),
		TEST(test_all_cases),
		TEST(test_some_cases),
		TEST(test_another_abi),
		TEST(test_no_abi),
		TEST(test_another_engine),
		TEST(test_wanted_engine),
		TEST(test_bad_limits),
		TEST(test_not_there),
		TEST(test_wrong_answer),
		TEST(test_malformed_answer),
		TEST(test_dead_device),
		TEST(test_stopped),
		TEST(test_stopped_and_not_quiet),
		TEST(test_out_of_time),
		TEST(test_stopped_between),
		TEST(test_attribute_missing),
		TEST(test_attribute_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
