/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A domain of libvirt with the cards in it: a new one, or somebody's with as little changed as
 * it takes. Elements and their meaning: libvirt's formatdomain; what libvirt does by itself
 * (addresses of root ports, the limit of locked memory) is left to it.
 */
#include "config.h"

#include <string.h>

#include "core/pci.h"
#include "core/plan/guest.h"
#include "core/template.h"
#include "vm/generate.h"
#include "vm/xml.h"

struct patch {
	const struct mp_vm_request *request;
	struct mp_vm_output *output;
	struct mp_vm_shape shape;
	xmlNode *domain, *devices;
	bool fresh;     /* ours from the start: comments tell the reasons */
	unsigned index; /* of the last PCI controller, and the last bus that is named */
};

static void G_GNUC_PRINTF(2, 3) changed(struct patch *p, const char *format, ...)
{
	va_list args;

	if (p->fresh)
		return;
	va_start(args, format);
	g_ptr_array_add(p->output->changes, g_strdup_vprintf(format, args));
	va_end(args);
}

static void explain(struct patch *p, xmlNode *parent, const char *why)
{
	if (p->fresh)
		mp_xml_add_comment(parent, why);
}

static bool G_GNUC_PRINTF(3, 4)
	refuse(const struct patch *p, GError **error, const char *format, ...)
{
	g_autofree char *why = NULL;
	va_list args;

	va_start(args, format);
	why = g_strdup_vprintf(format, args);
	va_end(args);
	g_set_error(error, MP_ERROR, MP_ERROR_INPUT, "%s: cannot add a card: %s",
		p->request->patch_name, why);
	return false;
}

/* "0x0a", "10"; FALLBACK where it is not there, or no number. */
static uint64_t number_of(const xmlNode *node, const char *attribute, uint64_t fallback)
{
	g_autofree char *text = mp_xml_get(node, attribute);
	uint64_t number;
	bool hex = text && g_str_has_prefix(text, "0x");

	if (text && mp_parse_uint(hex ? text + 2 : text, hex ? 16 : 10, &number))
		return number;
	return fallback;
}

/* An amount with its unit, "KiB" where none is given; 0: no number, or a unit we don't know. */
#define KIB_MAX (UINT64_C(1) << 40) /* a PiB; more is no size of a VM */

static uint64_t kib_of(const xmlNode *node)
{
	static const struct {
		const char *name;
		uint64_t kib;
	} units[] = {
		{ "KiB", 1 },
		{ "k", 1 },
		{ "MiB", 1024 },
		{ "M", 1024 },
		{ "GiB", 1024 * 1024 },
		{ "G", 1024 * 1024 },
		{ "TiB", 1024 * 1024 * 1024 },
		{ "T", 1024 * 1024 * 1024 },
	};
	g_autofree char *text = mp_xml_text(node);
	g_autofree char *unit = mp_xml_get(node, "unit");
	uint64_t number;

	if (!text || !mp_parse_uint(text, 10, &number))
		return 0;
	for (size_t i = 0; i < G_N_ELEMENTS(units); i++)
		if (!strcmp(units[i].name, unit ? unit : "KiB"))
			return number > KIB_MAX / units[i].kib ? 0
							       : number * units[i].kib;
	return 0;
}

/* --- may it be changed --- */

static bool check_domain(struct patch *p, GError **error)
{
	xmlNode *type = mp_xml_child(mp_xml_child(p->domain, "os"), "type");
	g_autofree char *machine = mp_xml_get(type, "machine");
	g_autofree char *arch = mp_xml_get(type, "arch");

	if (!mp_xml_is(p->domain, "domain"))
		return refuse(p, error, "its first element is <%s>, and not <domain>",
			(const char *)p->domain->name);
	if (!mp_xml_has(p->domain, "type", "kvm") &&
		!mp_xml_has(p->domain, "type", "qemu"))
		return refuse(p, error, "the domain is of another type than kvm or qemu");
	if (arch && strcmp(arch, "x86_64") != 0)
		return refuse(p, error, "its architecture is %s, and not x86_64", arch);
	p->devices = mp_xml_child(p->domain, "devices");
	if (!p->devices)
		return refuse(p, error, "it has no <devices>");
	if (machine && strstr(machine, "q35"))
		return true;
	return refuse(p, error,
		"its machine is %s, which has no PCI Express bus. All addresses in it change "
		"with the machine, so that is not done here: make a domain with machine='q35' "
		"and take the disks and networks over",
		machine ? machine : "not named (i440fx by default)");
}

static unsigned last_index(const struct patch *p)
{
	uint64_t last = 0;

	for (xmlNode *node = p->devices->children; node; node = node->next) {
		const xmlNode *address = mp_xml_child(node, "address");

		if (mp_xml_is(node, "controller") && mp_xml_has(node, "type", "pci"))
			last = MAX(last, number_of(node, "index", 0));
		/* A bus may be named and its controller left to libvirt. */
		if (address && mp_xml_has(address, "type", "pci"))
			last = MAX(last, number_of(address, "bus", 0));
	}
	return (unsigned)MIN(last, 255);
}

/* --- the cards --- */

static bool is_at(const xmlNode *address, const struct mp_pci *device)
{
	return address && number_of(address, "domain", 0) == device->domain &&
	       number_of(address, "bus", 0) == device->bus &&
	       number_of(address, "slot", 0) == device->slot &&
	       number_of(address, "function", 0) == device->function;
}

static xmlNode *hostdev_of(const struct patch *p, const struct mp_pci *device)
{
	for (xmlNode *node = NULL; (node = mp_xml_next(p->devices, node, "hostdev"));)
		if (mp_xml_has(node, "type", "pci") &&
			is_at(mp_xml_child(mp_xml_child(node, "source"), "address"),
				device))
			return node;
	return NULL;
}

static void set_hex(xmlNode *node, const char *name, unsigned digits, uint64_t value)
{
	g_autofree char *text =
		g_strdup_printf("0x%0*" G_GINT64_MODIFIER "x", (int)digits, value);

	mp_xml_set(node, name, text);
}

static void add_address(xmlNode *parent, bool typed, uint32_t domain, unsigned bus,
	unsigned slot, unsigned function, bool multifunction)
{
	xmlNode *address = mp_xml_add(parent, "address");

	if (typed)
		mp_xml_set(address, "type", "pci");
	set_hex(address, "domain", 4, domain);
	set_hex(address, "bus", 2, bus);
	set_hex(address, "slot", 2, slot);
	set_hex(address, "function", 1, function);
	if (multifunction)
		mp_xml_set(address, "multifunction", "on");
}

static void add_hostdev(struct patch *p, const struct mp_plan_card *card,
	const struct mp_pci *device, unsigned bus)
{
	xmlNode *hostdev = mp_xml_add(p->devices, "hostdev");
	bool several = card->functions->len > 1;

	mp_xml_set(hostdev, "mode", "subsystem");
	mp_xml_set(hostdev, "type", "pci");
	mp_xml_set(hostdev, "managed", "yes");
	mp_xml_set(mp_xml_add(hostdev, "driver"), "name", "vfio");
	add_address(mp_xml_add(hostdev, "source"), false, device->domain, device->bus,
		device->slot, device->function, false);
	if (mp_vm_without_rom(device))
		mp_xml_set(mp_xml_add(hostdev, "rom"), "bar", "off");
	add_address(hostdev, true, 0, bus, 0, several ? device->function : 0,
		several && device == card->device);
	changed(p, "hostdev for %s added, on bus 0x%02x", device->bdf, bus);
}

static void add_card(struct patch *p, const struct mp_plan_card *card)
{
	g_autofree char *index = g_strdup_printf("%u", ++p->index);
	xmlNode *port;

	explain(p, p->devices,
		"A root port for the card alone: it gets a bus of its own, as in a real machine, "
		"and its driver finds its link and extended capabilities.");
	port = mp_xml_add(p->devices, "controller");
	mp_xml_set(port, "type", "pci");
	mp_xml_set(port, "index", index);
	mp_xml_set(port, "model", "pcie-root-port");
	changed(p, "pcie-root-port with index %s added", index);
	explain(p, p->devices,
		"The card. managed: libvirt takes it from its driver at the start and gives it "
		"back after; one that is on vfio-pci stays there. rom bar off: nothing is booted "
		"from it.");
	for (guint i = 0; i < card->functions->len; i++)
		add_hostdev(p, card, card->functions->pdata[i], p->index);
}

static const xmlNode *controller_at(const struct patch *p, uint64_t index)
{
	for (xmlNode *node = NULL; (node = mp_xml_next(p->devices, node, "controller"));)
		if (mp_xml_has(node, "type", "pci") &&
			number_of(node, "index", UINT64_MAX) == index)
			return node;
	return NULL;
}

/* A card that the domain has: where it is stays its admin's choice. */
static void keep_hostdev(struct patch *p, const struct mp_pci *device, xmlNode *hostdev)
{
	xmlNode *driver = mp_xml_child(hostdev, "driver");
	const xmlNode *address = mp_xml_child(hostdev, "address");
	const xmlNode *above;

	if (driver && mp_xml_has(driver, "name", "kvm")) {
		mp_xml_set(driver, "name", "vfio");
		changed(p, "driver of the hostdev for %s: vfio, kvm is no more",
			device->bdf);
	}
	if (!address || !mp_xml_has(address, "type", "pci"))
		return;
	above = controller_at(p, number_of(address, "bus", 0));
	if (number_of(address, "bus", 0) == 0 ||
		(above && !mp_xml_has(above, "model", "pcie-root-port") &&
			!mp_xml_has(above, "model", "pcie-switch-downstream-port")))
		mp_vm_add_note(p->output,
			"%s is in the domain already, but not behind a pcie-root-port: its driver "
			"finds no link there; take its <address> out, and libvirt chooses one",
			device->bdf);
}

static bool place_card(struct patch *p, const struct mp_plan_card *card, GError **error)
{
	guint there = 0;

	for (guint i = 0; i < card->functions->len; i++) {
		xmlNode *hostdev = hostdev_of(p, card->functions->pdata[i]);

		if (!hostdev)
			continue;
		there++;
		keep_hostdev(p, card->functions->pdata[i], hostdev);
	}
	if (there == card->functions->len)
		return true;
	if (there)
		return refuse(p, error,
			"it has some functions of %s, and not all; take these out, then run "
			"this again",
			card->path);
	if (p->index >= 255)
		return refuse(p, error, "no PCI bus is left");
	add_card(p, card);
	return true;
}

/* --- the rest of the machine --- */

static xmlNode *demand(struct patch *p, xmlNode *parent, const char *name)
{
	xmlNode *node = mp_xml_child(parent, name);

	if (node)
		return node;
	changed(p, "<%s> added to <%s>", name, (const char *)parent->name);
	return mp_xml_add(parent, name);
}

static void demand_value(
	struct patch *p, xmlNode *node, const char *attribute, const char *value)
{
	if (mp_xml_has(node, attribute, value))
		return;
	mp_xml_set(node, attribute, value);
	changed(p, "<%s>: %s='%s'", (const char *)node->name, attribute, value);
}

static void place_iommu(struct patch *p)
{
	xmlNode *iommu = mp_xml_child(p->devices, "iommu");
	xmlNode *driver, *features;

	if (!iommu && p->shape.virtio_iommu) {
		iommu = mp_xml_add(p->devices, "iommu");
		mp_xml_set(iommu, "model", "virtio");
		changed(p, "virtio <iommu> added");
		return;
	}
	if (!iommu && !p->shape.intel_iommu)
		return;
	if (!iommu) {
		explain(p, p->devices,
			"caching_mode: else VFIO does not see what the guest maps. The IOAPIC is "
			"QEMU's, because an IOMMU that remaps interrupts has to see it.");
		iommu = mp_xml_add(p->devices, "iommu");
		mp_xml_set(iommu, "model", "intel");
		changed(p, "intel <iommu> added");
	}
	if (!mp_xml_has(iommu, "model", "intel"))
		return;
	mp_vm_note_intel_iommu(p->request, p->output);
	driver = demand(p, iommu, "driver");
	demand_value(p, driver, "intremap", "on");
	demand_value(p, driver, "caching_mode", "on");
	features = demand(p, p->domain, "features");
	demand_value(p, demand(p, features, "ioapic"), "driver", "qemu");
}

/* In libvirt from 8.7.0 on. */
static void place_address_bits(struct patch *p)
{
	xmlNode *cpu = mp_xml_child(p->domain, "cpu");
	g_autofree char *bits = g_strdup_printf("%u", p->shape.limit_bits);
	xmlNode *limit;

	if (!p->shape.limit_bits || mp_xml_child(cpu, "maxphysaddr"))
		return;
	if (!cpu || (!mp_xml_has(cpu, "mode", "host-passthrough") &&
			    !mp_xml_has(cpu, "mode", "maximum"))) {
		return; /* QEMU's models have 40 bits, or what the domain says */
	}
	explain(p, cpu,
		"No more address bits than the IOMMU translates: else the guest's firmware may "
		"place BARs where no DMA reaches them.");
	limit = mp_xml_add(cpu, "maxphysaddr");
	mp_xml_set(limit, "mode", "emulate");
	mp_xml_set(limit, "bits", bits);
	changed(p,
		"address bits of the CPU limited to the IOMMU's %s (needs libvirt 8.7)",
		bits);
}

static void place_balloon(struct patch *p)
{
	xmlNode *balloon = mp_xml_child(p->devices, "memballoon");

	if (balloon && mp_xml_has(balloon, "model", "none"))
		return;
	if (balloon)
		mp_xml_remove(balloon);
	explain(p, p->devices,
		"VFIO pins all of the guest's RAM for the card's DMA: a balloon gets nothing "
		"back. libvirt raises the limit of locked memory for that by itself.");
	mp_xml_set(mp_xml_add(p->devices, "memballoon"), "model", "none");
	changed(p, "no balloon: VFIO pins all of the guest's RAM");
}

static void place_memory(struct patch *p)
{
	xmlNode *limit = mp_xml_child(mp_xml_child(p->domain, "memtune"), "hard_limit");
	uint64_t memory = kib_of(mp_xml_child(p->domain, "memory"));
	uint64_t now = kib_of(limit);
	/* What libvirt adds by itself for the BARs of cards and for QEMU. */
	uint64_t least = memory + 1024 * 1024;

	if (limit && now && memory && now < least) {
		g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT, least);

		mp_xml_set(limit, "unit", "KiB");
		mp_xml_set_text(limit, text);
		changed(p,
			"<hard_limit> raised to %s KiB, 1 GiB above the RAM: it limits the "
			"memory that VFIO may lock, too",
			text);
	}
	if (mp_xml_child(p->domain, "maxMemory"))
		mp_vm_add_note(p->output,
			"the domain can have RAM plugged and unplugged (<maxMemory>): what is "
			"taken out is unmapped under the card, and DMA to it faults");
}

static bool place_all(struct patch *p, GError **error)
{
	g_autoptr(GPtrArray) cards = mp_plan_cards(p->request->wish);

	p->index = last_index(p);
	for (guint i = 0; i < cards->len; i++)
		if (!place_card(p, cards->pdata[i], error))
			return false;
	place_iommu(p);
	place_address_bits(p);
	place_balloon(p);
	place_memory(p);
	return true;
}

static char *new_domain(const struct mp_vm_shape *shape)
{
	g_autofree char *name = g_markup_escape_text(shape->name, -1);
	g_autofree char *memory =
		g_strdup_printf("%" G_GUINT64_FORMAT, shape->memory_mib);
	g_autofree char *cores = g_strdup_printf("%" G_GUINT64_FORMAT, shape->cores);
	const char *const places[] = {
		"NAME",
		name,
		"MEMORY",
		memory,
		"CORES",
		cores,
		NULL,
	};

	return mp_template_fill("libvirt/domain.xml", places);
}

/* The cards' files for the guest, which libvirt does not carry. */
static void append_files(struct patch *p)
{
	for (guint i = 0; p->fresh && i < p->output->files->len; i++) {
		const struct mp_vm_guest_file *file = p->output->files->pdata[i];
		g_autofree char *text = g_strdup_printf(
			"Inside the guest, %s:\n\n%s", file->path, file->content);

		mp_xml_add_comment(p->domain, text);
	}
}

bool mp_vm_generate_libvirt(
	const struct mp_vm_request *request, struct mp_vm_output *output, GError **error)
{
	struct patch p = {
		.request = request,
		.output = output,
		.shape = mp_vm_shape_of(request),
		.fresh = !request->patch,
	};
	g_autofree char *made = p.fresh ? new_domain(&p.shape) : NULL;
	g_autoptr(mp_xml) doc = NULL;

	doc = mp_xml_parse(p.fresh ? "new domain" : request->patch_name,
		p.fresh ? made : request->patch,
		p.fresh ? strlen(made) : request->patch_size, error);
	if (!doc)
		return false;
	p.domain = mp_xml_root(doc);
	if (!check_domain(&p, error) || !place_all(&p, error))
		return false;
	append_files(&p);
	output->xml = mp_xml_write(doc);
	return true;
}
