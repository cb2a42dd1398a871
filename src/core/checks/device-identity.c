/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Is it there, and is it the card that was meant? Compares with the pins of the config.
 */
#include "config.h"

#include <string.h>

#include "core/checks/device.h"

/* --- what a pin of a device looks like --- */

static char *subsystem_of(const struct mp_pci *device)
{
	return g_strdup_printf("%04x:%04x", device->subvendor, device->subdevice);
}

static char *serial_of(const struct mp_pci *device)
{
	return device->serial
		       ? g_strdup_printf("0x%016" G_GINT64_MODIFIER "x", device->serial)
		       : NULL;
}

/* Serial numbers are compared as numbers: "0x00a0" is "0xa0". */
static bool same_serial(const char *pinned, const struct mp_pci *device)
{
	uint64_t serial;

	return mp_parse_uint(pinned, 16, &serial) && serial == device->serial;
}

/* True if the pin's address is that of DEVICE (the short form means domain 0). */
static bool pin_at(const struct mp_check_ctx *ctx, const struct mp_pin *pin,
	const struct mp_pci *device)
{
	return pin->address && mp_host_device(ctx->host, pin->address) == device;
}

/* --- comparing --- */

/* Adds what differs; *unknown: something that the pin has could not be read. */
static void compare_pin(const struct mp_pin *pin, const struct mp_pci *device,
	GString *differs, bool *unknown)
{
	g_autofree char *subsystem = subsystem_of(device), *serial = serial_of(device);
	char id[10];

	mp_pci_id(device, id);
#define DIFFERS(what, was, is)                                                           \
	g_string_append_printf(                                                          \
		differs, "%s%s is %s, was %s", differs->len ? ", " : "", what, is, was)
	if (pin->id && device->vendor_fact.know != MP_KNOWN)
		*unknown = true;
	else if (pin->id && g_ascii_strcasecmp(pin->id, id) != 0)
		DIFFERS("id", pin->id, id);
	if (pin->subsystem &&
		(device->subvendor == 0xffff || device->subdevice == 0xffff))
		*unknown = true;
	else if (pin->subsystem && g_ascii_strcasecmp(pin->subsystem, subsystem) != 0)
		DIFFERS("subsystem", pin->subsystem, subsystem);
	/* Extended configuration space holds the serial number. */
	if (pin->serial && device->config_size <= 256 && !device->serial)
		*unknown = true;
	else if (pin->serial && !same_serial(pin->serial, device))
		DIFFERS("serial number", pin->serial, serial ? serial : "none");
	if (pin->slot && device->slot_name.know == MP_UNKNOWN)
		*unknown = true;
	else if (pin->slot && !mp_fact_is(&device->slot_name, pin->slot))
		DIFFERS("slot", pin->slot,
			device->slot_name.know == MP_KNOWN ? device->slot_name.text
							   : "none");
#undef DIFFERS
}

/* The card of PIN by its identity alone: serial number, else id and subsystem. */
static bool is_card_of(const struct mp_pin *pin, const struct mp_pci *device)
{
	g_autofree char *subsystem = subsystem_of(device);
	char id[10];

	if (!pin->id || device->vendor_fact.know != MP_KNOWN ||
		g_ascii_strcasecmp(pin->id, mp_pci_id(device, id)) != 0)
		return false;
	if (pin->serial)
		return same_serial(pin->serial, device);
	return !pin->subsystem || !g_ascii_strcasecmp(pin->subsystem, subsystem);
}

static bool is_pinned_address(const struct mp_check_ctx *ctx, const struct mp_pci *device)
{
	for (guint i = 0; i < ctx->config->cards->len; i++)
		if (pin_at(ctx, ctx->config->cards->pdata[i], device))
			return true;
	return false;
}

/* Says where the card of PIN may be now, other than at its address. */
static char *where_now(const struct mp_check_ctx *ctx, const struct mp_pin *pin)
{
	g_autoptr(GString) places = g_string_new(NULL);

	for (guint i = 0; i < ctx->host->devices->len; i++) {
		const struct mp_pci *device = ctx->host->devices->pdata[i];

		/* An address with a pin of its own is another card's, unless the serial
		 * says that it is this one. */
		if (pin_at(ctx, pin, device) || !is_card_of(pin, device) ||
			(!pin->serial && is_pinned_address(ctx, device)))
			continue;
		g_string_append_printf(
			places, "%s%s", places->len ? " or " : "", device->bdf);
	}
	if (!places->len)
		return g_strdup("no such card is on this host now");
	return g_strdup_printf("%s is at %s now",
		pin->serial ? "the card with that serial number" : "a card of that kind",
		places->str);
}

/* --- device-present --- */

static void say_pin_missing(struct mp_check_ctx *ctx, const struct mp_pin *pin)
{
	g_autofree char *where = where_now(ctx, pin);
	struct mp_finding *finding = mp_check_say(ctx, MP_FAIL,
		"%s (%s) of the configuration is not on this host: %s",
		pin->address ? pin->address : "a card", pin->id ? pin->id : "no id",
		where);

	mp_finding_evidence(finding,
		ctx->config->source ? ctx->config->source : "configuration",
		"address %s, id %s, serial %s", pin->address ? pin->address : "-",
		pin->id ? pin->id : "-", pin->serial ? pin->serial : "-");
	mp_finding_fact(finding, &ctx->host->devices_fact);
	mp_finding_remedy(finding,
		"If the card moved, put its new address into the configuration and into "
		"the VM. "
		"If it is gone: 'echo 1 > /sys/bus/pci/rescan', then power off, check "
		"seat and "
		"power cable, and look at 'journalctl -k -b -g pciehp'.");
}

static void say_missing(struct mp_check_ctx *ctx)
{
	g_autoptr(GString) names = g_string_new(NULL);
	struct mp_finding *finding;

	for (guint i = 0; i < ctx->missing->len; i++)
		g_string_append_printf(names, "%s%s", i ? ", " : "",
			(const char *)ctx->missing->pdata[i]);
	finding = mp_check_say(ctx, MP_FAIL, "Not on this host: %s", names->str);
	mp_finding_fact(finding, &ctx->host->devices_fact);
	mp_finding_remedy(finding,
		"Look for it in 'metis-passthrough list'. If it was there: 'echo 1 > "
		"/sys/bus/pci/rescan', then power off, check seat and power cable, and "
		"look at "
		"'journalctl -k -b -g pciehp'.");
}

/* Nothing was chosen: because a device whose id could not be read may be what a profile
 * wants? */
static bool say_unidentified(struct mp_check_ctx *ctx)
{
	for (guint i = 0; i < ctx->host->devices->len; i++) {
		const struct mp_pci *device = ctx->host->devices->pdata[i];
		struct mp_finding *finding;

		if (!mp_pci_id_unknown(device))
			continue;
		finding = mp_check_say(ctx, MP_UNSURE,
			"No device was asked about, and which card %s is could not be read",
			device->bdf);
		mp_finding_fact(finding, &device->vendor_fact);
		mp_finding_fact(finding, &device->device_fact);
		mp_finding_remedy(finding,
			"Run as root on the live host, or name the card: --device %s.",
			device->bdf);
		return true;
	}
	return false;
}

void mp_check_device_present(struct mp_check_ctx *ctx)
{
	const GPtrArray *pins = ctx->config->cards;
	g_autoptr(GString) names = g_string_new(NULL);
	struct mp_finding *finding;

	if (ctx->host->devices_fact.know == MP_UNKNOWN) {
		finding = mp_check_say(ctx, MP_UNSURE,
			"The PCI devices of this host could not be listed");
		mp_finding_fact(finding, &ctx->host->devices_fact);
		mp_finding_remedy(finding, "Run on the live host, or capture it again.");
		return;
	}
	for (guint i = 0; i < pins->len; i++) {
		const struct mp_pin *pin = pins->pdata[i];

		if (!pin->address || !mp_host_device(ctx->host, pin->address)) {
			say_pin_missing(ctx, pin);
			return;
		}
		g_string_append_printf(
			names, "%s%s", names->len ? ", " : "", pin->address);
	}
	if (ctx->missing && ctx->missing->len) {
		say_missing(ctx);
		return;
	}
	for (guint i = 0; i < ctx->wanted->len; i++) {
		const struct mp_pci *device = ctx->wanted->pdata[i];

		if (device->vendor_fact.know != MP_KNOWN) {
			finding = mp_check_say(ctx, MP_UNSURE,
				"%s is there, but could not be read", device->bdf);
			mp_finding_fact(finding, &device->vendor_fact);
			mp_finding_remedy(finding,
				"See device-responds; run as root on the live host.");
			return;
		}
		if (!is_pinned_address(ctx, device))
			g_string_append_printf(
				names, "%s%s", names->len ? ", " : "", device->bdf);
	}
	if (!names->len && say_unidentified(ctx))
		return;
	if (!names->len) {
		mp_check_say(ctx, MP_SKIP,
			"No device was asked about and the configuration has no card");
		return;
	}
	finding = mp_check_say(ctx, MP_PASS, "On this host: %s", names->str);
	for (guint i = 0; i < ctx->wanted->len; i++) {
		const struct mp_pci *device = ctx->wanted->pdata[i];
		g_autofree char *text = mp_pci_describe(device);

		mp_finding_evidence(finding, device->vendor_fact.source, "%s", text);
	}
}

/* --- device-identity --- */

static void pin_evidence(struct mp_finding *finding, const struct mp_pci *device)
{
	g_autofree char *subsystem = subsystem_of(device), *serial = serial_of(device);
	char id[10];

	mp_finding_evidence(finding, "pin of this device",
		"address %s, id %s, subsystem %s, serial %s, slot %s", device->bdf,
		mp_pci_id(device, id), subsystem, serial ? serial : "none",
		device->slot_name.know == MP_KNOWN ? device->slot_name.text : "none");
}

static void compare_here(struct mp_check_ctx *ctx, const struct mp_pin *pin)
{
	const struct mp_pci *device = ctx->device;
	g_autoptr(GString) differs = g_string_new(NULL);
	g_autofree char *where = NULL;
	struct mp_finding *finding;
	bool unknown = false;

	compare_pin(pin, device, differs, &unknown);
	if (differs->len) {
		where = where_now(ctx, pin);
		finding = mp_check_say(ctx, MP_FAIL,
			"%s is not the card that was set up: %s; %s", device->bdf,
			differs->str, where);
		mp_finding_remedy(finding, "Do not start the VM: it would get another "
					   "device. Put the new address "
					   "into the configuration and the VM, or the "
					   "card back into its slot.");
	} else if (unknown) {
		finding = mp_check_say(ctx, MP_UNSURE,
			"%s: not all that identifies the card could be read",
			device->bdf);
		mp_finding_fact(finding, &device->config_fact);
		mp_finding_remedy(finding, "Run as root: serial numbers are in extended "
					   "configuration space.");
	} else {
		finding = mp_check_say(
			ctx, MP_PASS, "%s is the card that was set up", device->bdf);
	}
	mp_finding_evidence(finding,
		ctx->config->source ? ctx->config->source : "configuration",
		"address %s, id %s, subsystem %s, serial %s, slot %s", pin->address,
		pin->id ? pin->id : "-", pin->subsystem ? pin->subsystem : "-",
		pin->serial ? pin->serial : "-", pin->slot ? pin->slot : "-");
	pin_evidence(finding, device);
}

void mp_check_device_identity(struct mp_check_ctx *ctx)
{
	const struct mp_pci *device = ctx->device;
	const GPtrArray *pins = ctx->config->cards;
	struct mp_finding *finding;

	for (guint i = 0; i < pins->len; i++)
		if (pin_at(ctx, pins->pdata[i], device)) {
			compare_here(ctx, pins->pdata[i]);
			return;
		}
	for (guint i = 0; i < pins->len; i++) {
		const struct mp_pin *pin = pins->pdata[i];
		bool gone = !pin->address || !mp_host_device(ctx->host, pin->address);

		/* Without a serial number the pinned card must be gone to be this one. */
		if (!is_card_of(pin, device) || (!pin->serial && !gone))
			continue;
		finding = mp_check_say(ctx, MP_FAIL,
			"%s is the card that was set up at %s", device->bdf,
			pin->address ? pin->address : "an unknown address");
		pin_evidence(finding, device);
		mp_finding_remedy(finding,
			"The card has moved: put %s into the configuration, the VM "
			"(hostpciN) and "
			"whatever binds it by address.",
			device->bdf);
		return;
	}
	finding = mp_check_say(ctx, MP_INFO,
		"%s is not pinned: nothing would notice if another card came to this "
		"address",
		device->bdf);
	pin_evidence(finding, device);
}
