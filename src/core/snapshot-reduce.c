/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Leaves out of a snapshot's long files what says nothing about its devices. */
#include "config.h"

#include <string.h>

#include "core/pci-config.h"
#include "core/pci.h"
#include "core/snapshot.h"

#define PATH_IDS "usr/share/misc/pci.ids"

/* A log of one message over and over must not make the snapshot unreadable: of what is
 * relevant the beginning (the boot) and the end (what happens now) stay. */
#define LOG_FIRST 3000
#define LOG_LAST  2000

/*
 * Words of lines about the IOMMU, interrupts, PCI errors, VFIO, resets, and the card's own
 * driver. A probe may look for lines with one of these only (test-snapshot-write proves
 * that all the log's rules of probe-iommu-log.c pass).
 */
static const char *const words[] = { "linux version", "command line", "dmar", "amd-vi",
	"iommu", "remap", "x2apic", "apic:", "vfio", "acs ", "acsviol",
	"aer:", "pcie bus error", "pcieport", "not ready", "reset", "d3cold", "lockdown",
	"secure boot", "kvm", "smmu", "bar ", "axl", "axelera", "aipu", "metis", "triton",
	"dma ", "msi", "virtualization" };

static bool has_word(const char *line, size_t length, GPtrArray *addresses)
{
	g_autofree char *lower = g_ascii_strdown(line, (gssize)length);

	for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
		if (strstr(lower, words[i]))
			return true;
	for (guint i = 0; i < addresses->len; i++)
		if (strstr(lower, addresses->pdata[i]))
			return true;
	return false;
}

/* "usb 1-1: SerialNumber: ..." and whatever else names things of other buses. */
static bool is_foreign(const char *line, size_t length)
{
	static const char *const foreign[] = { "] usb ", "] audit: ", "] systemd[",
		"] hid-", "] scsi ", "] sd " };

	for (size_t i = 0; i < G_N_ELEMENTS(foreign); i++)
		if (g_strstr_len(line, (gssize)length, foreign[i]))
			return true;
	return false;
}

static GBytes *reduce_log(GBytes *log, GPtrArray *addresses)
{
	g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
	GString *out = g_string_new(NULL);
	size_t size;
	const char *p = g_bytes_get_data(log, &size), *end = p + size;

	while (p < end) {
		const char *feed = memchr(p, '\n', (size_t)(end - p));
		size_t length = (size_t)((feed ? feed : end) - p);

		if (!is_foreign(p, length) && has_word(p, length, addresses))
			g_ptr_array_add(lines, g_strndup(p, length));
		p += length + 1;
	}
	for (guint i = 0; i < lines->len; i++) {
		if (lines->len > LOG_FIRST + LOG_LAST && i >= LOG_FIRST &&
			i < lines->len - LOG_LAST)
			continue;
		g_string_append_printf(out, "%s\n", (char *)lines->pdata[i]);
	}
	return g_string_free_to_bytes(out);
}

static GPtrArray *addresses_of(const struct mp_host *host)
{
	GPtrArray *addresses = g_ptr_array_new_with_free_func(g_free);

	for (guint i = 0; i < host->devices->len; i++) {
		const struct mp_pci *device = host->devices->pdata[i];

		/* Below a thousand devices: beyond, the words above must do. */
		if (i < 1000)
			g_ptr_array_add(addresses, g_ascii_strdown(device->bdf, -1));
	}
	return addresses;
}

/* /proc/PID/cmdline of a running VM: all that is asked of it is whose it is ("-id VMID"); the
 * rest of QEMU's command line names people's disks, networks and more. */
static GBytes *reduce_arguments(GBytes *arguments)
{
	GByteArray *out = g_byte_array_new();
	size_t size;
	const char *data = g_bytes_get_data(arguments, &size), *end = data + size;
	bool keep = true; /* the program's name */

	for (const char *p = data, *next; p < end; p = next) {
		const char *nul = memchr(p, '\0', (size_t)(end - p));
		bool is_id;

		next = nul ? nul + 1 : end;
		is_id = (size_t)(next - p) == sizeof("-id") &&
			!memcmp(p, "-id", sizeof("-id"));
		if (keep || is_id)
			g_byte_array_append(out, (const guint8 *)p, (guint)(next - p));
		keep = is_id;
	}
	return g_byte_array_free_to_bytes(out);
}

static bool is_arguments(const char *path)
{
	const char *pid = g_str_has_prefix(path, "proc/") ? path + strlen("proc/") : "";
	size_t digits = strspn(pid, "0123456789");

	return digits && !strcmp(pid + digits, "/cmdline");
}

static void replace(struct mp_shot *shot, GBytes *bytes)
{
	g_bytes_unref(shot->file);
	shot->file = bytes;
}

void mp_snapshot_reduce(struct mp_snapshot *snapshot, const struct mp_host *host)
{
	struct mp_shot *log = mp_snapshot_find(snapshot, MP_PATH_KLOG);
	struct mp_shot *ids = mp_snapshot_find(snapshot, PATH_IDS);

	GPtrArray *shots = mp_snapshot_shots(snapshot);

	for (guint i = 0; i < shots->len; i++) {
		struct mp_shot *shot = shots->pdata[i];

		if (shot->file && is_arguments(shot->path))
			replace(shot, reduce_arguments(shot->file));
	}
	if (log && log->file) {
		g_autoptr(GPtrArray) addresses = addresses_of(host);

		replace(log, reduce_log(log->file, addresses));
	}
	if (ids && ids->file) {
		size_t size, left;
		const char *data = g_bytes_get_data(ids->file, &size);
		char *part = mp_pci_ids_select(host, data, size, &left);

		replace(ids, g_bytes_new_take(part, left));
	}
}
