/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `status` for machines: templates/schema/status.schema.json. Drift comes first. */
#include "config.h"

#include "core/journal.h"
#include "render/json.h"

static struct json_object *finding_object(const struct mp_finding *finding)
{
	struct json_object *object = json_object_new_object();

	mp_json_add_text(object, "id", finding->id);
	mp_json_add_text(object, "severity", mp_severity_name(finding->severity));
	mp_json_add_text(object, "subject", finding->subject);
	mp_json_add_text(object, "summary", finding->summary);
	mp_json_add(object, "evidence", mp_json_evidence(finding));
	mp_json_add_text(object, "remedy", finding->remedy);
	return object;
}

static struct json_object *findings_array(const GPtrArray *findings)
{
	struct json_object *array = json_object_new_array();

	for (int severity = MP_SEVERITIES; severity-- > 0;)
		for (guint i = 0; i < findings->len; i++) {
			const struct mp_finding *finding = findings->pdata[i];

			if ((int)finding->severity == severity)
				json_object_array_add(array, finding_object(finding));
		}
	return array;
}

void mp_json_status(const struct mp_status_report *report,
	const struct mp_render_style *style G_GNUC_UNUSED, FILE *out)
{
	struct json_object *object = mp_json_report();
	struct json_object *transactions = json_object_new_array();
	struct json_object *summary = json_object_new_object();

	for (guint i = 0; i < report->transactions->len; i++)
		json_object_array_add(transactions,
			mp_json_transaction(report->transactions->pdata[i]));
	for (int i = MP_SEVERITIES; i-- > MP_PASS;)
		mp_json_add(summary, mp_severity_name((enum mp_severity)i),
			json_object_new_int64(report->counts[i]));
	mp_json_add(object, "host", mp_json_host(report->host));
	mp_json_add_text(object, "boot_id", report->boot_id);
	mp_json_add(object, "checked", json_object_new_int64(report->checked));
	mp_json_add_text(object, "verdict", mp_status_verdict_name(report->verdict));
	mp_json_add(object, "reboot_pending",
		json_object_new_boolean(report->reboot_pending));
	mp_json_add(object, "transactions", transactions);
	mp_json_add(object, "findings", findings_array(report->findings));
	mp_json_add(object, "summary", summary);
	mp_json_add(object, "exit_code", json_object_new_int(report->exit_code));
	mp_json_write(object, out);
}
