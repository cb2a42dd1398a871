/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The attributes of one PCI function in sysfs. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "core/probe-pci.h"

#define CONFIG_MAX 4096

/* Offsets in configuration space (PCI Local Bus Specification 3.0, 6.1). */
#define OFF_HEADER_TYPE 0x0e
#define OFF_SECONDARY   0x19
#define OFF_SUBORDINATE 0x1a
#define HEADER_SIZE     64

/* --- identity --- */

/* Numbers in sysfs are written "0x1f9d"; whatever else is there makes no sense. */
static void number(
	struct mp_host *host, struct mp_fact *fact, uint64_t max, uint64_t *value)
{
	uint64_t got;

	if (fact->know != MP_KNOWN)
		return;
	if (mp_fact_uint(fact, 16, &got) && got <= max) {
		*value = got;
		return;
	}
	fact->know = MP_UNKNOWN;
	fact->why =
		mp_host_strf(host, "'%.40s' is not a number of this kind", fact->text);
	fact->text = NULL;
}

static void read_identity(struct mp_host *host, struct mp_pci *device, struct mp_dir *dir)
{
	struct mp_fact subvendor = mp_fact_read_dir(host, dir, "subsystem_vendor");
	struct mp_fact subdevice = mp_fact_read_dir(host, dir, "subsystem_device");
	struct mp_fact revision = mp_fact_read_dir(host, dir, "revision");
	uint64_t v = 0xffff, d = 0xffff, sv = 0xffff, sd = 0xffff, rev = 0,
		 class_code = 0;

	device->vendor_fact = mp_fact_read_dir(host, dir, "vendor");
	device->device_fact = mp_fact_read_dir(host, dir, "device");
	device->class_fact = mp_fact_read_dir(host, dir, "class");
	number(host, &device->vendor_fact, 0xffff, &v);
	number(host, &device->device_fact, 0xffff, &d);
	number(host, &device->class_fact, 0xffffff, &class_code);
	number(host, &subvendor, 0xffff, &sv);
	number(host, &subdevice, 0xffff, &sd);
	number(host, &revision, 0xff, &rev);
	device->vendor = (uint16_t)v;
	device->device = (uint16_t)d;
	device->subvendor = (uint16_t)sv;
	device->subdevice = (uint16_t)sd;
	device->class_code = (uint32_t)class_code;
	device->revision = (uint8_t)rev;
}

static void read_override(struct mp_host *host, struct mp_pci *device, struct mp_dir *dir)
{
	struct mp_fact *fact = &device->driver_override;

	if (fact->why)
		return; /* the read would hang */
	*fact = mp_fact_read_dir(host, dir, "driver_override");
	/* The kernel prints a NULL pointer so (driver_override_show()). */
	if (mp_fact_is(fact, "(null)") || mp_fact_is(fact, ""))
		*fact = mp_fact_absent(host, fact->source);
}

/* --- uevent: most of the identity in one read --- */

/* "1F9D:1100" -> two numbers, or false. */
static bool pair(const char *text, const char *end, uint64_t *a, uint64_t *b)
{
	const char *colon = memchr(text, ':', (size_t)(end - text));
	char left[5], right[5];

	if (!colon || colon - text > 4 || end - colon - 1 > 4)
		return false;
	g_strlcpy(left, text, (gsize)(colon - text) + 1);
	g_strlcpy(right, colon + 1, (gsize)(end - colon));
	return mp_parse_uint(left, 16, a) && mp_parse_uint(right, 16, b);
}

static bool uevent_line(struct mp_host *host, struct mp_pci *device, const char *source,
	const char *line, const char *end)
{
	size_t length = (size_t)(end - line);
	struct mp_fact known = { .know = MP_KNOWN, .source = source };
	uint64_t a, b;

#define STARTS(key) (length > strlen(key) && !memcmp(line, key, strlen(key)))
	if (STARTS("PCI_ID=")) {
		if (!pair(line + 7, end, &a, &b))
			return false;
		device->vendor = (uint16_t)a;
		device->device = (uint16_t)b;
		known.text = g_string_chunk_insert_len(
			host->strings, line + 7, end - line - 7);
		device->vendor_fact = device->device_fact = known;
		return true;
	}
	if (STARTS("PCI_SUBSYS_ID=")) {
		if (!pair(line + 14, end, &a, &b))
			return false;
		device->subvendor = (uint16_t)a;
		device->subdevice = (uint16_t)b;
		return true;
	}
	if (STARTS("PCI_CLASS=")) {
		char number[9];

		if (length > 10 + 8)
			return false;
		g_strlcpy(number, line + 10, length - 10 + 1);
		if (!mp_parse_uint(number, 16, &a) || a > 0xffffff)
			return false;
		device->class_code = (uint32_t)a;
		known.text = mp_host_str(host, number);
		device->class_fact = known;
		return true;
	}
	if (STARTS("DRIVER=")) {
		g_autofree char *name = mp_clean_text(line + 7, length - 7);

		known.text = g_string_chunk_insert_const(host->strings, name);
		device->driver = known;
		return true;
	}
#undef STARTS
	return true;
}

/* Written by the PCI core's pci_uevent() and the driver core's dev_uevent(). */
static bool read_uevent(struct mp_host *host, struct mp_pci *device, struct mp_dir *dir)
{
	const char *source = mp_host_strf(host, "/%s/uevent", device->dir);
	g_autofree char *data = NULL;
	size_t size = 0;

	if (mp_dir_read(dir, "uevent", MP_READ_ATTR, &data, &size) < 0)
		return false;
	device->driver = (struct mp_fact){ .know = MP_ABSENT, .source = source };
	for (const char *line = data, *end; line < data + size; line = end + 1) {
		end = strchrnul(line, '\n');
		if (!uevent_line(host, device, source, line, end))
			return false;
	}
	return device->vendor_fact.know == MP_KNOWN &&
	       device->class_fact.know == MP_KNOWN;
}

void mp_probe_pci_basics(struct mp_host *host, struct mp_pci *device, struct mp_dir *dir)
{
	/* A captured host may lack uevent, or it makes no sense: the attributes decide.
	 */
	if (!read_uevent(host, device, dir)) {
		read_identity(host, device, dir);
		device->driver = mp_fact_link(host, dir, "driver");
	}
	device->group_fact = mp_fact_link(host, dir, "iommu_group");
	device->reset_method = mp_fact_read_dir(host, dir, "reset_method");
}

/* --- resources, configuration space --- */

void mp_pci_parse_resource(struct mp_pci *device, const char *text)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", MP_BARS + 1);

	for (unsigned i = 0; i < MP_BARS && lines[i]; i++) {
		g_auto(GStrv) words = g_strsplit(lines[i], " ", 4);
		struct mp_bar bar;

		if (g_strv_length(words) != 3 ||
			!mp_parse_uint(words[0], 0, &bar.start) ||
			!mp_parse_uint(words[1], 0, &bar.end) ||
			!mp_parse_uint(words[2], 0, &bar.flags) || bar.end < bar.start)
			continue;
		device->bars[i] = bar;
	}
}

static bool all_ones(const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (data[i] != 0xff)
			return false;
	return size > 0;
}

void mp_pci_parse_header(struct mp_pci *device)
{
	device->all_ones =
		all_ones(device->config, MIN(device->config_size, HEADER_SIZE));
	if (device->config_size < HEADER_SIZE || device->all_ones)
		return;
	device->header_type = device->config[OFF_HEADER_TYPE] & 0x7f;
	device->multifunction = device->config[OFF_HEADER_TYPE] & 0x80;
	if (device->header_type == 1 || device->header_type == 2) {
		device->secondary_bus = device->config[OFF_SECONDARY];
		device->subordinate_bus = device->config[OFF_SUBORDINATE];
	}
}

static void read_config(struct mp_host *host, struct mp_pci *device, struct mp_dir *dir,
	struct mp_libpci *libpci, const char *why)
{
	const char *source = mp_host_strf(host, "/%s/config", device->dir);
	char *data = NULL;
	size_t size = 0;
	int err = mp_dir_read(dir, "config", CONFIG_MAX, &data, &size);

	if (err < 0) {
		device->config_fact = mp_fact_errno(host, source, err);
		return;
	}
	device->config = mp_host_own(host, data, g_free);
	device->config_size = size;
	if (size < HEADER_SIZE) {
		device->config_fact = mp_fact_unknown(host, source,
			size ? "shorter than a header of 64 bytes" : "empty");
		device->config_size = 0;
		return;
	}
	mp_pci_parse_header(device);
	device->config_fact = mp_fact_known(host, source,
		mp_host_strf(
			host, "%zu bytes%s", size, device->all_ones ? ", all ones" : ""));
	if (device->all_ones)
		return;
	if (!libpci || !mp_libpci_parse(libpci, host, device, &why))
		device->config_fact = mp_fact_unknown(host, source, why);
}

/* --- the rest --- */

static void read_msi_irqs(struct mp_host *host, struct mp_root *root,
	struct mp_pci *device, struct mp_dir *dir)
{
	const char *path = mp_host_strf(host, "%s/msi_irqs", device->dir);
	g_auto(GStrv) names = NULL;

	if (mp_root_list(root, path, &names) < 0 || !names[0])
		return;
	g_autofree char *first = g_strconcat("msi_irqs/", names[0], NULL);
	struct mp_fact mode = mp_fact_read_dir(host, dir, first);

	device->msi_irq_count = g_strv_length(names);
	if (mp_fact_is(&mode, "msi") || mp_fact_is(&mode, "msix"))
		device->msi_irq_mode = mode.text;
}

/* `reset` is write-only: that it exists is all it tells. */
static void look_for_reset(
	struct mp_host *host, struct mp_root *root, struct mp_pci *device)
{
	const char *path = mp_host_strf(host, "%s/reset", device->dir);
	const char *source = mp_host_strf(host, "/%s", path);
	struct mp_stat st;
	int err = mp_root_stat(root, path, &st);

	device->reset = err < 0 ? mp_fact_errno(host, source, err)
				: mp_fact_known(host, source, "present");
}

void mp_probe_pci_details(struct mp_host *host, struct mp_root *root,
	struct mp_pci *device, struct mp_dir *dir, struct mp_libpci *libpci,
	const char *why)
{
	static const struct {
		size_t at;
		const char *name;
	} attributes[] = {
		{ offsetof(struct mp_pci, reset_method), "reset_method" },
		{ offsetof(struct mp_pci, power_state), "power_state" },
		{ offsetof(struct mp_pci, d3cold_allowed), "d3cold_allowed" },
		{ offsetof(struct mp_pci, power_control), "power/control" },
		{ offsetof(struct mp_pci, runtime_status), "power/runtime_status" },
		{ offsetof(struct mp_pci, enable), "enable" },
		{ offsetof(struct mp_pci, irq), "irq" },
		{ offsetof(struct mp_pci, numa_node), "numa_node" },
		{ offsetof(struct mp_pci, msi_bus), "msi_bus" },
		{ offsetof(struct mp_pci, modalias), "modalias" },
		{ offsetof(struct mp_pci, boot_vga), "boot_vga" },
		{ offsetof(struct mp_pci, link_speed), "current_link_speed" },
		{ offsetof(struct mp_pci, link_width), "current_link_width" },
		{ offsetof(struct mp_pci, link_speed_max), "max_link_speed" },
		{ offsetof(struct mp_pci, link_width_max), "max_link_width" },
		{ offsetof(struct mp_pci, sriov_totalvfs), "sriov_totalvfs" },
		{ offsetof(struct mp_pci, sriov_numvfs), "sriov_numvfs" },
		{ offsetof(struct mp_pci, aer_correctable), "aer_dev_correctable" },
		{ offsetof(struct mp_pci, aer_nonfatal), "aer_dev_nonfatal" },
		{ offsetof(struct mp_pci, aer_fatal), "aer_dev_fatal" },
		{ offsetof(struct mp_pci, resource), "resource" },
	};

	read_identity(host, device, dir);
	for (size_t i = 0; i < G_N_ELEMENTS(attributes); i++) {
		struct mp_fact *fact =
			(struct mp_fact *)((char *)device + attributes[i].at);

		*fact = mp_fact_read_dir(host, dir, attributes[i].name);
	}
	device->driver = mp_fact_link(host, dir, "driver");
	device->driver_module = mp_fact_link(host, dir, "driver/module");
	device->physfn = mp_fact_link(host, dir, "physfn");
	device->group_fact = mp_fact_link(host, dir, "iommu_group");
	read_override(host, device, dir);
	look_for_reset(host, root, device);
	read_msi_irqs(host, root, device, dir);
	if (device->resource.know == MP_KNOWN)
		mp_pci_parse_resource(device, device->resource.text);
	read_config(host, device, dir, libpci, why);
}
