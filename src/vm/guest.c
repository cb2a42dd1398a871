/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The files inside the guest: options of the card's kernel module, as its profile says, by
 * the versions of driver and firmware where they are known.
 */
#include "config.h"

#include <string.h>

#include "core/guest-options.h"
#include "vm/generate.h"

static void add_file(struct mp_vm_output *output, const struct mp_guest_need *need)
{
	struct mp_vm_guest_file *file = g_new(struct mp_vm_guest_file, 1);
	char *why = mp_guest_need_why(need);

	*file = (struct mp_vm_guest_file){
		.path = g_strdup(MP_FILE_GUEST),
		.content = mp_guest_need_text(need, why, NULL),
		.why = why,
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
		const struct mp_profile *profile = wish->profiles->pdata[i];
		g_autoptr(mp_guest_need) need = NULL;

		if (was_told(wish, i))
			continue;
		need = mp_guest_need_new(profile, &request->guest);
		if (!need->options->len) {
			g_autofree char *reasons = g_strjoinv("\n", need->hits);

			if (*reasons)
				mp_vm_add_note(output, "%s", reasons);
			continue;
		}
		if (!need->without) {
			add_file(output, need);
			continue;
		}
		mp_vm_add_note(output,
			"in the guest, driver %s with firmware %s needs no option (by profile %s)",
			need->versions.driver,
			need->versions.firmware ? need->versions.firmware
						: "of any version",
			profile->name);
	}
}
