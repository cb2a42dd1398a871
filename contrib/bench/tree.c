/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tree DIR N: a synthetic host with N PCI functions, each in an IOMMU group of its own, below
 * DIR: as much of sysfs and procfs as the program reads, with the names and formats of a real
 * host. A root complex (PCI domain) holds 16 root ports, each with three functions behind it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	PORTS = 16, /* a root complex */
	BEHIND = 3, /* functions behind a port */
	PER_DOMAIN = PORTS * (1 + BEHIND),
};

struct function {
	unsigned index; /* of the function, and its group's number */
	unsigned domain, bus, slot, func;
	unsigned port; /* number of the root port, from 0 */
	int is_port;
	char bdf[24];
	char dir[128]; /* below DIR */
};

static void fail(const char *path)
{
	fprintf(stderr, "tree: %s: %s\n", path, strerror(errno));
	exit(1);
}

/* Makes the directory and those above it. */
static void make_dir(const char *path)
{
	char part[512];

	snprintf(part, sizeof(part), "%s", path);
	for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(part, 0755) < 0 && errno != EEXIST)
			fail(part);
		*slash = '/';
	}
	if (mkdir(part, 0755) < 0 && errno != EEXIST)
		fail(part);
}

static void put_bytes(const char *dir, const char *name, const void *data, size_t size)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		fail(path);
	close(fd);
}

__attribute__((format(printf, 3, 4))) static void put(
	const char *dir, const char *name, const char *format, ...)
{
	char text[4096];
	va_list ap;
	int size;

	va_start(ap, format);
	size = vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	put_bytes(dir, name, text, (size_t)size);
}

__attribute__((format(printf, 3, 4))) static void put_link(
	const char *dir, const char *name, const char *format, ...)
{
	char path[512], target[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(target, sizeof(target), format, ap);
	va_end(ap);
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (symlink(target, path) < 0)
		fail(path);
}

/* --- a function's configuration space --- */

static void le16(uint8_t *at, uint16_t value)
{
	at[0] = value & 0xff;
	at[1] = value >> 8;
}

static void le32(uint8_t *at, uint32_t value)
{
	le16(at, value & 0xffff);
	le16(at + 2, value >> 16);
}

static void fill_config(const struct function *f, uint8_t *c)
{
	memset(c, 0, 4096);
	le16(c, f->is_port ? 0x8086 : 0x144d);
	le16(c + 2, f->is_port ? 0x347a : 0xa808);
	le16(c + 4, 0x0406);
	le16(c + 6, 0x0010); /* has a capability list */
	c[0x0b] = f->is_port ? 0x06 : 0x01;
	c[0x0a] = f->is_port ? 0x04 : 0x08;
	c[0x09] = f->is_port ? 0x00 : 0x02;
	c[0x0e] = f->is_port ? 0x01 : 0x80 * (f->func == 0);
	if (f->is_port) {
		c[0x19] = c[0x1a] = f->port + 1;
	} else {
		le32(c + 0x10, 0xe0000004 + (f->index << 14));
		le16(c + 0x2c, 0x144d);
		le16(c + 0x2e, 0xa801);
	}
	c[0x34] = 0x40;
	c[0x40] = 0x01; /* power management */
	c[0x41] = 0x50;
	le16(c + 0x42, 0x0003);
	c[0x50] = 0x05; /* MSI, 64 bits */
	c[0x51] = 0x70;
	le16(c + 0x52, 0x008a);
	c[0x70] = 0x10; /* PCI Express 2 */
	c[0x71] = f->is_port ? 0x00 : 0xb0;
	le16(c + 0x72, f->is_port ? 0x0042 : 0x0002);
	le32(c + 0x74, 0x10008fc1); /* FLR */
	le32(c + 0x7c, 0x00475043); /* x4, 8 GT/s */
	le16(c + 0x82, 0x1043);
	c[0xb0] = 0x11; /* MSI-X */
	le16(c + 0xb2, 0x0020);
	le32(c + 0xb4, 0x00003000);
	le32(c + 0xb8, 0x00002000);
	le32(c + 0x100, 0x14820001);              /* AER 2, next at 0x148 */
	le32(c + 0x148, 0x1580000d | 0x00010000); /* ACS */
	le16(c + 0x14c, 0x001f);
	le16(c + 0x14e, 0x001d);
	le32(c + 0x158, 0x00010003); /* device serial number */
	le32(c + 0x15c, f->index);
	le32(c + 0x160, 0x00253800);
}

/* --- a function's directory --- */

static void put_resources(const struct function *f, const char *dir)
{
	char text[13 * 64];
	size_t used = 0;

	for (int i = 0; i < (f->is_port ? 17 : 13) && used + 60 < sizeof(text); i++) {
		uint64_t start =
			i || f->is_port ? 0 : 0xe0000000 + ((uint64_t)f->index << 14);

		used += (size_t)snprintf(text + used, sizeof(text) - used,
			"0x%016lx 0x%016lx 0x%016lx\n", (unsigned long)start,
			(unsigned long)(start ? start + 0x3fff : 0),
			start ? 0x140204ul : 0);
	}
	put_bytes(dir, "resource", text, used);
}

static void put_attributes(const struct function *f, const char *dir)
{
	const char *class = f->is_port ? "060400" : "010802";
	const char *vendor = f->is_port ? "8086" : "144D",
		   *device = f->is_port ? "347A" : "A808";

	put(dir, "vendor", "0x%s\n", f->is_port ? "8086" : "144d");
	put(dir, "device", "0x%s\n", f->is_port ? "347a" : "a808");
	put(dir, "subsystem_vendor", "0x%s\n", f->is_port ? "0000" : "144d");
	put(dir, "subsystem_device", "0x%s\n", f->is_port ? "0000" : "a801");
	put(dir, "class", "0x%s\n", class);
	put(dir, "revision", "0x00\n");
	put(dir, "irq", "%u\n", 24 + f->index);
	put(dir, "enable", "1\n");
	put(dir, "numa_node", "%u\n", f->domain & 1);
	put(dir, "local_cpulist", "0-31\n");
	put(dir, "local_cpus", "ffffffff\n");
	put(dir, "msi_bus", "1\n");
	put(dir, "ari_enabled", "0\n");
	put(dir, "broken_parity_status", "0\n");
	put(dir, "d3cold_allowed", "1\n");
	put(dir, "power_state", "D0\n");
	put(dir, "dma_mask_bits", "64\n");
	put(dir, "consistent_dma_mask_bits", "64\n");
	put(dir, "driver_override", "(null)\n");
	put(dir, "current_link_speed", "8.0 GT/s PCIe\n");
	put(dir, "max_link_speed", "8.0 GT/s PCIe\n");
	put(dir, "current_link_width", "4\n");
	put(dir, "max_link_width", "4\n");
	put(dir, "aer_dev_correctable", "RxErr 0\nBadTLP 0\nTOTAL_ERR_COR 0\n");
	put(dir, "aer_dev_nonfatal", "Undefined 0\nTOTAL_ERR_NONFATAL 0\n");
	put(dir, "aer_dev_fatal", "Undefined 0\nTOTAL_ERR_FATAL 0\n");
	put(dir, "modalias", "pci:v0000%sd0000%ssv0000144Dsd0000A801bc01sc08i02\n",
		vendor, device);
	put(dir, "uevent",
		"DRIVER=%s\nPCI_CLASS=%s\nPCI_ID=%s:%s\nPCI_SUBSYS_ID=%s\n"
		"PCI_SLOT_NAME=%s\nMODALIAS=pci:v0000%sd0000%ssv0000144Dsd0000A801bc01sc08i02\n",
		f->is_port ? "pcieport" : "vfio-pci", class, vendor, device,
		f->is_port ? "0000:0000" : "144D:A801", f->bdf, vendor, device);
	if (f->is_port) {
		put(dir, "secondary_bus_number", "%u\n", f->port + 1);
		put(dir, "subordinate_bus_number", "%u\n", f->port + 1);
	} else {
		put(dir, "reset_method", "flr bus\n");
		put_bytes(dir, "reset", "", 0);
	}
}

static void describe(struct function *f, unsigned index)
{
	unsigned in_domain = index % PER_DOMAIN;
	char port[24];

	f->index = index;
	f->domain = index / PER_DOMAIN;
	f->port = in_domain / (1 + BEHIND);
	f->is_port = in_domain % (1 + BEHIND) == 0;
	f->bus = f->is_port ? 0 : f->port + 1;
	f->slot = f->is_port ? f->port + 1 : 0;
	f->func = f->is_port ? 0 : in_domain % (1 + BEHIND) - 1;
	snprintf(f->bdf, sizeof(f->bdf), "%04x:%02x:%02x.%x", f->domain, f->bus, f->slot,
		f->func);
	snprintf(port, sizeof(port), "/%04x:00:%02x.0", f->domain, f->port + 1);
	snprintf(f->dir, sizeof(f->dir), "sys/devices/pci%04x:00%s/%s", f->domain,
		f->is_port ? "" : port, f->bdf);
}

static void put_function(unsigned index)
{
	const char *up; /* from the function's directory to sys */
	struct function f;
	uint8_t config[4096];
	char group[64];

	describe(&f, index);
	up = f.is_port ? "../../.." : "../../../..";
	make_dir(f.dir);
	fill_config(&f, config);
	/* Every eighth is a conventional one: 256 bytes are all it has. */
	put_bytes(f.dir, "config", config, index % 8 == 7 ? 256 : sizeof(config));
	put_resources(&f, f.dir);
	put_attributes(&f, f.dir);
	put_link(f.dir, "subsystem", "%s/bus/pci", up);
	put_link(f.dir, "driver", "%s/bus/pci/drivers/%s", up,
		f.is_port ? "pcieport" : "vfio-pci");
	put_link(f.dir, "iommu_group", "%s/kernel/iommu_groups/%u", up, index);
	put_link(f.dir, "iommu", "%s/devices/virtual/iommu/dmar%u", up, f.domain % 8);
	put_link("sys/bus/pci/devices", f.bdf, "../../../%s", f.dir + strlen("sys/"));
	put_link(f.is_port ? "sys/bus/pci/drivers/pcieport"
			   : "sys/bus/pci/drivers/vfio-pci",
		f.bdf, "../../../../%s", f.dir + strlen("sys/"));

	snprintf(group, sizeof(group), "sys/kernel/iommu_groups/%u/devices", index);
	make_dir(group);
	put_link(group, f.bdf, "../../../../%s", f.dir + strlen("sys/"));
	*strrchr(group, '/') = '\0';
	put(group, "type", "DMA-FQ\n");
	put(group, "reserved_regions", "0x00000000fee00000 0x00000000feefffff msi\n");
}

static void put_units(void)
{
	char dir[64], name[16];

	make_dir("sys/class/iommu");
	for (unsigned i = 0; i < 8; i++) {
		snprintf(name, sizeof(name), "dmar%u", i);
		snprintf(dir, sizeof(dir), "sys/devices/virtual/iommu/%s/intel-iommu",
			name);
		make_dir(dir);
		put(dir, "address", "%x\n", 0xc5ffc000 + (i << 24));
		put(dir, "cap", "8d2078c106f0466\n");
		put(dir, "ecap", "f020df\n");
		put(dir, "version", "1:0\n");
		put(dir, "domains_supported", "65536\n");
		put(dir, "domains_used", "12\n");
		put_link("sys/class/iommu", name, "../../devices/virtual/iommu/%s", name);
	}
}

static void put_host(void)
{
	make_dir("proc/self");
	make_dir("proc/sys/kernel");
	make_dir("proc/bus/pci");
	put("proc", "cmdline",
		"BOOT_IMAGE=/boot/vmlinuz root=/dev/sda1 ro intel_iommu=on\n");
	put("proc", "cpuinfo",
		"processor\t: 0\nvendor_id\t: GenuineIntel\nflags\t\t: fpu vmx x2apic\n");
	put("proc", "meminfo", "MemTotal:  131072000 kB\nMemAvailable:  120000000 kB\n");
	put("proc", "modules",
		"vfio_pci 16384 0 - Live 0x0\nvfio 45056 1 vfio_pci, Live 0x0\n");
	put("proc", "mounts", "/dev/sda1 / ext4 rw 0 0\n");
	put("proc/self", "mountinfo", "22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n");
	put("proc", "version", "Linux version 6.8.12-1-pve\n");
	put("proc/sys/kernel", "osrelease", "6.8.12-1-pve\n");
	/* As on a real host: libpci's list of names, which lspci reads too. */
	make_dir("usr/share/misc");
	put_link("usr/share/misc", "pci.ids", "../pci.ids");
	make_dir("etc");
	put("etc", "os-release",
		"ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian 12\"\n");
	put("etc", "hostname", "bench\n");
}

int main(int argc, char **argv)
{
	unsigned count = argc == 3 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;

	if (!count || count > 1u << 20) {
		fprintf(stderr, "usage: tree DIR N\n");
		return 2;
	}
	make_dir(argv[1]);
	if (chdir(argv[1]) < 0)
		fail(argv[1]);
	make_dir("sys/bus/pci/devices");
	make_dir("sys/bus/pci/slots");
	make_dir("sys/bus/pci/drivers/pcieport");
	make_dir("sys/bus/pci/drivers/vfio-pci");
	for (unsigned i = 0; i < count; i++)
		put_function(i);
	put_units();
	put_host();
	return 0;
}
