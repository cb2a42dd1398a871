/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `list` for programs. */
#include "config.h"

#include <string.h>

#include "core/group.h"
#include "core/pci.h"
#include "render/json.h"

/*
 * mp_json_add() for thousands of devices: keys are set once, so nobody searches for them.
 */
static void put(struct json_object *object, const char *key, struct json_object *value)
{
	json_object_object_add_ex(object, key, value,
		JSON_C_OBJECT_ADD_KEY_IS_NEW | JSON_C_OBJECT_ADD_CONSTANT_KEY);
}

/* NULL becomes null. */
static struct json_object *text(const char *value)
{
	return value ? json_object_new_string(value) : NULL;
}

static struct json_object *hex(uint32_t value, int digits)
{
	static const char digit[] = "0123456789abcdef";
	char buffer[2 + 8];

	buffer[0] = '0';
	buffer[1] = 'x';
	for (int i = 0; i < digits; i++)
		buffer[2 + i] = digit[(value >> (4 * (digits - 1 - i))) & 0xf];
	return json_object_new_string_len(buffer, 2 + digits);
}

static struct json_object *words(const char *value)
{
	struct json_object *array = json_object_new_array_ext(4);

	for (const char *p = value; *p;) {
		size_t length = strcspn(p, " \t\n");

		if (length)
			json_object_array_add(
				array, json_object_new_string_len(p, (int)length));
		p += length + (p[length] != '\0');
	}
	return array;
}

/* The names of the fields that are null because they could not be read. */
static struct json_object *unknown_fields(const struct mp_pci *device)
{
	const struct {
		const char *key;
		bool unknown;
	} fields[] = {
		{ "vendor", device->vendor_fact.know == MP_UNKNOWN },
		{ "device", device->device_fact.know == MP_UNKNOWN },
		{ "class", device->class_fact.know == MP_UNKNOWN },
		{ "driver", device->driver.know == MP_UNKNOWN },
		{ "iommu_group",
			!device->group && device->group_fact.know == MP_UNKNOWN },
		{ "reset_methods", device->reset_method.know == MP_UNKNOWN },
	};
	struct json_object *array = json_object_new_array_ext(1);

	for (size_t i = 0; i < G_N_ELEMENTS(fields); i++)
		if (fields[i].unknown)
			json_object_array_add(
				array, json_object_new_string(fields[i].key));
	return array;
}

static struct json_object *one_device(const struct mp_pci *device)
{
	struct json_object *object = json_object_new_object();
	bool vendor = device->vendor_fact.know == MP_KNOWN;
	bool id = device->device_fact.know == MP_KNOWN;
	bool subsystem = device->subvendor != 0xffff;
	char buffer[10];

	put(object, "address", text(device->bdf));
	put(object, "id", vendor && id ? text(mp_pci_id(device, buffer)) : NULL);
	put(object, "vendor", vendor ? hex(device->vendor, 4) : NULL);
	put(object, "device", id ? hex(device->device, 4) : NULL);
	put(object, "subsystem_vendor", subsystem ? hex(device->subvendor, 4) : NULL);
	put(object, "subsystem_device", subsystem ? hex(device->subdevice, 4) : NULL);
	put(object, "class",
		device->class_fact.know == MP_KNOWN ? hex(device->class_code, 6) : NULL);
	put(object, "vendor_name", text(device->vendor_name));
	put(object, "device_name", text(device->device_name));
	put(object, "class_name", text(device->class_name));
	put(object, "bridge", json_object_new_boolean(mp_pci_is_bridge(device)));
	put(object, "parent", device->parent ? text(device->parent->bdf) : NULL);
	put(object, "iommu_group",
		device->group ? json_object_new_int64(device->group->id) : NULL);
	put(object, "driver",
		device->driver.know == MP_KNOWN ? text(device->driver.text) : NULL);
	put(object, "reset_methods",
		device->reset_method.know == MP_KNOWN ? words(device->reset_method.text)
						      : NULL);
	put(object, "unknown", unknown_fields(device));
	return object;
}

static struct json_object *one_group(const struct mp_group *group)
{
	struct json_object *object = json_object_new_object();
	struct json_object *members =
		json_object_new_array_ext((int)group->members->len + 1);

	for (guint i = 0; i < group->members->len; i++)
		json_object_array_add(
			members, text(((struct mp_pci *)group->members->pdata[i])->bdf));
	put(object, "id", json_object_new_int64(group->id));
	put(object, "devices", members);
	return object;
}

/*
 * One element a line, written and freed at once: a host may have thousands, and building
 * the whole report first costs more than reading the host.
 */
static void write_element(struct json_object *object, bool first, FILE *out)
{
	size_t length;
	const char *line = json_object_to_json_string_length(object,
		JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE, &length);

	fputs(first ? "\n    " : ",\n    ", out);
	fwrite(line, 1, length, out);
	json_object_put(object);
}

static void write_devices(const struct mp_list_report *report, FILE *out)
{
	fputs(",\n  \"devices\": [", out);
	for (guint i = 0; i < report->devices->len; i++)
		write_element(one_device(report->devices->pdata[i]), !i, out);
	fputs(report->devices->len ? "\n  ]" : "]", out);
}

/* The groups that the devices of the report are in, by id. */
static void write_groups(const struct mp_list_report *report, FILE *out)
{
	g_autoptr(GHashTable) shown = g_hash_table_new(NULL, NULL);
	bool first = true;

	for (guint i = 0; i < report->devices->len; i++)
		g_hash_table_add(
			shown, ((struct mp_pci *)report->devices->pdata[i])->group);
	fputs(",\n  \"groups\": [", out);
	for (guint i = 0; i < report->host->groups->len; i++) {
		struct mp_group *group = report->host->groups->pdata[i];

		if (!g_hash_table_contains(shown, group))
			continue;
		write_element(one_group(group), first, out);
		first = false;
	}
	fputs(first ? "]" : "\n  ]", out);
}

void mp_json_list(const struct mp_list_report *report,
	const struct mp_render_style *style G_GNUC_UNUSED, FILE *out)
{
	struct json_object *head = mp_json_report();
	const char *text_of_head;
	size_t length;

	mp_json_add(head, "host", mp_json_host(report->host));
	text_of_head = json_object_to_json_string_length(head,
		JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
			JSON_C_TO_STRING_NOSLASHESCAPE,
		&length);
	/* An object's text ends in a newline and its brace: the lists go before these. */
	fwrite(text_of_head, 1, length - strlen("\n}"), out);
	json_object_put(head);
	write_devices(report, out);
	write_groups(report, out);
	fputs("\n}\n", out);
}
