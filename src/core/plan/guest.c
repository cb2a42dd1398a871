/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "core/plan/guest.h"

static void card_free(void *data)
{
	struct mp_plan_card *card = data;

	g_ptr_array_unref(card->functions);
	g_free(card->path);
	g_free(card);
}

static bool same_slot(const struct mp_pci *a, const struct mp_pci *b)
{
	return a->domain == b->domain && a->bus == b->bus && a->slot == b->slot;
}

static GPtrArray *wanted_devices(const struct mp_wish *wish)
{
	GPtrArray *wanted = g_ptr_array_new();
	bool all = wish->vm && !g_strcmp0(wish->config->vm, wish->vm);

	for (guint i = 0; i < wish->devices->len; i++)
		if (all || i < wish->asked)
			g_ptr_array_add(wanted, wish->devices->pdata[i]);
	return wanted;
}

/* All functions of DEVICE's slot, when each of them is among WANTED and there are several.
 * Virtual functions share a slot by chance only. */
static GPtrArray *whole_slot(
	const struct mp_host *host, const struct mp_pci *device, GPtrArray *wanted)
{
	g_autoptr(GPtrArray) functions = g_ptr_array_new();

	for (guint i = 0; i < host->devices->len; i++) {
		struct mp_pci *other = host->devices->pdata[i];

		if (!same_slot(device, other))
			continue;
		if (other->physfn.know == MP_KNOWN ||
			!g_ptr_array_find(wanted, other, NULL))
			return NULL;
		g_ptr_array_add(functions, other);
	}
	return functions->len > 1 ? g_steal_pointer(&functions) : NULL;
}

static bool is_taken(const GPtrArray *cards, const struct mp_pci *device)
{
	for (guint i = 0; i < cards->len; i++) {
		const struct mp_plan_card *card = cards->pdata[i];

		if (g_ptr_array_find(card->functions, device, NULL))
			return true;
	}
	return false;
}

GPtrArray *mp_plan_cards(const struct mp_wish *wish)
{
	GPtrArray *cards = g_ptr_array_new_with_free_func(card_free);
	g_autoptr(GPtrArray) wanted = wanted_devices(wish);

	for (guint i = 0; i < wanted->len; i++) {
		struct mp_pci *device = wanted->pdata[i];
		struct mp_plan_card *card;

		if (is_taken(cards, device))
			continue;
		card = g_new0(struct mp_plan_card, 1);
		card->functions = whole_slot(wish->host, device, wanted);
		if (card->functions) {
			card->device = card->functions->pdata[0];
			card->path = g_strndup(device->bdf, strlen(device->bdf) - 2);
		} else {
			card->functions = g_ptr_array_new();
			g_ptr_array_add(card->functions, device);
			card->device = device;
			card->path = g_strdup(device->bdf);
		}
		g_ptr_array_add(cards, card);
	}
	return cards;
}

/*
 * Without a quorum every write below /etc/pve fails (pmxcfs). Its own file says so:
 * {"cluster": {"quorate": 0, ...}}; a node without a cluster has no such word.
 */
static bool is_quorate(const struct mp_wish *wish)
{
	g_autofree char *members = NULL;
	json_object *all, *cluster = NULL, *quorate = NULL;
	bool lost = false;

	if (mp_root_read(wish->root, "etc/pve/.members", MP_READ_ATTR, &members, NULL) <
		0)
		return true;
	all = json_tokener_parse(members);
	if (json_object_is_type(all, json_type_object) &&
		json_object_object_get_ex(all, "cluster", &cluster) &&
		json_object_is_type(cluster, json_type_object) &&
		json_object_object_get_ex(cluster, "quorate", &quorate))
		lost = json_object_get_int(quorate) == 0;
	json_object_put(all);
	return !lost;
}

bool mp_plan_has_pve(
	struct mp_plan *plan, const struct mp_wish *wish, const char *subject)
{
	const struct mp_guests *guests = wish->host->guests;

	if (!guests || guests->pve.know == MP_ABSENT) {
		mp_plan_add_obstacle(plan, subject,
			"leave --vm, --mapping and --hook out: the host can be prepared "
			"without Proxmox VE",
			"this is no Proxmox VE host: there is no /etc/pve");
		return false;
	}
	if (guests->pve.know != MP_KNOWN || guests->node.know != MP_KNOWN) {
		const struct mp_fact *fact =
			guests->pve.know != MP_KNOWN ? &guests->pve : &guests->node;

		mp_plan_add_obstacle(plan, subject,
			"run this as root on the node itself, with pve-cluster running",
			"Proxmox VE's configuration cannot be read: %s: %s",
			fact->source ? fact->source : "/etc/pve",
			fact->why ? fact->why : "unknown");
		return false;
	}
	if (is_quorate(wish))
		return true;
	mp_plan_add_obstacle(plan, subject,
		"bring the other nodes back (pvecm status), then run this again",
		"the cluster has no quorum, so nothing below /etc/pve can be written");
	return false;
}
