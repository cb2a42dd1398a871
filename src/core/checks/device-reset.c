/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Resets, and who else is touched by what is done to the device. */
#include "config.h"

#include <string.h>

#include "core/checks/device.h"

/* --- shared --- */

bool mp_check_wanted(const struct mp_check_ctx *ctx, const struct mp_pci *device)
{
	return ctx->device == device || g_ptr_array_find(ctx->wanted, device, NULL);
}

void mp_check_name(GString *out, const struct mp_pci *device)
{
	const struct mp_fact *driver = &device->driver;

	g_string_append_printf(out, "%s%s (%s)", out->len ? ", " : "", device->bdf,
		driver->know == MP_KNOWN    ? driver->text
		: driver->know == MP_ABSENT ? "no driver"
					    : "driver unknown");
}

/* --- device-reset-method --- */

static bool has_word(const char *list, const char *word)
{
	size_t length = strlen(word);

	for (const char *p = list; (p = strstr(p, word)); p += length)
		if ((p == list || p[-1] == ' ') && (!p[length] || p[length] == ' '))
			return true;
	return false;
}

static const char *preferred_method(const struct mp_check_ctx *ctx, const char *methods)
{
	const GPtrArray *wish = ctx->profile ? ctx->profile->reset : NULL;

	for (guint i = 0; wish && i < wish->len; i++)
		if (has_word(methods, wish->pdata[i]))
			return wish->pdata[i];
	return NULL;
}

static void no_reset(struct mp_check_ctx *ctx, const char *why)
{
	const struct mp_pci *device = ctx->device;
	struct mp_finding *finding =
		mp_check_say(ctx, MP_WARN, "%s cannot be reset: %s", device->bdf, why);

	mp_finding_fact(finding, &device->reset_method);
	mp_finding_fact(finding, &device->reset);
	mp_finding_remedy(finding,
		"Expect it to work once per boot of the host: restart the host before "
		"the card "
		"is given to a VM again. Look for a reset quirk in a newer kernel, newer "
		"firmware of the card, or move it below a port of its own, which makes a "
		"bus "
		"reset possible.%s",
		device->reset_method.know == MP_KNOWN
			? " 'echo default > reset_method' in its sysfs directory brings "
			  "back "
			  "the methods that were switched off."
			: "");
}

void mp_check_device_reset_method(struct mp_check_ctx *ctx)
{
	const struct mp_pci *device = ctx->device;
	const struct mp_fact *method = &device->reset_method;
	struct mp_finding *finding;

	if (method->know == MP_UNKNOWN ||
		(method->know == MP_ABSENT && device->reset.know == MP_UNKNOWN)) {
		finding = mp_check_say(ctx, MP_UNSURE,
			"%s: its reset methods are not known", device->bdf);
		mp_finding_fact(finding, method);
		mp_finding_fact(finding, &device->reset);
		mp_finding_remedy(finding, "Run on the live host, or capture it again.");
		return;
	}
	if (method->know == MP_ABSENT && device->reset.know == MP_ABSENT) {
		no_reset(ctx, "the kernel knows no method for it");
		return;
	}
	if (method->know == MP_ABSENT) {
		finding = mp_check_say(ctx, MP_PASS,
			"%s can be reset (this kernel does not say how)", device->bdf);
		mp_finding_fact(finding, &device->reset);
		return;
	}
	if (!*method->text) {
		no_reset(ctx, "all its reset methods are switched off");
		return;
	}
	const GPtrArray *wish = ctx->profile ? ctx->profile->reset : NULL;
	const char *preferred = preferred_method(ctx, method->text);

	if (wish && wish->len && !preferred) {
		finding = mp_check_say(ctx, MP_WARN,
			"%s can be reset by '%s', but not by a method that suits a %s "
			"(%s)",
			device->bdf, method->text, ctx->profile->name,
			(char *)wish->pdata[0]);
		mp_finding_remedy(finding, "After each VM check that the card really "
					   "restarted (device-responds, the "
					   "driver's log in the guest); plan for a "
					   "restart of the host if not.");
	} else if (!strcmp(method->text, "pm")) {
		finding = mp_check_say(ctx, MP_WARN,
			"%s can only be reset through its power states (pm), which many "
			"cards "
			"survive with their state",
			device->bdf);
		mp_finding_remedy(finding, "After each VM check that the card really "
					   "restarted; plan for a restart of "
					   "the host if not.");
	} else {
		finding = mp_check_say(
			ctx, MP_PASS, "%s can be reset (%s)", device->bdf, method->text);
	}
	mp_finding_fact(finding, method);
	if (preferred && !g_str_has_prefix(method->text, preferred))
		mp_finding_evidence(finding, "profile",
			"%s prefers %s; the kernel tries the first of its list first",
			ctx->profile->name, preferred);
}

/* --- device-reset-scope --- */

/* Methods that touch this function only. `bus` and `cxl_bus` reset all below the port. */
static bool resets_alone(const char *methods)
{
	static const char *const alone[] = { "device_specific", "acpi", "flr", "af_flr",
		"pm" };

	for (size_t i = 0; i < G_N_ELEMENTS(alone); i++)
		if (has_word(methods, alone[i]))
			return true;
	return false;
}

/* Functions on the same bus that were not asked about. */
static guint neighbours(const struct mp_check_ctx *ctx, GString *names)
{
	const struct mp_pci *device = ctx->device;
	guint count = 0;

	for (guint i = 0; i < ctx->host->devices->len; i++) {
		const struct mp_pci *other = ctx->host->devices->pdata[i];

		if (other == device || other->domain != device->domain ||
			other->bus != device->bus || mp_check_wanted(ctx, other))
			continue;
		mp_check_name(names, other);
		count++;
	}
	return count;
}

void mp_check_device_reset_scope(struct mp_check_ctx *ctx)
{
	const struct mp_pci *device = ctx->device;
	const struct mp_fact *method = &device->reset_method;
	g_autoptr(GString) names = g_string_new(NULL);
	struct mp_finding *finding;

	if (method->know == MP_UNKNOWN) {
		finding = mp_check_say(ctx, MP_UNSURE,
			"%s: what a reset would touch is not known", device->bdf);
		mp_finding_fact(finding, method);
		mp_finding_remedy(finding, "Run on the live host, or capture it again.");
		return;
	}
	if (method->know == MP_KNOWN && resets_alone(method->text)) {
		finding = mp_check_say(ctx, MP_PASS,
			"%s can be reset without touching others", device->bdf);
		mp_finding_fact(finding, method);
		return;
	}
	if (!device->parent) {
		finding = mp_check_say(ctx, MP_SKIP,
			"%s sits on a root bus, which cannot be reset", device->bdf);
		mp_finding_fact(finding, method);
		return;
	}
	if (!neighbours(ctx, names)) {
		finding = mp_check_say(ctx, MP_PASS,
			"%s is reset with its bus, where nothing else sits", device->bdf);
		mp_finding_fact(finding, method);
		return;
	}
	finding = mp_check_say(ctx, MP_WARN,
		"%s can only be reset together with its bus, where also sits: %s",
		device->bdf, names->str);
	mp_finding_fact(finding, method);
	mp_finding_remedy(finding, "VFIO resets the bus only when one VM owns all of it: "
				   "give these devices to the "
				   "same VM, or move the card to a slot below a port of "
				   "its own. Otherwise the card "
				   "keeps its state from one VM to the next.");
}

/* --- device-siblings-same-id --- */

static struct mp_finding *say_siblings(struct mp_check_ctx *ctx, const char *names)
{
	const struct mp_pci *device = ctx->device;
	bool by_address = ctx->config && ctx->config->binding &&
			  !strcmp(ctx->config->binding, "address");
	struct mp_finding *finding;
	char id[10];

	mp_pci_id(device, id);
	finding = mp_check_say(ctx, by_address ? MP_INFO : MP_WARN,
		"%s is not the only %s here: %s %s not asked about", device->bdf, id,
		names, strchr(names, ',') ? "are" : "is");
	if (!by_address)
		mp_finding_remedy(finding,
			"Bind by address, never by id: 'options vfio-pci ids=%s' would "
			"take all of them from the host. For %s alone, while nobody uses "
			"it: 'driverctl set-override %s vfio-pci' (package driverctl).",
			id, device->bdf, device->bdf);
	return finding;
}

void mp_check_device_siblings(struct mp_check_ctx *ctx)
{
	const struct mp_pci *device = ctx->device;
	g_autoptr(GString) names = g_string_new(NULL);
	struct mp_finding *finding;
	guint unreadable = 0;
	char id[10];

	if (device->vendor_fact.know != MP_KNOWN ||
		device->device_fact.know != MP_KNOWN) {
		finding = mp_check_say(
			ctx, MP_UNSURE, "%s: its id is not known", device->bdf);
		mp_finding_fact(finding, &device->vendor_fact);
		mp_finding_fact(finding, &device->device_fact);
		mp_finding_remedy(finding, "Run on the live host, or capture it again.");
		return;
	}
	for (guint i = 0; i < ctx->host->devices->len; i++) {
		const struct mp_pci *other = ctx->host->devices->pdata[i];

		if (other->vendor_fact.know != MP_KNOWN ||
			other->device_fact.know != MP_KNOWN)
			unreadable++;
		else if (other->vendor == device->vendor &&
			 other->device == device->device && !mp_check_wanted(ctx, other))
			mp_check_name(names, other);
	}
	if (names->len) {
		finding = say_siblings(ctx, names->str);
	} else if (unreadable) {
		finding = mp_check_say(ctx, MP_UNSURE,
			"%s: other devices (%u) could not be read and may have the same id",
			device->bdf, unreadable);
		mp_finding_remedy(finding, "Run on the live host, or capture it again.");
	} else {
		finding = mp_check_say(ctx, MP_PASS,
			"No other device has the id of %s (%s)", device->bdf,
			mp_pci_id(device, id));
	}
	mp_finding_fact(finding, &device->vendor_fact);
	mp_finding_fact(finding, &device->device_fact);
}

/* --- device-multifunction --- */

void mp_check_device_multifunction(struct mp_check_ctx *ctx)
{
	const struct mp_pci *device = ctx->device;
	g_autoptr(GString) others = g_string_new(NULL), same_group = g_string_new(NULL);
	struct mp_finding *finding;
	guint functions = 0;

	for (guint i = 0; i < ctx->host->devices->len; i++) {
		const struct mp_pci *other = ctx->host->devices->pdata[i];

		if (other == device || other->domain != device->domain ||
			other->bus != device->bus || other->slot != device->slot)
			continue;
		/* Virtual functions are devices of their own. */
		if (other->physfn.know == MP_KNOWN || device->physfn.know == MP_KNOWN)
			continue;
		functions++;
		if (mp_check_wanted(ctx, other))
			continue;
		mp_check_name(others, other);
		if (device->group && other->group == device->group)
			mp_check_name(same_group, other);
	}
	if (!functions) {
		finding = mp_check_say(
			ctx, MP_PASS, "%s has no other functions", device->bdf);
	} else if (same_group->len) {
		finding = mp_check_say(ctx, MP_WARN,
			"%s has functions that share its IOMMU group but were not asked "
			"about: %s",
			device->bdf, same_group->str);
		mp_finding_remedy(finding,
			"Give the whole card to the VM: without the function number, "
			"'hostpciN: "
			"%.*s' passes all functions.",
			(int)(strrchr(device->bdf, '.') - device->bdf), device->bdf);
	} else if (others->len) {
		finding = mp_check_say(ctx, MP_INFO,
			"%s is one of %u functions; not asked about: %s", device->bdf,
			functions + 1, others->str);
	} else {
		finding = mp_check_say(ctx, MP_PASS,
			"All %u functions of the card of %s were asked about",
			functions + 1, device->bdf);
	}
	mp_finding_evidence(finding, "/sys/bus/pci/devices",
		"%u other functions in slot %02x", functions, device->slot);
}
