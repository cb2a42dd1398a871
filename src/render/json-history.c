/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `history` for machines: templates/schema/history.schema.json. */
#include "config.h"

#include "core/journal.h"
#include "render/json.h"

static const char *progress_name(const struct mp_tx *tx, guint step)
{
	static const char *const names[] = {
		[MP_STEP_UNTOUCHED] = "untouched",
		[MP_STEP_BEGUN] = "begun",
		[MP_STEP_DONE] = "done",
		[MP_STEP_UNDOING] = "undoing",
		[MP_STEP_UNDONE] = "undone",
	};

	return names[g_array_index(tx->progress, enum mp_step_progress, step)];
}

static const char *state_key(enum mp_tx_state state)
{
	switch (state) {
	case MP_TX_APPLIED:
		return "in_force";
	case MP_TX_UNDONE:
		return "undone";
	case MP_TX_OPEN:
	case MP_TX_UNDOING:
		break;
	}
	return "interrupted";
}

static struct json_object *steps_array(const struct mp_tx *tx)
{
	struct json_object *array = json_object_new_array();

	for (guint i = 0; i < tx->steps->len; i++) {
		const struct mp_step *step = tx->steps->pdata[i];
		struct json_object *object = json_object_new_object();

		mp_json_add_text(object, "kind", step->ops->kind);
		mp_json_add_text(object, "what", step->what);
		mp_json_add_text(object, "why", step->why);
		mp_json_add(object, "reboot", json_object_new_boolean(step->reboot));
		mp_json_add_text(object, "state",
			i < tx->progress->len ? progress_name(tx, i) : NULL);
		json_object_array_add(array, object);
	}
	return array;
}

struct json_object *mp_json_transaction(const struct mp_tx *tx)
{
	struct json_object *object = json_object_new_object();

	mp_json_add_text(object, "id", tx->id);
	mp_json_add_text(object, "title", tx->title);
	mp_json_add_text(object, "state", state_key(tx->state));
	mp_json_add(object, "created", json_object_new_int64(tx->created));
	mp_json_add_text(object, "tool", tx->tool);
	mp_json_add_text(object, "kernel", tx->kernel);
	mp_json_add_text(object, "boot_id", tx->boot_id);
	return object;
}

void mp_json_history(const struct mp_history_report *report,
	const struct mp_render_style *style G_GNUC_UNUSED, FILE *out)
{
	struct json_object *object = mp_json_report();
	struct json_object *array = json_object_new_array();

	for (guint i = 0; i < report->transactions->len; i++) {
		const struct mp_tx *tx = report->transactions->pdata[i];
		struct json_object *item = mp_json_transaction(tx);

		mp_json_add(item, "steps", steps_array(tx));
		json_object_array_add(array, item);
	}
	mp_json_add_text(object, "target", report->target);
	mp_json_add(object, "transactions", array);
	mp_json_write(object, out);
}
