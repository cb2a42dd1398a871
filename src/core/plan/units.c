/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The unit that checks after each boot, and leaves its report for preflight and monitoring. */
#include "config.h"

#include <errno.h>

#include "core/plan.h"
#include "core/template.h"

#define UNIT    "metis-passthrough-status.service"
#define UNITS   "/etc/systemd/system/"
#define WANTS   UNITS "multi-user.target.wants/" UNIT
#define PROGRAM MP_BINDIR "/metis-passthrough"

/* False only where it surely is not: without systemd the unit would be a dead file. */
static bool has_systemd(struct mp_root *root)
{
	struct mp_stat st;
	int err = mp_root_stat(root, "usr/bin/systemctl", &st);

	/* Before Debian merged /usr. */
	if (err == -ENOENT || err == -ENOTDIR)
		err = mp_root_stat(root, "bin/systemctl", &st);
	return err != -ENOENT && err != -ENOTDIR;
}

void mp_plan_units(struct mp_plan *plan, const struct mp_wish *wish)
{
	g_autofree char *head = g_strchomp(mp_plan_head("# "));
	const char *const values[] = { "HEAD", head, "PROGRAM", PROGRAM, NULL };
	g_autofree char *unit = NULL;

	if (!has_systemd(wish->root)) {
		mp_plan_add_note(plan, "host",
			"this host has no systemd: nothing runs `metis-passthrough status "
			"--record` after a boot; let its init do that");
		return;
	}
	unit = mp_template_fill("systemd/status.service", values);
	mp_plan_add_file(plan, UNITS UNIT, unit, MP_FEEDS_SYSTEMD,
		"after each boot all of this is checked, and a difference is a failed unit "
		"that monitoring sees");
	mp_plan_add_link(plan, WANTS, "../" UNIT, MP_FEEDS_SYSTEMD,
		"the unit is started at each boot");
}
