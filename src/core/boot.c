/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What to call a boot loader, and what to do with it. */
#include "config.h"

#include <string.h>

#include "core/boot.h"
#include "core/modules.h"

static const struct {
	const char *name;
	const char *update; /* NULL: we don't know */
} loaders[] = {
	[MP_LOADER_UNKNOWN] = { "unknown", NULL },
	[MP_LOADER_GRUB] = { "GRUB", "update-grub" },
	[MP_LOADER_PBT_SYSTEMD_BOOT] = { "systemd-boot (proxmox-boot-tool)",
		"proxmox-boot-tool refresh" },
	[MP_LOADER_PBT_GRUB] = { "GRUB on the ESP (proxmox-boot-tool)",
		"proxmox-boot-tool refresh" },
	[MP_LOADER_PBT_BOTH] = { "proxmox-boot-tool (GRUB or systemd-boot)",
		"proxmox-boot-tool refresh" },
	[MP_LOADER_SYSTEMD_BOOT] = { "systemd-boot", NULL },
	[MP_LOADER_OTHER] = { "other", NULL },
};

const char *mp_loader_name(enum mp_loader loader)
{
	return loaders[loader].name;
}

const char *mp_loader_update_command(enum mp_loader loader)
{
	return loaders[loader].update;
}

#define GRUB_DROP_IN   "/etc/default/grub.d/metis-passthrough.cfg"
#define KERNEL_CMDLINE "/etc/kernel/cmdline"

char *mp_loader_how_to_add(const struct mp_host *host, const char *parameter)
{
	static const char drop_in[] =
		"echo 'GRUB_CMDLINE_LINUX_DEFAULT=\"$GRUB_CMDLINE_LINUX_DEFAULT %s\"' "
		"> " GRUB_DROP_IN;
	static const char line[] =
		"add '%s' to the end of the first line of " KERNEL_CMDLINE;
	g_autofree char *grub = g_strdup_printf(drop_in, parameter);
	g_autofree char *sd_boot = g_strdup_printf(line, parameter);

	switch (host->boot->loader) {
	case MP_LOADER_GRUB:
		return g_strdup_printf("%s; update-grub; reboot", grub);
	case MP_LOADER_PBT_GRUB:
		return g_strdup_printf("%s; proxmox-boot-tool refresh; reboot", grub);
	case MP_LOADER_PBT_SYSTEMD_BOOT:
		return g_strdup_printf(
			"%s, then: proxmox-boot-tool refresh; reboot", sd_boot);
	case MP_LOADER_PBT_BOTH:
		return g_strdup_printf(
			"%s, and: %s; then: proxmox-boot-tool refresh; reboot", sd_boot,
			grub);
	case MP_LOADER_SYSTEMD_BOOT:
		return g_strdup_printf(
			"add '%s' to the `options` line of the entry in "
			"loader/entries of the ESP ('bootctl list' names it), and to " KERNEL_CMDLINE
			" for kernels to come; reboot",
			parameter);
	case MP_LOADER_UNKNOWN:
	case MP_LOADER_OTHER:
		break;
	}
	return g_strdup_printf(
		"add '%s' to the kernel command line where this host's boot "
		"loader takes it from (which one that is could not be told); reboot",
		parameter);
}

char *mp_loader_how_to_remove(const struct mp_host *host, const char *parameter)
{
	static const char grub[] =
		"the GRUB_CMDLINE_LINUX lines of /etc/default/grub and "
		"/etc/default/grub.d/*.cfg";
	const char *update = mp_loader_update_command(host->boot->loader);

	switch (host->boot->loader) {
	case MP_LOADER_GRUB:
	case MP_LOADER_PBT_GRUB:
		return g_strdup_printf(
			"remove '%s' from %s, then: %s; reboot", parameter, grub, update);
	case MP_LOADER_PBT_SYSTEMD_BOOT:
		return g_strdup_printf(
			"remove '%s' from the first line of " KERNEL_CMDLINE
			", then: %s; reboot",
			parameter, update);
	case MP_LOADER_PBT_BOTH:
		return g_strdup_printf(
			"remove '%s' from the first line of " KERNEL_CMDLINE
			" and from %s, then: %s; reboot",
			parameter, grub, update);
	case MP_LOADER_SYSTEMD_BOOT:
		return g_strdup_printf(
			"remove '%s' from the `options` line of the entry in "
			"loader/entries of the ESP ('bootctl list' names it) and from " KERNEL_CMDLINE
			"; reboot",
			parameter);
	case MP_LOADER_UNKNOWN:
	case MP_LOADER_OTHER:
		break;
	}
	return g_strdup_printf(
		"remove '%s' from the kernel command line where this host's boot "
		"loader takes it from (which one that is could not be told); reboot",
		parameter);
}

/* --- which kernel --- */

static bool loader_is_grub(enum mp_loader loader)
{
	return loader == MP_LOADER_GRUB || loader == MP_LOADER_PBT_GRUB ||
	       loader == MP_LOADER_PBT_BOTH;
}

/* By its release, or, with GRUB, by the id of its menu entry, which grub-mkconfig makes of
 * it: "gnulinux-advanced-UUID>gnulinux-RELEASE-advanced-UUID". */
static const struct mp_kernel *named_kernel(
	const struct mp_host *host, const struct mp_fact *fact, bool entry)
{
	for (guint i = 0; i < host->modules->kernels->len; i++) {
		const struct mp_kernel *kernel = host->modules->kernels->pdata[i];
		g_autofree char *id =
			g_strdup_printf("gnulinux-%s-advanced", kernel->release);

		if (entry ? strstr(fact->text, id) != NULL
			  : !strcmp(fact->text, kernel->release))
			return kernel;
	}
	return NULL;
}

/* Proxmox's boot tool: the pin of one boot replaces the lasting one, even when it is empty;
 * both become GRUB_DEFAULT, or `default` of loader.conf. */
const struct mp_kernel *mp_host_next_kernel(
	const struct mp_host *host, const struct mp_fact **why)
{
	const struct mp_kernel *newest = mp_host_newest_kernel(host), *kernel;
	const struct mp_boot *boot = host->boot;
	const struct mp_fact *pin = boot->next_boot_pin.know == MP_KNOWN
					    ? &boot->next_boot_pin
					    : &boot->kernel_pin;

	*why = NULL;
	if (pin->know == MP_KNOWN && *pin->text) {
		*why = pin;
		kernel = named_kernel(host, pin, false);
		/* One that is gone leaves the loader with its first entry. */
		return kernel ? kernel : newest;
	}
	if (!loader_is_grub(boot->loader) || boot->grub_entry.know != MP_KNOWN ||
		!*boot->grub_entry.text || mp_fact_is(&boot->grub_entry, "0"))
		return newest;
	*why = &boot->grub_entry;
	kernel = named_kernel(host, &boot->grub_entry, true);
	return kernel ? kernel : newest;
}
