/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside of a VM, afterwards: by the files as they will be, the options that are wanted win;
 * whether the driver that runs has them already; and what `status` is to hold us to.
 */
#include "config.h"

#include "core/modules.h"
#include "core/plan/guest-options.h"

static void prove(struct mp_plan *plan, const struct mp_wish *wish,
	const struct mp_guest_need *need)
{
	for (guint i = 0; i < need->options->len; i++) {
		const struct mp_guest_option *option = need->options->pdata[i];
		const char *file = NULL, *before = NULL;
		g_autofree char *then = mp_modprobe_option(plan->then->modules->modprobe,
			option->module, option->name, &file);
		g_autofree char *now = mp_modprobe_option(wish->host->modules->modprobe,
			option->module, option->name, &before);
		g_autofree char *loser = mp_plan_guest_said(option, now ? now : "");
		g_autofree char *winner = mp_plan_guest_said(option, then ? then : "");

		if (!then || !mp_guest_value_is(option->value, then)) {
			mp_plan_add_obstacle(plan, file ? file : MP_FILE_GUEST,
				"take it out there, or say the same in a file of /etc/modprobe.d "
				"whose name comes after that of this one",
				"%s would win with '%s': it is read after %s",
				file ? file : "nothing", winner, MP_FILE_GUEST);
			continue;
		}
		if (now && !mp_guest_value_is(option->value, now))
			mp_plan_add_note(plan, before,
				"%s says '%s'; %s is read after it, and wins", before,
				loser, MP_FILE_GUEST);
	}
}

/* The driver that runs was loaded with something else. What it does not show is not known. */
static bool is_pending(const struct mp_wish *wish, const struct mp_guest_need *need)
{
	for (guint i = 0; i < need->options->len; i++) {
		const struct mp_guest_option *option = need->options->pdata[i];
		const struct mp_module_parameter *parameter =
			mp_guest_option_running(wish->host, option);

		if (parameter && parameter->value.know == MP_KNOWN &&
			!mp_guest_value_is(option->value, parameter->value.text))
			return true;
	}
	return false;
}

static void promise(struct mp_plan *plan, GPtrArray *options)
{
	json_object *object = json_object_new_object(), *list = json_object_new_array();

	for (guint i = 0; i < options->len; i++)
		json_object_array_add(list, json_object_new_string(options->pdata[i]));
	json_object_object_add(object, "path", json_object_new_string(MP_FILE_GUEST));
	json_object_object_add(object, "options", list);
	mp_plan_promise(plan, "guest-options", object);
}

void mp_plan_guest_prove(struct mp_plan *plan, const struct mp_wish *wish)
{
	g_autoptr(GPtrArray) options = g_ptr_array_new_with_free_func(g_free);

	for (guint i = 0; i < wish->devices->len; i++) {
		g_autoptr(mp_guest_need) need = mp_plan_guest_need(wish, i);

		if (!need || need->without)
			continue;
		prove(plan, wish, need);
		plan->reboot = plan->reboot || is_pending(wish, need);
		for (guint o = 0; o < need->options->len; o++)
			g_ptr_array_add(
				options, g_strdup(((const struct mp_guest_option *)
							   need->options->pdata[o])
							  ->text));
	}
	promise(plan, options);
}
