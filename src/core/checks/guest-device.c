/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a guest sees of the device: its place, its registers, its interrupts. */
#include "config.h"

#include <string.h>

#include "core/checks/common.h"
#include "core/checks/guest.h"
#include "core/memory.h"
#include "core/pci.h"
#include "core/profile.h"
#include "core/selftest-last.h"

/* PCI Express base specification: Device/Port Type, Command register. */
#define TYPE_ROOT_PORT   4u
#define TYPE_DOWNSTREAM  6u
#define TYPE_RC_ENDPOINT 9u
#define OFF_COMMAND      0x04
#define COMMAND_MEMORY   0x02u
#define COMMAND_MASTER   0x04u

#define ROM_BAR          6
/* include/linux/ioport.h */
#define IORESOURCE_MEM   0x00000200ull
#define IORESOURCE_UNSET 0x20000000ull

/* Only the first 64 bytes are shown to ordinary users. */
static bool caps_unread(const struct mp_pci *device)
{
	return device->config_fact.know != MP_KNOWN || device->all_ones ||
	       device->config_size <= 64;
}

static const char *how_to_read(const struct mp_pci *device)
{
	return device->all_ones ? "See device-responds." : "Run as root.";
}

/* --- guest-parent-port --- */

static void say_no_port(struct mp_check_ctx *ctx)
{
	const struct mp_pci *device = ctx->device, *parent = device->parent;
	struct mp_finding *f;

	if (parent)
		f = mp_check_say(ctx, MP_WARN,
			"%s is a PCI Express device behind %s, which is no port of PCI Express",
			device->bdf, parent->bdf);
	else
		f = mp_check_say(ctx, MP_WARN,
			"%s is a PCI Express device directly on the guest's bus: what it has of "
			"PCI Express is hidden in part, and there is no port above it",
			device->bdf);
	mp_finding_fact(f, &device->config_fact);
	mp_finding_remedy(f,
		"On the node: machine q35, and pcie=1 in the hostpci line (`qm set VMID "
		"--machine q35 --hostpci0 ADDRESS,pcie=1`); then stop the VM and start it.");
}

void mp_check_guest_parent_port(struct mp_check_ctx *ctx)
{
	const struct mp_pci *device = ctx->device, *parent = device->parent;
	bool port = parent && parent->pcie.present &&
		    (parent->pcie.type == TYPE_ROOT_PORT ||
			    parent->pcie.type == TYPE_DOWNSTREAM);
	struct mp_finding *f;

	if (port) {
		f = mp_check_say(ctx, MP_PASS, "%s sits behind the %s port %s",
			device->bdf,
			parent->pcie.type == TYPE_ROOT_PORT ? "root" : "downstream",
			parent->bdf);
		mp_finding_fact(f, &parent->vendor_fact);
		mp_finding_fact(f, &parent->device_fact);
		return;
	}
	if (device->place_unknown || caps_unread(device) ||
		(parent && caps_unread(parent))) {
		f = mp_check_say(ctx, MP_UNSURE, "What %s sits behind could not be read",
			device->bdf);
		mp_finding_fact(f, &device->config_fact);
		mp_finding_remedy(f, "%s", how_to_read(device));
		return;
	}
	if (!device->pcie.present) {
		f = mp_check_say(
			ctx, MP_SKIP, "%s is no PCI Express device here", device->bdf);
		mp_finding_fact(f, &device->config_fact);
		return;
	}
	say_no_port(ctx);
}

/* --- guest-decoding --- */

static bool has_memory(const struct mp_pci *device)
{
	for (unsigned i = 0; i < ROM_BAR; i++)
		if (device->bars[i].flags & IORESOURCE_MEM)
			return true;
	return false;
}

void mp_check_guest_decoding(struct mp_check_ctx *ctx)
{
	const struct mp_pci *device = ctx->device;
	bool known = device->config_fact.know == MP_KNOWN && device->config_size >= 6 &&
		     !device->all_ones;
	unsigned command = known ? mp_pci_config16(device, OFF_COMMAND) : 0;
	struct mp_finding *f;

	if (!known || device->driver.know == MP_UNKNOWN) {
		f = mp_check_say(ctx, MP_UNSURE,
			"%s: its command register could not be read", device->bdf);
		mp_finding_fact(f, &device->config_fact);
		mp_finding_remedy(f, "%s", how_to_read(device));
		return;
	}
	if (!mp_guest_is_driven(device)) {
		mp_check_say(ctx, MP_SKIP, "No driver uses %s", device->bdf);
		return;
	}
	if (!(command & COMMAND_MEMORY) && has_memory(device)) {
		f = mp_check_say(ctx, MP_FAIL,
			"%s does not decode its BARs although driver %s has it",
			device->bdf, device->driver.text);
		mp_finding_remedy(f,
			"It was reset behind its driver's back, or never enabled: 'echo %s > "
			"/sys/bus/pci/drivers/%s/unbind', then 'echo %s > "
			"/sys/bus/pci/drivers_probe'; 'journalctl -k -g %s' tells what went "
			"before.",
			device->bdf, device->driver.text, device->bdf, device->bdf);
	} else if (!(command & COMMAND_MASTER)) {
		f = mp_check_say(ctx, MP_WARN,
			"%s may not do DMA (bus master is off) although driver %s has it",
			device->bdf, device->driver.text);
		mp_finding_remedy(f,
			"Right while nobody uses the card, for some drivers; else bind it anew: "
			"'echo %s > /sys/bus/pci/drivers/%s/unbind', then 'echo %s > "
			"/sys/bus/pci/drivers_probe'.",
			device->bdf, device->driver.text, device->bdf);
	} else {
		f = mp_check_say(ctx, MP_PASS, "%s decodes its registers and may do DMA",
			device->bdf);
	}
	mp_finding_evidence(
		f, device->config_fact.source, "command register 0x%04x", command);
}

/* --- guest-memory-map --- */

static bool is_placed(const struct mp_bar *bar)
{
	return bar->flags & IORESOURCE_MEM && !(bar->flags & IORESOURCE_UNSET) &&
	       bar->start;
}

static const struct mp_ram_range *ram_in(
	const struct mp_memory *memory, const struct mp_bar *bar)
{
	for (guint i = 0; i < memory->ram_ranges->len; i++) {
		const struct mp_ram_range *range =
			&g_array_index(memory->ram_ranges, struct mp_ram_range, i);

		if (range->start <= bar->end && bar->start <= range->end)
			return range;
	}
	return NULL;
}

/* True if something was said. */
static bool judge_bar(struct mp_check_ctx *ctx, unsigned n, uint64_t bits)
{
	const struct mp_bar *bar = &ctx->device->bars[n];
	const struct mp_ram_range *ram = ram_in(ctx->host->memory, bar);
	struct mp_finding *f;

	if (ram) {
		f = mp_check_say(ctx, MP_FAIL,
			"%s: BAR %u (0x%" G_GINT64_MODIFIER
			"x) lies in RAM of this guest",
			ctx->device->bdf, n, bar->start);
		mp_finding_evidence(f, ctx->host->memory->ram.source,
			"System RAM 0x%" G_GINT64_MODIFIER "x-0x%" G_GINT64_MODIFIER "x",
			ram->start, ram->end);
		mp_finding_remedy(f,
			"The VM's firmware or kernel placed it wrongly: stop the VM and start it; "
			"if it stays so, take pci=nocrs, memmap= and the like off the kernel "
			"command line.");
		return true;
	}
	if (!bits || bits >= 64 || bar->end >> bits == 0)
		return false;
	f = mp_check_say(ctx, MP_FAIL,
		"%s: BAR %u (0x%" G_GINT64_MODIFIER
		"x) lies beyond the %" G_GUINT64_FORMAT
		" address bits of this guest's CPU",
		ctx->device->bdf, n, bar->start, bits);
	mp_finding_fact(f, &mp_platform_or_none(ctx->host)->phys_bits);
	mp_finding_remedy(f,
		"On the node: give the VM the CPU type 'host', or more address "
		"bits (phys-bits=host); then stop the VM and start it.");
	return true;
}

void mp_check_guest_memory_map(struct mp_check_ctx *ctx)
{
	const struct mp_memory *memory = ctx->host->memory;
	const struct mp_fact *phys = &mp_platform_or_none(ctx->host)->phys_bits;
	const struct mp_pci *device = ctx->device;
	struct mp_finding *f;
	uint64_t bits = 0;

	if (!memory || memory->ram.know != MP_KNOWN ||
		device->resource.know != MP_KNOWN || !mp_fact_uint(phys, 10, &bits)) {
		f = mp_check_say(ctx, MP_UNSURE,
			"%s: the memory map around it could not be read", device->bdf);
		if (memory)
			mp_finding_fact(f, &memory->ram);
		mp_finding_fact(f, &device->resource);
		mp_finding_fact(f, phys);
		mp_finding_remedy(f, "Run as root: /proc/iomem shows zeros to others.");
		return;
	}
	for (unsigned i = 0; i < ROM_BAR; i++)
		if (is_placed(&device->bars[i]) && judge_bar(ctx, i, bits))
			return;
	f = mp_check_say(ctx, MP_PASS, "%s: %s, and no BAR lies in it", device->bdf,
		memory->ram.text);
	mp_finding_fact(f, &memory->ram);
	mp_finding_fact(f, phys);
}

/* --- guest-vectors --- */

/* What is granted now. */
static unsigned granted(const struct mp_pci *device)
{
	if (device->msix.present && device->msix.enabled)
		return device->msi_irq_count;
	return device->msi.present && device->msi.enabled ? device->msi.vectors_enabled
							  : 0;
}

static void say_none(struct mp_check_ctx *ctx)
{
	const struct mp_pci *device = ctx->device;
	bool offered = device->msi.present || device->msix.present;
	bool polls = ctx->profile->guest_options->len && mp_guest_options_set(ctx);
	struct mp_finding *f;

	if (!offered || polls) {
		mp_check_say(ctx, MP_INFO, "%s uses no message-signalled interrupts%s",
			device->bdf, polls ? "; its driver polls" : ": it has none");
		return;
	}
	f = mp_check_say(ctx, MP_WARN,
		"%s has driver %s, and neither MSI nor MSI-X is enabled", device->bdf,
		device->driver.text);
	mp_finding_fact(f, &device->irq);
	mp_finding_remedy(f,
		"'journalctl -k -g \"%s|MSI\"' tells whether the driver asked and was refused; "
		"take pci=nomsi off the kernel command line. A driver that polls needs none.",
		device->bdf);
}

void mp_check_guest_vectors(struct mp_check_ctx *ctx)
{
	const struct mp_pci *device = ctx->device;
	unsigned wanted = ctx->profile->irq_vectors, n = granted(device);
	struct mp_finding *f;

	if (device->driver.know == MP_UNKNOWN || caps_unread(device)) {
		f = mp_check_say(ctx, MP_UNSURE,
			"%s: which interrupts it was granted could not be read",
			device->bdf);
		mp_finding_fact(f, &device->config_fact);
		mp_finding_remedy(f, "%s", how_to_read(device));
		return;
	}
	if (!mp_guest_is_driven(device)) {
		mp_check_say(ctx, MP_SKIP, "No driver of %s asked for interrupts",
			device->bdf);
		return;
	}
	if (!n) {
		say_none(ctx);
		return;
	}
	if (wanted > n)
		f = mp_check_say(ctx, MP_INFO, "%s wants %u vectors and was granted %u%s",
			device->bdf, wanted, n,
			device->msi.enabled && n == 1
				? ": without an IOMMU that remaps interrupts Linux grants one "
				  "of plain MSI"
				: "");
	else
		f = mp_check_say(ctx, MP_PASS, "%s was granted %u vector%s of %s",
			device->bdf, n, MP_PLURAL(n),
			device->msix.enabled ? "MSI-X" : "MSI");
	mp_finding_evidence(f, device->config_fact.source, "%s enabled, %u of %u",
		device->msix.enabled ? "MSI-X" : "MSI", n,
		device->msix.enabled ? device->msix.vectors : device->msi.vectors_max);
	mp_finding_evidence(f, "msi_irqs", "%u", device->msi_irq_count);
}

/* --- guest-selftest --- */

static void remedy(struct mp_finding *f, const struct mp_check_ctx *ctx)
{
	mp_finding_remedy(f,
		"As root, in this guest: metis-passthrough selftest --guest "
		"--device %s",
		ctx->device->bdf);
}

void mp_check_guest_selftest(struct mp_check_ctx *ctx)
{
	const struct mp_selftest_last *last =
		mp_selftest_last(ctx->host, ctx->device->bdf);
	enum mp_selftest_state state;
	g_autofree char *complaint =
		mp_selftest_complaint(ctx->host, ctx->device, &state);
	enum mp_severity severity = MP_PASS;
	struct mp_finding *f;

	switch (state) {
	case MP_SELFTEST_FAILED:
		severity = MP_FAIL;
		break;
	case MP_SELFTEST_UNREADABLE:
	case MP_SELFTEST_OTHER_CARD:
	case MP_SELFTEST_KERNEL_UNKNOWN:
		severity = MP_UNSURE;
		break;
	/* The VM's firmware has no say in what the node's IOMMU does. */
	case MP_SELFTEST_OTHER_BIOS:
	case MP_SELFTEST_BIOS_UNKNOWN:
	case MP_SELFTEST_NO_ISOLATION:
	case MP_SELFTEST_PASSED:
		break;
	case MP_SELFTEST_NONE:
	case MP_SELFTEST_OTHER_KERNEL:
		severity = MP_INFO;
		break;
	}
	if (severity == MP_PASS)
		f = mp_check_say(ctx, MP_PASS,
			"%s: the last self-test passed on this guest's kernel",
			ctx->device->bdf);
	else
		f = mp_check_say(ctx, severity, "%s: %s", ctx->device->bdf, complaint);
	if (severity != MP_PASS)
		remedy(f, ctx);
	if (last)
		mp_finding_fact(f, &last->verdict);
}
