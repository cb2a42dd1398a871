/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The files inside the guest: options of the card's kernel module, as its profile says, by
 * the versions of driver and firmware where they are known.
 */
#include "config.h"

#include <string.h>

#include "core/platform.h"
#include "core/template.h"
#include "vm/generate.h"

#define PATH "/etc/modprobe.d/metis-passthrough.conf"

struct judged {
	const struct mp_profile *profile;
	const struct mp_versions *versions;
	GString *reasons; /* what applies, a line each */
	bool hit, maybe;
};

static void judge_known_bad(struct judged *j)
{
	for (guint i = 0; i < j->profile->known_bad->len; i++) {
		const struct mp_known_bad *bad = j->profile->known_bad->pdata[i];
		enum mp_applies applies = mp_known_bad_applies(bad, j->versions);

		j->maybe = j->maybe || applies == MP_APPLIES_MAYBE;
		if (applies != MP_APPLIES_YES)
			continue;
		j->hit = true;
		g_string_append_printf(
			j->reasons, "%s%s", j->reasons->len ? "\n" : "", bad->reason);
	}
}

/* True where DRIVER can do without the options; false also where that is not known. */
static bool can_do_without(const struct judged *j)
{
	return j->versions->driver && j->profile->guest_driver_min &&
	       mp_version_compare(j->versions->driver, j->profile->guest_driver_min) >=
		       0 &&
	       !j->hit && !j->maybe;
}

static char *why_of(const struct judged *j)
{
	const char *least = j->profile->guest_driver_min;

	if (j->hit)
		return g_strdup(j->reasons->str);
	if (!least)
		return g_strdup_printf(
			"Profile %s wants them in a VM.", j->profile->name);
	if (!j->versions->driver)
		return g_strdup_printf(
			"They work with any version of driver and firmware; a driver from %s on, "
			"with firmware that supports it, may do without them.",
			least);
	return g_strdup_printf(
		"Whether driver %s can do without them depends on the card's "
		"firmware, which was not named.",
		j->versions->driver);
}

static void add_file(struct mp_vm_output *output, const struct judged *j)
{
	g_autoptr(GString) options = g_string_new(NULL);
	g_autofree char *why = why_of(j);
	g_autoptr(GString) comment = g_string_new(NULL);
	g_auto(GStrv) lines = g_strsplit(why, "\n", -1);
	struct mp_vm_guest_file *file = g_new(struct mp_vm_guest_file, 1);

	for (char **line = lines; *line; line++) {
		g_autofree char *text = mp_vm_comment("# ", "# ", *line);

		g_string_append(comment, text);
	}
	for (guint i = 0; i < j->profile->guest_options->len; i++)
		g_string_append_printf(options, "options %s\n",
			(const char *)j->profile->guest_options->pdata[i]);

	const char *const places[] = {
		"PROFILE",
		j->profile->name,
		"WHY",
		comment->str,
		"OPTIONS",
		options->str,
		NULL,
	};
	*file = (struct mp_vm_guest_file){
		.path = g_strdup(PATH),
		.content = mp_template_fill("guest/modprobe.conf", places),
		.why = g_steal_pointer(&why),
	};
	g_ptr_array_add(output->files, file);
}

/* Cards of one profile have one driver in the guest. */
static bool was_told(const struct mp_wish *wish, guint index)
{
	const struct mp_profile *profile = wish->profiles->pdata[index];

	for (guint i = 0; i < index; i++)
		if (!strcmp(((const struct mp_profile *)wish->profiles->pdata[i])->name,
			    profile->name))
			return true;
	return false;
}

void mp_vm_generate_guest(
	const struct mp_vm_request *request, struct mp_vm_output *output)
{
	const struct mp_wish *wish = request->wish;

	for (guint i = 0; i < wish->profiles->len; i++) {
		g_autoptr(GString) reasons = g_string_new(NULL);
		struct judged j = {
			.profile = wish->profiles->pdata[i],
			.versions = &request->guest,
			.reasons = reasons,
		};

		if (was_told(wish, i))
			continue;
		judge_known_bad(&j);
		if (!j.profile->guest_options->len) {
			if (j.hit)
				mp_vm_add_note(output, "%s", reasons->str);
			continue;
		}
		if (!can_do_without(&j)) {
			add_file(output, &j);
			continue;
		}
		mp_vm_add_note(output,
			"in the guest, driver %s with firmware %s needs no option (by profile %s)",
			j.versions->driver,
			j.versions->firmware ? j.versions->firmware : "of any version",
			j.profile->name);
	}
}
