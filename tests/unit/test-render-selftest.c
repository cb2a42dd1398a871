/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The report of a self-test in each format, whatever the device and the log wrote into it. */
#include "config.h"

#include <json-c/json.h>
#include <libxml/parser.h>
#include <string.h>

#include "core/finding.h"
#include "core/pci.h"
#include "core/platform.h"
#include "render/page.h"
#include "render/render.h"
#include "junit.h"
#include "unit.h"
#include "vfio/selftest.h"

#define HOSTILE "a\xff\x01 \x1b[31m<b>&\"'</b> ]]> \xef\xbf\xbe \xe2\x80\xae\x7f\r\n\tz"

struct fixture {
	struct mp_host *host;
	struct mp_pci device;
	struct mp_selftest_options options;
	struct mp_selftest_report report;
};

static int setup(void **state)
{
	struct fixture *f = g_new0(struct fixture, 1);

	f->host = mp_host_new("/", true);
	f->host->platform = mp_host_alloc(f->host, sizeof(*f->host->platform));
	f->host->platform->kernel_release =
		mp_fact_known(f->host, "uname", "6.8.12-1-pve");
	f->host->platform->bios_version = mp_fact_known(f->host, "dmi", "F5");
	f->device.bdf = "0000:01:00.0";
	f->device.bus = 1;
	f->device.vendor = 0x1f9d;
	f->device.device = 0x1100;
	f->options.rounds = 1;
	f->options.bytes = 4096;
	f->options.isolation = true;
	f->report.host = f->host;
	f->report.device = &f->device;
	f->report.engine = "edu";
	f->report.options = &f->options;
	f->report.started = 1700000000;
	f->report.seconds = 21;
	f->report.results =
		g_ptr_array_new_with_free_func((GDestroyNotify)mp_case_result_free);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	g_ptr_array_unref(f->report.results);
	mp_host_free(f->host);
	g_free(f);
	return 0;
}

static struct mp_case_result *add(struct fixture *f, const char *name,
	enum mp_case_verdict verdict, const char *summary)
{
	struct mp_case_result *result = mp_case_result_new(name, 1);

	result->verdict = verdict;
	result->summary = g_strdup(summary);
	g_ptr_array_add(f->report.results, result);
	f->report.passed += verdict == MP_CASE_PASS;
	f->report.failed += verdict == MP_CASE_FAIL;
	f->report.skipped += verdict == MP_CASE_SKIP;
	f->report.exit_code = f->report.failed ? MP_EXIT_FINDING : MP_EXIT_OK;
	return result;
}

static void add_evidence(
	struct mp_case_result *result, const char *source, const char *value)
{
	struct mp_evidence *evidence = g_new(struct mp_evidence, 1);

	evidence->source = g_strdup(source);
	evidence->value = g_strdup(value);
	g_ptr_array_add(result->evidence, evidence);
}

static void add_everything(struct fixture *f)
{
	struct mp_case_result *result =
		add(f, "dma-read", MP_CASE_PASS, "the device read what was there");

	result->latency_ns = (struct mp_figures){ 3, 1500, 2500000, 60000000 };
	result->bytes_per_second = (struct mp_figures){ 3, 900, 40000, 25000000 };
	result->bytes = 12288;
	result->duration_ns = 81000000;
	add_evidence(result, "device", "says that it is done");
	add(f, "irq-msix", MP_CASE_SKIP, "the device has no MSI-X");
	result = add(f, "isolation-write-unmapped", MP_CASE_FAIL,
		"a write to an IOVA that is not mapped was not refused: memory changed at "
		"offset 0");
	add_evidence(result, "kernel log",
		"DMAR: [DMA Write NO_PASID] Request device [01:00.0] fault addr 0x4000000 "
		"[fault reason 0x05] PTE Write access is not set");
	add_evidence(
		result, "device", "write of 64 bytes at 0x4000000: says that it is done");
	result->remedy = g_strdup("Do not pass it through; see 'metis-passthrough "
				  "preflight', and then look again at the firmware.");
	result->latency_ns = (struct mp_figures){ 1, 200000000, 200000000, 200000000 };
}

static char *render(
	const struct fixture *f, const char *format, struct mp_render_style style)
{
	const struct mp_render_ops *ops = mp_render_find(format);
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	assert_true(!ops->prepare || ops->prepare(NULL));
	ops->selftest(&f->report, &style, out);
	assert_int_equal(fclose(out), 0);
	assert_int_equal(strlen(text), size);
	return text;
}

static void assert_in_order(const char *text, const char *const *parts)
{
	const char *at = text;

	for (; *parts; parts++) {
		const char *found = strstr(at, *parts);

		if (!found)
			fail_msg("not found, or too early: %s\nin:\n%s", *parts, text);
		at = found;
	}
}

static void assert_absent(const char *text, const char *part)
{
	if (strstr(text, part))
		fail_msg("found: %s\nin:\n%s", part, text);
}

/* --- text --- */

static void the_first_line_is_the_answer(void **state)
{
	struct fixture *f = *state;
	g_autofree char *good = NULL, *stopped = NULL, *bad = NULL, *both = NULL;

	add(f, "dma-read", MP_CASE_PASS, "it read");
	add(f, "dma-write", MP_CASE_PASS, "it wrote");
	good = render(f, "text", (struct mp_render_style){ 0 });
	assert_true(g_str_has_prefix(
		good, "selftest: all 2 cases passed on 0000:01:00.0 (edu)\n"));

	f->report.interrupted = true;
	stopped = render(f, "text", (struct mp_render_style){ 0 });
	assert_true(g_str_has_prefix(stopped,
		"selftest: stopped by a signal after 2 passed cases on 0000:01:00.0 (edu); "
		"the device is quiet\n"));

	add(f, "irq-msi", MP_CASE_FAIL, "vector 3 did not arrive within 2000 ms");
	both = render(f, "text", (struct mp_render_style){ 0 });
	assert_true(g_str_has_prefix(both,
		"FAILED: 1 of 3 cases failed on 0000:01:00.0 (edu), then it was stopped: "
		"irq-msi: vector 3 did not arrive within 2000 ms\n"));

	f->report.interrupted = false;
	f->options.rounds = 4;
	add(f, "irq-msix", MP_CASE_SKIP, "the device has no MSI-X");
	bad = render(f, "text", (struct mp_render_style){ 0 });
	assert_true(g_str_has_prefix(bad,
		"FAILED: 1 of 3 cases failed on 0000:01:00.0 (edu) in 4 rounds, 1 skipped: "
		"irq-msi: "));
}

static void failures_come_first_with_what_was_seen(void **state)
{
	static const char *const order[] = {
		"FAILED: 1 of 2 cases failed",
		"Linux 6.8.12-1-pve, BIOS F5",
		"Device",
		"Took",
		"21 s",
		"FAILED (1)",
		"x isolation-write-unmapped:",
		"200 ms",
		"Seen",
		"kernel log: DMAR: [DMA Write",
		"device: write of 64 bytes",
		"Do",
		"Do not pass it through",
		"SKIPPED (1)",
		"- irq-msix:",
		"PASSED (1)",
		"+ dma-read:",
		"2500 us (1.5 us to 60 ms, 3 times)",
		"40.0 kB/s (900 B/s to 25.0 MB/s, 3 times)",
		NULL,
	};
	struct fixture *f = *state;
	g_autofree char *text = NULL, *verbose = NULL;

	add_everything(f);
	text = render(f, "text", (struct mp_render_style){ 0 });
	assert_in_order(text, order);
	/* What passed shows its evidence only when asked. */
	assert_absent(text, "device: says that it is done");
	verbose = render(f, "text", (struct mp_render_style){ .verbose = true });
	assert_non_null(strstr(verbose, "device: says that it is done"));
}

static void rounds_are_told_apart(void **state)
{
	struct fixture *f = *state;
	g_autofree char *text = NULL;

	f->options.rounds = 2;
	add(f, "dma-read", MP_CASE_PASS, "it read");
	add(f, "dma-read", MP_CASE_FAIL, "it did not")->round = 2;
	text = render(f, "text", (struct mp_render_style){ 0 });
	assert_non_null(strstr(text, "x dma-read (round 2): it did not"));
	assert_non_null(strstr(text, "+ dma-read (round 1): it read"));
}

static void lines_fit_and_end_clean(void **state)
{
	static const unsigned widths[] = { 80, 200 };
	struct fixture *f = *state;
	g_autofree char *prose = g_strnfill(3000, 'x');

	for (size_t i = 7; i < 3000; i += 8)
		prose[i] = ' ';
	add_everything(f);
	add(f, "dma-write", MP_CASE_FAIL, prose);
	for (size_t w = 0; w < G_N_ELEMENTS(widths); w++)
		for (int color = 0; color < 2; color++) {
			g_autofree char *text = render(f, "text",
				(struct mp_render_style){ .width = widths[w],
					.unicode = true,
					.color = color });
			g_auto(GStrv) lines = g_strsplit(text, "\n", 0);
			unsigned longest = 0;

			for (char **line = lines; *line; line++) {
				unsigned columns = mp_text_columns(*line);

				assert_false(g_str_has_suffix(*line, " "));
				if (strchr(*line, '\033'))
					continue; /* counted in the plain one */
				if (columns > widths[w])
					fail_msg("%u columns: %s", columns, *line);
				longest = MAX(longest, columns);
			}
			assert_true(longest > MIN(widths[w], 100) / 2);
		}
}

static void color_and_unicode_follow_the_style(void **state)
{
	struct fixture *f = *state;
	g_autofree char *color = NULL, *plain = NULL, *utf8 = NULL;

	add_everything(f);
	add(f, "dma-write", MP_CASE_PASS, "Caf\xc3\xa9 \xe6\xbc\xa2");
	color = render(
		f, "text", (struct mp_render_style){ .color = true, .unicode = true });
	assert_non_null(strstr(color, "\033[1;31mFAILED:\033[0m"));
	plain = render(f, "text", (struct mp_render_style){ 0 });
	for (const char *p = plain; *p; p++)
		assert_true((unsigned char)*p < 0x80 && *p != '\033');
	utf8 = render(f, "text", (struct mp_render_style){ .unicode = true });
	assert_non_null(strstr(utf8, "\xe2\x9c\x97 isolation-write-unmapped"));
}

static void add_hostile(struct fixture *f)
{
	struct mp_case_result *result = add(f, "dma-read", MP_CASE_FAIL, HOSTILE);

	add_evidence(result, HOSTILE, HOSTILE);
	result->remedy = g_strdup(HOSTILE);
	f->host->platform->hostname = mp_fact_known(f->host, "x", HOSTILE);
	f->host->platform->kernel_release = mp_fact_known(f->host, "x", HOSTILE);
	f->host->platform->bios_version = mp_fact_known(f->host, "x", HOSTILE);
	f->device.slot_name = mp_fact_known(f->host, "x", HOSTILE);
}

static void no_byte_reaches_the_terminal_raw(void **state)
{
	struct fixture *f = *state;

	add_hostile(f);
	for (int unicode = 0; unicode < 2; unicode++) {
		g_autofree char *text = render(f, "text",
			(struct mp_render_style){ .unicode = unicode, .verbose = true });

		assert_true(g_utf8_validate(text, -1, NULL));
		for (const char *p = text; *p; p++)
			assert_true(((unsigned char)*p >= ' ' && *p != 0x7f) ||
				    *p == '\n' || *p == '\t');
		assert_absent(text, "\xe2\x80\xae"); /* turns the line around */
	}
}

/* --- JSON --- */

static struct json_object *member(struct json_object *object, const char *key)
{
	struct json_object *value = NULL;

	if (!json_object_object_get_ex(object, key, &value))
		fail_msg("no %s in %s", key, json_object_to_json_string(object));
	return value;
}

static void json_says_it_all(void **state)
{
	struct fixture *f = *state;
	g_autofree char *text = NULL;
	struct json_object *json, *results, *result, *value;

	add_everything(f);
	text = render(f, "json", (struct mp_render_style){ 0 });
	json = json_tokener_parse(text);
	assert_non_null(json);
	assert_int_equal(json_object_get_int(member(json, "schema")), 1);
	assert_string_equal(json_object_get_string(member(json, "verdict")), "failed");
	assert_string_equal(json_object_get_string(member(json, "engine")), "edu");
	assert_int_equal(json_object_get_int(member(json, "exit_code")), MP_EXIT_FINDING);
	assert_int_equal(json_object_get_int64(member(json, "started")), 1700000000);
	value = member(json, "summary");
	assert_int_equal(json_object_get_int(member(value, "pass")), 1);
	assert_int_equal(json_object_get_int(member(value, "fail")), 1);
	assert_int_equal(json_object_get_int(member(value, "skip")), 1);
	assert_string_equal(
		json_object_get_string(member(member(json, "bios"), "version")), "F5");
	results = member(json, "results");
	assert_int_equal(json_object_array_length(results), 3);
	/* In the order in which they ran. */
	result = json_object_array_get_idx(results, 0);
	assert_string_equal(json_object_get_string(member(result, "case")), "dma-read");
	assert_string_equal(json_object_get_string(member(result, "verdict")), "pass");
	assert_int_equal(json_object_get_int64(member(result, "bytes")), 12288);
	assert_int_equal(json_object_get_int64(member(result, "duration_ns")), 81000000);
	value = member(result, "latency_ns");
	assert_int_equal(json_object_get_int64(member(value, "count")), 3);
	assert_int_equal(json_object_get_int64(member(value, "max")), 60000000);
	assert_null(member(result, "remedy"));
	result = json_object_array_get_idx(results, 1);
	assert_null(member(result, "latency_ns"));
	assert_null(member(result, "bytes_per_second"));
	result = json_object_array_get_idx(results, 2);
	assert_int_equal(json_object_array_length(member(result, "evidence")), 2);
	json_object_put(json);
}

static void json_is_valid_whatever_is_in_it(void **state)
{
	struct fixture *f = *state;
	g_autofree char *text = NULL;
	struct json_object *json;

	add_hostile(f);
	text = render(f, "json", (struct mp_render_style){ 0 });
	assert_true(g_utf8_validate(text, -1, NULL));
	for (const char *p = text; *p; p++)
		assert_true((unsigned char)*p >= ' ' || *p == '\n');
	json = json_tokener_parse(text);
	assert_non_null(json);
	assert_int_equal(json_object_array_length(member(json, "results")), 1);
	json_object_put(json);
}

/* --- JUnit --- */

static xmlDoc *parse_junit(const struct fixture *f)
{
	g_autofree char *text = render(f, "junit", (struct mp_render_style){ 0 });
	xmlDoc *doc = xmlReadMemory(text, (int)strlen(text), "report.xml", NULL,
		XML_PARSE_NOERROR | XML_PARSE_NONET);

	if (!doc)
		fail_msg("not well-formed:\n%s", text);
	return doc;
}

static void junit_counts_a_suite_a_round(void **state)
{
	struct fixture *f = *state;
	xmlDoc *doc;
	xmlNode *root, *suite;
	unsigned suites = 0;

	add_everything(f);
	add(f, "dma-read", MP_CASE_PASS, "again")->round = 2;
	add(f, "irq-msi", MP_CASE_FAIL, "lost")->round = 2;
	doc = parse_junit(f);
	root = xmlDocGetRootElement(doc);
	assert_int_equal(junit_number(root, "tests"), 5);
	assert_int_equal(junit_number(root, "failures"), 2);
	assert_int_equal(junit_number(root, "errors"), 0);
	assert_int_equal(junit_number(root, "skipped"), 1);
	for (suite = xmlFirstElementChild(root); suite;
		suite = xmlNextElementSibling(suite)) {
		static const unsigned tests[] = { 3, 2 };

		assert_in_range(suites, 0, 1);
		assert_int_equal(junit_number(suite, "tests"), tests[suites]);
		assert_int_equal(junit_number(suite, "failures"), 1);
		assert_int_equal(xmlChildElementCount(suite), tests[suites]);
		suites++;
	}
	assert_int_equal(suites, 2);
	xmlFreeDoc(doc);
}

static void junit_is_valid_whatever_is_in_it(void **state)
{
	struct fixture *f = *state;
	xmlDoc *doc;
	xmlNode *root, *testcase;
	xmlChar *text;

	add_hostile(f);
	doc = parse_junit(f);
	root = xmlDocGetRootElement(doc);
	assert_int_equal(junit_number(root, "failures"), 1);
	testcase = xmlFirstElementChild(xmlFirstElementChild(root));
	text = xmlNodeGetContent(testcase);
	assert_non_null(strstr((const char *)text, "<b>&\"'</b> ]]>"));
	xmlFree(text);
	xmlFreeDoc(doc);
}

#define REPORT_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		REPORT_TEST(the_first_line_is_the_answer),
		REPORT_TEST(failures_come_first_with_what_was_seen),
		REPORT_TEST(rounds_are_told_apart),
		REPORT_TEST(lines_fit_and_end_clean),
		REPORT_TEST(color_and_unicode_follow_the_style),
		REPORT_TEST(no_byte_reaches_the_terminal_raw),
		REPORT_TEST(json_says_it_all),
		REPORT_TEST(json_is_valid_whatever_is_in_it),
		REPORT_TEST(junit_counts_a_suite_a_round),
		REPORT_TEST(junit_is_valid_whatever_is_in_it),
	};

	return cmocka_run_group_tests_name("render-selftest", tests, NULL, NULL);
}
