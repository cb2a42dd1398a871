/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Each tests/logs/NAME.log gives the events in NAME.events, however it is cut into pieces. To renew
 * those (and then read their diff): UPDATE_EVENTS=1 tests/unit/test-event */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "core/event-scan.h"
#include "core/event.h"
#include "unit.h"

static void put_line(void *user, const struct mp_event *event)
{
	static const char *const units[] = { "", "intel", "amd", "smmu" };
	static const char *const directions[] = { "", " read", " write" };
	GString *text = user;

	g_string_append_printf(text, "%" G_GUINT64_FORMAT " %s", event->line,
		mp_event_name(event->kind));
	if (event->unit)
		g_string_append_printf(text, " %s", units[event->unit]);
	if (event->has_segment)
		g_string_append_printf(text, " %04x:%02x:%02x.%x", event->segment,
			event->bus, event->slot, event->function);
	else if (event->has_device)
		g_string_append_printf(text, " ?:%02x:%02x.%x", event->bus, event->slot,
			event->function);
	g_string_append(text, directions[event->direction]);
	if (event->has_address)
		g_string_append_printf(
			text, " address=0x%" G_GINT64_MODIFIER "x", event->address);
	if (event->has_index)
		g_string_append_printf(text, " index=0x%x", event->index);
	if (event->has_reason)
		g_string_append_printf(text, " reason=0x%02x", event->reason);
	if (event->has_flags)
		g_string_append_printf(text, " flags=0x%x", event->flags);
	if (event->has_pasid)
		g_string_append_printf(text, " pasid=0x%x", event->pasid);
	if (event->has_domain)
		g_string_append_printf(text, " domain=0x%x", event->domain);
	if (event->has_stream)
		g_string_append_printf(text, " stream=0x%x", event->stream);
	if (event->has_number)
		g_string_append_printf(text, " number=%" G_GUINT64_FORMAT, event->number);
	if (event->at_least != 1)
		g_string_append_printf(
			text, " at_least=%" G_GUINT64_FORMAT, event->at_least);
	if (*event->detail)
		g_string_append_printf(text, " '%s'", event->detail);
	if (event->unsure)
		g_string_append(text, " unsure");
	if (event->stamp)
		g_string_append_printf(text, " [%s%.*s]",
			event->stamp_kind == MP_STAMP_DATE ? "" : "+",
			(int)event->stamp_length, event->stamp);
	g_string_append_c(text, '\n');
}

/* The events of LOG, a line each, fed in pieces of PIECE bytes. */
static char *events_of(const char *log, size_t size, size_t piece)
{
	GString *text = g_string_new(NULL);
	g_autoptr(mp_event_parser) parser = mp_event_parser_new(put_line, text);

	for (size_t at = 0; at < size; at += piece)
		mp_event_parser_feed(parser, log + at, MIN(piece, size - at));
	mp_event_parser_end(parser);
	return g_string_free(text, FALSE);
}

static void test_logs(void **state G_GNUC_UNUSED)
{
	g_autofree char *path =
		g_build_filename(g_getenv("TOP_SRCDIR"), "tests/logs", NULL);
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	const char *name;
	unsigned logs = 0;

	assert_non_null(dir);
	while ((name = g_dir_read_name(dir))) {
		g_autofree char *file = g_build_filename(path, name, NULL);
		g_autofree char *log = NULL, *golden = NULL, *expected = NULL,
				*seen = NULL;
		size_t size;

		if (!g_str_has_suffix(name, ".log"))
			continue;
		logs++;
		golden = g_strdup_printf("%.*s.events", (int)strlen(file) - 4, file);
		assert_true(g_file_get_contents(file, &log, &size, NULL));
		/* Says where its form comes from. */
		assert_true(g_str_has_prefix(log, "# "));
		seen = events_of(log, size, size);
		if (g_getenv("UPDATE_EVENTS"))
			assert_true(g_file_set_contents(golden, seen, -1, NULL));
		assert_true(g_file_get_contents(golden, &expected, NULL, NULL));
		if (strcmp(seen, expected) != 0)
			fail_msg("%s: expected\n%sseen\n%s", name, expected, seen);
		for (size_t piece = 1; piece < 200; piece += 37) {
			g_autofree char *again = events_of(log, size, piece);

			assert_string_equal(again, expected);
		}
	}
	assert_true(logs >= 60);
}

#define FAULT                                                                            \
	"DMAR: [DMA Write NO_PASID] Request device [86:00.0] fault addr 0x149800000 "    \
	"[fault reason 0x05] PTE Write access is not set"
#define SEEN " dma-fault intel ?:86:00.0 write address=0x149800000 reason=0x05"

static void assert_events(const char *log, const char *expected)
{
	g_autofree char *seen = events_of(log, strlen(log), 4096);

	assert_string_equal(seen, expected);
}

static void test_prefixes(void **state G_GNUC_UNUSED)
{
	static const struct {
		const char *prefix, *stamp;
	} cases[] = {
		{ "", "" },
		{ "[  101.500000] ", " [+101.500000]" },
		{ "<3>[  101.500000] ", " [+101.500000]" },
		{ "<3>", "" },
		{ "[  101.500000][    T0] ", " [+101.500000]" },
		{ "[  101.500000] [    C3] ", " [+101.500000]" },
		{ "[  101.500000] node1 kernel: ", " [+101.500000]" },
		{ "[  101.500000 <    0.000010>] ", " [+101.500000 <    0.000010>]" },
		{ "[  +0.000010] ", " [++0.000010]" },
		{ "[Sun Nov 22 14:01:10 2026] ", " [Sun Nov 22 14:01:10 2026]" },
		{ "[Nov22 14:01] ", " [Nov22 14:01]" },
		{ "Nov 22 14:01:10 node1 kernel: ", " [Nov 22 14:01:10]" },
		{ "Nov  2 14:01:10 node1 kernel: [  101.500000] ", " [Nov  2 14:01:10]" },
		{ "2026-11-22T14:01:10.123456+00:00 node1 kernel: ",
			" [2026-11-22T14:01:10.123456+00:00]" },
		{ "2026-11-22T14:01:10+0000 node1 kernel: [  101.5] ",
			" [2026-11-22T14:01:10+0000]" },
		{ "2026-11-22T14:01:10,123456+00:00 ",
			" [2026-11-22T14:01:10,123456+00:00]" },
		{ "Sun 2026-11-22 14:01:10 UTC node1 kernel: ",
			" [2026-11-22 14:01:10 UTC]" },
		{ "1795356070.123456 node1 kernel: ", " [1795356070.123456]" },
		{ "3,1234,101500000,-;", " [+101500000]" },
		{ "kern  :err   : [  101.500000] ", " [+101.500000]" },
		{ "kern  :info  : ", "" },
		{ "    ", "" },
		{ "> ", "" },
		{ "`", "" },
		{ "\033[32m[  101.500000] \033[0m\033[33m", " [+101.500000]" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *log = g_strconcat(cases[i].prefix, FAULT "\r\n", NULL);
		g_autofree char *expected =
			g_strconcat("1" SEEN, cases[i].stamp, "\n", NULL);

		assert_events(log, expected);
	}
}

/* Who only gets a name printed, or writes to syslog as a program, makes no fault up. */
static void test_injection(void **state G_GNUC_UNUSED)
{
	static const char *const lines[] = {
		"[  1.0] usb 1-1: Product: " FAULT,
		"[  1.0] audit: type=1400 comm=\"" FAULT "\"",
		"Nov 22 14:01:10 node1 sshd[2211]: " FAULT,
		"Nov 22 14:01:10 node1 logger: " FAULT,
		"Nov 22 14:01:10 node1 my app: " FAULT,
		"Nov 22 14:01:10 node1 notkernel: " FAULT,
		"Nov 22 14:01:10 " FAULT,
		"2026-11-22T14:01:10.1+00:00 node1 app[1]: " FAULT,
		"[  1.0] node1 app[1]: " FAULT,
		"user  :err   : [  1.0] " FAULT,
		"<11>" FAULT,
		"12,1,1,-;" FAULT,
		"x" FAULT,
		"[DMA] " FAULT,
		"[  1.0] vfio-pci: " FAULT,
		"[  1.0] evil 0000:86:00.0: " FAULT,
		"[  1.0] a b 0000:00:02.0: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x1 "
		"address=0x1 flags=0x20]",
		"[  1.0] evil: 0000:00:02.0: not ready 65535ms after FLR; giving up",
		/* The kernel counts in an int; a sum of these must not wrap. */
		"[  1.0] dmar_fault: 2147483648 callbacks suppressed",
		"[  1.0] dmar_fault: 9223372036854775807 callbacks suppressed",
	};

	for (size_t i = 0; i < G_N_ELEMENTS(lines); i++)
		assert_events(lines[i], "");
	/* The longest name that a process can have. */
	assert_events("[  1.0] DMAR: [DMA Writ[123]: segfault at 0 ip 0 sp 0\n", "");
}

static void test_hostile(void **state G_GNUC_UNUSED)
{
	g_autofree char *junk = g_malloc(10u << 20);
	g_autoptr(GString) log = g_string_new(NULL);
	g_autofree char *seen = NULL;

	/* A line of 10 MB full of the words, whose begin is a fault; then one more. */
	memset(junk, 'x', 10u << 20);
	for (size_t i = 0; i < (10u << 20) - 64; i += 64)
		memcpy(junk + i, "Request device [fault reason", 28);
	g_string_append(log, FAULT);
	g_string_append_len(log, junk, 10 << 20);
	g_string_append(log, "\n" FAULT "\n");
	seen = events_of(log->str, log->len, 65536);
	assert_string_equal(seen, "1" SEEN "\n2" SEEN "\n");
	g_clear_pointer(&seen, g_free);
	/* What a crash leaves in a file. */
	g_string_truncate(log, 0);
	g_string_append_len(log, "\0\0\0\0\0\0" FAULT "\0\0\n", 6 + strlen(FAULT) + 3);
	seen = events_of(log->str, log->len, 3);
	assert_string_equal(seen, "1" SEEN "\n");
	/* Every truncation of a record. */
	for (size_t length = 0; length < strlen(FAULT); length++) {
		g_autofree char *part = g_strndup(FAULT, length);
		g_autofree char *got = events_of(part, length, 4096);

		assert_true(!*got ||
			    g_str_has_prefix(got, "1 dma-fault intel ?:86:00.0 write"));
	}
}

/* Two faults of the old form whose lines got mixed up. */
static void test_interleaved(void **state G_GNUC_UNUSED)
{
	assert_events("DMAR:[DMA Write] Request device [86:00.0] fault addr 1000 \n"
		      "DMAR:[DMA Read] Request device [87:00.0] fault addr 2000 \n"
		      "usb 1-1: something else\n"
		      "DMAR:[fault reason 05] PTE Write access is not set\n"
		      "DMAR:[fault reason 06] PTE Read access is not set\n",
		"1 dma-fault intel ?:86:00.0 write address=0x1000 reason=0x05 unsure\n"
		"2 dma-fault intel ?:87:00.0 read address=0x2000 reason=0x06\n");
	/* A reason that nobody waits for, and a fault whose reason never came. */
	assert_events("DMAR:[fault reason 05] PTE Write access is not set\n"
		      "DMAR:[DMA Write] Request device [86:00.0] fault addr 1000 \n",
		"2 dma-fault intel ?:86:00.0 write address=0x1000\n");
	/* More of them than are kept. */
	g_autoptr(GString) log = g_string_new(NULL);

	for (int i = 0; i < 50; i++)
		g_string_append(log,
			"DMAR:[DMA Write] Request device [86:00.0] fault addr 1000 \n");
	g_autofree char *seen = events_of(log->str, log->len, 100);
	g_auto(GStrv) lines = g_strsplit(seen, "\n", 0);

	assert_int_equal(g_strv_length(lines), 51);
}

/* The search finds each of its words at every place, wide or plain. */
static void test_scan(void **state G_GNUC_UNUSED)
{
	for (const char *const *word = mp_event_scan_words(); *word; word++) {
		size_t length = strlen(*word);

		for (size_t at = 0; at < 70; at++) {
			g_autofree char *text = g_strnfill(at + length, 'x');

			memcpy(text + at, *word, length);
			assert_ptr_equal(
				mp_event_scan(text, text + at + length), text + at);
			/* Cut off, it is not there, unless it holds another. */
			assert_true(mp_event_scan(text, text + at + length - 1) !=
					    text + at ||
				    strlen(*word) > 8);
		}
	}
	for (size_t size = 0; size < 20000; size += 997) {
		g_autofree char *text = g_strnfill(size, '\n');

		assert_int_equal(mp_event_lines(text, text + size), size);
	}
}

static void test_plain(void **state)
{
	mp_event_scan_plain(true);
	test_scan(state);
	test_logs(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_logs), cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_injection), cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_interleaved), cmocka_unit_test(test_scan),
		cmocka_unit_test(test_plain), /* the last: there is no way back */
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
