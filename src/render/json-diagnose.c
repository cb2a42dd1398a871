/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The diagnosis for machines: templates/schema/diagnose.schema.json. */
#include "config.h"

#include <string.h>

#include "core/diagnose.h"
#include "core/pci.h"
#include "core/vm-started.h"
#include "core/vm.h"
#include "render/json.h"

static void add_hex(struct json_object *object, const char *key, bool has,
	const char *format, ...) G_GNUC_PRINTF(4, 5);

static void add_hex(
	struct json_object *object, const char *key, bool has, const char *format, ...)
{
	g_autofree char *text = NULL;
	va_list args;

	va_start(args, format);
	text = has ? g_strdup_vprintf(format, args) : NULL;
	va_end(args);
	mp_json_add_text(object, key, text);
}

static void add_number(struct json_object *object, const char *key, uint64_t number)
{
	mp_json_add(object, key, json_object_new_int64((int64_t)MIN(number, G_MAXINT64)));
}

/* The address without what the log did not tell: Intel's lines have no PCI segment. */
static struct json_object *source_object(const struct mp_event *event)
{
	struct json_object *object;

	if (!event->has_device)
		return NULL;
	object = json_object_new_object();
	add_hex(object, "domain", event->has_segment, "%04x", event->segment);
	add_hex(object, "address", true, "%02x:%02x.%x", event->bus, event->slot,
		event->function);
	return object;
}

/* What an event says, the same for one and for many alike. */
static struct json_object *event_object(const struct mp_event *event)
{
	static const char *const units[] = { NULL, "intel", "amd", "smmu" };
	static const char *const directions[] = { NULL, "read", "write" };
	struct json_object *object = json_object_new_object();

	mp_json_add_text(object, "kind", mp_event_name(event->kind));
	mp_json_add(object, "trouble",
		json_object_new_boolean(mp_event_is_trouble(event->kind)));
	mp_json_add_text(object, "iommu", units[event->unit]);
	mp_json_add(object, "source", source_object(event));
	mp_json_add_text(object, "direction", directions[event->direction]);
	add_hex(object, "reason", event->has_reason, "0x%02x", event->reason);
	add_hex(object, "flags", event->has_flags, "0x%04x", event->flags);
	add_hex(object, "index", event->has_index, "0x%x", event->index);
	add_hex(object, "pasid", event->has_pasid, "0x%x", event->pasid);
	add_hex(object, "iommu_domain", event->has_domain, "0x%x", event->domain);
	add_hex(object, "stream", event->has_stream, "0x%x", event->stream);
	mp_json_add(object, "number",
		event->has_number
			? json_object_new_int64((int64_t)MIN(event->number, G_MAXINT64))
			: NULL);
	mp_json_add_text(object, "detail", *event->detail ? event->detail : NULL);
	mp_json_add(object, "reason_unsure", json_object_new_boolean(event->unsure));
	return object;
}

static struct json_object *addresses_array(const struct mp_event_sum *sum)
{
	struct json_object *array = json_object_new_array();

	for (unsigned i = 0; i < sum->n_addresses; i++) {
		struct json_object *object = json_object_new_object();

		add_hex(object, "address", true, "0x%" G_GINT64_MODIFIER "x",
			sum->addresses[i].address);
		add_number(object, "count", sum->addresses[i].count);
		json_object_array_add(array, object);
	}
	return array;
}

static struct json_object *sum_object(const struct mp_event_sum *sum)
{
	struct json_object *object = event_object(&sum->event);

	add_number(object, "count", sum->count);
	mp_json_add(object, "addresses", addresses_array(sum));
	mp_json_add(
		object, "more_addresses", json_object_new_boolean(sum->more_addresses));
	add_number(object, "line", sum->event.line);
	add_number(object, "last_line", sum->last_line);
	mp_json_add_text(object, "time", *sum->first_stamp ? sum->first_stamp : NULL);
	mp_json_add_text(object, "last_time", *sum->last_stamp ? sum->last_stamp : NULL);
	mp_json_add_text(object, "text", sum->text);
	return object;
}

static struct json_object *problem_object(const struct mp_problem *problem)
{
	static const char *const requesters[] = { NULL, "unknown", "device", "several",
		"absent", "chip" };
	struct json_object *object = json_object_new_object();

	mp_json_add(object, "event", sum_object(problem->sum));
	mp_json_add(object, "subject", json_object_new_boolean(problem->subject));
	mp_json_add_text(object, "requester", requesters[problem->requester]);
	mp_json_add_text(object, "device", problem->device ? problem->device->bdf : NULL);
	mp_json_add_text(object, "meaning", problem->meaning);
	mp_json_add_text(object, "place", problem->place);
	return object;
}

static struct json_object *texts_array(const GPtrArray *texts)
{
	struct json_object *array = json_object_new_array();

	for (guint i = 0; i < texts->len; i++)
		json_object_array_add(array, mp_json_text(texts->pdata[i]));
	return array;
}

static struct json_object *hypothesis_object(const struct mp_hypothesis *hypothesis)
{
	static const char *const topics[] = { "interrupt", "dma", "device" };
	const struct mp_rule *rule = hypothesis->rule;
	struct json_object *object = json_object_new_object();

	mp_json_add_text(object, "id", rule->id);
	mp_json_add_text(object, "topic", topics[rule->topic]);
	mp_json_add_text(object, "title", rule->title);
	mp_json_add_text(object, "why", rule->why);
	mp_json_add_text(object, "basis", rule->inference ? "inference" : "known");
	mp_json_add(object, "score", json_object_new_int(hypothesis->score));
	mp_json_add_text(
		object, "likelihood", mp_likelihood_name(hypothesis->likelihood));
	mp_json_add(object, "for", texts_array(hypothesis->pro));
	mp_json_add(object, "against", texts_array(hypothesis->contra));
	mp_json_add_text(object, "experiment", rule->experiment);
	mp_json_add_text(object, "mitigation", rule->mitigation);
	return object;
}

static struct json_object *missing_object(const struct mp_missing *missing)
{
	struct json_object *object = json_object_new_object();
	struct json_object *ids = json_object_new_array();
	g_auto(GStrv) split = g_strsplit(missing->decides, ", ", 0);

	for (char **id = split; *id; id++)
		json_object_array_add(ids, mp_json_text(*id));
	mp_json_add_text(object, "learn", missing->learn);
	mp_json_add(object, "decides", ids);
	return object;
}

static struct json_object *attempt_object(const struct mp_attempt *attempt)
{
	struct json_object *object = json_object_new_object();

	mp_json_add_text(object, "what", mp_tried_name(attempt->tried));
	mp_json_add_text(object, "where", attempt->where);
	mp_json_add_text(object, "verdict", attempt->verdict);
	return object;
}

static struct json_object *vm_object(const struct mp_diagnosis *diagnosis)
{
	struct json_object *object;
	struct mp_vm_map map;
	g_autofree char *ram = NULL;

	if (!diagnosis->vm)
		return NULL;
	map = mp_vm_map_had(diagnosis->host, diagnosis->vm);
	ram = mp_vm_map_describe(&map);
	object = json_object_new_object();
	mp_json_add_text(object, "id", diagnosis->vm->id);
	mp_json_add(object, "named", json_object_new_boolean(!diagnosis->vm_guessed));
	mp_json_add_text(object, "ram", ram);
	return object;
}

#define ARRAY(list, function, type)                                                      \
	do {                                                                             \
		array = json_object_new_array();                                         \
		for (guint i = 0; i < diagnosis->list->len; i++)                         \
			json_object_array_add(                                           \
				array, function(diagnosis->list->pdata[i]));             \
		mp_json_add(object, #type, array);                                       \
	} while (0)

void mp_json_diagnose(const struct mp_diagnose_report *report,
	const struct mp_render_style *style G_GNUC_UNUSED, FILE *out)
{
	const struct mp_diagnosis *diagnosis = report->diagnosis;
	struct json_object *object = mp_json_report(), *array;

	mp_json_add(
		object, "host", report->of_host ? mp_json_host(diagnosis->host) : NULL);
	mp_json_add_text(object, "log", report->source);
	mp_json_add_text(object, "verdict", diagnosis->verdict);
	mp_json_add_text(object, "subject", diagnosis->subject);
	mp_json_add(object, "device",
		diagnosis->device ? mp_json_device(diagnosis->device) : NULL);
	mp_json_add(object, "vm", vm_object(diagnosis));
	add_number(object, "events", diagnosis->log->events);
	add_number(object, "faults", diagnosis->faults);
	mp_json_add(object, "at_least", json_object_new_boolean(diagnosis->at_least));
	ARRAY(problems, problem_object, problems);
	array = json_object_new_array();
	for (guint i = 0; i < diagnosis->log->sums->len; i++) {
		const struct mp_event_sum *sum = diagnosis->log->sums->pdata[i];

		if (!mp_event_is_trouble(sum->event.kind))
			json_object_array_add(array, sum_object(sum));
	}
	mp_json_add(object, "circumstances", array);
	ARRAY(hypotheses, hypothesis_object, hypotheses);
	ARRAY(missing, missing_object, missing);
	ARRAY(attempts, attempt_object, attempts);
	mp_json_add(object, "notes", texts_array(diagnosis->notes));
	mp_json_add(object, "exit_code", json_object_new_int(report->exit_code));
	mp_json_write(object, out);
}

/* One object a line, for --follow. */
void mp_json_event(const struct mp_event *event,
	const struct mp_render_style *style G_GNUC_UNUSED, FILE *out)
{
	struct json_object *object = event_object(event);
	g_autofree char *stamp =
		event->stamp ? g_strndup(event->stamp, event->stamp_length) : NULL;

	add_hex(object, "address", event->has_address, "0x%" G_GINT64_MODIFIER "x",
		event->address);
	mp_json_add_text(object, "time", stamp);
	fputs(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN), out);
	fputc('\n', out);
	json_object_put(object);
}
