/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "unit.h"

#include "core/pin.h"
#include "pci-build.h"

static struct mp_pci *card(struct mp_host *host, const char *bdf, uint64_t serial)
{
	struct mp_pci *device = model_device(host, bdf);

	device->vendor = 0x1f9d;
	device->device = 0x1100;
	device->vendor_fact = mp_fact_known(host, "vendor", "0x1f9d");
	device->device_fact = mp_fact_known(host, "device", "0x1100");
	device->subvendor = 0x1f9d;
	device->subdevice = 1;
	device->serial = serial;
	device->config_size = 4096;
	device->slot_name = mp_fact_absent(host, "slot");
	return device;
}

static void assert_check(const struct mp_host *host, const struct mp_pin *pin,
	enum mp_pin_verdict verdict, const char *part)
{
	g_autofree char *why = NULL;

	assert_int_equal(mp_pin_check(host, pin, &why), verdict);
	if (part)
		assert_non_null(strstr(why, part));
	else
		assert_null(why);
}

/* Each thing that a pin names can be the one that differs. */
static void test_check(void **state G_GNUC_UNUSED)
{
	g_autoptr(mp_host) host = mp_host_new("test", true);
	struct mp_pci *device = card(host, "0000:86:00.0", 0x1122);

	device->slot_name = mp_fact_known(host, "slot", "3");
	g_autoptr(mp_pin) pin = mp_pin_of(device);

	assert_string_equal(pin->id, "1f9d:1100");
	assert_string_equal(pin->subsystem, "1f9d:0001");
	assert_string_equal(pin->serial, "0x0000000000001122");
	assert_string_equal(pin->slot, "3");
	assert_check(host, pin, MP_PIN_SAME, NULL);

	device->device = 0x1101;
	assert_check(host, pin, MP_PIN_OTHER, "its id is 1f9d:1101");
	device->device = 0x1100;
	device->subdevice = 2;
	assert_check(host, pin, MP_PIN_OTHER, "subsystem is 1f9d:0002");
	device->subdevice = 0xffff;
	assert_check(host, pin, MP_PIN_UNSURE, "its subsystem could not be read");
	g_autoptr(mp_pin) less = mp_pin_of(device);

	assert_null(less->subsystem);
	device->subdevice = 1;
	device->serial = 0x1123;
	assert_check(host, pin, MP_PIN_OTHER, "serial number is 0x0000000000001123");
	/* Not there is a difference; not readable is not. */
	device->serial = 0;
	assert_check(host, pin, MP_PIN_OTHER, "serial number is none");
	device->config_size = 64;
	assert_check(host, pin, MP_PIN_UNSURE, "could not be read");
	device->config_size = 4096;
	device->serial = 0x1122;
	device->slot_name = mp_fact_known(host, "slot", "4");
	assert_check(host, pin, MP_PIN_OTHER, "its slot is 4");
	device->slot_name = mp_fact_unknown(host, "slot", "denied");
	assert_check(host, pin, MP_PIN_UNSURE, "its slot could not be read");
	g_free(pin->slot);
	pin->slot = NULL;
	assert_check(host, pin, MP_PIN_SAME, NULL);
	g_free(pin->address);
	pin->address = g_strdup("0000:87:00.0");
	assert_check(host, pin, MP_PIN_GONE, "no PCI device is there");
	host->devices_fact = mp_fact_unknown(host, "devices", "denied");
	assert_check(host, pin, MP_PIN_UNSURE, "could not be listed");
}

static void test_find(void **state G_GNUC_UNUSED)
{
	g_autoptr(mp_host) host = mp_host_new("test", true);
	struct mp_pci *one = card(host, "0000:86:00.0", 0x1122);
	struct mp_pci *two = card(host, "0000:87:00.0", 0x3344);
	g_autoptr(mp_pin) pin = mp_pin_of(one);
	g_autofree char *why = NULL;

	g_free(pin->address);
	pin->address = g_strdup("0000:90:00.0");
	assert_ptr_equal(mp_pin_find(host, pin, &why), one);
	g_free(pin->serial);
	pin->serial = g_strdup("0x3344");
	assert_ptr_equal(mp_pin_find(host, pin, &why), two);
	g_free(pin->serial);
	pin->serial = g_strdup("0x5566");
	assert_null(mp_pin_find(host, pin, &why));
	assert_non_null(strstr(why, "0x5566"));
	g_free(why);
	/* Without a serial the two cannot be told apart, but by their slot. */
	g_free(pin->serial);
	pin->serial = NULL;
	assert_null(mp_pin_find(host, pin, &why));
	assert_non_null(strstr(why, "2 devices fit"));
	g_free(why);
	two->slot_name = mp_fact_known(host, "slot", "7");
	pin->slot = g_strdup("7");
	assert_ptr_equal(mp_pin_find(host, pin, &why), two);
	/* Another function of the card in that slot is not it. */
	two->function = 1;
	assert_null(mp_pin_find(host, pin, &why));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_find),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
