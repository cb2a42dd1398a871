/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `selftest` for machines: templates/schema/selftest.schema.json. The report that is kept
 * for preflight is this one too (core/selftest-last.h).
 */
#include "config.h"

#include "core/pin.h"
#include "core/platform.h"
#include "render/json.h"
#include "vfio/selftest.h"

static const char *const verdicts[] = {
	[MP_CASE_PASS] = "pass",
	[MP_CASE_FAIL] = "fail",
	[MP_CASE_SKIP] = "skip",
};

static void add_number(struct json_object *object, const char *key, uint64_t number)
{
	mp_json_add(object, key, json_object_new_int64((int64_t)MIN(number, G_MAXINT64)));
}

/* What was measured, or null. */
static struct json_object *figures_object(const struct mp_figures *figures)
{
	struct json_object *object;

	if (!figures->count)
		return NULL;
	object = json_object_new_object();
	add_number(object, "count", figures->count);
	add_number(object, "min", figures->min);
	add_number(object, "median", figures->median);
	add_number(object, "max", figures->max);
	return object;
}

static struct json_object *result_object(const struct mp_case_result *result)
{
	struct json_object *object = json_object_new_object();

	mp_json_add_text(object, "case", result->name);
	add_number(object, "round", result->round);
	mp_json_add_text(object, "verdict", verdicts[result->verdict]);
	mp_json_add_text(object, "summary", result->summary);
	mp_json_add(object, "evidence", mp_json_evidence_list(result->evidence));
	mp_json_add_text(object, "remedy", result->remedy);
	add_number(object, "bytes", result->bytes);
	add_number(object, "duration_ns", result->duration_ns);
	mp_json_add(object, "latency_ns", figures_object(&result->latency_ns));
	mp_json_add(
		object, "bytes_per_second", figures_object(&result->bytes_per_second));
	return object;
}

static void add_fact(
	struct json_object *object, const char *key, const struct mp_fact *fact)
{
	mp_json_add_text(object, key, fact->know == MP_KNOWN ? fact->text : NULL);
}

static struct json_object *bios_object(const struct mp_host *host)
{
	static const struct mp_platform nothing_known;
	const struct mp_platform *platform =
		host->platform ? host->platform : &nothing_known;
	struct json_object *object = json_object_new_object();

	add_fact(object, "vendor", &platform->bios_vendor);
	add_fact(object, "version", &platform->bios_version);
	add_fact(object, "date", &platform->bios_date);
	return object;
}

static struct json_object *pin_object(const struct mp_pci *device)
{
	g_autoptr(mp_pin) pin = mp_pin_of(device);
	struct json_object *object = json_object_new_object();

	mp_json_add_text(object, "address", pin->address);
	mp_json_add_text(object, "id", pin->id);
	mp_json_add_text(object, "subsystem", pin->subsystem);
	mp_json_add_text(object, "serial", pin->serial);
	mp_json_add_text(object, "slot", pin->slot);
	return object;
}

static struct json_object *options_object(const struct mp_selftest_options *options)
{
	struct json_object *object = json_object_new_object();

	mp_json_add_text(object, "cases", options->cases);
	add_number(object, "rounds", options->rounds);
	add_number(object, "bytes", options->bytes);
	mp_json_add(object, "isolation", json_object_new_boolean(options->isolation));
	return object;
}

void mp_json_selftest(const struct mp_selftest_report *report,
	const struct mp_render_style *style G_GNUC_UNUSED, FILE *out)
{
	struct json_object *object = mp_json_report();
	struct json_object *results = json_object_new_array();
	struct json_object *summary = json_object_new_object();

	for (guint i = 0; i < report->results->len; i++)
		json_object_array_add(results, result_object(report->results->pdata[i]));
	add_number(summary, "fail", report->failed);
	add_number(summary, "skip", report->skipped);
	add_number(summary, "pass", report->passed);
	mp_json_add(object, "host", mp_json_host(report->host));
	mp_json_add(object, "bios", bios_object(report->host));
	mp_json_add_text(object, "where", report->guest ? "guest" : "host");
	mp_json_add_text(object, "vm", report->vm);
	mp_json_add(object, "device", mp_json_device(report->device));
	mp_json_add(object, "pin", pin_object(report->device));
	mp_json_add_text(object, "engine", report->engine);
	mp_json_add_text(object, "way", report->way);
	mp_json_add(object, "options", options_object(report->options));
	mp_json_add(object, "started", json_object_new_int64(report->started));
	add_number(object, "seconds", report->seconds);
	mp_json_add_text(object, "verdict", mp_selftest_verdict_name(report));
	mp_json_add(object, "results", results);
	mp_json_add(object, "summary", summary);
	mp_json_add(object, "exit_code", json_object_new_int(report->exit_code));
	mp_json_write(object, out);
}

void mp_json_cases(const struct mp_case *const *all, size_t n,
	const struct mp_render_style *style G_GNUC_UNUSED, FILE *out)
{
	struct json_object *report = mp_json_report();
	struct json_object *cases = json_object_new_array();

	for (size_t i = 0; i < n; i++) {
		struct json_object *object = json_object_new_object();

		mp_json_add_text(object, "case", all[i]->name);
		mp_json_add_text(object, "title", all[i]->title);
		mp_json_add(
			object, "isolation", json_object_new_boolean(all[i]->isolation));
		json_object_array_add(cases, object);
	}
	mp_json_add(report, "cases", cases);
	mp_json_write(report, out);
}
