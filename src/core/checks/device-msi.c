/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What VFIO maps and programs: BARs, MSI, MSI-X. */
#include "config.h"

#include "core/checks/device.h"

/* include/linux/ioport.h */
#define IORESOURCE_MEM   0x00000200ull
#define IORESOURCE_UNSET 0x20000000ull

#define ROM_BAR    6
#define PAGE       4096ull /* what VFIO can map at least; x86 */
#define MSIX_ENTRY 16ull   /* bytes in the table for a vector */

#define OFF_INTERRUPT_PIN 0x3d

/* --- device-bars --- */

void mp_check_device_bars(struct mp_check_ctx *ctx)
{
	const struct mp_pci *device = ctx->device;
	g_autoptr(GString) bars = g_string_new(NULL);
	struct mp_finding *finding;
	unsigned used = 0;

	if (device->resource.know != MP_KNOWN) {
		finding = mp_check_say(
			ctx, MP_UNSURE, "%s: its BARs could not be read", device->bdf);
		mp_finding_fact(finding, &device->resource);
		mp_finding_remedy(finding, "Run on the live host, or capture it again.");
		return;
	}
	for (unsigned i = 0; i < ROM_BAR; i++) {
		const struct mp_bar *bar = &device->bars[i];
		uint64_t size = bar->end - bar->start + 1;

		if (!bar->flags)
			continue;
		if (bar->flags & IORESOURCE_UNSET || (!bar->start && bar->end)) {
			finding = mp_check_say(ctx, MP_FAIL,
				"%s: BAR %u (%" G_GUINT64_FORMAT
				" KiB) got no address, so nobody can use it",
				device->bdf, i, size / 1024);
			mp_finding_fact(finding, &device->resource);
			mp_finding_remedy(finding,
				"Switch on 'Above 4G decoding' (and, for very large "
				"BARs, "
				"'Resizable BAR' and a larger MMIO window) in the "
				"firmware; for a "
				"32-bit BAR free space below 4 GiB by removing or "
				"disabling other "
				"devices. 'journalctl -k -g \"BAR.*(no space|failed to "
				"assign)\"' names who lost.");
			return;
		}
		used++;
		g_string_append_printf(bars, "%sBAR %u %" G_GUINT64_FORMAT " KiB%s",
			bars->len ? ", " : "", i, size / 1024,
			bar->flags & IORESOURCE_MEM ? "" : " (I/O ports)");
	}
	if (!used) {
		finding = mp_check_say(ctx, MP_INFO, "%s has no BARs", device->bdf);
		mp_finding_fact(finding, &device->resource);
		return;
	}
	finding = mp_check_say(ctx, MP_PASS, "%s: every BAR has an address", device->bdf);
	mp_finding_evidence(finding, device->resource.source, "%s", bars->str);
}

/* The capabilities of a device are in the part that only root reads. */
static void say_unread(struct mp_check_ctx *ctx, const char *what)
{
	const struct mp_pci *device = ctx->device;
	struct mp_finding *finding =
		mp_check_say(ctx, MP_UNSURE, "%s: %s could not be read%s", device->bdf,
			what, device->all_ones ? ", since it does not answer" : "");

	mp_finding_fact(finding, &device->config_fact);
	mp_finding_remedy(finding,
		device->all_ones ? "See device-responds."
				 : "Run as root: others see only the first 64 bytes of "
				   "configuration space.");
}

static bool caps_unread(const struct mp_pci *device)
{
	return device->config_fact.know != MP_KNOWN || device->all_ones ||
	       device->config_size <= 64;
}

/* --- device-msi --- */

/* The bridge (or device) where msi_bus=0 forbids MSI to all below, or NULL. */
static const struct mp_pci *msi_forbidden_by(const struct mp_pci *device)
{
	for (; device; device = device->parent)
		if (mp_fact_is(&device->msi_bus, "0"))
			return device;
	return NULL;
}

static unsigned vectors_of(const struct mp_pci *device)
{
	if (device->msix.present)
		return device->msix.vectors;
	return device->msi.present ? device->msi.vectors_max : 0;
}

static void msi_missing(struct mp_check_ctx *ctx)
{
	const struct mp_pci *device = ctx->device;
	bool pin = device->config[OFF_INTERRUPT_PIN] != 0;
	struct mp_finding *finding = mp_check_say(ctx, pin ? MP_WARN : MP_INFO,
		pin ? "%s has neither MSI nor MSI-X, only a shared interrupt line (INTx)"
		    : "%s has no interrupts at all",
		device->bdf);

	mp_finding_fact(finding, &device->config_fact);
	mp_finding_fact(finding, &device->irq);
	if (pin)
		mp_finding_remedy(finding,
			"It works only while no host device shares IRQ %s or the card "
			"can mask "
			"INTx (see /proc/interrupts). Move the card to another slot when "
			"VM start "
			"fails with 'Failed to setup INTx fd'.",
			device->irq.know == MP_KNOWN ? device->irq.text : "(unknown)");
}

void mp_check_device_msi(struct mp_check_ctx *ctx)
{
	const struct mp_pci *device = ctx->device, *bridge = msi_forbidden_by(device);
	unsigned vectors = vectors_of(device);
	struct mp_finding *finding;

	if (caps_unread(device)) {
		say_unread(ctx, "its interrupt capabilities");
		return;
	}
	if (!vectors) {
		msi_missing(ctx);
		return;
	}
	if (bridge) {
		finding = mp_check_say(ctx, MP_FAIL,
			"%s may not use MSI: %s has msi_bus=0", device->bdf, bridge->bdf);
		mp_finding_fact(finding, &bridge->msi_bus);
		mp_finding_remedy(finding,
			"'echo 1 > /sys/bus/pci/devices/%s/msi_bus', then bind the card "
			"anew. If "
			"nobody wrote a 0 there, the kernel knows the bridge as unable "
			"(a quirk) "
			"or was started with pci=nomsi.",
			bridge->bdf);
		return;
	}
	if (ctx->profile && ctx->profile->irq_vectors > vectors) {
		finding = mp_check_say(ctx, MP_WARN,
			"%s offers fewer vectors (%u) than a %s is expected to have (%u)",
			device->bdf, vectors, ctx->profile->name,
			ctx->profile->irq_vectors);
		mp_finding_remedy(finding, "Check that this is the card and firmware "
					   "that the profile describes.");
	} else {
		finding = mp_check_say(ctx, MP_PASS, "%s has %s with up to %u vector%s",
			device->bdf, device->msix.present ? "MSI-X" : "MSI", vectors,
			vectors == 1 ? "" : "s");
	}
	mp_finding_fact(finding, &device->config_fact);
	if (device->msi.present)
		mp_finding_evidence(finding, "MSI capability",
			"%s, vectors: %u of %u%s%s",
			device->msi.enabled ? "enabled" : "disabled",
			device->msi.enabled ? device->msi.vectors_enabled : 0,
			device->msi.vectors_max, device->msi.is64 ? ", 64 bit" : "",
			device->msi.maskable ? ", maskable" : "");
	if (device->msix.present)
		mp_finding_evidence(finding, "MSI-X capability", "%s, vectors: %u",
			device->msix.enabled ? "enabled" : "disabled",
			device->msix.vectors);
}

/* --- device-msix-shared-page --- */

/* True if the page that holds OFFSET of BAR begins with the MSI-X table or its PBA. */
static bool page_is_msix(const struct mp_msix *msix, unsigned bar, uint64_t offset)
{
	uint64_t page = offset & ~(PAGE - 1);
	uint64_t table_end = msix->table_offset + MSIX_ENTRY * msix->vectors;
	uint64_t pba_end = msix->pba_offset + 8 * ((msix->vectors + 63) / 64);

	return (bar == msix->table_bar && page >= msix->table_offset &&
		       page < table_end) ||
	       (bar == msix->pba_bar && page >= msix->pba_offset && page < pba_end);
}

void mp_check_device_msix_page(struct mp_check_ctx *ctx)
{
	const struct mp_pci *device = ctx->device;
	const struct mp_msix *msix = &device->msix;
	struct mp_finding *finding;

	if (caps_unread(device)) {
		say_unread(ctx, "whether it has MSI-X");
		return;
	}
	if (!msix->present) {
		mp_check_say(ctx, MP_SKIP, "%s has no MSI-X", device->bdf);
		return;
	}
	bool table = page_is_msix(msix, msix->table_bar, msix->table_offset);
	bool pba = page_is_msix(msix, msix->pba_bar, msix->pba_offset);
	if (table && pba) {
		finding = mp_check_say(ctx, MP_PASS,
			"%s: MSI-X table and PBA begin their own pages", device->bdf);
	} else {
		finding = mp_check_say(ctx, MP_WARN,
			"%s: its MSI-X %s a page with other registers", device->bdf,
			!table && !pba ? "table and PBA share"
			: !table       ? "table shares"
				       : "PBA shares");
		mp_finding_remedy(finding, "With QEMU, accesses to that page are "
					   "trapped: correct, but slow, and "
					   "some drivers time out. Prefer current QEMU; "
					   "when the driver in the guest "
					   "is slow or times out, try "
					   "'x-msix-relocation=auto' on the vfio-pci "
					   "device.");
	}
	mp_finding_evidence(finding, "MSI-X capability",
		"table BAR %u offset 0x%x (%u vectors), PBA BAR %u offset 0x%x",
		msix->table_bar, msix->table_offset, msix->vectors, msix->pba_bar,
		msix->pba_offset);
}
