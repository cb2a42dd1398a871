/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "core/guest-options.h"
#include "core/journal.h"
#include "core/pci.h"
#include "core/pin.h"
#include "core/quote.h"
#include "planning.h"

#define PATH_BOOT_ID "proc/sys/kernel/random/boot_id"

/* --- the words --- */

static bool check_binding(const char *binding, GError **error)
{
	if (!binding || !strcmp(binding, "auto") || !strcmp(binding, "ids") ||
		!strcmp(binding, "address"))
		return true;
	g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
		"--binding takes auto, ids or address, not '%s'", binding);
	return false;
}

/* pve-vmid of PVE::JSONSchema: 100 to 999999999. */
static bool check_vm(const char *vm, GError **error)
{
	uint64_t number;

	if (!vm || (mp_parse_uint(vm, 10, &number) && *vm != '0' && number >= 100 &&
			   number <= 999999999))
		return true;
	g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
		"VM %s: not the number of a VM (100 to 999999999)", vm);
	return false;
}

/* pve-configid of PVE::JSONSchema: a letter, then letters, digits, '-' and '_'. */
static bool check_mapping(const char *name, GError **error)
{
	if (!name || (g_ascii_isalpha(*name) && name[1] &&
			     strspn(name, G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "-_") ==
				     strlen(name)))
		return true;
	g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
		"--mapping %s: no name for a resource mapping (a letter, then letters, "
		"digits, '-' or '_')",
		name);
	return false;
}

static bool check_force(char **force, GError **error)
{
	uint32_t domain;
	uint8_t bus, slot, function;

	for (char **bdf = force; bdf && *bdf; bdf++) {
		if (mp_pci_parse_bdf(*bdf, &domain, &bus, &slot, &function))
			continue;
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
			"--force %s: not a PCI address ([DDDD:]BB:DD.F)", *bdf);
		return false;
	}
	return true;
}

bool mp_planning_check(const struct mp_planning_options *options, GError **error)
{
	g_autoptr(mp_profile) profile = NULL;

	if (!check_binding(options->binding, error) || !check_vm(options->vm, error) ||
		!check_mapping(options->mapping, error) ||
		!check_force(options->force, error))
		return false;
	if (!options->choose.profile)
		return true;
	profile = mp_profile_load(options->choose.profile, error);
	return profile != NULL;
}

static void add_word(GString *words, const char *option, const char *value)
{
	g_autofree char *quoted = value ? mp_quote(value) : NULL;

	g_string_append_printf(
		words, " %s%s%s", option, quoted ? " " : "", quoted ? quoted : "");
}

static void add_words(GString *words, const char *option, char **values)
{
	for (char **value = values; value && *value; value++)
		add_word(words, option, *value);
}

char *mp_planning_words(const struct mp_planning_options *options)
{
	GString *words = g_string_new(NULL);

	add_words(words, "--device", options->choose.devices);
	if (options->choose.id)
		add_word(words, "--id", options->choose.id);
	if (options->choose.profile)
		add_word(words, "--profile", options->choose.profile);
	if (options->vm)
		add_word(words, "--vm", options->vm);
	if (options->mapping)
		add_word(words, "--mapping", options->mapping);
	if (options->hook)
		add_word(words, "--hook", NULL);
	if (options->binding)
		add_word(words, "--binding", options->binding);
	add_words(words, "--force", options->force);
	if (options->guest && options->guest->driver)
		add_word(words, "--driver-version", options->guest->driver);
	if (options->guest && options->guest->firmware)
		add_word(words, "--firmware-version", options->guest->firmware);
	return g_string_free(words, FALSE);
}

/* --- the wish --- */

void mp_planning_free(struct mp_planning *planning)
{
	if (!planning)
		return;
	mp_plan_free(planning->plan);
	mp_choice_clear(&planning->choice);
	if (planning->profiles)
		g_ptr_array_unref(planning->profiles);
	if (planning->force)
		g_ptr_array_unref(planning->force);
	g_free(planning->profile_names);
	g_free(planning->interrupted);
	g_free(planning->guest_digest);
	mp_config_free(planning->config);
	mp_config_free(planning->stated);
	mp_host_free(planning->host);
	g_free(planning);
}

static bool choose(struct mp_planning *planning, const struct mp_choose_options *options,
	bool of_guest, GError **error)
{
	g_autoptr(mp_profile) profile = NULL;

	if (options->profile && !(profile = mp_profile_load(options->profile, error)))
		return false;

	struct mp_choose_from from = {
		.host = planning->host,
		.config = planning->config,
		.profile = profile,
	};

	mp_choice_init(&planning->choice);
	if (!mp_choose(options, &from, &planning->choice, error))
		return false;
	if (planning->choice.missing->len) {
		g_set_error(error, MP_ERROR, MP_ERROR_NOT_FOUND, "%s: is not on %s%s",
			(const char *)planning->choice.missing->pdata[0],
			planning->host->live ? "this host" : planning->host->origin,
			options->devices || options->id
				? ""
				: "; if the card moved: metis-passthrough repin");
		return false;
	}
	if (planning->choice.wanted->len)
		return true;
	if (of_guest) {
		g_set_error(error, MP_ERROR, MP_ERROR_NOT_FOUND,
			"no card that a profile knows is here: none is named, and the VM was "
			"given none; name one with --device (see 'metis-passthrough list'), or "
			"look at the VM's configuration on its node");
		return false;
	}
	g_set_error(error, MP_ERROR, MP_ERROR_NOT_FOUND,
		"no card to pass through: none is named, %s names none, and no profile "
		"claims one of this host by default; name one with --device (see "
		"'metis-passthrough list')",
		planning->config->source ? planning->config->source
					 : "/" MP_PATH_SETTINGS);
	return false;
}

/* The profile that was named counts for all of them, as for preflight. */
static bool find_profiles(struct mp_planning *planning, const char *named, GError **error)
{
	g_autoptr(GString) names = g_string_new(NULL);
	const GPtrArray *wanted = planning->choice.wanted;

	planning->profiles =
		g_ptr_array_new_with_free_func((GDestroyNotify)mp_profile_free);
	for (guint i = 0; i < wanted->len; i++) {
		struct mp_profile *profile =
			named ? mp_profile_load(named, error)
			      : mp_profile_for_device(wanted->pdata[i], error);
		bool told = false;

		if (!profile)
			return false;
		for (guint j = 0; j < i; j++) {
			const struct mp_profile *other = planning->profiles->pdata[j];

			told = told || !strcmp(other->name, profile->name);
		}
		g_ptr_array_add(planning->profiles, profile);
		if (!told)
			g_string_append_printf(
				names, "%s%s", i ? ", " : "", profile->name);
	}
	planning->profile_names = g_strdup(names->str);
	return true;
}

static bool find_forced(struct mp_planning *planning, char **bdfs, GError **error)
{
	planning->force = g_ptr_array_new_with_free_func(g_free);
	for (char **bdf = bdfs; bdf && *bdf; bdf++) {
		const struct mp_pci *device = mp_host_device(planning->host, *bdf);

		if (!device) {
			g_set_error(error, MP_ERROR, MP_ERROR_NOT_FOUND,
				"%s (--force): is not on %s", *bdf,
				planning->host->live ? "this host"
						     : planning->host->origin);
			return false;
		}
		g_ptr_array_add(planning->force, g_strdup(device->bdf));
	}
	g_ptr_array_add(planning->force, NULL);
	return true;
}

static bool check_together(const struct mp_wish *wish, GError **error)
{
	if (wish->hook && !wish->vm) {
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
			"--hook needs --vm: the hook belongs to a VM");
		return false;
	}
	return true;
}

/* --- cards that moved --- */

/* A pin that fits again; NULL and an error where that would be a guess. */
static struct mp_pin *repin_one(
	struct mp_planning *planning, const struct mp_pin *pin, GError **error)
{
	g_autofree char *why = NULL, *lost = NULL;
	const struct mp_pci *device;

	switch (mp_pin_check(planning->host, pin, &why)) {
	case MP_PIN_SAME:
		return mp_pin_of(mp_host_device(planning->host, pin->address));
	case MP_PIN_UNSURE:
		g_set_error(error, MP_ERROR, MP_ERROR_IO,
			"%s: cannot tell whether it is the card that was meant: %s",
			pin->address, why);
		return NULL;
	case MP_PIN_OTHER:
	case MP_PIN_GONE:
		break;
	}
	device = mp_pin_find(planning->host, pin, &lost);
	if (device)
		return mp_pin_of(device);
	/* Not a failure of this run: the host is so. */
	g_set_error(error, MP_ERROR, MP_ERROR_CHANGED,
		"%s: cannot find the card again: %s (at its address: %s); take it out of "
		"/" MP_PATH_SETTINGS " or set it up anew",
		pin->address, lost, why);
	return NULL;
}

/* Keeps the configuration as it is in `stated`, and gives `config` the cards' new pins. */
static bool repin(struct mp_planning *planning, struct mp_root *root, GError **error)
{
	const GPtrArray *cards = planning->config->cards;
	g_autoptr(GPtrArray) pins =
		g_ptr_array_new_with_free_func((GDestroyNotify)mp_pin_free);

	if (!cards->len) {
		g_set_error(error, MP_ERROR, MP_ERROR_NOT_FOUND,
			"%s names no card to look for",
			planning->config->source ? planning->config->source
						 : "/" MP_PATH_SETTINGS);
		return false;
	}
	for (guint i = 0; i < cards->len; i++) {
		struct mp_pin *found = repin_one(planning, cards->pdata[i], error);

		if (!found)
			return false;
		for (guint j = 0; j < pins->len; j++) {
			const struct mp_pin *other = pins->pdata[j];

			if (strcmp(other->address, found->address) != 0)
				continue;
			g_set_error(error, MP_ERROR, MP_ERROR_CHANGED,
				"%s: two cards of the configuration would be this one",
				found->address);
			mp_pin_free(found);
			return false;
		}
		g_ptr_array_add(pins, found);
	}
	planning->stated = mp_config_load(root, error);
	if (!planning->stated)
		return false;
	g_ptr_array_unref(planning->config->cards);
	planning->config->cards = g_steal_pointer(&pins);
	return true;
}

/* --- what earlier runs left --- */

/* The promised digest of the guest's file, of the latest transaction that speaks of it. */
static void look_for_guest_file(struct mp_planning *planning, const struct mp_tx *tx)
{
	size_t count = json_object_is_type(tx->promises, json_type_array)
			       ? json_object_array_length(tx->promises)
			       : 0;

	for (size_t i = 0; i < count; i++) {
		json_object *promise = json_object_array_get_idx(tx->promises, i);
		const char *kind = mp_step_text_or_null(promise, "kind");
		const char *path = mp_step_text_or_null(promise, "path");

		if (g_strcmp0(kind, "guest-file") != 0 ||
			g_strcmp0(path, MP_FILE_GUEST) != 0)
			continue;
		g_free(planning->guest_digest);
		planning->guest_digest =
			g_strdup(mp_step_text_or_null(promise, "sha256"));
	}
}

static void look_for_guest_files(struct mp_planning *planning, struct mp_root *root)
{
	g_autoptr(GPtrArray) all = mp_journal_load(root, NULL);

	planning->wish.journal_known = all != NULL;
	for (guint i = 0; all && i < all->len; i++) {
		const struct mp_tx *tx = all->pdata[i];

		if (tx->state == MP_TX_APPLIED)
			look_for_guest_file(planning, tx);
	}
	planning->wish.guest_digest = planning->guest_digest;
}

/*
 * The journal is root's. Who may not read it plans all the same: it only adds a remark.
 */
static void look_at_journal(struct mp_planning *planning, struct mp_root *root)
{
	g_autoptr(GPtrArray) all = mp_journal_load(root, NULL);
	g_autofree char *boot_id = NULL;
	const struct mp_tx *latest;

	if (!all)
		return;
	for (guint i = 0; i < all->len && !planning->interrupted; i++) {
		const struct mp_tx *tx = all->pdata[i];

		if (tx->state == MP_TX_OPEN || tx->state == MP_TX_UNDOING)
			planning->interrupted = g_strdup(tx->id);
	}
	latest = mp_journal_latest(all);
	if (!latest || !latest->boot_id ||
		mp_root_read(root, PATH_BOOT_ID, MP_READ_ATTR, &boot_id, NULL) < 0)
		return;
	g_strstrip(boot_id);
	if (strcmp(boot_id, latest->boot_id) != 0)
		return;
	for (guint i = 0; i < latest->steps->len; i++) {
		const struct mp_step *step = latest->steps->pdata[i];

		planning->reboot_due = planning->reboot_due || step->reboot;
	}
}

static void plan_new_vm(struct mp_planning *planning)
{
	struct mp_wish *wish = &planning->wish;

	if (wish->vm && mp_host_vm(planning->host, wish->vm))
		return;
	wish->vm_config = mp_vm_parse(
		planning->host, wish->vm ? wish->vm : "VMID", "a new VM", "", 0);
	wish->vm = NULL;
}

struct mp_planning *mp_planning_make(
	const struct mp_planning_options *options, struct mp_root *root, GError **error)
{
	g_autoptr(mp_planning) planning = g_new0(struct mp_planning, 1);
	const struct mp_config *config;

	planning->config = mp_config_load(root, error);
	if (!planning->config)
		return NULL;
	planning->host = mp_host_load(root, MP_TOPIC_ALL, error);
	if (!planning->host || (options->repin && !repin(planning, root, error)) ||
		!choose(planning, &options->choose, options->guest != NULL, error) ||
		!find_profiles(planning, options->choose.profile, error) ||
		!find_forced(planning, options->force, error))
		return NULL;
	config = planning->config;
	planning->wish = (struct mp_wish){
		.host = planning->host,
		.root = root,
		.config = config,
		.stated = planning->stated,
		.devices = planning->choice.wanted,
		.asked = planning->choice.wanted->len,
		.profiles = planning->profiles,
		.force = (const char *const *)planning->force->pdata,
		.binding = options->binding  ? options->binding
			   : config->binding ? config->binding
					     : "auto",
		.vm = options->vm || options->vm_alone || options->guest ? options->vm
									 : config->vm,
		.mapping = options->mapping,
		.hook = options->hook,
		.guest = options->guest,
	};
	if (options->guest)
		look_for_guest_files(planning, root);
	if (options->vm_new)
		plan_new_vm(planning);
	if (!check_together(&planning->wish, error))
		return NULL;
	planning->plan = options->guest      ? mp_plan_make_guest(&planning->wish)
			 : options->vm_alone ? mp_plan_make_vm(&planning->wish)
					     : mp_plan_make(&planning->wish);
	if (planning->plan->failure) {
		g_set_error(error, MP_ERROR, MP_ERROR_IO, "%s; nothing was changed",
			planning->plan->failure);
		return NULL;
	}
	look_at_journal(planning, root);
	/* A module can be loaded again without one: what it runs with tells. */
	if (options->guest)
		planning->reboot_due = planning->plan->reboot;
	return g_steal_pointer(&planning);
}

struct mp_plan_report mp_planning_report(const struct mp_planning *planning)
{
	const struct mp_plan *plan = planning->plan;
	enum mp_plan_outcome outcome = plan->obstacles->len ? MP_PLAN_FORBIDDEN
				       : plan->steps->len   ? MP_PLAN_POSSIBLE
							    : MP_PLAN_NOTHING;

	return (struct mp_plan_report){
		.wish = &planning->wish,
		.plan = plan,
		.profiles = planning->profile_names,
		.interrupted = planning->interrupted,
		.reboot_due = planning->reboot_due,
		.outcome = outcome,
		.exit_code = outcome == MP_PLAN_FORBIDDEN ? MP_EXIT_FINDING : MP_EXIT_OK,
	};
}
