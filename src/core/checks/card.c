/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the profile knows about the card, held against this host and this VM. */
#include "config.h"

#include <string.h>

#include "core/check.h"
#include "core/checks/binding.h"
#include "core/checks/common.h"
#include "core/checks/vm-common.h"
#include "core/iommu.h"
#include "core/modules.h"
#include "core/group.h"
#include "core/pci.h"
#include "core/profile.h"
#include "core/vm.h"

/* Whose remapping table a message of the card meets. */
static enum mp_iommu_kind iommu_kind(const struct mp_check_ctx *ctx)
{
	const struct mp_iommu_unit *unit = NULL;

	if (ctx->host->iommu)
		unit = mp_iommu_unit_of(ctx->host, ctx->device);
	if (!unit && ctx->host->iommu && ctx->host->iommu->units->len)
		unit = ctx->host->iommu->units->pdata[0];
	return unit ? unit->kind : MP_IOMMU_OTHER;
}

/* What happens to a message that the guest's driver put into the card. */
static const char *consequence(
	const struct mp_host *host, enum mp_iommu_kind kind, bool guest_remaps)
{
	const struct mp_irq_chips *irq = host->iommu ? &host->iommu->irq : NULL;

	/* Nothing then looks at the message. */
	if (irq && irq->direct_msi && !irq->remapped)
		return "the guest's message raises some interrupt of the host, which remaps none";
	switch (kind) {
	case MP_IOMMU_INTEL:
		return guest_remaps
			       ? "the guest has an Intel vIOMMU, so its driver writes handles of the "
				 "guest's remapping table into the card; the host looks them up in its own "
				 "table and refuses them (fault reason 0x22, or 0x26 where the entry is "
				 "another device's)"
			       : "the guest's driver writes a raw message (0xfee00000...) into the card, "
				 "and the host blocks it (fault reason 0x25)";
	case MP_IOMMU_AMD:
		return "the host reads the guest's vector number as an index into the card's "
		       "own remapping table: the interrupt is refused (IO_PAGE_FAULT with flag "
		       "0x008) or arrives as another one";
	case MP_IOMMU_OTHER:
		break;
	}
	return "the host's IOMMU does not know the guest's message: with interrupt remapping on "
	       "it is refused, without it goes to a vector of the host";
}

static char *join(const GPtrArray *texts, const char *separator)
{
	GString *all = g_string_new(NULL);

	for (guint i = 0; i < texts->len; i++)
		g_string_append_printf(all, "%s%s", all->len ? separator : "",
			(const char *)texts->pdata[i]);
	return g_string_free(all, FALSE);
}

static void delivery_remedy(
	struct mp_finding *finding, const struct mp_profile *profile, bool guest_remaps)
{
	g_autoptr(GString) text = g_string_new("inside the guest: ");
	g_autofree char *options = join(profile->guest_options, "; options ");

	if (profile->guest_driver_min)
		g_string_append_printf(text,
			"use driver %s or later with the firmware that belongs to it%s",
			profile->guest_driver_min, *options ? "; or " : "");
	if (*options)
		g_string_append_printf(text,
			"let the driver poll instead of waiting for interrupts: echo 'options "
			"%s' > /etc/modprobe.d/passthrough.conf, then reload it",
			options);
	if (!profile->guest_driver_min && !*options)
		g_string_append(text, "ask the vendor for a driver that does not program "
				      "interrupts into the device when it runs in a VM");
	if (guest_remaps)
		g_string_append(text,
			". On the host: a vIOMMU does not help such a card; take "
			"it out of the machine setting unless the guest needs it");
	mp_finding_remedy(finding, "%s", text->str);
}

static void card_interrupt_delivery(struct mp_check_ctx *ctx)
{
	const struct mp_profile *profile = ctx->profile;
	const struct mp_vm *vm = ctx->vm;
	bool guest_remaps = vm && mp_vm_remaps_interrupts(vm);
	enum mp_iommu_kind kind = iommu_kind(ctx);
	g_autofree char *unless = NULL;
	struct mp_finding *finding;

	if (mp_say_id_unknown(ctx))
		return;
	if (!mp_profile_is_specific(profile) || !mp_profile_fits(profile, ctx->device)) {
		mp_check_say(ctx, MP_SKIP,
			"No profile says how %s signals its interrupts (profile in use: %s)",
			ctx->device->bdf, profile->name);
		return;
	}
	if (profile->irq_delivery == MP_IRQ_CONFIG_SPACE) {
		finding = mp_check_say(ctx, MP_PASS,
			"%s signals interrupts by MSI or MSI-X alone, which VFIO virtualises",
			ctx->device->bdf);
		mp_finding_evidence(
			finding, profile->name, "interrupts: delivery config-space");
		return;
	}
	if (profile->guest_driver_min)
		unless = g_strdup_printf(
			"unless its driver is %s or later, with the firmware "
			"that belongs to it",
			profile->guest_driver_min);
	if (!vm)
		finding = mp_check_say(ctx, MP_WARN,
			"The driver of %s writes its interrupt message into the card itself, "
			"where VFIO cannot translate it: in a VM%s%s%s %s",
			ctx->device->bdf, unless ? ", " : "", unless ? unless : "",
			unless ? "," : "", consequence(ctx->host, kind, false));
	else
		finding = mp_check_say(ctx, MP_WARN,
			"Interrupts of %s do not arrive in VM %s%s%s: %s",
			ctx->device->bdf, vm->id, unless ? " " : "", unless ? unless : "",
			consequence(ctx->host, kind, guest_remaps));
	mp_finding_evidence(
		finding, profile->name, "interrupts: delivery device-programmed");
	if (vm)
		mp_finding_evidence(finding, vm->source, "machine: %s, %s",
			vm->machine ? vm->machine : "(default)",
			guest_remaps ? "interrupt remapping in the guest"
				     : "no interrupt remapping in the guest");
	if (profile->irq_vectors > 1 && !guest_remaps)
		mp_finding_evidence(finding, profile->name,
			"the card wants %u vectors; a guest without interrupt remapping grants "
			"one",
			profile->irq_vectors);
	for (guint i = 0; i < profile->known_bad->len; i++) {
		const struct mp_known_bad *bad = profile->known_bad->pdata[i];

		mp_finding_evidence(
			finding, profile->name, "%s: %s", bad->what, bad->reason);
	}
	delivery_remedy(finding, profile, guest_remaps);
}

static bool names_driver(const struct mp_profile *profile, const struct mp_fact *driver)
{
	for (guint i = 0; i < profile->drivers->len; i++)
		if (mp_fact_is(driver, profile->drivers->pdata[i]))
			return true;
	return false;
}

static const char *loaded_module(const struct mp_check_ctx *ctx)
{
	for (guint i = 0; i < ctx->profile->modules->len; i++)
		if (mp_module_loaded(ctx->host, ctx->profile->modules->pdata[i]))
			return ctx->profile->modules->pdata[i];
	return NULL;
}

static void keep_away_remedy(struct mp_finding *finding, const struct mp_check_ctx *ctx)
{
	g_autofree char *how = mp_check_how_to_bind(ctx);

	mp_finding_remedy(finding,
		"keep the host's driver off the card: %s; then switch the host off and on once: "
		"only a cold start surely clears what the driver left in %s",
		how, ctx->device->bdf);
}

static void card_host_driver_loaded(struct mp_check_ctx *ctx)
{
	const struct mp_profile *profile = ctx->profile;
	const struct mp_pci *device = ctx->device;
	const struct mp_modules *modules = ctx->host->modules;
	bool stale = profile->irq_delivery == MP_IRQ_DEVICE_PROGRAMMED;
	struct mp_finding *finding;
	const char *loaded;

	if (mp_say_id_unknown(ctx))
		return;
	if ((!profile->modules->len && !profile->drivers->len) ||
		!mp_profile_fits(profile, device)) {
		mp_check_say(ctx, MP_SKIP,
			"The profile %s names no driver of its own for %s", profile->name,
			device->bdf);
		return;
	}
	if (names_driver(profile, &device->driver)) {
		finding = mp_check_say(ctx, stale ? MP_FAIL : MP_WARN,
			"The host's own driver %s has %s now%s", device->driver.text,
			device->bdf,
			stale ? ": the addresses and interrupt messages of the host that it "
				"writes into the card can outlive it and hit the memory of whoever "
				"owns the card next"
			      : "");
		mp_finding_fact(finding, &device->driver);
		keep_away_remedy(finding, ctx);
		return;
	}
	if (device->driver.know == MP_UNKNOWN || !modules ||
		modules->proc_modules.know == MP_UNKNOWN) {
		finding = mp_check_say(ctx, MP_UNSURE,
			"It is not known whether the host's driver for %s is loaded",
			device->bdf);
		mp_finding_fact(finding, &device->driver);
		if (modules)
			mp_finding_fact(finding, &modules->proc_modules);
		mp_finding_remedy(
			finding, "run `lspci -k -s %s` and `lsmod` as root", device->bdf);
		return;
	}
	loaded = loaded_module(ctx);
	/* pci_match_device(): with an override no other driver is even asked. */
	bool kept = device->driver_override.know == MP_KNOWN &&
		    mp_driver_is_vfio(device->driver_override.text);

	if (loaded && kept && !stale) {
		finding = mp_check_say(ctx, MP_PASS,
			"The module %s is loaded on the host, and driver_override keeps %s "
			"from it",
			loaded, device->bdf);
		mp_finding_fact(finding, &device->driver);
		mp_finding_fact(finding, &device->driver_override);
		return;
	}
	if (loaded) {
		finding = mp_check_say(ctx, MP_WARN,
			"The module %s is loaded on the host: it may have had %s since "
			"power-on%s",
			loaded, device->bdf,
			kept ? ""
			     : ", and takes it again as soon as nothing else holds it");
		mp_finding_fact(finding, &device->driver);
		mp_finding_evidence(finding, "/proc/modules", "%s", loaded);
		keep_away_remedy(finding, ctx);
		return;
	}
	finding = mp_check_say(
		ctx, MP_PASS, "The host's own driver for %s is not loaded", device->bdf);
	mp_finding_fact(finding, &device->driver);
}

const struct mp_check mp_checks_card[] = {
	{ "card-interrupt-delivery", MP_SCOPE_DEVICE,
		"the card signals interrupts in a way that works inside a VM",
		"VFIO virtualises MSI and MSI-X: when the guest programs the capability, the "
		"host allocates vectors of its own and writes its own message into the card. "
		"That works as long as the message stays in the capability. Some cards have "
		"interrupt registers of their own (the IMWR registers of a DesignWare DMA "
		"engine, the doorbells of an NTB, a WLAN firmware): their driver copies the "
		"message there, and inside a VM that is the guest's message, which means "
		"nothing to the host.\n\n"
		"What the host does with it: Intel VT-d blocks a raw message with fault reason "
		"0x25. When the guest has an Intel vIOMMU with interrupt remapping, its driver "
		"writes a handle of the guest's table, and the host refuses that with 0x22 (no "
		"such entry) or 0x26 (another device's). AMD takes the vector number as an "
		"index into the card's own table: IO_PAGE_FAULT with the interrupt flag, or a "
		"wrong interrupt. allow_unsafe_interrupts does not help: it only waives the "
		"check before the VM starts. The same was seen with other devices (ath11k, "
		"kernel bugzilla 216055; the patches for it were never merged).\n\n"
		"The verdict is the profile's (interrupts: delivery), so it is no measurement "
		"of this card. Which driver and firmware run inside the guest cannot be seen "
		"from here; that is why it is a warning and not a failure.\n\n"
		"What to do: a driver and firmware that know about VMs (the profile says from "
		"which version), or polling instead of interrupts.",
		card_interrupt_delivery },
	{ "card-host-driver-loaded", MP_SCOPE_DEVICE,
		"the host's own driver for the card is not loaded",
		"A driver that owned the card before the VM leaves traces in it: addresses of "
		"buffers, an armed window for messages, interrupt messages in device "
		"registers. Not every reset clears them; firmware that runs on the card keeps "
		"its state over a function or bus reset. If such an address happens to lie "
		"inside the VM's memory, the card silently overwrites it; if not, the host "
		"logs DMA write faults at an address that no program of the guest ever used. "
		"That includes the moments before the start of a VM: Proxmox VE unbinds the "
		"host's driver only then.\n\n"
		"It fails when a driver that the profile names is bound to a card that keeps "
		"such state (interrupts: device-programmed), warns when it is bound to another "
		"card or when its module is loaded (it may have had the card since power-on), "
		"and passes when neither is so, or when driver_override keeps a card that "
		"holds no such state from the module. Read from driver and driver_override in "
		"/sys/bus/pci/devices/BDF, and from /proc/modules.\n\n"
		"What to do: give the card to vfio-pci at boot, before the host's driver can "
		"take it, and power the host off and on once.",
		card_host_driver_loaded },
	{ NULL },
};
