/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "core/promise.h"
#include "core/promise/judge.h"
#include "core/setup.h"

/*
 * KEY1 and KEY2 say what a promise is about: a later one about the same replaces it. A plan
 * promises everything that makes the cards of the configuration ready, so the latest plan
 * alone counts there: a card that was pinned anew is no longer looked for where it was. What
 * a VM or a mapping was given is asked for one by one, and stays.
 */
static const struct kind {
	const char *name, *id;
	const char *key1, *key2;
	const char *subject; /* format of key1's value; NULL: the value itself */
	void (*judge)(struct mp_judge *judge);
	bool stays; /* a later transaction does not take it back by silence */
} kinds[] = {
	{ "file", "status-file", "path", NULL, NULL, mp_judge_file },
	{ "link", "status-link", "path", NULL, NULL, mp_judge_link },
	{ "parameter", "status-parameter", "parameter", NULL, "kernel command line",
		mp_judge_parameter },
	{ "binding", "status-binding", "address", NULL, NULL, mp_judge_binding },
	{ "image", "status-image", "address", NULL, NULL, mp_judge_image },
	{ "group", "status-group", "address", NULL, NULL, mp_judge_group },
	{ "pin", "status-pin", "address", NULL, NULL, mp_judge_pin },
	{ "mapping", "status-mapping", "name", "node", "mapping %s", mp_judge_mapping,
		true },
	{ "vm", "status-vm", "vmid", "key", "VM %s", mp_judge_vm, true },
	{ "guest-file", "status-guest-file", "path", NULL, NULL, mp_judge_file, true },
	{ "guest-options", "status-guest-options", "path", NULL, NULL,
		mp_judge_guest_options, true },
};

static const struct kind *kind_of(const char *name)
{
	for (size_t i = 0; name && i < G_N_ELEMENTS(kinds); i++)
		if (!strcmp(kinds[i].name, name))
			return &kinds[i];
	return NULL;
}

static const char *text_of(json_object *promise, const char *key)
{
	json_object *value = NULL;

	if (!json_object_is_type(promise, json_type_object) ||
		!json_object_object_get_ex(promise, key, &value) ||
		!json_object_is_type(value, json_type_string))
		return NULL;
	return json_object_get_string(value);
}

const char *mp_judge_text(const struct mp_judge *judge, const char *key)
{
	return text_of(judge->promise, key);
}

struct mp_finding *mp_judge_say(
	struct mp_judge *judge, enum mp_severity severity, const char *format, ...)
{
	g_autofree char *summary = NULL;
	struct mp_finding *finding;
	va_list args;

	va_start(args, format);
	summary = g_strdup_vprintf(format, args);
	va_end(args);
	finding = mp_finding_new(judge->id, severity,
		judge->subject ? judge->subject : "host", "%s", summary);
	g_ptr_array_add(judge->findings, finding);
	return finding;
}

struct mp_finding *mp_judge_say_not_yet(struct mp_judge *judge, const char *format, ...)
{
	g_autofree char *summary = NULL;
	struct mp_finding *finding;
	va_list args;

	va_start(args, format);
	summary = g_strdup_vprintf(format, args);
	va_end(args);
	switch (judge->booted) {
	case MP_BOOTED_NOT:
		judge->pending = true;
		return mp_judge_say(
			judge, MP_INFO, "from the next boot on (%s)", summary);
	case MP_BOOTED_SINCE:
		break;
	case MP_BOOTED_UNKNOWN:
		finding = mp_judge_say(judge, MP_UNSURE,
			"%s, and whether the host was booted since the setup is not known",
			summary);
		mp_finding_remedy(finding, "reboot, then run metis-passthrough status");
		return finding;
	}
	return mp_judge_say(judge, MP_FAIL, "%s", summary);
}

void mp_judge_say_malformed(struct mp_judge *judge, const char *what)
{
	struct mp_finding *finding = mp_judge_say(judge, MP_UNSURE,
		"A promise of the kind '%s' makes no sense: %s", judge->kind, what);

	mp_finding_remedy(finding,
		"look at the promises of plan.json below /" MP_PATH_JOURNAL
		"; was it written by another version?");
}

const struct mp_pci *mp_judge_device(struct mp_judge *judge)
{
	const char *address = mp_judge_text(judge, "address");
	const char *id = mp_judge_text(judge, "id");
	const struct mp_pci *device;
	struct mp_finding *finding;
	char present[10];

	if (!address) {
		mp_judge_say_malformed(judge, "it has no address");
		return NULL;
	}
	device = mp_host_device(judge->host, address);
	if (!device && judge->host->devices_fact.know == MP_UNKNOWN) {
		finding = mp_judge_say(judge, MP_UNSURE,
			"The PCI devices of this host could not be listed");
		mp_finding_fact(finding, &judge->host->devices_fact);
		return NULL;
	}
	if (!device) {
		finding = mp_judge_say(judge, MP_FAIL,
			"There is no device at this address now: see status-pin");
		mp_finding_fact(finding, &judge->host->devices_fact);
		return NULL;
	}
	if (id && mp_pci_id_unknown(device)) {
		finding = mp_judge_say(judge, MP_UNSURE,
			"Which device is at this address could not be read");
		mp_finding_fact(finding, &device->vendor_fact);
		mp_finding_fact(finding, &device->device_fact);
		return NULL;
	}
	if (id && g_ascii_strcasecmp(id, mp_pci_id(device, present)) != 0) {
		finding = mp_judge_say(judge, MP_FAIL,
			"Another device (%s) is at this address now: see status-pin",
			mp_pci_id(device, present));
		mp_finding_fact(finding, &device->vendor_fact);
		mp_finding_fact(finding, &device->device_fact);
		return NULL;
	}
	return device;
}

/* --- which promises count --- */

struct given {
	const struct mp_tx *tx;
	json_object *promise;
	bool forgotten; /* a later transaction spoke */
};

/* What the promise is about; NULL: not known, then it stands alone. Caller frees. */
static char *about(json_object *promise)
{
	const char *name = text_of(promise, "kind");
	const struct kind *kind = kind_of(name);
	const char *first = kind ? text_of(promise, kind->key1) : NULL;
	const char *second = kind && kind->key2 ? text_of(promise, kind->key2) : "";

	if (!first || !second)
		return NULL;
	/* Of a kernel parameter the name: a later value replaces it. */
	if (kind->judge == mp_judge_parameter)
		return g_strdup_printf("%s\n%.*s", name, (int)strcspn(first, "="), first);
	return g_strdup_printf("%s\n%s\n%s", name, first, second);
}

/* A later transaction speaks for the cards as a whole. */
static void forget(GHashTable *places, GArray *list)
{
	for (guint i = 0; i < list->len; i++) {
		struct given *given = &g_array_index(list, struct given, i);
		const struct kind *kind = kind_of(text_of(given->promise, "kind"));
		g_autofree char *key = about(given->promise);

		if (!kind || kind->stays)
			continue;
		if (key)
			g_hash_table_remove(places, key);
		given->forgotten = true;
	}
}

static bool speaks_for_cards(const struct mp_tx *tx)
{
	size_t n = json_object_is_type(tx->promises, json_type_array)
			   ? json_object_array_length(tx->promises)
			   : 0;

	for (size_t i = 0; i < n; i++) {
		const struct kind *kind = kind_of(
			text_of(json_object_array_get_idx(tx->promises, i), "kind"));

		if (kind && !kind->stays)
			return true;
	}
	return false;
}

/* In the order in which they were first made. */
static void collect(const struct mp_tx *tx, GHashTable *places, GArray *list)
{
	size_t n = json_object_is_type(tx->promises, json_type_array)
			   ? json_object_array_length(tx->promises)
			   : 0;

	if (speaks_for_cards(tx))
		forget(places, list);
	for (size_t i = 0; i < n; i++) {
		struct given given = {
			.tx = tx,
			.promise = json_object_array_get_idx(tx->promises, i),
		};
		g_autofree char *key = about(given.promise);
		gpointer place;

		if (key && g_hash_table_lookup_extended(places, key, NULL, &place)) {
			g_array_index(list, struct given, GPOINTER_TO_UINT(place)) =
				given;
			continue;
		}
		if (key)
			g_hash_table_insert(places, g_steal_pointer(&key),
				GUINT_TO_POINTER(list->len));
		g_array_append_val(list, given);
	}
}

static enum mp_booted booted_since(const struct mp_host *host, const struct mp_tx *tx)
{
	const struct mp_fact *now = host->setup ? &host->setup->boot_id : NULL;

	if (!tx->boot_id || !now || now->know != MP_KNOWN)
		return MP_BOOTED_UNKNOWN;
	return strcmp(now->text, tx->boot_id) ? MP_BOOTED_SINCE : MP_BOOTED_NOT;
}

static void judge_one(struct mp_judge *judge, const struct given *given)
{
	const struct kind *kind = kind_of(text_of(given->promise, "kind"));
	const char *first = kind ? text_of(given->promise, kind->key1) : NULL;
	g_autofree char *subject = NULL;

	judge->promise = given->promise;
	judge->booted = booted_since(judge->host, given->tx);
	judge->kind = text_of(given->promise, "kind");
	judge->kind = judge->kind ? judge->kind : "(none)";
	judge->id = kind ? kind->id : "status-promise";
	if (kind && kind->subject && strstr(kind->subject, "%s"))
		subject = g_strdup_printf("%.*s%s",
			(int)(strstr(kind->subject, "%s") - kind->subject), kind->subject,
			first ? first : "(none)");
	else
		subject = g_strdup(kind && kind->subject ? kind->subject : first);
	judge->subject = subject;
	if (!kind)
		mp_judge_say_malformed(judge, "this version does not know the kind");
	else if (!first)
		mp_judge_say_malformed(judge, "it does not say what it is about");
	else
		kind->judge(judge);
	judge->subject = NULL;
}

static void say_interrupted(GPtrArray *findings, const struct mp_tx *tx)
{
	g_autofree char *subject = g_strdup_printf("transaction %s", tx->id);
	struct mp_finding *finding;

	if (tx->state == MP_TX_OPEN) {
		finding = mp_finding_new("status-transaction", MP_FAIL, subject,
			"A setup was interrupted: the host may be half changed");
		mp_finding_remedy(finding,
			"metis-passthrough rollback (undoes it), or metis-passthrough setup "
			"(undoes it and starts anew)");
	} else {
		finding = mp_finding_new("status-transaction", MP_FAIL, subject,
			"A roll back was interrupted: the host may be half changed");
		mp_finding_remedy(finding, "metis-passthrough rollback: it goes on");
	}
	mp_finding_evidence(finding, "journal", "%s: %s", tx->title ? tx->title : "-",
		mp_tx_state_name(tx->state));
	g_ptr_array_add(findings, finding);
}

GPtrArray *mp_promises_judge(
	const struct mp_host *host, struct mp_root *root, GPtrArray *all, bool *pending)
{
	GPtrArray *findings =
		g_ptr_array_new_with_free_func((GDestroyNotify)mp_finding_free);
	g_autoptr(GHashTable) places =
		g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GArray) list = g_array_new(FALSE, FALSE, sizeof(struct given));
	struct mp_judge judge = { .host = host, .root = root, .findings = findings };

	for (guint i = 0; i < all->len; i++) {
		const struct mp_tx *tx = all->pdata[i];

		if (tx->state == MP_TX_APPLIED)
			collect(tx, places, list);
		else if (tx->state != MP_TX_UNDONE)
			say_interrupted(findings, tx);
	}
	for (guint i = 0; i < list->len; i++) {
		const struct given *given = &g_array_index(list, struct given, i);

		if (!given->forgotten)
			judge_one(&judge, given);
	}
	*pending = judge.pending;
	return findings;
}
