/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "core/finding.h"

static const char *const severity_names[] = {
	[MP_SKIP] = "skip",
	[MP_PASS] = "pass",
	[MP_INFO] = "info",
	[MP_UNSURE] = "unknown",
	[MP_WARN] = "warn",
	[MP_FAIL] = "fail",
};
G_STATIC_ASSERT(G_N_ELEMENTS(severity_names) == MP_SEVERITIES);

const char *mp_severity_name(enum mp_severity severity)
{
	return severity_names[severity];
}

static void evidence_free(void *data)
{
	struct mp_evidence *evidence = data;

	g_free(evidence->source);
	g_free(evidence->value);
	g_free(evidence);
}

struct mp_finding *mp_finding_new(const char *id, enum mp_severity severity,
	const char *subject, const char *format, ...)
{
	struct mp_finding *finding = g_new0(struct mp_finding, 1);
	va_list args;

	finding->id = id;
	finding->severity = severity;
	finding->subject = g_strdup(subject);
	va_start(args, format);
	finding->summary = g_strdup_vprintf(format, args);
	va_end(args);
	finding->evidence = g_ptr_array_new_with_free_func(evidence_free);
	return finding;
}

void mp_finding_free(struct mp_finding *finding)
{
	if (!finding)
		return;
	g_free(finding->subject);
	g_free(finding->summary);
	g_free(finding->remedy);
	g_free(finding->waiver);
	g_ptr_array_unref(finding->evidence);
	g_free(finding);
}

void mp_finding_remedy(struct mp_finding *finding, const char *format, ...)
{
	va_list args;

	g_free(finding->remedy);
	va_start(args, format);
	finding->remedy = g_strdup_vprintf(format, args);
	va_end(args);
}

void mp_finding_evidence(
	struct mp_finding *finding, const char *source, const char *format, ...)
{
	struct mp_evidence *evidence = g_new0(struct mp_evidence, 1);
	va_list args;

	evidence->source = g_strdup(source);
	va_start(args, format);
	evidence->value = g_strdup_vprintf(format, args);
	va_end(args);
	g_ptr_array_add(finding->evidence, evidence);
}

void mp_finding_fact(struct mp_finding *finding, const struct mp_fact *fact)
{
	if (!fact->source)
		return;
	switch (fact->know) {
	case MP_KNOWN:
		mp_finding_evidence(finding, fact->source, "%s",
			*fact->text ? fact->text : "(empty)");
		return;
	case MP_ABSENT:
		mp_finding_evidence(finding, fact->source, "absent");
		return;
	case MP_UNKNOWN:
		mp_finding_evidence(finding, fact->source, "unknown (%s)",
			fact->why ? fact->why : "no reason given");
		return;
	}
}
