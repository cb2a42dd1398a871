/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bind, unbind: one card changes hands now, until the next boot. Two verbs that differ in
 * the direction only. What lasts is made by setup.
 */
#include "config.h"

#include <string.h>

#include "cmd.h"
#include "core/group.h"
#include "core/handover.h"
#include "core/pci.h"
#include "taking.h"

#define SECONDS_DEFAULT 30
#define SECONDS_MAX     3600

static char **opt_force;
static gboolean opt_group;
static int opt_timeout = SECONDS_DEFAULT;

static const GOptionEntry bind_options[] = {
	{ "group", 'g', 0, G_OPTION_ARG_NONE, &opt_group,
		"with all other functions of its IOMMU group, but for bridges", NULL },
	{ "force", 0, 0, G_OPTION_ARG_STRING_ARRAY, &opt_force,
		"take the device at BDF even from the host that uses it", "BDF" },
	{ "timeout", 't', 0, G_OPTION_ARG_INT, &opt_timeout,
		"seconds that the kernel gets for each function (30)", "SECONDS" },
	{ NULL },
};

static const GOptionEntry unbind_options[] = {
	{ "group", 'g', 0, G_OPTION_ARG_NONE, &opt_group,
		"with all other functions of its IOMMU group, but for bridges", NULL },
	{ "timeout", 't', 0, G_OPTION_ARG_INT, &opt_timeout,
		"seconds that the kernel gets for each function (30)", "SECONDS" },
	{ NULL },
};

static void add_once(GPtrArray *devices, struct mp_pci *device)
{
	if (!g_ptr_array_find(devices, device, NULL))
		g_ptr_array_add(devices, device);
}

static bool choose(
	const struct mp_host *host, char **addresses, GPtrArray *devices, GError **error)
{
	for (char **bdf = addresses; *bdf; bdf++) {
		struct mp_pci *device = mp_host_device(host, *bdf);
		uint32_t domain;
		uint8_t bus, slot, function;

		if (!mp_pci_parse_bdf(*bdf, &domain, &bus, &slot, &function)) {
			g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
				"%s: not a PCI address ([DDDD:]BB:DD.F)", *bdf);
			return false;
		}
		if (!device) {
			g_set_error(error, MP_ERROR, MP_ERROR_NOT_FOUND,
				"%s: there is no such PCI device", *bdf);
			return false;
		}
		add_once(devices, device);
		for (guint i = 0;
			opt_group && device->group && i < device->group->members->len;
			i++) {
			struct mp_pci *member = device->group->members->pdata[i];

			if (!mp_pci_is_bridge(member))
				add_once(devices, member);
		}
	}
	return true;
}

/* A function may be given to vfio-pci alone, but no VM can use it before all are. */
static bool group_is_complete(
	const struct mp_host *host, GPtrArray *devices, GError **error)
{
	for (guint i = 0; i < devices->len; i++) {
		const struct mp_pci *device = devices->pdata[i];

		if (!device->group)
			return mp_taking_refuse(error,
				"%s: is in no IOMMU group, so VFIO cannot own it; see "
				"'metis-passthrough preflight --device %s'",
				device->bdf, device->bdf);
		for (guint m = 0; m < device->group->members->len; m++) {
			struct mp_pci *member = device->group->members->pdata[m];

			if (g_ptr_array_find(devices, member, NULL) ||
				mp_group_member_viable(host, member))
				continue;
			return mp_taking_refuse(error,
				"%s: its IOMMU group %u holds %s too, which is with %s; "
				"--group takes all of it",
				device->bdf, device->group->id, member->bdf,
				member->driver.know == MP_KNOWN ? member->driver.text
								: "an unknown driver");
		}
	}
	return true;
}

static const char *driver_or_none(const char *name)
{
	return name ? name : "no driver";
}

/* Those before INDEX go back to where they were; what cannot is told with ERROR. */
static void hand_back(
	struct mp_handover *hands, guint index, bool one_stuck, GError **error)
{
	bool stuck = one_stuck;

	while (index-- > 0) {
		struct mp_handover back = hands[index];
		g_autoptr(GError) problem = NULL;

		if (g_strcmp0(hands[index].driver_before, hands[index].driver_after) == 0)
			continue;
		back.driver = hands[index].override_before;
		back.driver_before = back.driver_after = back.override_before = NULL;
		if (!mp_handover(&back, &problem)) {
			g_prefix_error(error, "%s; ", problem->message);
			stuck = true;
		} else {
			g_prefix_error(error, "%s: handed back to %s; ", back.address,
				driver_or_none(back.driver_after));
		}
		mp_handover_clear(&back);
	}
	if (error && *error)
		(*error)->code = stuck ? MP_ERROR_STUCK : MP_ERROR_UNDONE;
}

static bool hand_all(
	struct mp_target *target, GPtrArray *devices, const char *driver, GError **error)
{
	g_autofree struct mp_handover *hands = g_new0(struct mp_handover, devices->len);
	GError *problem = NULL;

	for (guint i = 0; i < devices->len && !problem; i++) {
		const struct mp_pci *device = devices->pdata[i];

		hands[i] = (struct mp_handover){
			.target = target,
			.address = device->bdf,
			.driver = driver,
			.seconds = (unsigned)opt_timeout,
		};
		if (!mp_handover(&hands[i], &problem) && i)
			hand_back(hands, i, problem->code == MP_ERROR_STUCK, &problem);
	}
	for (guint i = 0; i < devices->len && !problem; i++) {
		if (g_strcmp0(hands[i].driver_before, hands[i].driver_after) == 0)
			printf("%s: stays with %s\n", hands[i].address,
				driver_or_none(hands[i].driver_after));
		else
			printf("%s: %s -> %s\n", hands[i].address,
				driver_or_none(hands[i].driver_before),
				driver_or_none(hands[i].driver_after));
	}
	for (guint i = 0; i < devices->len; i++)
		mp_handover_clear(&hands[i]);
	if (!problem)
		return true;
	g_propagate_error(error, problem);
	return false;
}

static bool options_are_fine(const struct mp_host *host, GError **error)
{
	if (opt_timeout < 1 || opt_timeout > SECONDS_MAX) {
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
			"--timeout %d: 1 to %d seconds", opt_timeout, SECONDS_MAX);
		return false;
	}
	for (char **bdf = opt_force; bdf && *bdf; bdf++) {
		if (mp_host_device(host, *bdf))
			continue;
		g_set_error(error, MP_ERROR, MP_ERROR_USAGE,
			"--force %s: there is no such PCI device", *bdf);
		return false;
	}
	return true;
}

static int hand(char **addresses, const char *driver, GError **error)
{
	g_autoptr(mp_target) target = mp_target_open(NULL, error);
	g_autoptr(mp_host) host = NULL;
	g_autoptr(GPtrArray) devices = g_ptr_array_new();

	if (!target)
		return MP_EXIT_FAILURE;
	host = mp_host_load(mp_target_root(target), MP_TOPIC_ALL, error);
	if (!host || !options_are_fine(host, error) ||
		!choose(host, addresses, devices, error))
		return MP_EXIT_FAILURE;
	for (guint i = 0; i < devices->len; i++)
		if (!mp_may_take(host, devices->pdata[i], opt_force, error))
			return MP_EXIT_FINDING;
	if (driver && !group_is_complete(host, devices, error))
		return MP_EXIT_FINDING;
	/* Not while a setup, or another of us, is at work. */
	if (!mp_target_lock(target, error) ||
		(driver && !mp_handover_load_vfio(target, error)) ||
		!hand_all(target, devices, driver, error))
		return MP_EXIT_FAILURE;
	return MP_EXIT_OK;
}

static int run_bind(int argc G_GNUC_UNUSED, char **argv, GError **error)
{
	return hand(argv, MP_DRIVER_VFIO, error);
}

static int run_unbind(int argc G_GNUC_UNUSED, char **argv, GError **error)
{
	return hand(argv, NULL, error);
}

const struct mp_cmd mp_cmd_bind = {
	.name = "bind",
	.summary = "give a device to vfio-pci now, until the next boot",
	.args = "BDF...",
	.min_args = 1,
	.max_args = 64,
	.options = bind_options,
	.description =
		"By driver_override, never by new_id; the driver link is looked at "
		"afterwards. A driver that does not let go within the time is reported and "
		"left alone. What shall last is made by 'metis-passthrough setup'.\n\n"
		"Exit codes: 0 done, 1 in use or its group is not complete, 2 usage, 3 could "
		"not, 4 failed and handed back, 5 failed and it is in nobody's hands.\n",
	.run = run_bind,
};

const struct mp_cmd mp_cmd_unbind = {
	.name = "unbind",
	.summary = "give a device back to the host's driver now",
	.args = "BDF...",
	.min_args = 1,
	.max_args = 64,
	.options = unbind_options,
	.description =
		"Clears driver_override, lets go of vfio-pci, and has the kernel look for a "
		"driver. Refused while a VM or a process holds the device.\n\n"
		"Exit codes: 0 done, 1 in use, 2 usage, 3 could not, 4 failed and handed back, "
		"5 failed and it is in nobody's hands.\n",
	.run = run_unbind,
};
