/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The cursor in the kernel's log, on records that are made up. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "core/error.h"
#include "core/klog-private.h"
#include "unit.h"

struct step {
	const char *record; /* NULL: */
	int error;          /* what read() fails with */
	size_t size;        /* 0: strlen(record) */
};

/* One step a read; after the last one nothing comes any more. */
static struct script {
	const struct step *steps;
	unsigned count, at;
	unsigned waits, closed;
	unsigned after_wait; /* steps from here on come only once somebody waited */
	bool endless;        /* the last step again and again */
	int wait_error;
} script;

static ssize_t script_read(void *user, char *record, size_t size)
{
	struct script *s = user;
	const struct step *step;

	if (s->at == s->count && s->endless)
		s->at--;
	if (s->at == s->count || (s->after_wait && s->at >= s->after_wait && !s->waits)) {
		errno = EAGAIN;
		return -1;
	}
	step = &s->steps[s->at++];
	if (!step->record) {
		errno = step->error;
		return -1;
	}
	size_t length = step->size ? step->size : strlen(step->record);

	assert_true(length <= size);
	memcpy(record, step->record, length);
	return (ssize_t)length;
}

static int script_wait(void *user, int milliseconds)
{
	struct script *s = user;

	assert_true(milliseconds > 0);
	s->waits++;
	if (!s->wait_error)
		return s->at < s->count;
	errno = s->wait_error;
	return -1;
}

static void script_close(void *user)
{
	struct script *s = user;

	s->closed++;
}

static const struct mp_klog_source source = {
	.read = script_read,
	.wait = script_wait,
	.close = script_close,
};

static struct mp_klog *open_script(const struct step *steps, unsigned count)
{
	script = (struct script){ .steps = steps, .count = count };
	return mp_klog_from(&source, &script);
}
#define OPEN(steps) open_script(steps, G_N_ELEMENTS(steps))

static void close_script(struct mp_klog *klog)
{
	mp_klog_close(klog);
	assert_int_equal(script.closed, 1);
}

static bool line_is(void *user, const char *line, size_t length)
{
	return length == strlen(user) && !memcmp(line, user, length);
}

static char *take(struct mp_klog *klog, unsigned ms, const char *wanted, bool *lost)
{
	g_autoptr(GString) text = g_string_new(NULL);
	g_autoptr(GError) error = NULL;

	assert_true(mp_klog_read(klog, ms, wanted ? line_is : NULL,
		(void *)(gpointer)wanted, text, lost, &error));
	assert_null(error);
	return g_string_free(g_steal_pointer(&text), FALSE);
}

static void test_records(void **state G_GNUC_UNUSED)
{
	static const struct step steps[] = {
		{ "6,339,5140900,-;NET: Registered protocol\n SUBSYSTEM=net\n DEVICE=n1\n" },
		{ NULL, EINTR },
		{ "4,340,5140901,c;a;b" },
		{ "no semicolon at all" },
		{ ";" },
		{ "" },
	};
	struct mp_klog *klog = OPEN(steps);
	bool lost = false;
	/* The last one, of no bytes, ends what there is. */
	g_autofree char *text = take(klog, 0, NULL, &lost);

	assert_string_equal(text, "NET: Registered protocol\na;b\n\n");
	assert_false(lost);
	assert_int_equal(script.waits, 0);
	close_script(klog);
}

/* A fault of an old kernel: two lines, one record. Each is looked at. */
static void test_lines_of_a_record(void **state G_GNUC_UNUSED)
{
	static const struct step steps[] = {
		{ "4,1,2,-;DMAR:[DMA Write] addr 1\\x0aDMAR:[fault reason 05]\\x0a\n X=y\n" },
		{ "4,2,3,-;a\\x5cb \\x0" },
	};
	struct mp_klog *klog = OPEN(steps);
	bool lost = false;
	g_autofree char *text = take(klog, 1000, "DMAR:[fault reason 05]", &lost);

	assert_string_equal(text,
		"DMAR:[DMA Write] addr 1\nDMAR:[fault reason 05]\n\na\\x5cb \\x0\n");
	assert_int_equal(script.waits, 0);
	close_script(klog);
}

static void test_waits_for_a_match(void **state G_GNUC_UNUSED)
{
	static const struct step steps[] = {
		{ "4,1,1,-;first" },
		{ "4,2,2,-;wanted" },
		{ "4,3,3,-;behind it" },
	};
	struct mp_klog *klog = OPEN(steps);
	bool lost = false;
	g_autofree char *text = NULL, *more = NULL;

	script.after_wait = 1;
	text = take(klog, 60000, "wanted", &lost);
	/* What came with it is there too. */
	assert_string_equal(text, "first\nwanted\nbehind it\n");
	assert_int_equal(script.waits, 1);
	more = take(klog, 0, "wanted", &lost);
	assert_string_equal(more, "");
	close_script(klog);
}

static void test_time_is_over(void **state G_GNUC_UNUSED)
{
	static const struct step steps[] = { { "4,1,1,-;a line" } };
	struct mp_klog *klog = OPEN(steps);
	gint64 start = g_get_monotonic_time();
	bool lost = false;
	g_autofree char *text = take(klog, 30, "another", &lost);

	assert_string_equal(text, "a line\n");
	assert_true(g_get_monotonic_time() - start >= 30 * G_TIME_SPAN_MILLISECOND);
	assert_true(script.waits > 0);
	close_script(klog);
}

/* Overwritten before they were read: told, for ever, and the rest is read. */
static void test_overrun(void **state G_GNUC_UNUSED)
{
	static const struct step steps[] = {
		{ "4,1,1,-;before" },
		{ NULL, EPIPE },
		{ "4,900,2,-;after" },
	};
	struct mp_klog *klog = OPEN(steps);
	bool lost = false;
	g_autofree char *text = take(klog, 0, NULL, &lost), *more = NULL;

	assert_string_equal(text, "before\nafter\n");
	assert_true(lost);
	more = take(klog, 0, NULL, &lost);
	assert_true(lost);
	close_script(klog);
}

static void test_flood(void **state G_GNUC_UNUSED)
{
	g_autofree char *line = g_strnfill(8000, 'x');
	g_autofree char *record = g_strdup_printf("4,1,1,-;%s", line);
	const struct step loud[] = { { record } };
	static const struct step broken[] = { { NULL, EPIPE } };
	bool lost = false;
	struct mp_klog *klog = OPEN(loud);
	char *text;

	script.endless = true;
	text = take(klog, 0, NULL, &lost);
	assert_true(lost);
	/* Bounded: what is told, and how long it takes. */
	assert_in_range(strlen(text), 1024 * 1024, 1024 * 1024 + 8192);
	g_free(text);
	close_script(klog);

	lost = false;
	klog = OPEN(broken);
	script.endless = true;
	text = take(klog, 0, NULL, &lost);
	assert_true(lost);
	assert_string_equal(text, "");
	g_free(text);
	close_script(klog);
}

/* Whatever the bytes are: nothing is read behind them, and no line is made up. */
static void test_hostile(void **state G_GNUC_UNUSED)
{
	char full[8191];
	const struct step steps[] = {
		{ "4,1,1,-;a\0b\n", 0, 12 },
		{ "\xff\xfe;\x1b[31m\x01\n", 0, 0 },
		{ ";;;\\x0a\\x0a", 0, 0 },
		{ full, 0, sizeof(full) },
	};
	struct mp_klog *klog = OPEN(steps);
	bool lost = false;
	g_autofree char *text = NULL;

	memset(full, ';', sizeof(full));
	text = take(klog, 0, "b", &lost);
	assert_true(g_str_has_prefix(text, "a\n\x1b[31m\x01\n;;\n\n\n;;;"));
	assert_int_equal(strlen(text), 2 + 7 + 5 + 8191);
	close_script(klog);
}

static void test_errors(void **state G_GNUC_UNUSED)
{
	static const struct step steps[] = {
		{ "4,1,1,-;x" },
		{ NULL, EPERM },
	};
	g_autoptr(GString) text = g_string_new(NULL);
	g_autoptr(GError) error = NULL, waiting = NULL;
	bool lost = false;
	struct mp_klog *klog = OPEN(steps);

	assert_false(mp_klog_read(klog, 1000, NULL, NULL, text, &lost, &error));
	assert_string_equal(
		error->message, "/dev/kmsg: cannot read: Operation not permitted");
	close_script(klog);

	klog = open_script(NULL, 0);
	script.wait_error = ENOMEM;
	assert_false(mp_klog_read(klog, 1000, NULL, NULL, text, &lost, &waiting));
	assert_string_equal(
		waiting->message, "/dev/kmsg: cannot wait for: Cannot allocate memory");
	close_script(klog);
	assert_false(lost);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_lines_of_a_record),
		cmocka_unit_test(test_waits_for_a_match),
		cmocka_unit_test(test_time_is_over),
		cmocka_unit_test(test_overrun),
		cmocka_unit_test(test_flood),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_errors),
	};

	return cmocka_run_group_tests_name("klog", tests, NULL, NULL);
}
