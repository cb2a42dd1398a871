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
	put(object, "type", group->type.know == MP_KNOWN ? text(group->type.text) : NULL);
	put(object, "devices", members);
	struct json_object *foreign = json_object_new_array_ext(1);
	for (guint i = 0; i < group->foreign->len; i++)
		json_object_array_add(foreign, text(group->foreign->pdata[i]));
	put(object, "other_members", foreign);
	return object;
}

/* The groups that the devices of the report are in, by id. */
static struct json_object *all_groups(const struct mp_list_report *report)
{
	g_autoptr(GHashTable) shown = g_hash_table_new(NULL, NULL);
	struct json_object *array = json_object_new_array();

	for (guint i = 0; i < report->devices->len; i++)
		g_hash_table_add(
			shown, ((struct mp_pci *)report->devices->pdata[i])->group);
	for (guint i = 0; i < report->host->groups->len; i++)
		if (g_hash_table_contains(shown, report->host->groups->pdata[i]))
			json_object_array_add(
				array, one_group(report->host->groups->pdata[i]));
	return array;
}

void mp_json_list(const struct mp_list_report *report,
	const struct mp_render_style *style G_GNUC_UNUSED, FILE *out)
{
	struct json_object *object = mp_json_report();
	struct json_object *devices =
		json_object_new_array_ext((int)report->devices->len + 1);

	mp_json_add(object, "host", mp_json_host(report->host));
	for (guint i = 0; i < report->devices->len; i++)
		json_object_array_add(devices, one_device(report->devices->pdata[i]));
	mp_json_add(object, "devices", devices);
	mp_json_add(object, "groups", all_groups(report));
	mp_json_write(object, out);
}
