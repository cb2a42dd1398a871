/* SPDX-License-Identifier: GPL-2.0-or-later */
/* group-acs-path: walks from the device to the root as the kernel does. */
#include "config.h"

#include "core/boot.h"
#include "core/checks/device.h"

/* Source validation, request redirect, completion redirect, upstream forwarding: what the
 * kernel asks for (REQ_ACS_FLAGS in drivers/iommu/iommu.c). */
#define ACS_REQUIRED 0x1d

/* PCI Express Capabilities register, Device/Port Type. */
enum {
	TYPE_ENDPOINT = 0,
	TYPE_LEGACY_ENDPOINT = 1,
	TYPE_ROOT_PORT = 4,
	TYPE_UPSTREAM = 5,
	TYPE_DOWNSTREAM = 6,
	TYPE_PCIE_TO_PCI = 7,
	TYPE_PCI_TO_PCIE = 8,
	TYPE_ROOT_ENDPOINT = 9,
	TYPE_ROOT_EVENT_COLLECTOR = 10,
};

enum acs { ACS_ON, ACS_OFF, ACS_UNKNOWN };

/* pci_acs_flags_enabled(): what a port cannot control counts as hard-wired on. */
static enum acs flags_enabled(const struct mp_pci *device)
{
	unsigned required = ACS_REQUIRED & device->acs.cap;

	if (!device->acs.present)
		/* The capability is in extended space: not seen is not absent. */
		return device->config_size > 256 ? ACS_OFF : ACS_UNKNOWN;
	return (device->acs.control & required) == required ? ACS_ON : ACS_OFF;
}

/* pci_acs_enabled(), without the table of quirks. */
static enum acs acs_of(const struct mp_pci *device)
{
	if (device->config_fact.know != MP_KNOWN || device->all_ones ||
		device->config_size <= 64)
		return ACS_UNKNOWN;
	if (!device->pcie.present)
		return ACS_OFF;
	switch (device->pcie.type) {
	case TYPE_ROOT_PORT:
	case TYPE_DOWNSTREAM:
		return flags_enabled(device);
	case TYPE_ENDPOINT:
	case TYPE_LEGACY_ENDPOINT:
	case TYPE_UPSTREAM:
	case TYPE_ROOT_ENDPOINT:
		return device->multifunction ? flags_enabled(device) : ACS_ON;
	case TYPE_PCIE_TO_PCI:
	case TYPE_PCI_TO_PCIE:
	case TYPE_ROOT_EVENT_COLLECTOR:
		return ACS_OFF;
	default:
		return ACS_ON;
	}
}

/* The device itself matters only where it has other functions to talk to. */
static bool has_functions(const struct mp_host *host, const struct mp_pci *device)
{
	for (guint i = 0; i < host->devices->len; i++) {
		const struct mp_pci *other = host->devices->pdata[i];

		if (other != device && other->domain == device->domain &&
			other->bus == device->bus && other->slot == device->slot)
			return true;
	}
	return device->multifunction;
}

static void acs_evidence(struct mp_finding *finding, const struct mp_pci *device)
{
	if (device->acs.present)
		mp_finding_evidence(finding, device->config_fact.source,
			"ACS capability 0x%04x, control 0x%04x", device->acs.cap,
			device->acs.control);
	else if (device->config_size > 256 && device->config_fact.know == MP_KNOWN &&
		 !device->all_ones)
		mp_finding_evidence(finding, device->config_fact.source,
			device->pcie.present ? "no ACS capability" : "not PCI Express");
	else
		mp_finding_fact(finding, &device->config_fact);
}

static void add(GString *list, const struct mp_pci *device)
{
	g_string_append_printf(list, "%s%s", list->len ? ", " : "", device->bdf);
}

/* Alone but for bridges: the kernel found enough isolation. */
static bool alone(const struct mp_pci *device)
{
	if (!device->group || device->group->foreign->len)
		return false;
	for (guint i = 0; i < device->group->members->len; i++) {
		const struct mp_pci *member = device->group->members->pdata[i];

		if (member != device && !mp_pci_is_bridge(member))
			return false;
	}
	return true;
}

/* NULL unless the running kernel was told to make up groups. Caller frees. */
static char *acs_override(const struct mp_host *host)
{
	if (!host->boot || host->boot->cmdline.know != MP_KNOWN)
		return NULL;
	return mp_cmdline_get(host->boot->cmdline.text, "pcie_acs_override");
}

static void remedy_acs(struct mp_finding *finding)
{
	mp_finding_remedy(finding,
		"Prefer a slot below a root port that has ACS (server and workstation "
		"boards: "
		"those of the CPU, not of the chipset), and look in the firmware for "
		"'ACS "
		"Control', 'ACS Enable' or 'PCIe ARI'. Linux switches ACS on by itself "
		"wherever it is there and an IOMMU is in use.");
}

static struct mp_finding *say_missing(struct mp_check_ctx *ctx, const char *missing)
{
	const struct mp_pci *device = ctx->device;
	g_autofree char *override = acs_override(ctx->host);
	struct mp_finding *finding;

	if (override) {
		finding = mp_check_say(ctx, MP_FAIL,
			"%s: no isolation at %s; the groups are made up by "
			"pcie_acs_override=%s",
			device->bdf, missing, override);
		mp_finding_fact(finding, &ctx->host->boot->cmdline);
		remedy_acs(finding);
		return finding;
	}
	if (alone(device))
		return mp_check_say(ctx, MP_INFO,
			"%s: ACS is not on at %s, but the kernel knows the path to "
			"isolate (a "
			"quirk): the device has group %u for itself",
			device->bdf, missing, device->group->id);
	finding = mp_check_say(ctx, device->group ? MP_WARN : MP_INFO,
		"%s: ACS is not on at %s%s", device->bdf, missing,
		device->group ? ", which is why others are in its group"
			      : " (without an IOMMU the kernel does not switch it on)");
	if (device->group)
		remedy_acs(finding);
	return finding;
}

void mp_check_group_acs_path(struct mp_check_ctx *ctx)
{
	const struct mp_pci *device = ctx->device;
	g_autoptr(GString) missing = g_string_new(NULL), unknown = g_string_new(NULL);
	struct mp_finding *finding;

	/* A multifunction device's functions can reach each other inside the device. */
	const struct mp_pci *start =
		has_functions(ctx->host, device) ? device : device->parent;
	for (const struct mp_pci *step = start; step; step = step->parent) {
		enum acs acs = acs_of(step);

		if (acs == ACS_OFF)
			add(missing, step);
		else if (acs == ACS_UNKNOWN)
			add(unknown, step);
	}
	if (missing->len) {
		finding = say_missing(ctx, missing->str);
	} else if (unknown->len) {
		finding = mp_check_say(ctx, MP_UNSURE,
			"%s: whether ACS is on at %s could not be read", device->bdf,
			unknown->str);
		mp_finding_remedy(finding,
			"Run as root: ACS is in extended configuration "
			"space, which others cannot read.");
	} else if (mp_pci_path_unknown(device)) {
		finding = mp_check_say(ctx, MP_UNSURE,
			"%s: which ports are on its way could not be told.", device->bdf);
		mp_finding_remedy(
			finding, "Run on the live host: lspci -PP -s %s.", device->bdf);
	} else if (!device->parent) {
		finding = mp_check_say(ctx, MP_PASS,
			"%s sits on a root bus: no port is on its way", device->bdf);
		mp_finding_evidence(finding, "bridge above it", "none");
	} else {
		finding = mp_check_say(ctx, MP_PASS,
			"%s: every port up to the root enforces isolation", device->bdf);
	}
	for (const struct mp_pci *step = start; step; step = step->parent)
		acs_evidence(finding, step);
}
