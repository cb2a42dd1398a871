/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The units that check after each boot, and leave their reports for preflight and monitoring. */
#include "config.h"

#include <errno.h>

#include "core/pci.h"
#include "core/plan.h"
#include "core/profile.h"
#include "core/template.h"

#define STATUS   "metis-passthrough-status.service"
#define SELFTEST "metis-passthrough-selftest.service"
#define UNITS    "/etc/systemd/system/"
#define WANTS    UNITS "multi-user.target.wants/"
#define PROGRAM  MP_BINDIR "/metis-passthrough"

/* 0: it is there; -ENOENT: it is not, and the unit would be a dead file; else not known. */
static int look_for_systemd(struct mp_root *root)
{
	struct mp_stat st;
	int err = mp_root_stat(root, "usr/bin/systemctl", &st);

	/* Before Debian merged /usr. */
	if (err == -ENOENT || err == -ENOTDIR)
		err = mp_root_stat(root, "bin/systemctl", &st);
	return err == -ENOTDIR ? -ENOENT : err;
}

/* What most captures leave out says nothing about the host that they are of. */
static bool is_captured(struct mp_root *root)
{
	return mp_root_header(root, "tool") != NULL;
}

static void add_unit(
	struct mp_plan *plan, const char *name, const char *template, const char *why)
{
	g_autofree char *head = g_strchomp(mp_plan_head("# "));
	const char *const values[] = { "HEAD", head, "PROGRAM", PROGRAM, NULL };
	g_autofree char *unit = mp_template_fill(template, values);
	g_autofree char *path = g_strconcat(UNITS, name, NULL);
	g_autofree char *link = g_strconcat(WANTS, name, NULL);
	g_autofree char *target = g_strconcat("../", name, NULL);

	mp_plan_add_file(plan, path, unit, MP_FEEDS_SYSTEMD, "%s", why);
	mp_plan_add_link(
		plan, link, target, MP_FEEDS_SYSTEMD, "the unit is started at each boot");
}

/* Only an admin who asks for it: it provokes faults, and takes its time of each boot. */
static void add_selftest(struct mp_plan *plan, const struct mp_wish *wish)
{
	g_autofree char *enabled = NULL;

	if (g_strcmp0(wish->config->selftest, "after-boot") != 0) {
		if (mp_root_readlink(wish->root, WANTS SELFTEST, &enabled) == 0)
			mp_plan_add_note(plan, "host",
				SELFTEST
				" is enabled, but the configuration does not ask "
				"for it (any more): `systemctl disable " SELFTEST
				"` ends it");
		return;
	}
	add_unit(plan, SELFTEST, "systemd/selftest.service",
		"after each boot, before the VMs, the cards prove DMA, interrupts and "
		"isolation, as the configuration asks for");
	for (guint i = 0; i < wish->devices->len; i++) {
		const struct mp_pci *device = wish->devices->pdata[i];
		const struct mp_profile *profile = wish->profiles->pdata[i];

		if (!profile->engine)
			mp_plan_add_note(plan, device->bdf,
				"its profile %s names no engine, so it cannot be tested "
				"after a boot, and the unit will fail",
				profile->name);
	}
}

void mp_plan_units(struct mp_plan *plan, const struct mp_wish *wish)
{
	int err = look_for_systemd(wish->root);

	if (err == -ENOENT) {
		mp_plan_add_note(plan, "host", "%s",
			is_captured(wish->root)
				? "whether it has systemd is not known (the snapshot has no "
				  "systemctl): where it has, setup adds a unit that runs "
				  "`metis-passthrough status --record` after each boot"
				: "it has no systemd: nothing runs `metis-passthrough status "
				  "--record` after a boot; let its init do that");
		return;
	}
	if (err < 0)
		mp_plan_add_note(plan, "host",
			"whether it has systemd is not known (%s); planned as if it had, as "
			"Debian and Proxmox VE have",
			g_strerror(-err));
	add_unit(plan, STATUS, "systemd/status.service",
		"after each boot all of this is checked, and a difference is a failed unit "
		"that monitoring sees");
	add_selftest(plan, wish);
}
