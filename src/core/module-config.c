/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small text files that say what is loaded or bound at boot: modules-load.d, udev rules. */
#include "config.h"

#include <string.h>

#include "core/modules.h"

#define LOAD_MAX 4096 /* modules named in such files together; real hosts have a dozen */

static bool already(const GPtrArray *load, const char *module, const char *options)
{
	for (guint i = 0; i < load->len; i++) {
		const struct mp_module_load *entry = load->pdata[i];

		if (!g_strcmp0(entry->module, module) &&
			!g_strcmp0(entry->options, options))
			return true;
	}
	return false;
}

void mp_module_load_parse(struct mp_host *host, const char *file, const char *text,
	bool options, GPtrArray *load)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

	for (char **raw = lines; *raw && load->len < LOAD_MAX; raw++) {
		char *line = g_strstrip(*raw);
		const char *module, *rest = NULL;

		if (!*line || *line == '#' || *line == ';')
			continue;
		size_t name = strcspn(line, " \t");

		if (line[name]) {
			line[name] = '\0';
			rest = g_strchug(line + name + 1);
			if (!*rest || *rest == '#' || !options)
				rest = NULL;
		}
		g_autofree char *clean = mp_clean_text(line, strlen(line));
		g_autofree char *clean_rest =
			rest ? mp_clean_text(rest, strlen(rest)) : NULL;

		module = mp_module_name(host, clean);
		if (already(load, module, clean_rest))
			continue;
		struct mp_module_load *entry = mp_host_alloc(host, sizeof(*entry));

		*entry = (struct mp_module_load){
			.module = module,
			.options = mp_host_str(host, clean_rest),
			.file = mp_host_str(host, file),
		};
		g_ptr_array_add(load, entry);
	}
}

/* How our rule calls our program. */
#define EARLY_CALL "/early-bind %k"

struct part {
	const char *key, *op, *value;
};

/* One part of a udev rule: KEY, operator, quoted value; its strings go into STRINGS.
 * Returns what follows, NULL at the end or where it is no rule. */
static const char *next_part(const char *pos, GStringChunk *strings, struct part *part)
{
	pos += strspn(pos, " \t,");
	size_t key = strcspn(pos, "=!+-: \t");
	const char *op = pos + key + strspn(pos + key, " \t");
	size_t op_length = strspn(op, "=!+-:");
	const char *open = op + op_length + strspn(op + op_length, " \t");
	const char *close = *open == '"' ? strchr(open + 1, '"') : NULL;

	if (!key || !op_length || !close)
		return NULL;
	part->key = g_string_chunk_insert_len(strings, pos, (gssize)key);
	part->op = g_string_chunk_insert_len(strings, op, (gssize)op_length);
	part->value = g_string_chunk_insert_len(strings, open + 1, close - open - 1);
	return close + 1;
}

static bool read_id(const char *text, int *id)
{
	uint64_t number;

	if (!g_str_has_prefix(text, "0x") || !mp_parse_uint(text + 2, 16, &number) ||
		number > 0xffff)
		return false;
	*id = (int)number;
	return true;
}

/* False: a part that we do not understand, so the rule is left out. */
static bool take_part(const struct part *part, struct mp_override_rule *rule)
{
	const char *key = part->key, *value = part->value;
	bool compares = !strcmp(part->op, "==");

	if (!strcmp(key, "ATTR{driver_override}") && !compares) {
		rule->driver = value;
		return !strcmp(part->op, "=");
	}
	if (!strcmp(key, "PROGRAM") && g_str_has_suffix(value, EARLY_CALL)) {
		rule->driver = "vfio-pci";
		rule->program = value;
		return compares;
	}
	if (!strcmp(key, "ENV{METIS_PASSTHROUGH}"))
		return true; /* only tells that the rule was used */
	if (!strcmp(key, "ACTION"))
		return true; /* add, change or bind: all happen at boot */
	if (!compares)
		return false;
	if (!strcmp(key, "SUBSYSTEM") || !strcmp(key, "SUBSYSTEMS"))
		return !strcmp(value, "pci");
	if (!strcmp(key, "KERNEL") || !strcmp(key, "KERNELS")) {
		rule->address = value;
		return true;
	}
	if (!strcmp(key, "ATTR{vendor}"))
		return read_id(value, &rule->vendor);
	if (!strcmp(key, "ATTR{device}"))
		return read_id(value, &rule->device);
	if (!strcmp(key, "ATTR{subsystem_vendor}"))
		return read_id(value, &rule->subvendor);
	if (!strcmp(key, "ATTR{subsystem_device}"))
		return read_id(value, &rule->subdevice);
	return false;
}

static void parse_rule(
	struct mp_host *host, const char *file, const char *line, GPtrArray *rules)
{
	struct mp_override_rule rule = {
		.vendor = -1, .device = -1, .subvendor = -1, .subdevice = -1
	};
	GStringChunk *strings = mp_host_own(
		host, g_string_chunk_new(256), (GDestroyNotify)g_string_chunk_free);
	struct part part;

	for (const char *pos = line; (pos = next_part(pos, strings, &part));)
		if (!take_part(&part, &rule))
			return;
	if (!rule.driver || (!rule.address && rule.vendor < 0))
		return;
	struct mp_override_rule *kept = mp_host_alloc(host, sizeof(*kept));

	*kept = rule;
	if (rule.program) {
		size_t length = strlen(rule.program) - strlen(" %k");
		g_autofree char *path = g_strndup(rule.program, length);

		kept->program = mp_host_str(host, path);
	}
	kept->file = mp_host_str(host, file);
	g_ptr_array_add(rules, kept);
}

void mp_override_parse_udev(
	struct mp_host *host, const char *file, const char *text, GPtrArray *rules)
{
	g_autofree char *clean = mp_clean_text(text, strlen(text));
	g_auto(GStrv) parts = g_strsplit(clean, "\\\n", -1);
	g_autofree char *joined = g_strjoinv("", parts);
	g_auto(GStrv) lines = g_strsplit(joined, "\n", -1);

	for (char **line = lines; *line; line++) {
		char *rule = g_strstrip(*line);

		if (*rule != '#' &&
			(strstr(rule, "driver_override") || strstr(rule, EARLY_CALL)))
			parse_rule(host, file, rule, rules);
	}
}
