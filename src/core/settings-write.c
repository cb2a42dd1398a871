/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A configuration as text: always the same keys in the same order, every text quoted. */
#include "config.h"

#include "core/settings.h"

/*
 * In double quotes (YAML 1.2, 7.3.1). Escaped: what ends the text, and what a reader may
 * fold, refuse or not show (5.1 and 5.4: controls, line separators, the byte order mark).
 */
static void add_text(GString *to, const char *text)
{
	g_autofree char *valid = g_utf8_make_valid(text, -1);

	g_string_append_c(to, '"');
	for (const char *p = valid; *p; p = g_utf8_next_char(p)) {
		gunichar c = g_utf8_get_char(p);

		if (c == '"' || c == '\\')
			g_string_append_printf(to, "\\%c", (char)c);
		else if (c == '\n')
			g_string_append(to, "\\n");
		else if (c == '\t')
			g_string_append(to, "\\t");
		else if (c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 ||
			 c == 0x2029 || c == 0xfeff || c == 0xfffe || c == 0xffff)
			g_string_append_printf(to, "\\u%04X", c);
		else
			g_string_append_unichar(to, c);
	}
	g_string_append_c(to, '"');
}

static void add_key(GString *to, const char *before, const char *key, const char *text)
{
	if (!text)
		return;
	g_string_append_printf(to, "%s%s: ", before, key);
	add_text(to, text);
	g_string_append_c(to, '\n');
}

static void add_pin(GString *to, const struct mp_pin *pin)
{
	add_key(to, "  - ", "address", pin->address);
	add_key(to, "    ", "id", pin->id);
	add_key(to, "    ", "subsystem", pin->subsystem);
	add_key(to, "    ", "serial", pin->serial);
	add_key(to, "    ", "slot", pin->slot);
	if (!pin->group_members || !pin->group_members->len)
		return;
	g_string_append(to, "    group_members:\n");
	for (guint i = 0; i < pin->group_members->len; i++) {
		g_string_append(to, "      - ");
		add_text(to, pin->group_members->pdata[i]);
		g_string_append_c(to, '\n');
	}
}

char *mp_config_write(const struct mp_config *config)
{
	GString *to = g_string_new(NULL);

	if (config->cards->len)
		g_string_append(to, "cards:\n");
	for (guint i = 0; i < config->cards->len; i++)
		add_pin(to, config->cards->pdata[i]);
	add_key(to, "", "vm", config->vm);
	add_key(to, "", "binding", config->binding);
	add_key(to, "", "hugepages", config->hugepages);
	add_key(to, "", "viommu", config->viommu);
	add_key(to, "", "selftest", config->selftest);
	add_key(to, "", "selftest_last", config->selftest_last);
	add_key(to, "", "guest_selftest", config->guest_selftest);
	add_key(to, "", "after_stop", config->after_stop);
	if (config->services && config->services->len)
		g_string_append(to, "services:\n");
	for (guint i = 0; config->services && i < config->services->len; i++) {
		g_string_append(to, "  - ");
		add_text(to, config->services->pdata[i]);
		g_string_append_c(to, '\n');
	}
	if (config->waivers->len)
		g_string_append(to, "waivers:\n");
	for (guint i = 0; i < config->waivers->len; i++) {
		const struct mp_waiver *waiver = config->waivers->pdata[i];

		add_key(to, "  - ", "check", waiver->check);
		add_key(to, "    ", "subject", waiver->subject);
		add_key(to, "    ", "reason", waiver->reason);
	}
	return g_string_free(to, FALSE);
}
