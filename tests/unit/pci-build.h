/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pci-build.h - configuration spaces and small models for the tests of PCI and groups. */
#ifndef MP_PCI_BUILD_H
#define MP_PCI_BUILD_H

#include <string.h>

#include "core/group.h"

struct config {
	uint8_t bytes[4096];
};

static inline void put8(struct config *c, unsigned at, unsigned value)
{
	c->bytes[at] = (uint8_t)value;
}

static inline void put16(struct config *c, unsigned at, unsigned value)
{
	put8(c, at, value & 0xff);
	put8(c, at + 1, value >> 8);
}

static inline void put32(struct config *c, unsigned at, uint32_t value)
{
	put16(c, at, value & 0xffff);
	put16(c, at + 2, value >> 16);
}

/* A header of type 0 with a capability list that begins at FIRST (0: none). */
static inline struct config config_new(unsigned first)
{
	struct config c = { { 0 } };

	put16(&c, 0x00, 0x1f9d);
	put16(&c, 0x02, 0x1100);
	put16(&c, 0x06, first ? 0x10 : 0);
	put8(&c, 0x34, first);
	return c;
}

static inline void config_cap(struct config *c, unsigned at, unsigned id, unsigned next)
{
	put8(c, at, id);
	put8(c, at + 1, next);
}

static inline void config_ext_cap(
	struct config *c, unsigned at, unsigned id, unsigned next)
{
	put32(c, at, id | 1u << 16 | next << 20);
}

/* A device of the model, without looking anywhere. */
static inline struct mp_pci *model_device(struct mp_host *host, const char *bdf)
{
	struct mp_pci *device = mp_host_alloc(host, sizeof(*device));

	assert_true(mp_pci_parse_bdf(
		bdf, &device->domain, &device->bus, &device->slot, &device->function));
	device->bdf = mp_host_str(host, bdf);
	device->dir = mp_host_strf(host, "sys/bus/pci/devices/%s", bdf);
	device->vendor_fact = mp_fact_known(host, "/test/vendor", "0x1f9d");
	device->device_fact = mp_fact_known(host, "/test/device", "0x1100");
	device->class_fact = mp_fact_known(host, "/test/class", "0x120000");
	device->vendor = 0x1f9d;
	device->device = 0x1100;
	device->subvendor = 0x1f9d;
	device->subdevice = 0x0001;
	device->class_code = 0x120000;
	device->driver = mp_fact_absent(host, "/test/driver");
	device->group_fact = mp_fact_absent(host, "/test/iommu_group");
	device->config_fact = mp_fact_known(host, "/test/config", "4096 bytes");
	device->config = mp_host_alloc(host, 4096);
	device->config_size = 4096;
	g_ptr_array_add(host->devices, device);
	g_hash_table_insert(host->by_bdf, (gpointer)device->bdf, device);
	host->devices_fact = mp_fact_known(host, "/test/devices", "some");
	return device;
}

static inline void model_driver(
	struct mp_host *host, struct mp_pci *device, const char *name)
{
	device->driver = mp_fact_known(host, "/test/driver", name);
}

static inline struct mp_group *model_group(struct mp_host *host, unsigned id)
{
	struct mp_group *group = mp_host_alloc(host, sizeof(*group));

	group->id = id;
	group->members = mp_host_array(host);
	group->foreign = mp_host_array(host);
	g_ptr_array_add(host->groups, group);
	host->groups_fact = mp_fact_known(host, "/test/groups", "some");
	return group;
}

static inline void model_join(
	struct mp_host *host, struct mp_group *group, struct mp_pci *device)
{
	device->group = group;
	device->group_fact = mp_fact_known(
		host, "/test/iommu_group", mp_host_strf(host, "%u", group->id));
	g_ptr_array_add(group->members, device);
}

/* Makes DEVICE a PCIe port of TYPE (4 root, 5 up, 6 down) above CHILD. */
static inline void model_port(struct mp_pci *port, unsigned type, struct mp_pci *child)
{
	port->header_type = 1;
	port->class_code = 0x060400;
	port->pcie.present = true;
	port->pcie.type = type;
	port->acs = (struct mp_acs){ .present = true, .cap = 0x5f, .control = 0x1d };
	child->parent = port;
}

#endif
