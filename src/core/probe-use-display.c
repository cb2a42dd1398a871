/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which PCI devices show something: framebuffers, connected outputs, the boot VGA. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "core/pci.h"
#include "core/use-probe.h"

#define FB    "sys/class/graphics"
#define DRM   "sys/class/drm"
#define IOMEM "proc/iomem"

/* Each name of class directory DIR that starts with PREFIX, with its link target. */
static void each_link(struct use_probe *probe, const char *dir, const char *prefix,
	void (*take)(struct use_probe *, const char *dir, const char *name,
		const char *target))
{
	g_auto(GStrv) names = NULL;
	int err = mp_root_list(probe->root, dir, &names);

	if (err < 0) {
		if (err != -ENOENT)
			use_unreadable(probe, dir, err);
		return;
	}
	for (char **name = names; *name; name++) {
		g_autofree char *path = g_strdup_printf("%s/%s", dir, *name);
		g_autofree char *target = NULL;

		if (g_str_has_prefix(*name, prefix) &&
			mp_root_readlink(probe->root, path, &target) == 0)
			take(probe, dir, *name, target);
	}
}

static void take_framebuffer(
	struct use_probe *probe, const char *dir, const char *name, const char *target)
{
	g_autofree char *detail = NULL;
	g_autofree char *source = g_strdup_printf("/%s/%s", dir, name);

	/* Also "fbcon", which is no device. */
	if (!g_ascii_isdigit(name[strlen("fb")]))
		return;
	detail = g_strdup_printf("framebuffer %s", name);
	use_add_path(probe, target,
		&(struct use_what){
			.kind = MP_USE_DISPLAY, .detail = detail, .source = source });
}

/* card0-HDMI-A-1 */
static void take_output(
	struct use_probe *probe, const char *dir, const char *name, const char *target)
{
	const char *connector = strchr(name, '-');
	g_autofree char *path = g_strdup_printf("%s/%s/status", dir, name);
	g_autofree char *source = g_strconcat("/", path, NULL);
	g_autofree char *status = NULL;
	g_autofree char *detail = NULL;

	if (!connector ||
		mp_root_read(probe->root, path, MP_READ_ATTR, &status, NULL) < 0 ||
		strcmp(g_strstrip(status), "connected") != 0)
		return;
	detail = g_strdup_printf("a screen is connected to %s", connector + 1);
	use_add_path(probe, target,
		&(struct use_what){
			.kind = MP_USE_DISPLAY, .detail = detail, .source = source });
}

/*
 * The firmware's framebuffer (simplefb, efifb, vesafb) is a platform device; only the
 * nesting of /proc/iomem tells whose BAR it lies in. Addresses are zero for ordinary users,
 * the nesting is not.
 */
static void take_iomem(struct use_probe *probe)
{
	g_autofree char *data = NULL;
	g_autofree char *owner = NULL;
	size_t owner_depth = 0, length;

	if (mp_root_read(probe->root, IOMEM, MP_READ_FILE, &data, NULL) < 0)
		return;
	g_auto(GStrv) lines = g_strsplit(data, "\n", -1);
	for (char **line = lines; *line; line++) {
		size_t depth = strspn(*line, " ");
		const char *what = strstr(*line, " : ");

		if (!what)
			continue;
		what += strlen(" : ");
		if (owner && depth <= owner_depth)
			g_clear_pointer(&owner, g_free);
		if (use_is_bdf(what, &length) && !what[length]) {
			g_free(owner);
			owner = g_strdup(what);
			owner_depth = depth;
		} else if (owner &&
			   (!strcmp(what, "BOOTFB") || !strcmp(what, "simplefb") ||
				   !strcmp(what, "efifb") || !strcmp(what, "vesafb"))) {
			use_add(probe, owner,
				&(struct use_what){ .kind = MP_USE_DISPLAY,
					.detail = "the firmware's framebuffer lies in it",
					.source = "/" IOMEM });
		}
	}
}

/* The boot VGA shows the console unless it was taken from its driver. */
static void take_boot_vga(struct use_probe *probe)
{
	for (guint i = 0; i < probe->host->devices->len; i++) {
		const struct mp_pci *device = probe->host->devices->pdata[i];

		if (!mp_fact_is(&device->boot_vga, "1") ||
			device->driver.know != MP_KNOWN ||
			mp_fact_is(&device->driver, "vfio-pci") ||
			mp_fact_is(&device->driver, "pci-stub"))
			continue;
		use_add(probe, device->bdf,
			&(struct use_what){ .kind = MP_USE_DISPLAY,
				.detail = "the VGA device that the host booted with",
				.source = device->boot_vga.source });
	}
}

void use_probe_display(struct use_probe *probe)
{
	each_link(probe, FB, "fb", take_framebuffer);
	each_link(probe, DRM, "card", take_output);
	take_iomem(probe);
	take_boot_vga(probe);
}
