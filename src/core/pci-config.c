/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libpci's "dump" access method reads devices from a text file; with an empty file it
 * knows no device, and pci_get_dev() plus pci_setup_cache() lend it the bytes that we
 * read. What lies outside of them reads as all ones. Works so from libpci 3.5 (5-digit
 * domains) on.
 */
#include "config.h"

#include <pci/pci.h>

#include <errno.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/pci-config.h"

/* Longer lists of capabilities than configuration space has room for do not exist. */
#define MAX_CAPS (4096 / 4)

struct mp_libpci {
	struct pci_access *access;
	bool names;
};

/*
 * libpci's error callback must not return and gets no user pointer, so the way back is
 * kept here. One per thread, used only while guarded() is on the stack.
 */
static _Thread_local struct {
	jmp_buf env;
	char message[200];
} trap;

static void trap_error(char *format, ...) G_GNUC_PRINTF(1, 2) G_GNUC_NORETURN;
static void trap_error(char *format, ...)
{
	va_list args;

	va_start(args, format);
	g_vsnprintf(trap.message, sizeof(trap.message), format, args);
	va_end(args);
	longjmp(trap.env, 1);
}

static void silent(char *format, ...) G_GNUC_PRINTF(1, 2);
static void silent(char *format G_GNUC_UNUSED, ...)
{
}

/* Runs WORK; false if libpci gave up inside of it, with the reason in trap.message. */
static bool guarded(void (*work)(void *), void *data)
{
	if (setjmp(trap.env))
		return false;
	work(data);
	return true;
}

/* A nameless file with DATA, and a path that opens it. -1 on failure, errno is set. */
static int memory_file(const char *data, size_t size, char path[64])
{
	int fd = memfd_create("metis-passthrough", MFD_CLOEXEC);

	if (fd < 0)
		return -1;
	for (size_t done = 0; done < size;) {
		ssize_t wrote = write(fd, data + done, size - done);

		if (wrote <= 0) {
			int err = wrote < 0 ? errno : EIO;

			close(fd);
			errno = err;
			return -1;
		}
		done += (size_t)wrote;
	}
	g_snprintf(path, 64, "/proc/self/fd/%d", fd);
	return fd;
}

struct setup {
	struct pci_access *access;
	char dump[64], names[64];
	bool want_names, got_names;
};

static void do_init(void *data)
{
	struct setup *setup = data;

	pci_set_param(setup->access, (char *)"dump.name", setup->dump);
	pci_init(setup->access);
}

static void do_load_names(void *data)
{
	struct setup *setup = data;

	pci_set_name_list_path(setup->access, setup->names, 0);
	setup->got_names = pci_load_name_list(setup->access);
}

static struct pci_access *new_access(void)
{
	struct pci_access *access = pci_alloc();

	access->method = PCI_ACCESS_DUMP;
	access->error = trap_error;
	access->warning = silent;
	access->debug = silent;
	access->id_lookup_mode = 0; /* without PCI_LOOKUP_CACHE: no file in ~ is read */
	return access;
}

struct mp_libpci *mp_libpci_new(
	struct mp_host *host, const char *names, size_t size, const char **why)
{
	struct mp_libpci *libpci;
	struct setup setup = { .want_names = names && size };
	int dump = memory_file(NULL, 0, setup.dump);
	int list = setup.want_names ? memory_file(names, size, setup.names) : -1;
	bool fine;

	if (dump < 0 || (setup.want_names && list < 0)) {
		*why = mp_host_strf(host, "memfd_create: %s", g_strerror(errno));
		if (dump >= 0)
			close(dump);
		return NULL;
	}
	setup.access = new_access();
	fine = guarded(do_init, &setup);
	/* A broken list leaves the names before the break: better than none. */
	if (fine && setup.want_names)
		setup.got_names = guarded(do_load_names, &setup) && setup.got_names;
	close(dump);
	if (list >= 0)
		close(list);
	/* The path lies on our stack; what was loaded stays loaded. */
	pci_set_name_list_path(setup.access, (char *)"", 0);
	if (!fine) {
		*why = mp_host_strf(host, "libpci: %s", trap.message);
		pci_cleanup(setup.access);
		return NULL;
	}
	libpci = g_new0(struct mp_libpci, 1);
	libpci->access = setup.access;
	libpci->names = setup.got_names;
	return libpci;
}

void mp_libpci_free(struct mp_libpci *libpci)
{
	if (!libpci)
		return;
	pci_cleanup(libpci->access);
	g_free(libpci);
}

/* --- capabilities --- */

struct parse {
	struct pci_access *access;
	struct pci_dev *dev;
	struct mp_host *host;
	struct mp_pci *device;
};

/* What a decoder reads must have been there to read: else it stays "not present". */
static bool readable(const struct mp_pci *device, unsigned at, unsigned length)
{
	return (size_t)at + length <= device->config_size;
}

static void read_msi(struct pci_dev *dev, unsigned at, struct mp_pci *device)
{
	struct mp_msi *msi = &device->msi;
	uint16_t flags = pci_read_word(dev, at + PCI_MSI_FLAGS);

	if (!readable(device, at, flags & PCI_MSI_FLAGS_64BIT ? 14 : 10))
		return;
	msi->present = true;
	msi->enabled = flags & PCI_MSI_FLAGS_ENABLE;
	msi->is64 = flags & PCI_MSI_FLAGS_64BIT;
	msi->maskable = flags & PCI_MSI_FLAGS_MASK_BIT;
	msi->vectors_max = 1u << ((flags & PCI_MSI_FLAGS_QMASK) >> 1);
	msi->vectors_enabled = 1u << ((flags & PCI_MSI_FLAGS_QSIZE) >> 4);
	msi->address = pci_read_long(dev, at + PCI_MSI_ADDRESS_LO);
	if (msi->is64) {
		msi->address |= (uint64_t)pci_read_long(dev, at + PCI_MSI_ADDRESS_HI)
				<< 32;
		msi->data = pci_read_word(dev, at + PCI_MSI_DATA_64);
	} else {
		msi->data = pci_read_word(dev, at + PCI_MSI_DATA_32);
	}
}

static void read_msix(struct pci_dev *dev, unsigned at, struct mp_msix *msix)
{
	uint16_t flags = pci_read_word(dev, at + 2);
	uint32_t table = pci_read_long(dev, at + PCI_MSIX_TABLE);
	uint32_t pba = pci_read_long(dev, at + PCI_MSIX_PBA);

	msix->present = true;
	msix->enabled = flags & PCI_MSIX_ENABLE;
	msix->vectors = (flags & PCI_MSIX_TABSIZE) + 1u;
	msix->table_bar = table & PCI_MSIX_BIR;
	msix->table_offset = table & ~(uint32_t)PCI_MSIX_BIR;
	msix->pba_bar = pba & PCI_MSIX_BIR;
	msix->pba_offset = pba & ~(uint32_t)PCI_MSIX_BIR;
}

/* Parts integrated into the root complex have no link and need not have its registers. */
static bool has_link(unsigned type)
{
	return type != PCI_EXP_TYPE_ROOT_INT_EP && type != PCI_EXP_TYPE_ROOT_EC;
}

static void read_pcie(struct pci_dev *dev, unsigned at, struct mp_pci *device)
{
	struct mp_pcie *pcie = &device->pcie;
	uint16_t flags = pci_read_word(dev, at + PCI_EXP_FLAGS);

	pcie->present = true;
	pcie->type = (flags & PCI_EXP_FLAGS_TYPE) >> 4;
	pcie->flr = pci_read_long(dev, at + PCI_EXP_DEVCAP) & PCI_EXP_DEVCAP_FLRESET;
	pcie->device_control = pci_read_word(dev, at + PCI_EXP_DEVCTL);
	pcie->device_status = pci_read_word(dev, at + PCI_EXP_DEVSTA);
	if (!has_link(pcie->type) || !readable(device, at, PCI_EXP_LNKSTA + 2))
		return;
	pcie->link_cap = pci_read_long(dev, at + PCI_EXP_LNKCAP);
	pcie->link_status = pci_read_word(dev, at + PCI_EXP_LNKSTA);
	if (flags & PCI_EXP_FLAGS_SLOT && readable(device, at, PCI_EXP_SLTCAP + 4))
		pcie->slot_cap = pci_read_long(dev, at + PCI_EXP_SLTCAP);
}

static void read_normal_cap(
	struct pci_dev *dev, const struct pci_cap *cap, struct mp_pci *device)
{
	unsigned at = cap->addr;

	switch (cap->id) {
	case PCI_CAP_ID_PM:
		if (!readable(device, at, PCI_PM_CTRL + 2))
			return;
		uint16_t control = pci_read_word(dev, at + PCI_PM_CTRL);
		device->pm.present = true;
		device->pm.state = control & PCI_PM_CTRL_STATE_MASK;
		device->pm.no_soft_reset = control & PCI_PM_CTRL_NO_SOFT_RST;
		return;
	case PCI_CAP_ID_MSI:
		if (readable(device, at, PCI_MSI_FLAGS + 2))
			read_msi(dev, at, device);
		return;
	case PCI_CAP_ID_MSIX:
		if (readable(device, at, 12))
			read_msix(dev, at, &device->msix);
		return;
	case PCI_CAP_ID_EXP:
		if (readable(device, at, PCI_EXP_DEVSTA + 2))
			read_pcie(dev, at, device);
		return;
	case PCI_CAP_ID_AF:
		if (readable(device, at, 4))
			device->af_flr =
				pci_read_byte(dev, at + PCI_AF_CAP) & PCI_AF_CAP_FLR;
		return;
	}
}

static void read_extended_cap(
	struct pci_dev *dev, const struct pci_cap *cap, struct mp_pci *device)
{
	unsigned at = cap->addr;

	switch (cap->id) {
	case PCI_EXT_CAP_ID_ACS:
		if (!readable(device, at, 8))
			return;
		device->acs.present = true;
		device->acs.cap = pci_read_word(dev, at + PCI_ACS_CAP);
		device->acs.control = pci_read_word(dev, at + PCI_ACS_CTRL);
		return;
	case PCI_EXT_CAP_ID_DSN:
		if (readable(device, at, 12))
			device->serial = pci_read_long(dev, at + 4) |
					 (uint64_t)pci_read_long(dev, at + 8) << 32;
		return;
	case PCI_EXT_CAP_ID_AER:
		device->aer = true;
		return;
	case PCI_EXT_CAP_ID_ATS:
		device->ats = true;
		return;
	case PCI_EXT_CAP_ID_PASID:
		device->pasid = true;
		return;
	case PCI_EXT_CAP_ID_PRI:
		device->pri = true;
		return;
	}
}

static void do_parse(void *data)
{
	struct parse *parse = data;
	struct mp_pci *device = parse->device;
	struct mp_cap *caps;
	size_t n = 0;

	/* The domain is an int in libpci, and only a label here. */
	parse->dev = pci_get_dev(parse->access, (int)(device->domain & 0x7fffffff),
		device->bus, device->slot, device->function);
	pci_setup_cache(parse->dev, (u8 *)device->config, (int)device->config_size);
	pci_fill_info(parse->dev, PCI_FILL_CAPS | PCI_FILL_EXT_CAPS);
	for (const struct pci_cap *c = parse->dev->first_cap; c && n < MAX_CAPS;
		c = c->next)
		n++;
	caps = n ? mp_host_alloc(parse->host, n * sizeof(*caps)) : NULL;
	n = 0;
	for (const struct pci_cap *c = parse->dev->first_cap; c && n < MAX_CAPS;
		c = c->next) {
		bool extended = c->type == PCI_CAP_EXTENDED;

		caps[n++] = (struct mp_cap){
			.id = c->id, .offset = (uint16_t)c->addr, .extended = extended
		};
		if (extended)
			read_extended_cap(parse->dev, c, device);
		else
			read_normal_cap(parse->dev, c, device);
	}
	device->caps = caps;
	device->caps_count = n;
}

bool mp_libpci_parse(struct mp_libpci *libpci, struct mp_host *host,
	struct mp_pci *device, const char **why)
{
	struct parse parse = { .access = libpci->access, .host = host, .device = device };
	bool fine = guarded(do_parse, &parse);

	if (!fine)
		*why = mp_host_strf(host, "libpci: %s", trap.message);
	if (parse.dev)
		pci_free_dev(parse.dev);
	return fine;
}

/* --- names --- */

struct lookup {
	struct mp_libpci *libpci;
	struct mp_host *host;
	struct mp_pci *device;
};

/* Names come from a file of the host's: hostile text too. */
static const char *keep(struct mp_host *host, const char *name)
{
	g_autofree char *clean = name ? mp_clean_text(name, strlen(name)) : NULL;

	return clean && *clean ? g_string_chunk_insert_const(host->strings, clean) : NULL;
}

/* libpci falls back to the base class as "Bridge [06ff]"; the number is shown elsewhere.
 */
static void drop_number(char *name)
{
	char *bracket = name ? strrchr(name, '[') : NULL;

	if (bracket > name && bracket[-1] == ' ' && strlen(bracket) == 6)
		bracket[-1] = '\0';
}

static void do_lookup(void *data)
{
	const int flags = PCI_LOOKUP_NO_NUMBERS | PCI_LOOKUP_NO_HWDB;
	struct lookup *lookup = data;
	struct mp_pci *device = lookup->device;
	struct pci_access *access = lookup->libpci->access;
	char buffer[1200];
	char *name;

	if (device->vendor_fact.know == MP_KNOWN) {
		name = pci_lookup_name(access, buffer, sizeof(buffer),
			flags | PCI_LOOKUP_VENDOR, device->vendor);
		device->vendor_name = keep(lookup->host, name);
		name = pci_lookup_name(access, buffer, sizeof(buffer),
			flags | PCI_LOOKUP_DEVICE, device->vendor, device->device);
		device->device_name = keep(lookup->host, name);
	}
	if (device->class_fact.know == MP_KNOWN) {
		name = pci_lookup_name(access, buffer, sizeof(buffer),
			flags | PCI_LOOKUP_CLASS, device->class_code >> 8);
		drop_number(name);
		device->class_name = keep(lookup->host, name);
	}
}

void mp_libpci_name(struct mp_libpci *libpci, struct mp_host *host, struct mp_pci *device)
{
	struct lookup lookup = { .libpci = libpci, .host = host, .device = device };

	/* A lookup that fails leaves the name unset, which is what "not in the list"
	 * means. */
	if (libpci->names)
		(void)guarded(do_lookup, &lookup);
}
