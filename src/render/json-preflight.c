/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The preflight report for machines: templates/schema/preflight.schema.json. */
#include "config.h"

#include "render/json.h"

static struct json_object *finding_object(const struct mp_finding *finding)
{
	struct json_object *object = json_object_new_object();

	mp_json_add_text(object, "id", finding->id);
	mp_json_add_text(object, "topic", mp_check_topic(finding->id));
	mp_json_add_text(object, "severity", mp_severity_name(finding->severity));
	mp_json_add_text(object, "subject", finding->subject);
	mp_json_add_text(object, "summary", finding->summary);
	mp_json_add(object, "evidence", mp_json_evidence(finding));
	mp_json_add_text(object, "remedy", finding->remedy);
	mp_json_add_text(object, "waiver", finding->waiver);
	mp_json_add(object, "live_only", json_object_new_boolean(finding->live_only));
	return object;
}

static struct json_object *devices_array(const GPtrArray *wanted)
{
	struct json_object *array = json_object_new_array();

	for (guint i = 0; i < wanted->len; i++)
		json_object_array_add(array, mp_json_device(wanted->pdata[i]));
	return array;
}

/* As many findings of each severity, waived ones apart. */
static struct json_object *summary_object(const GPtrArray *findings)
{
	struct json_object *object = json_object_new_object();
	int counts[MP_SEVERITIES] = { 0 };
	int waived = 0;

	for (guint i = 0; i < findings->len; i++) {
		const struct mp_finding *finding = findings->pdata[i];

		if (finding->waiver && finding->severity > MP_INFO)
			waived++;
		else
			counts[finding->severity]++;
	}
	for (int i = MP_SEVERITIES; i-- > 0;)
		mp_json_add(object, mp_severity_name((enum mp_severity)i),
			json_object_new_int(counts[i]));
	mp_json_add(object, "waived", json_object_new_int(waived));
	return object;
}

void mp_json_preflight(const struct mp_preflight_report *report,
	const struct mp_render_style *style G_GNUC_UNUSED, FILE *out)
{
	struct json_object *object = mp_json_report();
	struct json_object *findings = json_object_new_array();

	for (guint i = 0; i < report->findings->len; i++)
		json_object_array_add(
			findings, finding_object(report->findings->pdata[i]));
	mp_json_add(object, "host", mp_json_host(report->host));
	mp_json_add_text(object, "profile", report->profile);
	mp_json_add_text(object, "vm", report->vm);
	mp_json_add_text(object, "only", report->only);
	mp_json_add(object, "strict", json_object_new_boolean(report->strict));
	mp_json_add(object, "devices", devices_array(report->wanted));
	mp_json_add(object, "findings", findings);
	mp_json_add(object, "summary", summary_object(report->findings));
	mp_json_add(object, "ready",
		json_object_new_boolean(report->exit_code == MP_EXIT_OK));
	mp_json_add(object, "exit_code", json_object_new_int(report->exit_code));
	mp_json_write(object, out);
}
