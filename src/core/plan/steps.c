/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From changed files to ordered steps, and what must be made again afterwards: images, the
 * loader's menu, what daemons have in memory.
 */
#include "config.h"

#include "core/boot.h"
#include "core/pci.h"
#include "core/plan.h"

/* Limits, not expectations: a slow node with zstd -19 needs a minute for an image. */
#define SECONDS_IMAGE  900 /* for each kernel */
#define SECONDS_LOADER 600 /* os-prober looks at every disk */
#define SECONDS_DAEMON 60

/* --- images that lack the binding though the files are right --- */

/* True if DEVICE is vfio-pci's in the image, or nobody's until the root file system gives
 * it to vfio-pci: as the proof step sees it. */
static bool is_bound(const struct mp_wish *wish, const struct mp_host *host,
	const struct mp_kernel *kernel, const struct mp_image *image,
	const struct mp_pci *device, const struct mp_profile *profile)
{
	struct mp_bind inside;

	mp_bind_simulate_image(host, kernel, image, device, profile, &inside);
	mp_bind_clear(&inside);
	return inside.outcome == MP_BIND_VFIO ||
	       (inside.outcome == MP_BIND_NOBODY &&
		       mp_plan_outcome(wish, host, kernel, device, NULL) == MP_BIND_VFIO);
}

/* The first wanted device that KERNEL's image would let another driver have. */
static const struct mp_pci *late_in(const struct mp_host *host,
	const struct mp_wish *wish, const struct mp_kernel *kernel,
	const struct mp_image *image)
{
	for (guint i = 0; i < wish->devices->len; i++)
		if (!is_bound(wish, host, kernel, image, wish->devices->pdata[i],
			    wish->profiles->pdata[i]))
			return wish->devices->pdata[i];
	return NULL;
}

static void look_at_images(struct mp_plan *plan, const struct mp_wish *wish)
{
	const struct mp_host *host = plan->then;

	if (!host->initramfs || !host->modules)
		return;
	for (guint i = 0; i < host->modules->kernels->len; i++) {
		const struct mp_kernel *kernel = host->modules->kernels->pdata[i];
		const struct mp_image *image = mp_host_image(host, kernel->release);
		const struct mp_pci *late;

		if (!image || image->fact.know == MP_ABSENT)
			continue;
		if (image->fact.know == MP_UNKNOWN) {
			mp_plan_add_note(plan, image->path,
				"what is in %s is not known (%s), so it is made again",
				image->path, image->fact.why);
			mp_plan_need(plan, MP_FEEDS_IMAGES, "what is in %s is not known",
				image->path);
			continue;
		}
		late = late_in(host, wish, kernel, image);
		if (late)
			mp_plan_need(plan, MP_FEEDS_IMAGES,
				"%s does not give %s to vfio-pci", image->path,
				late->bdf);
	}
}

/* --- the steps --- */

static struct mp_step *add(struct mp_plan *plan, struct mp_step *step, bool reboot)
{
	step->reboot = reboot;
	g_ptr_array_add(plan->steps, step);
	return step;
}

static unsigned add_files(struct mp_plan *plan)
{
	unsigned feeds = 0;

	for (guint i = 0; i < plan->files->len; i++) {
		const struct mp_plan_file *file = plan->files->pdata[i];

		if (!file->changed)
			continue;
		add(plan,
			file->link
				? mp_step_link_new(file->path, file->content, file->why)
				: mp_step_file_new(file->path, file->content, file->mode,
					  file->why),
			file->reboot);
		feeds |= file->feeds;
	}
	return feeds;
}

/* "/etc/x and /etc/y change" or the reasons for doing it all the same. */
static char *because(const struct mp_plan *plan, unsigned feeds)
{
	g_autoptr(GString) text = g_string_new(NULL);
	guint count = 0;

	for (guint i = 0; i < plan->files->len; i++) {
		const struct mp_plan_file *file = plan->files->pdata[i];

		if (file->changed && file->feeds & feeds)
			g_string_append_printf(
				text, "%s%s", count++ ? ", " : "", file->path);
	}
	if (count) {
		g_string_append(text, count == 1 ? " changes" : " change");
		return g_string_free(g_steal_pointer(&text), FALSE);
	}
	for (guint i = 0; i < plan->stale_why->len; i++)
		g_string_append_printf(text, "%s%s", i ? "; " : "",
			(const char *)plan->stale_why->pdata[i]);
	return g_string_free(g_steal_pointer(&text), FALSE);
}

static bool boot_tool(const struct mp_host *host)
{
	switch (host->boot->loader) {
	case MP_LOADER_PBT_SYSTEMD_BOOT:
	case MP_LOADER_PBT_GRUB:
	case MP_LOADER_PBT_BOTH:
		return true;
	case MP_LOADER_GRUB:
	case MP_LOADER_SYSTEMD_BOOT:
	case MP_LOADER_OTHER:
	case MP_LOADER_UNKNOWN:
		break;
	}
	return false;
}

/* update-initramfs -u makes no image that was never there, and then the proof fails. */
static void tell_missing(
	struct mp_plan *plan, const struct mp_wish *wish, const struct mp_image *image)
{
	g_autofree char *remedy = g_strdup_printf(
		"update-initramfs -c -k %1$s; or, if that kernel was removed and left only "
		"modules behind: rm -r /lib/modules/%1$s",
		image->kernel);

	if (mp_root_header(wish->root, "tool"))
		mp_plan_add_note(plan, image->path,
			"whether there is an initramfs image %s is not known: the snapshot "
			"does not have it. setup refuses a kernel without one",
			image->path);
	else
		mp_plan_add_obstacle(plan, image->path, remedy,
			"kernel %s has modules, but no initramfs image: what it would do "
			"with the cards cannot be proved",
			image->kernel);
}

static void add_images(struct mp_plan *plan, const struct mp_wish *wish)
{
	static const char *const args[] = { "-u", "-k", "all", NULL };
	const struct mp_host *host = wish->host;
	g_autoptr(GPtrArray) outputs = g_ptr_array_new();
	g_autofree char *reason = because(plan, MP_FEEDS_IMAGES);
	g_autofree char *why = g_strdup_printf(
		"%s, and the %s in the initramfs, where each "
		"image has a copy of its own; for all kernels, so that choosing "
		"another in the boot menu changes nothing",
		reason, wish->guest ? "module is loaded" : "first driver is chosen");

	for (guint i = 0; host->initramfs && i < host->initramfs->images->len; i++) {
		const struct mp_image *image = host->initramfs->images->pdata[i];

		if (image->fact.know != MP_ABSENT)
			g_ptr_array_add(outputs, (gpointer)image->path);
		else if (!wish->guest)
			tell_missing(plan, wish, image);
	}
	guint kernels = MAX(outputs->len, 1);

	g_ptr_array_add(outputs, NULL);
	add(plan,
		mp_step_program_new("update-initramfs", args,
			(const char *const *)outputs->pdata, SECONDS_IMAGE * kernels,
			true, why),
		true)
		->slow = true;
	if (!wish->guest)
		add(plan,
			mp_step_images_new(wish->devices,
				"reads each new image and proves that the binding is in "
				"it, before the host is rebooted with it"),
			false);
	switch (host->boot->loader) {
	case MP_LOADER_SYSTEMD_BOOT:
	case MP_LOADER_OTHER:
	case MP_LOADER_UNKNOWN:
		mp_plan_add_note(plan, "host",
			"update-initramfs makes /boot/initrd.img-*; whether this host's boot "
			"loader starts these files or copies of them is not known (%s). "
			"After it, bring the copies up to date",
			host->boot->loader_why ? host->boot->loader_why
					       : "nothing tells");
		break;
	case MP_LOADER_GRUB:
	case MP_LOADER_PBT_SYSTEMD_BOOT:
	case MP_LOADER_PBT_GRUB:
	case MP_LOADER_PBT_BOTH:
		break;
	}
}

/*
 * update-initramfs and update-grub both call the boot tool where Proxmox's hooks for them are
 * installed. All the same it gets a step: the command line in /etc/kernel/cmdline needs it,
 * and a roll back, which puts the old images back, has to bring them to the ESPs.
 */
static void add_boot_tool(
	struct mp_plan *plan, const struct mp_wish *wish, unsigned feeds)
{
	const struct mp_fact *file = &wish->host->boot->kernel_cmdline_file;
	g_autofree char *root =
		file->know == MP_KNOWN ? mp_cmdline_get(file->text, "root") : NULL;
	static const char *const args[] = { "refresh", NULL };
	static const char *const none[] = { NULL };
	g_autofree char *reason =
		because(plan, feeds & MP_FEEDS_LOADER ? MP_FEEDS_LOADER : feeds);
	g_autofree char *why = g_strdup_printf(
		"%s, and this host boots from copies of the kernels, images and command "
		"line on its ESPs. (update-initramfs starts this by itself where "
		"Proxmox's hook is in place; a roll back needs it in any case)",
		reason);

	/* Also where GRUB on the ESP never reads it: proxmox-boot-tool refresh looks first. */
	if (file->know == MP_KNOWN && !root)
		mp_plan_add_obstacle(plan, "host",
			"write the whole command line, with root=, into its first line, or "
			"remove the file",
			"%s has no root= in its first line, so proxmox-boot-tool refresh "
			"would fail",
			file->source);
	add(plan,
		mp_step_program_new(
			"proxmox-boot-tool", args, none, SECONDS_LOADER, true, why),
		true);
}

static void add_grub(struct mp_plan *plan)
{
	static const char *const args[] = { NULL };
	static const char *const outputs[] = { "/boot/grub/grub.cfg", NULL };
	g_autofree char *reason = because(plan, MP_FEEDS_LOADER);
	g_autofree char *why = g_strdup_printf(
		"%s, and GRUB reads the command line from /boot/grub/grub.cfg only",
		reason);

	add(plan,
		mp_step_program_new(
			"update-grub", args, outputs, SECONDS_LOADER, true, why),
		true);
}

/* Programs that talk to a daemon have nobody to talk to in a directory. */
static void add_daemons(struct mp_plan *plan, unsigned feeds)
{
	static const char *const udev[] = { "control", "--reload", NULL };
	static const char *const systemd[] = { "daemon-reload", NULL };
	static const char *const none[] = { NULL };

	if (feeds & MP_FEEDS_UDEV)
		add(plan,
			mp_step_program_new("udevadm", udev, none, SECONDS_DAEMON, true,
				"udev keeps its rules in memory; a card that is plugged in "
				"or rescanned from now on is judged by the new ones"),
			false);
	if (feeds & MP_FEEDS_SYSTEMD)
		add(plan,
			mp_step_program_new("systemctl", systemd, none, SECONDS_DAEMON,
				true, "systemd keeps its units in memory"),
			false);
}

void mp_plan_steps(struct mp_plan *plan, const struct mp_wish *wish)
{
	unsigned feeds;

	if (!wish->guest)
		look_at_images(plan, wish);
	feeds = add_files(plan) | plan->stale;
	if (feeds & MP_FEEDS_IMAGES)
		add_images(plan, wish);
	if (boot_tool(wish->host)) {
		if (feeds & (MP_FEEDS_IMAGES | MP_FEEDS_LOADER))
			add_boot_tool(plan, wish, feeds);
	} else if (feeds & MP_FEEDS_LOADER) {
		add_grub(plan);
	}
	if (mp_root_is_live(wish->root))
		add_daemons(plan, feeds);
}
