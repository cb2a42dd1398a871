/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What this program did to the host before, and the report recorded after the boot. */
#include "config.h"

#include <errno.h>
#include <json-c/json.h>
#include <string.h>

#include "core/setup.h"

#define BOOT_ID     "proc/sys/kernel/random/boot_id"
#define JOURNAL     "var/lib/metis-passthrough"
#define DEPTH_MAX   16
#define LOG_MAX     (1024u * 1024) /* of a transaction: a line a step */
#define TX_MAX      10000
#define RECORD_MAX  MP_READ_FILE
#define TX_NAME_LEN 4

/* --- the recorded report --- */

static const char *text_of(json_object *object, const char *key)
{
	json_object *value = NULL;

	if (!json_object_is_type(object, json_type_object) ||
		!json_object_object_get_ex(object, key, &value) ||
		!json_object_is_type(value, json_type_string))
		return NULL;
	return json_object_get_string(value);
}

static json_object *array_of(json_object *object, const char *key)
{
	json_object *value = NULL;

	if (!json_object_is_type(object, json_type_object) ||
		!json_object_object_get_ex(object, key, &value) ||
		!json_object_is_type(value, json_type_array))
		return NULL;
	return value;
}

static const char *clean(struct mp_host *host, const char *text)
{
	g_autofree char *copy = text ? mp_clean_text(text, strlen(text)) : NULL;

	return mp_host_str(host, copy);
}

static void take_finding(
	struct mp_host *host, struct mp_setup *setup, json_object *finding)
{
	const char *id = text_of(finding, "id");
	const char *severity = text_of(finding, "severity");
	const char *subject = text_of(finding, "subject");
	const char *summary = text_of(finding, "summary");

	if (!id || !severity || !subject || !summary)
		return;
	setup->record_promises++;
	if (!strcmp(severity, "pass")) {
		setup->record_kept++;
		if (!strcmp(id, "status-binding"))
			g_hash_table_add(
				setup->record_bound, (gpointer)clean(host, subject));
		return;
	}
	/* Findings come with drift first. */
	if (setup->record_drift)
		return;
	g_autofree char *text = g_strdup_printf("%s: %s", subject, summary);

	setup->record_drift = clean(host, text);
	setup->record_remedy = clean(host, text_of(finding, "remedy"));
}

static void take_record(struct mp_host *host, struct mp_setup *setup, json_object *record)
{
	static const char *const verdicts[] = { "kept", "drift", "reboot-pending",
		"unknown", "nothing", NULL };
	json_object *transactions = array_of(record, "transactions");
	json_object *findings = array_of(record, "findings");
	const char *verdict = text_of(record, "verdict");
	g_autoptr(GString) ids = g_string_new(NULL);

	if (!verdict || !g_strv_contains(verdicts, verdict) || !findings ||
		!transactions) {
		setup->record = mp_fact_unknown(
			host, "/" MP_PATH_STATUS, "not a report of this program");
		return;
	}
	setup->record = mp_fact_known(host, "/" MP_PATH_STATUS, verdict);
	setup->record_boot_id = clean(host, text_of(record, "boot_id"));
	for (size_t i = 0; i < json_object_array_length(transactions); i++) {
		const char *id =
			text_of(json_object_array_get_idx(transactions, i), "id");

		if (id)
			g_string_append_printf(ids, "%s%s", ids->len ? " " : "", id);
	}
	setup->record_transactions = clean(host, ids->str);
	for (size_t i = 0; i < json_object_array_length(findings); i++)
		take_finding(host, setup, json_object_array_get_idx(findings, i));
}

void mp_setup_parse_record(
	struct mp_host *host, struct mp_setup *setup, const char *text, size_t size)
{
	json_tokener *tokener = json_tokener_new_ex(DEPTH_MAX);
	json_object *record = NULL;

	if (tokener && size <= RECORD_MAX)
		record = json_tokener_parse_ex(tokener, text, (int)size);
	setup->record_bound = mp_host_own(host, g_hash_table_new(g_str_hash, g_str_equal),
		(GDestroyNotify)g_hash_table_unref);
	if (record)
		take_record(host, setup, record);
	else
		setup->record = mp_fact_unknown(
			host, "/" MP_PATH_STATUS, "not the JSON of a report");
	json_object_put(record);
	if (tokener)
		json_tokener_free(tokener);
}

static void probe_record(
	struct mp_host *host, struct mp_root *root, struct mp_setup *setup)
{
	g_autofree char *text = NULL;
	size_t size = 0;
	int err = mp_root_read(root, MP_PATH_STATUS, RECORD_MAX, &text, &size);

	if (err < 0)
		setup->record = mp_fact_errno(host, "/" MP_PATH_STATUS, err);
	else
		mp_setup_parse_record(host, setup, text, size);
}

/* --- the journal, as far as it matters here: which transactions are not undone --- */

static bool is_transaction(const char *name)
{
	return strlen(name) >= TX_NAME_LEN && strspn(name, "0123456789") == strlen(name);
}

/* The last line that counts of a log: one without its newline does not (journal.h). */
static bool is_undone(const char *log)
{
	return g_str_has_suffix(log, "\nundone\n") || !strcmp(log, "undone\n");
}

static void probe_transactions(
	struct mp_host *host, struct mp_root *root, struct mp_setup *setup)
{
	g_autoptr(GString) ids = g_string_new(NULL);
	g_auto(GStrv) names = NULL;
	int err = mp_root_list(root, JOURNAL, &names);
	unsigned count = 0;

	if (err < 0) {
		setup->transactions = mp_fact_errno(host, "/" JOURNAL, err);
		return;
	}
	for (char **name = names; *name && count < TX_MAX; name++) {
		g_autofree char *path = g_strdup_printf(JOURNAL "/%s/log", *name);
		g_autofree char *log = NULL;
		size_t size = 0;

		if (!is_transaction(*name))
			continue;
		count++;
		err = mp_root_read(root, path, LOG_MAX, &log, &size);
		if (err < 0 && err != -ENOENT) {
			setup->transactions = mp_fact_errno(host, "/" JOURNAL, err);
			return;
		}
		if (err < 0 || !is_undone(log))
			g_string_append_printf(ids, "%s%s", ids->len ? " " : "", *name);
	}
	setup->transactions = ids->len ? mp_fact_known(host, "/" JOURNAL, ids->str)
				       : mp_fact_absent(host, "/" JOURNAL);
}

bool mp_setup_record_is_current(const struct mp_setup *setup)
{
	return setup->record.know == MP_KNOWN && setup->record_boot_id &&
	       mp_fact_is(&setup->boot_id, setup->record_boot_id);
}

void mp_probe_setup(struct mp_host *host, struct mp_root *root)
{
	struct mp_setup *setup = mp_host_alloc(host, sizeof(*setup));

	host->setup = setup;
	setup->boot_id = mp_fact_read(host, root, BOOT_ID);
	probe_transactions(host, root, setup);
	probe_record(host, root, setup);
}
