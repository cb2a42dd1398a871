/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The syntax of a profile: tables for yaml.c. */
#include "config.h"

#include <string.h>

#include "core/card.h"
#include "core/error.h"
#include "core/fact.h"
#include "core/profile.h"
#include "core/yaml.h"

/* Engines of the self-test. */
static const char *const engines[] = { "dw-edma", "edu", "nvme", NULL };

static const char *const deliveries[] = {
	[MP_IRQ_CONFIG_SPACE] = "config-space",
	[MP_IRQ_DEVICE_PROGRAMMED] = "device-programmed",
	NULL,
};

/* The names in sysfs attribute reset_method, drivers/pci/pci.c pci_reset_fn_methods[]. */
static const char *const reset_methods[] = {
	"device_specific",
	"acpi",
	"flr",
	"af_flr",
	"pm",
	"bus",
	"cxl_bus",
	NULL,
};

static bool parse_hex(const char *text, size_t digits, uint64_t *number)
{
	return strlen(text) == digits && mp_parse_uint(text, 16, number);
}

static bool take_id(void *object, size_t offset, const char *text, char **why)
{
	GArray *ids = *(GArray **)((char *)object + offset);
	g_auto(GStrv) parts = g_strsplit(text, ":", 3);
	uint64_t vendor, device;
	struct mp_profile_id id;

	if (g_strv_length(parts) != 2 || !parse_hex(parts[0], 4, &vendor) ||
		!parse_hex(parts[1], 4, &device)) {
		*why = g_strdup("is not VENDOR:DEVICE, four hex digits each");
		return false;
	}
	id = (struct mp_profile_id){ (uint16_t)vendor, (uint16_t)device };
	g_array_append_val(ids, id);
	return true;
}

static bool take_class(void *object, size_t offset, const char *text, char **why)
{
	GArray *classes = *(GArray **)((char *)object + offset);
	size_t digits = strlen(text);
	struct mp_profile_class class;
	uint64_t code;

	if ((digits != 2 && digits != 4 && digits != 6) ||
		!parse_hex(text, digits, &code)) {
		*why = g_strdup("is not a PCI class of 2, 4 or 6 hex digits");
		return false;
	}
	class.code = (uint32_t)code << (4 * (6 - digits));
	class.mask = 0xffffff & (0xffffffu << (4 * (6 - digits)));
	g_array_append_val(classes, class);
	return true;
}

static bool is_version(const char *text)
{
	if (!g_ascii_isdigit(*text))
		return false;
	for (; *text; text++)
		if (!g_ascii_isdigit(*text) &&
			!(*text == '.' && g_ascii_isdigit(text[1])))
			return false;
	return true;
}

static bool take_version(void *object, size_t offset, const char *text, char **why)
{
	if (!is_version(text)) {
		*why = g_strdup("is not a version such as 1.5.6");
		return false;
	}
	*(char **)((char *)object + offset) = g_strdup(text);
	return true;
}

static bool take_name(void *object, size_t offset, const char *text, char **why)
{
	if (strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-_") != strlen(text)) {
		*why = g_strdup("is not a name of a-z, 0-9, '-' and '_'");
		return false;
	}
	*(char **)((char *)object + offset) = g_strdup(text);
	return true;
}

static bool is_condition(const char *text)
{
	static const char *const subjects[] = { "driver", "firmware", "sdk", "kernel" };

	for (size_t i = 0; i < G_N_ELEMENTS(subjects); i++) {
		const char *rest = text + strlen(subjects[i]);

		if (!g_str_has_prefix(text, subjects[i]))
			continue;
		if (*rest == '=')
			return is_version(rest + 1);
		if (*rest != '<' && *rest != '>')
			return false;
		return is_version(rest[1] == '=' ? rest + 2 : rest + 1);
	}
	return false;
}

static bool take_match(void *object, size_t offset, const char *text, char **why)
{
	g_auto(GStrv) conditions = g_strsplit(text, " ", 0);

	for (char **condition = conditions; *condition; condition++)
		if (!is_condition(*condition)) {
			*why = g_strdup(
				"is not a list of conditions such as driver<1.5.6 (of "
				"driver, firmware, sdk, kernel and < <= = >= >)");
			return false;
		}
	*(char **)((char *)object + offset) = g_strdup(text);
	return true;
}

#define AT(member) .offset = offsetof(struct mp_profile, member)

static const struct mp_yaml_shape interrupts = {
	.fields =
		(const struct mp_yaml_field[]){
			{ "delivery", MP_YAML_WORD, AT(irq_delivery), .required = true,
				.words = deliveries },
			/* 2048 is the most that MSI-X can have. */
			{ "vectors", MP_YAML_UINT, AT(irq_vectors), .min = 1,
				.max = 2048 },
			{ NULL },
		},
};

static const struct mp_yaml_shape reset = {
	.fields =
		(const struct mp_yaml_field[]){
			{ "prefer", MP_YAML_TEXTS, AT(reset), .words = reset_methods },
			{ "settle_ms", MP_YAML_UINT, AT(settle_ms), .max = 120000 },
			{ NULL },
		},
};

static const struct mp_yaml_shape guest = {
	.fields =
		(const struct mp_yaml_field[]){
			{ "options", MP_YAML_TEXTS, AT(guest_options) },
			{ "driver_min", MP_YAML_TAKE, AT(guest_driver_min),
				.take = take_version },
			{ NULL },
		},
};

static void known_bad_free(void *object)
{
	struct mp_known_bad *known_bad = object;

	g_free(known_bad->what);
	g_free(known_bad->reason);
	g_free(known_bad);
}

static const struct mp_yaml_shape known_bad = {
	.fields =
		(const struct mp_yaml_field[]){
			{ "match", MP_YAML_TAKE, offsetof(struct mp_known_bad, what),
				.required = true, .take = take_match },
			{ "reason", MP_YAML_TEXT, offsetof(struct mp_known_bad, reason),
				.required = true },
			{ NULL },
		},
	.size = sizeof(struct mp_known_bad),
	.free_object = known_bad_free,
};

static const struct mp_yaml_shape profile_shape = {
	.fields =
		(const struct mp_yaml_field[]){
			{ "name", MP_YAML_TAKE, AT(name), .required = true,
				.take = take_name },
			{ "title", MP_YAML_TEXT, AT(title), .required = true },
			{ "default", MP_YAML_BOOL, AT(by_default) },
			{ "ids", MP_YAML_TAKES, AT(ids), .take = take_id },
			{ "classes", MP_YAML_TAKES, AT(classes), .take = take_class },
			{ "modules", MP_YAML_TEXTS, AT(modules) },
			{ "drivers", MP_YAML_TEXTS, AT(drivers) },
			{ "engine", MP_YAML_TEXT, AT(engine), .words = engines },
			{ "state", MP_YAML_TEXT, AT(state), .words = mp_card_kinds },
			{ "interrupts", MP_YAML_MAP, .required = true,
				.shape = &interrupts },
			{ "reset", MP_YAML_MAP, .shape = &reset },
			{ "guest", MP_YAML_MAP, .shape = &guest },
			{ "known_bad", MP_YAML_MAPS, AT(known_bad), .shape = &known_bad },
			{ NULL },
		},
};

/* yaml.c stores the index of a word as unsigned. */
G_STATIC_ASSERT(sizeof(enum mp_irq_delivery) == sizeof(unsigned));

struct mp_profile *mp_profile_parse(
	const char *name, const char *data, size_t size, GError **error)
{
	g_autoptr(mp_profile) profile = g_new0(struct mp_profile, 1);

	profile->ids = g_array_new(FALSE, FALSE, sizeof(struct mp_profile_id));
	profile->classes = g_array_new(FALSE, FALSE, sizeof(struct mp_profile_class));
	profile->modules = g_ptr_array_new_with_free_func(g_free);
	profile->drivers = g_ptr_array_new_with_free_func(g_free);
	profile->reset = g_ptr_array_new_with_free_func(g_free);
	profile->guest_options = g_ptr_array_new_with_free_func(g_free);
	profile->known_bad = g_ptr_array_new_with_free_func(known_bad_free);
	if (!mp_yaml_read(name, data, size, &profile_shape, profile, error))
		return NULL;
	return g_steal_pointer(&profile);
}

void mp_profile_free(struct mp_profile *profile)
{
	if (!profile)
		return;
	g_free(profile->name);
	g_free(profile->title);
	g_free(profile->engine);
	g_free(profile->state);
	g_free(profile->guest_driver_min);
	g_array_unref(profile->ids);
	g_array_unref(profile->classes);
	g_ptr_array_unref(profile->modules);
	g_ptr_array_unref(profile->drivers);
	g_ptr_array_unref(profile->reset);
	g_ptr_array_unref(profile->guest_options);
	g_ptr_array_unref(profile->known_bad);
	g_free(profile);
}
