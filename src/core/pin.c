/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <inttypes.h>
#include <string.h>

#include "core/group.h"
#include "core/pin.h"

static char *subsystem_of(const struct mp_pci *device)
{
	return g_strdup_printf("%04x:%04x", device->subvendor, device->subdevice);
}

static char *serial_of(const struct mp_pci *device)
{
	return device->serial ? g_strdup_printf("0x%016" PRIx64, device->serial) : NULL;
}

/* "0x00e0..." and "0xe0..." are one number. */
static bool same_serial(const char *a, uint64_t b)
{
	uint64_t number;

	return g_str_has_prefix(a, "0x") && mp_parse_uint(a + 2, 16, &number) &&
	       number == b;
}

/* Whether the extended capabilities, where the serial number stands, could be read. */
static bool serial_is_known(const struct mp_pci *device)
{
	return device->serial || device->config_size > 256 ||
	       (device->config_size == 256 && !device->pcie.present);
}

/* A subsystem is part of a type 0 header only. 0xffff is what could not be read, in either
 * half; a card that has that number in truth is not told by it. */
static bool subsystem_is_known(const struct mp_pci *device)
{
	return device->subvendor != 0xffff && device->subdevice != 0xffff;
}

enum mp_pin_verdict mp_pin_check(
	const struct mp_host *host, const struct mp_pin *pin, char **why)
{
	const struct mp_pci *device = mp_host_device(host, pin->address);
	char id[10];

	*why = NULL;
	if (!device && host->devices_fact.know == MP_UNKNOWN) {
		*why = g_strdup("the PCI devices could not be listed");
		return MP_PIN_UNSURE;
	}
	if (!device) {
		*why = g_strdup("no PCI device is there");
		return MP_PIN_GONE;
	}
	if (pin->id && mp_pci_id_unknown(device)) {
		*why = g_strdup("its id could not be read");
		return MP_PIN_UNSURE;
	}
	if (pin->id && strcmp(pin->id, mp_pci_id(device, id)) != 0) {
		*why = g_strdup_printf("its id is %s, the pin says %s", id, pin->id);
		return MP_PIN_OTHER;
	}
	g_autofree char *subsystem = subsystem_of(device);

	if (pin->subsystem && !subsystem_is_known(device)) {
		*why = g_strdup("its subsystem could not be read");
		return MP_PIN_UNSURE;
	}
	if (pin->subsystem && strcmp(pin->subsystem, subsystem) != 0) {
		*why = g_strdup_printf("its subsystem is %s, the pin says %s", subsystem,
			pin->subsystem);
		return MP_PIN_OTHER;
	}
	if (pin->serial && !serial_is_known(device)) {
		*why = g_strdup("its serial number could not be read");
		return MP_PIN_UNSURE;
	}
	if (pin->serial && !same_serial(pin->serial, device->serial)) {
		g_autofree char *serial = serial_of(device);

		*why = g_strdup_printf("its serial number is %s, the pin says %s",
			serial ? serial : "none", pin->serial);
		return MP_PIN_OTHER;
	}
	if (pin->slot && device->slot_name.know == MP_UNKNOWN) {
		*why = g_strdup("its slot could not be read");
		return MP_PIN_UNSURE;
	}
	if (pin->slot && (device->slot_name.know != MP_KNOWN ||
				 strcmp(device->slot_name.text, pin->slot) != 0)) {
		*why = g_strdup_printf("its slot is %s, the pin says %s",
			device->slot_name.know == MP_KNOWN ? device->slot_name.text
							   : "not named",
			pin->slot);
		return MP_PIN_OTHER;
	}
	return MP_PIN_SAME;
}

static bool same_model(const struct mp_pin *pin, const struct mp_pci *device)
{
	g_autofree char *subsystem = subsystem_of(device);
	char id[10];

	return !mp_pci_id_unknown(device) && pin->id &&
	       !strcmp(pin->id, mp_pci_id(device, id)) &&
	       (!pin->subsystem || !strcmp(pin->subsystem, subsystem));
}

static bool in_slot(const struct mp_pin *pin, const struct mp_pci *device)
{
	return pin->slot && device->slot_name.know == MP_KNOWN &&
	       !strcmp(device->slot_name.text, pin->slot);
}

/* Functions of one card share its serial number and slot: the one at the same place in the
 * card is meant. */
static bool same_function(const struct mp_pin *pin, const struct mp_pci *device)
{
	uint32_t domain;
	uint8_t bus, slot, function;

	return !mp_pci_parse_bdf(pin->address, &domain, &bus, &slot, &function) ||
	       device->function == function;
}

enum how { BY_SERIAL, BY_SLOT, BY_MODEL };

static bool fits(enum how how, const struct mp_pin *pin, const struct mp_pci *device)
{
	if (!same_model(pin, device))
		return false;
	switch (how) {
	case BY_SERIAL:
		return same_serial(pin->serial, device->serial) &&
		       same_function(pin, device);
	case BY_SLOT:
		return in_slot(pin, device) && same_function(pin, device);
	case BY_MODEL:
		break;
	}
	return true;
}

static guint count(const struct mp_host *host, const struct mp_pin *pin, enum how how,
	struct mp_pci **found)
{
	guint n = 0;

	for (guint i = 0; i < host->devices->len; i++) {
		struct mp_pci *device = host->devices->pdata[i];

		if (!fits(how, pin, device))
			continue;
		*found = device;
		n++;
	}
	return n;
}

struct mp_pci *mp_pin_find(
	const struct mp_host *host, const struct mp_pin *pin, char **why)
{
	enum how how = pin->serial ? BY_SERIAL : pin->slot ? BY_SLOT : BY_MODEL;
	struct mp_pci *found = NULL;
	guint n;

	*why = NULL;
	if (!pin->id) {
		*why = g_strdup("the pin has no id to look for");
		return NULL;
	}
	n = count(host, pin, how, &found);
	if (!n && how == BY_SLOT) /* put into another slot */
		n = count(host, pin, BY_MODEL, &found);
	if (n == 1)
		return found;
	*why = n ? g_strdup_printf(
			   "%u devices fit the pin, and nothing tells them apart", n)
		 : g_strdup_printf("no device %s%s%s is on this host", pin->id,
			   pin->serial ? " with serial number " : "",
			   pin->serial ? pin->serial : "");
	return NULL;
}

struct mp_pin *mp_pin_of(const struct mp_pci *device)
{
	struct mp_pin *pin = g_new0(struct mp_pin, 1);
	char id[10];

	pin->address = g_strdup(device->bdf);
	pin->id = mp_pci_id_unknown(device) ? NULL : g_strdup(mp_pci_id(device, id));
	pin->subsystem = subsystem_is_known(device) ? subsystem_of(device) : NULL;
	pin->serial = serial_of(device);
	pin->slot = device->slot_name.know == MP_KNOWN ? g_strdup(device->slot_name.text)
						       : NULL;
	pin->group_members = g_ptr_array_new_with_free_func(g_free);
	for (guint i = 0; device->group && i < device->group->members->len; i++) {
		const struct mp_pci *member = device->group->members->pdata[i];

		g_ptr_array_add(pin->group_members, g_strdup(member->bdf));
	}
	return pin;
}

void mp_pin_free(struct mp_pin *pin)
{
	if (!pin)
		return;
	g_free(pin->address);
	g_free(pin->id);
	g_free(pin->subsystem);
	g_free(pin->serial);
	g_free(pin->slot);
	if (pin->group_members)
		g_ptr_array_unref(pin->group_members);
	g_free(pin);
}
