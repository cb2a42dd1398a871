/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside of a VM: the options of the card's kernel module. They are in one file of ours; what
 * other files say is never changed and never said twice, and where they say otherwise the
 * admin has to decide: of several the last one wins, in the byte order of the files' names,
 * then the kernel's command line (libkmod; kernel/params.c).
 */
#include "config.h"

#include <string.h>

#include "core/boot.h"
#include "core/checks/common.h"
#include "core/drivers.h"
#include "core/guest-options.h"
#include "core/modules.h"
#include "core/pci.h"
#include "core/plan/guest-options.h"

/* What becomes of a profile's options. */
enum fate {
	FATE_NONE,   /* none are wanted, or wanted any more */
	FATE_OTHERS, /* files of others give them */
	FATE_KEPT,   /* our file gives them */
	FATE_ADDED,  /* they are missing */
	FATE_STUCK,  /* an obstacle was told */
};

struct inside {
	struct mp_plan *plan;
	const struct mp_wish *wish;
	const struct mp_host *host;
	GPtrArray *others; /* struct mp_modprobe_line: all but those of our file */
	char *now;         /* our file as it is, NULL: not there, or not ours */
};

/* --- the file --- */

static bool is_there(const struct inside *in)
{
	g_autofree char *target = NULL;
	struct mp_stat st;

	return mp_root_readlink(in->wish->root, MP_FILE_GUEST, &target) == 0 ||
	       mp_root_stat(in->wish->root, MP_FILE_GUEST, &st) == 0;
}

/* Ours is what an earlier run wrote, byte for byte. Without the journal, which only root may
 * read, our head has to do: nothing is written then. */
static bool is_ours(const struct inside *in, const char *text)
{
	g_autofree char *head = mp_plan_head("# ");
	g_autofree char *digest = NULL;

	if (!g_str_has_prefix(text, head))
		return false;
	if (!in->wish->journal_known)
		return true;
	digest = g_compute_checksum_for_string(G_CHECKSUM_SHA256, text, -1);
	return g_strcmp0(digest, in->wish->guest_digest) == 0;
}

static void look(struct inside *in)
{
	const GPtrArray *lines = in->host->modules->modprobe;
	g_autofree char *target = NULL, *text = NULL;

	in->others = g_ptr_array_new();
	if (mp_root_readlink(in->wish->root, MP_FILE_GUEST, &target) != 0 &&
		mp_root_read(in->wish->root, MP_FILE_GUEST, MP_READ_FILE, &text, NULL) ==
			0 &&
		is_ours(in, text))
		in->now = g_steal_pointer(&text);
	for (guint i = 0; i < lines->len; i++) {
		const struct mp_modprobe_line *line = lines->pdata[i];

		if (!in->now || strcmp(line->file, MP_FILE_GUEST) != 0)
			g_ptr_array_add(in->others, lines->pdata[i]);
	}
}

/* A file that we cannot read may say anything. */
static bool can_read_all(const struct inside *in)
{
	const GPtrArray *unreadable = in->host->modules->unreadable;
	bool all = true;

	for (guint i = 0; i < unreadable->len; i++) {
		const struct mp_fact *fact = unreadable->pdata[i];

		if (!fact->source || !strstr(fact->source, "modprobe.d"))
			continue;
		mp_plan_add_obstacle(in->plan, fact->source,
			"make it readable, or run this as root in the guest",
			"%s could not be read, and may say something else: %s",
			fact->source, fact->why ? fact->why : "unknown");
		all = false;
	}
	return all;
}

/* --- what modprobe.d says --- */

static bool gives_all(const GPtrArray *lines, const struct mp_guest_need *need)
{
	for (guint i = 0; i < need->options->len; i++)
		if (!mp_guest_option_given(lines, need->options->pdata[i], NULL))
			return false;
	return true;
}

/* Does our file say anything about these options? */
static bool is_in_ours(const struct inside *in, const struct mp_guest_need *need)
{
	const GPtrArray *lines = in->host->modules->modprobe;

	for (guint i = 0; in->now && i < lines->len; i++) {
		const struct mp_modprobe_line *line = lines->pdata[i];

		for (guint o = 0; o < need->options->len; o++) {
			const struct mp_guest_option *option = need->options->pdata[o];
			g_autofree char *value = NULL;

			if (line->kind == MP_MODPROBE_OPTIONS && line->value &&
				!strcmp(line->file, MP_FILE_GUEST) &&
				mp_cmdline_name_is(line->module, option->module))
				value = mp_cmdline_get(line->value, option->name);
			if (value)
				return true;
		}
	}
	return false;
}

/* What a package brings is meant to be overridden in /etc; what is there, or on the command
 * line, is somebody's word. */
static bool is_of_package(const char *file)
{
	return g_str_has_prefix(file, "/usr/") || g_str_has_prefix(file, "/lib/");
}

char *mp_plan_guest_said(const struct mp_guest_option *option, const char *value)
{
	return g_strdup_printf(
		"%s %s%s%s", option->module, option->name, *value ? "=" : "", value);
}

static void refuse_other(const struct inside *in, const struct mp_guest_option *option,
	const char *value, const char *file)
{
	g_autofree char *given = mp_plan_guest_said(option, value);
	g_autofree char *parameter =
		g_strdup_printf("%s.%s", option->module, option->name);
	bool boot = !strcmp(file, "/proc/cmdline");
	const char *base = strrchr(file, '/') + 1;
	bool wins = boot || strcmp(base, strrchr(MP_FILE_GUEST, '/') + 1) > 0;
	g_autofree char *remedy =
		boot ? mp_loader_how_to_remove(in->host, parameter)
		     : g_strdup_printf(
			       "say '%s' there, or take it out and run this again",
			       option->text);

	mp_plan_add_obstacle(in->plan, file, remedy,
		"%s says '%s', not '%s', and is not this program's to change; beside "
		"%s, which is read %s, %s would win",
		file, given, option->text, MP_FILE_GUEST, wins ? "before it" : "after it",
		wins ? file : "the latter");
}

/* --- one profile --- */

static void note_others(const struct inside *in, const struct mp_guest_need *need)
{
	for (guint i = 0; i < need->options->len; i++) {
		const struct mp_guest_option *option = need->options->pdata[i];
		const char *file = NULL;

		if (mp_guest_option_given(in->others, option, &file))
			mp_plan_add_note(in->plan, file,
				"'%s' is in %s, which is not this program's and stays as "
				"it is",
				option->text, file);
	}
}

/* Files of others that say something else, and come before ours. */
static void note_losers(const struct inside *in, const struct mp_guest_need *need)
{
	for (guint i = 0; i < need->options->len; i++) {
		const struct mp_guest_option *option = need->options->pdata[i];
		const char *file = NULL;
		g_autofree char *value = mp_modprobe_option(
			in->others, option->module, option->name, &file);
		g_autofree char *given = value ? mp_plan_guest_said(option, value) : NULL;

		if (value && !mp_guest_value_is(option->value, value))
			mp_plan_add_note(in->plan, file,
				"%s says '%s'; %s is read after it, and wins", file,
				given, MP_FILE_GUEST);
	}
}

/* Files of others that say something else. */
static bool is_contradicted(const struct inside *in, const struct mp_guest_need *need)
{
	bool found = false;

	for (guint i = 0; i < need->options->len; i++) {
		const struct mp_guest_option *option = need->options->pdata[i];
		const char *file = NULL;
		g_autofree char *value = mp_modprobe_option(
			in->others, option->module, option->name, &file);

		if (!value || mp_guest_value_is(option->value, value) ||
			is_of_package(file))
			continue;
		refuse_other(in, option, value, file);
		found = true;
	}
	return found;
}

static void ask_version(const struct inside *in, const struct mp_guest_need *need,
	const struct mp_pci *device)
{
	const struct mp_guest_option *option = need->options->pdata[0];
	const struct mp_driver_module *module = mp_driver_module(in->host, device);
	g_autofree char *remedy =
		g_strdup_printf("name it: --driver-version VERSION ('modinfo -F version "
				"%s' may tell it)%s",
			option->module,
			need->versions.firmware
				? ""
				: "; --firmware-version VERSION too, where it is known");

	mp_plan_add_obstacle(in->plan, device->bdf, remedy,
		"the version of the driver of %s is not known (%s), and it decides whether "
		"'%s' is needed",
		device->bdf,
		module ? "its module says none in /sys/module" : "no module has the card",
		option->text);
}

static enum fate judge(const struct inside *in, const struct mp_guest_need *need,
	const struct mp_pci *device)
{
	if (!need->options->len) {
		mp_plan_add_note(in->plan, device->bdf,
			"profile %s wants no options in a guest", need->profile->name);
		return FATE_NONE;
	}
	if (need->without) {
		mp_plan_add_note(in->plan, device->bdf,
			"driver %s with firmware %s needs no option (by profile %s)",
			need->versions.driver,
			need->versions.firmware ? need->versions.firmware
						: "of any version",
			need->profile->name);
		return FATE_NONE;
	}
	if (gives_all(in->others, need)) {
		note_others(in, need);
		return FATE_OTHERS;
	}
	if (in->now && gives_all(in->host->modules->modprobe, need)) {
		note_losers(in, need);
		return FATE_KEPT;
	}
	if (is_contradicted(in, need))
		return FATE_STUCK;
	if (need->by_version) {
		ask_version(in, need, device);
		return FATE_STUCK;
	}
	return FATE_ADDED;
}

/* --- all of them --- */

static bool same_profile(const struct mp_wish *wish, guint a, guint b)
{
	const struct mp_profile *one = wish->profiles->pdata[a];
	const struct mp_profile *other = wish->profiles->pdata[b];

	return !strcmp(one->name, other->name);
}

/* Cards of one profile have one driver; any of them may tell its version. NULL: the profile
 * came before. Caller frees. */
struct mp_guest_need *mp_plan_guest_need(const struct mp_wish *wish, guint index)
{
	struct mp_versions versions = { NULL };

	for (guint i = 0; i < index; i++)
		if (same_profile(wish, i, index))
			return NULL;
	for (guint i = index; i < wish->devices->len && !versions.driver; i++)
		if (same_profile(wish, i, index))
			versions = mp_guest_versions(
				wish->host, wish->devices->pdata[i], wish->guest);
	return mp_guest_need_new(wish->profiles->pdata[index], &versions);
}

/* "driver 1.4.16 of 0000:03:00.0: ..." */
static char *why_of(const struct mp_guest_need *need, const struct mp_pci *device)
{
	g_autofree char *why = mp_guest_need_why(need);
	g_auto(GStrv) sentences = g_strsplit(why, "\n", -1);
	g_autofree char *joined = g_strjoinv("; ", sentences);

	if (!need->versions.driver)
		return g_steal_pointer(&joined);
	return g_strdup_printf("%s has driver %s%s%s: %s", device->bdf,
		need->versions.driver, need->versions.firmware ? " and firmware " : "",
		need->versions.firmware ? need->versions.firmware : "", joined);
}

/* The lines that others do not give already. */
static void add_section(const struct inside *in, const struct mp_guest_need *need,
	const struct mp_pci *device, GString *content, GString *whys)
{
	g_autofree bool *skip = g_new0(bool, need->options->len);
	g_autofree char *why = mp_guest_need_why(need);
	g_autofree char *reason = why_of(need, device);
	g_autofree char *text = NULL;

	for (guint i = 0; i < need->options->len; i++)
		skip[i] =
			mp_guest_option_given(in->others, need->options->pdata[i], NULL);
	text = mp_guest_need_text(need, why, skip);
	g_string_append(content, text);
	g_string_append_printf(whys, "%s%s", whys->len ? "; " : "", reason);
}

/* --- the topic --- */

/* What is loaded keeps what it was loaded with. */
static bool is_any_loaded(const struct inside *in, const GPtrArray *modules)
{
	if (in->host->modules->proc_modules.know != MP_KNOWN)
		return true;
	for (guint i = 0; i < modules->len; i++)
		if (mp_module_loaded(in->host, modules->pdata[i]))
			return true;
	return false;
}

static void add_file(
	struct inside *in, const char *content, const char *why, const GPtrArray *modules)
{
	struct mp_plan_file *file;
	bool same = content && in->now && !strcmp(content, in->now);

	if (content && !in->now && is_there(in)) {
		mp_plan_add_obstacle(in->plan, MP_FILE_GUEST,
			"move what is in it to a file of another name, or remove it, then "
			"run this again; 'metis-passthrough rollback' shows what was changed "
			"of a file that was this program's",
			"%s is there and is not, or not only, of this program's making, so it "
			"stays as it is",
			MP_FILE_GUEST);
		return;
	}
	file = mp_plan_add_file(in->plan, MP_FILE_GUEST, content,
		same ? 0 : mp_plan_guest_feeds(in->plan, in->wish, modules), "%s", why);
	file->keep_mode = true;
	file->reboot = is_any_loaded(in, modules);
}

/* NEEDS: one for each profile, FATES: what becomes of it, DEVICES: its first card. */
static void decide(struct inside *in, const GPtrArray *needs, const enum fate *fates,
	const GPtrArray *devices)
{
	g_autofree char *head = mp_plan_head("# ");
	g_autoptr(GString) content = g_string_new(head), whys = g_string_new(NULL);
	g_autoptr(GPtrArray) modules = g_ptr_array_new();
	bool changes = false, wanted = false;

	for (guint i = 0; i < needs->len; i++) {
		const struct mp_guest_need *need = needs->pdata[i];
		bool mine = fates[i] == FATE_ADDED || fates[i] == FATE_KEPT;

		for (guint o = 0; o < need->options->len; o++)
			g_ptr_array_add(modules,
				((const struct mp_guest_option *)need->options->pdata[o])
					->module);
		changes = changes || fates[i] == FATE_ADDED ||
			  (fates[i] == FATE_NONE && is_in_ours(in, need));
		wanted = wanted || mine;
		if (mine)
			add_section(in, need, devices->pdata[i], content, whys);
		else if (fates[i] == FATE_NONE && is_in_ours(in, need))
			g_string_append_printf(whys, "%sdriver %s can do without",
				whys->len ? "; " : "", need->versions.driver);
	}
	/* What is right stays as it is, whatever its comment would be today. */
	if (!changes && !in->now)
		return;
	add_file(in,
		!changes ? in->now
		: wanted ? content->str
			 : NULL,
		whys->len ? whys->str : "files of others give the same options", modules);
}

static bool is_inside(struct mp_plan *plan, const struct mp_wish *wish)
{
	const struct mp_fact *fact = &mp_platform_or_none(wish->host)->hypervisor;

	if (mp_host_is_guest(wish->host))
		return true;
	if (fact->know == MP_UNKNOWN)
		mp_plan_add_obstacle(plan, "host",
			"make /proc/cpuinfo readable to this program",
			"whether this is a virtual machine is not known");
	else
		mp_plan_add_obstacle(plan, "host",
			"run it inside of the VM that has the card. A node is made ready by "
			"'metis-passthrough setup'; the file for a guest that hides its "
			"hypervisor is shown by 'metis-passthrough vm generate'",
			"this is no virtual machine: the options are for the inside of one");
	return false;
}

void mp_plan_guest_options(struct mp_plan *plan, const struct mp_wish *wish)
{
	struct inside in = { .plan = plan, .wish = wish, .host = wish->host };
	g_autoptr(GPtrArray) needs =
		g_ptr_array_new_with_free_func((GDestroyNotify)mp_guest_need_free);
	g_autoptr(GPtrArray) devices = g_ptr_array_new();
	g_autofree enum fate *fates = g_new(enum fate, wish->devices->len + 1);
	bool stuck = false;

	if (!is_inside(plan, wish))
		return;
	look(&in);
	stuck = !can_read_all(&in);
	for (guint i = 0; i < wish->devices->len; i++) {
		struct mp_guest_need *need = mp_plan_guest_need(wish, i);

		if (!need)
			continue;
		fates[needs->len] = judge(&in, need, wish->devices->pdata[i]);
		stuck = stuck || fates[needs->len] == FATE_STUCK;
		g_ptr_array_add(needs, need);
		g_ptr_array_add(devices, wish->devices->pdata[i]);
	}
	if (!stuck)
		decide(&in, needs, fates, devices);
	for (guint i = 0; !stuck && i < needs->len; i++)
		if (fates[i] == FATE_OTHERS || fates[i] == FATE_KEPT)
			mp_plan_guest_images(plan, wish, needs->pdata[i]);
	g_ptr_array_unref(in.others);
	g_free(in.now);
}
