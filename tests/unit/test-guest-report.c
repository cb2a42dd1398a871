/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What comes out of a VM through its agent. */
#include "config.h"

#include <string.h>

#include "unit.h"

#include "core/error.h"
#include "core/platform.h"
#include "guest/agent.h"
#include "guest/report.h"

#define RESULT(name, verdict)                                                                     \
	"{\"case\":\"" name "\",\"round\":1,\"verdict\":\"" verdict                               \
	"\",\"summary\":\"it\\u001b[31m did\",\"evidence\":[{\"source\":\"s\",\"value\":\"v\"}]," \
	"\"remedy\":null,\"bytes\":4096,\"duration_ns\":5,\"latency_ns\":{\"count\":1,"           \
	"\"min\":1,\"median\":2,\"max\":3},\"bytes_per_second\":null}"
#define REPORT(address, verdict, results)                                                \
	"{\"schema\":1,\"tool\":\"metis-passthrough\",\"version\":\"9\",\"later\":{},"   \
	"\"host\":{\"name\":\"vm\",\"kernel\":\"6.1\"},\"bios\":{\"version\":\"1\"},"    \
	"\"device\":{\"address\":\"" address                                             \
	"\",\"id\":\"1f9d:1100\",\"iommu_group\":3,\"driver\":\"axl\"},"                 \
	"\"pin\":{\"subsystem\":\"1f9d:0001\",\"serial\":\"0x0000000000000010\"},"       \
	"\"engine\":\"dw-edma\",\"way\":\"module\",\"options\":{\"cases\":null,"         \
	"\"rounds\":1,\"bytes\":4096,\"isolation\":false},\"started\":7,\"seconds\":8,"  \
	"\"verdict\":\"" verdict "\",\"results\":[" results "]}"
#define BDF "0000:01:00.0"

static GPtrArray *parse_all(const char *text, GError **error)
{
	return mp_guest_reports_parse("101", text, strlen(text), error);
}

/* The only one. */
static struct mp_guest_report *parse(const char *text, GError **error)
{
	g_autoptr(GPtrArray) reports = parse_all(text, error);

	if (!reports)
		return NULL;
	assert_int_equal(reports->len, 1);
	return g_ptr_array_steal_index(reports, 0);
}

static void test_report(void **state)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(mp_guest_report) r = parse(
		REPORT(BDF, "failed",
			RESULT("dma-read", "pass") "," RESULT("a-case-of-later", "fail")),
		&error);

	(void)state;
	if (!r)
		fail_msg("%s", error->message);
	assert_string_equal(r->device->bdf, BDF);
	assert_int_equal(r->device->vendor, 0x1f9d);
	assert_int_equal(r->device->subdevice, 1);
	assert_int_equal(r->device->serial, 0x10);
	assert_string_equal(r->host->platform->kernel_release.text, "6.1");
	assert_string_equal(r->way, "module");
	assert_int_equal(r->results->len, 2);
	const struct mp_case_result *result = r->results->pdata[0];

	assert_null(strchr(result->summary, '\033'));
	assert_int_equal(result->latency_ns.median, 2);
	assert_int_equal(result->evidence->len, 1);
	assert_string_equal(
		((struct mp_case_result *)r->results->pdata[1])->name, "a-case-of-later");
}

static void test_reports_that_lie(void **state)
{
	static const char *const bad[] = {
		"",
		"[]",
		"{}",
		"{\"schema\":2}",
		/* The verdict is not what the results say. */
		REPORT(BDF, "passed", RESULT("dma-read", "fail")),
		REPORT(BDF, "passed", RESULT("dma-read", "skip")),
		REPORT(BDF, "failed", RESULT("dma-read", "pass")),
		REPORT(BDF, "passed", ""),
		REPORT(BDF, "fine", RESULT("dma-read", "pass")),
		/* Names that would be files of ours, or worse. */
		REPORT("../../etc/x", "passed", RESULT("dma-read", "pass")),
		REPORT("1:00.0", "passed", RESULT("dma-read", "pass")),
		REPORT("0000:01:00.0/..", "passed", RESULT("dma-read", "pass")),
		REPORT(BDF, "passed", RESULT("../x", "pass")),
		REPORT(BDF, "passed", RESULT("", "pass")),
		REPORT(BDF, "passed", RESULT("dma-read", "passed")),
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(mp_guest_report) r = parse(bad[i], &error);

		if (r)
			fail_msg("taken: %s", bad[i]);
		assert_int_equal(error->code, MP_ERROR_INPUT);
		assert_non_null(strstr(error->message, "VM 101"));
	}
}

#define SECOND "0000:02:00.0"

static void test_several_reports(void **state)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) reports =
		parse_all(REPORT(BDF, "passed", RESULT("dma-read", "pass")) "\n\n" REPORT(
				  SECOND, "failed", RESULT("dma-read", "fail")) " \n",
			&error);

	(void)state;
	if (!reports)
		fail_msg("%s", error->message);
	assert_int_equal(reports->len, 2);
	const struct mp_guest_report *first = reports->pdata[0],
				     *second = reports->pdata[1];

	assert_string_equal(first->device->bdf, BDF);
	assert_string_equal(second->device->bdf, SECOND);
	assert_int_equal(((struct mp_case_result *)first->results->pdata[0])->verdict,
		MP_CASE_PASS);
	assert_int_equal(((struct mp_case_result *)second->results->pdata[0])->verdict,
		MP_CASE_FAIL);
}

/* All of it, or nothing. */
static void test_several_that_lie(void **state)
{
	static const char *const bad[] = {
		REPORT(BDF, "passed", RESULT("dma-read", "pass")) "x",
		REPORT(BDF, "passed", RESULT("dma-read", "pass")) "\n{",
		REPORT(BDF, "passed", RESULT("dma-read", "pass")) "\n{}",
		REPORT(BDF, "passed", RESULT("dma-read", "pass")) "," REPORT(
			SECOND, "passed", RESULT("dma-read", "pass")),
		/* The second would take the file of the first. */
		REPORT(BDF, "failed", RESULT("dma-read", "fail"))
			REPORT(BDF, "passed", RESULT("dma-read", "pass")),
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(GPtrArray) reports = parse_all(bad[i], &error);

		if (reports)
			fail_msg("taken: %s", bad[i]);
		assert_int_equal(error->code, MP_ERROR_INPUT);
	}
}

static void test_far_too_many(void **state)
{
	g_autoptr(GString) text = g_string_new(NULL);

	(void)state;
	for (unsigned i = 0; i < 65; i++) {
		g_autofree char *bdf = g_strdup_printf("0000:%02x:00.0", i);
		g_auto(GStrv) halves = g_strsplit(
			REPORT("@", "passed", RESULT("dma-read", "pass")), "@", 2);

		g_string_append_printf(text, "%s%s%s\n", halves[0], bdf, halves[1]);
		if (i == 63) {
			g_autoptr(GPtrArray) reports = parse_all(text->str, NULL);

			assert_non_null(reports);
			assert_int_equal(reports->len, 64);
		}
	}
	assert_null(parse_all(text->str, NULL));
}

static void test_figures_out_of_order(void **state)
{
	g_autofree char *text =
		g_strdup(REPORT(BDF, "passed", RESULT("dma-read", "pass")));
	char *median = strstr(text, "\"median\":2");

	(void)state;
	median[strlen("\"median\":")] = '9';
	assert_null(parse(text, NULL));
}

/* --- the answers of qm --- */

static void test_pid(void **state)
{
	static const char *const bad[] = { "", "{}", "{\"pid\":0}", "{\"pid\":-1}",
		"{\"pid\":\"7\"}", "{\"pid\":4294967296}", "[7]" };
	uint64_t pid;

	(void)state;
	assert_true(mp_agent_parse_pid("{ \"pid\" : 42 }\n", 15, &pid, NULL));
	assert_int_equal(pid, 42);
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		assert_false(mp_agent_parse_pid(bad[i], strlen(bad[i]), &pid, NULL));
}

static bool status(const char *text, struct mp_agent_call *call, bool *ended)
{
	return mp_agent_parse_status(text, strlen(text), call, ended, NULL);
}

static void test_status(void **state)
{
	struct mp_agent_call call = { 0 };
	bool ended;

	(void)state;
	assert_true(status("{\"exited\":0}", &call, &ended));
	assert_false(ended);
	assert_true(status("{\"exited\":false}", &call, &ended));
	assert_false(ended);
	assert_true(status("{\"exited\":1,\"exitcode\":3,\"out-data\":\"x\",\"err-data\":"
			   "\"why\"}",
		&call, &ended));
	assert_true(ended);
	assert_int_equal(call.exit_code, 3);
	assert_string_equal(call.out, "x");
	assert_string_equal(call.err, "why");
	assert_true(status("{\"exited\":true,\"exitcode\":0}", &call, &ended));
	assert_int_equal(call.out_size, 0);
	assert_false(status("{\"exited\":1}", &call, &ended));
	assert_false(status("{\"exited\":1,\"exitcode\":256}", &call, &ended));
	assert_false(status("{\"exited\":1,\"signal\":9}", &call, &ended));
	assert_false(status(
		"{\"exited\":1,\"exitcode\":0,\"out-truncated\":1}", &call, &ended));
	assert_false(status("gone", &call, &ended));
	mp_agent_clear(&call);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_report),
		cmocka_unit_test(test_reports_that_lie),
		cmocka_unit_test(test_several_reports),
		cmocka_unit_test(test_several_that_lie),
		cmocka_unit_test(test_far_too_many),
		cmocka_unit_test(test_figures_out_of_order),
		cmocka_unit_test(test_pid),
		cmocka_unit_test(test_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
