/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the last self-test of each device found. */
#include "config.h"

#include <json-c/json.h>
#include <string.h>

#include "core/pci.h"
#include "core/pin.h"
#include "core/selftest-last.h"
#include "core/selftest-vm.h"

#define DEPTH_MAX   16
#define REPORT_MAX  MP_READ_FILE
#define REPORTS_MAX 256
#define SUFFIX      ".json"

static json_object *child(json_object *object, const char *key, json_type type)
{
	json_object *value = NULL;

	if (!json_object_is_type(object, json_type_object) ||
		!json_object_object_get_ex(object, key, &value) ||
		!json_object_is_type(value, type))
		return NULL;
	return value;
}

/* Valid UTF-8 without control characters, or NULL. */
static const char *text_of(struct mp_host *host, json_object *object, const char *key)
{
	json_object *value = child(object, key, json_type_string);
	g_autofree char *clean = NULL;

	if (!value)
		return NULL;
	clean = mp_clean_text(
		json_object_get_string(value), (size_t)json_object_get_string_len(value));
	return mp_host_str(host, clean);
}

static unsigned count_of(json_object *object, const char *key)
{
	json_object *value = child(object, key, json_type_int);
	int64_t number = value ? json_object_get_int64(value) : 0;

	return (unsigned)CLAMP(number, 0, G_MAXINT32);
}

static const struct mp_pin *take_pin(
	struct mp_host *host, json_object *report, const char *address)
{
	json_object *object = child(report, "pin", json_type_object);
	struct mp_pin *pin;

	if (g_strcmp0(text_of(host, object, "address"), address) != 0 ||
		!text_of(host, object, "id"))
		return NULL;
	pin = g_new0(struct mp_pin, 1);
	pin->address = g_strdup(address);
	pin->id = g_strdup(text_of(host, object, "id"));
	pin->subsystem = g_strdup(text_of(host, object, "subsystem"));
	pin->serial = g_strdup(text_of(host, object, "serial"));
	pin->slot = g_strdup(text_of(host, object, "slot"));
	/* Who else is in the group is another check's matter. */
	pin->group_members = g_ptr_array_new_with_free_func(g_free);
	return mp_host_own(host, pin, (GDestroyNotify)mp_pin_free);
}

static const char *first_failure(struct mp_host *host, json_object *report)
{
	json_object *results = child(report, "results", json_type_array);
	size_t n = results ? json_object_array_length(results) : 0;

	for (size_t i = 0; i < n; i++) {
		json_object *result = json_object_array_get_idx(results, i);
		const char *verdict = text_of(host, result, "verdict");
		const char *name = text_of(host, result, "case");
		const char *summary = text_of(host, result, "summary");

		if (name && summary && g_strcmp0(verdict, "fail") == 0)
			return mp_host_strf(host, "%s: %s", name, summary);
	}
	return NULL;
}

/* A report that does not say what it must is none. */
static bool take_report(
	struct mp_host *host, struct mp_selftest_last *last, json_object *report)
{
	json_object *options = child(report, "options", json_type_object);
	json_object *isolation = child(options, "isolation", json_type_boolean);
	json_object *summary = child(report, "summary", json_type_object);
	json_object *started = child(report, "started", json_type_int);
	const char *verdict = text_of(host, report, "verdict");

	last->pin = take_pin(host, report, last->address);
	if (!verdict || !last->pin || !isolation || !summary || !started)
		return false;
	last->kernel = text_of(host, child(report, "host", json_type_object), "kernel");
	last->bios = text_of(host, child(report, "bios", json_type_object), "version");
	last->engine = text_of(host, report, "engine");
	last->way = text_of(host, report, "way");
	last->started = json_object_get_int64(started);
	last->isolation = json_object_get_boolean(isolation);
	last->passed = count_of(summary, "pass");
	last->failed = count_of(summary, "fail");
	last->skipped = count_of(summary, "skip");
	last->failure = first_failure(host, report);
	if (!strcmp(verdict, "failed"))
		return last->failed > 0;
	return !strcmp(verdict, "passed") && last->passed > 0 && !last->failed;
}

struct mp_selftest_last *mp_selftest_parse(struct mp_host *host, const char *address,
	const char *source, const char *text, size_t size)
{
	struct mp_selftest_last *last = mp_host_alloc(host, sizeof(*last));
	json_tokener *tokener = json_tokener_new_ex(DEPTH_MAX);
	json_object *report = NULL;

	last->address = mp_host_str(host, address);
	if (tokener && size <= REPORT_MAX)
		report = json_tokener_parse_ex(tokener, text, (int)size);
	if (report && take_report(host, last, report))
		last->verdict =
			mp_fact_known(host, source, last->failed ? "failed" : "passed");
	else
		last->verdict = mp_fact_unknown(
			host, source, "not a self-test report of this program");
	json_object_put(report);
	if (tokener)
		json_tokener_free(tokener);
	return last;
}

static void probe_report(struct mp_host *host, struct mp_root *root, const char *name)
{
	g_autofree char *path = g_strdup_printf(MP_PATH_SELFTEST "/%s", name);
	g_autofree char *source = g_strdup_printf("/%s", path);
	g_autofree char *address = g_strndup(name, strlen(name) - strlen(SUFFIX));
	g_autofree char *text = NULL;
	struct mp_selftest_last *last;
	uint32_t domain;
	uint8_t bus, slot, function;
	size_t size = 0;
	int err;

	if (!mp_pci_parse_bdf(address, &domain, &bus, &slot, &function))
		return;
	err = mp_root_read(root, path, REPORT_MAX, &text, &size);
	last = mp_selftest_parse(
		host, address, source, text ? text : "", text ? size : 0);
	if (err < 0)
		last->verdict = mp_fact_errno(host, source, err);
	g_ptr_array_add(host->selftests->last, last);
}

/* "vm-101.last". The reports beside them are for people. */
static void probe_vm(struct mp_host *host, struct mp_root *root, const char *name)
{
	g_autofree char *path = g_strdup_printf(MP_PATH_SELFTEST "/%s", name);
	g_autofree char *source = g_strdup_printf("/%s", path);
	g_autofree char *text = NULL;
	g_autofree char *vmid = NULL;
	const struct mp_selftest_vm *vm;
	size_t size = 0, prefix = strlen(MP_SELFTEST_VM_PREFIX);
	uint64_t number;
	int err;

	if (!g_str_has_prefix(name, MP_SELFTEST_VM_PREFIX))
		return;
	vmid = g_strndup(
		name + prefix, strlen(name) - prefix - strlen(MP_SELFTEST_VM_SUFFIX));
	if (!mp_parse_uint(vmid, 10, &number))
		return;
	err = mp_root_read(root, path, MP_READ_ATTR, &text, &size);
	vm = mp_selftest_vm_parse(
		host, vmid, source, text ? text : "", text ? size : 0, err);
	g_ptr_array_add(host->selftests->vms, (gpointer)vm);
}

void mp_probe_selftest(struct mp_host *host, struct mp_root *root)
{
	struct mp_selftests *selftests = mp_host_alloc(host, sizeof(*selftests));
	g_auto(GStrv) names = NULL;
	int err = mp_root_list(root, MP_PATH_SELFTEST, &names);

	host->selftests = selftests;
	selftests->last = mp_host_array(host);
	selftests->vms = mp_host_array(host);
	if (err < 0) {
		selftests->store = mp_fact_errno(host, "/" MP_PATH_SELFTEST, err);
		return;
	}
	for (char **name = names; *name && selftests->last->len < REPORTS_MAX; name++)
		if (g_str_has_suffix(*name, SUFFIX))
			probe_report(host, root, *name);
	for (char **name = names; *name && selftests->vms->len < REPORTS_MAX; name++)
		if (g_str_has_suffix(*name, MP_SELFTEST_VM_SUFFIX))
			probe_vm(host, root, *name);
	selftests->store = mp_fact_known(host, "/" MP_PATH_SELFTEST,
		mp_host_strf(host, "%u", selftests->last->len));
}
