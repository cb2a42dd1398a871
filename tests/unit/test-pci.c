/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "unit.h"

#include "core/pci-config.h"
#include "core/probe-pci.h"
#include "pci-build.h"
#include "sysroot.h"

/* --- addresses --- */

static void addresses_are_strict(void **state G_GNUC_UNUSED)
{
	static const char *const bad[] = { "", "86", "86:00", "86:00.", "86:00.8",
		"86:20.0", "100:00.0", "0000:86:00.0 ", " 86:00.0", "0000:86:00.0.0",
		"123456789:00:00.0", ":86:00.0", "0000::00.0", "g0:00.0", "86:00.00",
		"-1:00.0", "0000:86:00,0", "0x86:00.0" };
	uint8_t bus = 1, slot = 1, function = 1;
	uint32_t domain = 1;

	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		if (mp_pci_parse_bdf(bad[i], &domain, &bus, &slot, &function))
			fail_msg("'%s' is taken for an address", bad[i]);
	assert_false(mp_pci_parse_bdf(NULL, &domain, &bus, &slot, &function));
	assert_int_equal(domain, 1);
	assert_true(mp_pci_parse_bdf("86:1f.7", &domain, &bus, &slot, &function));
	assert_int_equal(domain, 0);
	assert_int_equal(bus, 0x86);
	assert_int_equal(slot, 0x1f);
	assert_int_equal(function, 7);
	assert_true(mp_pci_parse_bdf("10000:E1:00.0", &domain, &bus, &slot, &function));
	assert_int_equal(domain, 0x10000);
	assert_int_equal(bus, 0xe1);
	assert_true(
		mp_pci_parse_bdf("ffffffff:ff:1f.7", &domain, &bus, &slot, &function));
	assert_true(domain == UINT32_MAX);
}

static void addresses_are_spelled_as_the_kernel_does(void **state G_GNUC_UNUSED)
{
	char text[17];

	assert_string_equal(mp_pci_format_bdf(text, 0, 0x86, 0, 0), "0000:86:00.0");
	assert_string_equal(
		mp_pci_format_bdf(text, 0x10000, 0xe1, 0x1f, 7), "10000:e1:1f.7");
	assert_string_equal(
		mp_pci_format_bdf(text, UINT32_MAX, 0xff, 0x1f, 7), "ffffffff:ff:1f.7");
}

static void devices_are_found_by_any_spelling(void **state G_GNUC_UNUSED)
{
	g_autoptr(mp_host) host = mp_host_new("test", false);
	struct mp_pci *plain = model_device(host, "0000:86:00.0");
	struct mp_pci *vmd = model_device(host, "10000:e1:00.0");

	assert_ptr_equal(mp_host_device(host, "86:00.0"), plain);
	assert_ptr_equal(mp_host_device(host, "0:86:0.0"), plain);
	assert_ptr_equal(mp_host_device(host, "10000:E1:00.0"), vmd);
	assert_null(mp_host_device(host, "e1:00.0"));
	assert_null(mp_host_device(host, "nonsense"));
	assert_true(mp_pci_compare(plain, vmd) < 0);
}

/* --- configuration space --- */

static struct mp_pci *parse(
	struct mp_host *host, const struct config *config, size_t size)
{
	g_autoptr(mp_libpci) libpci = NULL;
	struct mp_pci *device = mp_host_alloc(host, sizeof(*device));
	const char *why = NULL;
	uint8_t *copy = g_malloc(size);

	/* Of just the size, so that reading on is an error the sanitizer sees. */
	memcpy(copy, config->bytes, size);
	device->config = mp_host_own(host, copy, g_free);
	device->config_size = size;
	mp_pci_parse_header(device);
	libpci = mp_libpci_new(host, NULL, 0, &why);
	assert_non_null(libpci);
	if (!mp_libpci_parse(libpci, host, device, &why))
		fail_msg("libpci: %s", why);
	return device;
}

static void capabilities_are_decoded(void **state G_GNUC_UNUSED)
{
	g_autoptr(mp_host) host = mp_host_new("test", false);
	struct config c = config_new(0x40);
	struct mp_pci *d;

	config_cap(&c, 0x40, 0x01, 0x50); /* power management */
	put16(&c, 0x44, 0x000b);          /* D3hot, no soft reset */
	config_cap(&c, 0x50, 0x05, 0x70); /* MSI: 32 vectors, 4 on, 64 bit, maskable */
	put16(&c, 0x52, 0x01ab);
	put32(&c, 0x54, 0xfee00578);
	put32(&c, 0x58, 0x1);
	put16(&c, 0x5c, 0x21);
	config_cap(&c, 0x70, 0x10, 0xb0); /* PCI Express endpoint with FLR */
	put16(&c, 0x72, 0x0002);
	put32(&c, 0x74, 1u << 28);
	put32(&c, 0x7c, 0x00000843);
	put16(&c, 0x82, 0x1043);
	config_cap(&c, 0xb0, 0x11, 0); /* MSI-X: 2048 vectors */
	put16(&c, 0xb2, 0x87ff);
	put32(&c, 0xb4, 0x2004);
	put32(&c, 0xb8, 0x3002);
	config_ext_cap(&c, 0x100, 0x0001, 0x140); /* AER */
	config_ext_cap(&c, 0x140, 0x000d, 0x160); /* ACS */
	put16(&c, 0x144, 0x005f);
	put16(&c, 0x146, 0x001d);
	config_ext_cap(&c, 0x160, 0x0003, 0); /* serial number */
	put32(&c, 0x164, 0x89abcdef);
	put32(&c, 0x168, 0x01234567);
	d = parse(host, &c, sizeof(c.bytes));
	assert_int_equal(d->caps_count, 7);
	assert_true(d->pm.present && d->pm.no_soft_reset && d->pm.state == 3);
	assert_true(d->msi.present && d->msi.enabled && d->msi.is64 && d->msi.maskable);
	assert_int_equal(d->msi.vectors_max, 32);
	assert_int_equal(d->msi.vectors_enabled, 4);
	assert_true(d->msi.address == 0x1fee00578);
	assert_int_equal(d->msi.data, 0x21);
	assert_true(d->pcie.present && d->pcie.flr);
	assert_int_equal(d->pcie.type, 0);
	assert_int_equal(d->pcie.link_status, 0x1043);
	assert_true(d->msix.present && d->msix.enabled);
	assert_int_equal(d->msix.vectors, 2048);
	assert_int_equal(d->msix.table_bar, 4);
	assert_int_equal(d->msix.table_offset, 0x2000);
	assert_int_equal(d->msix.pba_bar, 2);
	assert_int_equal(d->msix.pba_offset, 0x3000);
	assert_true(d->aer && d->acs.present);
	assert_int_equal(d->acs.cap, 0x5f);
	assert_int_equal(d->acs.control, 0x1d);
	assert_true(d->serial == 0x0123456789abcdef);
	assert_non_null(mp_pci_cap(d, 0x0d, true));
	assert_null(mp_pci_cap(d, 0x0d, false));
}

static void loops_of_capabilities_end(void **state G_GNUC_UNUSED)
{
	g_autoptr(mp_host) host = mp_host_new("test", false);
	struct config c = config_new(0x40);

	config_cap(&c, 0x40, 0x10, 0x50);
	config_cap(&c, 0x50, 0x09, 0x40);
	config_ext_cap(&c, 0x100, 0x0001, 0x200);
	config_ext_cap(&c, 0x200, 0x000d, 0x100);
	assert_int_equal(parse(host, &c, sizeof(c.bytes))->caps_count, 4);
	/* One that points at itself, and one that points into the header. */
	config_cap(&c, 0x40, 0x05, 0x40);
	assert_int_equal(parse(host, &c, 256)->caps_count, 1);
	config_cap(&c, 0x40, 0x05, 0x04);
	assert_true(parse(host, &c, 256)->caps_count <= 64);
}

/* Every length and every single-byte damage must do no harm. */
static void damaged_configuration_is_harmless(void **state G_GNUC_UNUSED)
{
	struct config c = config_new(0x40);

	config_cap(&c, 0x40, 0x05, 0xf4);
	put16(&c, 0x42, 0x0180);
	config_cap(&c, 0xf4, 0x11, 0xfc);
	config_cap(&c, 0xfc, 0x10, 0);
	config_ext_cap(&c, 0x100, 0x000d, 0xffc);
	config_ext_cap(&c, 0xffc, 0x0003, 0xffc);
	for (size_t size = 64; size <= 4096; size += size < 300 ? 1 : 97) {
		g_autoptr(mp_host) host = mp_host_new("test", false);

		parse(host, &c, size);
	}
	for (unsigned at = 0; at < 260; at++) {
		g_autoptr(mp_host) host = mp_host_new("test", false);
		struct config damaged = c;

		damaged.bytes[at] = 0xff;
		parse(host, &damaged, sizeof(c.bytes));
		damaged.bytes[at] = 0x00;
		parse(host, &damaged, sizeof(c.bytes));
	}
}

static void unread_capabilities_are_not_present(void **state G_GNUC_UNUSED)
{
	g_autoptr(mp_host) host = mp_host_new("test", false);
	struct config c = config_new(0x40);
	struct mp_pci *d;

	config_cap(&c, 0x40, 0x05, 0xf8);
	config_cap(&c, 0xf8, 0x11, 0); /* MSI-X needs 12 bytes, 8 are left */
	d = parse(host, &c, 256);
	assert_true(d->msi.present);
	assert_false(d->msix.present);
	/* Without privileges the list starts where nothing was read. */
	d = parse(host, &c, 64);
	assert_false(d->msi.present);
	assert_int_equal(d->caps_count, 0);
}

static void all_ones_is_no_device(void **state G_GNUC_UNUSED)
{
	g_autoptr(mp_host) host = mp_host_new("test", false);
	struct config c;
	struct mp_pci *d;

	memset(c.bytes, 0xff, sizeof(c.bytes));
	d = parse(host, &c, sizeof(c.bytes));
	assert_true(d->all_ones);
	assert_int_equal(d->caps_count, 0);
	assert_int_equal(d->header_type, 0);
	assert_false(d->multifunction);
	assert_int_equal(d->secondary_bus, 0);
	/* Reads behind the end are ones too. */
	assert_int_equal(mp_pci_config16(d, 4095), 0xffff);
	assert_true(mp_pci_config32(d, 0xfffffff0u) == 0xffffffff);
}

static void resources_are_parsed(void **state G_GNUC_UNUSED)
{
	struct mp_pci d = { NULL };

	mp_pci_parse_resource(&d,
		"0x00000000ee000000 0x00000000ee000fff 0x0000000000140204\n"
		"nonsense\n"
		"0x0000000000002000 0x0000000000001000 0x0000000000000200\n"
		"0x10 0x1f 0x101 0x1\n"
		"0x10 0x1f\n");
	assert_true(d.bars[0].end == 0xee000fff && d.bars[0].flags == 0x140204);
	for (int i = 1; i < MP_BARS; i++)
		assert_true(d.bars[i].flags == 0 && d.bars[i].end == 0);
}

/* --- names --- */

static void names_are_selected(void **state G_GNUC_UNUSED)
{
	g_autoptr(mp_host) host = mp_host_new("test", false);
	struct mp_pci *device = model_device(host, "0000:86:00.0");
	g_autoptr(GString) list =
		g_string_new("# comment\n1111  Other\n\t1100  Not this\n");
	g_autofree char *part = NULL;
	g_autoptr(mp_libpci) libpci = NULL;
	const char *why = NULL;
	size_t size;

	g_string_append(list, "1f9d  Maker\n\t0001  Another\n# comment\n\t1100  Card\n");
	g_string_append(list, "\t\t1f9d 0001  Subsystem\n\t1100  Twice\nzzzz  Broken\n");
	g_string_append(list, "1f9d  Twice\n\t1100  Wrong\n\t\t\t\tdeep\n2000\n");
	for (int i = 0; i < 5000; i++)
		g_string_append_c(list, 'x');
	g_string_append(
		list, "\nC 12  Accelerators\n\t00  Plain accelerators\nC 11  Disorder\n");
	part = mp_pci_ids_select(host, list->str, list->len, &size);
	assert_string_equal(part, "1f9d  Maker\n\t1100  Card\nC 12  Accelerators\n\t00  "
				  "Plain accelerators\n");
	libpci = mp_libpci_new(host, part, size, &why);
	assert_non_null(libpci);
	mp_libpci_name(libpci, host, device);
	assert_string_equal(device->vendor_name, "Maker");
	assert_string_equal(device->device_name, "Card");
	assert_string_equal(device->class_name, "Plain accelerators");
	device->class_code = 0x120100;
	mp_libpci_name(libpci, host, device);
	assert_string_equal(device->class_name, "Accelerators");
	device->device = 0x1101;
	device->device_name = NULL;
	mp_libpci_name(libpci, host, device);
	assert_null(device->device_name);
}

/* libpci stops at a broken list by its error callback: it must come back to us. */
static void broken_names_do_not_end_the_program(void **state G_GNUC_UNUSED)
{
	static const char list[] = "C zz  Broken\n";
	g_autoptr(mp_host) host = mp_host_new("test", false);
	struct mp_pci *device = model_device(host, "0000:86:00.0");
	g_autoptr(mp_libpci) libpci = NULL;
	const char *why = NULL;

	libpci = mp_libpci_new(host, list, strlen(list), &why);
	assert_non_null(libpci);
	mp_libpci_name(libpci, host, device);
	assert_null(device->vendor_name);
}

/* --- the probe --- */

#define DEVICES "sys/bus/pci/devices/"

static struct mp_host *probe(struct sysroot *s, unsigned topics)
{
	g_autoptr(mp_root) root = mp_root_open(s->path, NULL);
	struct mp_host *host = mp_host_new(s->path, false);

	assert_non_null(root);
	mp_probe_pci(host, root, topics);
	mp_probe_groups(host, root, topics);
	return host;
}

static void attribute(
	struct sysroot *s, const char *bdf, const char *name, const char *text)
{
	g_autofree char *path = g_strconcat(DEVICES, bdf, "/", name, NULL);

	sysroot_text(s, path, text);
}

static void config_file(
	struct sysroot *s, const char *bdf, const struct config *config, size_t size)
{
	g_autofree char *path = g_strconcat(DEVICES, bdf, "/config", NULL);

	sysroot_write(s, path, config->bytes, size);
}

static void absurd_values_are_unknown(void **state G_GNUC_UNUSED)
{
	struct sysroot s;

	sysroot_init(&s);
	attribute(&s, "0000:00:01.0", "vendor", "zzz\n");
	attribute(&s, "0000:00:01.0", "device", "0x12345\n");
	attribute(&s, "0000:00:01.0", "class", "\xff\xfe\n");
	attribute(&s, "0000:00:01.0", "driver_override", "(null)\n");
	attribute(&s, "0000:00:01.0", "uevent", "PCI_ID=nonsense\nPCI_CLASS=123456789\n");
	sysroot_text(&s, DEVICES "0000:00:01.0/config", "short");
	sysroot_mkdir(&s, DEVICES "not-a-device");
	sysroot_mkdir(&s, DEVICES "0000:0:1.0");
	for (int i = 0; i < 2; i++) {
		g_autoptr(mp_host) host = probe(&s, i ? MP_TOPIC_ALL : MP_TOPIC_PCI);
		struct mp_pci *d;

		assert_int_equal(host->devices->len, 1);
		d = host->devices->pdata[0];
		assert_int_equal(d->vendor_fact.know, MP_UNKNOWN);
		assert_non_null(d->vendor_fact.why);
		assert_int_equal(d->device_fact.know, MP_UNKNOWN);
		assert_int_equal(d->class_fact.know, MP_UNKNOWN);
		assert_int_equal(d->vendor, 0xffff);
		assert_int_equal(d->config_size, 0);
		if (i) {
			assert_int_equal(d->config_fact.know, MP_UNKNOWN);
			assert_int_equal(d->driver_override.know, MP_ABSENT);
		}
		assert_null(d->group);
	}
	sysroot_clear(&s);
}

/* A list reads one file where checks read many: both must see the same device. */
static void uevent_says_what_the_attributes_say(void **state G_GNUC_UNUSED)
{
	struct sysroot s;

	sysroot_init(&s);
	attribute(&s, "10000:e1:00.0", "vendor", "0x1f9d\n");
	attribute(&s, "10000:e1:00.0", "device", "0x1100\n");
	attribute(&s, "10000:e1:00.0", "subsystem_vendor", "0x1f9d\n");
	attribute(&s, "10000:e1:00.0", "subsystem_device", "0x0001\n");
	attribute(&s, "10000:e1:00.0", "class", "0x020000\n");
	attribute(&s, "10000:e1:00.0", "uevent",
		"DRIVER=axl\nPCI_CLASS=20000\nPCI_ID=1F9D:1100\nPCI_SUBSYS_ID=1F9D:"
		"0001\n");
	sysroot_link(&s, DEVICES "10000:e1:00.0/driver", "../../drivers/axl");
	for (int i = 0; i < 2; i++) {
		g_autoptr(mp_host) host = probe(&s, i ? MP_TOPIC_ALL : MP_TOPIC_PCI);
		struct mp_pci *d = mp_host_device(host, "10000:e1:00.0");

		assert_non_null(d);
		assert_int_equal(d->domain, 0x10000);
		assert_int_equal(d->vendor, 0x1f9d);
		assert_int_equal(d->device, 0x1100);
		assert_int_equal(d->subvendor, 0x1f9d);
		assert_int_equal(d->subdevice, 1);
		assert_int_equal(d->class_code, 0x020000);
		assert_true(mp_fact_is(&d->driver, "axl"));
	}
	sysroot_clear(&s);
}

static void parents_come_from_links(void **state G_GNUC_UNUSED)
{
	struct sysroot s;
	struct mp_pci *port, *card;

	sysroot_init(&s);
	sysroot_mkdir(&s, "sys/devices/pci0000:00/0000:00:01.0/0000:01:00.0");
	sysroot_link(
		&s, DEVICES "0000:00:01.0", "../../../devices/pci0000:00/0000:00:01.0");
	sysroot_link(&s, DEVICES "0000:01:00.0",
		"../../../devices/pci0000:00/0000:00:01.0/0000:01:00.0");
	/* Two that claim to be below each other. */
	sysroot_link(
		&s, DEVICES "0000:02:00.0", "../../../devices/0000:03:00.0/0000:02:00.0");
	sysroot_link(
		&s, DEVICES "0000:03:00.0", "../../../devices/0000:02:00.0/0000:03:00.0");
	sysroot_mkdir(&s, "sys/devices/0000:03:00.0/0000:02:00.0");
	sysroot_mkdir(&s, "sys/devices/0000:02:00.0/0000:03:00.0");
	g_autoptr(mp_host) host = probe(&s, MP_TOPIC_PCI);
	port = mp_host_device(host, "00:01.0");
	card = mp_host_device(host, "01:00.0");
	assert_ptr_equal(card->parent, port);
	assert_null(port->parent);
	assert_int_equal(port->children->len, 1);
	struct mp_pci *a = mp_host_device(host, "02:00.0"),
		      *b = mp_host_device(host, "03:00.0");
	assert_true(!a->parent || !b->parent);
	sysroot_clear(&s);
}

static void parents_come_from_bus_numbers_without_links(void **state G_GNUC_UNUSED)
{
	struct config bridge = config_new(0), card = config_new(0);
	struct sysroot s;

	put8(&bridge, 0x0e, 0x01);
	put8(&bridge, 0x18, 0x85);
	put8(&bridge, 0x19, 0x86);
	put8(&bridge, 0x1a, 0x86);
	sysroot_init(&s);
	attribute(&s, "0000:85:00.0", "vendor", "0x8086\n");
	attribute(&s, "0000:85:00.0", "class", "0x060400\n");
	config_file(&s, "0000:85:00.0", &bridge, 256);
	attribute(&s, "0000:86:00.0", "class", "0x120000\n");
	config_file(&s, "0000:86:00.0", &card, 256);
	/* A bridge that says it is above itself. */
	put8(&bridge, 0x19, 0x10);
	attribute(&s, "0000:10:00.0", "class", "0x060400\n");
	config_file(&s, "0000:10:00.0", &bridge, 256);
	for (int i = 0; i < 2; i++) {
		g_autoptr(mp_host) host = probe(&s, i ? MP_TOPIC_ALL : MP_TOPIC_PCI);

		assert_ptr_equal(mp_host_device(host, "86:00.0")->parent,
			mp_host_device(host, "85:00.0"));
		assert_null(mp_host_device(host, "10:00.0")->parent);
		assert_true(mp_pci_is_bridge(mp_host_device(host, "85:00.0")));
	}
	sysroot_clear(&s);
}

static void slots_and_resets_are_found(void **state G_GNUC_UNUSED)
{
	struct sysroot s;

	sysroot_init(&s);
	attribute(&s, "0000:86:00.0", "vendor", "0x1f9d\n");
	attribute(&s, "0000:86:00.0", "reset", "");
	attribute(&s, "0000:87:03.1", "vendor", "0x1f9d\n");
	attribute(&s, "0000:88:00.0", "vendor", "0x1f9d\n");
	sysroot_text(&s, "sys/bus/pci/slots/6/address", "0000:86:00\n");
	sysroot_text(&s, "sys/bus/pci/slots/7/address", "0000:87\n");
	sysroot_text(&s, "sys/bus/pci/slots/8/address", "nonsense\n");
	g_autoptr(mp_host) host = probe(&s, MP_TOPIC_ALL);
	assert_true(mp_fact_is(&mp_host_device(host, "86:00.0")->slot_name, "6"));
	assert_true(mp_fact_is(&mp_host_device(host, "87:03.1")->slot_name, "7"));
	assert_int_equal(mp_host_device(host, "88:00.0")->slot_name.know, MP_ABSENT);
	assert_int_equal(mp_host_device(host, "86:00.0")->reset.know, MP_KNOWN);
	assert_int_equal(mp_host_device(host, "88:00.0")->reset.know, MP_ABSENT);
	sysroot_clear(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_strict),
		cmocka_unit_test(addresses_are_spelled_as_the_kernel_does),
		cmocka_unit_test(devices_are_found_by_any_spelling),
		cmocka_unit_test(capabilities_are_decoded),
		cmocka_unit_test(loops_of_capabilities_end),
		cmocka_unit_test(damaged_configuration_is_harmless),
		cmocka_unit_test(unread_capabilities_are_not_present),
		cmocka_unit_test(all_ones_is_no_device),
		cmocka_unit_test(resources_are_parsed),
		cmocka_unit_test(names_are_selected),
		cmocka_unit_test(broken_names_do_not_end_the_program),
		cmocka_unit_test(absurd_values_are_unknown),
		cmocka_unit_test(uevent_says_what_the_attributes_say),
		cmocka_unit_test(parents_come_from_links),
		cmocka_unit_test(parents_come_from_bus_numbers_without_links),
		cmocka_unit_test(slots_and_resets_are_found),
	};

	return cmocka_run_group_tests_name("pci", tests, NULL, NULL);
}
