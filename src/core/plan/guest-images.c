/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside of a VM: the options of a module that is loaded before the root file system is there.
 * Each image of the initramfs has a copy of modprobe.d, which is made again only where the
 * module is in it.
 */
#include "config.h"

#include "core/boot.h"
#include "core/initramfs.h"
#include "core/modules.h"
#include "core/plan/guest-options.h"

struct images {
	struct mp_plan *plan;
	const struct mp_wish *wish;
	const struct mp_host *host;
};

static bool is_early(
	const struct images *in, const char *module, const struct mp_image *image)
{
	const GPtrArray *load = in->host->modules->initramfs_load;

	for (guint i = 0; i < load->len; i++)
		if (mp_cmdline_name_is(
			    ((const struct mp_module_load *)load->pdata[i])->module,
			    module))
			return true;
	return image->fact.know == MP_KNOWN && mp_image_has_module(image, module);
}

/* May it be loaded before the root file system is there? There each image has a copy of
 * modprobe.d. What is not known counts as yes: an image more is no harm. */
static bool is_in_images(const struct images *in, const char *module)
{
	const struct mp_initramfs *initramfs = in->host->initramfs;
	bool found = false;

	for (guint i = 0; initramfs && i < initramfs->images->len; i++) {
		const struct mp_image *image = initramfs->images->pdata[i];

		if (image->fact.know == MP_UNKNOWN) {
			mp_plan_add_note(in->plan, image->path,
				"whether %s is in %s is not known (%s), so it is made "
				"again",
				module, image->path, image->fact.why);
			found = true;
		} else if (image->fact.know == MP_KNOWN) {
			found = found || is_early(in, module, image);
		}
	}
	return found;
}

static bool can_make_images(const struct images *in)
{
	const struct mp_initramfs *initramfs = in->host->initramfs;

	if (initramfs->update_initramfs.know != MP_ABSENT)
		return true;
	if (mp_root_header(in->wish->root, "tool")) {
		mp_plan_add_note(in->plan, "host",
			"whether initramfs-tools makes the images is not known: the snapshot "
			"has no update-initramfs");
		return true;
	}
	mp_plan_add_obstacle(in->plan, "host", "install initramfs-tools",
		"the card's module is loaded from the initramfs, whose images have the "
		"options too, and nothing makes them here: there is no update-initramfs");
	return false;
}

/* Other ways of making images keep them elsewhere: nothing is known of those. */
static void note_dracut(const struct images *in, const char *module)
{
	const struct mp_initramfs *initramfs = in->host->initramfs;

	if (initramfs && initramfs->dracut.know == MP_KNOWN &&
		initramfs->update_initramfs.know != MP_KNOWN)
		mp_plan_add_note(in->plan, "host",
			"dracut makes the initramfs here; where %s is in it ('lsinitrd | "
			"grep %s'), run 'dracut --force' after this",
			module, module);
}

/* The options are right, but an image that loads the module has not got them. */
void mp_plan_guest_images(struct mp_plan *plan, const struct mp_wish *wish,
	const struct mp_guest_need *need)
{
	const struct images from = { plan, wish, wish->host }, *in = &from;
	const struct mp_initramfs *initramfs = in->host->initramfs;

	for (guint i = 0; initramfs && i < initramfs->images->len; i++) {
		const struct mp_image *image = initramfs->images->pdata[i];

		for (guint o = 0; o < need->options->len; o++) {
			const struct mp_guest_option *option = need->options->pdata[o];

			if (image->fact.know != MP_KNOWN ||
				!is_early(in, option->module, image) ||
				mp_guest_option_given(image->modprobe, option, NULL))
				continue;
			if (can_make_images(in))
				mp_plan_need(in->plan, MP_FEEDS_IMAGES,
					"%s loads %s without '%s'", image->path,
					option->module, option->text);
			return;
		}
	}
}

unsigned mp_plan_guest_feeds(
	struct mp_plan *plan, const struct mp_wish *wish, const GPtrArray *modules)
{
	const struct images from = { plan, wish, wish->host }, *in = &from;
	bool images = false;

	for (guint i = 0; i < modules->len; i++) {
		images = is_in_images(in, modules->pdata[i]) || images;
		note_dracut(in, modules->pdata[i]);
	}
	return images && can_make_images(in) ? MP_FEEDS_IMAGES : 0;
}
