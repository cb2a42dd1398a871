/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The arguments of QEMU that the card needs: the machine, its CPUs and RAM, a root port and
 * vfio-pci for each card. Disks, networks and displays are the reader's.
 */
#include "config.h"

#include <string.h>

#include "core/pci.h"
#include "core/plan/guest.h"
#include "core/quote.h"
#include "core/template.h"
#include "vm/generate.h"

/* Chassis numbers from here on: those of a reader's own root ports are low. */
#define CHASSIS 101

#define ADD(why, ...) mp_vm_add_words(output->arguments, why, __VA_ARGS__, NULL)

static void add_machine(const struct mp_vm_shape *shape, struct mp_vm_output *output)
{
	g_autofree char *memory =
		g_strdup_printf("%" G_GUINT64_FORMAT "M", shape->memory_mib);
	g_autofree char *cores = g_strdup_printf("%" G_GUINT64_FORMAT, shape->cores);
	g_autofree char *cpu = shape->limit_bits
				       ? g_strdup_printf("host,host-phys-bits-limit=%u",
						 shape->limit_bits)
				       : g_strdup("host");

	/* A name from a configuration; a comma would begin an option of -name. */
	g_auto(GStrv) parts = g_strsplit(shape->name, ",", -1);
	g_autofree char *name = g_strjoinv(",,", parts);

	ADD(NULL, "-name", name);
	if (shape->intel_iommu)
		ADD("The chipset with a PCI Express bus. The interrupt controller is split, "
		    "because an IOMMU that remaps interrupts has to see those of the IOAPIC.",
			"-machine", "q35,kernel-irqchip=split");
	else
		ADD("The chipset with a PCI Express bus: on the default one the card is plain "
		    "PCI, without its extended configuration space and its link. The whole "
		    "interrupt controller is in the kernel: then a message of the card goes "
		    "from VFIO through KVM to the guest (irqfd) and never through QEMU.",
			"-machine", "q35,kernel-irqchip=on");
	ADD("Interrupts of the card bypass QEMU only with KVM.", "-accel", "kvm");
	ADD(shape->limit_bits
			? "The host's CPU, but with no more address bits than the IOMMU "
			  "translates: else the guest's firmware may place BARs where no DMA "
			  "reaches them."
			: "The host's CPU, with its address bits.",
		"-cpu", cpu);
	ADD(NULL, "-smp", cores);
	ADD("All of it is pinned from the start: the card may write anywhere. No slots for "
	    "hotplug (RAM that is taken out is unmapped under the card), and no balloon.",
		"-m", memory);
	if (shape->intel_iommu)
		ADD("The virtual IOMMU comes before the devices behind it. caching-mode: else "
		    "VFIO does not see what the guest maps.",
			"-device", "intel-iommu,intremap=on,caching-mode=on");
	else if (shape->virtio_iommu)
		ADD("The virtual IOMMU comes before the devices behind it.", "-device",
			"virtio-iommu-pci");
}

static void add_hugepages(const struct mp_vm_request *request,
	const struct mp_vm_shape *shape, struct mp_vm_output *output)
{
	const char *pages = request->wish->config->hugepages;
	g_autofree char *backend = NULL;

	if (!pages || !strcmp(pages, "off"))
		return;
	backend = g_strdup_printf("memory-backend-memfd,id=ram,hugetlb=on%s,prealloc=on,"
				  "size=%" G_GUINT64_FORMAT "M",
		!strcmp(pages, "1024") ? ",hugetlbsize=1G"
		: !strcmp(pages, "2")  ? ",hugetlbsize=2M"
				       : "",
		shape->memory_mib);
	ADD("Huge pages, as the configuration says: fewer and larger pages to pin and to "
	    "translate. They have to be reserved on the host.",
		"-object", backend, "-machine", "memory-backend=ram");
}

static void add_function(const struct mp_pci *device, unsigned card, guint index,
	guint count, struct mp_vm_output *output)
{
	bool rom = !mp_vm_without_rom(device);
	g_autoptr(GString) text = g_string_new(NULL);
	g_autofree char *id = count > 1 ? g_strdup_printf("card%u.%u", card, index)
					: g_strdup_printf("card%u", card);

	g_string_printf(text, "vfio-pci,host=%s,id=%s,bus=port%u", device->bdf, id, card);
	if (count > 1)
		g_string_append_printf(text, ",addr=0x0.%x%s", device->function,
			index ? "" : ",multifunction=on");
	if (!rom)
		g_string_append(text, ",rombar=0");
	ADD(rom ? "The card itself, in slot 0 of its port."
		: "The card itself, in slot 0 of its port. rombar=0: nothing is booted from it, "
		  "so the guest's firmware shall not run what its option ROM may hold.",
		"-device", text->str);
}

static void add_card(const struct mp_plan_card *card, unsigned index,
	const struct mp_profile *profile, struct mp_vm_output *output)
{
	g_autofree char *port = g_strdup_printf(
		"pcie-root-port,id=port%u,bus=pcie.0,chassis=%u", index, CHASSIS + index);
	g_autofree char *why = g_strdup_printf(
		"A root port for the card alone: it gets a bus of its own, as in a real machine. "
		"%s",
		profile->irq_delivery == MP_IRQ_DEVICE_PROGRAMMED
			? "This card's driver also looks for QEMU's port above it, and then "
			  "does not try to recover the link by itself."
			: "Drivers find their link and extended capabilities there.");

	ADD(why, "-device", port);
	for (guint i = 0; i < card->functions->len; i++)
		add_function(card->functions->pdata[i], index, i, card->functions->len,
			output);
}

static void note_interrupts(const struct mp_profile *profile, struct mp_vm_output *output)
{
	if (profile->irq_delivery == MP_IRQ_DEVICE_PROGRAMMED)
		mp_vm_add_note(output,
			"the driver of such a card writes its interrupt message into registers "
			"of the card, where no property of vfio-pci translates it: that takes "
			"the options inside the guest. To see these writes in QEMU's trace "
			"(vfio_region_write), for a test only: x-no-mmap=on, which makes every "
			"access slow");
	else
		mp_vm_add_note(output,
			"interrupts stay with their defaults (x-no-kvm-msi=off, "
			"x-no-kvm-msix=off): 'on' sends each through QEMU, to trace them");
}

static const struct mp_profile *profile_of(
	const struct mp_wish *wish, const struct mp_pci *device)
{
	for (guint i = 0; i < wish->devices->len; i++)
		if (wish->devices->pdata[i] == device)
			return wish->profiles->pdata[i];
	return wish->profiles->pdata[0];
}

void mp_vm_generate_qemu(const struct mp_vm_request *request, struct mp_vm_output *output)
{
	struct mp_vm_shape shape = mp_vm_shape_of(request);
	g_autoptr(GPtrArray) cards = mp_plan_cards(request->wish);

	add_machine(&shape, output);
	add_hugepages(request, &shape, output);
	for (guint i = 0; i < cards->len; i++) {
		const struct mp_plan_card *card = cards->pdata[i];

		add_card(card, i, profile_of(request->wish, card->device), output);
	}
	note_interrupts(request->wish->profiles->pdata[0], output);
	mp_vm_add_note(output,
		"each card has to be bound to vfio-pci, with all of its IOMMU group: "
		"'metis-passthrough setup' does that for each boot, 'bind' for now; who runs "
		"QEMU needs /dev/vfio and may lock %" G_GUINT64_FORMAT " MiB of memory",
		shape.memory_mib + 1024);
}

static void append_all(
	GString *text, const char *first, const char *prefix, const char *line)
{
	g_autofree char *comment = mp_template_comment(first, prefix, line);

	g_string_append(text, comment);
}

/* For a place behind a '#', so that the template is a script for the tools, too. */
static void begin_line(GString *text)
{
	g_string_prepend_c(text, '\n');
	g_string_truncate(text, text->len - 1);
}

char *mp_vm_script(const struct mp_vm_request *request, const struct mp_vm_output *output)
{
	g_autoptr(GString) cards = g_string_new(NULL);
	g_autoptr(GString) arguments = g_string_new(NULL);
	g_autoptr(GString) rest = g_string_new(NULL);

	for (guint i = 0; i < request->wish->devices->len; i++) {
		const struct mp_pci *device = request->wish->devices->pdata[i];
		g_autofree char *name = mp_pci_describe(device);
		g_autofree char *line = g_strdup_printf("%s %s", device->bdf, name);

		append_all(cards, "#   ", "#     ", line);
	}
	for (guint i = 0; i < output->arguments->len; i++) {
		const struct mp_vm_words *entry = output->arguments->pdata[i];
		g_autofree char *words = mp_quote_all((const char *const *)entry->words);

		if (entry->why)
			append_all(arguments, "# ", "# ", entry->why);
		g_string_append_printf(arguments, "set -- \"$@\" %s\n", words);
	}
	for (guint i = 0; i < output->notes->len; i++)
		append_all(rest, "# - ", "#   ", output->notes->pdata[i]);
	for (guint i = 0; i < output->files->len; i++) {
		const struct mp_vm_guest_file *file = output->files->pdata[i];
		g_auto(GStrv) lines = g_strsplit(file->content, "\n", -1);

		g_string_append_printf(
			rest, "#\n# Inside the guest, %s:\n#\n", file->path);
		for (char **line = lines; *line; line++)
			if (**line)
				g_string_append_printf(rest, "#   %s\n", *line);
	}

	begin_line(cards);
	begin_line(arguments);
	begin_line(rest);

	const char *const places[] = {
		"CARDS",
		cards->str,
		"NOTES",
		rest->str,
		"ARGUMENTS",
		arguments->str,
		NULL,
	};
	return mp_template_fill("qemu/vm.sh", places);
}
