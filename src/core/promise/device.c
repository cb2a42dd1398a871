/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Promises about the card itself and its IOMMU group. */
#include "config.h"

#include <string.h>

#include "core/group.h"
#include "core/pin.h"
#include "core/promise/judge.h"

/* --- pin --- */

static struct mp_pin *promised_pin(const struct mp_judge *judge)
{
	struct mp_pin *pin = g_new0(struct mp_pin, 1);

	pin->address = g_strdup(mp_judge_text(judge, "address"));
	pin->id = g_strdup(mp_judge_text(judge, "id"));
	pin->subsystem = g_strdup(mp_judge_text(judge, "subsystem"));
	pin->serial = g_strdup(mp_judge_text(judge, "serial"));
	pin->slot = g_strdup(mp_judge_text(judge, "slot"));
	pin->group_members = g_ptr_array_new_with_free_func(g_free);
	return pin;
}

static void pin_evidence(struct mp_finding *finding, const struct mp_pin *pin)
{
	mp_finding_evidence(finding, "pin",
		"address %s, id %s, subsystem %s, serial %s, slot %s", pin->address,
		pin->id, pin->subsystem ? pin->subsystem : "-",
		pin->serial ? pin->serial : "none", pin->slot ? pin->slot : "none");
}

static void say_not_here(
	struct mp_judge *judge, const struct mp_pin *pin, const char *why)
{
	g_autofree char *nowhere = NULL;
	const struct mp_pci *now = mp_pin_find(judge->host, pin, &nowhere);
	struct mp_finding *finding;

	if (now) {
		finding = mp_judge_say(judge, MP_FAIL,
			"The card that was set up is at %s now: %s", now->bdf, why);
		mp_finding_remedy(finding,
			"do not start the VM before this: metis-passthrough repin");
	} else {
		finding = mp_judge_say(judge, MP_FAIL,
			"The card that was set up is not here: %s; %s", why, nowhere);
		mp_finding_remedy(finding,
			"do not start the VM; power off, check the card's seat and its power "
			"cable, and look at journalctl -k -b -g pciehp");
	}
	pin_evidence(finding, pin);
}

void mp_judge_pin(struct mp_judge *judge)
{
	g_autoptr(mp_pin) pin = promised_pin(judge);
	g_autofree char *why = NULL;
	struct mp_finding *finding;

	if (!pin->id) {
		mp_judge_say_malformed(judge, "it has no id");
		return;
	}
	if (judge->host->devices_fact.know == MP_UNKNOWN) {
		finding = mp_judge_say(judge, MP_UNSURE,
			"The PCI devices of this host could not be listed");
		mp_finding_fact(finding, &judge->host->devices_fact);
		return;
	}
	switch (mp_pin_check(judge->host, pin, &why)) {
	case MP_PIN_OTHER:
	case MP_PIN_GONE:
		say_not_here(judge, pin, why);
		return;
	case MP_PIN_UNSURE:
		finding = mp_judge_say(judge, MP_UNSURE,
			"Not all that identifies the card could be read: %s", why);
		mp_finding_remedy(finding, "run as root: metis-passthrough status");
		break;
	case MP_PIN_SAME:
	default:
		finding = mp_judge_say(judge, MP_PASS, "It is the card that was set up");
		break;
	}
	pin_evidence(finding, pin);
}

/* --- group --- */

static bool is_promised(json_object *members, const char *bdf)
{
	for (size_t i = 0; i < json_object_array_length(members); i++) {
		const char *name =
			json_object_get_string(json_object_array_get_idx(members, i));

		if (!g_strcmp0(name, bdf))
			return true;
	}
	return false;
}

static bool is_member(const struct mp_group *group, const char *bdf)
{
	for (guint i = 0; i < group->members->len; i++)
		if (!strcmp(((const struct mp_pci *)group->members->pdata[i])->bdf, bdf))
			return true;
	return false;
}

static void judge_members(
	struct mp_judge *judge, const struct mp_pci *device, json_object *members)
{
	const struct mp_group *group = device->group;
	const struct mp_fact *unread = mp_group_unread(judge->host, group);
	g_autoptr(GString) joined = g_string_new(NULL), left = g_string_new(NULL);
	struct mp_finding *finding;

	for (guint i = 0; i < group->members->len; i++) {
		const struct mp_pci *member = group->members->pdata[i];

		if (is_promised(members, member->bdf))
			continue;
		g_string_append_printf(joined, "%s%s (%s)", joined->len ? ", " : "",
			member->bdf,
			member->driver.know == MP_KNOWN ? member->driver.text
							: "no driver");
	}
	for (size_t i = 0; i < json_object_array_length(members); i++) {
		const char *name =
			json_object_get_string(json_object_array_get_idx(members, i));

		if (name && !is_member(group, name))
			g_string_append_printf(left, "%s%s", left->len ? ", " : "", name);
	}
	if (joined->len) {
		finding = mp_judge_say(judge, MP_FAIL,
			"Its IOMMU group %u has other members now: %s joined", group->id,
			joined->str);
		mp_finding_remedy(finding,
			"metis-passthrough preflight tells what that means (group-viable, "
			"group-isolated); it comes from another kernel, firmware setting or slot");
	} else if (unread) {
		finding = mp_judge_say(judge, MP_UNSURE,
			"The members of its IOMMU group could not be read");
		mp_finding_fact(finding, unread);
	} else if (left->len) {
		finding = mp_judge_say(judge, MP_FAIL,
			"Its IOMMU group %u has fewer members now: %s left", group->id,
			left->str);
		mp_finding_remedy(finding,
			"fine if these were removed: then metis-passthrough setup again");
	} else {
		finding = mp_judge_say(judge, MP_PASS,
			"Its IOMMU group has the members it had at the setup");
	}
	mp_finding_evidence(finding, device->group_fact.source, "group %u, %u member%s",
		group->id, group->members->len, MP_PLURAL(group->members->len));
}

void mp_judge_group(struct mp_judge *judge)
{
	const struct mp_pci *device = mp_judge_device(judge);
	json_object *members = NULL;
	struct mp_finding *finding;

	if (!device)
		return;
	if (!json_object_object_get_ex(judge->promise, "members", &members) ||
		!json_object_is_type(members, json_type_array)) {
		mp_judge_say_malformed(judge, "it has no list of members");
		return;
	}
	if (device->group) {
		judge_members(judge, device, members);
		return;
	}
	if (device->group_fact.know == MP_UNKNOWN) {
		finding = mp_judge_say(
			judge, MP_UNSURE, "Its IOMMU group could not be read");
	} else {
		finding = mp_judge_say(judge, MP_FAIL,
			"It is in no IOMMU group: the IOMMU is not in use");
		mp_finding_remedy(finding, "metis-passthrough preflight");
	}
	mp_finding_fact(finding, &device->group_fact);
}
