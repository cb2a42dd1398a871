/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Format "junit" for pipelines: one test case a finding, one suite a topic.
 *
 *   fail     <failure>
 *   warn     passes, told in <system-out>; with --strict <failure>
 *   unknown  <skipped>; with --strict <error>
 *   skip     <skipped>
 *   waived   passes, the reason in <system-out>
 *
 * Of a self-test: one test case a case, one suite a round.
 */
#include "config.h"

#include <libxml/xmlwriter.h>
#include <string.h>

#include "core/error.h"
#include "core/lazy.h"
#include "core/pci.h"
#include "render/render.h"
#include "vfio/selftest.h"

#define XML_SYMBOLS(X)                                                                   \
	X(xmlBufferContent)                                                              \
	X(xmlBufferCreate)                                                               \
	X(xmlBufferFree)                                                                 \
	X(xmlFreeTextWriter)                                                             \
	X(xmlNewTextWriterMemory)                                                        \
	X(xmlTextWriterEndDocument)                                                      \
	X(xmlTextWriterEndElement)                                                       \
	X(xmlTextWriterSetIndent)                                                        \
	X(xmlTextWriterStartDocument)                                                    \
	X(xmlTextWriterStartElement)                                                     \
	X(xmlTextWriterWriteAttribute)                                                   \
	X(xmlTextWriterWriteString)
MP_LAZY(xml, XML_SYMBOLS)

/* XML 1.0 knows no control characters, not even escaped, and no U+FFFE, U+FFFF. */
static xmlChar *xml_text(const char *text)
{
	g_autofree char *clean = mp_clean_text(text, strlen(text));
	GString *out = g_string_new(NULL);

	for (const char *p = clean; *p; p = g_utf8_next_char(p)) {
		gunichar c = g_utf8_get_char(p);

		if ((c >= 0x20 && c != 0xfffe && c != 0xffff) || c == '\n' || c == '\t')
			g_string_append_unichar(out, c);
	}
	return (xmlChar *)g_string_free(out, FALSE);
}

static void add_attribute(xmlTextWriter *writer, const char *name, const char *text)
{
	g_autofree xmlChar *clean = xml_text(text);

	xml.xmlTextWriterWriteAttribute(writer, BAD_CAST name, clean);
}

static void add_number(xmlTextWriter *writer, const char *name, guint number)
{
	char text[16];

	g_snprintf(text, sizeof(text), "%u", number);
	add_attribute(writer, name, text);
}

static enum mp_severity weight(const struct mp_finding *finding)
{
	return finding->waiver && finding->severity > MP_INFO ? MP_INFO
							      : finding->severity;
}

/* The element that tells the verdict, or NULL where the case passes. */
static const char *verdict(const struct mp_finding *finding, bool strict)
{
	switch (weight(finding)) {
	case MP_FAIL:
		return "failure";
	case MP_WARN:
		return strict ? "failure" : NULL;
	case MP_UNSURE:
		return strict ? "error" : "skipped";
	case MP_SKIP:
		return "skipped";
	default:
		return NULL;
	}
}

static char *details(const struct mp_finding *finding)
{
	GString *text = g_string_new(NULL);

	g_string_append_printf(
		text, "%s: %s\n", mp_severity_name(finding->severity), finding->summary);
	for (guint i = 0; i < finding->evidence->len; i++) {
		const struct mp_evidence *evidence = finding->evidence->pdata[i];

		g_string_append_printf(
			text, "seen: %s: %s\n", evidence->source, evidence->value);
	}
	if (finding->remedy)
		g_string_append_printf(text, "do: %s\n", finding->remedy);
	if (finding->waiver)
		g_string_append_printf(text, "waived: %s\n", finding->waiver);
	return g_string_free(text, FALSE);
}

static void add_case(xmlTextWriter *writer, const struct mp_finding *finding, bool strict)
{
	const char *element = verdict(finding, strict);
	g_autofree char *name = g_strdup_printf("%s (%s)", finding->id, finding->subject);
	g_autofree char *text = details(finding);
	g_autofree xmlChar *clean = xml_text(text);

	xml.xmlTextWriterStartElement(writer, BAD_CAST "testcase");
	add_attribute(writer, "classname", mp_check_topic(finding->id));
	add_attribute(writer, "name", name);
	if (element) {
		xml.xmlTextWriterStartElement(writer, BAD_CAST element);
		add_attribute(writer, "message", finding->summary);
		if (strcmp(element, "skipped") != 0)
			add_attribute(
				writer, "type", mp_severity_name(finding->severity));
	} else {
		xml.xmlTextWriterStartElement(writer, BAD_CAST "system-out");
	}
	xml.xmlTextWriterWriteString(writer, clean);
	xml.xmlTextWriterEndElement(writer);
	xml.xmlTextWriterEndElement(writer);
}

/* Findings FROM to TO are of one topic; TOPIC NULL: the totals of all. */
static void add_counts(xmlTextWriter *writer, const struct mp_preflight_report *report,
	guint from, guint to)
{
	guint failures = 0, errors = 0, skipped = 0;

	for (guint i = from; i < to; i++) {
		const char *element = verdict(report->findings->pdata[i], report->strict);

		failures += g_strcmp0(element, "failure") == 0;
		errors += g_strcmp0(element, "error") == 0;
		skipped += g_strcmp0(element, "skipped") == 0;
	}
	add_number(writer, "tests", to - from);
	add_number(writer, "failures", failures);
	add_number(writer, "errors", errors);
	add_number(writer, "skipped", skipped);
}

static const char *topic_at(const struct mp_preflight_report *report, guint index)
{
	const struct mp_finding *finding = report->findings->pdata[index];

	return mp_check_topic(finding->id);
}

static void add_suite(xmlTextWriter *writer, const struct mp_preflight_report *report,
	guint from, guint to)
{
	xml.xmlTextWriterStartElement(writer, BAD_CAST "testsuite");
	add_attribute(writer, "name", topic_at(report, from));
	add_counts(writer, report, from, to);
	for (guint i = from; i < to; i++)
		add_case(writer, report->findings->pdata[i], report->strict);
	xml.xmlTextWriterEndElement(writer);
}

static bool prepare(GError **error)
{
	const char *why = mp_lazy_load(LIBXML_SONAME, xml_names, (void **)&xml);

	if (why)
		g_set_error(error, MP_ERROR, MP_ERROR_IO,
			"format junit: cannot load libxml2 (Debian package libxml2): %s",
			why);
	return !why;
}

static xmlTextWriter *begin_document(xmlBuffer **buffer, const char *name)
{
	xmlTextWriter *writer;

	*buffer = xml.xmlBufferCreate();
	writer = *buffer ? xml.xmlNewTextWriterMemory(*buffer, 0) : NULL;
	if (!writer)
		g_error("out of memory");
	xml.xmlTextWriterSetIndent(writer, 1);
	xml.xmlTextWriterStartDocument(writer, NULL, "UTF-8", NULL);
	xml.xmlTextWriterStartElement(writer, BAD_CAST "testsuites");
	add_attribute(writer, "name", name);
	return writer;
}

static void end_document(xmlTextWriter *writer, xmlBuffer *buffer, FILE *out)
{
	xml.xmlTextWriterEndDocument(writer);
	xml.xmlFreeTextWriter(writer);
	fputs((const char *)xml.xmlBufferContent(buffer), out);
	xml.xmlBufferFree(buffer);
}

static void preflight(const struct mp_preflight_report *report,
	const struct mp_render_style *style G_GNUC_UNUSED, FILE *out)
{
	xmlBuffer *buffer;
	xmlTextWriter *writer = begin_document(&buffer, "metis-passthrough preflight");
	guint from = 0;

	add_counts(writer, report, 0, report->findings->len);
	for (guint i = 1; i <= report->findings->len; i++) {
		if (i < report->findings->len &&
			!strcmp(topic_at(report, i), topic_at(report, from)))
			continue;
		add_suite(writer, report, from, i);
		from = i;
	}
	end_document(writer, buffer, out);
}

/* --- selftest: one suite a round --- */

static void add_result(xmlTextWriter *writer, const struct mp_case_result *result)
{
	static const char *const elements[] = {
		[MP_CASE_PASS] = "system-out",
		[MP_CASE_FAIL] = "failure",
		[MP_CASE_SKIP] = "skipped",
	};
	g_autoptr(GString) text = g_string_new(result->summary);
	g_autofree xmlChar *clean = NULL;

	for (guint i = 0; result->evidence && i < result->evidence->len; i++) {
		const struct mp_evidence *evidence = result->evidence->pdata[i];

		g_string_append_printf(
			text, "\nseen: %s: %s", evidence->source, evidence->value);
	}
	if (result->remedy)
		g_string_append_printf(text, "\ndo: %s", result->remedy);
	clean = xml_text(text->str);
	xml.xmlTextWriterStartElement(writer, BAD_CAST "testcase");
	add_attribute(writer, "classname", "selftest");
	add_attribute(writer, "name", result->name);
	xml.xmlTextWriterStartElement(writer, BAD_CAST elements[result->verdict]);
	if (result->verdict != MP_CASE_PASS)
		add_attribute(writer, "message", result->summary);
	if (result->verdict == MP_CASE_FAIL)
		add_attribute(writer, "type", "fail");
	xml.xmlTextWriterWriteString(writer, clean);
	xml.xmlTextWriterEndElement(writer);
	xml.xmlTextWriterEndElement(writer);
}

/* Results FROM to TO. */
static void add_result_counts(xmlTextWriter *writer,
	const struct mp_selftest_report *report, guint from, guint to)
{
	guint failures = 0, skipped = 0;

	for (guint i = from; i < to; i++) {
		const struct mp_case_result *result = report->results->pdata[i];

		failures += result->verdict == MP_CASE_FAIL;
		skipped += result->verdict == MP_CASE_SKIP;
	}
	add_number(writer, "tests", to - from);
	add_number(writer, "failures", failures);
	add_number(writer, "errors", 0);
	add_number(writer, "skipped", skipped);
}

static unsigned round_at(const struct mp_selftest_report *report, guint index)
{
	const struct mp_case_result *result = report->results->pdata[index];

	return result->round;
}

static void add_round(xmlTextWriter *writer, const struct mp_selftest_report *report,
	guint from, guint to)
{
	g_autofree char *vm =
		report->vm ? g_strdup_printf(" in VM %s", report->vm) : g_strdup("");
	g_autofree char *name =
		g_strdup_printf("%s%s (%s, by %s), round %u", report->device->bdf, vm,
			report->engine, report->way, round_at(report, from));

	xml.xmlTextWriterStartElement(writer, BAD_CAST "testsuite");
	add_attribute(writer, "name", name);
	add_result_counts(writer, report, from, to);
	for (guint i = from; i < to; i++)
		add_result(writer, report->results->pdata[i]);
	xml.xmlTextWriterEndElement(writer);
}

static void selftest(const struct mp_selftest_report *report,
	const struct mp_render_style *style G_GNUC_UNUSED, FILE *out)
{
	xmlBuffer *buffer;
	xmlTextWriter *writer = begin_document(&buffer, "metis-passthrough selftest");
	guint from = 0;

	add_result_counts(writer, report, 0, report->results->len);
	for (guint i = 1; i <= report->results->len; i++) {
		if (i < report->results->len &&
			round_at(report, i) == round_at(report, from))
			continue;
		add_round(writer, report, from, i);
		from = i;
	}
	end_document(writer, buffer, out);
}

const struct mp_render_ops mp_render_junit = {
	.name = "junit",
	.prepare = prepare,
	.preflight = preflight,
	.selftest = selftest,
};
