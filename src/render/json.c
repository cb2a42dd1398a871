/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Format "json": what its reports share. */
#include "config.h"

#include <string.h>

#include "core/group.h"
#include "core/pci.h"
#include "core/platform.h"
#include "render/json.h"

#define SCHEMA 1

void mp_json_add(struct json_object *object, const char *key, struct json_object *value)
{
	/* Fails only without memory. */
	if (json_object_object_add_ex(
		    object, key, value, JSON_C_OBJECT_ADD_CONSTANT_KEY) < 0)
		g_error("out of memory");
}

struct json_object *mp_json_text(const char *text)
{
	g_autofree char *clean = NULL;

	if (!text)
		return NULL; /* json-c's null */
	clean = mp_clean_text(text, strlen(text));
	return json_object_new_string(clean);
}

void mp_json_add_text(struct json_object *object, const char *key, const char *text)
{
	mp_json_add(object, key, mp_json_text(text));
}

struct json_object *mp_json_report(void)
{
	struct json_object *report = json_object_new_object();

	mp_json_add(report, "schema", json_object_new_int(SCHEMA));
	mp_json_add_text(report, "tool", PACKAGE_NAME);
	mp_json_add_text(report, "version", PACKAGE_VERSION);
	return report;
}

static void add_fact(
	struct json_object *object, const char *key, const struct mp_fact *fact)
{
	mp_json_add_text(object, key, fact->know == MP_KNOWN ? fact->text : NULL);
}

struct json_object *mp_json_host(const struct mp_host *host)
{
	static const struct mp_platform nothing_known;
	const struct mp_platform *platform =
		host->platform ? host->platform : &nothing_known;
	struct json_object *object = json_object_new_object();

	add_fact(object, "name", &platform->hostname);
	add_fact(object, "kernel", &platform->kernel_release);
	add_fact(object, "os", &platform->os_name);
	add_fact(object, "pve", &platform->pve_manager);
	add_fact(object, "cpu", &platform->cpu_model);
	mp_json_add_text(object, "origin", host->origin);
	mp_json_add(object, "live", json_object_new_boolean(host->live));
	return object;
}

struct json_object *mp_json_device(const struct mp_pci *device)
{
	struct json_object *object = json_object_new_object();
	char id[10];

	mp_json_add_text(object, "address", device->bdf);
	mp_json_add_text(object, "id", mp_pci_id(device, id));
	mp_json_add_text(object, "vendor_name", device->vendor_name);
	mp_json_add_text(object, "device_name", device->device_name);
	mp_json_add(object, "iommu_group",
		device->group ? json_object_new_int64(device->group->id) : NULL);
	mp_json_add_text(object, "driver",
		device->driver.know == MP_KNOWN ? device->driver.text : NULL);
	return object;
}

struct json_object *mp_json_evidence_list(const GPtrArray *evidence)
{
	struct json_object *array = json_object_new_array();

	for (guint i = 0; evidence && i < evidence->len; i++) {
		const struct mp_evidence *item = evidence->pdata[i];
		struct json_object *pair = json_object_new_object();

		mp_json_add_text(pair, "source", item->source);
		mp_json_add_text(pair, "value", item->value);
		json_object_array_add(array, pair);
	}
	return array;
}

struct json_object *mp_json_evidence(const struct mp_finding *finding)
{
	return mp_json_evidence_list(finding->evidence);
}

void mp_json_write(struct json_object *report, FILE *out)
{
	const char *text = json_object_to_json_string_ext(
		report, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
				JSON_C_TO_STRING_NOSLASHESCAPE);

	if (!text)
		g_error("out of memory");
	fputs(text, out);
	fputc('\n', out);
	json_object_put(report);
}

const struct mp_render_ops mp_render_json = {
	.name = "json",
	.preflight = mp_json_preflight,
	.list = mp_json_list,
	.checks = mp_json_checks,
	.explain = mp_json_explain,
	.status = mp_json_status,
	.history = mp_json_history,
	.plan = mp_json_plan,
	.selftest = mp_json_selftest,
	.vm = mp_json_vm,
	.cases = mp_json_cases,
	.inspect = mp_json_inspect,
	.diagnose = mp_json_diagnose,
	.event = mp_json_event,
};
