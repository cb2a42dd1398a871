/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The plan for machines: templates/schema/plan.schema.json. */
#include "config.h"

#include "core/diff.h"
#include "core/pci.h"
#include "core/plan.h"
#include "core/quote.h"
#include "render/json.h"

static struct json_object *devices_array(const GPtrArray *devices)
{
	struct json_object *array = json_object_new_array();

	for (guint i = 0; i < devices->len; i++)
		json_object_array_add(array, mp_json_device(devices->pdata[i]));
	return array;
}

static struct json_object *words_array(const char *const *words)
{
	struct json_object *array = json_object_new_array();

	for (; words && *words; words++)
		json_object_array_add(array, mp_json_text(*words));
	return array;
}

static struct json_object *names_array(const GPtrArray *profiles)
{
	struct json_object *array = json_object_new_array();

	for (guint i = 0; i < profiles->len; i++) {
		const struct mp_profile *profile = profiles->pdata[i];

		json_object_array_add(array, mp_json_text(profile->name));
	}
	return array;
}

static struct json_object *guest_object(const struct mp_versions *guest)
{
	struct json_object *object = guest ? json_object_new_object() : NULL;

	if (!guest)
		return NULL;
	mp_json_add_text(object, "driver", guest->driver);
	mp_json_add_text(object, "firmware", guest->firmware);
	return object;
}

static struct json_object *wish_object(const struct mp_plan_report *report)
{
	const struct mp_wish *wish = report->wish;
	struct json_object *object = json_object_new_object();

	mp_json_add(object, "devices", devices_array(wish->devices));
	mp_json_add(object, "profiles", names_array(wish->profiles));
	mp_json_add_text(object, "binding", wish->binding);
	mp_json_add_text(object, "vm", wish->vm);
	mp_json_add_text(object, "mapping", wish->mapping);
	mp_json_add(object, "hook", json_object_new_boolean(wish->hook));
	mp_json_add(object, "force", words_array(wish->force));
	mp_json_add(object, "guest", guest_object(wish->guest));
	return object;
}

static struct json_object *file_object(const struct mp_plan_file *file)
{
	struct json_object *object = json_object_new_object();
	g_autofree char *diff = file->link ? NULL
					   : mp_diff_unified(file->path, file->now,
						     file->path, file->content);
	g_autofree char *mode = g_strdup_printf("%04o", (unsigned)file->mode);

	mp_json_add_text(object, "path", file->path);
	mp_json_add_text(object, "why", file->why);
	mp_json_add_text(object, "mode", file->content && !file->link ? mode : NULL);
	mp_json_add(object, "link", json_object_new_boolean(file->link));
	mp_json_add_text(object, "now", file->now);
	mp_json_add_text(object, "then", file->content);
	mp_json_add_text(object, "diff", diff);
	mp_json_add(object, "changed", json_object_new_boolean(file->changed));
	mp_json_add(object, "reboot", json_object_new_boolean(file->reboot));
	return object;
}

static struct json_object *step_object(const struct mp_step *step)
{
	struct json_object *object = json_object_new_object();
	g_autofree char *command = mp_step_command(step);

	mp_json_add_text(object, "kind", step->ops->kind);
	mp_json_add_text(object, "what", step->what);
	mp_json_add_text(object, "why", step->why);
	mp_json_add_text(object, "command", command);
	mp_json_add(object, "reboot", json_object_new_boolean(step->reboot));
	mp_json_add(object, "slow", json_object_new_boolean(step->slow));
	mp_json_add(object, "want", json_object_get(step->want));
	return object;
}

static struct json_object *remark_object(const struct mp_plan_remark *remark)
{
	struct json_object *object = json_object_new_object();

	mp_json_add_text(object, "subject", remark->subject);
	mp_json_add_text(object, "text", remark->text);
	mp_json_add_text(object, "remedy", remark->remedy);
	return object;
}

static struct json_object *taken_object(const struct mp_plan_taken *taken)
{
	static const char *const names[] = {
		[MP_BIND_UNKNOWN] = NULL,
		[MP_BIND_VFIO] = "vfio-pci",
		[MP_BIND_NOBODY] = "none",
		[MP_BIND_RACE] = "race",
		[MP_BIND_HOST] = "host",
	};
	struct json_object *object = json_object_new_object();
	char id[10];

	mp_json_add_text(object, "address", taken->device->bdf);
	mp_json_add_text(object, "id", mp_pci_id(taken->device, id));
	mp_json_add(object, "wanted", json_object_new_boolean(taken->wanted));
	mp_json_add_text(object, "now", names[taken->now]);
	mp_json_add_text(object, "then", names[taken->then]);
	return object;
}

/* An array of what MAKE makes of each of ITEMS. */
#define ARRAY(items, make)                                                               \
	({                                                                               \
		struct json_object *array_ = json_object_new_array();                    \
		for (guint i_ = 0; i_ < (items)->len; i_++)                              \
			json_object_array_add(array_, make((items)->pdata[i_]));         \
		array_;                                                                  \
	})

void mp_json_plan(const struct mp_plan_report *report,
	const struct mp_render_style *style G_GNUC_UNUSED, FILE *out)
{
	static const char *const outcomes[MP_PLAN_OUTCOMES] = {
		[MP_PLAN_POSSIBLE] = "possible",
		[MP_PLAN_NOTHING] = "nothing",
		[MP_PLAN_FORBIDDEN] = "forbidden",
		[MP_PLAN_DONE] = "done",
		[MP_PLAN_WRITTEN] = "written",
		[MP_PLAN_FAILED] = "failed",
	};
	const struct mp_plan *plan = report->plan;
	struct json_object *object = mp_json_report();

	mp_json_add(object, "host", mp_json_host(report->wish->host));
	mp_json_add(object, "wish", wish_object(report));
	mp_json_add_text(object, "binding", plan->binding);
	mp_json_add(object, "files", ARRAY(plan->files, file_object));
	mp_json_add(object, "steps", ARRAY(plan->steps, step_object));
	mp_json_add(object, "taken", ARRAY(plan->taken, taken_object));
	mp_json_add(object, "obstacles", ARRAY(plan->obstacles, remark_object));
	mp_json_add(object, "notes", ARRAY(plan->notes, remark_object));
	mp_json_add(object, "promises",
		plan->promises ? json_object_get(plan->promises)
			       : json_object_new_array());
	mp_json_add(object, "reboot", json_object_new_boolean(plan->reboot));
	mp_json_add(object, "reboot_due", json_object_new_boolean(report->reboot_due));
	mp_json_add_text(object, "interrupted", report->interrupted);
	mp_json_add_text(object, "outcome", outcomes[report->outcome]);
	mp_json_add_text(object, "transaction", report->transaction);
	mp_json_add_text(object, "error", report->error);
	mp_json_add(object, "exit_code", json_object_new_int(report->exit_code));
	mp_json_write(object, out);
}
