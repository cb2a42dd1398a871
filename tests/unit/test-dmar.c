/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <stdio.h>

#include "unit.h"

#include "core/acpi.h"
#include "core/dmar.h"
#include "core/host.h"
#include "core/pci.h"
#include "seeds.h"

static struct mp_dmar *load(struct mp_host *host, const char *name, const char **problem)
{
	gsize size;
	g_autofree uint8_t *data = seed_read("dmar", name, &size);

	return mp_dmar_parse(host, data, size, problem);
}

static void valid_tables_are_read_to_their_end_and_others_are_told(
	void **state G_GNUC_UNUSED)
{
	g_autofree char *path = seed_path("dmar", NULL);
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	unsigned valid = 0, broken = 0;
	const char *name;

	assert_non_null(dir);
	while ((name = g_dir_read_name(dir))) {
		g_autoptr(mp_host) host = mp_host_new("test", false);
		const char *problem = NULL;
		struct mp_dmar *dmar = load(host, name, &problem);

		if (g_str_has_prefix(name, "valid-")) {
			valid++;
			if (!dmar || problem || dmar->problem)
				fail_msg("%s: %s", name, problem ? problem : "no table");
			assert_true(dmar->checksum_ok);
			continue;
		}
		broken++;
		if (!problem)
			fail_msg("%s: nobody saw what is wrong", name);
	}
	assert_true(valid >= 6);
	assert_true(broken >= 15);
}

static void what_was_read_stays(void **state G_GNUC_UNUSED)
{
	g_autoptr(mp_host) host = mp_host_new("test", false);
	const char *problem = NULL;
	struct mp_dmar *dmar = load(host, "cut-before-last-structure", &problem);

	assert_non_null(dmar);
	assert_non_null(problem);
	assert_int_equal(dmar->units->len, 1);
	assert_int_equal(dmar->flags, MP_DMAR_FLAG_INTR_REMAP);
	assert_false(dmar->checksum_ok);

	dmar = load(host, "structure-of-length-zero", &problem);
	assert_non_null(dmar);
	assert_int_equal(dmar->units->len, 0);
	assert_string_equal(problem, "a remapping structure of length zero");
}

static void a_server_table_is_understood(void **state G_GNUC_UNUSED)
{
	g_autoptr(mp_host) host = mp_host_new("test", false);
	const char *problem = NULL;
	struct mp_dmar *dmar = load(host, "valid-xeon-two-sockets", &problem);
	const struct mp_dmar_unit *unit;

	assert_non_null(dmar);
	assert_int_equal(dmar->address_width, 46);
	assert_int_equal(mp_dmar_count(dmar, MP_DMAR_DRHD), 3);
	assert_int_equal(mp_dmar_count(dmar, MP_DMAR_RMRR), 2);
	assert_int_equal(mp_dmar_count(dmar, MP_DMAR_RHSA), 3);
	assert_int_equal(mp_dmar_count(dmar, MP_DMAR_ANDD), 1);
	unit = dmar->units->pdata[3];
	assert_int_equal(unit->type, MP_DMAR_RMRR);
	assert_true(unit->base == 0x6ba9c000 && unit->limit == 0x6ba9efff);
	assert_non_null(mp_dmar_drhd_of_ioapic(dmar, 10));
	assert_true(mp_dmar_drhd_of_ioapic(dmar, 10)->base == 0xe0ffc000);
	assert_null(mp_dmar_drhd_of_ioapic(dmar, 11));
}

static struct mp_pci *add(struct mp_host *host, const char *bdf, struct mp_pci *parent)
{
	struct mp_pci *device = mp_host_alloc(host, sizeof(*device));

	device->bdf = mp_host_str(host, bdf);
	assert_int_equal(sscanf(bdf, "%x:%hhx:%hhx.%hhx", &device->domain, &device->bus,
				 &device->slot, &device->function),
		4);
	device->parent = parent;
	g_ptr_array_add(host->devices, device);
	g_hash_table_insert(host->by_bdf, (void *)device->bdf, device);
	return device;
}

static struct mp_pci *add_bridge(
	struct mp_host *host, const char *bdf, struct mp_pci *parent, uint8_t bus)
{
	struct mp_pci *bridge = add(host, bdf, parent);

	bridge->header_type = 1;
	bridge->class_code = 0x060400;
	bridge->secondary_bus = bridge->subordinate_bus = bus;
	return bridge;
}

static void explicit_scopes_come_before_the_rest(void **state G_GNUC_UNUSED)
{
	g_autoptr(mp_host) host = mp_host_new("test", false);
	const char *problem = NULL;
	struct mp_dmar *dmar = load(host, "valid-xeon-two-sockets", &problem);
	struct mp_pci *port = add_bridge(host, "0000:85:00.0", NULL, 0x86);
	struct mp_pci *card = add(host, "0000:86:00.0", port);
	struct mp_pci *vf = add(host, "0000:86:00.4", NULL);
	struct mp_pci *usb = add(host, "0000:00:14.0", NULL);
	struct mp_pci *other = add(host, "0001:86:00.0", NULL);
	struct mp_pci *vmd = add(host, "10000:01:00.0", NULL);
	const struct mp_dmar_unit *rmrr_usb, *rmrr_card;

	assert_non_null(dmar);
	/* A bridge's scope holds what is below it, and the bridge itself. */
	assert_true(mp_dmar_drhd_of(host, dmar, card)->base == 0xe0ffc000);
	assert_true(mp_dmar_drhd_of(host, dmar, port)->base == 0xe0ffc000);
	assert_true(mp_dmar_drhd_of(host, dmar, usb)->base == 0x9d7fc000);
	assert_null(mp_dmar_drhd_of(host, dmar, other));
	assert_null(mp_dmar_drhd_of(host, dmar, vmd));
	/* A virtual function without a parent of its own follows its physical function.
	 */
	assert_true(mp_dmar_drhd_of(host, dmar, vf)->base == 0x9d7fc000);
	vf->physfn = mp_fact_known(host, "test", "0000:86:00.0");
	assert_true(mp_dmar_drhd_of(host, dmar, vf)->base == 0xe0ffc000);

	rmrr_usb = dmar->units->pdata[3];
	rmrr_card = dmar->units->pdata[4];
	assert_true(mp_dmar_unit_names(host, rmrr_usb, usb));
	assert_false(mp_dmar_unit_names(host, rmrr_usb, card));
	/* The path 85:00.0 -> 00.0 goes through the bridge's secondary bus. */
	assert_true(mp_dmar_unit_names(host, rmrr_card, card));
	assert_false(mp_dmar_unit_names(host, rmrr_card, port));
	port->secondary_bus = 0x90;
	assert_false(mp_dmar_unit_names(host, rmrr_card, card));
}

static void circles_end(void **state G_GNUC_UNUSED)
{
	g_autoptr(mp_host) host = mp_host_new("test", false);
	struct mp_dmar_scope scope = {
		.type = MP_DMAR_SCOPE_BRIDGE, .bus = 0, .path_length = MP_DMAR_PATH_MAX
	};
	struct mp_pci *bridge = add_bridge(host, "0000:00:1c.0", NULL, 0);
	struct mp_pci *loop = add_bridge(host, "0000:01:00.0", bridge, 1);
	struct mp_dmar_unit unit = { .type = MP_DMAR_DRHD };

	for (unsigned i = 0; i < MP_DMAR_PATH_MAX; i++)
		scope.path[i].device = i ? 0 : 0x1c;
	/* Secondary bus 0 is a bridge that nobody set up. */
	assert_null(mp_dmar_scope_target(host, 0, &scope));
	bridge->secondary_bus = 1;
	assert_ptr_equal(mp_dmar_scope_target(host, 0, &scope), loop);
	bridge->parent = loop; /* parents that go round in a circle */
	unit.scopes = g_array_new(FALSE, FALSE, sizeof(scope));
	scope.path_length = 1;
	g_array_append_val(unit.scopes, scope);
	assert_true(mp_dmar_unit_names(host, &unit, loop));
	bridge->parent = bridge;
	g_array_index(unit.scopes, struct mp_dmar_scope, 0).bus = 1;
	g_array_index(unit.scopes, struct mp_dmar_scope, 0).path[0].device = 0;
	assert_false(mp_dmar_unit_names(host, &unit, bridge));
	g_array_unref(unit.scopes);
}

static void io_apics_of_the_madt(void **state G_GNUC_UNUSED)
{
	g_autoptr(mp_host) host = mp_host_new("test", false);
	uint8_t madt[44 + 8 + 12 + 12] = "APIC";
	const char *problem = NULL;
	GArray *ids;

	madt[4] = sizeof(madt);
	madt[44] = 0, madt[45] = 8;
	madt[52] = 1, madt[53] = 12, madt[54] = 8;
	madt[64] = 1, madt[65] = 12, madt[66] = 9;
	ids = mp_madt_ioapics(host, madt, sizeof(madt), &problem);
	assert_non_null(ids);
	assert_null(problem);
	assert_int_equal(ids->len, 2);
	assert_int_equal(g_array_index(ids, uint8_t, 0), 8);
	assert_int_equal(g_array_index(ids, uint8_t, 1), 9);
	madt[65] = 0;
	ids = mp_madt_ioapics(host, madt, sizeof(madt), &problem);
	assert_int_equal(ids->len, 1);
	assert_non_null(problem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(valid_tables_are_read_to_their_end_and_others_are_told),
		cmocka_unit_test(what_was_read_stays),
		cmocka_unit_test(a_server_table_is_understood),
		cmocka_unit_test(explicit_scopes_come_before_the_rest),
		cmocka_unit_test(circles_end),
		cmocka_unit_test(io_apics_of_the_madt),
	};

	return cmocka_run_group_tests_name("dmar", tests, NULL, NULL);
}
