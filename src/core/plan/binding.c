/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who gets the wanted cards at boot. Two ways, one for all cards:
 *
 * ids: vfio-pci takes every device of these ids when it is loaded, and each of the host's
 * modules that want one waits for it (softdep). A blacklist is never used: it would take the
 * module from the host's other devices too, and where a softdep does not work, because the
 * module is built in, a blacklist does not either.
 *
 * address: for hosts with a second device of the same id and the like. Before udev starts in
 * the initramfs, early-bind gives driver_override "vfio-pci" to each card of its table that
 * still is the card it was; no other driver can take it from then on, so no softdep is
 * needed. For cards that come later a udev rule runs the same program. vfio-pci itself is
 * loaded right after it in the initramfs, by name in the root.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "core/plan/binding.h"
#include "core/template.h"

static bool is_ids(const struct mp_binding *b)
{
	return b->cards->len && !strcmp(b->plan->binding, "ids");
}

/* --- the files --- */

/* CONTENT NULL: not wanted, which is worth a word only where the file is there. */
static struct mp_plan_file *add_file(const struct mp_binding *b, const char *path,
	const char *content, unsigned feeds, const char *why)
{
	struct mp_stat st;
	int err = content ? 0 : mp_root_stat(b->wish->root, path, &st);

	if (err == -ENOENT || err == -ENOTDIR || err == -ENODATA)
		return NULL;
	return mp_plan_add_file(b->plan, path, content, feeds, "%s",
		content ? why : "the binding that is chosen now does not need it");
}

static char *head(void)
{
	return g_strchomp(mp_plan_head("# "));
}

static char *ids_conf(const struct mp_binding *b)
{
	g_autofree char *first = head(), *ids = mp_binding_ids(b);
	g_autoptr(GString) devices = g_string_new(NULL), softdeps = g_string_new(NULL);

	for (guint i = 0; i < b->cards->len; i++) {
		const struct mp_pci *card = b->cards->pdata[i];
		g_autofree char *id = mp_binding_id(card);

		g_string_append_printf(devices, "#   %s %s\n", card->bdf, id);
	}
	for (guint i = 0; i < b->modules->len; i++)
		g_string_append_printf(softdeps, "%ssoftdep %s pre: vfio-pci",
			i ? "\n" : "", (const char *)b->modules->pdata[i]);

	const char *const values[] = { "HEAD", first, "DEVICES", devices->str, "IDS", ids,
		"SOFTDEPS", softdeps->str, NULL };
	g_autofree char *options = mp_template_fill("modprobe.d/ids.conf", values);
	g_autofree char *order =
		b->modules->len ? mp_template_fill("modprobe.d/softdep.conf", values)
				: g_strdup("");

	return g_strconcat(options, order, NULL);
}

static void add_modprobe(const struct mp_binding *b)
{
	g_autofree char *content = is_ids(b) ? ids_conf(b) : NULL;

	add_file(b, MP_FILE_MODPROBE, content, MP_FEEDS_IMAGES,
		b->modules->len
			? "vfio-pci takes the cards by their ids, and the host's drivers "
			  "for them wait until it is there"
			: "vfio-pci takes the cards by their ids");
}

static void add_load(const struct mp_binding *b)
{
	g_autofree char *first = head();
	const char *const values[] = { "HEAD", first, NULL };
	g_autofree char *content =
		b->cards->len ? mp_template_fill("modules-load.d/vfio.conf", values)
			      : NULL;
	struct mp_plan_file *file = add_file(b, MP_FILE_LOAD, content, 0,
		"vfio-pci is loaded at boot even where no driver of the host asks for it");

	if (file)
		file->reboot = true;
}

/* CONTENT: taken over; NULL: the file shall not be there. */
static void add_script(
	const struct mp_binding *b, const char *path, char *content, const char *why)
{
	struct mp_plan_file *file = add_file(b, path, content, MP_FEEDS_IMAGES, why);

	if (file)
		file->mode = 0755;
	g_free(content);
}

static char *hook(const struct mp_binding *b, const char *const *values)
{
	g_autofree char *common = mp_template_fill("initramfs/hook", values);
	g_autofree char *more =
		is_ids(b) ? NULL : mp_template_fill("initramfs/hook-address", values);

	return g_strconcat(common, more, NULL);
}

static char *cards_text(const struct mp_binding *b, char *(*line)(const struct mp_pci *))
{
	g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);

	for (guint i = 0; i < b->cards->len; i++)
		g_ptr_array_add(lines, line(b->cards->pdata[i]));
	g_ptr_array_add(lines, NULL);
	return g_strjoinv("\n", (char **)lines->pdata);
}

/* The assignment tells `udevadm info` of it, and no udev can take the line for one without
 * effect, which it would drop (udev-rules.c, LINE_UPDATE_SOMETHING). */
static char *rule_line(const struct mp_pci *card)
{
	g_autoptr(GString) rule = g_string_new(NULL);

	g_string_printf(rule,
		"ACTION==\"add\", SUBSYSTEM==\"pci\", KERNEL==\"%s\", "
		"ATTR{vendor}==\"0x%04x\", ATTR{device}==\"0x%04x\", ",
		card->bdf, card->vendor, card->device);
	if (card->subvendor != 0xffff && card->subdevice != 0xffff)
		g_string_append_printf(rule,
			"ATTR{subsystem_vendor}==\"0x%04x\", "
			"ATTR{subsystem_device}==\"0x%04x\", ",
			card->subvendor, card->subdevice);
	g_string_append(rule, "PROGRAM==\"" MP_PATH_EARLY_PROGRAM
			      " %k\", ENV{METIS_PASSTHROUGH}=\"vfio-pci\"");
	return g_string_free(g_steal_pointer(&rule), FALSE);
}

static void add_images(const struct mp_binding *b)
{
	bool any = b->cards->len > 0, address = any && !is_ids(b);
	g_autofree char *first = head();
	g_autofree char *cards = cards_text(b, mp_early_line);
	g_autofree char *rules = cards_text(b, rule_line);
	const char *const values[] = { "HEAD", first, "PROGRAM", MP_PATH_EARLY_PROGRAM,
		"TABLE", MP_FILE_TABLE, "CARDS", cards, "RULES", rules, NULL };
	g_autofree char *table =
		address ? mp_template_fill("initramfs/early-bind.conf", values) : NULL;
	g_autofree char *udev =
		address ? mp_template_fill("udev/early-bind.rules", values) : NULL;

	add_file(b, MP_FILE_TABLE, table, MP_FEEDS_IMAGES,
		"each card is named with all that tells it from its like, so that no other "
		"device at its address is taken");
	add_script(b, MP_FILE_SCRIPT,
		address ? mp_template_fill("initramfs/init-top", values) : NULL,
		"gives the cards to vfio-pci before any driver is loaded");
	/* The image gets a copy of the rule by udev's own hook. */
	add_file(b, MP_FILE_RULES, udev, MP_FEEDS_IMAGES | MP_FEEDS_UDEV,
		"a card that is plugged in later, or found again, is bound like those at "
		"boot");
	add_script(b, MP_FILE_HOOK, any ? hook(b, values) : NULL,
		"vfio-pci is in every initramfs image, where the host's drivers are loaded "
		"first");
}

/* --- the choice --- */

static void survey_modules(struct mp_binding *b)
{
	const GPtrArray *kernels = b->host->modules->kernels;

	for (guint i = 0; i < kernels->len; i++)
		for (guint j = 0; j < b->cards->len; j++) {
			g_autoptr(GPtrArray) names =
				mp_bind_host_modules(b->host, kernels->pdata[i],
					b->cards->pdata[j], b->profiles->pdata[j]);

			for (guint k = 0; k < names->len; k++)
				if (!g_ptr_array_find_with_equal_func(b->modules,
					    names->pdata[k], g_str_equal, NULL))
					g_ptr_array_add(b->modules, names->pdata[k]);
		}
	g_ptr_array_sort(b->modules, mp_binding_compare);
}

static void survey(struct mp_binding *b)
{
	const struct mp_wish *wish = b->wish;

	for (guint i = 0; i < wish->devices->len; i++) {
		struct mp_pci *card = wish->devices->pdata[i];
		struct mp_profile *profile = wish->profiles->pdata[i];
		const char *file = NULL;

		if (mp_binding_by_others(wish, card, profile, &file)) {
			mp_plan_add_note(b->plan, card->bdf,
				"%s, which is not ours, already gives it to vfio-pci, in "
				"the root and in every image: nothing is written for it",
				file);
			continue;
		}
		g_ptr_array_add(b->cards, card);
		g_ptr_array_add(b->profiles, profile);
	}
	survey_modules(b);
}

static void choose(const struct mp_binding *b)
{
	const char *asked = b->wish->binding ? b->wish->binding : "auto";
	g_autoptr(GPtrArray) against = NULL;

	if (!b->cards->len) {
		b->plan->binding = g_strdup("none");
		return;
	}
	against = mp_binding_against_ids(b);
	if (!strcmp(asked, "auto")) {
		b->plan->binding = g_strdup(against->len ? "address" : "ids");
		if (against->len) {
			const struct mp_plan_remark *first = against->pdata[0];

			mp_plan_add_note(b->plan, first->subject,
				"bound by address, not by id: %s", first->text);
		}
		return;
	}
	b->plan->binding = g_strdup(asked);
	for (guint i = 0; is_ids(b) && i < against->len; i++) {
		const struct mp_plan_remark *reason = against->pdata[i];

		mp_plan_add_obstacle(b->plan, reason->subject, "use --binding address",
			"it cannot be bound by its id: %s", reason->text);
	}
}

static bool has_id_of_cards(const struct mp_binding *b, const struct mp_pci *card)
{
	g_autofree char *id = mp_binding_id(card);

	for (guint i = 0; i < b->cards->len; i++) {
		g_autofree char *other = mp_binding_id(b->cards->pdata[i]);

		if (!strcmp(id, other))
			return true;
	}
	return false;
}

/* A card that others give to vfio-pci, of an id that is ours from now on: the next plan
 * finds it given by our file, so this one has to say the same. */
static void join_same_ids(struct mp_binding *b)
{
	const GPtrArray *devices = b->wish->devices;

	for (guint i = 0; is_ids(b) && i < devices->len; i++) {
		struct mp_pci *card = devices->pdata[i];

		if (g_ptr_array_find(b->cards, card, NULL) || !has_id_of_cards(b, card))
			continue;
		/* In the order of the wish, as if it had been ours all along. */
		g_ptr_array_insert(b->cards, (int)MIN(i, b->cards->len), card);
		g_ptr_array_insert(b->profiles, (int)MIN(i, b->profiles->len),
			b->wish->profiles->pdata[i]);
	}
	survey_modules(b);
}

static void promise(const struct mp_binding *b)
{
	for (guint i = 0; i < b->wish->devices->len; i++) {
		static const char *const kinds[] = { "binding", "image" };
		const struct mp_pci *card = b->wish->devices->pdata[i];
		char id[10];

		for (size_t k = 0; k < G_N_ELEMENTS(kinds); k++) {
			json_object *object = json_object_new_object();

			json_object_object_add(
				object, "address", json_object_new_string(card->bdf));
			json_object_object_add(object, "id",
				json_object_new_string(mp_pci_id(card, id)));
			mp_plan_promise(b->plan, kinds[k], object);
		}
	}
}

void mp_plan_binding(struct mp_plan *plan, const struct mp_wish *wish)
{
	g_autoptr(GPtrArray) cards = g_ptr_array_new();
	g_autoptr(GPtrArray) profiles = g_ptr_array_new();
	g_autoptr(GPtrArray) modules = g_ptr_array_new();
	struct mp_binding b = { plan, wish, wish->host, cards, profiles, modules };

	survey(&b);
	choose(&b);
	join_same_ids(&b);
	if (cards->len)
		mp_binding_obstacles(&b);
	add_modprobe(&b);
	add_load(&b);
	add_images(&b);
	promise(&b);
}
