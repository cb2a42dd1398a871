/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configuration: which cards, by all that identifies them, and what else the admin
 * chose. A file that this program wrote is written again; one by hand is never touched,
 * because its comments would be lost: the lines to add are told instead.
 */
#include "config.h"

#include <string.h>

#include "core/group.h"
#include "core/pin.h"
#include "core/plan.h"

#define PATH "/" MP_PATH_SETTINGS

/* --- promises --- */

static void add_text(json_object *object, const char *key, const char *text)
{
	json_object_object_add(object, key, text ? json_object_new_string(text) : NULL);
}

static void promise_card(struct mp_plan *plan, const struct mp_pin *pin)
{
	json_object *identity = json_object_new_object();
	json_object *group, *members;

	add_text(identity, "address", pin->address);
	add_text(identity, "id", pin->id);
	add_text(identity, "subsystem", pin->subsystem);
	add_text(identity, "serial", pin->serial);
	add_text(identity, "slot", pin->slot);
	mp_plan_promise(plan, "pin", identity);
	if (!pin->group_members->len)
		return; /* no IOMMU yet: there is no layout to keep */
	group = json_object_new_object();
	members = json_object_new_array();
	add_text(group, "address", pin->address);
	for (guint i = 0; i < pin->group_members->len; i++)
		json_object_array_add(
			members, json_object_new_string(pin->group_members->pdata[i]));
	json_object_object_add(group, "members", members);
	mp_plan_promise(plan, "group", group);
}

/* --- pins --- */

/* True if PIN still names the card that is there. */
static bool judge_pin(
	struct mp_plan *plan, const struct mp_wish *wish, const struct mp_pin *pin)
{
	g_autofree char *why = NULL;

	switch (mp_pin_check(wish->host, pin, &why)) {
	case MP_PIN_SAME:
		return true;
	case MP_PIN_OTHER:
		mp_plan_add_obstacle(plan, pin->address, "metis-passthrough repin",
			"%s is not the card that %s pins: %s", pin->address,
			wish->config->source ? wish->config->source : PATH, why);
		return false;
	case MP_PIN_GONE:
		mp_plan_add_obstacle(plan, pin->address,
			"if the card moved: metis-passthrough repin; if it was taken out: "
			"remove it from " PATH,
			"%s of %s is not on this host: %s", pin->address,
			wish->config->source ? wish->config->source : PATH, why);
		return false;
	case MP_PIN_UNSURE:
		mp_plan_add_obstacle(plan, pin->address,
			"run this as root on the host itself",
			"whether %s is the card that %s pins is not known: %s",
			pin->address, wish->config->source ? wish->config->source : PATH,
			why);
		break;
	}
	return false;
}

/* --- what shall be in the file --- */

/* CONFIG is filled with borrowed texts, and pins owned by the array. */
static void want(struct mp_config *config, const struct mp_wish *wish)
{
	const struct mp_config *now = wish->config;

	*config = *now;
	config->cards = g_ptr_array_new_with_free_func((GDestroyNotify)mp_pin_free);
	for (guint i = 0; i < now->cards->len; i++) {
		const struct mp_pin *pin = now->cards->pdata[i];
		const struct mp_pci *device = mp_host_device(wish->host, pin->address);

		if (device)
			g_ptr_array_add(config->cards, mp_pin_of(device));
	}
	for (guint i = 0; i < wish->devices->len; i++) {
		const struct mp_pci *device = wish->devices->pdata[i];

		if (!mp_config_pin(now, device->bdf))
			g_ptr_array_add(config->cards, mp_pin_of(device));
	}
	if (wish->vm)
		config->vm = (char *)wish->vm;
	if (wish->binding && strcmp(wish->binding, "auto") != 0)
		config->binding = (char *)wish->binding;
}

/* --- whose file it is --- */

/* True if LINE has a comment; '#' within quotes is none. */
static bool has_comment(const char *line)
{
	bool quoted = false;

	for (const char *p = line; *p; p++) {
		if (quoted && *p == '\\' && p[1])
			p++;
		else if (*p == '"')
			quoted = !quoted;
		else if (!quoted && *p == '#' && (p == line || g_ascii_isspace(p[-1])))
			return true;
	}
	return false;
}

/* Ours: our head on top, and no other comment that a rewrite would lose. */
static bool is_ours(const char *text, const char *head)
{
	g_auto(GStrv) lines = NULL;

	if (!g_str_has_prefix(text, head))
		return false;
	lines = g_strsplit(text + strlen(head), "\n", -1);
	for (char **line = lines; *line; line++)
		if (has_comment(*line))
			return false;
	return true;
}

/* --- a file written by hand --- */

static char *card_lines(struct mp_pin *pin)
{
	struct mp_config one = { .cards = g_ptr_array_new(),
		.waivers = g_ptr_array_new() };
	char *text;

	g_ptr_array_add(one.cards, pin);
	text = mp_config_write(&one);
	g_ptr_array_unref(one.cards);
	g_ptr_array_unref(one.waivers);
	return text;
}

static void refuse_key(
	struct mp_plan *plan, const char *key, const char *now, const char *wanted)
{
	g_autofree char *remedy =
		g_strdup_printf("%s this line to " PATH " by hand:\n%s: \"%s\"",
			now ? "change" : "add", key, wanted);

	mp_plan_add_obstacle(plan, PATH, remedy,
		"%s was written by hand and says %s%s%s; writing it anew would lose its "
		"comments and order",
		PATH, now ? key : "nothing about ", now ? " " : key, now ? now : "");
}

static void judge_hand_written(
	struct mp_plan *plan, const struct mp_wish *wish, const struct mp_config *wanted)
{
	const struct mp_config *now = wish->stated ? wish->stated : wish->config;

	for (guint i = 0; i < wanted->cards->len; i++) {
		struct mp_pin *pin = wanted->cards->pdata[i];
		const struct mp_pin *has = mp_config_pin(now, pin->address);
		g_autofree char *lines = card_lines(pin);
		g_autofree char *remedy = NULL;

		if (has && !has->id)
			mp_plan_add_note(plan, pin->address,
				"%s names %s by its address alone: nothing would notice "
				"another card there. To pin it:\n%s",
				PATH, pin->address, lines);
		if (has)
			continue;
		remedy = g_strdup_printf("%s " PATH " by hand%s:\n%s",
			wish->stated ? "replace what moved in" : "add this to",
			now->cards->len ? " (below its `cards:`)" : "", lines);
		mp_plan_add_obstacle(plan, pin->address, remedy,
			"%s was written by hand and does not name %s; writing it anew "
			"would lose its comments and order",
			PATH, pin->address);
	}
	if (g_strcmp0(now->vm, wanted->vm) != 0)
		refuse_key(plan, "vm", now->vm, wanted->vm);
	if (g_strcmp0(now->binding, wanted->binding) != 0)
		refuse_key(plan, "binding", now->binding, wanted->binding);
}

/* --- the topic --- */

/* Says that the group has changed, which the diff of a list of addresses hardly does. */
static void note_groups(
	struct mp_plan *plan, const struct mp_wish *wish, const struct mp_config *wanted)
{
	for (guint i = 0; i < wanted->cards->len; i++) {
		const struct mp_pin *pin = wanted->cards->pdata[i];
		const struct mp_pin *has = mp_config_pin(wish->config, pin->address);
		bool same = has && has->group_members->len == pin->group_members->len;

		if (!has || !has->group_members->len)
			continue;
		for (guint m = 0; same && m < pin->group_members->len; m++)
			same = g_ptr_array_find_with_equal_func(has->group_members,
				pin->group_members->pdata[m], g_str_equal, NULL);
		if (!same)
			mp_plan_add_note(plan, pin->address,
				"the IOMMU group of %s is not the one that it was set up "
				"with (`metis-passthrough preflight`, group-unchanged); "
				"setting it up again accepts the new one",
				pin->address);
	}
}

void mp_plan_config(struct mp_plan *plan, const struct mp_wish *wish)
{
	g_autofree char *head = mp_plan_head("# ");
	g_autofree char *now = NULL;
	g_autofree char *body = NULL;
	g_autofree char *text = NULL;
	g_autoptr(GPtrArray) cards = NULL;
	struct mp_config wanted;
	bool same = true;

	for (guint i = 0; i < wish->config->cards->len; i++)
		same = judge_pin(plan, wish, wish->config->cards->pdata[i]) && same;
	if (!same || !wish->devices->len)
		return;
	want(&wanted, wish);
	cards = wanted.cards;
	for (guint i = 0; i < cards->len; i++)
		promise_card(plan, cards->pdata[i]);
	note_groups(plan, wish, &wanted);
	/* What cannot be read is told by whoever looks at all files. */
	if (mp_root_read(wish->root, PATH, MP_READ_FILE, &now, NULL) == 0 &&
		!is_ours(now, head)) {
		judge_hand_written(plan, wish, &wanted);
		return;
	}
	body = mp_config_write(&wanted);
	text = g_strconcat(head, body, NULL);
	mp_plan_add_file(plan, PATH, text, 0,
		"remembers which cards are meant, by more than their addresses, which "
		"change; preflight, status and the hook compare")
		->keep_mode = true;
}
