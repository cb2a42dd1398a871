/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every format shows the same report, whatever bytes and widths it is given. */
#include "config.h"

#include <json-c/json.h>
#include <libxml/parser.h>
#include <string.h>

#include "core/group.h"
#include "core/pci.h"
#include "render/page.h"
#include "render/render.h"
#include "junit.h"
#include "unit.h"

#define HOSTILE "a\xff\x01 \x1b[31m<b>&\"'</b> ]]> \xef\xbf\xbe \xe2\x80\xae"

struct fixture {
	struct mp_host *host;
	struct mp_preflight_report report;
};

static struct mp_finding *add(struct fixture *f, const char *id,
	enum mp_severity severity, const char *subject, const char *summary)
{
	struct mp_finding *finding = mp_finding_new(id, severity, subject, "%s", summary);

	g_ptr_array_add(f->report.findings, finding);
	return finding;
}

static struct mp_pci *add_device(struct fixture *f, const char *bdf)
{
	struct mp_pci *pci = mp_host_alloc(f->host, sizeof(*pci));

	pci->bdf = mp_host_str(f->host, bdf);
	pci->vendor = 0x1f9d;
	pci->device = 0x1100;
	g_ptr_array_add(f->report.wanted, pci);
	return pci;
}

static int setup(void **state)
{
	struct fixture *f = g_new0(struct fixture, 1);

	f->host = mp_host_new("/tmp/x", false);
	f->report.host = f->host;
	f->report.profile = "metis";
	f->report.wanted = g_ptr_array_new();
	f->report.findings =
		g_ptr_array_new_with_free_func((GDestroyNotify)mp_finding_free);
	add_device(f, "0000:86:00.0");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	g_ptr_array_unref(f->report.wanted);
	g_ptr_array_unref(f->report.findings);
	mp_host_free(f->host);
	g_free(f);
	return 0;
}

static void add_everything(struct fixture *f)
{
	struct mp_finding *finding;

	add(f, "iommu-active", MP_PASS, "host", "The IOMMU is active.");
	finding = add(f, "interrupt-remapping-active", MP_FAIL, "host",
		"Interrupt remapping is off, so VFIO refuses to hand out the device.");
	mp_finding_evidence(finding, "/proc/interrupts", "PCI-MSI, IO-APIC");
	mp_finding_evidence(
		finding, "/sys/class/iommu/dmar0/intel-iommu/ecap", "f000000000f0df");
	mp_finding_remedy(finding,
		"Remove intremap=off from the kernel command line:\n"
		"  sed -i s/intremap=off// /etc/default/grub && update-grub");
	finding = add(f, "device-reset-method", MP_WARN, "0000:86:00.0",
		"0000:86:00.0 can only be reset by a bus reset.");
	mp_finding_remedy(finding, "Test stop and start of the VM before production.");
	add(f, "memlock", MP_UNSURE, "host", "The limit could not be read.");
	add(f, "posted-interrupts", MP_INFO, "host",
		"Posted interrupts are not available.");
	finding = add(f, "device-numa", MP_FAIL, "0000:86:00.0",
		"The card is on another node.");
	finding->waiver = g_strdup("measured, fast enough");
	add(f, "hugepages", MP_SKIP, "host", "No VM was named.");
	f->report.exit_code = MP_EXIT_FINDING;
}

static char *render(
	const struct fixture *f, const char *format, struct mp_render_style style)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	const struct mp_render_ops *ops = mp_render_find(format);

	assert_non_null(out);
	assert_true(!ops->prepare || ops->prepare(NULL));
	ops->preflight(&f->report, &style, out);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void assert_contains(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("not found: %s\nin:\n%s", part, text);
}

static void assert_absent(const char *text, const char *part)
{
	if (strstr(text, part))
		fail_msg("found: %s\nin:\n%s", part, text);
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

static void the_first_line_is_the_answer(void **state)
{
	struct fixture *f = *state;
	g_autofree char *empty = NULL, *good = NULL, *unsure = NULL, *strict = NULL,
			*bad = NULL, *warned = NULL;

	add(f, "iommu-active", MP_PASS, "host", "The IOMMU is active.");
	good = render(f, "text", (struct mp_render_style){ 0 });
	assert_true(g_str_has_prefix(good,
		"READY: 0000:86:00.0 [1f9d:1100] can be passed through (1 passed)\n"));

	add(f, "memlock", MP_UNSURE, "host", "The limit could not be read.");
	unsure = render(f, "text", (struct mp_render_style){ 0 });
	assert_true(g_str_has_prefix(unsure,
		"READY, BUT: nothing found that blocks 0000:86:00.0 [1f9d:1100], but not all "
		"could be looked at (1 passed, 1 unknown)\n"));

	/* Of two warnings the one about the card, not the one about the host. */
	add(f, "iommu-default-domain", MP_WARN, "host",
		"The default domain is identity.");
	add(f, "card-host-driver-loaded", MP_WARN, "0000:86:00.0",
		"The driver was loaded.");
	warned = render(f, "text", (struct mp_render_style){ 0 });
	assert_true(g_str_has_prefix(warned,
		"READY, BUT: The driver was loaded (1 passed, 2 warnings, 1 unknown)\n"));
	g_ptr_array_set_size(f->report.findings, 2);

	f->report.strict = true;
	f->report.exit_code = MP_EXIT_FINDING;
	strict = render(f, "text", (struct mp_render_style){ 0 });
	assert_true(g_str_has_prefix(strict,
		"NOT READY: with --strict, warnings and unknowns block too (1 passed, 1 unknown)\n"));

	add(f, "group-viable", MP_FAIL, "group 22", "Group 22 is not viable.");
	bad = render(f, "text", (struct mp_render_style){ 0 });
	assert_true(g_str_has_prefix(
		bad, "NOT READY: Group 22 is not viable (1 blocking, 1 unknown)\n"));

	g_ptr_array_set_size(f->report.wanted, 0);
	g_ptr_array_set_size(f->report.findings, 1);
	f->report.exit_code = MP_EXIT_OK;
	empty = render(f, "text", (struct mp_render_style){ 0 });
	assert_true(g_str_has_prefix(empty,
		"READY: nothing blocks on this host; no device was "
		"judged, name one with --device (1 passed)\n"));
}

static void blocking_comes_first_and_everything_is_told(void **state)
{
	static const char *const order[] = {
		"NOT READY: Interrupt remapping is off",
		"(1 blocking, 1 warning, 1 unknown, 1 waived)",
		"BLOCKING (1)",
		"x interrupt-remapping-active host",
		"Interrupt remapping is off, so VFIO",
		"Seen  /proc/interrupts: PCI-MSI",
		"Do    Remove intremap=off",
		"            sed -i",
		"WARNINGS (1)",
		"device-reset-method 0000:86:00.0",
		"UNKNOWN (1)",
		"NOTES (1)",
		"WAIVED (1)",
		"measured, fast enough (it would be: fail)",
		"PASSED (1):",
		"DOES NOT APPLY (1):",
		"Next: metis-passthrough explain interrupt-remapping-active",
		NULL,
	};
	struct fixture *f = *state;
	g_autofree char *text = NULL, *verbose = NULL;

	add_everything(f);
	text = render(f, "text", (struct mp_render_style){ 0 });
	assert_in_order(text, order);
	assert_absent(text, "The IOMMU is active.");
	assert_absent(text, "\033");
	verbose = render(f, "text", (struct mp_render_style){ .verbose = true });
	assert_contains(verbose, "The IOMMU is active.");
	assert_contains(verbose, "No VM was named.");
}

static void one_problem_of_four_endpoints_is_told_once(void **state)
{
	struct fixture *f = *state;
	g_autofree char *text = NULL;
	const char *remedy;

	for (int i = 0; i < 4; i++) {
		g_autofree char *bdf = g_strdup_printf("0000:8%d:00.0", i);
		struct mp_finding *finding = add(f, "device-reset-method", MP_WARN, bdf,
			"It can only be reset by a bus reset.");

		mp_finding_remedy(finding, "Test stop and start.");
	}
	text = render(f, "text", (struct mp_render_style){ 0 });
	remedy = strstr(text, "Test stop and start.");
	assert_non_null(remedy);
	assert_null(strstr(remedy + 1, "Test stop and start."));
	assert_contains(text, "0000:83:00.0");
}

/* Words that are longer than the line stay whole: they are paths and commands. */
static void lines_fit_and_end_clean(void **state)
{
	static const unsigned widths[] = { 40, 80, 200 };
	struct fixture *f = *state;
	g_autofree char *prose = g_strnfill(3000, 'x');

	for (size_t i = 7; i < 3000; i += 8)
		prose[i] = ' ';
	add_everything(f);
	add(f, "cmdline-staged", MP_WARN, "host", prose);
	for (size_t w = 0; w < G_N_ELEMENTS(widths); w++) {
		g_autofree char *text = render(f, "text",
			(struct mp_render_style){ .width = widths[w], .unicode = true });
		g_auto(GStrv) lines = g_strsplit(text, "\n", 0);
		unsigned longest = 0;

		for (char **line = lines; *line; line++) {
			unsigned columns = mp_text_columns(*line);

			if (columns > widths[w] && strchr(g_strchug(*line), ' ') &&
				!strstr(*line, "sed -i") && !strstr(*line, "/sys/"))
				fail_msg("%u columns: %s", columns, *line);
			longest = MAX(longest, columns);
			assert_false(g_str_has_suffix(*line, " "));
		}
		assert_true(longest > MIN(widths[w], 100) / 2);
	}
}

static void color_and_unicode_follow_the_style(void **state)
{
	struct fixture *f = *state;
	g_autofree char *color = NULL, *plain = NULL, *utf8 = NULL;

	add_everything(f);
	add(f, "boot\xc3\xa9", MP_WARN, "host", "Caf\xc3\xa9 \xe2\x80\x94 \xe6\xbc\xa2");
	color = render(
		f, "text", (struct mp_render_style){ .color = true, .unicode = true });
	assert_contains(color, "\033[1;31mNOT READY:\033[0m");
	plain = render(f, "text", (struct mp_render_style){ 0 });
	for (const char *p = plain; *p; p++)
		assert_true((unsigned char)*p < 0x80);
	assert_contains(plain, "Cafe");
	utf8 = render(f, "text", (struct mp_render_style){ .unicode = true });
	assert_contains(utf8, "\xe2\x9c\x97 interrupt-remapping-active");
}

static void no_byte_of_the_host_reaches_the_terminal_raw(void **state)
{
	struct fixture *f = *state;
	struct mp_finding *finding = add(f, "memlock", MP_FAIL, HOSTILE, HOSTILE);
	g_autofree char *text = NULL;

	mp_finding_evidence(finding, HOSTILE, "%s", HOSTILE);
	mp_finding_remedy(finding, "%s", HOSTILE);
	finding->waiver = NULL;
	text = render(f, "text", (struct mp_render_style){ .unicode = true });
	assert_true(g_utf8_validate(text, -1, NULL));
	for (const char *p = text; *p; p++)
		assert_true((unsigned char)*p >= ' ' || *p == '\n');
}

static void json_says_it_all(void **state)
{
	struct fixture *f = *state;
	g_autofree char *text = NULL;
	struct json_object *json, *findings, *finding, *value;

	add_everything(f);
	mp_finding_evidence(f->report.findings->pdata[0], HOSTILE, "%s", HOSTILE);
	text = render(f, "json", (struct mp_render_style){ 0 });
	assert_true(g_utf8_validate(text, -1, NULL));
	json = json_tokener_parse(text);
	assert_non_null(json);
	assert_true(json_object_object_get_ex(json, "schema", &value));
	assert_int_equal(json_object_get_int(value), 1);
	assert_true(json_object_object_get_ex(json, "ready", &value));
	assert_false(json_object_get_boolean(value));
	assert_true(json_object_object_get_ex(json, "exit_code", &value));
	assert_int_equal(json_object_get_int(value), MP_EXIT_FINDING);
	assert_true(json_object_object_get_ex(json, "findings", &findings));
	assert_int_equal(json_object_array_length(findings), f->report.findings->len);
	finding = json_object_array_get_idx(findings, 5);
	assert_true(json_object_object_get_ex(finding, "waiver", &value));
	assert_string_equal(json_object_get_string(value), "measured, fast enough");
	assert_true(json_object_object_get_ex(finding, "severity", &value));
	assert_string_equal(json_object_get_string(value), "fail");
	assert_true(json_object_object_get_ex(finding, "remedy", &value));
	assert_null(value);
	assert_true(json_object_object_get_ex(json, "summary", &value));
	assert_true(json_object_object_get_ex(value, "fail", &value));
	assert_int_equal(json_object_get_int(value), 1);
	json_object_put(json);
}

static void check_junit(
	const struct fixture *f, unsigned failures, unsigned errors, unsigned skipped)
{
	g_autofree char *text = render(f, "junit", (struct mp_render_style){ 0 });
	xmlDoc *doc = xmlReadMemory(text, (int)strlen(text), "report.xml", NULL,
		XML_PARSE_NOERROR | XML_PARSE_NONET);
	xmlNode *root;

	if (!doc)
		fail_msg("not well-formed:\n%s", text);
	root = xmlDocGetRootElement(doc);
	assert_int_equal(junit_number(root, "tests"), f->report.findings->len);
	assert_int_equal(junit_number(root, "failures"), failures);
	assert_int_equal(junit_number(root, "errors"), errors);
	assert_int_equal(junit_number(root, "skipped"), skipped);
	xmlFreeDoc(doc);
}

static void junit_is_valid_and_counts(void **state)
{
	struct fixture *f = *state;
	struct mp_finding *finding;

	assert_true(mp_render_junit.prepare(NULL));
	add_everything(f);
	finding = add(f, "memlock", MP_PASS, HOSTILE, HOSTILE);
	mp_finding_evidence(finding, HOSTILE, "%s", HOSTILE);
	check_junit(f, 1, 0, 2);
	f->report.strict = true;
	check_junit(f, 2, 1, 1);
}

#define REPORT_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		REPORT_TEST(the_first_line_is_the_answer),
		REPORT_TEST(blocking_comes_first_and_everything_is_told),
		REPORT_TEST(one_problem_of_four_endpoints_is_told_once),
		REPORT_TEST(lines_fit_and_end_clean),
		REPORT_TEST(color_and_unicode_follow_the_style),
		REPORT_TEST(no_byte_of_the_host_reaches_the_terminal_raw),
		REPORT_TEST(json_says_it_all),
		REPORT_TEST(junit_is_valid_and_counts),
	};

	return cmocka_run_group_tests_name("render", tests, NULL, NULL);
}
