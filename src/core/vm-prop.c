/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "core/fact.h"
#include "core/platform.h"
#include "core/vm-prop.h"

bool mp_prop_parse_bool(const char *text, bool *value)
{
	static const struct {
		const char *word;
		bool value;
	} words[] = {
		{ "1", true },
		{ "on", true },
		{ "yes", true },
		{ "true", true },
		{ "0", false },
		{ "off", false },
		{ "no", false },
		{ "false", false },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
		if (!g_ascii_strcasecmp(text, words[i].word)) {
			*value = words[i].value;
			return true;
		}
	return false;
}

static const struct mp_prop_key *key_by_name(
	const struct mp_prop_key *keys, const char *name)
{
	for (; keys->name; keys++)
		if (!strcmp(keys->name, name))
			return keys;
	return NULL;
}

static const struct mp_prop_key *key_by_default(const struct mp_prop_key *keys)
{
	for (; keys->name; keys++)
		if (keys->is_default)
			return keys;
	return NULL;
}

/* PVE::JSONSchema::check_prop for the types that we use. */
static char *check_value(const struct mp_prop_key *key, const char *value)
{
	bool boolean;
	uint64_t number;

	switch (key->type) {
	case MP_PROP_BOOLEAN:
		if (mp_prop_parse_bool(value, &boolean))
			return NULL;
		return g_strdup_printf("%s=%s is not a boolean", key->name, value);
	case MP_PROP_INTEGER:
		if (mp_parse_uint(value, 10, &number) && number >= key->min &&
			number <= key->max)
			return NULL;
		return g_strdup_printf("%s=%s is not a number from %" G_GUINT64_FORMAT
				       " to %" G_GUINT64_FORMAT,
			key->name, value, key->min, key->max);
	case MP_PROP_TEXT:
		break;
	}
	if (!key->valid || key->valid(value))
		return NULL;
	return g_strdup_printf("%s=%s is not %s", key->name, value, key->expected);
}

static char *take_part(const struct mp_prop_key *keys, const char *version, char *part,
	GHashTable *props)
{
	char *equals = strchr(part, '=');
	const struct mp_prop_key *key;
	const char *value = part;
	bool boolean;

	if (equals) {
		if (equals == part || !equals[1])
			return g_strdup_printf(
				"'%s' has no %s", part, equals == part ? "key" : "value");
		*equals = '\0';
		value = equals + 1;
		key = key_by_name(keys, part);
		if (!key)
			return g_strdup_printf("invalid key '%s'%s", part,
				g_ascii_isspace(*part) ? " (a space after the comma)"
						       : "");
	} else {
		key = key_by_default(keys);
		if (!key)
			return g_strdup_printf("'%s' has no key", part);
	}
	if (key->since && version && mp_version_compare(version, key->since) < 0)
		return g_strdup_printf(
			"invalid key '%s': it needs qemu-server %s, here is %s",
			key->name, key->since, version);
	if (g_hash_table_contains(props, key->name))
		return g_strdup_printf("'%s' is given twice", key->name);
	char *problem = check_value(key, value);
	if (problem)
		return problem;
	if (key->type == MP_PROP_BOOLEAN && mp_prop_parse_bool(value, &boolean))
		value = boolean ? "1" : "0";
	g_hash_table_insert(props, (char *)key->name, g_strdup(value));
	return NULL;
}

static bool is_blank(const char *text)
{
	return text[strspn(text, " \t\r\v\f")] == '\0';
}

GHashTable *mp_prop_parse(const struct mp_prop_key *keys, const char *version,
	const char *text, char **problem)
{
	g_autoptr(GHashTable) props =
		g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free);
	g_auto(GStrv) parts = g_strsplit(text, ",", -1);

	for (char **part = parts; *part; part++) {
		if (is_blank(*part))
			continue;
		*problem = take_part(keys, version, *part, props);
		if (*problem)
			return NULL;
	}
	for (; keys->name; keys++)
		if (keys->required && !g_hash_table_contains(props, keys->name)) {
			*problem = g_strdup_printf("'%s' is missing", keys->name);
			return NULL;
		}
	return g_steal_pointer(&props);
}

bool mp_prop_bool(GHashTable *props, const char *key, bool fallback)
{
	const char *value = g_hash_table_lookup(props, key);

	return value ? *value == '1' : fallback;
}
