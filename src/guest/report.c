/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <json-c/json.h>
#include <string.h>

#include "core/error.h"
#include "core/group.h"
#include "core/platform.h"
#include "guest/report.h"
#include "vfio/case.h"

#define REPORT_MAX   (1024u * 1024)
#define DEPTH_MAX    16
#define RESULTS_MAX  20000u
#define EVIDENCE_MAX 100u
#define REPORTS_MAX  64u

static json_object *child(json_object *object, const char *key, enum json_type type)
{
	json_object *value;

	if (!json_object_is_type(object, json_type_object) ||
		!json_object_object_get_ex(object, key, &value) ||
		!json_object_is_type(value, type))
		return NULL;
	return value;
}

/* Without control characters; NULL: there is none. Caller frees. */
static char *clean(json_object *object, const char *key)
{
	json_object *value = child(object, key, json_type_string);

	return value ? mp_clean_text(json_object_get_string(value),
			       (size_t)json_object_get_string_len(value))
		     : NULL;
}

static const char *text(struct mp_host *host, json_object *object, const char *key)
{
	g_autofree char *value = clean(object, key);

	return mp_host_str(host, value);
}

static bool number(json_object *object, const char *key, uint64_t max, uint64_t *value)
{
	json_object *member = child(object, key, json_type_int);

	if (!member || json_object_get_int64(member) < 0)
		return false;
	*value = (uint64_t)json_object_get_int64(member);
	return *value <= max;
}

/* The word itself, if it is one of WORDS. */
static const char *one_of(json_object *object, const char *key, const char *const *words)
{
	g_autofree char *value = clean(object, key);

	for (; value && *words; words++)
		if (!strcmp(*words, value))
			return *words;
	return NULL;
}

/* --- host and device --- */

static void take_fact(
	struct mp_host *host, struct mp_fact *fact, json_object *object, const char *key)
{
	const char *value = text(host, object, key);

	*fact = value ? mp_fact_known(host, "guest", value)
		      : mp_fact_absent(host, "guest");
}

static void take_host(struct mp_host *host, json_object *report)
{
	json_object *its = child(report, "host", json_type_object);
	json_object *bios = child(report, "bios", json_type_object);
	struct mp_platform *platform = mp_host_alloc(host, sizeof(*platform));

	host->platform = platform;
	take_fact(host, &platform->hostname, its, "name");
	take_fact(host, &platform->kernel_release, its, "kernel");
	take_fact(host, &platform->os_name, its, "os");
	take_fact(host, &platform->pve_manager, its, "pve");
	take_fact(host, &platform->cpu_model, its, "cpu");
	take_fact(host, &platform->bios_vendor, bios, "vendor");
	take_fact(host, &platform->bios_version, bios, "version");
	take_fact(host, &platform->bios_date, bios, "date");
}

static bool hex(const char *digits, size_t length, uint64_t *value)
{
	g_autofree char *copy = g_strndup(digits, length);

	return mp_parse_uint(copy, 16, value);
}

/* "1f9d:1100" */
static bool take_id(const char *id, uint16_t *vendor, uint16_t *device)
{
	uint64_t first, second;

	if (!id || strlen(id) != 9 || id[4] != ':' || !hex(id, 4, &first) ||
		!hex(id + 5, 4, &second))
		return false;
	*vendor = (uint16_t)first;
	*device = (uint16_t)second;
	return true;
}

static bool take_device(struct mp_guest_report *r, json_object *report)
{
	json_object *its = child(report, "device", json_type_object);
	json_object *pin = child(report, "pin", json_type_object);
	struct mp_pci *device = mp_host_alloc(r->host, sizeof(*device));
	g_autofree char *address = clean(its, "address");
	g_autofree char *serial = clean(pin, "serial");
	char spelled[17];
	uint64_t group;

	if (!address || !mp_pci_parse_bdf(address, &device->domain, &device->bus,
				&device->slot, &device->function))
		return false;
	mp_pci_format_bdf(
		spelled, device->domain, device->bus, device->slot, device->function);
	/* It names a file of ours. */
	if (strcmp(spelled, address) != 0 ||
		!take_id(text(r->host, its, "id"), &device->vendor, &device->device))
		return false;
	device->bdf = mp_host_str(r->host, address);
	device->dir = "";
	device->subvendor = device->subdevice = 0xffff;
	take_id(text(r->host, pin, "subsystem"), &device->subvendor, &device->subdevice);
	if (serial && g_str_has_prefix(serial, "0x") &&
		!mp_parse_uint(serial + 2, 16, &device->serial))
		device->serial = 0;
	device->vendor_name = text(r->host, its, "vendor_name");
	device->device_name = text(r->host, its, "device_name");
	take_fact(r->host, &device->driver, its, "driver");
	take_fact(r->host, &device->slot_name, pin, "slot");
	if (number(its, "iommu_group", G_MAXINT32, &group)) {
		device->group = mp_host_alloc(r->host, sizeof(*device->group));
		device->group->id = (unsigned)group;
		device->group->members = mp_host_array(r->host);
		device->group->foreign = mp_host_array(r->host);
	}
	r->device = device;
	return true;
}

/* --- results --- */

static bool is_case_name(const char *name)
{
	return name && *name && strlen(name) <= 64 &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(name);
}

/* Null is fine: it was not measured. */
static bool take_figures(json_object *result, const char *key, struct mp_figures *figures)
{
	json_object *object = child(result, key, json_type_object);
	uint64_t count;

	if (!object)
		return true;
	if (!number(object, "count", G_MAXINT32, &count) || !count ||
		!number(object, "min", G_MAXINT64, &figures->min) ||
		!number(object, "median", G_MAXINT64, &figures->median) ||
		!number(object, "max", G_MAXINT64, &figures->max))
		return false;
	figures->count = (unsigned)count;
	return figures->min <= figures->median && figures->median <= figures->max;
}

static void take_evidence(struct mp_case_result *result, json_object *object)
{
	json_object *list = child(object, "evidence", json_type_array);
	size_t n = list ? json_object_array_length(list) : 0;

	for (size_t i = 0; i < MIN(n, EVIDENCE_MAX); i++) {
		json_object *pair = json_object_array_get_idx(list, i);
		g_autofree char *source = clean(pair, "source");
		g_autofree char *value = clean(pair, "value");

		if (source && value)
			mp_case_evidence(result, source, "%s", value);
	}
}

static struct mp_case_result *take_result(json_object *object)
{
	static const char *const verdicts[] = { "pass", "fail", "skip", NULL };
	g_autofree char *name = clean(object, "case");
	const char *verdict = one_of(object, "verdict", verdicts);
	struct mp_case_result *result;
	uint64_t round;

	if (!is_case_name(name) || !verdict ||
		!number(object, "round", G_MAXINT32, &round) || !round)
		return NULL;
	result = mp_case_result_new(name, (unsigned)round);
	result->verdict = *verdict == 'p'   ? MP_CASE_PASS
			  : *verdict == 'f' ? MP_CASE_FAIL
					    : MP_CASE_SKIP;
	result->summary = clean(object, "summary");
	result->remedy = clean(object, "remedy");
	take_evidence(result, object);
	if (result->summary && *result->summary &&
		number(object, "bytes", G_MAXINT64, &result->bytes) &&
		number(object, "duration_ns", G_MAXINT64, &result->duration_ns) &&
		take_figures(object, "latency_ns", &result->latency_ns) &&
		take_figures(object, "bytes_per_second", &result->bytes_per_second))
		return result;
	mp_case_result_free(result);
	return NULL;
}

static bool take_results(struct mp_guest_report *r, json_object *report)
{
	json_object *list = child(report, "results", json_type_array);
	size_t n = list ? json_object_array_length(list) : 0;

	if (!n || n > RESULTS_MAX)
		return false;
	for (size_t i = 0; i < n; i++) {
		struct mp_case_result *result =
			take_result(json_object_array_get_idx(list, i));

		if (!result)
			return false;
		g_ptr_array_add(r->results, result);
	}
	return true;
}

/* Its verdict is what follows from its results, or it is none. */
static bool verdict_holds(struct mp_guest_report *r, json_object *report)
{
	static const char *const verdicts[] = { "passed", "failed", "interrupted", NULL };
	const char *verdict = one_of(report, "verdict", verdicts);
	unsigned counts[3] = { 0 };

	for (guint i = 0; i < r->results->len; i++)
		counts[((struct mp_case_result *)r->results->pdata[i])->verdict]++;
	if (!verdict)
		return false;
	r->interrupted = !strcmp(verdict, "interrupted");
	if (!strcmp(verdict, "failed"))
		return counts[MP_CASE_FAIL] > 0;
	return !counts[MP_CASE_FAIL] && (r->interrupted || counts[MP_CASE_PASS] > 0);
}

/* --- all of it --- */

static bool take_options(struct mp_guest_report *r, json_object *report)
{
	json_object *options = child(report, "options", json_type_object);
	json_object *isolation = child(options, "isolation", json_type_boolean);
	uint64_t rounds, bytes;

	if (!isolation || !number(options, "rounds", G_MAXINT32, &rounds) || !rounds ||
		!number(options, "bytes", G_MAXINT64, &bytes) || !bytes)
		return false;
	r->options = (struct mp_selftest_options){
		.cases = text(r->host, options, "cases"),
		.rounds = (unsigned)rounds,
		.bytes = (size_t)bytes,
		.isolation = json_object_get_boolean(isolation),
	};
	return true;
}

static bool take(struct mp_guest_report *r, json_object *report, const char **what)
{
	static const char *const engines[] = { "dw-edma", "edu", "nvme", NULL };
	static const char *const ways[] = { "group", "cdev", "module", NULL };
	g_autofree char *tool = clean(report, "tool");
	uint64_t schema, started, seconds;

	*what = "it is no report of this program's schema 1";
	if (g_strcmp0(tool, "metis-passthrough") != 0 ||
		!number(report, "schema", 1, &schema) || schema != 1)
		return false;
	*what = "its frame is malformed";
	r->engine = one_of(report, "engine", engines);
	r->way = one_of(report, "way", ways);
	if (!r->engine || !r->way || !number(report, "started", G_MAXINT64, &started) ||
		!number(report, "seconds", G_MAXINT32, &seconds) ||
		!take_options(r, report))
		return false;
	r->started = (int64_t)started;
	r->seconds = (unsigned)seconds;
	take_host(r->host, report);
	*what = "its device is malformed";
	if (!take_device(r, report))
		return false;
	*what = "a result is malformed, or there is none";
	if (!take_results(r, report))
		return false;
	*what = "its verdict does not follow from its results";
	return verdict_holds(r, report);
}

static bool is_among(const GPtrArray *reports, const char *bdf)
{
	for (guint i = 0; i < reports->len; i++)
		if (!strcmp(((struct mp_guest_report *)reports->pdata[i])->device->bdf,
			    bdf))
			return true;
	return false;
}

/* What is parsed already belongs to REPORTS, or is freed. */
static bool take_one(
	const char *vmid, json_object *parsed, GPtrArray *reports, const char **what)
{
	g_autoptr(mp_guest_report) r = g_new0(struct mp_guest_report, 1);
	g_autofree char *origin = g_strdup_printf("VM %s", vmid);

	r->host = mp_host_new(origin, true);
	r->results = g_ptr_array_new_with_free_func((GDestroyNotify)mp_case_result_free);
	if (!take(r, parsed, what))
		return false;
	*what = "it is about one device twice";
	if (is_among(reports, r->device->bdf))
		return false;
	g_ptr_array_add(reports, g_steal_pointer(&r));
	return true;
}

/* The next one, from *at on; NULL: that is none. */
static json_object *parse_one(
	json_tokener *tokener, const char *data, size_t size, size_t *at)
{
	json_object *parsed;

	json_tokener_reset(tokener);
	parsed = json_tokener_parse_ex(tokener, data + *at, (int)(size - *at));
	*at += json_tokener_get_parse_end(tokener);
	while (*at < size && strchr(" \t\r\n", data[*at]) && data[*at])
		(*at)++;
	return parsed;
}

static bool take_all(const char *vmid, const char *data, size_t size, GPtrArray *reports,
	const char **what)
{
	json_tokener *tokener = json_tokener_new_ex(DEPTH_MAX);
	size_t at = 0;
	bool good = tokener && size <= REPORT_MAX;

	do {
		json_object *parsed = NULL;

		*what = "it is no JSON";
		good = good && reports->len < REPORTS_MAX;
		if (!good)
			break;
		parsed = parse_one(tokener, data, size, &at);
		good = parsed && take_one(vmid, parsed, reports, what);
		json_object_put(parsed);
	} while (good && at < size);
	if (tokener)
		json_tokener_free(tokener);
	return good && at == size;
}

GPtrArray *mp_guest_reports_parse(
	const char *vmid, const char *data, size_t size, GError **error)
{
	g_autoptr(GPtrArray) reports =
		g_ptr_array_new_with_free_func((GDestroyNotify)mp_guest_report_free);
	const char *what;

	if (take_all(vmid, data, size, reports, &what))
		return g_steal_pointer(&reports);
	g_set_error(error, MP_ERROR, MP_ERROR_INPUT,
		"VM %s: the report that came from the guest cannot be trusted: %s", vmid,
		what);
	return NULL;
}

void mp_guest_report_free(struct mp_guest_report *report)
{
	if (!report)
		return;
	g_ptr_array_unref(report->results);
	mp_host_free(report->host);
	g_free(report);
}
