/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "core/check.h"
#include "core/error.h"
#include "core/pci.h"
#include "core/pin.h"
#include "core/settings.h"
#include "core/yaml.h"

static const char *const bindings[] = { "auto", "ids", "address", NULL };
static const char *const hugepage_sizes[] = { "2", "1024", "any", "off", NULL };
static const char *const selftests[] = { "after-boot", "off", NULL };
static const char *const selftest_lasts[] = { "off", "warn", "require", NULL };
static const char *const guest_selftests[] = { "off", "run", NULL };
static const char *const after_stops[] = { "keep", "host", NULL };
static const char *const viommus[] = { "intel", "virtio", "off", NULL };

static bool store(void *object, size_t offset, char *text)
{
	*(char **)((char *)object + offset) = text;
	return true;
}

/* The full form in lower case, or NULL. */
static char *full_address(const char *text)
{
	uint32_t domain;
	uint8_t bus, slot, function;

	if (!mp_pci_parse_bdf(text, &domain, &bus, &slot, &function))
		return NULL;
	return g_strdup_printf("%04x:%02x:%02x.%x", domain, bus, slot, function);
}

static bool take_address(void *object, size_t offset, const char *text, char **why)
{
	char *address = full_address(text);

	if (address)
		return store(object, offset, address);
	*why = g_strdup("is not a PCI address ([DDDD:]BB:DD.F)");
	return false;
}

static bool take_member(void *object, size_t offset, const char *text, char **why)
{
	GPtrArray **members = (GPtrArray **)((char *)object + offset);
	char *address = full_address(text);

	if (!address) {
		*why = g_strdup("is not a PCI address ([DDDD:]BB:DD.F)");
		return false;
	}
	if (!*members)
		*members = g_ptr_array_new_with_free_func(g_free);
	g_ptr_array_add(*members, address);
	return true;
}

static bool take_id(void *object, size_t offset, const char *text, char **why)
{
	g_autofree char *lower = g_ascii_strdown(text, -1);

	if (strlen(lower) == 9 && lower[4] == ':' &&
		strspn(lower, "0123456789abcdef") == 4 &&
		strspn(lower + 5, "0123456789abcdef") == 4)
		return store(object, offset, g_steal_pointer(&lower));
	*why = g_strdup("is not two numbers of four hex digits such as 1f9d:1100");
	return false;
}

static bool take_serial(void *object, size_t offset, const char *text, char **why)
{
	g_autofree char *lower = g_ascii_strdown(text, -1);
	uint64_t number;

	if (g_str_has_prefix(lower, "0x") && mp_parse_uint(lower + 2, 16, &number))
		return store(object, offset, g_steal_pointer(&lower));
	*why = g_strdup("is not a serial number in hex such as 0x00e04c6811223344");
	return false;
}

static bool take_vm(void *object, size_t offset, const char *text, char **why)
{
	uint64_t number;

	/* The range of pve-vmid, PVE::JSONSchema. */
	if (mp_parse_uint(text, 10, &number) && number >= 100 && number <= 999999999)
		return store(object, offset, g_strdup(text));
	*why = g_strdup("is not a VMID (100 to 999999999)");
	return false;
}

bool mp_config_is_service(const char *text)
{
	static const char *const kinds[] = { ".service", ".socket", ".timer" };
	size_t length = strlen(text);
	bool kind = false;

	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
		kind = kind ||
		       (length > strlen(kinds[i]) && g_str_has_suffix(text, kinds[i]));
	/* systemd.unit(5); a dash in front would be an option. */
	return kind && length <= 255 && *text != '-' &&
	       strspn(text,
		       "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
		       ":_.\\@-") == length;
}

static bool take_service(void *object, size_t offset, const char *text, char **why)
{
	GPtrArray **services = (GPtrArray **)((char *)object + offset);

	if (!mp_config_is_service(text)) {
		*why = g_strdup("is not the name of a service, socket or timer such as "
				"app.service");
		return false;
	}
	g_ptr_array_add(*services, g_strdup(text));
	return true;
}

/* A waiver that can match nothing waives nothing, and its author would never know. */
static bool take_check(void *object, size_t offset, const char *text, char **why)
{
	size_t n;
	const struct mp_check *const *all = mp_checks_all(&n);

	for (size_t i = 0; i < n; i++)
		if (g_pattern_match_simple(text, all[i]->id))
			return store(object, offset, g_strdup(text));
	*why = g_strdup("matches no check (see preflight --list-checks)");
	return false;
}

static void pin_free(void *object)
{
	mp_pin_free(object);
}

static void waiver_free(void *object)
{
	struct mp_waiver *waiver = object;

	g_free(waiver->check);
	g_free(waiver->subject);
	g_free(waiver->reason);
	g_free(waiver);
}

#define AT(type, member) .offset = offsetof(struct type, member)

static const struct mp_yaml_shape pin_shape = {
	.fields =
		(const struct mp_yaml_field[]){
			{ "address", MP_YAML_TAKE, AT(mp_pin, address), .required = true,
				.take = take_address },
			{ "id", MP_YAML_TAKE, AT(mp_pin, id), .take = take_id },
			{ "subsystem", MP_YAML_TAKE, AT(mp_pin, subsystem),
				.take = take_id },
			{ "serial", MP_YAML_TAKE, AT(mp_pin, serial),
				.take = take_serial },
			{ "slot", MP_YAML_TEXT, AT(mp_pin, slot) },
			{ "group_members", MP_YAML_TAKES, AT(mp_pin, group_members),
				.take = take_member },
			{ NULL },
		},
	.size = sizeof(struct mp_pin),
	.free_object = pin_free,
};

static const struct mp_yaml_shape waiver_shape = {
	.fields =
		(const struct mp_yaml_field[]){
			{ "check", MP_YAML_TAKE, AT(mp_waiver, check), .required = true,
				.take = take_check },
			{ "subject", MP_YAML_TEXT, AT(mp_waiver, subject) },
			{ "reason", MP_YAML_TEXT, AT(mp_waiver, reason),
				.required = true },
			{ NULL },
		},
	.size = sizeof(struct mp_waiver),
	.free_object = waiver_free,
};

static const struct mp_yaml_shape config_shape = {
	.fields =
		(const struct mp_yaml_field[]){
			{ "cards", MP_YAML_MAPS, AT(mp_config, cards),
				.shape = &pin_shape },
			{ "vm", MP_YAML_TAKE, AT(mp_config, vm), .take = take_vm },
			{ "binding", MP_YAML_TEXT, AT(mp_config, binding),
				.words = bindings },
			{ "hugepages", MP_YAML_TEXT, AT(mp_config, hugepages),
				.words = hugepage_sizes },
			{ "viommu", MP_YAML_TEXT, AT(mp_config, viommu),
				.words = viommus },
			{ "selftest", MP_YAML_TEXT, AT(mp_config, selftest),
				.words = selftests },
			{ "selftest_last", MP_YAML_TEXT, AT(mp_config, selftest_last),
				.words = selftest_lasts },
			{ "guest_selftest", MP_YAML_TEXT, AT(mp_config, guest_selftest),
				.words = guest_selftests },
			{ "after_stop", MP_YAML_TEXT, AT(mp_config, after_stop),
				.words = after_stops },
			{ "services", MP_YAML_TAKES, AT(mp_config, services),
				.take = take_service },
			{ "waivers", MP_YAML_MAPS, AT(mp_config, waivers),
				.shape = &waiver_shape },
			{ NULL },
		},
};

static struct mp_config *config_new(void)
{
	struct mp_config *config = g_new0(struct mp_config, 1);

	config->cards = g_ptr_array_new_with_free_func(pin_free);
	config->services = g_ptr_array_new_with_free_func(g_free);
	config->waivers = g_ptr_array_new_with_free_func(waiver_free);
	return config;
}

struct mp_config *mp_config_parse(
	const char *name, const char *data, size_t size, GError **error)
{
	g_autoptr(mp_config) config = config_new();

	config->source = g_strdup(name);
	if (!mp_yaml_read(name, data, size, &config_shape, config, error))
		return NULL;
	for (guint i = 0; i < config->cards->len; i++) {
		struct mp_pin *pin = config->cards->pdata[i];

		if (!pin->group_members)
			pin->group_members = g_ptr_array_new_with_free_func(g_free);
	}
	return g_steal_pointer(&config);
}

struct mp_config *mp_config_load(struct mp_root *root, GError **error)
{
	g_autofree char *data = NULL;
	size_t size;
	int err = mp_root_read(root, MP_PATH_SETTINGS, MP_YAML_MAX, &data, &size);

	/* A snapshot of a host that had none, or taken before there was one: nothing wanted. */
	if (err == -ENOENT || err == -ENOTDIR || err == -ENODATA)
		return config_new();
	if (err) {
		mp_error_set_errno(
			error, err, "/" MP_PATH_SETTINGS, "read configuration");
		return NULL;
	}
	return mp_config_parse("/" MP_PATH_SETTINGS, data, size, error);
}

const struct mp_pin *mp_config_pin(const struct mp_config *config, const char *address)
{
	for (guint i = 0; i < config->cards->len; i++) {
		const struct mp_pin *pin = config->cards->pdata[i];

		if (!strcmp(pin->address, address))
			return pin;
	}
	return NULL;
}

void mp_config_free(struct mp_config *config)
{
	if (!config)
		return;
	g_free(config->source);
	g_free(config->vm);
	g_free(config->binding);
	g_free(config->hugepages);
	g_free(config->viommu);
	g_free(config->selftest);
	g_free(config->selftest_last);
	g_free(config->guest_selftest);
	g_free(config->after_stop);
	g_ptr_array_unref(config->cards);
	g_ptr_array_unref(config->services);
	g_ptr_array_unref(config->waivers);
	g_free(config);
}
