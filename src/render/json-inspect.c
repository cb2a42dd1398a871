/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `inspect` for machines: templates/schema/inspect.schema.json. */
#include "config.h"

#include "core/card.h"
#include "core/irte.h"
#include "core/pci.h"
#include "core/repair.h"
#include "render/json.h"

static void add_hex(struct json_object *object, const char *key, uint64_t value)
{
	g_autofree char *text = g_strdup_printf("0x%" G_GINT64_MODIFIER "x", value);

	mp_json_add_text(object, key, text);
}

static void add_bool(struct json_object *object, const char *key, bool value)
{
	mp_json_add(object, key, json_object_new_boolean(value));
}

static void add_yes(struct json_object *object, const char *key, enum mp_card_yes yes)
{
	mp_json_add(object, key,
		yes == MP_CARD_UNKNOWN ? NULL
				       : json_object_new_boolean(yes == MP_CARD_YES));
}

static struct json_object *msi_object(const struct mp_msi *msi)
{
	struct json_object *object;

	if (!msi->present)
		return NULL;
	object = json_object_new_object();
	add_bool(object, "enabled", msi->enabled);
	add_hex(object, "address", msi->address);
	add_hex(object, "data", msi->data);
	mp_json_add(object, "vectors", json_object_new_int((int)msi->vectors_enabled));
	mp_json_add(object, "vectors_max", json_object_new_int((int)msi->vectors_max));
	return object;
}

/* Those of the device; null: not known. */
static struct json_object *entries_list(const struct mp_inspect_report *report)
{
	struct json_object *list;

	if (report->irtes->table.know != MP_KNOWN)
		return NULL;
	list = json_object_new_array();
	for (guint i = 0; i < report->irtes->all->len; i++) {
		const struct mp_irte *irte = report->irtes->all->pdata[i];
		struct json_object *object;

		if (!mp_irte_is_of(irte, report->device))
			continue;
		object = json_object_new_object();
		mp_json_add_text(object, "unit", irte->unit);
		add_hex(object, "handle", irte->handle);
		add_bool(object, "posted", irte->posted);
		add_hex(object, "vector", irte->vector);
		json_object_array_add(list, object);
	}
	return list;
}

static struct json_object *targets_list(const struct mp_card *card)
{
	struct json_object *list = json_object_new_array();

	for (unsigned i = 0; i < card->targets_count; i++) {
		const struct mp_card_target *target = &card->targets[i];
		bool has_handle = target->message == MP_MESSAGE_OWN ||
				  target->message == MP_MESSAGE_STALE;
		struct json_object *object = json_object_new_object();
		struct json_object *data = json_object_new_array();

		mp_json_add_text(object, "name", target->name);
		add_hex(object, "address", target->address);
		for (size_t n = 0; n < G_N_ELEMENTS(target->data); n++) {
			g_autofree char *text = g_strdup_printf("0x%x", target->data[n]);

			json_object_array_add(data, mp_json_text(text));
		}
		mp_json_add(object, "data", data);
		mp_json_add_text(
			object, "message", mp_card_message_name(target->message));
		if (has_handle)
			add_hex(object, "handle", target->handle);
		else
			mp_json_add(object, "handle", NULL);
		json_object_array_add(list, object);
	}
	return list;
}

static struct json_object *channels_list(const struct mp_card *card)
{
	static const char *const states[] = { "idle", "running", "aborted", "done" };
	struct json_object *list = json_object_new_array();

	for (unsigned i = 0; i < card->channels_count; i++) {
		struct json_object *object = json_object_new_object();

		mp_json_add_text(object, "name", card->channels[i].name);
		add_bool(object, "enabled", card->channels[i].enabled);
		mp_json_add_text(object, "status", states[card->channels[i].status & 3]);
		json_object_array_add(list, object);
	}
	return list;
}

static struct json_object *card_object(const struct mp_card *card)
{
	struct json_object *object, *window;
	g_autofree char *version = NULL;

	if (!card)
		return NULL;
	object = json_object_new_object();
	mp_json_add_text(object, "kind", card->kind);
	mp_json_add_text(object, "life", mp_card_life_name(card->life));
	mp_json_add_text(object, "why", card->why);
	mp_json_add_text(object, "source", card->source);
	version = card->life == MP_CARD_RUNNING
			  ? g_strdup_printf(
				    "%u.%u", card->firmware_major, card->firmware_minor)
			  : NULL;
	mp_json_add_text(object, "control_block", version);
	add_yes(object, "dma_vm", card->dma_vm);
	window = json_object_new_object();
	add_yes(window, "open", card->window);
	add_hex(window, "target", card->window_target);
	add_hex(window, "size", card->window_size);
	mp_json_add(object, "window", window);
	mp_json_add(object, "messages", targets_list(card));
	mp_json_add(object, "channels", channels_list(card));
	return object;
}

static struct json_object *conditions_list(const struct mp_repair *repair)
{
	struct json_object *list = json_object_new_array();

	for (guint i = 0; i < repair->conditions->len; i++) {
		const struct mp_repair_condition *its = repair->conditions->pdata[i];
		struct json_object *object = json_object_new_object();

		mp_json_add_text(object, "id", its->id);
		add_yes(object, "holds", its->holds);
		mp_json_add_text(object, "text", its->text);
		mp_json_add_text(object, "remedy", its->remedy);
		json_object_array_add(list, object);
	}
	return list;
}

static struct json_object *repair_object(const struct mp_inspect_report *report)
{
	const struct mp_repair *repair = report->repair;
	struct json_object *object, *writes;

	if (!repair)
		return NULL;
	object = json_object_new_object();
	writes = json_object_new_array();
	mp_json_add(object, "conditions", conditions_list(repair));
	add_bool(object, "ready", repair->ready);
	add_bool(object, "done", repair->ready && !report->dry_run);
	for (unsigned i = 0; repair->ready && i < repair->n_writes; i++) {
		const struct mp_repair_write *its = &repair->writes[i];
		struct json_object *write = json_object_new_object();

		mp_json_add_text(write, "name", its->name);
		mp_json_add(write, "bar", json_object_new_int((int)its->bar));
		add_hex(write, "offset", its->offset);
		add_hex(write, "from", its->from);
		add_hex(write, "to", its->to);
		json_object_array_add(writes, write);
	}
	mp_json_add(object, "writes", writes);
	return object;
}

void mp_json_inspect(const struct mp_inspect_report *report,
	const struct mp_render_style *style G_GNUC_UNUSED, FILE *out)
{
	struct json_object *object = mp_json_report();
	struct json_object *done = json_object_new_array();

	mp_json_add(object, "host", mp_json_host(report->host));
	mp_json_add(object, "device", mp_json_device(report->device));
	mp_json_add_text(object, "profile", report->profile);
	mp_json_add_text(object, "verdict", mp_inspect_verdict_name(report->verdict));
	mp_json_add(object, "msi", msi_object(&report->device->msi));
	mp_json_add(object, "remapping_entries", entries_list(report));
	mp_json_add(object, "card", card_object(report->card));
	for (guint i = 0; i < report->done->len; i++)
		json_object_array_add(done, mp_json_text(report->done->pdata[i]));
	mp_json_add(object, "done", done);
	mp_json_add(object, "repair", repair_object(report));
	mp_json_add(object, "exit_code", json_object_new_int(report->exit_code));
	mp_json_write(object, out);
}
