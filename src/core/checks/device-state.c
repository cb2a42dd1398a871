/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Is the device alive: configuration space, power, link, errors, place. */
#include "config.h"

#include <string.h>

#include "core/checks/device.h"
#include "core/memory.h"

/* PCI Express Base Specification, Device Status register. */
#define STATUS_CORRECTABLE 0x1
#define STATUS_NONFATAL    0x2
#define STATUS_FATAL       0x4
#define STATUS_UNSUPPORTED 0x8

/* --- device-responds --- */

static void remedy_dead(struct mp_finding *finding, const struct mp_pci *device)
{
	mp_finding_remedy(finding,
		"Stop the VM that has it, then let the kernel find it again: 'echo 1 > "
		"/sys/bus/pci/devices/%s/remove; echo 1 > /sys/bus/pci/rescan'. If it "
		"still reads "
		"as all ones, switch the machine off at the mains for a minute (a warm "
		"reboot "
		"keeps the card's firmware as it is), then check seat, riser and power "
		"cable.",
		device->bdf);
}

void mp_check_device_responds(struct mp_check_ctx *ctx)
{
	const struct mp_pci *device = ctx->device;
	struct mp_finding *finding;

	if (!device->config_size) {
		finding = mp_check_say(ctx, MP_UNSURE,
			"%s: configuration space could not be read", device->bdf);
		mp_finding_fact(finding, &device->config_fact);
		mp_finding_remedy(finding, "Run as root, or capture the host as root.");
		return;
	}
	uint16_t vendor = mp_pci_config16(device, 0), id = mp_pci_config16(device, 2);

	if (device->all_ones) {
		finding = mp_check_say(ctx, MP_FAIL,
			"%s does not answer: its configuration space reads as all ones",
			device->bdf);
		mp_finding_evidence(
			finding, device->config_fact.source, "0x%04x 0x%04x", vendor, id);
		mp_finding_fact(finding, &device->power_state);
		remedy_dead(finding, device);
		return;
	}
	/* A virtual function's ids read as ones by the specification (SR-IOV 1.1, 3.4.1).
	 */
	if (device->physfn.know != MP_KNOWN && device->vendor_fact.know == MP_KNOWN &&
		(vendor != device->vendor || id != device->device)) {
		finding = mp_check_say(ctx, MP_FAIL,
			"%s answers as %04x:%04x, but the kernel found %04x:%04x there",
			device->bdf, vendor, id, device->vendor, device->device);
		mp_finding_evidence(
			finding, device->config_fact.source, "0x%04x 0x%04x", vendor, id);
		mp_finding_fact(finding, &device->vendor_fact);
		mp_finding_fact(finding, &device->device_fact);
		remedy_dead(finding, device);
		return;
	}
	finding = mp_check_say(
		ctx, MP_PASS, "%s answers in configuration space", device->bdf);
	mp_finding_evidence(
		finding, device->config_fact.source, "0x%04x 0x%04x", vendor, id);
}

/* --- device-power-state --- */

/* The kernel has not looked yet: no driver has enabled the device (drivers/pci/probe.c,
 * pci_setup_device(): PCI_UNKNOWN). */
static bool not_looked(const struct mp_pci *device)
{
	return mp_fact_is(&device->power_state, "unknown") && !device->all_ones &&
	       device->config_fact.know == MP_KNOWN;
}

/* The attribute is there since Linux 5.12; before, PMCSR tells. */
static const char *power_state(const struct mp_pci *device)
{
	static const char *const names[] = { "D0", "D1", "D2", "D3hot" };

	if (device->power_state.know == MP_KNOWN && !not_looked(device))
		return device->power_state.text;
	if (device->power_state.know != MP_UNKNOWN && device->pm.present)
		return names[device->pm.state & 3];
	/* A function without the capability knows no other state. */
	return not_looked(device) && device->config_size > 64 ? "D0" : NULL;
}

void mp_check_device_power_state(struct mp_check_ctx *ctx)
{
	const struct mp_pci *device = ctx->device;
	const char *state = power_state(device);
	struct mp_finding *finding;

	if (!state || !strcmp(state, "unknown")) {
		finding = mp_check_say(
			ctx, MP_UNSURE, "%s: the power state is not known", device->bdf);
		mp_finding_fact(finding, &device->power_state);
		mp_finding_remedy(finding,
			"Run as root; where /sys/bus/pci/devices/%s/power_state is "
			"missing, use a "
			"kernel of 5.12 or later.",
			device->bdf);
		return;
	}
	if (device->all_ones) {
		/* The kernel calls everything that does not answer D3cold. */
		finding = mp_check_say(ctx, MP_UNSURE,
			"%s: its power state cannot be judged, since it does not answer",
			device->bdf);
		mp_finding_fact(finding, &device->power_state);
		mp_finding_remedy(finding, "See device-responds.");
		return;
	}
	if (!strcmp(state, "D3cold") || !strcmp(state, "error")) {
		finding = mp_check_say(
			ctx, MP_WARN, "%s is without power now (%s)", device->bdf, state);
		mp_finding_fact(finding, &device->power_state);
		mp_finding_fact(finding, &device->d3cold_allowed);
		mp_finding_fact(finding, &device->power_control);
		mp_finding_remedy(finding,
			"Keep it powered: 'echo 0 > "
			"/sys/bus/pci/devices/%s/d3cold_allowed' and "
			"'echo on > /sys/bus/pci/devices/%s/power/control' (a udev rule "
			"makes it "
			"last), or load vfio-pci with disable_idle_d3=1.",
			device->bdf, device->bdf);
		return;
	}
	finding = mp_check_say(ctx, MP_PASS,
		!strcmp(state, "D0") ? "%s has full power (%s)"
				     : "%s sleeps in %s and is woken when it is opened",
		device->bdf, state);
	mp_finding_fact(finding, &device->power_state);
	if (not_looked(device))
		mp_finding_evidence(finding, device->config_fact.source,
			"%s; the kernel looks when a driver enables the device",
			device->pm.present ? "power management capability"
					   : "no power management capability");
	mp_finding_fact(finding, &device->runtime_status);
}

/* --- device-link --- */

/* "8.0 GT/s PCIe" -> 80; 0: not a speed ("Unknown"). pci_speed_string() prints them. */
static unsigned speed_of(const struct mp_fact *fact)
{
	unsigned whole = 0, tenth = 0;
	const char *p = fact->text;

	if (fact->know != MP_KNOWN || !g_ascii_isdigit(*p))
		return 0;
	for (; g_ascii_isdigit(*p) && whole < 1000; p++)
		whole = whole * 10 + (unsigned)(*p - '0');
	if (*p == '.' && g_ascii_isdigit(p[1])) {
		tenth = (unsigned)(p[1] - '0');
		p += 2;
	}
	return g_str_has_prefix(p, " GT/s") ? whole * 10 + tenth : 0;
}

static unsigned width_of(const struct mp_fact *fact)
{
	uint64_t width;

	/* A dead device reads as 63 or 255; PCIe has up to 32 lanes. */
	return mp_fact_uint(fact, 10, &width) && width <= 32 ? (unsigned)width : 0;
}

static void link_evidence(struct mp_finding *finding, const struct mp_pci *device)
{
	mp_finding_fact(finding, &device->link_speed);
	mp_finding_fact(finding, &device->link_width);
	mp_finding_fact(finding, &device->link_speed_max);
	mp_finding_fact(finding, &device->link_width_max);
	if (!device->parent)
		return;
	mp_finding_fact(finding, &device->parent->link_speed_max);
	mp_finding_fact(finding, &device->parent->link_width_max);
}

static bool has_no_link(const struct mp_pci *device)
{
	return device->link_width.know == MP_ABSENT ||
	       width_of(&device->link_width_max) == 0;
}

void mp_check_device_link(struct mp_check_ctx *ctx)
{
	const struct mp_pci *device = ctx->device, *port = device->parent;
	unsigned speed = speed_of(&device->link_speed),
		 width = width_of(&device->link_width);
	unsigned card_speed = speed_of(&device->link_speed_max);
	unsigned card_width = width_of(&device->link_width_max);
	unsigned port_speed = port ? speed_of(&port->link_speed_max) : 0;
	unsigned port_width = port ? width_of(&port->link_width_max) : 0;
	unsigned can_speed = port_speed ? MIN(card_speed, port_speed) : card_speed;
	unsigned can_width = port_width ? MIN(card_width, port_width) : card_width;
	struct mp_finding *finding;

	if (device->all_ones || device->link_width.know == MP_UNKNOWN ||
		device->link_width_max.know == MP_UNKNOWN) {
		finding = mp_check_say(ctx, MP_UNSURE, "%s: its link cannot be judged%s",
			device->bdf,
			device->all_ones ? ", since it does not answer" : "");
		link_evidence(finding, device);
		mp_finding_remedy(finding, "See device-responds for this device.");
		return;
	}
	if (has_no_link(device)) {
		finding = mp_check_say(ctx, MP_SKIP,
			"%s has no PCI Express link of its own", device->bdf);
		link_evidence(finding, device);
		return;
	}
	if (!width) {
		finding = mp_check_say(ctx, MP_FAIL, "%s: the link is down", device->bdf);
		link_evidence(finding, device);
		remedy_dead(finding, device);
		return;
	}
	if (!speed || !card_speed) {
		finding = mp_check_say(ctx, MP_UNSURE,
			"%s: the speed of its link is not known", device->bdf);
		link_evidence(finding, device);
		mp_finding_remedy(
			finding, "Compare with 'lspci -vv -s %s'.", device->bdf);
		return;
	}
	if (width < can_width || speed < can_speed) {
		finding = mp_check_say(ctx, MP_WARN,
			"%s runs at %u.%u GT/s x%u where card and port can do %u.%u GT/s "
			"x%u",
			device->bdf, speed / 10, speed % 10, width, can_speed / 10,
			can_speed % 10, can_width);
		link_evidence(finding, device);
		mp_finding_remedy(finding,
			"Reseat the card and check riser and slot (a x16 slot may have "
			"fewer "
			"lanes).%s",
			width < can_width ? ""
					  : " A lower speed alone can be power saving of "
					    "an idle card: look "
					    "again under load.");
		return;
	}
	if (card_width > width || card_speed > speed) {
		finding = mp_check_say(ctx, MP_INFO,
			"%s runs at %u.%u GT/s x%u, all that its port gives; the card "
			"could do "
			"%u.%u GT/s x%u",
			device->bdf, speed / 10, speed % 10, width, card_speed / 10,
			card_speed % 10, card_width);
		link_evidence(finding, device);
		return;
	}
	finding = mp_check_say(ctx, MP_PASS, "%s runs at its full %u.%u GT/s x%u",
		device->bdf, speed / 10, speed % 10, width);
	link_evidence(finding, device);
}

/* --- device-aer --- */

/* The number in the last line ("TOTAL_ERR_FATAL 2"); 0 when there is none. *UNREAD is set
 * when there is a counter and it does not tell its number. */
static uint64_t total_errors(const struct mp_fact *fact, bool *unread)
{
	const char *space = fact->know == MP_KNOWN ? strrchr(fact->text, ' ') : NULL;
	uint64_t total;

	if (space && mp_parse_uint(space + 1, 10, &total))
		return total;
	*unread = *unread || fact->know == MP_KNOWN ||
		  (fact->know == MP_UNKNOWN && fact->source);
	return 0;
}

static void aer_total(
	struct mp_finding *finding, const struct mp_fact *fact, uint64_t total)
{
	if (fact->know == MP_KNOWN)
		mp_finding_evidence(
			finding, fact->source, "%" G_GUINT64_FORMAT " in total", total);
	else
		mp_finding_fact(finding, fact);
}

void mp_check_device_aer(struct mp_check_ctx *ctx)
{
	const struct mp_pci *device = ctx->device;
	bool unread = false;
	uint64_t fatal = total_errors(&device->aer_fatal, &unread);
	uint64_t nonfatal = total_errors(&device->aer_nonfatal, &unread);
	uint64_t correctable = total_errors(&device->aer_correctable, &unread);
	uint16_t status = device->pcie.present ? device->pcie.device_status : 0;
	bool counters = device->aer_fatal.know == MP_KNOWN;
	struct mp_finding *finding;

	if (device->all_ones || (!counters && !device->pcie.present &&
					device->config_fact.know != MP_KNOWN)) {
		finding = mp_check_say(ctx, MP_UNSURE,
			"%s: its error registers could not be read", device->bdf);
		mp_finding_fact(finding, &device->config_fact);
		mp_finding_remedy(finding,
			device->all_ones ? "See device-responds." : "Run as root.");
		return;
	}
	if (!counters && !device->pcie.present) {
		mp_check_say(ctx, device->config_size > 64 ? MP_SKIP : MP_UNSURE,
			"%s reports no PCI Express errors%s", device->bdf,
			device->config_size > 64
				? ": it is not a PCI Express device"
				: " that could be read without being root");
		return;
	}
	if (fatal || nonfatal || status & STATUS_FATAL) {
		finding = mp_check_say(ctx, MP_WARN,
			"%s has had uncorrectable PCI Express errors (%" G_GUINT64_FORMAT
			" fatal, %" G_GUINT64_FORMAT " non-fatal)",
			device->bdf, fatal, nonfatal);
		mp_finding_remedy(finding,
			"Read 'journalctl -k -g \"AER|%s\"' for the kind of error. "
			"UnsupReq and "
			"CmpltAbrt while a VM has the card are what an IOMMU answers to "
			"refused "
			"DMA; RxErr, BadTLP and link errors point at slot, riser or "
			"power.",
			device->bdf);
	} else if (unread) {
		finding = mp_check_say(ctx, MP_UNSURE,
			"%s: not all of its error counters could be read", device->bdf);
		mp_finding_remedy(finding,
			"Read them as root: 'grep . /sys/bus/pci/devices/%s/aer_dev_*'.",
			device->bdf);
	} else if (correctable) {
		finding = mp_check_say(ctx, MP_INFO,
			"%s has had %" G_GUINT64_FORMAT
			" corrected PCI Express errors and no other",
			device->bdf, correctable);
	} else {
		finding = mp_check_say(
			ctx, MP_PASS, "%s shows no PCI Express errors", device->bdf);
	}
	aer_total(finding, &device->aer_fatal, fatal);
	aer_total(finding, &device->aer_nonfatal, nonfatal);
	aer_total(finding, &device->aer_correctable, correctable);
	if (device->pcie.present)
		mp_finding_evidence(finding, device->config_fact.source,
			"device status 0x%04x%s%s%s%s", status,
			status & STATUS_CORRECTABLE ? " correctable" : "",
			status & STATUS_NONFATAL ? " non-fatal" : "",
			status & STATUS_FATAL ? " fatal" : "",
			status & STATUS_UNSUPPORTED ? " unsupported-request" : "");
}

/* --- device-numa --- */

void mp_check_device_numa(struct mp_check_ctx *ctx)
{
	static const struct mp_fact never_read;
	const struct mp_pci *device = ctx->device;
	const struct mp_fact *online =
		ctx->host->memory ? &ctx->host->memory->numa_online : &never_read;
	bool one_node = online->know == MP_ABSENT || mp_fact_is(online, "0");
	struct mp_finding *finding;
	int64_t node;

	if (device->numa_node.know == MP_ABSENT || one_node) {
		finding = mp_check_say(
			ctx, MP_PASS, "%s: the host has one NUMA node", device->bdf);
	} else if (!mp_fact_int(&device->numa_node, &node) ||
		   (node < 0 && online->know != MP_KNOWN)) {
		finding = mp_check_say(
			ctx, MP_UNSURE, "%s: its NUMA node is not known", device->bdf);
		mp_finding_remedy(finding, "Run on the live host, or capture it again.");
	} else if (node < 0) {
		finding = mp_check_say(ctx, MP_WARN,
			"%s: the firmware does not say which NUMA node it is on, and the "
			"host has "
			"several (%s)",
			device->bdf, online->text);
		mp_finding_remedy(finding, "Look for a firmware setting such as 'NUMA' "
					   "or 'PCIe _PXM', or find the "
					   "socket of the slot in the board's manual and "
					   "pin the VM there by hand.");
	} else {
		finding = mp_check_say(ctx, MP_INFO,
			"%s is on NUMA node %" G_GINT64_FORMAT
			": memory and CPUs of its VM are best there",
			device->bdf, node);
	}
	mp_finding_fact(finding, &device->numa_node);
	mp_finding_fact(finding, online);
}
