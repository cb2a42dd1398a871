/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "render/json.h"

static void add_check(struct json_object *object, const struct mp_check *check)
{
	mp_json_add_text(object, "id", check->id);
	mp_json_add_text(object, "topic", mp_check_topic(check->id));
	mp_json_add_text(object, "scope", mp_check_scope_name(check->scope));
	mp_json_add_text(object, "title", check->title);
	mp_json_add(object, "live_only", json_object_new_boolean(check->live_only));
}

void mp_json_checks(const struct mp_render_style *style G_GNUC_UNUSED, FILE *out)
{
	struct json_object *report = mp_json_report();
	struct json_object *checks = json_object_new_array();
	size_t n;
	const struct mp_check *const *all = mp_checks_all(&n);

	for (size_t i = 0; i < n; i++) {
		struct json_object *object = json_object_new_object();

		add_check(object, all[i]);
		json_object_array_add(checks, object);
	}
	mp_json_add(report, "checks", checks);
	mp_json_write(report, out);
}

void mp_json_explain(const struct mp_check *check,
	const struct mp_render_style *style G_GNUC_UNUSED, FILE *out)
{
	struct json_object *report = mp_json_report();

	add_check(report, check);
	mp_json_add_text(report, "explain", check->explain);
	mp_json_write(report, out);
}
