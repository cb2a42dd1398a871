/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `vm generate` made, for machines: templates/schema/vm.schema.json. */
#include "config.h"

#include "core/vm.h"
#include "render/json.h"
#include "vm/generate.h"

static struct json_object *words_object(const struct mp_vm_words *entry)
{
	struct json_object *object = json_object_new_object();
	struct json_object *words = json_object_new_array();

	for (char **word = entry->words; *word; word++)
		json_object_array_add(words, mp_json_text(*word));
	mp_json_add(object, "words", words);
	mp_json_add_text(object, "why", entry->why);
	return object;
}

static struct json_object *option_object(const struct mp_plan_vm_option *option)
{
	struct json_object *object = json_object_new_object();

	mp_json_add_text(object, "key", option->key);
	mp_json_add_text(object, "value", option->value);
	mp_json_add_text(object, "now", option->now);
	mp_json_add_text(object, "why", option->why);
	return object;
}

static struct json_object *file_object(const struct mp_vm_guest_file *file)
{
	struct json_object *object = json_object_new_object();

	mp_json_add_text(object, "path", file->path);
	mp_json_add_text(object, "content", file->content);
	mp_json_add_text(object, "why", file->why);
	return object;
}

#define ADD_ARRAY(object, key, list, make)                                               \
	do {                                                                             \
		struct json_object *array = json_object_new_array();                     \
                                                                                         \
		for (guint i = 0; i < (list)->len; i++)                                  \
			json_object_array_add(array, make((list)->pdata[i]));            \
		mp_json_add(object, key, array);                                         \
	} while (0)

void mp_json_vm(const struct mp_vm_report *report,
	const struct mp_render_style *style G_GNUC_UNUSED, FILE *out)
{
	const struct mp_vm_request *request = report->request;
	const struct mp_vm_output *output = report->output;
	struct json_object *object = mp_json_report();

	mp_json_add(object, "host", mp_json_host(request->wish->host));
	mp_json_add_text(object, "target", mp_vm_target_name(request->to));
	mp_json_add_text(object, "vm", request->vm ? request->vm->id : NULL);
	mp_json_add_text(object, "mapping", request->wish->mapping);
	ADD_ARRAY(object, "devices", request->wish->devices, mp_json_device);
	ADD_ARRAY(object, "commands", output->commands, words_object);
	ADD_ARRAY(object, "config", request->plan->vm_options, option_object);
	ADD_ARRAY(object, "arguments", output->arguments, words_object);
	mp_json_add_text(object, "xml", output->xml);
	ADD_ARRAY(object, "changes", output->changes, mp_json_text);
	ADD_ARRAY(object, "guest_files", output->files, file_object);
	ADD_ARRAY(object, "notes", output->notes, mp_json_text);
	mp_json_write(object, out);
}
